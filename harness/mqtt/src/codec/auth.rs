//! AUTH: enhanced authentication, MQTT 5 only.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::rules::{self, Rule};
use super::{Kind, Place, Properties, PropertyId, Reason, ReasonCode, Sender, Version};

const NO_METHOD: Rule = Rule::protocol("MQTT3 4.8.0-1", "MQTT5 §3.15.2.2.2", "AUTH without Authentication Method");

/// One step of an authentication.
///
/// The standard lets AUTH 0x00 leave out its whole body, and calls AUTH without a method an error; here the empty body is legal
/// and every other AUTH has a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth<'a> {
    /// 0x00 from a server, 0x18 from either, 0x19 from a client \[MQTT5 3.15.2-1\].
    pub reason: ReasonCode,
    /// Method, data, Reason String, user properties.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    pub(crate) fn read(sender: Sender, mut reader: Reader<'a>) -> Result<Self, Reason> {
        let mut auth = Self::default();
        let whole = reader;
        if !reader.is_empty() {
            auth.reason = ReasonCode(reader.byte()?);
        }
        let legal = auth.reason.legal(reader.version, Kind::Auth, sender);
        rules::bad_code(Kind::Auth).require(legal, reader.version)?;
        if !reader.is_empty() {
            auth.properties = Properties::read(Place::Auth, &mut reader)?;
        }
        reader.finish()?;
        NO_METHOD.require(whole.is_empty() || auth.properties.has(PropertyId::AuthenticationMethod), Version::V5)?;
        Ok(auth)
    }
}

impl Body for Auth<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        rules::NO_AUTH_IN_V311.require(version == Version::V5, version)?;
        self.properties.fit(Place::Auth, version)?;
        let legal = Sender::ALL.into_iter().any(|sender| self.reason.legal(version, Kind::Auth, sender));
        rules::bad_code(Kind::Auth).require(legal, version)?;
        NO_METHOD.require(self.len(version) == 0 || self.properties.has(PropertyId::AuthenticationMethod), version)
    }

    fn len(&self, version: Version) -> usize {
        match (self.reason.0, self.properties.is_empty()) {
            (0, true) => 0,
            _ => 1 + self.properties.encoded_len(version),
        }
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        if self.len(version) > 0 {
            out.push(self.reason.0);
            self.properties.write(version, out);
        }
    }
}
