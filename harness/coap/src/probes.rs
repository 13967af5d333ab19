//! Probes: small scenarios that pass where a server can do something and fail where it cannot. Run once per target before anything
//! that `needs` the capability; a declaration that a probe contradicts is a defect of its own.

/// Links come from /.well-known/core.
pub const DISCOVERY: &str = r#"
format = 1
title = "Probe: lists its resources"
protocol = "coap"
limit = "20s"
[fleet.probe]
behaviour = "script"
step = [
  { do = "ping", part = "control" },
  { do = "get", path = "/.well-known/core", expect = { code = "2.05", content_format = 40 }, part = "stimulus" },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A registration is confirmed by a response with an Observe option.
pub const OBSERVE: &str = r#"
format = 1
title = "Probe: notifies observers"
protocol = "coap"
needs = ["resource.observable"]
limit = "20s"
[fleet.probe]
behaviour = "script"
step = [
  { do = "get", path = "{resource.observable}", expect = { code = "2.05" }, part = "control" },
  { do = "get", path = "{resource.observable}", observe = 0, expect = { code = "2.05", observe = true }, part = "stimulus" },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A large body is cut where the client asks for small blocks.
pub const BLOCKWISE: &str = r#"
format = 1
title = "Probe: sends large bodies in blocks"
protocol = "coap"
needs = ["resource.large"]
limit = "20s"
[fleet.probe]
behaviour = "script"
step = [
  { do = "get", path = "{resource.large}", expect = { code = "2.05" }, part = "control" },
  { do = "get", path = "{resource.large}", block2 = "0/0/64", expect = { code = "2.05", block2 = "0/1/64" }, part = "stimulus" },
]
[[expect]]
oracle = "answer-in-set"
of = "probe"
"#;

/// A stranger who asks for much is challenged first.
pub const ADDRESS_VALIDATION: &str = r#"
format = 1
title = "Probe: challenges an unknown address before it answers at length"
protocol = "coap"
needs = ["resource.large"]
limit = "20s"
[fleet.known]
source = "127.0.0.2"
behaviour = "script"
step = [ { do = "get", path = "{resource.large}", expect = { code = "2.05" }, part = "control" } ]
[fleet.stranger]
source = "fresh"
behaviour = "script"
step = [ { do = "get", path = "{resource.large}", echo = false, expect = { code = "4.01", echo = true }, part = "stimulus" } ]
[[expect]]
oracle = "answer-in-set"
of = "stranger"
"#;
