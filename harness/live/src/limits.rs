//! Limits of our own machine: raised as far as they go, and written down.
use nix::sys::signal::{SIGXFSZ, SigSet};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// Soft and hard limit of open descriptors of this process.
#[must_use]
pub fn descriptors() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX))
}

/// Raises the soft limit of descriptors to the hard one; returns what we have now.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // A refusal leaves the old limit, and the answer below tells which one that is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    descriptors().0
}

/// How many bytes of address space this process may have; `None`: as many as there are.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// From now on, a file that may not grow any more (`ulimit -f`) is an error of whoever writes it, and no signal that ends this process
/// without a word. To be called before there are other threads; programs that we start have the signal as ever.
pub fn outlive_file_limit() {
    let mut set = SigSet::empty();
    set.add(SIGXFSZ);
    // Where the system does not let us, it stays as it is.
    let _ = set.thread_block();
}

/// From now on this process is asked to end (SIGTERM) when the one that started it is gone; `false` where it is gone already.
#[must_use]
pub fn end_with_parent() -> bool {
    let before = rustix::process::getppid();
    let asked = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    // Whoever went before the system was asked is not told of.
    asked.is_ok() && rustix::process::getppid() == before
}

/// Asks a child of ours to end, as `kill` does.
pub fn ask_to_end(child: &std::process::Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Where it has ended already there is nobody to ask.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Connections that this machine dropped since it was started, because the queue of a process that listens was full. `None` where the
/// kernel does not say.
#[must_use]
pub(crate) fn listen_overflows() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat").ok()?;
    counter(&text, "ListenOverflows")
}

/// A counter of `TcpExt`: one line of names, and one of values.
fn counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|known| known == name)?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 3\nIpExt: InNoRoutes\nIpExt: 4\n";
        assert_eq!(counter(text, "ListenOverflows"), Some(22));
        assert_eq!(counter(text, "InNoRoutes"), None);
        assert_eq!(counter("", "ListenOverflows"), None);
    }
}
