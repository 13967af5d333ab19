//! The prover, proven: every scenario loads, fails on each of its twins by the oracle that it names and by no other, passes on the
//! clean reference target, and passes on none of the three blank ones.
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use rig::{blanks, files, load, reference, registry, run, scenarios};

/// Enough to see a draw that matters, few enough for every `cargo test`; `cargo ci soak` runs 200.
const TWIN_SEEDS: u64 = 3;
const CLEAN_SEEDS: u64 = 20;
/// A closed port, a mute one, and one that says yes.
const BLANKS: usize = 3;

#[test]
fn every_scenario_loads() {
    let registry = registry();
    for (id, file) in files(&["bench", "coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        assert!(!scenario.twins.is_empty() || id.starts_with("bench/"), "{id}: no twin shows that it catches anything");
    }
}

#[test]
fn each_twin_is_caught_by_its_oracle_and_by_no_other() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        for (flaw, oracles) in &scenario.twins {
            wrong.extend(twin(&scenario, flaw, oracles, &registry));
        }
    }
    assert!(wrong.is_empty(), "{} of the twins:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_clean_target_passes_with_every_seed() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        let target = reference(&scenario, &[], &registry);
        for case in &scenario.cases {
            for seed in 0..CLEAN_SEEDS {
                let outcome = run(&scenario, &case.name, Seed(seed), &target, &registry);
                if outcome.verdict() != Verdict::Pass {
                    wrong.push(line(&scenario, &case.name, seed, &outcome));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases do not pass on the clean target:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_passes_on_a_blank_target() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        let blanks = blanks(&scenario, &registry);
        // A mixed scenario plans on none of them: they have one endpoint each.
        assert!(
            blanks.len() == BLANKS || scenario.protocols.len() > 1,
            "{}: {} blank targets",
            scenario.id,
            blanks.len()
        );
        for target in blanks {
            for case in &scenario.cases {
                let outcome = run(&scenario, &case.name, Seed(1), &target, &registry);
                if outcome.verdict() == Verdict::Pass {
                    wrong.push(format!("{}: {}", target.name, line(&scenario, &case.name, 1, &outcome)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases pass on a target that does nothing:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is wrong with a twin: a seed with which no case fails by an oracle that is named, or any case by one that is not.
fn twin(scenario: &Scenario, flaw: &str, oracles: &[String], registry: &Registry) -> Vec<String> {
    let target = reference(scenario, &[flaw], registry);
    let mut wrong = Vec::new();
    for seed in 0..TWIN_SEEDS {
        let mut caught: BTreeMap<String, String> = BTreeMap::new();
        let mut reasons = BTreeSet::new();
        for case in &scenario.cases {
            let outcome = run(scenario, &case.name, Seed(seed), &target, registry);
            for judgement in outcome.judgements.iter().filter(|j| j.verdict == Verdict::Fail) {
                caught.entry(judgement.oracle.clone()).or_insert_with(|| line(scenario, &case.name, seed, &outcome));
            }
            if outcome.verdict() != Verdict::Fail {
                reasons.insert(format!("{} {}", outcome.verdict().name(), outcome.reason()));
            }
        }
        for oracle in oracles.iter().filter(|oracle| !caught.contains_key(*oracle)) {
            wrong.push(format!(
                "{} --flaw {flaw} seed {seed}: {oracle} did not fail; saw {caught:?} {reasons:?}",
                scenario.id
            ));
        }
        for (oracle, line) in caught.iter().filter(|(oracle, _)| !oracles.contains(oracle)) {
            wrong.push(format!("--flaw {flaw}: {oracle} failed too: {line}"));
        }
        if !wrong.is_empty() {
            break;
        }
    }
    wrong
}

fn line(scenario: &Scenario, case: &str, seed: u64, outcome: &Outcome) -> String {
    format!("{} [{case}] seed {seed}: {} {}", scenario.id, outcome.verdict().name(), outcome.reason())
}
