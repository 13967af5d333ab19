//! A target that ends every connection at an age, or after a silence, shows nothing of an attack by that; one that ends some does.
use super::*;
use crate::oracle::{answer_in_set, fleet_undisturbed, no_hang};

/// What happens on a connection at a time.
type Act = (u64, u32, fn(&mut Film, u32));

const SPEAKS: fn(&mut Film, u32) = |film, conn| _ = film.sent(conn, "hello", &[]);
const IS_ENDED: fn(&mut Film, u32) = |film, conn| _ = film.close(conn, By::Peer);
const IS_LOST: fn(&mut Film, u32) = |film, conn| _ = film.close(conn, By::Peer).witness(WitnessState::Lost);
const LEAVES: fn(&mut Film, u32) = |film, conn| _ = film.close(conn, By::Us);

/// The witness is 90, from 0 on; 1 is an honest client from 0 on, 3 one from 600 ms on. The attack, on 2, is said from 1 s to `attacked`.
fn film(attacked: u64, acts: &[Act]) -> Film {
    let rules = "[[expect]]\noracle = \"fleet-undisturbed\"\nof = \"honest\"\n";
    let mut film = Film::new(plan(&format!("{TWO}{rules}")));
    film.at(0)
        .open("witness", 0, 90)
        .got(90, "welcome", &[])
        .open("honest", 0, 1)
        .got(1, "welcome", &[])
        .met("honest", 0, 0, 1);
    film.at(100).open("foe", 0, 2).sent(2, "hello", &[]).at(500).served();
    film.at(600).open("honest", 0, 3).sent(3, "hello", &[]).got(3, "welcome", &[]);
    let attack: fn(&mut Film, u32) =
        |film, _| _ = film.step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    let over: fn(&mut Film, u32) = |film, _| _ = film.step("foe", 0, 1, Some(2), StepState::Met);
    let served: fn(&mut Film, u32) = |film, _| _ = film.served();
    let mut acts =
        [acts, &[(1_000, 2, attack), (attacked, 2, over), (2_400, 90, served), (5_100, 90, served)]].concat();
    acts.sort_by_key(|(at, ..)| *at);
    for (at, conn, act) in acts {
        act(film.at(at), conn);
    }
    film
}

#[test]
fn a_witness_that_is_ended_at_the_age_of_others_was_not_thrown_out_by_the_attack() {
    let ended = |attacked: u64, honest: u64, spoke: u64| {
        let acts =
            [(1_050, 1, LEAVES), (1_050, 2, LEAVES), (spoke, 3, SPEAKS), (4_000, 90, IS_LOST), (honest, 3, IS_ENDED)];
        film(attacked, &acts).judge(&no_hang::ORACLE)
    };
    assert_says(&ended(1_001, 4_600, 3_000), Verdict::Inconclusive, "every connection at about this age (4000 ms)");
    // All at one time, whatever their age: the target fell.
    assert_says(&ended(1_001, 4_010, 3_000), Verdict::Fail, "threw out");
    // At different ages.
    assert_says(&ended(1_001, 5_000, 3_000), Verdict::Fail, "threw out");
    // While the attack goes on, an end right after something was said may be the answer to that.
    assert_says(&ended(5_000, 4_600, 3_000), Verdict::Inconclusive, "every connection at about this age");
    assert_says(&ended(5_000, 4_600, 4_400), Verdict::Fail, "threw out");
}

#[test]
fn an_age_that_another_connection_outlived_is_no_habit() {
    // 1 was welcomed; 2, which the target has never answered, stands to the end.
    for (leaves, verdict) in [(4_150, Verdict::Inconclusive), (4_250, Verdict::Fail)] {
        let acts = [(4_000, 90, IS_LOST), (leaves, 1, LEAVES), (4_600, 3, IS_ENDED)];
        assert_says(&film(1_001, &acts).judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn clients_that_are_ended_after_the_same_silence_were_idle_and_after_different_ones_disturbed() {
    for (second, verdict, word) in
        [(3_000, Verdict::Inconclusive, "this silence (1000 ms)"), (2_510, Verdict::Fail, "")]
    {
        let acts = [
            (700, 1, SPEAKS),
            (1_300, 3, SPEAKS),
            (1_500, 1, SPEAKS),
            (1_500, 2, LEAVES),
            (2_000, 3, SPEAKS),
            (2_500, 1, IS_ENDED),
            (second, 3, IS_ENDED),
        ];
        assert_says(&film(1_001, &acts).judge(&fleet_undisturbed::ORACLE), verdict, word);
    }
}

#[test]
fn a_silence_that_the_target_bore_before_is_no_habit() {
    for (spoke, verdict) in [(1_650, Verdict::Inconclusive), (1_750, Verdict::Fail)] {
        let acts = [
            (spoke, 3, SPEAKS),
            (1_000, 1, SPEAKS),
            (2_000, 1, SPEAKS),
            (1_500, 2, LEAVES),
            (2_500, 3, SPEAKS),
            (3_000, 1, IS_ENDED),
            (3_500, 3, IS_ENDED),
        ];
        assert_says(&film(1_001, &acts).judge(&fleet_undisturbed::ORACLE), verdict, "");
    }
}

#[test]
fn a_witness_that_is_ended_three_times_at_one_age_was_not_thrown_out_however_long_the_attack() {
    let comes: fn(&mut Film, u32) = |film, conn| _ = film.open("witness", 0, conn).got(conn, "welcome", &[]).served();
    for (third, verdict) in [(6_210, Verdict::Inconclusive), (6_250, Verdict::Fail)] {
        let acts = [
            (1_400, 1, LEAVES),
            (1_400, 3, LEAVES),
            (2_000, 90, IS_LOST),
            (2_100, 91, comes),
            (4_100, 91, IS_LOST),
            (4_200, 92, comes),
            (third, 92, IS_LOST),
        ];
        let mut film = film(6_200, &acts);
        film.at(6_500).served();
        assert_says(&film.judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn clients_that_came_together_and_are_ended_together_at_one_age_long_after_the_attack_were_not_thrown_out_by_it() {
    // 1 came with the witness, and 3 when it was 600 ms old.
    for (conn, ended, honest, verdict) in [
        (1, 4_000, 4_010, Verdict::Inconclusive),
        (1, 4_000, 4_030, Verdict::Fail),
        (1, 1_900, 1_905, Verdict::Fail), // within a second of the attack
        (3, 4_000, 4_010, Verdict::Fail), // at different ages: the target fell
    ] {
        let other = if conn == 1 { 3 } else { 1 };
        let acts = [(1_050, other, LEAVES), (1_050, 2, LEAVES), (ended, 90, IS_LOST), (honest, conn, IS_ENDED)];
        assert_says(&film(1_001, &acts).judge(&no_hang::ORACLE), verdict, "");
    }
}

#[test]
fn an_end_instead_of_an_answer_is_none_where_every_connection_ends_at_that_age() {
    let judged = |third: u64| {
        let mut film = begun("");
        film.at(2_100)
            .open("honest", 0, 4)
            .got(4, "welcome", &[])
            .at(3_000)
            .sent(4, "hello", &[])
            .at(4_100)
            .close(2, By::Peer);
        film.step("foe", 0, 2, Some(2), StepState::Unmet).at(third).close(4, By::Peer);
        film.at(9_000).served().close(90, By::Us).judge(&answer_in_set::ORACLE)
    };
    assert_says(&judged(6_100), Verdict::Inconclusive, "every connection at about this age");
    assert_says(&judged(7_000), Verdict::Fail, "");
}
