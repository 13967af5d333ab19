//! What subscribing grants, and what unsubscribing ends.
use alloc::collections::BTreeSet;
use alloc::format;

use super::delivery::{followed, matching};
use super::{Breach, Facts, Row, Seen, Tally};
use crate::model::breach::{column, filters};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "granted-within-asked",
        clauses: &["MQTT5 3.8.4-7", "MQTT3 3.8.4-5"],
        doc: "the QoS that is granted is at most the one that was asked for",
        judge: granted_within_asked,
    },
    Row {
        id: "subscribes-at-any-qos",
        clauses: &["MQTT5 3.2.2-10"],
        doc: "a server that announces a Maximum QoS still accepts SUBSCRIBE at any QoS",
        judge: subscribes_at_any_qos,
    },
    Row {
        id: "unsubscribed-is-told",
        clauses: &["MQTT5 3.11.3-2", "MQTT5 3.10.4-1"],
        doc: "UNSUBACK says success exactly where the filter, character by character, was subscribed to",
        judge: unsubscribed_is_told,
    },
    Row {
        id: "begun-outlives-unsubscribe",
        clauses: &["MQTT5 3.10.4-3", "MQTT3 3.10.4-3"],
        doc: "a QoS 2 delivery that has begun is completed after UNSUBSCRIBE",
        judge: begun_outlives_unsubscribe,
    },
];

fn granted_within_asked(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is("subscribe")) {
            let Some(back) = conn.answer(at, "suback") else { continue };
            let codes = column(&conn.packets[back], "reason", "reason");
            for (asked, code) in column(seen, "qos", "qos").iter().zip(codes) {
                let (Some(asked), Some(code)) = (asked.as_int(), code.as_int()) else { continue };
                if code > 2 {
                    continue;
                }
                let breach = (code > asked).then(|| {
                    Breach::seen(
                        "suback",
                        format!("QoS {code} was granted for {asked}"),
                        &[seen.id(), conn.packets[back].id()],
                    )
                });
                tally.must(conn.packets[back].id(), breach);
            }
        }
    }
}

fn subscribes_at_any_qos(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some(limit) = conn.connack().and_then(|fields| fields.int("maximum_qos")) else { continue };
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is("subscribe")) {
            let Some(back) = conn.answer(at, "suback") else { continue };
            let codes = column(&conn.packets[back], "reason", "reason");
            for (asked, code) in column(seen, "qos", "qos").iter().zip(codes) {
                if asked.as_int().is_some_and(|asked| asked > limit) {
                    let refused = code.as_int() == Some(0x9B);
                    let breach = refused.then(|| {
                        Breach::seen("suback", "it refuses a filter for its QoS", &[seen.id(), conn.packets[back].id()])
                    });
                    tally.must(conn.packets[back].id(), breach);
                }
            }
        }
    }
}

fn unsubscribed_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some(session) = facts.sessions.of(conn.number) else { continue };
        for (at, seen) in conn.said().filter(|(_, seen)| seen.is("unsubscribe")) {
            let Some(back) = conn.answer(at, "unsuback") else { continue };
            let codes = column(&conn.packets[back], "reason", "reason");
            let (named, mut once) = (filters(seen), BTreeSet::new());
            let twice: BTreeSet<&str> = named.iter().copied().filter(|filter| !once.insert(*filter)).collect();
            for (filter, code) in named.iter().zip(codes) {
                let id = conn.packets[back].id();
                let asked = session.latest(filter, seen.id());
                let expected = match asked {
                    _ if twice.contains(filter) => None,
                    None => Some(0x11),
                    Some(one) if one.qos().is_some() && one.ending == Some(seen.moment) => Some(0x00),
                    Some(one) if one.ended.is_some_and(|ended| ended.id < seen.id()) => Some(0x11),
                    Some(_) => None,
                };
                let Some(expected) = expected else {
                    tally.may();
                    continue;
                };
                let code = code.as_int().unwrap_or(0);
                // An error (not authorised, in use, ...) is another matter.
                let breach = (code < 0x80 && code != expected).then(|| {
                    let what = format!("UNSUBACK says {code:#04x} where {expected:#04x} is true");
                    Breach::seen("unsuback", what, &[seen.id(), id])
                });
                tally.must(id, breach);
            }
        }
    }
}

/// Deliveries whose PUBREC left us after the UNSUBSCRIBE of every filter that can have brought them. PUBREL with a failure says that the
/// server has forgotten them.
fn begun_outlives_unsubscribe(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts).filter(|(delivery, _)| delivery.qos == 2 && !delivery.repeat) {
        let conn = &facts.conns[&delivery.conn];
        let mut all = matching(session, delivery).peekable();
        if all.peek().is_none() || !all.all(|one| one.ending.is_some() && one.certain) {
            continue;
        }
        let last = matching(session, delivery).filter_map(|one| one.ending).map(|ending| ending.id).max();
        let takes = |seen: &Seen<'_>| {
            seen.is("pubrec") && seen.int("packet_id") == delivery.id && seen.int("reason").unwrap_or(0) < 0x80
        };
        let taken = conn.said().find(|(at, seen)| *at > delivery.at && takes(seen));
        let Some((at, seen)) = taken.filter(|(_, seen)| last.is_some_and(|last| last < seen.id())) else { continue };
        match conn.answer(at, "pubrel").map(|at| &conn.packets[at]) {
            Some(back) => {
                let forgotten = back.int("reason").unwrap_or(0) >= 0x80;
                let what = "a QoS 2 delivery that had begun is forgotten after UNSUBSCRIBE";
                let breach = || Breach::seen("pubrel", what, &[delivery.moment.id, seen.id(), back.id()]);
                tally.must(back.id(), forgotten.then(breach));
            }
            None if conn.is_legal() && facts.had_patience(conn, seen.moment.at) => {
                let what = "a QoS 2 delivery that had begun is not completed after UNSUBSCRIBE";
                tally.must(seen.id(), Some(Breach::missed("pubrec", what, &[delivery.moment.id, seen.id()])));
            }
            None => tally.may(),
        }
    }
}
