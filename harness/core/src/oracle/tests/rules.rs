//! One rule at a time.
use super::*;
use crate::admin::Order;
use crate::oracle::{
    answer_in_set, closes_in_time, fleet_undisturbed, memory_bounded, never_at, no_crash, no_hang, no_slowdown,
    no_unhandled_exception,
};
use crate::recorder::LISTEN_OVERFLOWS;

const CLOSES: &str = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"5s\"\n";

fn closes(at: u64, by: By) -> Judgement {
    let mut film = begun(CLOSES);
    film.nanos(at).close(2, by);
    film.at(9_000).served();
    film.judge(&closes_in_time::ORACLE)
}

#[test]
fn silence_is_an_answer_only_where_we_listened_longer_than_a_control_took() {
    let text = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", expect = { type = "welcome" }, part = "control" },
  { do = "send", hex = "00", part = "stimulus" },
  { do = "expect", any = [{ type = "refused" }, { silence = "1s" }], within = "2s" },
  { do = "hello", expect = { type = "welcome" }, part = "control" },
]
"#;
    let judged = |control: u64, silent: u64, behind: Option<u64>| {
        let mut film = Film::new(plan(&format!("{text}[[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n")));
        film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
        film.at(control).step("foe", 0, 0, Some(1), StepState::Met).met("foe", 0, 1, 1);
        film.step("foe", 0, 2, Some(1), StepState::Started);
        film.at(control + silent).step("foe", 0, 2, Some(1), StepState::Met);
        film.step("foe", 0, 3, Some(1), StepState::Started);
        if let Some(behind) = behind {
            film.at(control + silent + behind).step("foe", 0, 3, Some(1), StepState::Met);
        }
        film.judge(&answer_in_set::ORACLE)
    };
    assert_says(&judged(1_200, 1_000, None), Verdict::Inconclusive, "1000 ms of silence show nothing");
    assert_eq!(judged(800, 1_000, None).verdict, Verdict::Pass);
    assert_eq!(
        judged(1_200, 1_000, Some(1_200)).verdict,
        Verdict::Pass,
        "the answer to a later request came meanwhile"
    );
    assert_eq!(judged(1_200, 500, None).verdict, Verdict::Pass, "a packet met it");
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

/// A crash with these last words, in the scenario of the file.
fn crashed(words: &[&str], how: Life) -> crate::verdict::Violation {
    let mut film = begun("");
    for line in words {
        film.at(1_100).life(Life::line(line));
    }
    film.life(how);
    let judgement = film.judge(&no_crash::ORACLE);
    assert_eq!(judgement.verdict, Verdict::Fail, "{}", judgement.reason);
    judgement.violations[0].clone()
}

#[test]
fn a_crash_is_how_it_ended_and_the_frame_that_shows_why() {
    let crash = crashed(&["thread 'main-7' panicked at src/a.rs:12: index 5"], Life::Exited { code: 101 });
    assert_eq!(crash.place, "exit code 101: panic at a.rs:12");
    assert!(crash.actual.contains("exit code 101 (panic in a.rs:12)"), "{}", crash.actual);
    assert_eq!(crash.entries.len(), 2, "the line and the end");
}

#[test]
fn random_last_words_do_not_change_what_a_crash_is() {
    let abort = |words: &[&str]| crashed(words, Life::Signalled { signal: 6 }).place;
    let places = ["panic: swordfish", "panic: marigold 0x5f3a", "fatal error: qx17"].map(|line| abort(&[line]));
    assert_eq!(places[0], places[1]);
    assert_eq!(abort(&["bye swordfish"]), abort(&["so long, marigold"]), "a plain line is none of its place");
    assert_ne!(places[0], abort(&["thread 'x' panicked at a.rs:1:1:"]));
    // Another end is another crash.
    assert_ne!(abort(&[]), crashed(&[], Life::Signalled { signal: 11 }).place);
}

#[test]
fn an_exception_that_was_caught_long_before_a_crash_is_not_its_cause() {
    let mut words =
        alloc::vec!["Traceback (most recent call last):", "  File \"/a/x.py\", line 1, in f", "KeyError: 1"];
    words.extend(["an ordinary line"; 20]);
    assert!(!crashed(&words, Life::Signalled { signal: 9 }).place.contains("KeyError"));
    words.truncate(3);
    assert!(crashed(&words, Life::Exited { code: 1 }).place.contains("KeyError at x.py:1"), "a script ends with it");
}

#[test]
fn an_end_that_we_asked_for_is_no_crash() {
    let mut film = begun("");
    film.at(1_200).served();
    film.at(2_000).life(Life::Stopped).life(Life::Exited { code: 0 });
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Pass, "served");
}

#[test]
fn a_first_process_that_ends_in_order_while_others_serve_on_is_no_crash() {
    let ended = |how: Life, served: bool| {
        let mut film = begun("");
        film.at(1_200).life(how);
        if served {
            film.at(2_000).served();
        }
        film.judge(&no_crash::ORACLE)
    };
    assert_says(&ended(Life::Exited { code: 0 }, true), Verdict::Inconclusive, "in the foreground");
    assert_eq!(ended(Life::Exited { code: 0 }, false).verdict, Verdict::Fail);
    assert_eq!(ended(Life::Exited { code: 1 }, true).verdict, Verdict::Fail);
}

#[test]
fn a_process_that_served_and_ended_is_not_made_good_by_the_next() {
    let mut film = begun("");
    film.at(1_200).gauge("servers-ended", 1).at(2_000).served();
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Inconclusive, "1 of the processes that served");
    let mut film = begun("");
    film.at(1_200).gauge("threads", 1).at(2_000).served();
    assert_eq!(film.judge(&no_crash::ORACLE).verdict, Verdict::Pass);
}

#[test]
fn without_a_witness_after_the_attack_nobody_knows_whether_the_target_lives() {
    assert_says(&begun("").judge(&no_crash::ORACLE), Verdict::Inconclusive, "nobody was served");
    assert_says(&begun("").judge(&no_hang::ORACLE), Verdict::Inconclusive, "not served");
}

#[test]
fn a_witness_that_was_served_and_then_is_not_shows_a_hang() {
    let missed = |late| WitnessState::Missed { waited: 5_000_000_000, late };
    let mut film = begun("");
    film.at(7_000).witness(missed(0));
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Fail, "5000 ms");
    let mut film = begun("");
    film.at(7_000).witness(missed(2_000_000_000));
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Inconclusive, "late");
}

#[test]
fn a_hang_while_our_own_loop_slept_is_none() {
    for (ns, verdict) in [(900_000_000, Verdict::Fail), (1_100_000_000, Verdict::Inconclusive)] {
        let mut film = begun("");
        film.at(6_000).entry(Who::Harness, Event::Slip { of: Slipped::Witnesses, ns });
        film.at(7_000).witness(WitnessState::Missed { waited: 5_000_000_000, late: 0 });
        assert_says(&film.judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn the_deadline_of_no_hang_is_the_one_that_the_scenario_names() {
    for (rtt, verdict) in [(1_999_999_999, Verdict::Pass), (2_000_000_000, Verdict::Fail)] {
        let mut film = begun("[[expect]]\noracle = \"no-hang\"\ndeadline = \"2s\"\n");
        film.at(7_000).witness(WitnessState::Served { rtt, late: 0 });
        assert_says(&film.judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn a_target_that_never_served_anybody_does_not_hang_because_of_the_attack() {
    let mut film = Film::new(plan(TWO));
    film.at(6_000).witness(WitnessState::Missed { waited: 5_000_000_000, late: 0 });
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Inconclusive, "never served");
}

/// The attack has begun, and the target ends the witness so, which is served again later.
fn thrown_out(how: impl FnOnce(&mut Film)) -> Judgement {
    let mut film = begun("");
    film.at(1_200);
    how(&mut film);
    film.witness(WitnessState::Lost);
    film.at(1_300).open("witness", 0, 91);
    film.at(2_500).served().judge(&no_hang::ORACLE)
}

#[test]
fn a_witness_that_the_target_ends_once_the_attack_began_was_thrown_out_though_it_is_served_again() {
    let judgement = thrown_out(|film| {
        film.close(90, By::Peer);
    });
    assert_says(&judgement, Verdict::Fail, "threw out the witness");
    assert_eq!(judgement.violations[0].place, "witness thrown out after stub/x");
    let goodbye = thrown_out(|film| {
        film.got(90, "bye", &[]).close(90, By::Us);
    });
    assert_says(&goodbye, Verdict::Fail, "threw out the witness");
}

#[test]
fn a_witness_that_ended_itself_or_by_a_limit_of_ours_was_not_thrown_out() {
    for by in [By::Us, By::Limit] {
        let judgement = thrown_out(|film| {
            film.close(90, by);
        });
        assert_says(&judgement, Verdict::Inconclusive, "nothing shows that the target ended it");
    }
}

#[test]
fn a_witness_that_was_lost_before_the_attack_did_not_suffer_from_it() {
    let mut film = Film::new(plan(TWO));
    film.at(0).open("witness", 0, 90).open("foe", 0, 2);
    film.at(500).served().close(90, By::Peer).witness(WitnessState::Lost);
    film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    film.at(2_500).served();
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Pass, "served");
}

#[test]
fn a_restart_that_the_scenario_orders_throws_nobody_out_and_a_loss_after_it_does() {
    let restarted = |ready: bool| {
        thrown_out(|film| {
            film.at(1_010).entry(Who::Harness, Event::Ordered { order: Order::Restart });
            if ready {
                film.at(1_050).life(Life::Ready).at(1_100).served();
            }
            film.at(1_200).close(90, By::Peer);
        })
    };
    assert_says(&restarted(false), Verdict::Inconclusive, "restart");
    assert_says(&restarted(true), Verdict::Fail, "threw out");
}

#[test]
fn a_server_that_names_a_reason_of_its_own_throws_nobody_out() {
    let judgement = thrown_out(|film| {
        film.got(90, "bye", &[("own", true.into())]).close(90, By::Peer);
    });
    assert_says(&judgement, Verdict::Inconclusive, "reason of its own");
}

#[test]
fn a_witness_that_we_kept_silent_may_be_ended_for_that() {
    for (ns, verdict) in [(999_999_999, Verdict::Fail), (1_000_000_000, Verdict::Inconclusive)] {
        let mut film = begun("");
        film.at(2_000).entry(Who::Harness, Event::Slip { of: Slipped::Witnesses, ns });
        film.close(90, By::Peer).witness(WitnessState::Lost);
        film.at(2_500).served();
        assert_says(&film.judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn a_witness_that_is_thrown_out_for_good_shows_a_hang() {
    let mut film = begun("");
    film.at(3_000).witness(WitnessState::Lost).refuse("witness", 0, 91);
    film.at(8_000).witness(WitnessState::Missed { waited: 4_500_000_000, late: 0 });
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Fail, "not served");
}

/// The attack is said at 1 s; the witness is served after it, and what becomes of a newcomer is this.
fn newcomer(film: &mut Film, becomes: WitnessState) -> Judgement {
    film.at(2_000).witness(WitnessState::Knocks).served();
    film.at(7_000).witness(becomes).judge(&no_hang::ORACLE)
}

const IGNORED: WitnessState = WitnessState::Ignored { waited: 5_000_000_000, late: 0 };

#[test]
fn a_server_that_serves_those_it_has_and_no_newcomer_hangs_for_all_who_come() {
    let ignored = newcomer(&mut begun(""), IGNORED);
    assert_says(&ignored, Verdict::Fail, "no answer for 5000 ms");
    assert_eq!(ignored.violations[0].place, "newcomer beside the witness not served after stub/x");
    assert_says(&newcomer(&mut begun(""), WitnessState::Unheard), Verdict::Fail, "nobody listens to a newcomer");
    assert_says(&newcomer(&mut begun(""), WitnessState::Welcomed { took: 1 }), Verdict::Pass, "served");
}

#[test]
fn a_newcomer_that_came_before_the_attack_says_nothing_about_it() {
    let mut film = begun("");
    film.at(900).witness(WitnessState::Knocks).at(950).witness(WitnessState::Unheard);
    assert_says(&film.at(2_000).served().judge(&no_hang::ORACLE), Verdict::Pass, "served");
    film.at(2_100).witness(WitnessState::Knocks);
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Inconclusive, "what became of a newcomer");
}

#[test]
fn a_newcomer_that_is_turned_away_never_fails_and_passes_only_where_another_was_let_in() {
    let away = newcomer(&mut begun(""), WitnessState::TurnedAway);
    assert_says(&away, Verdict::Inconclusive, "turned away");
    let mut film = begun("");
    film.at(1_500).open("honest", 0, 3).sent(3, "hello", &[]).got(3, "welcome", &[]).met("honest", 0, 0, 3);
    assert_says(&newcomer(&mut film, WitnessState::TurnedAway), Verdict::Pass, "served");
}

#[test]
fn our_lateness_a_crowd_that_stands_and_a_full_queue_of_this_machine_excuse_an_ignored_newcomer() {
    for (ns, verdict) in [(900_000_000, Verdict::Fail), (1_100_000_000, Verdict::Inconclusive)] {
        let mut film = begun("");
        film.at(6_000).entry(Who::Harness, Event::Slip { of: Slipped::Witnesses, ns });
        assert_says(&newcomer(&mut film, IGNORED), verdict, "");
    }
    // Two stand already.
    for (more, verdict) in [(13, Verdict::Fail), (14, Verdict::Inconclusive)] {
        let mut film = begun("");
        for n in 0..more {
            film.open("foe", 0, 10 + n);
        }
        assert_says(&newcomer(&mut film, IGNORED), verdict, "");
    }
    let mut film = begun("");
    film.entry(Who::Harness, Event::Calibration { name: LISTEN_OVERFLOWS.into(), value: 1 });
    assert_says(&newcomer(&mut film, IGNORED), Verdict::Inconclusive, "dropped connections");
}

#[test]
fn a_crash_is_not_reported_as_a_hang_too() {
    let mut film = begun("");
    film.at(1_100).life(Life::Signalled { signal: 11 });
    film.at(7_000).witness(WitnessState::Lost);
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Inconclusive, "no-crash");
}

#[test]
fn answers_outside_their_set_fail_and_answers_that_were_never_awaited_decide_nothing() {
    let rules = "[[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n";
    let answer = |state: Option<StepState>| {
        let mut film = begun(rules);
        if let Some(state) = state {
            film.at(2_000).step("foe", 0, 2, Some(2), state);
        }
        film.judge(&answer_in_set::ORACLE)
    };
    assert_says(&answer(Some(StepState::Met)), Verdict::Pass, "1 answers");
    assert_says(&answer(Some(StepState::Unmet)), Verdict::Fail, "");
    assert_says(&answer(Some(StepState::Unsaid)), Verdict::Inconclusive, "never evaluated");
    assert_says(&answer(None), Verdict::Inconclusive, "never evaluated");
}

#[test]
fn a_fleet_is_disturbed_when_the_target_ends_a_connection_that_its_owner_has_not_left() {
    let rules = "[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n";
    let mut film = begun(rules);
    assert_says(&film.judge(&fleet_undisturbed::ORACLE), Verdict::Inconclusive, "never answered");
    film.at(1_100).got(1, "welcome", &[]);
    assert_says(&film.judge(&fleet_undisturbed::ORACLE), Verdict::Pass, "1 members");
    film.at(1_200).close(1, By::Peer);
    assert_says(&film.judge(&fleet_undisturbed::ORACLE), Verdict::Fail, "ended it");
}

#[test]
fn a_goodbye_is_no_disturbance() {
    let mut film = begun("[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n");
    film.at(1_100).got(1, "welcome", &[]).sent(1, "bye", &[]).close(1, By::Peer);
    assert_says(&film.judge(&fleet_undisturbed::ORACLE), Verdict::Pass, "1 members");
}

const NEVER: &str = "[[expect]]\noracle = \"never-at\"\ncanary = \"secret\"\nat = \"honest:a/#\"\n";

#[test]
fn a_canary_fails_where_it_must_not_be_and_nowhere_else() {
    let seen = |topic: &str| {
        let mut film = begun(NEVER);
        film.at(1_100).sees(1, "secret", &[("topic", topic.into())]);
        film.judge(&never_at::ORACLE)
    };
    assert_says(&seen("a/b"), Verdict::Fail, "arrived");
    assert_says(&seen("a"), Verdict::Fail, "arrived");
    assert_says(&seen("ab"), Verdict::Pass, "never arrived");
}

#[test]
fn a_place_at_which_nothing_arrived_proves_nothing_about_its_topics() {
    let mut film = begun(NEVER);
    let elsewhere = film.sees(2, "secret", &[]).judge(&never_at::ORACLE);
    assert_says(&elsewhere, Verdict::Inconclusive, "nothing arrived at honest");
    film.at(1_100).got(1, "publish", &[("topic", "b".into())]);
    assert_says(&film.judge(&never_at::ORACLE), Verdict::Pass, "never arrived");
}

#[test]
fn a_canary_that_was_never_sent_proves_nothing() {
    assert_says(
        &Film::new(plan(&format!("{TWO}{NEVER}"))).judge(&never_at::ORACLE),
        Verdict::Inconclusive,
        "never sent",
    );
}

#[test]
fn an_exception_in_the_log_fails_and_a_plain_line_does_not() {
    let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Inconclusive, "nothing");
    film.life(Life::Log { line: "ERROR: connection closed by peer".into() });
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Pass, "no line");
    for n in 0..3 {
        film.life(Life::Panic { line: format!("thread 'w{n}' panicked at x.rs:7:1: boom {n}") });
    }
    let judgement = film.judge(&no_unhandled_exception::ORACLE);
    assert_says(&judgement, Verdict::Fail, "panic in x.rs:7");
    assert_eq!(judgement.violations.len(), 1, "one place, one violation");
}

/// A target that logs this traceback while the attack stands, and then ends the attacker's connection.
fn caught(head: &str, answer: StepState) -> Judgement {
    let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"no-unhandled-exception\"\n")));
    film.at(1_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    let lines =
        [head, "Traceback (most recent call last):", "  File \"/a/handler.py\", line 12, in read", "KeyError: 'x'"];
    for line in lines {
        film.at(1_100).life(Life::line(line));
    }
    film.step("foe", 0, 1, Some(2), StepState::Met).step("foe", 0, 2, Some(2), StepState::Started);
    film.at(1_150).close(2, By::Peer).step("foe", 0, 2, Some(2), answer);
    film.at(1_200).served().judge(&no_unhandled_exception::ORACLE)
}

#[test]
fn an_exception_that_was_caught_and_answered_is_a_remark() {
    let judgement = caught("ERROR bad packet", StepState::Met);
    assert_says(&judgement, Verdict::Pass, "no line");
    assert_eq!(
        judgement.remarks,
        [
            "the log tells of KeyError in handler.py:12 (read) that ended nothing and left nobody without an answer (1 times)"
        ]
    );
}

#[test]
fn an_exception_that_ended_a_connection_without_its_answer_was_not_handled() {
    assert_says(
        &caught("ERROR bad packet", StepState::Unmet),
        Verdict::Fail,
        "unhandled KeyError in handler.py:12 (read)",
    );
}

/// The target logs what it caught and ends a connection, on which a step without a stated answer then goes unanswered.
#[test]
fn a_close_that_follows_an_attack_is_no_missing_answer_where_none_was_stated() {
    let judged = |(fleet, index, conn): (&str, u16, u32)| {
        let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
        for line in ["Traceback (most recent call last):", "  File \"/a/b.py\", line 1, in parse", "b.Mal: why"] {
            film.at(1_100).life(Life::line(line));
        }
        film.at(1_150).close(conn, By::Peer).step(fleet, 0, index, Some(conn), StepState::Unmet);
        film.at(1_200).served().judge(&no_unhandled_exception::ORACLE)
    };
    assert_says(&judged(("foe", 1, 2)), Verdict::Pass, "");
}

#[test]
fn a_word_of_the_log_alone_is_a_remark_and_a_failure_where_a_legal_client_was_cut_off() {
    let judged = |line: &str, thrown_out: bool| {
        let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
        film.at(1_100).life(Life::line(line));
        if thrown_out {
            film.at(1_200).witness(WitnessState::Lost);
        }
        film.at(1_300).served().judge(&no_unhandled_exception::ORACLE)
    };
    let harmless = "session closed: fatal protocol error; panic: no, client fault";
    assert_says(&judged(harmless, false), Verdict::Pass, "");
    assert_eq!(judged(harmless, false).remarks.len(), 1);
    assert_says(&judged(harmless, true), Verdict::Fail, "thrown out");
    let assertion = "auth: client Assertion rejected, login failed (bad credentials)";
    assert!(judged(assertion, false).remarks.is_empty());
    assert_says(&judged("b: a.c:12: f: Assertion `n' failed.", false), Verdict::Fail, "nobody caught it");
}

#[test]
fn an_exception_that_ended_a_task_was_not_handled_though_the_connection_had_its_answer() {
    assert_says(&caught("Task exception was never retrieved", StepState::Met), Verdict::Fail, "nobody caught it");
}

#[test]
fn hangs_and_slow_answers_of_two_stimuli_are_two_findings() {
    let place = |id: &str| {
        let mut film = begun("");
        film.plan.id = id.into();
        film.at(7_000).witness(WitnessState::Missed { waited: 5_000_000_000, late: 0 });
        film.judge(&no_hang::ORACLE).violations[0].place.clone()
    };
    assert_ne!(place("mqtt/a"), place("mqtt/b"));
    assert_eq!(place("mqtt/a"), place("mqtt/a"));
}

#[test]
fn a_line_that_also_came_before_the_attack_is_no_effect_of_it() {
    let words = "[[expect]]\noracle = \"no-unhandled-exception\"\n";
    let goodbye = |n: u32| Life::Panic { line: format!("Unhandled exception in task {n}") };
    let mut film = Film::new(plan(&format!("{TWO}{words}")));
    film.at(0).open("foe", 0, 2).life(goodbye(1));
    film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).step("foe", 0, 1, Some(2), StepState::Met);
    film.life(goodbye(2));
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Pass, "no line");
    film.life(Life::Panic { line: "panicked at x.rs:1: boom".into() });
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Fail, "panic in x.rs:1");
}

#[test]
fn a_peer_that_went_away_is_no_exception_and_a_broken_parser_is_one() {
    let went = "WARNING Unhandled exception in reader coro: IncompleteReadError('0 bytes read')";
    assert!(matches!(Life::line(went), Life::Log { .. }));
    assert!(matches!(Life::line("Unhandled exception in reader coro: IndexError('x')"), Life::Panic { .. }));
    assert!(matches!(Life::line("thread panicked at x.rs: ConnectionResetError"), Life::Panic { .. }));
}

#[test]
fn a_witness_five_times_as_slow_is_still_good_and_slower_is_not() {
    let after = |rtt: u64, late: u64| {
        let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"no-slowdown\"\n")));
        for n in 0..100 {
            film.at(n * 200).witness(WitnessState::Served { rtt: 20_000_000, late: 0 });
        }
        film.at(20_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started);
        for n in 0..100 {
            film.at(20_200 + n * 200).witness(WitnessState::Served { rtt, late });
        }
        film.judge(&no_slowdown::ORACLE)
    };
    assert_says(&after(100_000_000, 0), Verdict::Pass, "100000 us after");
    assert_says(&after(100_000_001, 0), Verdict::Fail, "100000 us");
    assert_says(&after(900_000_000, 200_000_000), Verdict::Inconclusive, "we ourselves");
    assert_says(
        &begun("[[expect]]\noracle = \"no-slowdown\"\n").judge(&no_slowdown::ORACLE),
        Verdict::Inconclusive,
        "100 each",
    );
}

#[test]
fn one_hiccup_of_a_hundred_is_no_percentile() {
    let slow = |hiccups: u64| {
        let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"no-slowdown\"\n")));
        for n in 0..100 {
            film.at(n * 200).served();
        }
        film.at(20_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started);
        for n in 0..100 {
            let rtt = if n < hiccups { 3_000_000_000 } else { 1_000_000 };
            film.at(20_200 + n * 200).witness(WitnessState::Served { rtt, late: 0 });
        }
        film.judge(&no_slowdown::ORACLE)
    };
    assert_says(&slow(1), Verdict::Pass, "after");
    assert_says(&slow(2), Verdict::Fail, "they took");
}

#[test]
fn who_is_served_after_it_is_not_being_ended_and_who_is_only_left_open_may_be() {
    let words = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"3s\"\n";
    let two = TWO.replace("part = \"stimulus\" }", "part = \"stimulus\" }, { do = \"hello\" }");
    let left_open = |words: &str, answered: StepState| {
        let mut film = Film::new(plan(&format!("{two}{words}")));
        film.at(0).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started);
        film.at(1).step("foe", 0, 1, Some(2), StepState::Met);
        film.at(3_500).step("foe", 0, 2, Some(2), StepState::Started).at(3_510).step("foe", 0, 2, Some(2), answered);
        film.judge(&closes_in_time::ORACLE)
    };
    let (served, silent) = (left_open(words, StepState::Met), left_open(words, StepState::Unmet));
    assert_says(&served, Verdict::Fail, "still open");
    assert_says(&silent, Verdict::Fail, "still open");
    assert_eq!((served.our_time, silent.our_time), (false, true));
    let named = format!("{words}named = true\n");
    assert!(!left_open(&named, StepState::Unmet).our_time, "the clause names the time");
    let only = format!("{words}served_only = true\n");
    assert_says(&left_open(&only, StepState::Unmet), Verdict::Pass, "");
    assert_says(&left_open(&only, StepState::Met), Verdict::Fail, "still open");
}

#[test]
fn memory_that_goes_on_growing_fails_and_memory_that_has_risen_and_stays_does_not() {
    let measured = |value: fn(u64) -> u64| {
        let mut film = begun("[[expect]]\noracle = \"memory-bounded\"\ngauge = \"held-bytes\"\n");
        for n in 0..40 {
            film.at(900 + n * 200).gauge("held-bytes", value(n));
        }
        film.judge(&memory_bounded::ORACLE)
    };
    const MIB: u64 = 1 << 20;
    assert_says(&measured(|n| MIB + n * MIB), Verdict::Fail, "goes on");
    assert_says(&measured(|n| if n < 5 { MIB } else { 50 * MIB }), Verdict::Pass, "stays");
    assert_says(&measured(|n| MIB + n), Verdict::Pass, "before");
    assert_says(&measured(|n| MIB + 9 * MIB * (n % 2) + 40 * MIB * u64::from(n > 2)), Verdict::Inconclusive, "");
    let film = begun("[[expect]]\noracle = \"memory-bounded\"\n");
    assert_says(&film.judge(&memory_bounded::ORACLE), Verdict::Inconclusive, "nothing was measured");
}

#[test]
fn memory_above_its_ceiling_fails_though_it_falls_again() {
    let peak = |peak: u64| {
        let mut film = begun("[[expect]]\noracle = \"memory-bounded\"\ngauge = \"held-bytes\"\nmost = 1000\n");
        for (at, value) in [(900, 500), (1_100, 500), (1_300, peak), (1_500, 500)] {
            film.at(at).gauge("held-bytes", value);
        }
        film.judge(&memory_bounded::ORACLE)
    };
    assert_says(&peak(1_500), Verdict::Pass, "1500 at the most");
    assert_says(&peak(1_501), Verdict::Fail, "it was 1501");
}
