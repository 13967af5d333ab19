//! Cutting streams: limits, and any segmentation.

use proptest::prelude::*;

use super::round_trip::packets;
use super::*;
use crate::codec::{Framer, split};

/// First byte, length of the body, size of the packet; or clause and code.
type Outcome = Result<Option<(u8, usize, usize)>, (&'static str, u8)>;

fn cut(version: Version, max: u32, bytes: &[u8]) -> Outcome {
    split(version, CLIENT, max, bytes)
        .map(|cut| cut.map(|cut| (cut.first, cut.body.len(), cut.size)))
        .map_err(|reason| (reason.clause, reason.code.0))
}

#[test]
fn a_packet_is_cut_when_it_is_whole() {
    assert_eq!(cut(V5, u32::MAX, b""), Ok(None));
    assert_eq!(cut(V5, u32::MAX, b"\x30"), Ok(None));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x02"), Ok(None));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x02a"), Ok(None));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x02ab"), Ok(Some((0x30, 2, 4))));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x02abc"), Ok(Some((0x30, 2, 4))));
}

#[test]
fn a_remaining_length_takes_at_most_four_bytes() {
    assert_eq!(cut(V3, u32::MAX, b"\x30\xFF\xFF\xFF\x7F"), Ok(None), "268,435,455 bytes are awaited");
    assert_eq!(cut(V3, u32::MAX, b"\x30\xFF\xFF\xFF\xFF"), Err(("MQTT3 §2.2.3", 0x81)));
    assert_eq!(cut(V5, u32::MAX, b"\x30\xFF\xFF\xFF\xFF"), Err(("MQTT5 §1.5.5", 0x81)));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x80\x80\x80\x80\x01"), Err(("MQTT5 §1.5.5", 0x81)));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x80\x80\x80"), Ok(None));
}

#[test]
fn a_padded_length_is_a_defect_in_v5_only() {
    assert_eq!(cut(V3, u32::MAX, b"\xC0\x80\x00"), Ok(Some((0xC0, 0, 3))));
    assert_eq!(cut(V5, u32::MAX, b"\xC0\x80\x00"), Err(("MQTT5 1.5.5-1", 0x81)));
    assert_eq!(cut(V3, u32::MAX, b"\x30\x82\x80\x80\x00ab"), Ok(Some((0x30, 2, 7))));
    assert_eq!(cut(V5, u32::MAX, b"\x30\x82\x80\x80\x00ab"), Err(("MQTT5 1.5.5-1", 0x81)));
    assert_eq!(split(V3, CLIENT, u32::MAX, b"\xC0\x80\x00").map(|cut| cut.map(|cut| cut.minimal)), Ok(Some(false)));
}

#[test]
fn a_packet_above_the_maximum_is_refused_as_soon_as_its_length_is_known() {
    assert_eq!(cut(V5, 4, b"\x30\x02ab"), Ok(Some((0x30, 2, 4))), "the fixed header counts");
    assert_eq!(cut(V5, 3, b"\x30\x02"), Err(("MQTT5 3.2.2-15", 0x95)));
    assert_eq!(cut(V3, 3, b"\x30\x02"), Err(("MQTT3 4.8.0-2", 0x95)));
    let from_server = split(V5, SERVER, 3, b"\x30\x02").map_err(|reason| reason.clause);
    assert_eq!(from_server, Err("MQTT5 3.1.2-24"));
}

#[test]
fn a_whole_packet_is_not_copied() {
    let mut framer = Framer::new(V5, CLIENT, u32::MAX);
    let bytes = b"\xC0\0\x30\x04\0\x01t\0\xC0";
    let mut input = &bytes[..];
    let first = framer.next(&mut input).expect("legal").map(|cut| cut.size);
    assert_eq!((first, framer.held()), (Some(2), 0));
    let cut = framer.next(&mut input).expect("legal").expect("whole");
    assert!(core::ptr::eq(cut.body, &bytes[4..8]), "the body lies in the input");
    assert_eq!(framer.next(&mut input), Ok(None));
    assert_eq!((framer.held(), input.len()), (1, 0), "the rest waits");
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let mut framer = Framer::new(V5, CLIENT, u32::MAX);
    assert_eq!(framer.next(&mut &b"\x30\xFF\xFF\xFF\x7Fa"[..]), Ok(None));
    assert_eq!(framer.held(), 6);
}

#[test]
fn a_framer_follows_the_version() {
    let mut framer = Framer::new(V3, CLIENT, u32::MAX);
    assert!(framer.next(&mut &b"\xC0\x80\0"[..]).is_ok_and(|cut| cut.is_some()));
    framer.set_version(V5);
    assert!(framer.next(&mut &b"\xC0\x80\0"[..]).is_err());
}

#[test]
fn a_defect_in_a_held_header_is_found() {
    let mut framer = Framer::new(V5, CLIENT, 100);
    for byte in [0x30, 0xFF] {
        assert_eq!(framer.next(&mut &[byte][..]), Ok(None));
    }
    let reason = framer.next(&mut &[0x7F][..]).expect_err("16,383 bytes are too many");
    assert_eq!(reason.clause, "MQTT5 3.2.2-15");
}

/// All packets of a stream that arrives in these pieces, as bytes.
fn pieces(version: Version, sender: Sender, stream: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut framer = Framer::new(version, sender, u32::MAX);
    let (mut found, mut rest, mut sizes) = (Vec::new(), stream, sizes.iter().copied().cycle());
    while !rest.is_empty() {
        let (mut piece, later) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
        rest = later;
        while let Some(cut) = framer.next(&mut piece).expect("legal") {
            Packet::decode(version, sender, cut.first, cut.body).expect("legal");
            found.push(cat(&[&[cut.first], cut.body]));
        }
    }
    assert_eq!(framer.held(), 0, "nothing is left over");
    found
}

proptest! {
    #[test]
    fn any_segmentation_yields_the_same_packets(
        (version, sender, stream, count) in packets(1..8),
        sizes in proptest::collection::vec(1_usize..50, 1..10),
    ) {
        let whole = pieces(version, sender, &stream, &[stream.len()]);
        prop_assert_eq!(whole.len(), count);
        prop_assert_eq!(&pieces(version, sender, &stream, &[1]), &whole);
        prop_assert_eq!(&pieces(version, sender, &stream, &sizes), &whole);
    }

    #[test]
    fn any_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..80), version in 0..2, sender in 0..2) {
        let (version, sender) = (Version::ALL[version as usize], Sender::ALL[sender as usize]);
        let mut framer = Framer::new(version, sender, u32::MAX);
        let mut rest = &input[..];
        while let Ok(Some(cut)) = framer.next(&mut rest) {
            let _ = Packet::decode(version, sender, cut.first, cut.body);
        }
        if let Some((&first, body)) = input.split_first()
            && let Ok(packet) = Packet::decode(version, sender, first, body)
        {
            legal(version, sender, (first, body));
            let _ = format!("{packet:?}");
        }
    }
}
