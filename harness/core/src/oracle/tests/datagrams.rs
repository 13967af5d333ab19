//! What strangers get for what they send.
use super::*;
use crate::connection::Addr;
use crate::oracle::amplification::ORACLE;
use crate::value::Value;

const RULE: &str = r#"
[[expect]]
oracle = "answer-in-set"
of = "foe"
[[expect]]
oracle = "amplification"
of = "foe"
window = "10s"
"#;
const STRANGER: Addr = Addr { ip: 0x7f10_0001, port: 5 };

/// A stranger sends 20 bytes at 1 s and receives so many in each of these datagrams, at these milliseconds.
fn reflected(rule: &str, answers: &[(u64, usize)], end: u64) -> Film {
    let mut film = Film::new(plan(&format!("{TWO}{rule}")));
    film.at(0).open("witness", 0, 90).served();
    film.at(1_000).open_from("foe", 0, 5, STRANGER).datagram(5, true, 20, &[]);
    for (at, len) in answers {
        film.at(*at).datagram(5, false, *len, &[]);
    }
    film.at(end).served();
    film
}

#[test]
fn three_times_what_was_sent_passes_and_one_byte_more_fails() {
    let answers = |len| reflected(RULE, &[(1_001, 40), (3_000, len)], 11_000).judge(&ORACLE);
    assert_says(&answers(20), Verdict::Pass, "3.0 times the bytes of its requests (60 for 20");
    assert_says(&answers(21), Verdict::Fail, "61 for 20");
    assert_eq!(answers(21).violations[0].place, "unvalidated-address");
}

#[test]
fn an_answer_of_twenty_bytes_is_no_amplification_of_four() {
    let answer = |len| {
        let mut film = Film::new(plan(&format!("{TWO}{RULE}")));
        film.at(0).open("witness", 0, 90).served();
        film.at(1_000).open_from("foe", 0, 5, STRANGER).datagram(5, true, 4, &[]);
        film.at(1_001).datagram(5, false, len, &[]);
        film.at(11_000).served();
        film.judge(&ORACLE)
    };
    assert_eq!(answer(20).verdict, Verdict::Pass);
    assert_says(&answer(21), Verdict::Fail, "21 for 4");
}

#[test]
fn every_retransmission_within_the_window_counts_and_none_after_it() {
    let late = |at| reflected(RULE, &[(1_001, 60), (at, 1)], 20_000).judge(&ORACLE).verdict;
    assert_eq!(late(11_000), Verdict::Fail);
    assert_eq!(late(11_001), Verdict::Pass);
}

#[test]
fn what_is_sent_after_the_window_pays_for_nothing_within_it() {
    let mut film = reflected(RULE, &[(1_001, 61)], 11_500);
    film.at(12_000).datagram(5, true, 1_000, &[]);
    assert_says(&film.judge(&ORACLE), Verdict::Fail, "61 for 20");
}

#[test]
fn with_ip_headers_small_datagrams_amplify_less() {
    let rule = format!("{RULE}bytes = \"ip\"\nfactor_max = 2.0\n");
    // 20 + 28 bytes for 68 + 28: exactly twice.
    assert_says(&reflected(&rule, &[(1_001, 68)], 11_000).judge(&ORACLE), Verdict::Pass, "2.0 times with IP headers");
    assert_eq!(reflected(&rule, &[(1_001, 69)], 11_000).judge(&ORACLE).verdict, Verdict::Fail);
}

#[test]
fn who_has_proven_its_address_may_get_more_and_so_may_its_later_associations() {
    let mut film = reflected(RULE, &[(1_001, 30)], 1_100);
    film.datagram(5, true, 28, &[("echo", Value::from("aa"))]).datagram(5, false, 1_000, &[]);
    film.at(2_000).open_from("foe", 0, 6, STRANGER).datagram(6, true, 20, &[]).datagram(6, false, 1_000, &[]);
    film.at(12_000).served();
    assert_says(&film.judge(&ORACLE), Verdict::Pass, "1.5 times");
    let other = Addr { ip: STRANGER.ip + 1, ..STRANGER };
    film.at(13_000).open_from("foe", 0, 7, other).datagram(7, true, 20, &[]).datagram(7, false, 61, &[]);
    film.at(24_000).served();
    assert_says(&film.judge(&ORACLE), Verdict::Fail, "1 of 2 addresses");
}

#[test]
fn a_record_that_ends_within_the_window_decides_nothing_unless_it_is_broken_already() {
    assert_says(&reflected(RULE, &[(1_001, 60)], 10_999).judge(&ORACLE), Verdict::Inconclusive, "before the window");
    assert_eq!(reflected(RULE, &[(1_001, 61)], 10_999).judge(&ORACLE).verdict, Verdict::Fail);
}

#[test]
fn silence_to_strangers_passes_only_where_the_witness_was_served_afterwards() {
    assert_eq!(reflected(RULE, &[], 11_000).judge(&ORACLE).verdict, Verdict::Pass);
    let mut film = reflected(RULE, &[], 900);
    film.at(11_000).entry(Who::Harness, Event::Limit);
    assert_says(&film.judge(&ORACLE), Verdict::Inconclusive, "witness was not served");
}

#[test]
fn silence_to_strangers_shows_nothing_where_a_control_took_as_long_as_the_window() {
    let answered = |millis: u64| {
        let mut film = Film::new(plan(&format!("{TWO}{RULE}")));
        film.at(0).open("witness", 0, 90).served().open("honest", 0, 1).step(
            "honest",
            0,
            0,
            Some(1),
            StepState::Started,
        );
        film.at(millis).step("honest", 0, 0, Some(1), StepState::Met);
        film.at(12_000).open_from("foe", 0, 5, STRANGER).datagram(5, true, 20, &[]).at(30_000).served();
        film.judge(&ORACLE)
    };
    assert_says(&answered(10_000), Verdict::Inconclusive, "10000 ms of silence show nothing");
    assert_eq!(answered(9_000).verdict, Verdict::Pass);
}

#[test]
fn who_was_answered_only_after_the_window_and_with_too_much_is_left_open() {
    let late = |acked: &[(u64, usize)], len| {
        let answers = [acked, &[(11_500, len)]].concat();
        reflected(RULE, &answers, 20_000).judge(&ORACLE)
    };
    assert_says(&late(&[], 61), Verdict::Inconclusive, "1 addresses were answered after the window");
    assert_says(&late(&[(1_001, 4)], 61), Verdict::Inconclusive, "after the window");
    assert_eq!(late(&[], 60).verdict, Verdict::Pass);
    assert_eq!(late(&[(1_001, 30)], 61).verdict, Verdict::Pass, "it had its answer");
}

#[test]
fn where_nobody_sent_anything_nothing_is_decided() {
    let mut film = Film::new(plan(&format!("{TWO}{RULE}")));
    film.at(20_000).served();
    assert_says(&film.judge(&ORACLE), Verdict::Inconclusive, "no address");
}

#[test]
fn what_comes_from_another_port_for_a_request_counts_against_that_request() {
    let answered_by = |stranger_of: Addr| {
        let mut film = reflected(RULE, &[], 1_000);
        let other_port = Addr::new([127, 0, 0, 1], 8);
        film.at(1_001).accept("foe", 0, 6, other_port, stranger_of).datagram(6, false, 1_200, &[]);
        film.at(11_000).served();
        film.judge(&ORACLE)
    };
    assert_says(&answered_by(STRANGER), Verdict::Fail, "60.0 times the bytes of its requests (1200 for 20");
    let elsewhere = Addr { port: STRANGER.port + 1, ..STRANGER };
    assert_eq!(answered_by(elsewhere).verdict, Verdict::Pass, "nothing was sent from there");
}
