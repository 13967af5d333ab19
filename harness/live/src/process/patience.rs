//! How long a target may take to become ready: what its file says, and longer while it visibly works or this machine keeps it waiting.
use std::time::Duration;

use super::cpu_wait::CpuWait;
use super::{Process, group};
use crate::clock::Stopwatch;

/// Between two looks at what the target does.
const LOOK: Duration = Duration::from_millis(250);
/// A target that has done nothing for as long does not become ready any more.
const QUIET: Duration = Duration::from_secs(1);
/// A target that works on and on gets so many times what its file says, and not more.
const MOST: u32 = 4;

/// Watches one start.
pub(super) struct Patience {
    limit: Duration,
    began: Stopwatch,
    looked: Stopwatch,
    /// When it was last seen to move.
    moved: Stopwatch,
    wait: CpuWait,
    before: Look,
    busy: bool,
}

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    log_lines: u64,
    cpu: Duration,
    waited: Duration,
}

impl Patience {
    pub(super) fn new(group: i32, limit: Duration) -> Patience {
        let watch = Stopwatch::start;
        let (began, looked, moved) = (watch(), watch(), watch());
        Patience { limit, began, looked, moved, wait: CpuWait::new(group), before: Look::default(), busy: true }
    }

    /// Whether the time is over.
    pub(super) fn ends(&mut self, process: &Process) -> bool {
        if self.looked.elapsed() >= LOOK {
            self.look(process);
        }
        is_over(self.limit, self.began.elapsed(), self.moved.elapsed())
    }

    /// Whether it takes time of a processor, or would.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Whether this machine kept it waiting for a processor for a good part of its time.
    pub(super) fn overloaded(&self) -> bool {
        self.before.waited >= self.limit / 5
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn look(&mut self, process: &Process) {
        let passed = std::mem::replace(&mut self.looked, Stopwatch::start()).elapsed();
        let cpu = Duration::from_millis(group::usage(process.group(), &[]).cpu_ms);
        let waited = self.wait.look().unwrap_or(self.before.waited);
        let now = Look { log_lines: process.log().lines(), cpu, waited };
        self.busy = works(self.before, now, passed);
        if self.busy || now.log_lines > self.before.log_lines {
            self.moved = Stopwatch::start();
        }
        self.before = now;
    }
}

/// A tenth of the time in a processor, or in wait for one, is work.
fn works(before: Look, now: Look, passed: Duration) -> bool {
    let used = now.cpu.saturating_sub(before.cpu) + now.waited.saturating_sub(before.waited);
    used * 10 >= passed
}

fn is_over(limit: Duration, elapsed: Duration, still: Duration) -> bool {
    elapsed >= limit && (still >= QUIET.min(limit) || elapsed >= limit * MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_target_that_moves_gets_more_time_and_not_for_ever() {
        for (elapsed, still, over) in
            [(4_999, 4_999, false), (5_000, 1_000, true), (5_000, 999, false), (19_999, 100, false), (20_000, 0, true)]
        {
            assert_eq!(is_over(ms(5_000), ms(elapsed), ms(still)), over, "{elapsed} ms, still for {still}");
        }
        assert!(is_over(ms(200), ms(400), ms(200)), "a short limit is not stretched by a second");
    }

    #[test]
    fn waiting_for_a_processor_is_work_and_sleeping_is_none() {
        let look = |cpu, waited| Look { log_lines: 0, cpu: ms(cpu), waited: ms(waited) };
        assert!(works(look(0, 0), look(30, 0), ms(250)));
        assert!(works(look(0, 0), look(0, 25), ms(250)));
        assert!(!works(look(0, 0), look(10, 14), ms(250)));
    }
}
