//! Requests and responses: methods, options, conditions, codes.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use proofhouse_core::ids::EntryId;
use proofhouse_core::value::Value;

use super::{Assoc, Breach, Facts, Row, Seen, Tally};
use crate::codec::rules::OPTION_UNKNOWN;
use crate::protocol::busy;

/// Code of a response to a block that more are to follow.
pub(super) use crate::model::paths::CONTINUE;

pub(super) const RULES: &[Row] = &[
    Row {
        id: "valid-has-etag",
        clauses: &["RFC 7252 §5.9.1.3-1"],
        doc: "2.03 has an ETag and no payload",
        judge: valid_has_etag,
    },
    Row {
        id: "valid-is-asked-for",
        clauses: &["RFC 7252 §5.9.1.3-1"],
        doc: "2.03 answers a request with the ETag that it names",
        judge: valid_is_asked_for,
    },
    Row {
        id: "one-etag", clauses: &["RFC 7252 §5.10.6.1-1"], doc: "a response has at most one ETag", judge: one_etag
    },
    Row {
        id: "accept-is-kept",
        clauses: &["RFC 7252 §5.10.4-1"],
        doc: "a response has the Content-Format that was accepted, or 4.06 comes",
        judge: accept_is_kept,
    },
    Row {
        id: "critical-option-refused",
        clauses: &["RFC 7252 §5.4.1-2"],
        doc: "a CON request with a critical option that nobody knows is refused",
        judge: |facts, tally| critical_option_refused(facts, tally, "con"),
    },
    Row {
        id: "critical-option-in-non-rejected",
        clauses: &["RFC 7252 §5.4.1-5"],
        doc: "a NON request with a critical option that nobody knows is rejected",
        judge: |facts, tally| critical_option_refused(facts, tally, "non"),
    },
    Row {
        id: "bad-option-says-which",
        clauses: &["RFC 7252 §5.4.1-3"],
        doc: "4.02 says in words which option it is about",
        judge: bad_option_says_which,
    },
    Row {
        id: "too-large-says-size",
        clauses: &["RFC 7252 §5.9.2.9-1", "RFC 7959 §2.9.3-1"],
        doc: "4.13 has the Size1 that would be taken",
        judge: too_large_says_size,
    },
    Row {
        id: "elective-option-ignored",
        clauses: &["RFC 7252 §5.4.1-1"],
        doc: "an elective option that nobody knows is ignored",
        judge: elective_option_ignored,
    },
    Row {
        id: "failed-condition",
        clauses: &["RFC 7252 §5.10.8-2"],
        doc: "If-None-Match on a resource that is there, and If-Match with a tag that none has, give 4.12",
        judge: failed_condition,
    },
    Row {
        id: "location-is-plain",
        clauses: &["RFC 7252 §5.10.7-2"],
        doc: "a Location-Path has no segment . or ..",
        judge: location_is_plain,
    },
    Row {
        id: "no-payload-where-none",
        clauses: &["RFC 7252 §4.1-1"],
        doc: "an Empty message ends with its message id",
        judge: no_payload_where_none,
    },
    Row {
        id: "diagnostic-is-text",
        clauses: &["RFC 7252 §5.5.2-1"],
        doc: "a diagnostic payload is UTF-8",
        judge: diagnostic_is_text,
    },
];

/// Every response that surely is to a legal request, with that request.
pub(super) fn answered<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Assoc<'a>, &'f Seen<'a>, &'f Seen<'a>)> {
    facts.assocs.iter().filter(|assoc| assoc.clean).flat_map(|assoc| {
        assoc.legal().flat_map(move |(exchange, request)| {
            let sure = exchange.responses.iter().filter(move |at| assoc.is_for(exchange, **at));
            // Who had no time, or asked for a proof first, has answered nothing yet.
            sure.map(move |at| (assoc, request, &assoc.packets[*at])).filter(|(_, _, seen)| !busy(seen.packet))
        })
    })
}

fn valid_has_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in facts.responses().filter(|seen| seen.code() == "2.03") {
        let wrong = if !seen.has("etag") {
            Some("2.03 has no ETag")
        } else if !seen.payload().is_empty() {
            Some("2.03 has a payload")
        } else {
            None
        };
        tally.must(seen.id(), wrong.map(|what| Breach::seen("2.03", what, &[seen.id()])));
    }
}

fn valid_is_asked_for(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in
        answered(facts).filter(|(_, request, seen)| seen.code() == "2.03" && !request.has("observe"))
    {
        let asked = request.etags();
        let breach =
            seen.etags().iter().any(|one| !asked.contains(one)).then(|| {
                Breach::seen("2.03", "2.03 with an ETag that was not asked about", &[request.id(), seen.id()])
            });
        tally.must(seen.id(), breach);
    }
}

fn one_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in facts.responses().filter(|seen| seen.has("etag")) {
        let several = seen.packet.fields.find("etag").is_some_and(|value| value.as_slice().len() > 1);
        tally.must_not(seen.id(), several.then(|| Breach::seen("response", "it has several ETags", &[seen.id()])));
    }
}

fn accept_is_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, _, seen)| seen.code() == "2.05") {
        let (Some(asked), Some(given)) = (request.int("accept"), seen.int("content_format")) else { continue };
        let breach = (asked != given).then(|| {
            Breach::seen(
                "2.05",
                format!("Content-Format {given} where {asked} alone was accepted"),
                &[request.id(), seen.id()],
            )
        });
        tally.must(seen.id(), breach);
    }
}

/// Requests that are legal but for options that have no name here, all of one class; each with its response.
fn unknown<'f, 'a>(facts: &'f Facts<'a>, critical: bool) -> impl Iterator<Item = (&'f Seen<'a>, &'f Seen<'a>)> {
    // Numbers of the experimental range mean nothing to anybody (RFC 7252 §12.2).
    let odd =
        move |value: &Value| value.as_int().is_some_and(|number| number >= 65_000 && (number % 2 == 1) == critical);
    let fits = move |request: &Seen<'_>| {
        let options = request.packet.fields.find("options").map_or(&[][..], Value::as_slice);
        let malformed = &request.packet.malformed;
        !options.is_empty()
            && options.iter().all(odd)
            && (malformed.is_empty() || (critical && malformed.contains(OPTION_UNKNOWN.what)))
            && !request.has("version")
            && !request.has("raw")
    };
    facts.assocs.iter().filter(|assoc| assoc.clean).flat_map(move |assoc| {
        let exchanges = assoc.exchanges.iter().map(move |exchange| (exchange, &assoc.packets[exchange.request]));
        let fitting = exchanges.filter(move |(_, request)| fits(request));
        fitting.filter_map(move |(exchange, request)| {
            let own = exchange.responses.iter().find(|at| assoc.is_for(exchange, **at))?;
            Some((request, &assoc.packets[*own]))
        })
    })
}

fn critical_option_refused(facts: &Facts<'_>, tally: &mut Tally, message: &str) {
    for (request, seen) in unknown(facts, true).filter(|(request, _)| request.message() == message) {
        let place = format!("{message}/{}", request.text("method").unwrap_or("?"));
        let breach = seen.succeeds().then(|| {
            Breach::seen(place, format!("{} with an unknown critical option", seen.code()), &[request.id(), seen.id()])
        });
        tally.must(seen.id(), breach);
    }
}

fn bad_option_says_which(facts: &Facts<'_>, tally: &mut Tally) {
    let refused = |(request, seen): &(&Seen<'_>, &Seen<'_>)| request.message() == "con" && seen.code() == "4.02";
    for (request, seen) in unknown(facts, true).filter(refused) {
        let mute = seen.payload().is_empty();
        let breach = mute.then(|| Breach::seen("4.02", "4.02 without a word", &[request.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn too_large_says_size(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in facts.responses().filter(|seen| seen.code() == "4.13") {
        // The Block1 of a refused block may say as much (RFC 7959 §2.9.3).
        let says = seen.has("size1") || seen.has("block1");
        let breach = (!says).then(|| Breach::seen("4.13", "4.13 without Size1", &[seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn elective_option_ignored(facts: &Facts<'_>, tally: &mut Tally) {
    for (request, seen) in unknown(facts, false) {
        let breach = (seen.code() == "4.02")
            .then(|| Breach::seen("4.02", "an unknown elective option was refused", &[request.id(), seen.id()]));
        tally.must_not(seen.id(), breach);
    }
}

/// A PUT with If-None-Match where the same association has just seen the resource, and nobody has deleted anything; and any request with
/// an If-Match that no ETag of the target is, and that does not ask for mere existence.
fn failed_condition(facts: &Facts<'_>, tally: &mut Tally) {
    let tags: BTreeSet<&str> = facts.responses().filter_map(|seen| seen.text("etag")).collect();
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        let there = there(assoc);
        for (exchange, request) in assoc.legal() {
            let known = || there.get(&request.text("path")).is_some_and(|first| *first < request.id());
            let fails = if request.has("if_none_match") {
                request.text("method") == Some("put") && facts.is_steady(request.text("path")) && known()
            } else {
                request.text("if_match").is_some_and(|tag| !tag.is_empty() && !tags.contains(tag))
            };
            let sure = exchange.responses.iter().filter(|at| assoc.is_for(exchange, **at));
            for seen in sure.map(|at| &assoc.packets[*at]).filter(|_| has_condition(request)) {
                // 2.31 collects: what is to be stored is not there yet, and nothing is decided.
                if !fails || seen.code() == CONTINUE {
                    tally.may();
                    continue;
                }
                let method = request.text("method").unwrap_or("?");
                let what = || format!("{} although the condition fails", seen.code());
                let breach = seen.succeeds().then(|| Breach::seen(method, what(), &[request.id(), seen.id()]));
                tally.must_not(seen.id(), breach);
            }
        }
    }
}

fn has_condition(request: &Seen<'_>) -> bool {
    request.has("if_match") || (request.has("if_none_match") && request.text("method") == Some("put"))
}

/// The paths at which an association has seen a resource, each with the first entry that shows it.
pub(super) fn there<'a>(assoc: &Assoc<'a>) -> BTreeMap<Option<&'a str>, EntryId> {
    let mut there = BTreeMap::new();
    for (exchange, request) in assoc.legal() {
        let shows = ["get", "put"].contains(&request.text("method").unwrap_or("")) && !request.has("query");
        let mut all = exchange.responses.iter().filter(|at| assoc.is_for(exchange, **at)).map(|at| &assoc.packets[*at]);
        let first = all.find(|seen| seen.succeeds() && seen.code() != CONTINUE).filter(|_| shows);
        if let Some(seen) = first {
            let entry = there.entry(request.text("path")).or_insert(seen.id());
            *entry = seen.id().min(*entry);
        }
    }
    there
}

fn location_is_plain(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in facts.responses() {
        let Some(path) = seen.text("location_path") else { continue };
        let dots = path.split('/').any(|segment| segment == "." || segment == "..");
        tally.must_not(
            seen.id(),
            dots.then(|| Breach::seen("location", format!("Location-Path {path:?}"), &[seen.id()])),
        );
    }
}

fn no_payload_where_none(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, seen) in assoc.heard().filter(|(_, seen)| ["ack", "rst"].contains(&seen.packet.kind.as_str())) {
            let more = seen.has("raw") || !seen.payload().is_empty();
            tally.must_not(
                seen.id(),
                more.then(|| Breach::seen(seen.packet.kind.as_str(), "an Empty message is not empty", &[seen.id()])),
            );
        }
    }
}

fn diagnostic_is_text(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in
        facts.responses().filter(|seen| !seen.succeeds() && !seen.has("content_format") && !seen.payload().is_empty())
    {
        let breach = core::str::from_utf8(seen.payload())
            .is_err()
            .then(|| Breach::seen("diagnostic", "a diagnostic payload is no UTF-8", &[seen.id()]));
        tally.must(seen.id(), breach);
    }
}
