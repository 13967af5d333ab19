//! UNSUBSCRIBE: filters that are no longer wanted.

use alloc::vec::Vec;
use core::fmt;

use super::packet::Body;
use super::reader::Reader;
use super::rules::Rule;
use super::{Filter, Kind, PacketId, Place, Properties, Reason, Sender, Version, writer};

const EMPTY: Rule = Rule::protocol("MQTT3 3.10.3-2", "MQTT5 3.10.3-2", "UNSUBSCRIBE without a topic filter");

/// A run of filters as it stands on the wire, checked once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a> {
    bytes: &'a [u8],
    version: Version,
}

impl<'a> Filters<'a> {
    /// Each filter, in order.
    pub fn iter(self) -> impl Iterator<Item = Filter<'a>> + Clone {
        let mut reader = Reader::new(self.version, Kind::Unsubscribe, self.bytes);
        core::iter::from_fn(move || Filter::new(reader.version, reader.utf8().ok()?).ok())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Reason> {
        let (version, bytes) = (reader.version, reader.left());
        while !reader.is_empty() {
            Filter::new(version, reader.utf8()?)?;
        }
        Ok(Self { bytes, version })
    }

    fn check(self, version: Version) -> Result<(), Reason> {
        EMPTY.require(!self.bytes.is_empty(), version)?;
        if self.version == version {
            return Ok(());
        }
        Self::read(&mut Reader::new(version, Kind::Unsubscribe, self.bytes)).map(|_| ())
    }
}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Filters under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiltersBuf {
    version: Version,
    bytes: Vec<u8>,
}

impl FiltersBuf {
    /// None yet. An empty UNSUBSCRIBE is refused when it is written \[MQTT3 3.10.3-2, MQTT5 3.10.3-2\].
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self { version, bytes: Vec::new() }
    }

    /// Adds one filter.
    ///
    /// # Errors
    /// A filter that is none in this version; nothing is added then.
    pub fn push(&mut self, filter: &str) -> Result<(), Reason> {
        Filter::new(self.version, filter)?;
        writer::field(&mut self.bytes, filter.as_bytes());
        Ok(())
    }

    /// The same with one filter more.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn with(mut self, filter: &str) -> Result<Self, Reason> {
        self.push(filter)?;
        Ok(self)
    }

    /// What UNSUBSCRIBE holds.
    #[must_use]
    pub fn view(&self) -> Filters<'_> {
        Filters { bytes: &self.bytes, version: self.version }
    }

    /// Removes all; the memory stays for the next packet.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// A request to end subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The identifier that UNSUBACK repeats.
    pub id: PacketId,
    /// User properties.
    pub properties: Properties<'a>,
    /// At least one filter \[MQTT3 3.10.3-2, MQTT5 3.10.3-2\].
    pub filters: Filters<'a>,
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Reason> {
        let id = reader.packet_id(Sender::Client)?;
        let properties = Properties::read(Place::Unsubscribe, &mut reader)?;
        EMPTY.require(!reader.is_empty(), reader.version)?;
        Ok(Self { id, properties, filters: Filters::read(&mut reader)? })
    }
}

impl Body for Unsubscribe<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Unsubscribe, version)?;
        self.filters.check(version)
    }

    fn len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version) + self.filters.bytes.len()
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        writer::two_bytes(out, self.id.get());
        self.properties.write(version, out);
        out.extend_from_slice(self.filters.bytes);
    }
}
