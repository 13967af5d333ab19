//! Reference targets: sans-io, correct by their standard, and able to carry one planted flaw so that every oracle can prove itself.
//!
//! [`mod@reference`] holds the targets, [`flaw`] the defects that they can be built with. Nothing here opens a socket or reads a
//! clock: a target is an [`Actor`](proofhouse_core::actor::Actor) like every other participant.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod blank;
pub mod flaw;
pub mod reference;

use proofhouse_core::registry::Build;

/// Every target that can be built in this process, for [`Registry::builds`](proofhouse_core::registry::Registry::builds).
pub const BUILDS: &[Build] = &[
    reference::broker::BUILD,
    reference::coap_server::BUILD,
    reference::gateway::BUILD,
    blank::CLOSED,
    blank::MUTE,
    blank::YES,
    blank::YES_COAP,
];

#[cfg(test)]
mod tests {
    use proofhouse_core::registry::Registry;
    use proofhouse_core::target::{TargetKind, TargetSpec};

    use super::*;

    #[test]
    fn the_target_files_beside_us_load_and_name_what_is_here() {
        let registry = Registry {
            protocols: [proofhouse_mqtt::MQTT, proofhouse_coap::COAP].into(),
            builds: BUILDS.to_vec(),
            flaws: flaw::lines(),
            pattern: None,
        };
        for (name, text) in [
            ("reference", include_str!("../reference.toml")),
            ("reference-live", include_str!("../reference-live.toml")),
            ("reference-coap", include_str!("../reference-coap.toml")),
            ("reference-coap-live", include_str!("../reference-coap-live.toml")),
            ("blank-yes-coap", include_str!("../blank-yes-coap.toml")),
            ("reference-gateway", include_str!("../reference-gateway.toml")),
            ("coap-lite", include_str!("../coap-lite.toml")),
            ("libcoap", include_str!("../libcoap.toml")),
        ] {
            let spec = TargetSpec::load(name, name, text, &registry).unwrap_or_else(|why| panic!("{why:?}"));
            let accounts = matches!(spec.kind, TargetKind::Process(_)) && spec.endpoints[0].protocol == "mqtt";
            assert!(accounts == spec.account.is_some(), "{name}");
        }
    }
}
