//! What hard attacks need to say: each of these is one kind of construct, in the words of the stub.
use super::*;

/// Scenarios with the case that is planned.
pub(super) const ALL: &[(&str, &str)] = &[
    (STRANGER, ""),
    (SWEEP, ""),
    (OPTIONS, "nibble"),
    (REVOKED, ""),
    (TAKEOVER, "2"),
    (HALF_OPEN, ""),
    (MATRIX, "1B/third"),
    (GATEWAY, ""),
];

/// A field of one fleet's answer goes into another fleet's frame, from another address.
const STRANGER: &str = r#"format = 1
title = "a stranger's reset"
protocol = "stub"
needs = ["resource.observable"]
limit = "30s"
[fleet.watcher]
source = "127.0.0.2"
behaviour = "script"
step = [
  { do = "say", path = "{resource.observable}", observe = 0, type = "con", expect = { code = "2.05", observe = true }, mark = "watching", part = "control" },
  { do = "expect", any = [{ code = "2.05", observe = true, bind = { mid = "n1.mid", token = "n1.token" } }], within = "10s", mark = "notified" },
  { after = "foe.shot", do = "expect", any = [{ code = "2.05", observe = true }], within = "15s" },
]
[fleet.foe]
source = "127.0.0.3"
behaviour = "script"
step = [ { after = "watcher.notified", do = "send", frame = { type = "rst", code = "0.00", mid = "$watcher.n1.mid" }, part = "stimulus", mark = "shot" } ]
[[expect]]
oracle = "stub-closes"
of = "watcher"
[twin]
forgets = "stub-closes"
"#;

/// A behaviour with a table of its own, a part for a whole fleet, a window of an oracle.
const SWEEP: &str = r#"format = 1
title = "amplification"
protocol = "stub"
limit = "120s"
[fleet.stranger]
behaviour = "chatter"
source = "fresh"
request = { method = "GET", type = "con", ack = false }
part = "stimulus"
[fleet.known]
behaviour = "script"
step = [ { do = "say", path = "/x", expect = { code = "2.05" }, part = "control" } ]
[[expect]]
oracle = "stub-size"
factor_max = 3.0
bytes = "udp-payload"
window = "93s"
"#;

/// Rows of cases: hex and outcomes.
const OPTIONS: &str = r#"format = 1
title = "options"
protocol = "stub"
limit = "20s"
[[case]]
name = "sum"
hex = "40 01 {mid} e0 ff ff"
any = [{ type = "rst" }, { silence = "3s" }, { code = "4.02" }]
[[case]]
name = "nibble"
hex = "40 01 {mid} f0"
any = [{ type = "rst" }, { silence = "3s" }]
[fleet.foe]
behaviour = "script"
step = [
  { do = "say", path = "/x", expect = { code = "2.05" }, part = "control" },
  { do = "send", hex = "{case.hex}", part = "stimulus" },
  { do = "expect", any = "{case.any}" },
  { do = "say", path = "/x", expect = { code = "2.05" }, part = "control" },
]
[[expect]]
oracle = "stub-closes"
of = "foe"
"#;

/// An administrator, rights, a control arm.
const REVOKED: &str = r#"format = 1
title = "revoked"
protocol = "stub"
version = "2"
needs = ["acl", "admin.revoke"]
limit = "30s"
[party.victim]
may = { subscribe = ["cmd/victim/#"] }
[party.writer]
may = { publish = ["cmd/victim/#"] }
[fleet.victim]
as = "victim"
behaviour = "script"
step = [
  { do = "hello", clean = false, expect = { type = "welcome", reason = 0 } },
  { do = "say", expect = { type = "ok", reason = [0, 1] }, part = "control" },
  { do = "bye", mark = "away" },
  { after = "admin.revoked", do = "hello", clean = false, part = "stimulus" },
  { do = "wait", for = "3s" },
]
[fleet.writer]
as = "writer"
behaviour = "script"
step = [
  { do = "hello" },
  { after = "victim.away", do = "say", topic = "cmd/victim/door", qos = 1, canary = "queued", expect = { type = "ok", reason = 0 }, mark = "queued" },
]
[fleet.admin]
behaviour = "admin"
step = [ { after = "writer.queued", do = "revoke", party = "victim", grant = "subscribe cmd/victim/#", mark = "revoked" } ]
[control]
without = ["admin.revoked"]
expect = { canary = "queued", at = "victim" }
[[expect]]
oracle = "stub-policy"
within = "0s"
[twin]
forgets = "stub-policy"
"#;

/// Two connections of one device, a manual session, versions.
const TAKEOVER: &str = r#"format = 1
title = "take-over"
protocol = "stub"
version = ["1", "2"]
limit = "20s"
[party.sender]
may = { publish = ["a/#"] }
[party.reader]
may = { subscribe = ["a/#"] }
[fleet.reader]
as = "reader"
behaviour = "script"
step = [ { do = "hello" }, { do = "say", qos = 2, mark = "ready", part = "control" }, { do = "wait", for = "5s" } ]
[fleet.sender]
as = "sender"
behaviour = "script"
session = "manual"
step = [
  { after = "reader.ready", conn = "old", do = "hello", name = "s1", clean = false },
  { conn = "old", do = "say", topic = "a/x", qos = 2, packet_id = 7, canary = "once", expect = { type = "got", packet_id = 7 } },
  { conn = "new", do = "hello", name = "s1", clean = false, part = "stimulus" },
  { conn = "old", do = "expect", any = [{ closed = true }, { type = "bye", reason = 0x8E }], within = "1s" },
  { conn = "new", do = "say", topic = "a/x", qos = 2, packet_id = 7, dup = true, canary = "once", expect = { type = "got", packet_id = 7 } },
]
[[expect]]
oracle = "stub-once"
canary = "once"
at = "reader"
"#;

/// Thousands of connections, a slow send, a share.
const HALF_OPEN: &str = r#"format = 1
title = "half open"
protocol = "stub"
limit = "120s"
[fleet.silent]
count = "2000..10000"
source = "each"
ramp = "5s"
behaviour = "script"
step = [ { do = "open", part = "stimulus" }, { do = "expect", any = [{ closed = true }], within = "30s" } ]
[fleet.half]
count = "1000..5000"
source = "each"
ramp = "5s"
behaviour = "script"
step = [
  { do = "open" },
  { do = "send", hex = "10 20 00 04 4d 51", pace = "1B/10s" },
  { do = "expect", any = [{ closed = true }], within = "30s" },
]
[fleet.honest]
behaviour = "script"
step = [ { do = "hello", expect = { type = "welcome", reason = 0 }, part = "control" }, { do = "bye" } ]
[[expect]]
oracle = "stub-closes"
of = ["silent", "half"]
within = "30s"
at_least = "99%"
[[expect]]
oracle = "no-hang"
[twin]
never-closes = "stub-closes"
"#;

/// A named list of cases, and a cut of the stimulus.
const MATRIX: &str = r#"format = 1
title = "matrix"
protocol = "stub"
version = "2"
cases = "stub.matrix"
segments = ["whole", "1B"]
limit = "10s"
[fleet.foe]
behaviour = "script"
step = [
  { do = "{case.lead_in}" },
  { do = "send", frame = "{case.frame}", part = "stimulus" },
  { do = "expect", any = [{ closed = true }, { type = "bye", reason = [0x81, 0x82] }], within = "5s" },
]
[fleet.honest]
behaviour = "script"
step = [ { do = "hello", expect = { type = "welcome", reason = 0 }, part = "control" }, { do = "bye" } ]
[[expect]]
oracle = "stub-closes"
of = "foe"
within = "5s"
"#;

/// Two protocols, endpoints by name, and a fleet that the target connects to.
const GATEWAY: &str = r#"format = 1
title = "gateway"
needs = ["dumb.server", "stub.client"]
limit = "30s"
[fleet.node]
protocol = "dumb"
endpoint = "south"
count = 5
behaviour = "chatter"
every = "1s"
[fleet.cloud]
protocol = "stub"
endpoint = "north"
plays = "server"
behaviour = "chatter"
[fleet.foe]
protocol = "dumb"
endpoint = "south"
behaviour = "script"
step = [
  { do = "say", path = ["site", "foe", "t"], part = "control" },
  { do = "say", path = ["site", "node-1/../node-2", "t"], canary = "smuggled", part = "stimulus" },
]
[[expect]]
oracle = "stub-once"
canary = "smuggled"
at = "cloud:site/node-2/#"
"#;

#[test]
fn a_strangers_frame_uses_what_another_fleet_was_told() {
    let plan = plan(STRANGER);
    let foe = plan.fleet("foe").expect("foe");
    assert_eq!(foe.source(0, 0).ip, 0x7f00_0003);
    assert_eq!(plan.binds, ["watcher.n1.mid", "watcher.n1.token"]);
    assert_eq!(foe.steps[0].uses, [("$watcher.n1.mid".to_string(), crate::ids::BindId(0))]);
    let path = plan.fleets[0].steps[0].fields.text("path");
    assert_eq!(path, Some("/time"), "the target says what is observable");
    assert!(plan.tree.plain().to_string().contains("{resource.observable}"), "the print stays good for other targets");
}

#[test]
fn who_is_connected_to_plays_no_party_and_has_no_witness() {
    let plan = plan(GATEWAY);
    let cloud = plan.fleet("cloud").expect("cloud");
    assert!(cloud.plays_server && cloud.party.is_none());
    assert_eq!(cloud.endpoint_id.0, 3);
    assert_eq!(
        plan.fleets.last().map(|fleet| (fleet.name.as_str(), fleet.protocol.as_str())),
        Some(("witness", "dumb"))
    );
}

#[test]
fn an_administrator_logs_in_nowhere() {
    let plan = plan(REVOKED);
    let admin = plan.fleet("admin").expect("admin");
    assert_eq!((admin.party, admin.protocol.as_str(), admin.authenticated), (None, "", false));
    assert_eq!(admin.steps[0].fields.text("grant"), Some("subscribe cmd/victim/#"));
    assert_eq!(
        plan.parties.iter().map(|party| party.name.as_str()).collect::<Vec<_>>(),
        ["victim", "writer", "witness"]
    );
}

#[test]
fn a_slow_send_has_a_pace() {
    let plan = plan(HALF_OPEN);
    let half = plan.fleet("half").expect("half");
    assert_eq!(half.steps[1].pace, Some((1, crate::time::Duration::from_secs(10))));
    assert!((1000..=5000).contains(&half.count));
}

#[test]
fn a_sweep_lasts_as_long_as_its_window() {
    assert!(plan(SWEEP).is_slow());
}
