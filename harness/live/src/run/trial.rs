//! One trial: a plan and a target become transcripts and judgements, in the simulator or over real sockets.
use std::collections::BTreeMap;
use std::sync::Mutex;

use proofhouse_core::actor::Actor;
use proofhouse_core::budget::Lease;
use proofhouse_core::judge::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::sim;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::{Header, Transcript};
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict};

use super::turn::{Turn, Turns};
use crate::guard;
use crate::process::observed::lock;
use crate::{Lab, LiveOptions, RunError};

/// What every trial of a run shares.
pub struct Runner<'a> {
    /// Everything that is known to this build.
    pub registry: &'a Registry,
    /// How live trials run.
    pub live: LiveOptions,
    /// Targets that wait for their next round, by digest: those that are slow to start and say so.
    labs: Mutex<BTreeMap<String, Vec<Lab>>>,
    /// Whose turn it is where trials share a target.
    turns: Turns,
}

impl<'a> Runner<'a> {
    /// A runner without any target yet.
    #[must_use]
    pub fn new(registry: &'a Registry, live: LiveOptions) -> Runner<'a> {
        Runner { registry, live, labs: Mutex::default(), turns: Turns::default() }
    }

    /// Runs a plan, and its control arm where it has one, and judges. A target with `reuse = "campaign"` may have played rounds
    /// before: what it does not pass then is played again in a fresh one, and that counts.
    ///
    /// # Errors
    /// When the target cannot be built, started or reached: says nothing about the target's behaviour.
    pub fn outcome(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        let Some(mut lab) = self.waiting(target) else { return self.first(plan, target) };
        let before = lab.rounds();
        let Ok(outcome) = self.in_lab(plan.clone(), &mut lab) else {
            drop(lab.close()); // such a plan needs a target of its own
            return self.first(plan, target);
        };
        if passed(&outcome) {
            self.keep(target, lab);
            return Ok(outcome);
        }
        drop(lab.close());
        let mut fresh = self.fresh(plan, target)?;
        fresh.judgements.extend(leaked(&outcome, &fresh, before));
        Ok(fresh)
    }

    /// As [`Runner::outcome`], always in a target that has played no round before.
    ///
    /// # Errors
    /// As [`Runner::outcome`].
    pub fn fresh(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        let _turn = self.turn(target)?;
        let (transcript, held) = self.arm(&plan, target, "main")?;
        let mut held = vec![held];
        let control = match plan.control_arm() {
            Some(arm) => {
                let (control, its) = self.arm(&arm, target, "control")?;
                held.push(its);
                Some(control)
            }
            None => None,
        };
        Ok(self.judged(plan, transcript, control, held))
    }

    /// A fresh target, which waits for another round where it may play several.
    fn first(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        if rounds_max(target) == 1 {
            return self.fresh(plan, target);
        }
        let mut lab = Lab::open(target, &plan, self.registry, &self.live)?;
        let outcome = self.in_lab(plan, &mut lab);
        match &outcome {
            Ok(outcome) if passed(outcome) => self.keep(target, lab),
            _ => drop(lab.close()),
        }
        outcome
    }

    fn in_lab(&self, plan: Plan, lab: &mut Lab) -> Result<Outcome, RunError> {
        let transcript = lab.round(&plan, header(&plan, "live", "main"))?;
        let mut held = vec![lab.take_memory()];
        let control = match plan.control_arm() {
            Some(arm) => Some(lab.round(&arm, header(&plan, "live", "control"))?),
            None => None,
        };
        held.push(lab.take_memory());
        Ok(self.judged(plan, transcript, control, held))
    }

    fn judged(&self, plan: Plan, transcript: Transcript, control: Option<Transcript>, held: Vec<Lease>) -> Outcome {
        let judgements = judge_all(&plan, &transcript, control.as_ref(), self.registry);
        Outcome { plan, transcript, control, judgements, held }
    }

    /// Both arms of a trial are one turn. `None` where every trial has a target of its own.
    fn turn(&self, target: &TargetSpec) -> Result<Option<Turn<'_>>, RunError> {
        if !matches!(target.kind, TargetKind::Remote) {
            return Ok(None);
        }
        let approved = guard::approve(target, &self.live.i_own, str::to_string)?;
        Ok(Some(self.turns.take(approved.addrs().collect())))
    }

    fn waiting(&self, target: &TargetSpec) -> Option<Lab> {
        lock(&self.labs).get_mut(&target.digest)?.pop()
    }

    /// Keeps a target for its next round, or ends it after its last.
    fn keep(&self, target: &TargetSpec, lab: Lab) {
        match lab.rounds() < rounds_max(target) {
            true => lock(&self.labs).entry(target.digest.clone()).or_default().push(lab),
            false => drop(lab.close()),
        }
    }

    fn arm(&self, plan: &Plan, target: &TargetSpec, arm: &str) -> Result<(Transcript, Lease), RunError> {
        match &target.kind {
            TargetKind::InProcess { build, flaws } => {
                let actor = self.build(plan, target, build, flaws)?;
                Ok((sim::run(plan, self.registry, actor, header(plan, "sim", arm)), Lease::default()))
            }
            TargetKind::Process(_) | TargetKind::Remote => {
                crate::lab::run_held(plan, self.registry, target, header(plan, "live", arm), &self.live)
            }
        }
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

/// Rounds that one start of this target may play.
fn rounds_max(target: &TargetSpec) -> u32 {
    match &target.kind {
        TargetKind::Process(spec) => spec.rounds,
        TargetKind::Remote | TargetKind::InProcess { .. } => 1,
    }
}

fn passed(outcome: &Outcome) -> bool {
    Verdict::all(outcome.judgements.iter().map(|judgement| judgement.verdict)) == Verdict::Pass
}

/// What failed in a target that had played rounds before, and not in a fresh one: a suspicion, and never more.
fn leaked(before: &Outcome, fresh: &Outcome, rounds: u32) -> Option<Judgement> {
    let failed = |outcome: &Outcome| {
        outcome.judgements.iter().find(|judgement| judgement.verdict == Verdict::Fail).map(|one| one.reason.clone())
    };
    let reason = failed(before).filter(|_| failed(fresh).is_none())?;
    let played = if rounds == 1 { "1 round".to_string() } else { format!("{rounds} rounds") };
    Some(Judgement::inconclusive(
        "reuse",
        format!("in a target that had played {played} before, and not in a fresh one: {reason}"),
    ))
}

fn header(plan: &Plan, clock: &str, arm: &str) -> Header {
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
