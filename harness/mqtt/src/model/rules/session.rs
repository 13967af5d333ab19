//! What a resumed session brings: messages and PUBRELs that were not acknowledged, with their identifiers.
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{Breach, Conn, Facts, Row, Tally};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
        Row {
            id: "sent-again-on-resume",
            clauses: &["MQTT5 4.4.0-1", "MQTT5 3.1.2-5", "MQTT3 4.4.0-1", "MQTT3 3.1.2-4"],
            doc: "a resumed session brings again, with its identifier, what was not acknowledged",
            judge: sent_again_on_resume,
        },
        Row {
            id: "pubrel-again-on-resume",
            clauses: &["MQTT5 4.4.0-1", "MQTT5 4.3.3-5", "MQTT3 4.4.0-1"],
            doc: "a resumed session brings again the PUBREL whose PUBCOMP was not sent",
            judge: pubrel_again_on_resume,
        },
        Row {
            id: "done-is-done",
            clauses: &["MQTT5 4.4.0-2", "MQTT5 4.4.0-1", "MQTT3 4.3.2-1"],
            doc: "what was acknowledged is not sent again",
            judge: done_is_done,
        },
        Row {
            id: "nothing-after-clean-start",
            clauses: &["MQTT5 3.1.2-4", "MQTT3 3.1.2-6"],
            doc: "Clean Start discards what was queued and not acknowledged",
            judge: nothing_after_clean_start,
        },
    ]
}

/// A connection and the one before it in its session, where the server says that the session is present.
fn resumed<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Conn<'a>, &'f Conn<'a>)> {
    facts.sessions.all.iter().flat_map(move |session| {
        session.conns.windows(2).map(move |two| (&facts.conns[&two[0]], &facts.conns[&two[1]]))
    })
}

fn sent_again_on_resume(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts).filter(|(before, _)| before.is_legal()) {
        for open in facts.open_on(before.number) {
            // After our PUBREC it is the PUBREL that is owed.
            let released =
                before.packets.iter().any(|seen| seen.sent && seen.is("pubrec") && seen.int("packet_id") == open.id);
            let room = after.ours("receive_maximum").unwrap_or(65_535) as usize;
            // Only a QoS 2 message that was sent once does not expire any more (MQTT5 4.3.3-7).
            let expires = open.qos == 1 && open.packet.fields.find("message_expiry").is_some();
            if expires
                || released
                || after.ours("maximum_packet_size").is_some()
                || facts.open_on(after.number).count() >= room
            {
                continue;
            }
            let again = facts.deliveries_on(after.number).find(|delivery| {
                delivery.id == open.id && delivery.packet.fields.find("payload") == open.packet.fields.find("payload")
            });
            let connack = after.packets[after.accepted.unwrap_or(0)].moment;
            match again {
                Some(delivery) => tally.must(delivery.moment.id, None),
                None if after.is_legal() && facts.had_patience(after, connack.at) => {
                    let what = format!("a QoS {} message that was not acknowledged did not come again", open.qos);
                    tally.must(
                        connack.id,
                        Some(Breach::missed(format!("publish/qos{}", open.qos), what, &[open.moment.id, connack.id])),
                    );
                }
                None => tally.may(),
            }
        }
    }
}

fn pubrel_again_on_resume(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts).filter(|(before, _)| before.is_legal()) {
        for open in facts.open_on(before.number).filter(|open| open.qos == 2) {
            let sent = |kind: &str| {
                before.packets.iter().any(|seen| {
                    seen.sent
                        && seen.is(kind)
                        && seen.int("packet_id") == open.id
                        && seen.int("reason").unwrap_or(0) < 0x80
                })
            };
            let heard =
                before.packets.iter().any(|seen| !seen.sent && seen.is("pubrel") && seen.int("packet_id") == open.id);
            if !sent("pubrec") || sent("pubcomp") {
                continue;
            }
            let back = after.packets.iter().find(|seen| {
                !seen.sent && (seen.is("pubrel") || seen.is("publish")) && seen.int("packet_id") == open.id
            });
            let connack = after.packets[after.accepted.unwrap_or(0)].moment;
            match back {
                Some(seen) if seen.is("pubrel") => tally.must(seen.id(), None),
                // It may not have had our PUBREC; once it has answered that with PUBREL, it had.
                Some(seen) if heard => tally.must(
                    seen.id(),
                    Some(Breach::seen("pubrel", "PUBLISH came again after PUBREL", &[open.moment.id, seen.id()])),
                ),
                None if heard && after.is_legal() && facts.had_patience(after, connack.at) => {
                    tally.must(
                        connack.id,
                        Some(Breach::missed(
                            "pubrel",
                            "a PUBREL that was not answered did not come again",
                            &[open.moment.id, connack.id],
                        )),
                    );
                }
                _ => tally.may(),
            }
        }
    }
}

fn done_is_done(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts).filter(|(before, after)| before.is_legal() && after.is_legal()) {
        for done in facts.deliveries_on(before.number).filter(|delivery| delivery.acked && !delivery.from.is_empty()) {
            // The acknowledgement may have been lost with the connection, unless the server went on after it.
            let acked = before.packets.iter().rev().find(|seen| {
                seen.sent && (seen.is("puback") || seen.is("pubcomp")) && seen.int("packet_id") == done.id
            });
            let Some(acked) = acked else { continue };
            let arrived = before.packets.iter().any(|seen| seen.sent && seen.is("pingreq") && seen.id() > acked.id())
                && before.packets.iter().any(|seen| !seen.sent && seen.is("pingresp") && seen.id() > acked.id());
            if !arrived {
                tally.may();
                continue;
            }
            let again = facts
                .deliveries_on(after.number)
                .find(|delivery| delivery.dup && delivery.id == done.id && delivery.from == done.from);
            let breach = again.map(|delivery| {
                Breach::seen(
                    format!("publish/qos{}", done.qos),
                    "an acknowledged message came again",
                    &[acked.id(), delivery.moment.id],
                )
            });
            tally.must_not(acked.id(), breach);
        }
    }
}

fn nothing_after_clean_start(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.clean() && conn.accepted.is_some()) {
        let Some(connack) = conn.accepted.map(|at| conn.packets[at].moment) else { continue };
        for (_, seen) in conn.heard().filter(|(_, seen)| seen.is("publish") || seen.is("pubrel")) {
            // Before anything was subscribed to on this connection nothing can come.
            let asked = conn.said().any(|(_, said)| said.is("subscribe") && said.id() < seen.id());
            let breach = (!asked).then(|| {
                Breach::seen(
                    seen.packet.kind.as_str(),
                    "it came after Clean Start and before any subscription",
                    &[connack.id, seen.id()],
                )
            });
            tally.must_not(seen.id(), breach);
        }
    }
}
