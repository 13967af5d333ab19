//! Where canaries were seen: the connection, the packet, the resource that it is about.
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record};
use crate::grammar::Grammar;
use crate::ids::EntryId;
use crate::plan::Plan;
use crate::transcript::{Event, Packet, Who};
use crate::value::Value;

/// One arrival of a canary.
#[derive(Clone, Debug)]
pub struct Sighting<'a> {
    /// When.
    pub moment: Moment,
    /// The fleet where.
    pub fleet: &'a str,
    /// The member where.
    pub member: u32,
    /// The connection where.
    pub conn: u32,
    /// The packet that carried it, where one was recognised.
    pub packet: Option<&'a Packet>,
    /// What is known of packets there.
    pub grammar: &'static Grammar,
}

impl Sighting<'_> {
    /// Resource that the packet is about: its topic or path.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        self.packet.and_then(self.grammar.resource)
    }
}

/// `fleet` or `fleet:filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<'a> {
    /// As it was written.
    pub text: &'a str,
    /// The fleet.
    pub fleet: &'a str,
    /// Only on resources under this filter.
    pub filter: Option<&'a str>,
}

impl<'a> At<'a> {
    /// Reads `fleet[:filter]`.
    #[must_use]
    pub fn parse(text: &'a str) -> At<'a> {
        match text.split_once(':') {
            Some((fleet, filter)) => At { text, fleet, filter: Some(filter) },
            None => At { text, fleet: text, filter: None },
        }
    }

    /// Whether a sighting is there; `None` where the packet or its resource is not known.
    #[must_use]
    pub fn holds(&self, seen: &Sighting<'_>) -> Option<bool> {
        if seen.fleet != self.fleet {
            return Some(false);
        }
        match self.filter {
            None => Some(true),
            Some(filter) => seen.resource().map(|resource| (seen.grammar.covers)(filter, &resource)),
        }
    }
}

/// Every arrival of a canary, in order.
#[must_use]
pub fn sightings<'a>(plan: &Plan, record: &Record<'a>, name: &str) -> Vec<Sighting<'a>> {
    let text = plan.canaries.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text);
    let seen = record.transcript.iter().filter_map(|(id, entry)| match (&entry.event, &entry.who) {
        (Event::Seen { canary, conn }, Who::Member(fleet, member)) if canary == name => {
            let moment = Moment { at: entry.at, id };
            let packet = carrier(record, moment, *conn, text);
            Some(Sighting { moment, fleet, member: *member, conn: *conn, packet, grammar: plan.grammar(fleet) })
        }
        _ => None,
    });
    seen.collect()
}

/// The packet that was completed on this connection at this moment and carries the canary. Looked for in the entries next to the
/// sighting: bytes and sightings are recorded together.
fn carrier<'a>(record: &Record<'a>, seen: Moment, conn: u32, text: &str) -> Option<&'a Packet> {
    let own = record.bytes_of(conn);
    let (before, after) = own.split_at(own.partition_point(|id| *id < seen.id));
    let entry = |id: &EntryId| &record.transcript.entries[id.0 as usize];
    let before = before.iter().rev().map(entry).take_while(|entry| entry.at == seen.at);
    before.chain(after.iter().map(entry)).find_map(|entry| match &entry.event {
        Event::Received(bytes) => bytes.packets.iter().rev().find(|packet| carries(packet, text)),
        _ => None,
    })
}

/// Whether any field of a packet holds the text.
#[must_use]
pub fn carries(packet: &Packet, text: &str) -> bool {
    !text.is_empty() && packet.fields.iter().any(|(_, value)| holds(value, text))
}

/// Whether a value holds the text, at any depth.
#[must_use]
pub fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::Text(t) => t.contains(text),
        Value::Bytes(bytes) => memchr::memmem::find(bytes, text.as_bytes()).is_some(),
        Value::List(all) => all.iter().any(|value| holds(value, text)),
        Value::Table(fields) => fields.iter().any(|(_, value)| holds(value, text)),
        _ => false,
    }
}
