//! From datagrams to requests, and what is refused on the way.
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::block::{Block, Sort};
use proofhouse_coap::codec::{Code, Duty, Kind, Message, OptionNumber, Options, Reject, Token, uint_value};
use proofhouse_coap::exchange::Seen;
use proofhouse_coap::observe::{DEREGISTER, REGISTER};
use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::answer::{Answer, ECHO};
use super::later::{STORE, TIME};
use super::lenient::{Repair, repair};
use super::site::Resource;
use super::upload::Part;
use super::{CoapServer, PARAMS};
use crate::flaw::Flaw;

/// What a reply needs to know of what it replies to.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) conn: Conn,
    pub(super) kind: Kind,
    pub(super) mid: u16,
    pub(super) token: Token,
    /// Bytes of the datagram.
    pub(super) size: usize,
    /// A token that is longer than tokens are: only a flaw takes it.
    pub(super) long_token: Option<Vec<u8>>,
}

/// For how long a flaw remembers a message id.
const HALF_A_SECOND: Duration = Duration::from_millis(500);
/// Critical options that are processed, beside those of blocks. All others of the registry are not understood.
const UNDERSTOOD: [OptionNumber; 10] = [
    OptionNumber::IF_MATCH,
    OptionNumber::URI_HOST,
    OptionNumber::IF_NONE_MATCH,
    OptionNumber::URI_PORT,
    OptionNumber::URI_PATH,
    OptionNumber::URI_QUERY,
    OptionNumber::ACCEPT,
    OptionNumber::BLOCK2,
    OptionNumber::PROXY_URI,
    OptionNumber::PROXY_SCHEME,
];

impl CoapServer {
    /// A peer that was never heard; some that are long silent are forgotten for it.
    pub(super) fn met(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        self.peers.heard(conn, now, &self.limits);
        self.make_room(conn, now, out);
    }

    fn make_room(&mut self, newest: Conn, now: Time, out: &mut Outbox) {
        // Two for each: what was let in while all were busy goes in the end.
        for _ in 0..2 {
            let Some(stale) = self.peers.stale(now, &self.limits).filter(|stale| *stale != newest) else { return };
            self.gone(stale);
            out.close(stale, CloseHow::Fin);
        }
    }

    /// Forgets a peer.
    pub(super) fn gone(&mut self, conn: Conn) {
        if let Some(peer) = self.peers.remove(conn) {
            self.due.remove(&(peer.due, conn));
        }
        self.observers.remove_all(conn);
        self.uploads.drop_of(conn);
    }

    pub(super) fn datagram(&mut self, conn: Conn, datagram: &[u8], now: Time, out: &mut Outbox) {
        self.peers.heard(conn, now, &self.limits).received += datagram.len() as u64;
        if !self.flaws.any() {
            return self.read(conn, datagram, datagram.len(), None, now, out);
        }
        match repair(self.flaws, datagram) {
            Repair::AsIs => self.read(conn, datagram, datagram.len(), None, now, out),
            Repair::Instead(bytes, token) => self.read(conn, &bytes, datagram.len(), token, now, out),
            Repair::Exit(why) => self.exit(why, out),
        }
    }

    fn read(
        &mut self,
        conn: Conn,
        bytes: &[u8],
        size: usize,
        long_token: Option<Vec<u8>>,
        now: Time,
        out: &mut Outbox,
    ) {
        match Message::decode(bytes) {
            Ok(message) => {
                let (kind, mid, token) = (message.kind(), message.mid(), message.token());
                self.message(&Ask { conn, kind, mid, token, size, long_token }, &message, now, out);
            }
            Err(reject) => self.refuse(conn, size, &reject, now, out),
        }
        self.make_room(conn, now, out);
        self.arm(out);
    }

    /// What the codec says that a refused datagram calls for.
    fn refuse(&mut self, conn: Conn, size: usize, reject: &Reject, now: Time, out: &mut Outbox) {
        if reject.is_format_error()
            && self.flaws.has(Flaw::MalformedChangesState)
            && let Some(peer) = self.peers.get(conn)
        {
            peer.spoilt = true;
        }
        if reject.is_format_error() && self.flaws.has(Flaw::MalformedClears) {
            self.unobserve_all();
            self.site.forget();
        }
        let (kind, mid, token) = (reject.kind, reject.mid, reject.token);
        match (reject.duty, reject.option) {
            (Duty::BadOption, Some(number)) => {
                let ask = Ask { conn, kind, mid, token, size, long_token: None };
                let answer = self.bad_option(number);
                self.reply(&ask, answer, now, out);
            }
            (Duty::Reset, _) => self.empty(&Message::rst(mid), conn, out),
            _ => {}
        }
    }

    /// 4.02, which says in words which option it is about \[RFC 7252 §5.4.1-3\].
    fn bad_option(&self, number: OptionNumber) -> Answer {
        match self.flaws.has(Flaw::MuteBadOption) {
            true => Answer::of(Code::BAD_OPTION),
            false => Answer::because(Code::BAD_OPTION, format!("option {}", number.0)),
        }
    }

    fn message(&mut self, ask: &Ask, message: &Message<'_>, now: Time, out: &mut Outbox) {
        match (message.kind(), message.code()) {
            (Kind::Ack | Kind::Rst, _) => self.confirmed(ask.conn, message, now, out),
            (_, code) if code.is_request() => self.request(ask, message, now, out),
            (Kind::Con, code) if code.is_response() && self.flaws.has(Flaw::UnmatchedResponseConfirmed) => {
                self.empty(&Message::ack(ask.mid), ask.conn, out);
            }
            // A ping, or a response to nothing: we ask nobody [RFC 7252 §4.2].
            (Kind::Con, _) if self.flaws.has(Flaw::PingAcknowledged) => {
                self.empty(&Message::ack(ask.mid), ask.conn, out);
            }
            (Kind::Con, _) => self.empty(&Message::rst(ask.mid), ask.conn, out),
            (Kind::Non, _) => {}
        }
    }

    fn request(&mut self, ask: &Ask, message: &Message<'_>, now: Time, out: &mut Outbox) {
        let Some(peer) = self.peers.get(ask.conn) else { return };
        if !self.flaws.has(Flaw::DedupMissing) {
            let before = peer.recent.bytes();
            if self.flaws.has(Flaw::DedupForgetsEarly) {
                peer.recent.forget(now + PARAMS.exchange_lifetime().saturating_sub(HALF_A_SECOND));
            }
            let seen_at = if self.flaws.has(Flaw::DedupNeverForgets) { Time::ZERO } else { now };
            let seen = match peer.recent.see(seen_at, &PARAMS, message) {
                Seen::Again(reply) => Some(reply.to_vec()),
                Seen::New => None,
            };
            self.peers.replies = self.peers.replies + self.peers.kept(ask.conn) - before;
            match seen {
                Some(_) if self.flaws.has(Flaw::DropsCopies) => return,
                Some(reply) => return self.repeat(ask.conn, &reply, out),
                None => {}
            }
        }
        let Some(peer) = self.peers.get(ask.conn) else { return };
        if core::mem::take(&mut peer.spoilt) {
            return self.reply(ask, Answer::of(Code::BAD_REQUEST), now, out);
        }
        let options = message.options();
        let echoed = options.iter().find(|option| option.number == ECHO).map(|option| option.value);
        peer.validated |= peer.challenge.is_some_and(|challenge| echoed == Some(&challenge.to_be_bytes()));
        if ask.kind == Kind::Non && self.flaws.has(Flaw::AcknowledgesNon) {
            self.empty(&Message::ack(ask.mid), ask.conn, out);
        }
        match misunderstood(message.code(), &options).or_else(|| self.refused_elective(&options)) {
            Some(number) if ask.kind == Kind::Con => {
                let answer = self.bad_option(number);
                self.reply(ask, answer, now, out);
            }
            Some(_) => {}
            None => {
                if let Some(answer) = self.answer(ask, message, now, out) {
                    let changed = changes(message, &answer);
                    let answer = self.bent(message, answer);
                    self.reply(ask, answer, now, out);
                    if changed {
                        self.changed(STORE, now, out);
                    }
                }
                let read = message.code() == Code::GET && Resource::find(&options) == Some(Resource::Protected);
                if read && self.flaws.has(Flaw::GrantsUnderAnotherToken) {
                    self.grant_under(Token::LARGEST, ask, now, out);
                }
            }
        }
    }

    /// What is answered at once; `None` where that comes later.
    fn answer(&mut self, ask: &Ask, message: &Message<'_>, now: Time, out: &mut Outbox) -> Option<Answer> {
        let (method, options) = (message.code(), message.options());
        let elsewhere = options.has(OptionNumber::PROXY_URI) || options.has(OptionNumber::PROXY_SCHEME);
        if elsewhere && !self.flaws.has(Flaw::IgnoresProxyUri) {
            return Some(Answer::of(Code::PROXYING_NOT_SUPPORTED));
        }
        if method.method().is_none() {
            return Some(Answer::of(Code::METHOD_NOT_ALLOWED));
        }
        let Some(resource) = Resource::find(&options) else { return Some(Answer::of(Code::NOT_FOUND)) };
        let blocks = self
            .block(&options, OptionNumber::BLOCK1)
            .and_then(|one| self.block(&options, OptionNumber::BLOCK2).map(|two| (one, two)));
        let (block1, block2) = match blocks {
            Ok((one, two)) => (one, two.map(|block| self.bent_block(block))),
            Err(answer) => return Some(answer),
        };
        if method == Code::GET && resource == Resource::Slow {
            return self.postpone(ask, now, out);
        }
        if let Some(answer) = self.observe(ask, resource, method, &options, now) {
            return Some(answer.page(block2));
        }
        let answer = match block1 {
            Some(block) => self.part(ask, resource, method, block, message, now),
            None if message.payload().len() > self.limits.body as usize => self.too_large(None),
            None => self.site.serve(resource, method, &options, message.payload(), self.flaws, now),
        };
        Some(answer.page(block2))
    }

    fn block(&self, options: &Options<'_>, number: OptionNumber) -> Result<Option<Block>, Answer> {
        let Some(value) = options.get(number).map(uint_value) else { return Ok(None) };
        let reserved = value & 0b111 == 0b111;
        let value = if reserved && self.flaws.has(Flaw::Szx7ReadAs6) { value - 1 } else { value };
        Block::from_uint(value).map(Some).map_err(Answer::refused)
    }

    /// One block of a body: 2.31 until it is whole.
    fn part(
        &mut self,
        ask: &Ask,
        resource: Resource,
        method: Code,
        block: Block,
        message: &Message<'_>,
        now: Time,
    ) -> Answer {
        let options = message.options();
        if !matches!((resource, method), (Resource::Store | Resource::Actuator, Code::PUT)) {
            // Whoever may not do it at all need not send the rest.
            return self.site.serve(resource, method, &options, message.payload(), self.flaws, now);
        }
        let announced = options.uint(OptionNumber::SIZE1);
        let part = Part { block, payload: message.payload(), sort: Sort::of_request(&options), announced };
        let answer = match self.uploads.push(ask.conn, resource, part, now, &self.limits, self.flaws) {
            Ok(None) => Answer::of(Code::CONTINUE),
            Ok(Some(mut body)) if self.flaws.has(Flaw::UploadLosesEnd) => {
                body.truncate(body.len() - message.payload().len());
                self.site.serve(resource, method, &options, &body, self.flaws, now)
            }
            Ok(Some(body)) => self.site.serve(resource, method, &options, &body, self.flaws, now),
            Err(refusal) if refusal.code == Code::REQUEST_ENTITY_TOO_LARGE => return self.too_large(Some(block)),
            Err(refusal) => Answer::refused(refusal),
        };
        Answer { block1: Some(block), ..answer }
    }

    /// Says how much would not be too much \[RFC 7959 §2.9.3\].
    fn too_large(&self, block1: Option<Block>) -> Answer {
        Answer { size1: Some(self.limits.body), block1, ..Answer::of(Code::REQUEST_ENTITY_TOO_LARGE) }
    }

    /// Observe 0 and 1 \[RFC 7641 §4.1\]; `None` where the request is a plain one. Only a validated address observes: what it asks
    /// for would go on without it.
    fn observe(
        &mut self,
        ask: &Ask,
        resource: Resource,
        method: Code,
        options: &Options<'_>,
        now: Time,
    ) -> Option<Answer> {
        let observed = match (resource, method) {
            (Resource::Time, Code::GET) => TIME,
            (Resource::Store, Code::GET) => STORE,
            _ => return None,
        };
        match options.uint(OptionNumber::OBSERVE)? {
            DEREGISTER => {
                if !self.flaws.has(Flaw::DeregisterIgnored) {
                    self.unobserve(ask.conn, ask.token);
                }
                None
            }
            REGISTER if !self.trusts(ask.conn) => Some(self.challenge(ask.conn)),
            REGISTER => {
                let answer = self.site.serve(resource, method, options, &[], self.flaws, now);
                let registered = answer.code.is_success() && self.register(ask, observed, now);
                let observe = registered.then(|| self.sequence.current());
                Some(Answer { observe, ..answer })
            }
            _ => None,
        }
    }
}

/// Whether a request has changed what is stored.
fn changes(message: &Message<'_>, answer: &Answer) -> bool {
    let stored = Resource::find(&message.options()) == Some(Resource::Store);
    let wrote = matches!(message.code(), Code::PUT | Code::DELETE);
    stored && wrote && answer.code.is_success() && answer.code != Code::CONTINUE
}

/// The first critical option that is not processed for this method \[RFC 7252 §5.4\].
fn misunderstood(method: Code, options: &Options<'_>) -> Option<OptionNumber> {
    let has_body = !matches!(method, Code::GET | Code::DELETE);
    let odd = options.iter().map(|option| option.number).filter(|number| number.is_critical());
    odd.into_iter().find(|number| !(UNDERSTOOD.contains(number) || has_body && *number == OptionNumber::BLOCK1))
}
