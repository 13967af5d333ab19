//! A slow starter with `reuse = "campaign"`: one start plays many trials, what leaks from one into the next is found out, and a failure
//! counts only where a fresh process shows it too.
mod common;

use std::path::Path;

use common::{code, peer, run, stderr, trials};

/// The subscription is what is judged, or the control without which nothing is.
fn scenario(part: &str) -> String {
    format!(
        r#"
format   = 1
title    = "Commands are granted"
attack   = "XX-03"
level    = "must"
protocol = "mqtt"
version  = ["3.1.1", "5"]
limit    = "20s"
[party.user]
may = {{ publish = ["site/#"], subscribe = ["cmd/#"] }}
[fleet.user]
behaviour = "script"
step = [
  {{ do = "connect", expect = {{ type = "connack", reason = 0 }}, part = "control" }},
  {{ do = "subscribe", filter = "cmd/a", qos = 1, expect = {{ type = "suback", reason = "ok" }}, part = "{part}" }},
  {{ do = "publish", topic = "site/a", qos = 1, expect = {{ type = "puback", reason = "ok" }}, part = "stimulus" }},
  {{ do = "disconnect" }},
]
[[expect]]
oracle = "answer-in-set"
of     = "user"
"#
    )
}

/// Four trials of each scenario on a broker that takes two seconds to start: exit code, trials, and how often it was started.
fn played(folder: &Path, words: &[&str]) -> (i32, Vec<(String, String, String)>, usize) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let starts = folder.join("starts");
    let starts = format!("starts={}", starts.display());
    write("t.toml", &peer("mqtt", "reuse = \"campaign\"", &[&["start=2", &starts][..], words].concat()));
    std::fs::create_dir(folder.join("s")).unwrap();
    write("s/control.toml", &scenario("control"));
    write("s/judged.toml", &scenario("stimulus"));
    let words = ["run", "control", "judged", "--scenarios", "s", "--target", "t.toml", "--seeds", "2", "--jobs", "1"];
    let out = run(folder, &[&words[..], &["--replays", "1", "--out", "r", "-q"]].concat());
    assert!(!stderr(&out).contains("bug in Proofhouse"), "{}", stderr(&out));
    let starts = std::fs::read_to_string(folder.join("starts")).unwrap().lines().count();
    (code(&out), trials(&folder.join("r")), starts)
}

#[test]
fn a_slow_starter_that_leaks_nothing_starts_once_for_all_trials() {
    let temp = tempfile::tempdir().unwrap();
    let (code, trials, starts) = played(temp.path(), &[]);
    assert!(trials.len() == 8 && trials.iter().all(|(_, verdict, _)| verdict == "pass"), "{trials:#?}");
    // Once to see whether it starts at all, and once to play.
    assert_eq!((code, starts), (0, 2));
}

#[test]
fn what_leaks_between_rounds_is_found_out_and_fails_nobody() {
    let temp = tempfile::tempdir().unwrap();
    let (code, trials, starts) = played(temp.path(), &["leaks=1"]);
    assert_eq!(code, 6, "{trials:#?}");
    for (trial, verdict, reason) in &trials {
        // An unmet control is played again in a fresh process, and decided there; a failure that only the old one shows is a suspicion.
        let leaked = reason.starts_with("reuse: in a target that had played 1 round before, and not in a fresh one");
        assert!(verdict == "pass" || verdict == "inconclusive" && leaked, "{trial}: {verdict} {reason}");
    }
    let suspected =
        |name: &str| trials.iter().filter(|(id, verdict, _)| id.starts_with(name) && verdict != "pass").count();
    assert_eq!(
        (suspected("control"), suspected("judged")),
        (0, 2),
        "every second one met what the one before had left"
    );
    // The look before the run; then two for every two trials: the one that leaks, and the fresh one for what it spoilt.
    assert_eq!(starts, 9);
}

#[test]
fn a_failure_that_a_fresh_process_shows_too_is_a_failure() {
    let temp = tempfile::tempdir().unwrap();
    let (code, trials, _) = played(temp.path(), &["leaks=0"]);
    assert_eq!(code, 100, "{trials:#?}");
    for (trial, verdict, reason) in &trials {
        let wanted = if trial.starts_with("judged") { "fail" } else { "inconclusive" };
        assert_eq!(verdict, wanted, "{trial}: {reason}");
    }
}
