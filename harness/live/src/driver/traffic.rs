//! Bytes in and out: partial writes, bounded reads, and how connections begin and end.
use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::{Interest, Token};
use proofhouse_core::actor::Input;
use proofhouse_core::connection::Close;
use proofhouse_core::ids::Conn;
use proofhouse_core::link::Passage;
use proofhouse_core::recorder::RECEIVED_LIMIT;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{By, Event, Who};
use socket2::SockRef;

use super::socket::{LinkState, Phase, Socket, addr, close_of};
use super::timers::Due;
use super::{Driver, Pending};

/// One read.
pub(super) const READ_MAX: usize = 64 << 10;
/// Reads of one connection before the others have their turn.
const READS_PER_TURN: u32 = 4;
/// What one connection may bring where every byte is recorded. A peer that sends without end is cut off here, by us.
pub(super) const RECEIVED_MAX: u64 = 16 << 20;

/// Bytes received on one connection that no budget is asked for. What comes beyond may be one packet that never ends, and then it is held.
const UNFINISHED_FREE: u64 = 256 << 10;

/// Who holds a packet that is not finished: the member, the record's reader, and the room that each has made for more.
const UNFINISHED_COPIES: u64 = 4;
/// The same where first, last and unusual messages are recorded: no device is sent as much in the longest trial, and the memory that a
/// packet without end takes stays bounded.
pub(super) const EDGES_RECEIVED_MAX: u64 = 256 << 20;
/// How long a connection that we ended may take to go.
const LINGER: Duration = Duration::from_secs(1);

impl Driver {
    /// The system says that something may be done with a connection.
    pub(super) fn bell(&mut self, conn: Conn, readable: bool, broken: bool) {
        let Some(socket) = self.slots.get(conn) else { return };
        if socket.phase == Phase::Connecting {
            self.connected(conn);
        }
        self.flush(conn);
        let Some(socket) = self.slots.get(conn) else { return };
        if readable && (socket.reading || socket.phase == Phase::Lingering) {
            self.ready.push(conn);
        } else if broken && let Ok(Some(error)) = socket.stream.take_error() {
            // Nobody reads, so a read will not tell.
            self.peer_ended(conn, close_of(&error));
        }
    }

    fn connected(&mut self, conn: Conn) {
        let Some(socket) = self.slots.get(conn) else { return };
        match (socket.stream.take_error(), socket.stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => self.connect_failed(conn, close_of(&error)),
            (Ok(None), Err(_)) => {} // still on its way
            (Ok(None), Ok(_)) => self.opened(conn),
        }
    }

    /// The connection could not be made.
    pub(super) fn connect_failed(&mut self, conn: Conn, how: Close) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.take(conn) else { return };
        let (fleet, position, left) = (socket.fleet, socket.position, socket.left);
        self.unwritten(now, conn, &socket);
        drop(socket);
        if !left {
            self.record_closed(now, fleet, position, conn, how);
            self.deliver(fleet, position, Input::Closed(conn, how));
        }
        self.recycle(conn);
    }

    fn opened(&mut self, conn: Conn) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.get(conn) else { return };
        let left = socket.left;
        socket.phase = if left { Phase::Leaving } else { Phase::Open };
        socket.link.opened = now;
        let (fleet, position) = (socket.fleet, socket.position);
        let (from, to, label) = (socket.from(), socket.to, socket.label.clone());
        let early = std::mem::take(&mut socket.early);
        if !left {
            let (index, member) = self.identity(fleet, position);
            self.recorder.opened(now, index, member, conn, &label, from, to);
            self.set_cut(now, fleet, conn);
        }
        for bytes in early {
            self.queue(now, conn, &bytes);
        }
        self.flush(conn);
        if !left {
            self.deliver(fleet, position, Input::Opened(conn));
        }
    }

    fn set_cut(&mut self, now: Time, fleet: usize, conn: Conn) {
        if let Some((at, how)) = self.fleets[fleet].path.as_ref().and_then(|path| path.cut(now)) {
            self.timers.push(at, Due::Cut(conn, self.slots.age(conn), how));
        }
    }

    /// The target connects to a fleet that plays the server: to its members in turn.
    pub(super) fn accept(&mut self, fleet: usize) {
        loop {
            let Some(listener) = &self.fleets[fleet].listener else { return };
            let Ok((mut stream, peer)) = listener.accept() else { return };
            if self.context.approved.answer(addr(Some(peer))).is_none() {
                continue; // nobody that we may speak to: it gets not even a word
            }
            let position = self.next_in_turn(fleet);
            let conn = self.outbox.new_conn();
            let both = Interest::READABLE | Interest::WRITABLE;
            if stream.set_nodelay(true).is_err()
                || self.poll.registry().register(&mut stream, Token(conn.0 as usize), both).is_err()
            {
                continue; // gone before we could look at it
            }
            let now = self.context.clock.now();
            let (from, to) = (addr(Some(peer)), addr(stream.local_addr().ok()));
            let link: LinkState = self.link(fleet, position, conn);
            let mut socket = Socket::new(stream, (fleet, position), Phase::Open, to, link);
            socket.link.opened = now;
            self.slots.put(conn, socket);
            let (index, member) = self.identity(fleet, position);
            self.recorder.opening(conn);
            self.recorder.opened(now, index, member, conn, "", from, to);
            self.set_cut(now, fleet, conn);
            self.deliver(fleet, position, Input::Accepted(conn, from));
        }
    }

    /// Who of a fleet that plays the server is spoken to next.
    pub(super) fn next_in_turn(&mut self, fleet: usize) -> u32 {
        let fleet = &mut self.fleets[fleet];
        let position = fleet.accepted % (fleet.members.len() as u32).max(1);
        fleet.accepted += 1;
        position
    }

    /// Writes what may be written now, one write for each send of the actor; then ends our direction, if that was asked for.
    pub(super) fn flush(&mut self, conn: Conn) {
        let now = self.context.clock.now();
        let age = self.slots.age(conn);
        let Some(socket) = self.slots.get(conn) else { return };
        if socket.phase == Phase::Connecting || socket.shut {
            return;
        }
        let fleet = &self.fleets[socket.fleet];
        let (index, member) = (fleet.index, fleet.members[socket.position as usize]);
        // A record of edges counts messages, so there a message is told once, when it is whole. What a link holds was told before.
        let (in_pieces, told_before) = (!self.recycles, fleet.path.is_some());
        while let Some(chunk) = socket.out.front_mut().filter(|chunk| chunk.release <= now) {
            let written = match socket.stream.write(&chunk.bytes[chunk.written..]) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.broken(conn, close_of(&error)),
            };
            let before = if in_pieces { chunk.written } else { 0 };
            chunk.written += written;
            let whole = chunk.written == chunk.bytes.len();
            if (whole || in_pieces) && !told_before {
                self.recorder.sent(now, index, member, conn, &chunk.bytes[before..chunk.written]);
            }
            if whole {
                socket.out.pop_front();
            }
        }
        if socket.out.is_empty() {
            let asked = std::mem::take(&mut socket.tell_written);
            (0..asked).for_each(|_| self.pending.push_back(Pending::Flushed(conn, age)));
        }
        if !socket.out.is_empty() || !(socket.half || socket.phase == Phase::Leaving) {
            return;
        }
        // A peer that is gone already needs no end of stream.
        let _ = socket.stream.shutdown(Shutdown::Write);
        socket.shut = true;
        if socket.phase == Phase::Leaving && socket.peer_ended {
            drop(self.slots.take(conn));
            self.recycle(conn);
        } else if socket.phase == Phase::Leaving {
            socket.phase = Phase::Lingering;
            self.timers.push(now + LINGER, Due::LingerLimit(conn, age));
            self.ready.push(conn);
        }
    }

    /// A write failed: what the peer has said before is still worth reading, and the read after it ends the connection.
    fn broken(&mut self, conn: Conn, how: Close) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.get(conn) else { return };
        let (len, fleet, position) = (socket.unwritten(), socket.fleet, socket.position);
        let reads = socket.reading && socket.phase == Phase::Open;
        socket.out.clear();
        socket.shut = true;
        socket.broken = Some(how);
        let (index, member) = self.identity(fleet, position);
        self.recorder.undelivered(now, index, member, conn, len);
        if reads { self.ready.push(conn) } else { self.peer_ended(conn, how) }
    }

    /// Reads what there is, but not for ever: others wait.
    pub(super) fn read(&mut self, conn: Conn) {
        for _ in 0..READS_PER_TURN {
            let Some(socket) = self.slots.get(conn) else { return };
            let lingers = socket.phase == Phase::Lingering;
            let reads = socket.reading && socket.phase == Phase::Open;
            if !reads && !lingers {
                return;
            }
            match socket.stream.read(&mut self.buffer) {
                Ok(0) => {
                    let how = socket.broken.unwrap_or(Close::Fin);
                    return self.peer_ended(conn, how);
                }
                Ok(_) if lingers => {}
                Ok(n) => {
                    if self.acknowledges_at_once {
                        // Linux forgets it again by itself; where it does not know it, an answer comes 40 ms later.
                        let _ = SockRef::from(&socket.stream).set_tcp_quickack(true);
                    }
                    self.came(conn, n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.peer_ended(conn, close_of(&error)),
            }
        }
        self.ready.push(conn);
    }

    /// `n` bytes of the buffer have come; the link may hold them before they arrive.
    fn came(&mut self, conn: Conn, n: usize) {
        let now = self.context.clock.now();
        let age = self.slots.age(conn);
        let Some(socket) = self.slots.get(conn) else { return };
        socket.received += n as u64;
        let most = if self.recycles { EDGES_RECEIVED_MAX } else { RECEIVED_MAX };
        let beyond = socket.received.saturating_sub(UNFINISHED_FREE).min(n as u64);
        if socket.received > most || !self.recycles && !self.recorder.takes(beyond * UNFINISHED_COPIES) {
            return self.too_much(conn);
        }
        let (fleet, position) = (socket.fleet, socket.position);
        let Some(path) = &self.fleets[fleet].path else {
            let buffer = std::mem::take(&mut self.buffer);
            self.arrived(conn, fleet, position, &buffer[..n]);
            self.buffer = buffer;
            return;
        };
        for piece in path.pieces(&self.buffer[..n]) {
            let direction = &mut socket.link.back;
            let passage = Passage { sent: now, opened: socket.link.opened, before: direction.before, len: piece.len() };
            let fate = path.fate(passage, &mut direction.draws);
            direction.before = fate.arrives;
            socket.link.inbox.push_back((fate.arrives, piece.to_vec()));
            self.timers.push(fate.arrives, Due::Arrive(conn, age));
        }
    }

    fn arrived(&mut self, conn: Conn, fleet: usize, position: u32, bytes: &[u8]) {
        let (index, member) = self.identity(fleet, position);
        self.recorder.received(self.context.clock.now(), index, member, conn, bytes);
        self.deliver(fleet, position, Input::Bytes(conn, bytes));
    }

    /// The link lets in what is due.
    pub(super) fn arrive(&mut self, conn: Conn) {
        loop {
            let now = self.context.clock.now();
            let Some(socket) = self.slots.get(conn).filter(|s| s.phase == Phase::Open && s.reading) else { return };
            let due = socket.link.inbox.front().is_some_and(|(at, _)| *at <= now);
            let (fleet, position) = (socket.fleet, socket.position);
            match (due, socket.link.inbox.is_empty(), socket.link.ended) {
                (true, ..) => {
                    let Some((_, bytes)) = socket.link.inbox.pop_front() else { return };
                    self.arrived(conn, fleet, position, &bytes);
                }
                (false, true, Some(how)) => return self.ended(conn, how),
                _ => return,
            }
        }
    }

    /// The peer has ended the connection; what came before arrives first.
    fn peer_ended(&mut self, conn: Conn, how: Close) {
        match self.slots.get(conn) {
            Some(socket) if socket.phase == Phase::Open && !socket.link.inbox.is_empty() => {
                socket.link.ended = Some(how);
            }
            Some(_) => self.ended(conn, how),
            None => {}
        }
    }

    fn ended(&mut self, conn: Conn, how: Close) {
        let answers = self.slots.get(conn).is_some_and(|socket| socket.phase == Phase::Open && !socket.shut);
        if answers && how == Close::Fin { self.peer_says_no_more(conn) } else { self.over(conn, By::Peer, how) }
    }

    /// The peer says no more. The actor learns so and has a last word, and what it said before is still written.
    fn peer_says_no_more(&mut self, conn: Conn) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.get(conn) else { return };
        socket.phase = Phase::Told;
        socket.peer_ended = true;
        let (fleet, position) = (socket.fleet, socket.position);
        let (index, member) = self.identity(fleet, position);
        self.recorder.closed(now, index, member, conn, By::Peer, Close::Fin);
        self.deliver(fleet, position, Input::Closed(conn, Close::Fin));
        let Some(socket) = self.slots.get(conn).filter(|socket| socket.phase == Phase::Told) else { return };
        socket.phase = Phase::Leaving;
        self.flush(conn);
    }

    /// The connection is no more; its actor learns so, unless it was the one who ended it.
    fn over(&mut self, conn: Conn, by: By, how: Close) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.take(conn) else { return };
        self.unwritten(now, conn, &socket);
        let (fleet, position, phase) = (socket.fleet, socket.position, socket.phase);
        drop(socket);
        if phase == Phase::Open {
            let (index, member) = self.identity(fleet, position);
            self.recorder.closed(now, index, member, conn, by, how);
            self.deliver(fleet, position, Input::Closed(conn, how));
        }
        self.recycle(conn);
    }

    /// The link ends the connection, at both its ends.
    pub(super) fn cut(&mut self, conn: Conn, how: Close) {
        let now = self.context.clock.now();
        let Some(socket) = self.slots.get(conn).filter(|s| s.phase == Phase::Open) else { return };
        if how != Close::Fin {
            socket.will_reset();
        }
        let (index, member) = self.identity_of(conn);
        self.recorder.fate(now, index, member, conn, "cut");
        self.over(conn, By::Us, how);
    }

    fn too_much(&mut self, conn: Conn) {
        let Some(socket) = self.slots.get(conn) else { return };
        socket.will_reset();
        let value = socket.received;
        self.over(conn, By::Limit, Close::LocalLimit);
        self.entry(Who::Harness, Event::Calibration { name: RECEIVED_LIMIT.into(), value });
    }

    /// Records what a connection that is over did not get written.
    fn unwritten(&mut self, now: Time, conn: Conn, socket: &Socket) {
        let len = socket.unwritten();
        if len > 0 {
            let (index, member) = self.identity(socket.fleet, socket.position);
            self.recorder.undelivered(now, index, member, conn, len);
        }
    }

    pub(super) fn undelivered_at_the_end(&mut self) {
        let now = self.context.clock.now();
        for conn in self.slots.open() {
            if let Some(socket) = self.slots.take(conn) {
                self.unwritten(now, conn, &socket);
            }
        }
    }

    fn identity_of(&mut self, conn: Conn) -> (u16, u32) {
        let who = self.slots.get(conn).map(|s| (s.fleet, s.position));
        let (fleet, position) = who.expect("only asked for open connections");
        self.identity(fleet, position)
    }
}
