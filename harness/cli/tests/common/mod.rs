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

/// A small server of `tests/peers` in Python, as a target file. `process` goes into its table `[process]`; `words` tell the server what it
/// does wrong.
pub fn peer(protocol: &str, process: &str, words: &[&str]) -> String {
    let script = peer_script(protocol);
    let words: String = words.iter().map(|word| format!(", \"{word}\"")).collect();
    let ready = if protocol == "coap" { "udp" } else { "tcp" };
    let versions = if protocol == "coap" { "" } else { "versions = [\"3.1.1\", \"5\"]\n" };
    format!(
        "format = 1\nkind = \"process\"\n[process]\nprogram = \"python3\"\nargs = [\"-u\", \"{}\", \"{{port}}\"{words}]\n\
         ready = {{ {ready} = \"127.0.0.1:{{port}}\", within = \"20s\" }}\n{process}\n\
         [[endpoint]]\nname = \"plain\"\nprotocol = \"{protocol}\"\n{versions}address = \"127.0.0.1:{{port}}\"\n",
        script.display()
    )
}

/// Where the small server of a protocol stands.
pub fn peer_script(protocol: &str) -> PathBuf {
    let name = if protocol == "coap" { "coap.py" } else { "broker.py" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// Of every trial of a run: scenario and case, verdict, and the reason.
pub fn trials(run: &Path) -> Vec<(String, String, String)> {
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_string();
    let row = |row: &serde_json::Value| {
        (format!("{} [{}]", text(row, "scenario"), text(row, "case")), text(row, "verdict"), text(row, "reason"))
    };
    results(run)["trials"].as_array().expect("a list").iter().map(row).collect()
}

/// A scenario in which a client reads out for two seconds, and whose readings are the attack.
pub fn readings(every: &str) -> String {
    format!(
        r#"
format   = 1
title    = "Readings"
attack   = "XX-02"
level    = "must"
protocol = "mqtt"
version  = ["5"]
limit    = "40s"
[fleet.known]
behaviour = "script"
step = [ {{ do = "connect", expect = {{ type = "connack", reason = 0 }}, part = "control" }}, {{ do = "disconnect" }} ]
[fleet.meter]
behaviour = "telemetry"
topic     = "site/{{id}}"
every     = "{every}"
for       = "2s"
part      = "stimulus"
"#
    )
}
