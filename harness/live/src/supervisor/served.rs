//! Who serves behind a wrapper (a shell, a script that starts the server) ends before it: otherwise the wrapper dies of our SIGTERM, and
//! nobody learns how the server took its own.
use std::time::Duration;

use procfs::process::Process;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::Stopwatch;
use crate::process::Ended;
use crate::process::group::ProcessId;

/// How long a parent may take to stand still: it does so when it next has a processor.
const STILL: Duration = Duration::from_millis(200);

/// Servers that are asked to end, while their parents stand still: what the system tells of an end, it tells until a parent has taken it.
/// The parents go on when this is dropped.
pub(super) struct Served {
    servers: Vec<ProcessId>,
    held: Vec<ProcessId>,
}

impl Served {
    /// Sends SIGTERM to those that live.
    pub(super) fn ask(servers: &[ProcessId]) -> Served {
        let servers: Vec<ProcessId> = servers.iter().copied().filter(|server| server.lives()).collect();
        let served = Served { held: parents(&servers), servers };
        let watch = Stopwatch::start();
        served.held.iter().for_each(|parent| signal(*parent, Signal::STOP));
        while served.held.iter().any(|parent| runs(*parent)) && !watch.left(STILL).is_zero() {
            std::thread::sleep(Duration::from_millis(1));
        }
        served.servers.iter().for_each(|server| signal(*server, Signal::TERM));
        served
    }

    /// Whether one of them has not ended. A zombie may have threads that have not.
    pub(super) fn left(&self) -> bool {
        self.servers.iter().any(|server| server.stat().is_some_and(|stat| stat.state != 'Z' || stat.num_threads > 1))
    }

    /// How one of them broke; `None` where all ended as those do who are asked to.
    pub(super) fn broke(&self) -> Option<Ended> {
        let ended = |server: &ProcessId| {
            let stat = server.stat().filter(|stat| stat.state == 'Z')?;
            Some(read(stat.exit_code?))
        };
        let all: Vec<Ended> = self.servers.iter().filter_map(ended).collect();
        let crashed = all.iter().find(|how| how.crash().is_some());
        crashed.or_else(|| all.iter().find(|how| how.is_failure())).copied()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.held.iter().for_each(|parent| signal(*parent, Signal::CONT));
    }
}

/// Whoever would be told of their ends, but for ourselves and for those that serve too.
fn parents(servers: &[ProcessId]) -> Vec<ProcessId> {
    let own = std::process::id().cast_signed();
    let mut found: Vec<ProcessId> = Vec::new();
    for ppid in servers.iter().filter_map(|server| server.stat()).map(|stat| stat.ppid) {
        let parent = Process::new(ppid).ok().and_then(|parent| ProcessId::of(&parent));
        let others =
            parent.filter(|parent| ppid > 1 && ppid != own && !servers.contains(parent) && !found.contains(parent));
        found.extend(others);
    }
    found
}

fn runs(one: ProcessId) -> bool {
    one.stat().is_some_and(|stat| !matches!(stat.state, 'T' | 't' | 'Z' | 'X'))
}

fn signal(one: ProcessId, signal: Signal) {
    // Gone meanwhile is as good.
    let _ = Pid::from_raw(one.pid()).filter(|_| one.lives()).map(|pid| kill_process(pid, signal));
}

/// What `wait(2)` tells, as the system shows it of a zombie.
fn read(status: i32) -> Ended {
    match status & 0x7f {
        0 => Ended::Code(status >> 8 & 0xff),
        signal => Ended::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_code_or_a_signal_and_a_core_dump_is_no_other_signal() {
        assert_eq!(
            [0, 0x300, 15, 11, 0x80 | 11].map(read),
            [Ended::Code(0), Ended::Code(3), Ended::Signal(15), Ended::Signal(11), Ended::Signal(11),]
        );
    }
}
