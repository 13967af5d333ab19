//! The limits that our CONNECT announced, and the identifiers of the server's own messages.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;

use super::{Breach, Conn, Facts, Row, Seen, Tally};
use crate::codec::Kind;

/// Bytes of a Reason String or User Property that is worth sending: a sentence. A packet that stays further below our maximum has not been
/// kept from saying one.
const SENTENCE: u64 = 64;

pub(super) const RULES: &[Row] = &[
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
        id: "alias-is-accepted",
        clauses: &["MQTT5 3.3.2-12"],
        doc: "a Topic Alias from 1 to the maximum that the server announced is accepted",
        judge: alias_is_accepted,
    },
    Row {
        id: "others-while-full",
        clauses: &["MQTT5 4.9.0-3", "MQTT5 3.3.4-10"],
        doc: "while our Receive Maximum is used up, everything but PUBLISH is answered",
        judge: others_while_full,
    },
    Row {
        id: "packet-size-kept",
        clauses: &["MQTT5 3.1.2-24"],
        doc: "no packet is larger than our Maximum Packet Size",
        judge: packet_size_kept,
    },
    Row {
        id: "connack-leaves-out",
        clauses: &["MQTT5 3.2.2-19", "MQTT5 3.2.2-20"],
        doc: "CONNACK leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "connack", Kind::Connack),
    },
    Row {
        id: "puback-leaves-out",
        clauses: &["MQTT5 3.4.2-2", "MQTT5 3.4.2-3"],
        doc: "PUBACK leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "puback", Kind::Puback),
    },
    Row {
        id: "pubrec-leaves-out",
        clauses: &["MQTT5 3.5.2-2", "MQTT5 3.5.2-3"],
        doc: "PUBREC leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "pubrec", Kind::Pubrec),
    },
    Row {
        id: "pubrel-leaves-out",
        clauses: &["MQTT5 3.6.2-2", "MQTT5 3.6.2-3"],
        doc: "PUBREL leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "pubrel", Kind::Pubrel),
    },
    Row {
        id: "pubcomp-leaves-out",
        clauses: &["MQTT5 3.7.2-2", "MQTT5 3.7.2-3"],
        doc: "PUBCOMP leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "pubcomp", Kind::Pubcomp),
    },
    Row {
        id: "suback-leaves-out",
        clauses: &["MQTT5 3.9.2-1", "MQTT5 3.9.2-2"],
        doc: "SUBACK leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "suback", Kind::Suback),
    },
    Row {
        id: "unsuback-leaves-out",
        clauses: &["MQTT5 3.11.2-1", "MQTT5 3.11.2-2"],
        doc: "UNSUBACK leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "unsuback", Kind::Unsuback),
    },
    Row {
        id: "disconnect-leaves-out",
        clauses: &["MQTT5 3.14.2-3", "MQTT5 3.14.2-4"],
        doc: "DISCONNECT leaves out Reason String and User Property where our Maximum Packet Size has no room for them",
        judge: |facts, tally| leaves_out(facts, tally, "disconnect", Kind::Disconnect),
    },
    Row {
        id: "no-problem-information",
        clauses: &["MQTT5 3.1.2-29"],
        doc: "with Request Problem Information 0, Reason String and User Property come on PUBLISH, CONNACK and DISCONNECT only",
        judge: no_problem_information,
    },
];

/// What is under way from the server on one connection, by identifier: the QoS, and whether our PUBREC has been sent.
type UnderWay = BTreeMap<i64, (i64, bool)>;

/// Follows the server's messages on a connection; `look` sees each packet with what was under way before it.
fn follow(facts: &Facts<'_>, mut look: impl FnMut(&Conn<'_>, &Seen<'_>, &UnderWay)) {
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

/// What throws a client out for an alias that it may use is a DISCONNECT that names it.
fn alias_is_accepted(facts: &Facts<'_>, tally: &mut Tally) {
    const TOPIC_ALIAS_INVALID: i64 = 0x94;
    for conn in facts.conns.values() {
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is("publish")) {
            let Some(alias) = seen.int("topic_alias") else { continue };
            if let Some(back) = ["puback", "pubrec"].into_iter().find_map(|kind| conn.answer(at, kind)) {
                tally.must(conn.packets[back].id(), None);
                continue;
            }
            let refuses = |seen: &Seen<'_>| seen.is("disconnect") && seen.int("reason") == Some(TOPIC_ALIAS_INVALID);
            match conn.heard().find(|(later, seen)| *later > at && refuses(seen)) {
                Some((_, out)) => {
                    let most = conn.connack().and_then(|fields| fields.int("topic_alias_maximum")).unwrap_or(0);
                    let what = format!("Topic Alias {alias} is refused, where {most} was announced as the maximum");
                    tally.must(out.id(), Some(Breach::seen("disconnect", what, &[seen.id(), out.id()])));
                }
                None => tally.may(),
            }
        }
    }
}

/// Our requests that left while as much was under way to us as we take, each with its connection and place.
fn asked_while_full(facts: &Facts<'_>) -> Vec<(u32, usize)> {
    let mut asked = Vec::new();
    let mut place = (u32::MAX, 0);
    follow(facts, |conn, seen, under_way| {
        place = if place.0 == conn.number { (conn.number, place.1 + 1) } else { (conn.number, 0) };
        let asks = seen.sent && ["pingreq", "subscribe", "unsubscribe"].contains(&seen.packet.kind.as_str());
        let is_full = || conn.ours("receive_maximum").is_some_and(|most| under_way.len() as i64 >= most);
        if asks && is_full() {
            asked.push(place);
        }
    });
    asked
}

fn others_while_full(facts: &Facts<'_>, tally: &mut Tally) {
    for (number, at) in asked_while_full(facts) {
        let conn = &facts.conns[&number];
        let (seen, rest) = (&conn.packets[at], &conn.packets[at + 1..]);
        let answer = match seen.packet.kind.as_str() {
            "subscribe" => conn.answer(at, "suback"),
            "unsubscribe" => conn.answer(at, "unsuback"),
            _ => pong(conn, at),
        };
        let frees = |seen: &Seen<'_>| seen.sent && ["puback", "pubrec", "pubcomp"].contains(&seen.packet.kind.as_str());
        let freed = rest.iter().position(frees).map(|after| at + 1 + after);
        match (answer, freed) {
            (Some(answer), freed) if freed.is_none_or(|freed| answer < freed) => {
                tally.must(conn.packets[answer].id(), None);
            }
            (None, None) if conn.is_legal() && facts.had_patience(conn, seen.moment.at) => {
                let kind = seen.packet.kind.as_str();
                let what = format!("{kind} is not answered while our Receive Maximum is used up");
                tally.must(seen.id(), Some(Breach::missed(kind, what, &[seen.id()])));
            }
            _ => tally.may(),
        }
    }
}

/// Index of the PINGRESP to the PINGREQ at a place: they are answered in order.
fn pong(conn: &Conn<'_>, at: usize) -> Option<usize> {
    let asked = conn.packets[..at].iter().filter(|seen| seen.sent && seen.is("pingreq")).count();
    let mut answers = conn.packets.iter().enumerate().filter(|(_, seen)| !seen.sent && seen.is("pingresp"));
    answers.nth(asked).map(|(at, _)| at).filter(|answer| *answer > at)
}

/// Armed where a sentence has no room: the packet was one that could not have it.
fn leaves_out(facts: &Facts<'_>, tally: &mut Tally, kind: &str, number: Kind) {
    for conn in facts.conns.values() {
        let Some(most) = conn.ours("maximum_packet_size").map(|most| most.max(0) as u64) else { continue };
        let with = conn.heard().filter(|(_, seen)| seen.is(kind) && has_sentence(seen));
        let says: BTreeSet<EntryId> = with.map(|(_, seen)| seen.id()).collect();
        for (_, size, id) in facts.sizes(conn).into_iter().filter(|(of, ..)| *of == number as u8) {
            let said = says.contains(&id);
            if size + SENTENCE <= most || (said && size <= most) {
                tally.may();
                continue;
            }
            let breach = said.then(|| {
                let what = format!("{kind} has {size} bytes with what may be left out, where {most} is our maximum");
                Breach::seen(kind, what, &[id])
            });
            tally.must_not(id, breach);
        }
    }
}

fn has_sentence(seen: &Seen<'_>) -> bool {
    let fields = &seen.packet.fields;
    fields.find("reason_string").is_some() || fields.find("user_properties").is_some()
}

/// Sizes are seen where the entry that brought a packet brought nothing else.
fn packet_size_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some(most) = conn.ours("maximum_packet_size") else { continue };
        for (_, size, id) in facts.sizes(conn) {
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
            let breach = has_sentence(seen).then(|| {
                Breach::seen(seen.packet.kind.as_str(), "problem information that the client declined", &[seen.id()])
            });
            tally.must_not(seen.id(), breach);
        }
    }
}
