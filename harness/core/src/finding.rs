//! A violation with its smallest trial and evidence, and the stable id that it keeps across seeds.
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::EntryId;
use crate::severity::{FindingKind, Level};
use crate::verdict::Violation;

/// How many entries a finding names at most; thousands of connections may show one and the same violation.
pub const ENTRIES_MAX: usize = 64;

/// What a finding keeps; `finding.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Version of the stored format.
    pub format: u32,
    /// `F-` and the first 8 digits of the signature.
    pub id: String,
    /// [`signature`], 64 hex digits.
    pub signature: String,
    /// `fail`, or `inconclusive` for a suspicion that did not repeat often enough.
    pub verdict: String,
    /// What class of defect it is.
    pub kind: FindingKind,
    /// How much it weighs.
    pub level: Level,
    /// Title of the scenario.
    pub title: String,
    /// Id of the scenario.
    pub scenario: String,
    /// Name of the case.
    pub case: String,
    /// Seed as text, since TOML has no 64-bit unsigned numbers.
    pub seed: String,
    /// Target's name, version and digest of its file.
    pub target: String,
    /// As the target prints it.
    pub target_version: String,
    /// SHA-256 of the target file.
    pub target_digest: String,
    /// Planted flaws of the target, so that a replay plants them again.
    #[serde(default)]
    pub flaws: Vec<String>,
    /// Id of the oracle.
    pub oracle: String,
    /// The clause; may be empty.
    pub clause: String,
    /// What the rule demands.
    pub expected: String,
    /// What was seen.
    pub actual: String,
    /// Where, in the target's own terms.
    pub place: String,
    /// `exact`, or `7 of 10`: counted from journal lines.
    pub replay: String,
    /// Id in the attack catalogue.
    pub attack: String,
    /// Guidance rows.
    pub guidance: Vec<String>,
    /// Weaknesses.
    pub cwe: Vec<u32>,
    /// CVSS v4 vector.
    pub cvss: String,
    /// The first [`ENTRIES_MAX`] entries of its transcript that show it; empty in findings of older versions.
    #[serde(default)]
    pub entries: Vec<EntryId>,
}

/// The stable id of a violation: a hash of kind, oracle, clause and place. Never seed, scenario file, address, port or version.
#[must_use]
pub fn signature(kind: FindingKind, oracle: &str, violation: &Violation) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in [kind.name(), oracle, &violation.clause, &violation.place] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    crate::value::hex(&hash.finalize())
}
