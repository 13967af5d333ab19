//! The registry, at its edges.

use alloc::vec;
use alloc::vec::Vec;

use super::{get, hex};
use crate::codec::{
    Code, Definition, Kind, Message, OptionNumber, Place, REGISTRY, Token, UintBytes, Writer, rules, uint_value,
};

/// One message with one option, written raw.
fn with_option(row: &Definition, len: usize) -> Vec<u8> {
    let code = if row.place == Place::Response { Code::CONTENT } else { Code::GET };
    let option = crate::codec::RawOption::new(row.number.0, &vec![b'x'; len]);
    let mut out = Vec::new();
    crate::codec::Frame { options: vec![option], ..crate::codec::Frame::new(Kind::Con, code, 1, &[]) }.encode(&mut out);
    out
}

#[test]
fn values_are_taken_from_least_to_most_and_not_one_byte_beyond() {
    for row in &REGISTRY {
        for len in [row.len_min, row.len_max] {
            let bytes = with_option(row, len.into());
            let message = Message::decode(&bytes).unwrap_or_else(|reject| panic!("{} of {len}: {reject}", row.name));
            assert_eq!(message.options().get(row.number).map(<[u8]>::len), Some(len.into()), "{}", row.name);
        }
        let below = row.len_min.checked_sub(1).map(usize::from);
        for len in below.into_iter().chain([usize::from(row.len_max) + 1]) {
            let bytes = with_option(row, len);
            match Message::decode(&bytes) {
                Ok(message) => {
                    assert!(!row.number.is_critical(), "{} of {len}", row.name);
                    assert_eq!(message.options().get(row.number), None, "{} of {len}", row.name);
                }
                Err(reject) => {
                    assert!(row.number.is_critical(), "{} of {len}: {reject}", row.name);
                    assert!(core::ptr::eq(reject.rule, &rules::OPTION_LENGTH), "{} of {len}: {reject}", row.name);
                }
            }
        }
    }
}

#[test]
fn the_registry_is_in_order_and_every_row_is_found() {
    assert!(REGISTRY.windows(2).all(|pair| pair[0].number < pair[1].number));
    for row in &REGISTRY {
        assert_eq!(row.number.definition(), Some(row));
        assert_eq!(row.number.name(), Some(row.name));
    }
    assert_eq!(OptionNumber(2).definition(), None);
    assert_eq!(OptionNumber(252).name(), Some("Echo"));
    assert_eq!(OptionNumber(2).name(), None);
}

#[test]
fn numbers_tell_their_class() {
    let critical: Vec<u16> = REGISTRY.iter().map(|row| row.number).filter(|n| n.is_critical()).map(|n| n.0).collect();
    assert_eq!(critical, [1, 3, 5, 7, 11, 15, 17, 23, 27, 35, 39]);
    let unsafe_ones: Vec<u16> = REGISTRY.iter().map(|row| row.number).filter(|n| n.is_unsafe()).map(|n| n.0).collect();
    assert_eq!(unsafe_ones, [3, 6, 7, 11, 14, 15, 23, 27, 35, 39]);
    let no_key: Vec<u16> = REGISTRY.iter().map(|row| row.number).filter(|n| n.is_no_cache_key()).map(|n| n.0).collect();
    assert_eq!(no_key, [28, 60]);
}

#[test]
fn leading_zeros_do_not_count() {
    for (bytes, value) in [("", 0), ("00", 0), ("01", 1), ("0001", 1), ("000000FF", 255), ("FFFFFFFF", u32::MAX)] {
        assert_eq!(uint_value(&hex(bytes)), value, "{bytes}");
    }
    assert_eq!(uint_value(&hex("0100000000")), u32::MAX, "beyond 32 bits it saturates");
    assert_eq!(uint_value(&hex("000000000001")), 1);
}

#[test]
fn a_uint_takes_as_few_bytes_as_it_can() {
    for (value, bytes) in [(0, ""), (1, "01"), (255, "FF"), (256, "0100"), (65536, "010000"), (1 << 24, "01000000")] {
        assert_eq!(UintBytes::new(value).as_bytes(), hex(bytes), "{value}");
    }
}

#[test]
fn a_path_is_compared_segment_by_segment() {
    let is = |written: &str, asked: &str| {
        let bytes = get(|w| w.path(written)).unwrap();
        Message::decode(&bytes).unwrap().options().path_is(asked)
    };
    assert!(is("/", "/") && is("", "/") && is("/a/b", "/a/b") && is("a/b", "/a/b") && is("/a/", "/a/"));
    assert!(
        !is("/a", "/")
            && !is("/", "/a")
            && !is("/a/b", "/a")
            && !is("/a", "/a/b")
            && !is("/a/", "/a")
            && !is("/ab", "/a/b")
    );
}

#[test]
fn all_values_of_one_number_come_in_order() {
    let bytes = get(|w| w.query("a=1&b=2").path("/x").query("c")).unwrap();
    let options = Message::decode(&bytes).unwrap();
    let said: Vec<&[u8]> = options.options().all(OptionNumber::URI_QUERY).collect();
    assert_eq!(said, [b"a=1".as_slice(), b"b=2", b"c"]);
    assert_eq!(options.options().all(OptionNumber::ETAG).count(), 0);
}

#[test]
fn only_the_first_of_what_stands_once_counts() {
    let bytes = hex("40451234 D10105 0106");
    assert_eq!(Message::decode(&bytes).unwrap().options().uint(OptionNumber::MAX_AGE), Some(5));
}

#[test]
fn text_is_utf8_or_none() {
    let mut out = Vec::new();
    let writer = Writer::new(&mut out, Kind::Con, Code::GET, 1, Token::EMPTY);
    writer.option(OptionNumber::URI_HOST, b"a\xFF").option(OptionNumber::PROXY_SCHEME, b"coap").end().unwrap();
    let options = Message::decode(&out).unwrap().options();
    assert_eq!(options.text(OptionNumber::URI_HOST), None);
    assert!(options.has(OptionNumber::URI_HOST));
    assert_eq!(options.text(OptionNumber::PROXY_SCHEME), Some("coap"));
}
