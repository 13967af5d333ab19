//! Laws of the loader, told with a protocol of their own so that they need no real one.
use super::*;

mod cases;
mod hard;
mod mistakes;
mod planning;
mod stub;

use stub::{registry, target};

/// For other modules' tests.
pub(crate) fn stub_registry() -> Registry {
    registry()
}

/// A scenario that loads; tests add to it or break it.
const PLAIN: &str = r#"format   = 1
title    = "x"
protocol = "stub"
version  = "2"
limit    = "20s"

[fleet.foe]
behaviour = "script"
step = [
  { do = "hello", expect = { type = "welcome", reason = 0 }, part = "control" },
  { do = "send", hex = "00 ff", part = "stimulus", mark = "sent" },
  { do = "expect", any = [{ closed = true }, { type = "bye", reason = [1, 2] }], within = "1s" },
]

[[expect]]
oracle = "stub-closes"
of     = "foe"
"#;

fn load(text: &str) -> Scenario {
    Scenario::load("stub/x", "x.toml", text, &registry()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn plan_of(scenario: &Scenario, case: &str, seed: u64) -> Plan {
    scenario.plan(case, Seed(seed), &target(), &registry()).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(text: &str) -> Plan {
    plan_of(&load(text), "", 7)
}
