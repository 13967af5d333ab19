//! Reasons: why bytes were refused, and the reason codes of the protocol.

use core::fmt;

use super::codes::{By, CODES};
use super::{Kind, Sender, Version};

/// Why bytes are not a legal packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The clause that is broken: `MQTT5 3.1.2-3`, or `MQTT5 §2.2.2.2` where the standard gives no number.
    pub clause: &'static str,
    /// The MQTT 5 code to answer with; a 3.1.1 server closes, except that 0x01 goes into a CONNACK of version 3.1.1.
    pub code: ReasonCode,
    /// What was wrong, for people.
    pub what: &'static str,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}] (0x{:02X})", self.what, self.clause, self.code.0)
    }
}

impl core::error::Error for Reason {}

/// A reason code of MQTT 5, or a return code of 3.1.1: a byte that may be any number, with names for those that mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

impl ReasonCode {
    /// Success.
    pub const SUCCESS: Self = Self(0x00);
    /// Normal disconnection.
    pub const NORMAL_DISCONNECTION: Self = Self(0x00);
    /// Granted QoS 0.
    pub const GRANTED_QOS_0: Self = Self(0x00);
    /// Granted QoS 1.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// Granted QoS 2.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// Disconnect with Will Message.
    pub const DISCONNECT_WITH_WILL_MESSAGE: Self = Self(0x04);
    /// No matching subscribers.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// No subscription existed.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// Continue authentication.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// Re-authenticate.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// Unspecified error.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// Malformed Packet.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// Protocol Error.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// Implementation specific error.
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    /// Unsupported Protocol Version.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// Client Identifier not valid.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// Bad User Name or Password.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// Not authorized.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// Server unavailable.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// Server busy.
    pub const SERVER_BUSY: Self = Self(0x89);
    /// Banned.
    pub const BANNED: Self = Self(0x8A);
    /// Server shutting down.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    /// Bad authentication method.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    /// Keep Alive timeout.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    /// Session taken over.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    /// Topic Filter invalid.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    /// Topic Name invalid.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// Packet Identifier in use.
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    /// Packet Identifier not found.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// Receive Maximum exceeded.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// Topic Alias invalid.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// Packet too large.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// Message rate too high.
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    /// Quota exceeded.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// Administrative action.
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    /// Payload format invalid.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// Retain not supported.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    /// QoS not supported.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    /// Use another server.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// Server moved.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// Shared Subscriptions not supported.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    /// Connection rate exceeded.
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    /// Maximum connect time.
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    /// Subscription Identifiers not supported.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    /// Wildcard Subscriptions not supported.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// Return code 1 of a 3.1.1 CONNACK: unacceptable protocol version \[MQTT3 3.1.2-2\].
    pub const V3_UNACCEPTABLE_VERSION: Self = Self(0x01);
    /// Return code 2 of a 3.1.1 CONNACK: identifier rejected \[MQTT3 3.1.3-9\].
    pub const V3_IDENTIFIER_REJECTED: Self = Self(0x02);
    /// Return code 3 of a 3.1.1 CONNACK: server unavailable \[MQTT3 §3.2.2.3\].
    pub const V3_SERVER_UNAVAILABLE: Self = Self(0x03);
    /// Return code 4 of a 3.1.1 CONNACK: bad user name or password \[MQTT3 §3.1.4\].
    pub const V3_BAD_USER_NAME_OR_PASSWORD: Self = Self(0x04);
    /// Return code 5 of a 3.1.1 CONNACK: not authorized \[MQTT3 §3.1.4\].
    pub const V3_NOT_AUTHORIZED: Self = Self(0x05);
    /// Return code 0x80 of a 3.1.1 SUBACK: failure \[MQTT3 3.9.3-2\].
    pub const V3_FAILURE: Self = Self(0x80);

    /// Below 0x80: the request did what it asked for. A 3.1.1 CONNACK refuses with 1 to 5; see [`Connack::accepted`](super::Connack::accepted).
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 < 0x80
    }

    /// Whether this side may send this code in this packet \[MQTT5 §2.4\], or this return code in 3.1.1.
    #[inline]
    #[must_use]
    pub fn legal(self, version: Version, kind: Kind, sender: Sender) -> bool {
        match (version, kind) {
            (Version::V311, Kind::Connack) => self.0 <= 5,
            (Version::V311, Kind::Suback) => matches!(self.0, 0..=2 | 0x80),
            (Version::V311, _) => self.0 == 0,
            (Version::V5, _) => LEGAL[sender as usize][self.0 as usize] & (1 << kind.number()) != 0,
        }
    }

    /// The name of this code in this packet; `"unknown"` where the standard gives none.
    #[must_use]
    pub fn name(self, version: Version, kind: Kind) -> &'static str {
        if version == Version::V311 {
            return self.name_in_v311(kind);
        }
        let row = CODES.iter().find(|row| row.code == self.0 && row.packets.iter().any(|(k, _)| *k == kind));
        row.map_or("unknown", |row| row.name)
    }

    fn name_in_v311(self, kind: Kind) -> &'static str {
        const CONNACK: [&str; 6] = [
            "Connection accepted",
            "Unacceptable protocol version",
            "Identifier rejected",
            "Server unavailable",
            "Bad user name or password",
            "Not authorized",
        ];
        match (kind, self.0) {
            (Kind::Connack, code) => CONNACK.get(usize::from(code)).copied().unwrap_or("unknown"),
            (Kind::Suback, 0) => "Granted QoS 0",
            (Kind::Suback, 1) => "Granted QoS 1",
            (Kind::Suback, 2) => "Granted QoS 2",
            (Kind::Suback, 0x80) => "Failure",
            _ => "unknown",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}", self.0)
    }
}

/// `CODES` turned round: for each sender and code, one bit per packet type.
static LEGAL: [[u16; 256]; 2] = legal_bits();

const fn legal_bits() -> [[u16; 256]; 2] {
    let mut bits = [[0; 256]; 2];
    let mut row = 0;
    while row < CODES.len() {
        let mut at = 0;
        while at < CODES[row].packets.len() {
            let (kind, by) = CODES[row].packets[at];
            let code = CODES[row].code as usize;
            if matches!(by, By::Client | By::Both) {
                bits[Sender::Client as usize][code] |= 1 << kind.number();
            }
            if matches!(by, By::Server | By::Both) {
                bits[Sender::Server as usize][code] |= 1 << kind.number();
            }
            at += 1;
        }
        row += 1;
    }
    bits
}
