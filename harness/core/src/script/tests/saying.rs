//! What is said, and when: canaries, segments, pace, time, orders.
use super::*;

#[test]
fn a_canary_is_the_payload_and_is_noted_when_it_leaves() {
    let tell = StepPlan { canary: Some(CanaryId(0)), ..step("tell") };
    let stage = Stage::new(vec![tell]).opened();
    assert_eq!(stage.sent, [format!("tell payload={CANARY}\n")]);
    assert!(stage.notes().any(|note| *note == Note::Planted(CanaryId(0), Conn(0))));
}

#[test]
fn only_stimuli_are_cut_into_segments() {
    let raw = |part| StepPlan { part, fields: Fields(vec![("hex".into(), "61 62 63".into())]), ..step("send") };
    let cut = |part| Stage::cut(vec![raw(part)], Segments::Each(2)).opened().sent;
    assert_eq!(cut(Some(Part::Stimulus)), ["ab", "c"]);
    assert_eq!(cut(Some(Part::Control)), ["abc"]);
}

#[test]
fn a_paced_send_goes_on_while_later_steps_run_and_the_script_ends_after_it() {
    let pace = Some((1, Duration::from_secs(10)));
    let slow = StepPlan { pace, fields: Fields(vec![("hex".into(), "61 62 63".into())]), ..step("send") };
    let stage = Stage::new(vec![slow, ask(1)]).opened().hear("answer id=1");
    assert_eq!(stage.sent, ["a", "ask id=1\n"]);
    assert_eq!(stage.end_of(1).unwrap().0, Met);
    let stage = stage.pass(19);
    assert_eq!(stage.sent[2..], ["b"]);
    assert!(!stage.finished());
    let stage = stage.pass(1);
    assert_eq!(stage.sent[3..], ["c"]);
    assert!(stage.finished());
}

#[test]
fn a_wait_and_an_at_let_time_pass() {
    let wait = StepPlan { wait: Duration::from_secs(3), ..step("wait") };
    let at = StepPlan { at: Some(Duration::from_secs(10)), ..step("tell") };
    let stage = Stage::new(vec![step("open"), wait, at]).opened().pass(2);
    assert_eq!(stage.end_of(1), None);
    let stage = stage.pass(1);
    stage.check(1, Met, "waited 3s");
    let stage = stage.pass(6);
    assert!(stage.sent.is_empty());
    assert_eq!(stage.pass(1).sent, ["tell \n"]);
}

#[test]
fn the_dialog_answers_and_keeps_time_by_itself() {
    let stage = Stage::new(vec![step("open")]).opened().hear("knock");
    assert_eq!(stage.sent, ["come in\n"]);
    assert_eq!(stage.pass(60).sent[1..], ["still here\n"]);
}

#[test]
fn what_cannot_be_said_is_unsaid_with_the_reason() {
    Stage::new(vec![step("mumble")]).opened().check(0, Unsaid, "nobody understands mumbling");
    Stage::new(vec![step("boast")]).opened().check(0, StepState::Beyond, "Maximum Volume 1");
}

#[test]
fn a_step_says_64_mib_and_not_more() {
    let raw = |bytes: usize| {
        let hex = Value::from("00".repeat(bytes).as_str());
        let fields = Fields(vec![("hex".into(), hex), ("repeat".into(), Value::Int(1 << 20))]);
        Stage::new(vec![StepPlan { fields, ..step("send") }]).opened()
    };
    raw(64).check(0, Met, "sent 67108864 bytes");
    raw(65).check(0, Unsaid, "68157440 bytes in one step: 67108864 at most");
}

#[test]
fn the_transport_verbs_act_on_the_connection() {
    let stop = StepPlan { after: vec![MarkId(0)], ..step("stop-reading") };
    let stage = Stage::new(vec![step("open"), stop, step("shutdown"), step("reset"), step("tell")]).opened().mark(0);
    assert!(stage.acts.contains(&Act::Reading(Conn(0), false)));
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Half)));
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Reset)));
    stage.check(4, Unsaid, "we have ended the connection");
}

#[test]
fn an_administrator_orders_and_waits_until_it_is_done() {
    let fields = Fields(vec![("party".into(), "victim".into()), ("grant".into(), "subscribe a/#".into())]);
    let revoke = StepPlan { fields, mark: Some(MarkId(0)), ..step("revoke") };
    let new = || Stage::new(vec![revoke.clone()]);
    let order = crate::admin::Order::Revoke { party: "victim".into(), grant: "subscribe a/#".into() };
    let mut stage = new();
    assert!(stage.notes().any(|note| *note == Note::Order(order.clone())));
    assert_eq!(stage.end_of(0), None);
    stage.input(Input::Done(Ok(())));
    stage.check(0, Met, "in effect");
    assert!(stage.notes().any(|note| *note == Note::Mark(MarkId(0))));
    let mut stage = new();
    stage.input(Input::Done(Err("no such party")));
    stage.check(0, Unmet, "the order failed: no such party");
    assert!(!stage.notes().any(|note| *note == Note::Mark(MarkId(0))));
    assert_eq!(new().pass(30).end_of(0).unwrap().0, Unmet);
}

#[test]
fn a_listener_hears_those_who_connect_to_it() {
    let mut program_stage = Stage::new(vec![]);
    program_stage.input(Input::Accepted(Conn(0), Addr::new([127, 0, 0, 1], 9)));
    assert!(program_stage.finished());
}

#[test]
fn every_verb_and_key_has_a_word_for_people() {
    for verb in VERBS {
        assert!(!verb.doc.is_empty() && verb.keys.iter().all(|key| !key.doc.is_empty()), "{}", verb.name);
    }
}
