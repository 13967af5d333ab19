//! ACK_TIMEOUT as measured (retransmission timeout, RTO).

use core::time::Duration;

use super::Params;

/// How many times the slowest round trip a client waits before it repeats: what varies on a road, and in a server, has room in that.
const ROUND_TRIPS: u32 = 4;
/// No less than this, whatever was measured: five transmissions fall into a deadline of 5 s (at 0 s, 0.2 s to 0.3 s, 0.6 s to 0.9 s, 1.4 s
/// to 2.1 s, 3 s to 4.5 s), and what a server needs for one question it was never asked more often than it is while it answers.
const LEAST: Duration = Duration::from_millis(200);
/// An answer is forgotten by an eighth with each that follows, so that one slow moment does not count for ever.
const FORGETS: u32 = 8;

/// The ACK_TIMEOUT of a client that measures its round trips: less than 2 s may be set only by one that does \[RFC 7252 §4.8.1\]. Until the
/// first answer, and where answers are slow, it is what the standard gives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    slowest: Option<Duration>,
}

impl Measured {
    /// An answer came so long after the last transmission: the one that it answers, or a later one, which makes the next pause no shorter
    /// where a server was slow and was asked again.
    pub fn answered(&mut self, took: Duration) {
        let before = self.slowest.unwrap_or_default();
        self.slowest = Some(took.max(before - before / FORGETS));
    }

    /// The time before the first repetition, at least.
    #[must_use]
    pub fn ack_timeout(&self) -> Duration {
        let most = Params::DEFAULT.ack_timeout;
        self.slowest.map_or(most, |slowest| slowest.saturating_mul(ROUND_TRIPS).clamp(LEAST, most))
    }
}
