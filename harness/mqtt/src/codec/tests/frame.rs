//! Frames hold anything, and give it back unchanged.

use proptest::prelude::*;

use super::*;
use crate::codec::{Ack, Frame, Kind, Length, PacketId};

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

#[test]
fn a_frame_of_a_packet_is_its_bytes() {
    let packet = Packet::Pubrel(Ack::with_reason(PacketId::MIN, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
    let mut out = Vec::new();
    packet.encode(V5, &mut out).expect("legal");
    assert_eq!(bytes(&Frame::of(&packet, V5).expect("legal")), out);
}

#[test]
fn a_length_may_lie_in_every_way() {
    let length = |length| bytes(&Frame::new(12, 0).length(length))[1..].to_vec();
    assert_eq!(length(Length::Actual), [0]);
    assert_eq!(length(Length::Claimed(268_435_455)), [0xFF, 0xFF, 0xFF, 0x7F]);
    assert_eq!(length(Length::Claimed(268_435_456)), [0x80, 0x80, 0x80, 0x80, 0x01], "one more takes a fifth byte");
    assert_eq!(length(Length::Claimed(u64::MAX)).len(), 10);
    assert_eq!(length(Length::Padded(0, 4)), [0x80, 0x80, 0x80, 0x00]);
    assert_eq!(length(Length::Padded(5, 6)), [0x85, 0x80, 0x80, 0x80, 0x80, 0x00]);
    assert_eq!(length(Length::Padded(300, 1)), [0x2C], "cut off at the top");
    assert_eq!(length(Length::Raw(std::vec![0xFF; 5])), [0xFF; 5]);
}

#[test]
fn a_body_is_built_from_parts() {
    let frame = Frame::new(3, 0b0110).field(b"a/\xFF").two_bytes(1).varint(2, 2).byte(9).four_bytes(7).raw(b"x");
    assert_eq!(bytes(&frame), b"\x36\x0F\0\x03a/\xFF\0\x01\x82\0\x09\0\0\0\x07x");
    assert_eq!((frame.kind(), frame.flags()), (Some(Kind::Publish), 6));
    assert_eq!(frame.with_flags(1).first, 0x31);
}

#[test]
fn a_frame_prints_what_is_odd_about_it() {
    let print = |bytes: &[u8]| Frame::read(bytes).map(|(frame, _)| format!("{frame}"));
    assert_eq!(print(b"\xC0\0").as_deref(), Some("PINGREQ flags 0000, 0 bytes"));
    assert_eq!(print(b"\x02\x03a").as_deref(), Some("RESERVED flags 0010, 1 bytes, length says 3"));
    assert_eq!(print(b"\xC0\x81\0x").as_deref(), Some("PINGREQ flags 0000, 1 bytes, length says 1 in 2 bytes"));
    let endless = "PINGREQ flags 0000, 1 bytes, length is [FF, FF, FF, FF]";
    assert_eq!(print(b"\xC0\xFF\xFF\xFF\xFF\x01").as_deref(), Some(endless));
    assert_eq!(print(b""), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_and_come_back(input in proptest::collection::vec(any::<u8>(), 1..40)) {
        let (frame, used) = Frame::read(&input).expect("not empty");
        prop_assert!(used <= input.len());
        prop_assert_eq!(&bytes(&frame)[..], &input[..used]);
    }
}
