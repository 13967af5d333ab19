//! DISCONNECT: the last packet; in MQTT 5 from either side and with a reason.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::{Kind, Place, Properties, Reason, ReasonCode, Sender, Version, properties, rules};

/// The end of a connection. In 3.1.1 it has no body, and only clients send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why \[MQTT5 3.14.2-1\]; 0x00 in 3.1.1.
    pub reason: ReasonCode,
    /// Session expiry (from clients), server reference (from servers), Reason String, user properties.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// This reason, without properties.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::EMPTY }
    }

    /// Reason and Property Length may be left out from the end.
    pub(crate) fn read(sender: Sender, mut reader: Reader<'a>) -> Result<Self, Reason> {
        let mut disconnect = Self::default();
        if reader.version == Version::V5 && !reader.is_empty() {
            disconnect.reason = ReasonCode(reader.byte()?);
            let legal = disconnect.reason.legal(reader.version, Kind::Disconnect, sender);
            rules::bad_code(Kind::Disconnect).require(legal, reader.version)?;
            if !reader.is_empty() {
                disconnect.properties = Properties::read(Place::Disconnect, &mut reader)?;
                properties::sent_by(disconnect.properties, sender)?;
            }
        }
        reader.finish()?;
        Ok(disconnect)
    }
}

impl Body for Disconnect<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Disconnect, version)?;
        let sender = Sender::ALL.into_iter().find(|&sender| {
            self.reason.legal(version, Kind::Disconnect, sender) && properties::sent_by(self.properties, sender).is_ok()
        });
        rules::bad_code(Kind::Disconnect).require(sender.is_some(), version)
    }

    fn len(&self, version: Version) -> usize {
        match (self.reason.0, self.properties.is_empty()) {
            (0, true) => 0,
            (_, true) => 1,
            (_, false) => 1 + self.properties.encoded_len(version),
        }
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        let properties = !self.properties.is_empty();
        if properties || self.reason.0 != 0 {
            out.push(self.reason.0);
        }
        if properties {
            self.properties.write(version, out);
        }
    }
}
