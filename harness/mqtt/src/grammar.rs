//! What rules of every protocol ask about MQTT packets.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::grammar::Grammar;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::Value;

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
    limit,
    interim: |_| false,
    answers,
    keep_alive: |packet| packet.kind == "pingreq",
    asks,
    takes,
    busy,
};

fn asks(packet: &Packet) -> Option<&'static str> {
    Some(match (packet.kind.as_str(), packet.fields.int("qos")) {
        ("connect", _) => "connack",
        ("publish", Some(1)) => "puback",
        ("publish", Some(2)) => "pubrec",
        ("pubrel", _) => "pubcomp",
        ("subscribe", _) => "suback",
        ("unsubscribe", _) => "unsuback",
        ("pingreq", _) => "pingresp",
        _ => return None,
    })
}

/// Acknowledgements answer by packet id, and where there is none by their type alone; PUBREL goes on with what our PUBREC has answered.
fn answers(said: &Packet, heard: &Packet) -> bool {
    let goes_on = said.kind == "pubrec" && heard.kind == "pubrel";
    let same = said.fields.int("packet_id") == heard.fields.int("packet_id");
    same && (goes_on || asks(said) == Some(heard.kind.as_str()) || said.kind == "publish" && heard.kind == "pubcomp")
}

/// Where there is a code, none is an error; UNSUBACK of 3.1.1 and PINGRESP have none.
fn takes(packet: &Packet) -> bool {
    let codes = packet.fields.find("reason").map(Value::as_slice).unwrap_or_default();
    let error = |code: i64| code >= 0x80 || (packet.kind == "connack" && code != 0);
    match packet.kind.as_str() {
        "connack" | "puback" | "pubrec" | "pubcomp" | "suback" | "unsuback" | "pingresp" => {
            !codes.iter().filter_map(Value::as_int).any(error)
        }
        _ => false,
    }
}

/// Server unavailable or busy, quota exceeded, message rate too high, connection rate exceeded: nothing of it is about what was said.
fn busy(packet: &Packet) -> bool {
    let reason = packet.fields.int("reason");
    match packet.kind.as_str() {
        "connack" => matches!(reason, Some(0x03 | 0x88 | 0x89 | 0x97 | 0x9F)),
        "disconnect" => matches!(reason, Some(0x89 | 0x96 | 0x97 | 0x9F)),
        _ => false,
    }
}

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

/// Reasons that say "not supported", and "packet too large", each with the property by which CONNACK has to announce it.
const REFUSALS: [(i64, &str); 6] = [
    (0x9a, "retain_available"),
    (0x9b, "maximum_qos"),
    (0x9e, "shared_available"),
    (0xa1, "subscription_id_available"),
    (0xa2, "wildcard_available"),
    (0x95, "maximum_packet_size"),
];

/// A property of CONNACK is an announcement. A reason is none: a server that refuses what it has not announced that it lacks breaks
/// MQTT5 §3.2.2.3.4 to §3.2.2.3.13, or does not do what it says.
fn limit(before: &mut dyn Iterator<Item = &Packet>, answer: &Packet, field: &str) -> bool {
    const PROPERTIES: [&str; 10] = [
        "maximum_qos",
        "receive_maximum",
        "maximum_packet_size",
        "topic_alias_maximum",
        "server_keep_alive",
        "session_expiry",
        "retain_available",
        "wildcard_available",
        "subscription_id_available",
        "shared_available",
    ];
    if field != "reason" {
        return answer.kind == "connack" && PROPERTIES.contains(&field);
    }
    let said = answer.fields.find("reason").map(Value::as_slice).unwrap_or_default();
    let named = |code: &i64| REFUSALS.iter().find(|(reason, _)| reason == code).map(|(_, property)| *property);
    let mut lacking: Vec<&str> = said.iter().filter_map(Value::as_int).filter_map(|code| named(&code)).collect();
    let refused = !lacking.is_empty();
    let mut hear = |packet: &Packet| {
        if packet.kind == "connack" {
            lacking.retain(|property| !announces(packet, property));
        }
    };
    before.for_each(&mut hear);
    hear(answer);
    refused && lacking.is_empty()
}

/// A property that says that there is less than everything.
fn announces(connack: &Packet, property: &str) -> bool {
    match connack.fields.find(property) {
        Some(Value::Bool(available)) => !available,
        Some(Value::Int(number)) => property.starts_with("maximum") || *number == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::value::Fields;

    #[test]
    fn an_acknowledgement_takes_what_it_answers_unless_one_of_its_codes_is_an_error() {
        for (kind, code, taken) in [
            ("connack", 0, true),
            ("connack", 5, false),
            ("suback", 2, true),
            ("suback", 0x80, false),
            ("puback", 0x10, true),
            ("disconnect", 0, false),
        ] {
            assert_eq!(takes(&packet(kind, &[("reason", code)])), taken, "{kind} {code}");
        }
        assert!(takes(&packet("pingresp", &[])) && takes(&packet("unsuback", &[])));
        assert_eq!(asks(&packet("publish", &[("qos", 2)])), Some("pubrec"));
        assert_eq!(asks(&packet("publish", &[("qos", 0)])), None);
    }

    fn packet(kind: &str, fields: &[(&str, i64)]) -> Packet {
        let fields = fields.iter().map(|(name, value)| ((*name).to_string(), Value::Int(*value))).collect();
        Packet { kind: kind.into(), fields: Fields(fields), malformed: String::new() }
    }

    #[test]
    fn a_refusal_tells_a_limit_where_connack_has_announced_it_and_nowhere_else() {
        let tells = |connack: &[(&str, i64)], kind: &str, reason: i64| {
            let connack = packet("connack", connack);
            limit(&mut core::iter::once(&connack), &packet(kind, &[("reason", reason)]), "reason")
        };
        assert!(tells(&[("maximum_qos", 1)], "puback", 0x9b));
        assert!(tells(&[("retain_available", 0)], "puback", 0x9a));
        assert!(tells(&[("maximum_qos", 0)], "connack", 0x9b), "a Will is refused by CONNACK; others were told");
        assert!(!tells(&[], "puback", 0x9a), "nothing was announced");
        assert!(!tells(&[("retain_available", 1)], "puback", 0x9a));
        assert!(!tells(&[("maximum_qos", 1)], "suback", 0xa2), "that is another limit");
        assert!(!tells(&[("maximum_qos", 1)], "puback", 0x87), "not authorized is no limit");
    }

    #[test]
    fn a_property_of_connack_is_an_announcement() {
        let tells =
            |kind: &str| limit(&mut core::iter::empty(), &packet(kind, &[("session_expiry", 0)]), "session_expiry");
        assert!(tells("connack") && !tells("publish"));
    }

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
