//! The only place that reads a clock. Everything else is handed a [`Time`].
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use proofhouse_core::time::Time;

/// The clock of one trial. Before [`Clock::begin`] it shows zero: what the target says while it starts belongs to the beginning.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<OnceLock<Instant>>);

impl Clock {
    /// A clock that stands at zero.
    #[must_use]
    pub fn new() -> Clock {
        Clock::default()
    }

    /// The trial begins now. A second call changes nothing.
    pub fn begin(&self) {
        self.0.get_or_init(instant);
    }

    /// Nanoseconds since the trial began.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.get().map_or(Time::ZERO, |began| Time::ZERO + instant().saturating_duration_since(*began))
    }
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(instant())
    }

    /// What has passed since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        instant().saturating_duration_since(self.0)
    }

    /// What is left of `limit`; zero once it has passed.
    #[must_use]
    pub fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.elapsed())
    }
}

/// The wall clock, for reports: `2026-11-22T10:00:00Z`. Nothing that is judged depends on it.
#[must_use]
pub fn utc_now() -> String {
    #[expect(clippy::disallowed_methods, reason = "reports say when a run took place")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    utc(since.as_secs())
}

/// Kernel, cores and memory, in one line.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    format!("Linux {}, {cores} cores, {} MiB", kernel.trim(), kib / 1024)
}

/// Seconds since 1970 as text; days to dates as in Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // months counted from March
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

#[expect(clippy::disallowed_methods, reason = "live reads the monotonic clock, and only here")]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_341_600, "2026-11-22T10:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn a_clock_stands_at_zero_until_it_begins() {
        let clock = Clock::new();
        assert_eq!(clock.now(), Time::ZERO);
        clock.begin();
        assert!(clock.now() < Time::ZERO + Duration::from_secs(3600));
    }
}
