//! What a rule is, and what it may be asked with: its row, its expectation, the clause that it cites.
use alloc::format;
use alloc::string::{String, ToString};

use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::Duration;
use crate::transcript::Transcript;
use crate::value::Value;
use crate::verdict::Judgement;
use crate::witness::is_witness;

/// A rule. A row: a plain function cannot capture state.
#[derive(Clone, Copy)]
pub struct Oracle {
    /// As `oracle = "..."` writes it.
    pub id: &'static str,
    /// One line for `explain`.
    pub doc: &'static str,
    /// Clauses that it decides, as `MQTT5 3.1.4-3`; empty for a generic one.
    pub clauses: &'static [&'static str],
    /// What the record must be good for.
    pub needs: Needs,
    /// Kind of finding that a violation is.
    pub kind: FindingKind,
    /// Keys of `[[expect]]` that it knows, beside `oracle` and `of`.
    pub keys: &'static [Key],
    /// Whether it reads the outcome of every `expect` step of the fleets in `of`.
    pub reads_steps: bool,
    /// Judges.
    pub judge: fn(&Expect, &Plan, &Transcript) -> Judgement,
}

impl Oracle {
    /// Whether a violation stands whatever else went wrong: a target that ends, or serves nobody any more, has failed even where
    /// nothing but legal traffic was sent.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        matches!(self.kind, FindingKind::Crash | FindingKind::Hang)
    }

    /// Whether a violation stands although a control failed: what was seen once the attack was sent is seen. Every other rule compares
    /// an attack with its legal variant, and has nothing to compare with then.
    #[must_use]
    pub fn needs_no_control(&self) -> bool {
        self.kind.is_breakdown() || self.kind == FindingKind::Disclosure
    }
}

/// What an oracle needs of the record and of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Every message.
    Full,
    /// First, last and unusual messages are enough.
    Edges,
    /// Nothing else runs on the machine: time, CPU, memory.
    Quiet,
    /// As `Quiet`, and the same load against a null sink.
    Calibrated,
}

/// Key of every rule that may be about more than one clause.
pub const CLAUSE: Key = Key {
    name: "clause",
    kind: Kind::Text,
    doc: "the clause that is broken; default: the scenario's first for this version",
};

impl Expect {
    /// The duration at a key; `default` where it is not set. The loader has checked the text.
    #[must_use]
    pub fn duration(&self, key: &str, default: Duration) -> Duration {
        self.keys.text(key).and_then(|text| crate::spread::durations(text).ok()).map_or(default, |spread| spread.most())
    }

    /// The share at a key such as `"99%"`, from 0.0 to 1.0; `default` where it is not set.
    #[must_use]
    pub fn share(&self, key: &str, default: f64) -> f64 {
        let percent = |value: &Value| match value {
            Value::Text(text) => text.trim().strip_suffix('%')?.trim().parse::<f64>().ok(),
            Value::Float(x) => Some(*x),
            Value::Int(n) => Some(*n as f64),
            _ => None,
        };
        self.keys.find(key).and_then(percent).map_or(default, |p| p / 100.0)
    }

    /// Whether this rule is about a fleet: named in `of`, or any but the witness where `of` is empty.
    #[must_use]
    pub fn is_about(&self, fleet: &str) -> bool {
        if self.of.is_empty() { !is_witness(fleet) } else { self.of.iter().any(|name| name == fleet) }
    }

    /// The clause that a violation cites, as `MQTT5 3.1.4-3`: the key `clause`, else the scenario's first for this version.
    #[must_use]
    pub fn clause(&self, plan: &Plan) -> String {
        match self.keys.text("clause") {
            Some(clause) => cited(clause),
            None => plan.first_clause(),
        }
    }
}

impl Plan {
    /// What a crash or a hang comes after, as long as nothing shows its cause: scenario and case, the same for every seed.
    #[must_use]
    pub fn stimulus(&self) -> String {
        if self.case.is_empty() { self.id.clone() } else { format!("{} [{}]", self.id, self.case) }
    }

    /// The first clause of the scenario that fits the version of this case, as findings cite it; empty where there is none.
    #[must_use]
    pub fn first_clause(&self) -> String {
        let major = self.version.split('.').next().unwrap_or("");
        let fits = |clause: &&String| clause.split(':').next().is_some_and(|document| document.ends_with(major));
        self.about.spec.iter().find(fits).map_or_else(String::new, |clause| cited(clause))
    }
}

/// `mqtt5:3.1.4-3` as findings cite it: `MQTT5 3.1.4-3`; `rfc7252:4.2` is `RFC 7252 §4.2`.
fn cited(clause: &str) -> String {
    match clause.split_once(':') {
        Some((document, section)) if document.starts_with("rfc") => format!("RFC {} §{section}", &document[3..]),
        Some((document, section)) => format!("{} {section}", document.to_uppercase()),
        None => clause.to_string(),
    }
}
