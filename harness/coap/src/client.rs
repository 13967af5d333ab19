//! A client on one association: asks, repeats until it is heard, acknowledges, and knows what it has heard before.
//!
//! It writes at most one datagram per call; what more is due comes from [`Client::tick`], which is called until it writes nothing.
//! Where it is told to, it proves its address by an Echo challenge and carries bodies in blocks, so that one request and one response
//! stand for all of it. Scripts and behaviours use the same client; only a fleet of telemetry has its own, smaller one.
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::seed::Rng;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::Packet as Told;
use proofhouse_core::value::{Fields, Value, hex};

use crate::block::{Block, BlockSize, Upload, UploadStep};
use crate::codec::{Code, Duty, Kind, Message, OptionNumber, Token};
use crate::describe;
use crate::exchange::{Outgoing, Params, Recent, Seen, Tick};
use crate::frames::{self, Built};
use crate::names;

const PARAMS: Params = Params::DEFAULT;
/// Letters of a drawn token: 40 bits, more than the 32 that are asked for \[RFC 7252 §5.3.1\]; some servers take tokens for text.
const TOKEN_LEN: usize = 8;
/// Messages of the peer that are remembered, and bytes of what they were answered with: a flood of ids does not grow us.
const HEARD_MAX: (u32, u32) = (256, 4 * 256);
/// The largest body that is put together out of blocks.
const BODY_MAX: usize = 1 << 20;
const ECHO: OptionNumber = OptionNumber(252);
/// Requests of chosen message ids that are remembered, so that copies of them can be told from new ones.
const CHOSEN_MAX: usize = 16;
/// Bytes of an Empty message.
const EMPTY_LEN: usize = 4;

/// What a client does by itself beside repeating and acknowledging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Answers an Echo challenge by asking again with what it was given \[RFC 9175\].
    pub echo: bool,
    /// Sends and fetches large bodies in blocks \[RFC 7959\].
    pub blocks: bool,
    /// Bytes of a block where it may choose; the peer may choose less.
    pub block_size: Option<usize>,
    /// How it takes CONs that answer it.
    pub confirm: Confirm,
}

/// How a client confirms what is said to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// At once.
    #[default]
    AtOnce,
    /// After [`LATE`]: until then nothing shows that it came.
    Late,
    /// At once, and so whatever comes for the same token when everything has been answered.
    Always,
    /// The first answer at once; news of what is observed is reset, CON or NON \[RFC 7641 §3.6\].
    Reset,
}

/// How late a late confirmation is: no second message may come before it, and a copy may not come yet \[RFC 7252 §4.2\].
pub const LATE: Duration = Duration::from_millis(850);

/// A client.
pub struct Client {
    /// Nothing is repeated, acknowledged or reset: who forges an address never hears.
    pub mute: bool,
    /// It gives no message id below this by itself: those are for whoever chooses his own.
    pub floor: u16,
    rng: Rng,
    mid: u16,
    params: Params,
    /// When a request, or a copy of one, was said last.
    spoke: Time,
    exchanges: Vec<Exchange>,
    heard: Recent,
    due: VecDeque<Vec<u8>>,
    /// Confirmations that are late on purpose, each with its moment.
    late: VecDeque<(Time, u16)>,
    last_con: Option<u16>,
    chosen: VecDeque<Chosen>,
}

/// A request whose message id was chosen: asked once more, it is a copy of what was said.
struct Chosen {
    asked: Fields,
    /// With the Echo by which the server took it, where it was challenged, and under the message id of that.
    said: Fields,
}

/// A request until its last response, or a ping until its RST.
struct Exchange {
    /// `None`: a ping.
    token: Option<Token>,
    out: Outgoing,
    /// The frame as it was said last.
    request: Fields,
    manners: Manners,
    /// A challenge has been answered.
    echoed: bool,
    /// It is an observation, and was confirmed.
    observing: bool,
    /// Blocks of the response so far.
    body: Vec<u8>,
    etag: Option<Vec<u8>>,
    rising: Option<Rising>,
}

/// A body on its way to the server.
struct Rising {
    body: Vec<u8>,
    upload: Upload,
}

/// What becomes of a response.
enum Course {
    /// It is the answer.
    Answer,
    /// It is part of one: the next request is due.
    Continue,
}

impl Client {
    /// A client whose tokens and pauses come from `rng` and whose message ids count up from `mid`.
    #[must_use]
    pub fn new(rng: Rng, mid: u16) -> Client {
        Client {
            mute: false,
            floor: 0,
            rng,
            mid,
            params: PARAMS,
            spoke: Time::ZERO,
            exchanges: Vec::new(),
            heard: Recent::new(HEARD_MAX.0, HEARD_MAX.1),
            due: VecDeque::new(),
            late: VecDeque::new(),
            last_con: None,
            chosen: VecDeque::new(),
        }
    }

    /// How long it waits before it repeats a request that it says from now on, at least; the standard's 2 s where nobody sets it.
    pub fn repeat_after(&mut self, ack_timeout: Duration) {
        self.params = Params { ack_timeout, ..PARAMS };
    }

    /// When a request, or a copy of one, was said last.
    #[must_use]
    pub fn spoke(&self) -> Time {
        self.spoke
    }

    /// The message id of the last CON of the peer.
    #[must_use]
    pub fn last_con(&self) -> Option<u16> {
        self.last_con
    }

    /// Every request that waits for an answer is given up: what still comes for it is unexpected.
    pub fn forget(&mut self) {
        self.exchanges.clear();
        self.due.clear();
    }

    /// A message id that was not used lately.
    pub fn fresh_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1).max(self.floor);
        self.mid
    }

    /// Says a request: message id and token are given where the frame has none. Yields the frame as it was said. What was asked
    /// before under the same message id and token is repeated as the server took it, and proves nothing anew: a retransmission is no
    /// other request.
    ///
    /// # Errors
    /// A field that cannot be written.
    pub fn ask(&mut self, now: Time, mut frame: Fields, manners: Manners, out: &mut Vec<u8>) -> Built<Fields> {
        if frame.find("token").is_none() {
            let token = Token::letters(self.rng.next(), TOKEN_LEN);
            frame.set("token", names::token(token));
        }
        let echoed = self.is_copy(&mut frame);
        let rising = if manners.blocks { cut(&mut frame, manners)? } else { None };
        self.give_mid(&mut frame);
        let mut exchange = Exchange { manners, rising, echoed, ..Exchange::new(token_of(&frame), frame) };
        self.say(now, &mut exchange, out)?;
        let frame = exchange.request.clone();
        if !self.mute {
            self.exchanges.retain(|other| other.token != exchange.token);
            self.exchanges.push(exchange);
        }
        Ok(frame)
    }

    /// Whether a request of a chosen message id was asked before; then it becomes what was said for it.
    fn is_copy(&mut self, frame: &mut Fields) -> bool {
        if frame.find("mid").is_none() {
            return false;
        }
        if let Some(chosen) = self.chosen.iter().find(|chosen| chosen.asked == *frame) {
            *frame = chosen.said.clone();
            return true;
        }
        if self.chosen.len() == CHOSEN_MAX {
            self.chosen.pop_front();
        }
        self.chosen.push_back(Chosen { asked: frame.clone(), said: frame.clone() });
        false
    }

    /// Says an Empty CON; yields its message id.
    ///
    /// # Errors
    /// Never where `frame` has no more than a message id.
    pub fn ping(&mut self, now: Time, mut frame: Fields, out: &mut Vec<u8>) -> Built<u16> {
        self.give_mid(&mut frame);
        let mut exchange = Exchange::new(None, frame);
        self.say(now, &mut exchange, out)?;
        let mid = exchange.mid();
        if !self.mute {
            self.exchanges.push(exchange);
        }
        Ok(mid)
    }

    /// A message id, where the frame has none.
    fn give_mid(&mut self, frame: &mut Fields) {
        if frame.find("mid").is_none() {
            frame.set("mid", u32::from(self.fresh_mid()));
        }
    }

    fn say(&mut self, now: Time, exchange: &mut Exchange, out: &mut Vec<u8>) -> Built<()> {
        let Exchange { out: outgoing, request, .. } = exchange;
        outgoing.send(now, &self.params, self.rng.next(), |datagram| frames::build(request, datagram))?;
        out.extend_from_slice(outgoing.wire());
        self.spoke = now;
        Ok(())
    }

    /// A datagram that is due after those before it.
    pub fn queue(&mut self, datagram: Vec<u8>) {
        self.due.push_back(datagram);
    }

    /// A token that was said by other means, so that its response is known.
    pub fn expect_token(&mut self, frame: &Fields) {
        let Some(token) = token_of(frame) else { return };
        self.exchanges.retain(|exchange| exchange.token != Some(token));
        self.exchanges.push(Exchange::new(Some(token), frame.clone()));
    }

    /// Takes a datagram of the peer: what it tells goes to `packets`, what has to be answered at once to `reply`. A message that was
    /// heard before is answered as before and told no second time.
    pub fn hear(&mut self, now: Time, datagram: &[u8], packets: &mut Vec<Told>, reply: &mut Vec<u8>) {
        let told = describe::tell(datagram);
        let message = match Message::decode(datagram) {
            Ok(message) => message,
            Err(reject) => {
                if reject.duty == Duty::Reset && !self.mute {
                    Message::rst(reject.mid).encode(reply);
                }
                packets.push(told);
                return;
            }
        };
        if message.kind() == Kind::Con {
            self.last_con = Some(message.mid());
        }
        if !self.mute
            && let Seen::Again(before) = self.heard.see(now, &PARAMS, &message)
        {
            reply.extend_from_slice(before);
            return;
        }
        let mut answer = Vec::new();
        self.take(now, &message, told, packets, &mut answer);
        reply.extend_from_slice(&answer);
        // Who repeats a separate response wants its acknowledgement, not our next request.
        if matches!(message.kind(), Kind::Con | Kind::Non) && answer.len() == EMPTY_LEN {
            self.heard.keep(message.mid(), &answer);
        }
    }

    /// Writes one datagram that is due, and yields the next moment at which one will be.
    pub fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Time> {
        if let Some((_, mid)) = self.late.pop_front_if(|(at, _)| *at <= now) {
            let mut ack = Vec::new();
            Message::ack(mid).encode(&mut ack);
            self.heard.keep(mid, &ack);
            self.due.push_back(ack);
        }
        match self.due.pop_front() {
            Some(datagram) => out.extend_from_slice(&datagram),
            None => self.say_again(now, out),
        }
        let again = self.exchanges.iter().map(|exchange| exchange.out.due()).filter(|due| *due < Time::NEVER);
        let next = again.chain(self.late.front().map(|(at, _)| *at)).min();
        if self.due.is_empty() { next } else { Some(now) }
    }

    /// Repeats the first request whose pause is over; those that were repeated often enough are given up.
    fn say_again(&mut self, now: Time, out: &mut Vec<u8>) {
        let (mut said, params) = (false, self.params);
        self.exchanges.retain_mut(|exchange| {
            let tick = if said { Tick::Wait } else { exchange.out.tick(now, &params) };
            if tick == Tick::Resend {
                out.extend_from_slice(exchange.out.wire());
                said = true;
            }
            tick != Tick::GaveUp
        });
        if said {
            self.spoke = now;
        }
    }

    fn take(&mut self, now: Time, message: &Message<'_>, told: Told, packets: &mut Vec<Told>, reply: &mut Vec<u8>) {
        let (kind, code, mid) = (message.kind(), message.code(), message.mid());
        if code.is_response() {
            return self.respond(now, message, told, packets, reply);
        }
        let named = self.exchanges.iter().position(|exchange| exchange.mid() == mid);
        match (kind, named) {
            (Kind::Ack, Some(at)) => self.exchanges[at].out.stop(),
            (Kind::Rst, Some(at)) => drop(self.exchanges.remove(at)),
            // A ping, and a request to a client that serves nothing [RFC 7252 §4.2].
            (Kind::Con, _) if !self.mute => Message::rst(mid).encode(reply),
            _ => {}
        }
        packets.push(told);
    }

    fn respond(
        &mut self,
        now: Time,
        message: &Message<'_>,
        mut told: Told,
        packets: &mut Vec<Told>,
        reply: &mut Vec<u8>,
    ) {
        let (kind, mid, token) = (message.kind(), message.mid(), message.token());
        let known = self.exchanges.iter().position(|exchange| exchange.token == Some(token));
        let Some(at) = known else {
            // Whoever does not know what is answered says so [RFC 7252 §4.2, RFC 7641 §3.6].
            if kind != Kind::Ack && !self.mute {
                Message::rst(mid).encode(reply);
            }
            packets.push(told);
            return;
        };
        if kind == Kind::Ack && self.exchanges[at].mid() != mid {
            return; // the acknowledgement of another message answers nothing [RFC 7252 §5.3.2]
        }
        self.confirm(now, at, message, reply);
        let mut exchange = self.exchanges.swap_remove(at);
        exchange.out.stop();
        match exchange.take(message, &mut told) {
            Course::Continue => self.go_on(now, exchange, reply),
            Course::Answer => {
                if exchange.observing || exchange.manners.confirm == Confirm::Always {
                    self.exchanges.push(exchange);
                }
                packets.push(told);
            }
        }
    }

    /// Acknowledges or resets what answers an exchange, in its manner.
    fn confirm(&mut self, now: Time, at: usize, message: &Message<'_>, reply: &mut Vec<u8>) {
        let (exchange, mid) = (&self.exchanges[at], message.mid());
        match (exchange.manners.confirm, message.kind()) {
            _ if self.mute => {}
            (Confirm::Reset, Kind::Con | Kind::Non) if exchange.observing => Message::rst(mid).encode(reply),
            (Confirm::Late, Kind::Con) => {
                self.late.push_back((now + LATE, mid));
            }
            (_, Kind::Con) => Message::ack(mid).encode(reply),
            _ => {}
        }
    }

    /// Says the next request of an exchange: at once where nothing else has to be said, else with the next tick.
    fn go_on(&mut self, now: Time, mut exchange: Exchange, reply: &mut Vec<u8>) {
        let before = exchange.mid();
        exchange.request.set("mid", u32::from(self.fresh_mid()));
        let mut datagram = Vec::new();
        if self.say(now, &mut exchange, &mut datagram).is_err() {
            return; // what was said once can be said again
        }
        if exchange.echoed {
            self.proven(before, &exchange.request);
        }
        if reply.is_empty() {
            reply.extend_from_slice(&datagram);
        } else {
            self.due.push_back(datagram);
        }
        self.exchanges.push(exchange);
    }
}

impl Client {
    /// The request of this message id was challenged, and is said with the Echo that it was given.
    fn proven(&mut self, mid: u16, request: &Fields) {
        let of = |said: &Fields| said.int("mid") == Some(i64::from(mid)) && said.find("token") == request.find("token");
        let challenged = |chosen: &&mut Chosen| of(&chosen.said) && chosen.said.find("echo").is_none();
        if let Some(chosen) = self.chosen.iter_mut().find(challenged) {
            chosen.said = request.clone();
        }
    }
}

impl Exchange {
    fn new(token: Option<Token>, request: Fields) -> Exchange {
        Exchange {
            token,
            out: Outgoing::new(),
            request,
            manners: Manners::default(),
            echoed: false,
            observing: false,
            body: Vec::new(),
            etag: None,
            rising: None,
        }
    }

    fn mid(&self) -> u16 {
        self.request.int("mid").unwrap_or(0) as u16
    }

    /// Looks at a response: part of the answer, or the answer, which is then told whole.
    fn take(&mut self, message: &Message<'_>, told: &mut Told) -> Course {
        let (code, options) = (message.code(), message.options());
        if let (true, false, Code::UNAUTHORIZED, Some(echo)) = (self.manners.echo, self.echoed, code, options.get(ECHO))
        {
            self.echoed = true;
            self.request.set("echo", hex(echo));
            return Course::Continue;
        }
        let observe = options.has(OptionNumber::OBSERVE);
        self.observing = observe && (self.observing || self.request.int("observe") == Some(0));
        if !self.manners.blocks || observe {
            return Course::Answer;
        }
        if self.goes_up(message) {
            return Course::Continue;
        }
        match Block::of(&options, OptionNumber::BLOCK2) {
            Ok(Some(block)) if code.is_success() => self.fetch(block, message, told),
            Err(refusal) if code.is_success() => {
                told.malformed = format!("{} [{}]", refusal.rule.what, refusal.rule.clause);
                Course::Answer
            }
            _ => Course::Answer,
        }
    }

    /// The next block of a body that the server has asked to continue.
    fn goes_up(&mut self, message: &Message<'_>) -> bool {
        let Some(rising) = &mut self.rising else { return false };
        let asked = Block::of(&message.options(), OptionNumber::BLOCK1).ok().flatten();
        rising.upload.hear(&rising.body, message.code(), asked) == UploadStep::Next && rising.write(&mut self.request)
    }

    fn fetch(&mut self, block: Block, message: &Message<'_>, told: &mut Told) -> Course {
        let etag = message.options().get(OptionNumber::ETAG).map(<[u8]>::to_vec);
        let offset = block.offset() as usize;
        let wrong = if offset != self.body.len() || offset > BODY_MAX {
            "a block that was not asked for [RFC 7959 §2.4]"
        } else if offset > 0 && etag != self.etag {
            "another version of the body in the middle of it [RFC 7959 §2.4]"
        } else if block.more() && message.payload().len() != block.size().bytes() {
            "a block that is not full, and more to come [RFC 7959 §2.3]"
        } else {
            ""
        };
        if !wrong.is_empty() {
            told.malformed = wrong.to_string();
            return Course::Answer;
        }
        self.etag = etag;
        self.body.extend_from_slice(message.payload());
        let next = block.next().filter(|_| block.more()).and_then(|next| Block::new(next.num(), false, next.size()));
        let Some(next) = next else {
            told.fields.set("payload", Value::from_payload(&self.body));
            return Course::Answer;
        };
        for key in ["block1", "payload", "size1"] {
            self.request.remove(key);
        }
        self.request.set("block2", next.to_string());
        Course::Continue
    }
}

impl Rising {
    /// Puts the current block into a request; whether there is one.
    fn write(&self, request: &mut Fields) -> bool {
        let Some((block, part)) = self.upload.part(&self.body) else { return false };
        request.set("block1", block.to_string());
        request.set("payload", Value::Bytes(part.to_vec()));
        true
    }
}

/// Cuts a request whose body is larger than a block, and asks for blocks where a size is wished.
fn cut(frame: &mut Fields, manners: Manners) -> Built<Option<Rising>> {
    let wished = manners.block_size.and_then(BlockSize::of);
    if let (Some(size), None) = (wished, frame.find("block2")) {
        frame.set("block2", Block::first(size).to_string());
    }
    let Some(payload) = frame.find("payload") else { return Ok(None) };
    let body = frames::text("payload", payload)?;
    let size = wished.unwrap_or(BlockSize::MAX);
    if body.len() <= size.bytes() || frame.find("block1").is_some() {
        return Ok(None);
    }
    frame.set("size1", body.len() as i64);
    let rising = Rising { body, upload: Upload::new(size) };
    if !rising.write(frame) {
        return frames::mistake("payload", format!("more than 2^20 blocks of {} bytes", size.bytes()));
    }
    Ok(Some(rising))
}

fn token_of(frame: &Fields) -> Option<Token> {
    let bytes = frame.find("token").map_or(Ok(Vec::new()), |value| frames::opaque("token", value)).ok()?;
    Token::new(&bytes)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
