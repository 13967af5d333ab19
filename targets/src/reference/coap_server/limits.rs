//! How much of everything one peer, and all of them together, may take.
use core::time::Duration;

/// Limits of the reference CoAP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers that are remembered. Above that the one that was silent for longest is forgotten, observations and all.
    pub peers: u32,
    /// Bytes of replies kept for copies of requests, of all peers together. Above that the silent ones are forgotten first.
    pub replies: u32,
    /// Messages of one peer whose copies are recognised.
    pub recent: u32,
    /// Bytes of replies kept for one peer.
    pub recent_bytes: u32,
    /// Observations of all peers together. A registration beyond that is answered as a plain GET.
    pub observations: u32,
    /// Observations of one peer.
    pub observations_each: u32,
    /// Separate responses that one peer may wait for; 5.03 beyond that.
    pub separate: u32,
    /// Bytes of a body that is put together from blocks.
    pub body: u32,
    /// Bodies that are put together at a time. Above that the oldest is dropped.
    pub uploads: u32,
    /// How often what came from an unvalidated address may be outweighed by what goes there. The field's advice is 3
    /// \[RFC 9175\].
    pub amplification: u32,
    /// How long a peer that is silent is remembered: as long as a copy of its last message may still arrive
    /// \[RFC 7252 §4.8.2\].
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            peers: 1 << 20,
            replies: 64 << 20,
            recent: 64,
            recent_bytes: 4 << 10,
            observations: 100_000,
            observations_each: 16,
            separate: 4,
            body: 16 << 10,
            uploads: 64,
            amplification: 3,
            idle: super::PARAMS.exchange_lifetime(),
        }
    }
}
