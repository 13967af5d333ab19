//! First look at a file: which fleets, parties, marks, bound values and canaries it names. Wrong types are left to the second look.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::witness;
use crate::document::{Located, Mistake, Span};
use crate::ids::{BindId, CanaryId, MarkId};

/// The names that a file gives.
#[derive(Default)]
pub(super) struct Names {
    pub(super) fleets: Vec<String>,
    /// Declared ones, then those that fleets bring by their own name, the witness last.
    pub(super) parties: Vec<String>,
    /// `fleet.mark`, and the fleet's place.
    pub(super) marks: Vec<(String, u16)>,
    /// `fleet.name`.
    pub(super) binds: Vec<String>,
    pub(super) canaries: Vec<String>,
}

impl Names {
    pub(super) fn collect(tree: &Located) -> Names {
        let fleets = tree.find("fleet").map_or(&[][..], Located::pairs);
        let mut names = Names { fleets: fleets.iter().map(|pair| pair.key.clone()).collect(), ..Names::default() };
        let declared = tree.find("party").map_or(&[][..], Located::pairs);
        names.parties.extend(declared.iter().map(|pair| pair.key.clone()).filter(|name| name != witness::NAME));
        for (at, pair) in fleets.iter().enumerate() {
            if brings_party(&pair.value) {
                insert(&mut names.parties, pair.key.clone());
            }
            names.steps_of(&pair.key, at as u16, &pair.value);
        }
        names.parties.retain(|name| name != witness::NAME);
        if declared.iter().any(|pair| pair.key == witness::NAME) {
            names.parties.push(witness::NAME.to_string());
        }
        names
    }

    fn steps_of(&mut self, fleet: &str, at: u16, value: &Located) {
        let steps = value.find("step").map_or(&[][..], Located::items);
        for holder in [value].into_iter().chain(steps) {
            if let Some(canary) = holder.find("canary").and_then(Located::text) {
                insert(&mut self.canaries, canary.to_string());
            }
        }
        for step in steps {
            if let Some(mark) = step.find("mark").and_then(Located::text) {
                insert(&mut self.marks, (format!("{fleet}.{mark}"), at));
            }
            let answers = step.find("any").map_or(&[][..], Located::items);
            for answer in [step].into_iter().chain(step.find("expect")).chain(answers) {
                let bound = answer.find("bind").map_or(&[][..], Located::pairs);
                for name in bound.iter().filter_map(|pair| pair.value.text()) {
                    insert(&mut self.binds, format!("{fleet}.{name}"));
                }
            }
        }
    }

    pub(super) fn fleet(&self, name: &str) -> Option<u16> {
        self.fleets.iter().position(|known| known == name).map(|at| at as u16)
    }

    pub(super) fn mark(&self, name: &str, span: Span) -> Result<MarkId, Mistake> {
        let known = || self.marks.iter().map(|(known, _)| known);
        let at = known().position(|known| known == name);
        at.map(|at| MarkId(at as u16)).ok_or_else(|| Mistake::unknown(span, "mark", name, known()))
    }

    pub(super) fn canary(&self, name: &str, span: Span) -> Result<CanaryId, Mistake> {
        let at = self.canaries.iter().position(|known| known == name);
        at.map(|at| CanaryId(at as u16)).ok_or_else(|| Mistake::unknown(span, "canary", name, &self.canaries))
    }

    /// A party by name; `Ok(None)` is nobody.
    pub(super) fn party(&self, name: &str, span: Span) -> Result<Option<u16>, Mistake> {
        if name == NOBODY {
            return Ok(None);
        }
        let at = self.parties.iter().position(|known| known == name);
        let known = || self.parties.iter().map(String::as_str).chain([NOBODY]);
        at.map(|at| Some(at as u16)).ok_or_else(|| Mistake::unknown(span, "party", name, known()))
    }

    /// The bound value that text names: `$watcher.n1.mid`. Text that begins with `$` and names no fleet is text: `$SYS/#`.
    pub(super) fn bind(&self, text: &str, span: Span) -> Result<Option<BindId>, Mistake> {
        let Some(name) = text.strip_prefix('$') else { return Ok(None) };
        if name.split_once('.').is_none_or(|(fleet, _)| self.fleet(fleet).is_none()) {
            return Ok(None);
        }
        let at = self.binds.iter().position(|known| known == name);
        at.map(|at| Some(BindId(at as u16))).ok_or_else(|| Mistake::unknown(span, "bound value", name, &self.binds))
    }
}

/// Plays without credentials.
pub(super) const NOBODY: &str = "nobody";

/// A fleet without `as` plays a party of its own name; who acts on the target or listens for it logs in nowhere.
fn brings_party(fleet: &Located) -> bool {
    let says = |key, word| fleet.find(key).and_then(Located::text) == Some(word);
    fleet.find("as").is_none() && !says("behaviour", "admin") && !says("plays", "server")
}

fn insert<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}
