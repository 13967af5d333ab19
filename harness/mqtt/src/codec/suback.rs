//! SUBACK: one code for each filter of a SUBSCRIBE.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::rules::{self, Rule};
use super::{Kind, PacketId, Place, Properties, Reason, ReasonCode, Sender, Version, writer};

const EMPTY: Rule = Rule::protocol("MQTT3 3.8.4-5", "MQTT5 3.8.4-6", "SUBACK without a code");

/// What became of the filters of a SUBSCRIBE, in their order \[MQTT3 3.9.3-1, MQTT5 3.9.3-1\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// The identifier of the SUBSCRIBE.
    pub id: PacketId,
    /// Reason String and user properties.
    pub properties: Properties<'a>,
    /// One byte for each filter: 0, 1, 2 or a refusal \[MQTT3 3.9.3-2, MQTT5 3.9.3-2\].
    pub codes: &'a [u8],
}

impl<'a> Suback<'a> {
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
        let properties = Properties::read(Place::Suback, &mut reader)?;
        let suback = Self { id, properties, codes: reader.rest() };
        suback.check(reader.version, reader.kind)?;
        Ok(suback)
    }
}

impl Body for Suback<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Suback, version)?;
        EMPTY.require(!self.codes.is_empty(), version)?;
        let legal = self.codes().all(|code| code.legal(version, Kind::Suback, Sender::Server));
        rules::bad_code(Kind::Suback).require(legal, version)
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
