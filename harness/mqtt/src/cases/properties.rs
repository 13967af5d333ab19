//! `mqtt.property-matrix`: properties that may not stand as they stand.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value};

use crate::codec::properties::{PROPERTIES, Place, PropertyRow, ValueKind};
use crate::codec::{PropertyId, Version};
use crate::names;

/// Properties that may not stand as they stand: repeated, foreign, unknown, cut short or of another type, out of range; in every
/// packet in which a client can send them and in which the server's reaction tells something. Left out on purpose: AUTH and
/// DISCONNECT (the server ends the connection anyway), Authentication Method (most servers refuse it at once), and Payload Format
/// Indicator and Message Expiry Interval twice in a PUBLISH, which no sentence of the standard calls an error.
/// `lead_in` is the step before, `frame` the frame, `clause` what it breaks, `class` the kind of error, `attack` the whole in words.
pub(super) fn property_matrix(version: Version) -> Vec<CaseRow> {
    if version == Version::V311 {
        return Vec::new();
    }
    let mut rows: Vec<CaseRow> = Vec::new();
    for host in HOSTS {
        rows.extend(PROPERTIES.iter().filter(|row| is_repeat_error(host.place, row)).map(|row| repeated(host, row)));
    }
    for host in HOSTS {
        let foreign = PROPERTIES.iter().filter(|row| !row.places.iter().any(|(place, _)| *place == host.place));
        rows.extend(foreign.filter(|row| host.foreign.contains(&row.id)).map(|row| foreign_row(host, row)));
    }
    for host in HOSTS {
        rows.extend(host.unknown.iter().map(|id| unknown(host, *id)));
    }
    rows.extend(RAW.iter().map(raw));
    rows
}

/// A packet that carries a property.
struct Host {
    place: Place,
    /// As `type` writes it; a Will travels in a CONNECT.
    kind: &'static str,
    foreign: &'static [PropertyId],
    unknown: &'static [i64],
}

use PropertyId as Id;

/// One property of every type, and those that other packets of a client carry.
const FOREIGN: &[PropertyId] = &[
    Id::PayloadFormatIndicator,
    Id::CorrelationData,
    Id::SubscriptionIdentifier,
    Id::SessionExpiryInterval,
    Id::AssignedClientIdentifier,
    Id::ServerKeepAlive,
    Id::WillDelayInterval,
    Id::ReasonString,
    Id::TopicAlias,
    Id::MaximumQoS,
];
/// For the packets in which a server looks least.
const FOREIGN_FEW: &[PropertyId] = &[Id::SessionExpiryInterval, Id::TopicAlias];

const HOSTS: &[Host] = &[
    Host { place: Place::Connect, kind: "connect", foreign: FOREIGN, unknown: &[0x00, 0x04, 0x7f] },
    Host { place: Place::Will, kind: "connect", foreign: FOREIGN, unknown: &[0x7f] },
    Host { place: Place::Publish, kind: "publish", foreign: FOREIGN, unknown: &[0x00, 0x04, 0x7f] },
    Host { place: Place::Subscribe, kind: "subscribe", foreign: FOREIGN, unknown: &[0x7f] },
    Host { place: Place::Unsubscribe, kind: "unsubscribe", foreign: FOREIGN_FEW, unknown: &[0x7f] },
    Host { place: Place::Puback, kind: "puback", foreign: FOREIGN_FEW, unknown: &[0x7f] },
    Host { place: Place::Pubrel, kind: "pubrel", foreign: FOREIGN_FEW, unknown: &[0x7f] },
];

/// A property as bytes that break a rule: name of the case, host, property, bytes of its value, clause.
struct Raw {
    name: &'static str,
    place: Place,
    id: PropertyId,
    raw: &'static str,
    clause: &'static str,
}

/// A property where it does not belong, or of another type: the sentence has no number.
const TYPE: &str = "mqtt5:§2.2.2.2";
/// A property twice: each section says so for its own; what the server must do then is said once. One finding for each packet, not
/// for each property: who forgets this check forgets it for all.
const PROTOCOL_ERROR: &str = "mqtt5:4.13.1-1";

const RAW: &[Raw] = &[
    Raw {
        name: "cut/connect/session_expiry",
        place: Place::Connect,
        id: Id::SessionExpiryInterval,
        raw: "0000",
        clause: TYPE,
    },
    Raw { name: "cut/connect/receive_maximum", place: Place::Connect, id: Id::ReceiveMaximum, raw: "01", clause: TYPE },
    Raw { name: "cut/will/will_delay", place: Place::Will, id: Id::WillDelayInterval, raw: "00", clause: TYPE },
    Raw {
        name: "cut/publish/message_expiry",
        place: Place::Publish,
        id: Id::MessageExpiryInterval,
        raw: "0000",
        clause: TYPE,
    },
    Raw { name: "cut/publish/content_type", place: Place::Publish, id: Id::ContentType, raw: "000541", clause: TYPE },
    Raw {
        name: "cut/publish/correlation_data",
        place: Place::Publish,
        id: Id::CorrelationData,
        raw: "ffff41",
        clause: TYPE,
    },
    Raw {
        name: "cut/subscribe/subscription_id",
        place: Place::Subscribe,
        id: Id::SubscriptionIdentifier,
        raw: "80",
        clause: TYPE,
    },
    Raw {
        name: "type/publish/content_type",
        place: Place::Publish,
        id: Id::ContentType,
        raw: "0001ff",
        clause: "mqtt5:3.3.2-19",
    },
    Raw {
        name: "type/publish/response_topic",
        place: Place::Publish,
        id: Id::ResponseTopic,
        raw: "0001ff",
        clause: "mqtt5:3.3.2-13",
    },
    Raw {
        name: "type/connect/user_properties",
        place: Place::Connect,
        id: Id::UserProperty,
        raw: "0001ff000141",
        clause: "mqtt5:1.5.7-1",
    },
    Raw {
        name: "range/connect/receive_maximum",
        place: Place::Connect,
        id: Id::ReceiveMaximum,
        raw: "0000",
        clause: "mqtt5:§3.1.2.11.3",
    },
    Raw {
        name: "range/connect/maximum_packet_size",
        place: Place::Connect,
        id: Id::MaximumPacketSize,
        raw: "00000000",
        clause: "mqtt5:§3.1.2.11.4",
    },
    Raw {
        name: "range/connect/request_response_info",
        place: Place::Connect,
        id: Id::RequestResponseInformation,
        raw: "02",
        clause: "mqtt5:§3.1.2.11.6",
    },
    Raw {
        name: "range/connect/request_problem_info",
        place: Place::Connect,
        id: Id::RequestProblemInformation,
        raw: "02",
        clause: "mqtt5:§3.1.2.11.7",
    },
    Raw {
        name: "range/publish/topic_alias",
        place: Place::Publish,
        id: Id::TopicAlias,
        raw: "0000",
        clause: "mqtt5:3.3.2-8",
    },
    Raw {
        name: "range/subscribe/subscription_id",
        place: Place::Subscribe,
        id: Id::SubscriptionIdentifier,
        raw: "00",
        clause: "mqtt5:§3.8.2.1.2",
    },
];

/// Whether the standard calls a second occurrence an error, in a place where the reaction to it tells something.
fn is_repeat_error(place: Place, row: &PropertyRow) -> bool {
    let unsaid = place == Place::Publish && matches!(row.id, Id::PayloadFormatIndicator | Id::MessageExpiryInterval);
    let refused_anyway = matches!(row.id, Id::AuthenticationMethod | Id::AuthenticationData);
    // A client's PUBLISH carries no Subscription Identifier at all (3.3.4-6): that is another rule.
    let never = place == Place::Publish && row.id == Id::SubscriptionIdentifier;
    let stands = row.places.iter().any(|(at, _)| *at == place);
    stands && !row.repeats.contains(&place) && !unsaid && !refused_anyway && !never
}

fn repeated(host: &Host, row: &PropertyRow) -> CaseRow {
    let name = format!("repeated/{}/{}", host_name(host.place), names::property(row.id));
    let property = property(row.id as i64, legal(row.kind));
    case(&name, host, &[property.clone(), property], PROTOCOL_ERROR)
}

fn foreign_row(host: &Host, row: &PropertyRow) -> CaseRow {
    let name = format!("foreign/{}/{}", host_name(host.place), names::property(row.id));
    case(&name, host, &[property(row.id as i64, legal(row.kind))], TYPE)
}

fn unknown(host: &Host, id: i64) -> CaseRow {
    let name = format!("unknown/{}/0x{id:02x}", host_name(host.place));
    case(&name, host, &[property(id, "00")], TYPE)
}

fn raw(bad: &Raw) -> CaseRow {
    let host = HOSTS.iter().find(|host| host.place == bad.place).expect("every place of the table is a host");
    case(bad.name, host, &[property(bad.id as i64, bad.raw)], bad.clause)
}

/// The shortest legal value of a type, as hex.
fn legal(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Byte | ValueKind::Varint => "01",
        ValueKind::TwoBytes => "0001",
        ValueKind::FourBytes => "00000001",
        ValueKind::Text | ValueKind::Binary => "000141",
        ValueKind::Pair => "000141000142",
    }
}

fn property(id: i64, raw: &str) -> Value {
    let mut property = Fields::default();
    property.set("id", id);
    property.set("raw", raw);
    property.into()
}

fn host_name(place: Place) -> String {
    format!("{place:?}").to_lowercase()
}

fn case(name: &str, host: &Host, properties: &[Value], clause: &str) -> CaseRow {
    let mut frame = Fields::default();
    frame.set("type", host.kind);
    let more: &[(&str, Value)] = match host.place {
        Place::Will => &[("will_topic", Value::from("foe/will"))],
        Place::Publish => &[("topic", Value::from("foe/x"))],
        Place::Subscribe | Place::Unsubscribe => &[("filter", Value::from("foe/#")), ("packet_id", Value::Int(11))],
        Place::Puback | Place::Pubrel => &[("packet_id", Value::Int(11)), ("reason", Value::Int(0))],
        _ => &[],
    };
    for (key, value) in more {
        frame.set(key, value.clone());
    }
    let key = if host.place == Place::Will { "will_properties" } else { "properties" };
    frame.set(key, Value::List(properties.to_vec()));
    let mut fields = Fields::default();
    fields.set("lead_in", if host.kind == "connect" { "open" } else { "connect" });
    fields.set("frame", frame);
    fields.set("clause", clause);
    let (class, what) = class_of(name);
    fields.set("class", class);
    let property = name.rsplit('/').next().unwrap_or(name);
    let packet = if host.place == Place::Will { "WILL".to_string() } else { host.kind.to_uppercase() };
    fields.set("attack", format!("{packet} with {property} {what}"));
    CaseRow { name: name.to_string(), fields }
}

/// Kind of error of a case, and how a sentence ends that tells it.
fn class_of(name: &str) -> (&'static str, &'static str) {
    const CLASSES: &[(&str, &str)] = &[
        ("repeated", "twice"),
        ("foreign", "that belongs to other packets"),
        ("unknown", "that no packet has"),
        ("cut", "cut short"),
        ("type", "that is not of its type"),
        ("range", "out of its range"),
    ];
    let class = name.split('/').next().unwrap_or(name);
    *CLASSES.iter().find(|(of, _)| *of == class).unwrap_or_else(|| panic!("{name}: no such class of error"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_case_has_its_own_name_and_a_frame_that_can_be_built() {
        let rows = property_matrix(Version::V5);
        let names: BTreeSet<&String> = rows.iter().map(|row| &row.name).collect();
        assert_eq!(names.len(), rows.len());
        for row in &rows {
            let Some(Value::Table(frame)) = row.fields.find("frame") else { panic!("{}: no frame", row.name) };
            crate::frames::build(Version::V5, frame, &mut Vec::new()).unwrap_or_else(|e| panic!("{}: {e:?}", row.name));
        }
    }

    #[test]
    fn the_strict_decoder_refuses_every_case_and_none_without_its_fault() {
        for row in property_matrix(Version::V5) {
            let Some(Value::Table(frame)) = row.fields.find("frame") else { panic!("{}: no frame", row.name) };
            let mut clean = frame.clone();
            clean.remove("properties");
            clean.remove("will_properties");
            assert!(!refused(frame).is_empty(), "{} is legal", row.name);
            assert_eq!(refused(&clean), "", "{} is illegal without its fault", row.name);
        }
    }

    #[test]
    fn the_matrix_has_rows_of_every_error() {
        let rows = property_matrix(Version::V5);
        for error in ["repeated/", "foreign/", "unknown/", "cut/", "type/", "range/"] {
            assert!(rows.iter().filter(|row| row.name.starts_with(error)).count() >= 3, "{error}");
        }
        assert!((60..=120).contains(&rows.len()), "{} rows: each costs a live trial", rows.len());
        assert!(property_matrix(Version::V311).is_empty(), "MQTT 3.1.1 has no properties");
    }

    fn refused(frame: &Fields) -> String {
        let mut bytes = Vec::new();
        crate::frames::build(Version::V5, frame, &mut bytes).expect("it was built before");
        let mut packets = Vec::new();
        (crate::MQTT.describe)("5", proofhouse_core::protocol::From::Client).bytes(&bytes, &mut packets);
        packets.iter().map(|packet| packet.malformed.as_str()).collect()
    }
}
