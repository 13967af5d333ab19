//! Wills: published when a connection ends without goodbye, and only then.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::Moment;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::By;

use super::retained::nothing_in_the_way;
use super::{Breach, Conn, Facts, Row, Seen, Tally};
use crate::model::facts::{PATIENCE, passed_on};
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Session, Subscription};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "will-is-published",
        clauses: &["MQTT5 3.1.2-8", "MQTT5 3.1.2-7", "MQTT5 §3.1.2.5", "MQTT3 3.1.2-8"],
        doc: "a connection that ends without goodbye has its Will published",
        judge: will_is_published,
    },
    Row {
        id: "will-is-dropped",
        clauses: &["MQTT5 3.14.4-3", "MQTT5 3.1.2-10", "MQTT3 3.14.4-3", "MQTT3 3.1.2-10", "MQTT3 3.1.2-12"],
        doc: "a DISCONNECT with reason 0 takes the Will away",
        judge: will_is_dropped,
    },
    Row {
        id: "will-waits",
        clauses: &["MQTT5 3.1.2-8", "MQTT5 3.1.3-9"],
        doc: "a Will does not come while its client is connected, nor before its delay is over",
        judge: will_waits,
    },
    Row {
        id: "will-once",
        clauses: &["MQTT5 3.1.2-10", "MQTT3 3.1.2-10"],
        doc: "a Will is published once",
        judge: will_once,
    },
    Row {
        id: "will-retain",
        clauses: &["MQTT5 3.1.2-14", "MQTT5 3.1.2-15", "MQTT3 3.1.2-16", "MQTT3 3.1.2-17"],
        doc: "a Will is kept as a retained message exactly where Will Retain is 1",
        judge: will_retain,
    },
];

/// Wills of accepted connections whose message nothing else can be, with their connection.
fn wills<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (usize, &'f Publication<'a>, &'f Conn<'a>)> {
    let wills = facts.publications.iter().enumerate().filter(|(_, one)| one.is_will() && one.certain && one.unique);
    let accepted = |(nth, will): (usize, &'f Publication<'a>)| {
        let conn = &facts.conns[&will.conn];
        conn.accepted.is_some().then_some((nth, will, conn))
    };
    wills.filter_map(accepted)
}

/// What came of a Will, but what was sent again.
fn came<'f, 'a>(facts: &'f Facts<'a>, nth: usize) -> impl Iterator<Item = &'f Delivery<'a>> {
    facts.came(nth).filter(|delivery| !delivery.dup)
}

/// The goodbye that takes a Will away.
fn withdrawal<'f, 'a>(conn: &'f Conn<'a>) -> Option<&'f Seen<'a>> {
    conn.goodbye().filter(|bye| bye.int("reason").unwrap_or(0) == 0 && bye.packet.malformed.is_empty())
}

fn delay(will: &Publication<'_>, conn: &Conn<'_>) -> Duration {
    let asked = will.packet.fields.int("will_delay").unwrap_or(0).max(0) as u64;
    Duration::from_secs(conn.expiry().map_or(asked, |expiry| asked.min(expiry)))
}

/// From when on a Will is due. A server may need a moment to see that a connection is over: it may hear of another one first.
fn due(facts: &Facts<'_>, will: &Publication<'_>, conn: &Conn<'_>, ended: Moment) -> Time {
    passed_on(facts.record, conn.who.0, ended.at + delay(will, conn))
}

/// Sessions with a subscription that stood before the connection ended, and stands.
fn readers<'f>(
    facts: &'f Facts<'_>,
    will: &'f Publication<'_>,
    ended: Moment,
) -> impl Iterator<Item = (&'f Session, &'f Subscription)> {
    let stands = facts.subscribers(&will.topic).filter(move |one| {
        let stood = one.granted.is_some_and(|(moment, _)| moment.id < ended.id);
        one.group.is_none() && one.certain && one.qos().is_some() && one.ending.is_none() && stood
    });
    stands.filter_map(|one| Some((facts.sessions.of(one.conn)?, one)))
}

fn will_is_published(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        let Some((ended, by)) = conn.closed else { continue };
        let allowed = facts.may(conn.number, "publish", &will.topic, ended.at) && !facts.revokes;
        // Who comes back before it is due, with or without its session, may take it away.
        let rival = facts.has_rival(conn, due(facts, will, conn, ended));
        let kept = withdrawal(conn).is_none() && by != By::Limit && !rival;
        if !kept || !allowed || will.topic.starts_with('$') {
            continue;
        }
        for (session, one) in readers(facts, will, ended).filter(|(session, _)| !session.conns.contains(&conn.number)) {
            let Some(last) = session.conns.last().map(|conn| &facts.conns[conn]) else { continue };
            let since = ended.at + delay(will, conn);
            let legal = session.conns.iter().all(|conn| facts.conns[conn].is_legal());
            let owed = facts.may(one.conn, "subscribe", &will.topic, ended.at) && legal;
            // At QoS 0 it may be lost.
            let promised = will.qos.min(one.qos().unwrap_or(0)) > 0;
            match came(facts, nth).find(|delivery| session.conns.contains(&delivery.conn)) {
                Some(delivery) => tally.must(delivery.moment.id, None),
                None if owed && promised && nothing_in_the_way(facts, last) && facts.had_patience(last, since) => {
                    let what = format!("the Will for {:?} never came", will.topic);
                    tally.must(ended.id, Some(Breach::missed("publish", what, &[will.sent.id, ended.id])));
                }
                None => tally.may(),
            }
        }
    }
}

fn will_is_dropped(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, _, conn) in wills(facts).filter(|(.., conn)| conn.is_legal()) {
        let Some(bye) = withdrawal(conn) else { continue };
        let mut came = came(facts, nth).peekable();
        let early = came.peek().is_some_and(|delivery| delivery.moment.id < bye.id());
        let until = conn.closed.map_or(facts.end(), |(ended, _)| ended.at);
        if !was_heard(conn, bye) || facts.has_rival(conn, until) || early {
            tally.may();
            continue;
        }
        let breach = came.next().map(|delivery| {
            let what = "the Will came although the client had said goodbye";
            Breach::seen("publish", what, &[bye.id(), delivery.moment.id])
        });
        tally.must_not(bye.id(), breach);
    }
}

/// Whether the server ended a connection for our goodbye. Where we ended it ourselves, a reset may have overtaken that; a server that ends
/// it with something unread sends a reset; and one that had a reason of its own, told or out of our silence, may not have read it either.
fn was_heard(conn: &Conn<'_>, bye: &Seen<'_>) -> bool {
    let by_peer = matches!(conn.closed, Some((_, By::Peer))) && !conn.reset;
    let told = conn.packets.iter().any(|seen| !seen.sent && seen.is("disconnect"));
    let last = conn.said().map(|(_, seen)| seen).take_while(|seen| seen.id() < bye.id()).last();
    let alive =
        conn.keep_alive().is_none_or(|alive| last.is_none_or(|last| bye.moment.at.since(last.moment.at) < alive));
    by_peer && !told && alive
}

fn will_waits(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        for delivery in came(facts, nth) {
            if facts.has_rival(conn, delivery.moment.at) {
                tally.may();
                continue;
            }
            // What the client asked afterwards was answered: no order of reading can show that by accident.
            let served = conn.answers_later(delivery.moment.at);
            let early = conn.closed.is_some_and(|(ended, by)| {
                let due = ended.at + delay(will, conn);
                by == By::Us && ended.id < delivery.moment.id && due > delivery.moment.at + Duration::from_secs(1)
            });
            let wrong = if served {
                Some(("publish/connected", "the Will came while its client was connected and served"))
            } else {
                early.then_some(("publish/delay", "the Will came before its delay was over"))
            };
            let entries = [will.sent.id, delivery.moment.id];
            tally.must_not(delivery.moment.id, wrong.map(|(place, what)| Breach::seen(place, what, &entries)));
        }
    }
}

fn will_once(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, _) in wills(facts) {
        let mut copies: BTreeMap<usize, Vec<EntryId>> = BTreeMap::new();
        for delivery in came(facts, nth).filter(|delivery| !delivery.retain) {
            if let Some(session) = facts.sessions.of.get(&delivery.conn) {
                copies.entry(*session).or_default().push(delivery.moment.id);
            }
        }
        for (session, copies) in copies {
            let all = facts.sessions.all[session].subscriptions.iter();
            let subscribed = all.filter(|one| one.matches(&will.topic)).count().max(1);
            let surplus = copies.len() > subscribed;
            let breach =
                surplus.then(|| Breach::seen("publish", format!("the Will came {} times", copies.len()), &copies));
            tally.must_not(copies[0], breach);
        }
    }
}

fn will_retain(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        let Some((ended, _)) = conn.closed else { continue };
        // Long after somebody had it, nothing but the store can bring it.
        let first = came(facts, nth).map(|delivery| delivery.moment.at).min();
        let over = first.map(|first| passed_on(facts.record, conn.who.0, first));
        for delivery in came(facts, nth).filter(|_| !will.retain) {
            let session = facts.sessions.of(delivery.conn);
            let all = session.into_iter().flat_map(|session| &session.subscriptions);
            let asked = all.filter(|one| one.matches(&will.topic)).map(|one| one.asked.at).min();
            let kept = asked.zip(over).is_some_and(|(asked, over)| asked > over);
            let wrong = if kept {
                Some(("publish/kept", "a Will without Will Retain was kept as a retained message"))
            } else {
                delivery.retain.then_some(("publish/flag", "RETAIN 1 on a Will without Will Retain"))
            };
            let entries = [ended.id, delivery.moment.id];
            tally.must_not(delivery.moment.id, wrong.map(|(place, what)| Breach::seen(place, what, &entries)));
        }
        if will.retain && will.qos > 0 && withdrawal(conn).is_none() {
            kept_will(facts, (nth, will, conn), ended, tally);
        }
    }
}

/// A Will with Will Retain comes to whoever subscribes long after it was published, unless another message may have replaced it.
fn kept_will(
    facts: &Facts<'_>,
    (nth, will, conn): (usize, &Publication<'_>, &Conn<'_>),
    ended: Moment,
    tally: &mut Tally,
) {
    let published = ended.at + delay(will, conn) + PATIENCE;
    let others = facts.published_on(&will.topic).into_iter().filter(|other| facts.publications[*other].retain);
    if others.count() > 1 || facts.has_rival(conn, published) {
        return;
    }
    let late = |one: &&Subscription| {
        let plain = one.group.is_none() && one.handling == 0 && !one.no_local && one.qos().is_some_and(|qos| qos > 0);
        plain && one.asked.at > published && facts.may(one.conn, "subscribe", &will.topic, one.asked.at)
    };
    let Some(one) = facts.subscribers(&will.topic).find(late) else { return };
    let mut after = facts.deliveries_on(one.conn).filter(|delivery| delivery.moment.id > one.asked.id);
    if after.any(|delivery| delivery.from.contains(&nth)) {
        tally.must(one.asked.id, None);
    } else if facts.conns[&one.conn].is_legal() && facts.had_patience(&facts.conns[&one.conn], one.asked.at) {
        let what = "a Will with Will Retain was not kept";
        tally.must(one.asked.id, Some(Breach::missed("publish/lost", what, &[ended.id, one.asked.id])));
    }
}
