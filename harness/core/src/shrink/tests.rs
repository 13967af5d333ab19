use super::*;
use crate::document::{parse, to_toml};
use crate::seed::Seed;
use crate::value::Value;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

/// 50 devices with 40 steps each; the planted crash needs step 11 and then step 29 of device 17.
fn crowd() -> Located {
    let mut text = String::from("[fleet.noise]\ncount = 10\n[fleet.device]\ncount = 50\nstep = [\n");
    for n in 0..40 {
        writeln!(text, "  {{ do = \"publish\", topic = \"t/{n}\", mark = \"m{n}\" }},").unwrap();
    }
    text.push_str(
        "]\n[fleet.witness]\nbehaviour = \"witness\"\n[[expect]]\noracle = \"x\"\nof = [\"noise\", \"device\"]\n",
    );
    parse("crowd.toml", &text).expect("the text is TOML")
}

fn topics(tree: &Located) -> Vec<String> {
    let steps = tree.find("fleet").and_then(|f| f.find("device")).and_then(|d| d.find("step"));
    steps
        .into_iter()
        .flat_map(Located::items)
        .filter_map(|step| step.find("topic")?.text().map(ToString::to_string))
        .collect()
}

fn plays(tree: &Located, member: i64) -> bool {
    let device = tree.find("fleet").and_then(|f| f.find("device"));
    device.is_some_and(|device| mend::members(device).contains(&member))
}

fn crashes(tree: &Located) -> bool {
    let topics = topics(tree);
    let place = |topic: &str| topics.iter().position(|t| t == topic);
    plays(tree, 17) && matches!((place("t/11"), place("t/29")), (Some(first), Some(second)) if first < second)
}

#[test]
fn two_steps_of_forty_and_one_device_of_fifty_are_what_is_left() {
    let mut asked = 0;
    let small = shrink(&crowd(), 2_000, &mut |tree| {
        asked += 1;
        crashes(tree)
    });
    assert_eq!(topics(&small), ["t/11", "t/29"], "after {asked} questions");
    assert_eq!(mend::members(mend::fleet(&small, "device").unwrap()), [17]);
    assert_eq!(mend::fleets(&small), ["device", "witness"], "the witness is never cut");
    assert!(asked < 200, "{asked} questions for 50 devices and 40 steps");
}

#[test]
fn what_is_left_keeps_its_numbers_and_its_count() {
    let small = shrink(&crowd(), 2_000, &mut |tree| crashes(tree));
    let device = mend::fleet(&small, "device").unwrap();
    assert_eq!(device.find("count").unwrap().plain(), Value::Int(50));
    assert_eq!(device.find("only").unwrap().plain(), Value::List([Value::Int(17)].to_vec()));
    let index = |step: &Located| step.find("index").unwrap().plain();
    let kept: Vec<Value> = device.find("step").unwrap().items().iter().map(index).collect();
    assert_eq!(kept, [Value::Int(11), Value::Int(29)]);
}

#[test]
fn expectations_lose_the_fleets_that_are_gone() {
    let small = shrink(&crowd(), 2_000, &mut |tree| crashes(tree));
    let of = small.find("expect").unwrap().items()[0].find("of").unwrap().plain();
    assert_eq!(format!("{of}"), "[device]");
}

#[test]
fn a_step_that_waited_for_a_cut_one_waits_no_longer() {
    let text = "[fleet.a]\nstep = [ { do = \"x\", mark = \"go\" }, { do = \"z\" } ]\n\
                [fleet.b]\nstep = [ { after = \"a.go\", do = \"y\" } ]\n";
    let tree = parse("t.toml", text).unwrap();
    let small = shrink(&tree, 100, &mut |tree| to_toml(tree).contains("\"y\""));
    assert!(!to_toml(&small).contains("after"), "{}", to_toml(&small));
}

#[test]
fn bytes_and_waits_are_cut_to_what_is_needed() {
    let text = "[fleet.foe]\nstep = [ { do = \"send\", hex = \"00 01 ff 02 03\" }, { do = \"wait\", for = \"8s\" } ]\n";
    let tree = parse("t.toml", text).unwrap();
    let waits = |tree: &Located| {
        let step = tree.find("fleet")?.find("foe")?.find("step")?.items().iter().find(|s| s.find("for").is_some())?;
        crate::spread::duration(step.find("for")?.text()?).ok()
    };
    let small = shrink(&tree, 500, &mut |tree| {
        let hex = to_toml(tree).contains("ff");
        hex && waits(tree).is_some_and(|d| d >= core::time::Duration::from_millis(900))
    });
    let text = to_toml(&small);
    assert!(text.contains("hex = \"ff\"") && text.contains("for = \"1s\""), "{text}");
}

#[test]
fn the_budget_is_kept_and_the_result_still_fails() {
    for budget in [0, 1, 7, 30] {
        let mut asked = 0;
        let small = shrink(&crowd(), budget, &mut |tree| {
            asked += 1;
            crashes(tree)
        });
        assert!(asked <= budget, "{asked} questions, {budget} allowed");
        assert!(crashes(&small));
    }
}

#[test]
fn the_same_answers_give_the_same_tree() {
    let small = || shrink(&crowd(), 300, &mut |tree| crashes(tree));
    assert_eq!(small(), small());
}

#[test]
fn nothing_is_cut_where_everything_is_needed() {
    let tree = parse("t.toml", "[fleet.a]\nstep = [ { do = \"x\", index = 0 } ]\n").unwrap();
    assert_eq!(shrink(&tree, 100, &mut |cut| *cut == tree), tree);
}

#[test]
fn ddmin_leaves_exactly_what_is_needed() {
    for seed in 0..50 {
        let mut rng = Seed(seed).stream("needed", 0);
        let needed: Vec<u64> = (0..64).filter(|_| rng.below(16) == 0).collect();
        let all: Vec<u64> = (0..64).collect();
        let kept = ddmin::ddmin(&all, &mut |some| needed.iter().all(|n| some.contains(n)));
        assert_eq!(kept, needed, "seed {seed}");
    }
}
