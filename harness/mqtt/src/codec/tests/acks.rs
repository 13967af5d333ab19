//! PUBACK, PUBREC, PUBREL, PUBCOMP.

use super::*;
use crate::codec::{Ack, PacketId, Place, PropertiesBuf, PropertyId};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;
const FIRST: [u8; 4] = [0x40, 0x50, 0x62, 0x70];

#[test]
fn the_identifier_is_not_0() {
    let clauses = ["MQTT3 2.3.1-6", "MQTT3 2.3.1-6", "MQTT3 2.3.1-6", "MQTT3 4.3.3-2"];
    for (first, clause) in FIRST.into_iter().zip(clauses) {
        refused(V3, CLIENT, clause, PROTOCOL, (first, b"\0\0"), (first, b"\0\x01"));
        refused(V5, SERVER, "MQTT5 2.2.1-5", PROTOCOL, (first, b"\0\0"), (first, b"\0\x01"));
    }
}

#[test]
fn v311_has_the_identifier_alone() {
    for first in FIRST {
        refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (first, b"\0\x01\0"), (first, b"\0\x01"));
        refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (first, b"\0"), (first, b"\0\x01"));
    }
}

#[test]
fn reason_and_properties_may_be_left_out_from_the_end() {
    for first in FIRST {
        let short = legal(V5, CLIENT, (first, b"\0\x01"));
        assert_eq!(short, legal(V5, CLIENT, (first, b"\0\x01\0")));
        assert_eq!(short, legal(V5, CLIENT, (first, b"\0\x01\0\0")));
        assert_eq!(short.encoded_len(V5), Ok(4), "the shortest form is written");
        refused(V5, CLIENT, "MQTT5 4.13.1-1", MALFORMED, (first, b"\0\x01\0\0x"), (first, b"\0\x01\0\0"));
    }
}

#[test]
fn each_packet_has_its_own_codes() {
    let publish: &[u8] = &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let release: &[u8] = &[0, 0x92];
    let tables = [
        (publish, "MQTT5 3.4.2-1"),
        (publish, "MQTT5 3.5.2-1"),
        (release, "MQTT5 3.6.2-1"),
        (release, "MQTT5 3.7.2-1"),
    ];
    for (first, (listed, clause)) in FIRST.into_iter().zip(tables) {
        for code in 0..=255 {
            let body = [0, 1, code];
            if listed.contains(&code) {
                legal(V5, CLIENT, (first, &body));
            } else {
                refused(V5, CLIENT, clause, PROTOCOL, (first, &body), (first, b"\0\x01\0"));
            }
        }
    }
}

#[test]
fn v311_cannot_say_why() {
    let refusal = Ack::with_reason(PacketId::MIN, ReasonCode::NOT_AUTHORIZED);
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Puback(refusal));
    assert_eq!(Packet::Puback(refusal).encoded_len(V5), Ok(5));
    unwritable(V5, "MQTT5 3.6.2-1", &Packet::Pubrel(refusal));
}

#[test]
fn properties_of_one_ack_do_not_fit_another() {
    let why = PropertiesBuf::new(Place::Puback).with(PropertyId::ReasonString, "no").expect("legal");
    let ack = Ack { properties: why.view(), ..Ack::success(PacketId::MIN) };
    assert_eq!(Packet::Puback(ack).encoded_len(V5), Ok(2 + 2 + 1 + 1 + 5));
    unwritable(V5, "MQTT5 §2.2.2.2", &Packet::Pubrec(ack));
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Puback(ack));
    let ack = Ack { properties: ack.properties.for_version(V3), ..ack };
    assert_eq!(Packet::Puback(ack).encoded_len(V3), Ok(4));
}
