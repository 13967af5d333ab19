//! The client's side: one request, from the first transmission to its response.

use alloc::vec::Vec;

use proofhouse_core::time::Time;

use super::{Outgoing, Params, Tick};
use crate::codec::{Kind, Message, Reject, Token};

/// One request on its way to one server; with NSTART 1 a client needs no more.
///
/// The response may ride on the ACK or come by itself, as CON or NON, before or after the ACK \[RFC 7252 §5.2.1, RFC 7252 §5.2.2\]. How long to wait for
/// a response after an Empty ACK is the caller's decision; it calls [`stop`](Self::stop).
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    out: Outgoing,
    token: Token,
    waiting: bool,
    /// Id of the last CON response, and until when a repetition of it is acknowledged again.
    answered: Option<(u16, Time)>,
}

/// What a message from the server means to the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The server has the request; the response comes by itself.
    Acked,
    /// This is the response; the exchange is over.
    Response {
        /// It rode on the ACK.
        piggybacked: bool,
    },
    /// The server could not do anything with the request; the exchange is over.
    Reset,
    /// What was heard before. An ACK may have been lost.
    Again,
    /// Nothing that belongs to the exchange: a notification, a ping, a late or forged answer.
    Stranger,
}

impl Heard {
    /// What must be sent back: an ACK for a CON that was awaited or came again, a RST for any other CON \[RFC 7252 §4.2\]. Look among your
    /// observations before you reset a stranger.
    #[must_use]
    pub fn reply(self, message: &Message<'_>) -> Option<Message<'static>> {
        match (message.kind(), self) {
            (Kind::Con, Self::Response { .. } | Self::Again) => Some(Message::ack(message.mid())),
            (Kind::Con, _) => Some(Message::rst(message.mid())),
            _ => None,
        }
    }
}

impl Exchange {
    /// Nothing on its way.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Outgoing::new(), token: Token::EMPTY, waiting: false, answered: None }
    }

    /// Begins with the request that `write` writes; the caller sends [`wire`](Self::wire) at once. `draw` stretches the first timeout.
    /// A request that was on its way is forgotten.
    ///
    /// # Errors
    /// What `write` says; then nothing is on its way.
    pub fn send(
        &mut self,
        now: Time,
        params: &Params,
        draw: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        self.waiting = false;
        self.out.send(now, params, draw, write)?;
        match Message::decode(self.out.wire()) {
            Ok(request) => self.token = request.token(),
            Err(reject) => {
                self.out.stop();
                return Err(reject);
            }
        }
        self.waiting = true;
        Ok(())
    }

    /// What this message means. The caller sends [`Heard::reply`].
    pub fn hear(&mut self, now: Time, params: &Params, message: &Message<'_>) -> Heard {
        match message.kind() {
            Kind::Ack => self.hear_ack(message),
            Kind::Rst if self.waiting && self.sent() == Some(message.mid()) => {
                self.stop();
                Heard::Reset
            }
            Kind::Con | Kind::Non if self.waiting && message.code().is_response() && message.token() == self.token => {
                self.stop();
                let until = now + params.exchange_lifetime();
                self.answered = (message.kind() == Kind::Con).then_some((message.mid(), until));
                Heard::Response { piggybacked: false }
            }
            Kind::Con if message.code().is_response() && self.answered_already(now, message.mid()) => Heard::Again,
            _ => Heard::Stranger,
        }
    }

    /// On an ACK both id and token must match \[RFC 7252 §5.3.2\].
    fn hear_ack(&mut self, message: &Message<'_>) -> Heard {
        if !self.waiting || self.sent() != Some(message.mid()) || !self.is_confirmable() {
            return Heard::Stranger;
        }
        if message.code().is_empty() {
            let first = !self.out.is_idle();
            self.out.stop();
            return if first { Heard::Acked } else { Heard::Again };
        }
        if message.token() != self.token {
            return Heard::Stranger;
        }
        self.stop();
        Heard::Response { piggybacked: true }
    }

    fn answered_already(&self, now: Time, mid: u16) -> bool {
        self.answered.is_some_and(|(answered, until)| answered == mid && now < until)
    }

    /// What is due by now.
    pub fn tick(&mut self, now: Time, params: &Params) -> Tick {
        let tick = self.out.tick(now, params);
        if tick == Tick::GaveUp {
            self.stop();
        }
        tick
    }

    /// When [`tick`](Self::tick) is due next.
    #[must_use]
    pub const fn due(&self) -> Time {
        self.out.due()
    }

    /// The datagram, to be sent now or again.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        self.out.wire()
    }

    /// The token of the request on its way, or of the last one.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// Whether a response is awaited.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Awaits nothing any more, and repeats nothing.
    pub fn stop(&mut self) {
        self.waiting = false;
        self.out.stop();
    }

    /// The id of the request, also after it was acknowledged.
    fn sent(&self) -> Option<u16> {
        let [_, _, high, low] = *self.out.wire().first_chunk()?;
        Some(u16::from_be_bytes([high, low]))
    }

    fn is_confirmable(&self) -> bool {
        self.out.wire().first().is_some_and(|first| Kind::from_bits(first >> 4) == Kind::Con)
    }
}
