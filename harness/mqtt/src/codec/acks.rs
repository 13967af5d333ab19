//! PUBACK, PUBREC, PUBREL and PUBCOMP: four packets of one shape.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::{Kind, PacketId, Place, Properties, Reason, ReasonCode, Sender, Version, rules, writer};

/// The body of PUBACK, PUBREC, PUBREL or PUBCOMP. In 3.1.1 it is the identifier alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The identifier of the PUBLISH that started the exchange \[MQTT3 2.3.1-6, MQTT5 2.2.1-5\].
    pub id: PacketId,
    /// One of the codes of its packet \[MQTT5 3.4.2-1, 3.5.2-1, 3.6.2-1, 3.7.2-1\]; 0x00 in 3.1.1.
    pub reason: ReasonCode,
    /// Reason String and user properties.
    pub properties: Properties<'a>,
}

impl Ack<'_> {
    /// Success, without properties: legal in both versions.
    #[must_use]
    pub const fn success(id: PacketId) -> Self {
        Self { id, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }
    }

    /// A code of MQTT 5, without properties.
    #[must_use]
    pub const fn with_reason(id: PacketId, reason: ReasonCode) -> Self {
        Self { id, reason, properties: Properties::EMPTY }
    }
}

impl<'a> Ack<'a> {
    /// The whole body, if there is nothing to say but the identifier: legal in both versions.
    #[inline]
    pub(crate) fn bare(&self) -> Option<[u8; 2]> {
        (self.reason == ReasonCode::SUCCESS && self.properties.is_empty()).then(|| self.id.get().to_be_bytes())
    }

    /// Reason and Property Length may be left out from the end \[MQTT5 3.4.2-1\].
    #[inline]
    pub(crate) fn read(sender: Sender, mut reader: Reader<'a>) -> Result<Self, Reason> {
        let mut ack = Self::success(reader.packet_id(sender)?);
        if reader.is_empty() {
            return Ok(ack);
        }
        if reader.version == Version::V5 {
            ack.reason = ReasonCode(reader.byte()?);
            let legal = ack.reason.legal(reader.version, reader.kind, sender);
            rules::bad_code(reader.kind).require(legal, reader.version)?;
            if !reader.is_empty() {
                ack.properties = Properties::read(place(reader.kind), &mut reader)?;
            }
        }
        reader.finish()?;
        Ok(ack)
    }
}

impl Body for Ack<'_> {
    #[inline]
    fn check(&self, version: Version, kind: Kind) -> Result<(), Reason> {
        // Neither side has a code here that the other lacks.
        rules::bad_code(kind).require(self.reason.legal(version, kind, Sender::Client), version)?;
        self.properties.fit(place(kind), version)
    }

    #[inline]
    fn len(&self, version: Version) -> usize {
        match (self.reason, self.properties.is_empty()) {
            (ReasonCode::SUCCESS, true) => 2,
            (_, true) => 3,
            (_, false) => 3 + self.properties.encoded_len(version),
        }
    }

    #[inline]
    fn write(&self, version: Version, out: &mut Vec<u8>) {
        writer::two_bytes(out, self.id.get());
        let properties = !self.properties.is_empty();
        if properties || self.reason != ReasonCode::SUCCESS {
            out.push(self.reason.0);
        }
        if properties {
            self.properties.write(version, out);
        }
    }
}

const fn place(kind: Kind) -> Place {
    match kind {
        Kind::Puback => Place::Puback,
        Kind::Pubrec => Place::Pubrec,
        Kind::Pubrel => Place::Pubrel,
        _ => Place::Pubcomp,
    }
}
