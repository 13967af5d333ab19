//! UNSUBSCRIBE: filters without options.

use super::*;
use crate::codec::{FiltersBuf, PacketId, Properties, Unsubscribe};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

#[test]
fn filters_keep_their_order() {
    let Packet::Unsubscribe(unsubscribe) = legal(V3, CLIENT, (0xA2, b"\0\x01\0\x03a/b\0\x01#")) else {
        panic!("UNSUBSCRIBE")
    };
    assert_eq!(unsubscribe.filters.iter().map(|filter| filter.as_str()).collect::<Vec<_>>(), ["a/b", "#"]);
}

#[test]
fn there_is_at_least_one_filter() {
    refused(V3, CLIENT, "MQTT3 3.10.3-2", PROTOCOL, (0xA2, b"\0\x01"), (0xA2, b"\0\x01\0\x01t"));
    refused(V5, CLIENT, "MQTT5 3.10.3-2", PROTOCOL, (0xA2, b"\0\x01\0"), (0xA2, b"\0\x01\0\0\x01t"));
    let none = FiltersBuf::new(V3);
    let unsubscribe = Unsubscribe { id: PacketId::MIN, properties: Properties::EMPTY, filters: none.view() };
    unwritable(V3, "MQTT3 3.10.3-2", &Packet::Unsubscribe(unsubscribe));
}

#[test]
fn the_identifier_is_not_0() {
    refused(V3, CLIENT, "MQTT3 2.3.1-1", PROTOCOL, (0xA2, b"\0\0\0\x01t"), (0xA2, b"\0\x01\0\x01t"));
    refused(V5, CLIENT, "MQTT5 2.2.1-3", PROTOCOL, (0xA2, b"\0\0\0\0\x01t"), (0xA2, b"\0\x01\0\0\x01t"));
}

#[test]
fn filters_are_filters() {
    let code = ReasonCode::TOPIC_FILTER_INVALID;
    refused(V3, CLIENT, "MQTT3 4.7.1-2", code, (0xA2, b"\0\x01\0\x02a#"), (0xA2, b"\0\x01\0\x02/#"));
    refused(V5, CLIENT, "MQTT5 4.7.1-2", code, (0xA2, b"\0\x01\0\0\x02a+"), (0xA2, b"\0\x01\0\0\x02/+"));
    refused(V5, CLIENT, "MQTT5 4.7.3-1", MALFORMED, (0xA2, b"\0\x01\0\0\0"), (0xA2, b"\0\x01\0\0\x01/"));
    refused(V3, CLIENT, "MQTT3 1.5.3-2", MALFORMED, (0xA2, b"\0\x01\0\x01\0"), (0xA2, b"\0\x01\0\x01\x01"));
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0xA2, b"\0\x01\0\x02t"), (0xA2, b"\0\x01\0\x01t"));
}

#[test]
fn a_broken_share_built_for_v311_is_not_written_in_v5() {
    let filters = FiltersBuf::new(V3).with("$share//t").expect("an ordinary filter in 3.1.1");
    let unsubscribe = Unsubscribe { id: PacketId::MIN, properties: Properties::EMPTY, filters: filters.view() };
    assert_eq!(Packet::Unsubscribe(unsubscribe).encoded_len(V3), Ok(2 + 2 + 11));
    unwritable(V5, "MQTT5 4.8.2-1", &Packet::Unsubscribe(unsubscribe));
}
