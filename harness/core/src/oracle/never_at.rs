//! A canary never arrives where it must not be.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::canary::{At, sightings};
use super::record::{Crossing, Record, ids};
use super::rule::{CLAUSE, Needs, Oracle};
use crate::ids::EntryId;
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::transcript::{Event, Transcript};
use crate::verdict::{Judgement, Violation};

pub(crate) const ORACLE: Oracle = Oracle {
    id: "never-at",
    doc: "a canary that was sent never arrives at a fleet (`fleet`, or `fleet:filter` for some of its topics or paths)",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Disclosure,
    keys: &[
        Key { name: "canary", kind: Kind::Text, doc: "name of the canary" },
        Key { name: "at", kind: Kind::Text, doc: "`fleet`, or `fleet:filter`" },
        CLAUSE,
    ],
    reads_steps: false,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let (Some(canary), Some(at)) = (expect.keys.text("canary"), expect.keys.text("at")) else {
        return Judgement::inconclusive(ORACLE.id, "`canary` and `at` say what to look for and where");
    };
    let record = Record::new(plan, transcript);
    let at = At::parse(at);
    let planted = planted(transcript, canary);
    if planted.is_empty() {
        return Judgement::inconclusive(ORACLE.id, format!("canary {canary:?} was never sent"));
    }
    let (mut violations, mut unknown) = (Vec::<Violation>::new(), false);
    for seen in sightings(plan, &record, canary) {
        match at.holds(&seen) {
            Some(true) => violations.push(Violation {
                expected: format!("canary {canary:?} never arrives at {}", at.text),
                actual: format!(
                    "canary {canary:?} arrived at {}[{}] in a {}",
                    seen.fleet,
                    seen.member,
                    seen.packet.map_or("fragment", |p| &p.kind)
                ),
                clause: expect.clause(plan),
                place: seen.packet.map_or_else(|| String::from("unknown"), seen.grammar.kind),
                entries: planted.iter().copied().chain(ids([seen.moment])).collect(),
                lesser: false,
            }),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if unknown {
        return Judgement::inconclusive(
            ORACLE.id,
            format!("canary {canary:?} arrived at {}, but what it was about is not known", at.fleet),
        );
    }
    if !record.connections.values().any(|connection| connection.fleet == at.fleet && connection.opened.is_some()) {
        return Judgement::inconclusive(ORACLE.id, format!("{} was not there to see anything", at.fleet));
    }
    // Whoever passes nothing on passes nothing on to the wrong place.
    let resource = plan.grammar(at.fleet).resource;
    let told = |crossing: &Crossing<'_>| {
        let of = record.connections.get(&crossing.conn).is_some_and(|connection| connection.fleet == at.fleet);
        of && !crossing.sent && resource(crossing.packet).is_some()
    };
    if at.filter.is_some() && !record.packets().any(|crossing| told(&crossing)) {
        return Judgement::inconclusive(
            ORACLE.id,
            format!("nothing arrived at {} that is about any resource", at.fleet),
        );
    }
    Judgement::pass(ORACLE.id, planted, format!("canary {canary:?} was sent and never arrived at {}", at.text))
}

fn planted(transcript: &Transcript, name: &str) -> Vec<EntryId> {
    let planted = |event: &Event| matches!(event, Event::Planted { canary, .. } if canary == name);
    transcript.iter().filter(|(_, entry)| planted(&entry.event)).map(|(id, _)| id).collect()
}
