//! What a protocol gives the engine: rows and plain functions, so that `core` can stay ignorant of every protocol.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::actor::Crowd;
use crate::grammar::Grammar;
use crate::key::Key;
use crate::oracle::rule::Oracle;
use crate::plan::{FleetPlan, Plan, StepPlan};
use crate::seed::Seed;
use crate::shared::Shared;
use crate::target::TargetSpec;
use crate::time::Time;
use crate::transcript::Packet;
use crate::value::{Fields, Value};
use crate::words::Words;

/// A step that a script can say.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// As `do = "..."` writes it.
    pub name: &'static str,
    /// The keys that it knows, beside those that every step knows.
    pub keys: &'static [Key],
    /// One line for `explain`.
    pub doc: &'static str,
}

/// What a fleet does.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// As `behaviour = "..."` writes it.
    pub name: &'static str,
    /// The keys that it knows, beside those that every fleet knows.
    pub keys: &'static [Key],
    /// One line for `explain`.
    pub doc: &'static str,
    /// Builds the fleet.
    pub crowd: NewCrowd,
    /// Whether it ends by itself. A trial ends when all that end have ended.
    pub ends: fn(&FleetPlan) -> bool,
    /// Writes the fleet out as scripts when a plan is made, so that it is printed, replayed and cut down like any other: the fleets that
    /// take its place, each with its keys.
    pub written_out: Option<WriteOut>,
}

/// Writes a fleet out: the fleets that take its place, by name, with their keys. `Err` is a key and what is wrong with it.
pub type WriteOut = fn(&WrittenOut<'_>) -> Result<Vec<(String, Fields)>, (String, String)>;

/// A fleet that is to be written out.
#[derive(Clone, Copy, Debug)]
pub struct WrittenOut<'a> {
    /// Its name: what takes its place is called `name-0`, `name-1`, ...
    pub name: &'a str,
    /// Its keys, as the file says them.
    pub keys: &'a Fields,
    /// Version of the protocol; empty where there is one only.
    pub version: &'a str,
    /// Randomness of the fleet.
    pub seed: Seed,
    /// What it is written out for; `None`: for a target that has everything.
    pub target: Option<&'a TargetSpec>,
}

impl WrittenOut<'_> {
    /// A number of its own that the fleet names, or this default.
    ///
    /// # Errors
    /// The key, where it is no whole number in this range.
    pub fn number(&self, key: &str, default: u64, fits: RangeInclusive<u64>) -> Result<u64, (String, String)> {
        let Some(said) = self.keys.find(key) else { return Ok(default) };
        let number = said.as_int().and_then(|n| u64::try_from(n).ok()).filter(|n| fits.contains(n));
        let range = || format!("{key} is a whole number from {} to {}", fits.start(), fits.end());
        number.ok_or_else(|| (key.to_string(), range()))
    }

    /// The keys of each script: those of the fleet, without those that say what is to be written.
    ///
    /// # Errors
    /// A key that scripts have themselves.
    pub fn of_scripts(&self, own: &[Key]) -> Result<Fields, (String, String)> {
        if let Some(key) = ["count", "step", "session"].into_iter().find(|key| self.keys.find(key).is_some()) {
            let what = format!("{key}: a workload writes its scripts itself; say how many by `parties`");
            return Err((key.to_string(), what));
        }
        let mut keys = self.keys.clone();
        for key in own {
            keys.remove(key.name);
        }
        keys.set("behaviour", "script");
        Ok(keys)
    }

    /// Whether the target has this resource: `creatable`.
    #[must_use]
    pub fn has(&self, resource: &str) -> bool {
        self.target.is_none_or(|target| target.resource(resource).is_some())
    }
}

/// One row of a named list of cases: what `{case.k}` stands for.
#[derive(Clone, Debug)]
pub struct CaseRow {
    /// Name of the case, unique in its list.
    pub name: String,
    /// The values.
    pub fields: Fields,
}

/// A named list of cases in Rust: `cases = "mqtt.property-matrix"`.
#[derive(Clone, Copy)]
pub struct CaseList {
    /// As scenarios write it.
    pub name: &'static str,
    /// The rows, in a fixed order, for one protocol version.
    pub rows: fn(version: &str) -> Vec<CaseRow>,
}

/// Something that a target may be able to do; `needs` names it.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// As `needs`, `claims` and `lacks` write it.
    pub name: &'static str,
    /// A scenario (TOML) that passes where the target can, or `None` where only a declaration tells.
    pub probe: Option<&'static str>,
    /// One line for `explain`.
    pub doc: &'static str,
}

/// What a party may be allowed to do, each time on a filter: `publish = ["site/#"]`.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// As `may`, `grant` and `revoke` write it.
    pub name: &'static str,
    /// One line for `explain`.
    pub doc: &'static str,
    /// The filter on which the witness has it: its own corner, that no scenario uses.
    pub witness: &'static str,
}

/// A question that every server of a protocol of datagrams answers, whatever else it does: what comes back shows that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// As people name it: `a CoAP ping`.
    pub what: &'static str,
    /// What is sent. Any datagram from there is an answer.
    pub datagram: &'static [u8],
}

/// Builds a fleet that speaks this protocol; an administrator speaks none.
pub type NewCrowd = fn(&FleetPlan, &Plan, Option<&Protocol>) -> Box<dyn Crowd>;
/// Begins the protocol's side of a scripted connection of one member, by its identity.
pub type NewDialog = fn(&FleetPlan, &Plan, member: u32) -> Box<dyn Dialog>;
/// Begins to read one direction of a connection, in this version.
pub type NewDescribe = fn(version: &str, from: From) -> Box<dyn Describe>;
/// Whether a field of a packet is of a class, in this version.
pub type Class = fn(version: &str, packet: &Packet, field: &str, class: &str) -> Option<bool>;
/// Checks a step in this version: `Err` is a key and what is wrong with it.
pub type Check = fn(version: &str, step: &StepPlan) -> Result<(), (String, String)>;

/// A protocol: everything that the engine may ask of it.
#[derive(Clone, Copy)]
pub struct Protocol {
    /// `mqtt`.
    pub name: &'static str,
    /// Versions, oldest first, as files write them. Empty where the protocol has only one.
    pub versions: &'static [&'static str],
    /// What carries it.
    pub transport: Transport,
    /// Scheme of a target URL and its port: `("mqtt", 1883)`.
    pub scheme: (&'static str, u16),
    /// Steps.
    pub verbs: &'static [Verb],
    /// Behaviours beside `script` and `admin`, which every protocol has.
    pub behaviours: &'static [Behaviour],
    /// Oracles beside the generic ones.
    pub oracles: &'static [Oracle],
    /// Asks about the whole standard, whatever a scenario is about: counted and remarked in every trial whose record is full, and a verdict
    /// where a scenario names it.
    pub model: Option<&'static Oracle>,
    /// Named lists of cases.
    pub case_lists: &'static [CaseList],
    /// What targets may be able to do.
    pub capabilities: &'static [Capability],
    /// What parties may be allowed to do. Two protocols that call a right the same mean the same.
    pub rights: &'static [Right],
    /// How a server is asked whether it is there, by `ready = { NAME = "host:port" }` with the protocol's name. `None`: there is no such
    /// question.
    pub ping: Option<Ping>,
    /// The protocol's side of one scripted connection.
    pub dialog: NewDialog,
    /// Reads a stream for the transcript: one per connection and direction.
    pub describe: NewDescribe,
    /// The types and fields in which [`Protocol::describe`] tells packets. `None`: any may come, and no expectation is checked.
    pub words: Option<&'static Words>,
    /// The value is one of a class of the protocol: `refused` for a reason of at least 0x80. `None`: no such class.
    pub class: Class,
    /// What rules of every protocol must know of its packets.
    pub grammar: &'static Grammar,
    /// What it knows of a target that outlives a trial.
    pub shared: Shared,
    /// Checks a frame or step at load time, so that a mistake has a line: `Err` says what is wrong with which key.
    pub check: Check,
}

/// What carries a protocol, and so what a link can do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// An ordered stream of bytes that may be cut anywhere.
    Stream,
    /// Single datagrams that may be lost, doubled, overtaken or damaged, and that never join.
    Datagram,
}

/// Which side of a connection bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The side that connected.
    Client,
    /// The side that was connected to.
    Server,
}

/// One scripted connection in the words of its protocol.
///
/// On datagrams each call writes at most one; what more is due comes from [`Dialog::tick`], which is called until it writes nothing.
pub trait Dialog: Send {
    /// Writes what `step` says. `values` are the step's fields with `$bindings` and canaries filled in.
    /// `first` is the packet's natural answer, if it awaits one; a raw or hostile step awaits none.
    ///
    /// # Errors
    /// Why the step cannot be said now.
    fn say(
        &mut self,
        step: &StepPlan,
        values: &Fields,
        now: Time,
        out: &mut Vec<u8>,
    ) -> Result<Option<Awaits>, Unsayable>;
    /// Learns what a step has just said, as it goes on the wire, legal or not: the `nth` step that spoke on this connection, from 1.
    /// Called after every `say`, and for raw bytes, so that [`Answers::Step`] can name it.
    fn said(&mut self, nth: u32, bytes: &[u8]);
    /// Takes bytes of the peer: packets that are complete go to `packets`; automatic answers (not for a manual session) to `reply`.
    fn hear(&mut self, bytes: &[u8], now: Time, packets: &mut Vec<Heard>, reply: &mut Vec<u8>);
    /// Bytes of a packet that has begun to arrive and is not whole yet. 0 on datagrams.
    fn unfinished(&self) -> usize {
        0
    }
    /// Writes what is due by now (keep-alive, retransmission), and returns the next moment at which something will be.
    /// Called after every `say` and `hear`, and at the moments that it returned itself.
    fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Time>;
}

/// Why a step is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsayable {
    /// It cannot be built: for people.
    Mistake(String),
    /// It would break a limit that the target announced on this connection, which this names.
    Limit(String),
}

impl core::convert::From<String> for Unsayable {
    fn from(what: String) -> Unsayable {
        Unsayable::Mistake(what)
    }
}

impl core::convert::From<&str> for Unsayable {
    fn from(what: &str) -> Unsayable {
        Unsayable::Mistake(what.into())
    }
}

/// A packet of the peer, and what it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The packet.
    pub packet: Packet,
    /// What it answers, by the identifiers that it carries.
    pub answers: Answers,
}

/// What a packet answers. An answer belongs to the exchange whose identifiers it carries: a late one, or a second copy, must not be
/// taken for the answer to whatever was said in the meantime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Nothing that can be told: whoever awaits something looks at it.
    Unknown,
    /// What a step said: the number that [`Dialog::said`] was told.
    Step(u32),
    /// No question: a message with content of whoever wrote it. It is never the wrong answer to a step.
    Message,
    /// Nothing that a step said or waits for: what the dialog asked by itself, or the witness's own words. Meets only what names it,
    /// and breaks no silence.
    Bystander,
}

/// The natural answer of a packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Awaits {
    /// Type of the packet: `connack`.
    pub kind: &'static str,
    /// Fields that it must carry, such as the packet id.
    pub fields: Vec<(&'static str, Value)>,
}

impl Awaits {
    /// The peer ends the connection. Where it does not within a second, the script ends it: a goodbye is never unmet.
    pub const CLOSED: Awaits = Awaits { kind: "closed", fields: Vec::new() };
}

/// Reads one direction of a stream into packets, however it is cut, legal or not; or datagrams, one packet each.
pub trait Describe: Send {
    /// Takes the next bytes; pushes what they complete. Never fails: what cannot be read is a packet with `malformed`.
    fn bytes(&mut self, bytes: &[u8], packets: &mut Vec<Packet>);
}
