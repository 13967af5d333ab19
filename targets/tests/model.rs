//! The model of a protocol over every scenario: a server that is right breaks none of its rules, and each planted flaw shows in one.
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::clause;
use proofhouse_core::seed::Seed;
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
                for remark in &judgement.remarks {
                    let entry = wrong.entry(remark.clone()).or_default();
                    entry.0 += 1;
                    entry.1 = format!("{id} [{case}]");
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

/// Flaws, and a rule of the model that the transcripts of their own scenarios show.
const SHOWN: [(&str, &str); 10] = [
    ("dollar-matches-wildcard", "subscribed-only"),
    ("plus-matches-more", "subscribed-only"),
    ("forgets-retained", "retained-is-sent"),
    ("no-keep-alive", "keep-alive-kept"),
    ("will-after-disconnect", "will-is-dropped"),
    ("keeps-both-sessions", "takeover-closes"),
    ("forgets-inbound-qos2", "no-more-copies"),
    ("redelivers-without-dup", "dup-on-redelivery"),
    ("one-code-for-all-filters", "suback-per-filter"),
    ("szx-7-read-as-6", "reserved-size-refused"),
];

#[test]
fn a_flaw_shows_in_the_transcripts_of_its_own_scenarios() {
    let registry = registry();
    let scenarios: Vec<_> =
        files(&["coap", "mixed", "mqtt"]).iter().map(|(id, file)| load(id, file, &registry)).collect();
    for (flaw, rule) in SHOWN {
        let mut own = scenarios.iter().filter(|scenario| scenario.twins.iter().any(|(name, _)| name == flaw));
        let shown = own.any(|scenario| {
            let target = reference(scenario, &[flaw], &registry);
            scenario.cases.iter().any(|case| {
                let outcome = run(scenario, &case.name, Seed(7), &target, &registry);
                let mut remarks = outcome.judgements.iter().flat_map(|judgement| &judgement.remarks);
                remarks.any(|remark| remark.contains(&format!("-model {rule}/")))
            })
        });
        assert!(shown, "--flaw {flaw}: {rule} is broken in no transcript");
    }
}

#[test]
fn the_clause_that_a_rule_cites_is_a_duty_or_advice() {
    // What binds a sender stands there as the other side's: a server sends as well. What is advice weighs less than its scenario says.
    let is_duty = |cited: &str| clause::find(cited).is_some_and(|one| ["must", "should", "client"].contains(&one.duty));
    let registry = registry();
    let mut seen = BTreeSet::new();
    for (id, file) in files(&["coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        let target = reference(&scenario, &[], &registry);
        let outcome = run(&scenario, &scenario.cases[0].name, Seed(1), &target, &registry);
        let of_models = outcome.judgements.iter().filter(|judgement| judgement.oracle.ends_with("-model"));
        for row in of_models.flat_map(|judgement| &judgement.armed) {
            seen.insert((row.rule.clone(), row.clauses[0].clone()));
        }
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, clause)| !is_duty(clause)).collect();
    assert!(seen.len() > 80 && wrong.is_empty(), "{} rules, no duty: {wrong:?}", seen.len());
}
