//! What actors ask for, done.
use mio::{Interest, Token};
use proofhouse_core::actor::Act;
use proofhouse_core::connection::{Addr, Close, CloseHow};
use proofhouse_core::ids::{Conn, EndpointId};
use proofhouse_core::link::Passage;
use proofhouse_core::note::Note;
use proofhouse_core::protocol::Transport;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::By;

use super::socket::{Chunk, LinkState, Phase, Socket, close_of, connect};
use super::timers::Due;
use super::{Driver, Pending, Request};

/// How long an attempt to connect may take. On loopback an answer takes microseconds, unless the target's backlog is full and
/// the system asks again after 1, 3 and 7 s.
const CONNECT_MAX: Duration = Duration::from_secs(10);

impl Driver {
    pub(super) fn act(&mut self, now: Time, fleet: usize, position: u32, act: &Act, bytes: &[u8]) {
        if self.fleets[fleet].transport == Transport::Datagram {
            match act {
                Act::Open(conn, to, from) => return self.open_port(now, fleet, position, *conn, *to, *from),
                Act::Send(conn, start, end) => {
                    return self.send_datagram(now, fleet, position, *conn, &bytes[*start..*end]);
                }
                Act::Flush(conn) => return self.flush_peer(*conn),
                Act::Close(conn, how) => return self.close_peer(*conn, *how),
                Act::Reading(conn, on) => return self.reading_peer(*conn, *on),
                Act::Wake(..) | Act::Note(_) => {}
            }
        }
        match act {
            Act::Open(conn, to, from) => self.open(now, fleet, position, *conn, *to, *from),
            Act::Send(conn, start, end) => self.send(now, fleet, position, *conn, &bytes[*start..*end]),
            Act::Flush(conn) => self.say_when_written(*conn),
            Act::Close(conn, how) => self.close(*conn, *how),
            Act::Reading(conn, on) => self.reading(*conn, *on),
            Act::Wake(at, id) => self.timers.push(*at, Due::Wake(fleet, position, *id)),
            Act::Note(note) => self.note(now, fleet, position, note),
        }
    }

    fn open(&mut self, now: Time, fleet: usize, position: u32, conn: Conn, to: EndpointId, from: Addr) {
        self.recorder.opening(conn);
        let to = self.context.approved.endpoint(to);
        let stream = connect(to, from).and_then(|mut stream| {
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(conn.0 as usize), both)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => {
                let link = self.link(fleet, position, conn);
                self.slots.put(conn, Socket::new(stream, (fleet, position), Phase::Connecting, to.addr(), link));
                self.timers.push(now + CONNECT_MAX, Due::ConnectLimit(conn, self.slots.age(conn)));
            }
            Err(error) => {
                let how = close_of(&error);
                self.record_closed(now, fleet, position, conn, how);
                self.failing.insert(conn);
                self.pending.push_back(Pending::Closed(fleet, position, conn, how));
            }
        }
    }

    /// The link of a new connection, whose draws follow from the seed, the member and the connection.
    pub(super) fn link(&self, fleet: usize, position: u32, conn: Conn) -> LinkState {
        let (index, member) = self.identity(fleet, position);
        let fleet = self.context.plan.seed.child("live-link", u64::from(index));
        LinkState::new(fleet.child("conn", u64::from(member) << 32 | u64::from(conn.0)).0)
    }

    /// A connection that could not be made: the peer's doing, or our machine's.
    pub(super) fn record_closed(&mut self, now: Time, fleet: usize, position: u32, conn: Conn, how: Close) {
        let (index, member) = self.identity(fleet, position);
        let by = if how == Close::LocalLimit { By::Limit } else { By::Peer };
        self.recorder.closed(now, index, member, conn, by, how);
    }

    pub(super) fn send(&mut self, now: Time, fleet: usize, position: u32, conn: Conn, bytes: &[u8]) {
        let speaks = |s: &&mut Socket| !s.half && matches!(s.phase, Phase::Connecting | Phase::Open | Phase::Told);
        let Some(socket) = self.slots.get(conn).filter(speaks) else {
            let (index, member) = self.identity(fleet, position);
            self.recorder.undelivered(now, index, member, conn, bytes.len() as u64);
            return;
        };
        if socket.phase == Phase::Connecting {
            socket.early.push(bytes.to_vec());
            return;
        }
        self.queue(now, conn, bytes);
        self.flush(conn);
    }

    /// Puts bytes behind all others of a connection; a link lets them out later.
    pub(super) fn queue(&mut self, now: Time, conn: Conn, bytes: &[u8]) {
        let age = self.slots.age(conn);
        let Some(socket) = self.slots.get(conn) else { return };
        let fleet = &self.fleets[socket.fleet];
        let (index, member) = (fleet.index, fleet.members[socket.position as usize]);
        match &fleet.path {
            None => socket.out.push_back(Chunk::new(bytes, now)),
            Some(path) => {
                self.recorder.sent(now, index, member, conn, bytes);
                for piece in path.pieces(bytes) {
                    let direction = &mut socket.link.out;
                    let passage =
                        Passage { sent: now, opened: socket.link.opened, before: direction.before, len: piece.len() };
                    let fate = path.fate(passage, &mut direction.draws);
                    direction.before = fate.arrives;
                    socket.out.push_back(Chunk::new(piece, fate.arrives));
                    self.timers.push(fate.arrives, Due::Release(conn, age));
                    if let Some(fault) = fate.fault {
                        self.recorder.fate(now, index, member, conn, fault.name());
                    }
                }
            }
        }
    }

    fn say_when_written(&mut self, conn: Conn) {
        if let Some(socket) = self.slots.get(conn) {
            socket.tell_written += 1;
            self.flush(conn);
        }
    }

    fn close(&mut self, conn: Conn, how: CloseHow) {
        // After what was said before, which was written a little later than it was asked for.
        let now = self.context.clock.now();
        let Some(socket) = self.slots.get(conn) else {
            // Over already, and its end is on the way to the actor, who no longer wants to hear of it.
            self.failing.remove(&conn);
            return;
        };
        let (fleet, position, phase) = (socket.fleet, socket.position, socket.phase);
        if socket.left || matches!(phase, Phase::Leaving | Phase::Lingering) {
            return;
        }
        let (index, member) = self.identity(fleet, position);
        match how {
            CloseHow::Half => {
                self.slots.get(conn).expect("it was there above").half = true;
                self.flush(conn);
            }
            CloseHow::Reset => {
                let socket = self.slots.take(conn).expect("it was there above");
                let unwritten = socket.unwritten();
                if unwritten > 0 {
                    self.recorder.undelivered(now, index, member, conn, unwritten);
                }
                socket.will_reset();
                drop(socket);
                if phase != Phase::Told {
                    self.recorder.closed(now, index, member, conn, By::Us, Close::Reset);
                }
                self.recycle(conn);
            }
            CloseHow::Fin => {
                let socket = self.slots.get(conn).expect("it was there above");
                if phase == Phase::Connecting {
                    (socket.half, socket.left) = (true, true);
                } else {
                    socket.phase = Phase::Leaving;
                }
                if phase != Phase::Told {
                    self.recorder.closed(now, index, member, conn, By::Us, Close::Fin);
                }
                self.flush(conn);
            }
        }
    }

    fn reading(&mut self, conn: Conn, on: bool) {
        if let Some(socket) = self.slots.get(conn) {
            socket.reading = on;
            if on {
                // What came meanwhile rings no bell again.
                self.ready.push(conn);
            }
        }
    }

    pub(super) fn recycle(&mut self, conn: Conn) {
        if self.recycles {
            self.outbox.recycle(conn);
        }
    }

    fn note(&mut self, now: Time, fleet: usize, position: u32, note: &Note) {
        let (index, member) = self.identity(fleet, position);
        self.recorder.note(now, index, member, note);
        match note {
            Note::Label(conn, name) => {
                if let Some(socket) = self.slots.get(*conn) {
                    socket.label.clone_from(name);
                }
                if let Some(peer) = self.peers.get(*conn) {
                    peer.label.clone_from(name);
                }
            }
            Note::Order(order) => {
                let order = order.clone();
                self.pending.push_back(Pending::Order(Request { who: (fleet, position), order }));
            }
            Note::Witness(state) => self.pending.push_back(Pending::Witness((now, index, *state))),
            _ => {}
        }
        let mut heard = std::mem::take(&mut self.heard);
        self.board.note(now, index, member, note, &mut heard);
        self.pending.extend(heard.drain(..).map(Pending::Heard));
        self.heard = heard;
    }
}
