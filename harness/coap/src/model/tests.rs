//! The model on films cut by hand: for each rule a server that keeps it, perhaps in an unusual way, and just past the edge one that does not.
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::registry::Registry;
use proofhouse_core::testing::{self, Film};
use proofhouse_core::transcript::{By, Bytes, Event, Packet, Who};
use proofhouse_core::value::Value;

use super::ORACLE;

mod methods;
mod observing;
mod stored;

const TARGET: &str =
    "format = 1\nkind = \"remote\"\n[[endpoint]]\nname = \"udp\"\nprotocol = \"coap\"\naddress = \"127.0.0.1:5683\"\n";
const SCENARIO: &str = "format = 1\ntitle = \"x\"\nprotocol = \"coap\"\nlimit = \"60s\"\n[fleet.client]\nbehaviour = \"script\"\n\
    count = 3\nstep = [{ do = \"get\", path = \"/x\", part = \"control\", expect = { code = \"2.05\" } }, { do = \"get\", path = \"/x\", part = \"stimulus\" }]\n[[expect]]\noracle = \"coap-model\"\n";

/// Fields of a message: these, and what each needs.
type Fields<'f> = [(&'f str, Value)];

/// A film of three clients, each with one association: its number.
fn film() -> Film {
    let registry = Registry { protocols: [crate::COAP].to_vec(), ..Registry::default() };
    let target = testing::target(TARGET, &registry);
    let mut film = Film::new(testing::planned("coap/x", SCENARIO, &target, &registry));
    for conn in 0..3 {
        film.open("client", conn, conn);
    }
    film
}

fn with<'f>(message: &str, mid: i64, token: Option<&str>, more: &Fields<'f>) -> Vec<(&'f str, Value)> {
    let mut fields = Vec::from([("message", Value::from(message)), ("mid", Value::Int(mid))]);
    fields.extend(token.map(|token| ("token", Value::from(token))));
    fields.extend_from_slice(more);
    fields
}

/// A CON request of client 0.
fn ask<'f>(film: &'f mut Film, mid: i64, token: &str, method: &str, more: &Fields<'_>) -> &'f mut Film {
    let mut fields = with("con", mid, Some(token), &[("method", method.into()), ("path", "/x".into())]);
    fields.extend_from_slice(more);
    film.sent(0, "request", &fields)
}

/// The server's response to client 0, in an ACK or in a message of its own.
fn say<'f>(film: &'f mut Film, message: &str, mid: i64, token: &str, code: &str, more: &Fields<'_>) -> &'f mut Film {
    let mut fields = with(message, mid, Some(token), &[("code", code.into())]);
    fields.extend_from_slice(more);
    film.got(0, "response", &fields)
}

/// An Empty message: ours, or the server's.
fn empty<'f>(film: &'f mut Film, ours: bool, kind: &str, mid: i64) -> &'f mut Film {
    let message = if kind == "ping" { "con" } else { kind };
    let fields = with(message, mid, None, &[]);
    if ours { film.sent(0, kind, &fields) } else { film.got(0, kind, &fields) }
}

/// Checks that a film breaks this rule alone where it is to be wrong, and none where it is not.
#[track_caller]
fn check(rule: &str, play: impl Fn(&mut Film, bool)) {
    for wrong in [false, true] {
        let mut film = film();
        play(&mut film, wrong);
        let judgement = film.judge(&ORACLE);
        let of = |place: &str| place.split('/').next().unwrap_or("").to_string();
        let broken: BTreeSet<String> = judgement.violations.iter().map(|violation| of(&violation.place)).collect();
        let wanted: BTreeSet<String> = wrong.then(|| rule.to_string()).into_iter().collect();
        assert_eq!(broken, wanted, "{wrong}: {}", judgement.reason);
    }
}

/// One request, and its piggybacked response; where it is to be wrong, another.
#[track_caller]
fn answered(rule: &str, method: &str, asked: &Fields<'_>, right: (&str, &Fields<'_>), wrong: (&str, &Fields<'_>)) {
    check(rule, |film, is_wrong| {
        let (code, more) = if is_wrong { wrong } else { right };
        ask(film, 1, "aa", method, asked);
        say(film, "ack", 1, "aa", code, more);
    });
}

fn etags(all: &[&str]) -> Value {
    match all {
        [one] => (*one).into(),
        all => Value::List(all.iter().map(|one| Value::from(*one)).collect()),
    }
}

#[test]
fn a_message_is_well_formed() {
    check("well-formed", |film, wrong| {
        let malformed = if wrong { "cut short [RFC 7252 §3]" } else { "" }.to_string();
        ask(film, 1, "aa", "get", &[]);
        let fields = testing::fields(&with("ack", 1, Some("aa"), &[("code", "2.05".into())]));
        let packets = [Packet { kind: "response".to_string(), fields, malformed }].to_vec();
        let bytes = Bytes { conn: 0, hex: "00".to_string(), len: None, sha256: None, packets };
        film.entry(Who::Member("client".to_string(), 0), Event::Received(bytes));
    });
}

#[test]
fn a_response_has_the_token_of_a_request_and_message_id_and_token_of_one() {
    check("token-is-echoed", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        empty(film, false, "ack", 1);
        say(film, "con", 9, if wrong { "bb" } else { "aa" }, "2.05", &[]);
    });
    check("piggybacked-matches-both", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        ask(film, 2, "bb", "get", &[]);
        say(film, "ack", 1, if wrong { "bb" } else { "aa" }, "2.05", &[]);
    });
}

#[test]
fn an_acknowledgement_is_for_a_con_of_ours() {
    check("mid-is-matched", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1 + i64::from(wrong));
    });
    check("non-is-not-acknowledged", |film, wrong| {
        let message = if wrong { "non" } else { "con" };
        let asks = with(message, 1, Some("aa"), &[("method", "get".into()), ("path", "/x".into())]);
        empty(film.sent(0, "request", &asks), false, "ack", 1);
    });
}

#[test]
fn a_con_is_acknowledged_when_it_was_sent_again_since_one_may_be_lost() {
    check("con-is-acknowledged", |film, wrong| {
        ask(film, 1, "aa", "get", &[]).at(2_000);
        if wrong {
            ask(film, 1, "aa", "get", &[]);
        }
        film.at(6_100).close(0, By::Us);
    });
}

#[test]
fn on_a_road_that_loses_datagrams_no_silence_shows_anything() {
    // Another request was sent twice: both were answered, or one of the two was lost.
    check("con-is-acknowledged", |film, wrong| {
        ask(film, 7, "0d", "get", &[]);
        ask(film, 7, "0d", "get", &[]);
        for _ in 0..1 + u8::from(wrong) {
            say(film, "ack", 7, "0d", "2.05", &[]);
        }
        ask(film, 1, "aa", "get", &[]).at(2_000);
        ask(film, 1, "aa", "get", &[]);
        film.at(6_100).close(0, By::Us);
    });
}

#[test]
fn a_ping_is_reset_and_one_may_be_lost() {
    check("ping-is-reset", |film, wrong| {
        empty(film, true, "ping", 1);
        if wrong {
            empty(film, true, "ping", 2);
        }
        film.at(4_100).close(0, By::Us);
    });
    check("ping-is-reset", |film, wrong| {
        _ = empty(empty(film, true, "ping", 1), false, if wrong { "ack" } else { "rst" }, 1);
    });
}

#[test]
fn after_an_empty_ack_the_response_is_a_message_of_its_own() {
    check("separate-after-empty-ack", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1);
        let (message, mid) = if wrong { ("ack", 1) } else { ("con", 9) };
        say(film, message, mid, "aa", "2.05", &[]);
    });
}

#[test]
fn a_message_id_is_free_again_after_exchange_lifetime() {
    check("own-mid-not-reused", |film, wrong| {
        for (mid, token) in [(1, "aa"), (2, "bb")] {
            empty(ask(film, mid, token, "get", &[]), false, "ack", mid);
        }
        say(film, "con", 9, "aa", "2.05", &[]);
        empty(film, true, "ack", 9).at(if wrong { 246_000 } else { 248_000 });
        say(film, "con", 9, "bb", "2.05", &[]);
        empty(film, true, "ack", 9);
    });
}

#[test]
fn a_con_is_sent_again_after_ack_timeout_and_no_more_once_two_of_ours_have_acknowledged_it() {
    check("sent-again-in-time", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1);
        say(film, "con", 9, "aa", "2.05", &[]).at(if wrong { 800 } else { 1_000 });
        say(film, "con", 9, "aa", "2.05", &[]);
    });
    check("acknowledged-is-not-sent-again", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1);
        for nth in 0..2 + u64::from(wrong) {
            film.at(nth * 3_000);
            say(film, "con", 9, "aa", "2.05", &[]);
            empty(film, true, "ack", 9);
        }
    });
}

#[test]
fn an_etag_stands_once_and_valid_names_one_that_was_asked_about() {
    let asked = [("etag", etags(&["01", "02"]))];
    answered("valid-has-etag", "get", &asked, ("2.03", &[("etag", etags(&["02"]))]), ("2.03", &[]));
    answered(
        "valid-is-asked-for",
        "get",
        &asked,
        ("2.03", &[("etag", etags(&["02"]))]),
        ("2.03", &[("etag", etags(&["03"]))]),
    );
    answered(
        "one-etag",
        "get",
        &[],
        ("2.05", &[("etag", etags(&["01"]))]),
        ("2.05", &[("etag", etags(&["01", "02"]))]),
    );
}

#[test]
fn options_are_kept_refused_or_ignored() {
    let format = |id: i64| [("content_format", Value::Int(id))];
    answered("accept-is-kept", "get", &[("accept", Value::Int(50))], ("2.05", &format(50)), ("2.05", &format(0)));
    let option = |number: i64| [("options", Value::List([Value::Int(number)].to_vec()))];
    let which = [("payload", Value::from("65001"))];
    answered("critical-option-refused", "get", &option(65_001), ("4.02", &which), ("2.05", &[]));
    answered("elective-option-ignored", "get", &option(65_000), ("2.05", &[]), ("4.02", &[]));
}

#[test]
fn a_condition_fails_where_the_resource_is_there_and_is_open_while_it_is_collected() {
    let condition = [("if_none_match", Value::from(true))];
    check("failed-condition", |film, wrong| {
        ask(film, 1, "aa", "put", &[("block1", "0/1/16".into())]);
        say(film, "ack", 1, "aa", if wrong { "2.04" } else { "2.31" }, &[]);
        ask(film, 2, "bb", "put", &condition);
        say(film, "ack", 2, "bb", "2.04", &[]);
    });
    check("failed-condition", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        say(film, "ack", 1, "aa", "2.05", &[]);
        ask(film, 2, "bb", "put", &condition);
        say(film, "ack", 2, "bb", if wrong { "2.04" } else { "2.31" }, &[]);
    });
}

#[test]
fn a_location_is_plain_an_empty_message_empty_and_a_diagnostic_text() {
    answered(
        "location-is-plain",
        "post",
        &[],
        ("2.01", &[("location_path", "/a/b".into())]),
        ("2.01", &[("location_path", "/a/../b".into())]),
    );
    check("no-payload-where-none", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        let more = [("payload", Value::from("x"))];
        film.got(0, "ack", &with("ack", 1, None, if wrong { &more } else { &[] }));
    });
    let bytes = |bytes: &[u8]| [("payload", Value::Bytes(bytes.to_vec()))];
    answered("diagnostic-is-text", "get", &[], ("4.04", &bytes(b"no")), ("4.04", &bytes(&[0xFF])));
}

#[test]
fn a_block_is_the_one_that_was_asked_for_in_a_size_that_was() {
    let block = |text: &str, len: usize| {
        [("block2", Value::from(text)), ("payload", Value::Bytes(vec_of(len))), ("etag", "01".into())]
    };
    let asked = |text: &str| [("block2", Value::from(text))];
    answered(
        "block-within-size",
        "get",
        &asked("0/0/16"),
        ("2.05", &block("0/1/16", 16)),
        ("2.05", &block("0/1/32", 32)),
    );
    answered("block-is-full", "get", &asked("0/0/16"), ("2.05", &block("0/1/16", 16)), ("2.05", &block("0/1/16", 15)));
    answered(
        "block-asked-for",
        "get",
        &asked("1/0/16"),
        ("2.05", &block("1/1/16", 16)),
        ("2.05", &block("2/1/16", 16)),
    );
    // Of blocks with one token, a late one may be for the request before.
    check("block-asked-for", |film, wrong| {
        ask(film, 1, "aa", "get", &asked("0/0/16"));
        ask(film, 2, if wrong { "bb" } else { "aa" }, "get", &asked("1/0/16"));
        for mid in [1, 2] {
            empty(film, false, "ack", mid);
        }
        say(film, "con", 9, if wrong { "bb" } else { "aa" }, "2.05", &block("0/1/16", 16));
    });
}

fn vec_of(len: usize) -> Vec<u8> {
    alloc::vec![b'x'; len]
}

#[test]
fn a_body_is_collected_block_by_block() {
    let block1 = |text: &str| [("block1", Value::from(text))];
    let both = [("block1", Value::from("0/1/16")), ("block2", Value::from("0/0/16"))];
    answered("collecting-has-no-block2", "put", &block1("0/1/16"), ("2.31", &block1("0/1/16")), ("2.31", &both));
    answered("block1-is-echoed", "put", &block1("3/1/16"), ("2.31", &block1("3/1/16")), ("2.31", &block1("2/1/16")));
    answered("reserved-size-refused", "get", &[("block2", "0/0/szx7".into())], ("4.00", &[]), ("2.05", &[]));
}

/// Where the films are.
const FILMS: [&str; 4] = [
    include_str!("tests.rs"),
    include_str!("tests/methods.rs"),
    include_str!("tests/observing.rs"),
    include_str!("tests/stored.rs"),
];

#[test]
fn every_rule_has_a_film_that_breaks_it() {
    let shown = |rule: &str| FILMS.iter().any(|film| film.contains(&alloc::format!("\"{rule}\"")));
    let without: Vec<&str> = super::rules::all().map(|rule| rule.id).filter(|rule| !shown(rule)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn every_rule_has_a_name_of_its_own_a_line_and_clauses() {
    let mut known = BTreeSet::new();
    for rule in super::rules::all() {
        assert!(known.insert(rule.id), "{} is there twice", rule.id);
        assert!(rule.doc.len() > 15 && !rule.clauses.is_empty(), "{}", rule.id);
        assert!(rule.clauses.iter().all(|clause| clause.starts_with("RFC ")), "{}", rule.id);
    }
}
