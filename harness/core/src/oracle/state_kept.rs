//! The same valid request is answered as before: whatever came between has left nothing behind.
//!
//! Two steps are named by their marks. Their answers are compared field by field, but for those fields in which the requests differ
//! themselves (an answer repeats the identifiers of its request) and those that the scenario excepts.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::record::{Crossing, Record, StepRun, ids};
use super::rule::{CLAUSE, Needs, Oracle};
use crate::ids::MarkId;
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::transcript::{Packet, StepState, Transcript};
use crate::value::Value;
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "state-kept",
    doc: "two steps that say the same, one before the attack and one after it, get the same answer",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[
        Key { name: "before", kind: Kind::Text, doc: "mark of the step before: `fleet.mark`" },
        Key { name: "after", kind: Kind::Text, doc: "mark of the step after: `fleet.mark`" },
        Key {
            name: "steady",
            kind: Kind::Text,
            doc: "mark of one more step before: a field in which its answer differs from the first says nothing",
        },
        Key { name: "fields", kind: Kind::Any, doc: "fields of the answer that count; default: all that may" },
        Key { name: "except", kind: Kind::Any, doc: "fields that may differ, such as a clock's payload" },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

/// A request and its answer.
struct Exchange<'a> {
    request: Option<&'a Packet>,
    answer: Crossing<'a>,
}

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let named = |key: &str| {
        let name = expect.keys.text(key)?;
        plan.marks.iter().position(|(known, _)| known == name).map(|at| MarkId(at as u16))
    };
    let (Some(before), Some(after)) = (named("before"), named("after")) else {
        return Judgement::inconclusive(ORACLE.id, "`before` and `after` name the marks of the two steps");
    };
    let (firsts, lasts) = (answers(plan, &record, before), answers(plan, &record, after));
    let steady = named("steady").map(|mark| answers(plan, &record, mark)).unwrap_or_default();
    let (mut violations, mut evidence, mut open) = (Vec::new(), Vec::new(), None);
    for (member, last) in &lasts {
        // Both are by rising member.
        let own = firsts.binary_search_by_key(member, |(of, _)| *of).ok();
        let first = own.map(|at| &firsts[at]).or(firsts.first());
        let Some((_, first)) = first else { continue };
        let moments = [first.answer.moment, last.answer.moment];
        if is_busy(&record, first) || is_busy(&record, last) {
            open = Some("a request was put off by the target, which had decided nothing");
            continue;
        }
        let again = steady.iter().find(|(of, _)| of == member).map(|(_, again)| again);
        match difference(expect, first, again, last) {
            None => evidence.extend(ids(moments)),
            Some((field, was, is)) => violations.push(Violation {
                expected: format!("the same request is answered as before the attack: {field} = {was}"),
                actual: format!("afterwards its answer has {field} = {is}"),
                clause: expect.clause(plan),
                place: format!("{}/{field}", first.answer.packet.kind),
                entries: ids(moments),
                lesser: false,
            }),
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if let Some(why) = open {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "the two steps were not both answered");
    }
    Judgement::pass(ORACLE.id, evidence, "the same request was answered as before")
}

/// The answers of the step that sets a mark, by member.
fn answers<'a>(plan: &Plan, record: &Record<'a>, mark: MarkId) -> Vec<(u32, Exchange<'a>)> {
    let fleet = plan.fleets.iter().find(|fleet| fleet.steps.iter().any(|step| step.mark == Some(mark)));
    let Some(fleet) = fleet else { return Vec::new() };
    let step = fleet.steps.iter().find(|step| step.mark == Some(mark)).map(|step| step.index);
    let runs = record.steps.values().filter(|run| run.fleet == fleet.name && Some(run.index) == step);
    runs.filter_map(|run| Some((run.member, exchange(record, run)?))).collect()
}

/// What was said when the step began, and the last that arrived before it was met.
fn exchange<'a>(record: &Record<'a>, run: &StepRun<'_>) -> Option<Exchange<'a>> {
    let (conn, began) = (run.conn?, run.started?);
    let (ended, StepState::Met) = run.ended? else { return None };
    let own = || record.packets_of(conn).filter(|c| c.moment >= began && c.moment <= ended);
    let answer = own().rfind(|c| !c.sent)?;
    Some(Exchange { request: own().find(|c| c.sent).map(|c| c.packet), answer })
}

/// The target had no time for whoever asked: its answer is about no request.
fn is_busy(record: &Record<'_>, exchange: &Exchange<'_>) -> bool {
    let connection = record.connections.get(&exchange.answer.conn);
    connection.is_some_and(|connection| (connection.grammar.busy)(exchange.answer.packet))
}

/// The first field in which the answers differ: its name, and both values. What was not the same twice before the attack is not
/// expected to be the same after it.
fn difference(
    expect: &Expect,
    first: &Exchange<'_>,
    again: Option<&Exchange<'_>>,
    last: &Exchange<'_>,
) -> Option<(String, String, String)> {
    let listed = |key: &str, name: &str| {
        expect.keys.find(key).is_some_and(|all| all.as_slice().iter().any(|one| one.as_text() == Some(name)))
    };
    let chosen = expect.keys.find("fields").is_some();
    let asked_differently = |name: &str| match (first.request, last.request) {
        (Some(a), Some(b)) => a.fields.find(name) != b.fields.find(name),
        _ => false,
    };
    let counts = |name: &str| match chosen {
        true => listed("fields", name),
        false => !listed("except", name) && !asked_differently(name),
    };
    let (was, is) = (&first.answer.packet.fields, &last.answer.packet.fields);
    let names = was.iter().chain(is.iter()).map(|(name, _)| name);
    let in_words = |value: Option<&Value>| value.map_or_else(|| "nothing".to_string(), ToString::to_string);
    let moves = |name: &str| again.is_some_and(|again| again.answer.packet.fields.find(name) != was.find(name));
    let mut differing = names.filter(|name| counts(name) && was.find(name) != is.find(name) && !moves(name));
    differing.next().map(|name| (name.to_string(), in_words(was.find(name)), in_words(is.find(name))))
}
