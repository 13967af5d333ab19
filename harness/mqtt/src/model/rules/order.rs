//! The order of messages: from one publisher, on one topic and at one QoS, as they were published.
use alloc::collections::BTreeMap;
use alloc::format;

use proofhouse_core::ids::EntryId;

use super::delivery::followed;
use super::{Breach, Facts, Row, Tally};

pub(super) const RULES: &[Row] = &[Row {
    id: "in-order",
    clauses: &["MQTT5 4.6.0-5", "MQTT5 4.6.0-6", "MQTT3 4.6.0-6", "MQTT3 4.6.0-5"],
    doc: "messages of one client on one topic at one QoS come in the order in which it published them",
    judge: in_order,
}];

/// Session of the reader, publisher, topic, and QoS that was published and that was delivered: what keeps its order.
type Line<'a> = (usize, u32, &'a str, i64, i64);

fn in_order(facts: &Facts<'_>, tally: &mut Tally) {
    // Of each session, publisher, topic and both QoS: the latest publication that has come, and its entry.
    let mut latest: BTreeMap<Line<'_>, (usize, EntryId)> = BTreeMap::new();
    for (delivery, session) in followed(facts) {
        let ([only], Some(reader)) = (&delivery.from[..], facts.sessions.of.get(&delivery.conn)) else { continue };
        let message = &facts.publications[*only];
        let shared = session.subscriptions.iter().any(|one| one.group.is_some() && one.matches(&message.topic));
        let several = session.subscriptions.iter().filter(|one| one.matches(&message.topic)).count() > 1;
        if delivery.dup || delivery.retain || message.is_will() || message.again || shared || several {
            continue;
        }
        let key = (*reader, message.conn, message.topic.as_str(), message.qos, delivery.qos);
        let Some((before, entry)) = latest.get(&key).copied() else {
            latest.insert(key, (*only, delivery.moment.id));
            continue;
        };
        let breach = (*only < before).then(|| {
            let what = format!("a message on {:?} came after one that was published later", message.topic);
            Breach::seen(format!("publish/qos{}", delivery.qos), what, &[entry, delivery.moment.id])
        });
        if *only > before {
            latest.insert(key, (*only, delivery.moment.id));
        }
        tally.must(delivery.moment.id, breach);
    }
}
