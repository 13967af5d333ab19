//! Nobody else pays for the attack: no member of a fleet loses its connection or misses an answer.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::habit::Habits;
use super::record::{Connection, Record, StepRun, ids};
use super::rule::{Needs, Oracle};
use crate::grammar::Grammar;
use crate::ids::EntryId;
use crate::part::Part;
use crate::plan::{Expect, FleetPlan, Plan};
use crate::severity::FindingKind;
use crate::time::Time;
use crate::transcript::{By, Event, StepState, Transcript, Who};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "fleet-undisturbed",
    doc: "no member of these fleets is disconnected by the target, refused, or left without an answer",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Resource,
    keys: &[],
    reads_steps: true,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let thrown: Vec<ThrownOut> = thrown_out(expect, &record).collect();
    // A server may end whom it finds idle: what it does afterwards then shows nothing of the attack.
    let first = record.attack().map_or(Time::ZERO, |(first, _)| first.at);
    if let Some(one) = thrown.iter().find(|one| one.stood && one.at < first) {
        let connection = &record.connections[&one.conn];
        let who = format!("{}[{}]", connection.fleet, connection.member);
        let why = format!("the target ended a connection of {who} before the attack as well");
        return Judgement::inconclusive(ORACLE.id, why);
    }
    let gone: BTreeSet<u32> = thrown.iter().map(|one| one.conn).collect();
    let (mut violations, mut habitual) = (Vec::new(), None);
    let habits = Habits::of(&record);
    for one in thrown {
        match habits.why(one.conn).filter(|_| one.stood) {
            Some(why) => habitual = habitual.or(Some(why)),
            None => violations.push(one.violation),
        }
    }
    violations.extend(unanswered(expect, &record, &gone));
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if let Some(why) = habitual {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    let ours =
        |(conn, connection): &(&u32, &Connection<'_>)| expect.is_about(connection.fleet) && record.is_limited(**conn);
    if let Some((_, connection)) = record.connections.iter().find(ours) {
        let who = format!("{}[{}]", connection.fleet, connection.member);
        return Judgement::inconclusive(ORACLE.id, format!("our own limits ended a connection of {who}"));
    }
    let open = |step: &&StepRun<'_>| is_asked(expect, &record, step) && is_ours(&record, step);
    if let Some(step) = record.steps.values().find(open) {
        return Judgement::inconclusive(ORACLE.id, format!("{} was not evaluated: {}", step.name(), step.detail));
    }
    if let Some((step, why)) = excused(expect, &record) {
        return Judgement::inconclusive(ORACLE.id, format!("{} {why}", step.name()));
    }
    let (served, mut evidence) = served(expect, transcript);
    let mut members = 0;
    for fleet in plan.fleets.iter().filter(|fleet| expect.is_about(&fleet.name)) {
        let totals = totals(transcript, fleet);
        evidence.extend(totals);
        for member in fleet.members() {
            members += 1;
            if !served.contains(&(fleet.name.as_str(), member)) && totals.is_none() {
                return Judgement::inconclusive(ORACLE.id, format!("{}[{member}] was never answered", fleet.name));
            }
        }
    }
    Judgement::pass(ORACLE.id, evidence, format!("{members} members kept their connections and were answered"))
}

/// A connection that the target ended although nobody had said goodbye on it, or did not take.
struct ThrownOut {
    conn: u32,
    at: Time,
    /// It had been taken before.
    stood: bool,
    violation: Violation,
}

fn thrown_out(expect: &Expect, record: &Record<'_>) -> impl Iterator<Item = ThrownOut> {
    let of = |(_, connection): &(&u32, &Connection<'_>)| expect.is_about(connection.fleet);
    record.connections.iter().filter(of).filter_map(|(conn, connection)| {
        let (moment, by, how) = connection.closed?;
        let by_target = by == By::Peer || was_told_to_go(record, *conn, connection);
        if !by_target || said_goodbye(record, *conn) {
            return None;
        }
        let stood = connection.opened.is_some();
        let violation = Violation {
            expected: "the connection stands until its owner ends it".to_string(),
            actual: if stood {
                format!("the target ended it ({how:?})")
            } else {
                format!("the target did not take it ({how:?})")
            },
            clause: String::new(),
            place: if stood { "thrown-out".to_string() } else { "not-taken".to_string() },
            entries: ids(connection.opened.into_iter().chain([moment])),
            lesser: false,
        };
        Some(ThrownOut { conn: *conn, at: moment.at, stood, violation })
    })
}

/// The target said goodbye: whoever ends the connection then, it was the target's doing.
pub(super) fn was_told_to_go(record: &Record<'_>, conn: u32, connection: &Connection<'_>) -> bool {
    record.packets_of(conn).any(|c| !c.sent && connection.grammar.leaving.contains(&c.packet.kind.as_str()))
}

/// The owner's last packet or step says that it leaves.
pub(super) fn said_goodbye(record: &Record<'_>, conn: u32) -> bool {
    let grammar = record.connections.get(&conn).map_or(&Grammar::NONE, |connection| connection.grammar);
    let leaving = |verb: &str| matches!(verb, "shutdown" | "reset") || grammar.leaving.contains(&verb);
    record.steps_of(conn).any(|step| leaving(step.verb))
        || record.packets_of(conn).rfind(|c| c.sent).is_some_and(|c| leaving(&c.packet.kind))
}

/// Steps without their answer, but for those of a connection that is `gone`: that was one disturbance, and is told already.
fn unanswered(expect: &Expect, record: &Record<'_>, gone: &BTreeSet<u32>) -> impl Iterator<Item = Violation> {
    let asked = |step: &&StepRun<'_>| {
        let told = step.conn.is_some_and(|conn| gone.contains(&conn));
        is_asked(expect, record, step) && !is_ours(record, step) && !told
    };
    record.steps.values().filter(asked).filter_map(move |step| {
        let (moment, _) = step.ended.filter(|(_, state)| state.went_wrong())?;
        Some(Violation {
            expected: "every step is answered".to_string(),
            actual: format!(
                "{} was not: {}",
                step.verb,
                if step.detail.is_empty() { "nothing came" } else { step.detail }
            ),
            clause: String::new(),
            place: format!("{}/unanswered", step.verb),
            entries: ids(step.started.into_iter().chain([moment])),
            lesser: false,
        })
    })
}

/// The first step that went wrong while something of ours was the matter: it is no answer, and no violation either.
fn excused<'r, 'a>(expect: &Expect, record: &'r Record<'a>) -> Option<(&'r StepRun<'a>, String)> {
    let wrong = |step: &&StepRun<'_>| {
        let asked = expect.is_about(step.fleet) && step.part != Some(Part::Stimulus);
        asked && step.ended.is_some_and(|(_, state)| state.went_wrong())
    };
    record.steps.values().filter(wrong).find_map(|step| Some((step, record.excuse(step)?)))
}

/// A step of these fleets that is no attack, and that nothing of ours excuses.
fn is_asked(expect: &Expect, record: &Record<'_>, step: &StepRun<'_>) -> bool {
    expect.is_about(step.fleet) && step.part != Some(Part::Stimulus) && record.excuse(step).is_none()
}

/// It was not evaluated, and that was our own doing.
fn is_ours(record: &Record<'_>, step: &StepRun<'_>) -> bool {
    match step.ended {
        Some((_, StepState::Unsaid | StepState::Beyond | StepState::Cut)) => true,
        Some((_, StepState::Barred)) => !step.conn.is_some_and(|conn| record.is_ended_by_target(conn)),
        _ => false,
    }
}

fn served<'a>(expect: &Expect, transcript: &'a Transcript) -> (BTreeSet<(&'a str, u32)>, Vec<EntryId>) {
    let mut who = BTreeSet::new();
    let mut evidence = Vec::new();
    for (id, entry) in transcript.iter() {
        let Who::Member(fleet, member) = &entry.who else { continue };
        if matches!(entry.event, Event::Received(_)) && expect.is_about(fleet) && who.insert((fleet.as_str(), *member))
        {
            evidence.push(id);
        }
    }
    (who, evidence)
}

/// A fleet recorded on edges has totals instead of messages: as many answers as members, at least.
fn totals(transcript: &Transcript, fleet: &FleetPlan) -> Option<EntryId> {
    let members = i64::try_from(fleet.members().count()).unwrap_or(i64::MAX);
    let enough = |event: &Event| match event {
        Event::Totals(totals) => totals.text("fleet") == Some(&fleet.name) && totals.int("received") >= Some(members),
        _ => false,
    };
    transcript.iter().find(|(_, entry)| enough(&entry.event)).map(|(id, _)| id)
}
