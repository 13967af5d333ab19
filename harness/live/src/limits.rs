//! Limits of our own machine: raised as far as they go, and written down.
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
