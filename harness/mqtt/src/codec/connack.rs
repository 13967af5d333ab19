//! CONNACK: the server's answer to CONNECT.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::rules::{self, Rule};
use super::{Kind, Place, Properties, Reason, ReasonCode, Sender, Version};

const RESERVED_FLAGS: Rule = Rule::malformed("MQTT3 4.8.0-1", "MQTT5 3.2.2-1", "reserved Connect Acknowledge Flags");
const PRESENT_ON_REFUSAL: Rule =
    Rule::protocol("MQTT3 3.2.2-4", "MQTT5 3.2.2-6", "Session Present with a code other than 0");

/// Accepted or refused, and on which terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connack<'a> {
    /// The server goes on with a session that it kept; only with code 0 \[MQTT3 3.2.2-4, MQTT5 3.2.2-6\].
    pub session_present: bool,
    /// Reason code of MQTT 5, or return code (0 to 5) of 3.1.1.
    pub code: ReasonCode,
    /// The server's limits and the rest.
    pub properties: Properties<'a>,
}

impl<'a> Connack<'a> {
    /// An answer without properties.
    #[must_use]
    pub const fn new(session_present: bool, code: ReasonCode) -> Self {
        Self { session_present, code, properties: Properties::EMPTY }
    }

    /// Whether the connection stands: code 0 in both versions.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.code.0 == 0
    }

    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Reason> {
        let version = reader.version;
        let flags = reader.byte()?;
        RESERVED_FLAGS.require(flags <= 1, version)?;
        let code = ReasonCode(reader.byte()?);
        let connack = Self { session_present: flags == 1, code, properties: Properties::EMPTY };
        connack.check(version, reader.kind)?;
        let properties = Properties::read(Place::Connack, &mut reader)?;
        reader.finish()?;
        Ok(Self { properties, ..connack })
    }
}

impl Body for Connack<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        let legal = self.code.legal(version, Kind::Connack, Sender::Server);
        rules::bad_code(Kind::Connack).require(legal, version)?;
        PRESENT_ON_REFUSAL.require(!self.session_present || self.accepted(), version)?;
        self.properties.fit(Place::Connack, version)
    }

    fn len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version)
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.session_present.into(), self.code.0]);
        self.properties.write(version, out);
    }
}
