//! A finding is what somebody else can see again.
mod common;

use common::{code, expect_code, finding_folders, results, run, stdout};

#[test]
fn a_planted_flaw_becomes_a_finding_that_replays_until_it_is_gone() {
    let temp = tempfile::tempdir().unwrap();
    let out = run(
        temp.path(),
        &["run", "MC-03", "--target", "reference", "--flaw", "keeps-both-sessions", "--out", "r", "-q"],
    );
    expect_code(&out, 100);
    let folders = finding_folders(&temp.path().join("r"));
    assert_eq!(folders.len(), 2, "one finding per version, since each breaks its own clause: {folders:?}");
    let finding = folders[0].to_str().unwrap();

    let again = run(temp.path(), &["replay", finding]);
    expect_code(&again, 100);
    assert!(stdout(&again).contains("exact: 3 of 3"), "{}", stdout(&again));

    let fixed = run(temp.path(), &["replay", finding, "--target", "reference"]);
    expect_code(&fixed, 0);
    assert!(stdout(&fixed).contains("0 of 3"), "{}", stdout(&fixed));
}

#[test]
fn the_clean_reference_is_spared() {
    let temp = tempfile::tempdir().unwrap();
    let out = run(temp.path(), &["run", "--target", "reference", "--seeds", "2", "--out", "r", "-q"]);
    expect_code(&out, 0);
    let results = results(&temp.path().join("r"));
    assert!(results["findings"].as_array().unwrap().is_empty());
    for trial in results["trials"].as_array().unwrap() {
        assert_eq!(trial["verdict"], "pass", "{trial}");
    }
}

#[test]
fn two_processes_leave_one_transcript() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        expect_code(
            &run(temp.path(), &["run", "MC-11", "--target", "reference", "--out", name, "-q", "--seed", "7"]),
            0,
        );
    }
    let digests = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(temp.path().join(name).join("journal.jsonl")).unwrap();
        let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        let mut all: Vec<String> =
            lines.filter_map(|l| Some(format!("{} {}", l["row"]["n"], l["transcript"].as_str()?))).collect();
        all.sort(); // trials are journalled in the order in which they end
        all
    };
    let (a, b) = (digests("a"), digests("b"));
    assert!(!a.is_empty() && a == b, "{a:?} {b:?}");
}

#[test]
fn stored_transcripts_are_judged_as_before() {
    let temp = tempfile::tempdir().unwrap();
    run(
        temp.path(),
        &["run", "mqtt/mc-*", "--target", "reference", "--flaw", "keeps-both-sessions", "--out", "r", "-q"],
    );
    expect_code(&run(temp.path(), &["judge", "r"]), 0);
    // One byte changed in a kept transcript is noticed.
    let trial = std::fs::read_dir(temp.path().join("r/trials")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(trial.join("transcript.jsonl.gz"), b"not a transcript").unwrap();
    assert_eq!(code(&run(temp.path(), &["judge", "r"])), 7);
}

/// The reference broker, and a file that says that it keeps no sessions.
const DENIES_SESSIONS: &str = r#"
format = 1
kind = "in-process"
build = "broker"
[[endpoint]]
name = "plain"
protocol = "mqtt"
versions = ["3.1.1", "5"]
address = "127.0.0.1:1883"
claims = ["authenticated", "acl"]
lacks = { sessions = "not a feature of this product" }
"#;

#[test]
fn a_declaration_that_a_probe_refutes_is_a_finding_that_replays() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("denies.toml"), DENIES_SESSIONS).unwrap();
    let out = run(temp.path(), &["run", "MC-11", "--target", "denies.toml", "--out", "r", "-q"]);
    expect_code(&out, 100);
    let results = results(&temp.path().join("r"));
    let finding = &results["findings"][0];
    assert_eq!((&finding["oracle"], &finding["kind"]), (&"declaration".into(), &"config".into()), "{finding}");
    assert_eq!((&finding["verdict"], &finding["replay"]), (&"fail".into(), &"exact".into()), "{finding}");
    let folder = finding_folders(&temp.path().join("r"));
    expect_code(&run(temp.path(), &["replay", folder[0].to_str().unwrap()]), 100);
}

#[test]
fn a_finding_that_cannot_be_decided_is_not_fixed() {
    let temp = tempfile::tempdir().unwrap();
    let flaw = "keeps-both-sessions";
    expect_code(&run(temp.path(), &["run", "MC-03", "--target", "reference", "--flaw", flaw, "--out", "r", "-q"]), 100);
    let folder = finding_folders(&temp.path().join("r"));
    // Nobody answers there: that both connections are not seen to stand says nothing.
    expect_code(&run(temp.path(), &["replay", folder[0].to_str().unwrap(), "--target", "blank-mute"]), 6);
}

/// Fails on every third start, counted outside its fresh folder.
#[cfg(feature = "embedded")]
const FLAKY: &str = r#"
format = 1
kind = "process"
[process]
program = "/bin/sh"
args = ["-c", "n=$(cat COUNT 2>/dev/null || echo 0); n=$((n + 1)); echo $n > COUNT; if [ $((n % 3)) -eq 0 ]; then set -- --flaw keeps-both-sessions; fi; exec BINARY serve reference --port {port} --accounts {accounts} \"$@\""]
ready = { tcp = "127.0.0.1:{port}", within = "10s" }
[process.files]
accounts = ""
[[endpoint]]
name = "plain"
protocol = "mqtt"
versions = ["3.1.1", "5"]
address = "127.0.0.1:{port}"
claims = ["authenticated", "acl", "sessions"]
[account]
add = { append = "user {name} {password}\n", to = "{accounts}" }
grant.publish = { append = "publish {name} {filter}\n", to = "{accounts}" }
grant.subscribe = { append = "subscribe {name} {filter}\n", to = "{accounts}" }
"#;

#[cfg(feature = "embedded")]
#[test]
fn k_of_n_is_counted() {
    let temp = tempfile::tempdir().unwrap();
    let count = temp.path().join("count");
    let text = FLAKY.replace("COUNT", count.to_str().unwrap()).replace("BINARY", env!("CARGO_BIN_EXE_proofhouse"));
    std::fs::write(temp.path().join("flaky.toml"), text).unwrap();
    // The preflight is the first start, so the first trial is the second; case 5 alone is one trial: begin so that it fails.
    std::fs::write(&count, "1").unwrap();
    let out =
        run(temp.path(), &["run", "MC-03", "--case", "5", "--target", "flaky.toml", "--out", "r", "-q", "--jobs", "1"]);
    expect_code(&out, 6);
    let results = results(&temp.path().join("r"));
    let finding = &results["findings"][0];
    assert_eq!(finding["verdict"], "inconclusive", "one failure in three is a suspicion: {finding}");
    assert_eq!(finding["replay"], "1 of 3", "{finding}");

    let folder = finding_folders(&temp.path().join("r"));
    let again = run(temp.path(), &["replay", folder[0].to_str().unwrap(), "--times", "10"]);
    let said = stdout(&again);
    assert!(said.contains(" 3 of 10") || said.contains(" 4 of 10"), "{said}");
    expect_code(&again, 100);
}
