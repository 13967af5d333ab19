//! Reads one direction of a stream into packets of names and values, legal or not.
//!
//! What the strict decoder refuses becomes a packet with `malformed`: the reason with its clause, and the fields that could still
//! be read. As long as lengths are sane the stream stays in step; after a length of five bytes or more nothing is read any more.
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::protocol::{Describe, From};
use proofhouse_core::transcript::Packet as Told;
use proofhouse_core::value::{Fields, Value};

use crate::codec::{
    self, Connect, Cut, Kind, Packet, Properties, PropertyId, Publish, Sender, Subscribe, Version, split,
};
use crate::names;

/// Payloads are told up to here; the bytes themselves stand in the transcript anyway.
const PAYLOAD_MAX: usize = 4096;
/// Bytes of a malformed packet that are told.
const RAW_MAX: usize = 64;

/// One direction of a connection.
pub struct Stream {
    version: Version,
    sender: Sender,
    held: Vec<u8>,
    lost: bool,
}

/// For [`Protocol::describe`](proofhouse_core::protocol::Protocol::describe).
#[must_use]
pub fn describe(version: &str, from: From) -> Box<dyn Describe> {
    let sender = match from {
        From::Client => Sender::Client,
        From::Server => Sender::Server,
    };
    Box::new(Stream::new(names::version(version), sender))
}

impl Stream {
    /// The stream that `sender` sends.
    #[must_use]
    pub const fn new(version: Version, sender: Sender) -> Stream {
        Stream { version, sender, held: Vec::new(), lost: false }
    }

    /// Bytes of a packet that is not whole yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Reads whole packets off `bytes`; yields how many bytes they took.
    fn read(&mut self, bytes: &[u8], packets: &mut Vec<Told>) -> usize {
        let mut used = 0;
        while !self.lost {
            // 3.1.1 tolerates padded lengths: the stream stays in step, and MQTT 5 judges afterwards.
            match split(Version::V311, self.sender, u32::MAX, &bytes[used..]) {
                Ok(None) => break,
                Ok(Some(cut)) => {
                    self.follow(cut);
                    packets.push(self.packet(cut, &bytes[used..used + cut.size]));
                    used += cut.size;
                }
                Err(reason) => {
                    self.lost = true;
                    let reason = split(self.version, self.sender, u32::MAX, &bytes[used..]).err().unwrap_or(reason);
                    packets.push(garbled(self.version, bytes[used], &bytes[used + 1..], reason.to_string()));
                    return bytes.len();
                }
            }
        }
        used
    }

    /// A client says in CONNECT which version it speaks. Where we play the server that may be another one than was planned.
    fn follow(&mut self, cut: Cut<'_>) {
        if self.sender == Sender::Client
            && cut.kind() == Some(Kind::Connect)
            && let Ok((version, _)) = Connect::first(cut)
        {
            self.version = version;
        }
    }

    fn packet(&self, cut: Cut<'_>, whole: &[u8]) -> Told {
        let padded = split(self.version, self.sender, u32::MAX, whole).err();
        let read = Packet::decode(self.version, self.sender, cut.first, cut.body);
        match (padded, read) {
            (None, Ok(packet)) => tell(&packet, self.version),
            (Some(reason), Ok(packet)) => Told { malformed: reason.to_string(), ..tell(&packet, self.version) },
            (_, Err(reason)) => garbled(self.version, cut.first, cut.body, reason.to_string()),
        }
    }
}

impl Describe for Stream {
    fn bytes(&mut self, bytes: &[u8], packets: &mut Vec<Told>) {
        if self.lost {
            return;
        }
        if self.held.is_empty() {
            let used = self.read(bytes, packets);
            self.held.extend_from_slice(&bytes[used..]);
        } else {
            self.held.extend_from_slice(bytes);
            let held = core::mem::take(&mut self.held);
            let used = self.read(&held, packets);
            self.held = held;
            self.held.drain(..used);
        }
        if self.lost {
            self.held = Vec::new();
        }
    }
}

/// A legal packet in names and values.
#[must_use]
pub fn tell(packet: &Packet<'_>, version: Version) -> Told {
    let mut fields = Fields::default();
    match packet {
        Packet::Connect(connect) => tell_connect(connect, &mut fields),
        Packet::Connack(connack) => {
            fields.set("reason", u32::from(connack.code.0));
            fields.set("session_present", connack.session_present);
            properties(connack.properties, names::property, &mut fields);
        }
        Packet::Publish(publish) => tell_publish(publish, &mut fields),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            fields.set("packet_id", u32::from(ack.id.get()));
            fields.set("reason", u32::from(ack.reason.0));
            properties(ack.properties, names::property, &mut fields);
        }
        Packet::Subscribe(subscribe) => tell_subscribe(subscribe, version, &mut fields),
        Packet::Suback(ack) => {
            fields.set("packet_id", u32::from(ack.id.get()));
            codes(ack.codes, &mut fields);
            properties(ack.properties, names::property, &mut fields);
        }
        Packet::Unsubscribe(unsubscribe) => {
            fields.set("packet_id", u32::from(unsubscribe.id.get()));
            let filters = unsubscribe.filters.iter().map(|filter| Value::from(filter.as_str())).collect();
            one_or_list("filter", "filters", filters, &mut fields);
            properties(unsubscribe.properties, names::property, &mut fields);
        }
        Packet::Unsuback(ack) => {
            fields.set("packet_id", u32::from(ack.id.get()));
            codes(ack.codes, &mut fields);
            properties(ack.properties, names::property, &mut fields);
        }
        Packet::Pingreq | Packet::Pingresp => {}
        Packet::Disconnect(disconnect) => {
            fields.set("reason", u32::from(disconnect.reason.0));
            properties(disconnect.properties, names::property, &mut fields);
        }
        Packet::Auth(auth) => {
            fields.set("reason", u32::from(auth.reason.0));
            properties(auth.properties, names::property, &mut fields);
        }
    }
    Told { kind: names::kind(packet.kind()).to_string(), fields, malformed: String::new() }
}

fn tell_connect(connect: &Connect<'_>, fields: &mut Fields) {
    fields.set("client_id", connect.client_id.as_str());
    fields.set("clean_start", connect.clean_start);
    fields.set("keep_alive", u32::from(connect.keep_alive));
    if let Some(name) = connect.user_name {
        fields.set("username", name.as_str());
    }
    if let Some(password) = connect.password {
        fields.set("password", Value::from_payload(&password));
    }
    if let Some(will) = &connect.will {
        fields.set("will_topic", will.topic.as_str());
        payload("will_payload", &will.payload, fields);
        fields.set("will_qos", u32::from(will.qos.number()));
        fields.set("will_retain", will.retain);
        properties(will.properties, names::will_property, fields);
    }
    properties(connect.properties, names::property, fields);
}

fn tell_publish(publish: &Publish<'_>, fields: &mut Fields) {
    fields.set("topic", publish.topic.as_str());
    fields.set("qos", u32::from(publish.delivery.qos().number()));
    if let Some(id) = publish.delivery.id() {
        fields.set("packet_id", u32::from(id.get()));
    }
    fields.set("retain", publish.retain);
    fields.set("dup", publish.delivery.dup());
    payload("payload", publish.payload, fields);
    properties(publish.properties, names::property, fields);
}

fn tell_subscribe(subscribe: &Subscribe<'_>, version: Version, fields: &mut Fields) {
    fields.set("packet_id", u32::from(subscribe.id.get()));
    let column =
        |value: fn(&codec::Subscription<'_>) -> Value| subscribe.subscriptions.iter().map(|s| value(&s)).collect();
    one_or_list("filter", "filters", column(|s| Value::from(s.filter.as_str())), fields);
    one_or_list("qos", "qos", column(|s| Value::from(u32::from(s.options.qos.number()))), fields);
    if version == Version::V5 {
        one_or_list("no_local", "no_local", column(|s| Value::from(s.options.no_local)), fields);
        one_or_list(
            "retain_as_published",
            "retain_as_published",
            column(|s| s.options.retain_as_published.into()),
            fields,
        );
        let handling = column(|s| Value::from(s.options.retain_handling as u32));
        one_or_list("retain_handling", "retain_handling", handling, fields);
    }
    properties(subscribe.properties, names::property, fields);
}

/// A value that stands once under its name, several as a list.
fn one_or_list(one: &str, several: &str, mut values: Vec<Value>, fields: &mut Fields) {
    if values.len() == 1 {
        fields.set(one, values.remove(0));
    } else if !values.is_empty() {
        fields.set(several, Value::List(values));
    }
}

fn codes(codes: &[u8], fields: &mut Fields) {
    one_or_list("reason", "reason", codes.iter().map(|code| Value::from(u32::from(*code))).collect(), fields);
}

fn payload(name: &str, bytes: &[u8], fields: &mut Fields) {
    let told = &bytes[..bytes.len().min(PAYLOAD_MAX)];
    fields.set(name, Value::from_payload(told));
    if told.len() < bytes.len() {
        fields.set(&alloc::format!("{name}_len"), bytes.len() as i64);
    }
}

fn properties(properties: Properties<'_>, name: fn(PropertyId) -> &'static str, fields: &mut Fields) {
    for (id, value) in properties {
        let value = match value {
            codec::Value::Int(number) => Value::from(number),
            codec::Value::Text(text) => Value::from(text),
            codec::Value::Binary(bytes) => Value::from_payload(bytes),
            codec::Value::Pair(key, value) => {
                let pair = Value::List(alloc::vec![key.into(), value.into()]);
                append(fields, name(id), pair);
                continue;
            }
        };
        match fields.find(name(id)).cloned() {
            None => fields.set(name(id), value),
            Some(Value::List(_)) => append(fields, name(id), value),
            Some(first) => fields.set(name(id), Value::List(alloc::vec![first, value])),
        }
    }
}

fn append(fields: &mut Fields, name: &str, value: Value) {
    match fields.0.iter_mut().find(|(key, _)| key == name) {
        Some((_, Value::List(all))) => all.push(value),
        _ => fields.set(name, Value::List(alloc::vec![value])),
    }
}

/// A packet that the strict decoder refuses: what of it could still be read.
fn garbled(version: Version, first: u8, body: &[u8], malformed: String) -> Told {
    let kind = Kind::from_number(first >> 4);
    let mut fields = Fields::default();
    if let Some(kind) = kind {
        guess(kind, version, first, body, &mut fields);
    }
    fields.set("flags", u32::from(first & 0x0F));
    fields.set("raw", Value::Bytes(body[..body.len().min(RAW_MAX)].to_vec()));
    Told { kind: kind.map_or("reserved", names::kind).to_string(), fields, malformed }
}

/// The fields that stand first in a body, as far as it reaches.
fn guess(kind: Kind, version: Version, first: u8, body: &[u8], fields: &mut Fields) {
    let byte = |at: usize| body.get(at).map(|b| u32::from(*b));
    let two = |at: usize| body.get(at..at + 2).map(|b| u32::from(b[0]) << 8 | u32::from(b[1]));
    let mut set = |name: &str, value: Option<u32>| {
        if let Some(value) = value {
            fields.set(name, value);
        }
    };
    match kind {
        Kind::Connack => set("reason", byte(1)),
        Kind::Puback | Kind::Pubrec | Kind::Pubrel | Kind::Pubcomp => {
            set("packet_id", two(0));
            set("reason", byte(2));
        }
        Kind::Subscribe | Kind::Suback | Kind::Unsubscribe | Kind::Unsuback => set("packet_id", two(0)),
        Kind::Disconnect if version == Version::V5 => set("reason", byte(0)),
        Kind::Publish => {
            set("qos", Some(u32::from(first >> 1 & 3)));
            let end = 2 + two(0).unwrap_or(0) as usize;
            set("packet_id", two(end).filter(|_| first & 0b110 != 0));
            if let Some(topic) = body.get(2..end) {
                fields.set("topic", Value::from_payload(topic));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
