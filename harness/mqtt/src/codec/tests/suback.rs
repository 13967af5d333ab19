//! SUBACK and UNSUBACK: one code per filter.

use super::*;
use crate::codec::{PacketId, Suback, Unsuback};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

#[test]
fn codes_keep_their_order() {
    let Packet::Suback(suback) = legal(V5, SERVER, (0x90, b"\0\x01\0\x02\x87\0")) else { panic!("SUBACK") };
    assert_eq!(suback.codes().collect::<Vec<_>>(), [ReasonCode(2), ReasonCode(0x87), ReasonCode(0)]);
    let Packet::Unsuback(unsuback) = legal(V5, SERVER, (0xB0, b"\0\x01\0\x11\0")) else { panic!("UNSUBACK") };
    assert_eq!(unsuback.codes().map(ReasonCode::is_ok).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn there_is_at_least_one_code() {
    refused(V3, SERVER, "MQTT3 3.8.4-5", PROTOCOL, (0x90, b"\0\x01"), (0x90, b"\0\x01\0"));
    refused(V5, SERVER, "MQTT5 3.8.4-6", PROTOCOL, (0x90, b"\0\x01\0"), (0x90, b"\0\x01\0\0"));
    refused(V5, SERVER, "MQTT5 3.11.3-1", PROTOCOL, (0xB0, b"\0\x01\0"), (0xB0, b"\0\x01\0\0"));
    unwritable(V5, "MQTT5 3.8.4-6", &Packet::Suback(Suback::new(PacketId::MIN, &[])));
}

#[test]
fn an_unsuback_of_v311_has_no_codes() {
    refused(V3, SERVER, "MQTT3 4.8.0-1", MALFORMED, (0xB0, b"\0\x01\0"), (0xB0, b"\0\x01"));
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Unsuback(Unsuback::new(PacketId::MIN, &[0])));
    unwritable(V5, "MQTT5 3.11.3-1", &Packet::Unsuback(Unsuback::new(PacketId::MIN, &[])));
}

#[test]
fn only_listed_codes_are_granted() {
    let v5 = [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    let unsubscribe = [0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
    for code in 0..=255 {
        let expected = |legal, clause| if legal { Ok(()) } else { Err((clause, PROTOCOL)) };
        let found = |version, first, body: &[u8]| {
            Packet::decode(version, SERVER, first, body).map(|_| ()).map_err(|reason| (reason.clause, reason.code))
        };
        assert_eq!(found(V3, 0x90, &[0, 1, code]), expected([0, 1, 2, 0x80].contains(&code), "MQTT3 3.9.3-2"));
        assert_eq!(found(V5, 0x90, &[0, 1, 0, code]), expected(v5.contains(&code), "MQTT5 3.9.3-2"));
        assert_eq!(found(V5, 0xB0, &[0, 1, 0, code]), expected(unsubscribe.contains(&code), "MQTT5 3.11.3-2"));
    }
    unwritable(V3, "MQTT3 3.9.3-2", &Packet::Suback(Suback::new(PacketId::MIN, &[0x87])));
}

#[test]
fn the_identifier_is_not_0() {
    refused(V3, SERVER, "MQTT3 2.3.1-7", PROTOCOL, (0x90, b"\0\0\0"), (0x90, b"\0\x01\0"));
    refused(V3, SERVER, "MQTT3 2.3.1-7", PROTOCOL, (0xB0, b"\0\0"), (0xB0, b"\0\x01"));
    refused(V5, SERVER, "MQTT5 2.2.1-6", PROTOCOL, (0x90, b"\0\0\0\0"), (0x90, b"\0\x01\0\0"));
    refused(V5, SERVER, "MQTT5 2.2.1-6", PROTOCOL, (0xB0, b"\0\0\0\0"), (0xB0, b"\0\x01\0\0"));
}
