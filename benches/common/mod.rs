//! What benches share: a scenario planned for the reference broker, that broker, and the processor time of this process.
use std::time::Duration;

use proofhouse_core::actor::Actor;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::target::TargetSpec;
use proofhouse_core::testing;

/// A scenario file planned for the reference broker.
pub fn planned(id: &str, text: &str, registry: &Registry) -> (Plan, TargetSpec) {
    let target = testing::target(include_str!("../../targets/reference.toml"), registry);
    (testing::planned(id, text, &target, registry), target)
}

/// The reference broker without a flaw.
pub fn broker(plan: &Plan, target: &TargetSpec) -> Box<dyn Actor> {
    let claims = &target.endpoints[0].claims;
    let build = BuildPlan { plan, claims, flaws: &[], seed: plan.seed.child("target", 0) };
    (proofhouse_targets::BUILDS[0].build)(&build).expect("the broker builds")
}

/// User and system time of this process, in ticks of 10 ms.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    // The name in brackets may hold spaces; 12 fields after it come user and system time.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = |n: usize| after.split_whitespace().nth(n).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
