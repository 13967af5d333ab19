//! A target that hangs for ever at some packet of a fleet whose behaviour is the stimulus is found to hang, and never passes: at its
//! first packet, at its last, and at those between. A slow one that goes on passes.
mod rig;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{Event, Transcript, Who};
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use rig::{judged_behind, reference, registry, run};

const SEEDS: u64 = 12;
/// Packets of a fleet at which the target hangs: its first, its last, and so many between.
const BETWEEN: usize = 4;

/// Protocol, behaviour, and its keys.
type Fleet = (&'static str, &'static str, &'static str);

/// Every behaviour that plays a client, as the whole stimulus.
const FLEETS: [Fleet; 6] = [
    ("coap", "sweep", "linger = \"1s\""),
    (
        "coap",
        "sweep",
        "request = { method = \"GET\", type = \"con\", ack = false }\nsource = \"fresh\"\nlinger = \"3s\"",
    ),
    ("coap", "telemetry", "path = \"/store/{id}\"\nevery = \"200ms~400ms\"\nfor = \"2s\"\ncount = 3"),
    ("coap", "observer", "path = \"{resource.observable}\"\nfor = \"4s\"\ncount = 3"),
    ("mqtt", "telemetry", "qos = 2\nevery = \"200ms~400ms\"\nfor = \"2s\"\ncount = 3"),
    ("mqtt", "commanded", "for = \"2s\"\ncount = 3"),
];

/// A step of the legal variant, for a scenario must have one.
fn control(protocol: &str) -> &str {
    match protocol {
        "coap" => "{ do = \"get\", path = \"{resource.readable}\", expect = { code = \"2.05\" }, part = \"control\" }",
        _ => {
            "{ do = \"connect\", expect = { type = \"connack\", reason = 0 }, part = \"control\" }, { do = \"disconnect\" }"
        }
    }
}

/// A scenario whose stimulus is this fleet; each way over the network takes `delay`.
fn scenario((protocol, behaviour, keys): Fleet, delay: &str, registry: &Registry) -> Scenario {
    let version = if protocol == "mqtt" { "version = [\"3.1.1\", \"5\"]\n" } else { "" };
    let text = format!(
        "format = 1\ntitle = \"t\"\nattack = \"XX-01\"\nlevel = \"must\"\nprotocol = \"{protocol}\"\n{version}limit = \"60s\"\n\
         [network]\ndelay = \"{delay}\"\n\
         [party.foe]\nmay = {{ publish = [\"site/#\"], subscribe = [\"cmd/#\"] }}\n\
         [fleet.known]\nbehaviour = \"script\"\nstep = [{}]\n\
         [fleet.foe]\nbehaviour = \"{behaviour}\"\npart = \"stimulus\"\n{keys}\n",
        control(protocol)
    );
    let id = format!("{protocol}/{behaviour}");
    Scenario::load(&id, &id, &text, registry).unwrap_or_else(|e| panic!("{id}:{}: {}\n{}", e.line, e.message, e.source))
}

/// A target that neither hears nor says anything from a moment on.
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

/// When the fleet's packets were written, each moment once.
fn packets(transcript: &Transcript) -> Vec<Time> {
    let foe = |who: &Who| matches!(who, Who::Member(fleet, _) if fleet == "foe");
    let written = |event: &Event| matches!(event, Event::Sent(_));
    let all = transcript.entries.iter().filter(|entry| foe(&entry.who) && written(&entry.event));
    let mut moments: Vec<Time> = all.map(|entry| entry.at).collect();
    moments.dedup();
    moments
}

/// Some of them, the first and the last always.
fn some(moments: &[Time]) -> Vec<Time> {
    let last = moments.len() - 1;
    let mut chosen: Vec<Time> = (0..=BETWEEN + 1).map(|n| moments[n * last / (BETWEEN + 1)]).collect();
    chosen.dedup();
    chosen
}

fn hung(scenario: &Scenario, case: &str, seed: Seed, from: Time, target: &TargetSpec, registry: &Registry) -> Outcome {
    let plan = scenario.plan(case, seed, target, registry).expect("the reference has what it needs");
    // One nanosecond earlier: the packet is written, and nobody takes it.
    let from = Time(from.0.saturating_sub(1));
    judged_behind(plan, target, registry, &|target| Box::new(Hangs { target, from }))
}

/// Every hang of a case that is not found.
fn spared(scenario: &Scenario, case: &str, target: &TargetSpec, registry: &Registry) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in (0..SEEDS).map(Seed) {
        let clean = run(scenario, case, seed, target, registry);
        assert_eq!(clean.verdict(), Verdict::Pass, "{} [{case}] clean: {}", scenario.id, clean.reason());
        for from in some(&packets(&clean.transcript)) {
            let outcome = hung(scenario, case, seed, from, target, registry);
            let hang =
                outcome.judgements.iter().find(|judgement| judgement.oracle == "no-hang").expect("it is always asked");
            if hang.verdict != Verdict::Fail || outcome.verdict() != Verdict::Fail {
                wrong.push(format!(
                    "{} [{case}] {seed:?} at {from}: {} no-hang {:?}, {}",
                    scenario.id,
                    outcome.verdict().name(),
                    hang.verdict,
                    hang.reason
                ));
            }
        }
    }
    wrong
}

#[test]
fn a_hang_at_any_packet_of_a_behaviour_is_a_hang() {
    let registry = registry();
    let mut wrong = Vec::new();
    for fleet in FLEETS {
        let scenario = scenario(fleet, "1ms", &registry);
        let target = reference(&scenario, &[], &registry);
        for case in &scenario.cases {
            wrong.extend(spared(&scenario, &case.name, &target, &registry));
        }
    }
    assert!(wrong.is_empty(), "{} hangs were not found:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_slow_target_that_goes_on_serving_passes() {
    let registry = registry();
    for fleet in FLEETS {
        let scenario = scenario(fleet, "400ms", &registry);
        let target = reference(&scenario, &[], &registry);
        for (case, seed) in scenario.cases.iter().flat_map(|case| (0..SEEDS).map(move |seed| (case, seed))) {
            let outcome = run(&scenario, &case.name, Seed(seed), &target, &registry);
            assert_eq!(outcome.verdict(), Verdict::Pass, "{} [{}]: {}", scenario.id, case.name, outcome.reason());
        }
    }
}
