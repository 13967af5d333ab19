//! `kill -9` at any moment: nothing found is lost, and a resumed run finds what an uninterrupted one finds.
mod common;

use std::process::{Child, Stdio};
use std::time::Duration;

use common::{expect_code, findings, proofhouse, run};
use proofhouse_core::seed::Seed;

/// A selection with several findings.
fn words(out: &str) -> Vec<&str> {
    let flaws = ["--flaw", "keeps-both-sessions", "--flaw", "publish-before-connect"];
    let mut all = vec!["run", "MC-03", "MA-13", "MC-11", "MA-01", "MB-01", "--target", "reference"];
    all.extend(flaws);
    all.extend(["--seeds", "4", "--jobs", "2", "-q", "--out", out]);
    all
}

fn start(folder: &std::path::Path, words: &[&str]) -> Child {
    proofhouse().args(words).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_run_killed_at_twenty_random_points_finds_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let watch = Duration::from_millis(whole_run(temp.path()));
    let wanted = findings(&temp.path().join("whole"));
    assert!(wanted.len() >= 2, "the selection must have findings: {wanted:?}");
    let mut rng = Seed(20).stream("kill", 0);
    let mut killed = 0;
    for nth in 0..20 {
        let name = format!("k{nth}");
        let mut child = start(temp.path(), &words(&name));
        std::thread::sleep(Duration::from_micros(rng.below(watch.as_micros().max(1) as u64)));
        let _ = child.kill();
        killed += u32::from(child.wait().unwrap().code().is_none());
        let folder = temp.path().join(&name);
        // Killed before its folder was there: there is nothing to resume, and nothing was found.
        if folder.join("journal.jsonl").exists() && folder.join("run.json").exists() {
            expect_code(&run(temp.path(), &["run", "--resume", &name, "-q"]), 100);
            assert_eq!(findings(&folder), wanted, "killed at point {nth}");
        }
    }
    assert!(killed >= 10, "only {killed} of 20 kills fell inside the run");
}

/// Runs it once without a kill; how long it took, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "the kills must fall inside the run, wherever it is run")]
fn whole_run(folder: &std::path::Path) -> u64 {
    let began = std::time::Instant::now();
    expect_code(&run(folder, &words("whole")), 100);
    u64::try_from(began.elapsed().as_millis()).unwrap()
}

#[test]
fn another_selection_is_not_resumed() {
    let temp = tempfile::tempdir().unwrap();
    run(temp.path(), &["run", "MC-03", "--target", "reference", "--out", "r", "-q"]);
    let text = std::fs::read_to_string(temp.path().join("r/run.json")).unwrap().replace("MC-03", "MC-11");
    std::fs::write(temp.path().join("r/run.json"), text).unwrap();
    let out = run(temp.path(), &["run", "--resume", "r", "-q"]);
    expect_code(&out, 2);
    assert!(common::stderr(&out).contains("not those that the run began with"), "{}", common::stderr(&out));
}
