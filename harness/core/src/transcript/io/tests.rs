use alloc::string::ToString;
use alloc::vec;
use proptest::collection::vec as many;
use proptest::prelude::*;

use super::*;
use crate::admin::Order;
use crate::connection::{Addr, Close};
use crate::part::Part;
use crate::seed::Seed;
use crate::time::Time;
use crate::transcript::{By, Bytes, Entry, Event, Life, Packet, StepState, Who, WitnessState};
use crate::value::{Fields, Value};

fn header() -> Header {
    Header {
        format: FORMAT,
        scenario: "mqtt/mc-03-takeover".to_string(),
        case: "version=5".to_string(),
        seed: Seed(u64::MAX),
        target: "reference".to_string(),
        clock: "sim".to_string(),
        arm: "main".to_string(),
    }
}

/// Any text, control characters and quotes too.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{1,8}", Just("hex".to_string())]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1_000_000_000..1_000_000_000i64).prop_map(|n| Value::Float(n as f64 / 1024.0)),
        text().prop_map(Value::Text),
        many(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            many(inner.clone(), 0..3).prop_map(Value::List),
            // A table of one text called `hex` reads as bytes: no protocol makes one.
            many(("[a-g]{2}", inner), 0..3).prop_map(|all| Value::Table(fields(all))),
        ]
    })
}

/// Named values, each name once.
fn fields(all: Vec<(String, Value)>) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in all {
        fields.set(&name, value);
    }
    fields
}

fn packet() -> impl Strategy<Value = Packet> {
    ("[a-z]{3,10}", many(("(hex|topic|qos|reason|payload)", value()), 0..4), prop_oneof![Just(String::new()), text()])
        .prop_map(|(kind, all, malformed)| Packet { kind, fields: fields(all), malformed })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let cut = proptest::option::of((any::<u64>(), "[0-9a-f]{64}"));
    (any::<u32>(), "([0-9a-f]{2}){0,16}", cut, many(packet(), 0..3)).prop_map(|(conn, hex, cut, packets)| Bytes {
        conn,
        hex,
        len: cut.as_ref().map(|cut| cut.0),
        sha256: cut.map(|cut| cut.1),
        packets,
    })
}

fn addr() -> impl Strategy<Value = Addr> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| Addr { ip, port })
}

fn step() -> impl Strategy<Value = Event> {
    use StepState::{Barred, Beyond, Cut, Met, Started, Unmet, Unsaid};
    let state = proptest::sample::select(vec![Started, Met, Unmet, Unsaid, Beyond, Barred, Cut]);
    let part = proptest::sample::select(vec![None, Some(Part::Control), Some(Part::Stimulus)]);
    (any::<u16>(), text(), any::<Option<u32>>(), state, part, text())
        .prop_map(|(index, verb, conn, state, part, detail)| Event::Step { index, verb, conn, state, part, detail })
}

fn event() -> impl Strategy<Value = Event> {
    let by = proptest::sample::select(vec![By::Us, By::Peer, By::Limit]);
    let how = proptest::sample::select(vec![Close::Fin, Close::Reset, Close::Refused, Close::TimedOut]);
    let nanos = any::<u64>;
    prop_oneof![
        (any::<u32>(), text(), addr(), addr()).prop_map(|(conn, label, from, to)| Event::Opened {
            conn,
            label,
            from,
            to
        }),
        (any::<u32>(), by, how).prop_map(|(conn, by, how)| Event::Closed { conn, by, how }),
        bytes().prop_map(Event::Sent),
        bytes().prop_map(Event::Received),
        (any::<u32>(), nanos()).prop_map(|(conn, len)| Event::Undelivered { conn, len }),
        step(),
        (text(), value()).prop_map(|(name, value)| Event::Bound { name, value }),
        (text(), any::<u32>()).prop_map(|(canary, conn)| Event::Seen { canary, conn }),
        (text(), text()).prop_map(|(party, grant)| Event::Ordered { order: Order::Revoke { party, grant } }),
        Just(Event::Ordered { order: Order::Restart }),
        (text(), text(), any::<bool>()).prop_map(|(party, grant, allow)| Event::Grant { party, grant, allow }),
        any::<i32>().prop_map(|code| Event::Life(Life::Exited { code })),
        text().prop_map(|line| Event::Life(Life::Log { line })),
        Just(Event::Life(Life::Ready)),
        (text(), nanos()).prop_map(|(name, value)| Event::Gauge { name, value }),
        (nanos(), nanos()).prop_map(|(rtt, late)| Event::Witness(WitnessState::Served { rtt, late })),
        Just(Event::Witness(WitnessState::Lost)),
        Just(Event::Witness(WitnessState::TurnedAway)),
        (nanos(), nanos()).prop_map(|(waited, late)| Event::Witness(WitnessState::Ignored { waited, late })),
        Just(Event::Finished),
        Just(Event::Limit),
        many(("(fleet|sent|answers)", value()), 0..3).prop_map(|all| Event::Totals(fields(all))),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let who = prop_oneof![
        (text(), any::<u32>()).prop_map(|(fleet, member)| Who::Member(fleet, member)),
        Just(Who::Target),
        Just(Who::Harness),
    ];
    (any::<u64>(), who, event()).prop_map(|(at, who, event)| Entry { at: Time(at), who, event })
}

proptest! {
    #[test]
    fn a_parsed_transcript_equals_the_original(entries in many(entry(), 0..12)) {
        let original = Transcript { header: header(), entries };
        let text = original.to_jsonl();
        let parsed = Transcript::from_jsonl(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(parsed.to_jsonl(), text);
        prop_assert_eq!(parsed.digest(), original.digest());
        prop_assert_eq!(parsed, original);
    }

    #[test]
    fn the_text_form_has_one_line_for_each_entry(entries in many(entry(), 0..12)) {
        let transcript = Transcript { header: header(), entries };
        let text = transcript.to_text();
        prop_assert_eq!(text.lines().count(), 1 + transcript.entries.len(), "{}", text);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }
}

#[test]
fn the_digest_changes_with_every_entry() {
    let mut transcript = Transcript { header: header(), entries: Vec::new() };
    let empty = transcript.digest();
    transcript.entries.push(Entry { at: Time(0), who: Who::Target, event: Event::Finished });
    assert_ne!(transcript.digest(), empty);
}

#[test]
fn a_mistake_says_its_line() {
    let mut text = Transcript { header: header(), entries: Vec::new() }.to_jsonl();
    text.push_str("{\"at\":0,\"who\":\"target\",\"what\":\"finished\"}\n{\"at\":1,\"who\":\"nobody\"}\n");
    let mistake = Transcript::from_jsonl(&text).expect_err("line 3 says who=nobody");
    assert!(mistake.starts_with("line 3: "), "{mistake}");
}

#[test]
fn a_newer_format_is_refused() {
    let newer = Transcript { header: Header { format: FORMAT + 1, ..header() }, entries: Vec::new() };
    let refused = Transcript::from_jsonl(&newer.to_jsonl()).expect_err("the format is newer");
    assert!(refused.contains("newer"), "{refused}");
    assert!(Transcript::from_jsonl("").is_err());
}

#[test]
fn people_see_time_who_arrow_and_packet() {
    let at = |micros: u64| Time(micros * 1_000);
    let victim = || Who::Member("victim".to_string(), 0);
    let mut connect = Packet { kind: "connect".to_string(), fields: Fields::default(), malformed: String::new() };
    connect.fields.set("client_id", "victim-0");
    let sent = Bytes { conn: 3, hex: "10".to_string(), len: None, sha256: None, packets: vec![connect] };
    let entries = vec![
        Entry { at: at(20), who: victim(), event: Event::Sent(sent) },
        Entry { at: at(40), who: Who::Target, event: Event::Life(Life::line("a\tb")) },
        Entry { at: at(60), who: victim(), event: Event::Closed { conn: 3, by: By::Peer, how: Close::Reset } },
    ];
    let text = Transcript { header: header(), entries }.to_text();
    let expected = "\
# mqtt/mc-03-takeover  case version=5  target reference  seed 18446744073709551615  sim  arm main
    0.000020  victim/0     c3  ->  connect client_id=victim-0
    0.000040  target                   | a\\tb
    0.000060  victim/0     c3  --  closed by peer: reset
";
    assert_eq!(text, expected);
}
