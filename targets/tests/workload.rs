//! Workloads: legal use in all its mixtures, judged by the model.
mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::verdict::Verdict;
use proofhouse_targets::flaw;
use rig::{files, load, reference, registry, run};

/// Every number of clients that a workload may have.
const PARTIES: [u64; 7] = [2, 3, 4, 5, 6, 7, 8];

/// Seeds of the ordinary run, and of the long one.
const SEEDS: u64 = 40;
const SOAK_SEEDS: u64 = 1_000;

#[test]
fn a_server_that_is_right_serves_every_mixture_as_the_standard_says() {
    is_spared(SEEDS);
}

#[test]
#[ignore = "takes a quarter of a minute: part of the soak"]
fn a_thousand_seeds_break_no_rule_on_a_server_that_is_right() {
    is_spared(SOAK_SEEDS);
}

/// The workloads, each with so many clients.
fn of_parties(parties: u64, registry: &Registry) -> Vec<Scenario> {
    let all = files(&["coap", "mqtt"]).into_iter().filter(|(id, _)| id.contains("/workload"));
    let load = |(id, file): (String, PathBuf)| {
        let text = fs::read_to_string(&file).expect("the scenario was just listed");
        let text = text.replace("parties   = 7\n", &format!("parties = {parties}\n"));
        assert!(text.contains(&format!("parties = {parties}\n")), "{id} says how many take part");
        Scenario::load(&id, &file.display().to_string(), &text, registry).expect("the scenario is one")
    };
    all.map(load).collect()
}

fn is_spared(seeds: u64) {
    let registry = registry();
    let (mut wrong, mut armed): (BTreeMap<String, (u32, String)>, BTreeSet<String>) = Default::default();
    let crowds = PARTIES.map(|parties| (parties, of_parties(parties, &registry)));
    for (parties, scenario) in crowds.iter().flat_map(|(parties, all)| all.iter().map(move |one| (*parties, one))) {
        let (id, target) = (&scenario.id, reference(scenario, &[], &registry));
        for case in scenario.cases.iter().map(|case| case.name.as_str()) {
            // Each seed has another number of parties.
            for seed in (0..seeds).filter(|seed| seed % PARTIES.len() as u64 == parties - PARTIES[0]) {
                let outcome = run(scenario, case, Seed(seed), &target, &registry);
                for judgement in &outcome.judgements {
                    for row in judgement.armed.iter().filter(|row| row.is_armed()) {
                        armed.extend(row.clauses.iter().cloned());
                    }
                    if judgement.verdict != Verdict::Pass {
                        let places = judgement
                            .violations
                            .iter()
                            .map(|violation| (violation.place.clone(), violation.actual.clone()));
                        let reason = (judgement.oracle.clone(), judgement.reason.clone());
                        for (place, actual) in places.chain(judgement.violations.is_empty().then_some(reason)) {
                            let entry = wrong.entry(place).or_default();
                            entry.0 += 1;
                            entry.1 = format!(
                                "{id} [{case}] of {parties}, seed {seed}: {actual} {:?}",
                                judgement.violations.first().map(|one| &one.entries)
                            );
                        }
                    }
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
    assert!(wrong.is_empty(), "{} kinds of trouble on the clean reference", wrong.len());
}

/// The first seed at which what the workloads show of a flaw is enough, and the rules that it breaks there.
fn exposed(flaw: &str, seeds: u64, enough: impl Fn(&BTreeSet<String>) -> bool) -> Option<(u64, BTreeSet<String>)> {
    let registry = registry();
    let of = flaw::find(flaw).map_or("", |row| if row.target == "coap" { "coap" } else { "mqtt" });
    let workloads = files(&[of]).into_iter().filter(|(id, _)| id.contains("/workload"));
    let loaded: Vec<_> = workloads.map(|(id, file)| load(&id, &file, &registry)).collect();
    for seed in 0..seeds {
        let mut rules = BTreeSet::new();
        for scenario in &loaded {
            let target = reference(scenario, &[flaw], &registry);
            for case in scenario.cases.iter().map(|case| case.name.as_str()) {
                let outcome = run(scenario, case, Seed(seed), &target, &registry);
                let failed = outcome.judgements.iter().flat_map(|judgement| &judgement.violations);
                rules.extend(failed.map(|violation| violation.place.split('/').next().unwrap_or("").to_owned()));
            }
        }
        if enough(&rules) {
            return Some((seed, rules));
        }
    }
    None
}

/// Flaws of ordinary use, each with a rule that must show it within 50 seeds.
const SHOWN: &[(&str, &str)] = &[
    ("plus-matches-more", "subscribed-only"),
    ("hash-misses-parent", "delivered"),
    ("forgets-retained", "retained-is-sent"),
    ("will-after-disconnect", "will-is-dropped"),
    ("loses-offline-messages", "delivered"),
    ("redelivers-without-dup", "dup-on-redelivery"),
    ("answers-wrong-packet-id", "ack-has-its-id"),
    ("drops-every-tenth", "delivered"),
    ("assigns-one-client-id", "assigned-client-id"),
    ("unsubscribe-ends-delivery", "begun-outlives-unsubscribe"),
    ("stalls-when-full", "others-while-full"),
    ("remembers-used-ids", "id-free-after-pubcomp"),
    ("ignores-packet-maximum", "packet-size-kept"),
    ("large-message-stalls", "large-is-skipped"),
    ("any-message-clears", "retained-outlives-others"),
    ("clearing-keeps", "retained-is-removed"),
    ("shared-goes-on-at-qos2", "shared-goes-to-no-other"),
    ("loses-will-on-reset", "will-is-published"),
    ("keeps-old-retained", "retained-is-the-last"),
    ("first-identifier-only", "subscription-ids"),
    ("forgets-pubrel", "pubrel-again-on-resume"),
];

/// The same of CoAP.
const SHOWN_IN_COAP: &[(&str, &str)] = &[
    ("get-answers-changed", "get-is-content"),
    ("post-answers-content", "post-is-done"),
    ("put-answers-content", "put-is-done"),
    ("delete-finds-nothing", "delete-is-deleted"),
    ("loses-every-third-put", "put-is-got"),
    ("delete-keeps", "deleted-is-gone"),
    ("etag-never-changes", "etag-tells-versions"),
    ("etag-never-changes", "valid-is-unchanged"),
    ("any-etag-is-valid", "valid-is-unchanged"),
    ("valid-without-etag", "valid-has-etag"),
    ("unknown-method-is-bad-request", "unknown-method-refused"),
    ("ignores-proxy-uri", "proxying-refused"),
    ("mute-bad-option", "bad-option-says-which"),
    ("accept-ignored", "accept-is-kept"),
    ("condition-ignored", "failed-condition"),
    ("elective-refused", "elective-option-ignored"),
    ("critical-ignored", "critical-option-refused"),
    ("critical-ignored", "critical-option-in-non-rejected"),
    ("echoes-accept", "option-belongs-there"),
    ("max-age-twice", "option-stands-once"),
    ("token-changed", "piggybacked-matches-both"),
    ("token-changed", "token-is-echoed"),
    ("acknowledges-non", "non-is-not-acknowledged"),
    ("answers-non-by-con", "non-for-non"),
    ("ping-acknowledged", "ping-is-reset"),
    ("separate-in-ack", "separate-after-empty-ack"),
    ("own-mid-repeats", "own-mid-not-reused"),
    ("sends-again-at-once", "sent-again-in-time"),
    ("ack-unheeded", "acknowledged-is-not-sent-again"),
    ("obs-has-value", "obs-is-bare"),
    ("ct-in-words", "ct-is-a-number"),
    ("links-unopened", "links-are-links"),
    ("second-observer-forgotten", "every-observer-is-told"),
    ("notice-is-old", "latest-state-is-told"),
    ("notice-is-garbled", "notification-is-a-state"),
    ("notice-without-number", "notification-has-number"),
    ("notice-number-falls", "notifications-rise"),
    ("notice-format-changes", "one-format"),
    ("notice-is-changed", "notification-is-content"),
    ("notices-pile-up", "one-notification-at-a-time"),
    ("deregister-ignored", "deregistered"),
    ("reset-ignored", "reset-ends-it"),
    ("observes-unasked", "not-observed-unasked"),
    ("deleted-goes-on", "error-ends-observation"),
    ("deleted-untold", "deleted-is-told"),
    ("error-has-observe", "only-success-has-observe"),
    ("block-larger-than-asked", "block-within-size"),
    ("block-sizes-change", "block-sizes-agree"),
    ("block-without-etag", "block-has-etag"),
    ("block-short", "block-is-full"),
    ("block-elsewhere", "block-asked-for"),
    ("block-repeats", "blocks-of-one-etag-agree"),
    ("upload-loses-end", "put-is-got"),
    ("keeps-first-put", "put-is-got"),
    ("continue-has-block2", "collecting-has-no-block2"),
    ("block1-is-off", "block1-is-echoed"),
    ("dedup-missing", "copy-gets-the-same"),
    ("dedup-missing", "non-copy-is-ignored"),
];

#[test]
fn a_flaw_of_ordinary_use_shows_within_fifty_seeds() {
    let mut hidden = Vec::new();
    for (flaw, rule) in SHOWN.iter().chain(SHOWN_IN_COAP) {
        if exposed(flaw, 50, |rules| rules.contains(*rule)).is_none() {
            hidden.push(format!("{flaw}: {rule} wanted, found {:?}", exposed(flaw, 50, |rules| !rules.is_empty())));
        }
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
}

/// Prints for each flaw the first seed that shows it, and by which rules.
#[test]
#[ignore = "a table to read: -- --ignored --nocapture"]
fn the_seed_that_shows_each_flaw() {
    for (flaw, _) in &registry().flaws {
        if let Some((seed, rules)) = exposed(flaw, 50, |rules| !rules.is_empty()) {
            println!("{flaw}: seed {seed} {rules:?}");
        } else {
            println!("{flaw}: -");
        }
    }
}
