//! One named connection of a script: its state, its protocol's side, and what was heard and not read yet (`inbox`).
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::actor::Outbox;
use crate::connection::{Close, CloseHow};
use crate::ids::{Conn, TimerId};
use crate::plan::Segments;
use crate::protocol::{Dialog, Transport};
use crate::time::{Duration, Time};

use super::hush::Hush;
use super::inbox::Inbox;

/// Datagrams that a dialog may have due at one moment; what is more waits for the next.
const DUE_MAX: usize = 1024;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Never opened.
    Fresh,
    /// We play the server, and nobody has connected yet.
    Listening,
    /// Asked for.
    Opening(Conn),
    /// Stands.
    Open(Conn),
    /// The peer, or the way to it, has ended it.
    Lost(Conn, Close),
    /// We have ended it.
    Ended(Conn),
}

/// A send that goes on while later steps run.
struct Pace {
    bytes: Vec<u8>,
    sent: usize,
    chunk: usize,
    period: Duration,
}

/// A named connection.
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) inbox: Inbox,
    /// Steps on it that were met by silence.
    pub(super) hushes: Vec<Hush>,
    /// Bytes that arrived on it.
    pub(super) heard: u64,
    /// Some step has already said how it ended.
    pub(super) told: bool,
    /// We do not read: what does not come says nothing.
    pub(super) deaf: bool,
    /// Our direction is closed: the peer may take that for the end.
    pub(super) half: bool,
    /// Its end was asked for, by a goodbye or by a step that awaited it: whoever speaks afterwards is not thrown out.
    pub(super) over: bool,
    /// Part of the attack was said on it.
    pub(super) attacked: bool,
    transport: Transport,
    dialog: Option<Box<dyn Dialog>>,
    /// The wake that is under way for the dialog.
    wake: Time,
    pace: Option<Pace>,
    /// How often we have asked to be told that everything is written, and how often we were.
    asked: u32,
    written: u32,
}

impl Connection {
    pub(super) fn new(transport: Transport) -> Connection {
        Connection {
            transport,
            state: State::Fresh,
            inbox: Inbox::default(),
            hushes: Vec::new(),
            heard: 0,
            told: false,
            deaf: false,
            half: false,
            over: false,
            attacked: false,
            dialog: None,
            wake: Time::NEVER,
            pace: None,
            asked: 0,
            written: 0,
        }
    }

    /// Asks to be told once everything said so far is written.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        if let State::Open(conn) = self.state {
            self.asked += 1;
            out.flush(conn);
        }
    }

    /// The answer to one of those questions, in their order: whether it is the one to the last. What an earlier step had asked, which its
    /// answer has overtaken, tells nothing of a later one.
    pub(super) fn is_written(&mut self) -> bool {
        self.written += 1;
        self.written == self.asked
    }

    /// The connection, where there is or was one.
    pub(super) fn conn(&self) -> Option<Conn> {
        match self.state {
            State::Fresh | State::Listening => None,
            State::Opening(conn) | State::Open(conn) | State::Lost(conn, _) | State::Ended(conn) => Some(conn),
        }
    }

    /// Whether `conn` is this connection, and not over.
    pub(super) fn is(&self, conn: Conn) -> bool {
        matches!(self.state, State::Opening(c) | State::Open(c) if c == conn)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// A new connection under this name was asked for.
    pub(super) fn opening(&mut self, conn: Conn) {
        *self = Connection { state: State::Opening(conn), ..Connection::new(self.transport) };
    }

    /// It stands.
    pub(super) fn opened(&mut self, conn: Conn, dialog: Option<Box<dyn Dialog>>) {
        *self = Connection { state: State::Open(conn), dialog, ..Connection::new(self.transport) };
    }

    /// It is over.
    pub(super) fn ended(&mut self, state: State) {
        self.state = state;
        self.dialog = None;
        self.pace = None;
    }

    /// We end it.
    pub(super) fn close(&mut self, how: CloseHow, out: &mut Outbox) {
        if let State::Opening(conn) | State::Open(conn) = self.state {
            out.close(conn, how);
            match how {
                CloseHow::Half => self.half = true,
                CloseHow::Fin | CloseHow::Reset => self.ended(State::Ended(conn)),
            }
        }
    }

    /// We stop reading, or go on.
    pub(super) fn read(&mut self, on: bool, out: &mut Outbox) {
        self.deaf = !on;
        if let Some(conn) = self.conn() {
            out.reading(conn, on);
        }
    }

    /// The protocol's side, while it stands.
    pub(super) fn dialog(&mut self) -> Option<&mut dyn Dialog> {
        match &mut self.dialog {
            Some(dialog) => Some(dialog.as_mut()),
            None => None,
        }
    }

    /// Sends what a step says, so many times: in one write, or in as many datagrams.
    pub(super) fn send(&mut self, bytes: &[u8], times: usize, cut: Segments, out: &mut Outbox) {
        let State::Open(conn) = self.state else { return };
        self.speaks(bytes);
        if self.transport == Transport::Datagram {
            return (0..times).for_each(|_| out.datagram(conn, |buffer| buffer.extend_from_slice(bytes)));
        }
        let repeated;
        let bytes = if times == 1 {
            bytes
        } else {
            repeated = bytes.repeat(times);
            &repeated
        };
        let most = match cut {
            Segments::Whole => bytes.len(),
            Segments::Each(most) => most as usize,
        };
        for piece in bytes.chunks(most.max(1)) {
            out.send(conn, |buffer| buffer.extend_from_slice(piece));
        }
    }

    /// A step speaks: what comes from now on may be its answer.
    fn speaks(&mut self, bytes: &[u8]) {
        let nth = self.inbox.speaks();
        if let Some(dialog) = &mut self.dialog {
            dialog.said(nth, bytes);
        }
    }

    /// Begins a send that goes on at its own pace.
    pub(super) fn begin_pace(&mut self, bytes: Vec<u8>, chunk: u32, period: Duration) {
        self.speaks(&bytes);
        self.pace = Some(Pace { bytes, sent: 0, chunk: chunk.max(1) as usize, period });
    }

    pub(super) fn is_pacing(&self) -> bool {
        self.pace.is_some()
    }

    /// Sends the next piece of a paced send.
    pub(super) fn pace(&mut self, now: Time, timer: TimerId, out: &mut Outbox) {
        let (State::Open(conn), Some(pace)) = (self.state, &mut self.pace) else { return };
        let end = (pace.sent + pace.chunk).min(pace.bytes.len());
        out.send(conn, |buffer| buffer.extend_from_slice(&pace.bytes[pace.sent..end]));
        pace.sent = end;
        if end == pace.bytes.len() {
            self.pace = None;
        } else {
            out.wake(now + pace.period, timer);
        }
    }

    /// Takes bytes of the peer: packets go to the inbox, automatic answers to the peer. Yields how many packets were dropped at
    /// the inbox's old end.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Time, out: &mut Outbox) -> usize {
        // An empty datagram is heard too.
        self.heard += bytes.len().max(1) as u64;
        let (State::Open(conn), Some(dialog)) = (self.state, &mut self.dialog) else { return 0 };
        let mut packets = Vec::new();
        out.send(conn, |reply| dialog.hear(bytes, now, &mut packets, reply));
        self.inbox.take_in(packets)
    }

    /// Whether part of a packet has come, and the rest has not.
    pub(super) fn is_unfinished(&self) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.unfinished() > 0)
    }

    /// Lets the protocol do what is due, and asks for the next wake.
    pub(super) fn tick(&mut self, now: Time, timer: TimerId, out: &mut Outbox) {
        let (State::Open(conn), Some(dialog)) = (self.state, &mut self.dialog) else { return };
        if self.wake <= now {
            self.wake = Time::NEVER;
        }
        let mut next = None;
        for _ in 0..DUE_MAX {
            let mut wrote = false;
            out.send(conn, |buffer| {
                let before = buffer.len();
                next = dialog.tick(now, buffer);
                wrote = buffer.len() > before;
            });
            if !wrote || self.transport == Transport::Stream {
                break; // a stream takes all that is due at once
            }
        }
        if let Some(next) = next
            && next < self.wake
        {
            // A dialog that wants to be asked again at once would stop the clock.
            self.wake = next.max(now + Duration::from_nanos(1));
            out.wake(self.wake, timer);
        }
    }
}
