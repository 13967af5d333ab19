//! A scenario file: who takes part, what they do, what must hold.
use alloc::string::String;
use alloc::vec::Vec;

use crate::document::{LoadError, Located};
use crate::plan::{About, Plan};
use crate::registry::Registry;
use crate::seed::Seed;
use crate::target::TargetSpec;
use crate::value::Fields;

/// A scenario that loads: every case was planned once against a target that has everything, and every key is known.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Path below `scenarios/` without `.toml`: `mqtt/mc-03-takeover`.
    pub id: String,
    /// The file as it was named.
    pub file: String,
    /// The file's text, for messages.
    pub text: String,
    /// The file as a tree.
    pub tree: Located,
    /// Title.
    pub title: String,
    /// Facts for reports.
    pub about: About,
    /// Capabilities that the target must have.
    pub needs: Vec<String>,
    /// Which flaw each oracle must catch.
    pub twins: Vec<(String, Vec<String>)>,
    /// Its cases: versions x segments x rows; one without a name where there is no matrix.
    pub cases: Vec<Case>,
}

/// One row of a scenario's matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Unique in the scenario: `5`, `5/1B/nibble-15`; empty where there is one only.
    pub name: String,
    /// Version of the protocol.
    pub version: String,
    /// `whole` or `1B`.
    pub segments: String,
    /// What `{case.k}` stands for.
    pub fields: Fields,
}

/// Why a scenario has no plan on this target.
#[derive(Clone, Debug)]
pub enum PlanError {
    /// The file is wrong.
    Load(LoadError),
    /// The target has not what the scenario needs: `needs an endpoint for mqtt 5`.
    Unmet(String),
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(id: &str, file: &str, text: &str, registry: &Registry) -> Result<Scenario, LoadError> {
        let _ = (id, file, text, registry);
        todo!()
    }

    /// Chooses the case, draws every `a..b`, adds the witness.
    ///
    /// # Errors
    /// What the target lacks; a file that has loaded is not wrong.
    pub fn plan(&self, case: &str, seed: Seed, target: &TargetSpec, registry: &Registry) -> Result<Plan, PlanError> {
        let _ = (case, seed, target, registry);
        todo!()
    }
}

impl Plan {
    /// Reads a planned tree again: what the shrinker does after a cut, and what a replay does with `scenario.toml`.
    ///
    /// # Errors
    /// As [`Scenario::plan`]; a cut may have taken something that another part needs.
    pub fn read(
        id: &str,
        case: &str,
        seed: Seed,
        tree: Located,
        target: &TargetSpec,
        registry: &Registry,
    ) -> Result<Plan, PlanError> {
        let _ = (id, case, seed, tree, target, registry);
        todo!()
    }

    /// The plan as a scenario file in which every range is a point.
    #[must_use]
    pub fn to_toml(&self) -> String {
        crate::document::to_toml(&self.tree)
    }
}
