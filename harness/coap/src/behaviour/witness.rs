//! The witness: a legal client that shows that the target still serves everyone else.
//!
//! Each round trip is a CON GET with a message id and token of its own. Any answer but the server's own failure (5.xx) is service: a
//! server may well have nothing to show there. Whoever is told of a failure asks again in the same round, as a client of a busy server
//! does. When a round begins and when it is missed is the same for every protocol and stands in
//! [`proofhouse_core::behaviour::witness`].
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::behaviour::witness::{Heard, Service, Welcome, Witness};
use proofhouse_core::connection::Close;
use proofhouse_core::ids::TimerId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::{Duration, Time};

use super::socket::{Socket, answer, get};
use super::{WELL_KNOWN, key};
use crate::client::Manners;
use crate::exchange::Measured;

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[key("path", Kind::Text, "what it asks for (default \"/.well-known/core\")")];

/// Pauses before it tries again where nobody listens.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Pauses before it asks again after a failure of the server: as a server says by Max-Age \[RFC 7252 §5.9.3.4\], within these.
const AGAIN_MIN: Duration = Duration::from_millis(200);
const AGAIN_MAX: Duration = Duration::from_secs(1);

const TICK: TimerId = TimerId(0);
const RETRY: TimerId = TimerId(1);
const AGAIN: TimerId = TimerId(2);
const GUEST: TimerId = TimerId(3);

/// A client that asks for one resource.
struct Getter {
    socket: Socket,
    path: String,
    token: String,
    /// What it knows of the way there and back: on a road that loses datagrams it is to be heard well within its patience.
    road: Measured,
    opened: u32,
    failures: u32,
    /// Where it has no socket: when it opens the next one.
    retry: Time,
    /// When it asks again, after a failure of the server.
    again: Option<Time>,
    guests: Guests,
    /// The newcomer, while it waits for its answer, and the token of its request.
    guest: Option<(Socket, String)>,
}

/// Makes newcomers, each with a socket of its own.
struct Guests {
    fleet: Arc<FleetPlan>,
    seed: Seed,
    identity: u32,
    next: u32,
}

/// Number of the first association of a newcomer: the witness comes back less often.
const FIRST_GUEST: u32 = 1 << 16;
/// The server asks to be left alone for a while: it has a limit, or is busy.
const LIMITS: [&str; 2] = ["4.29", "5.03"];

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let shared = Arc::new(fleet.clone());
    let witness = |identity| {
        Witness::new(Getter {
            socket: Socket::new(&shared, plan.seed, identity, 0, TICK),
            path: fleet.keys.text("path").unwrap_or(WELL_KNOWN).to_string(),
            token: String::new(),
            road: Measured::default(),
            opened: 0,
            failures: 0,
            retry: Time::ZERO,
            again: None,
            guests: Guests { fleet: shared.clone(), seed: plan.seed, identity, next: FIRST_GUEST },
            guest: None,
        })
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness<Getter>>>())
}

impl Service for Getter {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
        if let Input::Opened(conn) | Input::Bytes(conn, _) | Input::Closed(conn, _) = input
            && self.guest.as_ref().is_some_and(|(socket, _)| socket.is(conn))
        {
            return self.newcomer(now, input, out);
        }
        match input {
            Input::Start => self.join(now, out),
            Input::Opened(conn) if self.socket.is(conn) => return Heard::Joined,
            Input::Bytes(conn, datagram) if self.socket.is(conn) => return self.hear(now, datagram, out),
            Input::Closed(conn, _) if self.socket.is(conn) => {
                self.socket.conn = None;
                self.again = None;
                self.retry_later(now, out);
                return Heard::Lost;
            }
            Input::Timer(TICK) => self.socket.tick(now, out),
            Input::Timer(AGAIN) if self.again.is_some_and(|at| now >= at) => _ = self.ask(now, out),
            Input::Timer(GUEST) => {
                if let Some((socket, _)) = &mut self.guest {
                    socket.tick(now, out);
                }
            }
            Input::Timer(RETRY) if now >= self.retry => self.join(now, out),
            _ => {}
        }
        Heard::Nothing
    }

    fn ask(&mut self, now: Time, out: &mut Outbox) -> bool {
        self.again = None;
        self.socket.client.forget();
        self.socket.client.repeat_after(self.road.ack_timeout());
        self.token = self.socket.ask(now, get(&self.path), manners(), out);
        true
    }

    fn leave(&mut self, now: Time, out: &mut Outbox) {
        self.again = None;
        self.socket.close(out);
        self.retry_later(now, out);
    }

    fn join(&mut self, _: Time, out: &mut Outbox) {
        if self.socket.conn.is_none() {
            self.socket.open(self.opened, out);
            self.opened += 1;
        }
    }

    fn knock(&mut self, now: Time, out: &mut Outbox) {
        self.dismiss(now, out);
        let Guests { fleet, seed, identity, next } = &mut self.guests;
        let mut socket = Socket::new(fleet, *seed, *identity, *next, GUEST);
        socket.client.repeat_after(self.road.ack_timeout());
        socket.open(*next, out);
        *next += 1;
        self.guest = Some((socket, String::new()));
    }

    fn dismiss(&mut self, _: Time, out: &mut Outbox) {
        if let Some((mut socket, _)) = self.guest.take() {
            socket.close(out);
        }
    }
}

impl Getter {
    /// It asks once, from a port of its own, and goes. What it hears decides what became of it.
    fn newcomer(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
        let Some((socket, token)) = &mut self.guest else { return Heard::Nothing };
        let welcome = match input {
            Input::Opened(_) => {
                *token = socket.ask(now, get(&self.path), manners(), out);
                return Heard::Nothing;
            }
            Input::Bytes(_, datagram) => {
                let packets = socket.hear(now, datagram, out);
                match answer(&packets, token).and_then(|answer| answer.fields.text("code")) {
                    Some(code) if LIMITS.contains(&code) => Welcome::TurnedAway,
                    Some(code) if !code.starts_with('5') => Welcome::Served,
                    // A Reset refuses the message whatever it asks [RFC 7252 §4.2].
                    None if packets.iter().any(|packet| packet.kind == "rst") => Welcome::TurnedAway,
                    _ => return Heard::Nothing,
                }
            }
            Input::Closed(_, how) => {
                socket.conn = None;
                if how == Close::Refused { Welcome::Unheard } else { Welcome::TurnedAway }
            }
            _ => return Heard::Nothing,
        };
        self.dismiss(now, out);
        Heard::Newcomer(welcome)
    }

    fn hear(&mut self, now: Time, datagram: &[u8], out: &mut Outbox) -> Heard {
        let packets = self.socket.hear(now, datagram, out);
        let Some(answer) = answer(&packets, &self.token) else { return Heard::Nothing };
        self.road.answered(now.since(self.socket.client.spoke()));
        if answer.fields.text("code").is_some_and(|code| code.starts_with('5')) {
            let asked = answer.fields.int("max_age").and_then(|seconds| u64::try_from(seconds).ok());
            let pause = asked.map_or(AGAIN_MIN, Duration::from_secs).clamp(AGAIN_MIN, AGAIN_MAX);
            self.again = Some(now + pause);
            out.wake(now + pause, AGAIN);
            return Heard::Nothing;
        }
        self.failures = 0;
        Heard::Served
    }

    fn retry_later(&mut self, now: Time, out: &mut Outbox) {
        self.retry = now + RETRY_FIRST.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX);
        self.failures += 1;
        out.wake(self.retry, RETRY);
    }
}

fn manners() -> Manners {
    Manners { echo: true, ..Manners::default() }
}
