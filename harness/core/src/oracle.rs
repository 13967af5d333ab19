//! Oracles: pure functions over a stored transcript.
//!
//! [`judge_all`] asks every rule of a plan, and asks first what any PASS rests on ([`preconditions`]): the legal variant
//! worked, the attack reached the target, the witness was served afterwards. A rule sees entries and nothing else.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::plan::{Expect, Plan};
use crate::protocol::{Key, Kind};
use crate::registry::Registry;
use crate::severity::FindingKind;
use crate::time::Duration;
use crate::transcript::Transcript;
use crate::value::{Fields, Value};
use crate::verdict::{Judgement, Verdict};

mod amplification;
mod answer_in_set;
pub mod canary;
mod closes_in_time;
mod counter_rises;
mod fleet_undisturbed;
pub mod lateness;
mod log_injection;
mod memory_bounded;
mod never_at;
mod no_crash;
mod no_hang;
mod no_slowdown;
mod no_unhandled_exception;
pub mod preconditions;
pub mod record;
mod state_kept;
pub mod window;

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
    /// Whether a violation stands although a control failed: a crash, a hang or a leak is one whatever else went wrong.
    /// Every other rule compares an attack with its legal variant, and has nothing to compare with then.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
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

/// Oracles that know no protocol.
pub const GENERIC: &[Oracle] = &[
    no_crash::ORACLE,
    no_hang::ORACLE,
    no_slowdown::ORACLE,
    memory_bounded::ORACLE,
    closes_in_time::ORACLE,
    answer_in_set::ORACLE,
    fleet_undisturbed::ORACLE,
    no_unhandled_exception::ORACLE,
    never_at::ORACLE,
    log_injection::ORACLE,
    amplification::ORACLE,
    counter_rises::ORACLE,
    state_kept::ORACLE,
];

/// Key of every rule that may be about more than one clause.
pub const CLAUSE: Key = Key {
    name: "clause",
    kind: Kind::Text,
    doc: "the clause that is broken; default: the scenario's first for this version",
};

/// Judges a trial: the preconditions of any PASS (controls met, stimulus reached the target, witness served afterwards),
/// and every expectation of the plan, the generic ones included. The first judgement is that of the preconditions.
#[must_use]
pub fn judge_all(
    plan: &Plan,
    transcript: &Transcript,
    control: Option<&Transcript>,
    registry: &Registry,
) -> Vec<Judgement> {
    let preconditions = preconditions::check(plan, transcript, control, registry);
    let lateness = lateness::Lateness::of(transcript);
    let mut all = alloc::vec![preconditions.judgement()];
    let mut asked: Vec<&Expect> = Vec::new();
    for expect in &plan.expects {
        if asked.contains(&expect) {
            continue;
        }
        asked.push(expect);
        all.push(match registry.oracle(&expect.oracle) {
            Some(oracle) => {
                let judgement = excused(oracle, (oracle.judge)(expect, plan, transcript), &lateness);
                tempered(oracle, judgement, &preconditions)
            }
            None => Judgement::inconclusive(&expect.oracle, "this build knows no such oracle"),
        });
    }
    all.extend(unasked(plan, transcript));
    if let Some(crash) = control.and_then(|arm| no_crash::in_control_arm(transcript, arm)) {
        match all.iter_mut().find(|judgement| judgement.oracle == crash.oracle) {
            Some(judgement) if judgement.verdict != Verdict::Fail => *judgement = crash,
            Some(_) => {}
            None => all.push(crash),
        }
    }
    all
}

/// Where we were stopped before the last thing that a failure rests on, its deadlines may have been ours: only a target that ended has
/// done so by itself.
fn excused(oracle: &Oracle, judgement: Judgement, lateness: &lateness::Lateness) -> Judgement {
    if judgement.verdict != Verdict::Fail || oracle.kind == FindingKind::Crash {
        return judgement;
    }
    match lateness.stopped() {
        Some(long) => {
            let reason = format!("{}; but we ourselves were stopped for {} ms", judgement.reason, long.as_millis());
            Judgement::inconclusive(oracle.id, reason)
        }
        None => judgement,
    }
}

/// A failure without its control is a suspicion: the legal variant may have failed for the same reason.
fn tempered(oracle: &Oracle, judgement: Judgement, preconditions: &preconditions::Preconditions) -> Judgement {
    match preconditions.broken_control() {
        Some(broken) if judgement.verdict == Verdict::Fail && !oracle.stands_alone() => {
            Judgement::inconclusive(oracle.id, format!("{}; but its control failed: {broken}", judgement.reason))
        }
        _ => judgement,
    }
}

/// An unhandled exception in the log is never ignored, also where no scenario asks for it.
fn unasked(plan: &Plan, transcript: &Transcript) -> Option<Judgement> {
    let oracle = &no_unhandled_exception::ORACLE;
    if plan.expects.iter().any(|expect| expect.oracle == oracle.id) {
        return None;
    }
    let expect = Expect { oracle: oracle.id.to_string(), of: Vec::new(), keys: Fields::default() };
    Some((oracle.judge)(&expect, plan, transcript)).filter(|judgement| judgement.verdict == Verdict::Fail)
}

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

pub use crate::board::is_witness;

impl Plan {
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

#[cfg(test)]
mod tests;
