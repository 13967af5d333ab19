//! The reference CoAP server: RFC 7252 over UDP with observing (RFC 7641) and blocks (RFC 7959), correct in every clause that a client
//! can see.
//!
//! Where the standards leave a choice: a malformed NON, and one with an option that is not understood, is left alone. Every copy of a
//! message gets the same reply, and has no second effect. Whoever has not shown that its address is its own gets at most three
//! times the bytes that it sent: larger answers, and every observation, begin with a 4.01 that carries an Echo option (RFC 9175)
//! which the client repeats. What has no security may be public only: `/protected` is 4.01 to everybody.
//!
//! | path | methods | |
//! |---|---|---|
//! | `/time` | GET | seconds since the start; can be observed |
//! | `/counter` | GET, POST | POST adds one |
//! | `/actuator` | GET, PUT | `on` or `off` |
//! | `/large` | GET | 5120 bytes, in blocks |
//! | `/store` | GET, PUT, DELETE | at most 16 KiB, in blocks; absent until the first PUT; can be observed |
//! | `/slow` | GET | answered a second later, in a message of its own |
//! | `/protected` | | 4.01 |
//! | `/.well-known/core` | GET | what is public |
//!
//! Reading order: `intake` (datagrams to requests), `site` (what the resources do), `upload` (bodies in blocks), `reply` (what may be
//! said to whom), `later` (notifications, separate responses, repetitions). What is held for a peer is `peer`.

pub(in crate::reference) mod answer;
mod bends;
mod intake;
mod later;
mod lenient;
mod limits;
pub(in crate::reference) mod peer;
mod reply;
mod site;
#[cfg(test)]
mod tests;
mod upload;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::codec::Token;
use proofhouse_coap::exchange::Params;
use proofhouse_coap::observe::{Observers, Sequence};
use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::registry::{Build, BuildPlan};
use proofhouse_core::seed::{Rng, Seed};
use proofhouse_core::time::Time;

pub use limits::Limits;

use crate::flaw::{Flaw, Flaws};
use peer::Peers;
use site::Site;
use upload::Uploads;

/// The CoAP server among the targets that can be built in this process.
pub const BUILD: Build =
    Build { name: "coap", doc: "CoAP server over UDP with observe and blocks, correct by the standards", build };

fn build(plan: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(CoapServer::new(Limits::default(), Flaws::parse(plan.flaws)?, plan.seed)))
}

/// Those of the standard.
pub(in crate::reference) const PARAMS: Params = Params::DEFAULT;

/// The server, and all that it holds.
#[derive(Debug)]
pub struct CoapServer {
    flaws: Flaws,
    limits: Limits,
    rng: Rng,
    site: Site,
    peers: Peers,
    uploads: Uploads,
    observers: Observers,
    sequence: Sequence,
    /// When observers of the time are told next.
    tick: Time,
    /// When something is due for whom.
    due: BTreeSet<(Time, Conn)>,
    /// Observations that a flaw ends, and when.
    ending: Vec<(Time, Conn, Token)>,
    /// The earliest wake that was asked for and has not come.
    armed: Time,
    /// The message that is being written; kept for the next.
    wire: Vec<u8>,
    exited: bool,
}

impl CoapServer {
    /// A server that has just been started. `seed` is where message ids and challenges come from.
    #[must_use]
    pub fn new(mut limits: Limits, flaws: Flaws, seed: Seed) -> CoapServer {
        if flaws.has(Flaw::DedupNeverForgets) {
            limits.idle = Duration::MAX;
        }
        if flaws.has(Flaw::DedupLastOnly) {
            limits.recent = 1;
        }
        let mut rng = seed.stream("coap-server", 0);
        CoapServer {
            flaws,
            limits,
            site: Site::default(),
            peers: Peers::default(),
            uploads: Uploads::default(),
            observers: Observers::new(limits.observations as usize),
            sequence: Sequence::new(rng.next() as u32),
            rng,
            tick: Time::NEVER,
            due: BTreeSet::new(),
            ending: Vec::new(),
            armed: Time::NEVER,
            wire: Vec::new(),
            exited: false,
        }
    }

    /// Ends the process: only ever called by a flaw.
    fn exit(&mut self, why: &str, out: &mut Outbox) {
        self.exited = true;
        out.note(Note::Log(format!("fatal: {why}")));
        out.note(Note::Exit(139));
    }
}

impl Actor for CoapServer {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        if self.exited {
            return;
        }
        match input {
            Input::Accepted(conn, _) => self.met(conn, now, out),
            Input::Bytes(conn, datagram) => self.datagram(conn, datagram, now, out),
            Input::Closed(conn, _) => self.gone(conn),
            Input::Timer(_) => self.timer(now, out),
            _ => {} // not a target's, or nothing to it
        }
    }

    fn held(&self) -> u64 {
        let observers = self.observers.len() * size_of::<(Conn, proofhouse_coap::observe::Observer)>();
        let due = self.due.len() * size_of::<(Time, Conn)>();
        (self.peers.bytes() + self.uploads.bytes() + self.site.bytes() + observers + due + self.wire.capacity()) as u64
    }
}
