//! What only the whole can tell: that there is a control and a stimulus, that somebody reads each expectation, that no step waits for ever.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::Trial;
use crate::document::{Located, Mistake, Span};
use crate::part::Part;
use crate::plan::{Expect, FleetPlan, Order, Plan, StepPlan, StepRef};

pub(super) fn plan(plan: &Plan, trial: Trial<'_>) -> Result<(), Mistake> {
    parts(plan)?;
    read_by_someone(plan, trial)?;
    let order = Order::of(plan);
    no_cycle(plan, &order)?;
    bound_before_used(plan, &order)
}

fn parts(plan: &Plan) -> Result<(), Mistake> {
    let has = |part: Part| {
        plan.fleets.iter().any(|fleet| fleet.part == Some(part) || fleet.steps.iter().any(|s| s.part == Some(part)))
    };
    let missing = match (has(Part::Control) || plan.control.is_some(), has(Part::Stimulus)) {
        (true, true) => return Ok(()),
        (false, _) => {
            "no step is part = \"control\": without a legal variant that must succeed, nothing shows that the target works"
        }
        (true, false) => "no step is part = \"stimulus\": nothing says what the attack is",
    };
    Err(Mistake::new(Span::default(), missing))
}

/// An expectation outside a control decides nothing by itself.
fn read_by_someone(plan: &Plan, trial: Trial<'_>) -> Result<(), Mistake> {
    let reads = |expect: &Expect| trial.registry.oracle(&expect.oracle).is_some_and(|oracle| oracle.reads_steps);
    let readers: Vec<&Expect> = plan.expects.iter().filter(|expect| reads(expect)).collect();
    let read = |fleet: &FleetPlan| readers.iter().any(|expect| expect.of.is_empty() || expect.of.contains(&fleet.name));
    for fleet in plan.fleets.iter().filter(|fleet| !read(fleet)) {
        if let Some(place) = fleet.steps.iter().position(decides_something) {
            let at = StepRef { fleet: fleet.index, place: place as u16 };
            let oracles = trial.registry.oracles().filter(|oracle| oracle.reads_steps).map(|oracle| oracle.id);
            let text = format!(
                "no oracle reads what becomes of this step: it is no control, and no [[expect]] of {} reads steps (as {} does)",
                fleet.name,
                oracles.collect::<Vec<_>>().join(", ")
            );
            return Err(Mistake::new(span(plan, at, "any"), text));
        }
    }
    Ok(())
}

/// A step that only awaits something, or an attack with a stated outcome. The answer of a preparing step is a precondition.
fn decides_something(step: &StepPlan) -> bool {
    let attack = step.part == Some(Part::Stimulus) && !step.any.is_empty();
    step.part != Some(Part::Control) && (attack || step.verb == "expect")
}

fn no_cycle(plan: &Plan, order: &Order) -> Result<(), Mistake> {
    let Some(cycle) = order.cycle() else { return Ok(()) };
    let names: Vec<String> = cycle.iter().map(|at| name(plan, *at)).collect();
    let waits = cycle.iter().find(|at| !order.step(plan, **at).after.is_empty()).unwrap_or(&cycle[0]);
    let text = format!("these steps wait for each other for ever: {}", names.join(" <- "));
    Err(Mistake::new(span(plan, *waits, "after"), text))
}

fn bound_before_used(plan: &Plan, order: &Order) -> Result<(), Mistake> {
    for at in order.steps() {
        for (text, id) in &order.step(plan, at).uses {
            let binds = |before: &StepRef| {
                order.step(plan, *before).any.iter().flat_map(|one| &one.bind).any(|(_, bound)| bound == id)
            };
            if !order.before(at).iter().any(binds) {
                let text =
                    format!("{text} is not bound yet when this step runs: wait for the step that binds it, with after");
                return Err(Mistake::new(span(plan, at, "after"), text));
            }
        }
    }
    Ok(())
}

/// A step as people name it: `victim.away`, or `victim step 3`.
fn name(plan: &Plan, at: StepRef) -> String {
    let fleet = &plan.fleets[usize::from(at.fleet)];
    let step = &fleet.steps[usize::from(at.place)];
    match step.mark {
        Some(mark) => plan.marks[usize::from(mark.0)].0.clone(),
        None => format!("{} step {}", fleet.name, step.index),
    }
}

/// Where a step's key stands in the file; the step itself, where it has no such key.
fn span(plan: &Plan, at: StepRef, key: &str) -> Span {
    let fleets = plan.tree.find("fleet").map_or(&[][..], Located::pairs);
    let steps = fleets.get(usize::from(at.fleet)).and_then(|pair| pair.value.find("step"));
    let step = steps.and_then(|steps| steps.items().get(usize::from(at.place)));
    step.map_or(Span::default(), |step| step.find(key).unwrap_or(step).span)
}
