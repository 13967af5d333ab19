//! Properties of MQTT 5: a slice that was checked once, read through an iterator or typed getters.
//!
//! [`Properties`] is what packets hold, whether it was cut from the wire or built with [`PropertiesBuf`]: the same bytes, the
//! same checks. Values that other packets limit (an alias above the maximum, a feature that was not announced) are not judged.

mod build;
mod check;
mod getters;
mod table;

use core::fmt;

use super::reader::Reader;
use super::rules::{self, Rule};
use super::{Kind, Reason, Sender, Version};

pub use build::PropertiesBuf;
use check::{LOOK, NOT_HERE, check};
pub use table::{PROPERTIES, PropertyId, PropertyRow};

/// Where properties stand: in a packet, or in the Will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of the packets")]
pub enum Place {
    Will = 0,
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Disconnect = 14,
    Auth = 15,
}

impl Place {
    /// Every place, by number of the packet type; the Will comes first.
    pub const ALL: [Self; 14] = [
        Self::Will,
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Disconnect,
        Self::Auth,
    ];

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// The type of a property's value \[MQTT5 §2.2.2.2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// One byte.
    Byte,
    /// A two byte integer.
    TwoBytes,
    /// A four byte integer.
    FourBytes,
    /// A variable byte integer of at most four bytes.
    Varint,
    /// A string.
    Text,
    /// Binary data of at most 65,535 bytes.
    Binary,
    /// Two strings: name and value.
    Pair,
}

/// The value of a property. Integers have one variant: their width follows from the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A byte, a two or four byte integer, or a variable byte integer.
    Int(u32),
    /// A string.
    Text(&'a str),
    /// Binary data.
    Binary(&'a [u8]),
    /// Name and value of a user property.
    Pair(&'a str, &'a str),
}

/// Properties that may stand where they stand: known, allowed there, of their type, in range, repeated only where that is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Properties<'a> {
    bytes: &'a [u8],
    /// One bit per identifier that is there: what is not there is not searched for.
    seen: u64,
    place: Place,
}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a> Properties<'a> {
    /// No properties; legal everywhere, also in 3.1.1.
    pub const EMPTY: Self = Self { bytes: &[], seen: 0, place: Place::Will };

    /// Checks a run of properties, without its Property Length.
    ///
    /// # Errors
    /// Unknown, foreign to this place, cut short, out of range, or repeated \[MQTT5 §2.2.2.2 and the property's section\].
    pub fn new(place: Place, bytes: &'a [u8]) -> Result<Self, Reason> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        let seen = check(place, bytes)?;
        Ok(Self { bytes, seen, place })
    }

    /// Property Length and properties. In 3.1.1 there are none, and nothing is read.
    #[inline]
    pub(crate) fn read(place: Place, reader: &mut Reader<'a>) -> Result<Self, Reason> {
        if reader.version == Version::V311 {
            return Ok(Self::EMPTY);
        }
        if reader.is_empty() {
            return Err(NO_LENGTH.refuse(Version::V5));
        }
        let len = reader.varint()?;
        if len == 0 {
            return Ok(Self::EMPTY);
        }
        Self::new(place, reader.take(len as usize)?)
    }

    /// The properties as they stand on the wire, without the Property Length.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// No properties at all.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether this property is there.
    #[inline]
    #[must_use]
    pub const fn has(self, id: PropertyId) -> bool {
        self.seen & 1 << id as u8 != 0
    }

    /// Every property in the order of the wire.
    #[must_use]
    pub const fn iter(self) -> Iter<'a> {
        Iter { rest: self.bytes }
    }

    /// These properties in MQTT 5, none in 3.1.1: for a packet that goes to peers of both versions.
    #[must_use]
    pub const fn for_version(self, version: Version) -> Self {
        match version {
            Version::V311 => Self::EMPTY,
            Version::V5 => self,
        }
    }

    /// `Err` if these properties were made for another place, or for a version without any.
    pub(crate) fn fit(self, place: Place, version: Version) -> Result<(), Reason> {
        if self.is_empty() {
            return Ok(());
        }
        rules::ONLY_IN_V5.require(version == Version::V5, version)?;
        NOT_HERE.require(self.place == place, version)
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = (PropertyId, Value<'a>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Reads properties one by one.
#[derive(Clone, Copy, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (PropertyId, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = Reader::new(Version::V5, Kind::Auth, self.rest);
        let id = PropertyId::from_number(reader.byte().ok()?)?;
        let value = read_value(LOOK[id as usize].kind, &mut reader).ok()?;
        self.rest = reader.left();
        Some((id, value))
    }
}

/// Reads one value of properties that were checked.
fn read_value<'a>(kind: ValueKind, reader: &mut Reader<'a>) -> Result<Value<'a>, Reason> {
    match kind {
        ValueKind::Byte => reader.byte().map(|value| Value::Int(value.into())),
        ValueKind::TwoBytes => reader.two_bytes().map(|value| Value::Int(value.into())),
        ValueKind::FourBytes => reader.four_bytes().map(Value::Int),
        ValueKind::Varint => reader.varint().map(Value::Int),
        ValueKind::Text => reader.utf8().map(Value::Text),
        ValueKind::Binary => reader.field().map(Value::Binary),
        ValueKind::Pair => Ok(Value::Pair(reader.utf8()?, reader.utf8()?)),
    }
}

impl PropertyId {
    /// The row of the table.
    #[must_use]
    pub fn row(self) -> &'static PropertyRow {
        &PROPERTIES[PROPERTIES.binary_search_by_key(&self, |row| row.id).unwrap_or(0)]
    }

    /// The identifier with this number; all known ones are below 128.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        LOOK.get(usize::from(number))?.id
    }

    /// The name the standard gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The section that describes this property at this place; of its first place if it may not stand here.
    pub(super) fn section(self, place: Place) -> &'static str {
        let places = self.row().places;
        places.iter().find(|(p, _)| *p == place).unwrap_or(&places[0]).1
    }
}

const NO_LENGTH: Rule = Rule::malformed("MQTT3 7.0.0-2", "MQTT5 2.2.2-1", "the Property Length is left out");
const IDENTIFIER_FROM_CLIENT: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.3.4-6", "a Subscription Identifier in a PUBLISH from a client");
const EXPIRY_FROM_SERVER: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.14.2-2", "a Session Expiry Interval in a DISCONNECT from a server");
const REFERENCE_FROM_CLIENT: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 §3.14.2.2.5", "a Server Reference in a DISCONNECT from a client");

/// What one side may not put into PUBLISH or DISCONNECT although the table allows it there.
#[inline]
pub(crate) fn sent_by(properties: Properties<'_>, sender: Sender) -> Result<(), Reason> {
    use PropertyId as Id;
    let (id, rule) = match (properties.place, sender) {
        (Place::Publish, Sender::Client) => (Id::SubscriptionIdentifier, IDENTIFIER_FROM_CLIENT),
        (Place::Disconnect, Sender::Server) => (Id::SessionExpiryInterval, EXPIRY_FROM_SERVER),
        (Place::Disconnect, Sender::Client) => (Id::ServerReference, REFERENCE_FROM_CLIENT),
        _ => return Ok(()),
    };
    rule.require(!properties.has(id), Version::V5)
}
