//! Turns what a runner sees into transcript entries: decoding, canary search, caps and totals. Used by sim and live alike.
//!
//! Only our side is recorded: a member's sends as it hands them over, its receipts as it gets them.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::budget::Lease;
use crate::connection::{Addr, Close};
use crate::ids::Conn;
use crate::note::Note;
use crate::part::Part;
use crate::plan::{FleetPlan, Plan, Recording, StepPlan};
use crate::protocol::{Describe, From};
use crate::registry::Registry;
use crate::time::Time;
use crate::transcript::{self, By, Entry, Event, Header, Transcript, Who};
use crate::value::hex;

mod canary;
mod edges;
#[cfg(test)]
mod tests;

use canary::Canaries;
use edges::{Direction, Edges};

/// Bytes of one message that an entry shows; above that, its length and digest stand for the rest.
pub const ENTRY_MAX: usize = 64 * 1024;
/// Size of a run's record, about: past it, traffic is no longer recorded, and an entry says so.
/// Several trials run side by side, and share one budget of memory below this.
pub const RECORD_MAX: u64 = 128 << 20;
/// Calibration entry that says that the trials side by side have used up the memory that they share.
pub const MEMORY_LIMIT: &str = "memory-limit-reached-bytes";
/// Calibration entry that says so.
pub const RECORD_LIMIT: &str = "record-limit-reached-bytes";
/// Calibration entry that says that we ended a connection whose peer had sent more than we take.
pub const RECEIVED_LIMIT: &str = "received-limit-reached-bytes";
/// Calibration entry with the datagrams of strangers beyond those that we tell apart.
pub const UNHEARD: &str = "datagrams-unheard";
/// Calibration entry with the datagrams that came to a socket of ours which had no room for them.
pub const DROPPED: &str = "datagrams-dropped";
/// Calibration entry with the connections that the kernel made, or was asked to make, and dropped, since the queue of a process that
/// listens was full.
pub const LISTEN_OVERFLOWS: &str = "listen-overflows";
/// Calibration entry that says, of a target which broke as we ended it, whether it ends in order (1) where nobody but witnesses has
/// spoken to it.
pub const UNTOUCHED_END: &str = "ends-in-order-untouched";
/// Gauge of a round in a target that has been played in before: how many rounds. Sessions and messages of those may still be there.
pub const ROUNDS_BEFORE: &str = "rounds-before";
/// Gauge of a trial whose target got into trouble only afterwards, while it lived on: for how many milliseconds it was to.
pub const LINGERED: &str = "lingered-ms";
/// Gauge of the target's processes, beside its first, that served when it was ready and have ended since.
pub const SERVERS_ENDED: &str = "servers-ended";
/// Name of the entry that says that the target logged more than we keep: nobody can say what stood in the rest.
pub const LOG_LIMIT: &str = "log-limit-reached";
/// What an entry costs beside its bytes.
const ENTRY_OVERHEAD: u64 = 160;
/// What a packet costs beside its characters, and each of its fields as much again: a flood of twelve-byte packets is mostly this.
const PACKET_OVERHEAD: u64 = 128;

/// Collects the transcript of one trial.
pub struct Recorder {
    transcript: Transcript,
    fleets: Vec<FleetFacts>,
    names: Names,
    readers: BTreeMap<Conn, Readers>,
    /// Names of connections in scripts that are not `main`, until they are over.
    labels: BTreeMap<Conn, String>,
    canaries: Canaries,
    found: Vec<usize>,
    edges: Option<Edges>,
    size: u64,
    size_max: u64,
    lease: Lease,
    /// The lease had no more to give.
    short: bool,
}

/// [`Protocol::describe`](crate::protocol::Protocol).
type MakeReader = fn(&str, From) -> Box<dyn Describe>;

/// What the recorder must know of a fleet.
struct FleetFacts {
    name: String,
    version: String,
    describe: Option<MakeReader>,
    /// Which side of a connection its members are on.
    side: From,
    /// Stands for the verb where a behaviour without steps says that it was not answered.
    behaviour: String,
    steps: BTreeMap<u16, Step>,
}

struct Step {
    verb: String,
    part: Option<Part>,
}

struct Names {
    marks: Vec<String>,
    binds: Vec<String>,
}

/// One connection's bytes, read into packets.
struct Readers {
    sent: Box<dyn Describe>,
    received: Box<dyn Describe>,
}

impl Recorder {
    /// An empty record of this trial.
    #[must_use]
    pub fn new(header: Header, plan: &Plan, registry: &Registry) -> Recorder {
        Recorder {
            transcript: Transcript { header, entries: Vec::new() },
            fleets: plan.fleets.iter().map(|fleet| FleetFacts::new(fleet, registry)).collect(),
            names: Names {
                marks: plan.marks.iter().map(|(name, _)| name.clone()).collect(),
                binds: plan.binds.clone(),
            },
            readers: BTreeMap::new(),
            labels: BTreeMap::new(),
            canaries: Canaries::new(&plan.canaries),
            found: Vec::new(),
            edges: (plan.record == Recording::Edges).then(|| Edges::new(&plan.fleets)),
            size: 0,
            size_max: RECORD_MAX,
            lease: Lease::default(),
            short: false,
        }
    }

    /// From now on, what the record grows by is taken from this lease.
    pub fn charge(&mut self, lease: Lease) {
        self.lease = lease;
    }

    /// A member begins to open `conn`: what is said of it from now on is about the new connection. Needed only where the
    /// runner gives a `Conn` out again, which it does not where everything is recorded.
    pub fn opening(&mut self, conn: Conn) {
        if let Some(edges) = &mut self.edges {
            edges.opening(conn);
        }
    }

    /// A connection of `member` of `fleet` stands. `label` is the script's name for it; empty: as [`Note::Label`] said, else `main`.
    #[expect(
        clippy::too_many_arguments,
        reason = "one fact each, and a struct for them would only be built to be taken apart"
    )]
    pub fn opened(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, label: &str, from: Addr, to: Addr) {
        let label = match (label, self.labels.get(&conn)) {
            ("", Some(label)) => label.clone(),
            ("", None) => "main".to_string(),
            (label, _) => label.to_string(),
        };
        let keep = self.edges.as_mut().is_none_or(|edges| edges.opened(fleet, conn));
        if keep {
            let conn = self.number(conn);
            self.push(at, fleet, member, Event::Opened { conn, label, from, to });
        }
    }

    /// A connection is over.
    pub fn closed(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, by: By, how: Close) {
        self.readers.remove(&conn);
        self.labels.remove(&conn);
        self.canaries.forget(conn);
        let keep = self.edges.as_mut().is_none_or(|edges| edges.closed(fleet, conn, by, how));
        if keep {
            let conn = self.number(conn);
            self.push(at, fleet, member, Event::Closed { conn, by, how });
        }
    }

    /// Bytes left a member.
    pub fn sent(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) {
        match &mut self.edges {
            None => self.message(at, fleet, member, conn, Direction::Sent, bytes),
            Some(edges) => {
                if edges.sent(at, fleet, member, conn, bytes) {
                    self.lone_message(at, fleet, member, conn, Direction::Sent, bytes);
                }
            }
        }
    }

    /// Bytes reached a member.
    pub fn received(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) {
        match &mut self.edges {
            None => self.message(at, fleet, member, conn, Direction::Received, bytes),
            Some(edges) => {
                if edges.received(at, fleet, member, conn, bytes) {
                    self.lone_message(at, fleet, member, conn, Direction::Received, bytes);
                }
            }
        }
        self.seek_canaries(at, fleet, member, conn, bytes);
    }

    /// Bytes of a member could not be written: the connection was over.
    pub fn undelivered(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, len: u64) {
        let keep = self.edges.as_mut().is_none_or(|edges| edges.undelivered(fleet, len));
        if keep {
            let conn = self.number(conn);
            self.push(at, fleet, member, Event::Undelivered { conn, len });
        }
    }

    /// A link did something to a message of a member, or to its connection.
    pub fn fate(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, fate: &str) {
        let keep = self.edges.as_mut().is_none_or(|edges| edges.fate(fleet, fate));
        if keep {
            let conn = self.number(conn);
            self.push(at, fleet, member, Event::Fate { conn, fate: fate.to_string() });
        }
    }

    /// A member noted something.
    pub fn note(&mut self, at: Time, fleet: u16, member: u32, note: &Note) {
        if let Note::Label(conn, label) = note {
            self.labels.insert(*conn, label.clone());
        }
        let keep = self.edges.as_mut().is_none_or(|edges| edges.note(fleet, note));
        if keep && let Some(event) = self.event(fleet, note) {
            self.push(at, fleet, member, event);
        }
    }

    /// Anything else: life of the target, gauges, calibration.
    pub fn entry(&mut self, at: Time, who: Who, event: Event) {
        self.transcript.entries.push(Entry { at, who, event });
    }

    /// What was recorded so far; the record goes on, in the middle of whatever connections are open. Only for records of everything.
    #[must_use]
    pub fn take(&mut self) -> Transcript {
        debug_assert!(self.edges.is_none(), "totals of edges cover a whole record");
        (self.size, self.short) = (0, false);
        Transcript { header: self.transcript.header.clone(), entries: core::mem::take(&mut self.transcript.entries) }
    }

    /// Keeps every message from now on, whatever the plan says: for the few that are never many.
    pub fn record_all(&mut self) {
        self.edges = None;
    }

    /// Takes so many bytes of what the record is charged to, for what is held beside it; `false` where they are not to be had.
    #[must_use]
    pub fn takes(&self, bytes: u64) -> bool {
        self.lease.take(bytes)
    }

    /// The record, with totals of fleets recorded on edges.
    #[must_use]
    pub fn finish(mut self) -> Transcript {
        let Some(mut edges) = self.edges.take() else { return self.transcript };
        let at = self.transcript.entries.last().map_or(Time::ZERO, |entry| entry.at);
        for last in edges.take_last() {
            self.lone_message(last.at, last.fleet, last.member, Conn(last.number), last.direction, &last.bytes);
        }
        self.transcript.entries.sort_by_key(|entry| entry.at); // stable: the last messages go back to their places
        for (n, fleet) in self.fleets.iter().enumerate() {
            let totals = Event::Totals(edges.totals(n, &fleet.name));
            self.transcript.entries.push(Entry { at, who: Who::Harness, event: totals });
        }
        self.transcript
    }

    fn event(&self, fleet: u16, note: &Note) -> Option<Event> {
        Some(match note {
            Note::Mark(id) => Event::Mark { name: self.names.marks[id.0 as usize].clone() },
            Note::Bind(id, value) => {
                Event::Bound { name: self.names.binds[id.0 as usize].clone(), value: value.clone() }
            }
            Note::Step { index, conn, state, detail } => {
                let facts = &self.fleets[fleet as usize];
                let step = facts.steps.get(index);
                Event::Step {
                    index: *index,
                    verb: step.map_or_else(|| facts.behaviour.clone(), |step| step.verb.clone()),
                    conn: conn.map(|conn| self.number(conn)),
                    state: *state,
                    part: step.and_then(|step| step.part),
                    detail: detail.clone(),
                }
            }
            Note::Planted(id, conn) => {
                Event::Planted { canary: self.canaries.name(id.0 as usize).to_string(), conn: self.number(*conn) }
            }
            Note::Order(order) => Event::Ordered { order: order.clone() },
            Note::Grant { party, grant, allow } => {
                Event::Grant { party: party.clone(), grant: grant.clone(), allow: *allow }
            }
            Note::Witness(state) => Event::Witness(*state),
            Note::Gauge(name, value) => Event::Gauge { name: (*name).to_string(), value: *value },
            Note::Finished => Event::Finished,
            Note::Void(_) | Note::Label(..) | Note::Log(_) | Note::Exit(_) => return None,
        })
    }

    /// A message of a connection that is read from its first byte.
    fn message(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, direction: Direction, bytes: &[u8]) {
        if self.is_full() {
            return; // not even read: a peer that floods must not cost us more than the record
        }
        let facts = &self.fleets[fleet as usize];
        if !self.readers.contains_key(&conn)
            && let Some((sent, received)) = facts.describe()
        {
            self.readers.insert(conn, Readers { sent, received });
        }
        let mut packets = Vec::new();
        match (self.readers.get_mut(&conn), direction) {
            (Some(readers), Direction::Sent) => readers.sent.bytes(bytes, &mut packets),
            (Some(readers), Direction::Received) => readers.received.bytes(bytes, &mut packets),
            (None, _) => {}
        }
        let bytes = shown(conn.0, bytes, packets);
        self.traffic(at, fleet, member, direction, bytes);
    }

    /// A message whose connection was not read before: most begin with a packet.
    fn lone_message(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, direction: Direction, bytes: &[u8]) {
        let mut packets = Vec::new();
        if let Some((mut sent, mut received)) = self.fleets[fleet as usize].describe() {
            match direction {
                Direction::Sent => sent.bytes(bytes, &mut packets),
                Direction::Received => received.bytes(bytes, &mut packets),
            }
        }
        let bytes = shown(self.number(conn), bytes, packets);
        self.traffic(at, fleet, member, direction, bytes);
    }

    fn traffic(&mut self, at: Time, fleet: u16, member: u32, direction: Direction, bytes: transcript::Bytes) {
        if self.is_full() {
            return;
        }
        // Packets repeat what the bytes say in about as many characters.
        let parts: usize = bytes.packets.iter().map(|packet| 1 + packet.fields.0.len()).sum();
        let cost = bytes.hex.len() as u64 * 2 + ENTRY_OVERHEAD + parts as u64 * PACKET_OVERHEAD;
        self.size += cost;
        self.short |= !self.lease.take(cost);
        let event = match direction {
            Direction::Sent => Event::Sent(bytes),
            Direction::Received => Event::Received(bytes),
        };
        self.push(at, fleet, member, event);
        if self.is_full() {
            let name = if self.short { MEMORY_LIMIT } else { RECORD_LIMIT }.to_string();
            self.entry(at, Who::Harness, Event::Calibration { name, value: self.size });
        }
    }

    fn is_full(&self) -> bool {
        self.short || self.size > self.size_max
    }

    fn seek_canaries(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) {
        if self.canaries.is_empty() {
            return;
        }
        let mut found = core::mem::take(&mut self.found);
        self.canaries.seek(conn, bytes, &mut found);
        for place in found.drain(..) {
            let canary = self.canaries.name(place).to_string();
            let conn = self.number(conn);
            self.push(at, fleet, member, Event::Seen { canary, conn });
        }
        self.found = found;
    }

    /// The connection's number in the transcript: unique, even where the runner uses a `Conn` again.
    fn number(&self, conn: Conn) -> u32 {
        self.edges.as_ref().map_or(conn.0, |edges| edges.number(conn))
    }

    fn push(&mut self, at: Time, fleet: u16, member: u32, event: Event) {
        let who = Who::Member(self.fleets[fleet as usize].name.clone(), member);
        self.entry(at, who, event);
    }
}

impl FleetFacts {
    fn new(fleet: &FleetPlan, registry: &Registry) -> FleetFacts {
        let step = |step: &StepPlan| Step { verb: step.verb.clone(), part: step.part.or(fleet.part) };
        let steps = fleet.steps.iter().map(|planned| (planned.index, step(planned)));
        FleetFacts {
            name: fleet.name.clone(),
            behaviour: fleet.behaviour.clone(),
            version: fleet.version.clone(),
            describe: registry.protocol(&fleet.protocol).map(|protocol| protocol.describe),
            side: if fleet.plays_server { From::Server } else { From::Client },
            steps: steps.collect(),
        }
    }

    /// Readers of what its members send and of what they receive.
    fn describe(&self) -> Option<(Box<dyn Describe>, Box<dyn Describe>)> {
        let describe = self.describe?;
        let other = match self.side {
            From::Client => From::Server,
            From::Server => From::Client,
        };
        Some((describe(&self.version, self.side), describe(&self.version, other)))
    }
}

/// An entry's bytes: all of them, or the first 64 KiB with the length and digest of the whole.
fn shown(conn: u32, bytes: &[u8], packets: Vec<transcript::Packet>) -> transcript::Bytes {
    let cut = bytes.len() > ENTRY_MAX;
    transcript::Bytes {
        conn,
        hex: hex(&bytes[..bytes.len().min(ENTRY_MAX)]),
        len: cut.then_some(bytes.len() as u64),
        sha256: cut.then(|| hex(&Sha256::digest(bytes))),
        packets,
    }
}

impl core::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&format!("Recorder({} entries)", self.transcript.entries.len()))
    }
}
