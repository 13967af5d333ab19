//! What is said, and how much of it may be said to whom.
use proofhouse_coap::codec::{Code, Kind, Message, Token};
use proofhouse_core::actor::Outbox;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::answer::Answer;
use super::intake::Ask;
use super::site::Resource;
use super::{CoapServer, PARAMS};
use crate::flaw::Flaw;

impl CoapServer {
    /// Answers a request in one message: a piggybacked response, or a NON for a NON \[RFC 7252 §5.2.1\].
    pub(super) fn reply(&mut self, ask: &Ask, answer: Answer, now: Time, out: &mut Outbox) {
        let Some(mid) = self.reply_id(ask, now) else { return };
        let mut said = answer;
        self.write(ask, &said, mid);
        if !self.may_say(ask) {
            said = match said.code {
                Code::CONTENT => self.challenge(ask.conn),
                code => Answer { block1: said.block1, ..Answer::of(code) },
            };
            self.write(ask, &said, mid);
        }
        let wire = core::mem::take(&mut self.wire);
        if ask.kind == Kind::Con {
            self.peers.keep(ask.conn, ask.mid, &wire);
        }
        self.say(ask.conn, &wire, out);
        self.wire = wire;
    }

    /// A response in an ACK has the id of the request; one in a NON has one of ours.
    fn reply_id(&mut self, ask: &Ask, now: Time) -> Option<u16> {
        if ask.kind == Kind::Con {
            return Some(ask.mid);
        }
        self.fresh_id(ask.conn, now)
    }

    pub(super) fn fresh_id(&mut self, conn: Conn, now: Time) -> Option<u16> {
        let rng = &mut self.rng;
        let fresh = self.peers.get(conn)?.own(|| rng.next()).ids.next(now, &PARAMS);
        if self.flaws.has(Flaw::OwnMidRepeats) { Some(4_711) } else { fresh }
    }

    fn write(&mut self, ask: &Ask, answer: &Answer, mid: u16) {
        let kind = match ask.kind {
            Kind::Con => Kind::Ack,
            _ if self.flaws.has(Flaw::AnswersNonByCon) => Kind::Con,
            _ => Kind::Non,
        };
        self.wire.clear();
        let written = answer.write(&mut self.wire, kind, mid, ask.token);
        debug_assert!(written.is_ok(), "we tried to send {answer:?}: {written:?}");
        self.bend_wire(answer);
        if let Some(token) = &ask.long_token {
            self.wire[0] = self.wire[0] & 0xF0 | token.len() as u8;
            self.wire.splice(4..4 + ask.token.len(), token.iter().copied());
        }
    }

    /// Whether what has been written may go out: to an address that is not validated, only a few times what it sent.
    fn may_say(&mut self, ask: &Ask) -> bool {
        let (size, factor) = (self.wire.len(), self.limits.amplification);
        let trusted = self.trusts(ask.conn);
        let small = size <= ask.size * factor as usize;
        trusted || small && self.peers.get(ask.conn).is_some_and(|peer| peer.affords(size, factor))
    }

    /// Whether the peer has shown that its address is its own.
    pub(super) fn trusts(&mut self, conn: Conn) -> bool {
        self.flaws.has(Flaw::NoEchoChallenge) || self.peers.get(conn).is_some_and(|peer| peer.validated)
    }

    /// Asks the peer to repeat its request with what only its address hears \[RFC 9175\].
    pub(super) fn challenge(&mut self, conn: Conn) -> Answer {
        let rng = &mut self.rng;
        let echo = self.peers.get(conn).map(|peer| *peer.challenge.get_or_insert_with(|| rng.next()));
        Answer { echo, ..Answer::of(Code::UNAUTHORIZED) }
    }

    /// Says again what was said to a copy of a message.
    pub(super) fn repeat(&mut self, conn: Conn, reply: &[u8], out: &mut Outbox) {
        let factor = self.limits.amplification;
        let trusted = self.trusts(conn);
        if trusted || self.peers.get(conn).is_some_and(|peer| peer.affords(reply.len(), factor)) {
            self.say(conn, reply, out);
        }
    }

    /// What a flaw says after a refusal.
    pub(super) fn grant_under(&mut self, token: Token, ask: &Ask, now: Time, out: &mut Outbox) {
        let Some(mid) = self.fresh_id(ask.conn, now) else { return };
        self.write_own(&self.site.read(Resource::Protected, now, self.flaws), Kind::Non, mid, token);
        let wire = core::mem::take(&mut self.wire);
        self.say(ask.conn, &wire, out);
        self.wire = wire;
    }

    /// An Empty message.
    pub(super) fn empty(&mut self, message: &Message<'_>, conn: Conn, out: &mut Outbox) {
        let mut wire = core::mem::take(&mut self.wire);
        wire.clear();
        message.encode(&mut wire);
        self.say(conn, &wire, out);
        self.wire = wire;
    }

    pub(super) fn say(&mut self, conn: Conn, wire: &[u8], out: &mut Outbox) {
        if let Some(peer) = self.peers.get(conn) {
            peer.sent += wire.len() as u64;
            out.send(conn, |to| to.extend_from_slice(wire));
        }
    }

    /// The state of what is observed, as a response of our own.
    pub(super) fn write_own(&mut self, answer: &Answer, kind: Kind, mid: u16, token: Token) {
        self.wire.clear();
        let written = answer.write(&mut self.wire, kind, mid, token);
        debug_assert!(written.is_ok(), "we tried to send {answer:?}: {written:?}");
        self.bend_wire(answer);
    }
}
