//! From a failing trial to a finding: cut down, run again, counted, written.
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proofhouse_core::document::Located;
use proofhouse_core::finding::{ENTRIES_MAX, Finding};
use proofhouse_core::plan::Plan;
use proofhouse_core::severity::FindingKind;
use proofhouse_core::shrink::shrink;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Violation;

use super::campaign::{Campaign, CampaignError, Job, Progress, Shared};
use super::folder::Folder;
use super::gate::{self, PROBE};
use super::journal::Record;
use super::resume::{self, NOT_REPLAYED, Suspicion};
use super::trial::Runner;
use super::turn::lanes;
use crate::clock::Stopwatch;
use crate::digest::sha256;

/// What running a plan again came to.
pub struct Replay {
    /// The same signature came, and with it this violation.
    pub violation: Option<Violation>,
    /// SHA-256 of the transcript.
    pub digest: String,
    /// Everything seen.
    pub outcome: Outcome,
}

/// Runs `plan` once more and looks for `signature`. `None`: it did not take place, since the target did not start, or we ourselves
/// panicked (which has then been printed).
#[must_use]
pub fn replay(runner: &Runner<'_>, plan: &Plan, target: &TargetSpec, signature: &str) -> Option<Replay> {
    let mut outcome = catch_unwind(AssertUnwindSafe(|| runner.fresh(plan.clone(), target))).ok()?.ok()?;
    if let Some(capability) = plan.id.strip_prefix(PROBE) {
        let _ = gate::declaration(capability, target, &mut outcome.judgements, runner.registry);
    }
    let found = resume::signatures(plan.about.kind, &outcome.judgements, runner.registry);
    let violation = found.into_iter().find(|(id, ..)| id == signature).map(|(.., violation)| violation);
    Some(Replay { violation, digest: outcome.transcript.digest(), outcome })
}

/// The smallest plan that still shows `signature`, asking at most `budget` times.
#[must_use]
pub fn smallest(
    runner: &Runner<'_>,
    plan: &Plan,
    target: &TargetSpec,
    signature: &str,
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
        let shown = replay(runner, &cut, target, signature).is_some_and(|r| r.violation.is_some());
        if shown {
            best.replace(cut);
        }
        shown
    };
    let _ = shrink(&plan.tree, budget, &mut fails);
    best.into_inner()
}

impl Campaign<'_> {
    /// Confirms every failure that has no finding yet. What only shows in quiet is replayed with nothing beside it, and a crash or hang
    /// too where trials share a target: a process of our own is fresh in every replay, so that its death names its trial.
    pub(super) fn confirm_all(&self, jobs: &[Job], records: &[Record], shared: &Shared) {
        let mut all = resume::suspicions(jobs, records, self.runner.registry);
        // The longest first, so that nobody waits at the end for one that could have begun at once.
        all.sort_by_key(|suspicion| std::cmp::Reverse(suspicion.wall_ms));
        if all.is_empty() {
            return;
        }
        self.reporter.tell(Progress::Confirming(all.len()));
        let alone = |s: &Suspicion| {
            let shared = matches!(job_of(jobs, s).target.kind, TargetKind::Remote);
            self.is_quiet(&s.oracle) || shared && matches!(s.kind, FindingKind::Crash | FindingKind::Hang)
        };
        let (alone, crowd): (Vec<Suspicion>, Vec<Suspicion>) = all.into_iter().partition(alone);
        for (group, workers) in [(crowd, self.settings.jobs), (alone, 1)] {
            let lanes = lanes(group, |suspicion| &job_of(jobs, suspicion).target);
            self.side_by_side(&lanes, workers, shared, |suspicion| self.settle_one(jobs, suspicion, shared));
        }
        if self.interrupted() {
            self.write_unconfirmed(jobs, shared);
        }
    }

    fn settle_one(&self, jobs: &[Job], suspicion: &Suspicion, shared: &Shared) {
        if let Err(error) = self.confirm(jobs, suspicion, shared) {
            shared.fail(error);
        }
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
        let finding = self.describe(job, &plan, suspicion, &suspicion.violation, NOT_REPLAYED.into(), false);
        self.folder.keep_finding(
            &finding,
            &plan,
            &transcript,
            read("control")?.as_ref(),
            &reproduce(&finding, &plan, &transcript, self),
        )?;
        self.publish(job, &finding, shared)
    }

    fn confirm(&self, jobs: &[Job], suspicion: &Suspicion, shared: &Shared) -> Result<(), CampaignError> {
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
        let small = smallest(&self.runner, &plan, &job.target, &suspicion.signature, budget, &stop);
        for candidate in [small, plan] {
            let counted = self.count(job, &candidate, suspicion, in_process, shared)?;
            if self.interrupted() {
                return Ok(()); // `write_unconfirmed` takes it from here
            }
            let cut_away = candidate.tree != self.plan(job).map_err(|_| gone(job))?.tree;
            if !counted.confirmed && cut_away {
                continue; // cutting went too far: the original is counted instead
            }
            return self.write(job, &candidate, suspicion, counted, shared);
        }
        unreachable!("the second candidate is the original")
    }

    /// Questions that cutting down a live failure may cost: what fits in the time that the settings allow it. What must run alone is
    /// left as it is: everybody else would wait.
    fn live_budget(&self, plan: &Plan, suspicion: &Suspicion) -> u32 {
        if self.is_quiet(&suspicion.oracle) {
            return 0;
        }
        let took = suspicion.wall_ms as f64 / 1000.0;
        let each = plan.duration_estimate().as_secs_f64().max(took).max(0.5);
        (self.settings.shrink_live.as_secs_f64() / each) as u32
    }

    fn count(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        in_process: bool,
        shared: &Shared,
    ) -> Result<Counted, CampaignError> {
        let times = if in_process { 2 } else { self.settings.replays };
        let mut counted = Counted::default();
        let digest = sha256(plan.to_toml().as_bytes());
        for nth in 1..=times {
            if self.interrupted() {
                break;
            }
            let Some(again) = replay(&self.runner, plan, &job.target, &suspicion.signature) else { continue };
            let exact = counted.digests.first().is_some_and(|first| *first == again.digest);
            counted.digests.push(again.digest.clone());
            shared.add(Record::Replay {
                signature: suspicion.signature.clone(),
                nth,
                reproduced: again.violation.is_some(),
                exact,
                transcript: again.digest,
                plan: digest.clone(),
            })?;
            counted.ran += 1;
            counted.exact = exact && (nth == 2 || counted.exact);
            if let Some(violation) = again.violation {
                counted.agreed += 1;
                counted.shown = Some((again.outcome, violation));
            }
        }
        // Two thirds of those asked for: a replay that did not take place agrees with nobody.
        counted.confirmed = counted.ran > 0 && counted.agreed * 3 >= times * 2;
        Ok(counted)
    }

    fn write(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        counted: Counted,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let in_process = matches!(job.target.kind, TargetKind::InProcess { .. });
        let replay = match (in_process, counted.exact && counted.agreed == counted.ran) {
            (true, true) => "exact".to_owned(),
            _ => format!("{} of {}", counted.agreed, counted.ran),
        };
        let Some((outcome, violation)) = counted.shown else {
            return self.unconfirmed_as(job, suspicion, replay, shared);
        };
        let finding = self.describe(job, plan, suspicion, &violation, replay, counted.confirmed);
        let text = reproduce(&finding, plan, &outcome.transcript, self);
        self.folder.keep_finding(&finding, plan, &outcome.transcript, outcome.control.as_ref(), &text)?;
        self.publish(job, &finding, shared)
    }

    /// It never came again: the suspicion is kept with the record of the trial that showed it.
    fn unconfirmed_as(
        &self,
        job: &Job,
        suspicion: &Suspicion,
        replay: String,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let plan = self.plan(job).map_err(|_| gone(job))?;
        let kept = Folder::trial(job.n, &job.scenario.id, job.seed);
        let read = |which| self.folder.transcript(&kept, which).map_err(CampaignError::Other);
        let finding = self.describe(job, &plan, suspicion, &suspicion.violation, replay, false);
        if let Some(transcript) = read("transcript")? {
            let text = reproduce(&finding, &plan, &transcript, self);
            self.folder.keep_finding(&finding, &plan, &transcript, read("control")?.as_ref(), &text)?;
        }
        self.publish(job, &finding, shared)
    }

    fn publish(&self, job: &Job, finding: &Finding, shared: &Shared) -> Result<(), CampaignError> {
        shared.add(Record::Finding { trial: job.n, finding: Box::new(finding.clone()) })?;
        self.reporter.tell(Progress::Finding(finding));
        Ok(())
    }

    fn describe(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        violation: &Violation,
        replay: String,
        confirmed: bool,
    ) -> Finding {
        let about = &plan.about;
        let flaws = match &job.target.kind {
            TargetKind::InProcess { flaws, .. } => flaws.clone(),
            _ => Vec::new(),
        };
        Finding {
            format: 1,
            id: format!("F-{}", &suspicion.signature[..8]),
            signature: suspicion.signature.clone(),
            verdict: if confirmed { "fail" } else { "inconclusive" }.into(),
            kind: suspicion.kind,
            level: about.level,
            title: plan.title.clone(),
            scenario: plan.id.clone(),
            case: plan.case.clone(),
            seed: plan.seed.to_string(),
            target: job.target.name.clone(),
            target_version: self.versions.get(&job.target.name).cloned().unwrap_or_default(),
            target_digest: job.target.digest.clone(),
            flaws,
            oracle: suspicion.oracle.clone(),
            clause: violation.clause.clone(),
            expected: violation.expected.clone(),
            actual: violation.actual.clone(),
            place: violation.place.clone(),
            replay,
            attack: about.attack.clone(),
            guidance: about.guidance.clone(),
            cwe: about.cwe.clone(),
            cvss: about.cvss.clone(),
            entries: violation.entries.iter().copied().take(ENTRIES_MAX).collect(),
        }
    }
}

/// Replays of one plan, counted.
#[derive(Default)]
struct Counted {
    ran: u32,
    agreed: u32,
    exact: bool,
    confirmed: bool,
    digests: Vec<String>,
    shown: Option<(Outcome, Violation)>,
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
