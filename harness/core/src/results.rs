//! What a run came to, as machines read it: `results.json`. Stable and versioned.
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Repeats, Signature, Standing};
use crate::ids::TrialNo;
use crate::severity::{FindingKind, Level};
use crate::verdict::Verdict;

/// Version of `results.json`. Older ones are read for ever.
pub const FORMAT: u32 = 1;

/// `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Name of the run's folder.
    pub run: String,
    /// Every trial, by number.
    pub trials: Vec<TrialRow>,
    /// Every finding and suspicion, in the order of the trial that first showed it.
    pub findings: Vec<FindingRow>,
    /// How much of each standard was armed; none in older versions.
    #[serde(default)]
    pub coverage: Vec<CoverageRow>,
    /// The statements that were armed, by clause; none in older versions.
    #[serde(default)]
    pub statements: Vec<ArmedRow>,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// Number in the run, from 1.
    pub n: TrialNo,
    /// Id of the scenario.
    pub scenario: String,
    /// Name of the case; empty where there is one only.
    pub case: String,
    /// Name of the target.
    pub target: String,
    /// As the target prints it; empty where unknown.
    pub target_version: String,
    /// The trial's seed.
    pub seed: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// Wall time, milliseconds.
    pub wall_ms: u64,
    /// Signatures of the findings that it shows, in the order of its rules; in rows of older versions none.
    #[serde(default)]
    pub findings: Vec<Signature>,
    /// What was seen and breaks no rule, yet is worth an eye.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingRow {
    /// `F-3f9a1c27`.
    pub id: String,
    /// 64 hex digits, stable across seeds and versions.
    pub signature: Signature,
    /// `fail`, or `inconclusive` for a suspicion.
    pub verdict: Standing,
    /// What class of defect it is.
    pub kind: FindingKind,
    /// How much it weighs.
    pub level: Level,
    /// Title of the scenario; what was seen, where a rule failed that holds in every scenario.
    pub title: String,
    /// Id of the scenario.
    pub scenario: String,
    /// Name of the case.
    pub case: String,
    /// Name of the target.
    pub target: String,
    /// The rule that was broken.
    pub oracle: String,
    /// The clause; may be empty.
    pub clause: String,
    /// What the rule demands.
    pub expected: String,
    /// What was seen.
    pub actual: String,
    /// CVSS v4 vector.
    pub cvss: String,
    /// CWE numbers.
    pub cwe: Vec<u32>,
    /// Guidance rows.
    pub guidance: Vec<String>,
    /// Id in the attack catalogue.
    pub attack: String,
    /// `exact`, or `7 of 10`: replays that took place.
    pub replay: Repeats,
    /// Why each of the others did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_replayed: Vec<String>,
    /// Folder of the finding, below the run's.
    pub path: String,
}

/// A statement of a standard that was armed: keeping and breaking it were both possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmedRow {
    /// The statement, as `MQTT5 3.1.4-3`.
    pub clause: String,
    /// Who asked: rules of the model, and oracles that scenarios name.
    pub by: Vec<String>,
    /// In how many judgements it was armed.
    pub armed: u32,
    /// In how many of them it was broken.
    pub broken: u32,
}

/// How much of a standard a run has armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageRow {
    /// `mqtt5`, `mqtt3`, `coap`.
    pub document: String,
    /// Statements that were armed.
    pub armed: u32,
    /// All that it has, those included that bind clients only.
    pub of: u32,
}

impl FindingRow {
    /// The row of a finding that is stored at `path`, below the run's folder.
    #[must_use]
    pub fn of(finding: &Finding, path: &str) -> FindingRow {
        let f = finding.clone();
        FindingRow {
            path: path.into(),
            id: f.id,
            signature: f.signature,
            verdict: f.verdict,
            kind: f.kind,
            level: f.level,
            title: f.title,
            scenario: f.scenario,
            case: f.case,
            target: f.target,
            oracle: f.oracle,
            clause: f.clause,
            expected: f.expected,
            actual: f.actual,
            cvss: f.cvss,
            cwe: f.cwe,
            guidance: f.guidance,
            attack: f.attack,
            replay: f.replay,
            not_replayed: f.not_replayed,
        }
    }
}

impl Results {
    /// As JSON, indented, with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("rows of text and numbers are always JSON") + "\n"
    }

    /// How many trials came to `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.trials.iter().filter(|trial| trial.verdict == verdict).count()
    }
}
