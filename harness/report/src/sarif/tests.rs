use serde_json::Value;

use super::*;
use crate::samples;

fn log(run: &Run) -> Value {
    let text = sarif(run);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
#[ignore = "writes the golden file anew"]
fn write_golden() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sarif/golden.sarif");
    std::fs::write(path, sarif(&samples::run())).expect("the golden file is written");
}

#[test]
fn the_document_is_as_it_was() {
    assert_eq!(sarif(&samples::run()), include_str!("golden.sarif"), "\n{}", sarif(&samples::run()));
}

#[test]
fn the_level_follows_the_scenarios() {
    let log = log(&samples::run());
    let results = &log["runs"][0]["results"];
    assert_eq!((&results[0]["level"], &results[1]["level"]), (&json!("error"), &json!("warning")));
    assert_eq!(results[0]["kind"], "fail");
    assert_eq!(level(Level::Hardening), "note");
}

#[test]
fn a_suspicion_is_for_review_and_claims_no_level() {
    let mut run = samples::run();
    run.findings[0].spared = Some(Spared::Suspicion);
    let log = log(&run);
    let result = &log["runs"][0]["results"][0];
    assert_eq!((&result["kind"], &result["level"]), (&json!("review"), &json!("none")));
}

#[test]
fn what_the_target_file_accepts_is_suppressed_with_its_reason() {
    let mut run = samples::run();
    run.findings[0].spared = Some(Spared::Accepted("fixed in March".into()));
    let log = log(&run);
    let results = &log["runs"][0]["results"];
    assert_eq!(results[0]["suppressions"][0]["justification"], "fixed in March");
    assert!(results[1].get("suppressions").is_none() && results[1].get("baselineState").is_none());
}

#[test]
fn with_a_baseline_every_result_is_old_or_new() {
    let mut run = samples::run();
    run.findings[0].spared = Some(Spared::Baseline);
    let log = log(&run);
    let results = &log["runs"][0]["results"];
    assert_eq!((&results[0]["baselineState"], &results[1]["baselineState"]), (&json!("unchanged"), &json!("new")));
}

#[test]
fn the_fingerprint_is_the_signature() {
    let run = samples::run();
    let log = log(&run);
    let print = &log["runs"][0]["results"][0]["partialFingerprints"];
    assert_eq!(print["proofhouseSignature/v1"], run.findings[0].finding.signature.0);
}

#[test]
fn undecided_trials_are_notifications() {
    let log = log(&samples::run());
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    let texts: Vec<&str> =
        notes.as_array().expect("a list").iter().filter_map(|n| n["message"]["text"].as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts.contains(&"1 trial not run, such as mqtt/mb-04-publish: needs 2 accounts"), "{texts:?}");
}

#[test]
fn text_from_outside_stays_text_and_paths_stay_paths() {
    let text = sarif(&samples::hostile());
    for raw in ["\u{1b}", "\u{202e}"] {
        assert!(!text.contains(raw), "{raw:?} is raw in\n{text}");
    }
    for uri in text.lines().filter(|line| line.contains("\"uri\"")) {
        assert!(!uri.contains('<') && !uri.contains(' ') || uri.contains("%3C"), "{uri}");
    }
}

#[test]
fn names_of_rules_are_in_pascal_case() {
    assert_eq!(pascal("session-exclusive"), "SessionExclusive");
}
