//! What each list says of its cases, read back from the bytes: a name that tells one fault over bytes that carry another hides a test
//! that nobody runs.
//!
//! Nothing here asks the strict decoder, by which the lists are made: the header is read by the lenient [`Frame`], the body by a
//! walk of its own that knows where a length stands and nothing else.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value, unhex};

use super::CASES;
use crate::codec::{Frame, Length};
use crate::{frames, names};

const VERSIONS: [&str; 2] = ["3.1.1", "5"];

/// A hostile packet of a case: its label where the case is a volley, and what it is on the wire.
struct Said {
    label: String,
    frame: Frame,
}

/// Every hostile packet of a case, as bytes and back.
fn said(version: &str, row: &CaseRow) -> Vec<Said> {
    let steps = row.fields.find("steps").map(Value::as_slice).unwrap_or_default();
    let tables = |value: &Value| if let Value::Table(fields) = value { Some(fields.clone()) } else { None };
    let in_steps = steps
        .iter()
        .filter_map(tables)
        .filter_map(|step| Some((step.text("conn").unwrap_or("").to_string(), step.find("frame").and_then(tables)?)));
    let alone = row.fields.find("frame").and_then(tables).map(|frame| (row.name.clone(), frame));
    alone.into_iter().chain(in_steps).map(|(label, frame)| Said { label, frame: wire(version, &frame) }).collect()
}

fn wire(version: &str, fields: &Fields) -> Frame {
    let mut bytes = Vec::new();
    frames::build(names::version(version), fields, &mut bytes).unwrap_or_else(|e| panic!("{fields:?}: {e:?}"));
    let (frame, used) = Frame::read(&bytes).expect("there are bytes");
    assert_eq!(used, bytes.len(), "one packet");
    frame
}

/// Every case of a list with its hostile packets.
fn each(list: &str, mut check: impl FnMut(&str, &CaseRow, &Said)) {
    let list = CASES.iter().find(|row| row.name == list).unwrap_or_else(|| panic!("no list {list}"));
    let mut seen = 0;
    for version in VERSIONS {
        for row in (list.rows)(version) {
            let all = said(version, &row);
            assert!(!all.is_empty(), "{} {version} {}: no packet", list.name, row.name);
            seen += all.len();
            all.iter().for_each(|one| check(version, &row, one));
        }
    }
    assert!(seen >= 4, "{}: {seen} packets", list.name);
}

/// Numbers of the packet types, as the standards' table has them.
const TYPES: [(&str, u8); 15] = [
    ("connect", 1),
    ("connack", 2),
    ("publish", 3),
    ("puback", 4),
    ("pubrec", 5),
    ("pubrel", 6),
    ("pubcomp", 7),
    ("subscribe", 8),
    ("suback", 9),
    ("unsubscribe", 10),
    ("unsuback", 11),
    ("pingreq", 12),
    ("pingresp", 13),
    ("disconnect", 14),
    ("auth", 15),
];

fn number(name: &str) -> u8 {
    TYPES.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no packet {name}")).1
}

/// A piece of a body in the order of the standard, with what its length says and what is there.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    name: &'static str,
    /// Bytes that it says it has; those that are there are at most as many.
    says: usize,
    bytes: Vec<u8>,
}

/// Cuts a body into pieces until it is over, or a piece says more than there is.
struct Walk<'a> {
    rest: &'a [u8],
    pieces: Vec<Piece>,
    broken: bool,
}

impl<'a> Walk<'a> {
    fn take(&mut self, name: &'static str, says: usize, header: usize) {
        if self.broken {
            return;
        }
        let there = self.rest.len().saturating_sub(header);
        let bytes = self.rest.get(header..header + says.min(there)).unwrap_or_default().to_vec();
        self.broken = says > there;
        self.rest = self.rest.get(header + bytes.len()..).unwrap_or_default();
        self.pieces.push(Piece { name, says, bytes });
    }

    fn raw(&mut self, name: &'static str, says: usize) {
        self.take(name, says, 0);
    }

    fn field(&mut self, name: &'static str) {
        match self.rest {
            [high, low, ..] => self.take(name, usize::from(u16::from_be_bytes([*high, *low])), 2),
            _ => self.take(name, 2, 0),
        }
    }

    fn section(&mut self, name: &'static str) {
        let (mut says, mut width) = (0, 0);
        for byte in self.rest.iter().take(4) {
            says |= usize::from(byte & 0x7f) << (7 * width);
            width += 1;
            if byte & 0x80 == 0 {
                return self.take(name, says, width);
            }
        }
        self.take(name, 4, 0);
    }

    fn last(&self, name: &str) -> Option<&Piece> {
        self.pieces.iter().rfind(|piece| piece.name == name)
    }
}

/// The pieces of a client's packet.
fn walk<'a>(version: &str, frame: &'a Frame) -> Walk<'a> {
    let v5 = version == "5";
    let mut walk = Walk { rest: &frame.body, pieces: Vec::new(), broken: false };
    let properties = |walk: &mut Walk<'_>, name| {
        if v5 && !walk.rest.is_empty() {
            walk.section(name);
        }
    };
    match frame.first >> 4 {
        1 => {
            walk.field("protocol");
            walk.raw("level", 1);
            let flags = walk.rest.first().copied().unwrap_or(0);
            walk.raw("flags", 1);
            walk.raw("keep-alive", 2);
            properties(&mut walk, "properties");
            walk.field("client-id");
            if flags & 0x04 != 0 {
                properties(&mut walk, "will-properties");
                walk.field("will-topic");
                walk.field("will-payload");
            }
            for (bit, name) in [(0x80, "user-name"), (0x40, "password")] {
                if flags & bit != 0 {
                    walk.field(name);
                }
            }
        }
        3 => {
            walk.field("topic");
            if frame.first & 0x06 != 0 {
                walk.raw("packet-id", 2);
            }
            properties(&mut walk, "properties");
            if !walk.broken {
                walk.raw("payload", walk.rest.len());
            }
        }
        kind @ (8 | 10) => {
            walk.raw("packet-id", 2);
            properties(&mut walk, "properties");
            while !walk.rest.is_empty() && !walk.broken {
                walk.field("filter");
                if kind == 8 {
                    walk.raw("options", 1);
                }
            }
        }
        4..=7 => {
            walk.raw("packet-id", 2);
            if v5 && !walk.rest.is_empty() {
                walk.raw("reason", 1);
                properties(&mut walk, "properties");
            }
        }
        14 if v5 && !walk.rest.is_empty() => {
            walk.raw("reason", 1);
            properties(&mut walk, "properties");
        }
        _ => {}
    }
    walk
}

#[test]
fn a_length_that_is_overstated_is_the_one_that_its_label_names() {
    each("mqtt.inner-lengths", |version, row, said| {
        assert_eq!(said.frame.length, Length::Actual, "the Remaining Length is true");
        let walk = walk(version, &said.frame);
        assert!(walk.broken, "{version} {} {}", row.name, said.label);
        let lie = walk.pieces.last().expect("a broken walk has a piece");
        let there = lie.bytes.len();
        match said.label.rsplit_once('-').map(|(_, last)| last) {
            Some("more") => assert_eq!(lie.says, there + 1, "{version} {} {}: {lie:?}", row.name, said.label),
            Some("most") => {
                let most = if lie.name.ends_with("properties") { 268_435_455 } else { 65_535 };
                assert_eq!(lie.says, most, "{version} {} {}: {lie:?}", row.name, said.label);
            }
            other => panic!("{}: {other:?}", said.label),
        }
        // The place in the packet: as many pieces as the label counts stand before it.
        let at: usize = said.label.split('-').nth(1).and_then(|n| n.parse().ok()).expect("part-N-..");
        let before = walk.pieces.len() - 1;
        let fixed = walk.pieces.iter().filter(|piece| matches!(piece.name, "flags" | "keep-alive")).count();
        assert_eq!(before - fixed, at, "{version} {} {}: {:?}", row.name, said.label, walk.pieces);
    });
}

#[test]
fn a_packet_that_is_cut_ends_after_as_many_bytes_as_its_label_says() {
    each("mqtt.truncations", |version, row, said| {
        let after: usize = said.label.strip_prefix("after-").and_then(|n| n.parse().ok()).expect("after-N");
        assert_eq!(said.frame.body.len(), after, "{version} {}", row.name);
        assert_eq!(said.frame.length, Length::Actual);
        let (kind, qos) = row.name.split_once("/qos").map_or((row.name.as_str(), None), |(kind, n)| (kind, Some(n)));
        assert_eq!(said.frame.first >> 4, number(kind));
        if let Some(qos) = qos {
            assert_eq!((said.frame.first >> 1 & 3).to_string(), qos);
        }
    });
}

#[test]
fn reserved_bits_are_the_bits_that_the_name_says() {
    each("mqtt.reserved-bits", |version, row, said| {
        let (class, of) = row.name.split_once('/').expect("class/packet");
        let (kind, flags) = (said.frame.first >> 4, said.frame.first & 0x0f);
        let connect_flags = || walk(version, &said.frame).last("flags").expect("flags").bytes[0];
        match (class, of) {
            ("flags", of) => {
                assert_eq!(kind, number(of));
                let right = if matches!(of, "pubrel" | "subscribe" | "unsubscribe") { 2 } else { 0 };
                assert_ne!(flags, right, "{}", row.name);
            }
            ("qos", "publish") => assert_eq!((kind, flags >> 1 & 3), (3, 3)),
            ("qos", "will") => assert_eq!((kind, connect_flags() & 0x1c), (1, 0x1c)),
            ("connect-flags", "reserved") => assert_eq!((kind, connect_flags() & 1), (1, 1)),
            ("connect-flags", "will-qos") => assert_eq!((kind, connect_flags() & 0x1c), (1, 0x08)),
            ("connect-flags", "will-retain") => assert_eq!((kind, connect_flags() & 0x24), (1, 0x20)),
            other => panic!("{other:?}"),
        }
        let walk = walk(version, &said.frame);
        assert!(
            !walk.broken && walk.rest.is_empty(),
            "{version} {}: nothing else is wrong: {:?}",
            row.name,
            walk.pieces
        );
    });
}

#[test]
fn an_alias_and_a_topic_are_what_the_name_says() {
    each("mqtt.aliases", |version, row, said| {
        let walk = walk(version, &said.frame);
        let topic = &walk.pieces[0].bytes;
        let alias = walk.last("properties").map(|section| properties(&section.bytes)).unwrap_or_default();
        let alias = alias.iter().find(|(id, _)| *id == 0x23).map(|(_, value)| u16::from_be_bytes([value[0], value[1]]));
        let wanted = match row.name.as_str() {
            "no-topic" | "no-topic-qos1" => (true, None),
            "zero" => (false, Some(0)),
            "zero-no-topic" => (true, Some(0)),
            "above-maximum" => (false, Some(65_535)),
            "unknown" => (true, Some(1)),
            "unknown-highest" => (true, Some(65_535)),
            other => panic!("{other}"),
        };
        assert_eq!((topic.is_empty(), alias), wanted, "{version} {}", row.name);
        assert_eq!(said.frame.first >> 1 & 3, u8::from(row.name.ends_with("qos1")));
    });
}

/// Identifiers and values of a run of properties, as far as it can be read.
fn properties(mut rest: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((id, value)) = rest.split_first() {
        let size = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x13 | 0x21 | 0x22 | 0x23 => 2,
            0x02 | 0x11 | 0x18 | 0x27 => 4,
            0x0b => value.iter().take(4).position(|byte| byte & 0x80 == 0).map_or(5, |at| at + 1),
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => text_size(value),
            0x26 => {
                let key = text_size(value);
                key + value.get(key..).map_or(usize::MAX / 2, text_size)
            }
            _ => usize::MAX,
        };
        found.push((*id, value[..size.min(value.len())].to_vec()));
        if size > value.len() {
            // Cut short, or unknown: told by a value that is not whole.
            break;
        }
        rest = &value[size..];
    }
    found
}

fn text_size(value: &[u8]) -> usize {
    match value {
        [high, low, ..] => 2 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => usize::MAX / 2,
    }
}

#[test]
fn a_property_stands_where_and_as_often_as_the_name_says() {
    each("mqtt.property-matrix", |version, row, said| {
        let parts: Vec<&str> = row.name.split('/').collect();
        let [class, host, of] = parts[..] else { panic!("{}", row.name) };
        let walk = walk(version, &said.frame);
        let (section, kind) = match host {
            "will" => ("will-properties", "connect"),
            host => ("properties", host),
        };
        assert_eq!(said.frame.first >> 4, number(kind), "{}", row.name);
        let run = &walk.last(section).unwrap_or_else(|| panic!("{}: {:?}", row.name, walk.pieces)).bytes;
        let found = properties(run);
        let id = match of.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16).expect("hex"),
            None => names::PROPERTY_NAMES.iter().find(|(name, _)| *name == of).expect("a property").1 as u8,
        };
        assert!(found.iter().all(|(at, _)| *at == id), "{}: {found:?}", row.name);
        let whole: usize = found.iter().map(|(_, value)| 1 + value.len()).sum();
        assert_eq!(whole, run.len(), "{}", row.name);
        let value = &found[0].1;
        match class {
            "repeated" => assert_eq!(found.len(), 2, "{}", row.name),
            "cut" => assert!(is_cut(id, value), "{}: {value:02x?}", row.name),
            "type" => assert!(core::str::from_utf8(&value[2..]).is_err(), "{}: {value:02x?}", row.name),
            "range" => {
                let n = value.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
                assert_eq!(n, if of.starts_with("request") { 2 } else { 0 }, "{}", row.name);
                assert!(!is_cut(id, value), "{}", row.name);
            }
            "unknown" => assert!(!names::PROPERTY_NAMES.iter().any(|(_, known)| *known as u8 == id), "{}", row.name),
            "foreign" => assert_eq!(found.len(), 1, "{}", row.name),
            other => panic!("{other}"),
        }
    });
}

/// Whether a value is shorter than its type.
fn is_cut(id: u8, value: &[u8]) -> bool {
    let more = [value, &[0; 8]].concat();
    let whole = properties(&[&[id], more.as_slice()].concat());
    whole[0].1.len() > value.len()
}

#[test]
fn a_subscription_asks_for_what_the_name_says() {
    each("mqtt.subscriptions", |version, row, said| {
        let walk = walk(version, &said.frame);
        assert!(!walk.broken && walk.rest.is_empty(), "{}: {:?}", row.name, walk.pieces);
        let filters = walk.pieces.iter().filter(|piece| piece.name == "filter").count();
        let options = walk.last("options").map(|piece| piece.bytes[0]);
        match row.name.as_str() {
            "no-filter/subscribe" => assert_eq!((said.frame.first >> 4, filters), (8, 0)),
            "no-filter/unsubscribe" => assert_eq!((said.frame.first >> 4, filters), (10, 0)),
            "qos/subscribe" => assert_eq!((filters, options), (1, Some(3))),
            "qos/second-filter" => assert_eq!((filters, options), (2, Some(3))),
            "reserved/lowest" => {
                // 3.1.1 reserves six bits above the QoS, MQTT 5 the upper two of the byte.
                let lowest = if version == "5" { 0x40 } else { 0x04 };
                assert_eq!((filters, options), (1, Some(lowest)), "{version}");
            }
            "reserved/highest" => assert_eq!((filters, options), (1, Some(0x80))),
            "retain-handling/subscribe" => assert_eq!((filters, options.map(|o| o >> 4 & 3)), (1, Some(3))),
            "no-local/shared" => {
                assert_eq!(options.map(|o| o & 4), Some(4));
                assert!(walk.last("filter").is_some_and(|filter| filter.bytes.starts_with(b"$share/")));
            }
            other => panic!("{other}"),
        }
    });
}

#[test]
fn surplus_bytes_stand_behind_a_packet_that_is_whole_without_them() {
    each("mqtt.surplus", |version, row, said| {
        let walk = walk(version, &said.frame);
        assert_eq!(said.frame.first >> 4, number(row.name.strip_prefix("surplus/").expect("surplus/packet")));
        assert!(!walk.broken && walk.rest == [0], "{version} {}: {:?} {:?}", row.name, walk.pieces, walk.rest);
    });
}

#[test]
fn another_protocol_or_level_stands_where_a_server_looks_for_it() {
    let check = |version: &str, row: &CaseRow, said: &Said| {
        let walk = walk(version, &said.frame);
        let (name, level) = (&walk.pieces[0], &walk.pieces[1].bytes);
        let own = if version == "5" { 5 } else { 4 };
        match row.name.as_str() {
            "name" => {
                assert_ne!(name.bytes, b"MQTT", "{}", said.label);
                assert_eq!((level.as_slice(), walk.broken), ([own].as_slice(), false), "{}", said.label);
            }
            "level" | "bridge" => {
                let wanted: u8 = said.label.strip_prefix("level-").and_then(|n| n.parse().ok()).expect("level-N");
                assert_eq!((name.bytes.as_slice(), level.as_slice()), (b"MQTT".as_slice(), [wanted].as_slice()));
            }
            other => panic!("{other}"),
        }
        assert!(walk.last("client-id").is_some_and(|id| !id.bytes.is_empty()), "an id of its own");
    };
    each("mqtt.protocols", check);
    each("mqtt.bridge-levels", check);
}

#[test]
fn a_packet_of_a_server_is_the_one_that_the_name_says() {
    each("mqtt.server-packets", |version, row, said| {
        let (kind, of) = (said.frame.first >> 4, row.name.as_str());
        match of.strip_prefix("type-") {
            Some(n) => assert_eq!(kind.to_string(), n, "{version}"),
            None => assert_eq!(kind, number(of.split("-").next().unwrap_or(of)), "{version} {of}"),
        }
        if kind == 15 && version == "5" {
            let reason = if of == "auth-again" { 0x19 } else { 0x18 };
            assert_eq!(said.frame.body[0], reason, "{of}");
        }
    });
}

/// The number that bytes stand for in the scheme of UTF-8, whether or not it may be written so.
fn scheme(bytes: &[u8]) -> Option<(u32, usize)> {
    let (first, len) = match *bytes.first()? {
        byte @ 0..=0x7f => return Some((u32::from(byte), 1)),
        byte @ 0xc0..=0xdf => (u32::from(byte & 0x1f), 2),
        byte @ 0xe0..=0xef => (u32::from(byte & 0x0f), 3),
        byte @ 0xf0..=0xf7 => (u32::from(byte & 0x07), 4),
        _ => return None,
    };
    let rest = bytes.get(1..len)?;
    rest.iter()
        .all(|byte| byte & 0xc0 == 0x80)
        .then(|| (rest.iter().fold(first, |n, byte| n << 6 | u32::from(byte & 0x3f)), len))
}

#[test]
fn a_text_that_is_none_is_the_one_that_the_name_says() {
    let check = |name: &str, bytes: &[u8]| match name {
        "surrogate" => assert_eq!(scheme(bytes), Some((0xd800, 3))),
        "surrogate-pair" => {
            let [(high, 3), (low, 3)] = [scheme(bytes), scheme(&bytes[3..])].map(Option::unwrap_or_default) else {
                panic!("{bytes:02x?}")
            };
            assert!((0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low));
        }
        "overlong-slash" => assert_eq!(scheme(bytes), Some((0x2f, 2))),
        "overlong-in-three" => assert_eq!(scheme(bytes), Some((0x2f, 3))),
        "overlong-nul" => assert_eq!(scheme(bytes), Some((0, 2))),
        "nul" => assert_eq!(bytes, [0]),
        "alone" => assert!(bytes.len() == 1 && bytes[0] & 0xc0 == 0x80),
        "cut-short" => assert!(scheme(bytes).is_none() && bytes[0] & 0xf0 == 0xe0 && bytes.len() == 2),
        "beyond-the-end" => assert_eq!(scheme(bytes), Some((0x11_0000, 4))),
        "no-utf-8" => assert!(bytes.iter().all(|byte| *byte >= 0xfe)),
        other => panic!("{other}"),
    };
    for version in VERSIONS {
        for row in super::ill_formed::rows(names::version(version)) {
            check(&row.name, &unhex(row.fields.text("hex").expect("hex")).expect("hex"));
        }
    }
    each("mqtt.ill-formed-elsewhere", |version, row, said| {
        let (host, name) = row.name.split_once('/').expect("host/text");
        let piece = match host {
            "client-id" | "will-topic" => host,
            _ => "filter",
        };
        let walk = walk(version, &said.frame);
        let bytes = &walk.last(piece).unwrap_or_else(|| panic!("{}: {:?}", row.name, walk.pieces)).bytes;
        check(name, bytes.strip_prefix(b"ab").expect("behind two letters"));
        assert!(!walk.broken && walk.rest.is_empty(), "nothing else is wrong");
    });
}

#[test]
fn every_list_is_read_back() {
    const HERE: [&str; 12] = [
        "mqtt.property-matrix",
        "mqtt.inner-lengths",
        "mqtt.truncations",
        "mqtt.reserved-bits",
        "mqtt.aliases",
        "mqtt.subscriptions",
        "mqtt.surplus",
        "mqtt.protocols",
        "mqtt.bridge-levels",
        "mqtt.server-packets",
        "mqtt.ill-formed-texts",
        "mqtt.ill-formed-elsewhere",
    ];
    let lists: Vec<&str> = CASES.iter().map(|list| list.name).collect();
    assert_eq!(lists, HERE, "a list that nobody reads back may say one thing and send another");
}
