//! What a crowd costs beyond its traffic: its marks, and judging it. Both must be linear: twice the members, twice the time.
//!
//! One line for each rule and size: seconds, and how much more than for half the members. CPU time, not wall time: the machine may be
//! shared.
//!
//! `cargo bench -p proofhouse-benches --bench judging [-- SIZE...]`
#[path = "common/clock.rs"]
mod clock;
mod common;

use std::hint::black_box;
use std::time::Duration;

use proofhouse_core::judge::judge_all;
use proofhouse_core::plan::Expect;
use proofhouse_core::registry::Registry;
use proofhouse_core::sim::run;
use proofhouse_core::testing::header;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::value::{Fields, Value};

use clock::cpu_time;
use common::broker;

const SIZES: [u64; 3] = [4_000, 8_000, 16_000];

/// Every member connects, says a canary, is answered and is taken over by itself; a fleet of the same size waits for its marks member by
/// member, and one of another size for all of them.
const SCENARIO: &str = r#"
format   = 1
title    = "A crowd speaks, and another waits for it"
level    = "hardening"
protocol = "mqtt"
version  = "5"
limit    = "60s"

[party.owner]
may = { publish = ["site/#"], subscribe = ["site/#"] }

[fleet.crowd]
as        = "owner"
count     = {members}
source    = "each"
ramp      = "10s"
behaviour = "script"
step = [
  { do = "connect", client_id = "same", expect = { type = "connack", reason = 0 }, part = "control", mark = "in" },
  { do = "publish", topic = "site/a", qos = 1, canary = "crowd", expect = { type = "puback" }, part = "stimulus", mark = "said" },
  { do = "disconnect" },
]

[fleet.same]
as        = "owner"
count     = {members}
source    = "each"
behaviour = "script"
step = [
  { do = "connect", after = "crowd.said", expect = { type = "connack", reason = 0 } },
  { do = "subscribe", filter = "site/b" },
  { do = "disconnect" },
]

[fleet.other]
as        = "owner"
behaviour = "script"
step = [
  { do = "connect", after = "crowd.said", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "disconnect" },
]

[[expect]]
oracle = "fleet-undisturbed"
of     = ["crowd", "same", "other"]
"#;

/// Rules that read every connection or step, with the keys that they need here.
fn rules() -> Vec<Expect> {
    let rule = |oracle: &str, keys: &[(&str, &str)]| Expect {
        oracle: oracle.into(),
        of: Vec::new(),
        keys: Fields(keys.iter().map(|(key, value)| ((*key).into(), Value::from(*value))).collect()),
    };
    vec![
        rule("fleet-undisturbed", &[]),
        rule("answer-in-set", &[]),
        rule("closes-in-time", &[("within", "1ms")]),
        rule("no-crash", &[]),
        rule("no-hang", &[]),
        rule("no-unhandled-exception", &[]),
        rule("never-at", &[("canary", "crowd"), ("at", "other")]),
        rule("amplification", &[]),
        rule("policy-kept", &[]),
        rule("session-exclusive", &[]),
        rule("refused", &[]),
        rule("stays-available", &[]),
        rule("answers-fit", &[]),
        rule("matches-filter", &[]),
        rule("reads-within-rights", &[]),
        rule("exactly-once", &[("canary", "crowd"), ("at", "same")]),
        rule("state-kept", &[("before", "crowd.in"), ("after", "crowd.said")]),
    ]
}

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if args.is_empty() { SIZES.to_vec() } else { args };
    let registry = Registry {
        protocols: vec![proofhouse_mqtt::MQTT],
        builds: proofhouse_targets::BUILDS.to_vec(),
        ..Registry::default()
    };
    let mut before: Vec<(String, Duration)> = Vec::new();
    println!("{:>8}  {:24} {:>9} {:>9}", "members", "what", "CPU s", "times");
    for members in sizes {
        let now = measure(members, &registry);
        for (what, took) in &now {
            let half = before.iter().find(|(name, _)| name == what).map(|(_, half)| half.as_secs_f64());
            let times = half.map_or_else(String::new, |half| format!("{:.1}", took.as_secs_f64() / half.max(0.01)));
            println!("{members:>8}  {what:24} {:>9.2} {times:>9}", took.as_secs_f64());
        }
        before = now;
    }
}

fn measure(members: u64, registry: &Registry) -> Vec<(String, Duration)> {
    let text = SCENARIO.replace("{members}", &members.to_string());
    let (plan, target) = common::planned("bench/judging", &text, registry);
    let mut all = Vec::new();
    let mut timed = |what: &str, work: &mut dyn FnMut()| {
        let began = cpu_time();
        work();
        all.push((what.to_string(), cpu_time() - began));
    };
    let mut transcript = None;
    timed("trial with marks", &mut || transcript = Some(run(&plan, registry, broker(&plan, &target), header(&plan))));
    let transcript: Transcript = transcript.expect("it was just run");
    timed("judge_all", &mut || drop(black_box(judge_all(&plan, &transcript, None, registry))));
    for expect in rules() {
        let oracle = registry.oracle(&expect.oracle).unwrap_or_else(|| panic!("no rule {:?}", expect.oracle));
        timed(&expect.oracle, &mut || drop(black_box((oracle.judge)(&expect, &plan, &transcript))));
    }
    all
}
