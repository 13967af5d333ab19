//! A lab outlives its rounds: one start, many records, each whole by itself.
mod support;

use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{Event, Life, Transcript, Who, WitnessState};
use proofhouse_core::value::Value;
use proofhouse_core::witness::is_witness;
use proofhouse_live::Lab;
use support::*;

const ECHOES: &str = "d = c.recv(65536)\nwhile d:\n    c.sendall(d)\n    d = c.recv(65536)";

fn talker() -> FleetPlan {
    fleet("f", 0, 1, &[("say", "616263".into()), ("hear", Value::Int(3))])
}

fn watched() -> Plan {
    plan(vec![talker(), fleet("witness", 1, 1, &[])])
}

fn witness_words(transcript: &Transcript) -> Vec<(Time, WitnessState)> {
    let own = |who: &Who| matches!(who, Who::Member(fleet, _) if is_witness(fleet));
    events(transcript, |entry| match entry.event {
        Event::Witness(state) if own(&entry.who) => Some((entry.at, state)),
        _ => None,
    })
}

/// When the last of the fleet finished.
fn finished(transcript: &Transcript) -> Time {
    events(transcript, |entry| (entry.event == Event::Finished).then_some(entry.at)).pop().expect("somebody finished")
}

#[test]
fn every_round_of_a_lab_is_a_record_of_its_own() {
    let plan = watched();
    let mut lab = Lab::open(&server(ECHOES), &plan, &registry(), &options()).unwrap();
    for round in 1..=3 {
        let transcript = lab.round(&plan, header()).unwrap();
        assert_eq!(received(&transcript, "f"), "abc", "round {round}");
        assert_eq!(life(&transcript).len(), 2, "started and ready, round {round}: {:?}", life(&transcript));
        let opened =
            events(&transcript, |entry| matches!(entry.event, Event::Opened { .. }).then(|| entry.event.conn()));
        let mut numbers = opened.clone();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), opened.len(), "no two connections share a number, round {round}");
        let (at, word) = *witness_words(&transcript).last().expect("the witness spoke");
        let WitnessState::Served { rtt, .. } = word else { panic!("round {round}: {word:?}") };
        assert!(at.0 - rtt >= finished(&transcript).0, "its last question came after everybody had finished");
        assert!(transcript.entries[0].at == Time::ZERO && at < Time::ZERO + Duration::from_secs(8), "{at}");
    }
    assert_eq!(lab.rounds(), 3);
    let ending = lab.close();
    assert!(ending.entries.iter().any(|entry| entry.event == Event::Life(Life::Stopped)), "{ending:?}");
}

#[test]
fn a_target_that_dies_between_rounds_is_dead_in_the_next() {
    let plan = watched();
    let body =
        "d = c.recv(65536)\nif d: c.sendall(d)\nif d: threading.Timer(0.3, lambda: os._exit(9)).start()\nc.recv(1)";
    let mut lab = Lab::open(&server(body), &plan, &registry(), &options()).unwrap();
    lab.round(&plan, header()).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    let transcript = lab.round(&plan, header()).unwrap();
    assert!(life(&transcript).contains(&Life::Exited { code: 9 }), "{:?}", life(&transcript));
}

#[test]
fn a_lab_without_a_witness_plays_rounds_too() {
    let plan = plan(vec![talker()]);
    let mut lab = Lab::open(&server(ECHOES), &plan, &registry(), &options()).unwrap();
    for _ in 0..2 {
        assert_eq!(received(&lab.round(&plan, header()).unwrap(), "f"), "abc");
    }
}
