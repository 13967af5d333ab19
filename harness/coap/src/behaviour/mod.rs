//! What fleets do beside playing scripts.
mod observer;
mod socket;
#[cfg(test)]
mod strict;
mod sweep;
mod telemetry;
#[cfg(test)]
mod tests;
mod witness;
mod workload;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::protocol::Behaviour;

/// Every behaviour of CoAP.
pub const BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        name: "telemetry",
        keys: telemetry::KEYS,
        doc: "sends readings to a resource at its own pace, and repeats what is not acknowledged",
        crowd: telemetry::crowd,
        ends: has_an_end,
        written_out: None,
    },
    Behaviour {
        name: "observer",
        keys: observer::KEYS,
        doc: "observes a resource and acknowledges every notification, or none",
        crowd: observer::crowd,
        ends: has_an_end,
        written_out: None,
    },
    Behaviour {
        name: "sweep",
        keys: sweep::KEYS,
        doc: "discovers resources, then sends one request to each from a new association",
        crowd: sweep::crowd,
        ends: |_| true,
        written_out: None,
    },
    Behaviour {
        name: "workload",
        keys: workload::KEYS,
        doc: "a few clients that use everything legal, drawn from the seed and written out as scripts",
        crowd: |_, _, _| panic!("a workload is written out when its plan is made"),
        ends: |_| true,
        written_out: Some(workload::written_out),
    },
    Behaviour {
        name: "witness",
        keys: witness::KEYS,
        doc: "shows that the target still serves everyone else: a CON GET every 200 ms",
        crowd: witness::crowd,
        ends: |_| false,
        written_out: None,
    },
];

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc }
}

const FOR: Key = key("for", Kind::Duration, "how long after its start; without it, until the trial ends");
/// What every server offers, as far as it offers anything \[RFC 7252 §7.2\].
const WELL_KNOWN: &str = "/.well-known/core";

/// A device that is told for how long, ends.
fn has_an_end(fleet: &FleetPlan) -> bool {
    fleet.keys.find("for").is_some()
}
