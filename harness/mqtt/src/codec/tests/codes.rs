//! The table of reason codes agrees with itself.

use super::*;
use crate::codec::Kind;
use crate::codec::codes::CODES;

#[test]
fn rows_are_in_order_and_no_packet_lists_a_code_twice() {
    assert!(CODES.windows(2).all(|pair| pair[0].code <= pair[1].code));
    for kind in Kind::ALL {
        let codes: Vec<u8> =
            CODES.iter().filter(|row| row.packets.iter().any(|(k, _)| *k == kind)).map(|row| row.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{kind}: {codes:?}");
    }
}

#[test]
fn a_code_has_a_name_wherever_it_is_legal() {
    for version in Version::ALL {
        for (kind, sender) in Kind::ALL.into_iter().flat_map(|kind| Sender::ALL.map(|sender| (kind, sender))) {
            for code in (0..=255).map(ReasonCode) {
                let codes_exist = version == V5 || matches!(kind, Kind::Connack | Kind::Suback);
                if codes_exist && code.legal(version, kind, sender) {
                    assert_ne!(code.name(version, kind), "unknown", "{code} in {kind} of {version}");
                }
            }
        }
    }
}

#[test]
fn zero_has_the_name_that_its_packet_gives_it() {
    assert_eq!(ReasonCode(0).name(V5, Kind::Puback), "Success");
    assert_eq!(ReasonCode(0).name(V5, Kind::Disconnect), "Normal disconnection");
    assert_eq!(ReasonCode(0).name(V5, Kind::Suback), "Granted QoS 0");
    assert_eq!(ReasonCode(0).name(V3, Kind::Connack), "Connection accepted");
    assert_eq!(ReasonCode(0x80).name(V3, Kind::Suback), "Failure");
    assert_eq!(ReasonCode(0).name(V5, Kind::Publish), "unknown");
}

#[test]
fn below_0x80_all_is_well() {
    assert!(ReasonCode::GRANTED_QOS_2.is_ok() && ReasonCode(0x7F).is_ok());
    assert!(!ReasonCode::UNSPECIFIED_ERROR.is_ok());
}
