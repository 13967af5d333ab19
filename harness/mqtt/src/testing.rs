//! Fleets and targets of MQTT for tests.
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::registry::Registry;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::testing;
use proofhouse_core::value::Fields;

/// A target that runs elsewhere.
pub(crate) const ELSEWHERE: &str = "format = 1\nkind = \"remote\"\n[[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\n\
    versions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\n";

/// A fleet of one that speaks MQTT 5.
pub(crate) fn fleet(name: &str, keys: Fields) -> FleetPlan {
    FleetPlan {
        protocol: "mqtt".into(),
        grammar: crate::MQTT.grammar,
        version: "5".into(),
        ..testing::fleet(name, keys)
    }
}

/// A registry of this protocol alone.
pub(crate) fn registry() -> Registry {
    Registry { protocols: [crate::MQTT].to_vec(), ..Registry::default() }
}

/// A scenario file planned for a target file.
pub(crate) fn planned(id: &str, text: &str, target: &str) -> (Plan, TargetSpec) {
    let registry = registry();
    let target = testing::target(target, &registry);
    (testing::planned(id, text, &target, &registry), target)
}
