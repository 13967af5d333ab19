//! SUBACK and UNSUBACK answer what was asked: one code for each filter, and never more than was asked for.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::oracle::lateness::InTime;
use proofhouse_core::oracle::record::{Crossing, Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::{By, Packet, Transcript};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Violation};

use crate::codec::Version;
use crate::names;

pub(super) const ORACLE: Oracle = Oracle {
    id: "answers-fit",
    doc: "every SUBSCRIBE and UNSUBSCRIBE of these fleets is answered with one code for each filter, and no QoS above the one asked for",
    clauses: &["MQTT5 3.8.4-6", "MQTT5 3.8.4-7", "MQTT5 3.10.4-5", "MQTT3 3.8.4-5", "MQTT3 3.10.4-5"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[CLAUSE],
    reads_steps: true,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let (mut violations, mut late, mut evidence, mut open) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (asked, answer) in questions(expect, &record) {
        match answer {
            Some(answer) => match fault(plan, &asked, answer.packet) {
                None => evidence.extend([asked.moment, answer.moment]),
                Some(actual) => {
                    violations.push(violation(expect, plan, &asked, actual, [asked.moment, answer.moment]));
                }
            },
            None if had_its_time(&record, &asked) => {
                let actual = "no answer came".to_string();
                late.push(violation(expect, plan, &asked, actual, [asked.moment, asked.moment]));
            }
            None => open = Some(asked.packet.kind.clone()),
        }
    }
    match (violations.is_empty() && late.is_empty(), open) {
        (false, _) => Judgement::fail_by(ORACLE.id, violations, late),
        (true, Some(kind)) => {
            let reason = format!("a connection ended, or was no longer read, before its {kind} was answered");
            Judgement::inconclusive(ORACLE.id, reason)
        }
        (true, None) if evidence.is_empty() => Judgement::inconclusive(ORACLE.id, "nobody subscribed to anything"),
        (true, None) => {
            let reason = format!("{} answers had one code for each filter", evidence.len() / 2);
            Judgement::pass(ORACLE.id, ids(evidence), reason)
        }
    }
}

/// Each question with its answer: the first SUBACK or UNSUBACK after it with its packet identifier.
fn questions<'a>(expect: &Expect, record: &Record<'a>) -> Vec<(Crossing<'a>, Option<Crossing<'a>>)> {
    let mut waiting: BTreeMap<(u32, &str, i64), usize> = BTreeMap::new();
    let mut all: Vec<(Crossing<'a>, Option<Crossing<'a>>)> = Vec::new();
    let about = |conn| record.connections.get(&conn).is_some_and(|c| expect.is_about(c.fleet));
    for crossing in record.packets().filter(|crossing| about(crossing.conn)) {
        let id = crossing.packet.fields.int("packet_id").unwrap_or(0);
        match (crossing.packet.kind.as_str(), crossing.sent) {
            (kind @ ("subscribe" | "unsubscribe"), true) if crossing.packet.malformed.is_empty() => {
                waiting.insert((crossing.conn, answer_to(kind), id), all.len());
                all.push((crossing, None));
            }
            (kind @ ("suback" | "unsuback"), false) => {
                if let Some(at) = waiting.remove(&(crossing.conn, answer_to(kind), id)) {
                    all[at].1 = Some(crossing);
                }
            }
            _ => {}
        }
    }
    all
}

/// The answer's name, for question and answer alike.
fn answer_to(kind: &str) -> &'static str {
    if kind.starts_with("un") { "unsuback" } else { "suback" }
}

/// A legal answer takes milliseconds; the standard names no time.
const WITHIN: Duration = Duration::from_secs(2);

/// Whether a connection stood, and we read it, for long enough after a question. Where the server ended it, it never had to answer.
fn had_its_time(record: &Record<'_>, asked: &Crossing<'_>) -> bool {
    let Some(connection) = record.connections.get(&asked.conn) else { return false };
    let until = match connection.closed {
        None => record.end,
        Some((moment, By::Us, _)) => moment.at,
        Some(_) => return false,
    };
    let hinders = |verb: &str| matches!(verb, "shutdown" | "stop-reading" | "reset");
    let own = record.steps_of(asked.conn).filter(|step| hinders(step.verb));
    let hindered = own.filter_map(|step| step.started).map(|moment| moment.at).min().unwrap_or(until);
    let in_time = record.in_time(connection.fleet, asked.moment.at, WITHIN, None);
    until.min(hindered).since(asked.moment.at) >= WITHIN && in_time == InTime::No
}

/// What is wrong with an answer, in words.
fn fault(plan: &Plan, asked: &Crossing<'_>, answer: &Packet) -> Option<String> {
    if !answer.malformed.is_empty() {
        return Some(format!("the answer is malformed: {}", answer.malformed));
    }
    let codes = numbers(answer, "reason");
    if answer.kind == "unsuback" && names::version(&plan.version) == Version::V311 {
        return None;
    }
    let filters = named(asked.packet);
    if codes.len() != filters {
        return Some(format!("{} codes for {filters} filters", codes.len()));
    }
    let wanted = numbers(asked.packet, "qos");
    let above = codes.iter().zip(&wanted).find(|(code, wanted)| **code <= 2 && code > wanted);
    above
        .filter(|_| answer.kind == "suback")
        .map(|(code, wanted)| format!("QoS {code} granted where {wanted} was asked for"))
}

fn named(packet: &Packet) -> usize {
    let filters = packet.fields.find("filters").or_else(|| packet.fields.find("filter"));
    filters.map_or(0, |value| value.as_slice().len())
}

fn numbers(packet: &Packet, key: &str) -> Vec<i64> {
    packet.fields.find(key).map(Value::as_slice).unwrap_or_default().iter().filter_map(Value::as_int).collect()
}

fn violation(expect: &Expect, plan: &Plan, asked: &Crossing<'_>, actual: String, shown: [Moment; 2]) -> Violation {
    let kind = &asked.packet.kind;
    Violation {
        expected: format!(
            "{} of {} filters is answered with one fitting code for each",
            kind.to_uppercase(),
            named(asked.packet)
        ),
        actual,
        clause: expect.clause(plan),
        place: format!("{kind}/answer"),
        entries: ids(shown),
        lesser: false,
    }
}
