//! The simulator: virtual clock, one event queue, bytes in a recycled slab. Same plan and seed, same transcript bytes.
use alloc::boxed::Box;

use crate::actor::Actor;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::transcript::{Header, Transcript};

/// Runs a plan against an in-process target.
#[must_use]
pub fn run(plan: &Plan, registry: &Registry, target: Box<dyn Actor>, header: Header) -> Transcript {
    let _ = (plan, registry, target, header);
    todo!()
}
