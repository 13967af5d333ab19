//! What meets a step, and what is no answer to it.
use super::*;

#[test]
fn a_step_starts_when_the_one_before_is_answered() {
    let stage = Stage::new(vec![ask(1), ask(2)]).opened();
    assert_eq!(stage.sent, ["ask id=1\n"]);
    let stage = stage.hear("answer id=1");
    assert_eq!(stage.sent, ["ask id=1\n", "ask id=2\n"]);
    stage.check(0, Met, "answer id=1");
    assert!(!stage.finished());
    assert!(stage.hear("answer id=2").finished());
}

#[test]
fn the_answer_to_another_request_is_ignored() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("answer id=6").hear("noise");
    assert_eq!(stage.end_of(0), None);
    stage.closed(Close::Reset).check(0, Unmet, "connection closed (reset) while waiting for answer id=7");
}

#[test]
fn a_wrong_answer_ends_the_step_at_once() {
    let any = vec![alternative(&[("type", &["answer".into()]), ("reason", &[Value::Int(0), Value::Int(1)])])];
    let check = |reason: i64, state, detail: &str| {
        let stage = Stage::new(vec![StepPlan { any: any.clone(), ..ask(7) }]).opened();
        stage.hear(&format!("answer id=7 reason={reason}")).check(0, state, detail);
    };
    check(1, Met, "answer id=7 reason=1");
    check(2, Unmet, "answer id=7 reason=2 instead of answer reason=0|1");
}

#[test]
fn a_class_is_the_protocols_word() {
    let any = vec![alternative(&[("type", &["answer".into()]), ("reason", &["ok".into()])])];
    let check = |reason: i64, state| {
        let stage = Stage::new(vec![StepPlan { any: any.clone(), ..ask(7) }]).opened();
        assert_eq!(stage.hear(&format!("answer id=7 reason={reason}")).end_of(0).unwrap().0, state, "{reason}");
    };
    check(127, Met);
    check(128, Unmet);
}

#[test]
fn a_malformed_answer_is_no_answer() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("answer id=7 malformed=why");
    stage.check(0, Unmet, "answer id=7 (malformed: why) instead of answer id=7");
}

#[test]
fn time_runs_out_and_says_what_was_seen() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("noise loud=1").pass(4);
    assert_eq!(stage.end_of(0), None);
    stage.pass(1).check(0, Unmet, "5s passed without answer id=7; saw: noise loud=1");
}

#[test]
fn an_expect_sees_what_came_before_it() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("gift")]) };
    let stage = Stage::new(vec![step("tell"), late]).opened().hear("gift").mark(0);
    stage.check(1, Met, "gift");
}

#[test]
fn an_old_packet_is_no_wrong_answer() {
    let wanted = vec![alternative(&[("type", &["word".into()]), ("size", &[Value::Int(2)])])];
    let steps = vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..step("tell") }, expect(wanted)];
    let stage = Stage::new(steps).opened().hear("word size=1").mark(0);
    assert_eq!(stage.end_of(2), None, "it came before we last spoke");
    stage.hear("word size=3").check(2, Unmet, "word size=3 instead of word size=2");
}

#[test]
fn an_answer_from_before_the_question_is_none() {
    let stage = Stage::new(vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..ask(7) }]).opened();
    assert_eq!(stage.hear("answer id=7").mark(0).end_of(1), None);
}

#[test]
fn a_late_answer_to_an_earlier_step_neither_meets_nor_breaks_a_later_one() {
    let answer = || alternative(&[("type", &["answer".into()]), ("code", &[Value::Int(2)])]);
    let steps = vec![tell("a"), expect(vec![answer()]), tell("b"), expect(vec![answer(), silence(3)])];
    let new = || Stage::new(steps.clone()).opened().hear("answer re=a code=2");
    let late = new().hear("answer re=a code=4");
    assert_eq!(late.end_of(3), None, "not a wrong answer");
    let late = late.hear("answer re=a code=2");
    assert_eq!(late.end_of(3), None, "and not the right one");
    late.pass(3).check(3, Met, "3s of silence");
    new().hear("answer re=b code=4").check(3, Unmet, "answer re=b code=4 instead of answer code=2 or 3s of silence");
    new().hear("answer re=b code=2").check(3, Met, "answer re=b code=2");
    new().hear("answer code=2").check(3, Met, "answer code=2");
}

#[test]
fn the_answers_to_all_that_was_said_since_the_last_answer_are_awaited() {
    let answer = || expect(vec![packet("answer")]);
    let stage = Stage::new(vec![tell("a"), tell("b"), answer(), answer()]).opened();
    let stage = stage.hear("answer re=b").hear("answer re=a");
    stage.check(2, Met, "answer re=b");
    stage.check(3, Met, "answer re=a");
}

#[test]
fn what_other_parties_say_is_no_wrong_answer_and_a_bystander_breaks_no_silence() {
    let wanted = Alternative {
        canary: Some(CanaryId(0)),
        ..alternative(&[("type", &["gift".into()]), ("dup", &[Value::Int(1)])])
    };
    let new = || Stage::new(vec![step("open"), expect(vec![wanted.clone()])]).opened().hear("gift dup=1 of=others");
    assert_eq!(new().end_of(1), None);
    new().hear(&format!("gift dup=1 of={CANARY}")).check(1, Met, &format!("gift dup=1 of={CANARY}"));
    assert_eq!(new().hear(&format!("gift dup=0 of={CANARY}")).end_of(1).unwrap().0, Unmet, "ours, and wrong");
    let quiet = || Stage::new(vec![step("open"), expect(vec![silence(3)])]).opened().pass(1);
    quiet().hear("echo").pass(2).check(1, Met, "3s of silence");
    assert_eq!(quiet().hear("gift").end_of(1).unwrap().0, Unmet);
}

#[test]
fn a_thousand_unread_packets_are_read_and_what_we_drop_fails_nothing() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("answer")]) };
    let flooded = |packets: usize| {
        let mut stage = Stage::new(vec![tell("a"), late.clone()]).opened().hear("answer re=a");
        for _ in 0..packets {
            stage = stage.hear("noise loud=1");
        }
        stage.mark(0).pass(5)
    };
    flooded(1_000).check(1, Met, "answer re=a");
    let stage = flooded(10_000);
    let (state, detail) = stage.end_of(1).unwrap();
    assert!(state == Cut && detail.starts_with("our own limit: "), "{state:?} {detail}");
}

#[test]
fn an_answer_must_carry_the_canary_where_it_is_asked_for() {
    let wanted = Alternative { canary: Some(CanaryId(0)), ..packet("gift") };
    let new = || Stage::new(vec![step("open"), expect(vec![wanted.clone()])]).opened();
    assert_eq!(new().hear(&format!("gift inside=({CANARY})")).end_of(1).unwrap().0, Met);
    let stage = new().hear("gift inside=nothing");
    assert_eq!(stage.end_of(1), None, "a message of somebody else");
    stage.hear(&format!("gift inside=({CANARY})")).check(1, Met, &format!("gift inside=({CANARY})"));
}

#[test]
fn a_packet_in_pieces_is_heard_whole() {
    let mut stage = Stage::new(vec![ask(1)]).opened();
    stage.input(Input::Bytes(Conn(0), b"answ"));
    assert_eq!(stage.end_of(0), None);
    stage.input(Input::Bytes(Conn(0), b"er id=1\nnoise\n"));
    stage.check(0, Met, "answer id=1");
}
