//! A finding is what somebody else can see again.
mod common;

use std::collections::{BTreeMap, BTreeSet};

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
fn what_the_journal_does_not_vouch_for_is_neither_replayed_nor_reported() {
    let temp = tempfile::tempdir().unwrap();
    let words = ["run", "MC-03", "--target", "reference", "--flaw", "keeps-both-sessions", "--out", "r", "-q"];
    expect_code(&run(temp.path(), &words), 100);
    let folder = &finding_folders(&temp.path().join("r"))[0];
    let again = || run(temp.path(), &["replay", folder.to_str().unwrap(), "--times", "1"]);
    for file in ["finding.toml", "scenario.toml"] {
        let before = std::fs::read_to_string(folder.join(file)).unwrap();
        let told = "A reused client id";
        assert!(before.contains(told), "{before}");
        std::fs::write(folder.join(file), before.replacen(told, "Not so", 1)).unwrap();
        let out = again();
        expect_code(&out, 7);
        assert!(common::stderr(&out).contains(&format!("{file} is not the one that")), "{}", common::stderr(&out));
        expect_code(&run(temp.path(), &["report", "r", "--format", "md"]), 0);
        assert!(!std::fs::read_to_string(temp.path().join("r/report.md")).unwrap().contains("Not so"));
        std::fs::write(folder.join(file), before).unwrap();
        expect_code(&again(), 100);
    }
    let target = temp.path().join("r/targets/reference.toml");
    let before = std::fs::read_to_string(&target).unwrap();
    std::fs::write(&target, format!("{before}\n# edited\n")).unwrap();
    expect_code(&again(), 7);
    std::fs::write(&target, before).unwrap();
    expect_code(&run(temp.path(), &["shrink", folder.to_str().unwrap(), "--budget", "5"]), 0);
    expect_code(&again(), 100);
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
        &[
            "run",
            "mqtt/mc-*",
            "--target",
            "reference",
            "--flaw",
            "keeps-both-sessions",
            "--flaw",
            "session-ignores-identity",
            "--out",
            "r",
            "-q",
        ],
    );
    expect_code(&run(temp.path(), &["judge", "r"]), 0);
    // One byte changed in a kept transcript is noticed.
    let listed = std::fs::read_dir(temp.path().join("r/trials")).unwrap().map(|entry| entry.unwrap().path());
    let trial = listed.into_iter().find(|path| path.is_dir()).expect("a trial failed");
    let transcript = trial.join("transcript.jsonl.gz");
    let whole = std::fs::read(&transcript).unwrap();
    std::fs::write(&transcript, b"not a transcript").unwrap();
    assert_eq!(code(&run(temp.path(), &["judge", "r"])), 7);
    std::fs::write(&transcript, whole).unwrap();
    // Nor is anything judged that was not journalled: another plan, another target file, another control arm.
    let arm = std::fs::read_dir(temp.path().join("r/trials")).unwrap().map(|entry| entry.unwrap().path());
    let arm = arm.into_iter().map(|trial| trial.join("control.jsonl.gz")).find(|control| control.exists());
    let plan = trial.join("plan.toml");
    let target = temp.path().join("r/targets/reference.toml");
    let changed = |text: &[u8]| [text, b"\n# changed\n"].concat();
    for (file, what) in [(Some(plan), "the plan"), (Some(target), "the target file"), (arm, "the control arm")] {
        let file = file.unwrap_or_else(|| panic!("no failing trial of this selection kept {what}"));
        let before = std::fs::read(&file).unwrap();
        let after = if what == "the control arm" { std::fs::read(&transcript).unwrap() } else { changed(&before) };
        std::fs::write(&file, after).unwrap();
        let out = run(temp.path(), &["judge", "r"]);
        expect_code(&out, 7);
        assert!(
            common::stderr(&out).contains(&format!("{what} is not the one that was journalled")),
            "{what}: {}",
            common::stderr(&out)
        );
        std::fs::write(&file, before).unwrap();
    }
    expect_code(&run(temp.path(), &["judge", "r"]), 0);
    // Those that passed lie in one file; where the end was torn off, the file is named, and the others are judged
    // as before.
    let passed = temp.path().join("r/trials/passed.jsonl.gz");
    let bytes = std::fs::read(&passed).unwrap();
    std::fs::write(&passed, &bytes[..bytes.len() - 1]).unwrap();
    let torn = run(temp.path(), &["judge", "r"]);
    expect_code(&torn, 7);
    assert!(stdout(&torn).contains("0 otherwise, 1 without a kept transcript"), "{}", stdout(&torn));
    assert!(stdout(&torn).contains("passed.jsonl.gz is damaged: it does not read from byte"), "{}", stdout(&torn));
    // What was never kept is missed, and nothing is damaged.
    std::fs::remove_file(&passed).unwrap();
    expect_code(&run(temp.path(), &["judge", "r"]), 6);
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
const FLAKY: &str = r#"n=$(cat COUNT 2>/dev/null || echo 0); n=$((n + 1)); echo $n > COUNT; if [ $((n % 3)) -eq 0 ]; then set -- --flaw keeps-both-sessions; fi; exec BINARY serve reference --port {port} --accounts {accounts} "$@""#;

#[cfg(feature = "embedded")]
#[test]
fn k_of_n_is_counted() {
    let temp = tempfile::tempdir().unwrap();
    let count = temp.path().join("count");
    let shell = FLAKY.replace("COUNT", count.to_str().unwrap());
    std::fs::write(temp.path().join("flaky.toml"), reference_in(&shell)).unwrap();
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

/// Starts twice, for the preflight and for the one trial.
#[cfg(feature = "embedded")]
#[test]
fn replays_of_a_target_that_does_not_start_are_not_counted_against_a_finding() {
    let temp = tempfile::tempdir().unwrap();
    let count = temp.path().join("count");
    let flaw = "if [ $((n % 3)) -eq 0 ]; then set -- --flaw keeps-both-sessions; fi";
    assert!(FLAKY.contains(flaw));
    let shell = FLAKY.replace(flaw, "if [ $n -gt 2 ]; then exit 3; fi; set -- --flaw keeps-both-sessions");
    let shell = shell.replace("COUNT", count.to_str().unwrap());
    std::fs::write(temp.path().join("twice.toml"), reference_in(&shell)).unwrap();
    let words = ["run", "MC-03", "--case", "5", "--target", "twice.toml", "--out", "r", "-q", "--jobs", "1"];
    expect_code(&run(temp.path(), &words), 6);
    let results = results(&temp.path().join("r"));
    let finding = &results["findings"][0];
    assert_eq!(
        (&finding["verdict"], &finding["replay"]),
        (&"inconclusive".into(), &"not replayed".into()),
        "{finding}"
    );
    let why = finding["not_replayed"].as_array().expect("each says why");
    assert!(why.len() == 3 && why.iter().all(|why| why.as_str().unwrap().contains("exit code 3")), "{finding}");
    let reason = results["trials"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("unconfirmed: none of 3 replays took place"), "{reason}");
}

/// Ends itself in every trial with another random word; the second time around by another signal, where `again` exists.
#[cfg(feature = "embedded")]
const ABORTS: &str = r#"BINARY serve reference --port {port} --accounts {accounts} --flaw exits-on-malformed; echo "panic: $(tr -dc a-z </dev/urandom | head -c 12)" >&2; if [ -e AGAIN ]; then kill -SEGV $$; fi; kill -ABRT $$"#;

#[cfg(feature = "embedded")]
#[test]
fn a_crash_with_random_last_words_is_one_finding_and_another_crash_is_not_its_end() {
    let temp = tempfile::tempdir().unwrap();
    let again = temp.path().join("again");
    let shell = ABORTS.replace("AGAIN", again.to_str().unwrap());
    std::fs::write(temp.path().join("aborts.toml"), reference_in(&shell)).unwrap();
    let words = ["run", "mqtt/me-02*", "--case", "*subscribe*", "--target", "aborts.toml", "--out", "r", "-q"];
    let out = run(temp.path(), &words);
    let results = results(&temp.path().join("r"));
    let crashes: Vec<_> = results["findings"].as_array().unwrap().iter().filter(|f| f["kind"] == "crash").collect();
    assert!(!crashes.is_empty(), "{} {}", common::stderr(&out), results["trials"]);
    for crash in &crashes {
        assert_eq!((&crash["verdict"], &crash["replay"]), (&"fail".into(), &"3 of 3".into()), "{crash}");
        assert!(crash["title"].as_str().unwrap().starts_with("The target ended by itself: signal 6"), "{crash}");
    }
    let folder = temp.path().join("r").join(crashes[0]["path"].as_str().unwrap());
    expect_code(&run(temp.path(), &["replay", folder.to_str().unwrap(), "--times", "1"]), 100);

    std::fs::write(&again, "").unwrap();
    let other = run(temp.path(), &["replay", folder.to_str().unwrap(), "--times", "2"]);
    expect_code(&other, 100);
    assert!(stdout(&other).contains("2 of 2 show another failure of no-crash"), "{}", stdout(&other));
    assert!(stdout(&other).contains("0 of 2"), "{}", stdout(&other));
}

#[test]
fn every_file_of_a_run_has_a_name_that_any_system_takes() {
    let temp = tempfile::tempdir().unwrap();
    let url = format!("mqtt://127.0.0.1:{}", closing_port());
    run(temp.path(), &["run", "MC-03", "--case", "5*", "--target", &url, "--out", "r", "-q", "--replays", "1"]);
    let mut open = vec![temp.path().join("r")];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')), "{name:?}");
            seen += 1;
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    assert!(seen > 5, "only {seen} files");
}

/// The target file of the reference broker as this shell script starts it.
#[cfg(feature = "embedded")]
fn reference_in(shell: &str) -> String {
    let shell = shell.replace("BINARY", env!("CARGO_BIN_EXE_proofhouse"));
    format!("format = 1\nkind = \"process\"\n[process]\nprogram = \"/bin/sh\"\nargs = [\"-c\", {shell:?}]\n{REFERENCE}")
}

/// All of its file but how it is started.
#[cfg(feature = "embedded")]
const REFERENCE: &str = r#"
ready = { tcp = "127.0.0.1:{port}", within = "30s" }
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

/// A port at which every connection is closed at once.
fn closing_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// Two clients whose answers are wrong each in its own way, and which stay too long for their failures to be cut down.
const TWO_FAILURES: &str = r#"
format   = 1
title    = "Two failures of one trial"
attack   = "XX-06"
level    = "must"
protocol = "mqtt"
version  = ["5"]
limit    = "20s"
[party.user]
may = { publish = ["a"], subscribe = ["a"] }
[fleet.pings]
as = "user"
behaviour = "script"
step = [
  { do = "connect", client_id = "pings", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "send", frame = { type = "pingreq" }, part = "stimulus", expect = { type = "disconnect" }, within = "2500ms" },
]
[fleet.subscribes]
as = "user"
behaviour = "script"
step = [
  { do = "connect", client_id = "subscribes", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "send", frame = { type = "subscribe", packet_id = 3, filters = ["a"] }, part = "stimulus", expect = { type = "disconnect" }, within = "2500ms" },
]
[[expect]]
oracle = "answer-in-set"
of = "pings"
[[expect]]
oracle = "answer-in-set"
of = "subscribes"
"#;

/// The transcripts of the replays of each failure of a scenario on a live target.
fn replays(scenario: &str) -> Vec<BTreeSet<String>> {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("s")).unwrap();
    std::fs::write(temp.path().join("s/x.toml"), scenario).unwrap();
    let words =
        ["run", "x", "--scenarios", "s", "--target", "reference-live", "--out", "r", "-q", "--fail-on", "should"];
    expect_code(&run(temp.path(), &words), 100);
    let text = std::fs::read_to_string(temp.path().join("r/journal.jsonl")).unwrap();
    let mut replays: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        if line["nth"].is_u64() && line["reproduced"] == true {
            let word = |key: &str| line[key].as_str().unwrap().to_owned();
            replays.entry(word("signature")).or_default().insert(word("transcript"));
        }
    }
    replays.into_values().collect()
}

#[test]
fn replays_serve_every_failure_of_their_trial() {
    let each = replays(TWO_FAILURES);
    assert!(matches!(&each[..], [a, b] if a == b && a.len() == 3), "{each:?}");
}

#[test]
fn what_takes_long_is_replayed_as_often_as_decides_it() {
    let each = replays(&TWO_FAILURES.replace("2500ms", "7s"));
    assert!(matches!(&each[..], [a, b] if a == b && a.len() == 2), "{each:?}");
}
