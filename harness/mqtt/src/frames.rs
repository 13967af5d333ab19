//! Builds a packet out of named fields and judges nothing: every field is written, even where it is illegal.
//!
//! Legal steps are built here too, and then have to pass the strict decoder (see [`crate::dialog`]).
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::value::{Fields, Value, unhex};

use crate::codec::{Frame, Kind, Length, PropertyId, Version, properties::ValueKind};
use crate::names;

/// What is wrong with which key of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

type Built<T> = Result<T, Mistake>;

fn mistake<T>(key: &str, what: impl Into<String>) -> Built<T> {
    Err(Mistake { key: key.to_string(), what: what.into() })
}

/// Keys of a frame beside the names of properties.
pub const KEYS: [&str; 41] = [
    "type",
    "flags",
    "remaining_length",
    "remaining_length_hex",
    "length_bytes",
    "properties",
    "property_length",
    "body",
    "tail",
    "truncate",
    "protocol_name",
    "protocol_level",
    "connect_flags",
    "reserved_flag",
    "client_id",
    "clean_start",
    "keep_alive",
    "username",
    "password",
    "will_topic",
    "will_payload",
    "will_qos",
    "will_retain",
    "will_properties",
    "will_property_length",
    "session_present",
    "reason",
    "packet_id",
    "topic",
    "payload",
    "qos",
    "retain",
    "dup",
    "filter",
    "filters",
    "options",
    "no_local",
    "retain_as_published",
    "retain_handling",
    "connack_flags",
    "reasons",
];

/// Appends the bytes of the frame that `fields` describe.
///
/// # Errors
/// A key that no frame has, or a value of a type that cannot stand there.
pub fn build(version: Version, fields: &Fields, out: &mut Vec<u8>) -> Built<()> {
    for (key, _) in fields.iter() {
        let property = names::PROPERTY_NAMES.iter().chain(&names::WILL_NAMES).any(|(name, _)| *name == key);
        if !property && !KEYS.contains(&key) {
            return mistake(key, "no frame has such a field");
        }
    }
    let source = Source { version, fields };
    let number = source.kind()?;
    let mut frame = Frame::new(number, source.flags(Kind::from_number(number))?);
    frame = match source.hex("body")? {
        Some(body) => frame.raw(&body),
        None => source.body(Kind::from_number(number), frame)?,
    };
    if let Some(tail) = source.hex("tail")? {
        frame = frame.raw(&tail);
    }
    if let Some(most) = source.number("truncate", u32::MAX)? {
        frame.body.truncate(most as usize);
    }
    source.length(frame)?.encode(out);
    Ok(())
}

/// Named fields of a frame, read by type.
struct Source<'a> {
    version: Version,
    fields: &'a Fields,
}

impl Source<'_> {
    fn kind(&self) -> Built<u8> {
        match self.fields.find("type") {
            Some(Value::Int(number @ 0..=15)) => Ok(*number as u8),
            Some(Value::Text(name)) if name == "reserved" => Ok(0),
            Some(Value::Text(name)) => match names::kind_named(name) {
                Some(kind) => Ok(kind.number()),
                None => {
                    mistake("type", alloc::format!("{name:?} is no packet type; a number from 0 to 15 is taken too"))
                }
            },
            Some(other) => mistake("type", alloc::format!("{other} is no packet type")),
            None => mistake("type", "a frame needs a type: a name such as \"publish\", or a number from 0 to 15"),
        }
    }

    fn flags(&self, kind: Option<Kind>) -> Built<u8> {
        if let Some(flags) = self.number("flags", 15)? {
            return Ok(flags as u8);
        }
        let usual = match kind {
            Some(Kind::Publish) => {
                let qos = self.number("qos", 3)?.unwrap_or(0) as u8;
                u8::from(self.truth("dup")?) << 3 | qos << 1 | u8::from(self.truth("retain")?)
            }
            Some(kind) => kind.flags(),
            None => 0,
        };
        Ok(usual)
    }

    fn length(&self, frame: Frame) -> Built<Frame> {
        if let Some(raw) = self.hex("remaining_length_hex")? {
            return Ok(frame.length(Length::Raw(raw)));
        }
        let claimed = self.number("remaining_length", u32::MAX)?.map(u64::from);
        let actual = frame.body.len() as u64;
        Ok(match (self.number("length_bytes", 10)?, claimed) {
            (Some(bytes), claimed) => frame.length(Length::Padded(claimed.unwrap_or(actual), bytes.max(1) as u8)),
            (None, Some(claimed)) => frame.length(Length::Claimed(claimed)),
            (None, None) => frame,
        })
    }

    fn body(&self, kind: Option<Kind>, frame: Frame) -> Built<Frame> {
        match kind {
            Some(Kind::Connect) => self.connect(frame),
            Some(Kind::Connack) => {
                let present = u32::from(self.truth("session_present")?);
                let flags = self.number("connack_flags", 255)?.unwrap_or(present);
                let frame = frame.byte(flags as u8).byte(self.number("reason", 255)?.unwrap_or(0) as u8);
                self.properties(true, frame)
            }
            Some(Kind::Publish) => self.publish(frame),
            Some(Kind::Puback | Kind::Pubrec | Kind::Pubrel | Kind::Pubcomp) => {
                let frame = frame.two_bytes(self.packet_id()?);
                self.reason_and_properties(frame)
            }
            Some(Kind::Subscribe) => {
                let frame = self.properties(true, frame.two_bytes(self.packet_id()?))?;
                self.filters(frame, true)
            }
            Some(Kind::Unsubscribe) => {
                let frame = self.properties(true, frame.two_bytes(self.packet_id()?))?;
                self.filters(frame, false)
            }
            Some(Kind::Suback | Kind::Unsuback) => {
                let frame = self.properties(true, frame.two_bytes(self.packet_id()?))?;
                self.reasons(frame)
            }
            Some(Kind::Disconnect | Kind::Auth) => self.reason_and_properties(frame),
            Some(Kind::Pingreq | Kind::Pingresp) | None => self.properties(false, frame),
        }
    }

    fn connect(&self, frame: Frame) -> Built<Frame> {
        let has = |key: &str| self.fields.find(key).is_some();
        let (will, user, password) = (has("will_topic") || has("will_payload"), has("username"), has("password"));
        let usual = u32::from(self.truth("reserved_flag")?)
            | u32::from(self.truth_or("clean_start", true)?) << 1
            | u32::from(will) << 2
            | self.number("will_qos", 3)?.unwrap_or(0) << 3
            | u32::from(self.truth("will_retain")?) << 5
            | u32::from(password) << 6
            | u32::from(user) << 7;
        let level = self.number("protocol_level", 255)?.unwrap_or_else(|| self.version.level().into());
        let frame = frame
            .field(&self.bytes("protocol_name")?.unwrap_or_else(|| b"MQTT".to_vec()))
            .byte(level as u8)
            .byte(self.number("connect_flags", 255)?.unwrap_or(usual) as u8)
            .two_bytes(self.number("keep_alive", 65_535)?.unwrap_or(60) as u16);
        let mut frame = self.properties(true, frame)?.field(&self.bytes("client_id")?.unwrap_or_default());
        if will {
            frame = self.will_properties(frame)?;
            frame = frame.field(&self.bytes("will_topic")?.unwrap_or_default());
            frame = frame.field(&self.bytes("will_payload")?.unwrap_or_default());
        }
        for key in ["username", "password"] {
            if let Some(bytes) = self.bytes(key)? {
                frame = frame.field(&bytes);
            }
        }
        Ok(frame)
    }

    fn publish(&self, frame: Frame) -> Built<Frame> {
        let mut frame = frame.field(&self.bytes("topic")?.unwrap_or_default());
        let qos = self.number("qos", 3)?.unwrap_or(0);
        if qos > 0 || self.fields.find("packet_id").is_some() {
            frame = frame.two_bytes(self.packet_id()?);
        }
        let frame = self.properties(true, frame)?;
        Ok(frame.raw(&self.bytes("payload")?.unwrap_or_default()))
    }

    /// Reason and properties, which may be left out from the end.
    fn reason_and_properties(&self, frame: Frame) -> Built<Frame> {
        let reason = self.number("reason", 255)?;
        let mut with = self.properties(false, Frame::default())?;
        let frame = match reason {
            None if with.body.is_empty() => return Ok(frame),
            reason => frame.byte(reason.unwrap_or(0) as u8),
        };
        // AUTH has no form with a reason and without a Property Length.
        if with.body.is_empty() && frame.kind() == Some(Kind::Auth) {
            with = with.byte(0);
        }
        Ok(frame.raw(&with.body))
    }

    fn reasons(&self, mut frame: Frame) -> Built<Frame> {
        let given = self.fields.find("reasons").or_else(|| self.fields.find("reason"));
        for value in given.map(Value::as_slice).unwrap_or_default() {
            match value {
                Value::Int(code @ 0..=255) => frame = frame.byte(*code as u8),
                other => return mistake("reason", alloc::format!("{other} is no number from 0 to 255")),
            }
        }
        Ok(frame)
    }

    /// `filter`, or `filters` as texts or tables with options of their own.
    fn filters(&self, mut frame: Frame, with_options: bool) -> Built<Frame> {
        let key = if self.fields.find("filters").is_some() { "filters" } else { "filter" };
        for value in self.fields.find(key).map(Value::as_slice).unwrap_or_default() {
            let own = match value {
                Value::Table(table) if table.find("filter").is_some() => Some(table),
                _ => None,
            };
            let filter = own.and_then(|table| table.find("filter")).unwrap_or(value);
            frame = frame.field(&bytes_of(key, filter)?);
            if with_options {
                frame = frame.byte(self.options(own)?);
            }
        }
        Ok(frame)
    }

    /// Subscription options: those of the filter itself before those of the packet.
    fn options(&self, own: Option<&Fields>) -> Built<u8> {
        let of = |key: &str, most: u32| match own {
            Some(table) if table.find(key).is_some() => Source { fields: table, ..*self }.number(key, most),
            _ => self.number(key, most),
        };
        if let Some(raw) = of("options", 255)? {
            return Ok(raw as u8);
        }
        let bits = of("qos", 3)?.unwrap_or(0)
            | of("no_local", 1)?.unwrap_or(0) << 2
            | of("retain_as_published", 1)?.unwrap_or(0) << 3
            | of("retain_handling", 3)?.unwrap_or(0) << 4;
        Ok(bits as u8)
    }

    /// The property section. `always`: also where it is empty, in MQTT 5.
    fn properties(&self, always: bool, frame: Frame) -> Built<Frame> {
        let is_connect = frame.kind() == Some(Kind::Connect);
        let mut section = Frame::default();
        for (name, id) in names::PROPERTY_NAMES {
            if is_connect && names::WILL_NAMES.iter().any(|(will, _)| *will == name) {
                continue;
            }
            section = self.property(name, id, section)?;
        }
        section = self.raw_properties("properties", section)?;
        let length = self.number("property_length", u32::MAX)?;
        if section.body.is_empty() && length.is_none() && !(always && self.version == Version::V5) {
            return Ok(frame);
        }
        Ok(frame.varint(length.map_or(section.body.len() as u64, u64::from), 1).raw(&section.body))
    }

    fn will_properties(&self, frame: Frame) -> Built<Frame> {
        let mut section = Frame::default();
        for (name, id) in names::WILL_NAMES {
            section = self.property(name, id, section)?;
        }
        section = self.raw_properties("will_properties", section)?;
        let length = self.number("will_property_length", u32::MAX)?;
        if section.body.is_empty() && length.is_none() && self.version == Version::V311 {
            return Ok(frame);
        }
        Ok(frame.varint(length.map_or(section.body.len() as u64, u64::from), 1).raw(&section.body))
    }

    fn property(&self, name: &str, id: PropertyId, mut section: Frame) -> Built<Frame> {
        let Some(value) = self.fields.find(name) else { return Ok(section) };
        let kind = id.row().kind;
        let several = match (kind, value) {
            // A single pair may stand without a list around it.
            (ValueKind::Pair, Value::List(all)) if !matches!(all.first(), Some(Value::List(_))) => {
                core::slice::from_ref(value)
            }
            (_, value) => value.as_slice(),
        };
        for one in several {
            section = property_value(name, Some(kind), one, section.byte(id as u8))?;
        }
        Ok(section)
    }

    /// `{ id, value, raw, as }`, each as it is, after the named ones.
    fn raw_properties(&self, key: &str, mut section: Frame) -> Built<Frame> {
        let all = match self.fields.find(key) {
            Some(Value::List(all)) => all.as_slice(),
            Some(one @ Value::Table(_)) => core::slice::from_ref(one),
            Some(other) => return mistake(key, alloc::format!("{other} is no list of {{ id, value }}")),
            None => &[],
        };
        for one in all {
            let Value::Table(table) = one else {
                return mistake(key, alloc::format!("{one} is no property: write {{ id = 0x11, value = 5 }}"));
            };
            section = raw_property(key, table, section)?;
        }
        Ok(section)
    }

    fn packet_id(&self) -> Built<u16> {
        Ok(self.number("packet_id", 65_535)?.unwrap_or(1) as u16)
    }

    fn number(&self, key: &str, most: u32) -> Built<Option<u32>> {
        match self.fields.find(key) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some((*truth).into())),
            Some(Value::Int(number)) if (0..=i64::from(most)).contains(number) => Ok(Some(*number as u32)),
            Some(other) => mistake(key, alloc::format!("{other} is no number from 0 to {most}")),
        }
    }

    fn truth(&self, key: &str) -> Built<bool> {
        self.truth_or(key, false)
    }

    fn truth_or(&self, key: &str, otherwise: bool) -> Built<bool> {
        match self.fields.find(key) {
            None => Ok(otherwise),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::Int(number @ 0..=1)) => Ok(*number == 1),
            Some(other) => mistake(key, alloc::format!("{other} is neither true nor false")),
        }
    }

    fn bytes(&self, key: &str) -> Built<Option<Vec<u8>>> {
        self.fields.find(key).map(|value| bytes_of(key, value)).transpose()
    }

    fn hex(&self, key: &str) -> Built<Option<Vec<u8>>> {
        match self.fields.find(key) {
            None => Ok(None),
            Some(Value::Text(text)) => unhex(text).map(Some).or_else(|what| mistake(key, what)),
            Some(other) => bytes_of(key, other).map(Some),
        }
    }
}

/// Text and bytes as they are; `{ hex = "ff" }`, `{ size = 100 }` (that many `x`), `{ repeat = "ab", times = 9 }`, with something
/// before it: `{ begin = "foe", repeat = "/", times = 9 }`.
fn bytes_of(key: &str, value: &Value) -> Built<Vec<u8>> {
    /// Above the largest packet there is, and below what would hurt us.
    const MOST: i64 = 300_000_000;
    if let Some(bytes) = value.as_bytes() {
        return Ok(bytes.to_vec());
    }
    let Value::Table(table) = value else { return mistake(key, alloc::format!("{value} is no text")) };
    match (table.text("hex"), table.int("size"), table.text("repeat"), table.int("times")) {
        (Some(hex), ..) => unhex(hex).or_else(|what| mistake(key, what)),
        (_, Some(size @ 0..=MOST), ..) => Ok(alloc::vec![b'x'; size as usize]),
        (_, _, Some(text), Some(times @ 0..=MOST)) if text.len() as i64 * times <= MOST => {
            let begin = table.text("begin").unwrap_or_default();
            Ok([begin.as_bytes(), &text.as_bytes().repeat(times as usize)].concat())
        }
        _ => mistake(key, "write a text, { hex = \"...\" }, { size = n } or { repeat = \"...\", times = n }"),
    }
}

fn raw_property(key: &str, table: &Fields, section: Frame) -> Built<Frame> {
    let Some(id) = table.int("id").and_then(|id| u32::try_from(id).ok()) else {
        return mistake(key, "a property needs an id");
    };
    let section = section.varint(id.into(), 1);
    if let Some(raw) = table.text("raw") {
        return unhex(raw).map(|raw| section.raw(&raw)).or_else(|what| mistake(key, what));
    }
    let known = names::PROPERTY_NAMES.iter().find(|(_, of)| *of as u32 == id).map(|(_, of)| of.row().kind);
    let kind = match table.text("as") {
        None => known,
        Some(name) => match KINDS.iter().find(|(of, _)| *of == name) {
            Some((_, kind)) => Some(*kind),
            None => return mistake(key, alloc::format!("{name:?} is no type of a property")),
        },
    };
    match table.find("value") {
        None => Ok(section),
        Some(value) => property_value(key, kind, value, section),
    }
}

/// The types of properties as `as = "..."` writes them.
const KINDS: [(&str, ValueKind); 7] = [
    ("byte", ValueKind::Byte),
    ("two-bytes", ValueKind::TwoBytes),
    ("four-bytes", ValueKind::FourBytes),
    ("varint", ValueKind::Varint),
    ("text", ValueKind::Text),
    ("binary", ValueKind::Binary),
    ("pair", ValueKind::Pair),
];

/// A value in the form of its property, where it has that form; else in its own.
fn property_value(key: &str, kind: Option<ValueKind>, value: &Value, section: Frame) -> Built<Frame> {
    let number = match value {
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Int(number) => Some(*number),
        _ => None,
    };
    if let Some(number) = number {
        let Ok(number) = u32::try_from(number) else {
            return mistake(key, alloc::format!("{number} does not fit into four bytes"));
        };
        return Ok(match (kind, number) {
            (Some(ValueKind::Varint), _) => section.varint(number.into(), 1),
            (Some(ValueKind::FourBytes), _) | (_, 65_536..) => section.four_bytes(number),
            (Some(ValueKind::TwoBytes), _) | (_, 256..) => section.two_bytes(number as u16),
            _ => section.byte(number as u8),
        });
    }
    match value {
        Value::List(pair) => {
            let [name, value] = pair.as_slice() else { return mistake(key, "a user property is a name and a value") };
            Ok(section.field(&bytes_of(key, name)?).field(&bytes_of(key, value)?))
        }
        other => Ok(section.field(&bytes_of(key, other)?)),
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
