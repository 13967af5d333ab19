//! The pace of a device that sends readings (telemetry): when the next one is due, when it ends, and the one wake that is under way.
//!
//! Made to be embedded in a device of which a million share a machine: 32 bytes, no allocation.
use crate::actor::Outbox;
use crate::ids::TimerId;
use crate::seed::SplitMix;
use crate::spread::Spread;
use crate::time::{Duration, Time, nanos};

/// The only timer of such a device.
pub const TICK: TimerId = TimerId(0);

/// When a device acts.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The draws of this device.
    pub rng: SplitMix,
    /// The earliest wake that is under way.
    due: Time,
    /// The next reading.
    pub next: Time,
    /// No reading from here on.
    pub end: Time,
}

impl Pace {
    /// A device that has not started.
    #[must_use]
    pub const fn new(rng: SplitMix) -> Pace {
        Pace { rng, due: Time::NEVER, next: Time::ZERO, end: Time::NEVER }
    }

    /// Begins with a share of the interval: real devices were not switched on at the same moment.
    pub fn start(&mut self, now: Time, every: Spread<Duration>, length: Option<Duration>) {
        let share = self.draw(every);
        self.next = now + Duration::from_nanos(self.below(nanos(share)));
        if let Some(length) = length {
            self.end = now + length;
        }
    }

    /// Whether a reading is due.
    #[must_use]
    pub fn reads(&self, now: Time) -> bool {
        now >= self.next && now < self.end
    }

    /// A reading is taken: the next one follows after a draw. A device that was away does not make up for what it missed.
    pub fn step(&mut self, now: Time, every: Spread<Duration>) {
        let every = self.draw(every).max(Duration::from_nanos(1));
        self.next = if self.next + every > now { self.next + every } else { now + every };
    }

    /// Whether the wake that was asked for last has come; one that came early is not it.
    pub fn wakes(&mut self, now: Time) -> bool {
        let due = now >= self.due;
        if due {
            self.due = Time::NEVER;
        }
        due
    }

    /// Whatever was under way counts no more.
    pub const fn forget_wake(&mut self) {
        self.due = Time::NEVER;
    }

    /// Asks to be called at `at`, unless an earlier call is under way: that one will ask again.
    pub fn arm(&mut self, at: Time, out: &mut Outbox) {
        if at < self.due && at < Time::NEVER {
            self.due = at;
            out.wake(at, TICK);
        }
    }

    /// For prefetching: a load of its first line.
    #[must_use]
    pub const fn due(&self) -> Time {
        self.due
    }

    /// A point of a range.
    pub fn draw(&mut self, spread: Spread<Duration>) -> Duration {
        match spread {
            Spread::Fixed(value) => value,
            Spread::Each(low, high) => {
                let (low, width) = (nanos(low), nanos(high).saturating_sub(nanos(low)));
                Duration::from_nanos(low + self.below(width.saturating_add(1)))
            }
        }
    }

    /// A number below `most`, or 0.
    pub fn below(&mut self, most: u64) -> u64 {
        let wide = u128::from(self.rng.next()) * u128::from(most);
        (wide >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn started(length: Option<Duration>) -> Pace {
        let mut pace = Pace::new(SplitMix(7));
        pace.start(Time::ZERO, Spread::Fixed(SECOND), length);
        pace
    }

    #[test]
    fn the_first_reading_comes_within_the_first_interval() {
        let pace = started(None);
        assert!(pace.next < Time::ZERO + SECOND && pace.end == Time::NEVER);
    }

    #[test]
    fn a_device_that_was_away_does_not_make_up_for_what_it_missed() {
        let mut pace = started(None);
        let first = pace.next;
        pace.step(first, Spread::Fixed(SECOND));
        assert_eq!(pace.next, first + SECOND, "on time");
        let late = pace.next + 10 * SECOND;
        pace.step(late, Spread::Fixed(SECOND));
        assert_eq!(pace.next, late + SECOND);
    }

    #[test]
    fn no_reading_is_taken_at_the_end_or_after_it() {
        let mut pace = started(Some(3 * SECOND));
        pace.next = Time::ZERO + 2 * SECOND;
        assert!(
            !pace.reads(Time(1_999_999_999)) && pace.reads(Time(2_999_999_999)) && !pace.reads(Time(3_000_000_000))
        );
    }

    #[test]
    fn only_an_earlier_wake_is_asked_for() {
        let (mut pace, mut out) = (started(None), Outbox::new());
        for at in [9, 7, 8] {
            pace.arm(Time(at), &mut out);
        }
        pace.arm(Time::NEVER, &mut out);
        assert_eq!(out.acts().len(), 2, "at 9, and at 7");
        assert!(!pace.wakes(Time(6)) && pace.wakes(Time(7)));
        pace.arm(Time(8), &mut out);
        assert_eq!(out.acts().len(), 3);
    }
}
