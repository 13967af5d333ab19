//! UNSUBACK: the end of subscriptions; in MQTT 5 with one code for each filter.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::rules::{self, Rule};
use super::{Kind, PacketId, Place, Properties, Reason, ReasonCode, Sender, Version, writer};

const EMPTY: Rule = Rule::protocol("MQTT3 2.3.1-7", "MQTT5 3.11.3-1", "UNSUBACK without a code");

/// What became of the filters of an UNSUBSCRIBE, in their order \[MQTT5 3.11.3-1\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// The identifier of the UNSUBSCRIBE.
    pub id: PacketId,
    /// Reason String and user properties.
    pub properties: Properties<'a>,
    /// One byte for each filter \[MQTT5 3.11.3-2\]; none in 3.1.1.
    pub codes: &'a [u8],
}

impl<'a> Unsuback<'a> {
    /// An answer without properties.
    #[must_use]
    pub const fn new(id: PacketId, codes: &'a [u8]) -> Self {
        Self { id, properties: Properties::EMPTY, codes }
    }

    /// The codes with their names.
    pub fn codes(&self) -> impl Iterator<Item = ReasonCode> + Clone + 'a {
        self.codes.iter().copied().map(ReasonCode)
    }

    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Reason> {
        let id = reader.packet_id(Sender::Server)?;
        let properties = Properties::read(Place::Unsuback, &mut reader)?;
        let codes = match reader.version {
            Version::V311 => &[],
            Version::V5 => reader.rest(),
        };
        reader.finish()?;
        let unsuback = Self { id, properties, codes };
        unsuback.check(reader.version, reader.kind)?;
        Ok(unsuback)
    }
}

impl Body for Unsuback<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Unsuback, version)?;
        if version == Version::V311 {
            return rules::ONLY_IN_V5.require(self.codes.is_empty(), version);
        }
        EMPTY.require(!self.codes.is_empty(), version)?;
        let legal = self.codes().all(|code| code.legal(version, Kind::Unsuback, Sender::Server));
        rules::bad_code(Kind::Unsuback).require(legal, version)
    }

    fn len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version) + self.codes.len()
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        writer::two_bytes(out, self.id.get());
        self.properties.write(version, out);
        out.extend_from_slice(self.codes);
    }
}
