//! From a failing trial to a finding: cut down, run again, counted, written.
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Duration;

use proofhouse_core::document::Located;
use proofhouse_core::finding::{ENTRIES_MAX, Finding, Repeats, Signature, Standing, level};
use proofhouse_core::ids::TrialNo;
use proofhouse_core::judge::preconditions::own_doing;
use proofhouse_core::plan::Plan;
use proofhouse_core::severity::FindingKind;
use proofhouse_core::shrink::shrink;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict, Violation};

use super::campaign::{Campaign, CampaignError, Job, Progress, Shared, Wait};
use super::folder::Folder;
use super::gate::{self, PROBE};
use super::journal::JournalEntry;
use super::resume::{self, Shown, Suspicion};
use super::slots::Slots;
use super::trial::Runner;
use super::turn::lanes;
use crate::clock::Stopwatch;
use crate::digest::sha256;

/// What running a plan again came to.
pub struct Replay {
    /// The same signature came, and with it this violation.
    pub violation: Option<Violation>,
    /// Other failures, each with its rule.
    pub others: Vec<(String, Violation)>,
    /// SHA-256 of the transcript.
    pub digest: String,
    /// Everything seen.
    pub outcome: Outcome,
}

impl Replay {
    /// Why this replay speaks neither for nor against a failure of `oracle`: the rule came to no answer, and we ourselves stood in its way.
    #[must_use]
    pub fn void(&self, oracle: &str) -> Option<String> {
        if self.violation.is_some() || was_judged(&self.outcome.judgements, oracle) {
            return None;
        }
        let Outcome { plan, transcript, control, .. } = &self.outcome;
        let in_control = || control.as_ref().and_then(|control| own_doing(plan, control));
        own_doing(plan, transcript).or_else(in_control)
    }
}

/// Whether a rule came to an answer. Where it did not, that nothing was seen says nothing.
#[must_use]
pub fn was_judged(judgements: &[Judgement], oracle: &str) -> bool {
    let mut own = judgements.iter().filter(|j| j.oracle == oracle).peekable();
    own.peek().is_none() || own.any(|j| matches!(j.verdict, Verdict::Pass | Verdict::Fail))
}

/// Runs `plan` once more and looks for `signature`.
///
/// # Errors
/// Why it did not take place: the target did not start, or we ourselves panicked (which has then been printed).
pub fn replay(runner: &Runner<'_>, plan: &Plan, target: &TargetSpec, signature: &Signature) -> Result<Replay, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| runner.fresh(plan.clone(), target)));
    let outcome = outcome.map_err(|_| "bug in Proofhouse: it panicked".to_string())?;
    let mut outcome = outcome.map_err(|error| error.to_string())?;
    if let Some(capability) = plan.id.strip_prefix(PROBE) {
        let _ = gate::declaration(capability, target, &mut outcome.judgements, runner.registry);
    }
    let found = resume::shown(plan.about.kind, &outcome.judgements, runner.registry);
    let (mine, others): (Vec<Shown>, Vec<Shown>) = found.into_iter().partition(|shown| shown.signature == *signature);
    let violation = mine.into_iter().next().map(|shown| shown.violation);
    let others = others.into_iter().map(|shown| (shown.oracle, shown.violation)).collect();
    Ok(Replay { violation, others, digest: outcome.transcript.digest(), outcome })
}

/// The smallest plan that still shows `signature`, asking at most `budget` times.
#[must_use]
pub fn smallest(
    runner: &Runner<'_>,
    plan: &Plan,
    target: &TargetSpec,
    signature: &Signature,
    budget: u32,
    stop: &dyn Fn() -> bool,
) -> Plan {
    let asked = Cell::new(0);
    let best = RefCell::new(plan.clone());
    let mut fails = |tree: &Located| {
        asked.set(asked.get() + 1);
        if stop() {
            return false;
        }
        let cut = Plan::read(&plan.id, &plan.case, plan.seed, tree.clone(), target, runner.registry);
        let Ok(cut) = cut else { return false };
        let shown = replay(runner, &cut, target, signature).is_ok_and(|r| r.violation.is_some());
        if shown {
            best.replace(cut);
        }
        shown
    };
    let _ = shrink(&plan.tree, budget, &mut fails);
    best.into_inner()
}

impl Campaign<'_> {
    /// Confirms every failure that has no finding yet, side by side, and so are the replays of each: a process of our own is fresh in every
    /// replay. What shows in quiet only is replayed with nothing beside it; a target that runs already takes one trial at a time.
    pub(super) fn confirm_all(&self, jobs: &[Job], records: &[JournalEntry], shared: &Shared) {
        let mut all = resume::suspicions(jobs, records, self.runner.registry);
        // The longest first, so that nobody waits at the end for one that could have begun at once.
        all.sort_by_key(|suspicion| std::cmp::Reverse(suspicion.wall_ms));
        if all.is_empty() {
            return;
        }
        self.reporter.tell(Progress::Confirming(all.len()));
        self.reporter.tell(Progress::Replays(all.iter().map(|s| self.times(job_of(jobs, s))).sum()));
        let waiting = Waiting::of(jobs, &all);
        self.reporter.tell(Progress::Waiting(&waiting.list()));
        let waiting = Mutex::new(waiting);
        let alone =
            |s: &Suspicion| self.is_quiet(&s.shown.oracle) || matches!(job_of(jobs, s).target.kind, TargetKind::Remote);
        let (alone, crowd): (Vec<Suspicion>, Vec<Suspicion>) = all.into_iter().partition(alone);
        for (group, at_once) in [(crowd, self.settings.jobs), (alone, 1)] {
            let slots = Slots::new(at_once);
            let lanes = lanes(group, |suspicion| &job_of(jobs, suspicion).target);
            self.side_by_side(&lanes, at_once, shared, |suspicion| {
                if let Err(error) = self.confirm(jobs, suspicion, &slots, shared) {
                    shared.fail(error);
                }
                let mut waiting = waiting.lock().expect("no worker panics while it tells");
                waiting.settled(suspicion);
                self.reporter.tell(Progress::Waiting(&waiting.list()));
            });
        }
        if self.interrupted() {
            self.write_unconfirmed(jobs, shared);
        }
    }

    /// How often a failure is run again: in simulation twice say `exact`.
    fn times(&self, job: &Job) -> u32 {
        if matches!(job.target.kind, TargetKind::InProcess { .. }) { 2 } else { self.settings.replays }
    }

    /// After an interruption: what was found and not yet confirmed is written as it stands, and a resume goes on from there.
    fn write_unconfirmed(&self, jobs: &[Job], shared: &Shared) {
        let Ok(records) = super::journal::Journal::read(self.folder.root()) else { return };
        for suspicion in resume::suspicions(jobs, &records, self.runner.registry) {
            if let Err(error) = self.unconfirmed(jobs, &suspicion, shared) {
                return shared.fail(error);
            }
        }
    }

    fn unconfirmed(&self, jobs: &[Job], suspicion: &Suspicion, shared: &Shared) -> Result<(), CampaignError> {
        let job = job_of(jobs, suspicion);
        let Ok(plan) = self.plan(job) else { return Ok(()) };
        let kept = Folder::trial(job.n, &job.scenario.id, job.seed);
        let read = |which| self.folder.transcript(&kept, which).map_err(CampaignError::Other);
        let Some(transcript) = read("transcript")? else { return Ok(()) };
        let finding = self.describe(job, &plan, suspicion, &suspicion.shown.violation, &Counted::default());
        self.folder.keep_finding(
            &finding,
            &plan,
            &transcript,
            read("control")?.as_ref(),
            &reproduce(&finding, &plan, &transcript, self),
        )?;
        self.publish(job, &finding, shared)
    }

    fn confirm(
        &self,
        jobs: &[Job],
        suspicion: &Suspicion,
        slots: &Slots,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let job = job_of(jobs, suspicion);
        let plan = match self.plan(job) {
            Ok(plan) => plan,
            Err(_) => return Ok(()), // it ran a moment ago: only a vanished file can end here, and the trial's line stands
        };
        let in_process = matches!(job.target.kind, TargetKind::InProcess { .. });
        let budget = if in_process { self.settings.shrink_sim } else { self.live_budget(&plan, suspicion) };
        // An estimate counts questions; a target that hangs takes longer over each than the plan says.
        let watch = Stopwatch::start();
        let late = || !in_process && watch.elapsed() > self.settings.shrink_live;
        let stop = || self.interrupted() || late();
        let small = {
            let _slot = slots.take();
            smallest(&self.runner, &plan, &job.target, &suspicion.shown.signature, budget, &stop)
        };
        let counted = self.count(job, &small, suspicion, slots, shared)?;
        if self.interrupted() {
            return Ok(()); // `write_unconfirmed` takes it from here
        }
        if counted.confirmed || small.tree == plan.tree {
            return self.write(job, &small, suspicion, &counted, shared);
        }
        // Cutting went too far: the original is counted instead.
        self.reporter.tell(Progress::Replays(self.times(job)));
        let counted = self.count(job, &plan, suspicion, slots, shared)?;
        if self.interrupted() { Ok(()) } else { self.write(job, &plan, suspicion, &counted, shared) }
    }

    /// Questions that cutting down a live failure may cost: what fits in the time that the settings allow it. What must run alone is
    /// left as it is: everybody else would wait.
    fn live_budget(&self, plan: &Plan, suspicion: &Suspicion) -> u32 {
        if self.is_quiet(&suspicion.shown.oracle) {
            return 0;
        }
        let took = suspicion.wall_ms as f64 / 1000.0;
        let each = plan.duration_estimate().as_secs_f64().max(took).max(0.5);
        (self.settings.shrink_live.as_secs_f64() / each) as u32
    }

    /// Runs a plan again as often as it takes, and journals what came. The digest of the plan stands in every line, so that replays of a
    /// cut plan are never counted with those of the original.
    fn count(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        slots: &Slots,
        shared: &Shared,
    ) -> Result<Counted, CampaignError> {
        let times = self.times(job);
        let mut counted = Counted::default();
        let digest = sha256(plan.to_toml().as_bytes());
        let mut first: Option<String> = None;
        for (nth, came) in (1..).zip(self.replays(job, plan, suspicion, slots)) {
            let came = match came {
                Ok(came) => came,
                Err(why) => {
                    counted.others.push(why);
                    continue;
                }
            };
            let exact = first.as_ref().is_some_and(|first| *first == came.digest);
            counted.exact = exact && (counted.ran == 1 || counted.exact);
            counted.ran += 1;
            counted.agreed += u32::from(came.reproduced);
            counted.shown = counted.shown.or(came.shown);
            first.get_or_insert(came.digest.clone());
            shared.add(JournalEntry::Replay {
                signature: suspicion.shown.signature.clone(),
                nth,
                reproduced: came.reproduced,
                exact,
                transcript: came.digest,
                plan: digest.clone(),
            })?;
        }
        counted.confirmed = is_confirmed(counted.agreed, counted.ran, times);
        Ok(counted)
    }

    /// The replays of one plan, side by side as far as there are places; for each that did not take place, why.
    fn replays(&self, job: &Job, plan: &Plan, suspicion: &Suspicion, slots: &Slots) -> Vec<Result<Came, String>> {
        let times = self.times(job) as usize;
        // One record is enough to show it, and each may be large.
        let shown = AtomicBool::new(false);
        let one = || {
            let _slot = slots.take();
            let again = if self.interrupted() {
                Err("interrupted".to_string())
            } else {
                replay(&self.runner, plan, &job.target, &suspicion.shown.signature)
            };
            self.reporter.tell(Progress::Replayed);
            again.and_then(|again| match again.void(&suspicion.shown.oracle) {
                Some(why) => Err(why),
                None => Ok(Came::of(again, &shown)),
            })
        };
        std::thread::scope(|scope| {
            // Where the machine gives no thread, they come one after the other.
            let others = (1..times).map_while(|_| Builder::new().spawn_scoped(scope, one).ok());
            let others: Vec<ScopedJoinHandle<'_, _>> = others.collect();
            let mut all = vec![one()];
            all.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))));
            all.resize_with(times.max(1), one);
            all
        })
    }

    fn write(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        counted: &Counted,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let Some((outcome, violation)) = &counted.shown else {
            return self.unconfirmed_as(job, suspicion, counted, shared);
        };
        let finding = self.describe(job, plan, suspicion, violation, counted);
        let text = reproduce(&finding, plan, &outcome.transcript, self);
        self.folder.keep_finding(&finding, plan, &outcome.transcript, outcome.control.as_ref(), &text)?;
        self.publish(job, &finding, shared)
    }

    /// It never came again: the suspicion is kept with the record of the trial that showed it.
    fn unconfirmed_as(
        &self,
        job: &Job,
        suspicion: &Suspicion,
        counted: &Counted,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let plan = self.plan(job).map_err(|_| gone(job))?;
        let kept = Folder::trial(job.n, &job.scenario.id, job.seed);
        let read = |which| self.folder.transcript(&kept, which).map_err(CampaignError::Other);
        let finding = self.describe(job, &plan, suspicion, &suspicion.shown.violation, counted);
        if let Some(transcript) = read("transcript")? {
            let text = reproduce(&finding, &plan, &transcript, self);
            self.folder.keep_finding(&finding, &plan, &transcript, read("control")?.as_ref(), &text)?;
        }
        self.publish(job, &finding, shared)
    }

    fn publish(&self, job: &Job, finding: &Finding, shared: &Shared) -> Result<(), CampaignError> {
        shared.add(JournalEntry::Finding { trial: job.n, finding: Box::new(finding.clone()) })?;
        shared.settle()?;
        self.reporter.tell(Progress::Finding(finding));
        Ok(())
    }

    fn describe(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        violation: &Violation,
        counted: &Counted,
    ) -> Finding {
        let about = &plan.about;
        let flaws = match &job.target.kind {
            TargetKind::InProcess { flaws, .. } => flaws.clone(),
            _ => Vec::new(),
        };
        Finding {
            format: 1,
            id: suspicion.shown.signature.id(),
            signature: suspicion.shown.signature.clone(),
            verdict: if counted.confirmed { Standing::Confirmed } else { Standing::Suspicion },
            kind: suspicion.shown.kind,
            level: level(suspicion.shown.kind, about.level, suspicion.shown.lesser),
            title: title(suspicion.shown.kind, violation, plan),
            scenario: plan.id.clone(),
            case: plan.case.clone(),
            seed: plan.seed.to_string(),
            target: job.target.name.clone(),
            target_version: self.versions.get(&job.target.name).cloned().unwrap_or_default(),
            target_digest: job.target.digest.clone(),
            flaws,
            oracle: suspicion.shown.oracle.clone(),
            clause: violation.clause.clone(),
            expected: violation.expected.clone(),
            actual: violation.actual.clone(),
            place: violation.place.clone(),
            arm: suspicion.shown.arm,
            replay: counted.repeats(matches!(job.target.kind, TargetKind::InProcess { .. })),
            not_replayed: counted.others.clone(),
            attack: about.attack.clone(),
            guidance: about.guidance.clone(),
            cwe: about.cwe.clone(),
            cvss: about.cvss.clone(),
            entries: violation.entries.iter().copied().take(ENTRIES_MAX).collect(),
        }
    }
}

/// What a finding is called: what was seen, where a rule failed that holds in every scenario; the scenario says what its own rules are
/// about, and would accuse the target of something else.
fn title(kind: FindingKind, violation: &Violation, plan: &Plan) -> String {
    match kind {
        FindingKind::Crash | FindingKind::Hang | FindingKind::Exception | FindingKind::Config => {
            let mut chars = violation.actual.chars();
            chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
        }
        _ => plan.title.clone(),
    }
}

/// What one replay came to.
struct Came {
    reproduced: bool,
    digest: String,
    /// Of the first that reproduced it: what shows it.
    shown: Option<(Outcome, Violation)>,
}

impl Came {
    fn of(again: Replay, shown: &AtomicBool) -> Came {
        let Replay { violation, digest, outcome, .. } = again;
        let reproduced = violation.is_some();
        let keep = |_: &Violation| !shown.swap(true, Ordering::Relaxed);
        Came { reproduced, digest, shown: violation.filter(keep).map(|violation| (outcome, violation)) }
    }
}

/// Replays of one plan, counted.
#[derive(Default)]
struct Counted {
    ran: u32,
    agreed: u32,
    exact: bool,
    confirmed: bool,
    shown: Option<(Outcome, Violation)>,
    /// Why the others did not take place.
    others: Vec<String>,
}

impl Counted {
    fn repeats(&self, in_process: bool) -> Repeats {
        match (self.ran, in_process && self.exact && self.agreed == self.ran) {
            (0, _) => Repeats::NotReplayed,
            (_, true) => Repeats::Exact,
            _ => Repeats::Counted { agreed: self.agreed, ran: self.ran },
        }
    }
}

/// The failures that a run still waits for.
struct Waiting(Vec<((TrialNo, Signature), Wait)>);

impl Waiting {
    fn of(jobs: &[Job], all: &[Suspicion]) -> Waiting {
        let wait = |suspicion: &Suspicion| {
            let job = job_of(jobs, suspicion);
            let case = if job.case.is_empty() { String::new() } else { format!(" [{}]", job.case) };
            let about = Duration::from_millis(suspicion.wall_ms);
            (Waiting::key(suspicion), Wait { what: format!("{}{case}", job.scenario.id), about })
        };
        Waiting(all.iter().map(wait).collect())
    }

    fn key(suspicion: &Suspicion) -> (TrialNo, Signature) {
        (suspicion.trial, suspicion.shown.signature.clone())
    }

    fn settled(&mut self, suspicion: &Suspicion) {
        let key = Waiting::key(suspicion);
        self.0.retain(|(known, _)| *known != key);
    }

    fn list(&self) -> Vec<Wait> {
        self.0.iter().map(|(_, wait)| wait.clone()).collect()
    }
}

/// More than half of the replays that were asked for show it, and two thirds of those that took place.
fn is_confirmed(agreed: u32, ran: u32, asked: u32) -> bool {
    agreed * 2 > asked && agreed * 3 >= ran * 2
}

fn job_of<'a>(jobs: &'a [Job], suspicion: &Suspicion) -> &'a Job {
    jobs.iter().find(|job| job.n == suspicion.trial).expect("a suspicion names a trial of this run")
}

fn gone(job: &Job) -> CampaignError {
    CampaignError::Other(format!("{}: planned before, does not plan now", job.scenario.id))
}

/// What a person needs to see it again, ready to paste in a bug report.
fn reproduce(finding: &Finding, plan: &Plan, transcript: &Transcript, campaign: &Campaign<'_>) -> String {
    let decode = crate::run::reproduce::decode_as(plan, transcript, campaign.runner.registry);
    crate::run::reproduce::text(finding, campaign.folder.root(), &decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_that_did_not_take_place_speaks_neither_for_nor_against_a_finding() {
        assert!(is_confirmed(2, 3, 3) && is_confirmed(2, 2, 3), "the third did not start");
        assert!(!is_confirmed(1, 1, 3), "one of three that took place is too little");
        assert!(!is_confirmed(1, 2, 3) && !is_confirmed(0, 0, 3) && !is_confirmed(6, 10, 10));
        assert!(is_confirmed(7, 10, 10) && is_confirmed(1, 1, 1));
        assert!(is_confirmed(6, 6, 10) && !is_confirmed(5, 5, 10), "half of what was asked for is no majority");
        assert!(is_confirmed(2, 2, 2) && !is_confirmed(1, 1, 2));
    }
}
