//! CONNECT: protocol, flags, payload.

use super::*;
use crate::codec::{Binary, Connect, Place, Properties, PropertiesBuf, PropertyId, QoS, Text, TopicName, Will, split};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

/// CONNECT 3.1.1 with these flags and this payload.
fn v3(flags: u8, payload: &[u8]) -> Vec<u8> {
    cat(&[b"\0\x04MQTT\x04", &[flags], b"\0\x3C", payload])
}

/// CONNECT 5 with these flags, no properties and this payload.
fn v5(flags: u8, payload: &[u8]) -> Vec<u8> {
    cat(&[b"\0\x04MQTT\x05", &[flags], b"\0\x3C\0", payload])
}

#[track_caller]
fn refused_v3(clause: &str, bad: &[u8], good: &[u8]) {
    refused(V3, CLIENT, clause, MALFORMED, (0x10, bad), (0x10, good));
}

#[track_caller]
fn refused_v5(clause: &str, bad: &[u8], good: &[u8]) {
    refused(V5, CLIENT, clause, MALFORMED, (0x10, bad), (0x10, good));
}

/// A whole packet, for `Connect::first`.
fn first(bytes: &[u8]) -> Result<(Version, Connect<'_>), Reason> {
    Connect::first(split(V3, CLIENT, u32::MAX, bytes).expect("a header").expect("whole"))
}

#[test]
fn all_fields_are_read() {
    let body = cat(&[b"\0\x04MQTT\x05\xEE\x01\x02\0", b"\0\x02id", b"\0\0\x01t\0\x01m", b"\0\x01u", b"\0\x01p"]);
    let Packet::Connect(connect) = legal(V5, CLIENT, (0x10, &body)) else { panic!("CONNECT") };
    let will = connect.will.expect("flag 4");
    assert!(connect.clean_start && will.retain);
    assert_eq!((connect.keep_alive, connect.client_id.as_str()), (0x0102, "id"));
    assert_eq!((will.topic.as_str(), will.payload.as_bytes(), will.qos), ("t", &b"m"[..], QoS::AtLeastOnce));
    assert_eq!(connect.user_name.map(Text::as_str), Some("u"));
    assert_eq!(connect.password.map(Binary::as_bytes), Some(&b"p"[..]));
}

#[test]
fn an_empty_client_id_is_left_to_the_server() {
    legal(V3, CLIENT, (0x10, &v3(0, b"\0\0")));
    legal(V5, CLIENT, (0x10, &v5(0, b"\0\0")));
}

#[test]
fn the_first_packet_tells_the_version() {
    assert_eq!(first(b"\x10\x0C\0\x04MQTT\x04\x02\0\0\0\0").map(|(version, _)| version), Ok(V3));
    assert_eq!(first(b"\x10\x0D\0\x04MQTT\x05\x02\0\0\0\0\0").map(|(version, _)| version), Ok(V5));
}

#[test]
fn the_first_packet_is_connect() {
    assert_eq!(first(b"\xC0\0").expect_err("PINGREQ").clause, "MQTT5 3.1.0-1");
    assert_eq!(first(b"\x11\x0C\0\x04MQTT\x04\x02\0\0\0\0").expect_err("flags").clause, "MQTT3 2.2.2-2");
}

#[test]
fn a_padded_length_of_the_first_packet_is_a_defect_in_v5_only() {
    assert_eq!(first(b"\x10\x8C\0\0\x04MQTT\x04\x02\0\0\0\0").map(|(version, _)| version), Ok(V3));
    let reason = first(b"\x10\x8D\0\0\x04MQTT\x05\x02\0\0\0\0\0").expect_err("padded");
    assert_eq!(reason.clause, "MQTT5 1.5.5-1");
}

#[test]
fn other_protocols_are_told_apart() {
    let version = |name: &[u8], level: u8| {
        let reason = Connect::version(&cat(&[&[0, name.len() as u8], name, &[level]])).expect_err("not ours");
        (reason.clause, reason.code.0)
    };
    assert_eq!(version(b"MQIsdp", 3), ("MQTT3 3.1.2-2", 0x01), "MQTT 3.1 is known and not supported");
    assert_eq!(version(b"MQTT", 3), ("MQTT3 3.1.2-2", 0x01));
    assert_eq!(version(b"MQTT", 0), ("MQTT3 3.1.2-2", 0x01));
    assert_eq!(version(b"MQTT", 6), ("MQTT5 3.1.2-2", 0x84));
    assert_eq!(version(b"MQTT", 0xFF), ("MQTT5 3.1.2-2", 0x84));
    assert_eq!(version(b"MQTX", 4), ("MQTT3 3.1.2-1", 0x84));
    assert_eq!(version(b"mqtt", 5), ("MQTT5 3.1.2-1", 0x84));
    assert_eq!(version(b"MQIsdp", 4), ("MQTT3 3.1.2-1", 0x84));
    assert_eq!(version(b"", 5), ("MQTT5 3.1.2-1", 0x84));
}

#[test]
fn the_other_version_is_refused_by_a_decoder_of_one() {
    let (three, five) = (v3(0, b"\0\0"), v5(0, b"\0\0"));
    let code = ReasonCode::V3_UNACCEPTABLE_VERSION;
    refused(V3, CLIENT, "MQTT3 3.1.2-2", code, (0x10, &five), (0x10, &three));
    let code = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION;
    refused(V5, CLIENT, "MQTT5 3.1.2-2", code, (0x10, &three), (0x10, &five));
}

#[test]
fn the_reserved_flag_is_0() {
    refused_v3("MQTT3 3.1.2-3", &v3(1, b"\0\x01a"), &v3(0, b"\0\x01a"));
    refused_v5("MQTT5 3.1.2-3", &v5(1, b"\0\x01a"), &v5(0, b"\0\x01a"));
}

#[test]
fn without_a_will_its_flags_are_0() {
    for qos in [0x08, 0x10, 0x18] {
        refused_v3("MQTT3 3.1.2-13", &v3(qos, b"\0\x01a"), &v3(0, b"\0\x01a"));
        refused_v5("MQTT5 3.1.2-11", &v5(qos, b"\0\x01a"), &v5(0, b"\0\x01a"));
    }
    refused_v3("MQTT3 3.1.2-15", &v3(0x20, b"\0\x01a"), &v3(0, b"\0\x01a"));
    refused_v5("MQTT5 3.1.2-13", &v5(0x20, b"\0\x01a"), &v5(0, b"\0\x01a"));
}

#[test]
fn a_will_has_qos_0_to_2() {
    let (will_v3, will_v5) = (b"\0\x01a\0\x01t\0\0", b"\0\x01a\0\0\x01t\0\0");
    for qos in [0x04, 0x0C, 0x14] {
        legal(V3, CLIENT, (0x10, &v3(qos, will_v3)));
        legal(V5, CLIENT, (0x10, &v5(qos, will_v5)));
    }
    refused_v3("MQTT3 3.1.2-14", &v3(0x1C, will_v3), &v3(0x14, will_v3));
    refused_v5("MQTT5 3.1.2-12", &v5(0x1C, will_v5), &v5(0x14, will_v5));
}

#[test]
fn a_password_without_a_user_name_is_legal_in_v5_only() {
    refused_v3("MQTT3 3.1.2-22", &v3(0x40, b"\0\x01a\0\x01p"), &v3(0xC0, b"\0\x01a\0\x01u\0\x01p"));
    legal(V5, CLIENT, (0x10, &v5(0x40, b"\0\x01a\0\x01p")));
    let connect = Connect { password: Some(Binary::EMPTY), ..Connect::default() };
    unwritable(V3, "MQTT3 3.1.2-22", &Packet::Connect(connect));
}

#[test]
fn what_a_flag_announces_is_there() {
    refused_v3("MQTT3 3.1.3-3", &v3(0, b""), &v3(0, b"\0\0"));
    refused_v5("MQTT5 3.1.3-3", &v5(0, b""), &v5(0, b"\0\0"));
    refused_v3("MQTT3 3.1.2-9", &v3(4, b"\0\0"), &v3(0, b"\0\0"));
    refused_v3("MQTT3 3.1.2-9", &v3(4, b"\0\0\0\x01t"), &v3(4, b"\0\0\0\x01t\0\0"));
    refused_v5("MQTT5 2.2.2-1", &v5(4, b"\0\0"), &v5(0, b"\0\0"));
    refused_v5("MQTT5 3.1.2-9", &v5(4, b"\0\0\0"), &v5(4, b"\0\0\0\0\x01t\0\0"));
    refused_v5("MQTT5 3.1.2-9", &v5(4, b"\0\0\0\0\x01t"), &v5(4, b"\0\0\0\0\x01t\0\0"));
    refused_v3("MQTT3 3.1.2-19", &v3(0x80, b"\0\0"), &v3(0x80, b"\0\0\0\0"));
    refused_v5("MQTT5 3.1.2-17", &v5(0x80, b"\0\0"), &v5(0x80, b"\0\0\0\0"));
    refused_v3("MQTT3 3.1.2-21", &v3(0xC0, b"\0\0\0\0"), &v3(0xC0, b"\0\0\0\0\0\0"));
    refused_v5("MQTT5 3.1.2-19", &v5(0xC0, b"\0\0\0\0"), &v5(0xC0, b"\0\0\0\0\0\0"));
}

#[test]
fn what_no_flag_announces_is_not_there() {
    refused_v3("MQTT3 3.1.2-18", &v3(0, b"\0\0\0\x01u"), &v3(0x80, b"\0\0\0\x01u"));
    refused_v5("MQTT5 3.1.2-16", &v5(0, b"\0\0\0\x01u"), &v5(0x80, b"\0\0\0\x01u"));
    refused_v3("MQTT3 3.1.2-20", &v3(0x80, b"\0\0\0\x01u\0\x01p"), &v3(0xC0, b"\0\0\0\x01u\0\x01p"));
    refused_v5("MQTT5 3.1.2-18", &v5(0x80, b"\0\0\0\x01u\0\x01p"), &v5(0xC0, b"\0\0\0\x01u\0\x01p"));
    refused_v3("MQTT3 3.1.4-1", &v3(0xC0, b"\0\0\0\0\0\0x"), &v3(0xC0, b"\0\0\0\0\0\0"));
    refused_v5("MQTT5 3.1.4-1", &v5(0xC0, b"\0\0\0\0\0\0x"), &v5(0xC0, b"\0\0\0\0\0\0"));
}

#[test]
fn a_header_that_ends_early_is_refused() {
    for len in 0..10 {
        let body = v3(0, b"\0\0");
        refused_v3("MQTT3 3.1.4-1", &body[..len], &body);
        let body = v5(0, b"\0\0");
        refused_v5("MQTT5 3.1.4-1", &body[..len], &body);
    }
}

#[test]
fn the_property_length_is_not_left_out() {
    // A CONNECT of 3.1.1 that says it is of MQTT 5, with nothing after Keep Alive.
    refused_v5("MQTT5 2.2.2-1", b"\0\x04MQTT\x05\0\0\0", &v5(0, b"\0\0"));
}

#[test]
fn strings_are_well_formed() {
    refused_v3("MQTT3 1.5.3-1", &v3(0, b"\0\x03\xED\xA0\x80"), &v3(0, b"\0\x03\xEF\xBF\xBF"));
    refused_v5("MQTT5 1.5.4-1", &v5(0, b"\0\x03\xED\xA0\x80"), &v5(0, b"\0\x03\xEF\xBF\xBF"));
    refused_v3("MQTT3 1.5.3-2", &v3(0x80, b"\0\0\0\x01\0"), &v3(0x80, b"\0\0\0\x01\x01"));
    refused_v5("MQTT5 1.5.4-2", &v5(0x80, b"\0\0\0\x01\0"), &v5(0x80, b"\0\0\0\x01\x01"));
    // A password is binary data.
    legal(V5, CLIENT, (0x10, &v5(0xC0, b"\0\0\0\0\0\x03\0\xED\xA0")));
}

#[test]
fn the_will_topic_is_a_topic_name() {
    let code = ReasonCode::TOPIC_NAME_INVALID;
    let (good, bad) = (v3(4, b"\0\0\0\x01t\0\0"), v3(4, b"\0\0\0\x01#\0\0"));
    refused(V3, CLIENT, "MQTT3 4.7.1-1", code, (0x10, &bad), (0x10, &good));
    let (good, bad) = (v5(4, b"\0\0\0\0\x01t\0\0"), v5(4, b"\0\0\0\0\x01+\0\0"));
    refused(V5, CLIENT, "MQTT5 4.7.0-1", code, (0x10, &bad), (0x10, &good));
    let empty = v5(4, b"\0\0\0\0\0\0\0");
    refused(V5, CLIENT, "MQTT5 4.7.3-1", PROTOCOL, (0x10, &empty), (0x10, &good));
    let will = Will {
        topic: TopicName::ALIASED,
        payload: Binary::EMPTY,
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    unwritable(V5, "MQTT5 4.7.3-1", &Packet::Connect(Connect { will: Some(will), ..Connect::default() }));
}

#[test]
fn authentication_data_needs_a_method() {
    let with = |properties: &[u8]| cat(&[b"\0\x04MQTT\x05\0\0\0", &[properties.len() as u8], properties, b"\0\0"]);
    let (bad, good) = (with(b"\x16\0\x01d"), with(b"\x16\0\x01d\x15\0\x01m"));
    refused(V5, CLIENT, "MQTT5 §3.1.2.11.10", PROTOCOL, (0x10, &bad), (0x10, &good));
    let data =
        PropertiesBuf::new(Place::Connect).with(PropertyId::AuthenticationData, b"d".as_slice()).expect("legal here");
    unwritable(V5, "MQTT5 §3.1.2.11.10", &Packet::Connect(Connect { properties: data.view(), ..Connect::default() }));
}

#[test]
fn properties_of_the_will_are_not_those_of_the_packet() {
    let delay = PropertiesBuf::new(Place::Will).with(PropertyId::WillDelayInterval, 5_u32).expect("legal there");
    unwritable(V5, "MQTT5 §2.2.2.2", &Packet::Connect(Connect { properties: delay.view(), ..Connect::default() }));
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Connect(Connect { properties: delay.view(), ..Connect::default() }));
}
