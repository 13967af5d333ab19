//! Acknowledgements: each belongs to a packet of ours, and each packet of ours gets the one that is due.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::{Breach, Conn, Facts, Row, Seen, Tally};
use crate::model::breach::{column, filters};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "ack-has-its-id",
        clauses: &["MQTT5 2.2.1-5", "MQTT3 2.3.1-6"],
        doc: "PUBACK, PUBREC and PUBCOMP carry the identifier of a message that waits for them",
        judge: |facts, tally| belongs(facts, tally, &["puback", "pubrec", "pubcomp"]),
    },
    Row {
        id: "suback-has-its-id",
        clauses: &["MQTT5 2.2.1-6", "MQTT5 3.8.4-2", "MQTT5 3.10.4-5", "MQTT3 2.3.1-7", "MQTT3 3.8.4-2"],
        doc: "SUBACK and UNSUBACK carry the identifier of a request that waits for them",
        judge: |facts, tally| belongs(facts, tally, &["suback", "unsuback"]),
    },
    Row {
        id: "puback-is-sent",
        clauses: &["MQTT5 4.3.2-4", "MQTT5 3.3.4-1", "MQTT3 4.3.2-2", "MQTT3 3.3.4-1"],
        doc: "a QoS 1 PUBLISH is answered by PUBACK",
        judge: |facts, tally| owed(facts, tally, "publish", Some(1), "puback"),
    },
    Row {
        id: "pubrec-is-sent",
        clauses: &["MQTT5 4.3.3-8", "MQTT5 4.3.3-10", "MQTT5 3.3.4-1", "MQTT3 4.3.3-2", "MQTT3 3.3.4-1"],
        doc: "a QoS 2 PUBLISH is answered by PUBREC, each time that it comes before PUBREL",
        judge: |facts, tally| owed(facts, tally, "publish", Some(2), "pubrec"),
    },
    Row {
        id: "pubcomp-is-sent",
        clauses: &["MQTT5 4.3.3-11", "MQTT5 4.3.3-13", "MQTT3 4.3.3-2"],
        doc: "PUBREL is answered by PUBCOMP",
        judge: |facts, tally| owed(facts, tally, "pubrel", None, "pubcomp"),
    },
    Row {
        id: "suback-is-sent",
        clauses: &["MQTT5 3.8.4-1", "MQTT3 3.8.4-1"],
        doc: "SUBSCRIBE is answered by SUBACK",
        judge: |facts, tally| owed(facts, tally, "subscribe", None, "suback"),
    },
    Row {
        id: "unsuback-is-sent",
        clauses: &["MQTT5 3.10.4-4", "MQTT3 3.10.4-4", "MQTT3 3.10.4-5"],
        doc: "UNSUBSCRIBE is answered by UNSUBACK, also where nothing was deleted",
        judge: |facts, tally| owed(facts, tally, "unsubscribe", None, "unsuback"),
    },
    Row {
        id: "pingresp-is-sent",
        clauses: &["MQTT5 3.12.4-1", "MQTT3 3.12.4-1"],
        doc: "PINGREQ is answered by PINGRESP",
        judge: pingresp,
    },
    Row {
        id: "pubrel-is-sent",
        clauses: &["MQTT5 4.3.3-4", "MQTT3 4.3.3-1"],
        doc: "our PUBREC is answered by PUBREL",
        judge: |facts, tally| owed(facts, tally, "pubrec", None, "pubrel"),
    },
    Row {
        id: "suback-per-filter",
        clauses: &[
            "MQTT5 3.8.4-6",
            "MQTT5 3.8.4-5",
            "MQTT5 3.9.3-1",
            "MQTT3 3.8.4-5",
            "MQTT3 3.8.4-4",
            "MQTT3 3.9.3-1",
        ],
        doc: "SUBACK has one code for each filter",
        judge: |facts, tally| one_each(facts, tally, "subscribe", "suback"),
    },
    Row {
        id: "unsuback-per-filter",
        clauses: &["MQTT5 3.10.4-6", "MQTT5 3.11.3-1"],
        doc: "UNSUBACK has one code for each filter",
        judge: |facts, tally| one_each(facts, tally, "unsubscribe", "unsuback"),
    },
];

/// The packet of ours that a packet of this kind answers.
fn asked_by(kind: &str) -> (&'static str, Option<i64>) {
    match kind {
        "puback" => ("publish", Some(1)),
        "pubrec" => ("publish", Some(2)),
        "pubcomp" => ("pubrel", None),
        "suback" => ("subscribe", None),
        _ => ("unsubscribe", None),
    }
}

/// An acknowledgement that answers nothing, or answers twice.
fn belongs(facts: &Facts<'_>, tally: &mut Tally, kinds: &[&str]) {
    for conn in facts.conns.values() {
        let mut waiting: BTreeMap<(&str, i64), u32> = BTreeMap::new();
        for seen in &conn.packets[..conn.legal] {
            let Some(id) = seen.int("packet_id") else { continue };
            if seen.sent {
                let answered = kinds.iter().find(|kind| asks(seen, kind));
                if let Some(kind) = answered {
                    *waiting.entry((kind, id)).or_default() += 1;
                }
                continue;
            }
            let Some(kind) = kinds.iter().find(|kind| seen.is(kind)) else { continue };
            let due = waiting.entry((kind, id)).or_default();
            if *due == 0 && conn.is_resumed() && asked_before(facts, conn, kind, id) {
                tally.may();
                continue;
            }
            let breach = (*due == 0).then(|| {
                Breach::seen(*kind, format!("{kind} came for an identifier that waits for none"), &[seen.id()])
            });
            *due = due.saturating_sub(1);
            tally.must(seen.id(), breach);
        }
    }
}

/// Whether an earlier connection of the client has asked for it: a server that had the packet, and not the time for its answer, may give it
/// when the session is resumed.
fn asked_before(facts: &Facts<'_>, conn: &Conn<'_>, kind: &str, id: i64) -> bool {
    let mut all = facts.earlier(conn).flat_map(|conn| conn.packets.iter().filter(|seen| seen.sent));
    all.any(|seen| seen.int("packet_id") == Some(id) && asks(seen, kind))
}

fn asks(seen: &Seen<'_>, answer: &str) -> bool {
    let (kind, qos) = asked_by(answer);
    seen.is(kind) && qos.is_none_or(|qos| seen.int("qos") == Some(qos))
}

/// Every packet of ours of this kind, and whether its answer came.
fn owed(facts: &Facts<'_>, tally: &mut Tally, kind: &str, qos: Option<i64>, answers: &str) {
    for conn in facts.conns.values().filter(|conn| conn.accepted.is_some()) {
        let refused = |seen: &Seen<'_>| kind == "pubrec" && seen.int("reason").unwrap_or(0) >= 0x80;
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is(kind) && !refused(seen)) {
            if qos.is_some_and(|qos| seen.int("qos") != Some(qos)) {
                continue;
            }
            match conn.answer(at, answers) {
                Some(at) => tally.must(conn.packets[at].id(), None),
                None if conn.is_legal() && facts.had_patience(conn, seen.moment.at) => {
                    let what = format!("no {answers} came for {kind}, though the connection stood");
                    tally.must(seen.id(), Some(Breach::missed(answers, what, &[seen.id()])));
                }
                None => tally.may(),
            }
        }
    }
}

fn pingresp(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.accepted.is_some()) {
        let pings: Vec<&Seen<'_>> = conn.said().map(|(_, seen)| seen).filter(|seen| seen.is("pingreq")).collect();
        let answers = conn.heard().filter(|(_, seen)| seen.is("pingresp")).count();
        for (nth, seen) in pings.iter().enumerate() {
            if nth < answers {
                tally.must(seen.id(), None);
            } else if conn.is_legal() && facts.had_patience(conn, seen.moment.at) {
                tally.must(
                    seen.id(),
                    Some(Breach::missed("pingresp", "no PINGRESP came, though the connection stood", &[seen.id()])),
                );
            } else {
                tally.may();
            }
        }
    }
}

fn one_each(facts: &Facts<'_>, tally: &mut Tally, kind: &str, answers: &str) {
    for conn in facts.conns.values() {
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is(kind)) {
            let Some(at) = conn.answer(at, answers) else { continue };
            let (asked, told) = (filters(seen).len(), codes(conn, at));
            let breach = (asked != told).then(|| {
                Breach::seen(answers, format!("{told} codes for {asked} filters"), &[seen.id(), conn.packets[at].id()])
            });
            tally.must(conn.packets[at].id(), breach);
        }
    }
}

fn codes(conn: &Conn<'_>, at: usize) -> usize {
    column(&conn.packets[at], "reason", "reason").len()
}
