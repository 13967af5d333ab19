//! Many trials: probes first, then everything side by side, what needs quiet alone, and at last every failure confirmed.
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proofhouse_core::finding::Finding;
use proofhouse_core::ids::TrialNo;
use proofhouse_core::oracle::Needs;
use proofhouse_core::plan::Plan;
use proofhouse_core::results::{Results, TrialRow};
use proofhouse_core::scenario::{PlanError, Scenario};
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict};

use super::folder::{FileError, Folder};
use super::gate::{self, Gate, Observed};
use super::journal::{Journal, JournalEntry, JournalError};
use super::pack::Pack;
use super::resume::{self, Done};
use super::slots::Slots;
use super::trial::Runner;
use super::turn::lanes;
use crate::clock::Stopwatch;
use crate::digest::sha256;
use crate::error::RunError;
use crate::lab::Aside;

/// One trial to be run.
#[derive(Clone)]
pub struct Job {
    /// Number in the run, from 1.
    pub n: TrialNo,
    /// What happens.
    pub scenario: Arc<Scenario>,
    /// Which row of its matrix.
    pub case: String,
    /// The seed.
    pub seed: Seed,
    /// To whom.
    pub target: Arc<TargetSpec>,
    /// The capability that this trial asks for, where it is a probe.
    pub probe: Option<String>,
}

/// How a campaign runs.
#[derive(Clone)]
pub struct Settings {
    /// Trials side by side.
    pub jobs: usize,
    /// Live replays that confirm a failure. In simulation one is enough, since it repeats byte for byte.
    pub replays: u32,
    /// Time, by the plan's own estimate, that cutting one live failure down may cost.
    pub shrink_live: Duration,
    /// Trials that cutting one simulated failure down may cost.
    pub shrink_sim: u32,
    /// Passing trials are kept too.
    pub keep_all: bool,
    /// Set from outside: finish nothing new, write what was found.
    pub interrupt: Arc<AtomicBool>,
}

/// What a campaign tells while it runs. A finding or a failure that is told is on disk already; what passed is told as a number.
pub enum Progress<'a> {
    /// A trial begins.
    Started(&'a Job),
    /// A trial is over.
    Trial(&'a TrialRow),
    /// Failures are being confirmed and cut down: how many.
    Confirming(usize),
    /// So many replays are still to be run beside what was known.
    Replays(u32),
    /// A replay is over.
    Replayed,
    /// The failures that are not settled yet, the longest first; told whenever one is.
    Waiting(&'a [Wait]),
    /// A finding was written.
    Finding(&'a Finding),
}

/// A failure that a run still waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Id of the scenario, and the case.
    pub what: String,
    /// How long its trial took; each of its replays takes about as long.
    pub about: Duration,
}

/// Where progress goes: a terminal, a file, nowhere.
pub trait Reporter: Sync {
    /// Takes one piece of news.
    fn tell(&self, progress: Progress<'_>);
}

/// What decides when a trial begins.
#[derive(Clone, Copy, Default)]
struct JobNeeds {
    /// Nothing may run beside it.
    quiet: bool,
    /// How long it may take, by its plan's own estimate.
    time: Duration,
}

/// Trials under way for each that acts: the others wait for their targets to live on.
const LINGERING: usize = 3;

/// Many trials and where they leave what they saw.
pub struct Campaign<'a> {
    /// Runs one.
    pub runner: Runner<'a>,
    /// How.
    pub settings: Settings,
    /// Where to.
    pub folder: Folder,
    /// Version of each target, by name, as it prints it.
    pub versions: BTreeMap<String, String>,
    /// Targets that do not start, by name, and why: their trials are not run.
    pub absent: BTreeMap<String, String>,
    /// Who is told what happens.
    pub reporter: &'a dyn Reporter,
}

/// Why a campaign could not be finished.
#[derive(Debug)]
pub enum CampaignError {
    /// A file cannot be written or read.
    File(FileError),
    /// The journal cannot be written or read.
    Journal(JournalError),
    /// The folder belongs to another selection.
    Other(String),
}

impl std::fmt::Display for CampaignError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CampaignError::File(error) => write!(f, "cannot write {error}"),
            CampaignError::Journal(error) => write!(f, "journal: {error}"),
            CampaignError::Other(text) => write!(f, "{text}"),
        }
    }
}

impl From<FileError> for CampaignError {
    fn from(error: FileError) -> CampaignError {
        CampaignError::File(error)
    }
}

impl From<JournalError> for CampaignError {
    fn from(error: JournalError) -> CampaignError {
        CampaignError::Journal(error)
    }
}

/// What the workers share.
pub(super) struct Shared {
    pub(super) journal: Mutex<Journal>,
    pack: Pack,
    error: Mutex<Option<CampaignError>>,
    stop: AtomicBool,
}

impl Shared {
    pub(super) fn add(&self, record: JournalEntry) -> Result<(), CampaignError> {
        Ok(self.journal.lock().expect("no worker panics while it writes").add(record)?)
    }

    /// Before anything is shown that the journal says: puts it on disk, with whatever others have written meanwhile. What its lines speak
    /// of comes first; nobody adds a line in between.
    pub(super) fn settle(&self) -> Result<(), CampaignError> {
        let mut journal = self.journal.lock().expect("no worker panics while it writes");
        self.pack.sync()?;
        Ok(journal.sync()?)
    }

    /// Keeps the first trouble and lets nobody begin anything new.
    pub(super) fn fail(&self, error: CampaignError) {
        self.error.lock().expect("no worker panics while it stores an error").get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Campaign<'_> {
    /// Runs the trials that have no line in the journal yet, confirms failures, and folds everything into results.
    ///
    /// # Errors
    /// When something cannot be written; what was written before stays good for a resume.
    pub fn run(&self, jobs: &[Job], resume: bool) -> Result<Results, CampaignError> {
        let watch = Stopwatch::start();
        let selection = selection(jobs);
        let (journal, done) = if resume { self.reopen(&selection)? } else { self.begin(jobs, &selection)? };
        let pack = Pack::open(self.folder.root())?;
        let (journal, error) = (Mutex::new(journal), Mutex::new(None));
        let shared = Shared { journal, pack, error, stop: AtomicBool::new(false) };
        self.all_trials(jobs, &done, &shared);
        let records = Journal::read(self.folder.root())?;
        if !shared.stop.load(Ordering::Relaxed) {
            self.confirm_all(jobs, &records, &shared);
        }
        if let Some(error) = shared.error.lock().expect("no worker is left").take() {
            return Err(error);
        }
        let wall_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        let end = JournalEntry::End { interrupted: self.interrupted(), wall_ms };
        shared.add(end)?;
        shared.settle()?;
        Ok(resume::fold(&self.name(), &Journal::read(self.folder.root())?))
    }

    fn begin(&self, jobs: &[Job], selection: &str) -> Result<(Journal, Done), CampaignError> {
        self.folder.create()?;
        let mut journal = Journal::create(self.folder.root())?;
        let trials = u32::try_from(jobs.len()).expect("a run has fewer than 2^32 trials");
        journal.add(JournalEntry::Run { format: super::journal::FORMAT, selection: selection.into(), trials })?;
        Ok((journal, Done::default()))
    }

    fn reopen(&self, selection: &str) -> Result<(Journal, Done), CampaignError> {
        let (journal, records) = Journal::resume(self.folder.root())?;
        match records.first() {
            Some(JournalEntry::Run { selection: before, .. }) if before == selection => {}
            _ => {
                let text = "the scenarios, seeds or targets are not those that the run began with";
                return Err(CampaignError::Other(format!("{}: {text}", self.folder.root().display())));
            }
        }
        Ok((journal, Done::of(&records)))
    }

    fn all_trials(&self, jobs: &[Job], done: &Done, shared: &Shared) {
        let again = resume::again(jobs, done, &|job| self.plan(job).is_ok());
        let open = |job: &&Job| !done.trials.contains_key(&job.n) || again.contains(&job.n);
        let probes: Vec<&Job> = jobs.iter().filter(|j| j.probe.is_some()).filter(open).collect();
        let probes = lanes(probes, |job| &job.target);
        let seen = Mutex::new(resume::observed(jobs, done));
        self.side_by_side(&probes, self.settings.jobs, shared, |job| {
            if let Some(present) = self.one(job, &Observed::new(), shared) {
                let mut seen = seen.lock().expect("no worker panics while it notes a probe");
                let of: &mut Observed = seen.entry(job.target.digest.clone()).or_default();
                of.insert(job.probe.clone().expect("only probes are here"), present);
            }
        });
        let seen = seen.into_inner().expect("no worker is left");
        let none = Observed::new();
        let rest = jobs.iter().filter(|j| j.probe.is_none()).filter(open);
        let (quiet, crowd) = self.order(rest);
        let seen = |job: &Job| seen.get(&job.target.digest).unwrap_or(&none);
        // Who waits for its target to live on lets others act meanwhile. It takes no place again: those who have one may wait for its memory.
        let slots = Slots::new(self.settings.jobs);
        let lingers = self.settings.jobs > 1 && !self.runner.live.linger.is_zero();
        let workers = if lingers { LINGERING } else { 1 } * self.settings.jobs;
        self.side_by_side(&lanes(crowd, |job| &job.target), workers, shared, |job| {
            let slot = RefCell::new(Some(slots.take()));
            let aside = || drop(slot.take());
            let aside: Option<Aside<'_>> = if lingers { Some(&aside) } else { None };
            let outcome = |plan| self.runner.beside(plan, &job.target, aside);
            self.play(job, shared, || self.attempt(job, seen(job), outcome));
        });
        self.part(None, jobs, &seen, shared);
        self.side_by_side(&lanes(quiet, |job| &job.target), 1, shared, |job| {
            self.part(Some(&job.target.digest), jobs, &seen, shared);
            self.one(job, seen(job), shared);
        });
        // Replays that have to be alone are still to come.
        self.part(None, jobs, &seen, shared);
    }

    /// Ends the targets that wait for another round, but those of one file, so that nothing runs beside what comes next. A trial after
    /// which its target ended badly is played again in a fresh one, and its second line holds.
    fn part<'o>(&self, but: Option<&str>, jobs: &[Job], seen: &dyn Fn(&Job) -> &'o Observed, shared: &Shared) {
        self.runner.end_waiting(but);
        for parting in self.runner.parted() {
            let plan = &parting.plan;
            let played = |job: &&Job| {
                (&job.scenario.id, &job.case, job.seed) == (&plan.id, &plan.case, plan.seed)
                    && (&job.target.name, &job.target.digest) == (&plan.target, &parting.target)
            };
            let job = jobs.iter().find(played).expect("what was played is a trial of this run");
            // Its line comes first: whatever becomes of the replay, the pass stands no more.
            let why = format!("its target ended badly after it, and it was not played again yet: {}", parting.why);
            let end = End::outside(Verdict::NotRun, why);
            let row = self.row(job, &end, Duration::ZERO);
            if let Err(error) = self.keep(job, end, row, None, shared) {
                shared.fail(error);
            }
            if !self.interrupted() && !shared.stop.load(Ordering::Relaxed) {
                self.reporter.tell(Progress::Replays(1)); // one more than there were
                self.play(job, shared, || self.attempt(job, seen(job), |_| self.runner.after(&parting, &job.target)));
            }
        }
    }

    /// Those that have to be alone, and the others: everything with one seed before anything with the next, so that a run cut short has
    /// tried everything; of one seed the longest first, so that nobody waits at the end for one that could have begun at once.
    fn order<'j>(&self, jobs: impl Iterator<Item = &'j Job>) -> (Vec<&'j Job>, Vec<&'j Job>) {
        let mut known = BTreeMap::new();
        let mut needs = |job: &'j Job| {
            let key = (&job.target.digest, &job.scenario.id, &job.case);
            *known.entry(key).or_insert_with(|| self.needs(job))
        };
        let (quiet, mut crowd): (Vec<&Job>, Vec<&Job>) = jobs.partition(|job| needs(job).quiet);
        crowd.sort_by_cached_key(|job| (job.seed, Reverse(needs(job).time)));
        (quiet, crowd)
    }

    /// What any seed of a job's case needs. What cannot be planned needs nothing.
    fn needs(&self, job: &Job) -> JobNeeds {
        let plan = self.plan(job).ok();
        plan.map_or(JobNeeds::default(), |plan| JobNeeds {
            quiet: plan.expects.iter().any(|expect| self.is_quiet(&expect.oracle)),
            time: plan.duration_estimate(),
        })
    }

    /// Whether a rule decides only where nothing runs beside it.
    pub(super) fn is_quiet(&self, oracle: &str) -> bool {
        let row = self.runner.registry.oracle(oracle);
        row.is_some_and(|row| matches!(row.needs, Needs::Quiet | Needs::Calibrated))
    }

    /// Runs one job and journals it. For a probe: whether the capability was there.
    fn one(&self, job: &Job, observed: &Observed, shared: &Shared) -> Option<bool> {
        let outcome = |plan| self.runner.outcome(plan, &job.target);
        self.play(job, shared, || self.attempt(job, observed, outcome))
    }

    fn play(&self, job: &Job, shared: &Shared, attempt: impl FnOnce() -> End) -> Option<bool> {
        self.reporter.tell(Progress::Started(job));
        let watch = Stopwatch::start();
        let mut end = attempt();
        if self.interrupted() && !matches!(end.judged, Judged::Rules(ref all) if has_fail(all)) {
            return None; // cut short by ourselves: says nothing, and a resume runs it again
        }
        let present = match (&job.probe, &mut end.judged) {
            (Some(capability), Judged::Rules(all)) => {
                gate::declaration(capability, &job.target, all, self.runner.registry)
            }
            _ => None,
        };
        let row = self.row(job, &end, watch.elapsed());
        match self.keep(job, end, row.clone(), present, shared) {
            Ok(()) => self.reporter.tell(Progress::Trial(&row)),
            Err(error) => shared.fail(error),
        }
        present
    }

    fn keep(
        &self,
        job: &Job,
        end: End,
        row: TrialRow,
        observed: Option<bool>,
        shared: &Shared,
    ) -> Result<(), CampaignError> {
        let (mut plan, mut transcript, mut control) = (String::new(), String::new(), None);
        if let Some(outcome) = &end.outcome {
            plan = sha256(outcome.plan.to_toml().as_bytes());
            transcript = outcome.transcript.digest();
            control = Some(outcome.control.as_ref().map(Transcript::digest).unwrap_or_default());
            match row.verdict {
                Verdict::Pass => {
                    let trial = Folder::trial(job.n, &job.scenario.id, job.seed);
                    if self.settings.keep_all {
                        shared.pack.add(&trial, outcome)?;
                    }
                    self.folder.forget(&trial); // of an earlier part of the run, where it did not pass
                }
                _ => self.folder.keep_trial(job.n, outcome)?,
            }
        }
        let judgements = match end.judged {
            Judged::Rules(all) => all,
            Judged::Outside(..) => Vec::new(),
        };
        let told = !matches!(row.verdict, Verdict::Pass | Verdict::NotApplicable);
        let target = Some(job.target.digest.clone());
        shared.add(JournalEntry::Trial {
            row: Box::new(row),
            plan,
            transcript,
            control,
            target,
            judgements,
            observed,
        })?;
        // What is told as a number only is not shown.
        if told { shared.settle() } else { Ok(()) }
    }

    fn attempt(&self, job: &Job, observed: &Observed, outcome: impl FnOnce(Plan) -> Result<Outcome, RunError>) -> End {
        if let Some(why) = self.absent.get(&job.target.name) {
            return End::outside(Verdict::NotRun, why.clone());
        }
        let gate = gate::gate(&job.scenario.needs, &job.target, observed);
        if let (Gate::NotApplicable(proof), None) = (&gate, &job.probe) {
            return End::outside(Verdict::NotApplicable, proof.clone());
        }
        let plan = match self.plan(job) {
            Ok(plan) => plan,
            Err(PlanError::Unmet(what)) => return End::outside(Verdict::NotRun, what),
            Err(PlanError::Load(error)) => return End::outside(Verdict::Error, error.to_string()),
        };
        match catch_unwind(AssertUnwindSafe(|| outcome(plan))) {
            Ok(Ok(mut outcome)) => {
                if let (Gate::Doubt(why), None) = (gate, &job.probe) {
                    gate::doubted(gate::NEEDS, &why, &mut outcome.judgements, self.runner.registry);
                }
                End { judged: Judged::Rules(outcome.judgements.clone()), outcome: Some(outcome) }
            }
            Ok(Err(error)) => End::outside(Verdict::NotRun, error.to_string()),
            Err(panic) => ended_by(&*panic),
        }
    }

    /// The plan of a job: the same every time.
    pub(super) fn plan(&self, job: &Job) -> Result<Plan, PlanError> {
        job.scenario.plan(&job.case, job.seed, &job.target, self.runner.registry)
    }

    fn row(&self, job: &Job, end: &End, wall: Duration) -> TrialRow {
        let (verdict, reason) = match &end.judged {
            Judged::Outside(verdict, reason) => (*verdict, reason.clone()),
            Judged::Rules(all) if all.is_empty() => (Verdict::NotApplicable, "not observed; nothing is claimed".into()),
            Judged::Rules(all) => resume::worst(all),
        };
        let judged = match &end.judged {
            Judged::Rules(all) => all.as_slice(),
            Judged::Outside(..) => &[],
        };
        let shown = resume::shown(job.scenario.about.kind, judged, self.runner.registry);
        TrialRow {
            n: job.n,
            scenario: job.scenario.id.clone(),
            case: job.case.clone(),
            target: job.target.name.clone(),
            target_version: self.versions.get(&job.target.name).cloned().unwrap_or_default(),
            seed: job.seed.0,
            verdict,
            reason,
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            findings: resume::each_once(shown.into_iter().map(|shown| shown.signature)),
            remarks: judged.iter().flat_map(|judgement| judgement.remarks.clone()).collect(),
        }
    }

    /// Does `each` of the items on `workers` threads, lane by lane in order of the list, until somebody stops it.
    pub(super) fn side_by_side<T: Sync>(
        &self,
        lanes: &[Vec<T>],
        workers: usize,
        shared: &Shared,
        each: impl Fn(&T) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let work = || {
            let goes_on = || !self.interrupted() && !shared.stop.load(Ordering::Relaxed);
            while goes_on() {
                let Some(lane) = lanes.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                lane.iter().take_while(|_| goes_on()).for_each(&each);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..workers.min(lanes.len()) {
                // A machine that gives no more threads has fewer workers, and this thread is one of them.
                if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }

    pub(super) fn interrupted(&self) -> bool {
        self.settings.interrupt.load(Ordering::Relaxed)
    }

    fn name(&self) -> String {
        self.folder.root().file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// How a trial ended.
struct End {
    outcome: Option<Outcome>,
    judged: Judged,
}

enum Judged {
    /// The rules answered.
    Rules(Vec<Judgement>),
    /// It never came to that.
    Outside(Verdict, String),
}

impl End {
    fn outside(verdict: Verdict, reason: String) -> End {
        End { outcome: None, judged: Judged::Outside(verdict, reason) }
    }
}

fn has_fail(judgements: &[Judgement]) -> bool {
    judgements.iter().any(|j| j.verdict == Verdict::Fail)
}

/// SHA-256 over everything that decides what the trials are.
fn selection(jobs: &[Job]) -> String {
    let mut text = String::new();
    for job in jobs {
        let scenario = sha256(job.scenario.text.as_bytes());
        text += &format!("{} {scenario} {} {} {}\n", job.n, job.case, job.seed, job.target.digest);
    }
    sha256(text.as_bytes())
}

/// What a trial came to that a panic of our own ended. A machine without threads to give is no bug, and the trial did not take place.
fn ended_by(panic: &(dyn std::any::Any + Send)) -> End {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    match text {
        Some(text) if text.contains(NO_THREAD) => {
            End::outside(Verdict::NotRun, format!("our own limit: this machine gives no more threads ({text})"))
        }
        text => {
            let text = text.unwrap_or("a panic without a message");
            End::outside(Verdict::Error, format!("bug in Proofhouse: {text}"))
        }
    }
}

/// How the standard library says that the system gave it no thread.
const NO_THREAD: &str = "failed to spawn thread";

#[cfg(test)]
mod tests {
    use super::super::journal::FORMAT;
    use super::*;

    #[test]
    fn what_a_shown_line_speaks_of_is_on_disk_with_it() {
        let temp = tempfile::tempdir().unwrap();
        Folder::at(temp.path()).create().unwrap();
        let (journal, pack) = (Journal::create(temp.path()).unwrap(), Pack::open(temp.path()).unwrap());
        let shared =
            Shared { journal: Mutex::new(journal), pack, error: Mutex::default(), stop: AtomicBool::default() };
        shared.pack.append(b"a member").unwrap();
        shared.add(JournalEntry::Run { format: FORMAT, selection: String::new(), trials: 1 }).unwrap();
        assert!(!shared.pack.is_synced(), "nothing is shown yet");
        shared.settle().unwrap();
        assert!(shared.pack.is_synced());
    }
}
