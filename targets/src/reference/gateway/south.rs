//! The side that speaks CoAP.
use alloc::string::String;

use proofhouse_coap::codec::{Code, Duty, Kind, Message, OptionNumber, Options, Token};
use proofhouse_coap::exchange::Seen;
use proofhouse_coap::link_format;
use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;

use super::super::coap_server::PARAMS;
use super::super::coap_server::answer::{Answer, LINKS};
use super::{Gateway, topic};

/// Critical options that are processed. All others are not understood.
const UNDERSTOOD: [OptionNumber; 6] = [
    OptionNumber::URI_HOST,
    OptionNumber::URI_PORT,
    OptionNumber::URI_PATH,
    OptionNumber::URI_QUERY,
    OptionNumber::PROXY_URI,
    OptionNumber::PROXY_SCHEME,
];

/// Where a reply goes.
#[derive(Clone, Copy)]
struct Ask {
    conn: Conn,
    kind: Kind,
    mid: u16,
    token: Token,
}

impl Gateway {
    /// A peer that was never heard; one that is long silent is forgotten for it.
    pub(super) fn met(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        self.peers.heard(conn, now, &self.limits);
        self.make_room(conn, now, out);
    }

    fn make_room(&mut self, newest: Conn, now: Time, out: &mut Outbox) {
        if let Some(stale) = self.peers.stale(now, &self.limits).filter(|stale| *stale != newest) {
            self.peers.remove(stale);
            out.close(stale, CloseHow::Fin);
        }
    }

    pub(super) fn datagram(&mut self, conn: Conn, datagram: &[u8], now: Time, out: &mut Outbox) {
        self.peers.heard(conn, now, &self.limits);
        match Message::decode(datagram) {
            Ok(message) => {
                let ask = Ask { conn, kind: message.kind(), mid: message.mid(), token: message.token() };
                match (message.kind(), message.code()) {
                    (Kind::Ack | Kind::Rst, _) => {}
                    (_, code) if code.is_request() => self.request(ask, &message, now, out),
                    (Kind::Con, _) => reset(ask, out),
                    (Kind::Non, _) => {}
                }
            }
            Err(reject) => {
                let ask = Ask { conn, kind: reject.kind, mid: reject.mid, token: reject.token };
                match reject.duty {
                    Duty::BadOption => self.reply(ask, &Answer::of(Code::BAD_OPTION), now, out),
                    Duty::Reset => reset(ask, out),
                    Duty::Ignore | Duty::ResetOrIgnore => {}
                }
            }
        }
        self.make_room(conn, now, out);
    }

    fn request(&mut self, ask: Ask, message: &Message<'_>, now: Time, out: &mut Outbox) {
        let Some(peer) = self.peers.get(ask.conn) else { return };
        let before = peer.recent.bytes();
        let again = match peer.recent.see(now, &PARAMS, message) {
            Seen::Again(reply) => Some(reply.to_vec()),
            Seen::New => None,
        };
        self.peers.replies = self.peers.replies + self.peers.kept(ask.conn) - before;
        if let Some(reply) = again {
            return out.send(ask.conn, |to| to.extend_from_slice(&reply));
        }
        let options = message.options();
        let odd = options.iter().any(|option| option.number.is_critical() && !UNDERSTOOD.contains(&option.number));
        match (odd, ask.kind) {
            (true, Kind::Con) => self.reply(ask, &Answer::of(Code::BAD_OPTION), now, out),
            (true, _) => {}
            (false, _) => {
                let answer = self.answer(message, &options, now, out);
                self.reply(ask, &answer, now, out);
            }
        }
    }

    /// No answer is longer than three times its request, so that nobody need be asked whether an address is its own.
    fn answer(&mut self, message: &Message<'_>, options: &Options<'_>, now: Time, out: &mut Outbox) -> Answer {
        if options.has(OptionNumber::PROXY_URI) || options.has(OptionNumber::PROXY_SCHEME) {
            return Answer::of(Code::PROXYING_NOT_SUPPORTED);
        }
        let method = message.code();
        if method == Code::GET && options.path_is(link_format::WELL_KNOWN) {
            let mut links = String::new();
            link_format::write(&mut links, "/site", &[]);
            return Answer { format: Some(LINKS), ..Answer::text(links) };
        }
        if method.method().is_none() {
            return Answer::of(Code::METHOD_NOT_ALLOWED);
        }
        let topic = match topic::of(options.path(), self.flaws) {
            Ok(topic) => topic,
            Err(code) => return Answer::of(code),
        };
        if !matches!(method, Code::PUT | Code::POST) {
            return Answer::of(Code::METHOD_NOT_ALLOWED);
        }
        if message.payload().len() > PAYLOAD_MAX {
            return Answer { size1: Some(PAYLOAD_MAX as u32), ..Answer::of(Code::REQUEST_ENTITY_TOO_LARGE) };
        }
        let taken = self.north.publish(topic, message.payload(), now, out);
        Answer::of(if taken { Code::CHANGED } else { Code::SERVICE_UNAVAILABLE })
    }

    fn reply(&mut self, ask: Ask, answer: &Answer, now: Time, out: &mut Outbox) {
        let rng = &mut self.rng;
        let (kind, mid) = match ask.kind {
            Kind::Con => (Kind::Ack, Some(ask.mid)),
            _ => (Kind::Non, self.peers.get(ask.conn).and_then(|peer| peer.own(|| rng.next()).ids.next(now, &PARAMS))),
        };
        let Some(mid) = mid else { return };
        self.wire.clear();
        let written = answer.write(&mut self.wire, kind, mid, ask.token);
        debug_assert!(written.is_ok(), "we tried to send {answer:?}: {written:?}");
        if ask.kind == Kind::Con {
            self.peers.keep(ask.conn, ask.mid, &self.wire);
        }
        let wire = &self.wire;
        out.send(ask.conn, |to| to.extend_from_slice(wire));
    }
}

/// A reading is one datagram \[RFC 7252 §4.6\].
const PAYLOAD_MAX: usize = 1024;

fn reset(ask: Ask, out: &mut Outbox) {
    out.send(ask.conn, |to| Message::rst(ask.mid).encode(to));
}
