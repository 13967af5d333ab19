//! Laws of the codec, one file per packet. Every refusal stands beside its nearest legal neighbour.

mod acks;
mod auth;
mod codes;
mod connack;
mod connect;
mod disconnect;
mod frame;
mod headers;
mod properties;
mod publish;
mod round_trip;
mod stream;
mod strings;
mod suback;
mod subscribe;
mod topic;
mod unsubscribe;

use alloc::vec::Vec;
use std::format;
use std::string::String;

use super::{Packet, Reason, ReasonCode, Sender, Version};

const V3: Version = Version::V311;
const V5: Version = Version::V5;
const CLIENT: Sender = Sender::Client;
const SERVER: Sender = Sender::Server;

/// A packet without its Remaining Length.
type Bytes<'a> = (u8, &'a [u8]);

/// The bad bytes are refused with this clause and code, the good ones beside them are not.
#[track_caller]
fn refused(version: Version, sender: Sender, clause: &str, code: ReasonCode, bad: Bytes<'_>, good: Bytes<'_>) {
    legal(version, sender, good);
    match Packet::decode(version, sender, bad.0, bad.1) {
        Ok(packet) => panic!("{} became {packet:?}, against {clause}", show(bad)),
        Err(reason) => {
            assert_eq!((reason.clause, reason.code), (clause, code), "{} was refused otherwise: {reason}", show(bad));
        }
    }
}

/// These bytes are a packet, and what is written from it reads as the same packet.
#[track_caller]
fn legal(version: Version, sender: Sender, (first, body): Bytes<'_>) -> Packet<'_> {
    let packet = match Packet::decode(version, sender, first, body) {
        Ok(packet) => packet,
        Err(reason) => panic!("{} is legal, but: {reason}", show((first, body))),
    };
    let mut out = Vec::new();
    packet.encode(version, &mut out).unwrap_or_else(|reason| panic!("{packet:?} is not written: {reason}"));
    assert_eq!(packet.encoded_len(version), Ok(out.len()));
    let cut = super::split(version, sender, u32::MAX, &out).expect("own header").expect("whole");
    assert_eq!(Packet::decode(version, sender, cut.first, cut.body), Ok(packet), "after {}", show((first, body)));
    packet
}

/// What is refused when it is to be written.
#[track_caller]
fn unwritable(version: Version, clause: &str, packet: &Packet<'_>) {
    let mut out = Vec::from(*b"before");
    let reason: Reason = packet.encode(version, &mut out).expect_err(clause);
    assert_eq!(reason.clause, clause, "{packet:?} was refused otherwise: {reason}");
    assert_eq!(out, b"before", "a refused packet leaves nothing behind");
}

fn show((first, body): Bytes<'_>) -> String {
    format!("{first:02X} .. {}", body.escape_ascii())
}

/// The parts one after the other.
fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn a_reason_shows_what_was_wrong_the_clause_and_the_code() {
    let reason = Packet::decode(V5, CLIENT, 0x82, b"\0\0\0").expect_err("packet identifier 0");
    assert_eq!(format!("{reason}"), "packet identifier 0 [MQTT5 2.2.1-3] (0x82)");
}
