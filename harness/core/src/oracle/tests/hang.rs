//! Legal clients are served during and after the attack: the witness, and a newcomer beside it.
use super::*;
use crate::admin::Order;
use crate::ids::EndpointId;
use crate::oracle::no_hang;
use crate::plan::{FleetPlan, Recording};
use crate::recorder::LISTEN_OVERFLOWS;

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

/// Twenty connections of the foe were opened, and so many have ended in order; the record shows none of it but the totals.
fn crowd_on_edges(ended: i64) -> Judgement {
    let mut film = begun("");
    film.plan.record = Recording::Edges;
    let judged = newcomer(&mut film, IGNORED);
    assert_eq!(judged.verdict, Verdict::Fail, "no totals, no crowd");
    let mut totals = Fields::default();
    totals.set("fleet", "foe");
    totals.set("opened", 20_i64);
    totals.set("closed-us-fin", ended);
    film.entry(Who::Harness, Event::Totals(totals)).judge(&no_hang::ORACLE)
}

#[test]
fn a_crowd_that_a_record_of_edges_only_counts_excuses_as_one_that_it_shows() {
    assert_says(&crowd_on_edges(4), Verdict::Inconclusive, "16 connections stood");
    assert_eq!(crowd_on_edges(5).verdict, Verdict::Fail);
}

#[test]
fn a_witness_that_gives_way_to_our_newcomer_with_its_account_was_not_thrown_out_by_the_attack() {
    let gave_way = |account: bool, knocked: u64| {
        let mut film = begun("");
        let own = film.plan.fleets.iter_mut().find(|fleet| fleet.name == "witness").expect("it is planned");
        own.authenticated = account;
        film.at(1_600).served();
        film.at(knocked).witness(WitnessState::Knocks);
        film.at(2_000).close(90, By::Peer).witness(WitnessState::Lost);
        film.at(2_001).witness(WitnessState::Welcomed { took: 1 });
        film.at(2_500).served().judge(&no_hang::ORACLE)
    };
    assert_says(&gave_way(true, 1_999), Verdict::Inconclusive, "a newcomer of ours");
    assert_eq!(gave_way(false, 1_999).verdict, Verdict::Fail, "they have no account in common");
}

#[test]
fn a_witness_that_was_thrown_out_before_the_attack_too_does_not_show_what_the_attack_did() {
    let twice = |by: By| {
        let mut film = Film::new(plan(TWO));
        film.at(0).open("witness", 0, 90).open("foe", 0, 2);
        film.at(500).served().close(90, by).witness(WitnessState::Lost).open("witness", 0, 91).served();
        film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
        film.at(1_200).close(91, By::Peer).witness(WitnessState::Lost).open("witness", 0, 92);
        film.at(2_500).served().judge(&no_hang::ORACLE)
    };
    assert_says(&twice(By::Peer), Verdict::Inconclusive, "before the attack, too");
    assert_eq!(twice(By::Us).verdict, Verdict::Fail, "that one we had ended ourselves");
}

#[test]
fn a_reason_that_is_named_to_another_connection_after_the_witness_is_served_again_excuses_nothing() {
    let told = |at: u64| {
        let mut film = begun("");
        film.at(1_200).close(90, By::Peer).witness(WitnessState::Lost);
        film.at(1_300).open("witness", 0, 91).at(at).got(91, "bye", &[("own", true.into())]);
        film.at(2_000).served();
        film.judge(&no_hang::ORACLE)
    };
    assert_says(&told(1_400), Verdict::Inconclusive, "reason of its own");
    let mut film = begun("");
    film.at(1_200).close(90, By::Peer).witness(WitnessState::Lost);
    film.at(1_300).open("witness", 0, 91).at(1_400).served();
    film.at(1_500).got(91, "bye", &[("own", true.into())]).at(2_000).served();
    assert_eq!(film.judge(&no_hang::ORACLE).verdict, Verdict::Fail);
}

#[test]
fn a_newcomer_has_no_less_time_than_the_scenario_grants_and_than_the_witness_needed_to_be_let_in() {
    let granted = |deadline: &str| {
        let mut film = begun(&format!("[[expect]]\noracle = \"no-hang\"\ndeadline = \"{deadline}\"\n"));
        newcomer(&mut film, IGNORED)
    };
    assert_says(&granted("7s"), Verdict::Inconclusive, "the scenario grants 7000 ms");
    assert_eq!(granted("6s").verdict, Verdict::Fail, "four fifths of it");
    let let_in = |ms: u64| {
        let mut film = Film::new(plan(TWO));
        film.at(0).open("witness", 0, 90).open("foe", 0, 2);
        film.at(ms).got(90, "welcome", &[]).served();
        film.at(2_000).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
        film.at(3_000).witness(WitnessState::Knocks).served();
        film.at(8_000).witness(IGNORED).judge(&no_hang::ORACLE)
    };
    assert_says(&let_in(1_667), Verdict::Inconclusive, "had waited 1667 ms until it was let in");
    assert_eq!(let_in(1_666).verdict, Verdict::Fail, "a third of its time");
}

#[test]
fn who_is_served_by_another_door_does_not_show_that_a_newcomer_is_let_in_by_this_one() {
    let served = |change: fn(&mut FleetPlan)| {
        let mut film = begun("");
        change(film.plan.fleets.iter_mut().find(|fleet| fleet.name == "honest").expect("it is planned"));
        film.at(1_500).open("honest", 0, 3).sent(3, "hello", &[]).got(3, "welcome", &[]).met("honest", 0, 0, 3);
        newcomer(&mut film, WitnessState::TurnedAway).verdict
    };
    assert_eq!(served(|_| {}), Verdict::Pass);
    assert_eq!(served(|honest| honest.endpoint_id = EndpointId(7)), Verdict::Inconclusive);
    assert_eq!(served(|honest| honest.plays_server = true), Verdict::Inconclusive);
}

#[test]
fn a_server_elsewhere_is_gone_only_where_the_witness_is_refused_and_none_is_served_after_that() {
    let refused = |fleet: &str, served: bool| {
        let mut film = begun("");
        film.at(2_000).refuse(fleet, 0, 70);
        if served {
            film.at(2_100).served();
        }
        let mut transcript =
            film.at(7_200).witness(WitnessState::Missed { waited: 5_000_000_000, late: 0 }).transcript();
        transcript.header.clock = "live".into();
        (no_hang::ORACLE.judge)(&film.plan.expects[0], &film.plan, &transcript)
    };
    assert_says(&refused("witness", false), Verdict::Inconclusive, "nobody listens there any more");
    assert_says(&refused("witness", true), Verdict::Fail, "5000 ms");
    assert_says(&refused("foe", false), Verdict::Fail, "5000 ms");
}

/// The witness misses a question after one that was answered when it was repeated. Meanwhile others are served, or nobody is.
fn lossy(others: bool, until: u64, served_again: bool) -> Judgement {
    let mut film = begun("");
    film.at(1_100).sent(90, "ask", &[]).at(1_200).sent(2, "hello", &[]).got(2, "welcome", &[]);
    film.at(1_400).sent(90, "ask", &[]).got(90, "yes", &[]);
    film.witness(WitnessState::Served { rtt: 300_000_000, late: 0 });
    if others {
        film.at(3_000).sent(2, "hello", &[]).at(3_001).got(2, "welcome", &[]);
    }
    let waited = (until - 2_000) * 1_000_000;
    film.at(until).witness(WitnessState::Missed { waited, late: 0 });
    if served_again {
        film.at(until + 10).served();
    }
    film.judge(&no_hang::ORACLE)
}

#[test]
fn a_question_that_was_lost_on_a_road_that_loses_is_no_hang() {
    assert_says(&lossy(true, 7_000, true), Verdict::Inconclusive, "datagrams are lost on the road");
}

#[test]
fn whoever_serves_nobody_or_never_again_or_for_too_long_hangs_on_a_lossy_road_too() {
    for (others, until, again) in [(false, 7_000, true), (true, 7_000, false), (true, 12_100, true)] {
        assert_says(&lossy(others, until, again), Verdict::Fail, "no answer to the witness");
    }
}

#[test]
fn where_the_road_has_lost_nothing_else_a_silence_is_no_loss() {
    let mut film = begun("");
    film.at(3_000).sent(2, "hello", &[]).at(3_001).got(2, "welcome", &[]);
    film.at(7_000).witness(WitnessState::Missed { waited: 5_000_000_000, late: 0 }).at(7_010).served();
    assert_says(&film.judge(&no_hang::ORACLE), Verdict::Fail, "5000 ms");
}
