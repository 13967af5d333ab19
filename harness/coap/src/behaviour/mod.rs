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
    },
    Behaviour {
        name: "observer",
        keys: observer::KEYS,
        doc: "observes a resource and acknowledges every notification, or none",
        crowd: observer::crowd,
        ends: has_an_end,
    },
    Behaviour {
        name: "sweep",
        keys: sweep::KEYS,
        doc: "discovers resources, then sends one request to each from a new association",
        crowd: sweep::crowd,
        ends: |_| true,
    },
    Behaviour {
        name: "witness",
        keys: witness::KEYS,
        doc: "shows that the target still serves everyone else: a CON GET every 200 ms",
        crowd: witness::crowd,
        ends: |_| false,
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

/// A fleet of one for tests.
#[cfg(test)]
pub(crate) fn test_fleet(name: &str, keys: proofhouse_core::value::Fields) -> FleetPlan {
    use proofhouse_core::{actor::EndpointId, plan, time::Duration};
    FleetPlan {
        name: name.into(),
        index: 0,
        party: None,
        protocol: "coap".into(),
        grammar: crate::COAP.grammar,
        version: "".into(),
        endpoint: "udp".into(),
        endpoint_id: EndpointId(0),
        authenticated: false,
        plays_server: false,
        count: 1,
        only: None,
        behaviour: "script".into(),
        source: plan::Source::One,
        ramp: Duration::ZERO,
        part: None,
        manual: false,
        steps: alloc::vec::Vec::new(),
        keys,
        network: plan::Network::CLEAN,
    }
}

/// The plan of a test's only fleet.
#[cfg(test)]
pub(crate) fn test_plan(fleet: FleetPlan) -> proofhouse_core::plan::Plan {
    use alloc::string::String;
    use alloc::vec;
    use proofhouse_core::document::{Located, Node, Span};
    use proofhouse_core::{plan, seed::Seed, time::Duration};
    plan::Plan {
        tree: Located { span: Span::default(), node: Node::Bool(true) },
        id: String::new(),
        case: String::new(),
        seed: Seed(1),
        title: String::new(),
        about: plan::About::default(),
        target: String::new(),
        version: String::new(),
        segments: plan::Segments::Whole,
        needs: vec![],
        limit: Duration::from_secs(9),
        network: fleet.network,
        parties: vec![],
        fleets: vec![fleet],
        marks: vec![],
        binds: vec![],
        canaries: vec![],
        control: None,
        expects: vec![],
        twins: vec![],
        record: plan::Recording::Full,
    }
}
