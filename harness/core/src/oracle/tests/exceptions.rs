//! Exceptions in the log, and what they have done to others.
use super::*;
use crate::oracle::no_unhandled_exception;

#[test]
fn an_exception_in_the_log_fails_and_a_plain_line_does_not() {
    let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Inconclusive, "nothing");
    film.life(Life::Log { line: "ERROR: connection closed by peer".into() });
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Pass, "no line");
    for n in 0..3 {
        film.life(Life::Panic { line: format!("thread 'w{n}' panicked at x.rs:7:1: boom {n}") });
    }
    let judgement = film.judge(&no_unhandled_exception::ORACLE);
    assert_says(&judgement, Verdict::Fail, "panic in x.rs:7");
    assert_eq!(judgement.violations.len(), 1, "one place, one violation");
}

/// A target that logs this traceback while the attack stands, and then ends the attacker's connection.
fn caught(head: &str, answer: StepState) -> Judgement {
    let mut film = Film::new(plan(&format!("{TWO}[[expect]]\noracle = \"no-unhandled-exception\"\n")));
    film.at(1_000).open("foe", 0, 2).step("foe", 0, 1, Some(2), StepState::Started).sent(2, "say", &[]);
    let lines =
        [head, "Traceback (most recent call last):", "  File \"/a/handler.py\", line 12, in read", "KeyError: 'x'"];
    for line in lines {
        film.at(1_100).life(Life::line(line));
    }
    film.step("foe", 0, 1, Some(2), StepState::Met).step("foe", 0, 2, Some(2), StepState::Started);
    film.at(1_150).close(2, By::Peer).step("foe", 0, 2, Some(2), answer);
    film.at(1_200).served().judge(&no_unhandled_exception::ORACLE)
}

#[test]
fn an_exception_that_was_caught_and_answered_is_a_remark() {
    let judgement = caught("ERROR bad packet", StepState::Met);
    assert_says(&judgement, Verdict::Pass, "no line");
    assert_eq!(
        judgement.remarks,
        [
            "the log tells of KeyError in handler.py:12 (read) that ended nothing and left nobody without an answer (1 times)"
        ]
    );
}

#[test]
fn an_exception_that_ended_a_connection_without_its_answer_was_not_handled() {
    assert_says(
        &caught("ERROR bad packet", StepState::Unmet),
        Verdict::Fail,
        "unhandled KeyError in handler.py:12 (read)",
    );
}

/// The target logs what it caught and ends a connection, on which a step without a stated answer then goes unanswered.
#[test]
fn a_close_that_follows_an_attack_is_no_missing_answer_where_none_was_stated() {
    let judged = |(fleet, index, conn): (&str, u16, u32)| {
        let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
        for line in ["Traceback (most recent call last):", "  File \"/a/b.py\", line 1, in parse", "b.Mal: why"] {
            film.at(1_100).life(Life::line(line));
        }
        film.at(1_150).close(conn, By::Peer).step(fleet, 0, index, Some(conn), StepState::Unmet);
        film.at(1_200).served().judge(&no_unhandled_exception::ORACLE)
    };
    assert_says(&judged(("foe", 1, 2)), Verdict::Pass, "");
}

#[test]
fn a_word_of_the_log_alone_is_a_remark_and_a_failure_where_a_legal_client_was_cut_off() {
    let judged = |line: &str, thrown_out: bool| {
        let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
        film.at(1_100).life(Life::line(line));
        if thrown_out {
            film.at(1_200).witness(WitnessState::Lost);
        }
        film.at(1_300).served().judge(&no_unhandled_exception::ORACLE)
    };
    let harmless = "session closed: fatal protocol error; panic: no, client fault";
    assert_says(&judged(harmless, false), Verdict::Pass, "");
    assert_eq!(judged(harmless, false).remarks.len(), 1);
    assert_says(&judged(harmless, true), Verdict::Fail, "thrown out");
    let assertion = "auth: client Assertion rejected, login failed (bad credentials)";
    assert!(judged(assertion, false).remarks.is_empty());
    assert_says(&judged("b: a.c:12: f: Assertion `n' failed.", false), Verdict::Fail, "nobody caught it");
}

#[test]
fn an_exception_that_ended_a_task_was_not_handled_though_the_connection_had_its_answer() {
    assert_says(&caught("Task exception was never retrieved", StepState::Met), Verdict::Fail, "nobody caught it");
}

#[test]
fn a_line_that_also_came_before_the_attack_is_no_effect_of_it() {
    let words = "[[expect]]\noracle = \"no-unhandled-exception\"\n";
    let goodbye = |n: u32| Life::Panic { line: format!("Unhandled exception in task {n}") };
    let mut film = Film::new(plan(&format!("{TWO}{words}")));
    film.at(0).open("foe", 0, 2).life(goodbye(1));
    film.at(1_000).step("foe", 0, 1, Some(2), StepState::Started).step("foe", 0, 1, Some(2), StepState::Met);
    film.life(goodbye(2));
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Pass, "no line");
    film.life(Life::Panic { line: "panicked at x.rs:1: boom".into() });
    assert_says(&film.judge(&no_unhandled_exception::ORACLE), Verdict::Fail, "panic in x.rs:1");
}

#[test]
fn a_peer_that_went_away_is_no_exception_and_a_broken_parser_is_one() {
    let went = "WARNING Unhandled exception in reader coro: IncompleteReadError('0 bytes read')";
    assert!(matches!(Life::line(went), Life::Log { .. }));
    assert!(matches!(Life::line("Unhandled exception in reader coro: IndexError('x')"), Life::Panic { .. }));
    assert!(matches!(Life::line("thread panicked at x.rs: ConnectionResetError"), Life::Panic { .. }));
}

/// A target that is asked to end, tells of this, and ends with the code; untouched, it ends in order or does not, or nobody has tried.
fn parting(lines: &[&str], code: i32, untouched: Option<u64>) -> Judgement {
    let mut film = begun("[[expect]]\noracle = \"no-unhandled-exception\"\n");
    film.at(1_200).served().at(2_000).life(Life::Stopped);
    for line in lines {
        film.life(Life::line(line));
    }
    if code != 0 {
        film.life(Life::Exited { code });
    }
    if let Some(value) = untouched {
        film.entry(Who::Harness, Event::Calibration { name: crate::recorder::UNTOUCHED_END.into(), value });
    }
    film.judge(&no_unhandled_exception::ORACLE)
}

const BREAKS: [&str; 3] =
    ["Traceback (most recent call last):", "  File \"/a/store.py\", line 9, in flush", "KeyError: 'x'"];

#[test]
fn an_exception_over_which_an_attacked_target_breaks_as_it_is_ended_fails_and_one_of_every_end_does_not() {
    assert_says(&parting(&BREAKS, 1, Some(1)), Verdict::Fail, "asked to end, it broke over an unhandled KeyError");
    let usual = parting(&BREAKS, 1, Some(0));
    assert_says(&usual, Verdict::Pass, "no line");
    assert!(usual.remarks[0].contains("does not end in order untouched either"), "{:?}", usual.remarks);
    assert_says(&parting(&BREAKS, 1, None), Verdict::Inconclusive, "how it ends untouched is not known");
    assert_says(&parting(&BREAKS, 0, None), Verdict::Pass, "no line");
    let task = [&["Task exception was never retrieved"], &BREAKS[..]].concat();
    assert_says(&parting(&task, 0, Some(1)), Verdict::Fail, "KeyError");
    assert_says(&parting(&task, 0, Some(0)), Verdict::Pass, "no line");
}

#[test]
fn what_a_program_raises_because_it_is_asked_to_end_breaks_nothing() {
    for asked in ["KeyboardInterrupt", "SystemExit: 1", "asyncio.exceptions.CancelledError"] {
        assert_says(&parting(&[BREAKS[0], BREAKS[1], asked], 1, None), Verdict::Pass, "no line");
    }
}
