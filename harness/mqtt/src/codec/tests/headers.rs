//! What the first byte alone decides: type, side, flags.

use super::*;
use crate::codec::Kind;

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

/// A legal body for each type, and the side that sends it, in MQTT 5.
const SAMPLES_V5: [(Kind, Sender, &[u8]); 15] = [
    (Kind::Connect, CLIENT, b"\0\x04MQTT\x05\x02\0\0\0\0\0"),
    (Kind::Connack, SERVER, b"\0\0\0"),
    (Kind::Publish, CLIENT, b"\0\x01t\0"),
    (Kind::Puback, CLIENT, b"\0\x01"),
    (Kind::Pubrec, CLIENT, b"\0\x01"),
    (Kind::Pubrel, CLIENT, b"\0\x01"),
    (Kind::Pubcomp, CLIENT, b"\0\x01"),
    (Kind::Subscribe, CLIENT, b"\0\x01\0\0\x01t\0"),
    (Kind::Suback, SERVER, b"\0\x01\0\0"),
    (Kind::Unsubscribe, CLIENT, b"\0\x01\0\0\x01t"),
    (Kind::Unsuback, SERVER, b"\0\x01\0\0"),
    (Kind::Pingreq, CLIENT, b""),
    (Kind::Pingresp, SERVER, b""),
    (Kind::Disconnect, CLIENT, b""),
    (Kind::Auth, CLIENT, b"\x18\x04\x15\0\x01m"),
];

const SAMPLES_V3: [(Kind, Sender, &[u8]); 14] = [
    (Kind::Connect, CLIENT, b"\0\x04MQTT\x04\x02\0\0\0\0"),
    (Kind::Connack, SERVER, b"\0\0"),
    (Kind::Publish, CLIENT, b"\0\x01t"),
    (Kind::Puback, CLIENT, b"\0\x01"),
    (Kind::Pubrec, CLIENT, b"\0\x01"),
    (Kind::Pubrel, CLIENT, b"\0\x01"),
    (Kind::Pubcomp, CLIENT, b"\0\x01"),
    (Kind::Subscribe, CLIENT, b"\0\x01\0\x01t\0"),
    (Kind::Suback, SERVER, b"\0\x01\0"),
    (Kind::Unsubscribe, CLIENT, b"\0\x01\0\x01t"),
    (Kind::Unsuback, SERVER, b"\0\x01"),
    (Kind::Pingreq, CLIENT, b""),
    (Kind::Pingresp, SERVER, b""),
    (Kind::Disconnect, CLIENT, b""),
];

fn first(kind: Kind) -> u8 {
    kind.number() << 4 | kind.flags()
}

fn samples() -> impl Iterator<Item = (Version, Kind, Sender, &'static [u8])> {
    let v3 = SAMPLES_V3.into_iter().map(|(kind, sender, body)| (V3, kind, sender, body));
    v3.chain(SAMPLES_V5.into_iter().map(|(kind, sender, body)| (V5, kind, sender, body)))
}

#[test]
fn every_type_has_a_legal_packet() {
    for (version, kind, sender, body) in samples() {
        assert_eq!(legal(version, sender, (first(kind), body)).kind(), kind);
    }
}

#[test]
fn every_other_flags_nibble_is_refused() {
    for (version, kind, sender, body) in samples().filter(|(_, kind, ..)| *kind != Kind::Publish) {
        let clause = match (version, kind) {
            (V3, Kind::Pubrel) => "MQTT3 3.6.1-1",
            (V3, Kind::Subscribe) => "MQTT3 3.8.1-1",
            (V3, Kind::Unsubscribe) => "MQTT3 3.10.1-1",
            (V3, Kind::Disconnect) => "MQTT3 3.14.1-1",
            (V3, _) => "MQTT3 2.2.2-2",
            (V5, Kind::Pubrel) => "MQTT5 3.6.1-1",
            (V5, Kind::Subscribe) => "MQTT5 3.8.1-1",
            (V5, Kind::Unsubscribe) => "MQTT5 3.10.1-1",
            (V5, Kind::Disconnect) => "MQTT5 3.14.1-1",
            (V5, Kind::Auth) => "MQTT5 3.15.1-1",
            (V5, _) => "MQTT5 2.1.3-1",
        };
        let good = first(kind);
        for bad in (good & 0xF0..=good | 0x0F).filter(|bad| *bad != good) {
            refused(version, sender, clause, MALFORMED, (bad, body), (good, body));
        }
    }
}

#[test]
fn a_side_sends_only_its_own_types() {
    for (version, kind, sender, body) in samples() {
        let other = if sender == CLIENT { SERVER } else { CLIENT };
        let clause = if version == V3 { "MQTT3 4.8.0-1" } else { "MQTT5 4.13.1-1" };
        if kind.sent_by(version, other) {
            legal(version, other, (first(kind), body));
        } else {
            let reason = Packet::decode(version, other, first(kind), body).expect_err("the wrong side");
            assert_eq!((reason.clause, reason.code), (clause, PROTOCOL), "{kind} from {other:?} in {version}");
        }
    }
}

#[test]
fn both_sides_publish_and_acknowledge() {
    use Kind::{Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel};
    for version in Version::ALL {
        let both: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| Sender::ALL.iter().all(|&s| kind.sent_by(version, s))).collect();
        let mut expected = std::vec![Publish, Puback, Pubrec, Pubrel, Pubcomp];
        if version == V5 {
            expected.extend([Disconnect, Kind::Auth]);
        }
        assert_eq!(both, expected);
    }
}

#[test]
fn type_0_is_reserved() {
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0x00, b""), (0xC0, b""));
    refused(V5, CLIENT, "MQTT5 4.13.1-1", MALFORMED, (0x00, b""), (0xC0, b""));
}

#[test]
fn auth_is_reserved_in_v311() {
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0xF0, b""), (0xE0, b""));
    legal(V5, CLIENT, (0xF0, b"\x18\x04\x15\0\x01m"));
}

#[test]
fn every_prefix_of_a_packet_is_refused_or_legal_but_never_the_same() {
    for (version, kind, sender, body) in samples() {
        let whole = legal(version, sender, (first(kind), body));
        for len in 0..body.len() {
            let shorter = Packet::decode(version, sender, first(kind), &body[..len]);
            assert_ne!(shorter, Ok(whole), "{kind} cut to {len} bytes");
        }
    }
}

#[test]
fn a_byte_too_many_is_refused() {
    for (version, kind, sender, body) in samples() {
        let longer = cat(&[body, b"\xFF"]);
        // Only PUBLISH may go on: the byte is payload. A code list refuses the value, a filter list misses its length.
        let reason = Packet::decode(version, sender, first(kind), &longer);
        assert_eq!(reason.is_ok(), kind == Kind::Publish, "{kind} in {version}: {reason:?}");
    }
}

#[test]
fn a_ping_has_no_body() {
    for (version, clause) in [(V3, "MQTT3 4.8.0-1"), (V5, "MQTT5 4.13.1-1")] {
        refused(version, CLIENT, clause, MALFORMED, (0xC0, b"\0"), (0xC0, b""));
        refused(version, SERVER, clause, MALFORMED, (0xD0, b"\0"), (0xD0, b""));
    }
}
