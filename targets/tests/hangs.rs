//! A target that hangs for ever once it has heard the last of an attack is found to hang, whatever the attack and the seed.
//!
//! Each trial runs twice: once on the clean reference, to learn when the last byte of the stimulus was written, and once on a
//! reference that says and does nothing from that moment on. Up to it both are alike, since the simulator repeats itself.
mod rig;

use std::ops::Range;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::judge::judge_all;
use proofhouse_core::oracle::record::Record;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::verdict::Verdict;
use rig::{build, header, reference, registry, run, scenarios};

/// A target that stops at a moment.
struct Hangs {
    target: Box<dyn Actor>,
    from: Time,
}

impl Actor for Hangs {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        if now < self.from {
            self.target.handle(now, input, out);
        }
    }
}

const SEEDS: u64 = 3;

#[test]
fn a_hang_after_the_last_stimulus_is_a_hang() {
    each_is_found(0..SEEDS, Duration::ZERO);
}

/// It came to its next timer, or had closed the attacker's connection first.
#[test]
fn a_hang_that_begins_once_everything_was_answered_is_a_hang() {
    each_is_found(0..1, Duration::from_millis(200));
}

fn each_is_found(seeds: Range<u64>, after: Duration) {
    let registry = registry();
    let mut wrong = Vec::new();
    for scenario in scenarios(&registry) {
        let target = reference(&scenario, &[], &registry);
        let cases = [scenario.cases.first(), scenario.cases.last()];
        for case in cases.into_iter().flatten() {
            let spared = |seed| spared(&scenario, &case.name, Seed(seed), after, &target, &registry);
            wrong.extend(seeds.clone().filter_map(spared));
        }
    }
    assert!(wrong.is_empty(), "{} hangs were not found:\n{}", wrong.len(), wrong.join("\n"));
}

/// Why a hang that begins this long after the attack was not found; `None` where it was.
fn spared(
    scenario: &Scenario,
    case: &str,
    seed: Seed,
    after: Duration,
    target: &TargetSpec,
    registry: &Registry,
) -> Option<String> {
    let clean = run(scenario, case, seed, target, registry);
    let window = Record::new(&clean.plan, &clean.transcript).window.expect("the clean target was attacked");
    let transcript = hung(&clean.plan, window.last.at + after, target, registry);
    let judgements = judge_all(&clean.plan, &transcript, clean.control.as_ref(), registry);
    let hang = judgements.iter().find(|judgement| judgement.oracle == "no-hang").expect("it is always asked");
    let name = format!("{} [{case}] seed {seed}", scenario.id);
    (hang.verdict != Verdict::Fail).then(|| format!("{name}: {:?}, {}", hang.verdict, hang.reason))
}

fn hung(plan: &Plan, from: Time, target: &TargetSpec, registry: &Registry) -> proofhouse_core::transcript::Transcript {
    // One nanosecond earlier: the last byte is written, and nobody takes it.
    let hangs = Hangs { target: build(plan, target, registry), from: Time(from.0.saturating_sub(1)) };
    sim::run(plan, registry, Box::new(hangs), header(plan, target, "main"))
}
