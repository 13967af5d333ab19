//! Requests and responses: methods, options, conditions, codes.
use alloc::collections::BTreeMap;
use alloc::format;

use proofhouse_core::ids::EntryId;
use proofhouse_core::value::Value;

use super::{Assoc, Breach, Facts, Row, Seen, Tally};

/// Code of a response to a block that more are to follow.
const CONTINUE: &str = "2.31";

pub(super) const RULES: &[Row] = &[
    Row {
        id: "valid-has-etag",
        clauses: &["RFC 7252 §5.9.1.3"],
        doc: "2.03 has an ETag and no payload",
        judge: valid_has_etag,
    },
    Row {
        id: "valid-is-asked-for",
        clauses: &["RFC 7252 §5.9.1.3"],
        doc: "2.03 answers a request with the ETag that it names",
        judge: valid_is_asked_for,
    },
    Row { id: "one-etag", clauses: &["RFC 7252 §5.10.6.1"], doc: "a response has at most one ETag", judge: one_etag },
    Row {
        id: "accept-is-kept",
        clauses: &["RFC 7252 §5.10.4"],
        doc: "a response has the Content-Format that was accepted, or 4.06 comes",
        judge: accept_is_kept,
    },
    Row {
        id: "critical-option-refused",
        clauses: &["RFC 7252 §5.4.1"],
        doc: "a critical option that nobody knows is refused",
        judge: critical_option_refused,
    },
    Row {
        id: "elective-option-ignored",
        clauses: &["RFC 7252 §5.4.1"],
        doc: "an elective option that nobody knows is ignored",
        judge: elective_option_ignored,
    },
    Row {
        id: "failed-condition",
        clauses: &["RFC 7252 §5.10.8"],
        doc: "If-None-Match on a resource that is there gives 4.12",
        judge: failed_condition,
    },
    Row {
        id: "location-is-plain",
        clauses: &["RFC 7252 §5.10.7"],
        doc: "a Location-Path has no segment . or ..",
        judge: location_is_plain,
    },
    Row {
        id: "no-payload-where-none",
        clauses: &["RFC 7252 §5.5"],
        doc: "2.03 and Empty messages have no payload",
        judge: no_payload_where_none,
    },
    Row {
        id: "diagnostic-is-text",
        clauses: &["RFC 7252 §5.5.2"],
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
            sure.map(move |at| (assoc, request, &assoc.packets[*at]))
        })
    })
}

fn responses<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = &'f Seen<'a>> {
    facts.assocs.iter().flat_map(|assoc| assoc.heard().map(|(_, seen)| seen)).filter(|seen| seen.is("response"))
}

fn valid_has_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in responses(facts).filter(|seen| seen.code() == "2.03") {
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
        let asked = request.packet.fields.find("etag").map_or(&[][..], Value::as_slice);
        let given = seen.packet.fields.find("etag").map_or(&[][..], Value::as_slice);
        let breach = given
            .iter()
            .any(|one| !asked.contains(one))
            .then(|| Breach::seen("2.03", "2.03 with an ETag that was not asked about", &[request.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn one_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for seen in responses(facts).filter(|seen| seen.has("etag")) {
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

/// Requests that are legal but for options that have no name here, all of one class.
fn unknown<'f, 'a>(facts: &'f Facts<'a>, critical: bool) -> impl Iterator<Item = (&'f Seen<'a>, &'f Seen<'a>)> {
    // Numbers of the experimental range mean nothing to anybody (RFC 7252 §12.2).
    let odd =
        move |value: &Value| value.as_int().is_some_and(|number| number >= 65_000 && (number % 2 == 1) == critical);
    let all = facts.assocs.iter().filter(|assoc| assoc.clean);
    all.flat_map(move |assoc| {
        let fits = move |request: &Seen<'_>| {
            let options = request.packet.fields.find("options").map_or(&[][..], Value::as_slice);
            !options.is_empty()
                && options.iter().all(odd)
                && request.packet.malformed.is_empty()
                && !request.has("version")
                && !request.has("raw")
        };
        let exchanges = assoc.exchanges.iter().map(move |exchange| (exchange, &assoc.packets[exchange.request]));
        exchanges
            .filter(move |(_, request)| fits(request))
            .filter_map(move |(exchange, request)| exchange.responses.first().map(|at| (request, &assoc.packets[*at])))
    })
}

fn critical_option_refused(facts: &Facts<'_>, tally: &mut Tally) {
    for (request, seen) in unknown(facts, true) {
        let place = format!("{}/{}", request.message(), request.text("method").unwrap_or("?"));
        let breach = seen.succeeds().then(|| {
            Breach::seen(place, format!("{} with an unknown critical option", seen.code()), &[request.id(), seen.id()])
        });
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

/// A PUT with If-None-Match where the same association has just seen the resource, and nobody has deleted anything.
fn failed_condition(facts: &Facts<'_>, tally: &mut Tally) {
    let deletes = facts.assocs.iter().any(|assoc| assoc.said().any(|(_, said)| said.text("method") == Some("delete")));
    if deletes {
        return;
    }
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        let there = there(assoc);
        for (exchange, request) in assoc.legal() {
            if !request.has("if_none_match") || request.text("method") != Some("put") {
                continue;
            }
            let sure = exchange.responses.iter().filter(|at| assoc.is_for(exchange, **at));
            for seen in sure.map(|at| &assoc.packets[*at]) {
                let known = there.get(&request.text("path")).is_some_and(|first| *first < request.id());
                // 2.31 collects: what is to be stored is not there yet, and nothing is decided.
                if !known || seen.code() == CONTINUE {
                    tally.may();
                    continue;
                }
                let what = || format!("{} although the resource is there", seen.code());
                let breach = seen.succeeds().then(|| Breach::seen("put", what(), &[request.id(), seen.id()]));
                tally.must_not(seen.id(), breach);
            }
        }
    }
}

/// The paths at which an association has seen a resource, each with the first entry that shows it.
fn there<'a>(assoc: &Assoc<'a>) -> BTreeMap<Option<&'a str>, EntryId> {
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
    for seen in responses(facts) {
        let Some(path) = seen.text("location_path") else { continue };
        let dots = path.split('/').any(|segment| segment == "." || segment == "..");
        tally.must_not(
            seen.id(),
            dots.then(|| Breach::seen("location", format!("Location-Path {path:?}"), &[seen.id()])),
        );
    }
}

fn no_payload_where_none(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in &facts.assocs {
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
        responses(facts).filter(|seen| !seen.succeeds() && !seen.has("content_format") && !seen.payload().is_empty())
    {
        let breach = core::str::from_utf8(seen.payload())
            .is_err()
            .then(|| Breach::seen("diagnostic", "a diagnostic payload is no UTF-8", &[seen.id()]));
        tally.must(seen.id(), breach);
    }
}
