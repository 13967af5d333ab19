//! What the command line's tests share: the binary, fresh folders, and the fields of what it leaves.
#![allow(dead_code, reason = "each test file uses its part")]
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test.
pub fn proofhouse() -> Command {
    Command::new(env!("CARGO_BIN_EXE_proofhouse"))
}

/// Runs it with these words, in `folder`.
pub fn run(folder: &Path, words: &[&str]) -> Output {
    proofhouse().args(words).current_dir(folder).output().expect("the binary starts")
}

/// Exit code; -1 for a signal.
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// Everything that was printed on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything that was printed on standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The exit code, or a panic that shows what was printed.
#[track_caller]
pub fn expect_code(output: &Output, wanted: i32) {
    assert_eq!(code(output), wanted, "stdout:\n{}\nstderr:\n{}", stdout(output), stderr(output));
}

/// `results.json` of a run.
pub fn results(run: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(run.join("results.json")).expect("a finished run has results.json");
    serde_json::from_str(&text).expect("results.json is JSON")
}

/// Every finding of a run, less what may differ between two runs of it: nothing.
pub fn findings(run: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        results(run)["findings"].as_array().expect("a list").iter().map(ToString::to_string).collect();
    all.sort();
    all
}

/// The folders of a run's findings.
pub fn finding_folders(run: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(run.join("findings")) else { return Vec::new() };
    let mut all: Vec<PathBuf> = listed.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}
