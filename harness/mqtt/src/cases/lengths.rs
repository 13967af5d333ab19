//! `mqtt.inner-lengths`: a length inside a packet that says more than the packet holds.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value, hex};

use super::{fields, loud, refusal, volley_row};
use crate::codec::Version;

/// One case for each packet: two connections for each length in it, one byte more than there is and the most that it can say.
pub(super) fn inner_lengths(version: Version) -> Vec<CaseRow> {
    let row = |(name, frame, parts): (&str, Fields, Vec<Part>)| {
        let broken: Vec<(String, Fields)> = (0..parts.len()).flat_map(|at| overlong(&frame, &parts, at)).collect();
        debug_assert!(broken.iter().all(|(_, frame)| refusal(version, frame).is_some()));
        let clause = match (frame.text("type"), version) {
            (Some("connect"), Version::V5) => "mqtt5:3.1.4-1",
            (Some("connect"), Version::V311) => "mqtt3:3.1.4-1",
            (_, Version::V5) => "mqtt5:4.13.1-1",
            (_, Version::V311) => "mqtt3:4.8.0-1",
        };
        volley_row(
            name,
            "inner-length",
            &format!("{} with a length longer than the packet", loud(&frame)),
            clause,
            broken,
        )
    };
    packets(version).into_iter().map(row).collect()
}

/// A piece of a body.
enum Part {
    /// As it is.
    Raw(&'static [u8]),
    /// With two bytes of length before it.
    Field(&'static str),
    /// With a variable byte integer before it: properties.
    Section(&'static [u8]),
}

/// The body twice, with the length of one part overstated; nothing where it has none. The name tells the part and the lie.
fn overlong(frame: &Fields, parts: &[Part], at: usize) -> Vec<(String, Fields)> {
    let after: usize = parts[at + 1..].iter().map(Part::size).sum();
    let lie = |name: &str, length: &[u8], content: &[u8]| {
        let before = parts[..at].iter().flat_map(Part::bytes);
        let rest = parts[at + 1..].iter().flat_map(Part::bytes);
        let body: Vec<u8> = before.chain(length.iter().copied()).chain(content.iter().copied()).chain(rest).collect();
        let mut frame = frame.clone();
        frame.set("body", hex(&body));
        (format!("part-{at}-{name}"), frame)
    };
    match &parts[at] {
        Part::Raw(_) => Vec::new(),
        Part::Field(text) => {
            let one_more = (text.len() + after + 1) as u16;
            alloc::vec![
                lie("one-more", &one_more.to_be_bytes(), text.as_bytes()),
                lie("most", &[0xff; 2], text.as_bytes())
            ]
        }
        Part::Section(bytes) => {
            let one_more = (bytes.len() + after + 1) as u8;
            assert!(one_more < 0x80, "bodies here are short: one byte says their length");
            alloc::vec![lie("one-more", &[one_more], bytes), lie("most", &[0xff, 0xff, 0xff, 0x7f], bytes)]
        }
    }
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Part::Raw(bytes) => bytes.to_vec(),
            Part::Field(text) => [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat(),
            Part::Section(bytes) => [&[bytes.len() as u8], *bytes].concat(),
        }
    }

    fn size(&self) -> usize {
        self.bytes().len()
    }
}

/// A User Property, `k` = `v`.
const USER: &[u8] = b"\x26\0\x01k\0\x01v";

fn packets(version: Version) -> Vec<(&'static str, Fields, Vec<Part>)> {
    use Part::{Field, Raw, Section};
    let v5 = version == Version::V5;
    // User name, password, Will and Clean Start; 60 s.
    let terms = Raw(if v5 { b"\x05\xc6\0\x3c" } else { b"\x04\xc6\0\x3c" });
    let kind = |name: &str| fields([("type", name.into())]);
    let connect = alloc::vec![
        Field("MQTT"),
        terms,
        Section(USER),
        Field("foe-c"),
        Section(USER),
        Field("foe/w"),
        Field("gone"),
        Field("foe"),
        Field("guess"),
    ];
    let publish = |qos: i64| fields([("type", "publish".into()), ("qos", Value::Int(qos))]);
    const ID: Part = Raw(&[0, 7]);
    let mut all = alloc::vec![
        ("connect", kind("connect"), connect),
        ("publish/qos0", publish(0), alloc::vec![Field("foe/x"), Section(USER), Raw(b"1")]),
        ("publish/qos1", publish(1), alloc::vec![Field("foe/x"), ID, Section(USER), Raw(b"1")]),
        // QoS 1: an option byte that is no U+0000 when it is read as part of the filter.
        (
            "subscribe",
            kind("subscribe"),
            alloc::vec![ID, Section(USER), Field("foe/x"), Raw(&[1]), Field("foe/y"), Raw(&[1])]
        ),
        ("unsubscribe", kind("unsubscribe"), alloc::vec![ID, Section(USER), Field("foe/x"), Field("foe/y")]),
        ("pubrel", kind("pubrel"), alloc::vec![ID, Raw(&[0]), Section(USER)]),
    ];
    if !v5 {
        all.pop();
        for (.., parts) in &mut all {
            parts.retain(|part| !matches!(part, Section(_)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_length_of_a_packet_is_overstated_twice() {
        let count = |version: Version, name: &str| {
            let row = inner_lengths(version).into_iter().find(|row| row.name == name).expect("there is such a packet");
            let steps = row.fields.find("steps").map(Value::as_slice).unwrap_or_default().to_vec();
            steps.iter().filter(|step| matches!(step, Value::Table(step) if step.find("frame").is_some())).count()
        };
        assert_eq!(count(Version::V311, "connect"), 12, "name, client id, Will topic and payload, user name, password");
        assert_eq!(count(Version::V5, "connect"), 16, "and two runs of properties");
        assert_eq!(count(Version::V311, "publish/qos0"), 2);
        assert_eq!(count(Version::V5, "subscribe"), 6);
    }

    #[test]
    fn the_lie_is_one_byte_and_the_rest_is_true() {
        let frame = fields([("type", "publish".into())]);
        let parts = [Part::Field("ab"), Part::Raw(b"1")];
        let bodies: Vec<_> =
            overlong(&frame, &parts, 0).iter().map(|(_, f)| f.text("body").unwrap_or("").to_string()).collect();
        assert_eq!(bodies, ["0004616231", "ffff616231"]);
    }
}
