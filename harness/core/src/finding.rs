//! Findings: a violation with its smallest trial (the reproducer) and evidence, and the fingerprint that it keeps across seeds.
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::EntryId;
use crate::severity::{FindingKind, Level};
use crate::verdict::{Arm, Violation};

/// How many entries a finding names at most; thousands of connections may show one and the same violation.
pub const ENTRIES_MAX: usize = 64;

/// What a finding keeps; `finding.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Version of the stored format.
    pub format: u32,
    /// `F-` and the first 8 digits of the signature.
    pub id: String,
    /// The same whenever it is seen.
    pub signature: Signature,
    /// Whether it repeated often enough.
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
    /// The arm whose transcript shows it.
    #[serde(default, skip_serializing_if = "Arm::is_main")]
    pub arm: Arm,
    /// How often it came again.
    pub replay: Repeats,
    /// Why each of the other replays did not take place: such a one speaks neither for nor against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_replayed: Vec<String>,
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

/// Whether a violation repeated often enough to be a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It did, or it was seen in simulation, which repeats byte for byte.
    #[serde(rename = "fail")]
    Confirmed,
    /// It did not: kept, and never counted.
    #[serde(rename = "inconclusive")]
    Suspicion,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Confirmed => "fail",
            Standing::Suspicion => "inconclusive",
        })
    }
}

/// How often a finding came again, as replays of one plan count it: `exact`, `7 of 10`, `not replayed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Repeats {
    /// No replay took place.
    NotReplayed,
    /// Every time, with the same transcript to the byte.
    Exact,
    /// `agreed` of `ran` times.
    Counted {
        /// How many showed the same signature.
        agreed: u32,
        /// How many took place.
        ran: u32,
    },
}

const NOT_REPLAYED: &str = "not replayed";
const EXACT: &str = "exact";

impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repeats::NotReplayed => f.write_str(NOT_REPLAYED),
            Repeats::Exact => f.write_str(EXACT),
            Repeats::Counted { agreed, ran } => write!(f, "{agreed} of {ran}"),
        }
    }
}

impl From<Repeats> for String {
    fn from(repeats: Repeats) -> String {
        repeats.to_string()
    }
}

impl TryFrom<String> for Repeats {
    type Error = String;

    fn try_from(text: String) -> Result<Repeats, String> {
        let counted = || {
            let (agreed, ran) = text.split_once(" of ")?;
            Some(Repeats::Counted { agreed: agreed.parse().ok()?, ran: ran.parse().ok()? })
        };
        match text.as_str() {
            NOT_REPLAYED => Ok(Repeats::NotReplayed),
            EXACT => Ok(Repeats::Exact),
            _ => {
                counted().ok_or_else(|| alloc::format!("{text:?} is neither \"exact\" nor a count such as \"2 of 3\""))
            }
        }
    }
}

/// How much a finding weighs. A crash or a hang is one whatever provoked it. What rests on a time of ours alone, or on advice, weighs
/// one step less than its scenario says.
#[must_use]
pub fn level(kind: FindingKind, scenario: Level, lesser: bool) -> Level {
    match (kind, scenario, lesser) {
        (FindingKind::Crash | FindingKind::Hang, ..) => Level::Must,
        (_, Level::Must, true) => Level::Should,
        (_, Level::Should, true) => Level::Hardening,
        (_, level, _) => level,
    }
}

/// Fingerprint of a finding, 64 hex digits: what joins a row, a replay, a baseline and an accepted defect to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(pub String);

impl Signature {
    /// The stable id of a violation: a hash of kind, oracle, clause and place, made of what repeats. Never seed, address, port, time, or a
    /// message; the scenario only where nothing else tells two causes apart.
    #[must_use]
    pub fn of(kind: FindingKind, oracle: &str, violation: &Violation) -> Signature {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for part in [kind.name(), oracle, &violation.clause, &violation.place] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Signature(crate::value::hex(&hash.finalize()))
    }

    /// What people call the finding: `F-` and the first 8 digits.
    #[must_use]
    pub fn id(&self) -> String {
        alloc::format!("F-{}", self.0.get(..8).unwrap_or(&self.0))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_written_and_read_as_people_say_it() {
        for repeats in [Repeats::NotReplayed, Repeats::Exact, Repeats::Counted { agreed: 7, ran: 10 }] {
            assert_eq!(Repeats::try_from(repeats.to_string()), Ok(repeats));
        }
        for wrong in ["", "often", "7 of", "of 10", "7 of ten", "-1 of 3"] {
            assert!(Repeats::try_from(wrong.to_string()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_deadline_of_ours_is_a_must_of_the_standard() {
        assert_eq!(level(FindingKind::Conformance, Level::Must, false), Level::Must);
        assert_eq!(level(FindingKind::Conformance, Level::Must, true), Level::Should);
        assert_eq!(level(FindingKind::Conformance, Level::Should, true), Level::Hardening);
        assert_eq!(level(FindingKind::Conformance, Level::Hardening, true), Level::Hardening);
    }

    #[test]
    fn a_crash_weighs_the_same_whatever_provoked_it() {
        assert_eq!(level(FindingKind::Crash, Level::Hardening, false), Level::Must);
        assert_eq!(level(FindingKind::Exception, Level::Hardening, false), Level::Hardening);
    }

    #[test]
    fn a_signature_knows_kind_rule_clause_and_place_and_nothing_else() {
        let base = Violation {
            expected: "a".into(),
            actual: "b".into(),
            clause: "c".into(),
            place: "p".into(),
            entries: alloc::vec![EntryId(1)],
            lesser: false,
        };
        let id = |violation: &Violation| Signature::of(FindingKind::Crash, "no-crash", violation);
        let words = Violation { expected: "x".into(), actual: "y".into(), entries: Vec::new(), ..base.clone() };
        assert_eq!(id(&base), id(&words));
        assert_ne!(id(&base), id(&Violation { place: "q".into(), ..base.clone() }));
        assert_ne!(id(&base), id(&Violation { clause: "d".into(), ..base.clone() }));
        assert_ne!(id(&base), Signature::of(FindingKind::Hang, "no-crash", &base));
        // Parts do not run into each other.
        let shifted = Violation { clause: "cp".into(), place: String::new(), ..base.clone() };
        assert_ne!(id(&base), id(&shifted));
    }
}
