//! How long a target's threads were runnable and got no processor: `/proc/PID/task/TID/schedstat`, second field.
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use proofhouse_core::time::nanos;

use super::group;
use crate::clock::Stopwatch;

/// Threads that are looked at. A server with more has enough of them that wait like all others.
const THREADS_MAX: usize = 64;
/// How many looks share one list of the group's processes.
const LOOKS: u32 = 4;

/// Adds up, look by look, what a group has waited. The kernel counts a wait when it ends: one that lasts still is not in it.
pub(super) struct CpuWait {
    group: i32,
    /// Members of the group, and how many looks ago they were asked for.
    members: (Vec<i32>, u32),
    /// Waits of each thread so far, by process and thread.
    threads: BTreeMap<(i32, i32), u64>,
    watch: Stopwatch,
    total: Duration,
}

impl CpuWait {
    pub(super) fn new(group: i32) -> CpuWait {
        CpuWait {
            group,
            members: (Vec::new(), LOOKS),
            threads: BTreeMap::new(),
            watch: Stopwatch::start(),
            total: Duration::ZERO,
        }
    }

    /// What was waited so far; `None` where the system does not say.
    pub(super) fn look(&mut self) -> Option<Duration> {
        if self.members.1 >= LOOKS {
            self.members = (group::pids(self.group), 0);
        }
        self.members.1 += 1;
        let now: BTreeMap<(i32, i32), u64> =
            self.members.0.iter().flat_map(|pid| waits(*pid)).take(THREADS_MAX).collect();
        if now.is_empty() {
            return None;
        }
        let passed = std::mem::replace(&mut self.watch, Stopwatch::start()).elapsed();
        let grown = now.iter().map(|(thread, wait)| match self.threads.get(thread) {
            Some(before) => wait.saturating_sub(*before),
            // One that began after the last look, or that was not among those looked at.
            None => (*wait).min(nanos(passed)),
        });
        self.total += one_wait(grown, passed);
        self.threads = now;
        Some(self.total)
    }
}

/// What threads that waited side by side or one after the other waited as one: never more than has passed since the last look, but
/// for a single wait that began before it.
fn one_wait(grown: impl Iterator<Item = u64>, passed: Duration) -> Duration {
    let (sum, longest) = grown.fold((0, 0), |(sum, longest), wait| (sum + wait, wait.max(longest)));
    Duration::from_nanos(sum).min(passed.max(Duration::from_nanos(longest)))
}

fn waits(pid: i32) -> Vec<((i32, i32), u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let wait = |task: fs::DirEntry| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some(((pid, thread), text.split(' ').nth(1)?.parse().ok()?))
    };
    tasks.take(THREADS_MAX).filter_map(wait).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn waits_side_by_side_are_one_wait() {
        for (grown, passed, waited) in
            [(&[0, 0][..], 100, 0), (&[40, 30], 100, 70), (&[100, 100, 100], 100, 100), (&[3000, 2900], 100, 3000)]
        {
            let grown = grown.iter().map(|n: &u64| n * 1_000_000);
            assert_eq!(one_wait(grown, ms(passed)), ms(waited), "{passed} ms");
        }
    }

    #[test]
    fn more_work_than_processors_makes_a_group_wait() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let busy = format!("for n in $(seq {}); do while :; do :; done & done; wait", cores * 3);
        let mut child = Command::new("sh").args(["-c", &busy]).process_group(0).spawn().unwrap();
        let group = child.id().cast_signed();
        let mut wait = CpuWait::new(group);
        let watch = Stopwatch::start();
        let mut waited = Duration::ZERO;
        while waited < ms(100) && !watch.left(Duration::from_secs(20)).is_zero() {
            std::thread::sleep(ms(50));
            waited = wait.look().unwrap_or_default();
        }
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        let _ = child.wait();
        assert!(waited >= ms(100), "{waited:?}");
        assert!(waited <= watch.elapsed() + ms(50), "{waited:?} of {:?}", watch.elapsed());
    }
}
