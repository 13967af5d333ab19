//! A runner for one member: hands it inputs, keeps its timers and notes, and leaves what it says to the test's own peer.
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::actor::{Act, Crowd, Input, Outbox};
use crate::ids::TimerId;
use crate::note::Note;
use crate::time::Time;
use crate::transcript::WitnessState;

/// The only member of a crowd, and what it asked of its runner so far.
pub struct Stage<C> {
    /// What time it is.
    pub now: Time,
    /// Timers that were asked for and have not come.
    pub wakes: Vec<(Time, TimerId)>,
    /// What was noted.
    pub notes: Vec<Note>,
    out: Outbox,
    /// The member.
    pub crowd: C,
}

impl<C: Crowd + ?Sized> Crowd for Box<C> {
    fn handle(&mut self, member: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        (**self).handle(member, now, input, out);
    }
    fn len(&self) -> u32 {
        (**self).len()
    }
}

impl<C: Crowd> Stage<C> {
    /// Before [`Input::Start`].
    #[must_use]
    pub fn new(crowd: C) -> Stage<C> {
        Stage { now: Time::ZERO, wakes: Vec::new(), notes: Vec::new(), out: Outbox::new(), crowd }
    }

    /// Hands it an input; keeps timers and notes, and gives all that it did with the bytes of what it sends.
    pub fn input(&mut self, input: Input<'_>) -> (Vec<Act>, Vec<u8>) {
        self.crowd.handle(0, self.now, input, &mut self.out);
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Wake(at, id) => self.wakes.push((*at, *id)),
                Act::Note(note) => self.notes.push(note.clone()),
                _ => {}
            }
        }
        (acts, bytes)
    }

    /// Time passes until the next timer that is due by `end`, which is to be handed in; or until `end`, where there is none.
    pub fn due(&mut self, end: Time) -> Option<TimerId> {
        self.wakes.sort();
        if self.wakes.first().is_none_or(|(at, _)| *at > end) {
            self.now = end.max(self.now);
            return None;
        }
        let (at, id) = self.wakes.remove(0);
        self.now = at.max(self.now);
        Some(id)
    }

    /// What a witness said of its rounds.
    pub fn witnessed(&self) -> Vec<WitnessState> {
        let states = self.notes.iter().filter_map(|note| match note {
            Note::Witness(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }
}
