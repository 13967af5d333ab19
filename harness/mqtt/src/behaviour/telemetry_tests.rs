//! Laws of telemetry, against a broker of three lines.
use std::string::ToString;
use std::vec;

use super::*;
use crate::codec::{Framer, ReasonCode};
use proofhouse_core::actor::Act;
use proofhouse_core::ids::EndpointId;
use proofhouse_core::seed::Seed;
use proofhouse_core::testing;
use proofhouse_core::value::{Fields, Value};

#[test]
fn a_million_devices_fit_into_80_bytes_each() {
    let size = size_of::<Device>();
    assert!(size <= 80, "a device takes {size} bytes");
}

/// One device, and the packets that it sent.
struct Stage {
    stage: testing::Stage<Telemetry>,
    sent: Vec<String>,
    acts: Vec<Act>,
    conn: Conn,
}

fn config(qos: QoS, clean_start: bool) -> Config {
    let profile = Profile { clean_start, session_expiry: 60, ..Profile::new(Version::V5) };
    Config {
        properties: connect_properties(&profile),
        profile,
        fleet: crate::testing::fleet("meters", Fields(vec![("x".to_string(), Value::Int(1))])),
        every: Spread::Fixed(Duration::from_secs(10)),
        qos,
        topic: ("site/".into(), "/t".into()),
        size: 16,
        retain: false,
        length: Some(Duration::from_secs(25)),
    }
}

impl Stage {
    fn new(qos: QoS, clean_start: bool) -> Stage {
        let device = Device::new(0, SplitMix(Seed(1).stream("device", 0).next()), 60);
        let fleet = Telemetry { config: config(qos, clean_start), devices: vec![device], scratch: Scratch::default() };
        let mut stage = Stage { stage: testing::Stage::new(fleet), sent: vec![], acts: vec![], conn: NOBODY };
        stage.input(Input::Start);
        stage
    }

    fn input(&mut self, input: Input<'_>) {
        let (acts, bytes) = self.stage.input(input);
        let mut framer = Framer::new(Version::V5, Sender::Client, u32::MAX);
        for act in &acts {
            match act {
                Act::Open(conn, EndpointId(0), _) => self.conn = *conn,
                Act::Send(_, start, end) => {
                    let mut rest = &bytes[*start..*end];
                    while let Some(cut) = framer.next(&mut rest).unwrap() {
                        let packet = Packet::decode(Version::V5, Sender::Client, cut.first, cut.body).unwrap();
                        let told = crate::describe::tell(&packet, Version::V5);
                        let (id, seq) = (told.fields.int("packet_id"), told.fields.text("payload"));
                        let dup = told.fields.truth("dup").unwrap_or(false);
                        let words = [
                            Some(told.kind.clone()),
                            id.map(|id| id.to_string()),
                            seq.map(|text| text.trim_end().to_string()),
                            dup.then(|| "dup".to_string()),
                        ];
                        self.sent.push(words.into_iter().flatten().collect::<Vec<_>>().join(" "));
                    }
                }
                _ => {}
            }
        }
        self.acts.extend(acts);
    }

    fn hear(mut self, packet: &Packet<'_>) -> Stage {
        let mut bytes = vec![];
        packet.encode(Version::V5, &mut bytes).unwrap();
        // Cut in the middle: nothing may depend on how a stream is cut.
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let conn = self.conn;
        self.input(Input::Bytes(conn, first));
        self.input(Input::Bytes(conn, rest));
        self
    }

    fn accepted(mut self, present: bool) -> Stage {
        let conn = self.conn;
        self.input(Input::Opened(conn));
        self.hear(&Packet::Connack(Connack::new(present, ReasonCode::SUCCESS)))
    }

    fn lost(mut self) -> Stage {
        let conn = self.conn;
        self.input(Input::Closed(conn, proofhouse_core::connection::Close::Reset));
        self
    }

    fn pass(mut self, seconds: u64) -> Stage {
        let end = self.stage.now + Duration::from_secs(seconds);
        while let Some(id) = self.stage.due(end) {
            self.input(Input::Timer(id));
        }
        self
    }

    fn finished(&self) -> bool {
        self.acts.contains(&Act::Note(Note::Finished))
    }
}

fn ack(id: u16) -> Ack<'static> {
    Ack::success(PacketId::new(id).unwrap())
}

#[test]
fn readings_come_at_their_pace_and_end() {
    let stage = Stage::new(QoS::AtLeastOnce, true).accepted(false).pass(10);
    assert_eq!(stage.sent, ["connect", "publish 1 {\"seq\":1}"]);
    let stage = stage.hear(&Packet::Puback(ack(1))).pass(10);
    assert_eq!(stage.sent[2..], ["publish 2 {\"seq\":2}"]);
    let stage = stage.hear(&Packet::Puback(ack(2))).pass(10);
    assert_eq!(stage.sent.last().unwrap(), "disconnect");
    assert!(stage.finished());
}

#[test]
fn a_reading_waits_for_the_acknowledgement_of_the_last() {
    let stage = Stage::new(QoS::AtLeastOnce, true).accepted(false).pass(20);
    assert_eq!(stage.sent, ["connect", "publish 1 {\"seq\":1}"], "one message in flight");
    let stage = stage.hear(&Packet::Puback(ack(9)));
    assert_eq!(stage.sent.len(), 2, "another id is not ours");
    assert_eq!(stage.hear(&Packet::Puback(ack(1))).sent[2..], ["publish 2 {\"seq\":2}"]);
}

#[test]
fn a_lost_reading_is_sent_again_with_dup_where_the_session_was_kept() {
    let again = |present| {
        let stage = Stage::new(QoS::AtLeastOnce, false).accepted(false).pass(10).lost().pass(1);
        stage.accepted(present).sent[2..].to_vec()
    };
    assert_eq!(again(true), ["connect", "publish 1 {\"seq\":1} dup"]);
    assert_eq!(again(false), ["connect", "publish 1 {\"seq\":1}"]);
}

#[test]
fn qos_2_goes_through_all_four_packets_and_resumes_where_it_was() {
    let stage = Stage::new(QoS::ExactlyOnce, false).accepted(false).pass(10).hear(&Packet::Pubrec(ack(1)));
    assert_eq!(stage.sent, ["connect", "publish 1 {\"seq\":1}", "pubrel 1"]);
    let stage = stage.lost().pass(1).accepted(true);
    assert_eq!(stage.sent[3..], ["connect", "pubrel 1"]);
    let stage = stage.hear(&Packet::Pubcomp(ack(1))).pass(10);
    assert_eq!(stage.sent[5..], ["publish 2 {\"seq\":2}"]);
}

#[test]
fn a_refused_device_comes_back_later_and_later() {
    let mut stage = Stage::new(QoS::AtMostOnce, true);
    let mut waits = vec![];
    for _ in 0..4 {
        let conn = stage.conn;
        stage.input(Input::Opened(conn));
        let before = stage.stage.now;
        stage = stage.hear(&Packet::Connack(Connack::new(false, ReasonCode::SERVER_BUSY)));
        let due = stage.stage.crowd.devices[0].pace.due();
        waits.push((due - before).as_secs_f64());
        stage.stage.now = due;
        stage.input(Input::Timer(TICK));
    }
    for (wait, bound) in waits.iter().zip([1.0, 2.0, 4.0, 8.0]) {
        assert!((bound / 2.0..=bound).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_device_that_hears_nothing_gives_the_connection_up() {
    let mut stage = Stage::new(QoS::AtLeastOnce, true);
    stage.stage.crowd.config.length = None;
    stage.stage.crowd.devices[0].pace.end = Time::NEVER;
    let stage = stage.accepted(false).pass(70);
    assert_eq!(stage.sent, ["connect", "publish 1 {\"seq\":1}", "pingreq"]);
    let stage = stage.pass(60);
    assert!(stage.acts.iter().any(|act| matches!(act, Act::Close(_, CloseHow::Reset))));
}

#[test]
fn nothing_a_server_says_stops_a_device() {
    let stage = Stage::new(QoS::AtLeastOnce, true).accepted(false);
    let mut stage = stage.pass(10);
    let conn = stage.conn;
    stage.input(Input::Bytes(conn, &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff]));
    assert_eq!(stage.stage.crowd.devices[0].state, State::Offline);
    stage.input(Input::Bytes(conn, b"late"));
    assert_eq!(stage.pass(1).sent.len(), 2);
}
