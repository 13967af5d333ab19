//! Observing resources (RFC 7641).
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;

use super::content::answered;
use super::{Assoc, Breach, Exchange, Facts, Row, Seen, Tally};

/// How long an observer waits for the notification of a change when another has had his.
pub(super) const CHANGE: Duration = Duration::from_secs(6);

/// Within this time of each other two NONs may have crossed.
const CROSSED: Duration = Duration::from_secs(1);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "notifications-rise",
        clauses: &["RFC 7641 §4.4-3", "RFC 7641 §4.4-1", "RFC 7641 §4.4-2"],
        doc: "the sequence numbers of notifications rise",
        judge: notifications_rise,
    },
    Row {
        id: "only-success-has-observe",
        clauses: &["RFC 7641 §4.2-6"],
        doc: "a notification that is no success has no Observe",
        judge: only_success_has_observe,
    },
    Row {
        id: "one-format",
        clauses: &["RFC 7641 §4.2-4"],
        doc: "notifications have the Content-Format of the first response",
        judge: one_format,
    },
    Row {
        id: "deregistered",
        clauses: &["RFC 7641 §4.1-6", "RFC 7641 §4.1-5"],
        doc: "after a deregistration no notification comes, and its response has no Observe",
        judge: deregistered,
    },
    Row {
        id: "reset-ends-it",
        clauses: &["RFC 7641 §4.5-4"],
        doc: "a reset of a notification ends the observation",
        judge: reset_ends_it,
    },
    Row {
        id: "not-observed-unasked",
        clauses: &["RFC 7641 §4.1-4"],
        doc: "a response to a request without Observe has none",
        judge: not_observed_unasked,
    },
    Row {
        id: "every-observer-is-told",
        clauses: &["RFC 7641 §4.1-1"],
        doc: "a change of the resource reaches every observer",
        judge: every_observer_is_told,
    },
];

/// Registrations that were taken: the exchange, its request, and the responses with and after the first.
pub(super) fn observations<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Assoc<'a>, &'f Exchange, &'f Seen<'a>)> {
    facts.assocs.iter().filter(|assoc| assoc.clean).flat_map(|assoc| {
        // Of a token that registers again nobody can say which registration a notification is of.
        let asked = assoc.legal().filter(|(exchange, request)| {
            exchange.is_first && request.int("observe") == Some(0) && request.text("method") == Some("get")
        });
        let taken = |exchange: &Exchange| {
            exchange
                .responses
                .first()
                .is_some_and(|at| assoc.packets[*at].has("observe") && assoc.packets[*at].succeeds())
        };
        asked.filter(move |(exchange, _)| taken(exchange)).map(move |(exchange, request)| (assoc, exchange, request))
    })
}

pub(super) fn told<'f, 'a>(assoc: &'f Assoc<'a>, exchange: &'f Exchange) -> impl Iterator<Item = &'f Seen<'a>> {
    exchange.responses.iter().map(|at| &assoc.packets[*at])
}

fn notifications_rise(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, _) in observations(facts) {
        let mut before: Option<&Seen<'_>> = None;
        let mut known: BTreeSet<(&str, i64)> = BTreeSet::new();
        for seen in told(assoc, exchange).filter(|seen| seen.has("observe")) {
            // A copy of a message may come after those that followed it.
            if !known.insert((seen.message(), seen.mid())) {
                continue;
            }
            // What need not be acknowledged may be overtaken on its way: the number is there for that.
            let crossed = |last: &&Seen<'_>| {
                let apart = seen.moment.at.since(last.moment.at) <= CROSSED;
                apart && (last.message() == "non" || seen.message() == "non")
            };
            if let Some(last) = before.filter(|last| !crossed(last)) {
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
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
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

/// The server surely had it once its own answer is there; what is sent again after that is older.
fn deregistered(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal().filter(|(_, request)| request.int("observe") == Some(1)) {
            let answers = |at: &usize| {
                let seen = &assoc.packets[*at];
                seen.message() == "ack" && seen.mid() == request.mid()
            };
            let answer = exchange.responses.iter().copied().find(answers);
            let Some(had) = exchange.ack.into_iter().chain(answer).min().map(|at| &assoc.packets[at]) else { continue };
            if assoc.registers_after(request.token(), exchange.request) {
                tally.may();
                continue;
            }
            let wrong = answer.map(|at| &assoc.packets[at]).filter(|seen| seen.has("observe"));
            let wrong = wrong.map(|seen| ("response", seen));
            let wrong = wrong.or_else(|| goes_on(facts, assoc, exchange, had).map(|seen| ("notification", seen)));
            let what = "Observe after a deregistration";
            tally.must_not(had.id(), wrong.map(|(place, seen)| Breach::seen(place, what, &[request.id(), seen.id()])));
        }
    }
}

/// What shows that notifications of an exchange go on long after a packet that stops them: a NON, or the second CON, that had not come
/// before; one CON may have been lost before, and be sent again since.
fn goes_on<'f, 'a>(
    facts: &Facts<'_>,
    assoc: &'f Assoc<'a>,
    exchange: &Exchange,
    stopped: &Seen<'_>,
) -> Option<&'f Seen<'a>> {
    let mut waiting: Option<i64> = None;
    exchange.responses.iter().map(|at| &assoc.packets[*at]).find(|seen| {
        let own = seen.message() != "ack" && seen.has("observe");
        let old = || assoc.heard_with(seen.mid()).any(|other| other.message() != "ack" && other.id() < stopped.id());
        if !own || !facts.settled(assoc, stopped.moment.at, seen.moment.at) || old() {
            return false;
        }
        seen.message() == "non" || waiting.replace(seen.mid()).is_some_and(|mid| mid != seen.mid())
    })
}

/// One reset may be lost: the second is heeded.
fn reset_ends_it(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, request) in observations(facts) {
        let own = told(assoc, exchange).filter(|seen| seen.message() != "ack");
        let resets =
            own.flat_map(|seen| assoc.said_with(seen.mid()).find(|said| said.is("rst") && said.id() > seen.id()));
        let mut resets: Vec<&Seen<'_>> = resets.collect();
        resets.sort_by_key(|rst| rst.id());
        resets.dedup_by_key(|rst| rst.id());
        let (Some(first), second) = (resets.first(), resets.get(1)) else { continue };
        let Some(second) = second.filter(|_| !assoc.registers_after(request.token(), exchange.request)) else {
            tally.may();
            continue;
        };
        let later = goes_on(facts, assoc, exchange, second);
        tally.must_not(
            first.id(),
            later.map(|seen| {
                Breach::seen("notification", "a notification came after two were reset", &[first.id(), seen.id()])
            }),
        );
    }
}

fn not_observed_unasked(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, request, seen) in answered(facts).filter(|(_, request, _)| !request.has("observe")) {
        if !assoc.observes(request.token()) {
            tally.must_not(
                seen.id(),
                seen.has("observe")
                    .then(|| Breach::seen("response", "Observe that nobody asked for", &[request.id(), seen.id()])),
            );
        }
    }
}

/// A PUT that succeeded: whoever observes that path is told, where another observer of it was. One that nobody was told of may change
/// nothing, or be told later: no time is named. One notification may be lost, so that it takes two changes to show an observer forgotten.
fn every_observer_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    let mut watchers: BTreeMap<Option<&str>, Vec<Watcher<'_, '_>>> = BTreeMap::new();
    let deletes: Vec<&Seen<'_>> =
        answered(facts).map(|(_, said, _)| said).filter(|said| said.text("method") == Some("delete")).collect();
    for (assoc, exchange, asked) in observations(facts).filter(|(_, _, asked)| !asked.has("query")) {
        // What was deleted is observed no more: all that is owed for what was before is to be told so.
        if deletes.iter().any(|said| said.text("path") == asked.text("path") && said.id() > asked.id()) {
            continue;
        }
        watchers.entry(asked.text("path")).or_default().push(Watcher::new(assoc, exchange, asked));
    }
    let puts = answered(facts).filter(|(_, said, seen)| said.text("method") == Some("put") && seen.code() == "2.04");
    for (_, request, done) in puts {
        let Some(on) = watchers.get_mut(&request.text("path")).filter(|on| on.len() > 1) else { continue };
        let first = on.iter().filter(|one| one.watches(request)).filter_map(|one| one.news(request));
        let first = first.map(|seen| seen.moment.at).min();
        for watcher in on.iter_mut().filter(|one| one.watches(request)) {
            match (watcher.news(request), first) {
                (Some(seen), _) => tally.must(seen.id(), None),
                (None, Some(first)) if facts.had_patience(watcher.assoc, first, CHANGE) => {
                    watcher.missed += 1;
                    if watcher.missed < 2 {
                        tally.may();
                        continue;
                    }
                    let path = request.text("path").unwrap_or("/");
                    let what = format!("{path:?} changed twice, and one of its observers was not told");
                    tally.must(done.id(), Some(Breach::missed("notification", what, &[request.id(), done.id()])));
                }
                _ => tally.may(),
            }
        }
    }
}

/// One who observes.
struct Watcher<'f, 'a> {
    assoc: &'f Assoc<'a>,
    exchange: &'f Exchange,
    /// The response that registered it.
    first: &'f Seen<'a>,
    /// It was taken back, or something was reset.
    over: bool,
    /// Changes that it was not told of.
    missed: u32,
}

impl<'f, 'a> Watcher<'f, 'a> {
    fn new(assoc: &'f Assoc<'a>, exchange: &'f Exchange, asked: &Seen<'_>) -> Watcher<'f, 'a> {
        let first = &assoc.packets[exchange.responses[0]];
        let leaves =
            |said: &Seen<'_>| said.is("rst") || (said.token() == asked.token() && said.int("observe") == Some(1));
        let left = assoc.said().any(|(_, said)| said.id() > first.id() && leaves(said));
        // What comes after a registration anew is for that one.
        let over = left || assoc.registers_after(asked.token(), exchange.request);
        Watcher { assoc, exchange, first, over, missed: 0 }
    }

    /// What it was told first after a request.
    fn news(&self, request: &Seen<'_>) -> Option<&'f Seen<'a>> {
        let all = &self.exchange.responses;
        let at = all.partition_point(|at| self.assoc.packets[*at].id() <= request.id());
        all.get(at).map(|at| &self.assoc.packets[*at])
    }

    /// Whether the registration stood before a request and was not taken back, by either side, and the request says something new to it.
    fn watches(&self, request: &Seen<'_>) -> bool {
        let ended = |seen: &Seen<'_>| seen.id() < request.id() && !seen.succeeds();
        let stands = !self.over && !told(self.assoc, self.exchange).any(ended);
        self.first.id() < request.id() && stands && self.first.payload() != request.payload()
    }
}
