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

/// The reference broker without an ACL, as its file says: some trials do not apply, one probe refutes nothing, one is not claimed.
const LACKS_ACL: &str = r#"
format = 1
kind = "in-process"
build = "broker"
[[endpoint]]
name = "plain"
protocol = "mqtt"
versions = ["3.1.1", "5"]
address = "127.0.0.1:1883"
claims = ["authenticated"]
lacks = { acl = "not a feature of this product" }
"#;

/// Rows of a run less their times, by number.
fn rows(run: &std::path::Path) -> Vec<serde_json::Value> {
    let mut all = common::results(run)["trials"].as_array().unwrap().clone();
    for row in &mut all {
        row.as_object_mut().unwrap().remove("wall_ms");
    }
    all
}

#[test]
fn a_resumed_or_sharded_run_equals_the_plain_one_row_by_row() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    std::fs::write(t.join("lacks.toml"), LACKS_ACL).unwrap();
    let on = |target: &'static [&str], more: &[&str]| {
        let mut words = vec!["run", "MC-03", "MB-01", "MC-11", "cd-03*", "-q"];
        words.extend(target.iter().chain(more));
        run(t, &words);
    };
    let targets: [&[&str]; 2] = [&["--target", "lacks.toml"], &["--flaw", "keeps-both-sessions"]];
    for (nth, target) in targets.into_iter().enumerate() {
        let name = |part: &str| format!("{nth}-{part}");
        on(target, &["--out", &name("plain")]);
        let plain = rows(&t.join(name("plain")));
        let verdicts: std::collections::BTreeSet<String> = plain.iter().map(|r| r["verdict"].to_string()).collect();
        assert!(verdicts.len() > 1, "the rows must differ: {verdicts:?}");
        parts_equal(&plain, |i| {
            let part = name(&format!("part{i}"));
            on(target, &["--out", &part, "--shard", &format!("{i}/3")]);
            rows(&t.join(part))
        });
        resumed_equal(t, &name("plain"), &plain);
    }
}

#[test]
fn everything_is_tried_with_one_seed_before_anything_with_the_next_and_the_longest_first() {
    let temp = tempfile::tempdir().unwrap();
    // MB-01 listens for a while, MA-13 waits for nothing, and neither is a probe.
    let words = ["run", "MA-13", "MB-01", "--target", "reference", "--seeds", "3", "--jobs", "1", "-q", "--out", "r"];
    run(temp.path(), &words);
    let journal = std::fs::read_to_string(temp.path().join("r/journal.jsonl")).unwrap();
    let lines = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let rows = lines.filter_map(|line| line.get("row").cloned());
    let told: Vec<(u64, bool)> = rows
        .map(|row| (row["seed"].as_u64().unwrap(), row["scenario"].as_str().unwrap().to_owned()))
        .filter(|(_, scenario)| scenario.contains("ma-13") || scenario.contains("mb-01"))
        .map(|(seed, scenario)| (seed, scenario.contains("mb-01")))
        .collect();
    let mut wanted = told.clone();
    wanted.sort_by_key(|&(seed, long)| (seed, !long));
    assert_eq!(told, wanted);
    assert!(told.iter().any(|(_, long)| *long) && told.last().unwrap().0 > told[0].0, "there is an order: {told:?}");
}

/// The rows of the parts are those of the whole, number by number; what stands in several parts is the same in each.
fn parts_equal(plain: &[serde_json::Value], part: impl Fn(u32) -> Vec<serde_json::Value>) {
    let mut all = std::collections::BTreeMap::new();
    for row in (1..=3).flat_map(part) {
        let n = row["n"].as_u64().unwrap();
        let before = all.insert(n, row.clone());
        assert!(before.is_none_or(|before| before == row), "two trials have the number {n}");
    }
    assert_eq!(all.into_values().collect::<Vec<_>>(), plain);
}

/// Cuts the journal after every few lines, as a kill would, and goes on.
fn resumed_equal(t: &std::path::Path, whole: &str, plain: &[serde_json::Value]) {
    let journal = std::fs::read_to_string(t.join(whole).join("journal.jsonl")).unwrap();
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    for keep in (1..=lines.len()).step_by(lines.len().div_ceil(6)) {
        std::fs::write(t.join(whole).join("journal.jsonl"), lines[..keep].concat()).unwrap();
        run(t, &["run", "--resume", whole, "-q"]);
        assert_eq!(rows(&t.join(whole)), plain, "resumed after line {keep} of {}", lines.len());
    }
}
