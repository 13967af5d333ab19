//! A broker of MQTT 5 that announces a limit is right to hold us to it: no scenario fails it, and none is left undecided.
mod rig;

use proofhouse_core::actor::Actor;
use proofhouse_core::registry::{Build, BuildPlan, Registry};
use proofhouse_core::seed::Seed;
use proofhouse_core::verdict::Verdict;
use proofhouse_targets::reference::broker::{Lacks, Limits, built};
use rig::{files, load, reference, registry, run};

type Built = Result<Box<dyn Actor>, String>;
type Make = fn(&BuildPlan<'_>) -> Built;

fn qos_0(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { qos: 0, ..Limits::default() })
}
fn qos_1(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { qos: 1, ..Limits::default() })
}
fn retains_nothing(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { lacks: Lacks { retain: true, ..Lacks::default() }, ..Limits::default() })
}
fn no_wildcards(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { lacks: Lacks { wildcards: true, ..Lacks::default() }, ..Limits::default() })
}
fn no_identifiers(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { lacks: Lacks { identifiers: true, ..Lacks::default() }, ..Limits::default() })
}
fn no_shares(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { lacks: Lacks { shares: true, ..Lacks::default() }, ..Limits::default() })
}
fn receives_one(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { receive_maximum: 1, ..Limits::default() })
}
fn small_packets(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { packet_bytes: 1024, ..Limits::default() })
}
fn no_aliases(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { aliases: 0, ..Limits::default() })
}
fn every_alias(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { aliases: u16::MAX, ..Limits::default() })
}
fn its_own_keep_alive(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { keep_alive: Some(30), ..Limits::default() })
}
fn short_sessions(plan: &BuildPlan<'_>) -> Built {
    built(plan, Limits { session_expiry: 0, ..Limits::default() })
}

const LIMITED: [(&str, Make); 12] = [
    ("Maximum QoS 0", qos_0),
    ("Maximum QoS 1", qos_1),
    ("Retain Available 0", retains_nothing),
    ("Wildcard Subscription Available 0", no_wildcards),
    ("Subscription Identifier Available 0", no_identifiers),
    ("Shared Subscription Available 0", no_shares),
    ("Receive Maximum 1", receives_one),
    ("Maximum Packet Size 1024", small_packets),
    ("Topic Alias Maximum 0", no_aliases),
    ("Topic Alias Maximum 65535", every_alias),
    ("Server Keep Alive 30", its_own_keep_alive),
    ("Session Expiry Interval 0", short_sessions),
];

fn limited(build: fn(&BuildPlan<'_>) -> Built) -> Registry {
    let mut registry = registry();
    registry.builds.retain(|row| row.name != "broker");
    registry.builds.push(Build { name: "broker", doc: "", build });
    registry
}

#[test]
fn a_limit_that_is_announced_is_no_failure_and_no_doubt() {
    let (mut wrong, mut passed, mut spared) = (Vec::new(), 0, 0);
    for (limit, build) in LIMITED {
        let registry = limited(build);
        for (id, file) in files(&["mqtt"]) {
            let scenario = load(&id, &file, &registry);
            let target = reference(&scenario, &[], &registry);
            for case in scenario.cases.iter().filter(|case| case.version == "5") {
                let outcome = run(&scenario, &case.name, Seed(1), &target, &registry);
                match outcome.verdict() {
                    Verdict::Pass => passed += 1,
                    Verdict::NotApplicable => spared += 1,
                    other => {
                        wrong.push(format!("{limit}: {id} [{}]: {} {}", case.name, other.name(), outcome.reason()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} trials blame a right broker, or doubt it:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        passed > 4 * spared,
        "{passed} passed, {spared} did not apply: limits spare what needs more, and nothing else"
    );
}

#[test]
fn the_limit_is_named() {
    let registry = limited(retains_nothing);
    let (id, file) = files(&["mqtt"]).into_iter().find(|(id, _)| id.ends_with("mb-08-retained")).expect("it is there");
    let scenario = load(&id, &file, &registry);
    let target = reference(&scenario, &[], &registry);
    let outcome = run(&scenario, "5/by-name", Seed(1), &target, &registry);
    assert_eq!(outcome.verdict(), Verdict::NotApplicable);
    assert!(outcome.reason().contains("Retain Available 0"), "{}", outcome.reason());
}
