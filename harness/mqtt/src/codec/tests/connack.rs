//! CONNACK: flags, codes, properties.

use super::*;
use crate::codec::{Connack, Kind};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

#[test]
fn reserved_acknowledge_flags_are_0() {
    for bit in 1..8 {
        refused(V3, SERVER, "MQTT3 4.8.0-1", MALFORMED, (0x20, &[1 << bit, 0]), (0x20, b"\x01\0"));
        refused(V5, SERVER, "MQTT5 3.2.2-1", MALFORMED, (0x20, &[1 << bit, 0, 0]), (0x20, b"\x01\0\0"));
    }
}

#[test]
fn a_refusal_has_no_session() {
    refused(V3, SERVER, "MQTT3 3.2.2-4", PROTOCOL, (0x20, b"\x01\x05"), (0x20, b"\0\x05"));
    refused(V5, SERVER, "MQTT5 3.2.2-6", PROTOCOL, (0x20, b"\x01\x87\0"), (0x20, b"\0\x87\0"));
    unwritable(V5, "MQTT5 3.2.2-6", &Packet::Connack(Connack::new(true, ReasonCode::NOT_AUTHORIZED)));
}

#[test]
fn v311_has_return_codes_0_to_5() {
    for code in 0..=5 {
        legal(V3, SERVER, (0x20, &[0, code]));
    }
    for code in 6..=255 {
        refused(V3, SERVER, "MQTT3 3.2.2-6", PROTOCOL, (0x20, &[0, code]), (0x20, b"\0\x05"));
    }
}

#[test]
fn v5_has_the_listed_codes() {
    let listed = [
        0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B,
        0x9C, 0x9D, 0x9F,
    ];
    for code in 0..=255 {
        if listed.contains(&code) {
            legal(V5, SERVER, (0x20, &[0, code, 0]));
        } else {
            refused(V5, SERVER, "MQTT5 3.2.2-8", PROTOCOL, (0x20, &[0, code, 0]), (0x20, b"\0\0\0"));
        }
    }
    unwritable(V5, "MQTT5 3.2.2-8", &Packet::Connack(Connack::new(false, ReasonCode(5))));
    unwritable(V3, "MQTT3 3.2.2-6", &Packet::Connack(Connack::new(false, ReasonCode::NOT_AUTHORIZED)));
}

#[test]
fn the_property_length_is_not_left_out() {
    refused(V5, SERVER, "MQTT5 2.2.2-1", MALFORMED, (0x20, b"\0\0"), (0x20, b"\0\0\0"));
    refused(V5, SERVER, "MQTT5 4.13.1-1", MALFORMED, (0x20, b"\0\0\x03\x21\0"), (0x20, b"\0\0\x03\x21\0\x01"));
    refused(V3, SERVER, "MQTT3 4.8.0-1", MALFORMED, (0x20, b"\0\0\0"), (0x20, b"\0\0"));
}

#[test]
fn codes_have_the_names_of_their_version() {
    assert_eq!(ReasonCode(5).name(V3, Kind::Connack), "Not authorized");
    assert_eq!(ReasonCode(5).name(V5, Kind::Connack), "unknown");
    assert_eq!(ReasonCode(0x87).name(V5, Kind::Connack), "Not authorized");
}
