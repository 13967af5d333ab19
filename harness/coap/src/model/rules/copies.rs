//! Copies of a message: one effect, one answer (RFC 7252 §4.5, §5.2.2).
use alloc::format;

use super::{Assoc, Breach, Exchange, Facts, Row, Seen, Tally};
use crate::protocol::busy;

pub(super) const RULES: &[Row] = &[
    Row {
        id: "copy-gets-the-same",
        clauses: &["RFC 7252 §4.5-1"],
        doc: "each copy of a CON gets the same ACK or RST, and its request is processed once",
        judge: copy_gets_the_same,
    },
    Row {
        id: "non-copy-is-ignored",
        clauses: &["RFC 7252 §4.5-3"],
        doc: "a copy of a NON is ignored, and its request is processed once",
        judge: non_copy_is_ignored,
    },
    Row {
        id: "copy-while-waiting-gets-empty-ack",
        clauses: &["RFC 7252 §5.2.2-2"],
        doc: "a copy of a request whose response is still to come gets an Empty ACK",
        judge: copy_while_waiting_gets_empty_ack,
    },
];

/// What says the same may be answered anew: only a POST shows that a copy was obeyed (RFC 7252 §4.5, §5.1).
fn posts<'f, 'a>(assoc: &'f Assoc<'a>, message: &str) -> impl Iterator<Item = (&'f Exchange, &'f Seen<'a>)> {
    let copied = assoc.legal().filter(|(exchange, _)| !exchange.copies.is_empty());
    copied.filter(move |(_, request)| request.text("method") == Some("post") && request.message() == message)
}

fn copy_gets_the_same(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, request) in posts(assoc, "con") {
            let answers = assoc.heard_with(request.mid()).filter(|seen| matches!(seen.message(), "ack" | "rst"));
            let mut answers = answers.filter(|seen| seen.id() > request.id());
            let Some(first) = answers.next() else { continue };
            for seen in answers {
                // A response that was still to come may come in an ACK of its own kind, which is another rule's; who had no time for the
                // first, or asked for a proof, has processed nothing; and of two requests with one message id nobody can say whose it is.
                let open = first.is("ack") != seen.is("ack") || busy(first.packet) || busy(seen.packet);
                if open || !is_alone(assoc, request) {
                    tally.may();
                    continue;
                }
                let what = || format!("{} for a copy, where {} was the answer", told(seen), told(first));
                let breach = (seen.packet.fields != first.packet.fields)
                    .then(|| Breach::seen("post", what(), &[request.id(), first.id(), seen.id()]));
                tally.must(seen.id(), breach);
            }
        }
    }
}

/// Nothing else was said under the message id of a request.
fn is_alone(assoc: &Assoc<'_>, request: &Seen<'_>) -> bool {
    assoc.said_with(request.mid()).all(|said| said.packet.fields == request.packet.fields)
}

fn told(seen: &Seen<'_>) -> &'static str {
    match seen.packet.kind.as_str() {
        "ack" => "an Empty ACK",
        "rst" => "a RST",
        _ => "another response",
    }
}

/// A second response that says the same may be the first, sent again.
fn non_copy_is_ignored(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in posts(assoc, "non").filter(|(exchange, _)| exchange.is_only) {
            let mut responses = exchange.responses.iter().map(|at| &assoc.packets[*at]);
            let Some(first) = responses.next().filter(|first| !busy(first.packet)) else { continue };
            let other = responses.find(|seen| seen.payload() != first.payload() || seen.code() != first.code());
            let breach = other.map(|seen| {
                Breach::seen("post", "a copy of a NON was answered anew", &[request.id(), first.id(), seen.id()])
            });
            tally.must_not(first.id(), breach);
        }
    }
}

/// Of a response that was on its way when the copy left nobody can say that it came for it.
fn copy_while_waiting_gets_empty_ack(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (exchange, request) in assoc.legal() {
            let Some(ack) = exchange.ack.filter(|_| is_alone(assoc, request)) else { continue };
            for copy in exchange.copies.iter().filter(|copy| **copy > ack) {
                if exchange.responses.first().is_some_and(|at| at < copy) {
                    continue;
                }
                let copy = &assoc.packets[*copy];
                let mut answers = assoc.heard_with(request.mid()).filter(|seen| seen.id() > copy.id());
                match answers.find(|seen| matches!(seen.message(), "ack" | "rst")) {
                    Some(seen) => {
                        let what = || format!("{} for a copy of a request that is being worked on", told(seen));
                        let breach = (!seen.is("ack"))
                            .then(|| Breach::seen(seen.packet.kind.as_str(), what(), &[copy.id(), seen.id()]));
                        tally.must(seen.id(), breach);
                    }
                    None => tally.may(),
                }
            }
        }
    }
}
