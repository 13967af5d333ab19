//! One transcript per scenario, as a person reads it: a change of what crosses the wire is a change that somebody has reviewed.
//!
//! `cargo test -p proofhouse-targets --test golden -- --ignored` writes them again.
mod rig;

use std::fs;
use std::path::PathBuf;

use proofhouse_core::judge::judge_all;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::transcript::Transcript;
use rig::{reference, registry, run, scenarios};

/// Longer transcripts are kept by their beginning and their digest: nobody reads five thousand half-open connections.
const LINES_MAX: usize = 160;

fn golden(scenario: &Scenario) -> PathBuf {
    let name = scenario.id.replace('/', "-");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

/// The first case with seed 1 on the clean target.
fn text(scenario: &Scenario, registry: &Registry) -> String {
    let target = reference(scenario, &[], registry);
    let transcript = run(scenario, &scenario.cases[0].name, Seed(1), &target, registry).transcript;
    let text = transcript.to_text();
    let lines = text.lines().count();
    if lines <= LINES_MAX {
        return text;
    }
    let begin: String = text.lines().take(LINES_MAX).map(|line| format!("{line}\n")).collect();
    format!("{begin}... {} lines more; SHA-256 of the record: {}\n", lines - LINES_MAX, transcript.digest())
}

#[test]
fn every_scenario_leaves_its_golden_transcript() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        let path = golden(&scenario);
        let (stored, now) = (fs::read_to_string(&path).unwrap_or_default(), text(&scenario, &registry));
        if stored != now {
            let at = stored.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
            let line = |of: &str| of.lines().nth(at).unwrap_or("(end)").to_owned();
            wrong.push(format!("{}:{}\n  was {}\n  now {}", path.display(), at + 1, line(&stored), line(&now)));
        }
    }
    assert!(wrong.is_empty(), "review, then write them again (see the head of this file):\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "writes the golden files"]
fn write_the_golden_transcripts() {
    let registry = registry();
    for scenario in scenarios(&registry) {
        let path = golden(&scenario);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::write(path, text(&scenario, &registry)).expect("the file can be written");
    }
}

#[test]
fn a_stored_transcript_is_judged_like_the_original() {
    let registry = registry();
    for scenario in scenarios(&registry) {
        let (flaw, _) = &scenario.twins[0];
        for flaws in [&[][..], &[flaw.as_str()]] {
            let target = reference(&scenario, flaws, &registry);
            let outcome = run(&scenario, &scenario.cases[0].name, Seed(3), &target, &registry);
            let read = |transcript: &Transcript| Transcript::from_jsonl(&transcript.to_jsonl()).expect("it reads back");
            let again = read(&outcome.transcript);
            let control = outcome.control.as_ref().map(read);
            let judged = judge_all(&outcome.plan, &again, control.as_ref(), &registry);
            assert_eq!(judged, outcome.judgements, "{}", scenario.id);
        }
    }
}
