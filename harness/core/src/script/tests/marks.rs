//! Marks and bound values between fleets.
use super::*;

#[test]
fn marks_gate_and_are_set_only_when_met() {
    let first = StepPlan { after: vec![MarkId(3)], mark: Some(MarkId(4)), ..ask(1) };
    let stage = Stage::new(vec![first.clone()]);
    assert!(stage.acts.is_empty(), "nothing happens before the mark");
    let stage = stage.mark(3).opened();
    assert!(!stage.notes().any(|note| *note == Note::Mark(MarkId(4))));
    assert!(stage.hear("answer id=1").notes().any(|note| *note == Note::Mark(MarkId(4))));
    let unmet = Stage::new(vec![first]).mark(3).opened().pass(5);
    assert!(!unmet.notes().any(|note| *note == Note::Mark(MarkId(4))));
}

#[test]
fn a_skipped_step_does_nothing_and_sets_its_mark_when_its_own_marks_hold() {
    let skipped = StepPlan { skip: true, after: vec![MarkId(0)], mark: Some(MarkId(1)), ..step("tell") };
    let stage = Stage::new(vec![skipped]);
    assert!(stage.acts.is_empty());
    let stage = stage.mark(0);
    let notes: Vec<_> = stage.notes().collect();
    assert_eq!(notes, [&Note::Mark(MarkId(1)), &Note::Finished]);
}

#[test]
fn a_mark_that_is_not_reached_is_void_and_nobody_waits_for_it() {
    let first = StepPlan { mark: Some(MarkId(0)), ..ask(1) };
    let voids = |stage: &Stage| stage.notes().filter(|note| matches!(note, Note::Void(_))).count();
    let stage = Stage::new(vec![first.clone()]).opened().pass(5);
    assert_eq!((voids(&stage), stage.finished()), (1, true));
    assert_eq!(voids(&Stage::new(vec![first.clone()]).opened().hear("answer id=1")), 0);
    assert_eq!(
        voids(&Stage::new(vec![first.clone(), first.clone()]).opened().pass(5)),
        0,
        "the second may still set it"
    );
    let waits = StepPlan { after: vec![MarkId(3)], mark: Some(MarkId(4)), ..step("tell") };
    let stage = Stage::new(vec![waits.clone(), StepPlan { mark: Some(MarkId(5)), ..step("tell") }]).void(3);
    assert!(stage.finished() && stage.sent.is_empty());
    assert_eq!(voids(&stage), 2);
    stage.check(0, Unsaid, "waits for a mark, which was not reached");
    assert_eq!(stage.end_of(1), None);
    assert!(!Stage::new(vec![waits]).mark(3).void(3).opened().sent.is_empty(), "a mark that was set holds");
}

#[test]
fn a_bound_field_is_noted_before_the_mark_and_filled_in_later() {
    let mut gift = packet("gift");
    gift.bind = vec![("size".into(), BindId(0))];
    let first = StepPlan { mark: Some(MarkId(0)), ..expect(vec![gift]) };
    let uses = vec![("$foe.size".into(), BindId(0))];
    let fields = Fields(vec![("id".into(), "$foe.size".into()), ("all".into(), Value::List(vec!["$foe.size".into()]))]);
    let last = StepPlan { fields, uses: uses.clone(), ..step("tell") };
    let hex = Fields(vec![("hex".into(), "00 $foe.size".into())]);
    let raw = StepPlan { fields: hex, uses, ..step("send") };
    let stage = Stage::new(vec![step("open"), first, last, raw]).opened().hear("gift size=258");
    let order: Vec<_> = stage.notes().filter(|n| matches!(n, Note::Bind(..) | Note::Mark(_))).collect();
    assert_eq!(order, [&Note::Bind(BindId(0), Value::Int(258)), &Note::Mark(MarkId(0))]);
    assert_eq!(stage.sent, ["tell id=258 all=[258]\n", "\0\x01\x02"]);
}

#[test]
fn a_value_that_nobody_bound_leaves_the_step_unsaid() {
    let step = StepPlan { uses: vec![("$a.b".into(), BindId(0))], ..step("tell") };
    Stage::new(vec![step]).opened().check(0, Unsaid, "$a.b is not bound");
}

#[test]
fn what_a_member_bound_itself_is_not_replaced_by_anothers() {
    let mut gift = packet("gift");
    gift.bind = vec![("size".into(), BindId(0))];
    let fields = Fields(vec![("id".into(), "$foe.size".into())]);
    let last = StepPlan { after: vec![MarkId(0)], fields, uses: vec![("$foe.size".into(), BindId(0))], ..step("tell") };
    let mut stage = Stage::new(vec![step("open"), expect(vec![gift]), last]).opened().hear("gift size=5");
    stage.input(Input::Bound(BindId(0), &Value::Int(6)));
    assert_eq!(stage.mark(0).sent, ["tell id=5\n"]);
}
