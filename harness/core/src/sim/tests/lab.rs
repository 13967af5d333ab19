//! Rounds of a lab over the simulator.
use super::toy::{echo, fleet, header, lines, plan, registry, target};
use super::*;
use crate::sim::Lab;

fn asks() -> Plan {
    plan(vec![fleet("dev", 1, &[("start", "open"), ("opened", "say:hello"), ("bytes", "fin finish")])])
}

fn round(lab: &mut Lab, plan: &Plan) -> Vec<(u64, String)> {
    lines(&lab.round(plan, &registry(), header(plan)))
}

#[test]
fn every_round_is_the_record_that_a_trial_of_its_own_would_be() {
    let mut lab = Lab::open(target(echo));
    let first = round(&mut lab, &asks());
    assert_eq!(first.len(), 5);
    assert_eq!(round(&mut lab, &asks()), first);
    assert_eq!(lab.rounds(), 2);
}

#[test]
fn what_a_target_waits_for_in_one_round_comes_in_the_next() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let mut lab = Lab::open(target(move |now: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Start => out.wake(Time::ZERO + 150 * MS, TimerId(7)),
        Input::Timer(TimerId(7)) => told.lock().unwrap().push(now),
        _ => {}
    }));
    let waits = plan(vec![fleet("dev", 1, &[("start", "wake:100"), ("timer", "finish")])]);
    round(&mut lab, &waits);
    assert!(seen.lock().unwrap().is_empty());
    round(&mut lab, &waits);
    round(&mut lab, &waits);
    assert_eq!(*seen.lock().unwrap(), [Time::ZERO + 150 * MS], "once, in the target's own time");
}

#[test]
fn connections_end_between_rounds_and_a_target_that_ended_stays_ended() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let mut lab = Lab::open(target(move |_: Time, input: Input<'_>, out: &mut Outbox| match input {
        Input::Closed(_, how) => told.lock().unwrap().push(how),
        Input::Bytes(..) => out.note(Note::Exit(3)),
        _ => {}
    }));
    let stays = plan(vec![fleet("dev", 1, &[("start", "open"), ("opened", "finish")])]);
    round(&mut lab, &stays);
    assert_eq!(*seen.lock().unwrap(), [Close::Reset]);
    assert!(!lab.has_ended());
    round(&mut lab, &asks());
    assert!(lab.has_ended());
    let refused = round(&mut lab, &stays);
    assert!(refused.iter().any(|(_, line)| line.contains("refused")), "{refused:?}");
}
