//! PUBLISH: flags, topic, identifier, properties, payload.

use super::*;
use crate::codec::{Delivery, PacketId, Place, PropertiesBuf, PropertyId, Publish, QoS, TopicName};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;
const ONE: PacketId = PacketId::MIN;

#[test]
fn all_fields_are_read() {
    let Packet::Publish(publish) = legal(V5, CLIENT, (0x3B, b"\0\x03a/b\0\x09\0hello")) else { panic!("PUBLISH") };
    let id = PacketId::new(9).expect("not 0");
    assert_eq!(publish.delivery, Delivery::AtLeastOnce { id, dup: true });
    assert_eq!((publish.topic.as_str(), publish.payload, publish.retain), ("a/b", &b"hello"[..], true));
}

#[test]
fn an_empty_payload_is_legal() {
    legal(V3, CLIENT, (0x31, b"\0\x01t"));
    legal(V5, CLIENT, (0x31, b"\0\x01t\0"));
}

#[test]
fn qos_3_does_not_exist() {
    for flags in [6, 7, 14, 15] {
        refused(V3, CLIENT, "MQTT3 3.3.1-4", MALFORMED, (0x30 | flags, b"\0\x01t\0\x01"), (0x34, b"\0\x01t\0\x01"));
        refused(V5, CLIENT, "MQTT5 3.3.1-4", MALFORMED, (0x30 | flags, b"\0\x01t\0\x01\0"), (0x34, b"\0\x01t\0\x01\0"));
    }
}

#[test]
fn qos_0_is_never_a_duplicate() {
    refused(V3, CLIENT, "MQTT3 3.3.1-2", MALFORMED, (0x38, b"\0\x01t"), (0x30, b"\0\x01t"));
    refused(V5, CLIENT, "MQTT5 3.3.1-2", MALFORMED, (0x38, b"\0\x01t\0"), (0x30, b"\0\x01t\0"));
    legal(V3, CLIENT, (0x3A, b"\0\x01t\0\x01"));
}

#[test]
fn above_qos_0_the_identifier_is_not_0() {
    for first in [0x32, 0x34] {
        refused(V3, CLIENT, "MQTT3 2.3.1-1", PROTOCOL, (first, b"\0\x01t\0\0"), (first, b"\0\x01t\0\x01"));
        refused(V5, CLIENT, "MQTT5 2.2.1-3", PROTOCOL, (first, b"\0\x01t\0\0\0"), (first, b"\0\x01t\0\x01\0"));
        refused(V5, SERVER, "MQTT5 2.2.1-4", PROTOCOL, (first, b"\0\x01t\0\0\0"), (first, b"\0\x01t\0\x01\0"));
    }
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0x32, b"\0\x01t\0"), (0x32, b"\0\x01t\0\x01"));
}

#[test]
fn a_delivery_cannot_be_written_wrongly() {
    assert_eq!(Delivery::new(QoS::AtMostOnce, Some(ONE), true), Some(Delivery::AtMostOnce));
    assert_eq!(Delivery::new(QoS::AtLeastOnce, None, false), None);
    assert_eq!(Delivery::new(QoS::ExactlyOnce, Some(ONE), true), Some(Delivery::ExactlyOnce { id: ONE, dup: true }));
}

#[test]
fn a_topic_name_has_no_wildcards() {
    let code = ReasonCode::TOPIC_NAME_INVALID;
    for bad in [b"\0\x03a/+", b"\0\x03a/#", b"\0\x03#/a", b"\0\x03a+b"] {
        refused(V3, CLIENT, "MQTT3 3.3.2-2", code, (0x30, bad), (0x30, b"\0\x03a/*"));
        refused(V5, CLIENT, "MQTT5 3.3.2-2", code, (0x30, &cat(&[bad, b"\0"])), (0x30, b"\0\x03a/*\0"));
    }
}

#[test]
fn a_topic_name_is_a_string() {
    refused(V3, CLIENT, "MQTT3 1.5.3-1", MALFORMED, (0x30, b"\0\x02\xC0\xAF"), (0x30, b"\0\x02\xC3\xA9"));
    refused(V5, CLIENT, "MQTT5 1.5.4-1", MALFORMED, (0x30, b"\0\x02\xC0\xAF\0"), (0x30, b"\0\x02\xC3\xA9\0"));
    refused(V3, CLIENT, "MQTT3 1.5.3-2", MALFORMED, (0x30, b"\0\x03a\0b"), (0x30, b"\0\x03a\x01b"));
    refused(V5, CLIENT, "MQTT5 1.5.4-2", MALFORMED, (0x30, b"\0\x03a\0b\0"), (0x30, b"\0\x03a\x01b\0"));
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0x30, b"\0\x04a/b"), (0x30, b"\0\x03a/b"));
}

#[test]
fn an_empty_topic_name_needs_an_alias() {
    refused(V3, CLIENT, "MQTT3 4.7.3-1", PROTOCOL, (0x30, b"\0\0"), (0x30, b"\0\x01t"));
    refused(V5, CLIENT, "MQTT5 §3.3.2.1", PROTOCOL, (0x30, b"\0\0\0"), (0x30, b"\0\0\x03\x23\0\x01"));
    let publish = Publish::new(Delivery::AtMostOnce, TopicName::ALIASED, b"");
    unwritable(V3, "MQTT3 4.7.3-1", &Packet::Publish(publish));
    unwritable(V5, "MQTT5 §3.3.2.1", &Packet::Publish(publish));
    let alias = PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, 1_u16).expect("legal");
    let publish = Publish { properties: alias.view(), ..publish };
    assert_eq!(Packet::Publish(publish).encoded_len(V5), Ok(8));
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Publish(publish));
}

#[test]
fn a_topic_alias_is_never_0() {
    let (bad, good) = (b"\0\x01t\x03\x23\0\0", b"\0\x01t\x03\x23\0\x01");
    refused(V5, CLIENT, "MQTT5 3.3.2-8", ReasonCode::TOPIC_ALIAS_INVALID, (0x30, bad), (0x30, good));
}

#[test]
fn only_a_server_adds_subscription_identifiers() {
    let body = b"\0\x01t\x05\x0B\x01\x0B\xFF\x7F";
    let Packet::Publish(publish) = legal(V5, SERVER, (0x30, body)) else { panic!("PUBLISH") };
    assert_eq!(publish.properties.subscription_identifiers().collect::<Vec<_>>(), [1, 16_383]);
    refused(V5, CLIENT, "MQTT5 3.3.4-6", PROTOCOL, (0x30, body), (0x30, b"\0\x01t\0"));
}

#[test]
fn the_property_length_is_not_left_out() {
    refused(V5, CLIENT, "MQTT5 2.2.2-1", MALFORMED, (0x30, b"\0\x01t"), (0x30, b"\0\x01t\0"));
    refused(V5, CLIENT, "MQTT5 4.13.1-1", MALFORMED, (0x30, b"\0\x01t\x03\x23\0"), (0x30, b"\0\x01t\x03\x23\0\x01"));
    refused(V5, CLIENT, "MQTT5 1.5.5-1", MALFORMED, (0x30, b"\0\x01t\x80\0"), (0x30, b"\0\x01t\0"));
    refused(V5, CLIENT, "MQTT5 §1.5.5", MALFORMED, (0x30, b"\0\x01t\x80\x80\x80\x80\x01"), (0x30, b"\0\x01t\0"));
}

#[test]
fn a_payload_is_not_compared_with_its_format_indicator() {
    legal(V5, CLIENT, (0x30, b"\0\x01t\x02\x01\x01\xFF\xFF"));
}

#[test]
fn a_packet_above_268435455_bytes_is_not_written() {
    let payload = std::vec![0; 268_435_455 - 2];
    let publish =
        |payload| Packet::Publish(Publish::new(Delivery::AtMostOnce, TopicName::new("t").expect("legal"), payload));
    unwritable(V3, "MQTT3 §2.2.3", &publish(&payload));
    unwritable(V5, "MQTT5 §1.5.5", &publish(&payload[1..]));
    assert_eq!(publish(&payload[1..]).encoded_len(V3), Ok(5 + 268_435_455));
}
