//! Limits of our own machine: raised as far as they go, and written down.
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

/// Asks a child of ours to end, as `kill` does.
pub fn ask_to_end(child: &std::process::Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Where it has ended already there is nobody to ask.
        let _ = kill_process(pid, Signal::TERM);
    }
}
