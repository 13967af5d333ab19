//! Connections that end, and bytes that are never written: whose doing it was.
use super::*;

#[test]
fn closed_is_fin_or_reset_and_nothing_else() {
    let check = |how, state| {
        let stage = Stage::new(vec![step("open"), expect(vec![closed()])]).opened().closed(how);
        assert_eq!(stage.end_of(1).unwrap().0, state, "{how:?}");
    };
    check(Close::Fin, Met);
    check(Close::Reset, Met);
    check(Close::TimedOut, Unmet);
}

#[test]
fn a_refused_connection_bars_its_steps_and_one_that_we_could_not_open_leaves_them_unsaid() {
    let check = |how, state, name: &str| {
        let stage = Stage::new(vec![step("open"), expect(vec![packet("gift")])]).closed(how);
        stage.check(0, state, &format!("the connection could not be opened ({name})"));
        stage.check(1, state, &format!("the connection is closed ({name})"));
        assert!(stage.finished());
    };
    check(Close::Refused, Barred, "refused");
    check(Close::Reset, Barred, "reset");
    check(Close::TimedOut, Unsaid, "timed out");
    check(Close::LocalLimit, Unsaid, "local limit");
}

#[test]
fn after_a_closed_connection_its_steps_are_barred_and_others_go_on() {
    let other = StepPlan { conn: "b".into(), ..step("tell") };
    let stage = Stage::new(vec![ask(7), step("tell"), expect(vec![packet("answer")]), other]);
    let mut stage = stage.opened().closed(Close::Fin);
    stage.check(1, Barred, "the connection is closed (fin)");
    stage.check(2, Barred, "the connection is closed (fin)");
    stage.input(Input::Opened(Conn(1)));
    stage.check(3, Met, "sent 6 bytes");
    assert!(stage.notes().any(|note| *note == Note::Label(Conn(1), "b".into())));
}

#[test]
fn after_an_unmet_step_the_script_goes_on_while_its_connection_lives() {
    let stage = Stage::new(vec![ask(7), step("tell")]).opened().pass(5);
    assert_eq!(stage.end_of(0).unwrap().0, Unmet);
    stage.check(1, Met, "sent 6 bytes");
}

#[test]
fn a_close_between_two_steps_makes_the_expect_unmet_not_unsaid() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("gift")]) };
    let stage = Stage::new(vec![step("tell"), late]).opened().closed(Close::Fin).mark(0);
    stage.check(1, Unmet, "connection closed (fin) while waiting for gift");
}

#[test]
fn a_goodbye_waits_for_the_peer_and_is_never_unmet() {
    let again = StepPlan { after: vec![MarkId(0)], ..step("connect") };
    let stage = Stage::new(vec![step("bye"), again.clone()]).opened().closed(Close::Fin).mark(0);
    stage.check(0, Met, "connection closed (fin)");
    let opened = stage.acts.iter().filter(|act| matches!(act, Act::Open(..))).count();
    assert_eq!(opened, 2, "connect opens it again");

    let stage = Stage::new(vec![step("bye"), again]).opened().pass(1);
    stage.check(0, Met, "sent; the peer left the connection open for 1s, so we ended it");
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Fin)));
}

#[test]
fn an_end_after_we_closed_our_direction_is_no_fault_of_the_peer() {
    let stage = Stage::new(vec![tell("a"), step("shutdown"), expect(vec![packet("gift")])]).opened();
    let detail = "we had closed our direction; connection closed (fin) while waiting for gift";
    stage.closed(Close::Fin).check(2, Cut, detail);
}

#[test]
fn said_means_written() {
    let marked = StepPlan { mark: Some(MarkId(0)), part: Some(Part::Stimulus), ..step("tell") };
    let is_set = |stage: &Stage| stage.notes().any(|note| *note == Note::Mark(MarkId(0)));
    let new = || Stage::new(vec![marked.clone()]).stalled(true).opened();
    let stage = new().pass(29);
    assert!(!is_set(&stage) && stage.end_of(0).is_none());
    let stage = stage.written();
    assert!(is_set(&stage));
    stage.check(0, Met, "sent 6 bytes");
    let stage = new().pass(30);
    assert!(!is_set(&stage), "a peer that does not read has not been attacked");
    stage.check(0, Unsaid, "the peer had not read all of 6 bytes after 30s");
    let stage = new().closed(Close::Reset);
    assert!(is_set(&stage), "it came as far as the peer let it");
    stage.check(0, Met, "connection closed (reset) before all of 6 bytes were written");
    let stage = new().closed(Close::LocalLimit);
    assert!(!is_set(&stage));
    assert_eq!(stage.end_of(0).unwrap().0, Cut);
}

#[test]
fn the_peer_has_its_time_once_it_could_have_read_everything() {
    let stage = Stage::new(vec![ask(7)]).stalled(true).opened().pass(20).stalled(false).written();
    let stage = stage.pass(4);
    assert_eq!(stage.end_of(0), None);
    stage.pass(1).check(0, Unmet, "5s passed without answer id=7; saw: nothing");
    let early = Stage::new(vec![ask(7)]).stalled(true).opened().hear("answer id=7");
    early.check(0, Met, "answer id=7");
}

#[test]
fn an_attack_that_the_target_stopped_has_arrived() {
    let attack = |part, any: Vec<Alternative>| StepPlan { part, any, mark: Some(MarkId(0)), ..ask(7) };
    let is_set = |stage: &Stage| stage.notes().any(|note| *note == Note::Mark(MarkId(0)));
    let stimulus = || Stage::new(vec![attack(Some(Part::Stimulus), vec![])]);
    assert!(is_set(&stimulus().closed(Close::Refused)));
    assert!(is_set(&stimulus().opened().closed(Close::Fin)));
    assert!(is_set(&stimulus().opened().pass(5)), "it had its time");
    assert!(!is_set(&stimulus().closed(Close::LocalLimit)));
    let demanding = Stage::new(vec![attack(Some(Part::Stimulus), vec![packet("answer")])]).closed(Close::Refused);
    assert!(!is_set(&demanding), "who waits for it waits for that answer");
    assert!(!is_set(&Stage::new(vec![attack(None, vec![])]).closed(Close::Refused)));
}

#[test]
fn after_a_goodbye_nobody_is_thrown_out() {
    let stage = Stage::new(vec![step("bye"), step("tell")]).opened().closed(Close::Fin);
    stage.check(1, Unsaid, "the connection is closed (fin)");
    let awaited = Stage::new(vec![step("open"), expect(vec![closed()]), step("tell")]).opened().closed(Close::Fin);
    awaited.check(2, Unsaid, "the connection is closed (fin)");
}

#[test]
fn a_wait_until_closed_ends_with_the_last_connection() {
    let fields = Fields(vec![("until_closed".into(), true.into())]);
    let wait = StepPlan { wait: Duration::from_secs(5), fields, ..step("wait") };
    let other = StepPlan { conn: "b".into(), ..step("tell") };
    let new = || {
        let mut stage = Stage::new(vec![step("tell"), other.clone(), wait.clone()]).opened();
        stage.input(Input::Opened(Conn(1)));
        stage
    };
    let mut stage = new().closed(Close::Fin);
    assert_eq!(stage.end_of(2), None, "the other one is open");
    stage.input(Input::Closed(Conn(1), Close::Reset));
    stage.check(2, Met, "the target has ended every connection");
    let stage = new().pass(4);
    assert_eq!(stage.end_of(2), None);
    stage.pass(1).check(2, Met, "waited 5s");
}

#[test]
fn a_legal_client_that_is_not_read_is_not_served_and_an_attack_that_is_not_read_has_not_arrived() {
    let of = |part| StepPlan { part, ..ask(7) };
    let unread = |steps: Vec<StepPlan>| Stage::new(steps).stalled(true).opened().pass(30);
    let why = "the peer had not read all that was sent after 30s";
    unread(vec![of(None)]).check(0, Unmet, why);
    unread(vec![of(Some(Part::Control))]).check(0, Unmet, why);
    unread(vec![of(Some(Part::Stimulus))]).check(0, Unsaid, why);
    unread(vec![step("tell")]).check(0, Unmet, "the peer had not read all of 6 bytes after 30s");
    // Whoever has attacked on a connection is no legal client of it any more.
    let attacked = Stage::new(vec![of(Some(Part::Stimulus)), ask(8)]).opened().stalled(true);
    attacked.hear("answer id=7").pass(30).check(1, Unsaid, why);
    let early = Stage::new(vec![ask(7)]).stalled(true).opened().pass(29);
    assert_eq!(early.end_of(0), None, "it has its time");
}

#[test]
fn what_an_earlier_step_had_written_says_nothing_of_a_later_one() {
    // The answer overtakes the news that its request is written; then the peer stops reading.
    let stage = Stage::new(vec![ask(7), ask(8)]).stalled(true).opened().hear("answer id=7");
    let stage = stage.written().pass(20);
    assert_eq!(stage.end_of(1), None, "only the first step is written: the second has its time still");
    let stage = stage.written().pass(4);
    assert_eq!(stage.end_of(1), None);
    stage.pass(1).check(1, Unmet, "5s passed without answer id=8; saw: nothing");
}
