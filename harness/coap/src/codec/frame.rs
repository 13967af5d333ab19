//! A frame: any header, any option header, any rest. It can hold nonsense, and it never judges.

use alloc::vec::Vec;

use super::message::first_byte;
use super::reader::{BYTE_BASE, Stop, WORD_BASE, header};
use super::writer::{extension, nibble};
use super::{Code, Kind, Message, PAYLOAD_MARKER, Token, VERSION};

/// A datagram in parts: nothing in it has to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Two bits: 1 is the only version there is.
    pub version: u8,
    /// Two bits: the type.
    pub kind: u8,
    /// The token length nibble, if it is not the length of `token`.
    pub tkl: Option<u8>,
    /// Class and detail.
    pub code: u8,
    /// The message id.
    pub mid: u16,
    /// What stands after the header, of any length.
    pub token: Vec<u8>,
    /// Options in the order in which they are written.
    pub options: Vec<RawOption>,
    /// Whether the payload marker stands there; without a word, where a payload does.
    pub marker: Option<bool>,
    /// What follows the marker.
    pub payload: Vec<u8>,
    /// More bytes at the end, as they are.
    pub tail: Vec<u8>,
    /// Cuts the datagram to so many bytes.
    pub truncate: Option<usize>,
}

/// An option in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption {
    /// Which number, or by what it says so.
    pub delta: Delta,
    /// What it says its length is.
    pub length: Length,
    /// What follows.
    pub value: Vec<u8>,
}

/// How an option says its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// This number: the distance is computed. Below the number before it, the distance that gets there if 16 bits overflow.
    Number(u16),
    /// This distance, in as few bytes as it takes. Above 65804 only the lower 16 bits of the extension are written.
    By(u32),
    /// This nibble and these bytes of extension, whatever they say.
    Raw(u8, Vec<u8>),
}

/// How an option says the length of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The length of the value.
    #[default]
    Actual,
    /// Any number, whether or not so many bytes follow.
    Claimed(u32),
    /// This nibble and these bytes of extension, whatever they say.
    Raw(u8, Vec<u8>),
}

impl Frame {
    /// A message without options, to be bent afterwards.
    #[must_use]
    pub fn new(kind: Kind, code: Code, mid: u16, token: &[u8]) -> Self {
        Self { kind: kind.bits(), code: code.0, mid, token: token.to_vec(), ..Self::default() }
    }

    /// A legal message, to be bent afterwards.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Self {
        let mut datagram = Vec::new();
        message.encode(&mut datagram);
        Self::read(&datagram)
    }

    /// The parts of any datagram; written again they give the same bytes. What cannot be taken apart is in `tail`.
    /// Why it is no message, [`Message::decode`] says.
    #[must_use]
    pub fn read(datagram: &[u8]) -> Self {
        let byte = |at| datagram.get(at).copied().unwrap_or(0);
        let (first, code, mid) = (byte(0), byte(1), u16::from_be_bytes([byte(2), byte(3)]));
        let mut frame = Self { version: first >> 6, kind: first >> 4 & 0b11, code, mid, ..Self::default() };
        let tkl = first & 0x0F;
        let rest = datagram.get(4..).unwrap_or(&[]);
        let (token, rest) = rest.split_at(rest.len().min(usize::from(tkl)));
        frame.token = token.to_vec();
        frame.tkl = (token.len() != usize::from(tkl)).then_some(tkl);
        frame.truncate = (datagram.len() < 4).then_some(datagram.len());
        frame.read_options(rest);
        frame
    }

    fn read_options(&mut self, mut rest: &[u8]) {
        let mut number = 0;
        loop {
            let header = match header(rest) {
                Ok(header) => header,
                Err(Stop::End) => return,
                Err(Stop::Marker) => {
                    self.payload = rest[1..].to_vec();
                    self.marker = self.payload.is_empty().then_some(true);
                    return;
                }
                Err(Stop::Broken(_)) => {
                    self.tail = rest.to_vec();
                    return;
                }
            };
            let there = &rest[header.size..];
            let (value, after) = there.split_at(there.len().min(header.len));
            number += u64::from(header.delta);
            self.options.push(RawOption {
                delta: u16::try_from(number).map_or(Delta::By(header.delta), Delta::Number),
                length: if value.len() == header.len { Length::Actual } else { Length::Claimed(header.len as u32) },
                value: value.to_vec(),
            });
            rest = after;
        }
    }

    /// The type; only the lower two bits of `kind` count.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::from_bits(self.kind)
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code(self.code)
    }

    /// The token, if it is no longer than eight bytes.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        Token::new(&self.token)
    }

    /// The options with the number that a reader counts for each: it may exceed 65535. A nibble of 15 counts as nothing.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &RawOption)> {
        self.options.iter().scan(0, |number, option| {
            *number += u64::from(option.delta.distance(*number));
            Some((*number, option))
        })
    }

    /// Appends the bytes of this frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let tkl = self.tkl.unwrap_or_else(|| self.token.len().min(15) as u8) & 0x0F;
        let [high, low] = self.mid.to_be_bytes();
        let first = first_byte(self.kind(), tkl.into()) & 0x3F | self.version << 6;
        out.extend_from_slice(&[first, self.code, high, low]);
        out.extend_from_slice(&self.token);
        let mut number = 0;
        for option in &self.options {
            let distance = option.delta.distance(number);
            option.encode(distance, out);
            number += u64::from(distance);
        }
        if self.marker.unwrap_or(!self.payload.is_empty()) {
            out.push(PAYLOAD_MARKER);
        }
        out.extend_from_slice(&self.payload);
        out.extend_from_slice(&self.tail);
        if let Some(len) = self.truncate {
            out.truncate(start.saturating_add(len));
        }
    }
}

impl RawOption {
    /// A legal option, to be bent afterwards.
    #[must_use]
    pub fn new(number: u16, value: &[u8]) -> Self {
        Self { delta: Delta::Number(number), length: Length::Actual, value: value.to_vec() }
    }

    fn encode(&self, distance: u32, out: &mut Vec<u8>) {
        let (delta_nibble, length_nibble) = (self.delta.nibble(distance), self.length.nibble(self.value.len()));
        out.push(delta_nibble << 4 | length_nibble);
        match &self.delta {
            Delta::Raw(_, bytes) => out.extend_from_slice(bytes),
            _ => extension(out, distance),
        }
        match &self.length {
            Length::Raw(_, bytes) => out.extend_from_slice(bytes),
            Length::Claimed(len) => extension(out, *len),
            Length::Actual => extension(out, self.value.len() as u32),
        }
        out.extend_from_slice(&self.value);
    }
}

impl Delta {
    /// What a reader adds to the number before.
    fn distance(&self, before: u64) -> u32 {
        match self {
            Self::Number(number) => number.wrapping_sub(before as u16).into(),
            Self::By(distance) => *distance,
            Self::Raw(nibble, bytes) => match (nibble & 0x0F, bytes.as_slice()) {
                (13, [byte, ..]) => u32::from(*byte) + BYTE_BASE,
                (14, [high, low, ..]) => u32::from(u16::from_be_bytes([*high, *low])) + WORD_BASE,
                (13.., _) => 0,
                (small, _) => small.into(),
            },
        }
    }

    fn nibble(&self, distance: u32) -> u8 {
        match self {
            Self::Raw(nibble, _) => nibble & 0x0F,
            _ => nibble(distance),
        }
    }
}

impl Length {
    fn nibble(&self, actual: usize) -> u8 {
        match self {
            Self::Raw(nibble, _) => nibble & 0x0F,
            Self::Claimed(len) => nibble(*len),
            Self::Actual => nibble(actual as u32),
        }
    }
}

impl Default for Frame {
    /// A CON of version 1 with code 0.00 and nothing else.
    fn default() -> Self {
        Self {
            version: VERSION,
            kind: 0,
            tkl: None,
            code: 0,
            mid: 0,
            token: Vec::new(),
            options: Vec::new(),
            marker: None,
            payload: Vec::new(),
            tail: Vec::new(),
            truncate: None,
        }
    }
}
