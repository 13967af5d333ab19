//! Cutting a byte stream into packets, however the network has cut it before.

use alloc::vec::Vec;

use super::reader::{Varint, varint_len};
use super::rules::{self, Rule};
use super::{Kind, Reason, ReasonCode, Sender, Version};

/// What an empty framer keeps of its buffer; a large packet does not leave its memory behind.
const KEEP: usize = 4096;

const ABOVE_SERVER_MAXIMUM: Rule =
    Rule::protocol("MQTT3 4.8.0-2", "MQTT5 3.2.2-15", "a packet above the Maximum Packet Size of this side")
        .answer(ReasonCode::PACKET_TOO_LARGE);
const ABOVE_CLIENT_MAXIMUM: Rule =
    Rule::protocol("MQTT3 4.8.0-2", "MQTT5 3.1.2-24", "a packet above the Maximum Packet Size of this side")
        .answer(ReasonCode::PACKET_TOO_LARGE);

/// One packet, cut from a stream but not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut<'a> {
    /// Type and flags.
    pub first: u8,
    /// What follows the Remaining Length: exactly as many bytes as it says.
    pub body: &'a [u8],
    /// Bytes of the whole packet, fixed header included.
    pub size: usize,
    /// Whether the Remaining Length was in its shortest form. `split` judges that in MQTT 5; a server that did not know the
    /// version yet judges it afterwards \[MQTT5 1.5.5-1\].
    pub minimal: bool,
}

impl Cut<'_> {
    /// The type, unless it is the reserved 0.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.first >> 4)
    }
}

/// Cuts the first packet off these bytes; `None` if it is not all there. Allocates nothing.
///
/// `max` is the Maximum Packet Size of this side in bytes, fixed header included; `u32::MAX` for none. A packet is refused as
/// soon as its length is known.
///
/// # Errors
/// More than four bytes of Remaining Length \[MQTT3 §2.2.3, MQTT5 §1.5.5\], a non-minimal one in MQTT 5 \[MQTT5 1.5.5-1\], or a
/// packet above `max` \[MQTT5 3.1.2-24, 3.2.2-15\].
#[inline]
pub fn split(version: Version, sender: Sender, max: u32, bytes: &[u8]) -> Result<Option<Cut<'_>>, Reason> {
    let Some(header) = Header::read(version, sender, max, bytes)? else { return Ok(None) };
    let size = header.size();
    Ok(bytes.get(header.width..size).map(|body| Cut { first: bytes[0], body, size, minimal: header.minimal }))
}

/// A fixed header that was judged.
#[derive(Clone, Copy)]
struct Header {
    /// Bytes of the header itself: 2 to 5.
    width: usize,
    body: usize,
    minimal: bool,
}

impl Header {
    #[inline]
    fn read(version: Version, sender: Sender, max: u32, bytes: &[u8]) -> Result<Option<Self>, Reason> {
        let Some((_, rest)) = bytes.split_first() else { return Ok(None) };
        let (value, width) = match Varint::read(rest) {
            Varint::Value(value, width) => (value, width),
            Varint::Short => return Ok(None),
            Varint::TooLong => return Err(rules::VARINT_TOO_LONG.refuse(version)),
        };
        let header = Self { width: 1 + width, body: value as usize, minimal: width == varint_len(value) };
        rules::VARINT_NOT_MINIMAL.require(header.minimal || version == Version::V311, version)?;
        let above = match sender {
            Sender::Client => ABOVE_SERVER_MAXIMUM,
            Sender::Server => ABOVE_CLIENT_MAXIMUM,
        };
        above.require(header.size() <= max as usize, version)?;
        Ok(Some(header))
    }

    const fn size(self) -> usize {
        self.width + self.body
    }
}

/// Cuts a stream that arrives in pieces. Holds at most the one packet that is not complete yet, and only the bytes that came:
/// a claimed length reserves nothing.
#[derive(Clone, Debug)]
pub struct Framer {
    version: Version,
    sender: Sender,
    max: u32,
    held: Vec<u8>,
    /// `held` is a packet that the caller has had.
    spent: bool,
}

impl Framer {
    /// For the stream that `sender` sends. A server begins with `Version::V311`, which tolerates more, until it has read CONNECT.
    #[must_use]
    pub const fn new(version: Version, sender: Sender, max: u32) -> Self {
        Self { version, sender, max, held: Vec::new(), spent: false }
    }

    /// From here on the stream is of this version.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Bytes of the incomplete packet that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        if self.spent { 0 } else { self.held.len() }
    }

    /// The next packet out of what is held and `input`, which moves on; `None` once `input` is used up. A packet that lies whole
    /// in `input` is not copied.
    ///
    /// # Errors
    /// As [`split`]; the stream cannot be read any further then.
    pub fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Result<Option<Cut<'a>>, Reason> {
        self.forget_spent();
        if self.held.is_empty() {
            let cut = split(self.version, self.sender, self.max, input)?;
            match cut {
                Some(cut) => *input = &input[cut.size..],
                None => self.hold(input, usize::MAX),
            }
            return Ok(cut);
        }
        while !input.is_empty() {
            let wanted = self.wanted()?;
            self.hold(input, wanted);
            if let Some(cut) = split(self.version, self.sender, self.max, &self.held)? {
                self.spent = true;
                // Cut again: the borrow checker does not see that this path ends here.
                return Ok(Some(Cut { body: &self.held[self.held.len() - cut.body.len()..], ..cut }));
            }
        }
        Ok(None)
    }

    /// How many bytes the held packet lacks, as far as its header tells.
    fn wanted(&self) -> Result<usize, Reason> {
        let header = Header::read(self.version, self.sender, self.max, &self.held)?;
        Ok(header.map_or(1, |header| header.size() - self.held.len()))
    }

    fn hold(&mut self, input: &mut &[u8], most: usize) {
        let (taken, rest) = input.split_at(most.min(input.len()));
        self.held.extend_from_slice(taken);
        *input = rest;
    }

    fn forget_spent(&mut self) {
        if self.spent {
            self.spent = false;
            self.held.clear();
            self.held.shrink_to(KEEP);
        }
    }
}
