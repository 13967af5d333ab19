//! What comes after a silence that met a step: it was late, unless somebody has done something for it since.
use super::*;
use crate::oracle::answer_in_set;

const QUIET: &str = r#"
[fleet.honest]
behaviour = "script"
step = [ { do = "hello" } ]
[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", part = "control" },
  { do = "send", hex = "00", part = "stimulus" },
  { do = "expect", any = [{ silence = "1s" }] },
  { do = "hello" },
  { do = "expect", any = [{ type = "refused" }] },
]
[[expect]]
oracle = "answer-in-set"
of = "foe"
"#;

type Act = fn(&mut Film);

/// The foe, on 2, is met by silence from 1 s to 2 s; then this happens, 100 ms after each other; its last step ends at `over`.
fn judged(acts: &[Act], over: Option<u64>) -> Judgement {
    let mut film = Film::new(plan(QUIET));
    film.at(0).open("honest", 0, 1).sent(1, "hello", &[]).got(1, "welcome", &[]);
    film.open("foe", 0, 2).sent(2, "hello", &[]).got(2, "welcome", &[]).met("foe", 0, 0, 2);
    film.at(1_000).sent(2, "say", &[]).met("foe", 0, 1, 2).step("foe", 0, 2, Some(2), StepState::Started);
    film.at(2_000).step("foe", 0, 2, Some(2), StepState::Met).met("foe", 0, 3, 2);
    film.step("foe", 0, 4, Some(2), StepState::Started);
    if let Some(over) = over {
        film.at(over).step("foe", 0, 4, Some(2), StepState::Met);
    }
    for (nth, act) in (1_u64..).zip(acts) {
        act(film.at(2_000 + 100 * nth));
    }
    if over.is_none() {
        film.at(9_000).step("foe", 0, 4, Some(2), StepState::Met);
    }
    film.judge(&answer_in_set::ORACLE)
}

const TELLS: Act = |film| _ = film.got(2, "publish", &[("topic", "a".into())]);
const TURNS_AWAY: Act = |film| _ = film.got(2, "away", &[]);

#[test]
fn what_comes_after_a_silence_and_nobody_asked_for_shows_that_it_was_none() {
    for (acts, word) in [
        (&[TELLS][..], "publish came 100 ms after the silence"),
        (&[TURNS_AWAY], "away came 100 ms after"),
        (&[|film| _ = film.close(2, By::Peer)], "the end of the connection came 100 ms after"),
        (&[|film| _ = film.sent(2, "ping", &[]), TELLS], "publish came 200 ms after"),
        (&[|film| _ = film.sent(1, "publish", &[("topic", "b".into())]), TELLS], "publish came"),
        (&[|film| _ = film.sent(1, "hello", &[]), TELLS], "publish came"),
    ] {
        assert_says(&judged(acts, None), Verdict::Inconclusive, word);
    }
}

#[test]
fn what_somebody_has_done_since_may_be_why_it_comes() {
    let explained: [&[Act]; 8] = [
        &[],
        &[|film| _ = film.sent(1, "publish", &[("topic", "a".into())]), TELLS],
        &[|film| _ = film.sent(1, "publish", &[]), TELLS],
        &[|film| _ = film.close(1, By::Us), TELLS],
        &[|film| _ = film.sent(2, "hello", &[]), TELLS],
        &[|film| _ = film.sent(1, "hello", &[]), TURNS_AWAY],
        &[|film| _ = film.got(2, "away", &[("own", true.into())]).close(2, By::Peer)],
        &[|film| _ = film.close(2, By::Us)],
    ];
    for acts in explained {
        assert_says(&judged(acts, None), Verdict::Pass, "2 answers");
    }
}

#[test]
fn what_a_later_step_awaits_breaks_no_silence_and_what_comes_when_it_is_over_does() {
    let refused: Act = |film| _ = film.got(2, "refused", &[]);
    assert_says(&judged(&[refused], None), Verdict::Pass, "");
    assert_says(&judged(&[refused], Some(2_050)), Verdict::Inconclusive, "refused came");
}

#[test]
fn a_control_that_silence_met_is_none_where_the_answer_came_later() {
    let text = QUIET.replace("{ silence = \"1s\" }]", "{ silence = \"1s\" }], part = \"control\"");
    for (late, broken) in [(false, false), (true, true)] {
        let mut film = Film::new(plan(&text));
        film.at(0).open("foe", 0, 2).sent(2, "hello", &[]).met("foe", 0, 0, 2);
        film.at(1_000).step("foe", 0, 2, Some(2), StepState::Started);
        film.at(2_000).step("foe", 0, 2, Some(2), StepState::Met);
        if late {
            film.at(2_500).got(2, "publish", &[]);
        }
        let found = preconditions::check(&film.plan, &film.transcript(), None, &stub_registry());
        assert_eq!(found.broken_control().is_some_and(|why| why.contains("came 500 ms after")), broken);
    }
}
