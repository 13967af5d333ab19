//! What each fuzz target does with its input. `cargo test -p proofhouse-fuzz` replays the corpora on stable; libFuzzer drives the
//! same functions with new inputs (`cargo ci fuzz-smoke`, or `cargo fuzz run coap_message` with the nightly compiler and its
//! sanitizers).
//!
//! A corpus holds wire bytes, nothing else: a datagram or a piece of a stream, so that captures can be added as they are.
#![forbid(unsafe_code)]
use proofhouse_coap::codec as coap;
use proofhouse_mqtt::codec::{self as mqtt, Sender, Version};

/// What a target does with one input.
pub type Target = fn(&[u8]);

/// Every target: its name, which is that of its corpus, and what it does.
pub const TARGETS: [(&str, Target); 6] = [
    ("mqtt_frame", mqtt_frame),
    ("mqtt_packet", mqtt_packet),
    ("coap_frame", coap_frame),
    ("coap_message", coap_message),
    ("coap_lite", coap_lite),
    ("rumqttc", rumqttc),
];

/// Law: a lenient reader takes a stream apart without a rest, and every frame writes back the bytes that it was read from.
pub fn mqtt_frame(data: &[u8]) {
    let (mut rest, mut again) = (data, Vec::new());
    while let Some((frame, used)) = mqtt::Frame::read(rest) {
        again.clear();
        frame.encode(&mut again);
        assert_eq!(again, rest[..used], "{frame:?}");
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "{} bytes were left over", rest.len());
}

/// Law: what a strict reader accepts from either side, in either version, is written and read back as the same packet.
pub fn mqtt_packet(data: &[u8]) {
    for version in [Version::V311, Version::V5] {
        for sender in [Sender::Client, Sender::Server] {
            let Ok(Some(cut)) = mqtt::split(version, sender, u32::MAX, data) else { continue };
            let Ok(packet) = mqtt::Packet::decode(version, sender, cut.first, cut.body) else { continue };
            let mut again = Vec::new();
            packet
                .encode(version, &mut again)
                .unwrap_or_else(|why| panic!("{packet:?} was read, and not written: {why:?}"));
            let cut = mqtt::split(version, sender, u32::MAX, &again).expect("ours is cut").expect("ours is whole");
            let read = mqtt::Packet::decode(version, sender, cut.first, cut.body).expect("ours is legal");
            assert_eq!(read, packet);
        }
    }
}

/// Law: a lenient reader takes any datagram, and it writes back the same bytes.
pub fn coap_frame(data: &[u8]) {
    let frame = coap::Frame::read(data);
    let mut again = Vec::new();
    frame.encode(&mut again);
    assert_eq!(again, data, "{frame:?}");
}

/// Law: what a strict reader accepts is written byte for byte, or in the one shortest form that reads as the same message.
pub fn coap_message(data: &[u8]) {
    let Ok(message) = coap::Message::decode(data) else { return };
    let mut again = Vec::new();
    message.encode(&mut again);
    let read = coap::Message::decode(&again).unwrap_or_else(|why| panic!("{message:?} was read, and not again: {why}"));
    let parts = |m: &coap::Message<'_>| {
        let options: Vec<(u16, Vec<u8>)> = m.options().iter().map(|o| (o.number.0, o.value.to_vec())).collect();
        (m.kind(), m.code(), m.mid(), m.token(), options, m.payload().to_vec())
    };
    assert_eq!(parts(&read), parts(&message));
}

/// The decoder of coap-lite, under test: it may refuse, and it may not panic. What it reads, it can write.
pub fn coap_lite(data: &[u8]) {
    if let Ok(packet) = coap_lite::Packet::from_bytes(data) {
        let _ = packet.to_bytes();
    }
}

/// The decoders of rumqttc, under test, on a whole stream in both versions: they may refuse, and they may not panic.
pub fn rumqttc(data: &[u8]) {
    let mut stream = data.into();
    while rumqttc::mqttbytes::v4::Packet::read(&mut stream, PACKET_MAX).is_ok() {}
    let mut stream = data.into();
    while rumqttc::v5::mqttbytes::v5::Packet::read(&mut stream, Some(PACKET_MAX as u32)).is_ok() {}
}

/// A client's usual limit, so that a claimed length reserves no gigabyte in the fuzzer's process.
const PACKET_MAX: usize = 1 << 20;
