//! Laws of datagrams in the simulator.
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::toy::{CLEAN, MS, count, echo, fleet, lines, plan, run, told};
use super::{WIRE, check, over};
use crate::actor::{Input, Outbox};
use crate::connection::{Close, CloseHow};
use crate::ids::EndpointId;
use crate::note::Note;
use crate::plan::{FleetPlan, Network, Plan};
use crate::time::Time;
use crate::transcript::Event;

fn grams(count: u32, does: &[(&str, &str)]) -> FleetPlan {
    FleetPlan { protocol: "gram".to_string(), ..fleet("dev", count, does) }
}

/// Answers each datagram with how many it has had from there.
fn counts(_: Time, input: Input<'_>, out: &mut Outbox) {
    if let Input::Accepted(conn, _) = input {
        out.send(conn, |buf| buf.extend_from_slice(b"\x03new"));
    }
    echo(Time::ZERO, input, out);
}

#[test]
fn a_socket_of_datagrams_stands_at_once_and_an_answer_takes_twice_the_wire() {
    let asks = grams(1, &[("start", "open"), ("opened", "say:hello"), ("bytes", "fin finish")]);
    check(
        &plan(vec![asks]),
        echo,
        &[
            (0, "dev/0 c0 -- opened main: 127.0.0.1:32768 to 127.0.0.1:9"),
            (0, "dev/0 c0 -> ask body=hello"),
            (2 * WIRE, "dev/0 c0 <- answer body=hello"),
            (2 * WIRE, "dev/0 c0 -- closed by us: fin"),
            (2 * WIRE, "dev/0 finished"),
        ],
    );
}

#[test]
fn the_first_datagram_announces_who_is_there_and_the_second_does_not() {
    let asks = grams(1, &[("start", "open"), ("opened", "say:a say:b wake:1"), ("timer", "tell finish")]);
    assert_eq!(told(&run(&plan(vec![asks]), counts)), ["\u{3}new\u{1}a\u{1}b"]);
}

#[test]
fn an_empty_datagram_arrives() {
    let asks = grams(1, &[("start", "open"), ("opened", "empty"), ("bytes", "finish"), ("timer", "")]);
    let told_of_empty = |_: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Bytes(conn, bytes) = input {
            out.send(conn, |buf| buf.extend_from_slice(if bytes.is_empty() { b"\x05empty" } else { b"\x04full" }));
        }
    };
    let transcript = run(&plan(vec![asks]), told_of_empty);
    assert!(lines(&transcript).iter().any(|(_, line)| line.contains("empty")), "{:?}", lines(&transcript));
}

/// Listens to nobody.
fn ends(_: Time, input: Input<'_>, out: &mut Outbox) {
    if matches!(input, Input::Start) {
        out.note(Note::Exit(0));
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_unreachable() {
    let asks = grams(1, &[("start", "open"), ("opened", "say:hello"), ("closed", "finish")]);
    let lines = lines(&run(&plan(vec![asks]), ends));
    assert!(lines.contains(&(2 * WIRE, "dev/0 c0 -- closed by peer: refused".to_string())), "{lines:?}");
}

#[test]
fn an_answer_to_a_socket_that_is_gone_is_unreachable() {
    let asks = grams(1, &[("start", "open"), ("opened", "say:hello fin wake:5"), ("timer", "finish")]);
    let refused = alloc::sync::Arc::new(core::sync::atomic::AtomicU32::new(0));
    let seen = refused.clone();
    let target = move |now: Time, input: Input<'_>, out: &mut Outbox| {
        if let Input::Closed(_, Close::Refused) = input {
            seen.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        }
        echo(now, input, out);
    };
    run(&plan(vec![asks]), target);
    assert_eq!(refused.load(core::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn one_who_forgets_a_caller_hears_of_it_again() {
    let asks = grams(1, &[("start", "open"), ("opened", "say:a wake:1"), ("timer", "say:b wake:2"), ("bytes", "")]);
    let forgets = |now: Time, input: Input<'_>, out: &mut Outbox| {
        counts(now, input, out);
        if let Input::Bytes(conn, _) = input {
            out.close(conn, CloseHow::Fin);
        }
    };
    let short = Plan { limit: 4 * MS, ..plan(vec![asks]) };
    let answers = lines(&run(&short, forgets)).iter().filter(|(_, line)| line.contains("body=new")).count();
    assert_eq!(answers, 3, "one announcement for each of three datagrams");
}

#[test]
fn the_target_may_send_datagrams_first() {
    let mut listens = grams(1, &[("accepted", ""), ("bytes", "tell finish")]);
    listens.plays_server = true;
    let calls = |_: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Start => drop(out.open(EndpointId(0), crate::connection::Addr::new([127, 0, 0, 1], 0))),
        Input::Opened(conn) => out.send(conn, |buf| buf.extend_from_slice(b"\x02hi")),
        _ => {}
    };
    assert_eq!(told(&run(&plan(vec![listens]), calls)), ["\u{2}hi"]);
}

/// Bodies that come back from 200 datagrams `0` to `199`, in order of arrival, and how many fates were recorded.
fn back(network: Network) -> (Vec<String>, usize) {
    let say = (0..200).map(|n| alloc::format!("say:{n}")).collect::<Vec<_>>().join(" ");
    let asks = grams(1, &[("start", "open"), ("opened", &alloc::format!("{say} wake:500")), ("timer", "finish")]);
    let transcript = run(&over(network, asks), echo);
    let bodies = lines(&transcript).into_iter().filter_map(|(_, line)| Some(line.split_once("<- ")?.1.to_string()));
    (bodies.collect(), count(&transcript, |event| matches!(event, Event::Fate { .. })))
}

#[test]
fn a_clean_path_keeps_number_and_order() {
    let (bodies, fates) = back(CLEAN);
    assert_eq!((bodies.len(), fates), (200, 0));
    assert_eq!(bodies[199], "answer body=199");
}

#[test]
fn what_is_lost_does_not_come_back() {
    // 200 there and what is left of them back: 0.9 x 0.9 of 200 = 162, standard deviation below 6.
    let (bodies, fates) = back(Network { loss: 0.1, ..CLEAN });
    assert!((132..=192).contains(&bodies.len()), "{} came back", bodies.len());
    assert_eq!(fates, 200 - bodies.len(), "each loss is in the record");
}

#[test]
fn what_is_doubled_comes_back_more_often() {
    assert_eq!(back(Network { duplicate: 1.0, ..CLEAN }).0.len(), 800);
}

#[test]
fn what_is_held_back_is_overtaken() {
    let (bodies, fates) = back(Network { reorder: 0.1, ..CLEAN });
    assert_eq!(bodies.len(), 200);
    assert!(fates > 0 && bodies.iter().enumerate().any(|(n, body)| *body != alloc::format!("answer body={n}")));
}

#[test]
fn what_is_damaged_differs_in_one_bit() {
    let asks = grams(1, &[("start", "open"), ("opened", "raw:aaaa"), ("bytes", "tell finish")]);
    let network = Network { corrupt: 1.0, delay: crate::spread::Spread::Fixed(Duration::ZERO), ..CLEAN };
    let heard = told(&run(&over(network, asks), echo)).concat();
    let flipped: u32 = heard.bytes().map(|byte| (byte ^ b'a').count_ones()).sum();
    assert_eq!(flipped, 2, "one bit on each way, in {heard:?}");
}
