//! A cursor over the body of one packet. Every step either yields a field or the reason why there is none.

use core::str;

use super::rules::{self, Rule};
use super::strings::{Binary, Text};
use super::{Kind, PacketId, Reason, Sender, Version};

/// What a run of bytes says when read as a variable byte integer \[MQTT5 §1.5.5\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varint {
    /// A value, and the bytes it took.
    Value(u32, usize),
    /// More bytes are needed.
    Short,
    /// The fourth byte still has its continuation bit.
    TooLong,
}

impl Varint {
    /// Reads at most four bytes.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut value = 0;
        for (at, &byte) in bytes.iter().take(4).enumerate() {
            value |= u32::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                return Self::Value(value, at + 1);
            }
        }
        if bytes.len() < 4 { Self::Short } else { Self::TooLong }
    }
}

/// Bytes that the shortest encoding of a value takes: 1 to 4.
#[inline]
pub(crate) const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x001F_FFFF => 3,
        _ => 4,
    }
}

/// A cursor over what is left of a body.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) version: Version,
    pub(crate) kind: Kind,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(version: Version, kind: Kind, body: &'a [u8]) -> Self {
        Self { rest: body, version, kind }
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left; the cursor stays.
    #[inline]
    pub(crate) const fn left(&self) -> &'a [u8] {
        self.rest
    }

    /// What is left; nothing is left afterwards.
    #[inline]
    pub(crate) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// `Err` if anything is left.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), Reason> {
        if self.rest.is_empty() { Ok(()) } else { Err(rules::surplus(self.kind).refuse(self.version)) }
    }

    #[cold]
    fn short(&self) -> Reason {
        rules::short(self.kind).refuse(self.version)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Reason> {
        let Some((&byte, rest)) = self.rest.split_first() else { return Err(self.short()) };
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn two_bytes(&mut self) -> Result<u16, Reason> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(self.short()) };
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn four_bytes(&mut self) -> Result<u32, Reason> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(self.short()) };
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A variable byte integer in its shortest form: in a body only MQTT 5 has any.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, Reason> {
        match Varint::read(self.rest) {
            Varint::Value(value, len) => {
                rules::VARINT_NOT_MINIMAL.require(len == varint_len(value), self.version)?;
                self.rest = &self.rest[len..];
                Ok(value)
            }
            Varint::Short => Err(self.short()),
            Varint::TooLong => Err(rules::VARINT_TOO_LONG.refuse(self.version)),
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Reason> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else { return Err(self.short()) };
        self.rest = rest;
        Ok(taken)
    }

    /// Two bytes of length and that many bytes.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<&'a [u8], Reason> {
        let len = self.two_bytes()?;
        self.take(usize::from(len))
    }

    /// A field of binary data.
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<Binary<'a>, Reason> {
        self.field().map(Binary::trusted)
    }

    /// A field of well-formed UTF-8; U+0000 may still be in it.
    #[inline]
    pub(crate) fn utf8(&mut self) -> Result<&'a str, Reason> {
        let bytes = self.field()?;
        str::from_utf8(bytes).map_err(|_| rules::ILL_FORMED_TEXT.refuse(self.version))
    }

    /// A string of the protocol \[MQTT3 1.5.3-1, MQTT5 1.5.4-1\].
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, Reason> {
        Text::read(self.version, self.utf8()?)
    }

    /// A packet identifier that is not 0.
    #[inline]
    pub(crate) fn packet_id(&mut self, sender: Sender) -> Result<PacketId, Reason> {
        let id = self.two_bytes()?;
        PacketId::new(id).ok_or_else(|| rules::zero_id(self.kind, sender).refuse(self.version))
    }

    /// The result of a step, with a more telling rule if the body ended in it.
    #[inline]
    pub(crate) fn or_if_short<T>(
        &mut self,
        rule: Rule,
        step: impl FnOnce(&mut Self) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        step(self).map_err(|reason| if reason == self.short() { rule.refuse(self.version) } else { reason })
    }
}
