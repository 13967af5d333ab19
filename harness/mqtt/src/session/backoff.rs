//! How long a device waits before it connects again: exponential, with jitter, so that a fleet does not come back as one.
use proofhouse_core::seed::SplitMix;
use proofhouse_core::time::{Duration, nanos};

/// The bounds of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// At most this after the first failure; doubled with each further one.
    pub first: Duration,
    /// Never more than this.
    pub most: Duration,
}

impl Backoff {
    /// A device: 1 s to 60 s.
    pub const DEVICE: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
    /// The witness, who wants to know at once: 100 ms to 1 s.
    pub const WITNESS: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };

    /// The wait after `failures` failures in a row, from half of the bound to all of it.
    pub fn wait(self, failures: u32, rng: &mut SplitMix) -> Duration {
        let bound = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.most);
        let half = nanos(bound) / 2;
        Duration::from_nanos(half + ((u128::from(rng.next()) * u128::from(half + 1)) >> 64) as u64)
    }
}
