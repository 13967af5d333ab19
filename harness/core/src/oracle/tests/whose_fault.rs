//! Whose doing it was that something is missing: ours, the target's, or nobody's.
use super::*;
use crate::judge::preconditions;
use crate::oracle::record::Record;
use crate::oracle::{answer_in_set, closes_in_time, fleet_undisturbed};
use crate::recorder::RECORD_LIMIT;
use crate::time::Duration;

const SET: &str = "[[expect]]\noracle = \"answer-in-set\"\nof = [\"victim\", \"foe\"]\n";
const FLEET: &str = "[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"victim\"\n";
/// A legal client with a question of its own, and a foe.
const THREE: &str = r#"
[fleet.honest]
behaviour = "script"
step = [ { do = "hello", expect = { type = "welcome" }, part = "control" } ]
[fleet.victim]
behaviour = "script"
step = [ { do = "hello" }, { do = "hello", expect = { type = "welcome" } } ]
[fleet.foe]
behaviour = "script"
step = [ { do = "open" }, { do = "send", hex = "00", part = "stimulus" } ]
"#;

/// The control is met, the victim is there, and the foe has a connection.
fn begun_three(rules: &str) -> Film {
    let mut film = Film::new(plan(&format!("{THREE}{rules}")));
    film.at(0).open("witness", 0, 90).served().open("honest", 0, 1).met("honest", 0, 0, 1);
    film.at(100).open("victim", 0, 2).sent(2, "hello", &[]).met("victim", 0, 0, 2);
    film.at(200).open("foe", 0, 3).met("foe", 0, 0, 3);
    film
}

fn attacked(film: &mut Film) -> &mut Film {
    film.at(1_000).step("foe", 0, 1, Some(3), StepState::Started).sent(3, "say", &[]);
    film.step("foe", 0, 1, Some(3), StepState::Met)
}

fn all(film: &Film) -> Vec<Judgement> {
    judge_all(&film.plan, &film.transcript(), None, &stub_registry())
}

fn of<'a>(judgements: &'a [Judgement], oracle: &str) -> &'a Judgement {
    judgements.iter().find(|judgement| judgement.oracle == oracle).unwrap_or_else(|| panic!("nobody judged {oracle}"))
}

#[test]
fn a_legal_client_that_the_target_throws_out_is_a_failure_of_the_rule_that_protects_it() {
    for (by, verdict) in
        [(By::Peer, Verdict::Fail), (By::Us, Verdict::Inconclusive), (By::Limit, Verdict::Inconclusive)]
    {
        let mut film = begun_three(SET);
        attacked(&mut film).at(2_000).close(2, by).step("victim", 0, 1, Some(2), StepState::Barred).served();
        assert_eq!(film.judge(&answer_in_set::ORACLE).verdict, verdict, "ended by {by:?}");
        let mut film = begun_three(&format!("{SET}{FLEET}"));
        attacked(&mut film).at(2_000).close(2, by).step("victim", 0, 1, Some(2), StepState::Barred).served();
        assert_eq!(film.judge(&fleet_undisturbed::ORACLE).verdict, verdict, "ended by {by:?}");
    }
    let mut refused = begun_three(SET);
    attacked(&mut refused).at(2_000).refuse("victim", 0, 5).step("victim", 0, 1, Some(5), StepState::Barred).served();
    assert_eq!(refused.judge(&answer_in_set::ORACLE).verdict, Verdict::Fail);
}

#[test]
fn whoever_is_turned_away_by_a_target_without_time_shows_no_wrong_answer() {
    let answered = |kind: &str, state: StepState| {
        let mut film = begun_three(SET);
        attacked(&mut film).at(2_000);
        if state != StepState::Barred {
            film.step("victim", 0, 1, Some(2), StepState::Started).sent(2, "hello", &[]);
        }
        film.at(2_001).got(2, kind, &[]).close(2, By::Peer).step("victim", 0, 1, Some(2), state).served();
        film.judge(&answer_in_set::ORACLE)
    };
    for state in [StepState::Unmet, StepState::Barred] {
        assert_says(&answered("busy", state), Verdict::Inconclusive, "put off");
        assert_eq!(answered("refused", state).verdict, Verdict::Fail);
    }
    // It had no time long ago, and has answered since.
    let mut film = begun_three(SET);
    film.at(300).got(2, "busy", &[]).at(400).got(2, "welcome", &[]);
    attacked(&mut film).at(2_000).close(2, By::Peer).step("victim", 0, 1, Some(2), StepState::Barred).served();
    assert_eq!(film.judge(&answer_in_set::ORACLE).verdict, Verdict::Fail);
}

#[test]
fn a_control_that_waits_for_silence_measures_no_response_time() {
    let text = THREE.replace(
        "part = \"control\" } ]",
        "part = \"control\" }, { do = \"hello\", expect = { silence = \"4s\" }, part = \"control\" } ]",
    );
    let mut film = Film::new(plan(&format!("{text}{SET}")));
    film.at(0).open("honest", 0, 1).step("honest", 0, 0, Some(1), StepState::Started);
    film.at(7).step("honest", 0, 0, Some(1), StepState::Met).step("honest", 0, 1, Some(1), StepState::Started);
    film.at(4_007).step("honest", 0, 1, Some(1), StepState::Met);
    let transcript = film.transcript();
    let slowest = Record::new(&film.plan, &transcript).slowest_control();
    assert_eq!(slowest, Some(Duration::from_millis(7)));
}

#[test]
fn whoever_attacked_on_a_connection_may_be_thrown_out() {
    let text = THREE.replace("{ do = \"hello\" }, {", "{ do = \"hello\", part = \"stimulus\" }, {");
    let mut film = Film::new(plan(&format!("{text}{SET}")));
    film.at(0).open("victim", 0, 2).sent(2, "hello", &[]).met("victim", 0, 0, 2);
    film.at(100).close(2, By::Peer).step("victim", 0, 1, Some(2), StepState::Barred);
    assert_says(&film.judge(&answer_in_set::ORACLE), Verdict::Inconclusive, "was never evaluated");
}

#[test]
fn what_we_cut_short_ourselves_fails_nothing() {
    for state in [StepState::Cut, StepState::Unsaid] {
        let mut film = begun_three(&format!("{SET}{FLEET}"));
        attacked(&mut film).at(2_000).step("victim", 0, 1, Some(2), state).served();
        assert_says(&film.judge(&answer_in_set::ORACLE), Verdict::Inconclusive, "was never evaluated");
        assert_says(&film.judge(&fleet_undisturbed::ORACLE), Verdict::Inconclusive, "was not evaluated");
    }
}

#[test]
fn an_attack_that_the_target_stopped_by_its_limit_has_arrived_where_it_listens() {
    let gap = |film: &Film| preconditions::check(&film.plan, &film.transcript(), None, &stub_registry()).judgement();
    let mut film = begun_three(SET);
    film.at(1_000).refuse("foe", 0, 4).step("foe", 0, 1, Some(4), StepState::Barred);
    film.at(2_000).served();
    assert_says(&gap(&film), Verdict::Pass, "");
    let mut ours = begun_three(SET);
    ours.at(1_000).step("foe", 0, 1, Some(4), StepState::Unsaid).at(2_000).served();
    assert_says(&gap(&ours), Verdict::Inconclusive, "stimulus foe step 1 (send) could not be said");
    let mut nobody = Film::new(plan(&format!("{THREE}{SET}")));
    nobody.at(1_000).refuse("foe", 0, 4).step("foe", 0, 1, Some(4), StepState::Barred);
    let missing = gap(&nobody);
    assert_eq!(missing.verdict, Verdict::Inconclusive);
}

#[test]
fn a_stimulus_that_was_never_over_says_how_much_of_it_was_written() {
    let mut film = begun_three(SET);
    film.at(1_000).step("foe", 0, 1, Some(3), StepState::Started).sent(3, "say", &[]).at(2_000).served();
    let gap = preconditions::check(&film.plan, &film.transcript(), None, &stub_registry()).judgement();
    assert_says(&gap, Verdict::Inconclusive, "was not over: 1 bytes of it were written");
}

#[test]
fn nothing_fails_about_an_attack_that_was_not_sent_but_a_crash_and_a_hang() {
    let panic = Life::Panic { line: "panicked at x".into() };
    let mut unsent = begun_three(SET);
    unsent.at(1_000).step("foe", 0, 1, Some(3), StepState::Unsaid).at(1_500).life(panic).at(2_000).served();
    assert!(all(&unsent).iter().all(|judgement| judgement.verdict != Verdict::Fail), "{:?}", all(&unsent));
    unsent.at(3_000).life(Life::Exited { code: 1 });
    assert_says(of(&all(&unsent), "no-crash"), Verdict::Fail, "");
    let mut wrong = begun_three(SET);
    wrong.at(1_000).step("foe", 0, 1, Some(3), StepState::Unsaid);
    wrong.at(2_000).step("victim", 0, 1, Some(2), StepState::Unmet).served();
    assert_says(of(&all(&wrong), "answer-in-set"), Verdict::Inconclusive, "nothing of the attack was sent");
}

#[test]
fn nothing_fails_for_what_the_record_had_no_room_for() {
    let unmet = |full: bool| {
        let mut film = begun_three(SET);
        attacked(&mut film).at(2_000).step("victim", 0, 1, Some(2), StepState::Unmet).served();
        if full {
            film.entry(Who::Harness, Event::Calibration { name: RECORD_LIMIT.into(), value: 1 });
        }
        of(&all(&film), "answer-in-set").clone()
    };
    assert_says(&unmet(false), Verdict::Fail, "");
    assert_says(&unmet(true), Verdict::Inconclusive, "the record was full");
}

/// The control and the witness are answered after `usual` ms, the attack is said at 10 s, and its answer ends so after `ended` ms.
fn asked_of_one_who_takes(usual: u64, ended: u64) -> Film {
    let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n")));
    film.at(0).open("honest", 0, 1).step("honest", 0, 0, Some(1), StepState::Started);
    film.at(usual).step("honest", 0, 0, Some(1), StepState::Met);
    film.at(9_000).witness(WitnessState::Served { rtt: usual * 1_000_000, late: 0 });
    film.at(10_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    film.step("foe", 0, 1, Some(2), StepState::Met).step("foe", 0, 2, Some(2), StepState::Started);
    film.at(10_000 + ended).step("foe", 0, 2, Some(2), StepState::Unmet);
    film
}

#[test]
fn a_time_of_ours_convicts_nobody_who_was_as_slow_with_legal_clients_before_the_attack() {
    let judged = |usual, ended| asked_of_one_who_takes(usual, ended).judge(&answer_in_set::ORACLE);
    assert_says(&judged(2_001, 6_000), Verdict::Inconclusive, "waited 2001 ms for an answer even before the attack");
    assert_says(&judged(2_000, 6_000), Verdict::Fail, "");
    // A wrong answer needs no time to be wrong.
    assert_says(&judged(2_001, 3_000), Verdict::Fail, "");
}

/// Before the attack the witness was answered when it asked again, and meanwhile others were served, or nobody was.
fn asked_on_a_road(loses: bool, ended: u64) -> Judgement {
    let mut film = asked_of_one_who_takes(10, ended);
    film.at(8_000).open("witness", 0, 90).sent(90, "ask", &[]);
    if loses {
        film.at(8_500).sent(1, "hello", &[]).at(8_501).got(1, "welcome", &[]);
    }
    film.at(8_900).sent(90, "ask", &[]).got(90, "yes", &[]);
    film.witness(WitnessState::Served { rtt: 900_000_000, late: 0 });
    film.judge(&answer_in_set::ORACLE)
}

#[test]
fn on_a_road_that_loses_a_step_without_an_answer_convicts_nobody() {
    assert_says(&asked_on_a_road(true, 6_000), Verdict::Inconclusive, "lost on the road");
    assert_says(&asked_on_a_road(false, 6_000), Verdict::Fail, "");
    // A wrong answer was not lost.
    assert_says(&asked_on_a_road(true, 100), Verdict::Fail, "");
}

#[test]
fn slowness_that_came_with_the_attack_excuses_nothing() {
    let mut film = asked_of_one_who_takes(10, 6_000);
    film.at(16_100).witness(WitnessState::Served { rtt: 4_000_000_000, late: 0 });
    assert_says(&film.judge(&answer_in_set::ORACLE), Verdict::Fail, "");
}

#[test]
fn the_usual_pace_excuses_a_late_close_too() {
    let judged = |usual| {
        let mut film =
            Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"5s\"\n")));
        film.at(0).open("honest", 0, 1).step("honest", 0, 0, Some(1), StepState::Started);
        film.at(usual).step("honest", 0, 0, Some(1), StepState::Met);
        film.at(10_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
        film.step("foe", 0, 1, Some(2), StepState::Met);
        film.at(19_000).entry(Who::Harness, Event::Slip { of: Slipped::Fleets, ns: 1 });
        film.judge(&closes_in_time::ORACLE)
    };
    assert_says(&judged(3_000), Verdict::Inconclusive, "slow then");
    assert_says(&judged(30), Verdict::Fail, "still open");
}
