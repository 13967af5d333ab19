//! What requests are answered with, copies of them, and what is to be refused.
use super::*;
use crate::codec::rules;

/// Something that we send which no decoder takes.
fn malformed(film: &mut Film, kind: &str, rule: &str, fields: &[(&str, Value)]) {
    let packet = Packet { kind: kind.to_string(), fields: testing::fields(fields), malformed: rule.to_string() };
    let bytes = Bytes { conn: 0, hex: "00".to_string(), len: None, sha256: None, packets: [packet].to_vec() };
    film.entry(Who::Member("client".to_string(), 0), Event::Sent(bytes));
}

#[test]
fn what_no_decoder_takes_is_not_obeyed() {
    for (rule, refused) in [
        ("long-token-refused", &rules::TOKEN_LENGTH),
        ("lone-marker-refused", &rules::MARKER_ALONE),
        ("reserved-delta-refused", &rules::DELTA_RESERVED),
        ("reserved-length-refused", &rules::LENGTH_RESERVED),
        ("option-length-refused", &rules::OPTION_LENGTH),
        ("surplus-option-refused", &rules::OPTION_REPEATED),
        ("empty-with-rest-refused", &rules::EMPTY_WITH_REST),
    ] {
        check(rule, |film, wrong| {
            let asks = with("con", 1, Some("aa"), &[("method", "get".into()), ("path", "/x".into())]);
            malformed(film, "request", refused.what, &asks);
            if wrong {
                say(film, "ack", 1, "aa", "2.05", &[]);
            } else {
                empty(film, false, "rst", 1);
            }
            film.at(2_000).close(0, By::Us);
        });
    }
}

#[test]
fn another_version_is_ignored_and_nobody_who_left_at_once_has_seen_that() {
    check("other-version-ignored", |film, wrong| {
        let asks = with("con", 1, Some("aa"), &[("method", "get".into()), ("version", Value::Int(2))]);
        malformed(film, "request", rules::VERSION.what, &asks);
        if wrong {
            empty(film, false, "rst", 1);
        }
        film.at(2_000).close(0, By::Us);
    });
    let mut film = film();
    let asks = with("con", 1, Some("aa"), &[("method", "get".into()), ("version", Value::Int(2))]);
    malformed(&mut film, "request", rules::VERSION.what, &asks);
    film.at(100).close(0, By::Us);
    let armed = film.judge(&ORACLE).armed;
    let row = armed.iter().find(|row| row.rule == "other-version-ignored").expect("it was asked");
    assert_eq!((row.must_not, row.may), (0, 1));
}

#[test]
fn nothing_answers_an_acknowledgement() {
    check("ack-and-rst-unanswered", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1);
        say(film, "con", 9, "aa", "2.05", &[]);
        empty(film, true, "ack", 9);
        if wrong {
            empty(film, false, "rst", 9);
        }
        film.at(2_000).close(0, By::Us);
    });
}

#[test]
fn each_method_has_its_codes() {
    answered("get-is-content", "get", &[], ("2.05", &[]), ("2.04", &[]));
    answered("post-is-done", "post", &[], ("2.04", &[]), ("2.05", &[]));
    answered("put-is-done", "put", &[], ("2.01", &[]), ("2.05", &[]));
    answered("delete-is-deleted", "delete", &[], ("2.02", &[]), ("2.04", &[]));
    answered("created-says-where", "post", &[], ("2.01", &[("location_path", "/a".into())]), ("2.01", &[]));
    check("put-is-done", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        say(film, "ack", 1, "aa", if wrong { "2.05" } else { "4.04" }, &[]);
        ask(film, 2, "bb", "put", &[]);
        say(film, "ack", 2, "bb", "2.01", &[]);
    });
    // What is gone may be found gone, where nobody was between.
    check("delete-is-deleted", |film, wrong| {
        for (mid, token, code) in [(1, "01", if wrong { "2.02" } else { "4.04" }), (2, "02", "4.04")] {
            ask(film, mid, token, "delete", &[]);
            say(film, "ack", mid, token, code, &[]);
        }
    });
}

#[test]
fn what_is_for_others_is_refused() {
    let elsewhere = [("proxy_uri", Value::from("coap://127.0.0.1:9/x"))];
    answered("proxying-refused", "get", &elsewhere, ("5.05", &[]), ("4.04", &[]));
    check("unknown-method-refused", |film, wrong| {
        film.sent(0, "request", &with("con", 1, Some("aa"), &[("code", "0.31".into()), ("path", "/x".into())]));
        say(film, "ack", 1, "aa", if wrong { "4.00" } else { "4.05" }, &[]);
    });
    let tag = [("if_match", Value::from("00"))];
    answered("failed-condition", "put", &tag, ("4.12", &[]), ("2.04", &[]));
}

#[test]
fn the_message_of_an_answer_suits_the_question() {
    check("non-for-non", |film, wrong| {
        film.sent(0, "request", &with("non", 1, Some("aa"), &[("method", "get".into()), ("path", "/x".into())]));
        say(film, if wrong { "con" } else { "non" }, 9, "aa", "2.05", &[]);
    });
    check("non-is-not-empty", |film, wrong| {
        ask(film, 1, "aa", "get", &[]);
        film.got(0, if wrong { "empty" } else { "response" }, &with("non", 9, Some("aa"), &[("code", "2.05".into())]));
    });
    let number = |all: &[i64]| Value::List(all.iter().map(|one| Value::Int(*one)).collect());
    answered(
        "option-stands-once",
        "get",
        &[],
        ("2.05", &[("max_age", Value::Int(1))]),
        ("2.05", &[("max_age", number(&[1, 2]))]),
    );
    answered("option-belongs-there", "get", &[], ("2.05", &[]), ("2.05", &[("path", "/x".into())]));
}

#[test]
fn a_refusal_says_why() {
    let odd = [("options", Value::List([Value::Int(65_001)].to_vec()))];
    answered("bad-option-says-which", "get", &odd, ("4.02", &[("payload", "65001".into())]), ("4.02", &[]));
    answered("too-large-says-size", "put", &[], ("4.13", &[("size1", Value::Int(10))]), ("4.13", &[]));
    check("critical-option-in-non-rejected", |film, wrong| {
        let mut asks = with("non", 1, Some("aa"), &[("method", "get".into()), ("path", "/x".into())]);
        asks.extend(odd.clone());
        malformed(film, "request", rules::OPTION_UNKNOWN.what, &asks);
        say(film, "non", 9, "aa", if wrong { "2.05" } else { "4.02" }, &[]);
    });
}

#[test]
fn a_copy_has_no_effect_of_its_own() {
    check("copy-gets-the-same", |film, wrong| {
        for nth in 1..=2 {
            ask(film, 1, "aa", "post", &[]);
            let count = if wrong { nth } else { 1 };
            say(film, "ack", 1, "aa", "2.04", &[("payload", Value::from(count.to_string().as_str()))]);
        }
    });
    check("non-copy-is-ignored", |film, wrong| {
        let asks = with("non", 1, Some("aa"), &[("method", "post".into()), ("path", "/x".into())]);
        for nth in 1..=2 {
            film.sent(0, "request", &asks);
            let count = if wrong { nth } else { 1 };
            say(film, "non", 8 + nth, "aa", "2.04", &[("payload", Value::from(count.to_string().as_str()))]);
        }
    });
    check("copy-while-waiting-gets-empty-ack", |film, wrong| {
        empty(ask(film, 1, "aa", "get", &[]), false, "ack", 1);
        ask(film, 1, "aa", "get", &[]);
        empty(film, false, if wrong { "rst" } else { "ack" }, 1);
    });
}

#[test]
fn a_list_of_resources_is_one() {
    for (rule, right, wrong) in [
        ("links-are-links", "</a>;ct=0", "</a;ct=0"),
        ("ct-is-a-number", "</a>;ct=\"0 65535\"", "</a>;ct=65536"),
        ("obs-is-bare", "</a>;obs", "</a>;obs=1"),
        ("obs-stands-once", "</a>;obs,</b>;obs", "</a>;obs;obs"),
    ] {
        check(rule, |film, is_wrong| {
            let asks = with("con", 1, Some("aa"), &[("method", "get".into()), ("path", "/.well-known/core".into())]);
            film.sent(0, "request", &asks);
            let list = if is_wrong { wrong } else { right };
            say(film, "ack", 1, "aa", "2.05", &[("payload", list.into()), ("content_format", Value::Int(40))]);
        });
    }
}
