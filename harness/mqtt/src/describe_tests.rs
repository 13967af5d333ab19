//! Laws of describing: whatever the codec writes is told, however the stream is cut; whatever it refuses is told with the reason.
use std::vec;

use super::*;
use crate::codec::{Ack, Connack, Delivery, PacketId, Place, PropertiesBuf, ReasonCode, Suback, TopicName};

fn told(version: Version, sender: Sender, bytes: &[u8], cut: usize) -> Vec<Told> {
    let mut stream = Stream::new(version, sender);
    let mut packets = vec![];
    for piece in bytes.chunks(cut) {
        stream.bytes(piece, &mut packets);
    }
    packets
}

/// The same packets, whole or byte by byte.
#[track_caller]
fn check(version: Version, sender: Sender, bytes: &[u8], expect: &[&str]) {
    for cut in [1, 2, 3, usize::MAX] {
        let lines: Vec<String> = told(version, sender, bytes, cut.min(bytes.len().max(1)))
            .iter()
            .map(|packet| {
                let broken = if packet.malformed.is_empty() { "" } else { " !" };
                alloc::format!("{} {}{broken} {}", packet.kind, packet.fields, packet.malformed).trim().to_string()
            })
            .collect();
        assert_eq!(lines, expect, "cut into {cut}");
    }
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn bytes_of(packets: &[Packet<'_>], version: Version) -> Vec<u8> {
    let mut bytes = vec![];
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    bytes
}

#[test]
fn every_packet_of_a_server_has_its_fields() {
    let topic = TopicName::new("a/b").unwrap();
    let properties = PropertiesBuf::new(Place::Connack)
        .with(PropertyId::ReceiveMaximum, 20_u16)
        .and_then(|p| p.with(PropertyId::UserProperty, ("k", "v")))
        .and_then(|p| p.with(PropertyId::UserProperty, ("k", "w")))
        .unwrap();
    let connack = Connack { properties: properties.view(), ..Connack::new(true, ReasonCode::SUCCESS) };
    let publish = Publish::new(Delivery::AtLeastOnce { id: id(7), dup: true }, topic, b"on");
    let packets = [
        Packet::Connack(connack),
        Packet::Publish(publish),
        Packet::Puback(Ack::with_reason(id(7), ReasonCode::QUOTA_EXCEEDED)),
        Packet::Suback(Suback::new(id(8), &[0])),
        Packet::Suback(Suback::new(id(8), &[0, 0x87])),
        Packet::Pingresp,
    ];
    let expect = [
        "connack reason=0 session_present=true receive_maximum=20 user_properties=[[k, v], [k, w]]",
        "publish topic=a/b qos=1 packet_id=7 retain=false dup=true payload=on",
        "puback packet_id=7 reason=151",
        "suback packet_id=8 reason=0",
        "suback packet_id=8 reason=[0, 135]",
        "pingresp",
    ];
    check(Version::V5, Sender::Server, &bytes_of(&packets, Version::V5), &expect);
}

#[test]
fn a_connect_has_its_will_and_its_credentials() {
    let frame = b"\x10\x24\x00\x04MQTT\x04\xee\x00\x3c\x00\x01c\x00\x01w\x00\x02\xff\x00\x00\x01u\x00\x01p";
    let mut whole = frame.to_vec();
    whole[1] = (whole.len() - 2) as u8;
    let expect = "connect client_id=c clean_start=true keep_alive=60 username=u password=p will_topic=w \
                  will_payload=ff00 will_qos=1 will_retain=true";
    check(Version::V311, Sender::Client, &whole, &[expect]);
}

#[test]
fn what_the_decoder_refuses_is_told_and_the_stream_stays_in_step() {
    let bytes = b"\x36\x05\x00\x01a\x00\x07\xd0\x00\x01\x00\xd0\x00";
    let expect = [
        "publish qos=3 packet_id=7 topic=a flags=6 raw=0001610007 ! QoS 3 [MQTT5 3.3.1-4] (0x81)",
        "pingresp",
        "reserved flags=1 raw= ! packet type 0 is reserved [MQTT5 4.13.1-1] (0x81)",
        "pingresp",
    ];
    check(Version::V5, Sender::Server, bytes, &expect);
}

#[test]
fn a_padded_length_is_a_mistake_in_mqtt_5_only() {
    let bytes = b"\xd0\x80\x00\xd0\x00";
    check(Version::V311, Sender::Server, bytes, &["pingresp", "pingresp"]);
    let packets = told(Version::V5, Sender::Server, bytes, 1);
    assert!(packets[0].malformed.contains("MQTT5 1.5.5-1"), "{:?}", packets[0]);
    assert!(packets[1].malformed.is_empty());
}

#[test]
fn after_a_length_of_five_bytes_nothing_is_read_any_more() {
    let packets = told(Version::V5, Sender::Server, b"\x30\xff\xff\xff\xff\x01\xd0\x00\xd0\x00", 1);
    assert_eq!(packets.len(), 1, "{packets:?}");
    assert!(packets[0].malformed.contains("MQTT5 §1.5.5"), "{:?}", packets[0]);
}

#[test]
fn a_packet_from_the_wrong_side_is_told_as_what_it_is() {
    let packets = told(Version::V5, Sender::Server, b"\xc0\x00", 2);
    assert_eq!((packets[0].kind.as_str(), packets[0].malformed.is_empty()), ("pingreq", false));
}

#[test]
fn a_large_payload_is_told_by_its_beginning_and_its_length() {
    let payload = vec![b'x'; PAYLOAD_MAX + 1];
    let publish = Publish::new(Delivery::AtMostOnce, TopicName::new("a").unwrap(), &payload);
    let packets = told(Version::V311, Sender::Server, &bytes_of(&[Packet::Publish(publish)], Version::V311), 1000);
    assert_eq!(packets[0].fields.text("payload").map(str::len), Some(PAYLOAD_MAX));
    assert_eq!(packets[0].fields.int("payload_len"), Some(PAYLOAD_MAX as i64 + 1));
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_wild(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), cut in 1_usize..50) {
        for version in Version::ALL {
            for sender in Sender::ALL {
                told(version, sender, &bytes, cut);
            }
        }
    }

    #[test]
    fn however_a_stream_is_cut_the_packets_are_the_same(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), cut in 1_usize..50,
    ) {
        let whole = told(Version::V5, Sender::Client, &bytes, bytes.len().max(1));
        let pieces = told(Version::V5, Sender::Client, &bytes, cut);
        let lengths = |packets: &[Told]| packets.iter().map(|p| (p.kind.clone(), p.malformed.clone())).collect::<Vec<_>>();
        proptest::prop_assert_eq!(lengths(&whole), lengths(&pieces));
    }
}

#[test]
fn a_client_that_speaks_another_version_than_was_planned_is_read_in_its_own() {
    let mut stream = Stream::new(Version::V5, Sender::Client);
    let mut packets = Vec::new();
    stream.bytes(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a\x30\x06\0\x03a/bx", &mut packets);
    assert!(packets.iter().all(|packet| packet.malformed.is_empty()), "{packets:?}");
    assert_eq!(packets[1].fields.text("payload"), Some("x"));
}
