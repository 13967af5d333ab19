//! Which notification is the newer one.

use core::time::Duration;

use proofhouse_core::time::Time;

/// Numbers have 24 bits \[RFC 7641 §4.4\].
const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;
/// Half of the numbers: what is further ahead lies behind.
const HALF: u32 = 1 << (BITS - 1);
/// After so long every notification is newer, whatever its number \[RFC 7641 §3.4\].
const FRESH_AFTER: Duration = Duration::from_secs(128);

/// Whether a notification with number `new` at `now` is newer than one with `old` at `then` \[RFC 7641 §3.4\].
#[must_use]
pub fn newer(old: u32, then: Time, new: u32, now: Time) -> bool {
    let (old, new) = (old & MASK, new & MASK);
    let ahead = (old < new && new - old < HALF) || (old > new && old - new > HALF);
    ahead || now.since(then) > FRESH_AFTER
}

/// Numbers for the notifications of a resource: each one above the one before, in 24 bits \[RFC 7641 §4.4\].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence(u32);

impl Sequence {
    /// Begins anywhere.
    #[must_use]
    pub const fn new(start: u32) -> Self {
        Self(start & MASK)
    }

    /// The next number.
    pub const fn next(&mut self) -> u32 {
        self.0 = (self.0 + 1) & MASK;
        self.0
    }

    /// The number that was given out last.
    #[must_use]
    pub const fn current(self) -> u32 {
        self.0
    }
}
