//! Probes: small scenarios that pass where a broker can do something and fail where it cannot. Run once per target before anything
//! that `needs` the capability; a declaration that a probe contradicts is a defect of its own.

/// A connection without credentials is refused, one with them is not.
pub const AUTHENTICATED: &str = r#"
format = 1
title = "Probe: asks who is there"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [ { do = "connect", expect = { type = "connack", reason = 0 }, part = "control", mark = "in" }, { do = "disconnect" } ]
[fleet.stranger]
as = "nobody"
behaviour = "script"
step = [ { after = "probe.in", do = "connect", any = [{ closed = true }, { type = "connack", reason = "refused" }], part = "stimulus" } ]
[[expect]]
oracle = "answer-in-set"
of = "stranger"
"#;

/// A message reaches who may read it, and not who may not but has asked for everything.
pub const ACL: &str = r##"
format = 1
title = "Probe: enforces rights of parties on topics"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[party.stranger]
may = { publish = ["stranger/#"], subscribe = ["stranger/#"] }
[fleet.reader]
as = "probe"
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "probe/#", qos = 1, expect = { type = "suback", reason = "ok" }, part = "control", mark = "ready" },
  { after = "writer.said", do = "expect", any = [{ type = "publish", canary = "secret" }], part = "control" },
]
[fleet.stranger]
behaviour = "script"
step = [
  { after = "reader.ready", do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "#", qos = 0, part = "stimulus" },
  { do = "wait", for = "100ms", mark = "asked" },
  { after = "writer.said", do = "wait", for = "1s" },
]
[fleet.writer]
as = "probe"
behaviour = "script"
step = [
  { after = "stranger.asked", do = "connect" },
  { do = "publish", topic = "probe/x", qos = 1, canary = "secret", part = "control", mark = "said" },
]
[[expect]]
oracle = "never-at"
canary = "secret"
at = "stranger"
"##;

/// A session is still there after its connection has ended.
pub const SESSIONS: &str = r#"
format = 1
title = "Probe: a session outlives its connection"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { subscribe = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [
  { do = "connect", clean_start = false, session_expiry = 60, expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "probe/#", qos = 1, expect = { type = "suback", reason = "ok" }, part = "control" },
  { do = "disconnect" },
  { do = "connect", clean_start = false, session_expiry = 60, expect = { type = "connack", reason = 0, session_present = true }, part = "stimulus" },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A message that was retained comes to a later subscriber.
pub const RETAINED: &str = r#"
format = 1
title = "Probe: keeps the last retained message of a topic"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "publish", topic = "probe/kept", qos = 1, retain = true, canary = "kept", expect = { type = "puback" }, part = "control" },
  { do = "subscribe", filter = "probe/kept", qos = 1, part = "stimulus" },
  { do = "expect", any = [{ type = "publish", canary = "kept" }] },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// The Will of a client whose connection breaks is published.
pub const WILLS: &str = r#"
format = 1
title = "Probe: publishes the Will of a client that is gone"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[fleet.heir]
as = "probe"
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "probe/will", qos = 1, expect = { type = "suback", reason = "ok" }, part = "control", mark = "ready" },
  { after = "author.gone", do = "expect", any = [{ type = "publish", canary = "will" }] },
]
[fleet.author]
as = "probe"
behaviour = "script"
step = [
  { after = "heir.ready", do = "connect", will_topic = "probe/will", will_qos = 1, canary = "will", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "reset", part = "stimulus", mark = "gone" },
]
[[expect]]
oracle = "answer-in-set"
of = "heir"
"#;

/// A message of QoS 2 is taken and delivered. A server may grant less [MQTT5 3.8.4-8, MQTT3 3.8.4-6]: then nobody can say.
pub const QOS_2: &str = r#"
format = 1
title = "Probe: takes and delivers messages of QoS 2"
protocol = "mqtt"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "probe/twice", qos = 2, expect = { type = "suback", reason = 2 }, part = "control" },
  { do = "publish", topic = "probe/twice", qos = 2, canary = "twice", part = "stimulus" },
  { do = "expect", any = [{ type = "publish", qos = 2, canary = "twice" }] },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A message to a shared subscription comes to its only member.
pub const SHARED: &str = r#"
format = 1
title = "Probe: shared subscriptions"
protocol = "mqtt"
version = "5"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "$share/g/probe/shared", qos = 1, part = "stimulus" },
  { do = "publish", topic = "probe/shared", qos = 1, canary = "shared" },
  { do = "expect", any = [{ type = "publish", canary = "shared" }] },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A PUBLISH with an empty topic and a known alias arrives.
pub const TOPIC_ALIAS: &str = r#"
format = 1
title = "Probe: takes topic aliases from clients"
protocol = "mqtt"
version = "5"
limit = "20s"
[party.probe]
may = { publish = ["probe/#"], subscribe = ["probe/#"] }
[fleet.probe]
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "subscribe", filter = "probe/alias", qos = 1, expect = { type = "suback", reason = "ok" }, part = "control" },
  { do = "publish", topic = "probe/alias", topic_alias = 1, qos = 1, canary = "named", part = "stimulus" },
  { do = "expect", any = [{ type = "publish", canary = "named" }] },
  { do = "publish", topic = "", topic_alias = 1, qos = 1, canary = "aliased" },
  { do = "expect", any = [{ type = "publish", canary = "aliased" }] },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;
