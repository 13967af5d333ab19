//! Messages and requests: RFC 7252.
use alloc::string::String;
use core::time::Duration;

use proofhouse_coap::codec::{Code, OptionNumber};
use proofhouse_core::ids::Conn;

use super::world::*;
use crate::flaw::Flaws;

fn ask(request: &Req) -> String {
    World::new(Flaws::NONE).ask(A, request)
}

fn hex(datagram: &str) -> String {
    World::new(Flaws::NONE).hex(A, datagram).join(" + ")
}

#[test]
fn every_resource_does_what_its_methods_say() {
    let mut w = World::new(Flaws::NONE);
    w.now = w.now + Duration::from_secs(12);
    assert_eq!(w.ask(A, &get("/time")), r#"0 ack 2.05 "12""#);
    assert_eq!(w.ask(A, &get("/counter")), r#"0 ack 2.05 "0""#);
    assert_eq!(w.ask(A, &post("/counter")), r#"0 ack 2.04 "1""#);
    assert_eq!(w.ask(A, &get("/actuator")), r#"0 ack 2.05 "off""#);
    assert_eq!(w.ask(A, &put("/actuator", b"on")), "0 ack 2.04");
    assert_eq!(w.ask(A, &get("/actuator")), r#"0 ack 2.05 "on""#);
    assert_eq!(w.ask(A, &put("/actuator", b"up")), r#"0 ack 4.00 "on or off""#);
    assert_eq!(w.ask(A, &get("/store")), "0 ack 4.04");
    assert_eq!(w.ask(A, &put("/store", b"x")), "0 ack 2.01");
    assert_eq!(w.ask(A, &put("/store", b"yz")), "0 ack 2.04");
    assert_eq!(w.ask(A, &get("/store")), r#"0 ack 2.05 "yz""#);
    assert_eq!(w.ask(A, &Req { code: Some(Code::DELETE), ..get("/store") }), "0 ack 2.02");
    assert_eq!(w.ask(A, &get("/store")), "0 ack 4.04");
    assert_eq!(w.ask(A, &get("/nothing")), "0 ack 4.04");
    assert_eq!(w.ask(A, &get("/")), "0 ack 4.04");
}

#[test]
fn discovery_lists_what_is_public_and_is_no_larger_than_three_requests() {
    let list = r#"0 ack 2.05 "</time>;obs,</counter>,</actuator>,</large>,</store>;obs""#;
    assert_eq!(ask(&get("/.well-known/core")), list);
    assert_eq!(ask(&get("/.well-known/core").token(b"")), list);
}

#[test]
fn what_is_protected_is_refused_to_every_method() {
    for code in 1..=7 {
        assert_eq!(ask(&Req { code: Some(Code(code)), ..get("/protected") }), "0 ack 4.01", "0.0{code}");
    }
}

#[test]
fn other_methods_are_not_allowed() {
    for (code, path) in [(2, "/time"), (3, "/counter"), (4, "/actuator"), (5, "/large"), (6, "/store"), (7, "/time")] {
        assert_eq!(ask(&Req { code: Some(Code(code)), ..get(path) }), "0 ack 4.05", "0.0{code} {path}");
    }
    for code in 8..32 {
        assert_eq!(ask(&Req { code: Some(Code(code)), ..get("/nothing") }), "0 ack 4.05", "0.{code}");
    }
}

#[test]
fn a_path_is_its_segments_and_nothing_else() {
    for path in ["/Time", "/time/", "//time", "/time/x", "/%74ime"] {
        assert_eq!(ask(&get(path)), "0 ack 4.04", "{path}");
    }
    let slash = get("/").option(OptionNumber::URI_PATH, b".well-known/core");
    assert_eq!(ask(&slash), "0 ack 4.04");
}

#[test]
fn a_copy_of_a_request_is_answered_alike_and_done_once() {
    let mut w = World::new(Flaws::NONE);
    for _ in 0..5 {
        assert_eq!(w.ask(A, &post("/counter").mid(7)), r#"0 ack 2.04 "1""#);
    }
    assert_eq!(w.ask(B, &post("/counter").mid(7)), r#"1 ack 2.04 "2""#, "ids belong to a peer");
    w.pass(Duration::from_secs(246));
    assert_eq!(w.ask(A, &post("/counter").mid(7)), r#"0 ack 2.04 "1""#, "EXCHANGE_LIFETIME is 247 s");
    w.pass(Duration::from_secs(2));
    assert_eq!(w.ask(A, &post("/counter").mid(7)), r#"0 ack 2.04 "3" + 1 forgotten"#);
}

#[test]
fn a_copy_of_a_non_is_left_alone() {
    let mut w = World::new(Flaws::NONE);
    assert_eq!(w.ask(A, &post("/counter").non().mid(7)), r#"0 non 2.04 "1""#);
    assert_eq!(w.ask(A, &post("/counter").non().mid(7)), "");
    assert_eq!(w.ask(A, &get("/counter")), r#"0 ack 2.05 "1""#);
}

#[test]
fn a_ping_is_reset_and_so_is_a_response_to_nothing() {
    assert_eq!(hex("40 00 12 34"), "0 rst 0.00");
    assert_eq!(hex("40 45 12 34"), "0 rst 0.00");
    assert_eq!(hex("50 45 12 34"), "");
    for datagram in ["60 00 12 34", "70 00 12 34", "60 45 12 34"] {
        assert_eq!(hex(datagram), "", "{datagram}: an ACK or RST is never answered");
    }
}

#[test]
fn a_malformed_con_is_reset_and_a_malformed_non_left_alone() {
    for rest in ["f0", "0f", "d0", "e0 01", "bd", "b5 61", "ff", "e0 ff ff e0 ff ff"] {
        assert_eq!(hex(&alloc::format!("40 01 12 34 {rest}")), "0 rst 0.00", "{rest}");
        assert_eq!(hex(&alloc::format!("50 01 12 34 {rest}")), "", "{rest}");
    }
    for (header, reply) in [
        ("49 01 12 34 010203040506070809", "0 rst 0.00"),
        ("4f 01 12 34", "0 rst 0.00"),
        ("48 01 12 34 0102", "0 rst 0.00"),
        ("42 00 12 34 0102", "0 rst 0.00"),
        ("40 21 12 34", "0 rst 0.00"),
        ("40 c1 12 34", "0 rst 0.00"),
        ("40 ff 12 34", "0 rst 0.00"),
        ("50 00 12 34", ""),
        ("60 01 12 34", ""),
        ("70 01 12 34", ""),
    ] {
        assert_eq!(hex(header), reply, "{header}");
    }
}

#[test]
fn other_versions_and_less_than_a_header_are_ignored() {
    for datagram in ["00 01 12 34", "80 01 12 34", "c0 00 12 34", "", "40", "40 01", "40 01 12"] {
        assert_eq!(hex(datagram), "", "{datagram}");
    }
}

#[test]
fn a_critical_option_that_is_not_understood_is_a_bad_option() {
    let time = || get("/time");
    for (number, value) in [(9, "x"), (13, "x"), (2049, "x"), (65001, "x")] {
        let option = |request: Req| request.option(OptionNumber(number), value.as_bytes());
        assert_eq!(ask(&option(time())), alloc::format!("0 ack 4.02 \"option {number}\""));
        assert_eq!(ask(&option(time()).non()), "");
    }
    for number in [10, 16, 65000] {
        assert_eq!(ask(&time().option(OptionNumber(number), b"x")), r#"0 ack 2.05 "0""#, "{number} is elective");
    }
    let twice = |number| time().option(number, b"a").option(number, b"b");
    assert_eq!(ask(&twice(OptionNumber::URI_HOST)), r#"0 ack 4.02 "option 3""#);
    assert_eq!(ask(&twice(OptionNumber::URI_QUERY)), r#"0 ack 2.05 "0""#);
    assert_eq!(ask(&time().option(OptionNumber::URI_PORT, &[0, 0, 1])), r#"0 ack 4.02 "option 7""#);
    assert_eq!(
        ask(&time().option(OptionNumber::SIZE1, &[0; 5])),
        r#"0 ack 2.05 "0""#,
        "elective: as if it were not there"
    );
    assert_eq!(ask(&time().block1("0/0/16")), r#"0 ack 4.02 "option 27""#, "a GET has no body");
}

#[test]
fn accept_formats_conditions_and_proxies() {
    assert_eq!(ask(&get("/time").option(OptionNumber::ACCEPT, &[])), r#"0 ack 2.05 "0""#);
    assert_eq!(ask(&get("/time").option(OptionNumber::ACCEPT, &[60])), "0 ack 4.06");
    assert_eq!(ask(&get("/.well-known/core").option(OptionNumber::ACCEPT, &[0])), "0 ack 4.06");
    assert_eq!(ask(&put("/actuator", b"on").option(OptionNumber::CONTENT_FORMAT, &[60])), "0 ack 4.15");
    assert_eq!(ask(&put("/store", b"x").option(OptionNumber::IF_MATCH, b"")), "0 ack 4.12");
    assert_eq!(ask(&put("/actuator", b"on").option(OptionNumber::IF_NONE_MATCH, b"")), "0 ack 4.12");
    assert_eq!(ask(&put("/actuator", b"on").option(OptionNumber::IF_MATCH, b"")), "0 ack 2.04");
    assert_eq!(ask(&get("/time").option(OptionNumber::PROXY_SCHEME, b"coap")), "0 ack 5.05");
    assert_eq!(ask(&get("/").option(OptionNumber::PROXY_URI, b"coap://a/b")), "0 ack 5.05");
}

#[test]
fn a_known_etag_is_valid_and_a_wrong_one_no_match() {
    let mut w = World::new(Flaws::NONE);
    w.ask(A, &put("/store", b"x"));
    w.ask(A, &get("/store"));
    let etag = w.last_option(4).unwrap();
    assert_eq!(w.ask(A, &get("/store").option(OptionNumber::ETAG, &etag)), "0 ack 2.03");
    assert_eq!(w.ask(A, &put("/store", b"y").option(OptionNumber::IF_MATCH, b"none")), "0 ack 4.12");
    assert_eq!(w.ask(A, &put("/store", b"y").option(OptionNumber::IF_MATCH, &etag)), "0 ack 2.04");
    assert_eq!(w.ask(A, &get("/store").option(OptionNumber::ETAG, &etag)), r#"0 ack 2.05 "y""#);
}

#[test]
fn a_slow_answer_comes_in_a_message_of_its_own() {
    let mut w = World::new(Flaws::NONE);
    assert_eq!(w.ask(A, &get("/slow").mid(9)), "0 ack 0.00");
    assert_eq!(w.ask(A, &get("/slow").mid(9)), "0 ack 0.00", "a copy is acknowledged again, and not served again");
    assert_eq!(w.pass(Duration::from_millis(999)), [""; 0]);
    assert_eq!(w.pass(Duration::from_millis(1)), [r#"0 con 2.05 "done""#]);
    let mid = w.last_mid();
    w.ack(A, mid);
    assert_eq!(w.pass(Duration::from_secs(100)), [""; 0], "acknowledged: not repeated");
    assert_eq!(w.ask(A, &get("/slow").non()), "");
    assert_eq!(w.pass(Duration::from_secs(100)), [r#"0 non 2.05 "done""#]);
}

#[test]
fn one_peer_waits_for_four_slow_answers_at_most() {
    let mut w = World::new(Flaws::NONE);
    for _ in 0..4 {
        assert_eq!(w.ask(A, &get("/slow")), "0 ack 0.00");
    }
    assert_eq!(w.ask(A, &get("/slow")), "0 ack 5.03");
    assert_eq!(w.ask(B, &get("/slow")), "1 ack 0.00");
}

#[test]
fn no_bytes_make_it_panic() {
    let mut rng = proofhouse_core::seed::Seed(1).stream("bytes", 0);
    let mut w = World::new(Flaws::NONE);
    w.validate(A);
    for turn in 0..20_000_u32 {
        let mut bytes: alloc::vec::Vec<u8> = wire(&put("/store", b"abcdef").block1("0/1/16"), turn as u16);
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        bytes.truncate(1 + rng.below(bytes.len() as u64 + 8) as usize);
        w.say(Conn(turn % 7), &bytes);
        w.heard.clear();
        w.log.clear();
    }
    assert_eq!(w.ask(B, &get("/counter")).chars().take(10).collect::<String>(), "1 ack 2.05");
}
