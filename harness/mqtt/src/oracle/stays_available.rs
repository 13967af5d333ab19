//! A client goes on being connected while somebody else attacks it.
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, FleetPlan, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::{Time, nanos};
use proofhouse_core::transcript::{By, Transcript};
use proofhouse_core::verdict::{Judgement, Violation};

use super::identity::{Logins, logins};

pub(super) const ORACLE: Oracle = Oracle {
    id: "stays-available",
    doc: "from the first to the last stimulus, each member of these fleets is connected for at least this share of the time",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Resource,
    keys: &[Key { name: "at_least", kind: Kind::Percent, doc: "share of the time; default 99%" }, CLAUSE],
    reads_steps: false,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let needed = expect.share("at_least", 0.99);
    let Some((first, last)) = record.attack().filter(|(first, last)| first.at < last.at) else {
        return Judgement::inconclusive(ORACLE.id, "there was no attack that lasted");
    };
    let logins = logins(&record);
    let (mut violations, mut evidence, mut unseen) = (Vec::new(), Vec::new(), None);
    for fleet in plan.fleets.iter().filter(|fleet| expect.is_about(&fleet.name)) {
        for member in fleet.members() {
            let stays = stays(&record, &logins, fleet, member);
            if !stays.iter().any(|stay| stay.covers(first.at)) {
                let reason = format!("{}[{member}] was not connected when the attack began", fleet.name);
                return Judgement::inconclusive(ORACLE.id, reason);
            }
            let (share, seen) = share(&stays, first.at, last.at);
            if seen < needed {
                unseen =
                    unseen.or(Some(format!("{}[{member}] was away by itself for a part of the attack", fleet.name)));
            }
            evidence.extend(stays.iter().map(|stay| stay.from.id));
            if share < needed {
                violations.push(violation(expect, plan, fleet, member, &stays, share, needed));
            }
        }
    }
    if let (true, Some(reason)) = (violations.is_empty(), unseen) {
        return Judgement::inconclusive(ORACLE.id, reason);
    }
    if violations.is_empty() {
        return Judgement::pass(ORACLE.id, evidence, "everyone stayed connected while the attack lasted");
    }
    Judgement::fail(ORACLE.id, violations)
}

/// From an accepted CONNECT to the end of its connection.
struct Stay {
    from: Moment,
    to: Option<Moment>,
    /// It was not the target that ended it.
    left: bool,
}

impl Stay {
    fn covers(&self, at: Time) -> bool {
        self.from.at <= at && self.to.is_none_or(|to| to.at > at)
    }
}

fn stays(record: &Record<'_>, logins: &Logins<'_>, fleet: &FleetPlan, member: u32) -> Vec<Stay> {
    let mine = record.connections_of(&fleet.name, member);
    // A device that was told to go ends the connection itself: the target has ended it all the same.
    let told = |conn| record.packets_of(conn).any(|c| !c.sent && c.packet.kind == "disconnect");
    let accepted = mine.filter_map(|(conn, c)| Some((logins.get(&conn)?.accepted?, c.closed, told(conn))));
    let mut stays: Vec<Stay> = accepted
        .map(|(from, closed, told)| Stay {
            from,
            to: closed.map(|(moment, ..)| moment),
            left: !told && closed.is_some_and(|(_, by, _)| by != By::Peer),
        })
        .collect();
    stays.sort_by_key(|stay| stay.from);
    stays
}

/// Share of the time between two moments that the stays cover. They do not overlap: a device has one connection. Time after an end of
/// our own, by the device, its path or a limit, is none in which the target kept it out: the second is the share of the time that is left.
fn share(stays: &[Stay], first: Time, last: Time) -> (f64, f64) {
    let within = |from: Time, to: Time| nanos(to.min(last).since(from.max(first)));
    let covered: u64 = stays.iter().map(|stay| within(stay.from.at, stay.to.map_or(last, |to| to.at))).sum();
    let next = |n: usize| stays.get(n + 1).map_or(last, |stay| stay.from.at);
    let away = stays.iter().enumerate().filter(|(_, stay)| stay.left);
    let away: u64 = away.filter_map(|(n, stay)| Some(within(stay.to?.at, next(n)))).sum();
    let whole = nanos(last.since(first));
    let all = whole.saturating_sub(away);
    let of = |part: u64, all: u64| if all == 0 { 1.0 } else { part as f64 / all as f64 };
    (of(covered, all), of(all, whole))
}

fn violation(
    expect: &Expect,
    plan: &Plan,
    fleet: &FleetPlan,
    member: u32,
    stays: &[Stay],
    share: f64,
    needed: f64,
) -> Violation {
    let ends: Vec<EntryId> = ids(stays.iter().filter_map(|stay| stay.to)).into_iter().take(ENTRIES_MAX).collect();
    Violation {
        expected: format!("{}[{member}] is connected for at least {:.1} % of the attack", fleet.name, needed * 100.0),
        actual: format!("it was for {:.1} %, and lost its connection {} times", share * 100.0, ends.len()),
        clause: expect.clause(plan),
        place: "connect/unavailable".into(),
        entries: ends,
        lesser: false,
    }
}

/// Entries that a violation shows at most.
const ENTRIES_MAX: usize = 20;
