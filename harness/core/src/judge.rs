//! The judging loop: asks every rule of a plan, and asks first what any PASS rests on ([`preconditions`]): the legal variant worked, the
//! attack reached the target, the witness was served afterwards. What stands in the way of a failure, our own lateness or a broken
//! control, makes it INCONCLUSIVE.
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::ids::EntryId;
use crate::model::Armed;
use crate::oracle::lateness::Lateness;
use crate::oracle::rule::Oracle;
use crate::oracle::{never_at, no_crash, no_hang, no_unhandled_exception};
use crate::plan::{Expect, Plan};
use crate::registry::Registry;
use crate::severity::FindingKind;
use crate::transcript::Transcript;
use crate::value::Fields;
use crate::verdict::{Arm, Judgement, Verdict, Violation};

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
                arming(oracle, expect, plan, tempered(oracle, expect, judgement, &preconditions))
            }
            None => Judgement::inconclusive(&expect.oracle, "this build knows no such oracle"),
        });
    }
    all.extend(unasked(plan, transcript, &preconditions, &lateness));
    all.extend(registry.models(plan).filter_map(|model| by_model(model, plan, transcript)));
    if let Some((which, entry)) = preconditions::announced_limit(plan, transcript, registry) {
        beyond(&which, entry, &mut all, registry);
    }
    all.extend(control.iter().flat_map(|arm| in_control_arm(plan, arm)));
    all
}

/// Where we were stopped for long in a trial, the deadlines in it may have been ours. A target that ended has done so by itself, and what
/// came where it may never come did come.
fn excused(oracle: &Oracle, judgement: Judgement, lateness: &Lateness) -> Judgement {
    let stands = oracle.kind == FindingKind::Crash || oracle.id == never_at::ORACLE.id;
    if judgement.verdict != Verdict::Fail || stands {
        return judgement;
    }
    match lateness.stopped() {
        Some(long) => {
            let reason = format!("{}; but we ourselves were stopped for {} ms", judgement.reason, long.as_millis());
            Judgement::inconclusive(oracle.id, reason).remarking(judgement.remarks)
        }
        None => judgement,
    }
}

/// The second arm sends what is legal only; a target that ends, hangs or throws there has done so all the same, with that arm as its
/// evidence. What it passes there is no answer to the attack, and is left out.
fn in_control_arm(plan: &Plan, control: &Transcript) -> Vec<Judgement> {
    let arm = plan.control_arm().unwrap_or_else(|| plan.clone());
    let lateness = Lateness::of(control);
    let judge = |oracle: &Oracle| {
        let asked = plan.expects.iter().find(|expect| expect.oracle == oracle.id).cloned();
        let expect = asked.unwrap_or_else(|| plain(oracle));
        let mut judgement = excused(oracle, (oracle.judge)(&expect, &arm, control), &lateness);
        judgement.arm = Arm::Control;
        judgement.reason += ", in the control arm";
        for violation in &mut judgement.violations {
            violation.actual += ", in the control arm";
            if violation.place.ends_with(&plan.stimulus()) {
                violation.place += " without its attack";
            }
        }
        judgement
    };
    let failed = |judgement: &Judgement| judgement.verdict == Verdict::Fail;
    let breakdowns = [&no_crash::ORACLE, &no_hang::ORACLE, &no_unhandled_exception::ORACLE];
    breakdowns.into_iter().map(judge).filter(failed).collect()
}

/// A rule as it is asked where no scenario says how.
fn plain(oracle: &Oracle) -> Expect {
    Expect { oracle: oracle.id.to_string(), of: Vec::new(), keys: Fields::default() }
}

/// The attack, or its control, needs more than the target has announced: there is nothing to judge, but what stands by itself.
fn beyond(which: &str, entry: EntryId, all: &mut Vec<Judgement>, registry: &Registry) {
    let stands = |judgement: &Judgement| registry.oracle(&judgement.oracle).is_some_and(Oracle::needs_no_control);
    all.retain(|judgement| judgement.verdict == Verdict::Fail && stands(judgement));
    let reason = format!("the target announces a limit that this needs more than: {which}");
    all.push(Judgement::not_applicable(preconditions::ID, alloc::vec![entry], reason));
}

/// A failure without its control is a suspicion: the legal variant may have failed for the same reason. So is one about an attack
/// that was not sent, and one that may only be what the record had no room for.
fn tempered(oracle: &Oracle, expect: &Expect, judgement: Judgement, preconditions: &Preconditions) -> Judgement {
    if judgement.verdict != Verdict::Fail || oracle.stands_alone() {
        return judgement;
    }
    let unsure = if let Some(gap) = preconditions.unsent(&expect.of) {
        format!("nothing of the attack was sent: {gap}")
    } else if let (Some(broken), false) = (preconditions.broken_control(), oracle.needs_no_control()) {
        format!("its control failed: {broken}")
    } else if preconditions.record_was_full() && !oracle.needs_no_control() {
        "the record was full before the trial was over".to_string()
    } else {
        return judgement;
    };
    Judgement::inconclusive(oracle.id, format!("{}; but {unsure}", judgement.reason)).remarking(judgement.remarks)
}

/// A rule that cites the clause of its scenario has armed it where it came to a decision.
fn arming(oracle: &Oracle, expect: &Expect, plan: &Plan, mut judgement: Judgement) -> Judgement {
    let decided = matches!(judgement.verdict, Verdict::Pass | Verdict::Fail);
    let clause = expect.clause(plan);
    if decided && judgement.armed.is_empty() && oracle.keys.iter().any(|key| key.name == "clause") && !clause.is_empty()
    {
        let broken = u32::from(judgement.verdict == Verdict::Fail);
        let rule = oracle.id.to_string();
        judgement.armed.push(Armed { rule, clauses: alloc::vec![clause], must: 1, broken, ..Armed::default() });
    }
    judgement
}

/// The whole standard is asked of every trial, whatever its scenario is about: what was armed is counted, and what looks wrong is a remark.
/// A model convicts only where a scenario names it. `None` where it had nothing to say.
fn by_model(model: &Oracle, plan: &Plan, transcript: &Transcript) -> Option<Judgement> {
    if plan.expects.iter().any(|expect| expect.oracle == model.id) {
        return None;
    }
    let told = (model.judge)(&plain(model), plan, transcript);
    let remark = |breach: &Violation| format!("{} {} [{}]: {}", model.id, breach.place, breach.clause, breach.actual);
    let remarks = told.violations.iter().map(remark).collect();
    let counted = Judgement::not_applicable(model.id, told.evidence, "counted: no scenario asked for a verdict");
    (!told.armed.is_empty()).then_some(Judgement { armed: told.armed, remarks, ..counted })
}

/// An unhandled exception in the log is never ignored, also where no scenario asks for it; nor is what was remarked about handled ones.
fn unasked(
    plan: &Plan,
    transcript: &Transcript,
    preconditions: &Preconditions,
    lateness: &Lateness,
) -> Option<Judgement> {
    let oracle = &no_unhandled_exception::ORACLE;
    if plan.expects.iter().any(|expect| expect.oracle == oracle.id) {
        return None;
    }
    let expect = plain(oracle);
    let judgement = excused(oracle, (oracle.judge)(&expect, plan, transcript), lateness);
    let judgement = tempered(oracle, &expect, judgement, preconditions);
    (judgement.verdict == Verdict::Fail || !judgement.remarks.is_empty()).then_some(judgement)
}
