//! Laws of the session, with a server that says exactly what a test tells it.
use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::codec::{Ack, Connack, Delivery, Framer, Suback};

/// A session and what it said, one line for each packet.
struct Wire {
    session: Session,
    now: Time,
    said: Vec<String>,
    events: Vec<String>,
}

fn profile(version: Version) -> Profile {
    Profile { clean_start: false, session_expiry: 60, ..Profile::new(version) }
}

impl Wire {
    fn new(profile: Profile) -> Wire {
        let session = Session::new(Arc::new(profile), "dev-0".into());
        Wire { session, now: Time::ZERO, said: vec![], events: vec![] }
    }

    /// Connected, with the given properties of CONNACK.
    fn online(self, present: bool, properties: &[(PropertyId, u32)]) -> Wire {
        let mut wire = self;
        let mut out = vec![];
        wire.session.connect(wire.now, &mut out);
        wire.tell(&out);
        let mut buf = PropertiesBuf::new(Place::Connack);
        for (id, value) in properties {
            buf.push(*id, *value).unwrap();
        }
        wire.hear(&Packet::Connack(Connack { properties: buf.view(), ..Connack::new(present, ReasonCode::SUCCESS) }))
    }

    fn tell(&mut self, bytes: &[u8]) {
        let version = self.session.profile.version;
        let mut framer = Framer::new(version, Sender::Client, u32::MAX);
        let mut rest = bytes;
        while let Some(cut) = framer.next(&mut rest).unwrap() {
            let packet = Packet::decode(version, Sender::Client, cut.first, cut.body).unwrap();
            let told = crate::describe::tell(&packet, version);
            let field = |name: &str| told.fields.find(name).map(|value| alloc::format!(" {name}={value}"));
            let dup = told.fields.truth("dup").unwrap_or(false).then(|| " dup".to_string());
            let words = [field("topic"), field("topic_alias"), field("packet_id"), dup].into_iter().flatten();
            let code = told.fields.int("reason").filter(|code| *code > 0).map(|code| alloc::format!(" {code:#x}"));
            self.said.push([told.kind].into_iter().chain(words).chain(code).collect());
        }
        assert_eq!(framer.held(), 0, "half a packet was said");
    }

    fn try_hear(&mut self, packet: &Packet<'_>) -> Result<(), Reason> {
        let (mut bytes, mut out, mut events) = (vec![], vec![], vec![]);
        packet.encode(self.session.profile.version, &mut bytes).unwrap();
        let heard = self.session.hear(self.now, &bytes, &mut out, &mut |event| {
            events.push(match event {
                Event::Message { topic, payload, .. } => {
                    alloc::format!("{topic} {}", String::from_utf8_lossy(payload))
                }
                Event::Delivered { ticket, reason } => alloc::format!("delivered {} {reason}", ticket.0),
                other => alloc::format!("{other:?}"),
            });
        });
        self.events.extend(events);
        self.tell(&out);
        heard
    }

    #[track_caller]
    fn hear(mut self, packet: &Packet<'_>) -> Wire {
        self.try_hear(packet).unwrap();
        self
    }

    fn publish(mut self, topic: &str, qos: QoS) -> Wire {
        let mut out = vec![];
        let message = Message { topic: topic.into(), payload: b"x".to_vec(), qos, retain: false };
        self.session.publish(self.now, message, &mut out).unwrap();
        self.tell(&out);
        self
    }

    fn lost(mut self) -> Wire {
        self.session.lost();
        self.said.clear();
        self
    }

    fn tick(&mut self, seconds: u64) -> Tick {
        self.now = self.now + Duration::from_secs(seconds);
        let mut out = vec![];
        let tick = self.session.tick(self.now, &mut out);
        self.tell(&out);
        tick
    }
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn message(qos: QoS, number: u16, dup: bool) -> Packet<'static> {
    let delivery = Delivery::new(qos, PacketId::new(number), dup).unwrap();
    Packet::Publish(Publish::new(delivery, TopicName::new("cmd/door").unwrap(), b"open"))
}

const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

#[test]
fn qos_1_and_2_are_delivered_when_the_last_acknowledgement_comes() {
    for version in Version::ALL {
        let wire = Wire::new(profile(version)).online(false, &[]).publish("a", ONE).publish("b", TWO);
        assert_eq!(wire.said, ["connect", "publish topic=a packet_id=1", "publish topic=b packet_id=2"]);
        let wire = wire.hear(&Packet::Pubrec(Ack::success(id(2)))).hear(&Packet::Puback(Ack::success(id(1))));
        assert_eq!(wire.said[3..], ["pubrel packet_id=2"]);
        assert_eq!(wire.events[1..], ["delivered 1 0x00"]);
        let wire = wire.hear(&Packet::Pubcomp(Ack::success(id(2))));
        assert_eq!(wire.events[2..], ["delivered 2 0x00"]);
        assert_eq!(wire.session.unfinished(), 0);
    }
}

#[test]
fn a_puback_does_not_end_a_qos_2_exchange() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[]).publish("b", TWO);
    assert_eq!(wire.hear(&Packet::Puback(Ack::success(id(1)))).session.unfinished(), 1);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_with_dup() {
    let wire = Wire::new(profile(Version::V311)).online(false, &[]);
    let wire = wire.publish("a", ONE).publish("b", TWO).publish("c", TWO).hear(&Packet::Pubrec(Ack::success(id(3))));
    let wire = wire.lost().online(true, &[]);
    let again = ["connect", "pubrel packet_id=3", "publish topic=a packet_id=1 dup", "publish topic=b packet_id=2 dup"];
    assert_eq!(wire.said, again);
}

#[test]
fn a_server_that_forgot_the_session_gets_new_messages_without_dup() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[]);
    let wire = wire.publish("a", ONE).publish("c", TWO).hear(&Packet::Pubrec(Ack::success(id(2))));
    let wire = wire.lost().online(false, &[]);
    assert_eq!(wire.said, ["connect", "publish topic=a packet_id=3"]);
    assert_eq!(wire.events.last().unwrap(), "delivered 2 0x00", "it had taken that one");
}

#[test]
fn a_qos_2_message_that_comes_twice_is_told_once() {
    for version in Version::ALL {
        let wire = Wire::new(profile(version)).online(false, &[]).hear(&message(TWO, 5, false));
        let wire = wire.lost().online(true, &[]).hear(&message(TWO, 5, true));
        assert_eq!(wire.events.iter().filter(|event| *event == "cmd/door open").count(), 1);
        let wire = wire.hear(&Packet::Pubrel(Ack::success(id(5)))).hear(&message(TWO, 5, false));
        assert_eq!(wire.events.iter().filter(|event| *event == "cmd/door open").count(), 2, "a new message");
        assert_eq!(wire.said, ["connect", "pubrec packet_id=5", "pubcomp packet_id=5", "pubrec packet_id=5"]);
    }
}

#[test]
fn a_qos_1_message_is_told_each_time_and_acknowledged() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[]).hear(&message(ONE, 5, false));
    let wire = wire.hear(&message(ONE, 5, true)).hear(&message(QoS::AtMostOnce, 0, false));
    assert_eq!(wire.events.len(), 4);
    assert_eq!(wire.said[1..], ["puback packet_id=5", "puback packet_id=5"]);
}

#[test]
fn an_unknown_pubrel_and_pubrec_are_answered_with_not_found_in_mqtt_5() {
    let check = |version, rel: &str, comp: &str| {
        let wire = Wire::new(profile(version)).online(false, &[]);
        let wire = wire.hear(&Packet::Pubrel(Ack::success(id(9)))).hear(&Packet::Pubrec(Ack::success(id(9))));
        assert_eq!(wire.said[1..], [comp, rel]);
    };
    check(Version::V5, "pubrel packet_id=9 0x92", "pubcomp packet_id=9 0x92");
    check(Version::V311, "pubrel packet_id=9", "pubcomp packet_id=9");
}

#[test]
fn never_more_in_flight_than_the_server_takes() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[(PropertyId::ReceiveMaximum, 2)]);
    let wire = wire.publish("a", ONE).publish("b", TWO).publish("c", ONE);
    assert_eq!(wire.said.len(), 3, "{:?}", wire.said);
    let wire = wire.hear(&Packet::Pubrec(Ack::success(id(2))));
    assert_eq!(wire.said.len(), 4, "PUBREC frees nothing");
    let wire = wire.hear(&Packet::Pubcomp(Ack::success(id(2))));
    assert_eq!(wire.said.last().unwrap(), "publish topic=c packet_id=3");
}

#[test]
fn a_refused_pubrec_ends_the_exchange_and_frees_its_place() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[(PropertyId::ReceiveMaximum, 1)]);
    let wire = wire.publish("a", TWO).publish("b", TWO);
    let wire = wire.hear(&Packet::Pubrec(Ack::with_reason(id(1), ReasonCode::NOT_AUTHORIZED)));
    assert_eq!(wire.events.last().unwrap(), "delivered 1 0x87");
    assert_eq!(wire.said.last().unwrap(), "publish topic=b packet_id=2");
}

#[test]
fn what_is_published_offline_waits() {
    let wire = Wire::new(profile(Version::V5)).publish("a", ONE);
    assert!(wire.said.is_empty());
    assert_eq!(wire.online(false, &[]).said, ["connect", "publish topic=a packet_id=1"]);
}

#[test]
fn aliases_are_used_as_far_as_the_server_takes_them_and_forgotten_with_the_connection() {
    let profile = Profile { use_aliases: true, ..profile(Version::V5) };
    let wire = Wire::new(profile).online(false, &[(PropertyId::TopicAliasMaximum, 1)]);
    let none = QoS::AtMostOnce;
    let wire = wire.publish("a", none).publish("a", none).publish("b", none);
    assert_eq!(wire.said[1..], ["publish topic=a topic_alias=1", "publish topic= topic_alias=1", "publish topic=b"]);
    let wire = wire.lost().online(true, &[]).publish("a", none);
    assert_eq!(wire.said.last().unwrap(), "publish topic=a");
}

#[test]
fn a_message_that_is_too_large_defines_no_alias() {
    let profile = Profile { use_aliases: true, ..profile(Version::V5) };
    let terms = [(PropertyId::TopicAliasMaximum, 1), (PropertyId::MaximumPacketSize, 14)];
    let mut wire = Wire::new(profile).online(false, &terms);
    let large = Message { topic: "abc".into(), payload: b"12345678".to_vec(), ..Message::default() };
    let refused = wire.session.publish(wire.now, large, &mut vec![]);
    assert_eq!(refused, Err(Refused::Limit(Limit::MaximumPacketSize(14))));
    let wire = wire.publish("abc", QoS::AtMostOnce);
    assert_eq!(wire.said[1..], ["publish topic=abc topic_alias=1"]);
}

#[test]
fn a_message_that_fits_without_its_alias_only_is_sent_without() {
    let profile = Profile { use_aliases: true, ..profile(Version::V5) };
    // Two bytes of header, three of topic, one of properties, one of payload; an alias takes three more.
    let check = |most, said: &str| {
        let terms = [(PropertyId::TopicAliasMaximum, 1), (PropertyId::MaximumPacketSize, most)];
        let wire = Wire::new(profile.clone()).online(false, &terms).publish("a", QoS::AtMostOnce);
        assert_eq!(wire.said[1..], [said], "Maximum Packet Size {most}");
    };
    check(7, "publish topic=a");
    check(10, "publish topic=a topic_alias=1");
}

#[test]
fn what_is_sent_again_keeps_within_a_smaller_receive_maximum() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[]);
    let wire = wire.publish("a", ONE).publish("b", TWO).publish("c", ONE);
    let wire = wire.lost().online(true, &[(PropertyId::ReceiveMaximum, 1)]).publish("d", ONE);
    assert_eq!(wire.said, ["connect", "publish topic=a packet_id=1 dup"]);
    let wire = wire.hear(&Packet::Puback(Ack::success(id(1))));
    assert_eq!(wire.said[2..], ["publish topic=b packet_id=2 dup"]);
    let wire = wire.hear(&Packet::Pubrec(Ack::success(id(2)))).hear(&Packet::Pubcomp(Ack::success(id(2))));
    assert_eq!(wire.said[3..], ["pubrel packet_id=2", "publish topic=c packet_id=3 dup"]);
    let wire = wire.hear(&Packet::Puback(Ack::success(id(3))));
    assert_eq!(wire.said[5..], ["publish topic=d packet_id=4"], "new messages come after the old");
}

#[test]
fn what_a_server_takes_no_longer_is_not_sent_again_as_something_else() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[]).publish("a", TWO).publish("b", ONE);
    let wire = wire.lost().online(true, &[(PropertyId::MaximumQoS, 1)]);
    assert_eq!(wire.said, ["connect", "publish topic=b packet_id=2 dup"]);
    let wire = wire.lost().online(true, &[]);
    assert_eq!(wire.said, ["connect", "publish topic=a packet_id=1 dup", "publish topic=b packet_id=2 dup"]);
    let wire = wire.lost().online(false, &[(PropertyId::MaximumQoS, 1)]);
    assert_eq!(wire.said, ["connect", "publish topic=a packet_id=3", "publish topic=b packet_id=4"], "as new ones");
}

#[test]
fn pubrels_follow_the_order_of_pubrecs() {
    let wire = Wire::new(profile(Version::V311)).online(false, &[]).publish("a", TWO).publish("b", TWO);
    let wire = wire.hear(&Packet::Pubrec(Ack::success(id(2)))).hear(&Packet::Pubrec(Ack::success(id(1))));
    let wire = wire.hear(&Packet::Pubrec(Ack::success(id(2)))).lost().online(true, &[]);
    assert_eq!(wire.said, ["connect", "pubrel packet_id=2", "pubrel packet_id=1"]);
}

#[test]
fn what_a_server_does_not_serve_is_not_asked_for() {
    let check = |limit, filter, clause| {
        let mut wire = Wire::new(profile(Version::V5)).online(false, &[(limit, 0)]);
        let mut ask = |filter| {
            let (now, mut out) = (wire.now, vec![]);
            wire.session.subscribe(now, &[(filter, ONE)], &mut out).map_err(|reason| reason.clause)
        };
        assert_eq!(ask(filter), Err(clause));
        assert_eq!(ask("cmd"), Ok(()));
    };
    check(PropertyId::WildcardSubscriptionAvailable, "cmd/#", "MQTT5 §3.2.2.3.11");
    check(PropertyId::SharedSubscriptionAvailable, "$share/g/cmd", "MQTT5 §3.2.2.3.13");
}

#[test]
fn a_server_that_knows_a_session_of_a_stranger_is_left_and_told_to_begin_anew() {
    let mut wire = Wire::new(profile(Version::V5));
    let mut out = vec![];
    wire.session.connect(wire.now, &mut out);
    let present = Packet::Connack(Connack::new(true, ReasonCode::SUCCESS));
    assert_eq!(wire.try_hear(&present).unwrap_err().clause, "MQTT5 3.2.2-4");
    let mut again = vec![];
    wire.session.connect(wire.now, &mut again);
    let clean_start = |bytes: &[u8]| bytes[9] & 2 != 0;
    assert_eq!((clean_start(&out), clean_start(&again)), (false, true));
    let mut known = Wire::new(profile(Version::V5)).online(false, &[]).lost();
    known.session.connect(known.now, &mut vec![]);
    assert_eq!(known.try_hear(&present), Ok(()), "a session of its own");
}

#[test]
fn a_server_that_takes_no_acknowledgement_is_left() {
    let mut wire = Wire::new(profile(Version::V5)).online(false, &[(PropertyId::MaximumPacketSize, 3)]);
    assert_eq!(wire.try_hear(&message(ONE, 5, false)).unwrap_err().clause, "MQTT5 3.2.2-15");
    assert_eq!(wire.said[1..], ["disconnect 0x95"], "three bytes are taken");
}

#[test]
fn nothing_is_said_after_the_goodbye_of_the_server() {
    let wire = Wire::new(profile(Version::V5)).online(false, &[(PropertyId::ReceiveMaximum, 1)]);
    let mut wire = wire.publish("a", ONE).publish("b", ONE);
    let mut bytes = vec![];
    for packet in [Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_BUSY)), message(ONE, 7, false)] {
        packet.encode(Version::V5, &mut bytes).unwrap();
    }
    let mut out = vec![];
    wire.session.hear(wire.now, &bytes, &mut out, &mut |_| {}).unwrap();
    assert!(out.is_empty() && !wire.session.is_online(), "{out:?}");
}

#[test]
fn an_alias_of_the_server_stands_for_its_topic() {
    let say = |topic, alias: u16| {
        let properties = PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, alias).unwrap();
        (topic, properties)
    };
    let check = |last: u16, clause| {
        let mut wire = Wire::new(Profile { topic_alias_maximum: 2, ..profile(Version::V5) }).online(false, &[]);
        let mut hear = |(topic, properties): (TopicName<'_>, PropertiesBuf)| {
            let publish = Publish { properties: properties.view(), ..Publish::new(Delivery::AtMostOnce, topic, b"1") };
            wire.try_hear(&Packet::Publish(publish)).map_err(|reason| reason.clause)
        };
        assert_eq!(hear(say(TopicName::new("a/b").unwrap(), 2)), Ok(()));
        assert_eq!(hear(say(TopicName::ALIASED, 2)), Ok(()));
        assert_eq!(hear(say(TopicName::ALIASED, last)), Err(clause));
        assert_eq!(wire.events[1..], ["a/b 1", "a/b 1"]);
    };
    check(1, "MQTT5 §3.3.2.3.4");
    check(3, "MQTT5 3.1.2-26");
}

#[test]
fn keep_alive_is_the_servers_word_and_a_ping_without_answer_ends_it() {
    let mut wire = Wire::new(profile(Version::V5)).online(false, &[(PropertyId::ServerKeepAlive, 8)]);
    assert_eq!(wire.tick(6), Tick::Next(Time(7_000_000_000)));
    assert_eq!(wire.tick(1), Tick::Next(Time(15_000_000_000)));
    assert_eq!(wire.said.last().unwrap(), "pingreq");
    let mut answered = wire.hear(&Packet::Pingresp);
    assert_eq!(answered.tick(7), Tick::Next(Time(22_000_000_000)), "and the next ping");
    assert_eq!(answered.tick(7), Tick::Next(Time(22_000_000_000)));
    assert_eq!(answered.tick(1), Tick::Dead);
}

#[test]
fn a_server_that_does_not_answer_connect_is_dead_after_ten_seconds() {
    let mut wire = Wire::new(profile(Version::V5));
    wire.session.connect(Time::ZERO, &mut vec![]);
    assert_eq!(wire.tick(9), Tick::Next(Time(10_000_000_000)));
    assert_eq!(wire.tick(1), Tick::Dead);
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_so_in_mqtt_5() {
    let mut wire = Wire::new(profile(Version::V5)).online(false, &[]);
    let second = Packet::Connack(Connack::new(false, ReasonCode::SUCCESS));
    assert_eq!(wire.try_hear(&second).unwrap_err().clause, "MQTT5 3.2.0-1");
    assert_eq!(wire.said.last().unwrap(), "disconnect 0x82");
    let mut wire = Wire::new(Profile::new(Version::V5));
    wire.session.connect(Time::ZERO, &mut vec![]);
    let present = Packet::Connack(Connack::new(true, ReasonCode::SUCCESS));
    assert_eq!(wire.try_hear(&present).unwrap_err().clause, "MQTT5 3.2.2-2");
    assert!(wire.said.is_empty(), "nobody is online who could say so");
}

#[test]
fn subscriptions_are_answered_once() {
    let mut wire = Wire::new(profile(Version::V5)).online(false, &[]);
    let mut out = vec![];
    wire.session.subscribe(wire.now, &[("cmd/#", ONE)], &mut out).unwrap();
    assert!(wire.session.subscribe(wire.now, &[("cmd/#/x", ONE)], &mut out).is_err());
    let wire = wire.hear(&Packet::Suback(Suback::new(id(1), &[1]))).hear(&Packet::Suback(Suback::new(id(1), &[1])));
    assert_eq!(wire.events.len(), 2);
}

#[test]
fn an_identifier_in_use_is_not_given_out_again() {
    let mut wire = Wire::new(profile(Version::V311)).online(false, &[]).publish("a", ONE);
    wire.session.last_id = u16::MAX;
    let wire = wire.publish("b", ONE);
    assert_eq!(wire.said.last().unwrap(), "publish topic=b packet_id=2", "0 is none and 1 is in flight");
}

#[test]
fn the_wait_before_coming_back_doubles_between_its_bounds() {
    let mut rng = proofhouse_core::seed::SplitMix(7);
    let bounds = [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)];
    for (failures, most) in bounds {
        for _ in 0..100 {
            let wait = Backoff::DEVICE.wait(failures, &mut rng);
            let most = Duration::from_secs(most);
            assert!(wait >= most / 2 && wait <= most, "{failures} failures: {wait:?}");
        }
    }
}
