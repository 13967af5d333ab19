//! What flaws make of bits that may not be set, and of packets with bytes too few or too many. Never called without a flaw.
use alloc::vec::Vec;

use proofhouse_mqtt::codec::{Connect, Cut, Kind, Packet, Reason, Sender, Version};

use crate::flaw::{Flaw, Flaws};

/// Whether a flaw goes on as if this packet had never come.
pub(super) fn skips(flaws: Flaws, kind: Option<Kind>, reason: &Reason) -> bool {
    let skips = |flaw, those: bool| those && flaws.has(flaw);
    let no_filter = matches!(reason.clause, "MQTT3 3.8.3-3" | "MQTT5 3.8.3-2" | "MQTT3 3.10.3-2" | "MQTT5 3.10.3-2");
    let no_topic = kind == Some(Kind::Publish) && matches!(reason.clause, "MQTT3 4.7.3-1" | "MQTT5 §3.3.2.1");
    skips(Flaw::IgnoresEmptySubscribe, no_filter)
        || skips(Flaw::AcceptsEmptyTopic, no_topic)
        || skips(Flaw::SkipsGarbage, true)
}

/// Bits and identifiers that the flaws do not look at.
pub(super) fn bits(flaws: Flaws, version: Version, kind: Kind, first: u8, body: &mut Vec<u8>) {
    const FLAGS: usize = 7;
    if kind == Kind::Connect
        && flaws.has(Flaw::AcceptsOtherProtocols)
        && let Some(read) = as_mqtt(body)
    {
        *body = read;
    }
    if kind == Kind::Connect
        && flaws.has(Flaw::AcceptsConnectBits)
        && let Some(bits) = body.get_mut(FLAGS)
    {
        let will = if *bits & 0b100 == 0 { !0b0011_1000 } else { !0b0000_1000 };
        *bits &= will & !1;
    }
    let id = match kind {
        Kind::Publish if first & 0b110 != 0 => {
            body.get(..2).map(|len| 2 + usize::from(u16::from_be_bytes([len[0], len[1]])))
        }
        Kind::Subscribe | Kind::Unsubscribe => Some(0),
        _ => None,
    };
    if let Some(id) =
        id.and_then(|at| body.get_mut(at..at + 2)).filter(|id| flaws.has(Flaw::AcceptsPacketIdZero) && **id == [0, 0])
    {
        id[1] = 1;
    }
    if kind == Kind::Subscribe
        && flaws.has(Flaw::AcceptsOddSubscriptions)
        && let Some(options) = body.last_mut()
    {
        *options = if version == Version::V5 { *options & 0b0000_1001 } else { *options & 1 };
    }
}

/// A CONNECT of whatever name and level, as one of MQTT 3.1.1 or 5, whichever can be read.
fn as_mqtt(body: &[u8]) -> Option<Vec<u8>> {
    let name = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let rest = body.get(3 + name..)?;
    let read = |level: u8| [&b"\0\x04MQTT"[..], &[level], rest].concat();
    [4, 5].into_iter().map(read).find(|body| Connect::first(Cut { first: 0x10, body, size: 0, minimal: true }).is_ok())
}

/// Bytes too few or too many at the end. What lies behind a packet in memory is as good as any.
pub(super) fn end(flaws: Flaws, version: Version, first: u8, body: &mut Vec<u8>) {
    const MOST: usize = 16;
    let legal = |body: &[u8]| match first >> 4 {
        1 => Connect::first(Cut { first, body, size: 0, minimal: true }).is_ok(),
        _ => Packet::decode(version, Sender::Client, first, body).is_ok(),
    };
    if flaws.has(Flaw::AcceptsSurplusBytes)
        && let Some(fits) = (1..=MOST.min(body.len())).find(|less| legal(&body[..body.len() - less]))
    {
        body.truncate(body.len() - fits);
    }
    if flaws.has(Flaw::ReadsPastPacket) {
        let behind =
            |(ones, zeros): (usize, usize)| [&body[..], &alloc::vec![1; ones], &alloc::vec![0; zeros]].concat();
        let tries = (0..=MOST).flat_map(|zeros| (0..=MOST - zeros).map(move |ones| (ones, zeros)));
        if let Some(fits) = tries.map(behind).find(|body| legal(body)) {
            *body = fits;
        }
    }
}
