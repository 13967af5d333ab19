//! What a journal means: which trials are done, what the probes saw, and the results. Pure functions of its records.
use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::finding::{Finding, signature};
use proofhouse_core::registry::Registry;
use proofhouse_core::results::{FORMAT, FindingRow, Results, TrialRow};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::verdict::{Judgement, Verdict, Violation};

use super::campaign::Job;
use super::folder::Folder;
use super::gate::{DECLARATION, Observed};
use super::journal::Record;

/// How `finding.replay` says that there was no time for any.
pub const NOT_REPLAYED: &str = "not replayed";

/// Trials that have their line.
#[derive(Default)]
pub struct Done {
    /// Rows and judgements by number.
    pub trials: BTreeMap<u32, (TrialRow, Vec<Judgement>)>,
}

impl Done {
    /// Reads the records of a journal.
    #[must_use]
    pub fn of(records: &[Record]) -> Done {
        let trial = |record: &Record| match record {
            Record::Trial { row, judgements, .. } => Some((row.n, (row.clone(), judgements.clone()))),
            _ => None,
        };
        Done { trials: records.iter().filter_map(trial).collect() }
    }
}

/// What the probes of an earlier part of the run saw, by target digest.
#[must_use]
pub fn observed(jobs: &[Job], done: &Done) -> BTreeMap<String, Observed> {
    let mut all: BTreeMap<String, Observed> = BTreeMap::new();
    for job in jobs {
        let (Some(capability), Some((row, judgements))) = (&job.probe, done.trials.get(&job.n)) else { continue };
        let declared_wrongly = judgements.iter().any(|j| j.oracle == DECLARATION);
        let present = match row.verdict {
            Verdict::Pass => true,
            Verdict::Fail => declared_wrongly,
            _ => continue,
        };
        all.entry(job.target.digest.clone()).or_default().insert(capability.clone(), present);
    }
    all
}

/// A failure that waits to be confirmed: the first trial that showed it.
#[derive(Clone, Debug)]
pub struct Suspicion {
    /// Number of the trial.
    pub trial: u32,
    /// Signature of the violation.
    pub signature: String,
    /// Kind of finding.
    pub kind: FindingKind,
    /// Id of the oracle.
    pub oracle: String,
    /// The violation as that trial showed it.
    pub violation: Violation,
    /// How long that trial took, milliseconds.
    pub wall_ms: u64,
}

/// Every signature in a trial's judgements, with what it stands for.
#[must_use]
pub fn signatures(
    about_kind: Option<FindingKind>,
    judgements: &[Judgement],
    registry: &Registry,
) -> Vec<(String, FindingKind, String, Violation)> {
    let mut all = Vec::new();
    for judgement in judgements.iter().filter(|j| j.verdict == Verdict::Fail) {
        let kind = kind(about_kind, &judgement.oracle, registry);
        for violation in &judgement.violations {
            let id = signature(kind, &judgement.oracle, violation);
            all.push((id, kind, judgement.oracle.clone(), violation.clone()));
        }
    }
    all
}

/// Kind of finding: a generic oracle knows its own, else the scenario's word counts, else the oracle's.
fn kind(about: Option<FindingKind>, oracle: &str, registry: &Registry) -> FindingKind {
    let row = registry.oracle(oracle);
    let generic = proofhouse_core::oracle::GENERIC
        .iter()
        .any(|o| o.id == oracle && matches!(o.kind, FindingKind::Crash | FindingKind::Hang));
    match row {
        _ if oracle == DECLARATION => FindingKind::Config,
        Some(row) if generic => row.kind,
        Some(row) => about.unwrap_or(row.kind),
        None => FindingKind::Conformance,
    }
}

/// The failures without a finding yet, each with the first trial that showed it, in the order of those.
#[must_use]
pub fn suspicions(jobs: &[Job], records: &[Record], registry: &Registry) -> Vec<Suspicion> {
    let confirmed = |record: &Record| match record {
        Record::Finding { finding, .. } if finding.replay != NOT_REPLAYED => {
            Some((finding.target.clone(), finding.signature.clone()))
        }
        _ => None,
    };
    let mut known: BTreeSet<(String, String)> = records.iter().filter_map(confirmed).collect();
    let mut all = Vec::new();
    for (n, (row, judgements)) in Done::of(records).trials {
        let Some(job) = jobs.iter().find(|job| job.n == n) else { continue };
        for (signature, kind, oracle, violation) in signatures(job.scenario.about.kind, &judgements, registry) {
            if known.insert((row.target.clone(), signature.clone())) {
                all.push(Suspicion { trial: n, signature, kind, oracle, violation, wall_ms: row.wall_ms });
            }
        }
    }
    all
}

/// The results that a journal stands for.
#[must_use]
pub fn fold(run: &str, records: &[Record]) -> Results {
    let mut findings: BTreeMap<String, (u32, Finding)> = BTreeMap::new();
    for record in records {
        if let Record::Finding { trial, finding } = record {
            findings.insert(format!("{}/{}", finding.target, finding.signature), (*trial, (**finding).clone()));
        }
    }
    let mut in_order: Vec<(u32, Finding)> = findings.into_values().collect();
    in_order.sort_by(|a, b| (a.0, &a.1.signature).cmp(&(b.0, &b.1.signature)));
    let trials = Done::of(records).trials.into_values();
    let trials = trials.map(|(row, judgements)| settle(row, &judgements, &in_order)).collect();
    Results {
        format: FORMAT,
        run: run.into(),
        trials,
        findings: in_order.iter().map(|(_, finding)| FindingRow::of(finding, &Folder::finding(finding))).collect(),
    }
}

/// A failing trial is as good as its findings: where none was confirmed, it is inconclusive and keeps the suspicion.
fn settle(mut row: TrialRow, judgements: &[Judgement], findings: &[(u32, Finding)]) -> TrialRow {
    if row.verdict != Verdict::Fail {
        return row;
    }
    let places: BTreeSet<(&str, &str)> =
        judgements.iter().flat_map(|j| j.violations.iter().map(|v| (j.oracle.as_str(), v.place.as_str()))).collect();
    let mine: Vec<&Finding> = findings
        .iter()
        .map(|(_, f)| f)
        .filter(|f| f.target == row.target && places.contains(&(f.oracle.as_str(), f.place.as_str())))
        .collect();
    let confirmed = mine.is_empty() || mine.iter().any(|f| f.verdict == "fail");
    if !confirmed {
        row.verdict = Verdict::Inconclusive;
        row.reason = match mine[0].replay.as_str() {
            NOT_REPLAYED => format!("not confirmed yet, go on with --resume ({})", row.reason),
            counted => format!("flaky: {counted} ({})", row.reason),
        };
    }
    row
}

/// The worst verdict of a trial, and why.
#[must_use]
pub fn worst(judgements: &[Judgement]) -> (Verdict, String) {
    let verdict = Verdict::all(judgements.iter().map(|j| j.verdict));
    let said = judgements.iter().find(|j| j.verdict == verdict);
    (verdict, said.map(|j| format!("{}: {}", j.oracle, j.reason)).unwrap_or_else(|| "nothing was judged".into()))
}
