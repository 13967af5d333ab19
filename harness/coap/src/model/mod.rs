//! CoAP as one judge: reads any transcript and says, of every message that the target sent or owed as a server, whether RFC 7252, 7641 and
//! 7959 allow it.
//!
//! `facts` gathers what *we* know, once for all rules: each association of ours with the target, the requests that left on it and what came
//! back; `paths` the same by resource. The rules are
//! rows (`rules`); each counts how often it was armed. A datagram of ours that is not legal arms nothing, and excuses whatever may be its answer.
mod facts;
mod paths;
mod rules;
#[cfg(test)]
mod tests;

use proofhouse_core::model;
use proofhouse_core::oracle::record::Record;
use proofhouse_core::oracle::{Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::verdict::{Judgement, Verdict};

use facts::Facts;

/// The model as a rule of every trial whose record is full.
pub const ORACLE: Oracle = Oracle {
    id: "coap-model",
    doc: "every message that the target sent or owed is one that the standard allows",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[],
    reads_steps: false,
    judge,
};

fn judge(_: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    if let Some(nothing) = model::of_edges(ORACLE.id, plan) {
        return nothing;
    }
    let record = Record::new(plan, transcript);
    let facts = Facts::of(plan, &record);
    let judgement = model::judge(ORACLE.id, rules::all(), "RFC", |judge, tally| judge(&facts, tally));
    // Where a scenario asks for nothing but this, a target that refuses what it has just served passes nothing.
    let asked = plan.expects.iter().any(|expect| expect.oracle == ORACLE.id);
    match facts.unserved().filter(|_| asked && judgement.verdict == Verdict::Pass) {
        Some(why) => Judgement { armed: judgement.armed, ..Judgement::inconclusive(ORACLE.id, why) },
        None => judgement,
    }
}
