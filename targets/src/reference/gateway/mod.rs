//! The reference gateway: readings come in over CoAP and go out over MQTT.
//!
//! `PUT` or `POST /site/DEVICE/t` becomes a QoS 1 publish to the topic `site/DEVICE/t`. The path is three segments, and a segment is a
//! name: no slash, no wildcard, no dots that mean another place, nothing invisible. It answers 2.04 once the reading is on its way or
//! waits for the connection, and 5.03 where too much waits already. It does not know its devices: on an endpoint without security
//! whoever speaks may speak as any of them, but only with a path that says so.
//!
//! The target file lists `south` (CoAP server) first and `north` (MQTT client) second. Reading order: `south`, `topic`, `north`.

mod north;
mod south;
#[cfg(test)]
mod tests;
mod topic;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::ids::TimerId;
use proofhouse_core::registry::{Build, BuildPlan};
use proofhouse_core::seed::{Rng, Seed};
use proofhouse_core::time::Time;

use super::coap_server::Limits;
use super::coap_server::peer::Peers;
use crate::flaw::Flaws;
use north::North;

/// The gateway among the targets that can be built in this process.
pub const BUILD: Build =
    Build { name: "gateway", doc: "CoAP server to the south, MQTT client to the north; passes readings on", build };

fn build(plan: &BuildPlan<'_>) -> Result<Box<dyn Actor>, String> {
    Ok(Box::new(Gateway::new(Flaws::parse(plan.flaws)?, plan.seed)))
}

/// The gateway, and all that it holds.
pub struct Gateway {
    flaws: Flaws,
    limits: Limits,
    rng: Rng,
    /// Who speaks CoAP to us.
    peers: Peers,
    north: North,
    /// The message that is being written; kept for the next.
    wire: Vec<u8>,
}

impl Gateway {
    /// A gateway that has just been started. `seed` is where message ids and waits come from.
    #[must_use]
    pub fn new(flaws: Flaws, seed: Seed) -> Gateway {
        let mut rng = seed.stream("gateway", 0);
        Gateway {
            flaws,
            limits: Limits::default(),
            peers: Peers::default(),
            north: North::new(rng.next()),
            rng,
            wire: Vec::new(),
        }
    }
}

impl Actor for Gateway {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.north.open(now, out),
            Input::Opened(conn) => self.north.opened(conn, now, out),
            Input::Bytes(conn, bytes) if self.north.is(conn) => self.north.hear(bytes, now, out),
            Input::Closed(conn, _) if self.north.is(conn) => self.north.lost(now, out),
            Input::Timer(TimerId(_)) => self.north.timer(now, out),
            Input::Accepted(conn, _) => self.met(conn, now, out),
            Input::Bytes(conn, datagram) => self.datagram(conn, datagram, now, out),
            Input::Closed(conn, _) => drop(self.peers.remove(conn)),
            _ => {} // not a target's, or nothing to it
        }
    }

    fn held(&self) -> u64 {
        (self.peers.bytes() + self.north.bytes() + self.wire.capacity()) as u64
    }
}
