//! Turns to start a target: starting is work, and a machine that starts forty-eight at once is late with all of them.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::observed::lock;

/// As many as there are processors; at least two, since a start waits too.
#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
    most: usize,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// The one thread whose starts are let in.
    alone: Option<ThreadId>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns::of(thread::available_parallelism().map_or(2, usize::from).max(2))
    }
}

impl Turns {
    fn of(most: usize) -> Turns {
        Turns { state: Mutex::default(), most, bell: Condvar::new() }
    }

    /// Waits for a turn; `None` when `give_up` says so.
    pub(crate) fn take(&self, give_up: impl Fn() -> bool) -> Option<Turn<'_>> {
        let own = thread::current().id();
        let free = |state: &State| state.taken < self.most && state.alone.is_none_or(|thread| thread == own);
        self.wait(free, give_up)?.taken += 1;
        Some(Turn(self))
    }

    /// Waits until nobody starts, and lets nobody but this thread start until the answer is dropped.
    pub(crate) fn alone(&self, give_up: impl Fn() -> bool) -> Option<Alone<'_>> {
        self.wait(|state| state.alone.is_none(), &give_up)?.alone = Some(thread::current().id());
        let alone = Alone(self);
        self.wait(|state| state.taken == 0, give_up).map(|_| alone)
    }

    fn wait(&self, free: impl Fn(&State) -> bool, give_up: impl Fn() -> bool) -> Option<MutexGuard<'_, State>> {
        let mut state = lock(&self.state);
        while !free(&state) {
            if give_up() {
                return None;
            }
            // Short naps, because `give_up` has no bell of its own.
            state = self.bell.wait_timeout(state, NAP).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(state)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.bell.notify_all();
    }
}

const NAP: Duration = Duration::from_millis(50);

/// A turn; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.taken -= 1;
            // Whoever was let in alone has started.
            state.alone = state.alone.filter(|thread| *thread != thread::current().id());
        });
    }
}

/// Nobody else starts while this lives, or until the start of this thread is over.
#[derive(Debug)]
pub(crate) struct Alone<'a>(&'a Turns);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.alone = state.alone.filter(|thread| *thread != thread::current().id()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether another thread gets a turn at once.
    fn free(turns: &Turns) -> bool {
        thread::scope(|scope| scope.spawn(|| turns.take(|| true).is_some()).join().unwrap())
    }

    #[test]
    fn as_many_start_as_there_are_turns() {
        let turns = Turns::of(2);
        let one = turns.take(|| true).unwrap();
        assert!(free(&turns));
        let two = turns.take(|| true).unwrap();
        assert!(!free(&turns));
        drop((one, two));
        assert!(free(&turns));
    }

    #[test]
    fn who_starts_alone_keeps_the_others_out_until_it_has_started() {
        let turns = Turns::of(2);
        let other = turns.take(|| true).unwrap();
        assert!(turns.alone(|| true).is_none(), "somebody still starts");
        drop(other);
        assert!(free(&turns), "one that gave up keeps nobody out");
        let alone = turns.alone(|| true).unwrap();
        assert!(!free(&turns));
        drop(turns.take(|| true).unwrap());
        assert!(free(&turns), "it has started");
        drop(alone);
        assert!(free(&turns));
    }
}
