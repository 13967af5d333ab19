//! What benches share: a scenario planned for the reference broker, and that broker.
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
