//! Limits, and memory that is given back.
use alloc::format;
use alloc::string::String;

use proofhouse_core::actor::Actor;
use proofhouse_core::ids::Conn;
use proofhouse_mqtt::codec::Version;

use super::super::{Accounts, Limits};
use super::world::*;
use crate::flaw::Flaws;

fn world(limits: Limits) -> World {
    World::new(Accounts::open(), limits, Flaws::NONE)
}

#[test]
fn a_full_broker_says_so_and_takes_the_next_one_when_somebody_leaves() {
    for (version, code) in [(V5, "89"), (V311, "03")] {
        let mut w = world(Limits { connections: 2, ..Limits::default() });
        let [a, _b] = [w.client(version, &anyone("a")), w.client(version, &anyone("b"))];
        let c = w.dial(version, &anyone("c"));
        assert_eq!(w.hears(c), format!("connack {code}; closed"));
        w.lose(a);
        let c = w.dial(version, &anyone("c"));
        assert_eq!(w.hears(c), "connack 00");
    }
}

#[test]
fn one_source_does_not_take_the_place_of_another() {
    let mut w = world(Limits { per_source: 1, ..Limits::default() });
    let (a, b) = (0x7f00_0001, 0x7f00_0002);
    for (n, (ip, answer)) in [(a, "connack 00"), (a, "connack 97; closed"), (b, "connack 00")].into_iter().enumerate() {
        let conn = w.open_from(Conn(n as u32), ip);
        w.connect(conn, V5, &anyone(&format!("c{n}")));
        assert_eq!(w.hears(conn), answer);
    }
    w.lose(Conn(0));
    let conn = w.open_from(Conn(3), a);
    w.connect(conn, V5, &anyone("c3"));
    assert_eq!(w.hears(conn), "connack 00");
}

#[test]
fn a_header_above_the_largest_packet_is_refused_before_its_body_comes() {
    let limits = Limits { packet_bytes: 1_000, ..Limits::default() };
    let mut w = world(limits);
    let c = w.open();
    w.bytes(c, &[0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
    assert_eq!(w.hears(c), "closed");
    for (version, goodbye) in [(V5, "disconnect 95; closed"), (V311, "closed")] {
        let mut w = world(limits);
        let c = w.client(version, &anyone("c"));
        w.bytes(c, &[0x30, 0xE5, 0x07]);
        assert!(w.is_open(c), "3 and 997 bytes are 1,000");
        let c = w.client(version, &anyone("d"));
        w.bytes(c, &[0x30, 0xE6, 0x07]);
        assert_eq!(w.hears(c), goodbye);
    }
}

#[test]
fn a_claimed_length_holds_no_memory() {
    let mut w = open_world();
    let before = w.broker.held();
    for _ in 0..100 {
        let c = w.open();
        w.bytes(c, &[0x10, 0xFF, 0xFF, 0x3F]);
        w.bytes(c, &[0; 16]);
    }
    let each = (w.broker.held() - before) / 100;
    assert!(each < 1_024, "{each} bytes for each half CONNECT");
}

#[test]
fn the_queue_of_an_absent_client_ends_and_the_newest_is_dropped() {
    for (queue, queue_bytes) in [(2, u32::MAX), (100, 6)] {
        let mut w = world(Limits { queue, queue_bytes, ..Limits::default() });
        let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &anyone("s").stays())];
        w.subscribe(s, 1, "#", 1);
        w.lose(s);
        for n in 1..=5 {
            w.publish(p, &format!("t/{n}"), 1, n, b"");
        }
        let s = w.client(V5, &anyone("s").stays());
        assert_eq!(w.hears(s), "t/1 q1 #1 ; t/2 q1 #2 ");
    }
}

#[test]
fn retained_messages_filters_and_levels_have_an_end() {
    let mut w = world(Limits { retained: 2, filters: 2, levels: 3, ..Limits::default() });
    let c = w.client(V5, &anyone("c"));
    for (n, topic) in ["a", "b", "c", "a"].into_iter().enumerate() {
        w.retain(c, topic, 1, n as u16 + 1, b"x");
    }
    assert_eq!(w.hears(c), "puback 1; puback 2; puback 3 97; puback 4");
    for (n, filter) in ["x", "x/y/z", "x/y/z/#", "y", "x"].into_iter().enumerate() {
        w.subscribe(c, n as u16 + 1, filter, 0);
    }
    assert_eq!(w.hears(c), "suback 1 [00]; suback 2 [00]; suback 3 [8f]; suback 4 [97]; suback 5 [00]");
}

#[test]
fn filters_and_topics_of_many_levels_do_no_harm() {
    let mut w = open_world();
    let c = w.client(V5, &anyone("c"));
    let deep: String = "/".repeat(65_400);
    w.subscribe(c, 1, &deep, 0);
    w.subscribe(c, 2, "#", 0);
    w.publish(c, &deep, 0, 0, b"");
    assert_eq!(w.heard(c).len(), 3);
}

#[test]
fn whoever_leaves_takes_everything_along() {
    for version in Version::ALL {
        let mut w = open_world();
        let round = |w: &mut World| {
            w.next = 0;
            let p = w.client(version, &anyone("p").will("will", b"x", 0));
            let s = w.client(version, &anyone("s"));
            w.subscribe(s, 1, "a/#", 2);
            for n in 1..=200 {
                w.publish(p, &format!("a/{n}"), 2, n, &[b'x'; 100]);
            }
            w.retain(p, "a/kept", 0, 0, b"x");
            w.retain(p, "a/kept", 0, 0, b"");
            w.bytes(p, &[0x30, 0x7F, 1, 2, 3]);
            w.lose(s);
            w.lose(p);
        };
        round(&mut w);
        let after_one = w.broker.held();
        for _ in 0..20 {
            round(&mut w);
        }
        assert_eq!(w.broker.held(), after_one, "{version}");
    }
}

#[test]
fn a_client_that_only_publishes_costs_little() {
    let mut w = open_world();
    for n in 0..1_000 {
        let c = w.client(V5, &anyone(&format!("meters-{n}")));
        w.publish(c, &format!("site/meters-{n}/t"), 1, 1, b"21.5");
    }
    let each = w.broker.held() / 1_000;
    assert!(each <= 128, "{each} bytes for each client");
}
