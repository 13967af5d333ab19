//! Which step runs before which: the order within a script, and marks between scripts.
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{MarkId, Plan, StepPlan};

/// A step of a plan: place of the fleet, and place in its script (not the step's index, which has gaps after a cut).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepRef {
    /// Place in [`Plan::fleets`].
    pub fleet: u16,
    /// Place in the fleet's steps.
    pub place: u16,
}

/// What each step waits for.
pub struct Order {
    waits: BTreeMap<StepRef, Vec<StepRef>>,
}

impl Order {
    /// The order of a plan's steps.
    #[must_use]
    pub fn of(plan: &Plan) -> Order {
        let mut setters: BTreeMap<MarkId, StepRef> = BTreeMap::new();
        for (at, step) in all(plan) {
            if let Some(mark) = step.mark {
                setters.insert(mark, at);
            }
        }
        let waits = all(plan).map(|(at, step)| {
            let earlier = at.place.checked_sub(1).map(|place| StepRef { place, ..at });
            let marks = step.after.iter().filter_map(|mark| setters.get(mark).copied());
            (at, earlier.into_iter().chain(marks).collect())
        });
        Order { waits: waits.collect() }
    }

    /// Every step, fleet by fleet.
    pub fn steps(&self) -> impl Iterator<Item = StepRef> + '_ {
        self.waits.keys().copied()
    }

    /// The step at a place.
    #[must_use]
    pub fn step<'p>(&self, plan: &'p Plan, at: StepRef) -> &'p StepPlan {
        &plan.fleets[usize::from(at.fleet)].steps[usize::from(at.place)]
    }

    /// What a step waits for directly: the step before it in its script, and those whose marks it names.
    #[must_use]
    pub fn waits(&self, at: StepRef) -> &[StepRef] {
        self.waits.get(&at).map_or(&[], Vec::as_slice)
    }

    /// Every step that is over when `at` begins.
    #[must_use]
    pub fn before(&self, at: StepRef) -> Vec<StepRef> {
        let mut seen: Vec<StepRef> = Vec::new();
        let mut open = self.waits(at).to_vec();
        while let Some(next) = open.pop() {
            if !seen.contains(&next) {
                seen.push(next);
                open.extend(self.waits(next));
            }
        }
        seen
    }

    /// Steps that wait for each other for ever: each for the next, the last for the first.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<StepRef>> {
        let mut done: BTreeMap<StepRef, ()> = BTreeMap::new();
        for start in self.steps() {
            // Depth first without recursion: the path, and how many of each step's waits were followed.
            let mut path: Vec<(StepRef, usize)> = vec![(start, 0)];
            while let Some((at, followed)) = path.last_mut() {
                let at = *at;
                let next = self.waits(at).get(*followed).copied();
                *followed += 1;
                match next {
                    None => {
                        done.insert(at, ());
                        path.pop();
                    }
                    Some(next) if done.contains_key(&next) => {}
                    Some(next) => match path.iter().position(|(on, _)| *on == next) {
                        Some(from) => return Some(path[from..].iter().map(|(on, _)| *on).collect()),
                        None => path.push((next, 0)),
                    },
                }
            }
        }
        None
    }
}

fn all(plan: &Plan) -> impl Iterator<Item = (StepRef, &StepPlan)> {
    plan.fleets.iter().enumerate().flat_map(|(fleet, of)| {
        let at = move |place: usize| StepRef { fleet: fleet as u16, place: place as u16 };
        of.steps.iter().enumerate().map(move |(place, step)| (at(place), step))
    })
}
