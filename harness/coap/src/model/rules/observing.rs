//! Observing resources (RFC 7641).
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;

use super::content::answered;
use super::{Assoc, Breach, Exchange, Facts, Row, Seen, Tally};

/// How long an observer waits for the notification of a change when another has had his.
const CHANGE: Duration = Duration::from_secs(6);

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
        Row {
            id: "notifications-rise",
            clauses: &["RFC 7641 §4.4"],
            doc: "the sequence numbers of notifications rise",
            judge: notifications_rise,
        },
        Row {
            id: "only-success-has-observe",
            clauses: &["RFC 7641 §4.2"],
            doc: "a notification that is no success has no Observe",
            judge: only_success_has_observe,
        },
        Row {
            id: "one-format",
            clauses: &["RFC 7641 §4.2"],
            doc: "notifications have the Content-Format of the first response",
            judge: one_format,
        },
        Row {
            id: "deregistered",
            clauses: &["RFC 7641 §4.1"],
            doc: "after a deregistration no notification comes, and its response has no Observe",
            judge: deregistered,
        },
        Row {
            id: "reset-ends-it",
            clauses: &["RFC 7641 §4.5"],
            doc: "a reset of a notification ends the observation",
            judge: reset_ends_it,
        },
        Row {
            id: "not-observed-unasked",
            clauses: &["RFC 7641 §4.1"],
            doc: "a response to a request without Observe has none",
            judge: not_observed_unasked,
        },
        Row {
            id: "every-observer-is-told",
            clauses: &["RFC 7641 §4.1", "RFC 7641 §4.5"],
            doc: "a change of the resource reaches every observer",
            judge: every_observer_is_told,
        },
    ]
}

/// Registrations that were taken: the exchange, its request, and the responses with and after the first.
fn observations<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Assoc<'a>, &'f Exchange, &'f Seen<'a>)> {
    facts.assocs.iter().filter(|assoc| assoc.clean).flat_map(|assoc| {
        let asked = assoc
            .legal()
            .filter(|(_, request)| request.int("observe") == Some(0) && request.text("method") == Some("get"));
        let taken = |exchange: &Exchange| {
            exchange
                .responses
                .first()
                .is_some_and(|at| assoc.packets[*at].has("observe") && assoc.packets[*at].succeeds())
        };
        asked.filter(move |(exchange, _)| taken(exchange)).map(move |(exchange, request)| (assoc, exchange, request))
    })
}

fn told<'f, 'a>(assoc: &'f Assoc<'a>, exchange: &'f Exchange) -> impl Iterator<Item = &'f Seen<'a>> {
    exchange.responses.iter().map(|at| &assoc.packets[*at])
}

fn notifications_rise(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, _) in observations(facts) {
        let mut before: Option<&Seen<'_>> = None;
        for seen in told(assoc, exchange).filter(|seen| seen.has("observe")) {
            if let Some(last) = before
                && last.mid() != seen.mid()
            {
                let (old, new) = (last.int("observe").unwrap_or(0), seen.int("observe").unwrap_or(0));
                // Serial numbers of 24 bits (RFC 7641 §3.4); after 128 s any is fresher.
                let fresh = (new - old).rem_euclid(1 << 24) != 0 && (new - old).rem_euclid(1 << 24) < 1 << 23;
                let old_age = seen.moment.at.since(last.moment.at) > Duration::from_secs(128);
                let breach = (!fresh && !old_age).then(|| {
                    Breach::seen("notification", format!("sequence number {new} after {old}"), &[last.id(), seen.id()])
                });
                tally.must(seen.id(), breach);
            }
            before = Some(seen);
        }
    }
}

fn only_success_has_observe(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in &facts.assocs {
        for (_, seen) in assoc.heard().filter(|(_, seen)| seen.is("response") && !seen.succeeds()) {
            let breach = seen
                .has("observe")
                .then(|| Breach::seen("error", format!("a {} has Observe", seen.code()), &[seen.id()]));
            tally.must_not(seen.id(), breach);
        }
    }
}

fn one_format(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, _) in observations(facts) {
        let mut all = told(assoc, exchange).filter(|seen| seen.code() == "2.05");
        let Some(first) = all.next() else { continue };
        for seen in all {
            let breach = (seen.int("content_format") != first.int("content_format"))
                .then(|| Breach::seen("notification", "the Content-Format changed", &[first.id(), seen.id()]));
            tally.must(seen.id(), breach);
        }
    }
}

fn deregistered(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal().filter(|(_, request)| request.int("observe") == Some(1)) {
            let Some(first) = exchange.responses.first().map(|at| &assoc.packets[*at]) else { continue };
            let later = exchange
                .responses
                .iter()
                .skip(1)
                .map(|at| &assoc.packets[*at])
                .find(|seen| facts.settled(assoc, first.moment.at, seen.moment.at) && seen.has("observe"));
            let wrong = if first.has("observe") && first.mid() == request.mid() {
                Some(("response", first))
            } else {
                later.map(|seen| ("notification", seen))
            };
            let again = |token: &str| {
                assoc.said().any(|(_, said)| {
                    said.token() == token && said.int("observe") == Some(0) && said.id() > request.id()
                })
            };
            if again(request.token()) {
                tally.may();
                continue;
            }
            tally.must_not(
                first.id(),
                wrong.map(|(place, seen)| {
                    Breach::seen(place, "Observe after a deregistration", &[request.id(), seen.id()])
                }),
            );
        }
    }
}

fn reset_ends_it(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, request) in observations(facts) {
        let resets = assoc.said().filter(|(_, said)| said.is("rst")).map(|(_, said)| said);
        let mut of = resets.filter(|rst| {
            told(assoc, exchange).any(|seen| seen.mid() == rst.mid() && seen.message() != "ack" && seen.id() < rst.id())
        });
        let Some(rst) = of.next() else { continue };
        let again =
            assoc.said().any(|(_, said)| said.token() == request.token() && said.is("request") && said.id() > rst.id());
        if again {
            tally.may();
            continue;
        }
        let later = told(assoc, exchange)
            .find(|seen| facts.settled(assoc, rst.moment.at, seen.moment.at) && seen.mid() != rst.mid());
        tally.must_not(
            rst.id(),
            later.map(|seen| {
                Breach::seen("notification", "a notification came after one was reset", &[rst.id(), seen.id()])
            }),
        );
    }
}

fn not_observed_unasked(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, request, seen) in answered(facts).filter(|(_, request, _)| !request.has("observe")) {
        let registered = assoc.said().any(|(_, said)| said.token() == request.token() && said.has("observe"));
        if !registered {
            tally.must_not(
                seen.id(),
                seen.has("observe")
                    .then(|| Breach::seen("response", "Observe that nobody asked for", &[request.id(), seen.id()])),
            );
        }
    }
}

/// A PUT that succeeded: whoever observes that path is told, where another observer of it was. One that nobody was told of may change
/// nothing, or be told later: no time is named.
fn every_observer_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    let watchers: Vec<_> = observations(facts).filter(|(_, _, asked)| !asked.has("query")).collect();
    let puts = answered(facts).filter(|(_, said, seen)| said.text("method") == Some("put") && seen.code() == "2.04");
    for (_, request, done) in puts.filter(|_| watchers.len() > 1) {
        let on = watchers.iter().filter(|(_, _, asked)| asked.text("path") == request.text("path"));
        let watching: Vec<_> = on.filter(|watcher| watches(watcher, request)).collect();
        let first = watching.iter().filter_map(|watcher| news(watcher, request)).map(|seen| seen.moment.at).min();
        for watcher in &watching {
            match (news(watcher, request), first) {
                (Some(seen), _) => tally.must(seen.id(), None),
                (None, Some(first)) if facts.had_patience(watcher.0, first, CHANGE) => {
                    let what = format!(
                        "{:?} changed, and one of its observers was not told",
                        request.text("path").unwrap_or("/")
                    );
                    tally.must(done.id(), Some(Breach::missed("notification", what, &[request.id(), done.id()])));
                }
                _ => tally.may(),
            }
        }
    }
}

/// One who observes: his association, his registration, and its request.
type Watcher<'f, 'a> = (&'f Assoc<'a>, &'f Exchange, &'f Seen<'a>);

/// What a watcher was told first after a request.
fn news<'f, 'a>((assoc, exchange, _): &Watcher<'f, 'a>, request: &Seen<'_>) -> Option<&'f Seen<'a>> {
    told(assoc, exchange).find(|seen| seen.id() > request.id())
}

/// Whether a registration stood before a request and was not taken back, and the request says something new to it.
fn watches((assoc, exchange, asked): &Watcher<'_, '_>, request: &Seen<'_>) -> bool {
    let first = &assoc.packets[exchange.responses[0]];
    let leaves = |said: &Seen<'_>| said.is("rst") || (said.token() == asked.token() && said.int("observe") == Some(1));
    let over = assoc.said().any(|(_, said)| said.id() > first.id() && leaves(said));
    first.id() < request.id() && !over && first.payload() != request.payload()
}
