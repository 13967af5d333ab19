//! Everyone who takes part, under one numbering: fleet after fleet by position, the target last.
//!
//! A crowd numbers those who take part from 0; in records and on the board a member is its identity, which stays when others
//! are cut away.
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::actor::{Actor, Crowd, Input, Outbox};
use crate::connection::Addr;
use crate::ids::EndpointId;
use crate::plan::{FleetPlan, Plan};
use crate::protocol::Transport;
use crate::registry::Registry;
use crate::time::Time;

pub(super) struct Actors<'a> {
    fleets: Vec<RunningFleet>,
    target: Option<Box<dyn Actor + 'a>>,
    len: u32,
}

struct RunningFleet {
    crowd: Box<dyn Crowd>,
    /// Number of the first who takes part.
    base: u32,
    len: u32,
    /// Identities by position, where some were cut away.
    only: Option<Vec<u32>>,
    /// Where the target speaks, for its connections.
    address: Addr,
    transport: Transport,
    /// The endpoint on which its members listen, and who gets the next connection.
    listens: Option<(EndpointId, u32)>,
    /// Its part in the trial is over: it is handed nothing more.
    frozen: bool,
}

impl<'a> Actors<'a> {
    pub(super) fn new(plan: &Plan, registry: &Registry, target: Box<dyn Actor + 'a>) -> Actors<'a> {
        let mut fleets = Vec::new();
        let mut len = 0;
        for fleet in &plan.fleets {
            let behaviour = registry.behaviour(&fleet.protocol, &fleet.behaviour).unwrap_or_else(|| {
                panic!("fleet {}: behaviour {:?} of {:?} was planned", fleet.name, fleet.behaviour, fleet.protocol)
            });
            let protocol = registry.protocol(&fleet.protocol);
            let port = protocol.map_or(0, |protocol| protocol.scheme.1);
            let transport = protocol.map_or(Transport::Stream, |protocol| protocol.transport);
            let address = Addr::new([127, 0, 0, 1], port.wrapping_add(fleet.endpoint_id.0));
            let listens = fleet.plays_server.then_some((fleet.endpoint_id, 0));
            let crowd = (behaviour.crowd)(fleet, plan, registry.protocol(&fleet.protocol));
            let only = fleet.only.clone();
            let part = only.as_ref().map_or(fleet.count, |only| only.len() as u32);
            fleets.push(RunningFleet { crowd, base: len, len: part, only, address, transport, listens, frozen: false });
            len += part;
        }
        Actors { fleets, target: Some(target), len }
    }

    /// The target's number: all below are members.
    pub(super) fn target(&self) -> u32 {
        self.len
    }

    /// The number of a member by its identity.
    pub(super) fn who(&self, fleet: u16, member: u32) -> u32 {
        let fleet = &self.fleets[fleet as usize];
        let position = match &fleet.only {
            None => member,
            Some(only) => only.binary_search(&member).expect("only members who take part are told") as u32,
        };
        fleet.base + position
    }

    /// The fleet and identity of a member; `None` for the target.
    pub(super) fn member(&self, who: u32) -> Option<(u16, u32)> {
        if who >= self.len {
            return None;
        }
        let place = self.fleet(who);
        let fleet = &self.fleets[place];
        let position = who - fleet.base;
        Some((place as u16, fleet.only.as_ref().map_or(position, |only| only[position as usize])))
    }

    pub(super) fn handle(&mut self, who: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        if who < self.len {
            let fleet = self.fleet(who);
            let fleet = &mut self.fleets[fleet];
            if !fleet.frozen {
                fleet.crowd.handle(who - fleet.base, now, input, out);
            }
        } else if let Some(target) = &mut self.target {
            target.handle(now, input, out);
        }
    }

    /// Hands nothing more to these fleets.
    pub(super) fn freeze(&mut self, which: impl Fn(&FleetPlan) -> bool, plans: &[FleetPlan]) {
        for (fleet, plan) in self.fleets.iter_mut().zip(plans) {
            fleet.frozen |= which(plan);
        }
    }

    pub(super) fn touch(&self, who: u32) {
        if who < self.len {
            let fleet = &self.fleets[self.fleet(who)];
            fleet.crowd.touch(who - fleet.base);
        }
    }

    /// Where the target speaks to this fleet.
    pub(super) fn address(&self, fleet: u16) -> Addr {
        self.fleets[fleet as usize].address
    }

    /// What carries this fleet's messages.
    pub(super) fn transport(&self, fleet: u16) -> Transport {
        self.fleets[fleet as usize].transport
    }

    /// Who gets the target's next connection to an endpoint: the listening members in turn.
    pub(super) fn listener(&mut self, endpoint: EndpointId) -> Option<u32> {
        let listens = |fleet: &&mut RunningFleet| fleet.listens.is_some_and(|(at, _)| at == endpoint);
        let fleet = self.fleets.iter_mut().find(listens)?;
        let (_, turn) = fleet.listens.as_mut()?;
        let position = turn.checked_rem(fleet.len)?;
        *turn += 1;
        Some(fleet.base + position)
    }

    /// Bytes that the target holds; `None` once it has ended.
    pub(super) fn held(&self) -> Option<u64> {
        self.target.as_ref().map(|target| target.held())
    }

    pub(super) fn target_lives(&self) -> bool {
        self.target.is_some()
    }

    pub(super) fn end_target(&mut self) {
        self.target = None;
    }

    fn fleet(&self, who: u32) -> usize {
        // Fleets without members share their base with the next one.
        self.fleets.partition_point(|fleet| fleet.base <= who) - 1
    }
}
