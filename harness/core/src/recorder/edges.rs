//! `record = "edges"`: the first and last messages of each fleet, everything unusual, and totals for the rest.
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use crate::connection::Close;
use crate::ids::Conn;
use crate::note::Note;
use crate::plan::FleetPlan;
use crate::time::Time;
use crate::transcript::By;
use crate::value::{Fields, Value};

/// First and last messages that are kept of each fleet.
const KEPT: usize = 8;
/// Unusual things that are kept of each fleet: a broker that refuses a million devices says nothing new after these.
const UNUSUAL_MAX: u32 = 10_000;
/// Up to this many members, every step is recorded; above, only what went wrong, and the totals.
const SCRIPTED_MAX: u32 = 1_000;
/// Bytes that are kept of a last message.
const LAST_MAX: usize = 4096;

/// Which way bytes went, seen from a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Sent,
    Received,
}

/// A message that may turn out to be among the last.
pub(super) struct Last {
    pub(super) at: Time,
    pub(super) fleet: u16,
    pub(super) member: u32,
    pub(super) number: u32,
    pub(super) direction: Direction,
    pub(super) bytes: Vec<u8>,
}

/// Totals of all fleets.
pub(super) struct Edges {
    fleets: Vec<FleetTotals>,
    conns: Vec<Track>,
    next_number: u32,
}

/// One connection: 8 bytes, for there may be millions.
#[derive(Clone, Copy, Default)]
struct Track {
    number: u32,
    /// Microseconds of the first send that was not answered yet, plus one; 0: none. Wraps after 71 minutes.
    asked: u32,
}

/// In [`Track::asked`]: numbered, but not open yet.
const OPENING: u32 = u32::MAX;

struct FleetTotals {
    scripted: bool,
    first: usize,
    first_opened: usize,
    last: VecDeque<Last>,
    unusual: u32,
    opened: u64,
    closed: [[u64; 5]; 3],
    sent: Count,
    received: Count,
    undelivered: Count,
    lost: u64,
    stalled: u64,
    steps: [u64; 7],
    finished: u64,
    /// Answers by time: place n counts those that took 2^n us or more, below 2^(n+1).
    latency: [u64; 32],
}

#[derive(Clone, Copy, Default)]
struct Count {
    messages: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, len: usize) {
        self.messages += 1;
        self.bytes += len as u64;
    }
}

impl Edges {
    pub(super) fn new(fleets: &[FleetPlan]) -> Edges {
        Edges { fleets: fleets.iter().map(FleetTotals::new).collect(), conns: Vec::new(), next_number: 0 }
    }

    pub(super) fn number(&self, conn: Conn) -> u32 {
        self.conns.get(conn.0 as usize).map_or(conn.0, |track| track.number)
    }

    /// The connection gets its number, once.
    pub(super) fn opening(&mut self, conn: Conn) {
        let number = self.next_number;
        let track = self.track(conn);
        if track.asked != OPENING {
            *track = Track { number, asked: OPENING };
            self.next_number += 1;
        }
    }

    /// Whether the opening is kept: the first ones are.
    pub(super) fn opened(&mut self, fleet: u16, conn: Conn) -> bool {
        self.opening(conn);
        self.track(conn).asked = 0;
        let fleet = &mut self.fleets[fleet as usize];
        fleet.opened += 1;
        fleet.first_opened += 1;
        fleet.first_opened <= KEPT
    }

    /// Whether the end is kept: all but our own orderly ones are.
    pub(super) fn closed(&mut self, fleet: u16, conn: Conn, by: By, how: Close) -> bool {
        if matches!(how, Close::Refused | Close::TimedOut | Close::LocalLimit) {
            self.opening(conn); // it never opened, so it may have no number yet
        }
        self.track(conn).asked = 0;
        let fleet = &mut self.fleets[fleet as usize];
        fleet.closed[by as usize][how as usize] += 1;
        let usual = by == By::Us && how == Close::Fin;
        !usual && fleet.unusual()
    }

    pub(super) fn sent(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) -> bool {
        let track = self.track(conn);
        if track.asked == 0 {
            track.asked = micros(at).wrapping_add(1).clamp(1, OPENING - 1);
        }
        let number = track.number;
        let fleet_now = &mut self.fleets[fleet as usize];
        fleet_now.sent.add(bytes.len());
        fleet_now.keep(at, fleet, member, number, Direction::Sent, bytes)
    }

    pub(super) fn received(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) -> bool {
        let track = self.track(conn);
        let asked = core::mem::take(&mut track.asked);
        let number = track.number;
        let fleet_now = &mut self.fleets[fleet as usize];
        if asked > 0 && asked != OPENING {
            let took = micros(at).wrapping_add(1).wrapping_sub(asked);
            fleet_now.latency[took.max(1).ilog2() as usize] += 1;
        }
        fleet_now.received.add(bytes.len());
        fleet_now.keep(at, fleet, member, number, Direction::Received, bytes)
    }

    pub(super) fn undelivered(&mut self, fleet: u16, len: u64) -> bool {
        let fleet = &mut self.fleets[fleet as usize];
        fleet.undelivered.add(len as usize);
        fleet.unusual()
    }

    pub(super) fn fate(&mut self, fleet: u16, fate: &str) -> bool {
        let fleet = &mut self.fleets[fleet as usize];
        match fate {
            "loss" => fleet.lost += 1,
            "stall" => fleet.stalled += 1,
            _ => return fleet.unusual(),
        }
        false
    }

    /// Whether a note is kept: everything of small fleets; of large ones what went wrong.
    pub(super) fn note(&mut self, fleet: u16, note: &Note) -> bool {
        let fleet = &mut self.fleets[fleet as usize];
        match note {
            Note::Step { state, .. } => {
                fleet.steps[*state as usize] += 1;
                let wrong = state.went_wrong();
                fleet.scripted || wrong && fleet.unusual()
            }
            Note::Finished => {
                fleet.finished += 1;
                fleet.scripted
            }
            Note::Mark(_) | Note::Void(_) | Note::Bind(..) => fleet.scripted,
            _ => true,
        }
    }

    /// Takes the last messages of all fleets.
    pub(super) fn take_last(&mut self) -> Vec<Last> {
        let mut last: Vec<Last> = self.fleets.iter_mut().flat_map(|fleet| fleet.last.drain(..)).collect();
        last.sort_by_key(|message| message.at);
        // Their numbers are the transcript's already: no `Conn` may be looked up for them.
        self.conns.clear();
        last
    }

    pub(super) fn totals(&self, fleet: usize, name: &str) -> Fields {
        self.fleets[fleet].totals(name)
    }

    fn track(&mut self, conn: Conn) -> &mut Track {
        let place = conn.0 as usize;
        if place >= self.conns.len() {
            self.conns.resize(place + 1, Track::default());
        }
        &mut self.conns[place]
    }
}

impl FleetTotals {
    fn new(plan: &FleetPlan) -> FleetTotals {
        FleetTotals {
            scripted: plan.count <= SCRIPTED_MAX,
            first: 0,
            first_opened: 0,
            last: VecDeque::with_capacity(KEPT),
            unusual: 0,
            opened: 0,
            closed: [[0; 5]; 3],
            sent: Count::default(),
            received: Count::default(),
            undelivered: Count::default(),
            lost: 0,
            stalled: 0,
            steps: [0; 7],
            finished: 0,
            latency: [0; 32],
        }
    }

    fn unusual(&mut self) -> bool {
        self.unusual += 1;
        self.unusual <= UNUSUAL_MAX
    }

    /// Whether the message is among the first; else it takes the place of the oldest of the last.
    fn keep(&mut self, at: Time, fleet: u16, member: u32, number: u32, direction: Direction, bytes: &[u8]) -> bool {
        if self.first < KEPT {
            self.first += 1;
            return true;
        }
        let oldest = if self.last.len() < KEPT { None } else { self.last.pop_front() };
        let mut kept = oldest.map_or_else(Vec::new, |last| last.bytes);
        kept.clear();
        kept.extend_from_slice(&bytes[..bytes.len().min(LAST_MAX)]);
        self.last.push_back(Last { at, fleet, member, number, direction, bytes: kept });
        false
    }

    /// Names are words of a report: what is zero is left out, but for the messages.
    fn totals(&self, name: &str) -> Fields {
        let mut fields = Fields::default();
        fields.set("fleet", name);
        fields.set("sent", self.sent.messages as i64);
        fields.set("sent-bytes", self.sent.bytes as i64);
        fields.set("received", self.received.messages as i64);
        fields.set("received-bytes", self.received.bytes as i64);
        let mut some = |name: &str, count: u64| {
            if count > 0 {
                fields.set(name, count as i64);
            }
        };
        some("opened", self.opened);
        for (by, ends) in ["us", "peer", "limit"].into_iter().zip(&self.closed) {
            for (how, count) in ["fin", "reset", "refused", "timed-out", "local-limit"].into_iter().zip(ends) {
                some(&format!("closed-{by}-{how}"), *count);
            }
        }
        some("undelivered", self.undelivered.messages);
        some("undelivered-bytes", self.undelivered.bytes);
        some("lost", self.lost);
        some("stalled", self.stalled);
        for (state, count) in
            ["started", "met", "unmet", "unsaid", "beyond", "barred", "cut"].into_iter().zip(&self.steps)
        {
            some(&format!("steps-{state}"), *count);
        }
        some("finished", self.finished);
        if self.latency.iter().any(|count| *count > 0) {
            let used = self.latency.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
            let buckets: Vec<Value> = self.latency[..used].iter().map(|count| Value::Int(*count as i64)).collect();
            fields.set("answers-by-log2-us", buckets);
        }
        fields
    }
}

fn micros(at: Time) -> u32 {
    (at.0 / 1_000) as u32
}
