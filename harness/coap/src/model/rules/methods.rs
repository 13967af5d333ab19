//! What each method is answered with, and what a server does with requests that are for others (RFC 7252 §5.7, §5.8).
use alloc::format;

use super::content::{CONTINUE, answered, there};
use super::{Breach, Facts, Row, Tally};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "get-is-content",
        clauses: &["RFC 7252 §5.8.1-1"],
        doc: "a GET that succeeds gives 2.05 or 2.03",
        judge: |facts, tally| codes(facts, tally, "get", &["2.05", "2.03"]),
    },
    Row {
        id: "post-is-done",
        clauses: &["RFC 7252 §5.8.2-2", "RFC 7252 §5.8.2-3"],
        doc: "a POST that succeeds gives 2.01, 2.02 or 2.04",
        judge: |facts, tally| codes(facts, tally, "post", &["2.01", "2.02", "2.04", CONTINUE]),
    },
    Row {
        id: "put-is-done",
        clauses: &["RFC 7252 §5.8.3-1"],
        doc: "a PUT that succeeds gives 2.04, or 2.01 where nothing was before",
        judge: put_is_done,
    },
    Row {
        id: "created-says-where",
        clauses: &["RFC 7252 §5.8.2-1"],
        doc: "a POST that creates says where, by Location-Path or Location-Query",
        judge: created_says_where,
    },
    Row {
        id: "unknown-method-refused",
        clauses: &["RFC 7252 §5.8-1"],
        doc: "a method that nobody knows gives 4.05, in the ACK",
        judge: unknown_method_refused,
    },
    Row {
        id: "proxying-refused",
        clauses: &["RFC 7252 §5.7.2-1", "RFC 7252 §5.10.2-3"],
        doc: "who will not forward a request for another host answers 5.05",
        judge: proxying_refused,
    },
    Row {
        id: "non-for-non",
        clauses: &["RFC 7252 §5.2.3-1"],
        doc: "a NON request gets a NON response",
        judge: non_for_non,
    },
    Row {
        id: "non-is-not-empty", clauses: &["RFC 7252 §4.3-1"], doc: "a NON is never Empty", judge: non_is_not_empty
    },
    Row {
        id: "option-stands-once",
        clauses: &["RFC 7252 §5.4.5-2", "RFC 7959 §2.1-2", "RFC 7959 §4-3"],
        doc: "an option that may occur once does",
        judge: option_stands_once,
    },
    Row {
        id: "option-belongs-there",
        clauses: &["RFC 7252 §5.4-1"],
        doc: "a response has no option that is for requests only",
        judge: option_belongs_there,
    },
];

fn codes(facts: &Facts<'_>, tally: &mut Tally, method: &str, right: &[&str]) {
    for (_, request, seen) in answered(facts) {
        if request.text("method") == Some(method) && !request.has("observe") && seen.succeeds() {
            let wrong = !right.contains(&seen.code());
            let breach =
                || Breach::seen(seen.code(), format!("{} for {method}", seen.code()), &[request.id(), seen.id()]);
            tally.must(seen.id(), wrong.then(breach));
        }
    }
}

fn put_is_done(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        let there = there(assoc);
        for (exchange, request) in assoc.legal().filter(|(_, request)| request.text("method") == Some("put")) {
            let sure = exchange.responses.iter().filter(|at| assoc.is_for(exchange, **at));
            for seen in sure.map(|at| &assoc.packets[*at]).filter(|seen| seen.succeeds() && seen.code() != CONTINUE) {
                let known = facts.is_steady(request.text("path"))
                    && there.get(&request.text("path")).is_some_and(|first| *first < request.id());
                let right = seen.code() == "2.04" || (seen.code() == "2.01" && !known);
                let what = || format!("{} for put{}", seen.code(), if known { " on what is there" } else { "" });
                let breach = (!right).then(|| Breach::seen(seen.code(), what(), &[request.id(), seen.id()]));
                tally.must(seen.id(), breach);
            }
        }
    }
}

fn created_says_where(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts) {
        if request.text("method") == Some("post") && seen.code() == "2.01" {
            let says = seen.has("location_path") || seen.has("location_query");
            let breach =
                || Breach::seen("2.01", "a POST created, and no Location says what", &[request.id(), seen.id()]);
            tally.must(seen.id(), (!says).then(breach));
        }
    }
}

/// Codes 0.08 to 0.31: no method has them (0.05 to 0.07 are those of RFC 8132).
fn unknown_method_refused(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, request, _)| request.text("method").is_none()) {
        let right = seen.code() == "4.05" && (request.message() != "con" || seen.message() == "ack");
        let what = || format!("{} in {} for the code {}", seen.code(), seen.message(), request.code());
        let breach = (!right).then(|| Breach::seen(seen.code(), what(), &[request.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

/// A server that does forward may say that it could not reach the other; one that asks for rights first may ask for them.
fn proxying_refused(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in
        answered(facts).filter(|(_, request, _)| request.has("proxy_uri") || request.has("proxy_scheme"))
    {
        let right = seen.code().starts_with("5.") || matches!(seen.code(), "4.01" | "4.03" | "4.29");
        let what = || format!("{} for a request that names another host", seen.code());
        let breach = (!right).then(|| Breach::seen(seen.code(), what(), &[request.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn non_for_non(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in
        answered(facts).filter(|(_, request, _)| request.message() == "non" && !request.has("observe"))
    {
        let what = || format!("a {} response for a NON request", seen.message());
        let breach =
            (seen.message() == "con").then(|| Breach::seen(seen.message(), what(), &[request.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn non_is_not_empty(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (_, seen) in assoc.heard().filter(|(_, seen)| seen.message() == "non") {
            let breach = seen.is("empty").then(|| Breach::seen("empty", "a NON that says nothing", &[seen.id()]));
            tally.must_not(seen.id(), breach);
        }
    }
}

/// Several ETags are a rule of their own.
fn option_stands_once(facts: &Facts<'_>, tally: &mut Tally) {
    const ONCE: [&str; 7] = ["content_format", "max_age", "observe", "block1", "block2", "size1", "size2"];
    for seen in facts.responses() {
        let mut there = ONCE.iter().filter_map(|option| Some((option, seen.packet.fields.find(option)?))).peekable();
        if there.peek().is_none() {
            continue;
        }
        let twice = there.find(|(_, value)| value.as_slice().len() > 1);
        let breach =
            twice.map(|(option, _)| Breach::seen(*option, format!("{option} stands there twice"), &[seen.id()]));
        tally.must_not(seen.id(), breach);
    }
}

fn option_belongs_there(facts: &Facts<'_>, tally: &mut Tally) {
    const ASKED: [&str; 9] =
        ["path", "query", "accept", "if_match", "if_none_match", "uri_host", "uri_port", "proxy_uri", "proxy_scheme"];
    for seen in facts.responses() {
        let odd = ASKED.iter().find(|option| seen.has(option));
        let breach = odd.map(|option| Breach::seen(*option, format!("a {} has {option}", seen.code()), &[seen.id()]));
        tally.must_not(seen.id(), breach);
    }
}
