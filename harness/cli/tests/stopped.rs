//! Our own lateness is never the target's: a harness that is stopped while trials run (a suspended laptop, a loaded machine) has nothing
//! to say against a good server.
mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{proofhouse, results};

/// How long the harness is stopped: longer than most deadlines of scenarios.
const STOP: Duration = Duration::from_secs(3);
/// Stops of one run: more would make it last.
const STOPS: u32 = 3;

/// Runs these words in `folder`, and stops our process, not the target's, again and again while it is at work. How often that was.
fn run_with_stops(folder: &Path, words: &[&str], awake: Duration) -> u32 {
    let mut child = proofhouse();
    let child = child.args(words).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().expect("the binary starts");
    for stops in 0..STOPS {
        sleep(awake);
        if child.try_wait().expect("our own child").is_some() {
            return stops;
        }
        signal(&child, "STOP");
        sleep(STOP);
        signal(&child, "CONT");
    }
    child.wait().expect("our own child");
    STOPS
}

/// The main process only: the target is in a group of its own and goes on.
fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().expect("`kill` is there");
    assert!(sent.success(), "SIG{name} must reach process {}", child.id());
}

/// A run with stops, in which no trial may fail.
fn check(target: &str, scenarios: [&str; 2], awake: u64) {
    let temp = tempfile::tempdir().unwrap();
    let words: Vec<&str> =
        ["run"].into_iter().chain(scenarios).chain(["--target", target, "--out", "r", "-q"]).collect();
    let stops = run_with_stops(temp.path(), &words, Duration::from_millis(awake));
    assert!(stops > 0, "{target}: the run was over before it was stopped");
    let results = results(&temp.path().join("r"));
    let trials = results["trials"].as_array().expect("a list");
    assert!(!trials.is_empty(), "{target}: nothing was run");
    let failed: Vec<_> = trials.iter().filter(|trial| trial["verdict"] == "fail").collect();
    assert!(failed.is_empty(), "{target}: {failed:#?}");
    assert_eq!(results["findings"].as_array().map(Vec::len), Some(0), "{target}: {:#?}", results["findings"]);
}

#[test]
fn a_harness_that_is_stopped_for_three_seconds_has_nothing_to_say_against_a_good_server() {
    // 0.7 s: at work on the first trials; 1.9 s: in the middle of others. Side by side, since a stopped harness takes time and no processor.
    std::thread::scope(|scope| {
        for (target, scenarios, awake) in [
            ("reference-live", ["mqtt/mc-03-takeover", "mqtt/ma-13-before-connect"], 700),
            ("reference-live", ["mqtt/mc-11-repeated-qos2", "mqtt/mb-01-wildcard"], 1_900),
            ("reference-coap-live", ["coap/cd-01-version-and-token", "coap/cb-01-duplicate-post"], 1_100),
        ] {
            scope.spawn(move || check(target, scenarios, awake));
        }
    });
}
