//! Where canaries were seen: the connection, the packet, the topic or path.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::record::{Moment, Record};
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
}

impl Sighting<'_> {
    /// Topic or path of the packet.
    #[must_use]
    pub fn topic(&self) -> Option<String> {
        self.packet.and_then(name_of)
    }
}

/// `fleet` or `fleet:filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<'a> {
    /// As it was written.
    pub text: &'a str,
    /// The fleet.
    pub fleet: &'a str,
    /// Only on topics or paths under this filter.
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

    /// Whether a sighting is there; `None` where the packet or its topic is not known.
    #[must_use]
    pub fn holds(&self, seen: &Sighting<'_>) -> Option<bool> {
        if seen.fleet != self.fleet {
            return Some(false);
        }
        match self.filter {
            None => Some(true),
            Some(filter) => seen.topic().map(|topic| covers(filter, &topic)),
        }
    }
}

/// Whether a filter (`site/+/t`, `site/#`) covers a topic or path; levels are cut at `/`, and a wildcard in the first level
/// covers no name that begins with `$`.
#[must_use]
pub fn covers(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = name.split('/');
    let mut parts = filter.split('/').peekable();
    while let Some(part) = parts.next() {
        match (part, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
        // `a/#` covers `a` too.
        if parts.peek() == Some(&"#") && levels.clone().next().is_none() {
            return true;
        }
    }
    levels.next().is_none()
}

/// Every arrival of a canary, in order.
#[must_use]
pub fn sightings<'a>(plan: &Plan, record: &Record<'a>, name: &str) -> Vec<Sighting<'a>> {
    let text = plan.canaries.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text);
    let seen = record.transcript.iter().filter_map(|(id, entry)| match (&entry.event, &entry.who) {
        (Event::Seen { canary, conn }, Who::Member(fleet, member)) if canary == name => {
            let moment = Moment { at: entry.at, id };
            let packet = carrier(record, moment, *conn, text);
            Some(Sighting { moment, fleet, member: *member, conn: *conn, packet })
        }
        _ => None,
    });
    seen.collect()
}

/// The packet that was completed on this connection at this moment and carries the canary. Looked for in the entries next to the
/// sighting: bytes and sightings are recorded together.
fn carrier<'a>(record: &Record<'a>, seen: Moment, conn: u32, text: &str) -> Option<&'a Packet> {
    let entries = &record.transcript.entries;
    let at = seen.id.0 as usize;
    let same = |entry: &&'a crate::transcript::Entry| entry.at == seen.at;
    let before = entries[..at].iter().rev().take_while(same);
    let after = entries[at + 1..].iter();
    before.chain(after).find_map(|entry| match &entry.event {
        Event::Received(bytes) if bytes.conn == conn => bytes.packets.iter().rev().find(|packet| carries(packet, text)),
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

/// Topic, or path levels joined by `/`, without the slash that a path begins with: filters name levels.
#[must_use]
pub fn name_of(packet: &Packet) -> Option<String> {
    if let Some(topic) = packet.fields.text("topic").filter(|topic| !topic.is_empty()) {
        return Some(topic.to_string());
    }
    let path = packet.fields.find("path")?.as_slice();
    let levels: Vec<&str> = path.iter().filter_map(Value::as_text).collect();
    let joined = levels.join("/");
    Some(joined.strip_prefix('/').map(str::to_string).unwrap_or(joined))
}
