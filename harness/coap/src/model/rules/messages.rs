//! Messages: their form, message ids, tokens, acknowledgements, retransmission (RFC 7252 §3, §4, §5.2, §5.3).
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;

use super::{Breach, Facts, PATIENCE, Row, Seen, Tally};

/// ACK_TIMEOUT (RFC 7252 §4.8), less what two clocks may differ by.
const ACK_TIMEOUT_MIN: Duration = Duration::from_millis(1_900);
/// A message that was on its way, or being built, when ours left.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
        Row {
            id: "well-formed",
            clauses: &["RFC 7252 §3", "RFC 7252 §3.1", "RFC 7252 §4.1"],
            doc: "every message of the server is well formed",
            judge: well_formed,
        },
        Row {
            id: "token-is-echoed",
            clauses: &["RFC 7252 §5.3.1"],
            doc: "a response has the token of a request",
            judge: token_is_echoed,
        },
        Row {
            id: "mid-is-matched",
            clauses: &["RFC 7252 §4.2", "RFC 7252 §4.4"],
            doc: "ACK and RST have the message id of a message of ours",
            judge: mid_is_matched,
        },
        Row {
            id: "piggybacked-matches-both",
            clauses: &["RFC 7252 §5.3.2"],
            doc: "a response in an ACK has message id and token of one request",
            judge: piggybacked_matches_both,
        },
        Row {
            id: "non-is-not-acknowledged",
            clauses: &["RFC 7252 §4.3"],
            doc: "a NON is not acknowledged",
            judge: non_is_not_acknowledged,
        },
        Row {
            id: "con-is-acknowledged",
            clauses: &["RFC 7252 §4.2"],
            doc: "a CON is acknowledged or reset",
            judge: con_is_acknowledged,
        },
        Row {
            id: "ping-is-reset",
            clauses: &["RFC 7252 §4.2"],
            doc: "an Empty CON is answered by RST",
            judge: ping_is_reset,
        },
        Row {
            id: "separate-after-empty-ack",
            clauses: &["RFC 7252 §5.2.2"],
            doc: "after an Empty ACK the response never comes in another ACK",
            judge: separate_after_empty_ack,
        },
        Row {
            id: "own-mid-not-reused",
            clauses: &["RFC 7252 §4.4"],
            doc: "a message id of the server is not used again for another message within EXCHANGE_LIFETIME",
            judge: own_mid_not_reused,
        },
        Row {
            id: "sent-again-in-time",
            clauses: &["RFC 7252 §4.2"],
            doc: "a CON of the server is sent again at least ACK_TIMEOUT apart, and at most MAX_RETRANSMIT times",
            judge: sent_again_in_time,
        },
        Row {
            id: "acknowledged-is-not-sent-again",
            clauses: &["RFC 7252 §5.2.2"],
            doc: "our ACK or RST stops the retransmission of a response",
            judge: acknowledged_is_not_sent_again,
        },
        Row {
            id: "copies-answered-alike",
            clauses: &["RFC 7252 §4.5"],
            doc: "a copy of a CON request is answered as the first was",
            judge: copies_answered_alike,
        },
    ]
}

fn well_formed(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in &facts.assocs {
        for (_, seen) in assoc.heard() {
            let packet = seen.packet;
            let breach = (!packet.malformed.is_empty()).then(|| {
                Breach::seen(packet.kind.as_str(), format!("{}: {}", packet.kind, packet.malformed), &[seen.id()])
            });
            tally.must(seen.id(), breach);
        }
    }
}

fn token_is_echoed(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| seen.is("response")) {
            let known = assoc.packets[..at].iter().any(|said| {
                said.sent && said.token() == seen.token() && !said.token().is_empty()
                    || said.sent && said.is("request") && seen.token().is_empty() && said.token().is_empty()
            });
            if !known && assoc.odd_before(at) {
                tally.may();
                continue;
            }
            let breach = (!known).then(|| {
                Breach::seen(
                    format!("response/{}", seen.message()),
                    format!("a {} has a token that no request had", seen.code()),
                    &[seen.id()],
                )
            });
            tally.must(seen.id(), breach);
        }
    }
}

fn mid_is_matched(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| seen.message() == "ack" || seen.message() == "rst") {
            let known = assoc.packets[..at].iter().any(|said| said.sent && said.mid() == seen.mid());
            let breach = (!known).then(|| {
                Breach::seen(
                    seen.message(),
                    format!("{} for a message id that we never used", seen.message()),
                    &[seen.id()],
                )
            });
            tally.must(seen.id(), breach);
        }
    }
}

fn piggybacked_matches_both(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| seen.is("response") && seen.message() == "ack") {
            let both = |said: &Seen<'_>| said.sent && said.mid() == seen.mid() && said.token() == seen.token();
            if !assoc.packets[..at].iter().any(both) && assoc.odd_before(at) {
                tally.may();
                continue;
            }
            let breach = (!assoc.packets[..at].iter().any(both)).then(|| {
                Breach::seen("response/ack", "message id and token are not those of one request", &[seen.id()])
            });
            tally.must(seen.id(), breach);
        }
    }
}

fn non_is_not_acknowledged(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, said) in assoc.said().filter(|(_, said)| said.message() == "non" && said.is_legal()) {
            // A message id that a CON had as well belongs to either.
            if assoc.said().any(|(_, other)| other.mid() == said.mid() && other.message() != "non") {
                continue;
            }
            let ack = assoc.heard().find(|(_, seen)| seen.message() == "ack" && seen.mid() == said.mid());
            tally.must_not(
                said.id(),
                ack.map(|(_, seen)| Breach::seen("ack", "a NON was acknowledged", &[said.id(), seen.id()])),
            );
        }
    }
}

fn con_is_acknowledged(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal().filter(|(_, request)| request.message() == "con") {
            let answered = assoc.heard().find(|(at, seen)| {
                *at > exchange.request && seen.mid() == request.mid() && ["ack", "rst"].contains(&seen.message())
            });
            match answered {
                Some((_, seen)) => tally.must(seen.id(), None),
                // Its response came and may be taken for the acknowledgement (RFC 7252 §5.2.2).
                None if !exchange.responses.is_empty() => tally.may(),
                None if facts.had_patience(assoc, request.moment.at, PATIENCE) => {
                    let breach = Breach::missed(
                        "request",
                        "a legal CON request was neither acknowledged nor reset",
                        &[request.id()],
                    );
                    tally.must(request.id(), Some(breach));
                }
                None => tally.may(),
            }
        }
    }
}

fn ping_is_reset(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, ping) in assoc.said().filter(|(_, said)| said.is("ping") && said.is_legal()) {
            let answer = assoc.packets[at..].iter().find(|seen| !seen.sent && seen.mid() == ping.mid());
            match answer {
                Some(seen) => {
                    let breach = (!seen.is("rst")).then(|| {
                        Breach::seen(
                            "ping",
                            format!("an Empty CON is answered by {}", seen.packet.kind),
                            &[ping.id(), seen.id()],
                        )
                    });
                    tally.must(seen.id(), breach);
                }
                None if facts.had_patience(assoc, ping.moment.at, PATIENCE) => {
                    tally.must(ping.id(), Some(Breach::missed("ping", "an Empty CON got no RST", &[ping.id()])));
                }
                None => tally.may(),
            }
        }
    }
}

fn separate_after_empty_ack(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal() {
            let Some(ack) = exchange.ack else { continue };
            let later = exchange
                .responses
                .iter()
                .map(|at| (*at, &assoc.packets[*at]))
                .find(|(at, seen)| *at > ack && seen.message() == "ack" && seen.mid() == request.mid());
            let breach = later.map(|(_, seen)| {
                Breach::seen("response/ack", "the response came in a second ACK", &[assoc.packets[ack].id(), seen.id()])
            });
            tally.must_not(assoc.packets[ack].id(), breach);
        }
    }
}

/// Messages of the server's own, CON and NON, by message id.
fn own<'f, 'a>(packets: &'f [Seen<'a>]) -> BTreeMap<i64, Vec<&'f Seen<'a>>> {
    let mut own: BTreeMap<i64, Vec<&Seen<'_>>> = BTreeMap::new();
    for seen in packets.iter().filter(|seen| !seen.sent && ["con", "non"].contains(&seen.message())) {
        own.entry(seen.mid()).or_default().push(seen);
    }
    own
}

fn own_mid_not_reused(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for all in own(&assoc.packets).values() {
            // Observe and Max-Age are brought up to date when a notification is sent again.
            let other = all.iter().find(|seen| seen.token() != all[0].token() || seen.message() != all[0].message());
            let breach = other.map(|seen| {
                Breach::seen(
                    seen.message(),
                    "a message id of the server was used for two messages",
                    &[all[0].id(), seen.id()],
                )
            });
            tally.must_not(all[0].id(), breach);
        }
    }
}

fn sent_again_in_time(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for all in own(&assoc.packets).values().filter(|all| all[0].message() == "con" && all.len() > 1) {
            let early = all
                .windows(2)
                .find(|two| two[1].moment.at.since(two[0].moment.at) < ACK_TIMEOUT_MIN && awake(facts, two));
            let breach = if all.len() > 5 {
                Some(Breach::seen(
                    "con/too-often",
                    format!("a CON was sent {} times", all.len()),
                    &[all[0].id(), all[5].id()],
                ))
            } else {
                early.map(|two| {
                    let apart = two[1].moment.at.since(two[0].moment.at).as_millis();
                    Breach::seen(
                        "con/too-soon",
                        format!("a CON was sent again after {apart} ms"),
                        &[two[0].id(), two[1].id()],
                    )
                })
            };
            tally.must_not(all[0].id(), breach);
        }
    }
}

/// What waited for us in the kernel looks closer together than it was sent.
fn awake(facts: &Facts<'_>, two: &[&Seen<'_>]) -> bool {
    facts.record.lateness.stopped_between(two[0].moment.at, two[1].moment.at).is_none()
}

fn acknowledged_is_not_sent_again(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for all in own(&assoc.packets).values().filter(|all| all[0].message() == "con") {
            let answer = assoc.said().find(|(_, said)| {
                said.mid() == all[0].mid() && (said.is("ack") || said.is("rst")) && said.id() > all[0].id()
            });
            let Some((_, answer)) = answer else { continue };
            let again = all.iter().find(|seen| seen.moment.at > answer.moment.at + ON_ITS_WAY);
            let breach = again.map(|seen| {
                Breach::seen("con", "a response came again although it was acknowledged", &[answer.id(), seen.id()])
            });
            tally.must_not(answer.id(), breach);
        }
    }
}

fn copies_answered_alike(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in
            assoc.legal().filter(|(exchange, request)| !exchange.copies.is_empty() && request.message() == "con")
        {
            // RFC 7252 §4.5 lets a server answer copies of an idempotent request anew.
            if request.text("method") != Some("post") {
                continue;
            }
            let piggybacked: Vec<&Seen<'_>> = exchange
                .responses
                .iter()
                .map(|at| &assoc.packets[*at])
                .filter(|seen| seen.message() == "ack")
                .collect();
            let Some(first) = piggybacked.first() else { continue };
            let other = piggybacked.iter().find(|seen| seen.packet.fields != first.packet.fields);
            let breach = other.map(|seen| {
                Breach::seen("post", "a copy of a POST was answered otherwise than the first", &[first.id(), seen.id()])
            });
            tally.must_not(first.id(), breach);
        }
    }
}
