//! The witness: a legal client that shows that the target still serves everyone else.
//!
//! It subscribes to a topic and publishes to it: a round trip that passes through everything that a broker does. When a round begins and
//! when it is missed is the same for every protocol and stands in [`proofhouse_core::behaviour::witness`].
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::{Crowd, Input, Outbox};
use proofhouse_core::behaviour::witness::{Heard, Service, Witness};
use proofhouse_core::plan::{FleetPlan, Plan};
use proofhouse_core::protocol::Protocol;
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
}

/// For [`Behaviour::crowd`](proofhouse_core::protocol::Behaviour).
pub(super) fn crowd(fleet: &FleetPlan, plan: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let profile = Arc::new(Profile { backoff: Backoff::WITNESS, will: None, ..Profile::of(fleet, plan) });
    let shared = Arc::new(fleet.clone());
    let witness = |identity| {
        let seed = plan.seed.stream("witness", u64::from(identity)).next();
        Witness::new(Echo { client: Client::new(profile.clone(), shared.clone(), identity, seed), seq: 0 })
    };
    Box::new(fleet.members().map(witness).collect::<Vec<Witness<Echo>>>())
}

impl Service for Echo {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) -> Heard {
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
}
