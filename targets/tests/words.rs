//! A key of a scenario file that loads does something: with it, or with another value, the plan's word about itself, what is sent or what
//! is judged is another. The keys come from the tables that `explain` and `schema` print: a new one without a row here fails.
mod rig;

use std::collections::BTreeSet;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::vocabulary::{Table, scenario_tables};
use rig::{judged, registry, target};

const MQTT: &str = r#"
format = 1
title = "t"
protocol = "mqtt"
version = "5"
limit = "20s"
[party.foe]
may = { publish = ["a/#"], subscribe = ["a/#"] }
[network]
delay = "5ms"
[fleet.honest]
as = "foe"
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "a/#", qos = 1, part = "control", mark = "in" },
  { do = "expect", any = [{ type = "publish", canary = "c" }], within = "3s" },
  { do = "disconnect" },
]
[fleet.foe]
behaviour = "script"
step = [
  { do = "connect", part = "control" },
  { do = "publish", topic = "a/x", qos = 1, canary = "c", part = "stimulus", mark = "said", after = "honest.in" },
  { do = "publish", topic = "a/z", payload = "z" },
  { do = "expect", any = [{ type = "pingresp" }], within = "2s" },
  { do = "disconnect" },
]
[[expect]]
oracle = "answer-in-set"
of = ["honest", "foe"]
[[expect]]
oracle = "closes-in-time"
of = "foe"
"#;

const COAP: &str = r#"
format = 1
title = "t"
protocol = "coap"
limit = "60s"
[network]
delay = "5ms"
[fleet.foe]
behaviour = "script"
step = [
  { do = "get", path = "/time", part = "control" },
  { do = "get", path = "/time", part = "stimulus" },
  { do = "get", path = "/time" },
  { do = "get", path = "/time" },
]
"#;

/// Table, key, which text, what stands there, and what stands there instead.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const ARM: &str = "[control]\nwithout = [\"foe.said\"]\nexpect = { at = \"honest\", silence = \"1s\" }\n[party.foe]";
const LINK: &str = "delay = \"5ms\"";
const FLEET: &str = "[fleet.foe]\n";
const HEAD: &str = "limit = \"20s\"\n";
const PUBLISH: &str = "topic = \"a/x\", ";

const ROWS: &[Row] = &[
    ("a scenario", "attack", MQTT, HEAD, "limit = \"20s\"\nattack = \"MC-03\"\n"),
    ("a scenario", "guidance", MQTT, HEAD, "limit = \"20s\"\nguidance = [\"HRD-1\"]\n"),
    ("a scenario", "spec", MQTT, HEAD, "limit = \"20s\"\nspec = [\"mqtt5:3.1.4-3\"]\n"),
    ("a scenario", "level", MQTT, HEAD, "limit = \"20s\"\nlevel = \"hardening\"\n"),
    ("a scenario", "cwe", MQTT, HEAD, "limit = \"20s\"\ncwe = [400]\n"),
    (
        "a scenario",
        "cvss",
        MQTT,
        HEAD,
        "limit = \"20s\"\ncvss = \"CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N\"\n",
    ),
    ("a scenario", "kind", MQTT, HEAD, "limit = \"20s\"\nkind = \"auth\"\n"),
    ("a scenario", "protocol", MQTT, "protocol = \"mqtt\"", "protocol = \"coap\""),
    ("a scenario", "version", MQTT, "version = \"5\"", "version = \"3.1.1\""),
    ("a scenario", "needs", MQTT, HEAD, "limit = \"20s\"\nneeds = [\"qos-2\"]\n"),
    ("a scenario", "segments", MQTT, HEAD, "limit = \"20s\"\nsegments = \"1B\"\n"),
    ("a scenario", "record", COAP, "limit = \"60s\"\n", "limit = \"60s\"\nrecord = \"edges\"\n"),
    ("a scenario", "case", MQTT, HEAD, "limit = \"20s\"\ncase = [{ name = \"one\" }, { name = \"two\" }]\n"),
    ("a scenario", "cases", MQTT, HEAD, "limit = \"20s\"\ncases = \"mqtt.aliases\"\n"),
    ("a scenario", "party", MQTT, "[party.foe]\nmay = { publish = [\"a/#\"], subscribe = [\"a/#\"] }", "[party.foe]\n"),
    ("a scenario", "network", MQTT, "[network]\ndelay = \"5ms\"\n", ""),
    ("a scenario", "expect", MQTT, "[[expect]]\noracle = \"closes-in-time\"\nof = \"foe\"\n", ""),
    ("a scenario", "twin", MQTT, "of = \"foe\"", "of = \"foe\"\n[twin]\nflaky-by-seed = \"answer-in-set\""),
    ("a scenario", "control", MQTT, "[party.foe]", ARM),
    ("a party", "may", MQTT, "may = { publish = [\"a/#\"], subscribe = [\"a/#\"] }", ""),
    ("rights", "publish", MQTT, "publish = [\"a/#\"]", "publish = [\"b/#\"]"),
    ("rights", "subscribe", MQTT, "subscribe = [\"a/#\"]", "subscribe = [\"b/#\"]"),
    ("a fleet", "step", MQTT, "  { do = \"disconnect\" },\n", ""),
    ("a fleet", "as", MQTT, "as = \"foe\"\n", ""),
    ("a fleet", "part", MQTT, FLEET, "[fleet.foe]\npart = \"stimulus\"\n"),
    ("a fleet", "count", MQTT, FLEET, "[fleet.foe]\ncount = 3\n"),
    ("a fleet", "protocol", MQTT, "protocol = \"mqtt\"\nversion = \"5\"\n", "version = \"5\"\n"),
    ("a fleet", "version", MQTT, FLEET, "[fleet.foe]\nversion = \"3.1.1\"\n"),
    ("a fleet", "endpoint", MQTT, FLEET, "[fleet.foe]\nendpoint = \"elsewhere\"\n"),
    ("a fleet", "plays", MQTT, FLEET, "[fleet.foe]\nplays = \"server\"\n"),
    ("a fleet", "session", MQTT, "as = \"foe\"\n", "as = \"foe\"\nsession = \"manual\"\n"),
    ("a fleet", "source", MQTT, FLEET, "[fleet.foe]\nsource = \"127.0.0.9\"\n"),
    ("a fleet", "ramp", MQTT, FLEET, "[fleet.foe]\ncount = 3\nramp = \"2s\"\n"),
    ("a fleet", "network", MQTT, FLEET, "[fleet.foe]\nnetwork = { delay = \"90ms\" }\n"),
    ("a fleet", "only", MQTT, FLEET, "[fleet.foe]\ncount = 3\nonly = [2]\n"),
    ("a step", "part", MQTT, "{ do = \"disconnect\" }", "{ do = \"disconnect\", part = \"control\" }"),
    ("a step", "expect", MQTT, "reason = 0 }", "reason = 5 }"),
    ("a step", "any", MQTT, "any = [{ type = \"pingresp\" }]", "any = [{ type = \"puback\" }]"),
    ("a step", "within", MQTT, "within = \"2s\"", "within = \"1s\""),
    (
        "a step",
        "bind",
        MQTT,
        "part = \"stimulus\", mark",
        "part = \"stimulus\", expect = { type = \"puback\" }, bind = { packet_id = \"id\" }, mark",
    ),
    ("a step", "mark", MQTT, "mark = \"said\", ", ""),
    ("a step", "after", MQTT, ", after = \"honest.in\"", ""),
    (
        "a step",
        "conn",
        MQTT,
        "{ do = \"connect\", part = \"control\" }",
        "{ do = \"connect\", part = \"control\", conn = \"b\" }",
    ),
    (
        "a step",
        "as",
        MQTT,
        "{ do = \"connect\", part = \"control\" }",
        "{ do = \"connect\", part = \"control\", as = \"nobody\" }",
    ),
    ("a step", "canary", MQTT, "payload = \"z\"", "canary = \"d\""),
    ("a step", "pace", MQTT, PUBLISH, "topic = \"a/x\", pace = \"10B/1s\", "),
    ("a step", "at", MQTT, PUBLISH, "topic = \"a/x\", at = \"2s\", "),
    ("a step", "skip", MQTT, "any = [{ type = \"pingresp\" }]", "skip = true, any = [{ type = \"pingresp\" }]"),
    ("a step", "index", MQTT, "{ do = \"disconnect\" }", "{ do = \"disconnect\", index = 9 }"),
    ("an outcome", "closed", MQTT, "{ type = \"pingresp\" }", "{ closed = true }"),
    ("an outcome", "silence", MQTT, "{ type = \"pingresp\" }", "{ silence = \"1s\" }"),
    ("an outcome", "canary", MQTT, "type = \"publish\", canary = \"c\"", "type = \"publish\", topic = \"a/y\""),
    ("an outcome", "bind", MQTT, "canary = \"c\" }", "canary = \"c\", bind = { topic = \"where\" } }"),
    ("link faults", "delay", MQTT, LINK, "delay = \"50ms\""),
    ("link faults", "loss", COAP, LINK, "loss = \"60%\""),
    ("link faults", "duplicate", COAP, LINK, "duplicate = \"100%\""),
    ("link faults", "reorder", COAP, LINK, "delay = \"5ms~50ms\"\nreorder = \"100%\""),
    ("link faults", "corrupt", COAP, LINK, "corrupt = \"100%\""),
    ("link faults", "cut", MQTT, LINK, "cut = { after = \"1s\" }"),
    ("link faults", "stall", MQTT, LINK, "stall = { after = \"5ms\", for = \"1s\" }"),
    ("link faults", "rate", MQTT, LINK, "rate = 20"),
    ("link faults", "split", MQTT, LINK, "split = 3"),
    ("a cut", "how", MQTT, LINK, "cut = { after = \"1s\", how = \"fin\" }"),
    ("an expectation", "of", MQTT, "of = \"foe\"", "of = \"honest\""),
    (
        "what the control arm must see",
        "closed",
        MQTT,
        "[party.foe]",
        "[control]\nwithout = [\"foe.said\"]\nexpect = { at = \"honest\", closed = true }\n[party.foe]",
    ),
    ("what the control arm must see", "silence", MQTT, "[party.foe]", ARM),
    (
        "what the control arm must see",
        "canary",
        MQTT,
        "[party.foe]",
        "[control]\nwithout = [\"foe.said\"]\nexpect = { at = \"honest\", canary = \"c\" }\n[party.foe]",
    ),
    (
        "what the control arm must see",
        "bind",
        MQTT,
        "[party.foe]",
        "[control]\nwithout = [\"foe.said\"]\nexpect = { at = \"honest\", silence = \"1s\", bind = { topic = \"where\" } }\n[party.foe]",
    ),
];

/// Keys whose other value is refused: that shows what they do. Nothing can be kept in a control arm, since nobody there reads it.
const REFUSED: [(&str, &str); 5] = [
    ("a scenario", "protocol"),
    ("a fleet", "protocol"),
    ("a fleet", "endpoint"),
    ("a fleet", "plays"),
    ("what the control arm must see", "bind"),
];

/// What a scenario says of itself, what is sent and what is judged; or why it is refused.
fn told(text: &str, on: &str, registry: &Registry) -> Result<String, String> {
    let scenario = Scenario::load("x/words", "words.toml", text, registry).map_err(|error| error.to_string())?;
    let target = target(on, &[], registry);
    let plan = scenario.plan(&scenario.cases[0].name, Seed(1), &target, registry);
    let outcome = judged(plan.map_err(|error| format!("{error:?}"))?, &target, registry);
    let control = outcome.control.map(|arm| arm.entries);
    let (plan, seen) = (&outcome.plan, &outcome.transcript.entries);
    let itself = format!("{:?} {:?} {:?} {:?}", plan.about, plan.needs, scenario.cases, scenario.twins);
    Ok(format!("{itself}\n{seen:?}\n{control:?}\n{:?}", outcome.judgements))
}

/// What is wrong with a row: nothing changes with it.
fn idle((table, key, base, from, to): &Row, registry: &Registry) -> Option<String> {
    assert!(base.contains(from), "{table} {key}: {from:?} does not stand in the text");
    let on = if *base == MQTT { "reference" } else { "reference-coap" };
    let before = told(base, on, registry).unwrap_or_else(|error| panic!("{error}"));
    let is_refused = REFUSED.contains(&(table, key));
    match told(&base.replacen(from, to, 1), on, registry) {
        Ok(after) => (is_refused || after == before).then(|| format!("{table}: {key} changes nothing")),
        Err(why) => (!is_refused).then(|| format!("{table}: {key} {why}")),
    }
}

/// The keys of a table that may be left out: of one that must stand, its absence is refused.
fn optional(table: &'static Table, registry: &Registry) -> Vec<(&'static str, &'static str)> {
    let words = table.words(registry).into_iter();
    words.filter(|word| !word.required).map(|word| (table.what, word.name)).collect()
}

#[test]
fn every_key_of_a_scenario_file_changes_something() {
    let registry = registry();
    let rows: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| (row.0, row.1)).collect();
    let keys = scenario_tables().into_iter().flat_map(|table| optional(table, &registry));
    let without: Vec<_> = keys.filter(|key| !rows.contains(key)).collect();
    assert!(without.is_empty(), "no row shows what these do: {without:?}");
    let idle: Vec<String> = ROWS.iter().filter_map(|row| idle(row, &registry)).collect();
    assert!(idle.is_empty(), "{} rows:\n{}", idle.len(), idle.join("\n"));
}
