//! Devices that send readings: the load of the simulator, small enough for a hundred thousand in one array.
//!
//! A device has at most one request in flight and keeps no copy of it: the message follows from its number. A CON is repeated as
//! RFC 7252 §4.8 says and given up after the fourth repetition, which is noted: nobody answered. What the server answers does not
//! matter to a device.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::behaviour::pace::{Pace, TICK};
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::seed::SplitMix;
use proofhouse_core::spread::Spread;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::StepState;

use super::{FOR, key};
use crate::codec::{self, Code, Message, Token, Writer};
use crate::exchange::Params;

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[
    key("every", Kind::Duration, "time between two readings (default 10s, at least 4ms); \"5s~30s\" is drawn for each"),
    key("method", Kind::Text, "put (default), post or get; get sends no payload"),
    key("path", Kind::Text, "{id} stands for <fleet>-<index> (default \"/site/{id}/t\")"),
    key("size", Kind::Int, "bytes of a reading (default 32)"),
    key("con", Kind::Percent, "share of readings that are sent as CON (default 100%); the others are NON"),
    FOR,
];

/// 65,536 message ids are used up in 262 s at this pace, and each is free again after 247 s (EXCHANGE_LIFETIME) \[RFC 7252 §4.4\].
const EVERY_MIN: Duration = Duration::from_millis(4);
const PARAMS: Params = Params::DEFAULT;
const NOBODY: Conn = Conn(u32::MAX);
/// A socket that was lost is opened again after this long.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a device waits at its end for a response that it was promised.
const LAST_ACK: Duration = Duration::from_secs(5);
/// A reading that no message can hold is cut.
const SIZE_MAX: i64 = 1_024;

/// A fleet of such devices.
struct Telemetry {
    config: Config,
    devices: Vec<Device>,
    scratch: Scratch,
}

/// What all devices have in common.
struct Config {
    fleet: FleetPlan,
    every: Spread<Duration>,
    method: Code,
    /// The path before and after the name of the device.
    path: (String, String),
    size: usize,
    /// Of a thousand readings, how many are CON.
    con: u64,
    length: Option<Duration>,
}

/// Texts that are written anew for every message, in the same memory.
#[derive(Default)]
struct Scratch {
    path: String,
    payload: String,
}

/// One device. Keep it small.
struct Device {
    pace: Pace,
    /// When the reading in flight is repeated.
    again: Time,
    conn: Conn,
    identity: u32,
    seq: u32,
    /// What its token is drawn from.
    token: u32,
    /// Milliseconds of the current pause before a repetition.
    pause: u32,
    mid: u16,
    /// The message of the server that was acknowledged last: a copy of it is acknowledged too.
    acked: Option<u16>,
    opened: u16,
    repeated: u8,
    state: State,
}

impl Device {
    fn token(&self) -> Token {
        Token::letters(self.token.into(), TOKEN_LEN)
    }
}

/// Letters of a token: the 32 bits that are asked for \[RFC 7252 §5.3.1\].
const TOKEN_LEN: usize = 7;

/// Bytes that a device takes.
#[cfg(test)]
pub(super) const DEVICE_SIZE: usize = size_of::<Device>();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offline,
    Opening,
    Idle,
    /// A CON is not answered.
    Waiting,
    /// It was acknowledged; the response will follow.
    Promised,
    Finished,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let path = fleet.keys.text("path").unwrap_or("/site/{id}/t");
    let (before, after) = path.split_once("{id}").map_or((path, None), |(before, after)| (before, Some(after)));
    let con = fleet.keys.text("con").and_then(|text| proofhouse_core::spread::percent(text).ok()).unwrap_or(100.0);
    let config = Config {
        every: fleet.duration("every", Duration::from_secs(10)),
        method: fleet.keys.text("method").and_then(Code::from_method).unwrap_or(Code::PUT),
        // A path without {id} has nothing after it, and no name in it.
        path: (before.into(), after.map(Into::into).unwrap_or_else(|| String::from(NO_NAME))),
        size: fleet.keys.int("size").map_or(32, |n| n.clamp(0, SIZE_MAX) as usize),
        con: (con * 10.0) as u64,
        length: fleet.keys.find("for").map(|_| fleet.duration("for", Duration::ZERO).most()),
        fleet: fleet.clone(),
    };
    let seed = plan.seed.child("coap-telemetry", u64::from(fleet.index));
    let device = |identity: u32| {
        let mut rng = SplitMix(seed.stream("device", u64::from(identity)).next());
        Device {
            mid: rng.next() as u16,
            pace: Pace::new(rng),
            again: Time::NEVER,
            conn: NOBODY,
            identity,
            seq: 0,
            token: 0,
            pause: 0,
            acked: None,
            opened: 0,
            repeated: 0,
            state: State::Offline,
        }
    };
    let devices = fleet.members().map(device).collect();
    Box::new(Telemetry { config, devices, scratch: Scratch::default() })
}

/// Stands for "no name in this path": no path of ours holds a NUL.
const NO_NAME: &str = "\0";

impl Crowd for Telemetry {
    fn handle(&mut self, member: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        let device = &mut self.devices[member as usize];
        Turn { device, config: &self.config, scratch: &mut self.scratch, now, out }.handle(input);
    }

    fn touch(&self, member: u32) {
        core::hint::black_box(self.devices[member as usize].pace.due()); // a load: a reference alone fetches nothing
    }

    fn len(&self) -> u32 {
        u32::try_from(self.devices.len()).expect("a fleet has at most u32::MAX members")
    }
}

/// One input of one device.
struct Turn<'a> {
    device: &'a mut Device,
    config: &'a Config,
    scratch: &'a mut Scratch,
    now: Time,
    out: &'a mut Outbox,
}

impl Turn<'_> {
    fn handle(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Opened(conn) if conn == self.device.conn => {
                self.device.state = State::Idle;
                self.due();
            }
            Input::Bytes(conn, datagram) if conn == self.device.conn => self.hear(datagram),
            Input::Closed(conn, _) if conn == self.device.conn => self.lost(),
            Input::Timer(TICK) if self.device.pace.wakes(self.now) => self.due(),
            _ => {}
        }
    }

    fn start(&mut self) {
        self.device.pace.start(self.now, self.config.every, self.config.length);
        self.open();
    }

    fn open(&mut self) {
        let source = self.config.fleet.source(self.device.identity, self.device.opened.into());
        self.device.conn = self.out.open(self.config.fleet.endpoint_id, source);
        self.device.opened = self.device.opened.wrapping_add(1);
        self.device.state = State::Opening;
        self.device.acked = None;
    }

    fn hear(&mut self, datagram: &[u8]) {
        let Ok(message) = Message::decode(datagram) else { return };
        let mine = message.mid() == self.device.mid;
        let answers = message.code().is_response() && message.token() == self.device.token();
        match (message.kind(), self.device.state) {
            (codec::Kind::Con, _) if self.device.acked == Some(message.mid()) => {
                return self.say(&Message::ack(message.mid()));
            }
            (codec::Kind::Con, _) if !answers => return self.say(&Message::rst(message.mid())),
            (codec::Kind::Con, _) => {
                self.device.acked = Some(message.mid());
                self.say(&Message::ack(message.mid()));
            }
            (codec::Kind::Ack, State::Waiting) if mine && message.code().is_empty() => {
                self.device.state = State::Promised;
                self.device.again = Time::NEVER;
            }
            (codec::Kind::Rst, State::Waiting | State::Promised) if mine => self.device.state = State::Idle,
            _ => {}
        }
        let fits = message.kind() != codec::Kind::Ack || mine;
        if answers && fits && matches!(self.device.state, State::Waiting | State::Promised) {
            self.device.state = State::Idle;
        }
        self.due();
    }

    /// Something may be due.
    fn due(&mut self) {
        match self.device.state {
            State::Finished | State::Opening => return,
            State::Offline if self.now >= self.device.pace.end => return self.finish(),
            State::Offline => return self.open(),
            State::Waiting if self.now >= self.device.again => self.repeat(),
            _ => {}
        }
        let over = match self.device.state {
            State::Waiting => false, // until it is heard or given up, which must be noted
            State::Promised => self.now >= self.device.pace.end + LAST_ACK,
            _ => self.now >= self.device.pace.end,
        };
        if over {
            return self.finish();
        }
        // A reading that was promised an answer long ago makes room for the next.
        if self.device.state != State::Waiting && self.device.pace.reads(self.now) {
            self.reading();
        }
        self.sleep();
    }

    fn sleep(&mut self) {
        let device = &*self.device;
        let (next, end) = (device.pace.next, device.pace.end);
        let end = if self.now < end { end } else { end + LAST_ACK };
        let at = match device.state {
            State::Waiting => device.again,
            _ if next > self.now => end.min(next),
            _ => end,
        };
        self.arm(at);
    }

    /// The next reading.
    fn reading(&mut self) {
        let device = &mut *self.device;
        device.pace.step(self.now, self.config.every);
        device.pace.next = device.pace.next.max(self.now + EVERY_MIN);
        let con = device.pace.below(1_000) < self.config.con;
        let pause = PARAMS.first_timeout(device.pace.rng.next()).as_millis() as u64;
        device.seq = device.seq.wrapping_add(1);
        device.mid = device.mid.wrapping_add(1);
        device.token = device.pace.rng.next() as u32;
        (device.repeated, device.pause) = (0, pause as u32);
        device.again = if con { self.now + Duration::from_millis(pause) } else { Time::NEVER };
        device.state = if con { State::Waiting } else { State::Idle };
        self.send(con);
    }

    fn repeat(&mut self) {
        let device = &mut *self.device;
        if device.repeated == PARAMS.max_retransmit {
            device.state = State::Idle;
            let detail = format!("no answer after {} repetitions", PARAMS.max_retransmit);
            let conn = Some(device.conn);
            self.out.note(Note::Step { index: 0, conn, state: StepState::Unmet, detail });
            return;
        }
        device.repeated += 1;
        device.pause = device.pause.saturating_mul(2);
        device.again = self.now + Duration::from_millis(device.pause.into());
        self.send(true);
    }

    fn send(&mut self, con: bool) {
        let (config, scratch, device) = (self.config, &mut *self.scratch, &*self.device);
        scratch.reading(config, device);
        let kind = if con { codec::Kind::Con } else { codec::Kind::Non };
        let payload = if config.method == Code::GET { &[][..] } else { scratch.payload.as_bytes() };
        self.out.send(device.conn, |bytes| {
            let message = Writer::new(bytes, kind, config.method, device.mid, device.token()).path(&scratch.path);
            if let Err(reject) = message.payload(payload) {
                panic!("a device wanted to send to {:?}: {reject}", scratch.path);
            }
        });
    }

    fn say(&mut self, message: &Message<'_>) {
        self.out.send(self.device.conn, |bytes| message.encode(bytes));
    }

    /// Nobody listens: comes back after a while.
    fn lost(&mut self) {
        self.device.conn = NOBODY;
        self.device.state = State::Offline;
        self.device.pace.forget_wake();
        self.arm((self.now + AGAIN).min(self.device.pace.end));
    }

    fn finish(&mut self) {
        if self.device.conn != NOBODY {
            self.out.close(self.device.conn, CloseHow::Fin);
            self.device.conn = NOBODY;
        }
        self.device.state = State::Finished;
        self.out.note(Note::Finished);
    }

    fn arm(&mut self, at: Time) {
        self.device.pace.arm(at.max(self.now + Duration::from_nanos(1)), self.out);
    }
}

impl Scratch {
    /// Path and payload of the device's current reading: `{"seq":17}` and spaces.
    fn reading(&mut self, config: &Config, device: &Device) {
        self.path.clear();
        let (before, after) = &config.path;
        let _ = match after.as_str() {
            NO_NAME => write!(self.path, "{before}"),
            after => write!(self.path, "{before}{}-{}{after}", config.fleet.name, device.identity),
        };
        self.payload.clear();
        let _ = write!(self.payload, "{{\"seq\":{}}}", device.seq);
        while self.payload.len() < config.size {
            self.payload.push(' ');
        }
    }
}
