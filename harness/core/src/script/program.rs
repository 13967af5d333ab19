//! What all members of a scripted fleet share: the plan, and what the protocol knows.
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::matching::Class;
use crate::plan::{FleetPlan, Plan, StepPlan};
use crate::protocol::{Dialog, NewDialog, Protocol, Transport};

/// A fleet's script with everything that it needs, once for all members.
pub(super) struct Program {
    pub(super) plan: Plan,
    pub(super) fleet: FleetPlan,
    /// Names of the connections, in order of their first use.
    pub(super) connections: Vec<String>,
    /// For each step the place of its connection in `connections`.
    link_of: Vec<usize>,
    pub(super) transport: Transport,
    dialog: Option<NewDialog>,
    class: crate::protocol::Class,
}

impl Program {
    pub(super) fn new(fleet: &FleetPlan, plan: &Plan, protocol: Option<&Protocol>) -> Program {
        let mut connections: Vec<String> = Vec::new();
        let mut link_of = Vec::with_capacity(fleet.steps.len());
        for step in &fleet.steps {
            let at = connections.iter().position(|name| *name == step.conn).unwrap_or_else(|| {
                connections.push(step.conn.clone());
                connections.len() - 1
            });
            link_of.push(at);
        }
        Program {
            plan: plan.clone(),
            fleet: fleet.clone(),
            connections,
            link_of,
            transport: protocol.map_or(Transport::Stream, |p| p.transport),
            dialog: protocol.map(|p| p.dialog),
            class: protocol.map_or(|_, _, _, _| None, |p| p.class),
        }
    }

    pub(super) fn step(&self, at: usize) -> Option<&StepPlan> {
        self.fleet.steps.get(at)
    }

    /// Whether a later step than this one sets the same mark.
    pub(super) fn sets_later(&self, at: usize, mark: crate::ids::MarkId) -> bool {
        self.fleet.steps.iter().skip(at + 1).any(|step| step.mark == Some(mark))
    }

    pub(super) fn link_of(&self, at: usize) -> usize {
        self.link_of.get(at).copied().unwrap_or(0)
    }

    /// The protocol's side of a connection that stands now.
    pub(super) fn dialog(&self, identity: u32) -> Option<Box<dyn Dialog>> {
        self.dialog.map(|build| build(&self.fleet, &self.plan, identity))
    }

    /// What the protocol's words for groups of values mean.
    pub(super) fn class(&self) -> Class<'_> {
        Class { version: &self.fleet.version, of: self.class }
    }

    /// The 32 characters of a canary.
    pub(super) fn canary(&self, id: crate::ids::CanaryId) -> &str {
        self.plan.canaries.get(usize::from(id.0)).map_or("", |(_, text)| text)
    }
}
