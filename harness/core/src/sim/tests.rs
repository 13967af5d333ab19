use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

use super::*;
use crate::connection::{Addr, Close, CloseHow};
use crate::ids::{EndpointId, TimerId};
use crate::note::Note;
use crate::plan::{FleetPlan, Network, Party};
use crate::seed::Seed;
use crate::spread::Spread;
use crate::transcript::By;

mod datagram;
mod lab;
pub(crate) mod toy;
use toy::{CLEAN, MS, count, echo, fleet, lines, listening, plan, run, told};

/// One way over a clean path.
const WIRE: u64 = 20;

fn check(plan: &Plan, target: impl FnMut(Time, Input<'_>, &mut Outbox) + Send + 'static, expected: &[(u64, &str)]) {
    let lines = lines(&run(plan, target));
    let lines: Vec<(u64, &str)> = lines.iter().map(|(at, line)| (*at, line.as_str())).collect();
    assert_eq!(lines, expected);
}

fn over(network: Network, fleet: FleetPlan) -> Plan {
    plan(vec![FleetPlan { network, ..fleet }])
}

fn limited(transcript: &Transcript) -> bool {
    count(transcript, |event| matches!(event, Event::Limit)) == 1
}

fn calibration(transcript: &Transcript, of: &str) -> Option<u64> {
    transcript.entries.iter().find_map(|entry| match &entry.event {
        Event::Calibration { name, value } if name == of => Some(*value),
        _ => None,
    })
}

#[test]
fn an_answer_takes_four_times_the_wire() {
    let asks = fleet("dev", 1, &[("start", "open"), ("opened", "say:hello"), ("bytes", "fin finish")]);
    check(
        &plan(vec![asks]),
        echo,
        &[
            (2 * WIRE, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:7"),
            (2 * WIRE, "dev/0 c0 -> ask body=hello"),
            (4 * WIRE, "dev/0 c0 <- answer body=hello"),
            (4 * WIRE, "dev/0 c0 -- closed by us: fin"),
            (4 * WIRE, "dev/0 finished"),
        ],
    );
}

#[test]
fn what_is_said_before_the_connection_stands_arrives_after_the_knock() {
    let eager = fleet("dev", 1, &[("start", "open say:now"), ("bytes", "finish")]);
    check(
        &plan(vec![eager]),
        echo,
        &[
            (0, "dev/0 c0 -> ask body=now"),
            (2 * WIRE, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:7"),
            (2 * WIRE, "dev/0 c0 <- answer body=now"),
            (2 * WIRE, "dev/0 finished"),
        ],
    );
}

#[test]
fn writes_are_cut_into_pieces() {
    let says = fleet("dev", 1, &[("start", "open"), ("opened", "raw:abcde"), ("bytes", "tell finish")]);
    let pieces = run(&over(Network { split: 2, ..CLEAN }, says), echo);
    // 2 + 2 + 1 bytes there; the first piece comes back whole.
    assert_eq!(told(&pieces), ["ab"]);
}

#[test]
fn a_reset_as_the_first_answer_refuses() {
    let refused = fleet("dev", 1, &[("start", "open"), ("closed", "finish")]);
    let shut = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Accepted(conn, _) = input {
            out.close(conn, CloseHow::Reset);
        }
    };
    check(
        &plan(vec![refused]),
        shut,
        &[(2 * WIRE, "dev/0 c0 -- closed by peer: refused"), (2 * WIRE, "dev/0 finished")],
    );
}

#[test]
fn a_reset_after_a_word_is_a_reset() {
    let reset = fleet("dev", 1, &[("start", "open"), ("closed", "finish")]);
    let rude = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Accepted(conn, _) = input {
            out.send(conn, |buf| buf.extend_from_slice(b"\x02no"));
            out.close(conn, CloseHow::Reset);
        }
    };
    check(
        &plan(vec![reset]),
        rude,
        &[
            (2 * WIRE, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:7"),
            (2 * WIRE, "dev/0 c0 <- answer body=no"),
            (2 * WIRE, "dev/0 c0 -- closed by peer: reset"),
            (2 * WIRE, "dev/0 finished"),
        ],
    );
}

#[test]
fn a_half_closed_peer_still_hears_the_last_word() {
    let asks = fleet("dev", 1, &[("start", "open"), ("opened", "say:bye half say:lost"), ("closed", "finish")]);
    let late = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Closed(conn, Close::Fin) = input {
            out.send(conn, |buf| buf.extend_from_slice(b"\x05adieu"));
        }
    };
    check(
        &plan(vec![asks]),
        late,
        &[
            (2 * WIRE, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:7"),
            (2 * WIRE, "dev/0 c0 -> ask body=bye"),
            (2 * WIRE, "dev/0 c0 -x 5 bytes not written: the connection was over"),
            (4 * WIRE, "dev/0 c0 <- answer body=adieu"),
            (4 * WIRE, "dev/0 c0 -- closed by peer: fin"),
            (4 * WIRE, "dev/0 finished"),
        ],
    );
}

#[test]
fn a_connection_ends_once_in_the_record() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let half = move |_: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Accepted(conn, _) => out.close(conn, CloseHow::Half),
        Input::Bytes(_, bytes) => ears.lock().expect("one thread").extend_from_slice(bytes),
        _ => {}
    };
    let does = [("start", "open wake:1"), ("closed", "raw:bye fin"), ("timer", "finish")];
    let transcript = run(&plan(vec![fleet("dev", 1, &does)]), half);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Closed { by: By::Peer, how: Close::Fin, .. })), 1);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Closed { .. })), 1);
    assert_eq!(*heard.lock().expect("one thread"), b"bye");
}

#[test]
fn after_an_orderly_close_nothing_is_heard() {
    let hangs_up = fleet("dev", 1, &[("start", "open"), ("opened", "say:x fin wake:5"), ("timer", "tell finish")]);
    assert_eq!(told(&run(&plan(vec![hangs_up]), echo)), [""]);
}

/// Says `0`, `1`, ... `9` at once, whenever somebody connects.
fn counts(_: Time, input: Input<'_>, out: &mut Outbox) {
    if let Input::Accepted(conn, _) = input {
        for digit in b'0'..=b'9' {
            out.send(conn, |buf| buf.push(digit));
        }
        out.close(conn, CloseHow::Fin);
    }
}

#[test]
fn who_does_not_read_gets_it_all_later_in_order() {
    let does = [("start", "open wake:1500"), ("opened", "stop"), ("timer", "tell read"), ("closed", "tell finish")];
    let transcript = run(&plan(vec![fleet("dev", 1, &does)]), counts);
    assert_eq!(told(&transcript), ["", "0123456789"]);
    let unread = transcript.entries.iter().find_map(|entry| match &entry.event {
        Event::Gauge { name, value } if name == "unread-bytes" => Some((entry.at, *value)),
        _ => None,
    });
    assert_eq!(unread, Some((Time::ZERO + TICK, 10)));
}

#[test]
fn what_was_not_read_dies_with_the_connection() {
    let does = [("start", "open wake:1500"), ("opened", "stop"), ("timer", "reset wake:1000 tell finish")];
    let transcript = run(&plan(vec![fleet("dev", 1, &does)]), counts);
    assert_eq!(told(&transcript), [""]);
}

proptest! {
    #[test]
    fn nothing_overtakes_whatever_the_path_does(seed in any::<u64>(), loss in 0.0..0.9f64, rate in 0..2_000u64, split in 0..3u32) {
        let network = Network { delay: Spread::Each(MS, 500 * MS), loss, rate, split, ..CLEAN };
        let hears = fleet("dev", 3, &[("start", "open"), ("closed", "tell finish")]);
        let plan = Plan { seed: Seed(seed), ..over(network, hears) };
        let transcript = run(&plan, counts);
        prop_assert_eq!(told(&transcript), ["0123456789"; 3]);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed in any::<u64>(), edges in any::<bool>(), loss in 0.0..0.5f64) {
        let does = [("start", "open"), ("opened", "say:a say:b wake:700"), ("bytes", "say:c"), ("timer", "fin finish")];
        let network = Network { delay: Spread::Each(MS, 80 * MS), loss, ..CLEAN };
        let fleets = vec![
            FleetPlan { network, ramp: 300 * MS, ..fleet("many", 20, &does) },
            FleetPlan { network, ..fleet("few", 2, &does) },
        ];
        let record = if edges { Recording::Edges } else { Recording::Full };
        let plan = Plan { seed: Seed(seed), record, ..plan(fleets) };
        let first = run(&plan, echo).to_jsonl();
        prop_assert_eq!(&first, &run(&plan, echo).to_jsonl());
        let other = Plan { seed: Seed(seed ^ 1), ..plan };
        prop_assert_ne!(first, run(&other, echo).to_jsonl());
    }

    #[test]
    fn cutting_others_away_changes_nothing_for_those_who_stay(seed in any::<u64>(), stays in 0..8u32) {
        let network = Network { delay: Spread::Each(MS, 80 * MS), loss: 0.2, ..CLEAN };
        let does = [("start", "open"), ("opened", "say:a say:b"), ("bytes", "tell fin finish")];
        let all = Plan { seed: Seed(seed), ..over(network, FleetPlan { ramp: 80 * MS, ..fleet("dev", 8, &does) }) };
        let mut one = all.clone();
        one.fleets[0].only = Some(vec![stays]);
        let of = |plan: &Plan| -> Vec<(Time, Vec<String>)> {
            let entries = run(plan, echo).entries.into_iter();
            let mine = entries.filter(|entry| entry.who == Who::Member("dev".to_string(), stays));
            mine.map(|entry| match entry.event {
                Event::Received(bytes) | Event::Sent(bytes) => (entry.at, vec![bytes.hex]),
                _ => (entry.at, Vec::new()),
            }).collect()
        };
        prop_assert_eq!(of(&all), of(&one));
    }
}

#[test]
fn a_ramp_spreads_the_starts() {
    let four = FleetPlan { ramp: 400 * MS, ..fleet("dev", 4, &[("start", "finish")]) };
    let starts: Vec<u64> = lines(&run(&plan(vec![four]), echo)).into_iter().map(|(at, _)| at / 1_000).collect();
    assert_eq!(starts, [0, 100, 200, 300]);
}

#[test]
fn a_cut_ends_both_sides_and_is_not_the_peers_doing() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let target = move |now: Time, input: Input<'_>, _: &mut Outbox| {
        if let Input::Closed(_, how) = input {
            ears.lock().expect("one thread").push((now, how));
        }
    };
    let does = [("start", "open"), ("closed", "finish")];
    let network = Network { cut: Some((50 * MS, Close::Reset)), ..CLEAN };
    check(
        &over(network, fleet("dev", 1, &does)),
        target,
        &[
            (2 * WIRE, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:7"),
            (50_000, "dev/0 c0 ~~ link: cut"),
            (50_000, "dev/0 c0 -- closed by us: reset"),
            (50_000, "dev/0 finished"),
        ],
    );
    // The member's last word ends the trial at once, before the target would hear of it.
    assert!(heard.lock().expect("one thread").len() <= 1);
}

#[test]
fn a_target_that_ends_resets_its_connections_and_refuses_more() {
    let does = [("start", "open"), ("opened", "say:die"), ("timer", "open"), ("closed", "wake:3")];
    let dies = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Bytes(..) = input {
            out.note(Note::Log("thread 'main' panicked at src/main.rs:1".to_string()));
            out.note(Note::Exit(101));
        }
    };
    let mut plan = plan(vec![fleet("dev", 1, &does)]);
    plan.limit = 8 * MS;
    let transcript = run(&plan, dies);
    let closes: Vec<Close> = transcript
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Closed { by: By::Peer, how, .. } => Some(*how),
            _ => None,
        })
        .collect();
    // Reset at 0.08 ms, then an attempt 3 ms after each end: two fit into 8 ms.
    assert_eq!(closes, [Close::Reset, Close::Refused, Close::Refused]);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Life(Life::Exited { code: 101 }))), 1);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Life(Life::Panic { .. }))), 1);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Life(Life::Stopped))), 0);
}

fn with_marks(mut plan: Plan) -> Plan {
    plan.marks = vec![("first.ready".to_string(), 0)];
    plan.binds = vec!["first.id".to_string()];
    for fleet in &mut plan.fleets[1..] {
        fleet.steps = vec![listening(&[0], &[0])];
    }
    plan
}

#[test]
fn equal_fleets_hear_marks_member_by_member() {
    let first = FleetPlan { ramp: 30 * MS, ..fleet("first", 3, &[("start", "bind:0 mark:0 finish")]) };
    let second = fleet("second", 3, &[("mark", "tell finish")]);
    let transcript = run(&with_marks(plan(vec![first, second])), echo);
    assert_eq!(told(&transcript), ["0", "1", "2"]);
    let heard: Vec<u64> = lines(&transcript)
        .into_iter()
        .filter(|(_, line)| line.starts_with("second") && line.ends_with("finished"))
        .map(|(at, _)| at / 1_000)
        .collect();
    assert_eq!(heard, [0, 10, 20]);
}

#[test]
fn unequal_fleets_hear_a_mark_once_all_have_set_it() {
    let first = FleetPlan { ramp: 30 * MS, ..fleet("first", 3, &[("start", "mark:0 finish")]) };
    let second = fleet("second", 2, &[("mark", "finish")]);
    let transcript = run(&with_marks(plan(vec![first, second])), echo);
    let heard = lines(&transcript).into_iter().filter(|(_, line)| line.starts_with("second"));
    assert_eq!(heard.map(|(at, _)| at / 1_000).collect::<Vec<_>>(), [20, 20]);
    assert_eq!(count(&transcript, |event| matches!(event, Event::Mark { .. })), 3);
}

#[test]
fn an_order_is_answered_after_the_target_has_handled_it() {
    let admin = fleet("admin", 1, &[("start", "restart"), ("done", "finish")]);
    let obeys = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Order(_) = input {
            out.note(Note::Grant { party: "p".to_string(), grant: "subscribe a".to_string(), allow: false });
        }
    };
    let transcript = run(&plan(vec![admin]), obeys);
    let seen: Vec<&str> = transcript
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Ordered { .. } => Some("ordered"),
            Event::Grant { .. } => Some("grant"),
            Event::Finished => Some("finished"),
            _ => None,
        })
        .collect();
    assert_eq!(seen, ["ordered", "grant", "finished"]);
}

#[test]
fn rights_are_in_effect_at_the_start() {
    let mut plan = plan(vec![fleet("dev", 1, &[("start", "finish")])]);
    let may = vec![("publish".to_string(), "a/#".to_string()), ("subscribe".to_string(), "b".to_string())];
    plan.parties = vec![Party { name: "p".to_string(), may, user: String::new(), password: String::new() }];
    let transcript = run(&plan, echo);
    let grant = |of: &str| {
        count(
            &transcript,
            |event| matches!(event, Event::Grant { party, grant, allow: true } if party == "p" && grant == of),
        )
    };
    assert_eq!((grant("publish a/#"), grant("subscribe b"), grant("publish b")), (1, 1, 0));
}

#[test]
fn the_witness_speaks_before_anybody_starts_and_last() {
    let witness = FleetPlan {
        behaviour: "endless".to_string(),
        ..fleet("witness", 1, &[("start", "wake:300"), ("timer", "served:250000000 wake:300")])
    };
    let dev = fleet("dev", 1, &[("start", "wake:100"), ("timer", "finish")]);
    let transcript = run(&plan(vec![witness, dev]), echo);
    // Served at 300 ms; dev begins then and finishes at 400, which has settled at 650; the round trip that ends at 900 began then.
    let last = transcript.entries.last().map(|entry| entry.at);
    assert_eq!(last, Some(Time::ZERO + 900 * MS));
    assert!(!limited(&transcript));
}

#[test]
fn a_round_trip_that_began_too_early_is_not_the_last_word() {
    let witness = FleetPlan {
        behaviour: "endless".to_string(),
        ..fleet("witness", 1, &[("start", "wake:300"), ("timer", "served:250000001 wake:300")])
    };
    let dev = fleet("dev", 1, &[("start", "wake:100"), ("timer", "finish")]);
    let transcript = run(&plan(vec![witness, dev]), echo);
    assert_eq!(transcript.entries.last().map(|entry| entry.at), Some(Time::ZERO + 1_200 * MS));
}

#[test]
fn the_limit_is_an_entry_only_where_somebody_has_not_finished() {
    let waits = [("start", "wake:19999"), ("timer", "wake:2")];
    let transcript = run(&plan(vec![fleet("dev", 1, &waits)]), echo);
    assert!(limited(&transcript));
    assert_eq!(transcript.entries.last().map(|entry| entry.at), Some(Time::ZERO + Duration::from_secs(20)));
    let endless = FleetPlan { behaviour: "endless".to_string(), ..fleet("dev", 1, &waits) };
    assert!(!limited(&run(&plan(vec![endless]), echo)));
}

#[test]
fn what_happens_at_the_limit_still_happens() {
    let at = |ms: &str| {
        let start = ["wake:", ms].concat();
        limited(&run(&plan(vec![fleet("dev", 1, &[("start", start.as_str()), ("timer", "finish")])]), echo))
    };
    assert!(!at("20000"));
    assert!(at("20001"));
}

#[test]
fn a_trial_in_which_nothing_can_happen_any_more_ends_and_says_so() {
    let transcript = run(&plan(vec![fleet("dev", 1, &[("start", "open")])]), echo);
    assert!(limited(&transcript));
    // Target and member started, knock, opened, and the first tick.
    assert_eq!(calibration(&transcript, "nothing-left-after-events"), Some(5));
    assert!(transcript.entries.last().is_some_and(|entry| entry.at == Time::ZERO + TICK));
}

#[test]
fn who_wakes_itself_for_ever_at_one_moment_is_stopped() {
    let transcript = run(&plan(vec![fleet("dev", 1, &[("start", "wake:5"), ("timer", "wake:0")])]), echo);
    assert!(limited(&transcript));
    assert_eq!(calibration(&transcript, "events-at-one-moment"), Some(1_001_001));
}

#[test]
fn the_caller_can_stop_a_trial() {
    let busy = plan(vec![fleet("dev", 1, &[("start", "wake:0"), ("timer", "wake:0")])]);
    let mut looks = 0;
    let transcript =
        run_with(&busy, &toy::registry(), Box::new(toy::Target(echo)), toy::header(&busy), &mut |progress| {
            looks += 1;
            progress.events < 100_000
        });
    assert_eq!(looks, 3, "after 65,536 and 131,072 events, and at the end");
    assert_eq!(calibration(&transcript, "interrupted-after-events"), Some(131_072));
    assert!(limited(&transcript));
}

#[test]
fn a_target_can_connect_to_members_who_listen() {
    let server = FleetPlan {
        plays_server: true,
        ..fleet("server", 2, &[("accepted", "say:welcome"), ("bytes", "tell fin finish")])
    };
    let calls = |_: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Start => {
            out.open(EndpointId(0), Addr::new([127, 0, 0, 9], 5));
            out.open(EndpointId(0), Addr::new([127, 0, 0, 9], 6));
        }
        Input::Opened(conn) => out.send(conn, |buf| buf.extend_from_slice(b"\x02hi")),
        _ => {}
    };
    let transcript = run(&plan(vec![server]), calls);
    assert_eq!(told(&transcript), ["\u{2}hi", "\u{2}hi"]);
    let first = lines(&transcript).into_iter().find(|(_, line)| line.contains("opened")).map(|(_, line)| line);
    assert_eq!(first.as_deref(), Some("server/0 c2 -- opened main: 127.0.0.9:5 to 127.0.0.1:0"));
    assert_eq!(lines(&transcript).iter().filter(|(_, line)| line.contains("-> answer body=welcome")).count(), 2);
}

#[test]
fn a_connection_to_nobody_is_refused() {
    let refused = Arc::new(Mutex::new(0));
    let tally = refused.clone();
    let calls = move |_: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Start => {
            out.open(EndpointId(0), Addr::new([127, 0, 0, 9], 5));
        }
        Input::Closed(_, Close::Refused) => *tally.lock().expect("one thread") += 1,
        _ => {}
    };
    let _ = run(&plan(vec![fleet("dev", 1, &[("start", "wake:1"), ("timer", "finish")])]), calls);
    assert_eq!(*refused.lock().expect("one thread"), 1);
}

#[test]
fn numbers_are_given_out_again_where_not_everything_is_recorded() {
    let does = [("start", "open"), ("opened", "say:x"), ("bytes", "fin wake:1"), ("timer", "open")];
    let mut churn = plan(vec![fleet("dev", 1, &does)]);
    let highest = |plan: &Plan| {
        let highest = Arc::new(Mutex::new(0));
        let seen = highest.clone();
        let watch = move |now: Time, input: Input<'_>, out: &mut Outbox| {
            if let Input::Accepted(conn, _) = input {
                let mut highest = seen.lock().expect("one thread");
                *highest = conn.0.max(*highest);
            }
            echo(now, input, out);
        };
        let transcript = run(plan, watch);
        let highest = *highest.lock().expect("one thread");
        (highest, transcript)
    };
    churn.limit = Duration::from_secs(1);
    let (full, transcript) = highest(&churn);
    let opened = count(&transcript, |event| matches!(event, Event::Opened { .. }));
    assert!(opened > 900 && full as usize == 2 * opened - 1, "{opened} connections, numbers up to {full}");
    churn.record = Recording::Edges;
    let (edges, transcript) = highest(&churn);
    assert!(edges < 4, "connections one after another need numbers up to {edges}");
    let numbers: Vec<u32> = transcript
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Opened { conn, .. } => Some(*conn),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7], "in the transcript they stay unique");
}

#[test]
fn a_timer_never_fires_early() {
    let wakes = Arc::new(Mutex::new(Vec::new()));
    let seen = wakes.clone();
    let target = move |now: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Start => {
            for ms in [30u32, 10, 20] {
                out.wake(Time::ZERO + MS * ms, TimerId(ms));
            }
        }
        Input::Timer(id) => seen.lock().expect("one thread").push((now.0 / 1_000_000, id.0)),
        _ => {}
    };
    let _ = run(&plan(vec![fleet("dev", 1, &[("start", "wake:40"), ("timer", "finish")])]), target);
    assert_eq!(*wakes.lock().expect("one thread"), [(10, 10), (20, 20), (30, 30)]);
}

/// The harness is stopped from 1 ms to 3,001 ms.
fn stopped() -> Conditions {
    Conditions { stops: vec![(Time::ZERO + MS, 3_000 * MS)], ..Conditions::default() }
}

fn run_under(plan: &Plan, conditions: &Conditions) -> Transcript {
    let target = Box::new(toy::Target(echo));
    super::run_under(plan, &toy::registry(), target, toy::header(plan), conditions.clone())
}

#[test]
fn what_came_in_a_stop_is_read_before_timers_that_fell_due_in_it_fire() {
    // The answer comes after 1.04 ms, the deadline after 5 ms: both while nobody is awake.
    let asks = [("start", "open wake:5"), ("opened", "say:hello"), ("bytes", "tell"), ("timer", "tell finish")];
    let mut says = fleet("dev", 1, &asks);
    says.network.delay = Spread::Fixed(Duration::from_micros(260));
    let transcript = run_under(&plan(vec![says]), &stopped());
    assert_eq!(told(&transcript), ["\u{5}hello", "\u{5}hello"]);
    let resumed = Time::ZERO + 3_001 * MS;
    let ended = transcript.entries.iter().find(|entry| matches!(entry.event, Event::Step { .. })).map(|entry| entry.at);
    assert_eq!(ended, Some(resumed));
    let slips: Vec<_> = transcript.entries.iter().filter(|e| matches!(e.event, Event::Slip { .. })).collect();
    assert!(slips.iter().all(|e| e.at == resumed && matches!(e.event, Event::Slip { ns: 3_000_000_000, .. })));
    assert_eq!(slips.len(), 2, "fleets and witnesses were stopped together");
}

#[test]
fn the_target_goes_on_while_the_harness_is_stopped() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let target = move |now: Time, input: Input<'_>, _: &mut Outbox| {
        if matches!(input, Input::Bytes(..)) {
            ears.lock().expect("one thread").push(now);
        }
    };
    let plan = plan(vec![fleet("dev", 1, &[("start", "open wake:5"), ("opened", "say:x"), ("timer", "finish")])]);
    let conditions = Conditions { stops: vec![(Time(2 * WIRE * 1_000 + 1), 3_000 * MS)], ..Conditions::default() };
    let target = Box::new(toy::Target(target));
    let transcript = super::run_under(&plan, &toy::registry(), target, toy::header(&plan), conditions);
    assert_eq!(*heard.lock().expect("one thread"), [Time(3 * WIRE * 1_000)]);
    assert!(!limited(&transcript));
}

proptest! {
    #[test]
    fn a_late_harness_loses_nothing_and_keeps_its_order(seed in any::<u64>(), from in 0..300u32, len in 0..3_000u32, slip in 0..500u32) {
        let conditions = Conditions { stops: vec![(Time::ZERO + from * MS, len * MS)], timer_slip_max: slip * MS };
        let hears = fleet("dev", 3, &[("start", "open"), ("opened", "stop wake:50"), ("timer", "read"), ("closed", "tell finish")]);
        let plan = Plan { seed: Seed(seed), ..over(Network { delay: Spread::Each(MS, 100 * MS), ..CLEAN }, hears) };
        let run = || super::run_under(&plan, &toy::registry(), Box::new(toy::Target(counts)), toy::header(&plan), conditions.clone());
        let transcript = run();
        prop_assert_eq!(told(&transcript), ["0123456789"; 3]);
        prop_assert!(transcript.entries.is_sorted_by_key(|entry| entry.at));
        prop_assert_eq!(run(), transcript);
    }

    #[test]
    fn a_timer_is_late_by_no_more_than_it_may_and_never_early(seed in any::<u64>(), slip in 0..500u64) {
        let conditions = Conditions { timer_slip_max: Duration::from_millis(slip), ..Conditions::default() };
        let plan = Plan { seed: Seed(seed), ..plan(vec![fleet("dev", 1, &[("start", "wake:100"), ("timer", "finish")])]) };
        let transcript = run_under(&plan, &conditions);
        let at = transcript.entries.iter().find(|entry| entry.event == Event::Finished).map(|entry| entry.at);
        // The start is a timer too: late twice at most.
        let late = at.expect("it finished").since(Time::ZERO + 100 * MS);
        prop_assert!(at >= Some(Time::ZERO + 100 * MS) && late <= 2 * Duration::from_millis(slip), "{late:?}");
    }
}
