//! What a server makes of a message that is none: it rejects it or leaves it alone, and never obeys it (RFC 7252 §3, §4.1 to §4.3).
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::time::Duration;

use super::{Assoc, Breach, Facts, Row, Seen, Tally};
use crate::codec::{Rule, rules};

/// A server that obeys what it should refuse does so as fast as it serves: who did not listen for so long has shown nothing.
const PROMPT: Duration = Duration::from_millis(500);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "other-version-ignored",
        clauses: &["RFC 7252 §3-2"],
        doc: "a message of another version is silently ignored",
        judge: other_version_ignored,
    },
    Row {
        id: "long-token-refused",
        clauses: &["RFC 7252 §3-3"],
        doc: "a message with a token length above 8 is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::TOKEN_LENGTH]),
    },
    Row {
        id: "lone-marker-refused",
        clauses: &["RFC 7252 §3-4"],
        doc: "a message with a payload marker and no payload is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::MARKER_ALONE]),
    },
    Row {
        id: "reserved-delta-refused",
        clauses: &["RFC 7252 §3.1-2"],
        doc: "a message with an option delta of 15 is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::DELTA_RESERVED]),
    },
    Row {
        id: "reserved-length-refused",
        clauses: &["RFC 7252 §3.1-3"],
        doc: "a message with an option length of 15 is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::LENGTH_RESERVED]),
    },
    Row {
        id: "empty-with-rest-refused",
        clauses: &["RFC 7252 §4.1-2"],
        doc: "an Empty message with bytes after its message id is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::EMPTY_WITH_REST]),
    },
    Row {
        id: "option-length-refused",
        clauses: &["RFC 7252 §5.4.3-1"],
        doc: "a critical option whose length is out of range is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::OPTION_LENGTH]),
    },
    Row {
        id: "surplus-option-refused",
        clauses: &["RFC 7252 §5.4.5-3"],
        doc: "a critical option that stands once too often is not obeyed",
        judge: |facts, tally| not_obeyed(facts, tally, &[&rules::OPTION_REPEATED]),
    },
    Row {
        id: "ack-and-rst-unanswered",
        clauses: &["RFC 7252 §4.2-4"],
        doc: "ACK and RST are never answered with ACK or RST",
        judge: ack_and_rst_unanswered,
    },
];

/// What may be an answer to the datagram at a place: an Empty message or a response in an ACK by its message id, another by its token. Of a
/// message id or a token that we have used twice nobody can say whose answer it is.
fn answers<'f, 'a>(assoc: &'f Assoc<'a>, at: usize) -> Option<Vec<&'f Seen<'a>>> {
    let said = &assoc.packets[at];
    let alone = assoc.said_with(said.mid()).count() == 1 && (said.token().is_empty() || assoc.uses(said.token()) == 1);
    let own = |seen: &&Seen<'_>| seen.id() > said.id() && matches!(seen.message(), "ack" | "rst");
    let by_token = assoc.exchanges.binary_search_by_key(&at, |exchange| exchange.request);
    let by_token = by_token.ok().map(|found| &assoc.exchanges[found]);
    let separate = by_token.into_iter().flat_map(|exchange| exchange.responses.iter()).map(|at| &assoc.packets[*at]);
    alone.then(|| {
        assoc.heard_with(said.mid()).filter(own).chain(separate.filter(|seen| seen.message() != "ack")).collect()
    })
}

/// Of the datagrams that `which` picks, none has an answer that is `wrong`.
fn judge(
    facts: &Facts<'_>,
    tally: &mut Tally,
    which: impl Fn(&Seen<'_>) -> bool,
    wrong: impl Fn(&Seen<'_>) -> bool,
    what: &str,
) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, said) in assoc.said().filter(|(_, said)| which(said)) {
            let Some(answers) = answers(assoc, at) else {
                tally.may();
                continue;
            };
            match answers.into_iter().find(|seen| wrong(seen)) {
                Some(seen) => {
                    let actual = format!("{} {}, {what}", seen.packet.kind, seen.code());
                    let place = seen.packet.kind.as_str();
                    tally.must_not(said.id(), Some(Breach::seen(place, actual, &[said.id(), seen.id()])));
                }
                None if facts.had_patience(assoc, said.moment.at, PROMPT) => tally.must_not(said.id(), None),
                None => tally.may(),
            }
        }
    }
}

fn other_version_ignored(facts: &Facts<'_>, tally: &mut Tally) {
    judge(facts, tally, |said| said.has("version"), |_| true, "for a message of another version");
}

/// A datagram that one of these rules refuses, and no other version excuses: no success comes of it.
fn not_obeyed(facts: &Facts<'_>, tally: &mut Tally, refused_by: &[&Rule]) {
    let which = |said: &Seen<'_>| {
        let because = |rule: &&Rule| said.packet.malformed.contains(rule.what);
        // Token lengths of 13 and 14 say something else where longer tokens are spoken (RFC 8974).
        let longer = matches!(said.int("tkl"), Some(13 | 14)) || matches!(said.token().len() / 2, 13 | 14);
        !said.has("version") && !longer && refused_by.iter().any(because)
    };
    judge(facts, tally, which, |seen| seen.is("response") && seen.succeeds(), "for what is to be refused");
}

fn ack_and_rst_unanswered(facts: &Facts<'_>, tally: &mut Tally) {
    let which = |said: &Seen<'_>| (said.is("ack") || said.is("rst")) && said.is_legal();
    let wrong = |seen: &Seen<'_>| matches!(seen.message(), "ack" | "rst");
    judge(facts, tally, which, wrong, "for an ACK or a RST of ours");
}
