//! Bytes of any kind: a broken packet ends its connection with a reason, and nothing makes the broker panic.
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::connection::Addr;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;
use proptest::prelude::*;

use super::super::{Accounts, Broker, Limits};
use super::world::*;
use crate::flaw::{Flaws, TABLE};

/// Broken packets of a connected MQTT 5 client, and the code that they are answered with.
const BROKEN: &[(&[u8], &str)] = &[
    (b"\x30\xff\xff\xff\xff\x01", "81"),
    (b"\x30\x87\x00\0\x03a/x\0x", "81"),
    (b"\x00\x00", "81"),
    (b"\x36\x05\0\x01a\0\x01", "81"),
    (b"\x32\x03\0\x01a", "81"),
    (b"\x38\x04\0\x01a\0", "81"),
    (b"\x30\x06\0\x03a/+\0", "90"),
    (b"\x30\x03\0\0\0", "82"),
    (b"\x30\x06\0\x03\xed\xa0\x80\0", "81"),
    (b"\x30\x0a\0\x01a\x06\x23\0\x01\x23\0\x02", "82"),
    (b"\x30\x07\0\x01a\x03\x23\0\0", "94"),
    (b"\x30\x06\0\x01a\x02\x01\x02", "82"),
    (b"\x30\x06\0\x01a\x02\x0b\x01", "82"),
    (b"\x30\x06\0\x01a\x02\x04\x01", "81"),
    (b"\x80\x06\0\x01\0\0\x01a\0", "81"),
    (b"\x82\x03\0\x01\0", "82"),
    (b"\x82\x07\0\x01\0\0\x01a\x03", "82"),
    (b"\x82\x07\0\x01\0\0\x01a\xc0", "81"),
    (b"\x82\x07\0\0\0\0\x01a\0", "82"),
    (b"\x82\x09\0\x01\0\0\x03a#b\0", "8f"),
    (b"\x62\x04\0\x01\x10\0", "82"),
    (b"\x60\x02\0\x01", "81"),
    (b"\x20\x03\0\0\0", "82"),
    (b"\xd0\x00", "82"),
    (b"\xc0\x01\x00", "81"),
    (b"\xe0\x02\x93\x05", "81"),
];

#[test]
fn a_broken_packet_is_answered_with_its_reason_and_the_end() {
    for (bytes, code) in BROKEN {
        for cut in [bytes.len(), 1] {
            let mut w = open_world();
            let c = w.client(V5, &anyone("c"));
            for piece in bytes.chunks(cut) {
                w.bytes(c, piece);
            }
            assert_eq!(w.hears(c), alloc::format!("disconnect {code}; closed"), "{bytes:02x?}");
        }
    }
}

#[test]
fn in_3_1_1_the_end_is_the_whole_answer() {
    let broken: [&[u8]; 7] = [
        b"\x36\x05\0\x01a\0\x01",
        b"\x30\x05\0\x03a/+",
        b"\x82\x02\0\x01",
        b"\xf0\0",
        b"\0\0",
        b"\xd0\0",
        b"\x30\xff\xff\xff\xff\x01",
    ];
    for bytes in broken {
        let mut w = open_world();
        let c = w.client(V311, &anyone("c"));
        w.bytes(c, bytes);
        assert_eq!(w.hears(c), "closed", "{bytes:02x?}");
    }
}

#[test]
fn a_broken_connect_is_answered_where_its_version_has_a_word_for_it() {
    let connects: [(&[u8], &str); 8] = [
        (b"\x10\x0d\0\x04MQTT\x03\x02\0\0\0\x01c", "connack 01; closed"),
        (b"\x10\x0f\0\x06MQIsdp\x03\x02\0\0\0\x01c", "connack 01; closed"),
        (b"\x10\x0e\0\x04MQTT\x06\x02\0\0\0\0\x01c", "connack 84; closed"),
        (b"\x10\x0d\0\x04QTTM\x05\x02\0\0\0\x01c", "closed"),
        (b"\x10\x0e\0\x04MQTT\x05\x03\0\0\0\0\x01c", "connack 81; closed"),
        (b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01c", "closed"),
        (b"\x10\x11\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01c", "connack 82; closed"),
        (b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\0\x02c", "connack 81; closed"),
    ];
    for (bytes, answer) in connects {
        let mut w = open_world();
        let c = w.open();
        w.bytes(c, bytes);
        let (heard, bytes) = (w.hears(c), bytes.escape_ascii());
        assert!(
            heard == answer || answer.starts_with("connack 82") && heard == "connack 81; closed",
            "{bytes}: {heard}"
        );
    }
}

/// One client's whole life in bytes.
fn script() -> Vec<u8> {
    let mut bytes = Vec::new();
    connect_bytes(V5, &anyone("c").will("w", b"x", 1), &mut bytes);
    after_connect(&mut bytes);
    bytes
}

fn after_connect(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"\x82\x07\0\x01\0\0\x01#\x02");
    bytes.extend_from_slice(b"\x33\x08\0\x01a\0\x02\0xy\x34\x07\0\x01a\0\x03\0z\x62\x02\0\x03\xc0\0");
    bytes.extend_from_slice(b"\xa2\x06\0\x04\0\0\x01#\x30\x04\0\x01a\0\xe0\0");
}

#[test]
fn however_a_stream_is_cut_the_answers_are_the_same() {
    let whole = script();
    let answers = |cuts: &[usize]| {
        let mut w = open_world();
        let c = w.open();
        w.speaks(c, V5);
        let mut from = 0;
        for &to in cuts {
            w.bytes(c, &whole[from..to]);
            from = to;
        }
        w.hears(c)
    };
    let expected = answers(&[whole.len()]);
    assert!(expected.ends_with("closed") && expected.contains("a q2 #2 z"), "{expected}");
    assert_eq!(answers(&(1..=whole.len()).collect::<Vec<_>>()), expected);
    for at in 1..whole.len() {
        assert_eq!(answers(&[at, whole.len()]), expected, "cut at {at}");
    }
}

fn any_world(flaw: usize) -> Broker {
    let flaws = TABLE.get(flaw).map_or(Flaws::NONE, |row| Flaws::one(row.flaw));
    Broker::new(Accounts::read(ACCOUNTS).unwrap(), Limits { packet_bytes: 4_096, ..Limits::default() }, flaws, Seed(1))
}

/// Packets that are nearly legal: the scripts above with a few bytes changed, after a CONNECT that is let in.
fn nearly(edits: &[(usize, u8)], version: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    connect_bytes(if version & 1 == 0 { V5 } else { V311 }, &user("c", "owner").stays(), &mut bytes);
    let start = bytes.len();
    after_connect(&mut bytes);
    if edits.len() & 1 == 0 {
        BROKEN.iter().for_each(|(broken, _)| bytes.extend_from_slice(broken));
    }
    for (at, byte) in edits {
        let at = start + at % (bytes.len() - start);
        bytes[at] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        streams in proptest::collection::vec((proptest::collection::vec((0..400_usize, any::<u8>()), 0..6), 0..4_u8, 1..40_usize), 1..4),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        flaw in 0..TABLE.len() + 10,
    ) {
        let mut broker = any_world(flaw);
        let mut out = Outbox::new();
        for (n, (edits, version, cut)) in streams.iter().enumerate() {
            let conn = Conn(n as u32);
            broker.handle(Time(n as u64), Input::Accepted(conn, Addr { ip: 1, port: 1 }), &mut out);
            for piece in nearly(edits, *version).chunks(*cut) {
                broker.handle(Time(n as u64), Input::Bytes(conn, piece), &mut out);
            }
            broker.handle(Time(n as u64), Input::Bytes(conn, &noise), &mut out);
            broker.handle(Time(1 << (40 + n)), Input::Timer(TimerId(conn.0)), &mut out);
            broker.handle(Time(1 << (41 + n)), Input::Timer(TimerId(1 << 31 | conn.0)), &mut out);
        }
        let _ = broker.held();
    }
}
