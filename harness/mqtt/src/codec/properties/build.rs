//! The other way round: properties from values, checked as they are added.

use alloc::vec::Vec;

use super::check::{CUT_SHORT, LOOK, Look, check_pair, check_text, in_range, may_stand};
use super::{Place, Properties, PropertyId, Value, ValueKind};
use crate::codec::reader::varint_len;
use crate::codec::strings::fits;
use crate::codec::{REMAINING_LENGTH_MAX, Reason, Version, writer};

/// Properties under construction, for one place. Refuses what a decoder would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertiesBuf {
    place: Place,
    seen: u64,
    bytes: Vec<u8>,
}

impl PropertiesBuf {
    /// None yet.
    #[must_use]
    pub const fn new(place: Place) -> Self {
        Self { place, seen: 0, bytes: Vec::new() }
    }

    /// Adds one property.
    ///
    /// # Errors
    /// Not allowed here, there already, of another type, or out of range; nothing is added then.
    pub fn push<'a>(&mut self, id: PropertyId, value: impl Into<Value<'a>>) -> Result<(), Reason> {
        let (value, look) = (value.into(), &LOOK[id as usize]);
        let seen = may_stand(id as u8, look, self.place, self.seen)?;
        of_kind(id, look, value, self.place)?;
        self.seen = seen;
        self.bytes.push(id as u8);
        write_value(look.kind, value, &mut self.bytes);
        Ok(())
    }

    /// The same with one property more.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn with<'a>(mut self, id: PropertyId, value: impl Into<Value<'a>>) -> Result<Self, Reason> {
        self.push(id, value)?;
        Ok(self)
    }

    /// What packets hold.
    #[must_use]
    pub fn view(&self) -> Properties<'_> {
        if self.bytes.is_empty() {
            Properties::EMPTY
        } else {
            Properties { bytes: &self.bytes, seen: self.seen, place: self.place }
        }
    }

    /// Removes all; the memory stays for the next packet.
    pub fn clear(&mut self) {
        self.seen = 0;
        self.bytes.clear();
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value<'_> {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<(&'a str, &'a str)> for Value<'a> {
    fn from((name, value): (&'a str, &'a str)) -> Self {
        Self::Pair(name, value)
    }
}

/// Whether a value is of the type and in the range of its property \[MQTT5 §2.2.2.2\].
fn of_kind(id: PropertyId, look: &Look, value: Value<'_>, place: Place) -> Result<(), Reason> {
    match (look.kind, value) {
        (ValueKind::Byte | ValueKind::TwoBytes | ValueKind::FourBytes | ValueKind::Varint, Value::Int(value)) => {
            CUT_SHORT.require(value <= widest(look.kind), Version::V5)?;
            in_range(id as u8, look, value, place)
        }
        (ValueKind::Text, Value::Text(text)) => {
            fits(Version::V5, text.as_bytes())?;
            check_text(id as u8, text)
        }
        (ValueKind::Binary, Value::Binary(bytes)) => fits(Version::V5, bytes),
        (ValueKind::Pair, Value::Pair(name, value)) => [name, value].into_iter().try_for_each(|text| {
            fits(Version::V5, text.as_bytes())?;
            check_pair(text.as_bytes())
        }),
        _ => Err(CUT_SHORT.refuse(Version::V5)),
    }
}

/// The largest integer of this type.
const fn widest(kind: ValueKind) -> u32 {
    match kind {
        ValueKind::Byte => u8::MAX as u32,
        ValueKind::TwoBytes => u16::MAX as u32,
        ValueKind::Varint => REMAINING_LENGTH_MAX,
        _ => u32::MAX,
    }
}

/// `of_kind` held.
fn write_value(kind: ValueKind, value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Int(value) => match kind {
            ValueKind::Byte => out.push(value as u8),
            ValueKind::TwoBytes => writer::two_bytes(out, value as u16),
            ValueKind::Varint => writer::varint(out, value),
            _ => writer::four_bytes(out, value),
        },
        Value::Text(text) => writer::field(out, text.as_bytes()),
        Value::Binary(bytes) => writer::field(out, bytes),
        Value::Pair(name, value) => {
            writer::field(out, name.as_bytes());
            writer::field(out, value.as_bytes());
        }
    }
}

impl Properties<'_> {
    /// Bytes on the wire, with the Property Length; 0 in 3.1.1.
    #[inline]
    pub(crate) const fn encoded_len(self, version: Version) -> usize {
        match version {
            Version::V311 => 0,
            // Longer than any packet may be: refused by its caller before it is written.
            Version::V5 if self.bytes.len() > REMAINING_LENGTH_MAX as usize => self.bytes.len(),
            Version::V5 => varint_len(self.bytes.len() as u32) + self.bytes.len(),
        }
    }

    /// Property Length and properties; nothing in 3.1.1.
    #[inline]
    pub(crate) fn write(self, version: Version, out: &mut Vec<u8>) {
        if version == Version::V5 {
            writer::varint(out, self.bytes.len() as u32);
            out.extend_from_slice(self.bytes);
        }
    }

    /// An owned copy, to be kept or added to.
    #[must_use]
    pub fn to_buf(self) -> PropertiesBuf {
        PropertiesBuf { place: self.place, seen: self.seen, bytes: self.bytes.to_vec() }
    }
}
