//! DISCONNECT: reasons and properties by side.

use super::*;
use crate::codec::{Disconnect, Place, PropertiesBuf, PropertyId};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

#[test]
fn v311_has_no_body() {
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0xE0, b"\0"), (0xE0, b""));
    unwritable(V3, "MQTT3 7.0.0-2", &Packet::Disconnect(Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL_MESSAGE)));
}

#[test]
fn reason_and_properties_may_be_left_out_from_the_end() {
    let short = legal(V5, CLIENT, (0xE0, b""));
    assert_eq!(short, legal(V5, CLIENT, (0xE0, b"\0")));
    assert_eq!(short, legal(V5, CLIENT, (0xE0, b"\0\0")));
    assert_eq!(short.encoded_len(V5), Ok(2), "the shortest form is written");
    assert_eq!(legal(V5, CLIENT, (0xE0, b"\x04")).encoded_len(V5), Ok(3));
    refused(V5, CLIENT, "MQTT5 4.13.1-1", MALFORMED, (0xE0, b"\0\0x"), (0xE0, b"\0\0"));
}

#[test]
fn each_side_has_its_own_codes() {
    let both = [0, 0x80, 0x81, 0x82, 0x83, 0x8C, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    let server = [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2];
    for code in 0..=255 {
        let found = |sender| Packet::decode(V5, sender, 0xE0, &[code]).is_ok();
        assert_eq!(found(CLIENT), both.contains(&code) || code == 0x04, "0x{code:02X} from a client");
        assert_eq!(found(SERVER), both.contains(&code) || server.contains(&code), "0x{code:02X} from a server");
    }
    refused(V5, CLIENT, "MQTT5 3.14.2-1", PROTOCOL, (0xE0, b"\x8E"), (0xE0, b"\x04"));
    refused(V5, SERVER, "MQTT5 3.14.2-1", PROTOCOL, (0xE0, b"\x04"), (0xE0, b"\x8E"));
    unwritable(V5, "MQTT5 3.14.2-1", &Packet::Disconnect(Disconnect::new(ReasonCode(0x01))));
}

#[test]
fn only_a_client_changes_the_session_expiry() {
    let body = b"\0\x05\x11\0\0\0\x09";
    legal(V5, CLIENT, (0xE0, body));
    refused(V5, SERVER, "MQTT5 3.14.2-2", PROTOCOL, (0xE0, body), (0xE0, b"\0\0"));
}

#[test]
fn only_a_server_refers_to_another() {
    let body = b"\0\x04\x1C\0\x01s";
    legal(V5, SERVER, (0xE0, body));
    refused(V5, CLIENT, "MQTT5 §3.14.2.2.5", PROTOCOL, (0xE0, body), (0xE0, b"\0\0"));
}

#[test]
fn what_neither_side_may_send_is_not_written() {
    let both = PropertiesBuf::new(Place::Disconnect)
        .with(PropertyId::SessionExpiryInterval, 1_u32)
        .and_then(|buf| buf.with(PropertyId::ServerReference, "s"))
        .expect("each is allowed here");
    let disconnect = Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties: both.view() };
    unwritable(V5, "MQTT5 3.14.2-1", &Packet::Disconnect(disconnect));
}
