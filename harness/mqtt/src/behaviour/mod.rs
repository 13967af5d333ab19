//! What fleets do beside playing scripts.
use proofhouse_core::protocol::Behaviour;

/// Every behaviour of MQTT.
pub const BEHAVIOURS: &[Behaviour] = &[];
