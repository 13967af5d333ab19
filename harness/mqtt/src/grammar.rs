//! What rules of every protocol ask about MQTT packets.
use alloc::format;
use alloc::string::{String, ToString};

use proofhouse_core::grammar::Grammar;
use proofhouse_core::transcript::Packet;

use crate::codec::ReasonCode;
use crate::codec::topic::matches;

/// The packets of MQTT, as far as rules of every protocol ask about them.
pub(crate) static GRAMMAR: Grammar = Grammar {
    protocol: "mqtt",
    opening: &["connect"],
    leaving: &["disconnect"],
    own_reason,
    resource: |packet| packet.fields.text("topic").filter(|topic| !topic.is_empty()).map(ToString::to_string),
    covers: matches,
    kind,
};

/// Unavailable, busy, shutting down, taken over, a quota, an administrator, elsewhere, or connected for long enough. In 3.1.1, a
/// CONNACK with 3: unavailable.
fn own_reason(packet: &Packet) -> bool {
    let Some(code) = packet.fields.int("reason").and_then(|code| u8::try_from(code).ok()) else { return false };
    match packet.kind.as_str() {
        "connack" if code == REFUSED_UNAVAILABLE => true,
        "connack" | "disconnect" => OWN_REASONS.contains(&ReasonCode(code)),
        _ => false,
    }
}

/// The return code of 3.1.1; in 5 no CONNACK has it.
const REFUSED_UNAVAILABLE: u8 = 3;
const OWN_REASONS: [ReasonCode; 9] = [
    ReasonCode::SERVER_UNAVAILABLE,
    ReasonCode::SERVER_BUSY,
    ReasonCode::SERVER_SHUTTING_DOWN,
    ReasonCode::SESSION_TAKEN_OVER,
    ReasonCode::QUOTA_EXCEEDED,
    ReasonCode::ADMINISTRATIVE_ACTION,
    ReasonCode::USE_ANOTHER_SERVER,
    ReasonCode::SERVER_MOVED,
    ReasonCode::MAXIMUM_CONNECT_TIME,
];

/// Packet type, with the QoS where there is one: `publish/qos2`, `connack`.
pub(crate) fn kind(packet: &Packet) -> String {
    match packet.fields.int("qos") {
        Some(qos) => format!("{}/qos{qos}", packet.kind),
        None => packet.kind.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proofhouse_core::value::Fields;

    use super::*;

    #[test]
    fn a_server_that_shuts_down_has_a_reason_of_its_own_and_one_that_calls_it_malformed_has_none() {
        let says = |kind: &str, reason: u32| {
            let mut fields = Fields::default();
            fields.set("reason", reason);
            own_reason(&Packet { kind: kind.to_string(), fields, malformed: String::new() })
        };
        assert!(says("disconnect", 0x8B) && says("disconnect", 0x98) && says("connack", 0x8B) && says("connack", 3));
        for (kind, reason) in [("disconnect", 0x81), ("disconnect", 0x82), ("disconnect", 3), ("connack", 0x87)] {
            assert!(!says(kind, reason), "{kind} {reason:#x}");
        }
        assert!(!says("puback", 0x97));
    }
}
