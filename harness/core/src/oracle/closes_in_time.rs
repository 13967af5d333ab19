//! Every connection that carried the attack is ended by the target in time.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lateness::Closing;
use super::record::{Crossing, Moment, Record, StepRun, ids, writes};
use super::rule::{CLAUSE, Needs, Oracle};
use crate::key::{Key, Kind};
use crate::part::Part;
use crate::plan::{Expect, Plan, Recording};
use crate::severity::FindingKind;
use crate::time::{Duration, Time};
use crate::transcript::{StepState, Transcript, WitnessState};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "closes-in-time",
    doc: "the target ends every connection of these fleets that carried a stimulus (without one: every connection) within this time",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Conformance,
    keys: &[
        Key { name: "within", kind: Kind::Duration, doc: "from the last stimulus, or from the opening; default 5s" },
        Key { name: "at_least", kind: Kind::Percent, doc: "share of the connections that must be ended; default 100%" },
        Key {
            name: "attack",
            kind: Kind::Text,
            doc: "the attack in words, for people: \"CONNECT with a property twice\"",
        },
        Key {
            name: "class",
            kind: Kind::Text,
            doc: "class of the attack; findings of one packet and class are one finding",
        },
        Key {
            name: "named",
            kind: Kind::Bool,
            doc: "true: the clause names the time, and `within` has slack above it (default false: the time is ours)",
        },
        Key {
            name: "served_only",
            kind: Kind::Bool,
            doc: "true: a connection that stays open is broken only if the target serves a later step on it (default false)",
        },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

/// What the catalogue calls O-close.
const WITHIN: Duration = Duration::from_secs(5);

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let within = expect.duration("within", WITHIN);
    let spare_idle = expect.keys.truth("served_only") == Some(true);
    let (mut closed, mut open, mut undecided) = (Vec::new(), Vec::new(), 0_usize);
    let time = Given { within, slow: slow_rounds(&record, within), spare_idle };
    for (conn, since) in subjects(expect, &record) {
        match time.fate(plan, &record, conn, since) {
            Fate::Ended(moment) => closed.extend([since, moment]),
            Fate::Open(one) => open.push(one),
            Fate::Undecided => undecided += 1,
        }
    }
    let in_time = closed.len() / 2;
    let all = in_time + open.len() + undecided;
    let needed = needed(all, expect.share("at_least", 1.0));
    if all == 0 {
        return Judgement::inconclusive(ORACLE.id, "no connection carried the attack");
    }
    if in_time >= needed {
        return Judgement::pass(ORACLE.id, ids(closed), format!("{in_time} of {all} connections were ended in time"));
    }
    let unseen = record.never_handed_over();
    if open.len() > all - needed && open.len().saturating_sub(unseen) <= all - needed {
        let text = format!(
            "{} of {all} connections stayed open, and the kernel handed up to {unseen} never to the target",
            open.len()
        );
        return Judgement::inconclusive(ORACLE.id, text);
    }
    if open.len() > all - needed {
        let violations = violations(expect, plan, &record, &open, within, all);
        let shown = open.iter().any(|one| !matches!(one.shown, Shown::Time));
        let named = expect.keys.truth("named") == Some(true);
        return match shown || named {
            true => Judgement::fail(ORACLE.id, violations),
            false => Judgement::fail_by(ORACLE.id, Vec::new(), violations),
        };
    }
    Judgement::inconclusive(
        ORACLE.id,
        format!("{undecided} of {all} connections were over before the target's time was, or everything was slow then"),
    )
}

/// What became of a connection that was to be ended.
enum Fate<'a> {
    Ended(Moment),
    Open(Open<'a>),
    Undecided,
}

/// A connection that was not ended in time.
struct Open<'a> {
    conn: u32,
    /// From when its time ran.
    since: Moment,
    moment: Moment,
    shown: Shown<'a>,
}

/// What shows that it was not going to be.
enum Shown<'a> {
    /// The attack itself was acknowledged, by a packet of this type.
    Acknowledged(&'a str),
    /// A later step was served.
    Served,
    /// That its time was over.
    Time,
}

/// What the target is given.
struct Given {
    within: Duration,
    slow: Vec<Round>,
    /// Staying open is no fault as long as nothing is served.
    spare_idle: bool,
}

impl Given {
    fn fate<'a>(&self, plan: &Plan, record: &Record<'a>, conn: u32, since: Moment) -> Fate<'a> {
        let until = since.at + self.within;
        let closing = record.closing(conn, since.at, self.within);
        if let Closing::InTime(moment) = closing {
            return Fate::Ended(moment);
        }
        if let Some(ack) = taken(plan, record, conn, since).filter(|_| !self.spare_idle) {
            let shown = Shown::Acknowledged(&ack.packet.kind);
            return Fate::Open(Open { conn, since, moment: ack.moment, shown });
        }
        let served = serves(record, conn, since);
        // Whoever serves the next step of a connection that he has to end, and never ends it, does not mean to: however slow he is.
        if served && record.is_left_open(conn, until) {
            return Fate::Open(Open { conn, since, moment: since, shown: Shown::Served });
        }
        let Closing::Late(moment) = closing else { return Fate::Undecided };
        // Where a round trip of the witness took that long, a close may take as long for the same reason.
        if self.slow.iter().any(|round| round.touches(since.at, until)) {
            return Fate::Undecided;
        }
        if self.spare_idle && !served {
            return asked_in_vain(record, conn, since).map_or(Fate::Undecided, Fate::Ended);
        }
        let shown = if served { Shown::Served } else { Shown::Time };
        Fate::Open(Open { conn, since, moment: moment.unwrap_or(since), shown })
    }
}

/// A round trip of the witness, from its first byte to its answer.
struct Round {
    from: Time,
    to: Time,
}

impl Round {
    fn touches(&self, from: Time, to: Time) -> bool {
        self.to >= from && self.from <= to
    }
}

/// The round trips in which a legal client was served slowly, or asked late: one of a third of the target's time says that everything
/// takes long on this machine just then.
fn slow_rounds(record: &Record<'_>, within: Duration) -> Vec<Round> {
    let slow = crate::time::nanos(within / 3);
    let slowly = |(moment, state): (Moment, WitnessState)| match state {
        WitnessState::Served { rtt, late } if rtt > slow || late > slow => {
            Some(Round { from: Time(moment.at.0.saturating_sub(rtt)), to: moment.at })
        }
        _ => None,
    };
    record.witnesses().flat_map(|witness| record.witness(witness)).filter_map(slowly).collect()
}

/// Whether the target answered a step that was said on this connection after the attack.
fn serves(record: &Record<'_>, conn: u32, since: Moment) -> bool {
    let later = |step: &&StepRun<'_>| step.part.is_none() && writes(step.verb);
    record.steps_of(conn).filter(later).any(|step| {
        let (Some(started), Some((ended, StepState::Met))) = (step.started, step.ended) else { return false };
        // A step that only had to be said is met as well.
        let came = |c: &Crossing<'_>| !c.sent && started.id < c.moment.id && c.moment.id < ended.id;
        started.id > since.id && !step.may_be_silent && record.packets_of(conn).any(|c| came(&c))
    })
}

/// When the target took what was malformed: it has acknowledged more than we legally asked for. Of edges, nobody can count that.
fn taken<'a>(plan: &Plan, record: &Record<'a>, conn: u32, since: Moment) -> Option<Crossing<'a>> {
    if plan.record == Recording::Edges {
        return None;
    }
    let grammar = record.connections.get(&conn)?.grammar;
    let legal = || record.packets_of(conn).filter(|c| c.sent && c.packet.malformed.is_empty());
    record.packets_of(conn).filter(|c| !c.sent && c.moment.id > since.id && (grammar.takes)(c.packet)).find(|ack| {
        let asked = legal().filter(|c| (grammar.asks)(c.packet) == Some(ack.packet.kind.as_str())).count();
        let acknowledged = record.packets_of(conn).filter(|c| !c.sent && c.packet.kind == ack.packet.kind).count();
        acknowledged > asked
    })
}

/// When a step that was said after the attack had gone unanswered, or the target had let none be said.
fn asked_in_vain(record: &Record<'_>, conn: u32, since: Moment) -> Option<Moment> {
    let later = |step: &&StepRun<'_>| {
        step.part.is_none() && writes(step.verb) && step.last().is_some_and(|moment| moment.id > since.id)
    };
    let vain = |(_, state): &(Moment, StepState)| matches!(state, StepState::Unmet | StepState::Barred);
    record.steps_of(conn).filter(later).find_map(|step| step.ended.filter(vain)).map(|(moment, _)| moment)
}

/// The least number of `all` that is at least this share.
fn needed(all: usize, share: f64) -> usize {
    (0..=all).find(|n| *n as f64 >= share * all as f64 - 1e-9).unwrap_or(all)
}

/// Connections to judge, each with the moment from which its time runs.
fn subjects(expect: &Expect, record: &Record<'_>) -> Vec<(u32, Moment)> {
    let mut subjects: Vec<(u32, Moment)> = Vec::new();
    for fleet in fleets(expect, record) {
        let mine = |step: &&StepRun<'_>| step.fleet == fleet && step.was_said();
        let nobody = !record.stimuli().any(|step| mine(&step));
        for (conn, connection) in record.connections.iter().filter(|(_, c)| c.fleet == fleet) {
            let Some(opened) = connection.opened else { continue };
            let own = record.steps_of(*conn).filter(mine).filter(|step| step.part == Some(Part::Stimulus));
            let last = own.filter_map(|step| step.started).max();
            match last {
                Some(started) => subjects.push((*conn, said_at(record, *conn, started).max(opened))),
                None if nobody => subjects.push((*conn, opened)),
                None => {}
            }
        }
    }
    subjects
}

/// A `connect` begins before its connection stands: the time runs from its first byte.
fn said_at(record: &Record<'_>, conn: u32, started: Moment) -> Moment {
    record.sent_since(conn, started.at).filter(|sent| sent.at.since(started.at) < WITHIN).unwrap_or(started)
}

fn fleets<'a>(expect: &Expect, record: &Record<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> =
        record.connections.values().map(|c| c.fleet).filter(|name| expect.is_about(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// One violation for each place, since a thousand connections that stay open for one reason are one finding.
fn violations(
    expect: &Expect,
    plan: &Plan,
    record: &Record<'_>,
    open: &[Open<'_>],
    within: Duration,
    all: usize,
) -> Vec<Violation> {
    let mut found: Vec<Violation> = Vec::new();
    for Open { conn, since, moment, shown } in open {
        let packet = record.place(*conn, since.at);
        let place = expect.keys.text("class").map_or(packet.clone(), |class| format!("{packet}/{class}"));
        if let Some(same) = found.iter_mut().find(|violation| violation.place == place) {
            if same.entries.len() < ENTRIES_MAX {
                same.entries.extend(ids([*since, *moment]));
            }
            continue;
        }
        let attack = expect.keys.text("attack").map_or_else(|| in_words(&packet), ToString::to_string);
        let within = crate::spread::duration_text(within);
        let stayed = match shown {
            Shown::Acknowledged(kind) => format!("it acknowledged {attack} ({kind})"),
            Shown::Served | Shown::Time => format!("it was still open {within} after {attack}"),
        };
        let share = if all == 1 { String::new() } else { which(record, open, all) };
        found.push(Violation {
            expected: format!("the target ends the connection within {within} of {attack}"),
            actual: format!("{stayed}{share}"),
            clause: expect.clause(plan),
            place,
            entries: ids([*since, *moment]),
            lesser: false,
        });
    }
    found
}

/// ` (2 of 20 connections: after-7, after-9)`: how many, and which where the script names them.
fn which(record: &Record<'_>, open: &[Open<'_>], all: usize) -> String {
    const NAMED: usize = 5;
    let mut names: Vec<&str> = open.iter().map(|one| record.connections[&one.conn].label).collect();
    names.retain(|name| !name.is_empty() && *name != "main");
    names.dedup();
    let more = if names.len() > NAMED { ", ..." } else { "" };
    names.truncate(NAMED);
    match names.is_empty() {
        true => format!(" ({} of {all} connections)", open.len()),
        false => format!(" ({} of {all} connections: {}{more})", open.len(), names.join(", ")),
    }
}

/// `publish/qos0/after-connack` as words: `publish`.
fn in_words(place: &str) -> String {
    place.split('/').next().unwrap_or(place).to_string()
}

/// Entries that one violation shows at most: enough to see it, not ten thousand.
const ENTRIES_MAX: usize = 20;
