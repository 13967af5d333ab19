//! What a connection shows of a target that goes on as before, and of one that does not.
use super::*;
use crate::oracle::{closes_in_time, fleet_undisturbed};

#[test]
fn a_connection_that_is_gone_and_the_step_on_it_are_one_disturbance() {
    let two_steps = TWO.replace("part = \"control\" }", "part = \"control\" }, { do = \"hello\" }");
    let ended = |by: By| {
        let rules = "[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n";
        let mut film = Film::new(plan(&format!("{two_steps}{rules}")));
        film.at(0).open("honest", 0, 1).got(1, "welcome", &[]).met("honest", 0, 0, 1);
        film.at(900).close(1, by).at(950).step("honest", 0, 1, Some(1), StepState::Started);
        film.at(960).step("honest", 0, 1, Some(1), StepState::Unmet);
        film.judge(&fleet_undisturbed::ORACLE)
    };
    let places = |judgement: Judgement| judgement.violations.into_iter().map(|one| one.place).collect::<Vec<_>>();
    assert_eq!(places(ended(By::Peer)), ["thrown-out"]);
    assert_eq!(places(ended(By::Us)), ["hello/unanswered"], "nobody else tells of it");
}

#[test]
fn a_target_that_ends_idle_clients_before_the_attack_as_well_shows_nothing_by_it() {
    let ended = |at: u64| {
        let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n")));
        film.at(0).open("honest", 0, 1).got(1, "welcome", &[]).met("honest", 0, 0, 1);
        film.at(100).open("foe", 0, 2);
        if at < 1_000 {
            film.at(at).close(1, By::Peer);
        }
        film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
        film.step("foe", 0, 1, Some(2), StepState::Met);
        if at > 1_000 {
            film.at(at).close(1, By::Peer);
        }
        film.judge(&fleet_undisturbed::ORACLE)
    };
    assert_says(&ended(999), Verdict::Inconclusive, "before the attack as well");
    assert_says(&ended(1_001), Verdict::Fail, "ended it");
}

#[test]
fn who_acknowledges_what_is_malformed_has_taken_it_however_short_the_record_is() {
    let rules = "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\nwithin = \"5s\"\n";
    let acknowledged = |times: usize| {
        let mut film = begun(rules);
        for _ in 0..times {
            film.at(1_002).got(2, "welcome", &[]);
        }
        film.at(1_100).served();
        film.judge(&closes_in_time::ORACLE)
    };
    assert_says(&acknowledged(0), Verdict::Inconclusive, "over before");
    assert_says(&acknowledged(1), Verdict::Fail, "acknowledged say (welcome)");
}
