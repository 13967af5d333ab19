//! Everyone who takes part, under one numbering: fleet after fleet by identity, the target last.
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::actor::{Actor, Addr, Crowd, EndpointId, Input, Outbox};
use crate::plan::Plan;
use crate::registry::Registry;
use crate::time::Time;

pub(super) struct Actors {
    fleets: Vec<Fleet>,
    target: Option<Box<dyn Actor>>,
    len: u32,
}

struct Fleet {
    crowd: Box<dyn Crowd>,
    /// Number of member 0.
    base: u32,
    /// Where the target speaks, for its connections.
    address: Addr,
    /// The endpoint on which its members listen, and who gets the next connection.
    listens: Option<(EndpointId, u32)>,
}

impl Actors {
    pub(super) fn new(plan: &Plan, registry: &Registry, target: Box<dyn Actor>) -> Actors {
        let mut fleets = Vec::new();
        let mut len = 0;
        for fleet in &plan.fleets {
            let behaviour = registry.behaviour(&fleet.protocol, &fleet.behaviour).unwrap_or_else(|| {
                panic!("fleet {}: behaviour {:?} of {:?} was planned", fleet.name, fleet.behaviour, fleet.protocol)
            });
            let port = registry.protocol(&fleet.protocol).map_or(0, |protocol| protocol.scheme.1);
            let address = Addr::new([127, 0, 0, 1], port.wrapping_add(fleet.endpoint_id.0));
            let listens = fleet.plays_server.then_some((fleet.endpoint_id, 0));
            let crowd = (behaviour.crowd)(fleet, plan, registry);
            fleets.push(Fleet { crowd, base: len, address, listens });
            len += fleet.count;
        }
        Actors { fleets, target: Some(target), len }
    }

    /// The target's number: all below are members.
    pub(super) fn target(&self) -> u32 {
        self.len
    }

    pub(super) fn who(&self, fleet: u16, member: u32) -> u32 {
        self.fleets[fleet as usize].base + member
    }

    /// The fleet and identity of a member; `None` for the target.
    pub(super) fn member(&self, who: u32) -> Option<(u16, u32)> {
        if who >= self.len {
            return None;
        }
        let fleet = self.fleet(who);
        Some((fleet as u16, who - self.fleets[fleet].base))
    }

    pub(super) fn handle(&mut self, who: u32, now: Time, input: Input<'_>, out: &mut Outbox) {
        if who < self.len {
            let fleet = self.fleet(who);
            let fleet = &mut self.fleets[fleet];
            fleet.crowd.handle(who - fleet.base, now, input, out);
        } else if let Some(target) = &mut self.target {
            target.handle(now, input, out);
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

    /// Who gets the target's next connection to an endpoint: the listening members in turn.
    pub(super) fn listener(&mut self, endpoint: EndpointId, plan: &Plan) -> Option<u32> {
        let place = self.fleets.iter().position(|fleet| fleet.listens.is_some_and(|(at, _)| at == endpoint))?;
        let fleet = &mut self.fleets[place];
        let (_, turn) = fleet.listens.as_mut()?;
        let members = plan.fleets[place].only.as_ref();
        let len = members.map_or(plan.fleets[place].count, |only| only.len() as u32);
        let position = turn.checked_rem(len)?;
        *turn += 1;
        Some(fleet.base + members.map_or(position, |only| only[position as usize]))
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
