//! The witness: a legal client that shows that the target still serves everyone else.
//!
//! Each round trip is a CON GET with a message id and token of its own. It begins 200 ms after the one before, and misses its deadline
//! after 5 s. Any answer but the server's own failure (5.xx) is service: a server may well have nothing to show there.
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Note, Outbox, TimerId};
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time, nanos};
use proofhouse_core::transcript::WitnessState;

use super::socket::{Socket, answer, get};
use super::{WELL_KNOWN, key};
use crate::client::Manners;

/// Keys of the behaviour.
pub(super) const KEYS: &[Key] = &[key("path", Kind::Text, "what it asks for (default \"/.well-known/core\")")];

/// From the beginning of one round trip to that of the next.
const EVERY: Duration = Duration::from_millis(200);
/// A round trip takes longer than this only on a target that hangs: a lost datagram is repeated after 2 s to 3 s.
const DEADLINE: Duration = Duration::from_secs(5);
/// Pauses before it tries again where nobody listens.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);

const TICK: TimerId = TimerId(0);
const NEXT: TimerId = TimerId(1);
const PATIENCE: TimerId = TimerId(2);
const RETRY: TimerId = TimerId(3);

/// The one witness of a trial.
struct Witness {
    socket: Socket,
    path: String,
    stage: Stage,
    token: String,
    opened: u32,
    failures: u32,
    /// It owes the last word: asked for at this time.
    asked: Option<Time>,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// To have a socket, since then.
    Opening,
    /// To try again at this time.
    Away(Time),
    /// To begin the next round trip.
    Resting(Time),
    /// For the answer; planned to begin at, begun at.
    Asking(Time, Time),
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let shared = Arc::new(fleet.clone());
    let witness = |identity| Witness {
        socket: Socket::new(&shared, plan, identity, 0, TICK),
        path: fleet.keys.text("path").unwrap_or(WELL_KNOWN).to_string(),
        stage: Stage::Opening,
        token: String::new(),
        opened: 0,
        failures: 0,
        asked: None,
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness>>())
}

impl Actor for Witness {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.open(out),
            Input::Opened(conn) if self.socket.is(conn) => self.ask(now, now, out),
            Input::Bytes(conn, datagram) if self.socket.is(conn) => self.hear(now, datagram, out),
            Input::Closed(conn, _) if self.socket.is(conn) => self.lost(now, out),
            Input::Timer(TICK) => self.socket.tick(now, out),
            Input::Timer(NEXT) => match self.stage {
                Stage::Resting(planned) if now >= planned => self.ask(planned, now, out),
                _ => {}
            },
            Input::Timer(PATIENCE) => self.patience(now, out),
            Input::Ask => self.last_word(now, out),
            Input::Timer(RETRY) => match self.stage {
                Stage::Away(until) if now >= until => self.open(out),
                _ => {}
            },
            _ => {}
        }
    }
}

impl Witness {
    fn open(&mut self, out: &mut Outbox) {
        self.stage = Stage::Opening;
        self.socket.open(self.opened, out);
        self.opened += 1;
    }

    fn lost(&mut self, now: Time, out: &mut Outbox) {
        self.socket.conn = None;
        out.note(Note::Witness(WitnessState::Lost));
        let until = now + RETRY_FIRST.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX);
        self.failures += 1;
        self.stage = Stage::Away(until);
        out.wake(until, RETRY);
    }

    fn ask(&mut self, planned: Time, now: Time, out: &mut Outbox) {
        let manners = Manners { echo: true, ..Manners::default() };
        self.stage = Stage::Asking(planned, now);
        self.socket.client.forget();
        self.token = self.socket.ask(now, get(&self.path), manners, out);
        out.wake(now + DEADLINE, PATIENCE);
    }

    fn hear(&mut self, now: Time, datagram: &[u8], out: &mut Outbox) {
        let packets = self.socket.hear(now, datagram, out);
        let Stage::Asking(planned, began) = self.stage else { return };
        let Some(answer) = answer(&packets, &self.token) else { return };
        if answer.fields.text("code").is_some_and(|code| code.starts_with('5')) {
            return;
        }
        self.failures = 0;
        let (rtt, late) = (nanos(now - began), nanos(began - planned));
        self.asked = None;
        out.note(Note::Witness(WitnessState::Served { rtt, late }));
        let next = (began + EVERY).max(now);
        self.stage = Stage::Resting(next);
        out.wake(next, NEXT);
    }

    /// The attack is over: a round begins now, whatever an older question waits for. Where nobody listens, it has the same time to be
    /// served.
    fn last_word(&mut self, now: Time, out: &mut Outbox) {
        self.asked = Some(now);
        match self.stage {
            Stage::Opening | Stage::Away(_) => out.wake(now + DEADLINE, PATIENCE),
            Stage::Resting(_) | Stage::Asking(..) => self.ask(now, now, out),
        }
    }

    /// A deadline may have passed.
    fn patience(&mut self, now: Time, out: &mut Outbox) {
        if let (Some(asked), Stage::Opening | Stage::Away(_)) = (self.asked, self.stage)
            && now >= asked + DEADLINE
        {
            self.asked = None;
            let late = nanos(now.since(asked + DEADLINE));
            return out.note(Note::Witness(WitnessState::Missed { waited: nanos(now - asked), late }));
        }
        let Stage::Asking(planned, began) = self.stage else { return };
        if now < began + DEADLINE {
            return;
        }
        // Woken late, we may have slept through the answer: that is our lateness too.
        let late = nanos(began - planned).max(nanos(now.since(began + DEADLINE)));
        self.asked = None;
        out.note(Note::Witness(WitnessState::Missed { waited: nanos(now - began), late }));
        self.ask(now, now, out);
    }
}
