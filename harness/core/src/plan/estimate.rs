//! How long a plan lasts, before it runs.
use alloc::collections::BTreeMap;

use super::{FleetPlan, Order, Plan, StepPlan, StepRef};
use crate::spread::{self, Spread};
use crate::time::Duration;
use crate::value::Value;

/// The time in which any target answers or closes at once, as `expect` grants it by default.
const ANSWER: Duration = Duration::from_secs(5);

/// A scenario that lasts longer than this is called slow.
const SLOW: Duration = Duration::from_secs(10);

impl Plan {
    /// How long the plan lasts in the good case: answers come at once, so only what the plan itself waits for counts.
    ///
    /// - A script: waits, `at`, and the longest silence of each step, along the longest chain of steps and marks, after its ramp.
    ///   A close that may take longer than an answer counts in full: there the target's own deadline is what is awaited.
    /// - Any other behaviour: `for`, or `every` times `messages`, after its ramp; nothing where it has neither.
    /// - The longest `window` of an oracle comes on top.
    ///
    /// Never more than `limit`.
    #[must_use]
    pub fn duration_estimate(&self) -> Duration {
        let order = Order::of(self);
        let mut ends = BTreeMap::new();
        let scripts = order.steps().map(|at| end(self, &order, at, &mut ends)).max().unwrap_or_default();
        let others = self.fleets.iter().filter(|fleet| fleet.steps.is_empty()).map(behaviour).max().unwrap_or_default();
        let windows = self.expects.iter().filter_map(|expect| expect.keys.text("window"));
        let window = windows.filter_map(|text| spread::duration(text).ok()).max().unwrap_or_default();
        scripts.max(others).saturating_add(window).min(self.limit)
    }

    /// Whether the plan lasts longer than 10 s.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.duration_estimate() > SLOW
    }
}

/// When a step ends: the latest of what it waits for, then its own time. The order has no cycle: the loader has seen to that.
fn end(plan: &Plan, order: &Order, at: StepRef, ends: &mut BTreeMap<StepRef, Duration>) -> Duration {
    let mut open = alloc::vec![at];
    while let Some(next) = open.last().copied() {
        let waits = order.waits(next);
        match waits.iter().find(|before| !ends.contains_key(before)) {
            Some(before) => open.push(*before),
            None => {
                let ramp = plan.fleets[usize::from(next.fleet)].ramp;
                let begin = waits.iter().map(|before| ends[before]).max().unwrap_or_default().max(ramp);
                ends.insert(next, own(order.step(plan, next), begin));
                open.pop();
            }
        }
    }
    ends[&at]
}

fn own(step: &StepPlan, begin: Duration) -> Duration {
    if step.skip {
        return begin;
    }
    let silence = step.any.iter().filter_map(|one| one.silence).max().unwrap_or_default();
    let deadline = step.any.iter().any(|one| one.closed) && step.within > ANSWER;
    let awaited = if deadline { step.within } else { silence };
    begin.max(step.at.unwrap_or_default()).saturating_add(step.wait).saturating_add(awaited)
}

fn behaviour(fleet: &FleetPlan) -> Duration {
    let whole = fleet.duration("for", Duration::ZERO).most();
    let every = fleet.duration("every", Duration::ZERO).most();
    let messages = fleet.keys.find("messages").and_then(|value: &Value| spread::numbers(value).ok());
    let messages = messages.as_ref().map_or(0, Spread::most);
    let paced = every.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX));
    fleet.ramp.saturating_add(if whole.is_zero() { paced } else { whole })
}
