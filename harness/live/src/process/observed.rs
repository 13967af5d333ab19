//! What is seen of a target beside its sockets, collected from several threads.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proofhouse_core::budget::Lease;
use proofhouse_core::transcript::{Entry, Event, Life, Who};

use crate::clock::Clock;

/// A list that log readers, samplers and the process's keeper write to. Entries carry their own time and are merged by it.
#[derive(Clone, Default)]
pub struct Observed {
    clock: Clock,
    entries: Arc<Mutex<Vec<Entry>>>,
    memory: Arc<Mutex<Lease>>,
}

impl Observed {
    /// An empty list on this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Observed {
        Observed { clock, entries: Arc::default(), memory: Arc::default() }
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// From now on, what is kept is charged to this.
    pub fn charge(&self, memory: Lease) {
        *lock(&self.memory) = memory;
    }

    /// Whether there is memory for so many bytes more.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        lock(&self.memory).take(bytes)
    }

    /// Something was seen of the target, now.
    pub fn target(&self, event: Event) {
        // The lock comes first: entries of one list are in order of time.
        let mut entries = lock(&self.entries);
        entries.push(Entry { at: self.clock.now(), who: Who::Target, event });
    }

    /// A turn in the target's life, now.
    pub fn life(&self, life: Life) {
        self.target(Event::Life(life));
    }

    /// Everything so far; the list is empty afterwards.
    #[must_use]
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *lock(&self.entries))
    }
}

/// A thread that panicked while it held the lock has left whole entries behind: go on with them.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
