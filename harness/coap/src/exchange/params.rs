//! The transmission parameters, and the times that follow from them.

use core::time::Duration;

/// Transmission parameters \[RFC 7252 §4.8\]: one value for a whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The least time before a CON is repeated.
    pub ack_timeout: Duration,
    /// How far the first timeout may be drawn above that, in percent: at least 100, better clearly more \[RFC 7252 §4.8.1\].
    pub ack_random_percent: u32,
    /// How often a CON is repeated; at most 20 counts.
    pub max_retransmit: u8,
    /// Requests on their way to one server at a time \[RFC 7252 §4.7\].
    pub nstart: u8,
}

impl Params {
    /// What the standard gives: 2 s, 1.5, 4 and 1.
    pub const DEFAULT: Self =
        Self { ack_timeout: Duration::from_secs(2), ack_random_percent: 150, max_retransmit: 4, nstart: 1 };

    /// How long a datagram may take to its receiver at most: 100 s, whatever the other parameters \[RFC 7252 §4.8.2\].
    pub const MAX_LATENCY: Duration = Duration::from_secs(100);

    /// The time from the first transmission of a CON to its first repetition, from 64 drawn bits \[RFC 7252 §4.2\].
    #[must_use]
    pub fn first_timeout(&self, draw: u64) -> Duration {
        let spread = self.stretch(self.ack_timeout).saturating_sub(self.ack_timeout);
        let share = (spread.as_nanos() * u128::from(draw)) >> 64;
        self.ack_timeout + Duration::from_nanos(share as u64)
    }

    /// From the first transmission of a CON to its last, at most: 45 s \[RFC 7252 §4.8.2\].
    #[must_use]
    pub fn max_transmit_span(&self) -> Duration {
        self.stretch(self.ack_timeout * (self.doublings() - 1))
    }

    /// From the first transmission of a CON to giving up, at most: 93 s \[RFC 7252 §4.8.2\].
    #[must_use]
    pub fn max_transmit_wait(&self) -> Duration {
        self.stretch(self.ack_timeout * (self.doublings() * 2 - 1))
    }

    /// How long the id of a CON stays taken: 247 s \[RFC 7252 §4.8.2\]. The processing delay counts as the ACK timeout.
    #[must_use]
    pub fn exchange_lifetime(&self) -> Duration {
        self.max_transmit_span() + 2 * Self::MAX_LATENCY + self.ack_timeout
    }

    /// How long the id of a NON stays taken: 145 s \[RFC 7252 §4.8.2\].
    #[must_use]
    pub fn non_lifetime(&self) -> Duration {
        self.max_transmit_span() + Self::MAX_LATENCY
    }

    fn doublings(&self) -> u32 {
        1 << self.max_retransmit.min(20)
    }

    fn stretch(&self, time: Duration) -> Duration {
        time * self.ack_random_percent.max(100) / 100
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::DEFAULT
    }
}
