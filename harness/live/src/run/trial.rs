//! One trial: a plan and a target become transcripts and judgements, in the simulator or over real sockets.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use proofhouse_core::actor::Actor;
use proofhouse_core::budget::Lease;
use proofhouse_core::judge::judge_all;
use proofhouse_core::oracle::broke_as_it_ended;
use proofhouse_core::plan::Plan;
use proofhouse_core::recorder::UNTOUCHED_END;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::shared;
use proofhouse_core::sim;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{Entry, Event, Header, Life, Transcript, Who};
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict};

use super::clearing::{self, Rest};
use super::gate;
use super::idle::{Idle, Parting, Waiting};
use super::turn::{Turn, Turns};
use crate::guard;
use crate::lab::Aside;
use crate::process::observed::lock;
use crate::{Lab, LiveOptions, RunError};

/// What every trial of a run shares.
pub struct Runner<'a> {
    /// Everything that is known to this build.
    pub registry: &'a Registry,
    /// How live trials run.
    pub live: LiveOptions,
    /// Targets that wait for their next round: those that are slow to start and say so.
    waiting: Waiting,
    /// Whose turn it is where trials share a target.
    turns: Turns,
    /// What could not be cleared away, by target.
    left: Mutex<BTreeMap<String, Vec<Rest>>>,
    /// Targets that do not end in order even where nobody has attacked them, by digest of their files.
    breaks_untouched: Mutex<BTreeSet<String>>,
}

impl<'a> Runner<'a> {
    /// A runner without any target yet.
    #[must_use]
    pub fn new(registry: &'a Registry, live: LiveOptions) -> Runner<'a> {
        Runner {
            registry,
            live,
            waiting: Waiting::default(),
            turns: Turns::default(),
            left: Mutex::default(),
            breaks_untouched: Mutex::default(),
        }
    }

    /// Runs a plan, and its control arm where it has one, and judges. A target with `reuse = "campaign"` may have played rounds
    /// before: what it does not pass then is played again in a fresh one, and that counts.
    ///
    /// # Errors
    /// When the target cannot be built, started or reached: says nothing about the target's behaviour.
    pub fn outcome(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        self.beside(plan, target, None)
    }

    /// As [`Runner::outcome`], beside other trials: a fresh process lives on for a while, `aside`, and is looked at once more.
    pub(super) fn beside(
        &self,
        plan: Plan,
        target: &TargetSpec,
        aside: Option<Aside<'_>>,
    ) -> Result<Outcome, RunError> {
        let aside = aside.filter(|_| may_be_two(target));
        let Some(Idle { mut lab, last }) = self.waiting.take(&target.digest) else {
            return self.first(plan, target, aside);
        };
        let before = lab.rounds();
        let Ok(played) = self.in_lab(plan.clone(), target, &mut lab) else {
            self.waiting.part(&target.digest, Idle { lab, last }); // such a plan needs a target of its own
            return self.first(plan, target, aside);
        };
        let outcome = self.kept_or_ended(target, lab, played);
        if passed(&outcome) {
            return Ok(outcome);
        }
        let mut fresh = self.fresh(plan, target)?;
        fresh.judgements.extend(failed(&outcome).and_then(|why| leaked(&why, &fresh, before)));
        Ok(fresh)
    }

    /// Ends the targets that wait for another round, but those of one file.
    pub fn end_waiting(&self, but: Option<&str>) {
        self.waiting.end(but);
    }

    /// Trials whose target ended badly after they had passed; each is told once. They have to be played again in a fresh one.
    #[must_use]
    pub fn parted(&self) -> Vec<Parting> {
        self.waiting.parted()
    }

    /// Plays a trial again in a fresh target: how that ends counts, and what its first one did stays a suspicion.
    ///
    /// # Errors
    /// As [`Runner::outcome`].
    pub fn after(&self, parting: &Parting, target: &TargetSpec) -> Result<Outcome, RunError> {
        let mut fresh = self.fresh(parting.plan.clone(), target)?;
        fresh.judgements.extend(leaked(&parting.why, &fresh, parting.rounds));
        Ok(fresh)
    }

    /// As [`Runner::outcome`], always in a target that has played no round before.
    ///
    /// # Errors
    /// As [`Runner::outcome`].
    pub fn fresh(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        self.fresh_aside(plan, target, None)
    }

    /// As [`Runner::fresh`]; a process lives on for a while, `aside`.
    pub(super) fn fresh_aside(
        &self,
        plan: Plan,
        target: &TargetSpec,
        aside: Option<Aside<'_>>,
    ) -> Result<Outcome, RunError> {
        if matches!(target.kind, TargetKind::Remote) {
            return self.in_turn(plan, target);
        }
        let (mut transcript, held) = self.arm(&plan, target, "main", aside)?;
        self.compare_end(&plan, target, &mut transcript);
        let mut held = vec![held];
        let control = match plan.control_arm() {
            Some(arm) => {
                let (mut control, its) = self.arm(&arm, target, "control", aside)?;
                self.compare_end(&plan, target, &mut control);
                held.push(its);
                Some(control)
            }
            None => None,
        };
        Ok(self.judged(plan, transcript, control, held))
    }

    /// A fresh target, which waits for another round where it may play several.
    fn first(&self, plan: Plan, target: &TargetSpec, aside: Option<Aside<'_>>) -> Result<Outcome, RunError> {
        if rounds_max(target) == 1 {
            return self.fresh_aside(plan, target, aside);
        }
        let mut lab = Lab::open(target, &plan, self.registry, &self.live)?;
        let played = self.in_lab(plan, target, &mut lab)?;
        Ok(self.kept_or_ended(target, lab, played))
    }

    /// Both arms on a target that others wait for too. What they leave there is gone before the next one begins.
    fn in_turn(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        let _turn = self.turn(target)?;
        let mut lab = Lab::open(target, &plan, self.registry, &self.live)?;
        let played = self.in_lab(plan, target, &mut lab);
        drop(lab.close());
        let Played { mut outcome, rest, .. } = played?;
        if !passed(&outcome)
            && let Some(why) = self.not_its_own(target, &outcome)
        {
            gate::doubted(gate::RESIDUE, &why, &mut outcome.judgements, self.registry);
        }
        if let Some(mut rest) = rest {
            outcome.clearing = rest.transcript.take();
            outcome.judgements.push(Judgement::inconclusive(gate::CLEARING, rest.why.clone()));
            lock(&self.left).entry(target.digest.clone()).or_default().push(rest);
        }
        Ok(outcome)
    }

    /// What this trial met on the target and had not made: left there by another trial, or by others.
    fn not_its_own(&self, target: &TargetSpec, outcome: &Outcome) -> Option<String> {
        let seen = || core::iter::once(&outcome.transcript).chain(&outcome.control);
        let left = lock(&self.left);
        let mut rests = left.get(&target.digest).into_iter().flatten();
        let ours = rests.find(|rest| seen().any(|transcript| shared::met(&rest.names, transcript).is_some()));
        let foreign = || {
            let rows = self.registry.protocols.iter().map(|protocol| protocol.shared.foreign);
            rows.flat_map(|foreign| seen().find_map(|transcript| foreign(&outcome.plan, transcript))).next()
        };
        ours.map(|rest| rest.why.clone()).or_else(foreign)
    }

    /// Both arms, each cleared away behind it.
    fn in_lab(&self, plan: Plan, target: &TargetSpec, lab: &mut Lab) -> Result<Played, RunError> {
        let transcript = lab.round(&plan, header(&plan, "live", "main"))?;
        let mut began = lab.began();
        let mut held = vec![lab.take_memory()];
        let mut rest = clearing::clear(&plan, &transcript, target, self.registry, lab);
        let mut control = None;
        if let Some(arm) = plan.control_arm() {
            let seen = lab.round(&arm, header(&plan, "live", "control"))?;
            began = lab.began();
            held.push(lab.take_memory());
            rest = rest.or(clearing::clear(&arm, &seen, target, self.registry, lab));
            control = Some(seen);
        }
        Ok(Played { outcome: self.judged(plan, transcript, control, held), rest, began })
    }

    fn judged(&self, plan: Plan, transcript: Transcript, control: Option<Transcript>, held: Vec<Lease>) -> Outcome {
        let judgements = judge_all(&plan, &transcript, control.as_ref(), self.registry);
        Outcome { plan, transcript, control, clearing: None, judgements, held }
    }

    /// Both arms of a trial are one turn.
    fn turn(&self, target: &TargetSpec) -> Result<Turn<'_>, RunError> {
        let approved = guard::approve(target, &self.live.i_own, str::to_string)?;
        Ok(self.turns.take(approved.addrs().collect()))
    }

    /// Keeps a target that is as good as new for its next round. After its last it is ended, and how it takes that belongs to the trial.
    fn kept_or_ended(&self, target: &TargetSpec, lab: Lab, played: Played) -> Outcome {
        let good = passed(&played.outcome) && played.rest.is_none();
        if good && lab.rounds() < rounds_max(target) {
            let last = played.outcome.plan.clone();
            self.waiting.keep(&target.digest, Idle { lab, last });
            return played.outcome;
        }
        let Played { mut outcome, rest, began } = played;
        let last = outcome.control.as_mut().unwrap_or(&mut outcome.transcript);
        last.entries.extend(lab.close_in(began).entries);
        self.compare_end(&outcome.plan, target, last);
        outcome.judgements = judge_all(&outcome.plan, &outcome.transcript, outcome.control.as_ref(), self.registry);
        if let Some(rest) = rest.filter(|rest| rest.broke) {
            outcome.judgements.push(Judgement::inconclusive(gate::CLEARING, rest.why));
            outcome.clearing = rest.transcript;
        }
        outcome
    }

    fn arm(
        &self,
        plan: &Plan,
        target: &TargetSpec,
        arm: &str,
        aside: Option<Aside<'_>>,
    ) -> Result<(Transcript, Lease), RunError> {
        match &target.kind {
            TargetKind::InProcess { build, flaws } => {
                let actor = self.build(plan, target, build, flaws)?;
                Ok((sim::run(plan, self.registry, actor, header(plan, "sim", arm)), Lease::default()))
            }
            TargetKind::Process(_) | TargetKind::Remote => {
                crate::lab::run_held(plan, self.registry, target, header(plan, "live", arm), &self.live, aside)
            }
        }
    }

    /// Where the target broke over an exception as it was ended, the record says whether it ends in order where nobody but witnesses has
    /// spoken to it. One that was once seen to break untouched is not asked again.
    fn compare_end(&self, plan: &Plan, target: &TargetSpec, transcript: &mut Transcript) {
        if !broke_as_it_ended(transcript) {
            return;
        }
        let known = lock(&self.breaks_untouched).contains(&target.digest);
        let in_order = if known { Some(false) } else { self.ends_in_order(plan, target) };
        if in_order == Some(false) {
            lock(&self.breaks_untouched).insert(target.digest.clone());
        }
        let Some(in_order) = in_order else { return };
        let at = transcript.entries.last().map_or(Time::ZERO, |entry| entry.at);
        let event = Event::Calibration { name: UNTOUCHED_END.into(), value: u64::from(in_order) };
        transcript.entries.push(Entry { at, who: Who::Harness, event });
    }

    /// `None` where it could not be tried, or the target ended by itself.
    fn ends_in_order(&self, plan: &Plan, target: &TargetSpec) -> Option<bool> {
        let (untouched, _) = self.arm(&plan.untouched(), target, "untouched", None).ok()?;
        let asked = |entry: &Entry| entry.event == Event::Life(Life::Stopped);
        untouched.entries.iter().any(asked).then(|| !broke_as_it_ended(&untouched))
    }

    fn build(
        &self,
        plan: &Plan,
        target: &TargetSpec,
        build: &str,
        flaws: &[String],
    ) -> Result<Box<dyn Actor>, RunError> {
        let known = self.registry.builds.iter().find(|b| b.name == build);
        let row =
            known.ok_or_else(|| RunError::Build(format!("unknown build {build:?} in target {:?}", target.name)))?;
        let claims = &target.endpoints[0].claims;
        let seed = plan.seed.child("target", 0);
        (row.build)(&BuildPlan { plan, claims, flaws, seed }).map_err(RunError::Build)
    }
}

/// A trial that was played in a lab which others may use too.
struct Played {
    outcome: Outcome,
    /// What could not be cleared away behind it.
    rest: Option<Rest>,
    /// When its last arm began, in the lab's time.
    began: Time,
}

/// Rounds that one start of this target may play.
fn rounds_max(target: &TargetSpec) -> u32 {
    match &target.kind {
        TargetKind::Process(spec) => spec.rounds,
        TargetKind::Remote | TargetKind::InProcess { .. } => 1,
    }
}

/// Whether one of it may live on beside another: one that always has the same port is alone.
fn may_be_two(target: &TargetSpec) -> bool {
    target.endpoints.iter().all(|endpoint| endpoint.client || endpoint.address.contains("{port"))
}

fn passed(outcome: &Outcome) -> bool {
    Verdict::all(outcome.judgements.iter().map(|judgement| judgement.verdict)) == Verdict::Pass
}

/// Why a trial did not go well in a target that others had used: what failed, or how it broke down as we cleared up behind it.
fn failed(outcome: &Outcome) -> Option<String> {
    let bad = |judgement: &&Judgement| judgement.verdict == Verdict::Fail || judgement.oracle == gate::CLEARING;
    outcome.judgements.iter().find(bad).map(|judgement| judgement.reason.clone())
}

/// What failed in a target that had played rounds before, and not in a fresh one: a suspicion, and never more.
fn leaked(why: &str, fresh: &Outcome, rounds: u32) -> Option<Judgement> {
    if fresh.judgements.iter().any(|judgement| judgement.verdict == Verdict::Fail) {
        return None;
    }
    let played = if rounds == 1 { "1 round".to_string() } else { format!("{rounds} rounds") };
    Some(Judgement::inconclusive(
        gate::REUSE,
        format!("in a target that had played {played} before, and not in a fresh one: {why}"),
    ))
}

pub(super) fn header(plan: &Plan, clock: &str, arm: &str) -> Header {
    Header {
        format: proofhouse_core::transcript::FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: plan.target.clone(),
        clock: clock.into(),
        arm: arm.into(),
    }
}
