//! A frame: any first byte, any length, any body. It can hold nonsense, and it never judges.

use alloc::vec::Vec;
use core::fmt;

use super::reader::Varint;
use super::{Kind, Packet, Reason, Version, writer};

/// What stands on the wire as Remaining Length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The length of the body, in as few bytes as it takes.
    #[default]
    Actual,
    /// Any number, whether or not so many bytes follow. More than 28 bits take more than four bytes.
    Claimed(u64),
    /// A number in exactly this many bytes (1 to 10): non-minimal, or cut off at the top.
    Padded(u64, u8),
    /// These bytes, whatever they say.
    Raw(Vec<u8>),
}

impl Length {
    /// Appends the length of a body of `actual` bytes.
    fn write(&self, actual: usize, out: &mut Vec<u8>) {
        match *self {
            Self::Actual => groups(actual as u64, 1, 10, out),
            Self::Claimed(value) => groups(value, 1, 10, out),
            Self::Padded(value, bytes) => groups(value, bytes, bytes, out),
            Self::Raw(ref bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Groups of seven bits, lowest first; all but the last have the continuation bit.
fn groups(mut value: u64, min: u8, max: u8, out: &mut Vec<u8>) {
    let mut written = 1;
    while written < max && (written < min || value > 0x7F) {
        out.push(value as u8 | 0x80);
        value >>= 7;
        written += 1;
    }
    out.push(value as u8 & 0x7F);
}

/// A control packet as bytes: nothing in it has to be true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Type in the upper four bits, flags in the lower.
    pub first: u8,
    /// What is written as Remaining Length.
    pub length: Length,
    /// Everything after the Remaining Length.
    pub body: Vec<u8>,
}

impl Frame {
    /// An empty body under this type and these flags; only the lower four bits of each count.
    #[must_use]
    pub const fn new(kind: u8, flags: u8) -> Self {
        Self { first: kind << 4 | flags & 0x0F, length: Length::Actual, body: Vec::new() }
    }

    /// A legal packet, to be bent afterwards.
    ///
    /// # Errors
    /// What [`Packet::encode`] refuses.
    pub fn of(packet: &Packet<'_>, version: Version) -> Result<Self, Reason> {
        let (first, body) = packet.to_parts(version)?;
        Ok(Self { first, length: Length::Actual, body })
    }

    /// The frame that these bytes begin with, and how many of them it took: as much as there is, even if that is less than
    /// the length says. `None` if there is not one byte.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&first, rest) = bytes.split_first()?;
        let (length, width, len) = match Varint::read(rest) {
            Varint::Value(value, width) => (claim(value, width, rest.len() - width), width, value as usize),
            Varint::Short => (Length::Raw(rest.to_vec()), rest.len(), 0),
            Varint::TooLong => (Length::Raw(rest[..4].to_vec()), 4, rest.len() - 4),
        };
        let body = &rest[width..];
        let body = body[..len.min(body.len())].to_vec();
        let used = 1 + width + body.len();
        Some((Self { first, length, body }, used))
    }

    /// The type, unless it is the reserved 0.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.first >> 4)
    }

    /// The flags nibble.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.first & 0x0F
    }

    /// Appends the bytes of this frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.first);
        self.length.write(self.body.len(), out);
        out.extend_from_slice(&self.body);
    }

    /// The same with this Remaining Length.
    #[must_use]
    pub fn length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// The same with these flags.
    #[must_use]
    pub const fn with_flags(mut self, flags: u8) -> Self {
        self.first = self.first & 0xF0 | flags & 0x0F;
        self
    }

    /// The same with one byte more in the body.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.body.push(byte);
        self
    }

    /// The same with a two byte integer more.
    #[must_use]
    pub fn two_bytes(mut self, value: u16) -> Self {
        writer::two_bytes(&mut self.body, value);
        self
    }

    /// The same with a four byte integer more.
    #[must_use]
    pub fn four_bytes(mut self, value: u32) -> Self {
        writer::four_bytes(&mut self.body, value);
        self
    }

    /// The same with a variable byte integer more, in at least `min` bytes.
    #[must_use]
    pub fn varint(mut self, value: u64, min: u8) -> Self {
        groups(value, min, 10, &mut self.body);
        self
    }

    /// The same with a length and these bytes more; they need not be UTF-8. The length is cut to 16 bits, the bytes are not.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        writer::two_bytes(&mut self.body, bytes.len() as u16);
        self.raw(bytes)
    }

    /// The same with these bytes more, as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(bytes);
        self
    }
}

/// The most modest description of a length that was read.
fn claim(value: u32, width: usize, there: usize) -> Length {
    if width != super::reader::varint_len(value) {
        Length::Padded(value.into(), width as u8)
    } else if value as usize > there {
        Length::Claimed(value.into())
    } else {
        Length::Actual
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().map_or("RESERVED", Kind::name))?;
        write!(f, " flags {:04b}, {} bytes", self.flags(), self.body.len())?;
        match &self.length {
            Length::Actual => Ok(()),
            Length::Claimed(value) => write!(f, ", length says {value}"),
            Length::Padded(value, bytes) => write!(f, ", length says {value} in {bytes} bytes"),
            Length::Raw(bytes) => write!(f, ", length is {bytes:02X?}"),
        }
    }
}
