//! MQTT as one judge: reads any transcript and says, of every packet that the target sent or owed as a server, whether the standard allows it.
//!
//! `facts` gathers what *we* know: what our clients sent and received, in which order they saw it. From that each fact is *must*, *may* or
//! *must not*: a message published before the SUBACK was in our hands may come, one published after it must. No order is guessed that
//! nobody saw. The rules are rows (`rules`); each counts how often it was armed. A connection on which one of ours breaks the standard is
//! followed up to there. The model shares packets and topic matching with the reference broker, and nothing else.
mod breach;
mod facts;
mod messages;
mod rules;
mod sessions;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::model;
use proofhouse_core::oracle::record::{Record, StepRun, writes};
use proofhouse_core::oracle::{Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::{StepState, Transcript};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Verdict};
use proofhouse_core::witness::is_witness;

use facts::{Conn, Facts, speaks};

/// The model as a rule of every trial whose record is full.
pub const ORACLE: Oracle = Oracle {
    id: "mqtt-model",
    doc: "every packet that the target sent or owed is one that the standard allows",
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
    let versions = [(true, "MQTT5"), (false, "MQTT3")];
    let spoken = versions.into_iter().filter(|(version5, _)| plan.fleets.iter().any(|fleet| speaks(fleet, *version5)));
    let spoken = spoken.map(|(version5, document)| (Facts::of(plan, &record, version5), document));
    let judged: Vec<(Facts<'_>, &str)> = spoken.filter(|(facts, _)| !facts.conns.is_empty()).collect();
    let judgements = judged
        .iter()
        .map(|(facts, document)| model::judge(ORACLE.id, rules::all(), document, |judge, tally| judge(facts, tally)));
    let judgement = judgements.reduce(model::both);
    let legal = |conn: u32| judged.iter().any(|(facts, _)| facts.conns.get(&conn).is_some_and(|conn| conn.is_legal()));
    // Where a scenario asks for nothing but this, a target that refuses a good part of what it is asked for passes nothing.
    let asked = plan.expects.iter().any(|expect| expect.oracle == ORACLE.id);
    let refused = || refused(judged.iter().flat_map(|(facts, _)| facts.conns.values())).filter(|_| asked);
    match (judgement, unserved(&record, legal).or_else(refused)) {
        (Some(judgement), Some(why)) if judgement.verdict == Verdict::Pass => {
            Judgement { armed: judgement.armed, ..Judgement::inconclusive(ORACLE.id, why) }
        }
        (Some(judgement), _) => judgement,
        (None, _) => Judgement::not_applicable(ORACLE.id, alloc::vec![], "no client of MQTT took part"),
    }
}

/// How many of the subscriptions and messages of legal clients were refused; `None` where it is less than a quarter.
fn refused<'f>(conns: impl Iterator<Item = &'f Conn<'f>>) -> Option<String> {
    let clients = conns.filter(|conn| conn.is_legal() && !is_witness(conn.who.0));
    let answers = clients.flat_map(|conn| conn.heard()).map(|(_, seen)| seen);
    let answers = answers.filter(|seen| matches!(seen.packet.kind.as_str(), "suback" | "puback" | "pubrec"));
    let codes: Vec<i64> = answers
        .flat_map(|seen| seen.packet.fields.find("reason").map_or(&[Value::Int(0)][..], Value::as_slice))
        .filter_map(Value::as_int)
        .collect();
    let refused = codes.iter().filter(|code| **code >= 0x80).count();
    (refused * 4 > codes.len()).then(|| format!("{refused} of {} subscriptions and messages were refused", codes.len()))
}

/// Legal use that the target let nobody say: nothing shows how it would have served that. Where we had broken the standard ourselves, it
/// may end the connection.
fn unserved(record: &Record<'_>, legal: impl Fn(u32) -> bool) -> Option<String> {
    let all = record.steps.values().filter(|step| writes(step.verb) && step.conn.is_some_and(&legal));
    let barred = |step: &&StepRun<'_>| matches!(step.ended, Some((_, StepState::Barred)));
    let first = all.clone().find(barred)?;
    let (n, of) = (all.clone().filter(barred).count(), all.count());
    Some(format!("{n} of {of} steps could not be said, such as {}: {}", first.name(), first.detail))
}
