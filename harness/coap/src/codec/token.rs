//! What matches a response with its request.

use core::cmp::Ordering;
use core::fmt;

use super::TOKEN_MAX;

/// Zero to eight opaque bytes, chosen by the client and echoed by the server \[RFC 7252 §5.3.1\].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Token {
    bytes: [u8; TOKEN_MAX],
    len: u8,
}

impl Token {
    /// No bytes at all: legal for a client with one request at a time.
    pub const EMPTY: Self = Self { bytes: [0; TOKEN_MAX], len: 0 };

    /// Eight bytes of 0xFF: none comes after it.
    pub const LARGEST: Self = Self { bytes: [0xFF; TOKEN_MAX], len: TOKEN_MAX as u8 };

    /// These bytes; `None` if there are more than eight.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self::EMPTY;
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        token.len = bytes.len() as u8;
        Some(token)
    }

    /// A token of `len` bytes (at most eight) out of 64 drawn bits. Below four bytes it is guessable \[RFC 7252 §5.3.1\].
    #[must_use]
    pub fn drawn(draw: u64, len: usize) -> Self {
        let len = len.min(TOKEN_MAX);
        let mut bytes = draw.to_be_bytes();
        bytes[len..].fill(0);
        Self { bytes, len: len as u8 }
    }

    /// A token of `len` lower-case letters and digits (at most eight), five drawn bits each: for peers that take tokens for text.
    /// Eight of them hold 40 bits, more than the 32 that are asked for \[RFC 7252 §5.3.1\].
    #[must_use]
    pub fn letters(draw: u64, len: usize) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut token = Self { len: len.min(TOKEN_MAX) as u8, ..Self::EMPTY };
        for (at, byte) in token.bytes.iter_mut().enumerate().take(usize::from(token.len)) {
            *byte = ALPHABET[(draw >> (5 * at)) as usize & 31];
        }
        token
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Token {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}
