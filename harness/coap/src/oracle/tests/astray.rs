//! What breaks a silence from another address.
use super::*;

const SILENT: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "get", path = "/time", part = "control" },
  { do = "send", frame = { type = "con", version = 2, code = "get", token = "bb" }, part = "stimulus" },
  { do = "expect", any = [{ type = "rst" }, { silence = "1s" }], within = "1500ms" },
  { do = "get", path = "/time", part = "control" },
]
[[expect]]
oracle = "answer-in-set"
of = "foe"
"#;

/// The foe hears nothing for a second after its datagram of message id 8; this came from another port after so many milliseconds.
fn stray(after: u64, kind: &str, fields: &[(&str, Value)]) -> Judgement {
    let mut film = Film::new(plan(SILENT));
    film.at(0).open("witness", 0, 90).served().open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
    film.sent(1, "request", &request("get", "/time", 7, "aa")).got(1, "response", &response("2.05", "aa", &[]));
    film.step("foe", 0, 0, Some(1), StepState::Met);
    film.at(10).step("foe", 0, 1, Some(1), StepState::Started).sent(1, "request", &request("get", "/time", 8, "bb"));
    film.step("foe", 0, 1, Some(1), StepState::Met).step("foe", 0, 2, Some(1), StepState::Started);
    let comes = |film: &mut Film| {
        let at = Addr::new([127, 0, 0, 1], 8);
        film.at(10 + after).accept("foe", 0, 5, at, Film::socket(1)).got(5, kind, fields);
    };
    if after < 1_000 {
        comes(&mut film);
    }
    film.at(1_010).step("foe", 0, 2, Some(1), StepState::Met).step("foe", 0, 3, Some(1), StepState::Started);
    film.sent(1, "request", &request("get", "/time", 9, "cc"));
    film.at(1_020).got(1, "response", &response("2.05", "cc", &[])).step("foe", 0, 3, Some(1), StepState::Met);
    if after >= 1_000 {
        comes(&mut film);
    }
    let oracle =
        proofhouse_core::oracle::GENERIC.iter().find(|oracle| oracle.id == "answer-in-set").expect("it is there");
    film.at(5_000).served().judge(oracle)
}

fn answer(token: &str, mid: i64) -> alloc::vec::Vec<(&'static str, Value)> {
    response("2.05", token, &[("message", "ack".into()), ("mid", Value::Int(mid))])
}

#[test]
fn an_answer_from_another_port_breaks_a_silence_whenever_it_comes() {
    for after in [5, 900, 2_000] {
        let broken = stray(after, "response", &answer("bb", 8));
        assert_says(&broken, Verdict::Fail, "from another address");
        assert_eq!(broken.verdict, stray(after, "response", &answer("ff", 8)).verdict, "by message id");
        assert_says(&stray(after, "ack", &[("mid", Value::Int(8))]), Verdict::Fail, "from another address");
    }
}

#[test]
fn copies_of_other_answers_and_what_the_step_takes_break_no_silence() {
    for after in [5, 2_000] {
        assert_eq!(stray(after, "response", &answer("aa", 7)).verdict, Verdict::Pass, "the control's");
        assert_eq!(stray(after, "rst", &[("mid", Value::Int(8))]).verdict, Verdict::Pass, "it is in the set");
    }
    assert_eq!(stray(2_000, "response", &answer("cc", 9)).verdict, Verdict::Pass, "that of the next");
}

#[test]
fn what_answers_nothing_leaves_the_silence_open_in_which_it_came() {
    assert_says(&stray(5, "response", &answer("ff", 99)), Verdict::Inconclusive, "from another address");
    assert_eq!(stray(2_000, "response", &answer("ff", 99)).verdict, Verdict::Pass);
}
