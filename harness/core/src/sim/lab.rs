//! A lab, the test fixture over the simulator: an in-process target that outlives the rounds that are played against it.
//!
//! As the live lab, it is opened on a target and plays rounds, and each round is a whole record of its own whose time begins at zero.
//! The target's own time goes on: what it waits for in one round comes in a later one. Between rounds all its connections end.
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::time::Duration;

use super::Sim;
use crate::actor::{Act, Actor, Input, Outbox};
use crate::connection::{Close, CloseHow};
use crate::ids::{Conn, TimerId};
use crate::note::Note;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::time::Time;
use crate::transcript::{Header, Transcript};

/// Between two rounds: nothing happens at one moment in both.
const PAUSE: Duration = Duration::from_millis(1);

/// A target in the simulator, and what it waits for between two rounds.
pub struct Lab {
    target: Box<dyn Actor>,
    /// When the running round began, in the target's time.
    base: Time,
    rounds: u32,
    wakes: BTreeSet<(Time, TimerId)>,
    open: BTreeSet<Conn>,
    ended: bool,
}

impl Lab {
    /// Takes a target that has not started yet.
    #[must_use]
    pub fn open(target: Box<dyn Actor>) -> Lab {
        Lab { target, base: Time::ZERO, rounds: 0, wakes: BTreeSet::new(), open: BTreeSet::new(), ended: false }
    }

    /// Plays a round.
    pub fn round(&mut self, plan: &Plan, registry: &Registry, header: Header) -> Transcript {
        let mut sim = Sim::new(plan, registry, Box::new(Visit(self)), header);
        sim.begin();
        let end = sim.play(&mut |_| true);
        let transcript = sim.finish(end);
        let length = transcript.entries.iter().map(|entry| entry.at).max().unwrap_or_default().since(Time::ZERO);
        self.between_rounds(length);
        transcript
    }

    /// Rounds that were played so far.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Whether the target has ended by itself: whoever connects in a later round is refused.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The round's connections end, and time goes on.
    fn between_rounds(&mut self, length: Duration) {
        self.rounds += 1;
        self.base = self.base + length + PAUSE;
        let mut unheard = Outbox::new();
        for conn in core::mem::take(&mut self.open) {
            self.hand_over(Time::ZERO, Input::Closed(conn, Close::Reset), &mut unheard);
        }
    }

    /// Hands the target one input of a round, in its own time; what it asks to be woken for is told in the round's.
    fn hand_over(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        let now = self.base + now.since(Time::ZERO);
        match input {
            Input::Accepted(conn, _) | Input::Opened(conn) => _ = self.open.insert(conn),
            Input::Closed(conn, _) => _ = self.open.remove(&conn),
            _ => {}
        }
        let before = out.acts().len();
        self.target.handle(now, input, out);
        for act in out.acts_since(before) {
            match act {
                Act::Wake(at, id) => {
                    self.wakes.insert((*at, *id));
                    *at = Time(at.0.saturating_sub(self.base.0));
                }
                Act::Close(conn, CloseHow::Fin | CloseHow::Reset) => _ = self.open.remove(conn),
                Act::Note(Note::Exit(_)) => self.ended = true,
                _ => {}
            }
        }
    }
}

/// The target of a lab as it takes part in one round.
struct Visit<'a>(&'a mut Lab);

impl Actor for Visit<'_> {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        let Visit(lab) = self;
        match input {
            Input::Start if lab.ended => out.note(Note::Exit(0)),
            Input::Start if lab.rounds > 0 => {
                for (at, id) in &lab.wakes {
                    out.wake(Time(at.0.saturating_sub(lab.base.0)), *id);
                }
            }
            Input::Timer(id) => {
                let due = lab.base + now.since(Time::ZERO);
                lab.wakes.retain(|(at, asked)| *asked != id || *at > due);
                lab.hand_over(now, input, out);
            }
            _ => lab.hand_over(now, input, out),
        }
    }

    fn held(&self) -> u64 {
        self.0.target.held()
    }
}
