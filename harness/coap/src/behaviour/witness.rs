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
use proofhouse_core::behaviour::witness::{Heard, Service, Witness};
use proofhouse_core::ids::TimerId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time};

use super::socket::{Socket, answer, get};
use super::{WELL_KNOWN, key};
use crate::client::Manners;

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

/// A client that asks for one resource.
struct Getter {
    socket: Socket,
    path: String,
    token: String,
    opened: u32,
    failures: u32,
    /// Where it has no socket: when it opens the next one.
    retry: Time,
    /// When it asks again, after a failure of the server.
    again: Option<Time>,
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let shared = Arc::new(fleet.clone());
    let witness = |identity| {
        Witness::new(Getter {
            socket: Socket::new(&shared, plan, identity, 0, TICK),
            path: fleet.keys.text("path").unwrap_or(WELL_KNOWN).to_string(),
            token: String::new(),
            opened: 0,
            failures: 0,
            retry: Time::ZERO,
            again: None,
        })
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness<Getter>>>())
}

impl Service for Getter {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
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
            Input::Timer(RETRY) if now >= self.retry => self.join(now, out),
            _ => {}
        }
        Heard::Nothing
    }

    fn ask(&mut self, now: Time, out: &mut Outbox) -> bool {
        let manners = Manners { echo: true, ..Manners::default() };
        self.again = None;
        self.socket.client.forget();
        self.token = self.socket.ask(now, get(&self.path), manners, out);
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
}

impl Getter {
    fn hear(&mut self, now: Time, datagram: &[u8], out: &mut Outbox) -> Heard {
        let packets = self.socket.hear(now, datagram, out);
        let Some(answer) = answer(&packets, &self.token) else { return Heard::Nothing };
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
