//! Retained messages: what a new subscription brings, and what it may not bring any more.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::Moment;

use super::delivery::{followed, matching};
use super::{Breach, Conn, Facts, Row, Tally};
use crate::model::facts::{PATIENCE, passed_on};
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Held, Session, Subscription};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "retained-is-sent",
        clauses: &[
            "MQTT5 3.3.1-9",
            "MQTT5 3.3.1-5",
            "MQTT5 3.3.1-10",
            "MQTT5 3.8.4-4",
            "MQTT3 3.3.1-6",
            "MQTT3 3.3.1-5",
            "MQTT3 3.1.2-7",
        ],
        doc: "a new subscription brings the retained message of every topic that it matches",
        judge: retained_is_sent,
    },
    Row {
        id: "retained-is-not-sent",
        clauses: &["MQTT5 3.3.1-11", "MQTT5 3.3.1-10", "MQTT5 §4.8.2"],
        doc: "Retain Handling 2, 1 on a filter that was there, and shared subscriptions bring no retained messages",
        judge: retained_is_not_sent,
    },
    Row {
        id: "retained-is-the-last",
        clauses: &["MQTT5 3.3.1-5", "MQTT3 3.3.1-5"],
        doc: "a retained message that was replaced does not come to a new subscription",
        judge: retained_is_the_last,
    },
    Row {
        id: "retained-is-removed",
        clauses: &["MQTT5 3.3.1-6", "MQTT5 3.3.1-7", "MQTT3 3.3.1-10", "MQTT3 3.3.1-11"],
        doc: "after an empty retained message a new subscription brings none of its topic",
        judge: retained_is_removed,
    },
    Row {
        id: "retained-outlives-others",
        clauses: &["MQTT5 3.3.1-8", "MQTT3 3.3.1-12"],
        doc: "a message with RETAIN 0 neither removes nor replaces the retained one",
        judge: retained_outlives_others,
    },
    Row {
        id: "only-retained-is-kept",
        clauses: &["MQTT5 3.3.1-8", "MQTT3 3.3.1-12"],
        doc: "what was published with RETAIN 0 is not kept for later subscriptions",
        judge: only_retained_is_kept,
    },
    Row {
        id: "retain-flag-live",
        clauses: &["MQTT5 3.3.1-12", "MQTT3 3.3.1-9"],
        doc: "RETAIN is 0 on what matches a subscription that stood already",
        judge: retain_flag_live,
    },
    Row {
        id: "retain-as-published",
        clauses: &["MQTT5 3.3.1-13"],
        doc: "with Retain As Published, RETAIN is as it was published",
        judge: retain_as_published,
    },
    Row {
        id: "retain-flag-new",
        clauses: &["MQTT3 3.3.1-8"],
        doc: "RETAIN is 1 on what a new subscription brings",
        judge: retain_flag_new,
    },
];

/// What changed the retained store of each topic, in order, with its place among the publications.
type Stores<'f, 'a> = BTreeMap<&'f str, Vec<(usize, &'f Publication<'a>)>>;

fn stores<'f, 'a>(facts: &'f Facts<'a>) -> Stores<'f, 'a> {
    let mut stores = Stores::new();
    for (nth, message) in facts.publications.iter().enumerate().filter(|(_, one)| one.retain && !one.refused) {
        stores.entry(&message.topic).or_default().push((nth, message));
    }
    stores
}

/// The message that every store that a filter matches must hold when its SUBSCRIBE is handled, where that is known.
fn stored<'s, 'f, 'a>(
    facts: &'s Facts<'a>,
    stores: &'s Stores<'f, 'a>,
    one: &'s Subscription,
    granted: Moment,
) -> impl Iterator<Item = (usize, &'f Publication<'a>)> + 's {
    let plain = stores.get_key_value(one.filter.as_str());
    let wild = stores.iter().filter(move |(topic, _)| plain.is_none() && one.matches(topic));
    plain.into_iter().chain(wild).filter_map(move |(_, store)| held_in(facts, store, one.asked, granted))
}

/// The last message of a store, where it is known and there.
fn held_in<'f, 'a>(
    facts: &Facts<'_>,
    store: &[(usize, &'f Publication<'a>)],
    asked: Moment,
    granted: Moment,
) -> Option<(usize, &'f Publication<'a>)> {
    let (nth, last) = last_in(store, asked, granted)?;
    // One that expires may be gone.
    let there = !last.is_empty() && last.expiry().is_none() && sender_may(facts, last);
    there.then_some((nth, last))
}

/// The last message of a store, where it was acknowledged before a SUBSCRIBE left us, and all others before it was sent. A server may look
/// at the store when it comes to bring it: what was sent within our patience may have replaced it by then.
fn last_in<'f, 'a>(
    store: &[(usize, &'f Publication<'a>)],
    asked: Moment,
    granted: Moment,
) -> Option<(usize, &'f Publication<'a>)> {
    let until = store.partition_point(|(_, message)| message.sent.at <= granted.at + PATIENCE);
    let ((nth, last), others) = store[..until].split_last()?;
    let plain = |message: &Publication<'_>| message.certain && !message.is_will() && !message.again;
    let settled = plain(last)
        && last.done.is_some_and(|done| done.id < asked.id)
        && others.iter().all(|(_, other)| plain(other) && is_stored_before(other, last));
    settled.then_some((*nth, *last))
}

/// Whether one message was stored before the other: one client sent both at one QoS, or the first was acknowledged when the second left.
fn is_stored_before(first: &Publication<'_>, second: &Publication<'_>) -> bool {
    let line = (first.conn, first.qos) == (second.conn, second.qos) && first.sent.id < second.sent.id;
    line || first.done.is_some_and(|done| done.id < second.sent.id)
}

fn sender_may(facts: &Facts<'_>, message: &Publication<'_>) -> bool {
    facts.may(message.conn, "publish", &message.topic, message.sent.at)
}

/// Subscriptions that were granted, with their session.
fn granted<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = (&'f Session, &'f Subscription, Moment)> {
    facts.sessions.all.iter().flat_map(|session| {
        session.subscriptions.iter().filter(|one| one.certain).filter_map(move |one| {
            let (moment, code) = one.granted?;
            (code <= 2).then_some((session, one, moment))
        })
    })
}

fn retained_is_sent(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = stores(facts);
    for (_, one, at) in granted(facts).filter(|(_, one, _)| one.brings() == Held::Must) {
        for (nth, message) in stored(facts, &stores, one, at) {
            comes_for(facts, tally, one, at, (nth, message), &[message.sent.id, at.id]);
        }
    }
}

/// Whether a retained message, with its place among the publications, came for a subscription that was granted then.
fn comes_for(
    facts: &Facts<'_>,
    tally: &mut Tally,
    one: &Subscription,
    at: Moment,
    (nth, message): (usize, &Publication<'_>),
    entries: &[EntryId],
) {
    let conn = &facts.conns[&one.conn];
    let own = one.no_local && facts.same_client(one.conn, message.conn) != Held::No;
    if message.topic.starts_with('$') || own || !facts.may(one.conn, "subscribe", &message.topic, at.at) {
        return;
    }
    let mut after = facts.deliveries_on(one.conn).filter(|delivery| delivery.moment.id > one.asked.id);
    match after.find(|delivery| delivery.from.contains(&nth)) {
        Some(delivery) => tally.must(delivery.moment.id, None),
        // At QoS 0 it may be lost.
        None if message.qos.min(one.qos().unwrap_or(0)) > 0
            && nothing_in_the_way(facts, conn)
            && facts.had_patience(conn, at.at) =>
        {
            let what = format!("the retained message of {:?} never came for a new subscription", message.topic);
            tally.must(at.id, Some(Breach::missed(format!("publish/qos{}", message.qos), what, entries)));
        }
        None => tally.may(),
    }
}

/// Neither a breach of ours, nor a limit of ours on size or on messages under way, keeps something from coming.
pub(super) fn nothing_in_the_way(facts: &Facts<'_>, conn: &Conn<'_>) -> bool {
    conn.is_legal() && conn.ours("maximum_packet_size").is_none() && !facts.has_open(conn.number)
}

/// Deliveries of which one publication alone can be the source, with the subscriptions that may have brought them.
fn sourced<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>, Vec<&'f Subscription>)> {
    followed(facts).filter_map(|(delivery, session)| {
        let [only] = delivery.from[..] else { return None };
        let message = &facts.publications[only];
        let granted = |one: &&Subscription| one.granted.is_none_or(|(_, code)| code <= 2);
        let all: Vec<&Subscription> = matching(session, delivery).filter(granted).collect();
        (!all.is_empty() && !message.is_will()).then_some((delivery, message, all))
    })
}

/// A delivery that only a new subscription can have brought: it is older than every subscription of its session that matches.
fn brought<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>, Vec<&'f Subscription>)> {
    sourced(facts).filter(|(_, message, all)| all.iter().all(|one| one.held(message) == Held::No))
}

fn retained_is_not_sent(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, _, all) in
        brought(facts).filter(|(_, message, all)| message.retain && all.iter().all(|one| one.brings() == Held::No))
    {
        let kind = if all[0].group.is_some() { "shared" } else { "handling" };
        let what = "a retained message came for a subscription that brings none";
        let breach = Breach::seen(format!("publish/{kind}"), what, &[delivery.moment.id]).by_our_time();
        tally.must_not(delivery.moment.id, Some(breach));
    }
    let stores = stores(facts);
    for (session, one, at) in granted(facts).filter(|(_, one, _)| one.brings() == Held::No) {
        for (nth, message) in stored(facts, &stores, one, at) {
            // As many copies as there are subscriptions that bring it, or had it live and as published: the others brought none.
            let may = |other: &&Subscription| {
                other.matches(&message.topic)
                    && (other.brings() != Held::No || (other.as_published && other.held(message) != Held::No))
            };
            let allowed = session.subscriptions.iter().filter(may).count();
            let mut copies =
                facts.came(nth).filter(|copy| copy.retain && !copy.dup && session.conns.contains(&copy.conn));
            let breach = copies.nth(allowed).map(|copy| {
                let what = "a retained message came for a subscription that brings none";
                Breach::seen("publish/again", what, &[one.asked.id, copy.moment.id])
            });
            tally.must_not(at.id, breach);
        }
    }
}

/// Another message of a store that had surely taken the place of an older one when the first of these subscriptions was asked for.
fn over(facts: &Facts<'_>, message: &Publication<'_>, other: &Publication<'_>, first: Moment) -> bool {
    let plain = |one: &Publication<'_>| one.certain && !one.is_will() && !one.again;
    plain(message)
        && plain(other)
        && is_stored_before(message, other)
        && other.handled_before(first)
        && sender_may(facts, other)
}

fn retained_is_the_last(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = stores(facts);
    for (delivery, message, all) in brought(facts).filter(|(_, message, _)| message.retain) {
        let Some(store) = stores.get(message.topic.as_str()) else { continue };
        let first = all.iter().map(|one| one.asked).min().unwrap_or(delivery.moment);
        let replaced = store.iter().any(|(_, other)| !other.is_empty() && over(facts, message, other, first));
        let breach = replaced.then(|| {
            let what = format!("a retained message of {:?} came that was replaced before", message.topic);
            Breach::seen("publish/stale", what, &[message.sent.id, delivery.moment.id]).by_our_time()
        });
        if store.len() > 1 {
            tally.must_not(delivery.moment.id, breach);
        }
    }
}

fn retained_is_removed(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = stores(facts);
    for (delivery, message, all) in brought(facts).filter(|(_, message, _)| message.retain) {
        let Some(store) = stores.get(message.topic.as_str()) else { continue };
        let first = all.iter().map(|one| one.asked).min().unwrap_or(delivery.moment);
        let removed = store.iter().any(|(_, other)| other.is_empty() && over(facts, message, other, first));
        let breach = match (message.is_empty(), removed) {
            // An empty one is never stored: it does not come to a later subscription.
            (true, _) => Breach::seen("publish/empty", "an empty retained message was kept", &[delivery.moment.id]),
            (false, true) => {
                let what = format!("a retained message of {:?} came that was removed before", message.topic);
                Breach::seen("publish/stale", what, &[message.sent.id, delivery.moment.id])
            }
            (false, false) => continue,
        };
        tally.must_not(delivery.moment.id, Some(breach.by_our_time()));
    }
    // Where nothing came, the rule had its say if whatever came could only have been kept.
    for (session, one, at) in granted(facts).filter(|(_, one, _)| one.brings() == Held::Must) {
        let fresh = |topic: &str| {
            let mut others = session.subscriptions.iter().filter(|other| other.matches(topic));
            others.all(|other| other.asked.id >= one.asked.id)
        };
        let fits = stores.iter().filter(|(topic, _)| one.matches(topic) && fresh(topic));
        for (_, last) in fits.filter_map(|(_, store)| last_in(store, one.asked, at).filter(|_| store.len() > 1)) {
            if last.is_empty() && last.handled_before(one.asked) && sender_may(facts, last) {
                tally.must_not(at.id, None);
            }
        }
    }
}

/// The retained message of a topic on which something else was published after it.
fn retained_outlives_others(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = stores(facts);
    for (_, one, at) in granted(facts).filter(|(_, one, _)| one.brings() == Held::Must) {
        for (nth, message) in stored(facts, &stores, one, at) {
            let after = |other: &Publication<'_>| {
                !other.retain && message.sent.id < other.sent.id && other.handled_before(one.asked)
            };
            let mut others = facts.published_on(&message.topic).into_iter().map(|nth| &facts.publications[nth]);
            if let Some(other) = others.find(|other| after(other)) {
                let entries = [message.sent.id, other.sent.id, at.id];
                comes_for(facts, tally, one, at, (nth, message), &entries);
            }
        }
    }
}

fn only_retained_is_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message, _) in brought(facts) {
        let breach = (!message.retain).then(|| {
            let what = format!(
                "a message on {:?} came that was published with RETAIN 0, and handled, before the subscription",
                message.topic
            );
            Breach::seen(format!("publish/qos{}", delivery.qos), what, &[message.sent.id, delivery.moment.id])
                .by_our_time()
        });
        tally.must_not(delivery.moment.id, breach);
    }
    for (_, one, _) in granted(facts) {
        let mut early = facts.published_on(&one.filter).into_iter().map(|nth| &facts.publications[nth]);
        if let Some(message) = early.find(|message| !message.retain && message.handled_before(one.asked)) {
            tally.must_not(message.sent.id, None);
        }
    }
}

/// A delivery that its subscriptions can only have had live: they were granted so long before it was sent that none of them can still be
/// bringing what is retained.
fn live<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>, Vec<&'f Subscription>)> {
    sourced(facts).filter(|(_, message, all)| {
        let fleet = facts.conns[&message.conn].who.0;
        let long = |(moment, _): (Moment, i64)| passed_on(facts.record, fleet, moment.at) <= message.sent.at;
        all.iter().all(|one| one.granted.is_some_and(long))
    })
}

fn retain_flag_live(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message, all) in live(facts) {
        if all.iter().any(|one| one.as_published) {
            continue;
        }
        let breach = delivery.retain.then(|| {
            let what = format!("RETAIN 1 on a live message on {:?}", message.topic);
            Breach::seen(format!("publish/qos{}", delivery.qos), what, &[message.sent.id, delivery.moment.id])
                .by_our_time()
        });
        tally.must_not(delivery.moment.id, breach);
    }
}

fn retain_as_published(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message, _) in live(facts).filter(|(_, _, all)| all.iter().all(|one| one.as_published)) {
        let breach = (delivery.retain != message.retain).then(|| {
            let what = format!(
                "RETAIN {} where it was published with {}",
                u8::from(delivery.retain),
                u8::from(message.retain)
            );
            Breach::seen("publish", what, &[message.sent.id, delivery.moment.id])
        });
        tally.must(delivery.moment.id, breach);
    }
}

fn retain_flag_new(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message, _) in brought(facts).filter(|(_, message, _)| message.retain) {
        let breach = (!delivery.retain).then(|| {
            Breach::seen(
                "publish",
                "RETAIN 0 on a retained message for a new subscription",
                &[message.sent.id, delivery.moment.id],
            )
            .by_our_time()
        });
        tally.must(delivery.moment.id, breach);
    }
}
