//! What our own machine could not do says nothing about the target.
use super::*;
use crate::judge::preconditions;
use crate::oracle::{answer_in_set, fleet_undisturbed, no_hang};
use crate::recorder::{DROPPED, MEMORY_LIMIT, RECEIVED_LIMIT, RECORD_LIMIT, UNHEARD};

const SET: &str = "[[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n";
const FLEET: &str = "[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n";

fn gap(film: &Film) -> Judgement {
    preconditions::check(&film.plan, &film.transcript(), None, &stub_registry()).judgement()
}

#[test]
fn an_answer_that_our_own_limit_cut_off_is_no_wrong_answer() {
    for (by, verdict) in [(By::Peer, Verdict::Fail), (By::Limit, Verdict::Inconclusive)] {
        let mut film = begun(SET);
        film.at(2_000).close(2, by).step("foe", 0, 2, Some(2), StepState::Unmet);
        assert_eq!(film.judge(&answer_in_set::ORACLE).verdict, verdict, "ended by {by:?}");
    }
}

#[test]
fn a_device_that_we_could_not_connect_was_not_disturbed_by_the_target() {
    for (by, verdict) in [(By::Peer, Verdict::Fail), (By::Limit, Verdict::Inconclusive)] {
        let mut film = Film::new(plan(&format!("{TWO}{FLEET}")));
        film.at(0).open("honest", 0, 1).close(1, by).step("honest", 0, 0, Some(1), StepState::Unsaid);
        assert_eq!(film.judge(&fleet_undisturbed::ORACLE).verdict, verdict, "ended by {by:?}");
    }
}

#[test]
fn nothing_passes_where_we_were_stopped_for_a_second_before_the_attack_was_over() {
    for (at, ns, verdict) in [
        (950, 950_000_000, Verdict::Pass),
        (1_000, 1_000_000_000, Verdict::Inconclusive),
        (3_000, 1_000_000_000, Verdict::Pass),
    ] {
        let mut film = begun("");
        film.at(at).entry(Who::Harness, Event::Slip { of: Slipped::Fleets, ns });
        film.at(3_500).served();
        assert_says(&gap(&film), verdict, "");
    }
}

#[test]
fn nothing_passes_when_the_record_was_full_or_a_connection_was_cut_by_ourselves() {
    let sound = || {
        let mut film = begun("");
        film.at(2_000).served();
        film
    };
    assert_says(&gap(&sound()), Verdict::Pass, "");
    let mut full = sound();
    full.entry(Who::Harness, Event::Calibration { name: RECORD_LIMIT.into(), value: 1 });
    assert_says(&gap(&full), Verdict::Inconclusive, "the record was full");
    for limit in [RECEIVED_LIMIT, UNHEARD, DROPPED] {
        let mut met = sound();
        met.entry(Who::Harness, Event::Calibration { name: limit.into(), value: 1 });
        assert_says(&gap(&met), Verdict::Inconclusive, "our own limit");
    }
    let mut short = sound();
    short.entry(Who::Harness, Event::Calibration { name: MEMORY_LIMIT.into(), value: 1 });
    assert_says(&gap(&short), Verdict::Inconclusive, "our own memory limit");
    let mut cut = sound();
    cut.close(1, By::Limit);
    assert_says(&gap(&cut), Verdict::Inconclusive, "our own limits");
}

#[test]
fn a_round_trip_missed_by_us_does_not_hide_one_missed_by_the_target() {
    let missed = |late| WitnessState::Missed { waited: 5_000_000_000, late };
    let mut film = begun("");
    film.at(7_000).witness(missed(2_000_000_000));
    film.at(13_000).witness(missed(0));
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Fail, "5000 ms");
}

#[test]
fn totals_count_as_answers_only_of_their_fleet_and_only_where_there_were_as_many_as_members() {
    let totals = |fleet: &str, received: i64| {
        let mut fields = Fields::default();
        fields.set("fleet", fleet);
        fields.set("received", received);
        let mut film =
            Film::new(plan(&format!("{}{FLEET}", TWO.replace("[fleet.honest]", "[fleet.honest]\ncount = 3"))));
        film.entry(Who::Harness, Event::Totals(fields));
        film.judge(&fleet_undisturbed::ORACLE).verdict
    };
    assert_eq!(totals("honest", 3), Verdict::Pass);
    assert_eq!(totals("honest", 2), Verdict::Inconclusive);
    assert_eq!(totals("foe", 3), Verdict::Inconclusive);
}

#[test]
fn lateness_speaks_against_a_replay_from_a_fiftieth_of_the_trial_on() {
    let late = |ms: u64| {
        let mut film = begun("");
        film.at(20_000).entry(Who::Harness, Event::Slip { of: Slipped::Fleets, ns: ms * 1_000_000 });
        let transcript = film.at(30_000).served().transcript();
        preconditions::own_doing(&film.plan, &transcript)
    };
    assert_eq!(late(600), None);
    assert_eq!(late(601), Some("we, or the machine, were 601 ms late".into()));
}
