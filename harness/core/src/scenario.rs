//! A scenario file: who takes part, what they do, what must hold.
//!
//! Planning is one line: choose the [`Case`], add the witness, read every key. Ranges `a..b` are drawn while they are read and their
//! points written back into the tree, so that what is left prints as a scenario and plans to itself.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::document::{self, LoadError, Located, Mistake, Span};
use crate::plan::{About, Plan};
use crate::registry::Registry;
use crate::seed::Seed;
use crate::target::TargetSpec;
use crate::value::Fields;

mod about;
mod alternative;
mod case;
mod check;
mod context;
mod fleet;
mod names;
mod network;
mod party;
mod read;
mod rules;
mod step;
mod witness;
mod written;

#[cfg(test)]
mod tests;

use context::{Stop, Trial};

pub(crate) use party::may as rights;
pub(crate) use read::{capabilities, format};
#[cfg(test)]
pub(crate) use tests::stub_registry;

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
    /// The protocols that it speaks, in the order of its fleets.
    pub protocols: Vec<String>,
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
    /// Unique in the scenario: `5`, `5/1B/nibble-15`; empty where there is one only. What is no matrix has no part in it.
    pub name: String,
    /// Version of the protocol; empty where the scenario names none.
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
        let tree = document::parse(file, text)?;
        let cases = case::matrix(&tree, registry).map_err(|mistake| mistake.locate(file, text))?;
        let mut plans = cases.iter().map(|case| {
            let trial = Trial { id, case: &case.name, seed: Seed(0), target: None, registry };
            planned(&tree, case, trial).map_err(|stop| stop.into_mistake().locate(file, text))
        });
        let Plan { title, about, needs, twins, fleets, .. } = plans.next().expect("a matrix has at least one case")?;
        plans.try_for_each(|plan| plan.map(drop))?;
        let mut protocols: Vec<String> = Vec::new();
        for fleet in fleets {
            if !fleet.protocol.is_empty() && !protocols.contains(&fleet.protocol) {
                protocols.push(fleet.protocol);
            }
        }
        Ok(Scenario {
            id: id.to_string(),
            file: file.to_string(),
            text: text.to_string(),
            tree,
            title,
            about,
            protocols,
            needs,
            twins,
            cases,
        })
    }

    /// Chooses the case, draws every `a..b`, adds the witness.
    ///
    /// # Errors
    /// What the target lacks; a file that has loaded is not wrong.
    pub fn plan(&self, case: &str, seed: Seed, target: &TargetSpec, registry: &Registry) -> Result<Plan, PlanError> {
        let Some(case) = self.cases.iter().find(|row| row.name == case) else {
            return Err(PlanError::Unmet(format!("{} has no case {case:?}", self.id)));
        };
        let trial = Trial { id: &self.id, case: &case.name, seed, target: Some(target), registry };
        planned(&self.tree, case, trial).map_err(|stop| match stop {
            Stop::Wrong(mistake) => PlanError::Load(mistake.locate(&self.file, &self.text)),
            Stop::Unmet(what) => PlanError::Unmet(what),
        })
    }
}

/// Every name that `needs`, `claims` and `lacks` may use, beside `resource.x`.
#[must_use]
pub fn capability_names(registry: &Registry) -> Vec<String> {
    capabilities(registry)
}

fn planned(tree: &Located, case: &Case, trial: Trial<'_>) -> Result<Plan, Stop> {
    let mut tree = tree.clone();
    case::choose(&mut tree, case)?;
    written::out(&mut tree, trial)?;
    witness::add(&mut tree, trial.registry);
    read::plan(tree, trial)
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
        mut tree: Located,
        target: &TargetSpec,
        registry: &Registry,
    ) -> Result<Plan, PlanError> {
        witness::add(&mut tree, registry);
        let trial = Trial { id, case, seed, target: Some(target), registry };
        match read::plan(tree.clone(), trial) {
            Ok(plan) => Ok(plan),
            Err(Stop::Unmet(what)) => Err(PlanError::Unmet(what)),
            Err(Stop::Wrong(mistake)) => Err(PlanError::Load(in_print(mistake, id, &tree, trial))),
        }
    }

    /// The plan as a scenario file in which every range is a point.
    #[must_use]
    pub fn to_toml(&self) -> String {
        document::to_toml(&self.tree)
    }
}

/// A tree has no text to point at, so the mistake is found once more in the tree's own print.
fn in_print(mistake: Mistake, id: &str, tree: &Located, trial: Trial<'_>) -> LoadError {
    let text = document::to_toml(tree);
    let again = document::parse(id, &text).map(|tree| read::plan(tree, trial));
    match again {
        Ok(Err(Stop::Wrong(mistake))) => mistake.locate(id, &text),
        _ => Mistake { span: Span::default(), ..mistake }.locate(id, &text),
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Load(error) => error.fmt(f),
            PlanError::Unmet(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for PlanError {}

impl From<LoadError> for PlanError {
    fn from(error: LoadError) -> PlanError {
        PlanError::Load(error)
    }
}
