//! What is left on a broker is named and cleared; what others left is told from it.
use super::*;
use crate::testing::{self, ELSEWHERE};
use proofhouse_core::connection::Addr;
use proofhouse_core::shared::CLEARING;
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{Bytes, Entry, Who};
use proofhouse_core::value::Value;

const SCENARIO: &str = r#"format = 1
title = "x"
protocol = "mqtt"
version = "3.1.1"
limit = "20s"
[fleet.foe]
behaviour = "script"
step = [
  { do = "connect", part = "control" },
  { do = "publish", topic = "a/x", canary = "n", part = "stimulus" },
]
[[expect]]
oracle = "never-at"
canary = "n"
at = "foe"
"#;

fn plan(id: &str, text: &str) -> Plan {
    testing::planned(id, text, ELSEWHERE).0
}

type Said<'a> = (bool, &'a str, &'a [(&'a str, Value)]);

/// One connection of the foe, on which these packets were sent (`true`) and received.
fn seen(packets: &[Said<'_>]) -> Transcript {
    let header = proofhouse_core::testing::header(&plan("mqtt/x", SCENARIO));
    let here = Addr::new([127, 0, 0, 1], 7);
    let entry = |event| Entry { at: Time::ZERO, who: Who::Member("foe".into(), 0), event };
    let mut entries = alloc::vec![entry(Event::Opened { conn: 0, label: "main".into(), from: here, to: here })];
    for (sent, kind, fields) in packets {
        let fields = proofhouse_core::testing::fields(fields);
        let spelt = hex(fields.text("topic").unwrap_or_default().as_bytes());
        let packet = Packet { kind: (*kind).into(), fields, malformed: String::new() };
        let bytes = Bytes { conn: 0, hex: spelt, len: None, sha256: None, packets: [packet].to_vec() };
        entries.push(entry(if *sent { Event::Sent(bytes) } else { Event::Received(bytes) }));
    }
    Transcript { header, entries }
}

fn connects<'a>(clean: bool) -> [(&'a str, Value); 2] {
    [("client_id", "id".into()), ("clean_start", clean.into())]
}

const ACCEPTED: [(&str, Value); 1] = [("reason", Value::Int(0))];

fn names(packets: &[Said<'_>]) -> Vec<String> {
    let plan = plan("mqtt/x", SCENARIO);
    residue(&plan, &seen(packets)).map(|left| left.names.into_iter().collect()).unwrap_or_default()
}

#[test]
fn what_outlives_a_connection_is_left() {
    let publish = |retain: bool| [("topic", Value::from("a/x")), ("retain", retain.into())];
    let left = |clean, retain| {
        names(&[
            (true, "connect", &connects(clean)),
            (false, "connack", &ACCEPTED),
            (true, "publish", &publish(retain)),
        ])
    };
    assert_eq!(left(false, true), ["a/x", "id"]);
    assert_eq!(left(true, true), ["a/x"]);
    assert_eq!(left(true, false), [""; 0]);
}

#[test]
fn who_was_not_let_in_has_left_nothing() {
    let retained = [("topic", Value::from("a/x")), ("retain", true.into())];
    let refused = [("reason", Value::Int(5))];
    assert_eq!(
        names(&[(true, "connect", &connects(false)), (false, "connack", &refused), (true, "publish", &retained)]),
        [""; 0]
    );
}

#[test]
fn a_retained_will_is_left_too() {
    let mut connect = connects(true).to_vec();
    connect.extend([("will_topic", Value::from("a/will")), ("will_retain", true.into())]);
    assert_eq!(names(&[(true, "connect", &connect), (false, "connack", &ACCEPTED)]), ["a/will"]);
}

#[test]
fn the_clearing_speaks_of_the_names_as_they_are() {
    let odd = "a/\u{fc}\u{1}\"{x}";
    let retained = [("topic", Value::from(odd)), ("retain", true.into())];
    let packets: [Said<'_>; 3] =
        [(true, "connect", &connects(false)), (false, "connack", &ACCEPTED), (true, "publish", &retained)];
    let left = residue(&plan("mqtt/x", SCENARIO), &seen(&packets)).expect("a session and a message");
    let clearing = plan(&format!("{CLEARING}mqtt/x"), &left.scenario);
    let steps = || clearing.fleets.iter().flat_map(|fleet| &fleet.steps);
    assert!(steps().any(|step| step.fields.text("client_id") == Some("id")), "{}", left.scenario);
    let frame = |step: &plan::StepPlan| match step.fields.find("frame") {
        Some(Value::Table(frame)) => frame.text("topic").map(ToString::to_string),
        _ => None,
    };
    assert_eq!(steps().find_map(frame).as_deref(), Some(odd));
}

#[test]
fn a_message_of_somebody_else_is_told_from_ours() {
    let plan = plan("mqtt/x", SCENARIO);
    let said = [("topic", Value::from("a/x")), ("payload", "1".into())];
    let tells = |topic: &str, payload: &str| {
        let came = [("topic", Value::from(topic)), ("payload", payload.into()), ("retain", true.into())];
        foreign(&plan, &seen(&[(true, "publish", &said), (false, "publish", &came)]))
    };
    assert!(tells("b/y", "on").is_some_and(|why| why.contains("b/y")));
    assert_eq!(tells("a/x", "on"), None, "we have published there");
    assert_eq!(tells("b/y", &plan.canaries[0].1), None, "it is ours, on another topic: that is the target's doing");
    assert_eq!(tells("$SYS/uptime", "9"), None, "the server's own");
}
