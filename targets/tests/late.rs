//! Our own lateness is never told as the target's: the harness is stopped for 3 s at some moment of every trial, and its timers fire late.
//! No good server fails by it, and no flaw that is seen otherwise passes by it.
mod rig;

use std::time::Duration;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim::Conditions;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::time::Time;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use rig::{judged_under, reference, registry, run, scenarios};

/// Longer than most deadlines.
const STOP: Duration = Duration::from_secs(3);
/// A trial's first seconds hold most of what happens in it.
const WITHIN: u64 = 6_000;
/// What a loaded machine does to timers.
const SLIP_MAX: Duration = Duration::from_millis(200);

/// One stop, drawn for this case: every case of every scenario is stopped somewhere else.
fn conditions(scenario: &Scenario, case: &str, nth: u64) -> Conditions {
    let mut draws = Seed(nth).stream(&format!("{}/{case}", scenario.id), 0);
    let from = Time::ZERO + Duration::from_millis(draws.between(0, WITHIN));
    Conditions { stops: vec![(from, STOP)], timer_slip_max: SLIP_MAX }
}

fn run_late(scenario: &Scenario, case: &str, nth: u64, target: &TargetSpec, registry: &Registry) -> Outcome {
    let plan = scenario.plan(case, Seed(nth), target, registry).expect("the reference has what it needs");
    judged_under(plan, target, registry, &conditions(scenario, case, nth))
}

#[test]
fn no_stop_of_the_harness_fails_a_good_server() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        let target = reference(&scenario, &[], &registry);
        for case in &scenario.cases {
            let outcome = run_late(&scenario, &case.name, 1, &target, &registry);
            if outcome.verdict() == Verdict::Fail {
                let stop = conditions(&scenario, &case.name, 1).stops[0].0;
                wrong.push(format!("{} [{}] stopped at {stop}: {}", scenario.id, case.name, outcome.reason()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} good servers fail:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_stop_of_the_harness_lets_a_flaw_pass_that_is_seen_without_it() {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        for flaw in scenario.twins.iter().map(|(flaw, _)| flaw) {
            let target = reference(&scenario, &[flaw], &registry);
            let seen = |name: &str| run(&scenario, name, Seed(1), &target, &registry).verdict() == Verdict::Fail;
            for case in scenario.cases.iter().filter(|case| seen(&case.name)) {
                let outcome = run_late(&scenario, &case.name, 1, &target, &registry);
                if outcome.verdict() == Verdict::Pass {
                    let stop = conditions(&scenario, &case.name, 1).stops[0].0;
                    wrong.push(format!("{} [{}] --flaw {flaw} stopped at {stop}", scenario.id, case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} flaws pass:\n{}", wrong.len(), wrong.join("\n"));
}
