//! Where things stand in a transcript: its bytes by connection, its rounds by witness. Built in one pass, so that no rule reads the whole
//! transcript once for each connection, which is quadratic in a crowd.
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::record::Moment;
use crate::ids::EntryId;
use crate::time::Time;
use crate::transcript::{Event, Transcript, Who, WitnessState};

/// Places in a transcript.
#[derive(Default)]
pub(super) struct Index<'a> {
    /// Entries of bytes, sent or received, in order.
    bytes: BTreeMap<u32, Vec<EntryId>>,
    /// Entries of bytes that were sent, by time.
    sent: BTreeMap<u32, Vec<Moment>>,
    rounds: BTreeMap<&'a str, Vec<(Moment, WitnessState)>>,
    newcomers: BTreeMap<&'a str, Vec<(Moment, WitnessState)>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(transcript: &'a Transcript) -> Index<'a> {
        let mut index = Index::default();
        for (id, entry) in transcript.iter() {
            index.take(Moment { at: entry.at, id }, &entry.who, &entry.event);
        }
        // A transcript is in order of time, and one that was put together by hand need not be.
        index.sent.values_mut().for_each(|moments| moments.sort_unstable());
        index
    }

    fn take(&mut self, moment: Moment, who: &'a Who, event: &Event) {
        match event {
            Event::Sent(bytes) => {
                self.bytes.entry(bytes.conn).or_default().push(moment.id);
                self.sent.entry(bytes.conn).or_default().push(moment);
            }
            Event::Received(bytes) => self.bytes.entry(bytes.conn).or_default().push(moment.id),
            Event::Witness(state) => {
                if let Who::Member(fleet, _) = who {
                    let own = if state.is_of_newcomer() { &mut self.newcomers } else { &mut self.rounds };
                    own.entry(fleet).or_default().push((moment, *state));
                }
            }
            _ => {}
        }
    }

    /// The entries of bytes of one connection, in order.
    pub(super) fn bytes(&self, conn: u32) -> &[EntryId] {
        self.bytes.get(&conn).map_or(&[], Vec::as_slice)
    }

    /// The first bytes that left on a connection at or after `since`.
    pub(super) fn sent_since(&self, conn: u32, since: Time) -> Option<Moment> {
        let sent = self.sent.get(&conn)?;
        sent.get(sent.partition_point(|moment| moment.at < since)).copied()
    }

    /// The names of the witnesses that had something to say, in order.
    pub(super) fn witnesses(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.rounds.keys().copied()
    }

    /// What a witness found, in order.
    pub(super) fn rounds(&self, witness: &str) -> &[(Moment, WitnessState)] {
        self.rounds.get(witness).map_or(&[], Vec::as_slice)
    }

    /// What became of the newcomers beside a witness, in order.
    pub(super) fn newcomers(&self, witness: &str) -> &[(Moment, WitnessState)] {
        self.newcomers.get(witness).map_or(&[], Vec::as_slice)
    }
}
