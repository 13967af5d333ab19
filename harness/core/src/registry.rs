//! Everything that is known to this build: plain lists, filled in one place by the command line.
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::actor::Actor;
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::protocol::{Behaviour, CaseList, Ping, Protocol, Right};
use crate::seed::Seed;

/// The lists.
#[derive(Clone, Default)]
pub struct Registry {
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// In-process targets.
    pub builds: Vec<Build>,
    /// Planted flaws: name and one line.
    pub flaws: Vec<(&'static str, &'static str)>,
    /// Whether a regular expression of a target file reads: the engine itself has none. `None`: whoever uses it will see.
    pub pattern: Option<Pattern>,
}

/// Whether a text is a regular expression, or why not.
pub type Pattern = fn(&str) -> Result<(), String>;

/// An in-process target that can be built: `build = "broker"`.
#[derive(Clone, Copy)]
pub struct Build {
    /// As target files write it.
    pub name: &'static str,
    /// One line.
    pub doc: &'static str,
    /// Builds it.
    pub build: fn(&BuildPlan<'_>) -> Result<Box<dyn Actor>, String>,
}

/// What an in-process target is built from.
#[derive(Clone, Copy)]
pub struct BuildPlan<'a> {
    /// The plan: its parties become accounts.
    pub plan: &'a Plan,
    /// Whether accounts and rights are enforced (`claims` has `authenticated`, `acl`).
    pub claims: &'a [String],
    /// Planted flaws by name.
    pub flaws: &'a [String],
    /// Randomness of the target.
    pub seed: Seed,
}

impl Registry {
    /// The protocol of this name.
    #[must_use]
    pub fn protocol(&self, name: &str) -> Option<&Protocol> {
        self.protocols.iter().find(|p| p.name == name)
    }

    /// The oracle of this id: generic, or of any protocol.
    #[must_use]
    pub fn oracle(&self, id: &str) -> Option<&Oracle> {
        self.oracles().find(|o| o.id == id)
    }

    /// All oracles, generic ones first.
    pub fn oracles<'s>(&'s self) -> impl Iterator<Item = &'s Oracle> {
        let own = |p: &'s Protocol| p.oracles.iter().chain(p.model);
        crate::oracle::GENERIC.iter().chain(self.protocols.iter().flat_map(own))
    }

    /// The models of the protocols that clients of this plan speak.
    pub fn models<'s>(&'s self, plan: &'s Plan) -> impl Iterator<Item = &'static Oracle> + 's {
        let spoken = |p: &&Protocol| plan.fleets.iter().any(|fleet| fleet.protocol == p.name);
        self.protocols.iter().filter(spoken).filter_map(|p| p.model)
    }

    /// The behaviour of this name for a protocol.
    #[must_use]
    pub fn behaviour(&self, protocol: &str, name: &str) -> Option<&Behaviour> {
        crate::script::BEHAVIOURS
            .iter()
            .chain(self.protocol(protocol).into_iter().flat_map(|p| p.behaviours))
            .find(|b| b.name == name)
    }

    /// What parties may be allowed to do, in all protocols; each right once.
    #[must_use]
    pub fn rights(&self) -> Vec<&'static Right> {
        let mut all: Vec<&'static Right> = Vec::new();
        for right in self.protocols.iter().flat_map(|p| p.rights) {
            if !all.iter().any(|known| known.name == right.name) {
                all.push(right);
            }
        }
        all
    }

    /// Protocols whose servers can be asked whether they are there, and how.
    pub fn pings(&self) -> impl Iterator<Item = (&'static str, Ping)> {
        self.protocols.iter().filter_map(|p| Some((p.name, p.ping?)))
    }

    /// The named list of cases.
    #[must_use]
    pub fn case_list(&self, name: &str) -> Option<&CaseList> {
        self.protocols.iter().flat_map(|p| p.case_lists).find(|c| c.name == name)
    }
}
