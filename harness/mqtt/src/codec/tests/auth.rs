//! AUTH: codes by side, and the method.

use super::*;
use crate::codec::{Auth, Place, PropertiesBuf, PropertyId};

const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;
const METHOD: &[u8] = b"\x04\x15\0\x01m";

fn auth(code: u8, properties: &[u8]) -> Vec<u8> {
    cat(&[&[code], properties])
}

#[test]
fn each_side_has_its_own_codes() {
    for code in 0..=255 {
        let found =
            |sender| Packet::decode(V5, sender, 0xF0, &auth(code, METHOD)).map(|_| ()).map_err(|reason| reason.clause);
        let expected = |legal| if legal { Ok(()) } else { Err("MQTT5 3.15.2-1") };
        assert_eq!(found(CLIENT), expected(matches!(code, 0x18 | 0x19)), "0x{code:02X} from a client");
        assert_eq!(found(SERVER), expected(matches!(code, 0x00 | 0x18)), "0x{code:02X} from a server");
    }
}

#[test]
fn a_method_is_named() {
    refused(V5, CLIENT, "MQTT5 §3.15.2.2.2", PROTOCOL, (0xF0, b"\x18\0"), (0xF0, &auth(0x18, METHOD)));
    refused(V5, CLIENT, "MQTT5 §3.15.2.2.2", PROTOCOL, (0xF0, b"\x18"), (0xF0, &auth(0x18, METHOD)));
    refused(V5, CLIENT, "MQTT5 §3.15.2.2.2", PROTOCOL, (0xF0, b"\x18\x04\x16\0\x01d"), (0xF0, &auth(0x18, METHOD)));
    let twice = auth(0x18, b"\x08\x15\0\x01m\x15\0\x01m");
    refused(V5, CLIENT, "MQTT5 §3.15.2.2.2", PROTOCOL, (0xF0, &twice), (0xF0, &auth(0x18, METHOD)));
    unwritable(
        V5,
        "MQTT5 §3.15.2.2.2",
        &Packet::Auth(Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, ..Auth::default() }),
    );
}

#[test]
fn a_server_may_say_success_with_an_empty_body() {
    legal(V5, SERVER, (0xF0, b""));
    let reason = Packet::decode(V5, CLIENT, 0xF0, b"").expect_err("0x00 is the server's");
    assert_eq!(reason.clause, "MQTT5 3.15.2-1");
}

#[test]
fn v311_has_no_auth() {
    let method = PropertiesBuf::new(Place::Auth).with(PropertyId::AuthenticationMethod, "m").expect("legal");
    let auth = Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, properties: method.view() };
    unwritable(V3, "MQTT3 4.8.0-1", &Packet::Auth(auth));
    assert_eq!(Packet::Auth(auth).encoded_len(V5), Ok(2 + 1 + 1 + 4));
}
