//! Reads datagrams into packets of names and values: one datagram, one packet, legal or not.
//!
//! The fields are read by the lenient layer, so that a damaged message still says what can be seen of it; what the strict decoder
//! refuses has `malformed`, with the clause. A packet's kind is its role: `request`, `response`, `ping`, `ack`, `rst`, `empty`
//! (a NON that says nothing), `reserved` (a code that nobody may use) and `datagram` (no header).
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::protocol::{Describe, From};
use proofhouse_core::transcript::Packet as Told;
use proofhouse_core::value::{Fields, Value, hex};

use crate::codec::{Code, Frame, Kind, Length, Message, Reject, VERSION};
use crate::names;

/// Bytes of an unreadable rest that are told.
const RAW_MAX: usize = 64;

/// Datagrams know nothing of each other.
struct Datagrams;

/// For [`Protocol::describe`](proofhouse_core::protocol::Protocol::describe).
#[must_use]
pub fn describe(_: &str, _: From) -> Box<dyn Describe> {
    Box::new(Datagrams)
}

impl Describe for Datagrams {
    fn bytes(&mut self, bytes: &[u8], packets: &mut Vec<Told>) {
        packets.push(tell(bytes));
    }
}

/// One datagram in names and values.
#[must_use]
pub fn tell(datagram: &[u8]) -> Told {
    let malformed =
        Message::decode(datagram).err().filter(is_unreadable).map(|reject| reject.to_string()).unwrap_or_default();
    if datagram.len() < 4 {
        let mut fields = Fields::default();
        fields.set("raw", Value::Bytes(datagram.to_vec()));
        return Told { kind: "datagram".to_string(), fields, malformed };
    }
    let frame = Frame::read(datagram);
    Told { kind: role(frame.kind(), frame.code()).to_string(), fields: fields(&frame), malformed }
}

/// A refusal of the datagram itself. An answer with an option that a client must not know (some servers repeat in a 4.02 what they
/// refuse) can be read: it is that answer, whatever a strict client would make of it.
fn is_unreadable(reject: &Reject) -> bool {
    reject.option.is_none() || !reject.code.is_response()
}

/// What a message is for.
fn role(kind: Kind, code: Code) -> &'static str {
    match kind {
        Kind::Con if code.is_empty() => "ping",
        Kind::Ack if code.is_empty() => "ack",
        Kind::Rst if code.is_empty() => "rst",
        Kind::Non if code.is_empty() => "empty",
        _ if code.is_request() => "request",
        _ if code.is_response() => "response",
        _ => "reserved",
    }
}

fn fields(frame: &Frame) -> Fields {
    let code = frame.code();
    let mut fields = Fields::default();
    fields.set(Told::MESSAGE, frame.kind().name());
    // An Empty message says nothing in its code, least of all that it is a wrong answer.
    if !code.is_empty() {
        fields.set("code", code.to_string());
    }
    if let Some(method) = code.method() {
        fields.set("method", method);
    }
    fields.set("mid", u32::from(frame.mid));
    // An Empty message has no token at all, which tells it from an answer to a request without one.
    if !code.is_empty() || !frame.token.is_empty() {
        fields.set("token", hex(&frame.token));
    }
    if let Some(tkl) = frame.tkl {
        fields.set("tkl", u32::from(tkl));
    }
    if frame.version != VERSION {
        fields.set("version", u32::from(frame.version));
    }
    options(frame, &mut fields);
    if !frame.payload.is_empty() {
        fields.set("payload", Value::from_payload(&frame.payload));
    }
    if !frame.tail.is_empty() {
        fields.set("raw", Value::Bytes(frame.tail[..frame.tail.len().min(RAW_MAX)].to_vec()));
    }
    fields
}

/// Options under their names; a request without a path asks for `/`.
fn options(frame: &Frame, fields: &mut Fields) {
    let numbered: Vec<(u64, &[u8])> =
        frame.numbered().map(|(number, option)| (number, option.value.as_slice())).collect();
    let mut other: Vec<Value> = Vec::new();
    if frame.code().is_request() && !numbered.iter().any(|(number, _)| *number == 11) {
        fields.set("path", "/");
    }
    let mut done: Option<u64> = None;
    for (number, _) in &numbered {
        if done == Some(*number) {
            continue;
        }
        done = Some(*number);
        match u16::try_from(*number).ok().and_then(names::name_of) {
            Some((name, form)) => {
                let values: Vec<&[u8]> =
                    numbered.iter().filter(|(n, _)| n == number).map(|(_, value)| *value).collect();
                fields.set(name, names::read(form, &values));
            }
            None => other.push(Value::Int(i64::try_from(*number).unwrap_or(i64::MAX))),
        }
    }
    if !other.is_empty() {
        fields.set("options", Value::List(other));
    }
    if frame.options.iter().any(|option| option.length != Length::Actual) {
        fields.set("option_cut", true);
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
