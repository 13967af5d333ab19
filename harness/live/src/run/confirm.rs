//! From a failing trial to findings: cut down, run again, counted, written.
//!
//! Replays serve every failure of their trial that its plan still shows: what is cut down to the same plan is counted together.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Duration;

use proofhouse_core::finding::Finding;
use proofhouse_core::ids::TrialNo;
use proofhouse_core::plan::Plan;
use proofhouse_core::target::TargetKind;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;

use self::counted::{Came, Counted, Line, is_confirmed};
use self::waiting::Waiting;
use super::campaign::{Campaign, CampaignError, Job, Progress, Shared};
use super::folder::Folder;
use super::journal::JournalEntry;
use super::replay::{Replay, is_late, replay, smallest};
use super::resume::{self, Suspicion};
use super::slots::Slots;
use super::turn::lanes;
use crate::clock::Stopwatch;
use crate::digest::sha256;

/// A trial that takes longer is replayed as often as decides it.
const LONG: Duration = Duration::from_secs(6);

mod counted;
mod finding;
mod waiting;

impl Campaign<'_> {
    /// Confirms every failure that has no finding yet, side by side, and so are the replays of each: a process of our own is fresh in every
    /// replay. What shows in quiet only is replayed with nothing beside it; a target that runs already takes one trial at a time.
    pub(super) fn confirm_all(&self, jobs: &[Job], records: &[JournalEntry], shared: &Shared) {
        let mut all = resume::suspicions(jobs, records, self.runner.registry);
        for suspicion in &mut all {
            suspicion.late = self.was_late(job_of(jobs, suspicion));
        }
        if all.is_empty() {
            return;
        }
        self.reporter.tell(Progress::Confirming(all.len()));
        let waiting = Waiting::of(jobs, &all);
        self.reporter.tell(Progress::Waiting(&waiting.list()));
        let waiting = Mutex::new(waiting);
        let settled = |suspicion: &Suspicion| {
            let mut waiting = waiting.lock().expect("no worker panics while it tells");
            waiting.settled(suspicion);
            self.reporter.tell(Progress::Waiting(&waiting.list()));
        };
        let alone =
            |s: &Suspicion| self.is_quiet(&s.shown.oracle) || matches!(job_of(jobs, s).target.kind, TargetKind::Remote);
        let (alone, crowd): (Vec<Suspicion>, Vec<Suspicion>) = all.into_iter().partition(alone);
        let groups = [(by_trial(crowd), self.settings.jobs), (by_trial(alone), 1)];
        let trials = groups.iter().flat_map(|(trials, _)| trials);
        self.reporter.tell(Progress::Replays(trials.map(|of| self.times(job_of(jobs, &of[0]))).sum()));
        for (trials, at_once) in groups {
            let slots = Slots::new(at_once);
            let lanes = lanes(trials, |of| &job_of(jobs, &of[0]).target);
            self.side_by_side(&lanes, at_once, shared, |of| {
                if let Err(error) = self.confirm(job_of(jobs, &of[0]), of, &slots, shared, &settled) {
                    shared.fail(error);
                }
            });
        }
        if self.interrupted() {
            self.write_unconfirmed(jobs, shared);
        }
    }

    /// Whether the target of a failing trial got into trouble only while it lived on.
    fn was_late(&self, job: &Job) -> bool {
        let kept = Folder::trial(job.n, &job.scenario.id, job.seed);
        let seen = ["transcript", "control"].map(|which| self.folder.transcript(&kept, which).ok().flatten());
        seen.iter().flatten().any(is_late)
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

    /// Settles the failures of one trial.
    fn confirm(
        &self,
        job: &Job,
        failures: &[Suspicion],
        slots: &Slots,
        shared: &Shared,
        settled: &dyn Fn(&Suspicion),
    ) -> Result<(), CampaignError> {
        // It ran a moment ago: only a vanished file can end here, and the trial's line stands.
        let Ok(plan) = self.plan(job) else { return Ok(()) };
        let cut = self.cut(job, &plan, failures, slots);
        self.reporter.tell(Progress::Replays(self.times(job) * (cut.len() as u32 - 1)));
        let mut too_far = Vec::new();
        for (small, shown) in &cut {
            for (suspicion, counted) in shown.iter().zip(self.count(job, small, shown, slots, shared)?) {
                if self.interrupted() {
                    return Ok(()); // `write_unconfirmed` takes it from here
                }
                if !counted.confirmed && small.tree != plan.tree {
                    too_far.push(*suspicion);
                    continue;
                }
                self.write(job, small, suspicion, &counted, shared)?;
                settled(suspicion);
            }
        }
        if too_far.is_empty() {
            return Ok(());
        }
        // Cutting went too far: the original is counted instead.
        self.reporter.tell(Progress::Replays(self.times(job)));
        for (suspicion, counted) in too_far.iter().zip(self.count(job, &plan, &too_far, slots, shared)?) {
            if self.interrupted() {
                return Ok(());
            }
            self.write(job, &plan, suspicion, &counted, shared)?;
            settled(suspicion);
        }
        Ok(())
    }

    /// The smallest plans that still show these failures of `plan`, each with those that it shows.
    fn cut<'s>(
        &self,
        job: &Job,
        plan: &Plan,
        failures: &'s [Suspicion],
        slots: &Slots,
    ) -> Vec<(Plan, Vec<&'s Suspicion>)> {
        let _slot = slots.take();
        let mut cut: Vec<(Plan, Vec<&Suspicion>)> = Vec::new();
        for suspicion in failures {
            let small = self.smallest(job, plan, suspicion, failures.len());
            match cut.iter_mut().find(|(known, _)| known.tree == small.tree) {
                Some((_, shown)) => shown.push(suspicion),
                None => cut.push((small, vec![suspicion])),
            }
        }
        cut
    }

    /// The smallest plan that still shows one of `of` failures: they share the time that cutting may take.
    fn smallest(&self, job: &Job, plan: &Plan, suspicion: &Suspicion, of: usize) -> Plan {
        let in_process = matches!(job.target.kind, TargetKind::InProcess { .. });
        let budget = match in_process {
            true => self.settings.shrink_sim,
            false => self.live_budget(plan, suspicion) / of as u32,
        };
        // An estimate counts questions; a target that hangs takes longer over each than the plan says.
        let watch = Stopwatch::start();
        let late = || !in_process && watch.elapsed() > self.settings.shrink_live / of as u32;
        let stop = || self.interrupted() || late();
        let wanted = (&suspicion.shown.signature, suspicion.late);
        smallest(&self.runner, plan, &job.target, wanted, budget, &stop)
    }

    /// How long the trial of a failure took. One that lived on waited, and its replays do not, unless it failed only then.
    fn acted(&self, suspicion: &Suspicion) -> Duration {
        let waited = if suspicion.late { Duration::ZERO } else { self.runner.live.linger };
        Duration::from_millis(suspicion.wall_ms).saturating_sub(waited)
    }

    /// Questions that cutting down a live failure may cost: what fits in the time that the settings allow it. What must run alone is
    /// left as it is: everybody else would wait.
    fn live_budget(&self, plan: &Plan, suspicion: &Suspicion) -> u32 {
        if self.is_quiet(&suspicion.shown.oracle) {
            return 0;
        }
        let each = plan.duration_estimate().max(self.acted(suspicion)).as_secs_f64().max(0.5);
        (self.settings.shrink_live.as_secs_f64() / each) as u32
    }

    /// Runs a plan again as often as it takes, and journals what came of each failure. The digest of the plan stands in every line, so that
    /// replays of a cut plan are never counted with those of the original.
    fn count(
        &self,
        job: &Job,
        plan: &Plan,
        failures: &[&Suspicion],
        slots: &Slots,
        shared: &Shared,
    ) -> Result<Vec<Counted>, CampaignError> {
        let digest = sha256(plan.to_toml().as_bytes());
        let mut all: Vec<Counted> = failures.iter().map(|_| Counted::default()).collect();
        for (nth, ran) in (1..).zip(self.replays(job, plan, failures, slots)) {
            let (transcript, outcome) = (&ran.digest, ran.outcome.as_ref());
            for ((counted, suspicion), came) in all.iter_mut().zip(failures).zip(ran.came) {
                let Some(Line { reproduced, exact }) = counted.add(came, transcript, outcome) else { continue };
                shared.add(JournalEntry::Replay {
                    signature: suspicion.shown.signature.clone(),
                    nth,
                    reproduced,
                    exact,
                    transcript: transcript.clone(),
                    plan: digest.clone(),
                })?;
            }
        }
        for counted in &mut all {
            counted.confirmed = is_confirmed(counted.agreed, counted.ran, self.times(job));
        }
        Ok(all)
    }

    /// The replays of one plan. What takes long is replayed as often as decides it, and only where those disagree as often as was asked for.
    fn replays(&self, job: &Job, plan: &Plan, failures: &[&Suspicion], slots: &Slots) -> Vec<Ran> {
        let times = self.times(job);
        // One record is enough to show a failure, and each may be large.
        let shown: Vec<AtomicBool> = failures.iter().map(|_| AtomicBool::new(false)).collect();
        let late = failures.iter().any(|suspicion| suspicion.late);
        let one = || {
            let _slot = slots.take();
            let again = match self.interrupted() {
                true => Err("interrupted".to_string()),
                false => replay(&self.runner, plan, &job.target, late),
            };
            self.reporter.tell(Progress::Replayed);
            Ran::of(again, failures, &shown)
        };
        let is_long = failures.iter().any(|suspicion| self.acted(suspicion) > LONG);
        let decide = if is_long { times / 2 + 1 } else { times };
        let mut all = at_once(decide, &one);
        if all.iter().any(|ran| !ran.came.iter().all(Came::is_again)) {
            all.extend(at_once(times - decide, &one));
        }
        for _ in all.len()..times as usize {
            self.reporter.tell(Progress::Replayed); // it was announced
        }
        all
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
}

/// Does the same so many times, side by side.
fn at_once(times: u32, one: &(impl Fn() -> Ran + Sync)) -> Vec<Ran> {
    std::thread::scope(|scope| {
        // Where the machine gives no thread, they come one after the other.
        let others = (1..times).map_while(|_| Builder::new().spawn_scoped(scope, one).ok());
        let others: Vec<ScopedJoinHandle<'_, _>> = others.collect();
        let mut all: Vec<Ran> = (0..times.min(1)).map(|_| one()).collect();
        all.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))));
        all.resize_with(times as usize, one);
        all
    })
}

/// One replay, asked for several failures.
struct Ran {
    /// SHA-256 of its transcript; empty where it did not take place.
    digest: String,
    /// What it says about each.
    came: Vec<Came>,
    /// Everything seen, where it is the first to show one of them.
    outcome: Option<Arc<Outcome>>,
}

impl Ran {
    fn of(again: Result<Replay, String>, failures: &[&Suspicion], shown: &[AtomicBool]) -> Ran {
        let again = match again {
            Ok(again) => again,
            Err(why) => {
                let came = failures.iter().map(|_| Came::Void(why.clone())).collect();
                return Ran { digest: String::new(), came, outcome: None };
            }
        };
        let came: Vec<Came> = failures.iter().map(|suspicion| Came::of(&again, suspicion)).collect();
        let is_first = |(came, shown): &(&Came, &AtomicBool)| came.is_again() && !shown.swap(true, Ordering::Relaxed);
        let keep = came.iter().zip(shown).filter(is_first).count() > 0;
        let digest = again.outcome.transcript.digest();
        Ran { digest, came, outcome: keep.then(|| Arc::new(again.outcome)) }
    }
}

/// Failures by the trial that showed them, the longest trial first, so that nobody waits at the end for one that could have begun at once.
fn by_trial(all: Vec<Suspicion>) -> Vec<Vec<Suspicion>> {
    let mut trials: BTreeMap<TrialNo, Vec<Suspicion>> = BTreeMap::new();
    for suspicion in all {
        trials.entry(suspicion.trial).or_default().push(suspicion);
    }
    let mut trials: Vec<Vec<Suspicion>> = trials.into_values().collect();
    trials.sort_by_key(|of| Reverse(of[0].wall_ms));
    trials
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
