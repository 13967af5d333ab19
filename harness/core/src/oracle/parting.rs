//! Parting words: what a target logs once we have asked it to end, up to its next start. Many a server prints a stack trace at every
//! SIGTERM; one that does so only where it was attacked broke over the attack, and nobody saw it before.
use alloc::vec::Vec;

use super::traceback::{self, Traceback};
use crate::ids::EntryId;
use crate::recorder::UNTOUCHED_END;
use crate::transcript::{Event, Life, Transcript};

/// What runtimes raise in a program that is asked to end.
const ASKED: [&str; 3] = ["KeyboardInterrupt", "SystemExit", "CancelledError"];

/// The stretches of a record in which the target was ending because we had asked it to.
pub(super) struct Partings(Vec<[EntryId; 2]>);

impl Partings {
    pub fn of(transcript: &Transcript) -> Partings {
        let mut all: Vec<[EntryId; 2]> = Vec::new();
        for (id, entry) in transcript.iter() {
            match (&entry.event, all.last_mut()) {
                (Event::Life(Life::Stopped), _) => all.push([id, EntryId(u32::MAX)]),
                (Event::Life(Life::Started { .. }), Some(last)) => last[1] = last[1].min(id),
                _ => {}
            }
        }
        Partings(all)
    }

    /// Whether this entry is of one of them.
    pub fn have(&self, id: EntryId) -> bool {
        self.0.iter().any(|[begins, ends]| (*begins..*ends).contains(&id))
    }
}

/// The exception over which the target broke as it was ended: nobody caught it, or it ended with a code that says so.
pub(super) fn broken(transcript: &Transcript) -> Option<Traceback> {
    let partings = Partings::of(transcript);
    let mut all = traceback::all(&traceback::log(transcript));
    all.retain(|trace| partings.have(trace.entries[0]) && !is_asked(&trace.kind));
    let failed = transcript
        .iter()
        .any(|(id, entry)| matches!(entry.event, Event::Life(Life::Exited { code }) if code != 0) && partings.have(id));
    let uncaught = all.iter().position(|trace| trace.uncaught);
    let last = all.len().checked_sub(1).filter(|_| failed);
    uncaught.or(last).map(|at| all.swap_remove(at))
}

/// Whether the target broke over an exception as it was ended. Then the record needs to know how it ends untouched.
#[must_use]
pub fn broke_as_it_ended(transcript: &Transcript) -> bool {
    broken(transcript).is_some()
}

/// Whether a target that nobody but witnesses has spoken to ends in order; `None` where that was not tried.
pub(super) fn ends_in_order(transcript: &Transcript) -> Option<bool> {
    transcript.iter().find_map(|(_, entry)| match &entry.event {
        Event::Calibration { name, value } if name == UNTOUCHED_END => Some(*value == 1),
        _ => None,
    })
}

fn is_asked(kind: &str) -> bool {
    ASKED.iter().any(|asked| kind.rsplit('.').next() == Some(asked))
}
