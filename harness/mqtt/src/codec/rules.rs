//! The rules that more than one packet shares, and the shape of a rule.

use super::{Kind, Reason, ReasonCode, Sender, Version};

/// A rule of one or both versions: what it cites, what to answer, what to tell people.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    v3: &'static str,
    v5: &'static str,
    code: ReasonCode,
    what: &'static str,
}

impl Rule {
    /// A rule whose breach is a Malformed Packet (0x81).
    pub(crate) const fn malformed(v3: &'static str, v5: &'static str, what: &'static str) -> Self {
        Self { v3, v5, code: ReasonCode::MALFORMED_PACKET, what }
    }

    /// A rule whose breach is a Protocol Error (0x82).
    pub(crate) const fn protocol(v3: &'static str, v5: &'static str, what: &'static str) -> Self {
        Self { v3, v5, code: ReasonCode::PROTOCOL_ERROR, what }
    }

    /// The same rule, answered with a more specific code.
    pub(crate) const fn answer(mut self, code: ReasonCode) -> Self {
        self.code = code;
        self
    }

    /// The refusal in this version.
    #[cold]
    pub(crate) const fn refuse(self, version: Version) -> Reason {
        let clause = match version {
            Version::V311 => self.v3,
            Version::V5 => self.v5,
        };
        Reason { clause, code: self.code, what: self.what }
    }

    /// `Err` unless the condition holds.
    #[inline]
    pub(crate) fn require(self, holds: bool, version: Version) -> Result<(), Reason> {
        if holds { Ok(()) } else { Err(self.refuse(version)) }
    }
}

pub(crate) const RESERVED_TYPE: Rule = Rule::malformed("MQTT3 4.8.0-1", "MQTT5 4.13.1-1", "packet type 0 is reserved");
pub(crate) const NO_AUTH_IN_V311: Rule =
    Rule::malformed("MQTT3 4.8.0-1", "MQTT5 4.13.1-1", "packet type 15 is reserved in 3.1.1");
pub(crate) const WRONG_SIDE: Rule =
    Rule::protocol("MQTT3 4.8.0-1", "MQTT5 4.13.1-1", "this side never sends this packet type");
pub(crate) const TOO_LARGE: Rule =
    Rule::malformed("MQTT3 §2.2.3", "MQTT5 §1.5.5", "the packet does not fit a Remaining Length of 268,435,455")
        .answer(ReasonCode::PACKET_TOO_LARGE);
pub(crate) const ONLY_IN_V5: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 §2.2.2.2", "3.1.1 has no field for properties or this reason code");
pub(crate) const VARINT_TOO_LONG: Rule =
    Rule::malformed("MQTT3 §2.2.3", "MQTT5 §1.5.5", "a variable byte integer of more than four bytes");
pub(crate) const VARINT_NOT_MINIMAL: Rule =
    Rule::malformed("MQTT3 §2.2.3", "MQTT5 1.5.5-1", "a variable byte integer in more bytes than it needs");
pub(crate) const ILL_FORMED_TEXT: Rule =
    Rule::malformed("MQTT3 1.5.3-1", "MQTT5 1.5.4-1", "a string that is not well-formed UTF-8");
pub(crate) const NUL_IN_TEXT: Rule = Rule::malformed("MQTT3 1.5.3-2", "MQTT5 1.5.4-2", "U+0000 in a string");
pub(crate) const TEXT_TOO_LONG: Rule =
    Rule::malformed("MQTT3 4.7.3-3", "MQTT5 4.7.3-3", "a string or binary field of more than 65,535 bytes");

const SHORT_CONNECT: Rule = Rule::malformed("MQTT3 3.1.4-1", "MQTT5 3.1.4-1", "CONNECT ends too early");
const SHORT: Rule = Rule::malformed("MQTT3 4.8.0-1", "MQTT5 4.13.1-1", "the packet ends too early");
const SURPLUS_CONNECT: Rule = Rule::malformed("MQTT3 3.1.4-1", "MQTT5 3.1.4-1", "bytes after the end of CONNECT");
const SURPLUS: Rule = Rule::malformed("MQTT3 4.8.0-1", "MQTT5 4.13.1-1", "bytes after the end of the packet");

/// The rule that a body which ends too early breaks.
pub(crate) const fn short(kind: Kind) -> Rule {
    if matches!(kind, Kind::Connect) { SHORT_CONNECT } else { SHORT }
}

/// The rule that bytes after the last field break.
pub(crate) const fn surplus(kind: Kind) -> Rule {
    if matches!(kind, Kind::Connect) { SURPLUS_CONNECT } else { SURPLUS }
}

/// The rule that a wrong flags nibble breaks.
pub(crate) const fn flags(kind: Kind) -> Rule {
    const WHAT: &str = "reserved flags in the first byte";
    match kind {
        Kind::Pubrel => Rule::malformed("MQTT3 3.6.1-1", "MQTT5 3.6.1-1", WHAT),
        Kind::Subscribe => Rule::malformed("MQTT3 3.8.1-1", "MQTT5 3.8.1-1", WHAT),
        Kind::Unsubscribe => Rule::malformed("MQTT3 3.10.1-1", "MQTT5 3.10.1-1", WHAT),
        Kind::Disconnect => Rule::malformed("MQTT3 3.14.1-1", "MQTT5 3.14.1-1", WHAT),
        Kind::Auth => Rule::malformed("MQTT3 2.2.2-2", "MQTT5 3.15.1-1", WHAT),
        _ => Rule::malformed("MQTT3 2.2.2-2", "MQTT5 2.1.3-1", WHAT),
    }
}

/// The rule that packet identifier 0 breaks.
pub(crate) const fn zero_id(kind: Kind, sender: Sender) -> Rule {
    const WHAT: &str = "packet identifier 0";
    match (kind, sender) {
        (Kind::Publish, Sender::Server) => Rule::protocol("MQTT3 2.3.1-1", "MQTT5 2.2.1-4", WHAT),
        (Kind::Puback | Kind::Pubrec | Kind::Pubrel, _) => Rule::protocol("MQTT3 2.3.1-6", "MQTT5 2.2.1-5", WHAT),
        (Kind::Pubcomp, _) => Rule::protocol("MQTT3 4.3.3-2", "MQTT5 2.2.1-5", WHAT),
        (Kind::Suback | Kind::Unsuback, _) => Rule::protocol("MQTT3 2.3.1-7", "MQTT5 2.2.1-6", WHAT),
        _ => Rule::protocol("MQTT3 2.3.1-1", "MQTT5 2.2.1-3", WHAT),
    }
}

/// The rule that a reason code breaks which this packet or this side may not carry.
pub(crate) const fn bad_code(kind: Kind) -> Rule {
    const WHAT: &str = "a reason code that this packet may not carry from this side";
    match kind {
        Kind::Connack => Rule::protocol("MQTT3 3.2.2-6", "MQTT5 3.2.2-8", WHAT),
        Kind::Puback => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.4.2-1", WHAT),
        Kind::Pubrec => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.5.2-1", WHAT),
        Kind::Pubrel => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.6.2-1", WHAT),
        Kind::Pubcomp => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.7.2-1", WHAT),
        Kind::Suback => Rule::protocol("MQTT3 3.9.3-2", "MQTT5 3.9.3-2", WHAT),
        Kind::Unsuback => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.11.3-2", WHAT),
        Kind::Auth => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.15.2-1", WHAT),
        _ => Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.14.2-1", WHAT),
    }
}
