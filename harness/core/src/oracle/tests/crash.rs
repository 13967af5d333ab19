//! The target does not end by itself.
use alloc::string::String;

use super::*;
use crate::oracle::{no_crash, no_hang};

/// A crash with these last words, in the scenario of the file.
fn crashed(words: &[&str], how: Life) -> crate::verdict::Violation {
    let mut film = begun("");
    for line in words {
        film.at(1_100).life(Life::line(line));
    }
    film.life(how);
    let judgement = film.judge(&no_crash::ORACLE);
    assert_eq!(judgement.verdict, Verdict::Fail, "{}", judgement.reason);
    judgement.violations[0].clone()
}

#[test]
fn a_crash_is_how_it_ended_and_the_frame_that_shows_why() {
    let crash = crashed(&["thread 'main-7' panicked at src/a.rs:12: index 5"], Life::Exited { code: 101 });
    assert_eq!(crash.place, "exit code 101: panic at a.rs:12");
    assert!(crash.actual.contains("exit code 101 (panic in a.rs:12)"), "{}", crash.actual);
    assert_eq!(crash.entries.len(), 2, "the line and the end");
}

#[test]
fn random_last_words_do_not_change_what_a_crash_is() {
    let abort = |words: &[&str]| crashed(words, Life::Signalled { signal: 6 }).place;
    let places = ["panic: swordfish", "panic: marigold 0x5f3a", "fatal error: qx17"].map(|line| abort(&[line]));
    assert_eq!(places[0], places[1]);
    assert_eq!(abort(&["bye swordfish"]), abort(&["so long, marigold"]), "a plain line is none of its place");
    assert_ne!(places[0], abort(&["thread 'x' panicked at a.rs:1:1:"]));
    // Another end is another crash.
    assert_ne!(abort(&[]), crashed(&[], Life::Signalled { signal: 11 }).place);
}

#[test]
fn what_a_shell_says_of_a_command_that_died_is_no_cause() {
    let segfault = |words: &[&str]| crashed(words, Life::Signalled { signal: 11 }).place;
    let silent = segfault(&[]);
    for words in ["Segmentation fault", "sh: line 1: 4711 Segmentation fault      (core dumped) ./server"] {
        assert_eq!(segfault(&[words]), silent, "{words}");
    }
    assert_ne!(segfault(&["thread 'x' panicked at a.rs:1:1:", "Segmentation fault"]), silent);
}

#[test]
fn an_exception_that_was_caught_long_before_a_crash_is_not_its_cause() {
    let mut words =
        alloc::vec!["Traceback (most recent call last):", "  File \"/a/x.py\", line 1, in f", "KeyError: 1"];
    words.extend(["an ordinary line"; 20]);
    assert!(!crashed(&words, Life::Signalled { signal: 9 }).place.contains("KeyError"));
    words.truncate(3);
    assert!(crashed(&words, Life::Exited { code: 1 }).place.contains("KeyError at x.py:1"), "a script ends with it");
}

#[test]
fn an_end_that_we_asked_for_is_no_crash() {
    let mut film = begun("");
    film.at(1_200).served();
    film.at(2_000).life(Life::Stopped).life(Life::Exited { code: 0 });
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Pass, "served");
    film.life(Life::Signalled { signal: 9 });
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Pass, "served");
    film.life(Life::Signalled { signal: 11 });
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Fail, "signal 11");
}

#[test]
fn a_first_process_that_ends_in_order_while_others_serve_on_is_no_crash() {
    let ended = |how: Life, served: bool| {
        let mut film = begun("");
        film.at(1_200).life(how);
        if served {
            film.at(2_000).served();
        }
        film.judge(&no_crash::ORACLE)
    };
    assert_says(&ended(Life::Exited { code: 0 }, true), Verdict::Inconclusive, "in the foreground");
    assert_eq!(ended(Life::Exited { code: 0 }, false).verdict, Verdict::Fail);
    assert_eq!(ended(Life::Exited { code: 1 }, true).verdict, Verdict::Fail);
}

#[test]
fn a_process_that_served_and_ended_is_not_made_good_by_the_next() {
    let mut film = begun("");
    film.at(1_200).gauge("servers-ended", 1).at(2_000).served();
    assert_says(&film.judge(&no_crash::ORACLE), Verdict::Inconclusive, "1 of the processes that served");
    let mut film = begun("");
    film.at(1_200).gauge("threads", 1).at(2_000).served();
    assert_eq!(film.judge(&no_crash::ORACLE).verdict, Verdict::Pass);
}

#[test]
fn without_a_witness_after_the_attack_nobody_knows_whether_the_target_lives() {
    assert_says(&begun("").judge(&no_crash::ORACLE), Verdict::Inconclusive, "nobody was served");
    assert_says(&begun("").judge(&no_hang::ORACLE), Verdict::Inconclusive, "not served");
}

#[test]
fn who_is_served_by_the_next_start_does_not_show_that_the_one_before_went_on_in_the_background() {
    let ended = |started: bool| {
        let mut film = begun("");
        film.at(1_200).life(Life::Exited { code: 0 });
        if started {
            film.at(1_300).life(Life::Started { version: String::new() });
        }
        film.at(2_000).served();
        film.judge(&no_crash::ORACLE)
    };
    assert_says(&ended(false), Verdict::Inconclusive, "in the foreground");
    assert_eq!(ended(true).verdict, Verdict::Fail);
}
