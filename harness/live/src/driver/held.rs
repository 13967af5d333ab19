//! What a link does to datagrams: each is decided on by itself, and waits here until it goes on.
use std::collections::BTreeMap;
use std::sync::Arc;

use mio::net::UdpSocket;
use proofhouse_core::ids::Conn;
use proofhouse_core::link::{Fault, Passage, Scatter};
use proofhouse_core::time::Time;

use super::Driver;
use super::port;
use super::timers::Due;
use crate::guard::Approved;

/// What the links of all fleets hold at once; a router's queue ends too, and what comes then is lost.
const HELD_MAX: usize = 64 << 20;

/// Datagrams on their way over a link.
#[derive(Default)]
pub(super) struct Held {
    datagrams: BTreeMap<u64, Datagram>,
    next: u64,
    bytes: usize,
}

/// One that a link holds.
struct Datagram {
    conn: Conn,
    age: u32,
    destination: Destination,
    bytes: Vec<u8>,
}

pub(super) enum Destination {
    /// To the peer, from a socket that stays for it even where the association is over.
    Peer(Arc<UdpSocket>, Approved),
    /// To the member.
    Member,
}

impl Held {
    fn put(&mut self, datagram: Datagram) -> Option<u64> {
        if self.bytes + datagram.bytes.len() > HELD_MAX {
            return None;
        }
        self.bytes += datagram.bytes.len();
        self.next += 1;
        self.datagrams.insert(self.next, datagram);
        Some(self.next)
    }

    fn take(&mut self, id: u64) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&id)?;
        self.bytes -= datagram.bytes.len();
        Some(datagram)
    }
}

impl Driver {
    /// What the link does to a datagram; `None` where the fleet has none.
    pub(super) fn scatter(&mut self, now: Time, conn: Conn, len: usize, out: bool) -> Option<Scatter> {
        let peer = self.peers.get(conn)?;
        let path = self.fleets[peer.fleet].path.as_ref()?;
        let opened = peer.link.opened;
        let direction = if out { &mut peer.link.out } else { &mut peer.link.back };
        let scatter = path.scatter(Passage { sent: now, opened, before: direction.before, len }, &mut direction.draws);
        direction.before = scatter.arrives.unwrap_or(direction.before).max(direction.before);
        if let Some(fault) = scatter.fault {
            let (fleet, position) = (peer.fleet, peer.position);
            let (index, member) = self.identity(fleet, position);
            self.recorder.fate(now, index, member, conn, fault.name());
        }
        Some(scatter)
    }

    pub(super) fn hold(
        &mut self,
        now: Time,
        conn: Conn,
        scatter: &Scatter,
        bytes: &[u8],
        destination: impl Fn() -> Destination,
    ) {
        let Some(arrives) = scatter.arrives else { return };
        let age = self.peers.age(conn);
        let copies = if scatter.fault == Some(Fault::Doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let mut bytes = bytes.to_vec();
            if scatter.fault == Some(Fault::Corrupted) && !bytes.is_empty() {
                let bit = (scatter.bit % (8 * bytes.len() as u64)) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            match self.held.put(Datagram { conn, age, destination: destination(), bytes }) {
                Some(id) => self.timers.push(arrives, Due::Datagram(id)),
                None => {
                    let Some((index, member)) = self.identity_of_peer(conn) else { return };
                    self.recorder.fate(now, index, member, conn, Fault::Lost.name());
                }
            }
        }
    }

    /// A link lets a datagram go.
    pub(super) fn release(&mut self, id: u64) {
        let Some(Datagram { conn, age, destination, bytes }) = self.held.take(id) else { return };
        let alive = self.peers.age(conn) == age && self.peers.get(conn).is_some();
        match destination {
            Destination::Peer(..) if alive => self.emit(conn, &bytes),
            // Its association ended while it was on its way: it goes on, and nobody hears what became of it.
            Destination::Peer(socket, to) => _ = port::send(&socket, to, &bytes, &mut false),
            Destination::Member if alive => self.arrived_datagram(conn, &bytes),
            Destination::Member => {}
        }
    }
}
