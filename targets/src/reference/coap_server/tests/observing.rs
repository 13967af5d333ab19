//! Observations: RFC 7641.
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::world::*;
use crate::flaw::Flaws;

const SECOND: Duration = Duration::from_secs(1);

fn observed() -> World {
    let mut w = World::new(Flaws::NONE);
    w.validate(A);
    assert_eq!(w.ask(A, &get("/time").observe(0)), r#"0 ack 2.05 observe "0""#);
    w
}

#[test]
fn an_observation_begins_with_a_challenge() {
    let mut w = World::new(Flaws::NONE);
    assert_eq!(w.ask(A, &get("/time").observe(0)), "0 ack 4.01 echo");
    assert_eq!(w.pass(10 * SECOND), [""; 0]);
}

#[test]
fn every_change_is_told_with_a_higher_number() {
    let mut w = observed();
    let mut numbers = Vec::new();
    for second in 1..=4 {
        assert_eq!(w.pass(SECOND), [alloc::format!("0 con 2.05 observe \"{second}\"")]);
        numbers.push(w.last_option(6).unwrap());
        let mid = w.last_mid();
        assert_eq!(w.ack(A, mid), [""; 0]);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[test]
fn one_notification_is_on_its_way_and_its_repetitions_are_up_to_date() {
    let mut w = observed();
    let told = w.pass(200 * SECOND);
    assert_eq!(told.len(), 5, "one, and four repetitions: {told:?}");
    let values: Vec<u32> = told.iter().map(|line| line.split('"').nth(1).unwrap().parse().unwrap()).collect();
    assert!(values.is_sorted() && values[0] == 1 && values[1] > 2, "{values:?}");
    assert_eq!(w.pass(200 * SECOND), [""; 0], "who never confirms is forgotten");
}

#[test]
fn a_reset_ends_an_observation_and_one_from_elsewhere_does_not() {
    let mut w = observed();
    w.pass(SECOND);
    let mid = w.last_mid();
    w.reset(B, mid);
    w.ack(B, mid);
    assert!(!w.pass(5 * SECOND).is_empty(), "still repeated");
    let mid = w.last_mid();
    assert_eq!(w.ack(A, mid).len(), 1, "what has changed meanwhile");
    let mid = w.last_mid();
    w.reset(A, mid);
    assert_eq!(w.pass(100 * SECOND), [""; 0]);
}

#[test]
fn a_reset_after_the_acknowledgement_ends_it_too() {
    let mut w = observed();
    w.pass(SECOND);
    let mid = w.last_mid();
    w.ack(A, mid);
    w.reset(A, mid);
    assert_eq!(w.pass(100 * SECOND), [""; 0]);
}

#[test]
fn observe_1_ends_it_and_the_answer_has_no_observe() {
    let mut w = observed();
    assert_eq!(w.ask(A, &get("/time").observe(1)), r#"0 ack 2.05 "0""#);
    assert_eq!(w.pass(100 * SECOND), [""; 0]);
}

#[test]
fn the_same_token_stands_once_and_another_token_beside_it() {
    let mut w = observed();
    w.ask(A, &get("/time").observe(0));
    let told = |w: &mut World| -> usize {
        let mut told = 0;
        for _ in 0..8 {
            told += w.pass(SECOND / 8).iter().filter(|line| line.contains("observe")).count();
            let mid = w.last_mid();
            w.heard.truncate(0);
            told += w.ack(A, mid).len();
        }
        told
    };
    assert_eq!(told(&mut w), 1);
    w.ask(A, &get("/time").observe(0).token(b"other"));
    assert_eq!(told(&mut w), 2);
}

#[test]
fn a_peer_observes_sixteen_times_at_most_and_elsewhere_nothing_is_observed() {
    let mut w = observed();
    let answers: Vec<String> = (0..20_u8).map(|token| w.ask(A, &get("/time").observe(0).token(&[token]))).collect();
    assert_eq!(answers.iter().filter(|line| line.contains("observe")).count(), 15, "one stands already");
    assert_eq!(w.ask(A, &get("/counter").observe(0)), r#"0 ack 2.05 "0""#);
}
