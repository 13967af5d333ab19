//! Every probe passes where the target can, and what a target cannot do is not seen by a probe.
mod rig;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::time::Time;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use proofhouse_mqtt::MQTT;
use rig::{judged_behind, registry, run, target};

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

/// Grants QoS 0, whatever is asked for, as \[MQTT5 3.8.4-8, MQTT3 3.8.4-6\] let it.
struct Modest(Box<dyn Actor>);

impl Actor for Modest {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            // The last byte of a SUBSCRIBE with one filter is its options.
            Input::Bytes(conn, [0x82, rest @ .., _]) => {
                self.0.handle(now, Input::Bytes(conn, &[&[0x82], rest, &[0]].concat()), out);
            }
            other => self.0.handle(now, other, out),
        }
    }

    fn held(&self) -> u64 {
        self.0.held()
    }
}

#[test]
fn a_server_that_grants_qos_0_leaves_the_probe_of_qos_2_undecided_and_says_why() {
    let registry = registry();
    let target = target("reference", &[], &registry);
    let probe =
        MQTT.capabilities.iter().find(|one| one.name == "qos-2").and_then(|one| one.probe).expect("there is one");
    let scenario = Scenario::load("probe/qos-2", "probe.toml", probe, &registry).expect("it is a scenario");
    let plan = scenario.plan("", Seed(1), &target, &registry).expect("it plans");
    let outcome = judged_behind(plan, &target, &registry, &|target| Box::new(Modest(target)));
    assert_eq!(outcome.verdict(), Verdict::Inconclusive, "{}", outcome.reason());
    assert!(outcome.reason().contains("suback"), "{}", outcome.reason());
    println!("{}", outcome.reason());
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
