//! Laws of steps at load time.
use super::*;
use proofhouse_core::testing;

fn step(verb: &str, fields: &[(&str, Value)], any: &[(&str, Value)]) -> StepPlan {
    let any = any.iter().map(|(name, value)| ((*name).to_string(), alloc::vec![value.clone()])).collect();
    let answer = Alternative { fields: any, ..testing::alternative(&[]) };
    StepPlan { any: alloc::vec![answer], ..testing::step(verb, fields) }
}

fn checked(verb: &str, fields: &[(&str, Value)]) -> Result<(), (String, String)> {
    check("", &step(verb, fields, &[]))
}

fn key_of(verb: &str, fields: &[(&str, Value)]) -> String {
    checked(verb, fields).unwrap_err().0
}

#[test]
fn every_verb_can_be_said_and_has_a_word_for_people() {
    for verb in VERBS {
        assert_eq!(checked(verb.name, &[]), Ok(()), "{}", verb.name);
        assert!(!verb.doc.is_empty() && verb.keys.iter().all(|key| !key.doc.is_empty()), "{}", verb.name);
    }
}

#[test]
fn every_key_of_a_request_stands_in_a_frame() {
    for key in REQUEST.iter().filter(|key| !MANNERS.contains(&key.name)) {
        assert!(frames::KEYS.contains(&key.name) || names::option(key.name).is_some(), "{}", key.name);
    }
}

#[test]
fn a_request_may_have_options_that_are_refused_but_must_be_a_message() {
    let critical = Value::List([Value::Table(Fields([("number".into(), Value::Int(9_999))].into()))].into());
    assert_eq!(checked("get", &[("options", critical)]), Ok(()));
    assert_eq!(checked("get", &[("path", Value::List([Value::from("..")].into()))]), Ok(()));
    assert_eq!(key_of("get", &[("token", "001122334455667788".into())]), "do");
    assert_eq!(key_of("get", &[("type", "ack".into())]), "type");
    assert_eq!(key_of("get", &[("observe", Value::Int(-1))]), "observe");
    assert_eq!(key_of("put", &[("block_size", Value::Int(100))]), "block_size");
    assert_eq!(
        key_of("put", &[("payload", Value::Table(Fields([("size".into(), Value::Int(70_000))].into())))]),
        "payload"
    );
}

#[test]
fn a_frame_is_built_once_before_anything_runs() {
    let frame = |field: &str, value: Value| Value::Table(Fields([(field.to_string(), value)].into()));
    assert_eq!(key_of("send", &[("frame", frame("tkl", Value::Int(16)))]), "frame.tkl");
    assert_eq!(checked("send", &[("frame", frame("mid", "$watcher.n1.mid".into()))]), Ok(()));
    assert_eq!(key_of("send", &[("frame", Value::Int(1))]), "frame");
    assert_eq!(key_of("send", &[("hex", "4".into())]), "hex");
    assert_eq!(checked("send", &[("hex", "40 01 {mid} f0".into())]), Ok(()));
    assert_eq!(key_of("send", &[]), "do");
}

#[test]
fn an_answer_that_no_message_can_be_is_a_slip_of_the_pen() {
    let answer = |name: &str, value: Value| check("", &step("get", &[], &[(name, value)]));
    for good in ["2.05", "ok", "refused", "4.xx", "server-error"] {
        assert_eq!(answer("code", good.into()), Ok(()), "{good}");
    }
    for bad in [Value::from("2.5"), Value::from("okay"), Value::Float(2.05), Value::from("1.xx")] {
        assert_eq!(answer("code", bad.clone()).unwrap_err().0, "any", "{bad}");
    }
    assert_eq!(answer("cod", "2.05".into()).unwrap_err().0, "any");
    for name in ["type", "method", "observe", "block2", "payload", "mid", "options"] {
        assert_eq!(answer(name, true.into()), Ok(()), "{name}");
    }
}
