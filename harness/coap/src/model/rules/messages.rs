//! Messages: their form, message ids, tokens, acknowledgements, retransmission (RFC 7252 §3, §4, §5.2, §5.3).
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;

use super::{Breach, EXCHANGE_LIFETIME, Facts, PATIENCE, Row, Seen, Tally};

/// The least that ACK_TIMEOUT should be set to (1 s, RFC 7252 §4.8.1; 2 s where nobody sets it), less what two clocks may differ by.
const ACK_TIMEOUT_MIN: Duration = Duration::from_millis(900);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "well-formed",
        clauses: &["RFC 7252 §3-1", "RFC 7252 §3-3", "RFC 7252 §3.1-1"],
        doc: "every message of the server is well formed",
        judge: well_formed,
    },
    Row {
        id: "token-is-echoed",
        clauses: &["RFC 7252 §5.3.1-1", "RFC 7252 §5.3.2-3"],
        doc: "a response has the token of a request",
        judge: token_is_echoed,
    },
    Row {
        id: "mid-is-matched",
        clauses: &["RFC 7252 §4.2-2", "RFC 7252 §4.2-3", "RFC 7252 §4.4-1"],
        doc: "ACK and RST have the message id of a message of ours",
        judge: mid_is_matched,
    },
    Row {
        id: "piggybacked-matches-both",
        clauses: &["RFC 7252 §5.3.2-2"],
        doc: "a response in an ACK has message id and token of one request",
        judge: piggybacked_matches_both,
    },
    Row {
        id: "non-is-not-acknowledged",
        clauses: &["RFC 7252 §4.3-2"],
        doc: "a NON is not acknowledged",
        judge: non_is_not_acknowledged,
    },
    Row {
        id: "con-is-acknowledged",
        clauses: &["RFC 7252 §4.2-1"],
        doc: "a CON is acknowledged or reset",
        judge: con_is_acknowledged,
    },
    Row {
        id: "ping-is-reset",
        clauses: &["RFC 7252 §4.2-1", "RFC 7252 §4.2-3"],
        doc: "an Empty CON is answered by RST",
        judge: ping_is_reset,
    },
    Row {
        id: "separate-after-empty-ack",
        clauses: &["RFC 7252 §5.2.2-1"],
        doc: "after an Empty ACK the response never comes in another ACK",
        judge: separate_after_empty_ack,
    },
    Row {
        id: "own-mid-not-reused",
        clauses: &["RFC 7252 §4.4-2"],
        doc: "a message id of the server is not used again for another message within EXCHANGE_LIFETIME",
        judge: own_mid_not_reused,
    },
    Row {
        id: "sent-again-in-time",
        clauses: &["RFC 7252 §4.2-6"],
        doc: "a CON of the server is sent again at least ACK_TIMEOUT apart",
        judge: sent_again_in_time,
    },
    Row {
        id: "acknowledged-is-not-sent-again",
        clauses: &["RFC 7252 §5.2.2-4"],
        doc: "our ACK or RST stops the retransmission of a response",
        judge: acknowledged_is_not_sent_again,
    },
];

fn well_formed(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, seen) in assoc.heard() {
            let packet = seen.packet;
            let breach = (!packet.malformed.is_empty()).then(|| {
                Breach::seen(packet.kind.as_str(), format!("{}: {}", packet.kind, packet.malformed), &[seen.id()])
            });
            tally.must(seen.id(), breach);
        }
    }
}

/// A response of the server's own time, which may follow a first one.
pub(super) fn is_notification(seen: &Seen<'_>) -> bool {
    seen.is("response") && seen.message() != "ack" && seen.has("observe")
}

fn token_is_echoed(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| seen.is("response") && !is_notification(seen)) {
            let known = assoc.token_before(seen.token(), at);
            // Who was there before us on this port may still be told something.
            if !known && (assoc.odd_before(at) || !facts.alone) {
                tally.may();
                continue;
            }
            let breach = (!known).then(|| {
                let what = format!("a {} has a token that no request had", seen.code());
                Breach::seen(format!("response/{}", seen.message()), what, &[seen.id()])
            });
            tally.must(seen.id(), breach);
        }
    }
}

fn mid_is_matched(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, seen) in assoc.heard().filter(|(_, seen)| ["ack", "rst"].contains(&seen.message())) {
            let known = assoc.said_with(seen.mid()).any(|said| said.id() < seen.id());
            let what = || format!("{} for a message id that we never used", seen.message());
            tally.must(seen.id(), (!known).then(|| Breach::seen(seen.message(), what(), &[seen.id()])));
        }
    }
}

fn piggybacked_matches_both(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| seen.is("response") && seen.message() == "ack") {
            let both = assoc.said_with(seen.mid()).any(|said| said.id() < seen.id() && said.token() == seen.token());
            if !both && assoc.odd_before(at) {
                tally.may();
                continue;
            }
            let what = "message id and token are not those of one request";
            tally.must(seen.id(), (!both).then(|| Breach::seen("response/ack", what, &[seen.id()])));
        }
    }
}

fn non_is_not_acknowledged(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, said) in assoc.said().filter(|(_, said)| said.message() == "non" && said.is_legal()) {
            // A message id that a CON had as well belongs to either.
            if assoc.said_with(said.mid()).any(|other| other.message() != "non") {
                continue;
            }
            let ack = assoc.heard_with(said.mid()).find(|seen| seen.message() == "ack");
            let breach = ack.map(|seen| Breach::seen("ack", "a NON was acknowledged", &[said.id(), seen.id()]));
            tally.must_not(said.id(), breach);
        }
    }
}

/// A datagram may be lost on any road: a request that was sent once and not again shows nothing.
fn con_is_acknowledged(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal().filter(|(_, request)| request.message() == "con") {
            let answers = |seen: &&Seen<'_>| seen.id() > request.id() && ["ack", "rst"].contains(&seen.message());
            let last = exchange.copies.last().map(|at| assoc.packets[*at].moment.at);
            match (assoc.heard_with(request.mid()).find(answers), last) {
                (Some(seen), _) => tally.must(seen.id(), None),
                // Its response came and may be taken for the acknowledgement (RFC 7252 §5.2.2).
                (None, _) if !exchange.responses.is_empty() => tally.may(),
                (None, Some(last)) if facts.had_patience(assoc, last, PATIENCE) => {
                    let what = "a legal CON request, sent again, was neither acknowledged nor reset";
                    tally.must(request.id(), Some(Breach::missed("request", what, &[request.id()])));
                }
                (None, _) => tally.may(),
            }
        }
    }
}

/// One that is not answered may have been lost; of two in a row the second shows it.
fn ping_is_reset(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        let mut lost = 0;
        for (_, ping) in assoc.said().filter(|(_, said)| said.is("ping") && said.is_legal()) {
            let answers = |seen: &&Seen<'_>| seen.id() > ping.id() && !["con", "non"].contains(&seen.message());
            let answer = assoc.heard_with(ping.mid()).find(answers);
            lost = if answer.is_none() { lost + 1 } else { 0 };
            match answer {
                Some(seen) => {
                    let what = || format!("an Empty CON is answered by {}", seen.packet.kind);
                    let breach = (!seen.is("rst")).then(|| Breach::seen("ping", what(), &[ping.id(), seen.id()]));
                    tally.must(seen.id(), breach);
                }
                None if lost > 1 && facts.had_patience(assoc, ping.moment.at, PATIENCE) => {
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

/// Messages of the server's own, CON and NON: those with one message id within the time for which it stands for one exchange.
fn own<'f, 'a>(packets: &'f [Seen<'a>]) -> Vec<Vec<&'f Seen<'a>>> {
    let (mut own, mut last): (Vec<Vec<&Seen<'_>>>, BTreeMap<i64, usize>) = Default::default();
    for seen in packets.iter().filter(|seen| !seen.sent && ["con", "non"].contains(&seen.message())) {
        let since = |at: &usize| seen.moment.at.since(own[*at][0].moment.at);
        let group = last.get(&seen.mid()).copied().filter(|at| since(at) <= EXCHANGE_LIFETIME);
        let group = group.unwrap_or_else(|| {
            own.push(Vec::new());
            own.len() - 1
        });
        last.insert(seen.mid(), group);
        own[group].push(seen);
    }
    own
}

fn own_mid_not_reused(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for all in own(&assoc.packets) {
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
        for all in own(&assoc.packets).iter().filter(|all| all[0].message() == "con" && all.len() > 1) {
            let early = all.windows(2).find(|two| two[1].moment.at.since(two[0].moment.at) < ACK_TIMEOUT_MIN);
            // What waited for us in the kernel looks closer together than it was sent.
            let late = facts.record.lateness.between(assoc.who.0, all[0].moment.at, all[all.len() - 1].moment.at);
            if early.is_some() && !late.is_zero() {
                tally.may();
                continue;
            }
            let breach = early.map(|two| {
                let apart = two[1].moment.at.since(two[0].moment.at).as_millis();
                let what = format!("a CON was sent again after {apart} ms");
                Breach::seen("con/too-soon", what, &[two[0].id(), two[1].id()])
            });
            tally.must_not(all[0].id(), breach);
        }
    }
}

/// One acknowledgement may be lost: only what comes again after the second shows that it was not heeded.
fn acknowledged_is_not_sent_again(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for all in own(&assoc.packets).iter().filter(|all| all[0].message() == "con") {
            let answers = |said: &&Seen<'_>| (said.is("ack") || said.is("rst")) && said.id() > all[0].id();
            let mut answers = assoc.said_with(all[0].mid()).filter(answers);
            let (Some(first), second) = (answers.next(), answers.next()) else { continue };
            if second.is_none() && all.len() > 1 {
                tally.may();
                continue;
            }
            let late =
                |seen: &&&Seen<'_>| second.is_some_and(|said| facts.settled(assoc, said.moment.at, seen.moment.at));
            let breach = all.iter().find(late).map(|seen| {
                Breach::seen("con", "a response came again although it was acknowledged", &[first.id(), seen.id()])
            });
            tally.must_not(first.id(), breach);
        }
    }
}
