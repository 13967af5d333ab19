use crate::budget::{Budget, Lease, SPARED};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;
use crate::actor::{Input, Outbox};
use crate::connection::CloseHow;
use crate::plan::FleetPlan;
use crate::sim::tests::toy::{MS, count, echo, fleet, header, lines, plan, registry, run};
use crate::transcript::{Bytes, StepState};
use crate::value::Fields;

const CANARY: &str = "0123456789abcdef0123456789abcdef";
const ADDR: Addr = Addr { ip: 0x7f00_0001, port: 9 };

fn with_canaries(texts: &[&str]) -> Plan {
    let mut plan = plan(vec![fleet("dev", 1, &[])]);
    plan.canaries = texts.iter().enumerate().map(|(n, text)| (n.to_string(), text.to_string())).collect();
    plan
}

fn seen(plan: &Plan, segments: &[&[u8]]) -> Vec<String> {
    let mut recorder = Recorder::new(header(plan), plan, &registry());
    for bytes in segments {
        recorder.received(Time::ZERO, 0, 0, Conn(1), bytes);
    }
    let entries = recorder.finish().entries.into_iter();
    entries
        .filter_map(|entry| match entry.event {
            Event::Seen { canary, conn: 1 } => Some(canary),
            _ => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn a_canary_is_seen_however_it_is_cut(before in "[0-9a-z]{0,40}", after in "[0-9a-z]{0,40}", cuts in proptest::collection::vec(1..40usize, 1..60)) {
        let text = [before.as_str(), CANARY, after.as_str()].concat();
        let mut rest = text.as_bytes();
        let mut segments = Vec::new();
        for cut in cuts {
            let (segment, more) = rest.split_at(cut.min(rest.len()));
            segments.push(segment);
            rest = more;
        }
        segments.push(rest);
        prop_assert_eq!(seen(&with_canaries(&[CANARY]), &segments), ["0"]);
    }
}

#[test]
fn a_canary_without_its_last_character_is_not_seen() {
    let plan = with_canaries(&[CANARY]);
    assert!(seen(&plan, &[&CANARY.as_bytes()[..31]]).is_empty());
    assert!(seen(&plan, &[&CANARY.as_bytes()[..16], b"-", &CANARY.as_bytes()[16..]]).is_empty());
    assert_eq!(seen(&plan, &[&CANARY.as_bytes()[..31], b"f"]), ["0"]);
}

#[test]
fn a_canary_that_begins_within_itself_is_seen() {
    // A false beginning of 3 characters must not hide the true one, which begins within it.
    let plan = with_canaries(&["aab"]);
    assert_eq!(seen(&plan, &[b"a", b"a", b"a", b"b"]), ["0"]);
    assert_eq!(seen(&plan, &[b"aa", b"ab"]), ["0"]);
}

#[test]
fn every_arrival_counts_and_every_canary_has_its_name() {
    let other = "ffffffffffffffffffffffffffffffff";
    let plan = with_canaries(&[CANARY, other]);
    let both = [CANARY, other].concat();
    assert_eq!(seen(&plan, &[both.as_bytes(), CANARY.as_bytes()]), ["0", "1", "0"]);
}

#[test]
fn a_canary_is_sought_beyond_what_an_entry_shows() {
    let mut long = vec![b'x'; ENTRY_MAX + 100];
    long.extend_from_slice(CANARY.as_bytes());
    assert_eq!(seen(&with_canaries(&[CANARY]), &[&long]), ["0"]);
}

fn one_message(len: usize) -> Bytes {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.sent(Time::ZERO, 0, 0, Conn(1), &vec![0; len]);
    match recorder.finish().entries.remove(0).event {
        Event::Sent(bytes) => bytes,
        other => panic!("a message was sent, and recorded as {other:?}"),
    }
}

#[test]
fn an_entry_shows_64_kib_and_the_digest_of_the_rest() {
    let whole = one_message(65_536);
    assert_eq!((whole.hex.len(), whole.len, whole.sha256), (131_072, None, None));
    let cut = one_message(65_537);
    assert_eq!((cut.hex.len(), cut.len), (131_072, Some(65_537)));
    assert_eq!(cut.sha256, Some(hex(&Sha256::digest([0; 65_537]))));
}

#[test]
fn a_record_for_which_no_memory_is_left_says_so_once() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let budget = Budget::of(0);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.charge(budget.lease());
    let spared = SPARED / (400 + ENTRY_OVERHEAD); // as below
    for n in 0..spared as u32 + 10 {
        recorder.sent(Time::ZERO, 0, 0, Conn(n), &[255; 100]);
    }
    let transcript = recorder.finish();
    let sent = count(&transcript, |event| matches!(event, Event::Sent(_))) as u64;
    assert_eq!(sent, spared + 1, "what is always spared, and the one that was too much");
    let told = |event: &Event| matches!(event, Event::Calibration { name, .. } if name == MEMORY_LIMIT);
    assert_eq!(count(&transcript, told), 1);
}

#[test]
fn a_round_for_which_no_memory_was_left_takes_none_from_the_next() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.charge(Lease::spared());
    assert!(recorder.takes(SPARED), "what is held beside the record is charged with it");
    recorder.sent(Time::ZERO, 0, 0, Conn(0), &[255; 100]);
    recorder.sent(Time::ZERO, 0, 0, Conn(0), &[255; 100]);
    let sent = |round: &Transcript| count(round, |event| matches!(event, Event::Sent(_)));
    assert_eq!(sent(&recorder.take()), 1, "the one that was too much");
    recorder.charge(Lease::default());
    recorder.sent(Time::ZERO, 0, 0, Conn(0), &[255; 100]);
    recorder.sent(Time::ZERO, 0, 0, Conn(0), &[255; 100]);
    assert_eq!(sent(&recorder.take()), 2);
}

#[test]
fn a_run_beyond_its_limit_says_so_once_and_records_no_more_traffic() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.size_max = 3 * (400 + ENTRY_OVERHEAD); // 100 bytes are 200 digits, and as much again for their packets
    for n in 0..10 {
        recorder.sent(Time::ZERO, 0, 0, Conn(n), &[255; 100]); // the beginning of a packet
    }
    recorder.closed(Time::ZERO, 0, 0, Conn(1), By::Us, Close::Fin);
    let transcript = recorder.finish();
    assert_eq!(count(&transcript, |event| matches!(event, Event::Sent(_))), 4);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Calibration { .. })), 1);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Closed { .. })), 1);
}

#[test]
fn a_flood_of_small_packets_counts_by_the_packet() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.sent(Time::ZERO, 0, 0, Conn(1), &[255; 100]);
    let no_packet = recorder.size;
    recorder.sent(Time::ZERO, 0, 0, Conn(2), &[1; 100]);
    assert_eq!(no_packet, 400 + ENTRY_OVERHEAD);
    assert!(recorder.size - no_packet >= no_packet + 50 * PACKET_OVERHEAD, "50 packets of two bytes");
}

#[test]
fn packets_are_those_that_a_message_completes() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.sent(Time::ZERO, 0, 0, Conn(1), b"\x02");
    recorder.sent(Time::ZERO, 0, 0, Conn(1), b"hi\x01");
    recorder.received(Time::ZERO, 0, 0, Conn(1), b"x\x01y");
    recorder.sent(Time::ZERO, 0, 0, Conn(1), b"!");
    let transcript = recorder.finish();
    let said: Vec<String> = lines(&transcript).into_iter().map(|(_, line)| line).collect();
    assert_eq!(
        said,
        [
            "dev/0 c1 -> 1 bytes 02",
            "dev/0 c1 -> ask body=hi",
            // 0x78 announces 120 bytes that never come.
            "dev/0 c1 <- 3 bytes 780179",
            "dev/0 c1 -> ask body=!",
        ]
    );
}

#[test]
fn a_script_names_its_connections() {
    let plan = plan(vec![fleet("dev", 1, &[])]);
    let mut recorder = Recorder::new(header(&plan), &plan, &registry());
    recorder.note(Time::ZERO, 0, 0, &Note::Label(Conn(1), "b".to_string()));
    recorder.opened(Time::ZERO, 0, 0, Conn(1), "", ADDR, ADDR);
    recorder.opened(Time::ZERO, 0, 0, Conn(2), "", ADDR, ADDR);
    let labels: Vec<String> = recorder
        .finish()
        .entries
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Opened { label, .. } => Some(label),
            _ => None,
        })
        .collect();
    assert_eq!(labels, ["b", "main"]);
}

/// Devices that send, hear, close and come again.
fn busy(members: u32) -> Plan {
    let does = [("start", "open"), ("opened", "say:hello"), ("bytes", "fin wake:100 finish"), ("timer", "open")];
    let mut plan = plan(vec![FleetPlan { ramp: 500 * MS, ..fleet("dev", members, &does) }]);
    plan.fleets[0].behaviour = "endless".to_string();
    plan.limit = core::time::Duration::from_secs(2);
    plan
}

fn totals(transcript: &Transcript) -> Fields {
    let totals = transcript.entries.iter().find_map(|entry| match &entry.event {
        Event::Totals(fields) => Some(fields.clone()),
        _ => None,
    });
    totals.expect("a plan recorded on edges has totals")
}

#[test]
fn totals_on_edges_are_the_counts_of_a_full_record() {
    let mut plan = busy(40);
    let full = run(&plan, echo);
    plan.record = Recording::Edges;
    let edges = run(&plan, echo);
    let totals = totals(&edges);
    let expect = |name: &str, which: fn(&Event) -> bool| {
        assert_eq!(totals.int(name), Some(count(&full, which) as i64), "{name} of {totals}");
    };
    expect("sent", |event| matches!(event, Event::Sent(_)));
    expect("received", |event| matches!(event, Event::Received(_)));
    expect("opened", |event| matches!(event, Event::Opened { .. }));
    expect("closed-us-fin", |event| matches!(event, Event::Closed { .. }));
    let kept = count(&edges, |event| matches!(event, Event::Sent(_) | Event::Received(_)));
    assert_eq!(kept, 16, "8 first and 8 last messages");
    assert!(edges.entries.is_sorted_by_key(|entry| entry.at));
}

#[test]
fn first_and_last_messages_on_edges_are_those_of_a_full_record() {
    let mut plan = busy(5);
    let traffic = |plan: &Plan| -> Vec<(Time, String)> {
        let entries = run(plan, echo).entries.into_iter();
        entries
            .filter_map(|entry| match entry.event {
                Event::Sent(bytes) | Event::Received(bytes) => Some((entry.at, bytes.hex)),
                _ => None,
            })
            .collect()
    };
    let full = traffic(&plan);
    plan.record = Recording::Edges;
    let edges = traffic(&plan);
    assert_eq!(edges[..8], full[..8]);
    assert_eq!(edges[8..], full[full.len() - 8..]);
}

#[test]
fn answers_are_counted_by_their_time() {
    let mut plan = busy(40);
    plan.record = Recording::Edges;
    let totals = totals(&run(&plan, echo));
    // There and back take 2 x 20 us: between 2^5 and 2^6.
    let buckets = totals.find("answers-by-log2-us").expect("there were answers").as_slice();
    let counts: Vec<i64> = buckets.iter().filter_map(crate::value::Value::as_int).collect();
    assert_eq!(counts[..5], [0; 5]);
    assert_eq!(Some(counts[5]), totals.int("received"));
    assert_eq!(counts.len(), 6);
}

#[test]
fn what_is_unusual_stays_on_edges() {
    let does = [("start", "open"), ("closed", "unmet finish")];
    let mut plan = plan(vec![fleet("dev", 2_000, &does)]);
    plan.record = Recording::Edges;
    let resets = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Accepted(conn, _) = input {
            out.close(conn, CloseHow::Reset);
        }
    };
    let transcript = run(&plan, resets);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Closed { how: Close::Refused, .. })), 2_000);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Step { state: StepState::Unmet, .. })), 2_000);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Finished)), 0, "2,000 are more than 1,000");
    assert_eq!(totals(&transcript).int("finished"), Some(2_000));
    assert_eq!(totals(&transcript).int("closed-peer-refused"), Some(2_000));
}
