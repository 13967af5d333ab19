//! What subscribing grants, and what unsubscribing ends.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{Breach, Facts, Row, Tally};
use crate::model::breach::{column, filters};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
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
    ]
}

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
