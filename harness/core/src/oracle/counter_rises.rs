//! An effect that is counted by the target itself has happened exactly so often: not again for a repeated request, and not less.
//!
//! Two control reads bind the counter; between them the stimulus is sent. Bound values are what is compared, so that the rule knows
//! no packet.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record, ids};
use super::rule::{CLAUSE, Needs, Oracle};
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::transcript::{Event, StepState, Transcript, Who};
use crate::value::Value;
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "counter-rises",
    doc: "a counter that a read before and a read after the attack have bound has risen by exactly so much",
    clauses: &["RFC 7252 §4.5"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[
        Key { name: "before", kind: Kind::Text, doc: "the value that the first read bound: `fleet.name`" },
        Key { name: "after", kind: Kind::Text, doc: "the value that the last read bound: `fleet.name`" },
        Key { name: "rise", kind: Kind::Int, doc: "by how much it has to have risen; default 1" },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

/// A value that was bound, by whom and when.
#[derive(Clone, Copy)]
struct Bound<'a> {
    who: &'a Who,
    moment: Moment,
    value: &'a Value,
}

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let (Some(before), Some(after)) = (expect.keys.text("before"), expect.keys.text("after")) else {
        return Judgement::inconclusive(ORACLE.id, "`before` and `after` name the values to compare");
    };
    let rise = expect.keys.int("rise").unwrap_or(1);
    let record = Record::new(plan, transcript);
    let (firsts, lasts) = (Firsts::new(bound(transcript, before)), bound(transcript, after));
    let (mut violations, mut evidence) = (Vec::new(), Vec::new());
    for last in &lasts {
        let Some(first) = partner(&firsts, last) else { continue };
        let (Some(from), Some(to)) = (counter(first.value), counter(last.value)) else {
            let text = format!("{before} = {} and {after} = {}: not both are numbers", first.value, last.value);
            return Judgement::inconclusive(ORACLE.id, text);
        };
        match to.checked_sub(from) {
            Some(risen) if risen == rise => evidence.extend(ids([first.moment, last.moment])),
            risen => {
                let risen = risen.unwrap_or(i64::MAX);
                if risen < rise && !answered(&record, first.moment, last.moment) {
                    let text =
                        format!("the counter rose by {risen}, and the target reacted to no request between the reads");
                    return Judgement::inconclusive(ORACLE.id, text);
                }
                violations.push(violation(expect, plan, &record, [first.moment, last.moment], [from, to], rise));
            }
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, format!("{before} and {after} were not both read"));
    }
    Judgement::pass(ORACLE.id, evidence, format!("the counter rose by exactly {rise}"))
}

fn bound<'a>(transcript: &'a Transcript, name: &str) -> Vec<Bound<'a>> {
    let of = transcript.iter().filter_map(|(id, entry)| match &entry.event {
        Event::Bound { name: bound, value } if bound == name => {
            Some(Bound { who: &entry.who, moment: Moment { at: entry.at, id }, value })
        }
        _ => None,
    });
    of.collect()
}

/// The reads before the attack, in order: all of them, and each member's own.
struct Firsts<'a> {
    all: Vec<Bound<'a>>,
    own: BTreeMap<&'a Who, Vec<Bound<'a>>>,
}

impl<'a> Firsts<'a> {
    fn new(all: Vec<Bound<'a>>) -> Firsts<'a> {
        let mut own: BTreeMap<&Who, Vec<Bound<'_>>> = BTreeMap::new();
        for first in &all {
            own.entry(first.who).or_default().push(*first);
        }
        Firsts { all, own }
    }
}

/// The read that this one is compared with: the last before it, of the same member where one fleet has read both.
fn partner<'a>(firsts: &Firsts<'a>, last: &Bound<'a>) -> Option<Bound<'a>> {
    let before = |all: &[Bound<'a>]| all[..all.partition_point(|first| first.moment < last.moment)].last().copied();
    match (firsts.all.first().map(|first| first.who), last.who) {
        (Some(Who::Member(a, _)), Who::Member(b, _)) if a == b => before(firsts.own.get(last.who)?),
        _ => before(&firsts.all),
    }
}

/// The number, or the number that a text is.
fn counter(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        other => core::str::from_utf8(other.as_bytes()?).ok()?.trim().parse().ok(),
    }
}

/// Whether the target has reacted to a step of the attack between the reads: then its effect cannot have been lost on the way.
fn answered(record: &Record<'_>, from: Moment, to: Moment) -> bool {
    record.stimuli().any(|step| {
        let (Some(began), Some((ended, state))) = (step.started, step.ended) else { return false };
        let answers = || step.conn.into_iter().flat_map(|conn| record.packets_of(conn)).filter(|c| !c.sent);
        let heard = || answers().any(|c| c.moment > began && c.moment < ended);
        began >= from && ended <= to && (state == StepState::Met || heard())
    })
}

fn violation(
    expect: &Expect,
    plan: &Plan,
    record: &Record<'_>,
    reads: [Moment; 2],
    values: [i64; 2],
    rise: i64,
) -> Violation {
    let [from, to] = values;
    let between =
        record.stimuli().filter_map(|step| step.started).filter(|moment| *moment > reads[0]).take(ENTRIES_MAX);
    let more = to.saturating_sub(from) > rise;
    Violation {
        expected: format!("the counter rises by exactly {rise}, from {from} to {}", from.saturating_add(rise)),
        actual: format!("it stands at {to}: the effect happened {} times", to.saturating_sub(from)),
        clause: expect.clause(plan),
        place: String::from(if more { "effect/repeated" } else { "effect/missing" }),
        entries: ids(reads.into_iter().chain(between)),
        lesser: false,
    }
}

/// Entries of the attack that a violation shows at most.
const ENTRIES_MAX: usize = 20;
