//! What an author of scenarios works with: new, validate, explain, list, schema, completions.
mod common;

use std::path::Path;

use common::{expect_code, run, stderr, stdout};
use serde_json::Value;

/// Runs these words; the exit code, and a text that standard error must hold.
#[track_caller]
fn check(folder: &Path, words: &[&str], wanted: i32, says: &str) {
    let out = run(folder, words);
    expect_code(&out, wanted);
    assert!(stderr(&out).contains(says), "{words:?} must say {says:?}, said:\n{}", stderr(&out));
    assert!(!stderr(&out).contains("bug in Proofhouse"), "{}", stderr(&out));
}

/// Runs these words, which must work; what they print.
#[track_caller]
fn told(folder: &Path, words: &[&str]) -> String {
    let out = run(folder, words);
    expect_code(&out, 0);
    stdout(&out)
}

#[test]
fn each_template_loads_and_is_proven_on_its_twin() {
    let temp = tempfile::tempdir().unwrap();
    for (id, attack) in [("mqtt/mc-99-x", "MC-99"), ("coap/cb-99-x", "CB-99"), ("mixed/first", "")] {
        let printed = told(temp.path(), &["new", "scenario", id]);
        let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("  proofhouse ")).collect();
        assert_eq!(lines.len(), 3, "three commands come next: {printed}");
        let text = std::fs::read_to_string(temp.path().join(format!("scenarios/{id}.toml"))).unwrap();
        assert!(text.contains(&format!("attack   = \"{attack}\"")), "{text}");
        // The first of them, as it was printed.
        let words: Vec<&str> = lines[0].split('#').next().unwrap().split_whitespace().skip(1).collect();
        let said: Value =
            serde_json::from_str(&told(temp.path(), &[&words[..], &["--format", "json"]].concat())).unwrap();
        let counts = &said["total"]["counts"];
        assert!(counts["true_positives"].as_u64() == Some(3) && counts["true_negatives"].as_u64() >= Some(3), "{said}");
        assert_eq!((said["format"].as_u64(), said["finished"].as_bool()), (Some(1), Some(true)));
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_lands_elsewhere() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    told(t, &["new", "scenario", "a/b", "--attack", "MA-01", "--out", "s"]);
    check(t, &["new", "scenario", "a/b", "--out", "s"], 8, "is there already, and nothing is overwritten");
    check(t, &["new", "scenario", "mqtt/mc-03-takeover"], 2, "already");
    for id in ["../x", "/x", "A/b", "a//b", "", "_x", "guidance/x", "a b"] {
        check(t, &["new", "scenario", id], 2, "is no id");
    }
    told(t, &["new", "target", "mine", "--program", "./it"]);
    check(t, &["new", "target", "mine"], 8, "nothing is overwritten");
    check(t, &["new", "target", "mosquitto"], 2, "already");
    check(t, &["new", "target", "../x"], 2, "is no name");
    check(t, &["new", "target", "x", "--url", "http://127.0.0.1"], 2, "mqtt");
    check(t, &["new", "target", "x", "--url", "mqtt://127.0.0.1:1883", "--protocol", "coap"], 2, "--protocol");
    check(t, &["new", "target", "x", "--url", "mqtt://127.0.0.1:1883", "--program", "x"], 2, "--program");
    std::fs::write(t.join("file"), "").unwrap();
    check(t, &["new", "scenario", "a/c", "--out", "file"], 8, "cannot write");
    let mut left: Vec<_> = std::fs::read_dir(t).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["file", "mine.toml", "s"]);
}

#[test]
fn a_new_target_file_of_either_kind_and_protocol_loads() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    for (name, words) in [
        ("p", &["--program", "/usr/bin/it's \"here\"", "--arg=-c", "--arg={config}"][..]),
        ("pc", &["--program", "x", "--protocol", "coap"]),
        ("r", &["--url", "mqtt://127.0.0.1:1883"]),
        ("rc", &["--url", "coap://127.0.0.1:5683"]),
    ] {
        told(t, &[&["new", "target", name][..], words].concat());
        let attack = if name.ends_with('c') { "CD-06" } else { "MC-03" };
        told(t, &["run", attack, "--target", &format!("./{name}.toml"), "--dry-run"]);
    }
}

#[test]
fn a_validation_counts_what_is_missed_and_what_is_blamed_wrongly() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    told(t, &["new", "scenario", "mqtt/x"]);
    let file = t.join("scenarios/mqtt/x.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let validate =
        |words: &[&str]| run(t, &[&["validate", "mqtt/x", "--scenarios", "scenarios", "--seeds", "2"], words].concat());

    // A flaw that the scenario cannot see: every (twin, seed) is a false negative.
    std::fs::write(&file, text.replace("keeps-both-sessions", "forgets-retained")).unwrap();
    let out = validate(&["--format", "json"]);
    expect_code(&out, 6);
    let said: Value = serde_json::from_str(&stdout(&out)).unwrap();
    let total = &said["total"];
    assert_eq!((&total["counts"]["false_negatives"], &total["sensitivity"]["k"]), (&2.into(), &0.into()), "{said}");
    assert_eq!(total["sensitivity"]["lower_95"].as_f64(), Some(0.0));
    let out = validate(&[]);
    expect_code(&out, 6);
    assert!(
        stdout(&out).contains("WRONG") && stdout(&out).contains("did not fail: session-exclusive"),
        "{}",
        stdout(&out)
    );

    // A rule that the clean reference breaks: every (case, seed) is a false positive.
    let strict = text.replace("{ closed = true }, { type = \"disconnect\", reason = 0x8E }", "{ type = \"pingresp\" }");
    std::fs::write(&file, strict.replace("[twin]", "[[expect]]\noracle = \"answer-in-set\"\nof = \"second\"\n[twin]"))
        .unwrap();
    let out = validate(&["--format", "json", "--out", "v.json"]);
    expect_code(&out, 6);
    assert_eq!(stdout(&out), "");
    let said: Value = serde_json::from_str(&std::fs::read_to_string(t.join("v.json")).unwrap()).unwrap();
    assert_eq!(said["total"]["counts"]["false_positives"], 4, "two versions, two seeds: {said}");

    check(t, &["validate", "mc-03*", "--out", "absent/v.txt", "--seeds", "1"], 8, "cannot write");
    check(t, &["validate", "mqtt/mc-03-takeovr"], 4, "did you mean");
    check(t, &["validate", "--seeds", "0"], 2, "--seeds");
    check(t, &["validate", "--format", "xml"], 2, "json");
}

#[test]
fn a_validation_says_the_same_on_one_thread_and_on_many() {
    let folder = Path::new(".");
    let with =
        |jobs: &str| told(folder, &["validate", "mqtt/m[bc]-0[13]-[tw]*", "--seeds", "1", "--rows", "--jobs", jobs]);
    let one = with("1");
    assert!(
        one.contains("mqtt/mc-03-takeover") && one.contains("mqtt/mb-01-wildcard") && one.contains("at least"),
        "{one}"
    );
    assert_eq!(one, with("4"));
}

#[test]
fn every_name_that_is_listed_is_explained() {
    let folder = Path::new(".");
    for what in ["verbs", "behaviours", "flaws", "oracles", "targets"] {
        let listed = told(folder, &["list", what]);
        let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(names.len() >= 3, "{what}: {listed}");
        for name in [names[0], names[names.len() / 2], names[names.len() - 1]] {
            assert!(told(folder, &["explain", name]).contains(name), "{name}");
        }
    }
    assert!(told(folder, &["list", "capabilities"]).contains("admin.revoke"));
    assert!(told(folder, &["list", "cases"]).contains("mqtt.property-matrix"));
    check(folder, &["list", "verb"], 2, "verbs");
}

#[test]
fn explain_knows_flaws_with_their_scenarios_and_every_key_of_the_templates() {
    let folder = Path::new(".");
    let said = told(folder, &["explain", "keeps-both-sessions"]);
    assert!(said.contains("mqtt/mc-03-takeover must fail session-exclusive"), "{said}");
    assert!(told(folder, &["explain", "dedup-missing"]).contains("--target reference-coap --flaw dedup-missing"));
    for key in [
        "format",
        "guidance",
        "cvss",
        "may",
        "as",
        "step",
        "conn",
        "client_id",
        "part",
        "any",
        "of",
        "within",
        "bind",
        "rise",
        "twin",
        "plays",
    ] {
        assert!(told(folder, &["explain", key]).contains(key), "{key}");
    }
    assert!(told(folder, &["explain", "every"]).contains("behaviour = \"telemetry\""));
    assert!(told(folder, &["explain", "how-to"]).contains("proofhouse new scenario"));
    check(folder, &["explain", "guidence"], 4, "did you mean \"guidance\"?");
}

#[test]
fn schemas_completions_and_manual_pages_are_printed() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    for of in ["scenario", "target", "results"] {
        let schema: Value = serde_json::from_str(&told(t, &["schema", of])).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["properties"]["format"]["description"].as_str().is_some(), "{of}");
    }
    check(t, &["schema", "scenarios"], 2, "scenario");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(told(t, &["completions", shell]).contains("validate"), "{shell}");
    }
    check(t, &["completions", "csh"], 2, "bash");
    told(t, &["man", "--out", "pages"]);
    assert!(std::fs::read_to_string(t.join("pages/proofhouse-validate.1")).unwrap().contains("Sensitivity"));
}
