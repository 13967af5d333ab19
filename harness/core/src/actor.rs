//! Sans-io actors: devices, attackers, on-path parties and in-process targets in one shape.
//!
//! An actor is sans-io: it is handed the time and one input, and its only effect is its [`Outbox`]. The simulator and the
//! live driver run the same actors unchanged.
use alloc::vec::Vec;

use crate::admin::Order;
use crate::time::Time;
use crate::value::Value;

use crate::connection::{Addr, Close, CloseHow};
use crate::ids::{BindId, Conn, EndpointId, MarkId, TimerId};
use crate::note::Note;

/// What happened to an actor.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The trial begins for this actor (ramps spread these).
    Start,
    /// A connection that we opened stands.
    Opened(Conn),
    /// Somebody connected to us, from this address. On datagrams: the first one from an address that was never heard at this
    /// socket, which for a client is a stranger.
    Accepted(Conn, Addr),
    /// Bytes arrived. A stream may cut anywhere; a datagram is exactly one.
    Bytes(Conn, &'a [u8]),
    /// The connection is over, or could not be opened. The last input for this `Conn`. On datagrams: the peer's port is
    /// unreachable ([`Close::Refused`]), or nothing was heard for so long that the runner forgets the address ([`Close::TimedOut`]).
    Closed(Conn, Close),
    /// Everything sent on this connection before [`Outbox::flush`] was written to the kernel. Comes once for each, in their order, several
    /// at once where the later was asked before the earlier was so; never where the connection ends first.
    Flushed(Conn),
    /// For witnesses: everybody else has finished. A round begins now, and its end is the last word about the target.
    Ask,
    /// A wake that was asked for. Wakes are never taken back: an actor whose deadline has moved ignores the early one.
    Timer(TimerId),
    /// A mark that this fleet waits for has been set (by the same member where the counts are equal, else by all).
    Mark(MarkId),
    /// A mark that this fleet waits for can never be set any more.
    Void(MarkId),
    /// A value was bound by some fleet, before the mark of the same step.
    Bound(BindId, &'a Value),
    /// For targets: the administrator asks for a change.
    Order(&'a Order),
    /// For administrators: the last order took effect, or failed for this reason.
    Done(Result<(), &'a str>),
}

/// A sans-io participant.
pub trait Actor: Send {
    /// Takes one input at `now`; every effect goes to `out`.
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox);
    /// Bytes that this actor holds for others (queues, sessions, buffers), counted from its real containers. 0 where it makes no sense.
    fn held(&self) -> u64 {
        0
    }
}

/// One fleet behind one virtual call: members are numbered `0..len`.
pub trait Crowd: Send {
    /// Takes one input for `member` at `now`.
    fn handle(&mut self, member: u32, now: Time, input: Input<'_>, out: &mut Outbox);
    /// A hint that `member` is handled soon: prefetch, nothing more.
    fn touch(&self, _member: u32) {}
    /// How many members there are.
    fn len(&self) -> u32;
    /// Whether there is nobody.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<A: Actor> Crowd for Vec<A> {
    fn handle(&mut self, member: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        self[member as usize].handle(now, input, out);
    }
    fn touch(&self, member: u32) {
        core::hint::black_box(&self[member as usize]);
    }
    fn len(&self) -> u32 {
        u32::try_from(<[A]>::len(self)).expect("a fleet has at most u32::MAX members")
    }
}

/// One effect of an actor, in the order it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Connect to an endpoint of the target from a source address (port 0: any).
    Open(Conn, EndpointId, Addr),
    /// Bytes `start..end` of the outbox's buffer, to the peer. On datagrams exactly one, which may be empty.
    Send(Conn, usize, usize),
    /// Say when everything sent before is written.
    Flush(Conn),
    /// End our side.
    Close(Conn, CloseHow),
    /// Stop (`false`) or go on (`true`) reading: a stopped reader lets its window fill.
    Reading(Conn, bool),
    /// Call back at this time.
    Wake(Time, TimerId),
    /// Record, or tell the runner.
    Note(Note),
}

/// Where actors put their effects. One per runner, reused; nothing is allocated once it is warm.
#[derive(Debug, Default)]
pub struct Outbox {
    acts: Vec<Act>,
    bytes: Vec<u8>,
    free: Vec<Conn>,
    next: u32,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// Connects to `to` from `from`; answered by [`Input::Opened`] or [`Input::Closed`]. On datagrams nothing goes on the wire.
    pub fn open(&mut self, to: EndpointId, from: Addr) -> Conn {
        let conn = self.new_conn();
        self.acts.push(Act::Open(conn, to, from));
        conn
    }

    /// Sends what `write` appends to the buffer; on datagrams, as one. Nothing appended, nothing sent.
    pub fn send(&mut self, conn: Conn, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > start {
            self.acts.push(Act::Send(conn, start, self.bytes.len()));
        }
    }

    /// Sends what `write` appends as one datagram, also where that is nothing: an empty datagram is a datagram.
    pub fn datagram(&mut self, conn: Conn, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.acts.push(Act::Send(conn, start, self.bytes.len()));
    }

    /// Asks for [`Input::Flushed`] once everything sent on `conn` so far is written to the kernel: until then it may never reach the peer.
    pub fn flush(&mut self, conn: Conn) {
        self.acts.push(Act::Flush(conn));
    }

    /// Ends our side. The runner sends no [`Input::Closed`] for a `Fin` or `Reset` of our own: the `Conn` is gone with this call.
    /// After `Half` the connection stays until the peer ends it.
    pub fn close(&mut self, conn: Conn, how: CloseHow) {
        self.acts.push(Act::Close(conn, how));
    }

    /// Stops (`false`) or resumes (`true`) reading from `conn`.
    pub fn reading(&mut self, conn: Conn, on: bool) {
        self.acts.push(Act::Reading(conn, on));
    }

    /// Asks for [`Input::Timer`] at `at` (or as soon after as the runner can; never before). Wakes are never taken back.
    pub fn wake(&mut self, at: Time, id: TimerId) {
        self.acts.push(Act::Wake(at, id));
    }

    /// Records something, or tells the runner.
    pub fn note(&mut self, note: Note) {
        self.acts.push(Act::Note(note));
    }

    /// For runners: a fresh `Conn` for an accepted connection.
    pub fn new_conn(&mut self) -> Conn {
        self.free.pop().unwrap_or_else(|| {
            let conn = Conn(self.next);
            self.next += 1;
            conn
        })
    }

    /// For runners: `conn` may be given out again. Only once nothing in flight names it.
    pub fn recycle(&mut self, conn: Conn) {
        self.free.push(conn);
    }

    /// For runners: takes the effects and their bytes. Give both back with [`Outbox::restore`] so that they are reused.
    pub fn take(&mut self) -> (Vec<Act>, Vec<u8>) {
        (core::mem::take(&mut self.acts), core::mem::take(&mut self.bytes))
    }

    /// For runners: gives the emptied buffers of [`Outbox::take`] back.
    pub fn restore(&mut self, mut acts: Vec<Act>, mut bytes: Vec<u8>) {
        acts.clear();
        bytes.clear();
        self.acts = acts;
        self.bytes = bytes;
    }

    /// For runners: the effects that wait.
    #[must_use]
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// For runners that stand between an actor and another runner: the effects that came after the first `n`.
    pub fn acts_since(&mut self, n: usize) -> &mut [Act] {
        &mut self.acts[n..]
    }

    /// Whether no effect waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }
}
