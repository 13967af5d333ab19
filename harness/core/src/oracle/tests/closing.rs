//! The target ends a connection in time.
use super::*;
use crate::oracle::closes_in_time;
use crate::recorder::LISTEN_OVERFLOWS;

const CLOSES: &str = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"5s\"\n";

fn closes(at: u64, by: By) -> Judgement {
    let mut film = begun(CLOSES);
    film.nanos(at).close(2, by);
    film.at(9_000).served();
    film.judge(&closes_in_time::ORACLE)
}

#[test]
fn a_connection_may_be_closed_up_to_the_tolerance_of_its_time_and_not_one_nanosecond_later() {
    assert_says(&closes(6_100_000_000, By::Peer), Verdict::Pass, "1 of 1");
    assert_says(&closes(6_100_000_001, By::Peer), Verdict::Fail, "still open 5s after say");
}

#[test]
fn a_connection_that_we_end_ourselves_tells_nothing_about_the_target() {
    assert_says(&closes(2_000_000_000, By::Us), Verdict::Inconclusive, "over before");
    assert_says(&closes(2_000_000_000, By::Limit), Verdict::Inconclusive, "over before");
    assert_says(&closes(7_000_000_000, By::Us), Verdict::Fail, "still open 5s after say");
}

#[test]
fn a_close_that_takes_long_where_everything_takes_long_decides_nothing() {
    let busy = |rtt: u64| {
        let mut film = begun(CLOSES);
        film.at(4_000).witness(WitnessState::Served { rtt: rtt * 1_000_000, late: 0 });
        film.at(7_000).close(2, By::Peer);
        film.at(9_000).served();
        film.judge(&closes_in_time::ORACLE)
    };
    assert_says(&busy(1_600), Verdict::Fail, "still open 5s");
    assert_says(&busy(1_700), Verdict::Inconclusive, "everything was slow");
}

#[test]
fn a_record_that_ends_before_the_deadline_decides_nothing() {
    let mut film = begun(CLOSES);
    film.at(5_999).served();
    assert_says(&film.judge(&closes_in_time::ORACLE), Verdict::Inconclusive, "over before");
    film.at(6_000).served();
    assert_says(&film.judge(&closes_in_time::ORACLE), Verdict::Fail, "still open");
}

#[test]
fn a_connection_that_the_kernel_never_handed_to_the_target_is_not_left_open_by_it() {
    let crowd = CLOSES.replace("of = \"foe\"", "of = \"foe\"\nat_least = \"50%\"");
    for (overflows, verdict) in [(0, Verdict::Fail), (1, Verdict::Fail), (2, Verdict::Inconclusive)] {
        let mut film = Film::new(plan(&format!("{}{crowd}", TWO.replace("[fleet.foe]", "[fleet.foe]\ncount = 4"))));
        for member in 0..4 {
            let conn = member + 10;
            film.at(100).open("foe", member, conn).step("foe", member, 1, Some(conn), StepState::Started);
            film.sent(conn, "say", &[]);
        }
        film.entry(Who::Harness, Event::Calibration { name: LISTEN_OVERFLOWS.into(), value: overflows });
        film.at(9_000).served();
        assert_eq!(film.judge(&closes_in_time::ORACLE).verdict, verdict, "{overflows} of 4 open ones, 2 may be open");
    }
}

#[test]
fn the_place_of_a_violation_is_the_packet_of_the_attack_and_cites_the_clause_of_the_version() {
    let mut film = begun(CLOSES);
    film.at(2_000).sent(2, "bye", &[]);
    film.at(9_000).served();
    let judgement = film.judge(&closes_in_time::ORACLE);
    assert_eq!(judgement.violations[0].place, "say/after-welcome");
    assert_eq!(judgement.violations[0].clause, "STUB1 3.1");
}

#[test]
fn ninety_nine_of_a_hundred_are_enough_where_the_rule_says_so_and_ninety_eight_are_not() {
    let rules = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nat_least = \"99%\"\n";
    for (open, verdict) in [(1, Verdict::Pass), (2, Verdict::Fail)] {
        let mut film = Film::new(plan(&format!("{}{rules}", TWO.replace("[fleet.foe]", "[fleet.foe]\ncount = 100"))));
        for member in 0..100 {
            let conn = member + 10;
            film.at(100).open("foe", member, conn).step("foe", member, 1, Some(conn), StepState::Started).sent(
                conn,
                "say",
                &[],
            );
            if member >= open {
                film.at(200).close(conn, By::Peer);
            }
        }
        film.at(9_000).served();
        assert_eq!(film.judge(&closes_in_time::ORACLE).verdict, verdict, "{open} stay open");
    }
}

#[test]
fn connections_without_an_attack_are_not_asked_to_close() {
    let mut film = begun(CLOSES);
    film.at(1_100).open("foe", 0, 3);
    film.at(2_000).close(2, By::Peer);
    film.at(9_000).served();
    assert_says(&film.judge(&closes_in_time::ORACLE), Verdict::Pass, "1 of 1");
}

#[test]
fn who_is_served_after_it_is_not_being_ended_and_who_is_only_left_open_may_be() {
    let words = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"3s\"\n";
    let two = TWO.replace("part = \"stimulus\" }", "part = \"stimulus\" }, { do = \"hello\" }");
    let left_open = |words: &str, answered: StepState| {
        let mut film = Film::new(plan(&format!("{two}{words}")));
        film.at(0).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
        film.at(1).step("foe", 0, 1, Some(2), StepState::Met);
        film.at(3_500).step("foe", 0, 2, Some(2), StepState::Started).sent(2, "hello", &[]).at(3_510);
        if answered == StepState::Met {
            film.got(2, "welcome", &[]);
        }
        film.step("foe", 0, 2, Some(2), answered);
        film.judge(&closes_in_time::ORACLE)
    };
    let (served, silent) = (left_open(words, StepState::Met), left_open(words, StepState::Unmet));
    assert_says(&served, Verdict::Fail, "still open");
    assert_says(&silent, Verdict::Fail, "still open");
    assert_eq!((served.is_lesser(), silent.is_lesser()), (false, true));
    let named = format!("{words}named = true\n");
    assert!(!left_open(&named, StepState::Unmet).is_lesser(), "the clause names the time");
    let only = format!("{words}served_only = true\n");
    assert_says(&left_open(&only, StepState::Unmet), Verdict::Pass, "");
    assert_says(&left_open(&only, StepState::Met), Verdict::Fail, "still open");
}

#[test]
fn what_the_target_logs_after_we_have_gone_does_not_make_the_record_longer() {
    let mut film = begun(CLOSES);
    film.at(5_000).served();
    film.at(60_000).life(Life::Log { line: "bye".into() }).life(Life::Stopped);
    assert_says(&film.judge(&closes_in_time::ORACLE), Verdict::Inconclusive, "over before");
    film.at(60_000).served();
    assert_says(&film.judge(&closes_in_time::ORACLE), Verdict::Fail, "still open");
}

/// Legal clients wait 3 s for an answer; the attack is said at 10 s, a later step is answered or not, and the record ends then.
fn slow(answered: StepState, end: u64) -> Judgement {
    let two = TWO.replace("part = \"stimulus\" }", "part = \"stimulus\" }, { do = \"hello\" }");
    let mut film = Film::new(plan(&format!("{two}{CLOSES}")));
    film.at(0).open("honest", 0, 1).step("honest", 0, 0, Some(1), StepState::Started);
    film.at(3_000).step("honest", 0, 0, Some(1), StepState::Met);
    film.at(10_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    film.step("foe", 0, 1, Some(2), StepState::Met).step("foe", 0, 2, Some(2), StepState::Started);
    film.sent(2, "hello", &[]).at(13_000);
    if answered == StepState::Met {
        film.got(2, "welcome", &[]);
    }
    film.step("foe", 0, 2, Some(2), answered);
    film.at(end).entry(Who::Harness, Event::Slip { of: Slipped::Fleets, ns: 1 });
    film.judge(&closes_in_time::ORACLE)
}

#[test]
fn a_slow_target_that_goes_on_serving_does_not_mean_to_close_and_needs_no_more_time() {
    assert_says(&slow(StepState::Met, 15_000), Verdict::Fail, "still open");
    assert_says(&slow(StepState::Met, 14_999), Verdict::Inconclusive, "over before");
    assert_says(&slow(StepState::Unmet, 15_000), Verdict::Inconclusive, "slow then");
}

#[test]
fn a_target_that_takes_three_seconds_for_everything_has_nine_for_a_close_and_no_more() {
    assert_says(&slow(StepState::Unmet, 19_180), Verdict::Inconclusive, "slow then");
    assert_says(&slow(StepState::Unmet, 19_181), Verdict::Fail, "still open");
}
