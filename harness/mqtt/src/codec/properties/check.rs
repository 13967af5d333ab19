//! What may stand where: one walk over the bytes, one row of a small table for each property.

use core::str;

use super::{PROPERTIES, Place, PropertyId, PropertyRow, ValueKind};
use crate::codec::reader::Reader;
use crate::codec::rules::{self, Rule};
use crate::codec::topic::no_nul_no_wildcard;
use crate::codec::{Kind, Reason, ReasonCode, Version, scan, strings};

const UNKNOWN: Rule = Rule::malformed("MQTT3 7.0.0-2", "MQTT5 §2.2.2.2", "an unknown property");
pub(super) const NOT_HERE: Rule =
    Rule::malformed("MQTT3 7.0.0-2", "MQTT5 §2.2.2.2", "a property that this packet may not carry");
pub(super) const CUT_SHORT: Rule =
    Rule::malformed("MQTT3 7.0.0-2", "MQTT5 §2.2.2.2", "a property that ends after the Property Length");
const WILDCARD: Rule = Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.3.2-14", "a wildcard in a Response Topic");
const PAIR_TEXT: Rule = Rule::malformed("MQTT3 7.0.0-2", "MQTT5 1.5.7-1", "a user property that is not well-formed");
const ALIAS_ZERO: Rule =
    Rule::protocol("MQTT3 7.0.0-2", "MQTT5 3.3.2-8", "Topic Alias 0").answer(ReasonCode::TOPIC_ALIAS_INVALID);
/// What a decoder asks about one identifier, close together.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// `None` if this identifier is unknown.
    pub(super) id: Option<PropertyId>,
    pub(super) kind: ValueKind,
    /// One bit per place where it may stand.
    places: u16,
    /// One bit per place where it may stand more than once.
    repeats: u16,
    range: Range,
}

/// The integers that a property takes.
#[derive(Clone, Copy)]
enum Range {
    Any,
    /// 0 or 1.
    Flag,
    NotZero,
}

/// `PROPERTIES` by identifier.
pub(super) static LOOK: [Look; 128] = {
    let unknown = Look { id: None, kind: ValueKind::Byte, places: 0, repeats: 0, range: Range::Any };
    let mut looks = [unknown; 128];
    let mut at = 0;
    while at < PROPERTIES.len() {
        looks[PROPERTIES[at].id as usize] = look(&PROPERTIES[at]);
        at += 1;
    }
    looks
};

const fn look(row: &PropertyRow) -> Look {
    let (mut places, mut repeats, mut at) = (0, 0, 0);
    while at < row.places.len() {
        places |= row.places[at].0.bit();
        at += 1;
    }
    at = 0;
    while at < row.repeats.len() {
        repeats |= row.repeats[at].bit();
        at += 1;
    }
    Look { id: Some(row.id), kind: row.kind, places, repeats, range: range(row) }
}

/// Every property of one byte is a flag, also Maximum QoS.
const fn range(row: &PropertyRow) -> Range {
    use PropertyId as Id;
    match row.id {
        _ if matches!(row.kind, ValueKind::Byte) => Range::Flag,
        Id::ReceiveMaximum | Id::MaximumPacketSize | Id::SubscriptionIdentifier | Id::TopicAlias => Range::NotZero,
        _ => Range::Any,
    }
}

/// Walks over all properties and refuses the first that may not be there; yields the set of those that are.
pub(super) fn check(place: Place, bytes: &[u8]) -> Result<u64, Reason> {
    let mut reader = Reader::new(Version::V5, Kind::Auth, bytes);
    let mut seen = 0;
    while let Some(&id) = reader.left().first() {
        let Some(look) = LOOK.get(usize::from(id)) else { return Err(no_such(reader)) };
        seen = may_stand(id, look, place, seen)?;
        reader.byte()?;
        check_value(id, look, place, &mut reader).map_err(cut_short)?;
    }
    Ok(seen)
}

/// Whether a property may stand here, given those before it; yields the new set.
#[inline]
pub(super) fn may_stand(id: u8, look: &Look, place: Place, seen: u64) -> Result<u64, Reason> {
    if look.places & place.bit() == 0 {
        let rule = if look.id.is_none() { UNKNOWN } else { NOT_HERE };
        return Err(rule.refuse(Version::V5));
    }
    // All known identifiers are below 64.
    let bit = 1 << id;
    if seen & bit != 0 && look.repeats & place.bit() == 0 {
        return Err(broken(id, place, "a property that may stand only once stands twice"));
    }
    Ok(seen | bit)
}

/// Reads over one value.
#[inline]
fn check_value(id: u8, look: &Look, place: Place, reader: &mut Reader<'_>) -> Result<(), Reason> {
    match look.kind {
        ValueKind::Byte => in_range(id, look, reader.byte()?.into(), place),
        ValueKind::TwoBytes => in_range(id, look, reader.two_bytes()?.into(), place),
        ValueKind::FourBytes => in_range(id, look, reader.four_bytes()?, place),
        ValueKind::Varint => in_range(id, look, reader.varint()?, place),
        ValueKind::Text => check_text(id, reader.utf8()?),
        ValueKind::Binary => reader.field().map(|_| ()),
        ValueKind::Pair => {
            check_pair(reader.field()?)?;
            check_pair(reader.field()?)
        }
    }
}

/// The ranges that a property's own section gives.
#[inline]
pub(super) fn in_range(id: u8, look: &Look, value: u32, place: Place) -> Result<(), Reason> {
    match (look.range, value) {
        (Range::Flag, 2..) => Err(broken(id, place, "a property other than 0 or 1")),
        (Range::NotZero, 0) if id == PropertyId::TopicAlias as u8 => Err(ALIAS_ZERO.refuse(Version::V5)),
        (Range::NotZero, 0) => Err(broken(id, place, "a property that may not be 0")),
        _ => Ok(()),
    }
}

#[inline]
pub(super) fn check_text(id: u8, text: &str) -> Result<(), Reason> {
    if id == PropertyId::ResponseTopic as u8 {
        return no_nul_no_wildcard(Version::V5, text, WILDCARD);
    }
    strings::no_nul(Version::V5, text)
}

/// One of the two strings of a user property.
#[inline]
pub(super) fn check_pair(bytes: &[u8]) -> Result<(), Reason> {
    PAIR_TEXT.require(str::from_utf8(bytes).is_ok() && !scan::has_nul(bytes), Version::V5)
}

/// An identifier is a variable byte integer, though all known ones take one byte; this one takes more.
#[cold]
fn no_such(mut reader: Reader<'_>) -> Reason {
    match reader.varint() {
        Ok(_) => UNKNOWN.refuse(Version::V5),
        Err(reason) => cut_short(reason),
    }
}

/// A value that runs out of bytes is not of its data type.
#[cold]
fn cut_short(reason: Reason) -> Reason {
    if reason == rules::short(Kind::Auth).refuse(Version::V5) { CUT_SHORT.refuse(Version::V5) } else { reason }
}

/// A Protocol Error by the section that describes this property here.
#[cold]
fn broken(id: u8, place: Place, what: &'static str) -> Reason {
    let clause = PropertyId::from_number(id).map_or("MQTT5 §2.2.2.2", |id| id.section(place));
    Reason { clause, code: ReasonCode::PROTOCOL_ERROR, what }
}
