//! SUBSCRIBE: filters and options.

use super::*;
use crate::codec::{PacketId, Properties, QoS, RetainHandling, Subscribe, SubscribeOptions, SubscriptionsBuf};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

/// SUBSCRIBE 5 of one filter.
fn v5(filter: &[u8], options: u8) -> Vec<u8> {
    cat(&[b"\0\x01\0", &[0, filter.len() as u8], filter, &[options]])
}

/// SUBSCRIBE 3.1.1 of one filter.
fn v3(filter: &[u8], options: u8) -> Vec<u8> {
    cat(&[b"\0\x01", &[0, filter.len() as u8], filter, &[options]])
}

#[test]
fn filters_keep_their_order() {
    let body = b"\0\x0A\0\0\x03a/b\x01\0\x01#\x2E\0\x0A$share/g/+\x01";
    let Packet::Subscribe(subscribe) = legal(V5, CLIENT, (0x82, body)) else { panic!("SUBSCRIBE") };
    let all: Vec<_> = subscribe.subscriptions.iter().collect();
    assert_eq!(all.iter().map(|one| one.filter.as_str()).collect::<Vec<_>>(), ["a/b", "#", "$share/g/+"]);
    let wanted = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    assert_eq!(all[1].options, wanted);
    assert_eq!(all[2].filter.for_matching(V5), "+");
}

#[test]
fn there_is_at_least_one_filter() {
    refused(V3, CLIENT, "MQTT3 3.8.3-3", PROTOCOL, (0x82, b"\0\x01"), (0x82, b"\0\x01\0\x01t\0"));
    refused(V5, CLIENT, "MQTT5 3.8.3-2", PROTOCOL, (0x82, b"\0\x01\0"), (0x82, b"\0\x01\0\0\x01t\0"));
    let none = SubscriptionsBuf::new(V5);
    let subscribe = Subscribe { id: PacketId::MIN, properties: Properties::EMPTY, subscriptions: none.view() };
    unwritable(V5, "MQTT5 3.8.3-2", &Packet::Subscribe(subscribe));
}

#[test]
fn the_identifier_is_not_0() {
    refused(V3, CLIENT, "MQTT3 2.3.1-1", PROTOCOL, (0x82, b"\0\0\0\x01t\0"), (0x82, b"\0\x01\0\x01t\0"));
    refused(V5, CLIENT, "MQTT5 2.2.1-3", PROTOCOL, (0x82, b"\0\0\0\0\x01t\0"), (0x82, b"\0\x01\0\0\x01t\0"));
}

#[test]
fn reserved_option_bits_are_0() {
    for bit in 2..8 {
        refused(V3, CLIENT, "MQTT3 3.8.3-4", MALFORMED, (0x82, &v3(b"t", 1 << bit)), (0x82, &v3(b"t", 2)));
    }
    for bit in 6..8 {
        refused(V5, CLIENT, "MQTT5 3.8.3-5", MALFORMED, (0x82, &v5(b"t", 1 << bit)), (0x82, &v5(b"t", 0x2E)));
    }
}

#[test]
fn qos_3_and_retain_handling_3_do_not_exist() {
    refused(V3, CLIENT, "MQTT3 3.8.3-4", PROTOCOL, (0x82, &v3(b"t", 3)), (0x82, &v3(b"t", 2)));
    refused(V5, CLIENT, "MQTT5 §3.8.3.1", PROTOCOL, (0x82, &v5(b"t", 3)), (0x82, &v5(b"t", 2)));
    refused(V5, CLIENT, "MQTT5 §3.8.3.1", PROTOCOL, (0x82, &v5(b"t", 0x30)), (0x82, &v5(b"t", 0x20)));
}

#[test]
fn no_local_does_not_go_with_a_share() {
    let shared = b"$share/g/t";
    refused(V5, CLIENT, "MQTT5 3.8.3-4", PROTOCOL, (0x82, &v5(shared, 4)), (0x82, &v5(shared, 0)));
    legal(V5, CLIENT, (0x82, &v5(b"t", 4)));
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::default() };
    let reason = SubscriptionsBuf::new(V5).with("$share/g/t", options).expect_err("both");
    assert_eq!(reason.clause, "MQTT5 3.8.3-4");
}

#[test]
fn options_of_v5_are_not_written_in_v311() {
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::default() };
    let reason = SubscriptionsBuf::new(V3).with("t", options).expect_err("3.1.1 has the quality only");
    assert_eq!(reason.clause, "MQTT3 3.8.3-4");
    // Built for one version, written in the other: checked again.
    let both = |options| SubscriptionsBuf::new(V5).with("t", options).expect("legal");
    let subscribe = |buf: &SubscriptionsBuf| {
        Packet::Subscribe(Subscribe { id: PacketId::MIN, properties: Properties::EMPTY, subscriptions: buf.view() })
            .encoded_len(V3)
            .map_err(|reason| reason.clause)
    };
    assert_eq!(subscribe(&both(SubscribeOptions::new(QoS::ExactlyOnce))), Ok(2 + 2 + 4));
    assert_eq!(subscribe(&both(options)), Err("MQTT3 3.8.3-4"));
}

#[test]
fn wildcards_stand_alone_in_their_level() {
    let code = ReasonCode::TOPIC_FILTER_INVALID;
    for bad in [&b"a#"[..], b"a/#/b", b"##", b"#/", b"/a#"] {
        refused(V3, CLIENT, "MQTT3 4.7.1-2", code, (0x82, &v3(bad, 0)), (0x82, &v3(b"a/#", 0)));
        refused(V5, CLIENT, "MQTT5 4.7.1-1", code, (0x82, &v5(bad, 0)), (0x82, &v5(b"a/#", 0)));
    }
    for bad in [&b"a+"[..], b"a/b+", b"++", b"+a/b"] {
        refused(V3, CLIENT, "MQTT3 4.7.1-3", code, (0x82, &v3(bad, 0)), (0x82, &v3(b"a/+/b", 0)));
        refused(V5, CLIENT, "MQTT5 4.7.1-2", code, (0x82, &v5(bad, 0)), (0x82, &v5(b"+/+/#", 0)));
    }
}

#[test]
fn a_filter_is_not_empty() {
    refused(V3, CLIENT, "MQTT3 4.7.3-1", MALFORMED, (0x82, &v3(b"", 0)), (0x82, &v3(b"/", 0)));
    refused(V5, CLIENT, "MQTT5 4.7.3-1", MALFORMED, (0x82, &v5(b"", 0)), (0x82, &v5(b"/", 0)));
}

#[test]
fn a_share_has_a_name_and_a_filter() {
    let code = ReasonCode::TOPIC_FILTER_INVALID;
    let good = v5(b"$share/g/t", 0);
    refused(V5, CLIENT, "MQTT5 4.8.2-1", code, (0x82, &v5(b"$share//t", 0)), (0x82, &good));
    refused(V5, CLIENT, "MQTT5 4.8.2-1", code, (0x82, &v5(b"$share/", 0)), (0x82, &good));
    for bad in [&b"$share/g"[..], b"$share/g/", b"$share/g+/t", b"$share/#/t", b"$share/+"] {
        refused(V5, CLIENT, "MQTT5 4.8.2-2", code, (0x82, &v5(bad, 0)), (0x82, &good));
    }
    refused(V5, CLIENT, "MQTT5 4.7.1-1", code, (0x82, &v5(b"$share/g/a#", 0)), (0x82, &good));
    // Without the second slash it is no share, and 3.1.1 knows none.
    legal(V5, CLIENT, (0x82, &v5(b"$share", 0)));
    legal(V3, CLIENT, (0x82, &v3(b"$share//t", 0)));
}

#[test]
fn a_filter_is_a_string() {
    refused(V3, CLIENT, "MQTT3 1.5.3-1", MALFORMED, (0x82, &v3(b"\xFF", 0)), (0x82, &v3(b"\x7F", 0)));
    refused(V5, CLIENT, "MQTT5 1.5.4-2", MALFORMED, (0x82, &v5(b"a\0", 0)), (0x82, &v5(b"a\x01", 0)));
}

#[test]
fn a_filter_without_options_is_cut_short() {
    refused(V3, CLIENT, "MQTT3 4.8.0-1", MALFORMED, (0x82, b"\0\x01\0\x01t"), (0x82, b"\0\x01\0\x01t\0"));
    refused(V5, CLIENT, "MQTT5 4.13.1-1", MALFORMED, (0x82, b"\0\x01\0\0\x01t"), (0x82, b"\0\x01\0\0\x01t\0"));
}

#[test]
fn a_subscription_identifier_is_single_and_not_0() {
    let with = |properties: &[u8]| cat(&[b"\0\x01", &[properties.len() as u8], properties, b"\0\x01t\0"]);
    let good = with(b"\x0B\x01");
    refused(V5, CLIENT, "MQTT5 §3.8.2.1.2", PROTOCOL, (0x82, &with(b"\x0B\0")), (0x82, &good));
    refused(V5, CLIENT, "MQTT5 §3.8.2.1.2", PROTOCOL, (0x82, &with(b"\x0B\x01\x0B\x02")), (0x82, &good));
    legal(V5, CLIENT, (0x82, &with(b"\x0B\xFF\xFF\xFF\x7F")));
}
