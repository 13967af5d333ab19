//! A key that loads does something: changed, each key of every behaviour and of every rule changes what is sent or what is judged. A new
//! key for which nothing here shows that fails.
mod rig;

use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::value::{Fields, Value};
use rig::{build, header, reference, registry, scenarios};

/// A behaviour, the rest of its file, and its keys with the value that must change something.
type FleetRow = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// A fleet of each behaviour, with the keys without which others of it would have nothing to do.
const FLEETS: [FleetRow; 9] = [
    ("mqtt", "telemetry", &[("every", "\"200ms\""), ("for", "\"1s\"")]),
    ("mqtt", "commanded", &[("for", "\"2s\""), ("will_topic", "\"site/will\"")]),
    ("mqtt", "workload", &[]),
    ("coap", "workload", &[]),
    ("mqtt", "witness", &[]),
    ("coap", "telemetry", &[("path", "\"/store/{id}\""), ("every", "\"200ms\""), ("for", "\"1s\"")]),
    ("coap", "observer", &[("path", "\"{resource.observable}\""), ("for", "\"4s\"")]),
    ("coap", "sweep", &[("request", "{ method = \"PUT\" }"), ("linger", "\"1s\"")]),
    ("coap", "witness", &[]),
];

/// Values for keys whose kind does not say which there are.
const VALUES: [(&str, &str); 10] = [
    ("method", "\"post\""),
    ("path", "\"/time\""),
    ("path", "\"/counter\""),
    ("query", "\"pmax=1\""),
    ("type", "\"non\""),
    ("request", "{ method = \"POST\" }"),
    ("methods", "[\"POST\"]"),
    ("paths", "[\"/time\"]"),
    ("canary", "\"told\""),
    ("filter", "\"cmd/+/other\""),
];

/// Scripts beside the fleet: one is the control that a scenario must have, the other commands it.
fn others(protocol: &str) -> &'static str {
    match protocol {
        "coap" => {
            "[fleet.known]\nbehaviour = \"script\"\n\
             step = [{ do = \"get\", path = \"/time\", expect = { code = \"2.05\" }, part = \"control\" }]\n"
        }
        _ => {
            "[party.known]\nmay = { publish = [\"cmd/#\"], subscribe = [\"site/#\"] }\n\
             [fleet.known]\nbehaviour = \"script\"\nstep = [\n\
             { do = \"connect\", expect = { type = \"connack\", reason = 0 }, part = \"control\" },\n\
             { do = \"wait\", for = \"500ms\" },\n\
             { do = \"publish\", topic = \"cmd/foe-0/a\", qos = 1, payload = \"1\" },\n\
             { do = \"publish\", topic = \"cmd/foe-0/a\", qos = 1, payload = \"2\" },\n\
             { do = \"wait\", for = \"1s\" },\n]\n"
        }
    }
}

/// A scenario of a fleet with these keys, beside the control.
fn scenario(protocol: &str, version: &str, behaviour: &str, keys: &BTreeMap<&str, &str>) -> String {
    let version = if version.is_empty() { String::new() } else { format!("version = \"{version}\"\n") };
    // The witness is in every plan; named here, it has keys of its own.
    let (name, part, more) = match behaviour {
        "witness" => (
            "witness",
            "",
            "[party.witness]\nmay = {}\n[fleet.foe]\nbehaviour = \"telemetry\"\nfor = \"1s\"\npart = \"stimulus\"\n",
        ),
        _ => ("foe", "part = \"stimulus\"\n", ""),
    };
    let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let party = if name == "foe" { "" } else { "as = \"witness\"\n" };
    format!(
        "format = 1\ntitle = \"t\"\nattack = \"XX-01\"\nlevel = \"must\"\nprotocol = \"{protocol}\"\n{version}limit = \"30s\"\n\
         [party.foe]\nmay = {{ publish = [\"site/#\"], subscribe = [\"cmd/#\"] }}\n{more}{}\
         [fleet.{name}]\nbehaviour = \"{behaviour}\"\n{party}{part}{keys}",
        others(protocol)
    )
}

/// What the fleets of this scenario do; or why it is refused.
fn played(text: &str, protocol: &str, registry: &Registry) -> Result<Vec<String>, String> {
    let scenario = Scenario::load(&format!("{protocol}/keys"), "keys.toml", text, registry);
    let scenario = scenario.map_err(|error| format!("{error}\n{text}"))?;
    let target = reference(&scenario, &[], registry);
    let plan = scenario.plan(&scenario.cases[0].name, Seed(1), &target, registry);
    let plan = plan.map_err(|error| format!("{error:?}\n{text}"))?;
    let transcript = sim::run(&plan, registry, build(&plan, &target, registry), header(&plan, &target, "main"));
    Ok(transcript.entries.iter().map(|entry| format!("{entry:?}")).collect())
}

/// Values of a key in a scenario file that are worth a try.
fn texts(key: &Key) -> Vec<&'static str> {
    let named: Vec<&str> = VALUES.iter().filter(|(name, _)| *name == key.name).map(|(_, value)| *value).collect();
    match key.kind {
        _ if !named.is_empty() => named,
        Kind::Bool => vec!["true", "false"],
        Kind::Int => vec!["0", "1", "2", "7"],
        Kind::Duration => vec!["\"50ms\"", "\"3s\""],
        Kind::Percent => vec!["\"0%\"", "\"100%\""],
        _ => vec!["\"site/x\""],
    }
}

#[test]
fn every_key_of_a_behaviour_changes_what_its_fleet_does() {
    let registry = registry();
    let mut dead = Vec::new();
    for protocol in &registry.protocols {
        for behaviour in protocol.behaviours.iter().filter(|behaviour| !behaviour.keys.is_empty()) {
            let fleet = FLEETS.iter().find(|(of, name, _)| *of == protocol.name && *name == behaviour.name);
            let (_, _, base) =
                fleet.unwrap_or_else(|| panic!("no fleet here shows {}'s {}", protocol.name, behaviour.name));
            let versions = if protocol.versions.is_empty() { vec![""] } else { protocol.versions.to_vec() };
            for key in behaviour.keys {
                let shows = |version: &&str| {
                    let of = |keys: &BTreeMap<&str, &str>| {
                        played(&scenario(protocol.name, version, behaviour.name, keys), protocol.name, &registry)
                    };
                    let keys: BTreeMap<&str, &str> = base.iter().copied().collect();
                    let before = of(&keys).unwrap_or_else(|error| panic!("{error}"));
                    texts(key).iter().any(|value| {
                        let mut keys = keys.clone();
                        keys.insert(key.name, value);
                        of(&keys).is_ok_and(|after| after != before)
                    })
                };
                if !versions.iter().any(shows) {
                    dead.push(format!("{} {}: {}", protocol.name, behaviour.name, key.name));
                }
            }
        }
    }
    assert!(dead.is_empty(), "keys that change nothing that a fleet does:\n{}", dead.join("\n"));
}

/// Rules that no scenario need name, because they hold everywhere or are chosen on the command line.
const ANYWHERE: [&str; 3] = ["no-hang", "no-slowdown", "memory-bounded"];

/// A trial that is quiet for long enough before and after the attack for a rule that compares the two.
const QUIET: &str = r#"
format   = 1
title    = "t"
attack   = "XX-01"
level    = "must"
protocol = "coap"
limit    = "80s"
[fleet.known]
behaviour = "script"
step = [
  { do = "get", path = "/time", expect = { code = "2.05" }, part = "control" },
  { do = "wait", for = "25s", mark = "quiet" },
]
[fleet.foe]
behaviour = "script"
step = [
  { do = "get", path = "/time", after = "known.quiet", part = "stimulus" },
  { do = "wait", for = "25s" },
]
"#;

/// A key of a rule.
type Of = (&'static str, &'static str);

/// Values of a key of a rule that are worth a try, in this plan; `None`: without it.
fn values(key: &Key, plan: &Plan) -> Vec<Option<Value>> {
    let text = |text: &str| Value::from(text);
    let all = match key.kind {
        Kind::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Kind::Int => vec![Value::Int(0), Value::Int(1), Value::Int(1_000_000_000)],
        Kind::Float => vec![Value::Float(0.01), Value::Float(10_000.0)],
        Kind::Duration => ["0s", "1ns", "50ms", "1h"].map(text).to_vec(),
        Kind::Percent => ["0%", "50%", "100%"].map(text).to_vec(),
        Kind::Any => {
            ["/none", "/time", "/protected", "payload", "code", "none"].map(|one| Value::List(vec![text(one)])).to_vec()
        }
        _ => {
            let fleets = plan.fleets.iter().map(|fleet| &fleet.name);
            let named =
                fleets.chain(plan.canaries.iter().map(|(name, _)| name)).chain(plan.marks.iter().map(|(name, _)| name));
            let known = ["other", "ip", "path", "held-bytes", "rss-bytes"].map(text);
            known.into_iter().chain(named.map(|name| Value::from(name.as_str()))).collect()
        }
    };
    all.into_iter().map(Some).chain([None]).collect()
}

/// An expectation with another value of one of its keys.
fn with(expect: &Expect, key: &str, value: Option<Value>) -> Expect {
    let mut other = expect.clone();
    match value {
        Some(value) => other.keys.set(key, value),
        None => drop(other.keys.remove(key)),
    }
    other
}

/// The expectation as it stands, and with each other key at its first value: some keys matter only beside those.
fn bases(expect: &Expect, key: &str, keys: &[Key], plan: &Plan) -> Vec<Expect> {
    let others = keys.iter().filter(|other| other.name != key);
    let changed = others.map(|other| with(expect, other.name, values(other, plan).swap_remove(0)));
    [expect.clone()].into_iter().chain(changed).collect()
}

/// The keys of these rules that change what is judged of this trial.
fn alive(plan: &Plan, transcript: &Transcript, wanted: &BTreeSet<Of>, registry: &Registry) -> Vec<Of> {
    let missing = ANYWHERE.into_iter().filter(|oracle| !plan.expects.iter().any(|expect| expect.oracle == **oracle));
    let more = missing.map(|oracle| Expect { oracle: oracle.to_owned(), of: Vec::new(), keys: Fields::default() });
    let expects: Vec<Expect> = plan.expects.iter().cloned().chain(more).collect();
    let mut found = Vec::new();
    for (expect, oracle) in expects.iter().filter_map(|expect| Some((expect, registry.oracle(&expect.oracle)?))) {
        for key in oracle.keys.iter().filter(|key| wanted.contains(&(oracle.id, key.name))) {
            let says = |expect: &Expect| (oracle.judge)(expect, plan, transcript);
            let changes = |base: &Expect| {
                let before = says(base);
                values(key, plan).into_iter().any(|value| says(&with(base, key.name, value)) != before)
            };
            if bases(expect, key.name, oracle.keys, plan).iter().any(changes) {
                found.push((oracle.id, key.name));
            }
        }
    }
    found
}

#[test]
fn every_key_of_a_rule_changes_what_it_says_of_some_trial() {
    let registry = registry();
    let mut wanted: BTreeSet<Of> =
        registry.oracles().flat_map(|oracle| oracle.keys.iter().map(|key| (oracle.id, key.name))).collect();
    let quiet = Scenario::load("coap/quiet", "quiet.toml", QUIET, &registry).expect("it stands above");
    for scenario in scenarios(&registry).into_iter().chain([quiet]) {
        let flaws = scenario.twins.iter().map(|(flaw, _)| vec![flaw.as_str()]);
        for flaws in [Vec::new()].into_iter().chain(flaws) {
            let target = reference(&scenario, &flaws, &registry);
            for case in &scenario.cases {
                let left = |oracle: &str| wanted.iter().any(|(of, _)| *of == oracle);
                let plan = scenario.plan(&case.name, Seed(1), &target, &registry).expect("it plans on its reference");
                if !plan.expects.iter().any(|expect| left(&expect.oracle)) && !ANYWHERE.into_iter().any(left) {
                    break;
                }
                let transcript =
                    sim::run(&plan, &registry, build(&plan, &target, &registry), header(&plan, &target, "main"));
                for key in alive(&plan, &transcript, &wanted, &registry) {
                    wanted.remove(&key);
                }
            }
        }
    }
    assert!(wanted.is_empty(), "keys that change nothing that is judged: {wanted:#?}");
}
