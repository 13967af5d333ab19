//! One plan run once more, and a plan cut down to what still shows its failure.
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proofhouse_core::document::Located;
use proofhouse_core::finding::Signature;
use proofhouse_core::judge::preconditions::own_doing;
use proofhouse_core::plan::Plan;
use proofhouse_core::recorder::LINGERED;
use proofhouse_core::shrink::shrink;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::transcript::{Event, Transcript};
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::{Judgement, Verdict, Violation};

use super::gate::{self, PROBE};
use super::resume::{self, Shown};
use super::trial::Runner;
use crate::lab::Aside;

/// What running a plan again came to.
pub struct Replay {
    /// Every failure that it shows.
    pub shown: Vec<Shown>,
    /// Everything seen.
    pub outcome: Outcome,
}

impl Replay {
    /// The same failure, where it came again.
    #[must_use]
    pub fn violation(&self, signature: &Signature) -> Option<&Violation> {
        self.shown.iter().find(|shown| shown.signature == *signature).map(|shown| &shown.violation)
    }

    /// What else failed.
    pub fn others<'a>(&'a self, signature: &'a Signature) -> impl Iterator<Item = &'a Shown> {
        self.shown.iter().filter(move |shown| shown.signature != *signature)
    }

    /// Why this replay speaks neither for nor against a failure of `oracle`: the rule came to no answer, and we ourselves stood in its way.
    #[must_use]
    pub fn void(&self, oracle: &str, signature: &Signature) -> Option<String> {
        if self.violation(signature).is_some() || was_judged(&self.outcome.judgements, oracle) {
            return None;
        }
        let Outcome { plan, transcript, control, .. } = &self.outcome;
        let in_control = || control.as_ref().and_then(|control| own_doing(plan, control));
        own_doing(plan, transcript).or_else(in_control)
    }
}

/// Whether a rule came to an answer. Where it did not, that nothing was seen says nothing.
#[must_use]
pub fn was_judged(judgements: &[Judgement], oracle: &str) -> bool {
    let mut own = judgements.iter().filter(|j| j.oracle == oracle).peekable();
    own.peek().is_none() || own.any(|j| matches!(j.verdict, Verdict::Pass | Verdict::Fail))
}

/// Whether a trial failed only after its end, while its target lived on: so must whatever is to show it again.
#[must_use]
pub fn is_late(transcript: &Transcript) -> bool {
    let mark = |event: &Event| matches!(event, Event::Gauge { name, .. } if name == LINGERED);
    transcript.entries.iter().any(|entry| mark(&entry.event))
}

/// Runs `plan` once more in a fresh target. `late`: that lives on for a while afterwards.
///
/// # Errors
/// Why it did not take place: the target did not start, or we ourselves panicked (which has then been printed).
pub fn replay(runner: &Runner<'_>, plan: &Plan, target: &TargetSpec, late: bool) -> Result<Replay, String> {
    let wait: Aside<'_> = &|| {};
    let outcome = catch_unwind(AssertUnwindSafe(|| runner.fresh_aside(plan.clone(), target, late.then_some(wait))));
    let outcome = outcome.map_err(|_| "bug in Proofhouse: it panicked".to_string())?;
    let mut outcome = outcome.map_err(|error| error.to_string())?;
    if let Some(capability) = plan.id.strip_prefix(PROBE) {
        let _ = gate::declaration(capability, target, &mut outcome.judgements, runner.registry);
    }
    let shown = resume::shown(plan.about.kind, &outcome.judgements, runner.registry);
    Ok(Replay { shown, outcome })
}

/// The smallest plan that still shows `signature`, asking at most `budget` times.
#[must_use]
pub fn smallest(
    runner: &Runner<'_>,
    plan: &Plan,
    target: &TargetSpec,
    (signature, late): (&Signature, bool),
    budget: u32,
    stop: &dyn Fn() -> bool,
) -> Plan {
    let asked = Cell::new(0);
    let best = RefCell::new(plan.clone());
    let mut fails = |tree: &Located| {
        asked.set(asked.get() + 1);
        if stop() {
            return false;
        }
        let cut = Plan::read(&plan.id, &plan.case, plan.seed, tree.clone(), target, runner.registry);
        let Ok(cut) = cut else { return false };
        let shown = replay(runner, &cut, target, late).is_ok_and(|again| again.violation(signature).is_some());
        if shown {
            best.replace(cut);
        }
        shown
    };
    let _ = shrink(&plan.tree, budget, &mut fails);
    best.into_inner()
}
