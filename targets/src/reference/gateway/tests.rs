//! What comes in, and what goes out of it.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_coap::codec::{Code, Kind, Message, OptionNumber, Token, Writer};
use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::seed::Seed;
use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::{Connack, Delivery, Framer, Packet, ReasonCode, Sender, Version};

use super::Gateway;
use crate::flaw::{Flaw, Flaws};

const NODE: Conn = Conn(1000);

struct World {
    gateway: Gateway,
    now: Time,
    out: Outbox,
    north: Option<Conn>,
    framer: Framer,
    mid: u16,
    /// Codes of replies, and `topic=payload` of what was published.
    log: Vec<String>,
}

impl World {
    fn new(flaws: Flaws) -> World {
        let framer = Framer::new(Version::V5, Sender::Client, 1 << 20);
        let mut w = World {
            gateway: Gateway::new(flaws, Seed(1)),
            now: Time::ZERO,
            out: Outbox::new(),
            north: None,
            framer,
            mid: 0,
            log: Vec::new(),
        };
        w.tell(Input::Start);
        w.tell(Input::Accepted(NODE, Addr::new([127, 0, 0, 2], 9)));
        w
    }

    fn connected(flaws: Flaws) -> World {
        let mut w = World::new(flaws);
        let conn = w.north.expect("it connects by itself");
        w.tell(Input::Opened(conn));
        let connack = Connack::new(false, ReasonCode::SUCCESS);
        let mut bytes = Vec::new();
        Packet::Connack(connack).encode(Version::V5, &mut bytes).unwrap();
        w.tell(Input::Bytes(conn, &bytes));
        w
    }

    fn tell(&mut self, input: Input<'_>) {
        self.gateway.handle(self.now, input, &mut self.out);
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Open(conn, endpoint, _) => {
                    assert_eq!(endpoint.0, 1, "north is the second endpoint");
                    self.north = Some(*conn);
                }
                Act::Send(conn, start, end) if Some(*conn) == self.north => self.published(&bytes[*start..*end]),
                Act::Send(_, start, end) => {
                    self.log.push(format!("{}", Message::decode(&bytes[*start..*end]).unwrap().code()));
                }
                _ => {}
            }
        }
        self.out.restore(acts, bytes);
    }

    fn published(&mut self, mut bytes: &[u8]) {
        while let Ok(Some(cut)) = self.framer.next(&mut bytes) {
            if let Ok(Packet::Publish(publish)) = Packet::decode(Version::V5, Sender::Client, cut.first, cut.body) {
                assert!(!matches!(publish.delivery, Delivery::AtMostOnce), "a reading is acknowledged");
                self.log.push(format!("{}={}", publish.topic.as_str(), String::from_utf8_lossy(publish.payload)));
            }
        }
    }

    fn ask(&mut self, code: Code, segments: &[&str], payload: &[u8]) -> Vec<String> {
        self.mid += 1;
        let mut bytes = Vec::new();
        let token = Token::new(b"t").unwrap();
        let writer = Writer::new(&mut bytes, Kind::Con, code, self.mid, token);
        // The writer keeps dots from being said by themselves; those are bent by hand below.
        let path = segments.iter().fold(writer, |w, segment| w.option(OptionNumber::URI_PATH, segment.as_bytes()));
        path.payload(payload).unwrap();
        self.say(&bytes)
    }

    fn put(&mut self, segments: &[&str], payload: &[u8]) -> Vec<String> {
        self.ask(Code::PUT, segments, payload)
    }

    fn say(&mut self, bytes: &[u8]) -> Vec<String> {
        let before = self.log.len();
        self.tell(Input::Bytes(NODE, bytes));
        self.log[before..].to_vec()
    }
}

#[test]
fn a_reading_goes_out_under_the_name_of_its_device() {
    let mut w = World::connected(Flaws::NONE);
    assert_eq!(w.put(&["site", "node-1", "t"], b"21"), ["site/node-1/t=21", "2.04"]);
    assert_eq!(w.ask(Code::POST, &["site", "node-2", "t"], b""), ["site/node-2/t=", "2.04"]);
}

#[test]
fn a_segment_that_is_no_name_is_refused_and_nothing_goes_out() {
    for device in ["node-1/../node-2", "", "a/b", "+", "#", "node+", "a\0b", "a\nb"] {
        let mut w = World::connected(Flaws::NONE);
        assert_eq!(w.put(&["site", device, "t"], b"x"), ["4.00"], "{device:?}");
    }
    let mut w = World::connected(Flaws::NONE);
    assert_eq!(w.say(b"\x40\x03\x12\x34\xb4site\x02..\x01t\xffx"), ["4.00"]);
    assert_eq!(w.say(b"\x40\x03\x12\x35\xb4site\x02\xff\xfe\x01t\xffx"), ["4.00"]);
}

#[test]
fn other_paths_and_methods_lead_nowhere() {
    let mut w = World::connected(Flaws::NONE);
    for segments in [&["site"][..], &["site", "a"], &["site", "a", "u"], &["cmd", "a", "t"], &["site", "a", "t", "x"]] {
        assert_eq!(w.put(segments, b"x"), ["4.04"], "{segments:?}");
    }
    assert_eq!(w.ask(Code::GET, &["site", "a", "t"], b""), ["4.05"]);
    assert_eq!(w.ask(Code::GET, &[".well-known", "core"], b""), ["2.05"]);
}

#[test]
fn the_flaw_joins_and_resolves_and_the_clean_one_does_not() {
    let smuggled = ["site", "node-1/../node-2", "t"];
    let mut w = World::connected(Flaws::one(Flaw::GatewayJoinsPathUnescaped));
    assert_eq!(w.put(&smuggled, b"x"), ["site/node-2/t=x", "2.04"]);
    assert_eq!(w.put(&["site", "foe", "t"], b"1"), ["site/foe/t=1", "2.04"]);
    assert_eq!(w.put(&["site", "+", "t"], b"1"), ["4.00"], "a topic without wildcards is all that MQTT takes");
    assert_eq!(World::connected(Flaws::NONE).put(&smuggled, b"x"), ["4.00"]);
}

#[test]
fn a_copy_goes_out_once() {
    let mut w = World::connected(Flaws::NONE);
    let datagram = b"\x40\x03\x12\x34\xb4site\x01a\x01t\xffx";
    assert_eq!(w.say(datagram), ["site/a/t=x", "2.04"]);
    assert_eq!(w.say(datagram), ["2.04"]);
}

#[test]
fn readings_wait_for_the_connection_and_not_without_end() {
    let mut w = World::new(Flaws::NONE);
    let first = w.north.unwrap();
    assert_eq!(w.put(&["site", "a", "t"], b"1"), ["2.04"]);
    w.tell(Input::Closed(first, Close::Refused));
    w.now = w.now + Duration::from_secs(2);
    w.tell(Input::Timer(TimerId(0)));
    assert_ne!(w.north, Some(first), "it tries again");
    for _ in 1..256 {
        assert_eq!(w.put(&["site", "a", "t"], b"1"), ["2.04"]);
    }
    assert_eq!(w.put(&["site", "a", "t"], b"1"), ["5.03"]);
    assert!(w.gateway.held() < 1 << 20, "{}", w.gateway.held());
}
