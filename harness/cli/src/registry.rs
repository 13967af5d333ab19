//! Everything that this build knows, in one place.
use proofhouse_core::registry::Registry;

/// The lists: one line per protocol and per in-process target.
pub fn registry() -> Registry {
    Registry {
        protocols: vec![proofhouse_mqtt::MQTT, proofhouse_coap::COAP],
        builds: proofhouse_targets::BUILDS.to_vec(),
        flaws: proofhouse_targets::flaw::lines(),
        pattern: Some(proofhouse_live::process::log::pattern),
    }
}
