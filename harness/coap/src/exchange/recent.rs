//! Deduplication: what came a moment ago, and what was answered.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use proofhouse_core::time::Time;

use super::Params;
use crate::codec::{Kind, Message};

/// The message ids that one peer used lately, with the answers: a duplicate is answered alike and not processed again
/// \[RFC 7252 §4.5\].
///
/// It is bounded in entries and in bytes of answers. Where that is too little, the oldest is forgotten, and its duplicate would be
/// processed: a server that is flooded prefers this to growing.
#[derive(Clone, Debug)]
pub struct Recent {
    entries: VecDeque<Entry>,
    bytes: usize,
    entries_max: u32,
    bytes_max: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    mid: u16,
    until: Time,
    reply: Vec<u8>,
}

/// Whether a message came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Not lately: process it.
    New,
    /// It did: send this again, if it is not empty, and do nothing else.
    Again(&'a [u8]),
}

impl Recent {
    /// Remembers at most so many messages, and so many bytes of answers.
    #[must_use]
    pub const fn new(entries_max: u32, bytes_max: u32) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, entries_max, bytes_max }
    }

    /// Whether this message came before; if not, it is remembered from now on. ACK and RST are never duplicates here: they match by
    /// what awaits them.
    pub fn see(&mut self, now: Time, params: &Params, message: &Message<'_>) -> Seen<'_> {
        let lifetime = match message.kind() {
            Kind::Con => params.exchange_lifetime(),
            Kind::Non => params.non_lifetime(),
            Kind::Ack | Kind::Rst => return Seen::New,
        };
        self.forget(now);
        if let Some(at) = self.find(message.mid()).filter(|at| now < self.entries[*at].until) {
            return Seen::Again(&self.entries[at].reply);
        }
        if self.entries_max > 0 {
            while self.entries.len() >= self.entries_max as usize {
                self.drop_oldest();
            }
            self.entries.push_back(Entry { mid: message.mid(), until: now + lifetime, reply: Vec::new() });
        }
        Seen::New
    }

    /// Remembers what was sent back to the message of this id: an ACK, a RST, or a NON response.
    pub fn keep(&mut self, mid: u16, reply: &[u8]) {
        let Some(at) = self.find(mid) else { return };
        let entry = &mut self.entries[at];
        self.bytes -= entry.reply.len();
        entry.reply.clear();
        if reply.len() > self.bytes_max as usize {
            return;
        }
        entry.reply.extend_from_slice(reply);
        self.bytes += reply.len();
        while self.bytes > self.bytes_max as usize {
            self.drop_oldest();
        }
    }

    /// Messages that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of answers that are remembered.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets what is over. A NON behind a CON may stay a little longer; [`see`](Self::see) looks at its time.
    pub fn forget(&mut self, now: Time) {
        while self.entries.front().is_some_and(|entry| entry.until <= now) {
            self.drop_oldest();
        }
    }

    /// The newest of this id: duplicates mostly follow at once.
    fn find(&self, mid: u16) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.mid == mid)
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.reply.len();
        }
    }
}
