//! The three blank targets: a closed port, one that accepts and stays mute, one that says yes to everything.
//! No scenario may PASS on any of them: they are what a check that cannot fail looks like from the other side.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::registry::{Build, BuildPlan};
use proofhouse_core::time::Time;

/// A closed port.
pub const CLOSED: Build = Build { name: "blank-closed", doc: "a closed port", build: closed };
/// Accepts and stays mute.
pub const MUTE: Build = Build { name: "blank-mute", doc: "accepts every connection and never answers", build: mute };
/// Says yes to everything.
pub const YES: Build =
    Build { name: "blank-yes", doc: "answers every MQTT packet with its natural success and does nothing", build: yes };

/// Says yes to every CoAP request.
pub const YES_COAP: Build = Build {
    name: "blank-yes-coap",
    doc: "answers every CoAP request with its natural success and does nothing",
    build: yes_coap,
};

fn closed(_: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(Closed))
}

fn mute(_: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(Mute))
}

fn yes(_: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(Yes::default()))
}

fn yes_coap(_: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(YesCoap))
}

struct Closed;

impl Actor for Closed {
    fn handle(&mut self, _: Time, input: Input<'_>, out: &mut Outbox) {
        if let Input::Accepted(conn, _) = input {
            out.close(conn, CloseHow::Reset);
        }
    }
}

struct Mute;

impl Actor for Mute {
    fn handle(&mut self, _: Time, _: Input<'_>, _: &mut Outbox) {}
}

/// Keeps what is not yet a whole packet, and whether the connection speaks MQTT 5.
#[derive(Default)]
struct Yes {
    open: BTreeMap<Conn, (Vec<u8>, bool)>,
}

/// More than this without a whole packet is dropped: a sayer of yes needs no memory.
const HELD_MAX: usize = 1 << 16;

impl Actor for Yes {
    fn handle(&mut self, _: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Accepted(conn, _) => drop(self.open.insert(conn, Default::default())),
            Input::Closed(conn, _) => drop(self.open.remove(&conn)),
            Input::Bytes(conn, bytes) => {
                let (held, v5) = self.open.entry(conn).or_default();
                held.extend_from_slice(bytes);
                let mut used = 0;
                while let Some((first, body, size)) = whole(&held[used..]) {
                    let answer = answer(first, body, v5);
                    used += size;
                    out.send(conn, |to| to.extend_from_slice(&answer));
                }
                held.drain(..used);
                if held.len() > HELD_MAX {
                    held.clear();
                }
            }
            _ => {}
        }
    }
}

/// The first whole packet: first byte, body, size. However its length is written.
fn whole(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, rest) = bytes.split_first()?;
    let mut length = 0_usize;
    for (at, byte) in rest.iter().enumerate().take(8) {
        length |= usize::from(byte & 0x7f) << (7 * at).min(28);
        if byte & 0x80 == 0 {
            let body = rest.get(at + 1..at + 1 + length)?;
            return Some((*first, body, at + 2 + length));
        }
    }
    None
}

/// What a satisfied peer would say.
fn answer(first: u8, body: &[u8], v5: &mut bool) -> Vec<u8> {
    let id = |at: usize| [*body.get(at).unwrap_or(&0), *body.get(at + 1).unwrap_or(&1)];
    let ack = |first: u8, [high, low]: [u8; 2]| alloc::vec![first, 2, high, low];
    match (first >> 4, first >> 1 & 3) {
        (1, _) => {
            *v5 = body.get(6) == Some(&5);
            if *v5 { alloc::vec![0x20, 3, 0, 0, 0] } else { alloc::vec![0x20, 2, 0, 0] }
        }
        (3, 1) => ack(0x40, id(2 + topic_length(body))),
        (3, 2) => ack(0x50, id(2 + topic_length(body))),
        (5, _) => ack(0x62, id(0)),
        (6, _) => ack(0x70, id(0)),
        (8, _) => granted(0x90, id(0), *v5, true),
        (10, _) => granted(0xb0, id(0), *v5, *v5),
        (12, _) => alloc::vec![0xd0, 0],
        _ => Vec::new(),
    }
}

fn granted(first: u8, [high, low]: [u8; 2], v5: bool, code: bool) -> Vec<u8> {
    let mut body = alloc::vec![high, low];
    body.extend(v5.then_some(0));
    body.extend(code.then_some(0));
    let mut packet = alloc::vec![first, body.len() as u8];
    packet.append(&mut body);
    packet
}

fn topic_length(body: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([*body.first().unwrap_or(&0), *body.get(1).unwrap_or(&0)]))
}

struct YesCoap;

impl Actor for YesCoap {
    fn handle(&mut self, _: Time, input: Input<'_>, out: &mut Outbox) {
        if let Input::Bytes(conn, datagram) = input {
            out.send(conn, |to| to.extend_from_slice(&answer_coap(datagram)));
        }
    }
}

/// What a satisfied CoAP server would say, whatever version, options and length say: a CON gets a piggybacked response, a NON another
/// NON, a ping its reset; an ACK or a RST nothing.
fn answer_coap(datagram: &[u8]) -> Vec<u8> {
    let [first, code, high, low, rest @ ..] = datagram else { return Vec::new() };
    let kind = first >> 4 & 3;
    let tkl = usize::from(first & 0x0F).min(rest.len());
    if kind > 1 {
        return Vec::new();
    }
    if *code == 0 {
        return alloc::vec![0x70, 0, *high, *low];
    }
    let header = if kind == 0 { 0x60 } else { 0x50 };
    let success = if *code == 1 { 0x45 } else { 0x44 };
    let mut answer = alloc::vec![header | tkl as u8, success, *high, *low];
    answer.extend_from_slice(&rest[..tkl]);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coap_request_gets_its_natural_success() {
        assert_eq!(answer_coap(&[0x42, 1, 1, 2, 7, 8, 0xb1, b'a']), [0x62, 0x45, 1, 2, 7, 8]);
        assert_eq!(answer_coap(&[0x51, 2, 1, 2, 7]), [0x51, 0x44, 1, 2, 7]);
        assert_eq!(answer_coap(&[0x40, 0, 1, 2]), [0x70, 0, 1, 2]);
        assert_eq!(answer_coap(&[0x8f, 0xe1, 1, 2, 7]), [0x61, 0x44, 1, 2, 7], "whatever it is");
        for silent in [&[0x60, 1, 1, 2][..], &[0x70, 0, 1, 2], &[0x40, 1, 1], &[]] {
            assert_eq!(answer_coap(silent), [0; 0]);
        }
    }

    fn check(sent: &[u8], answered: &[u8]) {
        let (first, body, size) = whole(sent).expect("a whole packet");
        assert_eq!(size, sent.len());
        assert_eq!(answer(first, body, &mut false), answered, "{sent:02x?}");
    }

    #[test]
    fn every_packet_gets_its_natural_success() {
        check(&[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 0], &[0x20, 2, 0, 0]);
        check(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0], &[0x20, 3, 0, 0, 0]);
        check(&[0x32, 6, 0, 1, b'a', 0, 7, 9], &[0x40, 2, 0, 7]);
        check(&[0x34, 5, 0, 1, b'a', 0, 7], &[0x50, 2, 0, 7]);
        check(&[0x82, 6, 0, 7, 0, 1, b'a', 0], &[0x90, 3, 0, 7, 0]);
        check(&[0xc0, 0], &[0xd0, 0]);
        check(&[0x30, 3, 0, 1, b'a'], &[]);
    }

    #[test]
    fn a_cut_packet_waits() {
        assert!(whole(&[0x32, 6, 0, 1]).is_none());
        assert!(whole(&[0x32, 0x80, 0x80]).is_none());
        assert!(whole(&[]).is_none());
    }
}
