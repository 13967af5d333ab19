//! Message-id allocation: ids that are not used again too early.

use proofhouse_core::time::Time;

use super::Params;

/// Hands out message ids for one peer: one after the other from a drawn start, and none twice within EXCHANGE_LIFETIME
/// \[RFC 7252 §4.4\].
///
/// It remembers eight times instead of 65536: when the last id of each eighth was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    next: u16,
    /// Whole seconds, rounded up, plus one; 0 where an eighth was never left.
    left: [u32; EIGHTHS],
}

const EIGHTHS: usize = 8;
/// Ids per eighth.
const PER_EIGHTH: u16 = 8192;

impl Ids {
    /// Begins at an id out of 64 drawn bits, so that no one off the path can guess it.
    #[must_use]
    pub const fn new(draw: u64) -> Self {
        Self { next: (draw >> 48) as u16, left: [0; EIGHTHS] }
    }

    /// The next id; `None` while all that are left may still be on their way (beyond some 230 messages a second).
    pub fn next(&mut self, now: Time, params: &Params) -> Option<u16> {
        let mid = self.next;
        let left = self.left.get_mut(usize::from(mid / PER_EIGHTH))?;
        if *left > 0 && seconds_up(now) < u64::from(*left) + params.exchange_lifetime().as_secs() + 1 {
            return None;
        }
        if mid % PER_EIGHTH == PER_EIGHTH - 1 {
            *left = u32::try_from(seconds_up(now) + 1).unwrap_or(u32::MAX);
        }
        self.next = mid.wrapping_add(1);
        Some(mid)
    }
}

fn seconds_up(time: Time) -> u64 {
    time.0.div_ceil(1_000_000_000)
}
