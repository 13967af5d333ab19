//! A server, its clock, and peers that say single datagrams.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::block::Block;
use proofhouse_coap::codec::{Code, Frame, Kind, Message, OptionNumber, Token, Writer};
use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::connection::Addr;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;

use crate::flaw::Flaws;
use crate::reference::coap_server::{CoapServer, Limits};

/// Two peers that are no relation.
pub const A: Conn = Conn(0);
pub const B: Conn = Conn(1);

pub struct World {
    pub server: CoapServer,
    pub now: Time,
    out: Outbox,
    met: BTreeSet<Conn>,
    wakes: BTreeSet<(Time, TimerId)>,
    mid: u16,
    /// Datagrams that came, and other effects, since they were asked for.
    pub heard: Vec<(Conn, Vec<u8>)>,
    /// Everything, for people and for comparing.
    pub log: Vec<String>,
}

/// A request to be written.
#[derive(Clone, Default)]
pub struct Req {
    pub kind: Option<Kind>,
    pub code: Option<Code>,
    pub mid: Option<u16>,
    pub token: Vec<u8>,
    pub path: &'static str,
    pub options: Vec<(u16, Vec<u8>)>,
    pub payload: Vec<u8>,
}

pub fn get(path: &'static str) -> Req {
    Req { path, token: b"tk".to_vec(), ..Req::default() }
}

pub fn put(path: &'static str, payload: &[u8]) -> Req {
    Req { code: Some(Code::PUT), payload: payload.to_vec(), ..get(path) }
}

pub fn post(path: &'static str) -> Req {
    Req { code: Some(Code::POST), ..get(path) }
}

impl Req {
    pub fn non(self) -> Req {
        Req { kind: Some(Kind::Non), ..self }
    }
    pub fn mid(self, mid: u16) -> Req {
        Req { mid: Some(mid), ..self }
    }
    pub fn token(self, token: &[u8]) -> Req {
        Req { token: token.to_vec(), ..self }
    }
    pub fn option(mut self, number: OptionNumber, value: &[u8]) -> Req {
        self.options.push((number.0, value.to_vec()));
        self
    }
    pub fn observe(self, value: u8) -> Req {
        let value: &[u8] = if value == 0 { &[] } else { &[value] };
        self.option(OptionNumber::OBSERVE, value)
    }
    pub fn block1(self, text: &str) -> Req {
        let value = text.parse::<Block>().unwrap().to_uint().to_be_bytes();
        self.option(OptionNumber::BLOCK1, &value[1..])
    }
    pub fn block2(self, text: &str) -> Req {
        let value = text.parse::<Block>().unwrap().to_uint().to_be_bytes();
        self.option(OptionNumber::BLOCK2, &value[1..])
    }
    fn bytes(&self, mid: u16) -> Vec<u8> {
        let mut frame = Frame::new(
            self.kind.unwrap_or(Kind::Con),
            self.code.unwrap_or(Code::GET),
            self.mid.unwrap_or(mid),
            &self.token,
        );
        let path = self.path.strip_prefix('/').unwrap_or(self.path);
        let segments =
            path.split('/').filter(|_| !path.is_empty()).map(|s| (OptionNumber::URI_PATH.0, s.as_bytes().to_vec()));
        let mut options: Vec<(u16, Vec<u8>)> = segments.chain(self.options.iter().cloned()).collect();
        options.sort_by_key(|(number, _)| *number);
        frame.options =
            options.iter().map(|(number, value)| proofhouse_coap::codec::RawOption::new(*number, value)).collect();
        frame.payload.clone_from(&self.payload);
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        bytes
    }
}

impl World {
    pub fn new(flaws: Flaws) -> World {
        World::with(Limits::default(), flaws)
    }

    pub fn with(limits: Limits, flaws: Flaws) -> World {
        World {
            server: CoapServer::new(limits, flaws, Seed(7)),
            now: Time::ZERO,
            out: Outbox::new(),
            met: BTreeSet::new(),
            wakes: BTreeSet::new(),
            mid: 100,
            heard: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Says a datagram; yields what came back at once, one line each.
    pub fn say(&mut self, conn: Conn, bytes: &[u8]) -> Vec<String> {
        let before = self.log.len();
        if self.met.insert(conn) {
            self.server.handle(
                self.now,
                Input::Accepted(conn, Addr::new([127, 0, 0, 1], 5000 + conn.0 as u16)),
                &mut self.out,
            );
            self.perform();
        }
        self.server.handle(self.now, Input::Bytes(conn, bytes), &mut self.out);
        self.perform();
        self.log[before..].to_vec()
    }

    pub fn hex(&mut self, conn: Conn, hex: &str) -> Vec<String> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes: Vec<u8> =
            digits.chunks(2).map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap()).collect();
        self.say(conn, &bytes)
    }

    /// Says a request; the one line that came back, or nothing.
    pub fn ask(&mut self, conn: Conn, request: &Req) -> String {
        self.mid += 1;
        let bytes = request.bytes(self.mid);
        self.say(conn, &bytes).join(" + ")
    }

    /// Shows that the address of a peer is its own.
    pub fn validate(&mut self, conn: Conn) {
        let challenged = self.ask(conn, &get("/large"));
        assert!(challenged.contains("4.01"), "{challenged}");
        let echo = self.last_option(252).expect("an Echo option");
        let line = self.ask(conn, &get("/large").option(OptionNumber(252), &echo));
        assert!(line.contains("2.05"), "{line}");
    }

    /// An option of the last datagram that came.
    pub fn last_option(&self, number: u16) -> Option<Vec<u8>> {
        let (_, bytes) = self.heard.last()?;
        let message = Message::decode(bytes).ok()?;
        message.options().iter().find(|option| option.number.0 == number).map(|option| option.value.to_vec())
    }

    pub fn last_payload(&self) -> Vec<u8> {
        self.heard
            .last()
            .and_then(|(_, bytes)| Message::decode(bytes).ok().map(|m| m.payload().to_vec()))
            .unwrap_or_default()
    }

    pub fn last_mid(&self) -> u16 {
        self.heard.last().and_then(|(_, bytes)| Message::decode(bytes).ok().map(|m| m.mid())).unwrap_or_default()
    }

    pub fn reset(&mut self, conn: Conn, mid: u16) -> Vec<String> {
        let mut bytes = Vec::new();
        Message::rst(mid).encode(&mut bytes);
        self.say(conn, &bytes)
    }

    pub fn ack(&mut self, conn: Conn, mid: u16) -> Vec<String> {
        let mut bytes = Vec::new();
        Message::ack(mid).encode(&mut bytes);
        self.say(conn, &bytes)
    }

    /// Lets time pass; yields what came meanwhile.
    pub fn pass(&mut self, time: Duration) -> Vec<String> {
        let (before, end) = (self.log.len(), self.now + time);
        while let Some((at, id)) = self.wakes.first().copied().filter(|(at, _)| *at <= end) {
            self.wakes.pop_first();
            self.now = at.max(self.now);
            self.server.handle(self.now, Input::Timer(id), &mut self.out);
            self.perform();
        }
        self.now = end;
        self.log[before..].to_vec()
    }

    fn perform(&mut self) {
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Send(conn, start, end) => {
                    let datagram = &bytes[*start..*end];
                    self.heard.push((*conn, datagram.to_vec()));
                    self.log.push(show(*conn, datagram));
                }
                Act::Wake(at, id) => drop(self.wakes.insert((*at, *id))),
                Act::Close(conn, _) => {
                    self.met.remove(conn);
                    self.log.push(format!("{} forgotten", conn.0));
                }
                Act::Note(Note::Exit(code)) => self.log.push(format!("exit {code}")),
                Act::Note(_) => {}
                other => panic!("a server does not {other:?}"),
            }
        }
        self.out.restore(acts, bytes);
    }
}

/// `ack 2.05 2 obs b2=0/1/1024 "text"`: what a client sees, without ids.
fn show(conn: Conn, bytes: &[u8]) -> String {
    let message = match Message::decode(bytes) {
        Ok(message) => message,
        Err(why) => return format!("{} {why}: {bytes:02x?}", conn.0),
    };
    let options = message.options();
    let mut line = format!("{} {} {}", conn.0, message.kind().name(), message.code());
    if options.has(OptionNumber::OBSERVE) {
        line += " observe";
    }
    for (name, number) in [("b1", OptionNumber::BLOCK1), ("b2", OptionNumber::BLOCK2)] {
        if let Ok(Some(block)) = Block::of(&options, number) {
            line += &format!(" {name}={block}");
        }
    }
    if let Some(size) = options.uint(OptionNumber::SIZE1) {
        line += &format!(" size1={size}");
    }
    if options.iter().any(|option| option.number.0 == 252) {
        line += " echo";
    }
    match core::str::from_utf8(message.payload()) {
        Ok("") => {}
        Ok(text) if text.len() <= 80 => line += &format!(" {text:?}"),
        _ => line += &format!(" [{}]", message.payload().len()),
    }
    line
}

/// The bytes of a request, for those that are bent by hand.
pub fn wire(request: &Req, mid: u16) -> Vec<u8> {
    request.bytes(mid)
}

#[test]
fn a_request_is_written_as_the_codec_writes_it() {
    let mut bytes = Vec::new();
    let token = Token::new(b"tk").unwrap();
    Writer::new(&mut bytes, Kind::Con, Code::GET, 7, token).path("/time").end().unwrap();
    assert_eq!(wire(&get("/time"), 7), bytes);
    assert_eq!(show(A, &bytes), "0 con 0.01".to_string());
}
