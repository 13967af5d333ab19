//! What fleets do beside playing scripts.
mod commanded;
mod recording_broker;
mod telemetry;
#[cfg(test)]
pub(crate) mod tests;
mod witness;
mod workload;

pub(crate) use witness::{FILTER as WITNESS_FILTER, TOPICS as WITNESS_TOPICS};

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::protocol::Behaviour;

/// Every behaviour of MQTT.
pub const BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        name: "telemetry",
        keys: telemetry::KEYS,
        doc: "publishes readings at its own pace; connects again when the connection is lost",
        crowd: telemetry::crowd,
        ends: has_an_end,
        written_out: None,
    },
    Behaviour {
        name: "commanded",
        keys: commanded::KEYS,
        doc: "subscribes to its own commands and answers each by publishing its state",
        crowd: commanded::crowd,
        ends: has_an_end,
        written_out: None,
    },
    Behaviour {
        name: "recording-broker",
        keys: &[],
        doc: "plays the server: takes every client, acknowledges everything, passes nothing on; what it gets is in the transcript",
        crowd: recording_broker::crowd,
        ends: |_| false,
        written_out: None,
    },
    Behaviour {
        name: "workload",
        keys: workload::KEYS,
        doc: "two to eight clients that use everything legal, drawn from the seed; written out as scripts, judged by mqtt-model",
        crowd: |_, _, _| panic!("a workload is written out when its plan is made"),
        ends: |_| true,
        written_out: Some(workload::written_out),
    },
    Behaviour {
        name: "witness",
        keys: &[],
        doc: "shows that the target still serves everyone else: a QoS 1 round trip every 200 ms",
        crowd: witness::crowd,
        ends: |_| false,
        written_out: None,
    },
];

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc }
}

const FOR: Key = key("for", Kind::Duration, "how long after its start; without it, until the trial ends");
const QOS: Key = key("qos", Kind::Int, "0, 1 or 2 (default 1)");
const KEEP_ALIVE: Key = key("keep_alive", Kind::Int, "seconds (default 60); 0 turns it off");
const CLEAN_START: Key = key("clean_start", Kind::Bool, "Clean Session in 3.1.1 (default true)");
const SESSION_EXPIRY: Key =
    key("session_expiry", Kind::Int, "seconds that the session outlives the connection; MQTT 5 (default 0)");

/// A device that is told for how long, ends.
fn has_an_end(fleet: &FleetPlan) -> bool {
    fleet.keys.find("for").is_some()
}
