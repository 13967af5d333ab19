//! A frame holds whatever a datagram can say.

use alloc::vec;
use alloc::vec::Vec;

use super::hex;
use crate::codec::{Code, Delta, Frame, Kind, Length, Message, RawOption, rules};

fn wire(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

fn get(options: Vec<RawOption>) -> Frame {
    Frame { options, ..Frame::new(Kind::Con, Code::GET, 0x1234, &[]) }
}

#[test]
fn every_part_can_lie() {
    let honest = Frame { payload: b"p".to_vec(), ..get(vec![RawOption::new(11, b"a")]) };
    assert_eq!(wire(&honest), hex("40011234 B161 FF70"));
    let cases = [
        (Frame { version: 3, ..honest.clone() }, "C0011234 B161 FF70"),
        (Frame { kind: 3, ..honest.clone() }, "70011234 B161 FF70"),
        (Frame { tkl: Some(9), ..honest.clone() }, "49011234 B161 FF70"),
        (Frame { token: vec![0; 20], ..get(vec![]) }, "4F011234 00000000 00000000 00000000 00000000 00000000"),
        (Frame { marker: Some(false), ..honest.clone() }, "40011234 B161 70"),
        (Frame { marker: Some(true), payload: vec![], ..honest.clone() }, "40011234 B161 FF"),
        (Frame { tail: hex("F0"), ..honest.clone() }, "40011234 B161 FF70 F0"),
        (Frame { truncate: Some(5), ..honest.clone() }, "40011234 B1"),
        (Frame { truncate: Some(500), ..honest.clone() }, "40011234 B161 FF70"),
        (Frame { truncate: Some(0), ..honest }, ""),
    ];
    for (frame, bytes) in cases {
        assert_eq!(wire(&frame), hex(bytes), "{frame:?}");
    }
}

#[test]
fn every_option_header_can_lie() {
    let option = |delta, length| RawOption { delta, length, value: b"v".to_vec() };
    let cases = [
        (option(Delta::Number(60), Length::Actual), "D12F 76"),
        (option(Delta::By(269), Length::Actual), "E10000 76"),
        (option(Delta::By(70000), Length::Actual), "E11063 76"),
        (option(Delta::Raw(15, vec![]), Length::Actual), "F1 76"),
        (option(Delta::Raw(13, vec![]), Length::Actual), "D1 76"),
        (option(Delta::Raw(1, vec![9, 9]), Length::Actual), "11 0909 76"),
        (option(Delta::Number(1), Length::Claimed(65804)), "1E FFFF 76"),
        (option(Delta::Number(1), Length::Claimed(0)), "10 76"),
        (option(Delta::Number(1), Length::Raw(15, vec![])), "1F 76"),
        (option(Delta::Number(1), Length::Raw(14, vec![1])), "1E 01 76"),
    ];
    for (option, bytes) in cases {
        assert_eq!(wire(&get(vec![option.clone()]))[4..], hex(bytes), "{option:?}");
    }
}

#[test]
fn a_number_below_the_one_before_wraps_at_sixteen_bits() {
    let frame = get(vec![RawOption::new(11, b""), RawOption::new(7, b"")]);
    // 65536 - 4 is 65532, and 65532 - 269 is 0xFEEF.
    assert_eq!(wire(&frame)[4..], hex("B0 E0FEEF"));
    assert_eq!(frame.numbered().map(|(number, _)| number).collect::<Vec<_>>(), [11, 65543]);
    assert!(core::ptr::eq(Message::decode(&wire(&frame)).unwrap_err().rule, &rules::NUMBER_TOO_LARGE));
}

#[test]
fn what_was_read_says_what_is_missing() {
    let cut_token = Frame::read(&hex("48011234 0102"));
    assert_eq!((cut_token.tkl, cut_token.token.len()), (Some(8), 2));
    let cut_value = Frame::read(&hex("40011234 B5 6161"));
    assert_eq!(cut_value.options[0].length, Length::Claimed(5));
    let broken = Frame::read(&hex("40011234 B161 F0 FF"));
    assert_eq!((broken.options.len(), broken.tail), (1, hex("F0FF")));
    let alone = Frame::read(&hex("40011234 FF"));
    assert_eq!((alone.marker, alone.payload.len()), (Some(true), 0));
    let short = Frame::read(&hex("4001"));
    assert_eq!((short.code(), short.truncate), (Code::GET, Some(2)));
}

#[test]
fn a_legal_message_becomes_a_frame_without_lies() {
    let bytes = hex("42451234 AABB C0 FF31");
    let frame = Frame::of(&Message::decode(&bytes).unwrap());
    let expected = Frame { payload: b"1".to_vec(), ..Frame::new(Kind::Con, Code::CONTENT, 0x1234, &[0xAA, 0xBB]) };
    assert_eq!(frame, Frame { options: vec![RawOption::new(12, b"")], ..expected });
    assert_eq!(wire(&frame), bytes);
}
