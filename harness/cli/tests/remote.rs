//! A server that runs already is judged as the same server that is started for each trial. Skipped by name where the server is not
//! installed.
mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proofhouse_live::port::Port;

use common::{code, expect_code, peer_script, proofhouse, readings, results, run, stderr, trials};

/// Takeovers, sessions and retained messages: what trials leave to each other.
const MQTT: [&str; 3] = ["MC-03", "mqtt/mc-16-redelivery", "MB-08"];
/// Creates resources, observes them, and reads.
const COAP: [&str; 3] = ["CB-01", "CB-20", "CA-01"];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> String {
    Port::claim().unwrap().keep().to_string()
}

/// `None` where it is not installed.
fn serve(program: &str, args: &[&str]) -> Option<Server> {
    let started = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(child) = started else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    std::thread::sleep(Duration::from_millis(700));
    Some(Server(child))
}

/// The target file of this repository, for one that runs already.
fn elsewhere(file: &str, port: &str) -> String {
    let kept = file.split("[process]").next().unwrap().replace("\"process\"", "\"remote\"");
    let endpoints = &file[file.find("[[endpoint]]").expect("a target speaks somewhere")..];
    format!("{kept}{}", endpoints.replace("{port}", port))
}

/// Verdict of every trial, by scenario and case.
fn verdicts(folder: &Path, out: &str, target: &str, selectors: &[&str]) -> BTreeMap<String, String> {
    let mut words = vec!["run"];
    words.extend(selectors);
    words.extend(["--target", target, "--seed", "5", "--jobs", "4", "-q", "--out", out]);
    let output = run(folder, &words);
    // 6: what a bare URL does not declare may stay undecided.
    assert!([0, 6, 100].contains(&code(&output)), "{}: {}", code(&output), stderr(&output));
    let trials = results(&folder.join(out))["trials"].as_array().expect("a list").clone();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_string();
    let row = |row: &serde_json::Value| {
        (
            format!("{} [{}]", text(row, "scenario"), text(row, "case")),
            format!("{}: {}", text(row, "verdict"), text(row, "reason")),
        )
    };
    trials.iter().map(row).collect()
}

fn verdict(told: &str) -> &str {
    told.split(':').next().unwrap_or_default()
}

/// Compares a server of ours with the same one that runs already, by its target file and by its URL.
fn check(name: &str, file: &str, url: &str, port: &str, selectors: &[&str]) {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("elsewhere.toml"), elsewhere(file, port)).unwrap();
    let ours = verdicts(temp.path(), "ours", name, selectors);
    let by_file = verdicts(temp.path(), "by-file", "elsewhere.toml", selectors);
    let by_url = verdicts(temp.path(), "by-url", url, selectors);
    let passed = ours.values().filter(|told| verdict(told) == "pass").count();
    assert!(passed >= 4, "the selection must say something: {ours:?}");
    for (trial, told) in &ours {
        let other = by_file.get(trial).map_or("", String::as_str);
        assert_eq!(verdict(told), verdict(other), "{trial}\n  ours:      {told}\n  elsewhere: {other}");
        // A bare URL declares nothing, so that what needs a capability may stay undecided; it may not be decided otherwise.
        let bare = by_url.get(trial).map_or("", String::as_str);
        let decided = |told: &str| ["pass", "fail"].contains(&verdict(told));
        assert!(!decided(bare) || verdict(bare) == verdict(told), "{trial}\n  ours: {told}\n  URL:  {bare}");
    }
}

#[test]
fn mosquitto_by_url_and_as_a_process_gives_the_same_verdicts() {
    let port = free_port();
    let Some(_server) = serve("mosquitto", &["-p", &port]) else { return };
    let file = include_str!("../../../targets/mosquitto-default.toml");
    check("mosquitto-default", file, &format!("mqtt://127.0.0.1:{port}"), &port, &MQTT);
}

#[test]
fn libcoap_by_url_and_as_a_process_gives_the_same_verdicts() {
    let port = free_port();
    let Some(_server) = serve("coap-server-notls", &["-A", "127.0.0.1", "-p", &port, "-d", "10"]) else { return };
    let file = include_str!("../../../targets/libcoap.toml");
    check("libcoap", file, &format!("coap://127.0.0.1:{port}"), &port, &COAP);
}

/// Four trials, one after another, on a small broker that does this at its 25th reading: in the second trial, or where the machine is
/// slow in the third.
fn with_an_end(how: &str) -> Vec<(String, String, String)> {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("s")).unwrap();
    std::fs::write(temp.path().join("s/x.toml"), readings("100ms")).unwrap();
    let (port, script) = (free_port(), peer_script("mqtt"));
    let script = script.to_str().expect("a path of this repository");
    let _server = serve("python3", &["-u", script, &port, how]).expect("tests need python3");
    let url = format!("mqtt://127.0.0.1:{port}");
    let words =
        ["run", "x", "--scenarios", "s", "--target", &url, "--seeds", "4", "--replays", "1", "--out", "r", "-q"];
    expect_code(&run(temp.path(), &words), 6);
    trials(&temp.path().join("r"))
}

#[test]
fn a_server_elsewhere_that_dies_midway_fails_nothing_and_passes_nothing_from_then_on() {
    let trials = with_an_end("dies=25");
    let from = trials.iter().position(|(_, verdict, _)| verdict != "pass").expect("it died in one of them");
    assert!(from == 1 || from == 2, "{trials:#?}");
    for (_, verdict, reason) in &trials[from..] {
        assert!(verdict == "inconclusive" && !reason.is_empty(), "{trials:#?}");
    }
    assert!(trials[3].2.contains("could not be opened (refused)"), "{trials:#?}");
}

#[test]
fn a_server_elsewhere_that_is_started_again_midway_is_in_doubt_for_that_trial_only() {
    let trials = with_an_end("restarts=25");
    let doubted: Vec<_> = trials.iter().filter(|(_, verdict, _)| verdict != "pass").collect();
    assert_eq!(doubted.len(), 1, "{trials:#?}");
    // The witness lost its connection in that trial, and in no other one.
    assert!(doubted[0].1 == "inconclusive" && doubted[0].2.contains("witness"), "{trials:#?}");
}

#[test]
fn two_runs_on_one_server_take_turns_and_a_kill_gives_the_turn_away() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("s")).unwrap();
    std::fs::write(temp.path().join("s/x.toml"), readings("100ms")).unwrap();
    let (port, script) = (free_port(), peer_script("mqtt"));
    let script = script.to_str().expect("a path of this repository");
    let _server = serve("python3", &["-u", script, &port]).expect("tests need python3");
    let url = format!("mqtt://127.0.0.1:{port}");
    let words =
        |out| ["run", "x", "--scenarios", "s", "--target", &url, "--seeds", "1", "--replays", "1", "-q", "--out", out];
    let start = |out| {
        let mut command = proofhouse();
        command.args(words(out)).current_dir(temp.path()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (mut first, mut second) = (start("first"), None);
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(20));
        if temp.path().join("first/journal.jsonl").exists() {
            second = Some(start("second"));
            break;
        }
    }
    let second = second.expect("the first run began");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!temp.path().join("second/journal.jsonl").exists(), "it waits");
    let killed = first.id();
    first.kill().unwrap();
    first.wait().unwrap();
    let output = second.wait_with_output().unwrap();
    expect_code(&output, 0);
    let said = stderr(&output);
    assert!(said.contains(&format!("waiting for process {killed}, which runs against 127.0.0.1:{port}")), "{said}");
}
