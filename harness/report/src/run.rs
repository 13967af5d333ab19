//! A finished run as every document sees it: gathered once, from what the run's folder holds.
use std::collections::BTreeMap;

use proofhouse_core::finding::Finding;
use proofhouse_core::guidance::Row;
use proofhouse_core::results::{Results, TrialRow};
use proofhouse_core::severity::Level;
use proofhouse_core::verdict::Verdict;
use serde::{Deserialize, Serialize};

use crate::ladder::Ladder;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Trials by number, findings by the trial that first showed them.
    pub results: Results,
    /// What was asked for, and on what machine.
    pub facts: Facts,
    /// What it came to as a process.
    pub exit: Exit,
    /// One for each of `results.findings`, in the same order.
    pub findings: Vec<Found>,
    /// Scenarios by id.
    pub scenes: BTreeMap<String, Scene>,
    /// The catalogue of guidance, in its own order.
    pub guidance: Vec<Row>,
    /// Rules by the id of their oracle.
    pub rules: BTreeMap<String, Rule>,
}

/// What was asked for, and on what machine.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Version of Proofhouse.
    pub version: String,
    /// When it began, `2026-11-22T10:00:00Z`.
    pub began: String,
    /// The machine in one line.
    pub machine: String,
    /// Seed of the first trial of every case.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// What was selected; empty: the whole suite.
    pub selector: Vec<String>,
    /// How many trials there were to be.
    pub planned: u32,
    /// Wall time of the run, milliseconds; parts that were killed are not in it.
    pub wall_ms: u64,
    /// From which level on findings count: `must`, `should`, `hardening`, `never`.
    pub fail_on: String,
}

/// What a run came to as a process.
#[derive(Clone, Debug)]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// What it means, in a few words.
    pub meaning: String,
}

/// A finding, whether it counts, and the packets around it.
#[derive(Clone, Debug)]
pub struct Found {
    /// `finding.toml`.
    pub finding: Finding,
    /// Its folder, below the run's.
    pub path: String,
    /// Why it does not move the exit code; `None`: it does.
    pub spared: Option<Spared>,
    /// The packets around the violation; `None` where its transcript is not kept.
    pub ladder: Option<Ladder>,
}

/// Why a finding does not move the exit code. None of this changes its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spared {
    /// It did not repeat often enough.
    Suspicion,
    /// Its level is below `--fail-on`.
    Level(Level),
    /// A run before has found it already.
    Baseline,
    /// The target file accepts it, for this reason.
    Accepted(String),
}

impl std::fmt::Display for Spared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spared::Suspicion => f.write_str("a suspicion, not confirmed"),
            Spared::Level(level) => write!(f, "level {level} is below --fail-on"),
            Spared::Baseline => f.write_str("found in the baseline already"),
            Spared::Accepted(reason) => write!(f, "accepted by the target file: {reason}"),
        }
    }
}

/// What a report says about a scenario; kept in `run.json`, so that a report can be written where the scenario is gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Scene {
    /// Title.
    pub title: String,
    /// Id in the attack catalogue.
    pub attack: String,
    /// Guidance rows.
    pub guidance: Vec<String>,
    /// How much a finding weighs.
    pub level: Level,
}

/// What a report says about a rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// One line.
    pub doc: String,
    /// Kind of finding; empty for a rule that this build does not know.
    pub kind: String,
    /// Clauses that it decides.
    pub clauses: Vec<String>,
}

/// Verdicts in the order in which a reader wants them: what needs an eye first.
pub const VERDICTS: [Verdict; 6] =
    [Verdict::Fail, Verdict::Error, Verdict::Inconclusive, Verdict::NotRun, Verdict::Pass, Verdict::NotApplicable];

impl Run {
    /// Targets in the order of their first trial, with version and trials.
    #[must_use]
    pub fn targets(&self) -> Vec<(&str, &str, Vec<&TrialRow>)> {
        let mut all: Vec<(&str, &str, Vec<&TrialRow>)> = Vec::new();
        for trial in &self.results.trials {
            match all.iter_mut().find(|(name, ..)| *name == trial.target) {
                Some((.., trials)) => trials.push(trial),
                None => all.push((&trial.target, &trial.target_version, vec![trial])),
            }
        }
        all
    }

    /// Findings that a failing trial shows, by their signatures. Rows of older versions name none: then those of its scenario and target.
    #[must_use]
    pub fn findings_of(&self, trial: &TrialRow) -> Vec<&Found> {
        let shown = |f: &Finding| match trial.findings.as_slice() {
            [] => f.scenario == trial.scenario,
            own => own.contains(&f.signature),
        };
        self.findings.iter().filter(|f| f.finding.target == trial.target && shown(&f.finding)).collect()
    }

    /// Reasons of trials with this verdict, each once with the first scenario and how many trials gave it.
    #[must_use]
    pub fn reasons(&self, verdict: Verdict) -> Vec<(&str, &str, usize)> {
        let trials = self.results.trials.iter().filter(|t| t.verdict == verdict);
        counted(trials.map(|t| (t.scenario.as_str(), t.reason.as_str())))
    }

    /// What trials remarked, each once with the first scenario and how many trials said so.
    #[must_use]
    pub fn remarks(&self) -> Vec<(&str, &str, usize)> {
        let trials = self.results.trials.iter();
        counted(trials.flat_map(|t| t.remarks.iter().map(|remark| (t.scenario.as_str(), remark.as_str()))))
    }
}

/// Each text once, with the scenario that said it first and how often it was said.
fn counted<'a>(said: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str, usize)> {
    let mut all: Vec<(&str, &str, usize)> = Vec::new();
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for (scenario, text) in said {
        let known = *at.entry(text).or_insert_with(|| {
            all.push((scenario, text, 0));
            all.len() - 1
        });
        all[known].2 += 1;
    }
    all
}
