//! Answers, disturbance, canaries, pace and memory: one rule at a time.
use super::*;
use crate::oracle::{answer_in_set, fleet_undisturbed, memory_bounded, never_at, no_slowdown};

const SILENCE: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", expect = { type = "welcome" }, part = "control" },
  { do = "send", hex = "00", part = "stimulus" },
  { do = "expect", any = [{ type = "refused" }, { silence = "1s" }], within = "2s" },
  { do = "hello", expect = { type = "welcome" }, part = "control" },
]
[[expect]]
oracle = "answer-in-set"
of = "foe"
"#;

#[test]
fn silence_is_an_answer_only_where_we_listened_longer_than_a_control_took() {
    let judged = |control: u64, silent: u64, behind: Option<u64>| {
        let mut film = Film::new(plan(SILENCE));
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
fn silence_is_no_answer_where_a_question_of_the_witness_was_lost() {
    let judged = |lost: bool| {
        let mut film = Film::new(plan(SILENCE));
        film.at(0).open("witness", 0, 90).served();
        film.open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
        film.at(100).sent(90, "ask", &[]).at(200).sent(1, "hello", &[]).got(1, "welcome", &[]);
        if lost {
            film.at(300).sent(90, "ask", &[]);
        }
        film.at(301).got(90, "yes", &[]).witness(WitnessState::Served { rtt: 201_000_000, late: 0 });
        film.step("foe", 0, 0, Some(1), StepState::Met).met("foe", 0, 1, 1);
        film.step("foe", 0, 2, Some(1), StepState::Started).at(2_301).step("foe", 0, 2, Some(1), StepState::Met);
        film.judge(&answer_in_set::ORACLE)
    };
    assert_says(&judged(true), Verdict::Inconclusive, "lost on the road");
    assert_eq!(judged(false).verdict, Verdict::Pass);
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
