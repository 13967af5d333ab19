//! Laws over random bytes and random messages.

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::codec::{Code, Delta, Frame, Kind, Length, Message, OptionNumber, REGISTRY, RawOption, Token, Writer};

/// Bytes that begin like a message more often than chance would have it.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let header = (0_u8..4, 0_u8..16, prop_oneof![Just(0_u8), Just(1), Just(0x45), any::<u8>()], any::<[u8; 2]>());
    let framed = (header, vec(any::<u8>(), 0..40)).prop_map(|((kind, tkl, code, mid), rest)| {
        let mut bytes = alloc::vec![0x40 | kind << 4 | tkl, code, mid[0], mid[1]];
        bytes.extend(rest);
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..64), framed]
}

/// Options that a request may carry, in any order, some twice.
fn options() -> impl Strategy<Value = Vec<(OptionNumber, Vec<u8>)>> {
    let known = (0..REGISTRY.len(), vec(any::<u8>(), 0..40)).prop_map(|(row, mut value)| {
        let row = &REGISTRY[row];
        value.truncate(row.len_max.into());
        value.resize(value.len().max(row.len_min.into()), b'x');
        (row.number, value)
    });
    let unknown = (any::<u16>(), vec(any::<u8>(), 0..300)).prop_map(|(n, value)| (OptionNumber(n & !1), value));
    vec(prop_oneof![4 => known, 1 => unknown], 0..12)
}

fn raw_option() -> impl Strategy<Value = RawOption> {
    let delta = prop_oneof![
        any::<u16>().prop_map(Delta::Number),
        any::<u32>().prop_map(Delta::By),
        (any::<u8>(), vec(any::<u8>(), 0..4)).prop_map(|(nibble, bytes)| Delta::Raw(nibble, bytes)),
    ];
    let length = prop_oneof![
        Just(Length::Actual),
        any::<u32>().prop_map(Length::Claimed),
        (any::<u8>(), vec(any::<u8>(), 0..4)).prop_map(|(nibble, bytes)| Length::Raw(nibble, bytes)),
    ];
    (delta, length, vec(any::<u8>(), 0..300)).prop_map(|(delta, length, value)| RawOption { delta, length, value })
}

fn write(kind: Kind, options: &[(OptionNumber, Vec<u8>)], token: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let writer = Writer::new(&mut out, kind, Code::POST, 0xABCD, Token::new(token)?);
    let writer = options.iter().fold(writer, |writer, (number, value)| writer.option(*number, value));
    writer.payload(payload).ok()?;
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_read_as_a_frame_that_writes_them_back(bytes in datagram()) {
        let mut out = Vec::new();
        Frame::read(&bytes).encode(&mut out);
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn any_bytes_are_a_message_or_a_reason(bytes in datagram()) {
        if let Ok(message) = Message::decode(&bytes) {
            let mut out = Vec::new();
            message.encode(&mut out);
            prop_assert_eq!(&out, &bytes, "what is legal is written back byte by byte");
            let frame = Frame::of(&message);
            let numbers: Vec<u64> = message.options().iter().map(|opt| opt.number.0.into()).collect();
            prop_assert_eq!(frame.numbered().map(|(number, _)| number).collect::<Vec<_>>(), numbers);
        }
    }

    #[test]
    fn what_the_writer_writes_is_a_message(options in options(), token in vec(any::<u8>(), 0..=8), payload in vec(any::<u8>(), 0..20)) {
        if let Some(bytes) = write(Kind::Con, &options, &token, &payload) {
            let message = Message::decode(&bytes).map_err(|reject| TestCaseError::fail(alloc::format!("{reject}")))?;
            prop_assert_eq!(message.payload(), &payload);
            prop_assert_eq!(message.token(), Token::new(&token).unwrap());
            let mut sorted = options;
            sorted.sort_by_key(|(number, _)| *number);
            let said: Vec<_> = message.options().iter().map(|opt| (opt.number, opt.value.to_vec())).collect();
            prop_assert_eq!(said, sorted);
        }
    }

    #[test]
    fn any_frame_is_written_and_read(options in vec(raw_option(), 0..6), tkl in any::<Option<u8>>(), token in vec(any::<u8>(), 0..20),
                                     tail in vec(any::<u8>(), 0..5), truncate in proptest::option::of(0_usize..600)) {
        let frame = Frame { options, tkl, tail, truncate, ..Frame::new(Kind::Non, Code::PUT, 7, &token) };
        let (mut out, mut again) = (Vec::new(), Vec::new());
        frame.encode(&mut out);
        prop_assert_eq!(frame.numbered().count(), frame.options.len());
        Frame::read(&out).encode(&mut again);
        prop_assert_eq!(out, again);
    }
}
