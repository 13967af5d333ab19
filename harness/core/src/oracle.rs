//! Oracles: pure functions over a stored transcript.
use crate::plan::{Expect, Plan};
use crate::protocol::Key;
use crate::transcript::Transcript;
use crate::verdict::Judgement;

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
    /// Kind of finding that a violation is: `crash`, `hang`, `conformance`, ...
    pub kind: &'static str,
    /// Keys of `[[expect]]` that it knows, beside `oracle` and `of`.
    pub keys: &'static [Key],
    /// Whether it reads the outcome of every `expect` step of the fleets in `of`.
    pub reads_steps: bool,
    /// Judges.
    pub judge: fn(&Expect, &Plan, &Transcript) -> Judgement,
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
pub const GENERIC: &[Oracle] = &[];

/// Judges a trial: the preconditions of any PASS (controls met, stimulus reached the target, witness served afterwards),
/// and every expectation of the plan, the generic ones included.
#[must_use]
pub fn judge_all(
    plan: &Plan,
    transcript: &Transcript,
    control: Option<&Transcript>,
    registry: &crate::registry::Registry,
) -> alloc::vec::Vec<Judgement> {
    let _ = (plan, transcript, control, registry);
    todo!()
}
