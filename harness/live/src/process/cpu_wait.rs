//! How long a target's threads were runnable while others had the processors: `/proc/PID/task/TID/schedstat` says how long they ran and
//! waited, `/proc/stat` how busy the machine was. A target that keeps all processors busy by itself waits too, and for nobody else.
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
pub(crate) struct CpuWait {
    group: i32,
    /// Members of the group, and how many looks ago they were asked for.
    members: (Vec<i32>, u32),
    /// What each thread has run and waited so far, by process and thread.
    threads: BTreeMap<(i32, i32), Share>,
    /// How busy all processors were so far.
    busy: u64,
    watch: Stopwatch,
    total: Duration,
}

/// What one thread had of the processors, nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    ran: u64,
    waited: u64,
}

impl CpuWait {
    pub(crate) fn new(group: i32) -> CpuWait {
        CpuWait {
            group,
            members: (Vec::new(), LOOKS),
            threads: BTreeMap::new(),
            busy: busy(),
            watch: Stopwatch::start(),
            total: Duration::ZERO,
        }
    }

    /// What was waited for others so far; `None` where the system does not say.
    pub(crate) fn look(&mut self) -> Option<Duration> {
        if self.members.1 >= LOOKS {
            self.members = (group::pids(self.group), 0);
        }
        self.members.1 += 1;
        let now: BTreeMap<(i32, i32), Share> =
            self.members.0.iter().flat_map(|pid| shares(*pid)).take(THREADS_MAX).collect();
        if now.is_empty() {
            return None;
        }
        let passed = std::mem::replace(&mut self.watch, Stopwatch::start()).elapsed();
        let busy = busy();
        let all = busy.saturating_sub(std::mem::replace(&mut self.busy, busy));
        let grown: Vec<Share> = now.iter().map(|(thread, share)| self.grown(*thread, *share, passed)).collect();
        let own: u64 = grown.iter().map(|share| share.ran).sum();
        let waited = one_wait(grown.iter().map(|share| share.waited), passed);
        self.total += for_others(waited, Duration::from_nanos(all), Duration::from_nanos(own));
        self.threads = now;
        Some(self.total)
    }

    /// What a thread ran and waited since the last look. One that began after it, or was not among those looked at, did so since then.
    fn grown(&self, thread: (i32, i32), now: Share, passed: Duration) -> Share {
        match self.threads.get(&thread) {
            Some(before) => {
                Share { ran: now.ran.saturating_sub(before.ran), waited: now.waited.saturating_sub(before.waited) }
            }
            None => Share { ran: now.ran.min(nanos(passed)), waited: now.waited.min(nanos(passed)) },
        }
    }
}

/// The part of a wait for which somebody else had a processor: no more than all were busy beyond the target's own work.
fn for_others(waited: Duration, busy: Duration, own: Duration) -> Duration {
    waited.min(busy.saturating_sub(own))
}

/// How busy all processors were since the machine started, nanoseconds; 0 where the system does not say. Stolen time is somebody else's.
fn busy() -> u64 {
    /// Linux counts in hundredths of a second here, whatever its own clock.
    const TICK: u64 = 10_000_000;
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let counts: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system - - irq softirq steal
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| counts.get(*at)).sum::<u64>() * TICK
}

/// What threads that waited side by side or one after the other waited as one: never more than has passed since the last look, but
/// for a single wait that began before it.
fn one_wait(grown: impl Iterator<Item = u64>, passed: Duration) -> Duration {
    let (sum, longest) = grown.fold((0, 0), |(sum, longest), wait| (sum + wait, wait.max(longest)));
    Duration::from_nanos(sum).min(passed.max(Duration::from_nanos(longest)))
}

fn shares(pid: i32) -> Vec<((i32, i32), Share)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let share = |task: fs::DirEntry| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let mut counts = text.split(' ').map(|count| count.parse().ok());
        Some(((pid, thread), Share { ran: counts.next()??, waited: counts.next()?? }))
    };
    tasks.take(THREADS_MAX).filter_map(share).collect()
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
    fn only_a_wait_while_others_were_busy_is_for_others() {
        for (waited, busy, own, expected) in [(80, 200, 190, 10), (80, 200, 20, 80), (80, 150, 200, 0)] {
            assert_eq!(for_others(ms(waited), ms(busy), ms(own)), ms(expected), "{waited} of {busy}, {own} its own");
        }
    }

    /// Runs so many busy loops in a group, and as many outside of it, until the group has waited 100 ms for others or `limit` is over.
    fn waits(inside: usize, outside: usize, limit: Duration) -> Duration {
        let spin = |n: usize| {
            let busy = format!("for n in $(seq {n}); do while :; do :; done & done; wait");
            Command::new("sh").args(["-c", &busy]).process_group(0).spawn().unwrap()
        };
        let mut children = [spin(inside), spin(outside)];
        let mut wait = CpuWait::new(children[0].id().cast_signed());
        let watch = Stopwatch::start();
        let mut waited = Duration::ZERO;
        while waited < ms(100) && !watch.left(limit).is_zero() {
            std::thread::sleep(ms(50));
            waited = wait.look().unwrap_or_default();
        }
        for child in &mut children {
            let pid = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            let _ = child.wait();
        }
        assert!(waited <= watch.elapsed() + ms(50), "{waited:?} of {:?}", watch.elapsed());
        waited
    }

    #[test]
    fn busy_neighbours_make_a_group_wait() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let waited = waits(cores, cores * 3, Duration::from_secs(20));
        assert!(waited >= ms(100), "{waited:?}");
    }
}
