//! Wills: published when a connection ends without goodbye, and only then.
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;
use proofhouse_core::transcript::By;

use super::{Breach, Conn, Facts, Row, Tally};
use crate::model::facts::PATIENCE;
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Held, Subscription};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
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
    ]
}

/// Wills of accepted connections whose message nothing else can be, with their connection.
fn wills<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (usize, &'f Publication<'a>, &'f Conn<'a>)> {
    facts.publications.iter().enumerate().filter(|(_, message)| message.is_will() && message.certain).filter_map(
        |(nth, will)| {
            let conn = &facts.conns[&will.conn];
            let twin = |other: &Publication<'_>| {
                other.topic == will.topic
                    && other.field("payload") == will.field("payload")
                    && other.sent.id != will.sent.id
            };
            let unique = !facts.publications.iter().any(twin);
            (unique && conn.accepted.is_some()).then_some((nth, will, conn))
        },
    )
}

fn came<'f, 'a>(facts: &'f Facts<'a>, nth: usize) -> impl Iterator<Item = &'f Delivery<'a>> {
    facts.deliveries.iter().filter(move |delivery| delivery.from == [nth] && !delivery.dup)
}

fn delay(will: &Publication<'_>, conn: &Conn<'_>) -> Duration {
    let asked = will.packet.fields.int("will_delay").unwrap_or(0).max(0) as u64;
    Duration::from_secs(conn.expiry().map_or(asked, |expiry| asked.min(expiry)))
}

/// Readers whose subscription stood before the connection ended, and stands.
fn readers<'f>(
    facts: &'f Facts<'_>,
    will: &Publication<'_>,
    ended: proofhouse_core::oracle::record::Moment,
) -> Vec<&'f Subscription> {
    let stood = |one: &&Subscription| {
        one.group.is_none()
            && one.certain
            && one.matches(&will.topic)
            && one.qos().is_some()
            && one.ending.is_none()
            && one.granted.is_some_and(|(moment, _)| moment.id < ended.id)
    };
    facts.sessions.all.iter().flat_map(|session| session.subscriptions.iter()).filter(stood).collect()
}

fn will_is_published(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        let Some((ended, by)) = conn.closed else { continue };
        let withdrawn = conn.goodbye().is_some_and(|bye| bye.int("reason").unwrap_or(0) == 0);
        let returned =
            facts.conns.values().any(|other| other.client_id == conn.client_id && other.number > conn.number);
        let rights = facts.may(conn.number, "publish", &will.topic, ended.at);
        let open = facts.plan.fleet(conn.who.0).is_none_or(|fleet| !fleet.authenticated);
        if withdrawn || by == By::Limit || returned || !(open || rights) || will.topic.starts_with('$') {
            continue;
        }
        let wait = delay(will, conn);
        for one in readers(facts, will, ended) {
            let reader = &facts.conns[&one.conn];
            let allowed = facts.plan.fleet(reader.who.0).is_none_or(|fleet| !fleet.authenticated)
                || facts.may(one.conn, "subscribe", &will.topic, ended.at);
            let delivery = came(facts, nth).find(|delivery| delivery.conn == one.conn);
            match delivery {
                Some(delivery) => tally.must(delivery.moment.id, None),
                None if allowed
                    && reader.is_legal()
                    && facts.had_patience(reader, ended.at + wait)
                    && reader.number != conn.number =>
                {
                    let what = format!("the Will for {:?} never came", will.topic);
                    tally.must(ended.id, Some(Breach::missed("publish", what, &[will.sent.id, ended.id])));
                }
                None => tally.may(),
            }
        }
    }
}

fn will_is_dropped(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, _, conn) in wills(facts) {
        let Some(bye) =
            conn.goodbye().filter(|bye| bye.int("reason").unwrap_or(0) == 0 && bye.packet.malformed.is_empty())
        else {
            continue;
        };
        if !conn.is_legal() {
            continue;
        }
        // Before the goodbye was handled, its end may have been seen in another way: by a takeover.
        let taken = facts.conns.values().any(|other| other.client_id == conn.client_id && other.number != conn.number);
        if taken {
            tally.may();
            continue;
        }
        let breach = came(facts, nth).next().map(|delivery| {
            Breach::seen(
                "publish",
                "the Will came although the client had said goodbye",
                &[bye.id(), delivery.moment.id],
            )
        });
        tally.must_not(bye.id(), breach);
    }
}

fn will_waits(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        let taken = facts.conns.values().any(|other| other.client_id == conn.client_id && other.number > conn.number);
        for delivery in came(facts, nth) {
            // The target may end a connection before we see it.
            let standing =
                conn.packets.iter().any(|seen| !seen.sent && seen.id() > delivery.moment.id && !seen.is("disconnect"));
            let early = conn.closed.is_some_and(|(ended, by)| {
                by == By::Us
                    && ended.id < delivery.moment.id
                    && ended.at + delay(will, conn) > delivery.moment.at + Duration::from_secs(1)
            });
            if taken {
                tally.may();
                continue;
            }
            let what = if standing {
                "the Will came while its client was connected and served"
            } else {
                "the Will came before its delay was over"
            };
            let breach = (standing || early).then(|| {
                Breach::seen(
                    if standing { "publish/connected" } else { "publish/delay" },
                    what,
                    &[will.sent.id, delivery.moment.id],
                )
            });
            tally.must_not(delivery.moment.id, breach);
        }
    }
}

fn will_once(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, _) in wills(facts) {
        for session in &facts.sessions.all {
            let copies: Vec<&Delivery<'_>> = came(facts, nth)
                .filter(|delivery| session.conns.contains(&delivery.conn) && !delivery.retain)
                .collect();
            let subscribed = session.subscriptions.iter().filter(|one| one.matches(&will.topic)).count();
            if let Some(first) = copies.first() {
                let breach = (copies.len() > subscribed.max(1)).then(|| {
                    Breach::seen(
                        "publish",
                        format!("the Will came {} times", copies.len()),
                        &[first.moment.id, copies[copies.len() - 1].moment.id],
                    )
                });
                tally.must_not(first.moment.id, breach);
            }
        }
    }
}

fn will_retain(facts: &Facts<'_>, tally: &mut Tally) {
    for (nth, will, conn) in wills(facts) {
        let Some((ended, _)) = conn.closed else { continue };
        for delivery in came(facts, nth) {
            let session = facts.sessions.of(delivery.conn);
            let mut all =
                session.into_iter().flat_map(|session| &session.subscriptions).filter(|one| one.matches(&will.topic));
            // Somebody had it before this reader asked: it came from the store.
            let first = came(facts, nth).map(|delivery| delivery.moment.id).min();
            let later = all.all(|one| first.is_some_and(|first| one.asked.id > first));
            if later {
                let breach = (!will.retain).then(|| {
                    Breach::seen(
                        "publish/kept",
                        "a Will without Will Retain was kept as a retained message",
                        &[ended.id, delivery.moment.id],
                    )
                });
                tally.must_not(delivery.moment.id, breach);
            }
        }
        // Live, it has RETAIN 0 for whoever did not ask to have it as published.
        for delivery in came(facts, nth).filter(|delivery| delivery.retain && !will.retain) {
            tally.must_not(
                delivery.moment.id,
                Some(Breach::seen("publish/flag", "RETAIN 1 on a Will without Will Retain", &[delivery.moment.id])),
            );
        }
        let asked_late = facts.sessions.all.iter().flat_map(|session| &session.subscriptions).find(|one| {
            one.group.is_none()
                && one.handling == 0
                && one.matches(&will.topic)
                && one.asked.at > ended.at + delay(will, conn) + PATIENCE
                && one.held(will) != Held::No
        });
        if let Some(one) = asked_late
            && will.retain
            && facts.publications.iter().filter(|other| other.topic == will.topic && other.retain).count() == 1
            && conn.goodbye().is_none_or(|bye| bye.int("reason").unwrap_or(0) != 0)
        {
            let got = facts
                .deliveries_on(one.conn)
                .any(|delivery| delivery.from.contains(&nth) && delivery.moment.id > one.asked.id);
            let reader = &facts.conns[&one.conn];
            if got {
                tally.must(one.asked.id, None);
            } else if facts.had_patience(reader, one.asked.at) {
                tally.must(
                    one.asked.id,
                    Some(Breach::missed(
                        "publish/lost",
                        "a Will with Will Retain was not kept",
                        &[ended.id, one.asked.id],
                    )),
                );
            }
        }
    }
}
