//! Retained messages: what a new subscription brings, and what it may not bring any more.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::oracle::record::Moment;

use super::delivery::{followed, matching};
use super::{Breach, Facts, Row, Tally};
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Held, Session, Subscription};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
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
            clauses: &[
                "MQTT5 3.3.1-5",
                "MQTT5 3.3.1-6",
                "MQTT5 3.3.1-7",
                "MQTT3 3.3.1-7",
                "MQTT3 3.3.1-10",
                "MQTT3 3.3.1-11",
            ],
            doc: "a retained message that was replaced or removed does not come to a new subscription",
            judge: retained_is_the_last,
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
    ]
}

/// What is known of the retained store of each topic, in the order of the messages that changed it.
fn stores<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'f str, Vec<(usize, &'f Publication<'a>)>> {
    let mut stores: BTreeMap<&str, Vec<(usize, &Publication<'_>)>> = BTreeMap::new();
    for (nth, message) in
        facts.publications.iter().enumerate().filter(|(_, message)| message.retain && !message.refused)
    {
        stores.entry(&message.topic).or_default().push((nth, message));
    }
    stores
}

/// The one message that the store must hold when a SUBSCRIBE is handled that left us at `asked`: everything else was handled before it was
/// sent, and it was handled before. An outer `None`: nobody can say.
fn stored<'f, 'a>(
    facts: &Facts<'_>,
    store: &[(usize, &'f Publication<'a>)],
    asked: Moment,
    granted: Moment,
) -> Option<Option<(usize, &'f Publication<'a>)>> {
    let before = |message: &Publication<'_>| {
        message.done.is_some_and(|done| done.id < asked.id) && message.certain && !message.is_will()
    };
    let changes: Vec<_> = store.iter().filter(|(_, message)| message.sent.id < granted.id).collect();
    let Some((nth, last)) = changes.last() else { return facts.alone.then_some(None) };
    let settled = before(last)
        && changes[..changes.len() - 1].iter().all(|(_, other)| {
            // Handled before the last one left us, or on the same connection before it.
            other.certain
                && !other.is_will()
                && (other.done.is_some_and(|done| done.id < last.sent.id) || other.conn == last.conn)
        });
    if !settled || !sender_may(facts, last) {
        return None;
    }
    let gone = last.is_empty() || last.expiry().is_some();
    match (last.expiry(), last.is_empty()) {
        (_, true) => Some(None),
        (Some(_), _) if gone => None,
        _ => Some(Some((*nth, *last))),
    }
}

fn sender_may(facts: &Facts<'_>, message: &Publication<'_>) -> bool {
    let conn = &facts.conns[&message.conn];
    let authenticated = facts.plan.fleet(conn.who.0).is_some_and(|fleet| fleet.authenticated);
    !authenticated || facts.may(message.conn, "publish", &message.topic, message.sent.at)
}

fn reader_may(facts: &Facts<'_>, conn: u32, topic: &str, at: Moment) -> bool {
    let fleet = facts.plan.fleet(facts.conns[&conn].who.0);
    !fleet.is_some_and(|fleet| fleet.authenticated) || facts.may(conn, "subscribe", topic, at.at)
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
    for (_, one, at) in granted(facts).filter(|(_, one, _)| one.group.is_none()) {
        if one.handling == 2 || (one.handling == 1 && one.existed) {
            continue;
        }
        let conn = &facts.conns[&one.conn];
        for (topic, store) in stores.iter().filter(|(topic, _)| one.matches(topic) && !topic.starts_with('$')) {
            let Some(Some((nth, message))) = stored(facts, store, one.asked, at) else { continue };
            if !reader_may(facts, one.conn, topic, at) || (one.no_local && facts.same_client(one.conn, message.conn)) {
                continue;
            }
            let came = facts
                .deliveries_on(one.conn)
                .find(|delivery| delivery.from.contains(&nth) && delivery.moment.id > one.asked.id);
            let small = conn.ours("maximum_packet_size").is_none();
            match came {
                Some(delivery) => tally.must(delivery.moment.id, None),
                None if conn.is_legal()
                    && small
                    && facts.had_patience(conn, at.at)
                    && facts.open_on(one.conn).next().is_none() =>
                {
                    let what = format!("the retained message of {topic:?} never came for a new subscription");
                    tally.must(
                        at.id,
                        Some(Breach::missed(format!("publish/qos{}", message.qos), what, &[message.sent.id, at.id])),
                    );
                }
                None => tally.may(),
            }
        }
    }
}

/// A delivery that only a new subscription can have brought: retained, and older than every subscription of its session that matches.
fn brought<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>, Vec<&'f Subscription>)> {
    followed(facts).filter_map(|(delivery, session)| {
        let [only] = delivery.from[..] else { return None };
        let message = &facts.publications[only];
        let all: Vec<&Subscription> =
            matching(session, delivery).filter(|one| one.granted.is_none_or(|(_, code)| code <= 2)).collect();
        let old = !message.is_will() && !all.is_empty() && all.iter().all(|one| one.held(message) == Held::No);
        old.then_some((delivery, message, all))
    })
}

fn retained_is_not_sent(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, _, all) in brought(facts).filter(|(_, message, _)| message.retain) {
        let closed =
            |one: &&Subscription| one.group.is_some() || one.handling == 2 || (one.handling == 1 && one.existed);
        let breach = all.iter().all(closed).then(|| {
            let kind = if all[0].group.is_some() { "shared" } else { "handling" };
            Breach::seen(
                format!("publish/{kind}"),
                "a retained message came for a subscription that brings none",
                &[delivery.moment.id],
            )
        });
        if breach.is_some() {
            tally.must_not(delivery.moment.id, breach);
        }
    }
    let stores = stores(facts);
    for (session, one, at) in granted(facts) {
        let repeated = one.existed && one.handling == 1;
        if one.group.is_none() && one.handling != 2 && !repeated {
            continue;
        }
        for (_, store) in stores.iter().filter(|(topic, _)| one.matches(topic)) {
            let Some(Some((nth, message))) = stored(facts, store, one.asked, at) else { continue };
            // As many copies as there are subscriptions that bring it, or had it live and as published: the others brought none.
            let brings = |other: &&Subscription| {
                let stored = other.group.is_none() && (other.handling == 0 || (other.handling == 1 && !other.existed));
                other.matches(&message.topic) && (stored || (other.as_published && other.held(message) != Held::No))
            };
            let allowed = session.subscriptions.iter().filter(brings).count();
            let mut copies = session.conns.iter().flat_map(|conn| facts.deliveries_on(*conn));
            let surplus = copies
                .by_ref()
                .filter(|delivery| delivery.from == [nth] && delivery.retain && !delivery.dup)
                .nth(allowed);
            let breach = surplus.map(|delivery| {
                Breach::seen(
                    "publish/again",
                    "a retained message came for a subscription that brings none",
                    &[one.asked.id, delivery.moment.id],
                )
            });
            tally.must_not(at.id, breach);
        }
    }
}

fn retained_is_the_last(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = stores(facts);
    for (delivery, message, all) in brought(facts).filter(|(_, message, _)| message.retain) {
        let Some(store) = stores.get(message.topic.as_str()) else { continue };
        let first = all.iter().map(|one| one.asked).min().unwrap_or(delivery.moment);
        let over = store.iter().any(|(_, other)| {
            other.sent.id > message.sent.id
                && other.certain
                && !other.is_will()
                && other.handled_before(first)
                && message.done.is_some_and(|done| done.id < other.sent.id)
                && sender_may(facts, other)
        });
        let breach = over.then(|| {
            let what = format!("a retained message of {:?} came that was replaced or removed before", message.topic);
            Breach::seen("publish/stale", what, &[message.sent.id, delivery.moment.id])
        });
        tally.must_not(delivery.moment.id, breach);
    }
    // An empty one is never stored: it does not come to a later subscription.
    for (delivery, message, _) in brought(facts).filter(|(_, message, _)| message.is_empty()) {
        tally.must_not(
            delivery.moment.id,
            Some(Breach::seen(
                "publish/empty",
                "an empty retained message was kept",
                &[message.sent.id, delivery.moment.id],
            )),
        );
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
        });
        tally.must_not(delivery.moment.id, breach);
    }
    for (session, one, _) in granted(facts) {
        let early = facts
            .publications
            .iter()
            .find(|message| !message.retain && message.handled_before(one.asked) && one.matches(&message.topic));
        if let (Some(message), Some(_)) = (early, session.conns.first()) {
            tally.must_not(message.sent.id, None);
        }
    }
}

/// A delivery of a message that its subscriptions must, or can only, have had live.
fn live<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>, Vec<&'f Subscription>)> {
    followed(facts).filter_map(|(delivery, session)| {
        let [only] = delivery.from[..] else { return None };
        let message = &facts.publications[only];
        let all: Vec<&Subscription> =
            matching(session, delivery).filter(|one| one.granted.is_none_or(|(_, code)| code <= 2)).collect();
        // Nothing was asked for after it was sent, so that nothing can have brought it from the store.
        let stood = all.iter().all(|one| one.granted.is_some_and(|(moment, _)| moment.id < message.sent.id));
        (!all.is_empty() && stood && !message.is_will()).then_some((delivery, message, all))
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
        });
        tally.must_not(delivery.moment.id, breach);
    }
}

fn retain_as_published(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message, all) in live(facts).filter(|(_, _, all)| all.iter().all(|one| one.as_published)) {
        let breach = (delivery.retain != message.retain).then(|| {
            let what = format!(
                "RETAIN {} where it was published with {}",
                u8::from(delivery.retain),
                u8::from(message.retain)
            );
            Breach::seen(format!("publish/{}", all.len().min(1)), what, &[message.sent.id, delivery.moment.id])
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
        });
        tally.must(delivery.moment.id, breach);
    }
}
