//! The reference broker: MQTT 3.1.1 and 5 on one port, the version taken from CONNECT, correct in every clause that a client can see.
//!
//! Where the standards leave a choice: rights are asked for when somebody subscribes, when somebody publishes, and again whenever a
//! message is sent, queued ones and retained ones too. A PUBLISH without the right is acknowledged in 3.1.1 and goes nowhere; MQTT 5
//! is told 0x87. A session belongs to the user who made it. Nobody publishes to topics that begin with `$`, the server neither.
//!
//! Reading order: `intake` (bytes to packets), `connect`, `publish` and `subscribe` (what clients say), `deliver` (what they
//! are told), `life` (time, ends, orders). The stores are `connection`, `session`, `tree`, `retained`.

mod accounts;
mod connect;
mod connection;
mod deliver;
mod intake;
mod lenient;
mod life;
mod limits;
mod message;
mod publish;
mod retained;
mod session;
mod slack;
mod subscribe;
mod tally;
#[cfg(test)]
mod tests;
mod tree;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::connection::Close;
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::registry::{Build, BuildPlan};
use proofhouse_core::seed::{Rng, Seed};
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{Packet, Version};

pub use accounts::Accounts;
pub use limits::{Lacks, Limits};

use crate::flaw::{Flaw, Flaws};
use connection::{Connection, Phase};
use retained::Retained;
use session::Session;
use tally::Meter;
use tree::{Hit, Tree};

/// The broker among the targets that can be built in this process.
pub const BUILD: Build = Build { name: "broker", doc: "MQTT broker for 3.1.1 and 5, correct by both standards", build };

fn build(plan: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    built(plan, Limits::default())
}

/// The broker with these limits, which it announces to clients of MQTT 5.
///
/// # Errors
/// A flaw that there is not.
pub fn built(plan: &BuildPlan<'_>, limits: Limits) -> Result<Box<dyn Actor>, String> {
    let claims = |name: &str| plan.claims.iter().any(|claim| claim == name);
    let accounts = match claims("authenticated") {
        true => Accounts::of_parties(&plan.plan.parties, claims("acl")),
        false => Accounts::open(),
    };
    Ok(Box::new(Broker::new(accounts, limits, Flaws::parse(plan.flaws)?, plan.seed)))
}

/// The broker, and all that it holds.
#[derive(Debug)]
pub struct Broker {
    flaws: Flaws,
    limits: Limits,
    accounts: Accounts,
    rng: Rng,
    meter: Meter,
    /// By number of the connection.
    connections: Vec<Connection>,
    sessions: Vec<Option<Session>>,
    free_sessions: Vec<u32>,
    by_id: BTreeMap<Arc<str>, u32>,
    /// Clients connected, from each address; only counted where there is a limit.
    per_source: BTreeMap<u32, u32>,
    connected: u32,
    tree: Tree,
    retained: Retained,
    /// Kept for the next message.
    hits: Vec<Hit>,
    plant: Plant,
}

/// What flaws remember.
#[derive(Debug, Default)]
struct Plant {
    /// The process has ended.
    exited: bool,
    /// Nobody is answered any more.
    hung: bool,
    /// Acknowledgements are lost.
    mute: bool,
    assigned: u64,
    delivered: u64,
    replaced: u64,
    leak: Vec<Box<[u8]>>,
    aliases: BTreeMap<Arc<str>, BTreeMap<u16, Arc<str>>>,
    /// The last packet that could be read, and whose.
    last: Option<(Conn, u8, Box<[u8]>)>,
    /// Client ids that hold what topics are made of.
    odd_ids: BTreeSet<Box<str>>,
    /// Who retained a message last: the first of two steps.
    retained_by: Option<Arc<str>>,
}

impl Broker {
    /// A broker that has just been started. `seed` is where assigned client ids come from.
    #[must_use]
    pub fn new(accounts: Accounts, limits: Limits, flaws: Flaws, seed: Seed) -> Broker {
        let mut rng = seed.stream("broker", 0);
        let mute = rng.next() & 1 == 0 && flaws.has(Flaw::FlakyBySeed);
        Broker {
            flaws,
            limits,
            accounts,
            rng,
            meter: Meter::default(),
            connections: Vec::new(),
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            by_id: BTreeMap::new(),
            per_source: BTreeMap::new(),
            connected: 0,
            tree: Tree::new(),
            retained: Retained::default(),
            hits: Vec::new(),
            plant: Plant { mute, ..Plant::default() },
        }
    }

    fn connection(&mut self, conn: Conn) -> &mut Connection {
        &mut self.connections[conn.0 as usize]
    }

    /// The connection, while it lasts.
    fn phase(&self, conn: Conn) -> Phase {
        self.connections.get(conn.0 as usize).map_or(Phase::Free, |connection| connection.phase)
    }

    fn session(&mut self, place: u32) -> Option<&mut Session> {
        self.sessions.get_mut(place as usize).and_then(Option::as_mut)
    }

    /// The session that a connection speaks for.
    fn session_of(&mut self, conn: Conn) -> Option<(u32, &mut Session)> {
        let place = self.connection(conn).session;
        self.session(place).map(|session| (place, session))
    }

    /// The client, or the way to it, has ended the connection.
    fn lost(&mut self, conn: Conn, how: Close, now: Time, out: &mut Outbox) {
        let keeps_will = how != Close::Reset || !self.flaws.has(Flaw::LosesWillOnReset);
        self.gone(conn, !keeps_will, now, out);
    }

    /// Ends the process: only ever called by a flaw.
    fn exit(&mut self, why: &str, out: &mut Outbox) {
        self.plant.exited = true;
        out.note(Note::Log(format!("fatal: {why}")));
        out.note(Note::Exit(139));
    }
}

/// Writes a packet. One that cannot be said is our own mistake, never the peer's.
fn send(conn: Conn, version: Version, packet: &Packet<'_>, out: &mut Outbox) {
    out.send(conn, |bytes| {
        if let Err(reason) = packet.encode(version, bytes) {
            debug_assert!(false, "we tried to send {packet:?}: {reason}");
        }
    });
}

impl Actor for Broker {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        if self.plant.exited || self.plant.hung {
            return;
        }
        match input {
            Input::Accepted(conn, from) => self.accepted(conn, from, now, out),
            Input::Bytes(conn, bytes) => self.bytes(conn, bytes, now, out),
            Input::Closed(conn, how) => self.lost(conn, how, now, out),
            Input::Timer(id) => self.timer(id, now, out),
            Input::Order(order) => self.order(order, now, out),
            _ => {} // not a target's, or nothing to it
        }
    }

    fn held(&self) -> u64 {
        let slabs = self.connections.capacity() * size_of::<Connection>()
            + self.sessions.capacity() * size_of::<Option<Session>>()
            + self.by_id.len() * size_of::<(Arc<str>, u32)>()
            + self.per_source.len() * size_of::<(u32, u32)>();
        let leak: usize = self.plant.leak.iter().map(|bytes| bytes.len()).sum();
        (slabs + self.meter.total() + self.tree.bytes() + self.retained.bytes() + leak) as u64
    }
}
