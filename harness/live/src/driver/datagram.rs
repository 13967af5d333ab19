//! Datagrams: what actors ask of their associations, and what comes for them. Nothing announces an association and nothing ends it;
//! each datagram passes, or not, by itself.
use std::sync::Arc;

use mio::net::UdpSocket;
use mio::{Interest, Token};
use proofhouse_core::actor::Input;
use proofhouse_core::connection::Addr;
use proofhouse_core::ids::{Conn, EndpointId};
use proofhouse_core::time::{Duration, Time};

use super::held::Destination;
use super::port::{self, ASSOCIATIONS_MAX, Begun, Peer, Port, Sent};
use super::socket::close_of;
use super::timers::Due;
use super::traffic::{EDGES_RECEIVED_MAX, RECEIVED_MAX};
use super::{Driver, Pending};

/// Datagrams read from one socket, and errors about those that reached nobody, before the others have their turn.
const PER_TURN: u32 = 64;
/// What hearing a datagram costs beside its bytes: its entry in the record with the packet that it is, in memory and in the files of a
/// run. A flood of empty ones is a flood too: 16,384 of them from one address are as much as we keep.
const COST: u64 = 1 << 10;
/// What all associations of a trial may bring where everything is recorded: a storm at each of many addresses is one storm.
const HEARD_MAX: u64 = 2 * RECEIVED_MAX;
/// When a machine without buffers is asked again: it does not ring.
const ASK_AGAIN: Duration = Duration::from_millis(2);

impl Driver {
    pub(super) fn open_port(&mut self, now: Time, fleet: usize, position: u32, conn: Conn, to: EndpointId, from: Addr) {
        self.recorder.opening(conn);
        let to = self.context.approved.endpoint(to);
        match port::bind(to, from).and_then(|socket| self.registered(conn, socket)) {
            Ok(socket) => {
                let mut port = Port::new(socket, fleet, Some(position));
                port.known.insert(to.addr(), Some(conn));
                self.ports.put(conn, port);
                self.put_peer(conn, conn, (fleet, position), to.addr(), Begun::Asked);
                self.pending.push_back(Pending::Opened(conn, self.peers.age(conn)));
            }
            Err(error) => {
                let how = close_of(&error);
                self.record_closed(now, fleet, position, conn, how);
                self.failing.insert(conn);
                self.pending.push_back(Pending::Closed(fleet, position, conn, how));
            }
        }
    }

    /// A socket for a fleet that plays the server; its number is never told to anybody.
    pub(super) fn listen_port(&mut self, fleet: usize, at: Addr) -> std::io::Result<()> {
        let number = self.outbox.new_conn();
        let socket = port::listen(at).and_then(|socket| self.registered(number, socket))?;
        self.ports.put(number, Port::new(socket, fleet, None));
        Ok(())
    }

    fn registered(&self, number: Conn, mut socket: UdpSocket) -> std::io::Result<UdpSocket> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number.0 as usize), both)?;
        Ok(socket)
    }

    fn put_peer(&mut self, conn: Conn, port: Conn, who: (usize, u32), addr: Addr, begun: Begun) {
        let (fleet, position) = who;
        let mut link = self.link(fleet, position, conn);
        link.opened = self.context.clock.now();
        let approved = self.context.approved.answer(addr);
        let label = String::new();
        let peer = Peer { port, fleet, position, addr, begun, approved, label, reading: true, received: 0, link };
        self.peers.put(conn, peer);
    }

    /// The actor that asked for an association learns that it stands; nothing has gone over the wire.
    pub(super) fn port_opened(&mut self, conn: Conn, age: u32) {
        if self.peers.age(conn) != age {
            return;
        }
        self.stand(conn);
        if let Some(peer) = self.peers.get(conn) {
            let (fleet, position) = (peer.fleet, peer.position);
            self.deliver(fleet, position, Input::Opened(conn));
        }
    }

    /// Records that an association stands, once.
    pub(super) fn stand(&mut self, conn: Conn) {
        let now = self.context.clock.now();
        let Some(peer) = self.peers.get(conn).filter(|peer| peer.begun != Begun::Stands) else { return };
        let (fleet, position, port, begun) = (peer.fleet, peer.position, peer.port, peer.begun);
        let (theirs, label) = (peer.addr, peer.label.clone());
        peer.begun = Begun::Stands;
        let Some(ours) = self.ports.get(port).map(|port| port.from) else { return };
        let (from, to) = if begun == Begun::Asked { (ours, theirs) } else { (theirs, ours) };
        let (index, member) = self.identity(fleet, position);
        self.recorder.opened(now, index, member, conn, &label, from, to);
    }

    pub(super) fn send_datagram(&mut self, now: Time, fleet: usize, position: u32, conn: Conn, bytes: &[u8]) {
        let (index, member) = self.identity(fleet, position);
        let Some(to) = self.peers.get(conn).and_then(|peer| peer.approved) else {
            self.recorder.undelivered(now, index, member, conn, bytes.len() as u64);
            return;
        };
        self.stand(conn);
        self.recorder.sent(now, index, member, conn, bytes);
        let Some(scatter) = self.scatter(now, conn, bytes.len(), true) else { return self.emit(conn, bytes) };
        let Some(peer) = self.peers.get(conn) else { return };
        let port = peer.port;
        let Some(socket) = self.ports.get(port).map(|port| Arc::clone(&port.socket)) else { return };
        self.hold(now, conn, &scatter, bytes, || Destination::Peer(Arc::clone(&socket), to));
    }

    /// A datagram is written when it is sent, or never.
    pub(super) fn flush_peer(&mut self, conn: Conn) {
        if self.peers.get(conn).is_some() {
            self.pending.push_back(Pending::Flushed(conn, self.peers.age(conn)));
        }
    }

    /// Puts one datagram on the wire.
    pub(super) fn emit(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(peer) = self.peers.get(conn) else { return };
        let (number, Some(to)) = (peer.port, peer.approved) else { return };
        let Some(port) = self.ports.get(number) else { return };
        let sent = port.send(conn, to, bytes);
        self.after_send(number, conn, bytes.len() as u64, sent);
    }

    fn after_send(&mut self, number: Conn, conn: Conn, len: u64, sent: Sent) {
        let now = self.context.clock.now();
        match sent {
            Sent::Taken | Sent::Waits { rings: true } => {}
            Sent::Waits { rings: false } => {
                self.timers.push(now + ASK_AGAIN, Due::AskAgain(number, self.ports.age(number)));
            }
            Sent::Failed => {
                if let Some((index, member)) = self.identity_of_peer(conn) {
                    self.recorder.undelivered(now, index, member, conn, len);
                }
            }
        }
        if self.ports.get(number).is_some_and(|port| port.troubled) {
            self.ready.push(number);
        }
    }

    /// Sends what waits, as far as the system takes it.
    pub(super) fn flush_port(&mut self, number: Conn) {
        while let Some((waiting, sent)) = self.ports.get(number).and_then(Port::send_waiting) {
            self.after_send(number, waiting.conn, waiting.len(), sent);
            if let Sent::Waits { .. } = sent {
                return;
            }
        }
    }

    /// The system says that something may be done with a socket of datagrams; `false`: it is none.
    pub(super) fn port_bell(&mut self, number: Conn, broken: bool) -> bool {
        let Some(port) = self.ports.get(number) else { return false };
        port.troubled |= broken;
        self.flush_port(number);
        self.ready.push(number);
        true
    }

    /// Reads what has come to a socket, for a turn; `false`: it is none of datagrams.
    pub(super) fn read_port(&mut self, number: Conn) -> bool {
        if self.ports.get(number).is_none() {
            return false;
        }
        for _ in 0..PER_TURN {
            let Some(port) = self.ports.get(number) else { return true };
            if port.troubled {
                self.unreachable(number);
                continue;
            }
            if !port.reading {
                return true;
            }
            match port.socket.recv_from(&mut self.buffer) {
                Ok((n, from)) => {
                    port.heard += n as u64 + COST;
                    self.came_datagram(number, super::socket::addr(Some(from)), n);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => port.troubled = true, // about an earlier datagram
            }
        }
        self.ready.push(number);
        true
    }

    /// `n` bytes of the buffer have come from this address; the link may hold them, or lose them.
    fn came_datagram(&mut self, number: Conn, from: Addr, n: usize) {
        let Some(conn) = self.heard_from(number, from) else { return };
        let recycles = self.recycles;
        let Some(peer) = self.peers.get(conn).filter(|peer| peer.reading) else { return };
        let cost = n as u64 + COST;
        peer.received += cost;
        self.heard_datagrams += cost;
        let most = if recycles { (EDGES_RECEIVED_MAX, u64::MAX) } else { (RECEIVED_MAX, HEARD_MAX) };
        if peer.received > most.0 || self.heard_datagrams > most.1 {
            return self.too_much_from(conn);
        }
        let now = self.context.clock.now();
        let buffer = std::mem::take(&mut self.buffer);
        match self.scatter(now, conn, n, false) {
            None => self.arrived_datagram(conn, &buffer[..n]),
            Some(scatter) => self.hold(now, conn, &scatter, &buffer[..n], || Destination::Member),
        }
        self.buffer = buffer;
    }

    /// The association of this address, which begins where it was never heard. `None`: it is not heard.
    fn heard_from(&mut self, number: Conn, from: Addr) -> Option<Conn> {
        let port = self.ports.get(number)?;
        if let Some(known) = port.known.get(&from) {
            return *known;
        }
        if port.known.len() >= ASSOCIATIONS_MAX {
            port.unheard += 1;
            if port.unheard == 1 {
                self.too_many(number, from);
            }
            return None;
        }
        let (fleet, turn) = (port.fleet, port.position);
        let conn = self.outbox.new_conn();
        self.ports.get(number)?.known.insert(from, Some(conn));
        let position = turn.unwrap_or_else(|| self.next_in_turn(fleet));
        self.put_peer(conn, number, (fleet, position), from, Begun::Heard);
        self.recorder.opening(conn);
        Some(conn)
    }

    pub(super) fn arrived_datagram(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(peer) = self.peers.get(conn) else { return };
        let (fleet, position, stranger, addr) = (peer.fleet, peer.position, peer.begun == Begun::Heard, peer.addr);
        self.stand(conn);
        if stranger {
            self.deliver(fleet, position, Input::Accepted(conn, addr));
            if self.peers.get(conn).is_none() {
                return;
            }
        }
        let (index, member) = self.identity(fleet, position);
        // Not before the association stands.
        let now = self.context.clock.now();
        self.recorder.received(now, index, member, conn, bytes);
        self.deliver(fleet, position, Input::Bytes(conn, bytes));
    }

    pub(super) fn reading_peer(&mut self, conn: Conn, on: bool) {
        let Some(peer) = self.peers.get(conn) else { return };
        // The one who asked for the socket stops it: the system's buffer fills, as a stream's window does.
        let own = peer.port == conn;
        peer.reading = on || own;
        if let Some(port) = self.ports.get(conn).filter(|_| own) {
            port.reading = on;
            if on {
                // What came meanwhile rings no bell again.
                self.ready.push(conn);
            }
        }
    }

    pub(super) fn identity_of_peer(&mut self, conn: Conn) -> Option<(u16, u32)> {
        let (fleet, position) = self.peers.get(conn).map(|peer| (peer.fleet, peer.position))?;
        Some(self.identity(fleet, position))
    }
}
