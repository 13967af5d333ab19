//! The prover, proven: every scenario loads, fails on each of its twins by the oracle that it names and by no other, passes on the
//! clean reference target, and passes on none of the three blank ones.
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use rig::{blanks, files, load, reference, registry, run, scenarios};

/// Enough to see a draw that matters, few enough for every `cargo test`; `cargo ci soak` runs 200.
const TWIN_SEEDS: u64 = 3;
const CLEAN_SEEDS: u64 = 20;
/// A closed port, a mute one, and one that says yes.
const BLANKS: usize = 3;

/// What only one version can show, although its scenario runs in both: scenario, flaw, rule, version.
const ONE_VERSION: [(&str, &str, &str, &str); 3] = [
    // There are neither aliases nor properties in 3.1.1.
    ("mqtt/me-04-topic-alias", "accepts-unknown-alias", "closes-in-time", "5"),
    ("mqtt/me-04-topic-alias", "accepts-out-of-range-property", "closes-in-time", "5"),
    // The PUBCOMP of 5 says that it knows no such message, which acknowledges nothing; that of 3.1.1 cannot.
    ("mqtt/me-11-framing", "loses-rest-of-segment", "exactly-once", "3.1.1"),
];

#[test]
fn every_scenario_loads() {
    let registry = registry();
    for (id, file) in files(&["bench", "coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        assert!(!scenario.twins.is_empty() || id.starts_with("bench/"), "{id}: no twin shows that it catches anything");
    }
}

#[test]
fn each_twin_is_caught_in_each_version_by_its_oracle_and_by_no_other() {
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

/// What is wrong with a twin: a seed and a version with which no case fails by an oracle that is named, or any case by one that is not.
fn twin(scenario: &Scenario, flaw: &str, oracles: &[String], registry: &Registry) -> Vec<String> {
    let target = reference(scenario, &[flaw], registry);
    let versions: BTreeSet<&str> = scenario.cases.iter().map(|case| case.version.as_str()).collect();
    for seed in 0..TWIN_SEEDS {
        let wrong: Vec<String> = versions
            .iter()
            .flat_map(|version| in_version(scenario, flaw, oracles, version, Seed(seed), &target, registry))
            .collect();
        if !wrong.is_empty() {
            return wrong;
        }
    }
    Vec::new()
}

/// The same for one version and one seed.
fn in_version(
    scenario: &Scenario,
    flaw: &str,
    oracles: &[String],
    version: &str,
    seed: Seed,
    target: &TargetSpec,
    registry: &Registry,
) -> Vec<String> {
    let mut caught: BTreeMap<String, String> = BTreeMap::new();
    let mut reasons = BTreeSet::new();
    for case in scenario.cases.iter().filter(|case| case.version == version) {
        let outcome = run(scenario, &case.name, seed, target, registry);
        for judgement in outcome.judgements.iter().filter(|j| j.verdict == Verdict::Fail) {
            caught.entry(judgement.oracle.clone()).or_insert_with(|| line(scenario, &case.name, seed.0, &outcome));
        }
        if outcome.verdict() != Verdict::Fail {
            reasons.insert(format!("{} {}", outcome.verdict().name(), outcome.reason()));
        }
    }
    let elsewhere = |oracle: &str| {
        let row = |row: &(&str, &str, &str, &str)| {
            (row.0, row.1, row.2) == (scenario.id.as_str(), flaw, oracle) && row.3 != version
        };
        ONE_VERSION.iter().any(row)
    };
    let missed = oracles.iter().filter(|oracle| elsewhere(oracle) == caught.contains_key(*oracle)).map(|oracle| {
        let seen = if elsewhere(oracle) { "failed, so that its exception is none" } else { "did not fail" };
        format!("{} [{version}] --flaw {flaw} {seed:?}: {oracle} {seen}; saw {caught:?} {reasons:?}", scenario.id)
    });
    let surplus = caught.iter().filter(|(oracle, _)| !oracles.contains(oracle));
    missed.chain(surplus.map(|(oracle, line)| format!("--flaw {flaw}: {oracle} failed too: {line}"))).collect()
}

fn line(scenario: &Scenario, case: &str, seed: u64, outcome: &Outcome) -> String {
    format!("{} [{case}] seed {seed}: {} {}", scenario.id, outcome.verdict().name(), outcome.reason())
}
