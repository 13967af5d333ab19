//! The limits that our CONNECT announced, and the identifiers of the server's own messages.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{Breach, Facts, Row, Seen, Tally};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
        Row {
            id: "id-not-in-use",
            clauses: &[
                "MQTT5 2.2.1-4",
                "MQTT5 4.3.2-1",
                "MQTT5 4.3.3-1",
                "MQTT3 2.3.1-4",
                "MQTT3 4.3.2-1",
                "MQTT3 4.3.3-1",
            ],
            doc: "a new message of the server takes an identifier that is not in use",
            judge: id_not_in_use,
        },
        Row {
            id: "not-sent-again",
            clauses: &["MQTT5 4.4.0-1", "MQTT5 4.3.3-6", "MQTT5 4.4.0-2"],
            doc: "on one connection nothing is sent again",
            judge: not_sent_again,
        },
        Row {
            id: "pubrel-after-pubrec",
            clauses: &["MQTT5 4.3.3-5", "MQTT5 4.3.3-7"],
            doc: "PUBREL comes for a message whose PUBREC we sent, or again after a reconnection",
            judge: pubrel_after_pubrec,
        },
        Row {
            id: "receive-maximum-kept",
            clauses: &["MQTT5 3.3.4-9", "MQTT5 4.9.0-2", "MQTT5 4.9.0-1", "MQTT5 4.3.2-3", "MQTT5 4.3.3-3"],
            doc: "no more QoS 1 and 2 messages are under way than our Receive Maximum",
            judge: receive_maximum_kept,
        },
        Row {
            id: "alias-within-maximum",
            clauses: &["MQTT5 3.1.2-26", "MQTT5 3.1.2-27", "MQTT5 3.3.2-11", "MQTT5 3.3.2-8"],
            doc: "a Topic Alias of the server is between 1 and our Topic Alias Maximum",
            judge: alias_within_maximum,
        },
        Row {
            id: "alias-is-set",
            clauses: &["MQTT5 3.3.2-7", "MQTT5 §3.3.4"],
            doc: "an empty Topic Name comes with an alias that was set on this connection",
            judge: alias_is_set,
        },
        Row {
            id: "packet-size-kept",
            clauses: &["MQTT5 3.1.2-24", "MQTT5 3.1.2-25"],
            doc: "no packet is larger than our Maximum Packet Size",
            judge: packet_size_kept,
        },
        Row {
            id: "no-problem-information",
            clauses: &["MQTT5 3.1.2-29"],
            doc: "with Request Problem Information 0, Reason String and User Property come on PUBLISH, CONNACK and DISCONNECT only",
            judge: no_problem_information,
        },
    ]
}

/// What is under way from the server on one connection, by identifier: the QoS, and whether our PUBREC has been sent.
type UnderWay = BTreeMap<i64, (i64, bool)>;

/// Follows the server's messages on a connection; `look` sees each packet with what was under way before it.
fn follow(facts: &Facts<'_>, mut look: impl FnMut(&super::Conn<'_>, &Seen<'_>, &UnderWay)) {
    for conn in facts.conns.values() {
        let mut under_way = UnderWay::new();
        for seen in &conn.packets[..conn.legal] {
            look(conn, seen, &under_way);
            let Some(id) = seen.int("packet_id") else { continue };
            match (seen.sent, seen.packet.kind.as_str()) {
                (false, "publish") => _ = under_way.entry(id).or_insert((seen.int("qos").unwrap_or(0), false)),
                (true, "pubrec") if seen.int("reason").unwrap_or(0) < 0x80 => {
                    under_way.entry(id).and_modify(|one| one.1 = true);
                }
                (true, "puback" | "pubrec" | "pubcomp") => _ = under_way.remove(&id),
                _ => {}
            }
        }
    }
}

fn publishes(seen: &Seen<'_>) -> bool {
    !seen.sent && seen.is("publish") && seen.int("qos").unwrap_or(0) > 0
}

fn is_again(seen: &Seen<'_>) -> bool {
    seen.packet.fields.truth("dup") == Some(true)
}

fn id_not_in_use(facts: &Facts<'_>, tally: &mut Tally) {
    follow(facts, |_, seen, under_way| {
        let Some(id) = seen.int("packet_id").filter(|_| publishes(seen) && !is_again(seen)) else { return };
        let breach = under_way.get(&id).map(|(qos, _)| {
            let what = format!("the identifier of a QoS {qos} message that is still under way was taken for another");
            Breach::seen("publish", what, &[seen.id()])
        });
        tally.must_not(seen.id(), breach);
    });
}

fn not_sent_again(facts: &Facts<'_>, tally: &mut Tally) {
    follow(facts, |_, seen, under_way| {
        let Some(id) = seen.int("packet_id").filter(|_| publishes(seen)) else { return };
        let again = is_again(seen) && under_way.contains_key(&id);
        tally.must_not(
            seen.id(),
            again.then(|| Breach::seen("publish", "a message was sent again on the same connection", &[seen.id()])),
        );
    });
}

fn pubrel_after_pubrec(facts: &Facts<'_>, tally: &mut Tally) {
    follow(facts, |conn, seen, under_way| {
        let Some(id) = seen.int("packet_id").filter(|_| !seen.sent && seen.is("pubrel")) else { return };
        // On a resumed session it may be the PUBREL of the connection before.
        let resumed = conn.connack().and_then(|fields| fields.truth("session_present")) == Some(true);
        match under_way.get(&id) {
            None if resumed => tally.may(),
            Some((2, true)) => tally.must_not(seen.id(), None),
            _ => tally.must_not(
                seen.id(),
                Some(Breach::seen("pubrel", "PUBREL came for no message whose PUBREC was sent", &[seen.id()])),
            ),
        }
    });
}

fn receive_maximum_kept(facts: &Facts<'_>, tally: &mut Tally) {
    follow(facts, |conn, seen, under_way| {
        let limit = conn.ours("receive_maximum").unwrap_or(65_535);
        let new = seen.int("packet_id").is_some_and(|id| !under_way.contains_key(&id));
        if !publishes(seen) || !new || limit == 65_535 {
            return;
        }
        let count = under_way.len() as i64 + 1;
        let breach = (count > limit).then(|| {
            Breach::seen("publish", format!("{count} messages are under way, where {limit} may be"), &[seen.id()])
        });
        tally.must_not(seen.id(), breach);
    });
}

fn alias_within_maximum(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let most = conn.ours("topic_alias_maximum").unwrap_or(0);
        for (_, seen) in conn.heard().filter(|(_, seen)| seen.is("publish")) {
            let breach = seen.int("topic_alias").filter(|alias| *alias < 1 || *alias > most).map(|alias| {
                let place = if most == 0 { "publish/none-allowed" } else { "publish/beyond" };
                Breach::seen(place, format!("Topic Alias {alias}, where {most} is our maximum"), &[seen.id()])
            });
            tally.must_not(seen.id(), breach);
        }
    }
}

fn alias_is_set(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let mut set: BTreeSet<i64> = BTreeSet::new();
        for (_, seen) in conn.heard().filter(|(_, seen)| seen.is("publish")) {
            let Some(alias) = seen.int("topic_alias") else { continue };
            let empty = seen.packet.fields.text("topic") == Some("");
            if empty {
                let breach = (!set.contains(&alias))
                    .then(|| Breach::seen("publish", format!("alias {alias} was never set here"), &[seen.id()]));
                tally.must(seen.id(), breach);
            } else {
                set.insert(alias);
            }
        }
    }
}

/// Sizes are seen where the entry that brought a packet brought nothing else.
fn packet_size_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some(most) = conn.ours("maximum_packet_size") else { continue };
        for (size, id) in facts.sizes(conn) {
            let breach = (size > most as u64).then(|| {
                Breach::seen("packet", format!("a packet of {size} bytes, where {most} is our maximum"), &[id])
            });
            tally.must_not(id, breach);
        }
    }
}

fn no_problem_information(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.ours("request_problem_info") == Some(0)) {
        for (_, seen) in conn.heard() {
            if ["publish", "connack", "disconnect"].contains(&seen.packet.kind.as_str()) {
                continue;
            }
            let fields = &seen.packet.fields;
            let there = fields.find("reason_string").is_some() || fields.find("user_properties").is_some();
            let breach = there.then(|| {
                Breach::seen(seen.packet.kind.as_str(), "problem information that the client declined", &[seen.id()])
            });
            tally.must_not(seen.id(), breach);
        }
    }
}
