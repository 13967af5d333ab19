//! Packet types, versions, sides and qualities of service: the small words every other file uses.

use core::fmt;
use core::num::NonZeroU16;

/// A packet identifier; zero is never legal \[MQTT3 2.3.1-1, MQTT5 2.2.1-3\].
pub type PacketId = NonZeroU16;

/// A version of the protocol that this codec speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V311,
    /// MQTT 5.0, protocol level 5.
    V5,
}

impl Version {
    /// Both versions, for tests and matrices.
    pub const ALL: [Self; 2] = [Self::V311, Self::V5];

    /// The Protocol Level byte of CONNECT: 4 or 5.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        })
    }
}

/// Who sent a packet. Some packets, properties and reason codes belong to one side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The side that opened the connection.
    Client,
    /// The side that answers CONNECT.
    Server,
}

impl Sender {
    /// Both sides, for tests and matrices.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];
}

/// Quality of service of a message or a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0: sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: PUBLISH, PUBACK.
    AtLeastOnce = 1,
    /// QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce = 2,
}

impl QoS {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::AtMostOnce, Self::AtLeastOnce, Self::ExactlyOnce];

    /// The quality with this number; `None` for 3 and above.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// 0, 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The type of a packet: the upper four bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum Kind {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl Kind {
    /// All fifteen, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type with this number; `None` for 0, which is reserved, and above 15.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1..=15 => Some(Self::ALL[number as usize - 1]),
            _ => None,
        }
    }

    /// 1 to 15.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in the standard's capitals: `PUBLISH`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 15] = [
            "CONNECT",
            "CONNACK",
            "PUBLISH",
            "PUBACK",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "SUBSCRIBE",
            "SUBACK",
            "UNSUBSCRIBE",
            "UNSUBACK",
            "PINGREQ",
            "PINGRESP",
            "DISCONNECT",
            "AUTH",
        ];
        NAMES[self as usize - 1]
    }

    /// The only legal flags nibble of this type; PUBLISH sets its own \[MQTT3 2.2.2-1, MQTT5 2.1.3-1\].
    #[must_use]
    pub const fn flags(self) -> u8 {
        match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        }
    }

    /// Whether this side may send this type at all in this version.
    #[must_use]
    pub const fn sent_by(self, version: Version, sender: Sender) -> bool {
        match (self, sender) {
            (Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::Pingreq, Sender::Server)
            | (Self::Connack | Self::Suback | Self::Unsuback | Self::Pingresp, Sender::Client) => false,
            (Self::Auth, _) | (Self::Disconnect, Sender::Server) => matches!(version, Version::V5),
            _ => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
