//! After a round on a target that outlives it: what the round has left is taken away, and whether it is gone is asked.
use std::collections::BTreeSet;

use proofhouse_core::judge::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::shared::{CLEARING, Residue, told};
use proofhouse_core::target::TargetSpec;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict};

use super::trial::header;
use crate::Lab;

/// How often it is tried: a clearing that came to nothing because this machine was late says nothing of the target.
const TRIES: u32 = 2;

/// What could not be cleared.
pub(super) struct Rest {
    /// Under which names later trials would meet it.
    pub(super) names: BTreeSet<String>,
    /// Why it is still there.
    pub(super) why: String,
    /// What was seen of the last try.
    pub(super) transcript: Option<Transcript>,
    /// The target broke down meanwhile, although all that it was sent is legal.
    pub(super) broke: bool,
}

/// Clears what this round has left. `None`: nothing is left of it.
pub(super) fn clear(
    plan: &Plan,
    transcript: &Transcript,
    target: &TargetSpec,
    registry: &Registry,
    lab: &mut Lab,
) -> Option<Rest> {
    let residues = registry.protocols.iter().filter_map(|protocol| (protocol.shared.residue)(plan, transcript));
    residues.filter_map(|residue| again(residue, plan, target, registry, lab)).next()
}

fn again(residue: Residue, plan: &Plan, target: &TargetSpec, registry: &Registry, lab: &mut Lab) -> Option<Rest> {
    let mut last = None;
    let mut broke = false;
    for _ in 0..TRIES {
        let (why, transcript) = match play(&residue, plan, target, registry, lab) {
            Ok(outcome) => {
                let why = still_there(&residue, &outcome)?;
                broke = outcome.judgements.iter().any(|judgement| is_breakdown(judgement, registry));
                (why, Some(outcome.transcript))
            }
            Err(why) => (why, None),
        };
        last = Some((why, transcript));
        if broke {
            break; // this is what is shown; the next try would meet nobody
        }
    }
    let (why, transcript) = last.expect("it was tried at least once");
    let some: Vec<&str> = residue.names.iter().map(String::as_str).take(3).collect();
    let why = format!("{} left {} on the target, which could not be cleared: {why}", plan.id, some.join(", "));
    Some(Rest { names: residue.names, why, transcript, broke })
}

fn is_breakdown(judgement: &Judgement, registry: &Registry) -> bool {
    judgement.verdict == Verdict::Fail
        && registry.oracle(&judgement.oracle).is_some_and(|oracle| oracle.kind.is_breakdown())
}

fn play(
    residue: &Residue,
    plan: &Plan,
    target: &TargetSpec,
    registry: &Registry,
    lab: &mut Lab,
) -> Result<Outcome, String> {
    let id = format!("{CLEARING}{}", plan.id);
    let scenario = Scenario::load(&id, &id, &residue.scenario, registry).map_err(|error| error.to_string())?;
    let plan = scenario.plan("", plan.seed, target, registry).map_err(|error| error.to_string())?;
    let transcript = lab.round(&plan, header(&plan, "live", "clearing")).map_err(|error| error.to_string())?;
    let judgements = judge_all(&plan, &transcript, None, registry);
    Ok(Outcome { plan, transcript, control: None, clearing: None, judgements, held: vec![lab.take_memory()] })
}

fn still_there(residue: &Residue, outcome: &Outcome) -> Option<String> {
    match told(&residue.names, &outcome.transcript) {
        Some(name) => Some(format!("the target still answers with {name}")),
        None => (outcome.verdict() != Verdict::Pass).then(|| outcome.reason()),
    }
}
