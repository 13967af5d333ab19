//! Fleets of CoAP for tests.
use proofhouse_core::plan::FleetPlan;
use proofhouse_core::testing;
use proofhouse_core::value::Fields;

/// A fleet of one that speaks CoAP.
pub(crate) fn fleet(name: &str, keys: Fields) -> FleetPlan {
    FleetPlan {
        protocol: "coap".into(),
        grammar: crate::COAP.grammar,
        endpoint: "udp".into(),
        ..testing::fleet(name, keys)
    }
}
