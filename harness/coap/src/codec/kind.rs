//! The four types of a message.

use core::fmt;

/// The type of a message \[RFC 7252 §3\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Confirmable: repeated until it is acknowledged or reset.
    Con,
    /// Non-confirmable: said once.
    Non,
    /// Acknowledgement: answers a CON by its message id.
    Ack,
    /// Reset: what came could not be processed.
    Rst,
}

impl Kind {
    /// All four, by number.
    pub const ALL: [Self; 4] = [Self::Con, Self::Non, Self::Ack, Self::Rst];

    /// From the two bits on the wire; higher bits do not count.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self::ALL[(bits & 0b11) as usize]
    }

    /// The two bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// As transcripts and scenarios write it: `con`, `non`, `ack`, `rst`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Con => "con",
            Self::Non => "non",
            Self::Ack => "ack",
            Self::Rst => "rst",
        }
    }

    /// The type of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Con => "CON",
            Self::Non => "NON",
            Self::Ack => "ACK",
            Self::Rst => "RST",
        })
    }
}
