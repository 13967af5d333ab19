//! Which observations go on.
use super::*;

const WATCHED: &str = r#"
[fleet.watcher]
behaviour = "script"
step = [
  { do = "get", path = "/time", observe = 0, expect = { code = "2.05", observe = true }, mark = "watching", part = "control" },
]
[fleet.foe]
behaviour = "script"
step = [ { after = "watcher.watching", do = "rst", mid = 1, part = "stimulus" } ]
[[expect]]
oracle = "observe-continues"
of = "watcher"
within = "5s"
"#;

/// An observation from 0 s, notified with number 1 at once and 2 at 500 ms, attacked at 1 s.
fn watched() -> Film {
    let mut film = Film::new(plan(WATCHED));
    let mut register = request("get", "/time", 1, "aa").to_vec();
    register.push(("observe", Value::Int(0)));
    film.at(0).open("watcher", 0, 1).met("watcher", 0, 0, 1).sent(1, "request", &register);
    film.got(1, "response", &notified(1)).at(500).got(1, "response", &notified(2));
    film.at(1_000).open("foe", 0, 2).met("foe", 0, 0, 2).sent(2, "rst", &[("mid", Value::Int(1))]);
    film
}

fn notified(number: i64) -> alloc::vec::Vec<(&'static str, Value)> {
    response("2.05", "aa", &[("observe", Value::Int(number)), ("mid", Value::Int(100 + number))])
}

fn judged(film: &mut Film, end: u64) -> Judgement {
    film.at(end).served();
    film.judge(&observe_continues::ORACLE)
}

#[test]
fn one_more_notification_in_time_passes_and_one_that_is_later_than_the_tolerance_fails() {
    let next = |at| judged(watched().at(at).got(1, "response", &notified(3)), 9_000);
    assert_says(&next(6_100), Verdict::Pass, "notified again");
    assert_says(&next(6_101), Verdict::Fail, "came later");
}

#[test]
fn an_observation_that_ends_after_one_more_notification_was_ended() {
    let thrice = WATCHED.replace("within = \"5s\"", "within = \"5s\"\ntimes = 3");
    let told = |moments: &[u64], end| {
        let mut film = Film::new(plan(&thrice));
        let mut register = request("get", "/time", 1, "aa").to_vec();
        register.push(("observe", Value::Int(0)));
        film.at(0).open("watcher", 0, 1).met("watcher", 0, 0, 1).sent(1, "request", &register);
        film.got(1, "response", &notified(1));
        film.at(1_000).open("foe", 0, 2).met("foe", 0, 0, 2).sent(2, "rst", &[("mid", Value::Int(1))]);
        for (nth, at) in moments.iter().enumerate() {
            film.at(*at).got(1, "response", &notified(2 + nth as i64));
        }
        judged(&mut film, end)
    };
    assert_says(&told(&[2_000, 3_000, 8_100], 9_000), Verdict::Pass, "notified again");
    assert_says(&told(&[2_000, 3_000, 8_101], 9_000), Verdict::Fail, "came later");
    assert_says(&told(&[2_000, 7_101, 8_000], 9_000), Verdict::Fail, "came later");
    assert_says(&told(&[2_000, 3_000], 8_000), Verdict::Fail, "no notification came any more");
    assert_says(&told(&[2_000, 3_000], 7_999), Verdict::Inconclusive, "the record ended");
    assert_says(&told(&[], 6_000), Verdict::Fail, "no notification came any more");
}

#[test]
fn an_observer_who_is_told_nothing_more_was_lost() {
    let silent = judged(&mut watched(), 6_000);
    assert_says(&silent, Verdict::Fail, "no notification came any more");
    assert_eq!(silent.violations[0].place, "observe/silent");
    assert_says(&judged(&mut watched(), 5_999), Verdict::Inconclusive, "the record ended");
}

#[test]
fn a_notification_that_is_not_fresh_is_none() {
    let next = |number| judged(watched().at(2_000).got(1, "response", &notified(number)), 9_000).verdict;
    assert_eq!([next(2), next(1), next(3)], [Verdict::Fail, Verdict::Fail, Verdict::Pass]);
    // On a circle of 2^24 half of it is ahead.
    assert_eq!([next(2 + (1 << 23) - 1), next(2 + (1 << 23))], [Verdict::Pass, Verdict::Fail]);
}

#[test]
fn an_answer_without_observe_ends_the_observation() {
    let mut film = watched();
    film.at(1_100).got(1, "response", &notified(3)).at(1_200).got(1, "response", &response("4.04", "aa", &[]));
    let ended = judged(&mut film, 9_000);
    assert_says(&ended, Verdict::Fail, "a 4.04 without Observe");
    assert_eq!(ended.violations[0].place, "observe/ended");
}

#[test]
fn a_registration_that_is_renewed_goes_on_as_the_later_one() {
    let register = |mid| {
        let mut register = request("get", "/time", mid, "aa").to_vec();
        register.push(("observe", Value::Int(0)));
        register
    };
    let mut before = Film::new(plan(WATCHED));
    before.at(0).open("watcher", 0, 1).met("watcher", 0, 0, 1).sent(1, "request", &register(1));
    before.got(1, "response", &notified(1)).at(500).sent(1, "request", &register(2)).got(1, "response", &notified(2));
    before.at(1_000).open("foe", 0, 2).met("foe", 0, 0, 2).sent(2, "rst", &[("mid", Value::Int(1))]);
    before.at(2_000).got(1, "response", &notified(3));
    assert_says(&judged(&mut before, 9_000), Verdict::Pass, "notified again");
    let mut after = watched();
    after.at(1_500).sent(1, "request", &register(2)).got(1, "response", &notified(3));
    assert_says(&judged(&mut after, 9_000), Verdict::Inconclusive, "nobody was observing");
}

#[test]
fn an_observer_who_left_by_itself_was_not_thrown_out() {
    let mut deregisters = watched();
    let mut again = request("get", "/time", 2, "aa").to_vec();
    again.push(("observe", Value::Int(1)));
    deregisters.at(1_500).sent(1, "request", &again);
    assert_says(&judged(&mut deregisters, 9_000), Verdict::Inconclusive, "had left");
    let mut rejects = watched();
    rejects.at(1_500).sent(1, "rst", &[("mid", Value::Int(102))]);
    assert_says(&judged(&mut rejects, 9_000), Verdict::Inconclusive, "had left");
    assert_says(&judged(watched().at(1_500).close(1, By::Us), 9_000), Verdict::Inconclusive, "had left");
}

#[test]
fn who_was_no_observer_before_the_attack_decides_nothing() {
    let mut film = Film::new(plan(WATCHED));
    film.at(1_000).open("foe", 0, 2).met("foe", 0, 0, 2);
    assert_says(&judged(&mut film, 9_000), Verdict::Inconclusive, "nobody was observing");
    assert_says(&Film::new(plan(WATCHED)).judge(&observe_continues::ORACLE), Verdict::Inconclusive, "no attack");
}
