//! Retransmission: one message of ours that awaits confirmation.

use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_core::time::Time;

use super::Params;
use crate::codec::{Kind, Message};

/// A message on its way: a CON is repeated until it is acknowledged, reset or given up \[RFC 7252 §4.2\]; a NON is said once and
/// can still be reset. Clients and servers use it alike. Its buffer is kept for the next message.
#[derive(Clone, Debug)]
pub struct Outgoing {
    wire: Vec<u8>,
    due: Time,
    timeout: Duration,
    repeated: u8,
    on_its_way: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The peer has it.
    Acked,
    /// The peer could not do anything with it.
    Reset,
}

/// What the time calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Nothing before `due`.
    Wait,
    /// Send the same bytes again.
    Resend,
    /// It was repeated MAX_RETRANSMIT times, and no one answered.
    GaveUp,
}

impl Outgoing {
    /// Nothing on its way.
    #[must_use]
    pub const fn new() -> Self {
        Self { wire: Vec::new(), due: Time::NEVER, timeout: Duration::ZERO, repeated: 0, on_its_way: false }
    }

    /// Begins with the message that `write` writes; the caller sends [`wire`](Self::wire) at once. `draw` stretches the first timeout.
    ///
    /// # Errors
    /// What `write` says; then nothing is on its way.
    pub fn send<E>(
        &mut self,
        now: Time,
        params: &Params,
        draw: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stop();
        self.wire.clear();
        write(&mut self.wire)?;
        self.on_its_way = true;
        self.repeated = 0;
        self.timeout = params.first_timeout(draw);
        self.due = if self.kind() == Some(Kind::Con) { now + self.timeout } else { Time::NEVER };
        Ok(())
    }

    /// Puts a newer message in the place of the one on its way, which keeps its timer and its count \[RFC 7641 §4.5.2\].
    /// It needs a message id of its own.
    ///
    /// # Errors
    /// What `write` says; then nothing is on its way.
    pub fn supersede<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.wire.clear();
        write(&mut self.wire).inspect_err(|_| self.stop())
    }

    /// An ACK or RST that confirms the message: only its id and the peer count \[RFC 7252 §4.4\].
    pub fn hear(&mut self, message: &Message<'_>) -> Option<Confirmed> {
        let confirmed = match message.kind() {
            Kind::Ack if self.kind() == Some(Kind::Con) => Confirmed::Acked,
            Kind::Rst => Confirmed::Reset,
            _ => return None,
        };
        if self.mid()? != message.mid() {
            return None;
        }
        self.stop();
        Some(confirmed)
    }

    /// What is due by now.
    pub fn tick(&mut self, now: Time, params: &Params) -> Tick {
        if now < self.due {
            return Tick::Wait;
        }
        if self.repeated >= params.max_retransmit {
            self.stop();
            return Tick::GaveUp;
        }
        self.repeated += 1;
        self.timeout *= 2;
        // A late tick must not bring two transmissions closer together than ACK_TIMEOUT.
        self.due = (self.due + self.timeout).max(now + params.ack_timeout);
        Tick::Resend
    }

    /// When [`tick`](Self::tick) is due next; never where nothing is repeated.
    #[must_use]
    pub const fn due(&self) -> Time {
        self.due
    }

    /// The datagram, to be sent now or again.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The id of the message on its way.
    #[must_use]
    pub fn mid(&self) -> Option<u16> {
        match self.wire.as_slice() {
            [_, _, high, low, ..] if self.on_its_way => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    /// How often it was repeated.
    #[must_use]
    pub const fn repeated(&self) -> u8 {
        self.repeated
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        !self.on_its_way
    }

    /// No longer waits, and repeats nothing.
    pub fn stop(&mut self) {
        self.on_its_way = false;
        self.due = Time::NEVER;
    }

    fn kind(&self) -> Option<Kind> {
        self.wire.first().filter(|_| self.on_its_way).map(|first| Kind::from_bits(first >> 4))
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}
