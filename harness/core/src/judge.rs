//! The judging loop: asks every rule of a plan, and asks first what any PASS rests on ([`preconditions`]): the legal variant worked, the
//! attack reached the target, the witness was served afterwards. What stands in the way of a failure, our own lateness or a broken
//! control, makes it INCONCLUSIVE.
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::oracle::lateness::Lateness;
use crate::oracle::rule::Oracle;
use crate::oracle::{no_crash, no_unhandled_exception};
use crate::plan::{Expect, Plan};
use crate::registry::Registry;
use crate::severity::FindingKind;
use crate::transcript::Transcript;
use crate::value::Fields;
use crate::verdict::{Judgement, Verdict};

pub mod preconditions;

use preconditions::Preconditions;

/// Judges a trial: the preconditions of any PASS (controls met, stimulus reached the target, witness served afterwards),
/// and every expectation of the plan, the generic ones included. The first judgement is that of the preconditions.
#[must_use]
pub fn judge_all(
    plan: &Plan,
    transcript: &Transcript,
    control: Option<&Transcript>,
    registry: &Registry,
) -> Vec<Judgement> {
    let preconditions = preconditions::check(plan, transcript, control, registry);
    let lateness = Lateness::of(transcript);
    let mut all = alloc::vec![preconditions.judgement()];
    let mut asked: Vec<&Expect> = Vec::new();
    for expect in &plan.expects {
        if asked.contains(&expect) {
            continue;
        }
        asked.push(expect);
        all.push(match registry.oracle(&expect.oracle) {
            Some(oracle) => {
                let judgement = excused(oracle, (oracle.judge)(expect, plan, transcript), &lateness);
                tempered(oracle, judgement, &preconditions)
            }
            None => Judgement::inconclusive(&expect.oracle, "this build knows no such oracle"),
        });
    }
    all.extend(unasked(plan, transcript));
    if let Some(crash) = control.and_then(|arm| no_crash::in_control_arm(transcript, arm)) {
        match all.iter_mut().find(|judgement| judgement.oracle == crash.oracle) {
            Some(judgement) if judgement.verdict != Verdict::Fail => *judgement = crash,
            Some(_) => {}
            None => all.push(crash),
        }
    }
    all
}

/// Where we were stopped before the last thing that a failure rests on, its deadlines may have been ours: only a target that ended has
/// done so by itself.
fn excused(oracle: &Oracle, judgement: Judgement, lateness: &Lateness) -> Judgement {
    if judgement.verdict != Verdict::Fail || oracle.kind == FindingKind::Crash {
        return judgement;
    }
    match lateness.stopped() {
        Some(long) => {
            let reason = format!("{}; but we ourselves were stopped for {} ms", judgement.reason, long.as_millis());
            Judgement::inconclusive(oracle.id, reason)
        }
        None => judgement,
    }
}

/// A failure without its control is a suspicion: the legal variant may have failed for the same reason.
fn tempered(oracle: &Oracle, judgement: Judgement, preconditions: &Preconditions) -> Judgement {
    match preconditions.broken_control() {
        Some(broken) if judgement.verdict == Verdict::Fail && !oracle.stands_alone() => {
            Judgement::inconclusive(oracle.id, format!("{}; but its control failed: {broken}", judgement.reason))
        }
        _ => judgement,
    }
}

/// An unhandled exception in the log is never ignored, also where no scenario asks for it.
fn unasked(plan: &Plan, transcript: &Transcript) -> Option<Judgement> {
    let oracle = &no_unhandled_exception::ORACLE;
    if plan.expects.iter().any(|expect| expect.oracle == oracle.id) {
        return None;
    }
    let expect = Expect { oracle: oracle.id.to_string(), of: Vec::new(), keys: Fields::default() };
    Some((oracle.judge)(&expect, plan, transcript)).filter(|judgement| judgement.verdict == Verdict::Fail)
}
