//! The model of a protocol over every scenario: a server that is right breaks none of its rules, and each planted flaw shows in one.
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::seed::Seed;
use proofhouse_core::verdict::Verdict;
use rig::{files, load, reference, registry, run};

#[test]
fn a_server_that_is_right_breaks_no_rule_of_the_model() {
    let registry = registry();
    let mut wrong: BTreeMap<String, (u32, String)> = BTreeMap::new();
    let mut armed: BTreeSet<String> = BTreeSet::new();
    for (id, file) in files(&["coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        let target = reference(&scenario, &[], &registry);
        for case in scenario.cases.iter().map(|case| case.name.as_str()) {
            let outcome = run(&scenario, case, Seed(7), &target, &registry);
            for judgement in outcome.judgements.iter().filter(|judgement| judgement.oracle.ends_with("-model")) {
                for row in judgement.armed.iter().filter(|row| row.is_armed()) {
                    armed.extend(row.clauses.iter().cloned());
                }
                if judgement.verdict != Verdict::Fail {
                    continue;
                }
                for violation in &judgement.violations {
                    let entry = wrong.entry(violation.place.clone()).or_default();
                    entry.0 += 1;
                    entry.1 = format!("{id} [{case}]: {} at {:?}", violation.actual, violation.entries);
                }
            }
        }
    }
    for document in ["MQTT5", "MQTT3", "RFC"] {
        println!("{document}: {} armed", armed.iter().filter(|clause| clause.starts_with(document)).count());
    }
    for (place, (count, example)) in &wrong {
        println!("{count:5} {place}: {example}");
    }
    assert!(wrong.is_empty(), "{} rules broken by the clean reference", wrong.len());
}

/// Prints which rules of the model each planted flaw breaks, over all scenarios.
#[test]
#[ignore = "a table to read: -- --ignored --nocapture"]
fn what_each_flaw_breaks() {
    let registry = registry();
    let mut shown: BTreeMap<&str, BTreeMap<String, u32>> = BTreeMap::new();
    for (id, file) in files(&["coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        for (flaw, _) in &registry.flaws {
            let target = reference(&scenario, &[flaw], &registry);
            for case in scenario.cases.iter().map(|case| case.name.as_str()).take(2) {
                let outcome = run(&scenario, case, Seed(7), &target, &registry);
                let models = outcome.judgements.iter().filter(|judgement| judgement.oracle.ends_with("-model"));
                for violation in models.flat_map(|judgement| &judgement.violations) {
                    let rule = violation.place.split('/').next().unwrap_or("").to_owned();
                    *shown.entry(flaw).or_default().entry(rule).or_default() += 1;
                }
            }
        }
    }
    for (flaw, _) in &registry.flaws {
        println!("{flaw}: {:?}", shown.get(flaw));
    }
}
