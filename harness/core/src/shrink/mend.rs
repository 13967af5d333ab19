//! After a cut: references to what is gone are taken out, so that the smaller tree still loads.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::document::{Located, Node, Pair};
use crate::value::Value;

/// Names of the fleets, in file order.
pub(super) fn fleets(tree: &Located) -> Vec<String> {
    tree.find("fleet").map_or_else(Vec::new, |fleets| fleets.pairs().iter().map(|pair| pair.key.clone()).collect())
}

/// The table of one fleet.
pub(super) fn fleet<'t>(tree: &'t Located, name: &str) -> Option<&'t Located> {
    tree.find("fleet")?.find(name)
}

/// The table of one fleet, to be changed.
pub(super) fn fleet_mut<'t>(tree: &'t mut Located, name: &str) -> Option<&'t mut Located> {
    tree.find_mut("fleet")?.find_mut(name)
}

/// The steps of one fleet, to be changed.
pub(super) fn steps_mut<'t>(tree: &'t mut Located, name: &str) -> Option<&'t mut Vec<Located>> {
    match &mut fleet_mut(tree, name)?.find_mut("step")?.node {
        Node::List(steps) => Some(steps),
        _ => None,
    }
}

/// Writes every step's place into it, where it does not stand there: cutting must not renumber.
pub(super) fn number_steps(tree: &mut Located) {
    for name in fleets(tree) {
        let Some(steps) = steps_mut(tree, &name) else { continue };
        for (n, step) in steps.iter_mut().enumerate() {
            if step.find("index").is_none() {
                step.set("index", &Value::Int(n as i64));
            }
        }
    }
}

/// Takes out `after`, `of`, `at` and `without` that name a fleet or mark which is gone, and what has no subject left.
pub(super) fn mend(tree: &mut Located) {
    let names: BTreeSet<String> = fleets(tree).into_iter().collect();
    let marks = marks(tree);
    for name in &names {
        for step in steps_mut(tree, name).into_iter().flatten() {
            let known = |after: &str| marks.contains(after) || marks.contains(&format!("{name}.{after}"));
            retain(step, "after", &known);
        }
    }
    let there = |text: &str| names.contains(text.split(':').next().unwrap_or(text));
    if let Some(Node::List(expects)) = tree.find_mut("expect").map(|expects| &mut expects.node) {
        expects.retain_mut(|expect| retain(expect, "of", &there) && retain(expect, "at", &there));
    }
    let keeps_arm = tree.find_mut("control").is_none_or(|arm| {
        retain(arm, "without", &|mark| marks.contains(mark))
            && arm.find_mut("expect").is_none_or(|expect| retain(expect, "at", &there))
    });
    if !keeps_arm {
        tree.remove("control");
    }
}

fn marks(tree: &Located) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    for name in fleets(tree) {
        let steps = fleet(tree, &name).and_then(|fleet| fleet.find("step"));
        for mark in steps.into_iter().flat_map(Located::items).filter_map(|step| step.find("mark")?.text()) {
            marks.insert(format!("{name}.{mark}"));
        }
    }
    marks
}

/// Keeps the texts at `key` that are known; without any left the key goes. `false`: it had some and has none now.
fn retain(table: &mut Located, key: &str, known: &dyn Fn(&str) -> bool) -> bool {
    let Some(value) = table.find_mut(key) else { return true };
    let empty = match &mut value.node {
        Node::Text(text) => !known(text),
        Node::List(all) => {
            all.retain(|one| one.text().is_none_or(known));
            all.is_empty()
        }
        _ => false,
    };
    if empty {
        table.remove(key);
    }
    !empty
}

/// Takes the fleets out that are not in `kept`.
pub(super) fn keep_fleets(tree: &mut Located, kept: &[String]) {
    keep_pairs(tree.find_mut("fleet"), |pair| kept.contains(&pair.key));
}

/// Takes pairs out of a table.
pub(super) fn keep_pairs(table: Option<&mut Located>, keep: impl FnMut(&Pair) -> bool) {
    if let Some(Node::Table(pairs)) = table.map(|table| &mut table.node) {
        pairs.retain(keep);
    }
}

/// The members of a fleet that take part.
pub(super) fn members(fleet: &Located) -> Vec<i64> {
    let int = |value: &Located| match value.node {
        Node::Int(n) => Some(n),
        _ => None,
    };
    match fleet.find("only") {
        Some(only) => only.items().iter().filter_map(int).collect(),
        None => (0..fleet.find("count").and_then(int).unwrap_or(1)).collect(),
    }
}

/// The name of a step's connection.
pub(super) fn conn(step: &Located) -> String {
    step.find("conn").and_then(Located::text).unwrap_or("main").to_string()
}
