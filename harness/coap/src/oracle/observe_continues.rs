//! An observation goes on: whatever a stranger sends, the observer is told of the next change.
//!
//! Fresh is a notification whose number is greater than the one before, on a circle of 2^24 (RFC 7641 §3.4), or that comes more than
//! 128 s later. Older ones that the network overtook count for nothing, neither good nor bad.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::lateness::InTime;
use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::{Packet, Transcript};
use proofhouse_core::verdict::{Judgement, Violation};

use crate::observe::newer;
use crate::protocol::is_challenge;

use super::exchanges::{Exchange, code, exchanges, is_success};

pub(super) const ORACLE: Oracle = Oracle {
    id: "observe-continues",
    doc: "after the attack these observers are notified again in time, as often as it says, and no answer ends their observation",
    clauses: &["RFC 7641 §3.6", "RFC 7252 §4.2"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[
        Key {
            name: "within",
            kind: Kind::Duration,
            doc: "from the last stimulus to the next notification, and from each to the one after it; default 15s",
        },
        Key { name: "times", kind: Kind::Int, doc: "how many more notifications there have to be; default 1" },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

const WITHIN: Duration = Duration::from_secs(15);

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let wanted = Wanted {
        within: expect.duration("within", WITHIN),
        times: expect.keys.int("times").and_then(|times| usize::try_from(times).ok()).unwrap_or(1).max(1),
    };
    let Some(attack) = record.attack() else {
        return Judgement::inconclusive(ORACLE.id, "there was no attack for an observation to outlive");
    };
    let all = exchanges(&record);
    let all = ByToken::new(&all);
    let of = |exchange: &&Exchange<'_>| {
        observes(exchange)
            && record.connections.get(&exchange.conn).is_some_and(|connection| expect.is_about(connection.fleet))
    };
    let (mut violations, mut late, mut evidence, mut open) = (Vec::new(), Vec::new(), Vec::new(), None);
    for exchange in all.exchanges.iter().filter(of) {
        match fate(&record, &all, exchange, attack, wanted) {
            Fate::NeverWatched => {}
            Fate::Open(why) => open = open.or(Some(why)),
            Fate::Continues(moments) => evidence.extend(moments),
            Fate::Broken { actual, place, moments } => {
                let into = if place == "ended" { &mut violations } else { &mut late };
                into.push(Violation {
                    expected: wanted.in_words(),
                    actual,
                    clause: expect.clause(plan),
                    place: format!("observe/{place}"),
                    entries: ids(moments),
                    lesser: false,
                });
            }
        }
    }
    if !violations.is_empty() || !late.is_empty() {
        return Judgement::fail_by(ORACLE.id, violations, late);
    }
    match open {
        Some(why) => Judgement::inconclusive(ORACLE.id, why),
        None if evidence.is_empty() => Judgement::inconclusive(ORACLE.id, "nobody was observing before the attack"),
        None => Judgement::pass(ORACLE.id, ids(evidence), "every observer was notified again after the attack"),
    }
}

/// How often an observer has to be notified again, and how long each time may take.
#[derive(Clone, Copy)]
struct Wanted {
    within: Duration,
    times: usize,
}

impl Wanted {
    fn in_words(self) -> String {
        let within = self.within.as_millis();
        match self.times {
            1 => format!("the observer is notified again within {within} ms of the attack"),
            times => format!("the observer is notified {times} times after the attack, each within {within} ms"),
        }
    }
}

/// What became of one observation.
enum Fate {
    /// It was none before the attack.
    NeverWatched,
    /// It cannot be decided, and why.
    Open(String),
    /// The last stimulus, and the notification after it.
    Continues([Moment; 2]),
    Broken {
        actual: String,
        place: &'static str,
        moments: [Moment; 2],
    },
}

fn fate(
    record: &Record<'_>,
    all: &ByToken<'_, '_>,
    exchange: &Exchange<'_>,
    (first, last): (Moment, Moment),
    wanted: Wanted,
) -> Fate {
    let watch = Watch::of(exchange);
    let fleet = record.connections.get(&exchange.conn).map_or("", |connection| connection.fleet);
    // What was under way when the attack arrived is no sign of life after it.
    let arrived = last.at + record.slowest_control().unwrap_or_default();
    let after = watch.fresh.iter().filter(|moment| **moment > last && moment.at >= arrived).copied();
    let (since, next) = deciding(record, fleet, after, last, wanted);
    let deadline = since.at + wanted.within;
    let Some(before) = watch.fresh.iter().rfind(|moment| **moment < first).copied() else { return Fate::NeverWatched };
    if all.again(exchange).any(|other| observes(other) && other.asked.at < deadline) {
        return Fate::NeverWatched; // renewed: what comes under its token is told of the later registration
    }
    if left(record, all, exchange).is_some_and(|left| left.at < deadline) {
        return Fate::Open(String::from("the observer itself had left before it could be notified"));
    }
    if let Some((moment, packet)) = watch.ended.filter(|(moment, _)| *moment > first) {
        let actual = format!("a {} without Observe ended the observation", code(packet));
        return Fate::Broken { actual, place: "ended", moments: [first, moment] };
    }
    match (record.in_time(fleet, since.at, wanted.within, next.map(|moment| moment.at)), next) {
        (InTime::Yes, Some(next)) => Fate::Continues([last, next]),
        (InTime::No, Some(next)) => {
            let actual = String::from("the next notification came later");
            Fate::Broken { actual, place: "late", moments: [since, next] }
        }
        (InTime::No, None) => {
            let actual = String::from("no notification came any more");
            Fate::Broken { actual, place: "silent", moments: [before, since] }
        }
        (InTime::Unknown(why), _) => Fate::Open(why),
        (InTime::Yes, None) => Fate::Open(String::from("no notification was seen")),
    }
}

/// The notification that decides, the first that was not in time or else the last that is wanted; and what its time counts from.
fn deciding(
    record: &Record<'_>,
    fleet: &str,
    mut after: impl Iterator<Item = Moment>,
    last: Moment,
    wanted: Wanted,
) -> (Moment, Option<Moment>) {
    let (mut since, mut next) = (last, after.next());
    for _ in 1..wanted.times {
        let Some(came) = next else { break };
        if record.in_time(fleet, since.at, wanted.within, Some(came.at)) != InTime::Yes {
            break;
        }
        (since, next) = (came, after.next());
    }
    (since, next)
}

/// What an observer was told.
struct Watch<'a> {
    /// Notifications, each fresher than the one before; the first response is one.
    fresh: Vec<Moment>,
    /// The response that ended the observation.
    ended: Option<(Moment, &'a Packet)>,
}

impl<'a> Watch<'a> {
    fn of(exchange: &Exchange<'a>) -> Watch<'a> {
        let mut watch = Watch { fresh: Vec::new(), ended: None };
        let mut newest: Option<(Moment, i64)> = None;
        for (moment, packet) in &exchange.responses {
            match packet.fields.int("observe") {
                Some(number) if is_success(packet) => {
                    if newest.is_none_or(|(since, before)| newer(before as u32, since.at, number as u32, moment.at)) {
                        newest = Some((*moment, number));
                        watch.fresh.push(*moment);
                    }
                }
                // A challenge is no end: the same request is said again.
                _ if is_challenge(packet) => {}
                _ => watch.ended = watch.ended.or(Some((*moment, packet))),
            }
        }
        watch
    }
}

/// A registration.
fn observes(exchange: &Exchange<'_>) -> bool {
    exchange.request.fields.int("observe") == Some(0)
}

/// Exchanges, and their places by association and token.
struct ByToken<'e, 'a> {
    exchanges: &'e [Exchange<'a>],
    places: BTreeMap<(u32, Option<&'a str>), Vec<usize>>,
}

impl<'e, 'a> ByToken<'e, 'a> {
    fn new(exchanges: &'e [Exchange<'a>]) -> ByToken<'e, 'a> {
        let mut places: BTreeMap<(u32, Option<&'a str>), Vec<usize>> = BTreeMap::new();
        for (at, exchange) in exchanges.iter().enumerate() {
            places.entry((exchange.conn, exchange.request.fields.text("token"))).or_default().push(at);
        }
        ByToken { exchanges, places }
    }

    /// Later requests of its association with its token.
    fn again<'s>(&'s self, watched: &'s Exchange<'_>) -> impl Iterator<Item = &'s Exchange<'a>> + 's {
        let places: &BTreeMap<(u32, Option<&'s str>), Vec<usize>> = &self.places;
        let same = places.get(&(watched.conn, watched.request.fields.text("token"))).into_iter().flatten();
        same.map(|at| &self.exchanges[*at]).filter(|other| other.asked > watched.asked)
    }
}

/// When the observer ended it: a request with its token that deregisters or asks anew, a RST, or the end of its association.
fn left(record: &Record<'_>, all: &ByToken<'_, '_>, watched: &Exchange<'_>) -> Option<Moment> {
    let again = all.again(watched).filter(|other| !observes(other));
    let mids: BTreeSet<Option<i64>> = watched.responses.iter().map(|(_, packet)| packet.fields.int("mid")).collect();
    let reset = record.packets_of(watched.conn).filter(|c| c.sent && c.packet.kind == "rst");
    let reset = reset.filter(|c| mids.contains(&c.packet.fields.int("mid"))).map(|c| c.moment);
    let closed =
        record.connections.get(&watched.conn).and_then(|connection| connection.closed).map(|(moment, ..)| moment);
    again.map(|other| other.asked).chain(reset).chain(closed).min()
}
