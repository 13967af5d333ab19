//! What flaws make of packets that must be refused: the body is rewritten until the codec takes it. Never called without a flaw.
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_mqtt::codec::properties::{PropertyRow, ValueKind};
use proofhouse_mqtt::codec::{Cut, Kind, Place, Properties, Reason, ReasonCode, Sender, Version};

use super::slack;
use crate::flaw::{Flaw, Flaws};

/// A packet that a flaw has rewritten.
pub(super) struct Repaired {
    /// First byte and body.
    pub(super) packet: Option<(u8, Vec<u8>)>,
    /// A property stood twice, whether or not that was repaired.
    pub(super) repeated: bool,
}

/// Reads a Remaining Length of more than four bytes; `None` where it is not longer than that.
pub(super) fn long_length(bytes: &[u8], max: u32) -> Option<Result<Option<Cut<'_>>, Reason>> {
    bytes.get(1..5).filter(|four| four.iter().all(|byte| byte & 0x80 != 0))?;
    let Some((value, width)) = varint(&bytes[1..], 9) else { return Some(Ok(None)) };
    let size = 1 + width + value as usize;
    if size > max as usize {
        let what = "a packet above the Maximum Packet Size of this side";
        return Some(Err(Reason { clause: "MQTT5 3.2.2-15", code: ReasonCode::PACKET_TOO_LARGE, what }));
    }
    let cut = bytes.get(1 + width..size).map(|body| Cut { first: bytes[0], body, size, minimal: true });
    Some(Ok(cut))
}

/// Rewrites a packet so that it breaks none of the rules that the flaws do not know.
pub(super) fn repair(flaws: Flaws, version: Version, cut: Cut<'_>) -> Repaired {
    let mut repaired = Repaired { packet: None, repeated: false };
    let Some(kind) = cut.kind() else { return repaired };
    let mut first = cut.first;
    if flaws.has(Flaw::AcceptsReservedFlags) && kind != Kind::Publish {
        first = kind.number() << 4 | kind.flags();
    }
    if flaws.has(Flaw::AcceptsQos3) && kind == Kind::Publish && first & 0b110 == 0b110 {
        first &= !0b010;
    }
    if flaws.has(Flaw::AcceptsDupAtQos0) && kind == Kind::Publish && first & 0b110 == 0 {
        first &= !0b1000;
    }
    let mut body = cut.body.to_vec();
    if flaws.has(Flaw::AcceptsPasswordAlone) && kind == Kind::Connect && version == Version::V311 {
        name_nobody(&mut body);
    }
    if flaws.has(Flaw::AcceptsIllFormedText) && kind == Kind::Publish {
        let text = String::from_utf8_lossy(field(&body, 0).unwrap_or_default()).replace('\0', "\u{fffd}");
        body = with_topic(&body, text.as_bytes());
    }
    if flaws.has(Flaw::AcceptsIllFormedText) && matches!(kind, Kind::Connect | Kind::Subscribe | Kind::Unsubscribe) {
        // Behind the flags and numbers, texts are all that has such bytes in packets this short.
        let texts = if kind == Kind::Connect { 10 } else { 2 };
        body.iter_mut().skip(texts).filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'_');
    }
    slack::bits(flaws, version, kind, first, &mut body);
    if flaws.has(Flaw::AcceptsMisplacedWildcard) && kind == Kind::Subscribe {
        body.iter_mut().filter(|byte| matches!(**byte, b'#' | b'+')).for_each(|byte| *byte = b'_');
    }
    if version == Version::V5 {
        for (at, place) in sections(kind, first, cut.body).into_iter().rev() {
            repair_section(flaws, place, at, &mut body, &mut repaired.repeated);
        }
    }
    slack::end(flaws, version, first, &mut body);
    repaired.packet = Some((first, body));
    repaired
}

/// Whether a flaw skips a packet that no client may send.
pub(super) fn is_skipped(flaws: Flaws, version: Version, cut: Cut<'_>) -> bool {
    match cut.kind() {
        None => flaws.has(Flaw::AcceptsReservedTypes),
        Some(Kind::Auth) => version == Version::V311 && flaws.has(Flaw::AcceptsReservedTypes),
        Some(kind) => flaws.has(Flaw::AcceptsServerPackets) && !kind.sent_by(version, Sender::Client),
    }
}

/// The topic of a PUBLISH, where it holds a wildcard.
pub(super) fn wildcard_topic(cut: Cut<'_>) -> Option<&str> {
    let topic = field(cut.body, 0).filter(|_| cut.kind() == Some(Kind::Publish))?;
    core::str::from_utf8(topic).ok().filter(|topic| topic.contains(['+', '#']))
}

/// The body of a PUBLISH with another topic.
pub(super) fn with_topic(body: &[u8], topic: &[u8]) -> Vec<u8> {
    let rest = field(body, 0).map_or(&[][..], |old| &body[2 + old.len()..]);
    let mut new = Vec::with_capacity(2 + topic.len() + rest.len());
    new.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    new.extend_from_slice(topic);
    new.extend_from_slice(rest);
    new
}

/// A CONNECT with a password and no user name gets an empty one.
fn name_nobody(body: &mut Vec<u8>) {
    const FLAGS: usize = 7;
    const CLIENT_ID: usize = 10;
    let Some(&flags) = body.get(FLAGS).filter(|flags| **flags & 0xC0 == 0x40) else { return };
    let fields = if flags & 4 == 0 { 1 } else { 3 };
    let mut at = CLIENT_ID;
    for _ in 0..fields {
        let Some(passed) = field(body, at) else { return };
        at += 2 + passed.len();
    }
    body[FLAGS] |= 0x80;
    body.splice(at..at, [0, 0]);
}

/// What well-meaning servers make of a topic: lower case, composed characters, no byte-order mark, no percent signs, and a path
/// without empty levels and dots.
pub(super) fn normal_form(topic: &str) -> String {
    let plain = topic.replace('\u{feff}', "").replace("u\u{308}", "\u{fc}").replace("%73", "s").to_lowercase();
    let mut levels: Vec<&str> = Vec::new();
    for level in plain.split('/') {
        match level {
            "" | "." => {}
            ".." => _ = levels.pop(),
            level => levels.push(level),
        }
    }
    levels.join("/")
}

/// A field with its length in front; `None` where it is cut short.
fn field(body: &[u8], at: usize) -> Option<&[u8]> {
    let len = usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    body.get(at + 2..at + 2 + len)
}

/// Where the properties of a packet begin: their Property Length. In a CONNECT the Will has a second run of them.
fn sections(kind: Kind, first: u8, body: &[u8]) -> Vec<(usize, Place)> {
    let field_end = |at: usize| Some(at + 2 + usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?])));
    let mut found = Vec::new();
    let mut add = |at: usize, place| {
        if at < body.len() {
            found.push((at, place));
        }
    };
    match kind {
        Kind::Connect => {
            const FLAGS: usize = 7;
            const PROPERTIES: usize = 10;
            add(PROPERTIES, Place::Connect);
            let will = body.get(FLAGS).is_some_and(|flags| flags & 4 != 0);
            let after = body
                .get(PROPERTIES..)
                .and_then(|rest| varint(rest, 9))
                .map(|(len, width)| PROPERTIES + width + len as usize);
            if let Some(at) = after.filter(|_| will).and_then(field_end) {
                add(at, Place::Will);
            }
        }
        Kind::Publish => {
            let id = if first & 0b110 == 0 { 0 } else { 2 };
            if let Some(topic) = field_end(0) {
                add(topic + id, Place::Publish);
            }
        }
        Kind::Puback => add(3, Place::Puback),
        Kind::Pubrec => add(3, Place::Pubrec),
        Kind::Pubrel => add(3, Place::Pubrel),
        Kind::Pubcomp => add(3, Place::Pubcomp),
        Kind::Subscribe => add(2, Place::Subscribe),
        Kind::Unsubscribe => add(2, Place::Unsubscribe),
        Kind::Disconnect => add(1, Place::Disconnect),
        Kind::Auth => add(1, Place::Auth),
        _ => {}
    }
    found
}

fn repair_section(flaws: Flaws, place: Place, at: usize, body: &mut Vec<u8>, repeated: &mut bool) {
    let Some((length, width)) = varint(&body[at..], if flaws.has(Flaw::AcceptsLongPropertyLength) { 9 } else { 4 })
    else {
        return;
    };
    let (start, end) = (at + width, at + width + length as usize);
    let Some(run) = body.get(start..end) else { return };
    let kept = repair_run(flaws, place, run, repeated);
    if kept.len() == run.len() && !flaws.has(Flaw::AcceptsLongPropertyLength) {
        return;
    }
    let mut section = Vec::with_capacity(kept.len() + 4);
    write_varint(kept.len(), &mut section);
    section.extend_from_slice(&kept);
    body.splice(at..end, section);
}

/// Leaves out what the flaws skip; everything else stays as it is, and is refused again.
fn repair_run(flaws: Flaws, place: Place, run: &[u8], repeated: &mut bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(run.len());
    let mut rest = run;
    let mut seen = 0_u64;
    while let Some((&id, value)) = rest.split_first() {
        let Some((row, len)) = row(id).and_then(|row| Some((row, value_len(row.kind, value)?))) else {
            if !flaws.has(Flaw::AcceptsUnknownProperty) {
                kept.extend_from_slice(rest);
            }
            break;
        };
        let (one, next) = rest.split_at(1 + len);
        rest = next;
        let here = row.places.iter().any(|(p, _)| *p == place);
        let again = here && seen & 1 << id != 0 && !row.repeats.contains(&place);
        let legal = !again && Properties::new(place, one).is_ok();
        let skipped = (!here && flaws.has(Flaw::AcceptsForeignProperty))
            || (again && flaws.has(Flaw::AcceptsRepeatedProperty))
            || (here && !again && !legal && flaws.has(Flaw::AcceptsOutOfRangeProperty));
        *repeated |= again;
        seen |= 1 << id;
        if !skipped {
            kept.extend_from_slice(one);
        }
    }
    kept
}

fn row(id: u8) -> Option<&'static PropertyRow> {
    proofhouse_mqtt::codec::properties::PROPERTIES.iter().find(|row| row.id as u8 == id)
}

/// Bytes of a value; `None` where it is cut short.
fn value_len(kind: ValueKind, bytes: &[u8]) -> Option<usize> {
    let field = |at: usize| {
        let len = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
        Some(at + 2 + usize::from(len))
    };
    let len = match kind {
        ValueKind::Byte => 1,
        ValueKind::TwoBytes => 2,
        ValueKind::FourBytes => 4,
        ValueKind::Varint => varint(bytes, 4)?.1,
        ValueKind::Text | ValueKind::Binary => field(0)?,
        ValueKind::Pair => field(field(0)?)?,
    };
    (len <= bytes.len()).then_some(len)
}

/// A variable byte integer of at most `most` bytes, in any form: value and width. What passes 32 bits is cut off.
fn varint(bytes: &[u8], most: usize) -> Option<(u32, usize)> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(most).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).unwrap_or(u32::MAX), at + 1));
        }
    }
    None
}

fn write_varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7F {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
