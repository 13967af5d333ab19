//! A planted flaw that needs two steps of forty and one device of fifty is cut down to exactly those, on the real reference broker.
mod rig;

use std::fmt::Write;

use proofhouse_core::document::Located;
use proofhouse_core::plan::Plan;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::shrink::shrink;
use proofhouse_core::verdict::Verdict;
use rig::{judged, registry, target};

/// Fifty devices, one after the other, of forty steps each: the eighth retains a message, the 32nd clears it, the rest is noise.
fn crowd() -> String {
    let mut text = String::from(
        "format = 1\ntitle = \"x\"\nprotocol = \"mqtt\"\nversion = \"3.1.1\"\nlimit = \"60s\"\n\
         [party.device]\nmay = { publish = [\"t/#\"] }\n\
         [fleet.honest]\nbehaviour = \"script\"\n\
         step = [ { do = \"connect\", expect = { type = \"connack\" }, part = \"control\" } ]\n\
         [fleet.device]\ncount = 50\nramp = \"10s\"\nbehaviour = \"script\"\nstep = [\n  { do = \"connect\", part = \"stimulus\" },\n",
    );
    for n in 1..40 {
        let (topic, retain, payload) = match n {
            8 => ("t/kept".to_owned(), true, "1"),
            32 => ("t/kept".to_owned(), true, ""),
            n => (format!("t/{n}"), false, "noise"),
        };
        writeln!(
            text,
            "  {{ do = \"publish\", topic = {topic:?}, retain = {retain}, payload = {payload:?}, qos = 1 }},"
        )
        .unwrap();
    }
    text.push_str("]\n");
    text
}

#[test]
fn two_steps_and_one_device_are_what_is_left_of_a_crash() {
    let registry = registry();
    let target = target("reference", &["retain-then-clear-crashes"], &registry);
    let scenario = Scenario::load("x/crowd", "crowd.toml", &crowd(), &registry).unwrap_or_else(|e| panic!("{e}"));
    let plan = scenario.plan("", Seed(1), &target, &registry).unwrap_or_else(|e| panic!("{e:?}"));
    let crashes = |tree: &Located| {
        let cut = Plan::read(&plan.id, &plan.case, plan.seed, tree.clone(), &target, &registry);
        cut.is_ok_and(|cut| {
            let judgements = judged(cut, &target, &registry).judgements;
            judgements.iter().any(|judgement| judgement.oracle == "no-crash" && judgement.verdict == Verdict::Fail)
        })
    };
    let whole = judged(plan.clone(), &target, &registry);
    assert_eq!(whole.verdict(), Verdict::Fail, "the whole crowd crashes it: {}", whole.reason());
    let mut asked = 0;
    let small = shrink(&plan.tree, 1_000, &mut |tree| {
        asked += 1;
        crashes(tree)
    });
    let left = Plan::read(&plan.id, &plan.case, plan.seed, small, &target, &registry).expect("it was run");
    let device = left.fleet("device").expect("it crashes the target");
    let steps: Vec<u16> = device.steps.iter().map(|step| step.index).collect();
    assert_eq!(device.members().collect::<Vec<_>>(), [17], "after {asked} runs");
    assert_eq!(steps, [0, 8, 32], "CONNECT and the two; after {asked} runs");
}
