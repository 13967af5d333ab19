//! What an attack leaves behind: counters that rose too often, answers that changed.
use super::*;
use crate::oracle::{counter_rises, state_kept};
use crate::value::Value;

const COUNTED: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", expect = { type = "welcome" }, bind = { count = "was" }, part = "control" },
  { do = "say", packet_id = 7, expect = { type = "said" }, part = "stimulus" },
  { do = "hello", expect = { type = "welcome" }, bind = { count = "is" }, part = "control" },
]
[[expect]]
oracle = "counter-rises"
of = "foe"
before = "foe.was"
after = "foe.is"
"#;

fn counted(answered: StepState, was: impl Into<Value>, is: impl Into<Value>) -> Judgement {
    let mut film = Film::new(plan(COUNTED));
    film.at(0).open("foe", 0, 1).met("foe", 0, 0, 1).bound("foe", 0, "foe.was", was);
    film.at(10).step("foe", 0, 1, Some(1), StepState::Started).step("foe", 0, 1, Some(1), answered);
    film.at(20).met("foe", 0, 2, 1).bound("foe", 0, "foe.is", is);
    film.judge(&counter_rises::ORACLE)
}

#[test]
fn an_effect_that_happened_once_passes_and_one_that_happened_twice_fails() {
    assert_says(&counted(StepState::Met, "3", " 4\n"), Verdict::Pass, "exactly 1");
    let twice = counted(StepState::Met, Value::Int(3), Value::Int(5));
    assert_says(&twice, Verdict::Fail, "stands at 5: the effect happened 2 times");
    assert_eq!(twice.violations[0].place, "effect/repeated");
}

#[test]
fn an_effect_that_is_missing_fails_only_where_the_target_reacted_to_its_request() {
    assert_says(&counted(StepState::Met, "3", "3"), Verdict::Fail, "0 times");
    assert_says(&counted(StepState::Unmet, "3", "3"), Verdict::Inconclusive, "reacted to no request");
}

#[test]
fn an_answer_to_something_else_is_a_reaction_too() {
    let mut film = Film::new(plan(COUNTED));
    film.at(0).open("foe", 0, 1).met("foe", 0, 0, 1).bound("foe", 0, "foe.was", "3");
    film.at(10).step("foe", 0, 1, Some(1), StepState::Started).sent(1, "say", &[]);
    film.at(11).got(1, "said", &[]).at(15).step("foe", 0, 1, Some(1), StepState::Unmet);
    film.at(20).met("foe", 0, 2, 1).bound("foe", 0, "foe.is", "3");
    assert_says(&film.judge(&counter_rises::ORACLE), Verdict::Fail, "0 times");
}

#[test]
fn what_is_no_number_and_what_was_not_read_decide_nothing() {
    assert_says(&counted(StepState::Met, "three", "4"), Verdict::Inconclusive, "not both are numbers");
    let mut film = Film::new(plan(COUNTED));
    film.at(0).open("foe", 0, 1).bound("foe", 0, "foe.was", "3");
    assert_says(&film.judge(&counter_rises::ORACLE), Verdict::Inconclusive, "not both read");
}

const SAME: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", expect = { type = "welcome" }, part = "control", mark = "first" },
  { do = "send", hex = "00", part = "stimulus" },
  { do = "hello", expect = { type = "welcome" }, part = "control", mark = "third" },
]
[[expect]]
oracle = "state-kept"
of = "foe"
before = "foe.first"
after = "foe.third"
"#;

/// The third answer; the first one is `welcome id=1 text=hi`. Both repeat the id of their request.
fn same(more: &str, third: &[(&str, Value)]) -> Judgement {
    let mut film = Film::new(plan(&format!("{SAME}{more}")));
    let id = |n: i64| ("id", Value::Int(n));
    film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started).sent(1, "hello", &[id(1)]);
    film.at(5).got(1, "welcome", &[id(1), ("text", "hi".into())]).step("foe", 0, 0, Some(1), StepState::Met);
    film.at(10).met("foe", 0, 1, 1);
    film.at(20).step("foe", 0, 2, Some(1), StepState::Started).sent(1, "hello", &[id(3)]);
    let mut fields = alloc::vec![id(3)];
    fields.extend_from_slice(third);
    film.at(25).got(1, "welcome", &fields).step("foe", 0, 2, Some(1), StepState::Met);
    film.judge(&state_kept::ORACLE)
}

#[test]
fn the_same_answer_but_for_the_identifiers_of_its_request_passes_and_any_other_fails() {
    assert_says(&same("", &[("text", "hi".into())]), Verdict::Pass, "as before");
    let other = same("", &[("text", "ho".into())]);
    assert_says(&other, Verdict::Fail, "text = ho");
    assert_eq!(other.violations[0].place, "welcome/text");
    assert_says(&same("", &[]), Verdict::Fail, "text = nothing");
    assert_says(&same("", &[("text", "hi".into()), ("more", "x".into())]), Verdict::Fail, "more = x");
}

#[test]
fn a_scenario_says_which_fields_count() {
    assert_says(&same("except = [\"text\"]\n", &[("text", "ho".into())]), Verdict::Pass, "as before");
    let more: &[(&str, Value)] = &[("text", "hi".into()), ("more", "x".into())];
    assert_says(&same("fields = \"text\"\n", more), Verdict::Pass, "as before");
    assert_says(&same("fields = [\"more\"]\n", more), Verdict::Fail, "more = x");
}

#[test]
fn whoever_is_turned_away_for_want_of_time_shows_nothing_of_what_the_attack_left() {
    let answered = |first: &str, kind: &str| {
        let mut film = Film::new(plan(SAME));
        film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started).sent(1, "hello", &[]);
        film.at(5).got(1, first, &[]).step("foe", 0, 0, Some(1), StepState::Met).at(10).met("foe", 0, 1, 1);
        film.at(20).step("foe", 0, 2, Some(1), StepState::Started).sent(1, "hello", &[]);
        film.at(25).got(1, kind, &[("code", Value::Int(9))]).step("foe", 0, 2, Some(1), StepState::Met);
        film.judge(&state_kept::ORACLE)
    };
    assert_says(&answered("welcome", "busy"), Verdict::Inconclusive, "put off");
    assert_says(&answered("busy", "welcome"), Verdict::Inconclusive, "put off");
    assert_says(&answered("welcome", "refused"), Verdict::Fail, "code = 9");
}

#[test]
fn an_answer_that_never_came_decides_nothing() {
    let mut film = Film::new(plan(SAME));
    film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started).sent(1, "hello", &[]);
    assert_says(&film.judge(&state_kept::ORACLE), Verdict::Inconclusive, "not both answered");
}
