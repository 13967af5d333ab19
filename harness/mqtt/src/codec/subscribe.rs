//! SUBSCRIBE: filters, and how each wants to be served.

use alloc::vec::Vec;
use core::fmt;

use super::packet::Body;
use super::reader::Reader;
use super::rules::Rule;
use super::{Filter, Kind, PacketId, Place, Properties, QoS, Reason, Sender, Version, writer};

const EMPTY: Rule = Rule::protocol("MQTT3 3.8.3-3", "MQTT5 3.8.3-2", "SUBSCRIBE without a topic filter");
const RESERVED_BITS: Rule =
    Rule::malformed("MQTT3 3.8.3-4", "MQTT5 3.8.3-5", "reserved bits of the subscription options");
const QOS_3: Rule = Rule::protocol("MQTT3 3.8.3-4", "MQTT5 §3.8.3.1", "QoS 3 in the subscription options");
const RETAIN_HANDLING_3: Rule = Rule::protocol("MQTT3 3.8.3-4", "MQTT5 §3.8.3.1", "Retain Handling 3");
const NO_LOCAL_SHARED: Rule = Rule::protocol("MQTT3 3.8.3-4", "MQTT5 3.8.3-4", "No Local on a shared subscription");

/// Which retained messages a new subscription gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// All that match \[MQTT5 3.3.1-9\]; what 3.1.1 always does.
    #[default]
    Send = 0,
    /// Only if there was no such subscription before \[MQTT5 3.3.1-10\].
    SendIfNew = 1,
    /// None \[MQTT5 3.3.1-11\].
    DoNotSend = 2,
}

/// How one filter wants to be served. 3.1.1 has the quality only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscribeOptions {
    /// The highest quality that the client wants to receive.
    pub qos: QoS,
    /// The client's own messages do not come back \[MQTT5 3.8.3-3\].
    pub no_local: bool,
    /// RETAIN stays as the publisher set it \[MQTT5 3.3.1-13\].
    pub retain_as_published: bool,
    /// Which retained messages come first.
    pub retain_handling: RetainHandling,
}

impl SubscribeOptions {
    /// This quality, all else as in 3.1.1.
    #[must_use]
    pub const fn new(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Send }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.qos.number()
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }

    /// Reads the byte on the wire.
    ///
    /// # Errors
    /// Reserved bits, QoS 3, Retain Handling 3 \[MQTT3 3.8.3-4, MQTT5 3.8.3-5, §3.8.3.1\].
    pub fn from_byte(version: Version, byte: u8) -> Result<Self, Reason> {
        let reserved = match version {
            Version::V311 => 0b1111_1100,
            Version::V5 => 0b1100_0000,
        };
        RESERVED_BITS.require(byte & reserved == 0, version)?;
        let retain_handling = match byte >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(RETAIN_HANDLING_3.refuse(version)),
        };
        Ok(Self {
            qos: QoS::from_number(byte & 3).ok_or_else(|| QOS_3.refuse(version))?,
            no_local: byte & 0b100 != 0,
            retain_as_published: byte & 0b1000 != 0,
            retain_handling,
        })
    }
}

/// One filter with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Which topics.
    pub filter: Filter<'a>,
    /// How.
    pub options: SubscribeOptions,
}

impl<'a> Subscription<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Reason> {
        let version = reader.version;
        let filter = Filter::new(version, reader.utf8()?)?;
        let subscription = Self { filter, options: SubscribeOptions::from_byte(version, reader.byte()?)? };
        subscription.check(version)?;
        Ok(subscription)
    }

    fn check(&self, version: Version) -> Result<(), Reason> {
        let shared = version == Version::V5 && self.options.no_local && self.filter.share().is_some();
        NO_LOCAL_SHARED.require(!shared, version)
    }
}

/// A run of subscriptions as it stands on the wire, checked once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Subscriptions<'a> {
    bytes: &'a [u8],
    /// The version that it was checked for; for the other one it is checked again.
    version: Version,
}

impl<'a> Subscriptions<'a> {
    /// Each filter with its options, in order.
    pub fn iter(self) -> impl Iterator<Item = Subscription<'a>> + Clone {
        let mut reader = Reader::new(self.version, Kind::Subscribe, self.bytes);
        core::iter::from_fn(move || Subscription::read(&mut reader).ok())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Reason> {
        let (version, bytes) = (reader.version, reader.left());
        while !reader.is_empty() {
            Subscription::read(reader)?;
        }
        Ok(Self { bytes, version })
    }

    fn check(self, version: Version) -> Result<(), Reason> {
        EMPTY.require(!self.bytes.is_empty(), version)?;
        if self.version == version {
            return Ok(());
        }
        Self::read(&mut Reader::new(version, Kind::Subscribe, self.bytes)).map(|_| ())
    }
}

impl fmt::Debug for Subscriptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Subscriptions under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionsBuf {
    version: Version,
    bytes: Vec<u8>,
}

impl SubscriptionsBuf {
    /// None yet. An empty SUBSCRIBE is refused when it is written \[MQTT3 3.8.3-3, MQTT5 3.8.3-2\].
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self { version, bytes: Vec::new() }
    }

    /// Adds one filter.
    ///
    /// # Errors
    /// A filter that is none, options that this version does not have, No Local on a shared subscription; nothing is added then.
    pub fn push(&mut self, filter: &str, options: SubscribeOptions) -> Result<(), Reason> {
        let subscription = Subscription {
            filter: Filter::new(self.version, filter)?,
            options: SubscribeOptions::from_byte(self.version, options.to_byte())?,
        };
        subscription.check(self.version)?;
        writer::field(&mut self.bytes, filter.as_bytes());
        self.bytes.push(options.to_byte());
        Ok(())
    }

    /// The same with one filter more.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn with(mut self, filter: &str, options: SubscribeOptions) -> Result<Self, Reason> {
        self.push(filter, options)?;
        Ok(self)
    }

    /// What SUBSCRIBE holds.
    #[must_use]
    pub fn view(&self) -> Subscriptions<'_> {
        Subscriptions { bytes: &self.bytes, version: self.version }
    }

    /// Removes all; the memory stays for the next packet.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// A request for subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The identifier that SUBACK repeats.
    pub id: PacketId,
    /// Subscription Identifier and user properties.
    pub properties: Properties<'a>,
    /// At least one filter \[MQTT3 3.8.3-3, MQTT5 3.8.3-2\].
    pub subscriptions: Subscriptions<'a>,
}

impl<'a> Subscribe<'a> {
    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Reason> {
        let id = reader.packet_id(Sender::Client)?;
        let properties = Properties::read(Place::Subscribe, &mut reader)?;
        EMPTY.require(!reader.is_empty(), reader.version)?;
        Ok(Self { id, properties, subscriptions: Subscriptions::read(&mut reader)? })
    }
}

impl Body for Subscribe<'_> {
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Subscribe, version)?;
        self.subscriptions.check(version)
    }

    fn len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version) + self.subscriptions.bytes.len()
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        writer::two_bytes(out, self.id.get());
        self.properties.write(version, out);
        out.extend_from_slice(self.subscriptions.bytes);
    }
}
