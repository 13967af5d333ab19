//! Every probe passes where the target can, and what a target cannot do is not seen by a probe.
mod rig;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use proofhouse_mqtt::MQTT;
use rig::{registry, run, target};

#[test]
fn every_probe_sees_what_the_reference_broker_can() {
    let registry = registry();
    let target = target("reference", &[], &registry);
    for (name, outcome) in probes(&target, &registry) {
        assert_eq!(outcome.verdict(), Verdict::Pass, "{name}: {}", outcome.reason());
    }
}

#[test]
fn an_open_broker_is_seen_to_ask_nobody_and_to_know_no_rights() {
    let registry = registry();
    let mut target = target("reference", &[], &registry);
    target.endpoints[0].claims.clear();
    for (name, outcome) in probes(&target, &registry) {
        let expected = if matches!(name, "authenticated" | "acl") { Verdict::Fail } else { Verdict::Pass };
        assert_eq!(outcome.verdict(), expected, "{name}: {}", outcome.reason());
    }
}

fn probes(target: &TargetSpec, registry: &Registry) -> Vec<(&'static str, Outcome)> {
    let mut seen = Vec::new();
    for capability in MQTT.capabilities {
        let Some(text) = capability.probe else { continue };
        let id = format!("probe/{}", capability.name);
        let scenario = Scenario::load(&id, "probe.toml", text, registry)
            .unwrap_or_else(|e| panic!("{id}:{}: {}", e.line, e.message));
        for case in &scenario.cases {
            for seed in 0..3 {
                seen.push((capability.name, run(&scenario, &case.name, Seed(seed), target, registry)));
            }
        }
    }
    assert!(seen.len() >= 8 * 3, "only {} probes", seen.len());
    seen
}
