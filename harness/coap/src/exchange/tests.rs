//! What the message layer promises.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_core::time::Time;

use super::*;
use crate::codec::{Code, Kind, Message, Token, Writer};

const PARAMS: Params = Params::DEFAULT;
const MID: u16 = 0x0102;

fn token() -> Token {
    Token::new(b"tok").unwrap()
}

fn at(seconds: f64) -> Time {
    Time::ZERO + Duration::from_secs_f64(seconds)
}

fn bytes(kind: Kind, code: Code, mid: u16, token: Token) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out, kind, code, mid, token).end().unwrap();
    out
}

fn asked(kind: Kind, draw: u64) -> Outgoing {
    let mut outgoing = Outgoing::new();
    let write = |out: &mut Vec<u8>| Writer::new(out, kind, Code::GET, MID, token()).path("/a").end();
    outgoing.send(Time::ZERO, &PARAMS, draw, write).unwrap();
    outgoing
}

#[test]
fn the_times_are_those_of_the_standard() {
    let seconds = |time: Duration| time.as_secs_f64();
    assert_eq!(seconds(PARAMS.max_transmit_span()), 45.0);
    assert_eq!(seconds(PARAMS.max_transmit_wait()), 93.0);
    assert_eq!(seconds(PARAMS.exchange_lifetime()), 247.0);
    assert_eq!(seconds(PARAMS.non_lifetime()), 145.0);
    assert_eq!(seconds(PARAMS.first_timeout(0)), 2.0);
    assert_eq!(seconds(PARAMS.first_timeout(1 << 63)), 2.5);
    assert!(PARAMS.first_timeout(u64::MAX) < Duration::from_secs(3), "the draw stays below the factor");
}

#[test]
fn a_lost_ack_is_retried_four_times() {
    // 2 s, then 4, 8 and 16 s later; 32 s after the last one there is no hope left.
    let mut outgoing = asked(Kind::Con, 0);
    let first = outgoing.wire().to_vec();
    for (round, due) in [2.0, 6.0, 14.0, 30.0].into_iter().enumerate() {
        assert_eq!(outgoing.due(), at(due), "round {round}");
        assert_eq!(outgoing.tick(Time(at(due).0 - 1), &PARAMS), Tick::Wait);
        assert_eq!(outgoing.tick(at(due), &PARAMS), Tick::Resend);
        assert_eq!(outgoing.wire(), first, "the same bytes");
    }
    assert_eq!(outgoing.due(), at(62.0));
    assert_eq!(outgoing.tick(at(62.0), &PARAMS), Tick::GaveUp);
    assert_eq!((outgoing.is_idle(), outgoing.due()), (true, Time::NEVER));
    assert_eq!(outgoing.tick(at(1000.0), &PARAMS), Tick::Wait, "once is enough");
}

#[test]
fn only_who_has_measured_quick_round_trips_repeats_sooner_than_the_standard_says() {
    let millis = |road: &Measured| road.ack_timeout().as_millis();
    let mut road = Measured::default();
    assert_eq!(millis(&road), 2_000, "nothing was measured");
    for (took, timeout) in [(3, 200), (50, 200), (51, 204), (400, 1_600), (500, 2_000), (3_000, 2_000)] {
        road.answered(Duration::from_millis(took));
        assert_eq!(millis(&road), timeout, "after an answer that took {took} ms");
    }
    // 3 s are forgotten by an eighth with each answer: 18 later they are 271 ms.
    (0..18).for_each(|_| road.answered(Duration::from_millis(3)));
    assert!((1_000..1_200).contains(&millis(&road)), "{}", millis(&road));
}

#[test]
fn all_transmissions_stay_in_the_span_and_apart() {
    for draw in [0, 1 << 62, u64::MAX] {
        let (mut outgoing, mut last) = (asked(Kind::Con, draw), Time::ZERO);
        while outgoing.tick(outgoing.due(), &PARAMS) == Tick::Resend {
            let sent = last.max(Time(0));
            last = outgoing.due();
            assert!(last.since(sent) >= PARAMS.ack_timeout);
        }
        assert!(last.since(Time::ZERO) <= PARAMS.max_transmit_wait(), "gave up at {last}");
    }
    // A tick that comes 3.9 s late is not followed by one 0.1 s later.
    let mut late = asked(Kind::Con, 0);
    assert_eq!(late.tick(at(5.9), &PARAMS), Tick::Resend);
    assert_eq!(late.due(), at(7.9));
}

#[test]
fn a_non_is_said_once() {
    let outgoing = asked(Kind::Non, 0);
    assert_eq!(outgoing.due(), Time::NEVER);
    assert!(!outgoing.is_idle());
}

#[test]
fn what_cannot_be_written_is_not_on_its_way() {
    let mut outgoing = asked(Kind::Con, 0);
    let write = |out: &mut Vec<u8>| Writer::new(out, Kind::Con, Code::GET, MID, token()).path("..").end();
    assert!(outgoing.send(Time::ZERO, &PARAMS, 0, write).is_err());
    assert_eq!((outgoing.is_idle(), outgoing.due()), (true, Time::NEVER));
}

#[test]
fn a_newer_notification_takes_the_place_of_the_older_one() {
    let mut out = Outgoing::new();
    let notify = |mid| move |out: &mut Vec<u8>| Writer::new(out, Kind::Con, Code::CONTENT, mid, token()).end();
    out.send(Time::ZERO, &PARAMS, 0, notify(1)).unwrap();
    assert_eq!(out.tick(at(2.0), &PARAMS), Tick::Resend);
    out.supersede(notify(2)).unwrap();
    assert_eq!((out.mid(), out.due(), out.repeated()), (Some(2), at(6.0), 1), "timer and count stay");
    assert_eq!(out.hear(&Message::ack(1)), None);
    assert_eq!(out.hear(&Message::ack(2)), Some(Confirmed::Acked));
    assert_eq!((out.hear(&Message::ack(2)), out.mid(), out.is_idle()), (None, None, true));
}

#[test]
fn a_notification_can_be_reset_even_if_it_is_a_non() {
    let mut out = Outgoing::new();
    let write = |out: &mut Vec<u8>| Writer::new(out, Kind::Non, Code::CONTENT, 3, token()).end();
    out.send(Time::ZERO, &PARAMS, 0, write).unwrap();
    assert_eq!(out.hear(&Message::ack(3)), None, "a NON is not acknowledged");
    assert_eq!(out.hear(&Message::rst(3)), Some(Confirmed::Reset));
}

#[test]
fn no_id_comes_back_within_its_lifetime() {
    for draw in [0, u64::MAX, 0x1234 << 48] {
        let mut ids = Ids::new(draw);
        let mut handed: Vec<Option<Time>> = vec![None; 65536];
        let mut now = Time::ZERO;
        let mut refused = 0;
        for _ in 0..400_000 {
            match ids.next(now, &PARAMS) {
                Some(mid) => {
                    let before = handed[usize::from(mid)].replace(now);
                    assert!(before.is_none_or(|then| now.since(then) >= PARAMS.exchange_lifetime()), "{mid} at {now}");
                    now = now + Duration::from_micros(500);
                }
                None => {
                    refused += 1;
                    now = now + Duration::from_secs(1);
                }
            }
        }
        assert!(refused > 0, "2000 a second are too many");
    }
}

#[test]
fn two_hundred_ids_a_second_never_run_out() {
    let mut ids = Ids::new(0xABCD << 48);
    assert_eq!(ids.next(Time::ZERO, &PARAMS), Some(0xABCD));
    for n in 1..300_000_u64 {
        assert!(ids.next(Time(n * 5_000_000), &PARAMS).is_some(), "after {n}");
    }
}

#[test]
fn a_duplicate_gets_the_same_answer() {
    let mut recent = Recent::new(8, 1000);
    let wire = bytes(Kind::Con, Code::POST, 7, token());
    let request = Message::decode(&wire).unwrap();
    assert_eq!(recent.see(Time::ZERO, &PARAMS, &request), Seen::New);
    assert_eq!(recent.see(at(1.0), &PARAMS, &request), Seen::Again(&[]), "still at work: say nothing, do nothing");
    recent.keep(7, b"ack");
    assert_eq!(recent.see(at(2.0), &PARAMS, &request), Seen::Again(b"ack"));
    recent.keep(7, b"response");
    assert_eq!((recent.bytes(), recent.len()), (8, 1));
    assert_eq!(recent.see(at(246.9), &PARAMS, &request), Seen::Again(b"response"));
    assert_eq!(recent.see(at(247.0), &PARAMS, &request), Seen::New, "the id means something else by now");
    assert_eq!(recent.bytes(), 0);
}

#[test]
fn a_non_is_remembered_for_a_shorter_time() {
    let mut recent = Recent::new(8, 1000);
    let (con, non) = (bytes(Kind::Con, Code::PUT, 1, token()), bytes(Kind::Non, Code::PUT, 2, token()));
    let (con, non) = (Message::decode(&con).unwrap(), Message::decode(&non).unwrap());
    recent.see(Time::ZERO, &PARAMS, &con);
    recent.see(Time::ZERO, &PARAMS, &non);
    assert_eq!(recent.see(at(144.9), &PARAMS, &non), Seen::Again(&[]));
    assert_eq!(recent.see(at(145.0), &PARAMS, &non), Seen::New, "though a CON stands before it");
    assert_eq!(recent.see(at(146.0), &PARAMS, &con), Seen::Again(&[]));
}

#[test]
fn acks_and_resets_are_no_duplicates() {
    let mut recent = Recent::new(8, 1000);
    for message in [Message::ack(1), Message::rst(1), Message::ack(1)] {
        assert_eq!(recent.see(Time::ZERO, &PARAMS, &message), Seen::New);
    }
    assert!(recent.is_empty());
}

#[test]
fn a_flood_does_not_grow_it() {
    let mut recent = Recent::new(4, 100);
    for mid in 0..1000 {
        let wire = bytes(Kind::Con, Code::PUT, mid, token());
        recent.see(at(f64::from(mid) / 1e3), &PARAMS, &Message::decode(&wire).unwrap());
        recent.keep(mid, &[0; 30]);
        assert!(recent.len() <= 4 && recent.bytes() <= 100);
    }
    assert_eq!(recent.len(), 3, "the fourth answer of 30 bytes would make 120");
    recent.keep(999, &[0; 101]);
    assert_eq!((recent.len(), recent.bytes()), (3, 60), "what is too large is not kept");
    let wire = bytes(Kind::Con, Code::PUT, 999, token());
    let request = Message::decode(&wire).unwrap();
    assert_eq!(recent.see(at(1.0), &PARAMS, &request), Seen::Again(&[]));
    let mut none = Recent::new(0, 0);
    assert_eq!(none.see(at(1.0), &PARAMS, &request), Seen::New);
    assert!(none.is_empty());
}
