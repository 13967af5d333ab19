//! The witness: a legal client that shows that the target still serves everyone else.
//!
//! It subscribes to a topic and publishes to it: a round trip that passes through everything that a broker does. When a round begins and
//! when it is missed is the same for every protocol and stands in [`proofhouse_core::behaviour::witness`].
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::behaviour::witness::{Heard, Service, Welcome, Witness};
use proofhouse_core::connection::Close;
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::Time;

use crate::codec::{QoS, ReasonCode};
use crate::session::{Backoff, Client, Event, Message, Profile};

/// What the witness's party may publish to and read.
pub(crate) const FILTER: &str = "proofhouse/#";
/// What all topics of the witness begin with.
pub(crate) const TOPICS: &str = "proofhouse/";
/// The witness's own topic.
pub(crate) const TOPIC: &str = "proofhouse/witness";

/// A client that hears itself.
struct Echo {
    client: Client,
    seq: u32,
    guests: Guests,
    /// The newcomer, while it waits to be let in.
    guest: Option<Client>,
}

/// Makes newcomers, each with a client id that nobody has had: the fleet's members have the first ones.
struct Guests {
    profile: Arc<Profile>,
    fleet: Arc<FleetPlan>,
    seed: Seed,
    identity: u32,
}

impl Guests {
    fn next(&mut self) -> Client {
        self.identity += self.fleet.count.max(1);
        client(&self.profile, &self.fleet, self.identity, self.seed)
    }
}

fn client(profile: &Arc<Profile>, fleet: &Arc<FleetPlan>, identity: u32, seed: Seed) -> Client {
    let seed = seed.stream("witness", u64::from(identity)).next();
    Client::new(profile.clone(), fleet.clone(), identity, seed)
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let profile = Arc::new(Profile { backoff: Backoff::WITNESS, will: None, ..Profile::of(fleet, plan) });
    let shared = Arc::new(fleet.clone());
    let witness = |identity| {
        let guests = Guests { profile: profile.clone(), fleet: shared.clone(), seed: plan.seed, identity };
        Witness::new(Echo { client: client(&profile, &shared, identity, plan.seed), seq: 0, guests, guest: None })
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness<Echo>>>())
}

impl Service for Echo {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
        if let Input::Opened(conn) | Input::Bytes(conn, _) | Input::Closed(conn, _) = input
            && self.guest.as_ref().is_some_and(|guest| guest.is(conn))
        {
            return self.newcomer(now, input, out);
        }
        let (mut connected, mut subscribed, mut came_back) = (false, None, false);
        let awaited = self.seq.to_be_bytes();
        let lost = self.client.handle(now, input, out, &mut |event| match event {
            Event::Connected { .. } => connected = true,
            Event::Subscribed(codes) => subscribed = Some(codes.iter().all(|code| ReasonCode(*code).is_ok())),
            Event::Message { payload, .. } => came_back |= payload == awaited,
            _ => {}
        });
        if lost {
            return Heard::Lost;
        }
        if connected && self.client.subscribe(now, &[(TOPIC, QoS::AtLeastOnce)], out).is_err() {
            subscribed = Some(false);
        }
        match subscribed {
            Some(true) => Heard::Joined,
            Some(false) => {
                self.leave(now, out);
                Heard::Lost
            }
            None if came_back => Heard::Served,
            None => Heard::Nothing,
        }
    }

    fn ask(&mut self, now: Time, out: &mut Outbox) -> bool {
        self.seq = self.seq.wrapping_add(1);
        let payload = self.seq.to_be_bytes().to_vec();
        let message = Message { topic: TOPIC.into(), payload, qos: QoS::AtLeastOnce, retain: false };
        self.client.publish(now, message, out).is_ok()
    }

    fn leave(&mut self, now: Time, out: &mut Outbox) {
        self.client.abandon(now, out);
    }

    fn join(&mut self, now: Time, out: &mut Outbox) {
        self.client.hurry(now, out);
    }

    fn knock(&mut self, now: Time, out: &mut Outbox) {
        self.dismiss(now, out);
        let mut guest = self.guests.next();
        guest.hurry(now, out);
        self.guest = Some(guest);
    }

    fn dismiss(&mut self, now: Time, out: &mut Outbox) {
        if let Some(mut guest) = self.guest.take() {
            guest.abandon(now, out);
        }
    }
}

impl Echo {
    /// It is let in, says goodbye and goes. What it hears on the way decides what became of it.
    fn newcomer(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
        let Some(guest) = &mut self.guest else { return Heard::Nothing };
        let mut let_in = false;
        let lost = guest.handle(now, input, out, &mut |event| let_in |= matches!(event, Event::Connected { .. }));
        let welcome = match input {
            _ if let_in && !lost => {
                guest.stop(now, out);
                Welcome::Served
            }
            _ if !lost => return Heard::Nothing,
            Input::Closed(_, Close::Refused) => Welcome::Unheard,
            // A handshake that takes so long is not answered: its time passes.
            Input::Closed(_, Close::TimedOut) => {
                self.guest = None;
                return Heard::Nothing;
            }
            _ => Welcome::TurnedAway,
        };
        self.guest = None;
        Heard::Newcomer(welcome)
    }
}
