//! Silence: from when it counts, and what breaks it.
use super::*;

#[test]
fn silence_lasts_or_is_broken() {
    let silence = Alternative { silence: Some(Duration::from_secs(3)), ..alternative(&[]) };
    let new = || Stage::new(vec![step("open"), expect(vec![silence.clone()])]).opened();
    assert_eq!(new().pass(2).end_of(1), None);
    new().pass(3).check(1, Met, "3s of silence");
    new().pass(2).hear("noise").check(1, Unmet, "noise instead of 3s of silence");
}

#[test]
fn silence_beside_a_packet_waits_for_the_packet_once_broken() {
    let silence = Alternative { silence: Some(Duration::from_secs(3)), ..alternative(&[]) };
    let stage = Stage::new(vec![step("open"), expect(vec![silence, packet("answer")])]).opened().hear("noise").pass(4);
    assert_eq!(stage.end_of(1), None);
    stage.hear("answer").check(1, Met, "answer");
}

#[test]
fn silence_counts_from_the_end_of_the_packet_before_however_segments_are_cut() {
    let steps =
        vec![step("open"), expect(vec![packet("gift")]), expect(vec![packet("gift")]), expect(vec![silence(1)])];
    let new = || Stage::new(steps.clone()).opened();
    let four = ["gift n=1", "gift n=2", "gift n=3", "gift n=4"];
    new().hear_all(&four).check(3, Unmet, "2 x gift n=3 up to n=4 instead of 1s of silence");
    new().hear_all(&four[..3]).check(3, Unmet, "gift n=3 instead of 1s of silence");
    let stage = new().hear_all(&four[..2]);
    assert_eq!(stage.end_of(3), None);
    stage.pass(1).check(3, Met, "1s of silence");
    new().hear(four[0]).hear(four[1]).hear(four[2]).check(3, Unmet, "gift n=3 instead of 1s of silence");
}

/// What became of a step last.
fn last_of(stage: &Stage, index: u16) -> (StepState, String) {
    let of = |note: &Note| match note {
        Note::Step { index: i, state, detail, .. } if *i == index => Some((*state, detail.clone())),
        _ => None,
    };
    stage.notes().filter_map(of).last().expect("it was begun")
}

#[test]
fn a_wrong_answer_that_comes_after_the_silence_breaks_it_still_and_a_right_one_does_not() {
    let answer = || alternative(&[("type", &["answer".into()]), ("code", &[Value::Int(4)])]);
    let refused = vec![answer(), silence(1)];
    let heard = |any: &Vec<Alternative>, lines: &[&str]| {
        let steps = vec![tell("a"), expect(any.clone()), ask(1)];
        let stage = Stage::new(steps).opened().pass(1);
        stage.check(1, Met, "1s of silence");
        let stage = lines.iter().fold(stage, |stage, line| stage.hear(line)).hear("answer id=1");
        assert!(stage.finished(), "the steps behind it go on");
        last_of(&stage, 1)
    };
    let broken = "answer re=a code=2, after the silence, instead of answer code=4 or 1s of silence";
    assert_eq!(heard(&refused, &["answer re=a code=2"]), (Unmet, broken.into()));
    assert_eq!(heard(&refused, &["answer re=a code=4"]).0, Met);
    assert_eq!(heard(&refused, &["noise", "gift re=a", "echo re=a", "answer re=b code=2"]).0, Met, "not its answers");
    assert_eq!(heard(&refused, &["wait re=a"]).0, Cut, "what was promised may be right");
    assert_eq!(heard(&refused, &["wait re=a", "answer re=a code=4"]).0, Met);
    assert_eq!(heard(&refused, &["wait re=a", "answer re=a code=2"]).0, Unmet);
    assert_eq!(heard(&vec![silence(1)], &["wait re=a"]).0, Unmet, "no answer at all was allowed");
}

#[test]
fn what_comes_after_the_script_has_ended_breaks_its_silence_too() {
    let stage = Stage::new(vec![tell("a"), expect(vec![silence(1)])]).opened().pass(1);
    assert!(stage.finished());
    assert_eq!(last_of(&stage.hear("answer re=a"), 1).0, Unmet);
}

#[test]
fn half_a_packet_is_no_silence() {
    let mut stage = Stage::new(vec![step("open"), expect(vec![silence(1)])]).opened();
    stage.input(Input::Bytes(Conn(0), b"gif"));
    stage.pass(1).check(1, Unmet, "1s passed without 1s of silence; saw: 3 bytes, no whole packet");
}

#[test]
fn a_silence_to_which_we_did_not_listen_says_nothing() {
    let steps = vec![step("open"), step("stop-reading"), expect(vec![silence(1)]), expect(vec![packet("gift")])];
    let stage = Stage::new(steps).opened().pass(6);
    assert_eq!(stage.end_of(2).unwrap().0, Cut);
    stage.check(3, Cut, "we had stopped reading; 5s passed without gift; saw: nothing");
}
