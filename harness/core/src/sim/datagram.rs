//! Datagrams: an association is a pair of ends like a connection, but nothing announces it, nothing ends it, and each
//! datagram passes or not by itself.
use super::Sim;
use super::ends::State;
use super::happening::Happening;
use super::wire::UNUSED;
use crate::connection::{Addr, Close};
use crate::ids::Conn;
use crate::link::{Fault, Passage, Scatter, WIRE};

impl Sim<'_> {
    /// Our socket stands at once; the other side learns of it by the first datagram.
    pub(super) fn open_association(&mut self, client: Conn, server: Conn, from: Addr) {
        self.callers.insert(server, from);
        let message = self.slab.put(&super::wire::packed(from));
        self.ends[client].in_flight += 1;
        self.push(self.now, Happening::Opened(client, message));
    }

    /// Sends one datagram, which may be empty, from an end to its peer.
    pub(super) fn scatter(&mut self, conn: Conn, peer: Conn, bytes: &[u8]) {
        if !self.ends[peer].stands() {
            return self.unreachable(conn);
        }
        let scatter = self.passage(peer, bytes.len());
        let Some(at) = scatter.arrives else { return };
        let copies = if scatter.fault == Some(Fault::Doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let message = match scatter.fault {
                Some(Fault::Corrupted) if !bytes.is_empty() => {
                    let mut damaged = bytes.to_vec();
                    let bit = scatter.bit as usize % (8 * damaged.len());
                    damaged[bit / 8] ^= 1 << (bit % 8);
                    self.slab.put(&damaged)
                }
                _ => self.slab.put(bytes),
            };
            self.ends[peer].in_flight += 1;
            self.push(at, Happening::Bytes(peer, message));
        }
    }

    /// The first datagram reaches an end: its owner learns who is there, if there is an owner who listens.
    pub(super) fn first_datagram(&mut self, server: Conn) {
        let Some(from) = self.callers.get(&server).copied() else { return };
        let who = self.ends[server].who;
        let client = self.ends[server].peer;
        let listens = who != self.ends[client].who && (who != self.actors.target() || self.actors.target_lives());
        if !listens {
            self.ends[server].state = State::Closed;
            return self.unreachable(client);
        }
        self.accept(server, from);
        self.carry_out(who);
    }

    /// The owner of an end closes it. One who was called forgets the caller, and hears of it again with its next datagram; one who
    /// called is gone.
    pub(super) fn forget(&mut self, conn: Conn) {
        let peer = self.ends[conn].peer;
        if self.callers.contains_key(&conn) {
            if self.ends[peer].stands() {
                self.ends[conn].state = State::Opening;
            }
        } else if self.ends[peer].state == State::Opening && self.ends[peer].in_flight == 0 {
            self.ends[peer].state = State::Closed;
            self.callers.remove(&peer);
        }
    }

    /// Nobody listens where this end sends: its system says so, one way later, unless it has gone too.
    fn unreachable(&mut self, conn: Conn) {
        if self.ends[conn].stands() {
            self.ends[conn].in_flight += 1;
            self.push(self.now + WIRE, Happening::Closed(conn, Close::Refused));
        }
    }

    /// What becomes of one datagram towards `to`.
    fn passage(&mut self, to: Conn, len: usize) -> Scatter {
        let end = self.ends[to];
        let ours = if end.who == self.actors.target() { end.peer } else { to };
        let clean = Scatter { arrives: Some(self.now + WIRE), fault: None, bit: 0 };
        let Some((fleet, member)) = self.actors.member(self.ends[ours].who) else { return clean };
        let mut unused = UNUSED;
        let lane = self.lanes.lanes.get_mut(to.0 as usize).unwrap_or(&mut unused);
        let passage = Passage { sent: self.now, opened: lane.opened, before: end.arrives, len };
        let scatter = self.lanes.fleets[fleet as usize].path.scatter(passage, &mut lane.draws);
        if let Some(at) = scatter.arrives {
            self.ends[to].arrives = at.max(end.arrives);
        }
        if let Some(fault) = scatter.fault {
            self.recorder.fate(self.now, fleet, member, ours, fault.name());
        }
        scatter
    }
}
