//! Bodies in blocks: RFC 7959.
use alloc::vec::Vec;

use proofhouse_coap::codec::OptionNumber;
use proofhouse_core::actor::Actor;
use proofhouse_core::ids::Conn;

use super::world::*;
use crate::flaw::Flaws;

fn part(block: &str, payload: &[u8]) -> Req {
    put("/store", payload).block1(block)
}

#[test]
fn a_large_answer_is_the_same_in_blocks_of_any_size() {
    let mut bodies = Vec::new();
    for size in [16_usize, 64, 1024] {
        let mut w = World::new(Flaws::NONE);
        w.validate(A);
        let mut body = Vec::new();
        for num in 0..5120 / size {
            let line = w.ask(A, &get("/large").block2(&alloc::format!("{num}/0/{size}")));
            assert!(line.contains("2.05"), "{line}");
            body.extend(w.last_payload());
        }
        bodies.push(body);
        let beyond = alloc::format!("{}/0/{size}", 5120 / size);
        assert_eq!(w.ask(A, &get("/large").block2(&beyond)), r#"0 ack 4.00 "no such block""#);
    }
    assert_eq!(bodies[0].len(), 5120);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn a_body_comes_in_order() {
    let mut w = World::new(Flaws::NONE);
    assert_eq!(w.ask(A, &part("0/1/16", &[b'a'; 16])), "0 ack 2.31 b1=0/1/16");
    assert_eq!(w.ask(A, &part("1/1/16", &[b'b'; 16])), "0 ack 2.31 b1=1/1/16");
    assert_eq!(w.ask(A, &part("2/0/16", b"c")), "0 ack 2.01 b1=2/0/16");
    w.validate(A);
    assert_eq!(w.ask(A, &get("/store")), r#"0 ack 2.05 "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbc""#);
}

#[test]
fn what_is_out_of_order_or_not_full_is_refused_and_changes_nothing() {
    for (first, then, code) in [
        (None, ("5/1/16", 16), "4.08"),
        (None, ("1048575/1/1024", 1024), "4.08"),
        (None, ("1048575/0/16", 1), "4.08"),
        (Some(("0/1/16", 16)), ("2/0/16", 1), "4.08"),
        (Some(("0/1/32", 32)), ("1/0/16", 1), "4.08"),
        (None, ("0/1/64", 10), "4.00"),
        (None, ("0/0/16", 17), "4.00"),
    ] {
        let mut w = World::new(Flaws::NONE);
        if let Some((block, len)) = first {
            w.ask(A, &part(block, &[b'a'; 1024][..len]));
        }
        let line = w.ask(A, &part(then.0, &[b'b'; 1024][..then.1]));
        assert!(line.starts_with(&alloc::format!("0 ack {code}")), "{then:?}: {line}");
        assert_eq!(w.ask(A, &get("/store")), "0 ack 4.04", "{then:?}");
    }
}

#[test]
fn a_size_that_is_announced_allocates_nothing_and_one_that_is_too_large_is_refused() {
    let mut w = World::new(Flaws::NONE);
    let huge = part("0/1/16", &[b'a'; 16]).option(OptionNumber::SIZE1, &[0xFF; 4]);
    assert_eq!(w.ask(A, &huge), "0 ack 4.13 b1=0/1/16 size1=16384");
    assert!(w.server.held() < 4096, "{}", w.server.held());
    let fits = part("0/1/16", &[b'a'; 16]).option(OptionNumber::SIZE1, &[0x40, 0x00]);
    assert_eq!(w.ask(A, &fits), "0 ack 2.31 b1=0/1/16");
}

#[test]
fn a_body_of_16_kib_is_taken_and_one_byte_more_is_not() {
    for (last, code) in [(1024, "2.01"), (1025, "4.13")] {
        let mut w = World::new(Flaws::NONE);
        for num in 0..15 {
            w.ask(A, &part(&alloc::format!("{num}/1/1024"), &[b'a'; 1024]));
        }
        let line = if last == 1024 {
            w.ask(A, &part("15/0/1024", &[b'a'; 1024]))
        } else {
            w.ask(A, &part("15/1/1024", &[b'a'; 1024]))
        };
        assert!(line.starts_with(&alloc::format!("0 ack {code}")), "{line}");
    }
}

#[test]
fn the_reserved_block_size_is_a_bad_request() {
    let mut w = World::new(Flaws::NONE);
    for request in
        [put("/store", b"x").option(OptionNumber::BLOCK1, &[7]), get("/large").option(OptionNumber::BLOCK2, &[7])]
    {
        let line = w.ask(A, &request);
        assert!(line.starts_with("0 ack 4.00"), "{line}");
    }
}

#[test]
fn bodies_of_two_peers_do_not_mix_and_the_oldest_of_too_many_is_dropped() {
    let mut w = World::new(Flaws::NONE);
    w.ask(A, &part("0/1/16", &[b'a'; 16]));
    assert!(w.ask(B, &part("1/0/16", b"b")).starts_with("1 ack 4.08"));
    for peer in 2..66 {
        w.ask(Conn(peer), &part("0/1/16", &[b'c'; 16]));
    }
    assert!(w.ask(A, &part("1/0/16", b"d")).starts_with("0 ack 4.08"), "64 at a time");
    assert_eq!(w.ask(Conn(65), &part("1/0/16", b"d")), "65 ack 2.01 b1=1/0/16");
}
