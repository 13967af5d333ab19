//! What an address gets before it is validated, and what is kept for whom.
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::codec::OptionNumber;
use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::ids::Conn;

use super::world::*;
use crate::flaw::Flaws;
use crate::reference::coap_server::Limits;

const PATHS: [&str; 9] =
    ["/", "/time", "/counter", "/actuator", "/large", "/store", "/slow", "/protected", "/.well-known/core"];

#[test]
fn a_stranger_gets_at_most_three_times_what_it_sent_ever() {
    for path in PATHS {
        for token in [&b""[..], b"a", b"abcdefgh"] {
            for request in
                [get(path), get(path).observe(0), get(path).block2("0/0/1024"), get(path).option(OptionNumber(9), b"")]
            {
                let mut w = World::new(Flaws::NONE);
                let request = request.token(token);
                let sent = 3 * wire(&request, 9).len();
                for _ in 0..3 {
                    w.ask(A, &request.clone().mid(9));
                }
                w.pass(Duration::from_secs(300));
                let got: usize = w.heard.iter().map(|(_, bytes)| bytes.len()).sum();
                assert!(got <= 3 * sent, "{path}: {got} bytes for {sent}: {:?}", w.log);
            }
        }
    }
}

#[test]
fn whoever_repeats_the_challenge_is_answered_at_length() {
    let mut w = World::new(Flaws::NONE);
    assert_eq!(w.ask(A, &get("/large")), "0 ack 4.01 echo");
    let echo = w.last_option(252).unwrap();
    assert_eq!(w.ask(A, &get("/large").option(OptionNumber(252), b"12345678")), "0 ack 4.01 echo");
    assert_eq!(
        w.ask(B, &get("/large").option(OptionNumber(252), &echo)),
        "1 ack 4.01 echo",
        "a challenge is one address's"
    );
    assert_eq!(w.ask(A, &get("/large").option(OptionNumber(252), &echo)), "0 ack 2.05 b2=0/1/1024 [1024]");
    assert_eq!(w.ask(A, &get("/large").block2("4/0/1024")), "0 ack 2.05 b2=4/0/1024 [1024]");
}

#[test]
fn the_smallest_block_needs_no_challenge() {
    let line = World::new(Flaws::NONE).ask(A, &get("/large").block2("0/0/16"));
    assert_eq!(line, r#"0 ack 2.05 b2=0/1/16 "a123456789b12345""#);
}

#[test]
fn the_peer_that_was_silent_for_longest_is_forgotten_first() {
    let limits = Limits { peers: 10, ..Limits::default() };
    let mut w = World::with(limits, Flaws::NONE);
    for peer in 0..20 {
        w.ask(Conn(peer), &get("/time"));
        w.pass(Duration::from_millis(1));
    }
    let forgotten: Vec<_> = w.log.iter().filter(|line| line.ends_with("forgotten")).collect();
    assert_eq!(
        forgotten,
        [
            "0 forgotten",
            "1 forgotten",
            "2 forgotten",
            "3 forgotten",
            "4 forgotten",
            "5 forgotten",
            "6 forgotten",
            "7 forgotten",
            "8 forgotten",
            "9 forgotten"
        ]
    );
}

#[test]
fn what_is_held_has_an_end() {
    let limits = Limits { peers: 64, replies: 4096, ..Limits::default() };
    let mut w = World::with(limits, Flaws::NONE);
    let mut most = 0;
    for turn in 0..20_000_u32 {
        let peer = Conn(turn % 1000);
        let request = match turn % 4 {
            0 => get("/slow"),
            1 => put("/store", &[7; 1024]).block1("0/1/1024"),
            2 => get("/time").observe(0),
            _ => get("/.well-known/core"),
        };
        w.ask(peer, &request);
        w.pass(Duration::from_millis(1));
        w.heard.clear();
        w.log.clear();
        most = most.max(w.server.held());
    }
    assert!(most < 200_000, "{most} bytes held");
}

#[test]
fn a_closed_port_ends_everything_for_that_peer() {
    let mut w = World::new(Flaws::NONE);
    w.validate(A);
    assert_eq!(w.ask(A, &get("/time").observe(0)), r#"0 ack 2.05 observe "0""#);
    w.server.handle(w.now, Input::Closed(A, proofhouse_core::connection::Close::Refused), &mut Outbox::new());
    assert_eq!(w.pass(Duration::from_secs(10)), [""; 0]);
}
