//! What a message carries beside topic and payload: forwarded as it came, counted down, or not forwarded at all.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::value::Value;

use super::delivery::{followed, matching};
use super::retained::nothing_in_the_way;
use super::{Breach, Facts, Row, Tally};
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Held, Session, Subscription};

/// Seconds by which a countdown may look off: whole seconds on both sides, and the way there and back.
const COUNTDOWN_SLACK: u64 = 1;

pub(super) const RULES: &[Row] = &[
    Row {
        id: "payload-format-unaltered",
        clauses: &["MQTT5 3.3.2-4"],
        doc: "the Payload Format Indicator is forwarded unaltered",
        judge: |facts, tally| unaltered(facts, tally, "payload_format"),
    },
    Row {
        id: "response-topic-unaltered",
        clauses: &["MQTT5 3.3.2-15"],
        doc: "the Response Topic is forwarded unaltered",
        judge: |facts, tally| unaltered(facts, tally, "response_topic"),
    },
    Row {
        id: "correlation-data-unaltered",
        clauses: &["MQTT5 3.3.2-16"],
        doc: "the Correlation Data is forwarded unaltered",
        judge: |facts, tally| unaltered(facts, tally, "correlation_data"),
    },
    Row {
        id: "content-type-unaltered",
        clauses: &["MQTT5 3.3.2-20"],
        doc: "the Content Type is forwarded unaltered",
        judge: |facts, tally| unaltered(facts, tally, "content_type"),
    },
    Row {
        id: "user-properties-in-order",
        clauses: &["MQTT5 3.3.2-17", "MQTT5 3.3.2-18", "MQTT5 3.1.3-10"],
        doc: "all User Properties are forwarded unaltered and in order",
        judge: user_properties_in_order,
    },
    Row {
        id: "expiry-counted-down",
        clauses: &["MQTT5 3.3.2-6"],
        doc: "the Message Expiry Interval that comes is the one published less the time that it waited in the server",
        judge: expiry_counted_down,
    },
    Row {
        id: "expired-is-deleted",
        clauses: &["MQTT5 3.3.2-5"],
        doc: "a message whose expiry has passed before its delivery began is not delivered",
        judge: expired_is_deleted,
    },
    Row {
        id: "subscription-ids",
        clauses: &["MQTT5 3.3.4-3", "MQTT5 3.3.4-4", "MQTT5 3.3.4-5", "MQTT5 §3.3.4"],
        doc: "a message carries the Subscription Identifiers of the subscriptions that it comes for, and no other",
        judge: subscription_ids,
    },
];

/// Deliveries of which only one publication can be the source.
fn sourced<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Publication<'a>)> {
    followed(facts).filter_map(|(delivery, _)| match delivery.from[..] {
        [only] => Some((delivery, &facts.publications[only])),
        _ => None,
    })
}

fn unaltered(facts: &Facts<'_>, tally: &mut Tally, field: &str) {
    for (delivery, message) in sourced(facts) {
        let (gave, got) = (message.field(field), delivery.packet.fields.find(field));
        if gave.is_none() && got.is_none() {
            continue;
        }
        let what = match (gave, got) {
            (Some(_), None) => "is gone",
            (None, Some(_)) => "was not there when it was published",
            _ => "is another one",
        };
        let place = if message.is_will() {
            "will"
        } else if delivery.retain {
            "retained"
        } else {
            "publish"
        };
        let breach = (gave != got).then(|| {
            let entries = [message.sent.id, delivery.moment.id];
            Breach::seen(
                format!("{place}/{field}"),
                format!("{field} of a message on {:?} {what}", message.topic),
                &entries,
            )
        });
        tally.must(delivery.moment.id, breach);
    }
}

/// All that were published come, in their order; a server may add its own.
fn user_properties_in_order(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message) in sourced(facts) {
        let Some(gave) = message.field("user_properties").map(Value::as_slice) else { continue };
        let mut got = delivery.packet.fields.find("user_properties").map_or(&[][..], Value::as_slice).iter();
        let all = gave.iter().all(|one| got.any(|other| other == one));
        let place = if message.is_will() {
            "will"
        } else if delivery.retain {
            "retained"
        } else {
            "publish"
        };
        let breach = (!all).then(|| {
            let what =
                format!("user properties of a message on {:?} are gone, altered or in another order", message.topic);
            Breach::seen(place, what, &[message.sent.id, delivery.moment.id])
        });
        tally.must(delivery.moment.id, breach);
    }
}

fn expiry_counted_down(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message) in sourced(facts).filter(|(_, message)| !message.is_will()) {
        // What is sent again may be the packet as it was.
        if delivery.dup || delivery.repeat || message.again {
            tally.may();
            continue;
        }
        let got = delivery.packet.fields.int("message_expiry").map(|seconds| seconds.max(0) as u64);
        let Some(gave) = message.expiry() else { continue };
        // It cannot have waited longer than from when it left us to when it came, nor less than from its acknowledgement.
        let longest = delivery.moment.at.since(message.sent.at).as_secs() + COUNTDOWN_SLACK;
        let waited = waited(facts, delivery, message).unwrap_or(0);
        let (low, high) = (gave.saturating_sub(longest), gave.saturating_sub(waited.saturating_sub(COUNTDOWN_SLACK)));
        let wrong = match got {
            None => Some(format!("it was published with an expiry of {gave} s and came with none")),
            Some(got) if got < low || got > high => Some(format!(
                "it was published with an expiry of {gave} s, waited {waited} s in the server, and came with {got} s"
            )),
            Some(_) => None,
        };
        let place = if delivery.retain { "retained" } else { "publish" };
        let breach = wrong
            .map(|what| Breach::seen(format!("{place}/message_expiry"), what, &[message.sent.id, delivery.moment.id]));
        tally.must(delivery.moment.id, breach);
    }
}

/// Whole seconds that a message surely lay in the server: from its acknowledgement, or from when somebody had it, to when this reader came
/// back or asked for it.
fn waited(facts: &Facts<'_>, delivery: &Delivery<'_>, message: &Publication<'_>) -> Option<u64> {
    let owned = message.done?;
    let conn = &facts.conns[&delivery.conn];
    let connected = conn.packets.get(conn.connect?)?.moment;
    let session = facts.sessions.of(delivery.conn)?;
    let asked = matching(session, delivery).map(|one| one.asked).min();
    // It could be sent no earlier than this connection stood; a retained one no earlier than it was first asked for.
    let possible = if delivery.retain { asked.unwrap_or(connected).max(connected) } else { connected };
    Some(possible.at.since(owned.at).as_secs())
}

fn expired_is_deleted(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, message) in sourced(facts).filter(|(_, message)| !message.is_will()) {
        let (Some(gave), Some(waited)) = (message.expiry(), waited(facts, delivery, message)) else { continue };
        if waited == 0 || delivery.dup || delivery.repeat || message.again {
            continue;
        }
        let breach = (waited > gave + COUNTDOWN_SLACK).then(|| {
            let place = if delivery.retain { "retained" } else { "queued" };
            let what = format!("a message with an expiry of {gave} s came after {waited} s");
            Breach::seen(format!("publish/{place}"), what, &[message.sent.id, delivery.moment.id])
        });
        tally.must_not(delivery.moment.id, breach);
    }
}

fn subscription_ids(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts) {
        let all: Vec<&Subscription> =
            matching(session, delivery).filter(|one| one.granted.is_none_or(|(_, code)| code <= 2)).collect();
        let ids = delivery.packet.fields.find("subscription_id").map_or(&[][..], Value::as_slice);
        let got: BTreeSet<i64> = ids.iter().filter_map(Value::as_int).collect();
        let may: BTreeSet<i64> = all.iter().filter_map(|one| one.id).collect();
        if got.is_empty() && may.is_empty() {
            continue;
        }
        // What was replaced or given up may still be in a message that was on its way.
        let settled = all.iter().all(|one| one.granted.is_some() && one.ending.is_none());
        let surplus = got.iter().find(|id| !may.contains(id));
        let missing = settled && got.is_empty() && all.iter().all(|one| one.id.is_some());
        let lonely = settled && all.len() == 1 && got != may;
        let entries = [delivery.moment.id];
        let kind = if delivery.retain { "retained" } else { "live" };
        let lacking = || lacks_some(facts, delivery, session, &all, &got);
        let breach = if let Some(id) = surplus {
            Some(Breach::seen(
                format!("publish/{kind}/surplus"),
                format!("it carries Subscription Identifier {id} of no matching subscription"),
                &entries,
            ))
        } else if missing || lonely {
            Some(Breach::seen(
                format!("publish/{kind}/missing"),
                "it carries no Subscription Identifier, though its subscription has one",
                &entries,
            ))
        } else {
            lacking()
        };
        tally.must(delivery.moment.id, breach);
    }
}

/// The only copy of a message for several subscriptions has the identifiers of all of them \[MQTT5 3.3.4-4\]. With one identifier, or none,
/// it may be one of several copies \[MQTT5 3.3.4-5\] whose others are late: nothing but our patience shows that none is to come.
fn lacks_some(
    facts: &Facts<'_>,
    delivery: &Delivery<'_>,
    session: &Session,
    all: &[&Subscription],
    got: &BTreeSet<i64>,
) -> Option<Breach> {
    let [only] = delivery.from[..] else { return None };
    let message = &facts.publications[only];
    let own = facts.same_client(delivery.conn, message.conn);
    let stands = |one: &&Subscription| {
        let plain = one.group.is_none() && (!one.no_local || own == Held::No);
        plain && one.ending.is_none() && one.held(message) == Held::Must
    };
    let copies = facts.came(only).filter(|copy| session.conns.contains(&copy.conn)).count();
    if all.len() < 2 || !all.iter().all(stands) || message.is_will() || message.again || copies != 1 || facts.revokes {
        return None;
    }
    let expected: BTreeSet<i64> = all.iter().filter_map(|one| one.id).collect();
    let missing = expected.difference(got).next()?;
    let what = format!(
        "the only copy for {} subscriptions carries {} Subscription Identifiers, and not {missing}",
        all.len(),
        got.len()
    );
    let (place, entries) = ("publish/live/lacking", [message.sent.id, delivery.moment.id]);
    if got.len() > 1 {
        return Some(Breach::seen(place, what, &entries).citing("MQTT5 3.3.4-4"));
    }
    // A copy at QoS 0 may be lost.
    let promised = all.iter().all(|one| message.qos.min(one.qos().unwrap_or(0)) > 0);
    let last = session.conns.last().map(|conn| &facts.conns[conn])?;
    let none_to_come = nothing_in_the_way(facts, last) && facts.had_patience(last, delivery.moment.at);
    (promised && none_to_come).then(|| Breach::missed(place, what, &entries).citing("MQTT5 3.3.4-4"))
}
