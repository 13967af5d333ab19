//! What a run says about published guidance: each recommendation tested with a verdict, not tested, or not decidable on the wire.
use std::collections::BTreeMap;

use proofhouse_core::guidance::{Row, Wire};
use proofhouse_core::verdict::Verdict;

use crate::run::Run;

/// One principle and its recommendations, in the catalogue's order.
#[derive(Clone, Debug)]
pub struct Principle<'a> {
    /// As the catalogue names it.
    pub name: &'a str,
    /// Its recommendations.
    pub rows: Vec<Covered<'a>>,
}

/// One recommendation.
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    /// The recommendation.
    pub row: &'a Row,
    /// What was found out.
    pub state: State,
    /// How many trials say so.
    pub trials: usize,
    /// Scenarios that serve it, of those that ran.
    pub scenarios: Vec<&'a str>,
}

/// What a run says about a recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Tested; the worst verdict of its trials.
    Tested(Verdict),
    /// No trial of this run serves it.
    NotTested,
    /// No test that speaks a protocol can decide it: managed as evidence, never shown as tested.
    OffWire,
}

/// All principles.
#[must_use]
pub fn coverage(run: &Run) -> Vec<Principle<'_>> {
    let mut verdicts: BTreeMap<&str, (Vec<Verdict>, Vec<&str>)> = BTreeMap::new();
    for trial in &run.results.trials {
        let Some((id, scene)) = run.scenes.get_key_value(&trial.scenario) else { continue };
        for row in &scene.guidance {
            let of = verdicts.entry(row).or_default();
            of.0.push(trial.verdict);
            if !of.1.contains(&id.as_str()) {
                of.1.push(id);
            }
        }
    }
    let mut all: Vec<Principle<'_>> = Vec::new();
    for row in &run.guidance {
        let (seen, scenarios) = verdicts.remove(row.id.as_str()).unwrap_or_default();
        let state = match row.wire {
            Wire::No => State::OffWire,
            _ if seen.is_empty() => State::NotTested,
            _ => State::Tested(Verdict::all(seen.iter().copied())),
        };
        let covered = Covered { row, state, trials: seen.len(), scenarios };
        match all.last_mut().filter(|principle| principle.name == row.principle) {
            Some(principle) => principle.rows.push(covered),
            None => all.push(Principle { name: &row.principle, rows: vec![covered] }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn state(run: &Run, id: &str) -> State {
        let all = coverage(run);
        all.iter().flat_map(|p| &p.rows).find(|c| c.row.id == id).expect(id).state
    }

    #[test]
    fn a_row_is_as_good_as_its_worst_trial() {
        let run = samples::run();
        assert_eq!(state(&run, "HRD-1"), State::Tested(Verdict::Fail));
        assert_eq!(state(&run, "AUTH-1"), State::Tested(Verdict::Pass));
        assert_eq!(state(&run, "ENC-1"), State::NotTested);
    }

    #[test]
    fn what_the_wire_cannot_decide_is_never_shown_as_tested() {
        let mut run = samples::run();
        for scene in run.scenes.values_mut() {
            scene.guidance.push("PHY-1".into());
        }
        assert_eq!(state(&run, "PHY-1"), State::OffWire);
    }

    #[test]
    fn the_catalogue_has_nineteen_principles_and_none_is_lost() {
        let run = samples::run();
        let all = coverage(&run);
        assert_eq!((all.len(), all.iter().map(|p| p.rows.len()).sum::<usize>()), (19, 58));
    }
}
