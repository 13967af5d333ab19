//! The witness: a legal client that shows that the target still serves everyone else.
//!
//! It subscribes to a topic and publishes to it: a round trip that passes through everything that a broker does. Each begins
//! 200 ms after the one before, and misses its deadline after 5 s.
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Crowd, Input, Note, Outbox, TimerId};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::time::{Duration, Time, nanos};
use proofhouse_core::transcript::WitnessState;

use crate::codec::{QoS, ReasonCode};
use crate::session::{Backoff, Client, Event, FIRST_FREE_TIMER, Message, Profile};

/// The witness's own topic: its party may publish and subscribe `proofhouse/#`.
pub(crate) const TOPIC: &str = "proofhouse/witness";
/// From the beginning of one round trip to that of the next.
const EVERY: Duration = Duration::from_millis(200);
/// A round trip takes longer than this only on a target that hangs.
const DEADLINE: Duration = Duration::from_secs(5);

const NEXT: TimerId = TimerId(FIRST_FREE_TIMER);
const PATIENCE: TimerId = TimerId(FIRST_FREE_TIMER + 1);

/// The one witness of a trial.
struct Witness {
    client: Client,
    stage: Stage,
    seq: u32,
    /// It owes the last word: asked for at this time.
    asked: Option<Time>,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// To be connected and subscribed, since then.
    Joining(Time),
    /// To begin the next round trip.
    Resting(Time),
    /// For the answer; planned to begin at, begun at.
    Asking(Time, Time),
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let profile = Arc::new(Profile { backoff: Backoff::WITNESS, will: None, ..Profile::of(fleet, plan) });
    let shared = Arc::new(fleet.clone());
    let witness = |identity| {
        let seed = plan.seed.stream("witness", u64::from(identity)).next();
        Witness {
            client: Client::new(profile.clone(), shared.clone(), identity, seed),
            stage: Stage::Joining(Time::ZERO),
            seq: 0,
            asked: None,
        }
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness>>())
}

/// What an input brought.
#[derive(Default)]
struct Heard {
    connected: bool,
    subscribed: Option<bool>,
    came_back: bool,
}

impl Actor for Witness {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.join(now, out),
            Input::Ask => return self.last_word(now, out),
            Input::Timer(NEXT) => return self.next(now, out),
            Input::Timer(PATIENCE) => return self.patience(now, out),
            _ => {}
        }
        let (mut heard, awaited) = (Heard::default(), self.seq.to_be_bytes());
        let lost = self.client.handle(now, input, out, &mut |event| match event {
            Event::Connected { .. } => heard.connected = true,
            Event::Subscribed(codes) => heard.subscribed = Some(codes.iter().all(|code| ReasonCode(*code).is_ok())),
            Event::Message { payload, .. } => heard.came_back |= payload == awaited,
            _ => {}
        });
        if lost {
            return self.lost(now, out);
        }
        if heard.connected && self.client.subscribe(now, &[(TOPIC, QoS::AtLeastOnce)], out).is_err() {
            heard.subscribed = Some(false);
        }
        match heard.subscribed {
            Some(true) => self.ask(now, now, out),
            Some(false) => self.leave(now, out),
            None => {}
        }
        if let (true, Stage::Asking(planned, began)) = (heard.came_back, self.stage) {
            let (rtt, late) = (nanos(now - began), nanos(began - planned));
            self.asked = None;
            out.note(Note::Witness(WitnessState::Served { rtt, late }));
            let next = (began + EVERY).max(now);
            self.stage = Stage::Resting(next);
            out.wake(next, NEXT);
        }
    }
}

impl Witness {
    fn join(&mut self, now: Time, out: &mut Outbox) {
        self.stage = Stage::Joining(now);
        out.wake(now + DEADLINE, PATIENCE);
    }

    fn lost(&mut self, now: Time, out: &mut Outbox) {
        out.note(Note::Witness(WitnessState::Lost));
        self.join(now, out);
    }

    fn next(&mut self, now: Time, out: &mut Outbox) {
        if let Stage::Resting(planned) = self.stage
            && now >= planned
        {
            self.ask(planned, now, out);
        }
    }

    fn ask(&mut self, planned: Time, now: Time, out: &mut Outbox) {
        self.seq = self.seq.wrapping_add(1);
        let payload = self.seq.to_be_bytes().to_vec();
        let message = Message { topic: TOPIC.into(), payload, qos: QoS::AtLeastOnce, retain: false };
        if self.client.publish(now, message, out).is_err() {
            return self.leave(now, out);
        }
        self.stage = Stage::Asking(planned, now);
        out.wake(now + DEADLINE, PATIENCE);
    }

    /// The attack is over: a round begins now, whatever an older question waits for. Who has no connection has the same time to get
    /// one and be served.
    fn last_word(&mut self, now: Time, out: &mut Outbox) {
        self.asked = Some(now);
        match self.stage {
            Stage::Joining(_) => out.wake(now + DEADLINE, PATIENCE),
            Stage::Resting(_) | Stage::Asking(..) => self.ask(now, now, out),
        }
    }

    /// A server that takes no message of a witness refuses it.
    fn leave(&mut self, now: Time, out: &mut Outbox) {
        self.client.abandon(now, out);
        self.lost(now, out);
    }

    /// A deadline may have passed.
    fn patience(&mut self, now: Time, out: &mut Outbox) {
        if let (Some(asked), Stage::Joining(_)) = (self.asked, self.stage)
            && now >= asked + DEADLINE
        {
            self.asked = None;
            let late = nanos(now.since(asked + DEADLINE));
            return out.note(Note::Witness(WitnessState::Missed { waited: nanos(now - asked), late }));
        }
        let (since, late) = match self.stage {
            Stage::Joining(since) => (since, 0),
            Stage::Asking(planned, began) => (began, nanos(began - planned)),
            Stage::Resting(_) => return,
        };
        if now < since + DEADLINE {
            return;
        }
        // Woken late, we may have slept through the answer: that is our lateness too.
        let late = late.max(nanos(now.since(since + DEADLINE)));
        self.asked = self.asked.filter(|_| matches!(self.stage, Stage::Joining(_)));
        out.note(Note::Witness(WitnessState::Missed { waited: nanos(now - since), late }));
        if matches!(self.stage, Stage::Joining(_)) {
            self.client.abandon(now, out);
            self.join(now, out);
        } else {
            self.ask(now, now, out);
        }
    }
}
