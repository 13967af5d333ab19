//! What crossed the wire and what was observed of the target, in order. The exact record that is judged.
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::admin::Order;
use crate::connection::{Addr, Close};
use crate::ids::{Conn, EntryId};
use crate::part::Part;
use crate::seed::Seed;
use crate::time::Time;
use crate::value::{Fields, Value};

mod io;
mod text;

/// Version of the stored format. Older ones are read for ever.
pub const FORMAT: u32 = 1;

/// First line of `transcript.jsonl`: which trial this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Path-like id of the scenario: `mqtt/mc-03-takeover`.
    pub scenario: String,
    /// Name of the case; empty where there is one only.
    pub case: String,
    /// Seed of the trial.
    pub seed: Seed,
    /// Name of the target.
    pub target: String,
    /// `sim` or `live`.
    pub clock: String,
    /// `main`, or `control` for the second arm.
    pub arm: String,
}

/// A whole record.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// Which trial this is.
    pub header: Header,
    /// Everything seen, in order; the place is the [`EntryId`].
    pub entries: Vec<Entry>,
}

impl Transcript {
    /// Every entry with its id.
    pub fn iter(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.entries.iter().enumerate().map(|(n, entry)| (EntryId(n as u32), entry))
    }
}

/// One thing seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// Who saw or did it.
    pub who: Who,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Who an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Member of a fleet, by the fleet's name and the member's stable index.
    Member(String, u32),
    /// The system under test.
    Target,
    /// Ourselves.
    Harness,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The actor.
    Us,
    /// The target.
    Peer,
    /// A limit of our own machine.
    Limit,
}

/// State of a scripted step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Begun: what it says was handed to the connection, or it began to wait.
    Started,
    /// Done: sent, waited, or answered as it expects.
    Met,
    /// Something else came, or the connection ended, or time ran out.
    Unmet,
    /// Could not be said, for a reason of our own: a mark or a value was missing, a port, or we had ended the connection.
    Unsaid,
    /// Was not said, since the target announced a limit that it would break; the detail names it.
    Beyond,
    /// Could not be said, because the peer had refused or ended the connection.
    Barred,
    /// Not met, and the peer is not to blame: our own limit cut it short, or we neither read nor kept the connection open.
    Cut,
}

impl StepState {
    /// It did not come to what it was to come to.
    #[must_use]
    pub fn went_wrong(self) -> bool {
        !matches!(self, StepState::Started | StepState::Met)
    }
}

/// What a witness found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum WitnessState {
    /// A whole round trip, nanoseconds; `late` is how much later than planned it began (our own lateness).
    Served {
        /// Nanoseconds from request to answer.
        rtt: u64,
        /// Nanoseconds that we ourselves were late.
        late: u64,
    },
    /// No answer within the deadline.
    Missed {
        /// Nanoseconds waited.
        waited: u64,
        /// Nanoseconds that we ourselves were late.
        late: u64,
    },
    /// Refused or thrown out.
    Lost,
    /// A newcomer asks to be served: a client that the target has never heard of. What becomes of it follows.
    Knocks,
    /// The newcomer was served.
    Welcomed {
        /// Nanoseconds since it knocked.
        took: u64,
    },
    /// The newcomer had no answer within the deadline.
    Ignored {
        /// Nanoseconds waited.
        waited: u64,
        /// Nanoseconds that we ourselves were late.
        late: u64,
    },
    /// Nobody listened where the newcomer came.
    Unheard,
    /// The newcomer was told that it is not served, or its connection was ended without a word: there may be a limit.
    TurnedAway,
}

impl WitnessState {
    /// Whether this is about a newcomer, and not about a round trip of the witness itself.
    #[must_use]
    pub fn is_of_newcomer(self) -> bool {
        !matches!(self, WitnessState::Served { .. } | WitnessState::Missed { .. } | WitnessState::Lost)
    }
}

/// Who was late by our own fault, or by that of a machine that had no time for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slipped {
    /// The loop that drives all fleets but the witnesses.
    Fleets,
    /// The loop that drives the witnesses.
    Witnesses,
    /// The target waited for a processor that others used.
    Target,
}

/// Life of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Life {
    /// Started; `version` where it says one.
    Started {
        /// As the target prints it; empty where unknown.
        version: String,
    },
    /// Answers its readiness probe.
    Ready,
    /// Ended by itself with a code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// Ended by a signal that we did not send.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// A line of its log (masked, control characters escaped).
    Log {
        /// The line.
        line: String,
    },
    /// A line that reads like a panic, sanitizer report or unhandled exception.
    Panic {
        /// The line.
        line: String,
    },
    /// We asked it to end. What it logs from here on are its parting words, and where it takes that badly, how it ended follows.
    Stopped,
}

/// Whether a program brings this signal upon itself: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. One that dies of them as
/// it is asked to end did not end because it was asked.
#[must_use]
pub fn is_crash(signal: i32) -> bool {
    [4, 5, 6, 7, 8, 11, 31].contains(&signal)
}

/// What runtimes and sanitizers print when a program has gone wrong.
const CRASHES: &[&str] = &[
    "panicked at",      // Rust
    "panic: ",          // Go
    "fatal error: ",    // Go's runtime
    "Sanitizer:",       // Address, Leak, Memory, Thread, UndefinedBehavior
    ": runtime error:", // UndefinedBehaviorSanitizer's own line
    "Traceback (most recent call last)",
    "Exception in thread ", // Java
    "Unhandled exception",
    "Uncaught exception",
    "uncaughtException", // Node
    "UnhandledPromiseRejection",
    "Unhandled 'error' event",
    "terminate called ", // C++
    "stack smashing detected",
    "buffer overflow detected",
    "double free or corruption", // glibc, as the two below
    "malloc(): ",
    "free(): ",
    "Segmentation fault",
    "core dumped",
    "CRASH REPORT", // Erlang, as the one below
    "** Reason for termination",
];

/// An ordinary end of a connection, which some servers call an unhandled exception at every goodbye.
const GOODBYES: &[&str] =
    &["IncompleteReadError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "ECONNRESET"];

impl Life {
    /// A line of the target's log: [`Life::Panic`] where it reads like the report of a crash or of an unhandled exception.
    /// A peer that went away is neither.
    #[must_use]
    pub fn line(line: &str) -> Life {
        let crash = crash_sign(line).is_some();
        let line = String::from(line);
        if crash { Life::Panic { line } } else { Life::Log { line } }
    }
}

/// The runtime's own words by which a line reads like the report of a crash or of an unhandled exception; the end of a connection by
/// a peer that went away is none.
#[must_use]
pub(crate) fn crash_sign(line: &str) -> Option<&'static str> {
    if is_assertion(line) {
        return Some("assertion");
    }
    let goodbye = line.contains(" exception ") && is_goodbye(line);
    CRASHES.iter().find(|sign| line.contains(**sign)).copied().filter(|_| !goodbye)
}

/// glibc's own form, ``prog: file.c:12: f: Assertion `x' failed.``: servers that check credentials speak of failed assertions too.
#[must_use]
pub(crate) fn is_assertion(line: &str) -> bool {
    line.split_once(": Assertion `").is_some_and(|(_, rest)| rest.contains("' failed"))
}

/// Whether a line, or a type of exception, says that a peer went away.
#[must_use]
pub(crate) fn is_goodbye(text: &str) -> bool {
    GOODBYES.iter().any(|sign| text.contains(sign))
}

/// A line of a target's log as text that is safe on a terminal: control characters, and bytes that are no UTF-8, become `\x{1b}`.
/// No language that targets are written in prints them so: what a target escaped itself can be told from what it did not.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut text = String::with_capacity(bytes.len());
    let escape = |code: u32, text: &mut String| text.push_str(&alloc::format!("\\x{{{code:02x}}}"));
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' { escape(c as u32, &mut text) } else { text.push(c) }
        }
        chunk.invalid().iter().for_each(|byte| escape(u32::from(*byte), &mut text));
    }
    text
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Event {
    /// A connection stands (`from` is our side unless we accepted it).
    Opened {
        /// The connection; numbers are unique in a transcript.
        conn: u32,
        /// Name of the connection in the script: `main`.
        label: String,
        /// Who began it.
        from: Addr,
        /// To whom.
        to: Addr,
    },
    /// A connection is over, or never stood.
    Closed {
        /// The connection.
        conn: u32,
        /// Who ended it.
        by: By,
        /// How.
        how: Close,
    },
    /// Bytes that a member sent, and the packets completed by them.
    Sent(Bytes),
    /// Bytes that a member received, and the packets completed by them.
    Received(Bytes),
    /// Bytes that could not be written because the connection was already ended by the peer.
    Undelivered {
        /// The connection.
        conn: u32,
        /// How many bytes.
        len: u64,
    },
    /// A step of a script.
    Step {
        /// Index in the fleet's script.
        index: u16,
        /// The verb.
        verb: String,
        /// The connection, where there is one.
        conn: Option<u32>,
        /// What became of it.
        state: StepState,
        /// What it is for, where the script says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Part>,
        /// What matched, or what came instead.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// A mark was set.
    Mark {
        /// `fleet.mark`.
        name: String,
    },
    /// A value was bound.
    Bound {
        /// `fleet.name`.
        name: String,
        /// The value.
        value: Value,
    },
    /// A canary left a member by its own will.
    Planted {
        /// Name of the canary.
        canary: String,
        /// The connection.
        conn: u32,
    },
    /// A canary arrived somewhere: searched in every byte, before any cut and across segments.
    Seen {
        /// Name of the canary.
        canary: String,
        /// The connection that it arrived on.
        conn: u32,
    },
    /// An administrator asked for a change.
    Ordered {
        /// The change.
        #[serde(flatten)]
        order: Order,
    },
    /// A right took effect or ended.
    Grant {
        /// Name of the party.
        party: String,
        /// The right.
        grant: String,
        /// Given, or taken away.
        allow: bool,
    },
    /// A link did something to a message.
    Fate {
        /// The connection.
        conn: u32,
        /// What: `cut`, `stall`, ...
        fate: String,
    },
    /// Life of the target.
    Life(Life),
    /// A measured number.
    Gauge {
        /// Name with unit: `rss-bytes`.
        name: String,
        /// The number.
        value: u64,
    },
    /// A round trip of the witness.
    Witness(WitnessState),
    /// Our own limits and their use: descriptors, ports, slip, null sink.
    Calibration {
        /// Name with unit: `descriptors-soft-limit`.
        name: String,
        /// The number.
        value: u64,
    },
    /// For this long before the entry, one of ours could not act: what it saw late may have come in time.
    Slip {
        /// Which one.
        of: Slipped,
        /// Nanoseconds; the interval ends at the entry's own time.
        ns: u64,
    },
    /// A member has nothing more to do.
    Finished,
    /// The trial's `limit` was reached before everybody had finished.
    Limit,
    /// A fleet's traffic in `record = "edges"`: totals instead of messages.
    Totals(Fields),
}

/// Bytes on a connection in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bytes {
    /// The connection.
    pub conn: u32,
    /// Lower-case hex, at most 64 KiB of bytes.
    pub hex: String,
    /// How many bytes there were, where `hex` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub len: Option<u64>,
    /// SHA-256 of all of them, where `hex` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The packets completed by these bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packets: Vec<Packet>,
}

/// A packet in names and values, as its protocol describes it. What scripts and oracles match on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Packet {
    /// Type in lower case: `connack`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Flat list of fields.
    #[serde(flatten)]
    pub fields: Fields,
    /// Why the strict decoder refuses it, with the clause; empty for a legal packet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub malformed: String,
}

impl Packet {
    /// Field of a packet that has a type of its own beside what it is: a CoAP response is a `con`, `non` or `ack`. Never called
    /// `type`, which is what the packet is.
    pub const MESSAGE: &str = "message";

    /// Whether this is what the packet is, or its type beside that.
    #[must_use]
    pub fn is_a(&self, word: &str) -> bool {
        self.kind == word || self.fields.text(Packet::MESSAGE) == Some(word)
    }
}

impl Event {
    /// The connection that this is about.
    #[must_use]
    pub fn conn(&self) -> Option<Conn> {
        match self {
            Event::Opened { conn, .. }
            | Event::Closed { conn, .. }
            | Event::Undelivered { conn, .. }
            | Event::Planted { conn, .. }
            | Event::Seen { conn, .. }
            | Event::Fate { conn, .. } => Some(Conn(*conn)),
            Event::Sent(bytes) | Event::Received(bytes) => Some(Conn(bytes.conn)),
            Event::Step { conn, .. } => conn.map(Conn),
            _ => None,
        }
    }
}
