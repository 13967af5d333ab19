//! Turns what a runner sees into transcript entries: decoding, canary search, caps and totals. Used by sim and live alike.
use alloc::string::String;

use crate::actor::{Addr, Close, Conn, Note};
use crate::plan::Plan;
use crate::registry::Registry;
use crate::time::Time;
use crate::transcript::{By, Event, Header, Transcript, Who};

/// Collects the transcript of one trial.
pub struct Recorder {
    transcript: Transcript,
}

impl Recorder {
    /// An empty record of this trial.
    #[must_use]
    pub fn new(header: Header, plan: &Plan, registry: &Registry) -> Recorder {
        let _ = (plan, registry);
        Recorder { transcript: Transcript { header, entries: alloc::vec::Vec::new() } }
    }

    /// A connection of `member` of `fleet` stands. `label` is the script's name for it.
    pub fn opened(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, label: &str, from: Addr, to: Addr) {
        let _ = (at, fleet, member, conn, label, from, to);
        todo!()
    }

    /// A connection is over.
    pub fn closed(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, by: By, how: Close) {
        let _ = (at, fleet, member, conn, by, how);
        todo!()
    }

    /// Bytes left a member.
    pub fn sent(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) {
        let _ = (at, fleet, member, conn, bytes);
        todo!()
    }

    /// Bytes reached a member.
    pub fn received(&mut self, at: Time, fleet: u16, member: u32, conn: Conn, bytes: &[u8]) {
        let _ = (at, fleet, member, conn, bytes);
        todo!()
    }

    /// A member noted something.
    pub fn note(&mut self, at: Time, fleet: u16, member: u32, note: &Note) {
        let _ = (at, fleet, member, note);
        todo!()
    }

    /// Anything else: life of the target, gauges, calibration.
    pub fn entry(&mut self, at: Time, who: Who, event: Event) {
        self.transcript.entries.push(crate::transcript::Entry { at, who, event });
    }

    /// The record, with totals of fleets recorded on edges.
    #[must_use]
    pub fn finish(self) -> Transcript {
        self.transcript
    }
}

impl Transcript {
    /// The record as JSON lines: the header first, then one entry a line.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        todo!()
    }

    /// Reads [`Transcript::to_jsonl`].
    ///
    /// # Errors
    /// Says which line is wrong.
    pub fn from_jsonl(text: &str) -> Result<Transcript, String> {
        let _ = text;
        todo!()
    }

    /// For people: time, who, arrow, packet, one line each.
    #[must_use]
    pub fn to_text(&self) -> String {
        todo!()
    }

    /// SHA-256 of the JSON lines, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        todo!()
    }
}
