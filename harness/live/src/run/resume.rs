//! What a journal means: which trials are done, what the probes saw, and the results. Pure functions of its records.
use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::clause;
use proofhouse_core::finding::{Finding, Repeats, Signature, Standing};
use proofhouse_core::ids::TrialNo;
use proofhouse_core::registry::Registry;
use proofhouse_core::results::{FORMAT, FindingRow, Results, TrialRow};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::verdict::{Arm, Judgement, Verdict, Violation};

use super::campaign::Job;
use super::folder::Folder;
use super::gate::{DECLARATION, Observed};
use super::journal::JournalEntry;

/// Trials that have their line; of two lines of one trial the later holds.
#[derive(Default)]
pub struct Done {
    /// Rows and judgements by number.
    pub trials: BTreeMap<TrialNo, (TrialRow, Vec<Judgement>)>,
    /// What probes came to, by their numbers.
    observed: BTreeMap<TrialNo, bool>,
}

impl Done {
    /// Reads the records of a journal.
    #[must_use]
    pub fn of(records: &[JournalEntry]) -> Done {
        let mut done = Done::default();
        for record in records {
            let JournalEntry::Trial { row, judgements, observed, .. } = record else { continue };
            done.trials.insert(row.n, ((**row).clone(), judgements.clone()));
            match observed.or_else(|| seen_before(row, judgements)) {
                Some(present) => done.observed.insert(row.n, present),
                None => done.observed.remove(&row.n),
            };
        }
        done
    }
}

/// What a row of an older journal says about its probe, which then had no field of its own.
fn seen_before(row: &TrialRow, judgements: &[Judgement]) -> Option<bool> {
    let declared_wrongly = row.verdict == Verdict::Fail && judgements.iter().any(|j| j.oracle == DECLARATION);
    (row.verdict == Verdict::Pass || declared_wrongly).then_some(true)
}

/// Trials that a resume runs again although they have their line: those that did not take place, which may have been our own
/// trouble (what cannot be planned stays as it is), and those that waited for the answer of such a probe.
#[must_use]
pub fn again(jobs: &[Job], done: &Done, plans: &dyn Fn(&Job) -> bool) -> BTreeSet<TrialNo> {
    let came_to = |job: &Job| done.trials.get(&job.n).map(|(row, _)| row.verdict);
    let troubled = |job: &&Job| matches!(came_to(job), Some(Verdict::NotRun | Verdict::Error)) && plans(job);
    let troubled: Vec<&Job> = jobs.iter().filter(troubled).collect();
    let waited = |job: &&Job| {
        let open = matches!(came_to(job), Some(Verdict::Inconclusive | Verdict::NotApplicable)) && job.probe.is_none();
        open && troubled.iter().any(|probe| {
            let asks = |need: &String| probe.probe.as_ref() == Some(need);
            probe.target.digest == job.target.digest && job.scenario.needs.iter().any(asks)
        })
    };
    troubled.iter().copied().chain(jobs.iter().filter(waited)).map(|job| job.n).collect()
}

/// What the probes of an earlier part of the run saw, by target digest.
#[must_use]
pub fn observed(jobs: &[Job], done: &Done) -> BTreeMap<String, Observed> {
    let mut all: BTreeMap<String, Observed> = BTreeMap::new();
    for job in jobs {
        if let (Some(capability), Some(present)) = (&job.probe, done.observed.get(&job.n)) {
            all.entry(job.target.digest.clone()).or_default().insert(capability.clone(), *present);
        }
    }
    all
}

/// A failure that waits to be confirmed: the first trial that showed it.
#[derive(Clone, Debug)]
pub struct Suspicion {
    /// Number of the trial.
    pub trial: TrialNo,
    /// What it showed.
    pub shown: Shown,
    /// How long that trial took, milliseconds.
    pub wall_ms: u64,
    /// It showed only after the trial, while its target lived on.
    pub late: bool,
}

/// One violation of a trial, as findings are told apart.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Signature of the violation.
    pub signature: Signature,
    /// Kind of finding.
    pub kind: FindingKind,
    /// Id of the oracle.
    pub oracle: String,
    /// It weighs one step less than its scenario says.
    pub lesser: bool,
    /// The arm whose transcript shows it.
    pub arm: Arm,
    /// What was seen.
    pub violation: Violation,
}

/// Every violation in a trial's judgements.
#[must_use]
pub fn shown(about_kind: Option<FindingKind>, judgements: &[Judgement], registry: &Registry) -> Vec<Shown> {
    let failed = judgements.iter().filter(|j| j.verdict == Verdict::Fail);
    let of = |judgement: &'_ Judgement| -> Vec<Shown> {
        let kind = kind(about_kind, &judgement.oracle, registry);
        let one = |violation: &Violation| Shown {
            signature: Signature::of(kind, &judgement.oracle, violation),
            kind,
            oracle: judgement.oracle.clone(),
            lesser: violation.lesser,
            arm: judgement.arm,
            violation: violation.clone(),
        };
        judgement.violations.iter().map(one).collect()
    };
    failed.flat_map(of).collect()
}

/// The same without repetitions, in their order.
pub(super) fn each_once(signatures: impl IntoIterator<Item = Signature>) -> Vec<Signature> {
    let mut known = BTreeSet::new();
    signatures.into_iter().filter(|signature| known.insert(signature.clone())).collect()
}

/// Kind of finding: a generic oracle knows its own, else the scenario's word counts, else the oracle's.
fn kind(about: Option<FindingKind>, oracle: &str, registry: &Registry) -> FindingKind {
    let row = registry.oracle(oracle);
    let generic = proofhouse_core::oracle::GENERIC.iter().any(|o| o.id == oracle && o.kind.is_breakdown());
    match row {
        _ if oracle == DECLARATION => FindingKind::Config,
        Some(row) if generic => row.kind,
        Some(row) => about.unwrap_or(row.kind),
        None => FindingKind::Conformance,
    }
}

/// The failures without a finding yet, each with the first trial that showed it, in the order of those.
#[must_use]
pub fn suspicions(jobs: &[Job], records: &[JournalEntry], registry: &Registry) -> Vec<Suspicion> {
    let confirmed = |record: &JournalEntry| match record {
        JournalEntry::Finding { finding, .. } if finding.replay != Repeats::NotReplayed => {
            Some((finding.target.clone(), finding.signature.clone()))
        }
        _ => None,
    };
    let mut known: BTreeSet<(String, Signature)> = records.iter().filter_map(confirmed).collect();
    let mut all = Vec::new();
    for (n, (row, judgements)) in Done::of(records).trials {
        let Some(job) = jobs.iter().find(|job| job.n == n) else { continue };
        for shown in shown(job.scenario.about.kind, &judgements, registry) {
            if known.insert((row.target.clone(), shown.signature.clone())) {
                all.push(Suspicion { trial: n, shown, wall_ms: row.wall_ms, late: false });
            }
        }
    }
    all
}

/// The results that a journal stands for.
#[must_use]
pub fn fold(run: &str, records: &[JournalEntry]) -> Results {
    let mut findings: BTreeMap<(String, Signature), (TrialNo, Finding)> = BTreeMap::new();
    for record in records {
        if let JournalEntry::Finding { trial, finding } = record {
            findings.insert((finding.target.clone(), finding.signature.clone()), (*trial, (**finding).clone()));
        }
    }
    let mut in_order: Vec<(TrialNo, Finding)> = findings.into_values().collect();
    in_order.sort_by(|a, b| (a.0, &a.1.signature).cmp(&(b.0, &b.1.signature)));
    let done = Done::of(records).trials;
    let trials: Vec<(TrialRow, Vec<Judgement>)> =
        done.into_values().map(|(row, judgements)| (settle(row, &judgements, &in_order), judgements)).collect();
    let statements =
        clause::armed(trials.iter().flat_map(|(row, judgements)| {
            judgements.iter().map(|judgement| (row.verdict == Verdict::Fail, judgement))
        }));
    Results {
        format: FORMAT,
        run: run.into(),
        trials: trials.into_iter().map(|(row, _)| row).collect(),
        findings: in_order.iter().map(|(_, finding)| FindingRow::of(finding, &Folder::finding(finding))).collect(),
        coverage: clause::coverage(&statements),
        statements,
    }
}

/// A failing trial is as good as its findings, and says the weightiest: where none was confirmed, it is inconclusive and keeps the suspicion.
fn settle(mut row: TrialRow, judgements: &[Judgement], findings: &[(TrialNo, Finding)]) -> TrialRow {
    if row.verdict != Verdict::Fail {
        return row;
    }
    let mine: Vec<&Finding> = findings.iter().map(|(_, f)| f).filter(|f| shows(&row, judgements, f)).collect();
    let confirmed = mine.iter().filter(|finding| finding.verdict == Standing::Confirmed);
    match confirmed.min_by_key(|finding| std::cmp::Reverse(finding.level)) {
        Some(confirmed) => row.reason = said_of(confirmed, judgements).unwrap_or(row.reason),
        None => {
            row.verdict = Verdict::Inconclusive;
            row.reason = format!("{} ({})", unconfirmed(mine.first().copied()), row.reason);
        }
    }
    row
}

/// Why a failure is a suspicion and no finding.
fn unconfirmed(finding: Option<&Finding>) -> String {
    let others = finding.map_or(&[][..], |finding| &finding.not_replayed);
    match (finding.map(|finding| finding.replay), others) {
        (None | Some(Repeats::NotReplayed), []) => "not confirmed yet, go on with --resume".into(),
        (None | Some(Repeats::NotReplayed), [why, ..]) => {
            format!("unconfirmed: none of {} replays took place ({why}), go on with --resume", others.len())
        }
        (Some(counted), []) => format!("flaky: {counted}"),
        (Some(counted @ Repeats::Counted { agreed, ran }), [why, ..]) if agreed == ran => {
            format!("unconfirmed: {counted}, and {} replays did not take place ({why})", others.len())
        }
        (Some(counted), [why, ..]) => {
            format!("flaky: {counted}, and {} replays did not take place ({why})", others.len())
        }
    }
}

/// Whether a trial shows this finding: it says so itself, by signature. Rows of older journals say rule and place only.
fn shows(row: &TrialRow, judgements: &[Judgement], finding: &Finding) -> bool {
    let here = |j: &Judgement| j.oracle == finding.oracle && j.violations.iter().any(|v| v.place == finding.place);
    let shown = match row.findings.as_slice() {
        [] => judgements.iter().any(here),
        own => own.contains(&finding.signature),
    };
    shown && finding.target == row.target
}

/// What this trial saw of a finding: the first thing that it saw may be the one that nobody could repeat.
fn said_of(finding: &Finding, judgements: &[Judgement]) -> Option<String> {
    let own = judgements.iter().filter(|j| j.oracle == finding.oracle && j.verdict == Verdict::Fail);
    let violation = own.flat_map(|j| &j.violations).find(|v| v.place == finding.place && v.clause == finding.clause)?;
    Some(format!("{}: {}", finding.oracle, violation.actual))
}

/// The worst verdict of a trial, and why.
#[must_use]
pub fn worst(judgements: &[Judgement]) -> (Verdict, String) {
    let verdict = Verdict::all(judgements.iter().map(|j| j.verdict));
    let said = judgements.iter().find(|j| j.verdict == verdict);
    (verdict, said.map(|j| format!("{}: {}", j.oracle, j.reason)).unwrap_or_else(|| "nothing was judged".into()))
}

#[cfg(test)]
mod tests;
