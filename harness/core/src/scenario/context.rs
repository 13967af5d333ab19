//! What every part of the reader needs: the trial that is planned, and the names that the file gives.
use alloc::string::String;
use alloc::vec::Vec;

use super::names::Names;
use super::network::Links;
use crate::document::{Mistake, Span};
use crate::protocol::Protocol;
use crate::registry::Registry;
use crate::seed::Seed;
use crate::target::TargetSpec;
use crate::value::Value;

/// Which trial is planned.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) id: &'a str,
    pub(super) case: &'a str,
    pub(super) seed: Seed,
    /// `None`: a target that has everything, to see whether the file is right.
    pub(super) target: Option<&'a TargetSpec>,
    pub(super) registry: &'a Registry,
}

/// The trial, and what the head of the file says for everyone.
pub(super) struct Context<'a> {
    pub(super) trial: Trial<'a>,
    pub(super) names: Names,
    /// Default protocol of the fleets; may be empty.
    pub(super) protocol: String,
    /// Default version; may be empty.
    pub(super) version: String,
    pub(super) links: Links,
}

/// Why there is no plan.
pub(super) enum Stop {
    Wrong(Mistake),
    Unmet(String),
}

impl Stop {
    pub(super) fn into_mistake(self) -> Mistake {
        match self {
            Stop::Wrong(mistake) => mistake,
            Stop::Unmet(what) => Mistake::new(Span::default(), what),
        }
    }
}

impl From<Mistake> for Stop {
    fn from(mistake: Mistake) -> Stop {
        Stop::Wrong(mistake)
    }
}

impl<'a> Context<'a> {
    pub(super) fn find_protocol(&self, name: &str, span: Span) -> Result<&'a Protocol, Mistake> {
        let known = self.trial.registry.protocols.iter().map(|protocol| protocol.name);
        self.trial.registry.protocol(name).ok_or_else(|| Mistake::unknown(span, "protocol", name, known))
    }

    /// Checks names of fleets.
    pub(super) fn fleets(&self, names: &[(String, Span)]) -> Result<Vec<String>, Mistake> {
        let check = |(name, span): &(String, Span)| match self.names.fleet(name) {
            Some(_) => Ok(name.clone()),
            None => Err(Mistake::unknown(*span, "fleet", name, &self.names.fleets)),
        };
        names.iter().map(check).collect()
    }

    /// Checks the names of fleets and canaries that a row's key holds; `at` is `fleet` or `fleet:filter`.
    pub(super) fn check_names(&self, key: &str, value: &Value, span: Span) -> Result<(), Mistake> {
        for text in value.as_slice().iter().filter_map(Value::as_text) {
            match key {
                "canary" | "told" => drop(self.names.canary(text, span)?),
                "at" => drop(self.fleets(&[(place(text).into(), span)])?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The fleet of a place `fleet[:filter]`.
pub(super) fn place(at: &str) -> &str {
    at.split_once(':').map_or(at, |(fleet, _)| fleet)
}
