//! Laws of the witness and of commanded devices, against a broker that serves one client and can be told to fall silent.
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::vec;

use proofhouse_core::actor::{Act, Crowd, Input};
use proofhouse_core::connection::{Close, CloseHow};
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::testing;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::WitnessState;
use proofhouse_core::value::{Fields, Value};

use crate::codec::{
    Ack, Connack, Delivery, Framer, Packet, PacketId, Publish, QoS, ReasonCode, Sender, Suback, TopicName, Version,
};

/// One member, its broker between two round trips, and everything that it noted.
struct Stage {
    stage: testing::Stage<Box<dyn Crowd>>,
    said: Vec<String>,
    conn: Option<Conn>,
    closes: usize,
    /// The broker does not answer.
    mute: bool,
    suback: u8,
    /// How long the broker takes.
    delay: Duration,
}

fn stage(behaviour: &str, keys: &[(&str, Value)]) -> Stage {
    let fleet = FleetPlan { behaviour: behaviour.into(), ..crate::testing::fleet("lamps", testing::fields(keys)) };
    let row = super::BEHAVIOURS.iter().find(|row| row.name == behaviour).unwrap();
    let crowd = (row.crowd)(&fleet, &testing::plan(vec![fleet.clone()]), None);
    let mut stage = Stage {
        stage: testing::Stage::new(crowd),
        said: vec![],
        conn: None,
        closes: 0,
        mute: false,
        suback: 1,
        delay: Duration::from_millis(3),
    };
    stage.input(Input::Start);
    stage
}

impl Stage {
    fn input(&mut self, input: Input<'_>) {
        let (acts, bytes) = self.stage.input(input);
        let mut answers: Vec<(Conn, Vec<u8>)> = vec![];
        let mut opened = None;
        for act in acts {
            match act {
                Act::Open(conn, ..) => opened = Some(conn),
                Act::Send(conn, start, end) => {
                    let answer = self.serve(&bytes[start..end]);
                    match answers.last_mut() {
                        Some((last, said)) if *last == conn => said.extend(answer),
                        _ => answers.push((conn, answer)),
                    }
                }
                Act::Close(_, how) => {
                    assert!(matches!(how, CloseHow::Fin | CloseHow::Reset));
                    self.closes += 1;
                    self.conn = None;
                }
                _ => {}
            }
        }
        if let Some(conn) = opened {
            self.conn = Some(conn);
            self.input(Input::Opened(conn));
        }
        let heard = self.conn.is_some() && !self.mute;
        for (conn, answer) in answers.iter().filter(|(_, answer)| heard && !answer.is_empty()) {
            self.stage.now = self.stage.now + self.delay;
            self.input(Input::Bytes(*conn, answer));
        }
    }

    /// What the broker answers: it sends every message back to its publisher if it publishes to the witness's topic.
    fn serve(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut framer = Framer::new(Version::V5, Sender::Client, u32::MAX);
        let (mut rest, mut out) = (bytes, vec![]);
        while let Some(cut) = framer.next(&mut rest).unwrap() {
            let packet = Packet::decode(Version::V5, Sender::Client, cut.first, cut.body).unwrap();
            let told = crate::describe::tell(&packet, Version::V5);
            let words = ["topic", "filter", "payload"].map(|name| told.fields.find(name).map(ToString::to_string));
            let words: Vec<String> = [Some(told.kind)].into_iter().chain(words).flatten().collect();
            self.said.push(words.join(" "));
            let mut say = |packet: Packet<'_>| packet.encode(Version::V5, &mut out).unwrap();
            match packet {
                Packet::Connect(_) => say(Packet::Connack(Connack::new(false, ReasonCode::SUCCESS))),
                Packet::Subscribe(subscribe) => say(Packet::Suback(Suback::new(subscribe.id, &[self.suback]))),
                Packet::Publish(publish) => {
                    if let Some(id) = publish.delivery.id() {
                        say(Packet::Puback(Ack::success(id)));
                    }
                    if publish.topic.as_str() == super::witness::TOPIC {
                        say(Packet::Publish(Publish::new(Delivery::AtMostOnce, publish.topic, publish.payload)));
                    }
                }
                _ => {}
            }
        }
        out
    }

    fn pass(mut self, millis: u64) -> Stage {
        let end = self.stage.now + Duration::from_millis(millis);
        while let Some(id) = self.stage.due(end) {
            self.input(Input::Timer(id));
        }
        self
    }

    fn lost(mut self) -> Stage {
        if let Some(conn) = self.conn.take() {
            self.input(Input::Closed(conn, Close::Reset));
        }
        self
    }

    fn command(mut self, topic: &str, payload: &[u8]) -> Stage {
        let delivery = Delivery::new(QoS::AtLeastOnce, PacketId::new(9), false).unwrap();
        let publish = Publish::new(delivery, TopicName::new(topic).unwrap(), payload);
        let mut bytes = vec![];
        Packet::Publish(publish).encode(Version::V5, &mut bytes).unwrap();
        let conn = self.conn.unwrap();
        self.input(Input::Bytes(conn, &bytes));
        self
    }
}

const SERVED: WitnessState = WitnessState::Served { rtt: 3_000_000, late: 0 };

#[test]
fn the_witness_makes_a_round_trip_every_200_ms() {
    let stage = stage("witness", &[]).pass(400);
    assert_eq!(stage.said[..2], ["connect", "subscribe proofhouse/witness"]);
    assert_eq!(stage.stage.witnessed(), [SERVED, SERVED, SERVED]);
}

#[test]
fn a_round_trip_that_takes_longer_than_200_ms_delays_the_next_without_lateness() {
    let mut stage = stage("witness", &[]);
    stage.delay = Duration::from_millis(300);
    let states = stage.pass(700).stage.witnessed();
    let slow = WitnessState::Served { rtt: 300_000_000, late: 0 };
    assert!(states.len() >= 3 && states[1..].iter().all(|state| *state == slow), "{states:?}");
}

#[test]
fn no_answer_within_5_s_is_missed_and_the_next_is_tried() {
    let mut stage = stage("witness", &[]);
    stage.mute = true;
    let missed = WitnessState::Missed { waited: 5_000_000_000, late: 0 };
    let stage = stage.pass(5_190);
    assert_eq!(stage.stage.witnessed(), [SERVED], "not before its time");
    let mut stage = stage.pass(10);
    assert_eq!(stage.stage.witnessed(), [SERVED, missed]);
    stage.mute = false;
    assert_eq!(stage.closes, 0, "the connection stands");
    let conn = stage.conn.unwrap();
    let late = stage.serve(&[]);
    assert!(late.is_empty() && conn == stage.conn.unwrap());
}

#[test]
fn a_deadline_that_we_slept_through_is_our_lateness() {
    let mut stage = stage("witness", &[]);
    stage.mute = true;
    let mut stage = stage.pass(1_000);
    stage.stage.now = stage.stage.now + Duration::from_secs(60);
    let missed = *stage.pass(0).stage.witnessed().last().unwrap();
    assert!(matches!(missed, WitnessState::Missed { late: 55_000_000_000.., .. }), "{missed:?}");
}

#[test]
fn a_target_that_accepts_and_stays_mute_is_missed() {
    let fleet = crate::testing::fleet("lamps", Fields::default());
    let row = super::BEHAVIOURS.iter().find(|row| row.name == "witness").unwrap();
    let mut mute = stage("witness", &[]);
    (mute.stage, mute.mute) =
        (testing::Stage::new((row.crowd)(&fleet, &testing::plan(vec![fleet.clone()]), None)), true);
    mute.input(Input::Start);
    let mute = mute.pass(5_000);
    assert_eq!(mute.stage.witnessed(), [WitnessState::Missed { waited: 5_000_000_000, late: 0 }]);
    assert_eq!(mute.closes, 1, "and it tries again over a new connection");
}

#[test]
fn a_newcomer_connects_under_a_name_of_its_own_and_leaves() {
    let mut stage = stage("witness", &[]).pass(100);
    stage.input(Input::Ask);
    let stage = stage.pass(250);
    let newcomers: Vec<WitnessState> =
        stage.stage.witnessed().into_iter().filter(|state| state.is_of_newcomer()).collect();
    assert_eq!(newcomers, [WitnessState::Knocks, WitnessState::Welcomed { took: 3_000_000 }]);
    assert_eq!(stage.said.iter().filter(|said| *said == "connect").count(), 2);
    assert!(stage.said.contains(&"disconnect".to_string()), "{:?}", stage.said);
}

#[test]
fn a_newcomer_that_finds_nobody_is_unheard_and_one_that_is_cut_off_was_turned_away() {
    for (how, state) in [(Close::Refused, WitnessState::Unheard), (Close::Fin, WitnessState::TurnedAway)] {
        let mut stage = stage("witness", &[]);
        stage.mute = true;
        stage.input(Input::Ask);
        let mut stage = stage.pass(250);
        let newcomer = stage.conn.unwrap();
        stage.input(Input::Closed(newcomer, how));
        assert_eq!(stage.stage.witnessed()[1..], [WitnessState::Knocks, state]);
    }
}

#[test]
fn a_lost_witness_says_so_and_comes_back() {
    let stage = stage("witness", &[]).lost();
    assert_eq!(stage.stage.witnessed(), [SERVED, WitnessState::Lost]);
    assert_eq!(stage.pass(150).stage.witnessed()[2..], [SERVED]);
}

#[test]
fn a_witness_that_may_not_subscribe_is_lost() {
    let mut refused = stage("witness", &[]);
    refused.suback = 0x87;
    let refused = refused.lost().pass(150);
    assert_eq!(refused.stage.witnessed()[1..3], [WitnessState::Lost, WitnessState::Lost]);
}

#[test]
fn a_commanded_device_answers_each_command_with_its_state_and_repeats_no_payload() {
    let stage = stage("commanded", &[]).command("cmd/lamps-0/power", b"0123456789abcdef");
    assert_eq!(stage.said[..2], ["connect", "subscribe cmd/lamps-0/#"]);
    let answers = ["puback", "publish site/lamps-0/state {\"applied\":1,\"command\":\"power\"}"];
    assert_eq!(stage.said[2..], answers);
}

#[test]
fn a_commanded_device_subscribes_again_where_its_session_was_not_kept() {
    let stage = stage("commanded", &[("filter", "all/{id}".into())]).lost().pass(1_000);
    let again = ["connect", "subscribe all/lamps-0", "connect", "subscribe all/lamps-0"];
    assert_eq!(stage.said, again);
}

#[test]
fn a_device_that_is_told_for_how_long_ends() {
    for behaviour in ["telemetry", "commanded"] {
        let row = super::BEHAVIOURS.iter().find(|row| row.name == behaviour).unwrap();
        let ends = |keys| (row.ends)(&crate::testing::fleet("f", keys));
        assert!(!ends(Fields::default()), "{behaviour}");
        assert!(ends(Fields(vec![("for".into(), "2s".into())])), "{behaviour}");
        let stage = stage(behaviour, &[("for", "2s".into())]).pass(1_900);
        assert!(!stage.stage.notes.contains(&Note::Finished), "{behaviour}");
        let stage = stage.pass(200);
        assert_eq!(stage.stage.notes, [Note::Finished], "{behaviour}");
        assert_eq!(stage.said.last().unwrap(), "disconnect", "{behaviour}");
        let said = stage.said.len();
        assert_eq!(stage.pass(60_000).said.len(), said, "{behaviour} stays away");
    }
}
