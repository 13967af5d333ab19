//! What rules of every protocol ask about MQTT packets.
use alloc::format;
use alloc::string::{String, ToString};

use proofhouse_core::grammar::Grammar;
use proofhouse_core::transcript::Packet;

use crate::codec::topic::matches;

/// The packets of MQTT, as far as rules of every protocol ask about them.
pub(crate) static GRAMMAR: Grammar = Grammar {
    protocol: "mqtt",
    opening: &["connect"],
    leaving: &["disconnect"],
    resource: |packet| packet.fields.text("topic").filter(|topic| !topic.is_empty()).map(ToString::to_string),
    covers: matches,
    kind,
};

/// Packet type, with the QoS where there is one: `publish/qos2`, `connack`.
pub(crate) fn kind(packet: &Packet) -> String {
    match packet.fields.int("qos") {
        Some(qos) => format!("{}/qos{qos}", packet.kind),
        None => packet.kind.clone(),
    }
}
