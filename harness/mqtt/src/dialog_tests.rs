//! Laws of dialogs and steps.
use std::vec;

use super::*;
use crate::codec::{Connack, Place, PropertiesBuf, PropertyId, Publish, QoS, TopicName};
use crate::describe;
use proofhouse_core::plan::Alternative;
use proofhouse_core::protocol::{Answers, From};
use proofhouse_core::testing::{self, step};

fn plan(fleet: FleetPlan) -> Plan {
    Plan {
        version: fleet.version.clone(),
        parties: vec![testing::party("owner"), testing::party("thief")],
        ..testing::plan(vec![fleet])
    }
}

fn open(version: &str, change: impl FnOnce(&mut FleetPlan)) -> Box<dyn Dialog> {
    let mut fleet = crate::testing::fleet("foe", Fields::default());
    fleet.version = version.into();
    change(&mut fleet);
    let plan = plan(fleet.clone());
    dialog(&fleet, &plan, 3)
}

/// What a step says, as a server would describe it, and what it awaits.
fn say(dialog: &mut dyn Dialog, version: &str, step: &StepPlan) -> (String, Option<Awaits>) {
    let mut out = vec![];
    let awaits = dialog.say(step, &step.fields, Time::ZERO, &mut out).unwrap();
    dialog.said(1, &out);
    (line(version, &out), awaits)
}

fn line(version: &str, bytes: &[u8]) -> String {
    let mut packets = vec![];
    describe::describe(version, From::Client).bytes(bytes, &mut packets);
    let lines: Vec<String> = packets.iter().map(|p| alloc::format!("{} {}", p.kind, p.fields)).collect();
    lines.join("; ")
}

fn hear(dialog: &mut dyn Dialog, version: Version, packet: &Packet<'_>, now: Time) -> String {
    let (mut bytes, mut packets, mut reply) = (vec![], vec![], vec![]);
    packet.encode(version, &mut bytes).unwrap();
    dialog.hear(&bytes, now, &mut packets, &mut reply);
    assert_eq!(packets.len(), 1);
    line(if version == Version::V5 { "5" } else { "3.1.1" }, &reply)
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

#[test]
fn a_connect_introduces_the_fleets_party_where_somebody_asks() {
    let connect = step("connect", &[]);
    let mut anonymous = open("5", |_| {});
    let said = "connect client_id=foe-3 clean_start=true keep_alive=60";
    assert_eq!(say(&mut *anonymous, "5", &connect).0, said);
    let mut known = open("5", |fleet| (fleet.authenticated, fleet.party) = (true, Some(0)));
    assert_eq!(say(&mut *known, "5", &connect).0, alloc::format!("{said} username=user-owner password=secret"));
    let mut other = step("connect", &[]);
    other.speaks_as = Some(Some(1));
    let speaking = |step: &StepPlan| {
        let step = step.clone();
        move |fleet: &mut FleetPlan| {
            (fleet.authenticated, fleet.party) = (true, Some(0));
            fleet.steps = vec![step];
        }
    };
    let mut thief = open("5", speaking(&other));
    assert_eq!(say(&mut *thief, "5", &other).0, alloc::format!("{said} username=user-thief password=secret"));
    other.speaks_as = Some(None);
    let mut nobody = open("5", speaking(&other));
    assert_eq!(say(&mut *nobody, "5", &other).0, said);
}

#[test]
fn a_legal_step_keeps_what_the_server_announced() {
    let check = |limit: PropertyId, value: u32, beyond: &StepPlan, within: &StepPlan, said: &str| {
        let mut dialog = open("5", |_| {});
        let properties = PropertiesBuf::new(Place::Connack).with(limit, value).unwrap();
        let connack = Connack { properties: properties.view(), ..Connack::new(false, ReasonCode::SUCCESS) };
        hear(&mut *dialog, Version::V5, &Packet::Connack(connack), Time::ZERO);
        let mut out = vec![];
        let refused = dialog.say(beyond, &beyond.fields, Time::ZERO, &mut out);
        assert_eq!((refused, out.len()), (Err(Unsayable::Limit(said.into())), 0));
        assert!(dialog.say(within, &within.fields, Time::ZERO, &mut out).is_ok());
    };
    let publish = |fields: &[(&str, Value)]| {
        let fields: Vec<(&str, Value)> = fields.iter().cloned().chain([("topic", "a".into())]).collect();
        step("publish", &fields)
    };
    let qos = |qos| publish(&[("qos", Value::Int(qos))]);
    check(PropertyId::MaximumQoS, 1, &qos(2), &qos(1), "Maximum QoS 1 [MQTT5 3.2.2-11]");
    let retained = publish(&[("retain", true.into())]);
    check(PropertyId::RetainAvailable, 0, &retained, &qos(0), "Retain Available 0 [MQTT5 3.2.2-14]");
    let said = "Maximum Packet Size 6 [MQTT5 3.2.2-15]";
    check(PropertyId::MaximumPacketSize, 6, &publish(&[("payload", "x".into())]), &qos(0), said);
    let filter = |filter: &str| step("subscribe", &[("filter", filter.into())]);
    let said = "Wildcard Subscription Available 0 [MQTT5 §3.2.2.3.11]";
    check(PropertyId::WildcardSubscriptionAvailable, 0, &filter("a/+"), &filter("a"), said);
}

#[test]
fn a_frame_says_what_no_server_announced() {
    let mut dialog = open("5", |_| {});
    let properties = PropertiesBuf::new(Place::Connack).with(PropertyId::MaximumQoS, 0u32).unwrap();
    let connack = Connack { properties: properties.view(), ..Connack::new(false, ReasonCode::SUCCESS) };
    hear(&mut *dialog, Version::V5, &Packet::Connack(connack), Time::ZERO);
    let frame = [("type", "publish".into()), ("topic", "a".into()), ("qos", Value::Int(2))];
    let frame = Fields(frame.into_iter().map(|(key, value): (&str, Value)| (key.to_string(), value)).collect());
    let send = step("send", &[("frame", Value::Table(frame))]);
    assert!(say(&mut *dialog, "5", &send).0.starts_with("publish"));
}

#[test]
fn a_message_beyond_the_quota_waits_for_an_acknowledgement() {
    let connack = |dialog: &mut dyn Dialog| {
        let properties = PropertiesBuf::new(Place::Connack).with(PropertyId::ReceiveMaximum, 1u32).unwrap();
        let connack = Connack { properties: properties.view(), ..Connack::new(false, ReasonCode::SUCCESS) };
        hear(dialog, Version::V5, &Packet::Connack(connack), Time::ZERO);
    };
    let publish = step("publish", &[("topic", "a".into()), ("qos", Value::Int(2))]);
    let mut dialog = open("5", |_| {});
    connack(&mut *dialog);
    assert!(say(&mut *dialog, "5", &publish).0.starts_with("publish"));
    assert_eq!(say(&mut *dialog, "5", &publish).0, "", "one is not acknowledged");
    let rec = Packet::Pubrec(Ack::success(id(1)));
    assert_eq!(hear(&mut *dialog, Version::V5, &rec, Time::ZERO), "pubrel packet_id=1 reason=0");
    let comp = Packet::Pubcomp(Ack::success(id(1)));
    assert!(hear(&mut *dialog, Version::V5, &comp, Time::ZERO).starts_with("publish"));
    let mut manual = open("5", |fleet| fleet.manual = true);
    connack(&mut *manual);
    assert!(say(&mut *manual, "5", &publish).0.starts_with("publish"));
    let refused = manual.say(&publish, &publish.fields, Time::ZERO, &mut vec![]);
    assert_eq!(refused, Err(Unsayable::Limit("Receive Maximum 1 [MQTT5 3.3.4-7]".into())), "nobody acknowledges");
}

#[test]
fn fields_that_a_version_does_not_have_are_left_out() {
    let fields = [("clean_start", false.into()), ("session_expiry", Value::Int(300)), ("client_id", "c".into())];
    let connect = step("connect", &fields);
    let said = |version| say(&mut *open(version, |_| {}), version, &connect).0;
    assert_eq!(said("3.1.1"), "connect client_id=c clean_start=false keep_alive=60");
    assert_eq!(said("5"), "connect client_id=c clean_start=false keep_alive=60 session_expiry=300");
    let disconnect = step("disconnect", &[("reason", Value::Int(4))]);
    assert_eq!(say(&mut *open("3.1.1", |_| {}), "3.1.1", &disconnect).0, "disconnect reason=0");
}

#[test]
fn every_question_has_its_natural_answer() {
    let mut dialog = open("5", |_| {});
    let mut awaits = |verb, fields: &[(&str, Value)]| {
        let awaits = say(&mut *dialog, "5", &step(verb, fields)).1;
        awaits.map(|a| alloc::format!("{} {:?}", a.kind, a.fields.first().map(|(_, id)| id.as_int().unwrap())))
    };
    let topic = ("topic", "a".into());
    assert_eq!(awaits("connect", &[]).unwrap(), "connack None");
    assert_eq!(awaits("publish", core::slice::from_ref(&topic)), None);
    assert_eq!(awaits("publish", &[topic.clone(), ("qos", Value::Int(1))]).unwrap(), "puback Some(1)");
    let chosen = [topic.clone(), ("qos", Value::Int(2)), ("packet_id", Value::Int(70))];
    assert_eq!(awaits("publish", &chosen).unwrap(), "pubrec Some(70)");
    assert_eq!(awaits("pubrel", &[("packet_id", Value::Int(70))]).unwrap(), "pubcomp Some(70)");
    assert_eq!(awaits("subscribe", &[("filter", "#".into())]).unwrap(), "suback Some(2)");
    assert_eq!(awaits("unsubscribe", &[("filter", "#".into())]).unwrap(), "unsuback Some(3)");
    assert_eq!(awaits("ping", &[]).unwrap(), "pingresp None");
    assert_eq!(awaits("disconnect", &[]).unwrap(), "closed None");
}

#[test]
fn a_client_answers_by_itself_unless_its_session_is_manual() {
    let topic = TopicName::new("a").unwrap();
    let message =
        |qos| Packet::Publish(Publish::new(crate::codec::Delivery::new(qos, Some(id(9)), false).unwrap(), topic, b""));
    for version in Version::ALL {
        let name = if version == Version::V5 { "5" } else { "3.1.1" };
        let mut auto = open(name, |_| {});
        let mut answer = |packet: &Packet<'_>| hear(&mut *auto, version, packet, Time::ZERO);
        assert_eq!(answer(&message(QoS::AtMostOnce)), "");
        assert_eq!(answer(&message(QoS::AtLeastOnce)), "puback packet_id=9 reason=0");
        assert_eq!(answer(&message(QoS::ExactlyOnce)), "pubrec packet_id=9 reason=0");
        assert_eq!(answer(&Packet::Pubrel(Ack::success(id(9)))), "pubcomp packet_id=9 reason=0");
        assert_eq!(answer(&Packet::Pubrec(Ack::success(id(4)))), "pubrel packet_id=4 reason=0");
        assert_eq!(answer(&Packet::Puback(Ack::success(id(4)))), "");
        let mut manual = open(name, |fleet| fleet.manual = true);
        assert_eq!(hear(&mut *manual, version, &message(QoS::ExactlyOnce), Time::ZERO), "");
    }
    let mut auto = open("5", |_| {});
    let refused = Packet::Pubrec(Ack::with_reason(id(4), ReasonCode::QUOTA_EXCEEDED));
    assert_eq!(hear(&mut *auto, Version::V5, &refused, Time::ZERO), "", "a refused message is not released");
}

#[test]
fn a_connection_is_kept_alive_from_its_connack_on() {
    let connect = step("connect", &[("keep_alive", Value::Int(8))]);
    let mut dialog = open("3.1.1", |_| {});
    say(&mut *dialog, "3.1.1", &connect);
    let mut out = vec![];
    assert_eq!(dialog.tick(Time::ZERO, &mut out), None, "nobody has accepted us yet");
    let connack = Packet::Connack(Connack::new(false, ReasonCode::SUCCESS));
    hear(&mut *dialog, Version::V311, &connack, Time::ZERO);
    let seven = Time(7_000_000_000);
    assert_eq!(dialog.tick(Time(6_999_999_999), &mut out), Some(seven));
    assert!(out.is_empty());
    assert_eq!(dialog.tick(seven, &mut out), Some(Time(14_000_000_000)));
    assert_eq!(line("3.1.1", &out), "pingreq ");
    let mut manual = open("3.1.1", |fleet| fleet.manual = true);
    say(&mut *manual, "3.1.1", &connect);
    hear(&mut *manual, Version::V311, &connack, Time::ZERO);
    assert_eq!(manual.tick(seven, &mut out), None);
}

#[test]
fn several_frames_are_one_write_and_get_what_they_do_not_say() {
    let frame = |fields: &[(&str, Value)]| {
        Value::Table(Fields(fields.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()))
    };
    let frames = Value::List(vec![
        frame(&[("type", "connect".into())]),
        frame(&[("type", "publish".into()), ("topic", "a/#".into()), ("qos", Value::Int(1))]),
    ]);
    let mut dialog = open("5", |_| {});
    let (said, awaits) = say(&mut *dialog, "5", &step("send", &[("frame", frames)]));
    assert!(said.starts_with("connect client_id=foe-3"), "{said}");
    assert!(said.contains("publish qos=1 packet_id=1 topic=a/#"), "{said}");
    assert_eq!(awaits, None);
}

#[test]
fn a_step_that_cannot_be_said_is_a_mistake_with_its_key() {
    let check = |verb: &str, fields: &[(&str, Value)], key: &str| {
        let outcome = steps::check("5", &step(verb, fields));
        assert_eq!(outcome.map_err(|(at, _)| at).err().unwrap_or_default(), key, "{verb} {fields:?}");
    };
    check("publish", &[("topic", "a".into())], "");
    check("publish", &[("topic", "a/+".into())], "topic");
    check("publish", &[("topic", "a".into()), ("qos", Value::Int(3))], "topic");
    check("publish", &[("topic", "a".into()), ("qos", Value::Int(4))], "qos");
    check("publish", &[("topic", "a".into()), ("retain", "yes".into())], "retain");
    check("subscribe", &[], "do = \"subscribe\"");
    check("subscribe", &[("filter", "a/#/b".into())], "filter");
    check("connect", &[("client_id", "c".into())], "");
    check("send", &[], "do");
    check("send", &[("hex", "10 0".into())], "hex");
    check("send", &[("hex", "10 {mid} 00".into())], "");
    check("send", &[("frame", Value::Int(3))], "frame");
    let frame =
        |key: &str, value: Value| Value::Table(Fields(vec![("type".into(), "publish".into()), (key.into(), value)]));
    check("send", &[("frame", frame("qos", Value::Int(3)))], "");
    check("send", &[("frame", frame("qoss", Value::Int(3)))], "qoss");
    check("ping", &[], "");
}

#[test]
fn words_for_reasons_differ_by_version() {
    let class = |version: &str, kind: &str, reason: Option<Value>, word: &str| {
        let fields = Fields(reason.into_iter().map(|reason| ("reason".to_string(), reason)).collect());
        let packet = Told { kind: kind.into(), fields, malformed: String::new() };
        (crate::MQTT.class)(version, &packet, "reason", word)
    };
    let code = |n: i64| Some(Value::Int(n));
    assert_eq!(class("3.1.1", "connack", code(1), "refused"), Some(true));
    assert_eq!(class("3.1.1", "connack", code(0), "refused"), Some(false));
    assert_eq!(class("5", "connack", code(1), "refused"), Some(false));
    assert_eq!(class("5", "connack", code(0x80), "refused"), Some(true));
    assert_eq!(class("5", "suback", Some(Value::List(vec![Value::Int(0), Value::Int(0x87)])), "ok"), Some(false));
    assert_eq!(class("5", "puback", code(0x7f), "ok"), Some(true));
    assert_eq!(class("5", "puback", None, "ok"), Some(false));
    assert_eq!(class("5", "puback", code(0), "fine"), None);
}

/// What each of these packets answers.
fn answers(dialog: &mut dyn Dialog, all: &[Packet<'_>]) -> Vec<Answers> {
    let (mut bytes, mut packets) = (vec![], vec![]);
    all.iter().for_each(|packet| packet.encode(Version::V5, &mut bytes).unwrap());
    dialog.hear(&bytes, Time::ZERO, &mut packets, &mut vec![]);
    packets.into_iter().map(|heard| heard.answers).collect()
}

#[test]
fn an_answer_belongs_to_the_step_whose_packet_identifier_it_carries() {
    let mut dialog = open("5", |_| {});
    let mut said = |nth: u32, verb: &str, fields: &[(&str, Value)]| {
        let (step, mut out) = (step(verb, fields), vec![]);
        dialog.say(&step, &step.fields, Time::ZERO, &mut out).unwrap();
        dialog.said(nth, &out);
    };
    said(1, "publish", &[("topic", "a".into()), ("qos", Value::Int(1)), ("packet_id", Value::Int(7))]);
    said(2, "subscribe", &[("filter", "a".into()), ("packet_id", Value::Int(8))]);
    said(3, "publish", &[("topic", "a".into()), ("qos", Value::Int(2)), ("packet_id", Value::Int(9))]);
    said(4, "ping", &[]);
    let ack = |number| Ack::success(id(number));
    let heard = answers(
        &mut *dialog,
        &[
            Packet::Puback(ack(7)),
            Packet::Puback(ack(5)),
            Packet::Pubrec(ack(9)),
            // Answered by a PUBREL that no step said.
            Packet::Pubcomp(ack(9)),
            Packet::Pingresp,
            Packet::Pingresp,
        ],
    );
    use Answers::{Bystander, Step, Unknown};
    assert_eq!(heard, [Step(1), Unknown, Step(3), Bystander, Step(4), Unknown]);
}

#[test]
fn a_message_is_somebodys_and_the_witness_is_a_bystander() {
    let mut dialog = open("5", |_| {});
    let message = |topic| {
        let delivery = crate::codec::Delivery::new(QoS::AtMostOnce, None, false).unwrap();
        Packet::Publish(Publish::new(delivery, TopicName::new(topic).unwrap(), b""))
    };
    let heard = answers(&mut *dialog, &[message("a"), message("proofhouse/witness"), message("proofhouses")]);
    assert_eq!(heard, [Answers::Message, Answers::Bystander, Answers::Message]);
}

#[test]
fn an_awaited_message_says_whose_it_is() {
    let awaited = |fields: &[(&str, Value)], canary: bool| {
        let mut step = step("expect", &[]);
        step.any = vec![Alternative {
            closed: false,
            silence: None,
            fields: fields.iter().map(|(name, value)| (name.to_string(), vec![value.clone()])).collect(),
            canary: canary.then_some(proofhouse_core::ids::CanaryId(0)),
            bind: vec![],
        }];
        steps::check("5", &step).is_ok()
    };
    let publish = ("type", Value::from("publish"));
    assert!(!awaited(core::slice::from_ref(&publish), false));
    assert!(!awaited(&[publish.clone(), ("qos", Value::Int(1))], false));
    assert!(awaited(core::slice::from_ref(&publish), true));
    assert!(awaited(&[publish, ("topic", "a".into())], false));
    assert!(awaited(&[("type", "puback".into())], false));
}
