//! Test verdicts and how they combine: the worst wins, and a fold over nothing is inconclusive.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::EntryId;

/// What a rule, a trial or a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The neutral element of the fold: declared absent, and the attempt to refute that failed.
    NotApplicable,
    /// The rule held, its control worked and its stimulus arrived.
    Pass,
    /// Could not be decided.
    Inconclusive,
    /// The trial did not take place.
    NotRun,
    /// The harness itself failed.
    Error,
    /// The rule was broken.
    Fail,
}

impl Verdict {
    /// The worse of two: FAIL > ERROR > NOT_RUN > INCONCLUSIVE > PASS, NOT_APPLICABLE neutral.
    #[must_use]
    pub fn and(self, other: Verdict) -> Verdict {
        if self.rank() >= other.rank() { self } else { other }
    }

    /// The fold of many; INCONCLUSIVE over nothing.
    pub fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().reduce(Verdict::and).unwrap_or(Verdict::Inconclusive)
    }

    fn rank(self) -> u8 {
        match self {
            Verdict::NotApplicable => 0,
            Verdict::Pass => 1,
            Verdict::Inconclusive => 2,
            Verdict::NotRun => 3,
            Verdict::Error => 4,
            Verdict::Fail => 5,
        }
    }

    /// As files write it: `not_applicable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::NotApplicable => "not_applicable",
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotRun => "not_run",
            Verdict::Error => "error",
            Verdict::Fail => "fail",
        }
    }
}

/// One breach of a rule, with what shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// What the rule demands.
    pub expected: String,
    /// What was seen.
    pub actual: String,
    /// The clause that demands it, as `MQTT5 3.1.4-3`; empty where only a policy does.
    pub clause: String,
    /// Where, in the target's own terms: packet type and session state, or type and frame of a stack trace. Part of the signature:
    /// never a seed, address, port, time, or a message.
    pub place: String,
    /// The entries that show it; never empty.
    pub entries: Vec<EntryId>,
    /// It weighs one step less than its scenario says: it rests on nothing but a time that we chose, where a target that is slow and right
    /// looks alike, or on a clause that is advice (SHOULD).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub lesser: bool,
}

/// Which of a trial's two runs: the attack, or the same without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The trial itself.
    #[default]
    Main,
    /// The second arm, which shows what the first is compared with.
    Control,
}

impl Arm {
    /// For serde: the main arm is not written.
    #[must_use]
    pub fn is_main(&self) -> bool {
        *self == Arm::Main
    }
}

/// One rule's answer for one run. Built from entries only: there is no other constructor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Id of the oracle.
    pub oracle: String,
    /// The arm whose transcript its entries are of.
    #[serde(default, skip_serializing_if = "Arm::is_main")]
    pub arm: Arm,
    /// Its answer.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// The entries on which a PASS rests.
    pub evidence: Vec<EntryId>,
    /// What was broken; not empty exactly for a FAIL.
    pub violations: Vec<Violation>,
    /// What was seen and breaks no rule, yet is worth an eye: exceptions that the target caught and logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// For a model: how often each of its rules was armed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub armed: Vec<crate::model::Armed>,
}

impl Judgement {
    /// The rule held; `evidence` is what was evaluated. Nothing evaluated is INCONCLUSIVE, not PASS.
    #[must_use]
    pub fn pass(oracle: &str, evidence: Vec<EntryId>, reason: impl Into<String>) -> Judgement {
        if evidence.is_empty() {
            return Judgement::inconclusive(oracle, "nothing was evaluated");
        }
        Judgement {
            oracle: oracle.to_string(),
            arm: Arm::Main,
            verdict: Verdict::Pass,
            reason: reason.into(),
            evidence,
            violations: Vec::new(),
            remarks: Vec::new(),
            armed: Vec::new(),
        }
    }

    /// The rule was broken. Each violation shows at least one entry.
    ///
    /// # Panics
    /// When there is no violation, or one shows no entry: a failure without evidence is our own mistake.
    #[must_use]
    pub fn fail(oracle: &str, violations: Vec<Violation>) -> Judgement {
        assert!(!violations.is_empty(), "{oracle}: a FAIL without a violation");
        assert!(
            violations.iter().all(|v| !v.entries.is_empty()),
            "{oracle}: a violation without an entry: {violations:?}"
        );
        let reason = violations[0].actual.clone();
        let (oracle, arm, verdict) = (oracle.to_string(), Arm::Main, Verdict::Fail);
        Judgement {
            oracle,
            arm,
            verdict,
            reason,
            evidence: Vec::new(),
            violations,
            remarks: Vec::new(),
            armed: Vec::new(),
        }
    }

    /// The same, with what was seen beside it.
    #[must_use]
    pub fn remarking(mut self, remarks: Vec<String>) -> Judgement {
        self.remarks = remarks;
        self
    }

    /// FAIL by what has its whole weight and by what weighs less, in that order.
    ///
    /// # Panics
    /// As [`Judgement::fail`], where both are empty.
    #[must_use]
    pub fn fail_by(oracle: &str, whole: Vec<Violation>, less: Vec<Violation>) -> Judgement {
        let less = less.into_iter().map(|violation| Violation { lesser: true, ..violation });
        Judgement::fail(oracle, whole.into_iter().chain(less).collect())
    }

    /// A FAIL, and by nothing that has its whole weight.
    #[must_use]
    pub fn is_lesser(&self) -> bool {
        !self.violations.is_empty() && self.violations.iter().all(|violation| violation.lesser)
    }

    /// There is nothing to judge, and the entries show it.
    #[must_use]
    pub fn not_applicable(oracle: &str, evidence: Vec<EntryId>, reason: impl Into<String>) -> Judgement {
        Judgement { verdict: Verdict::NotApplicable, evidence, ..Judgement::inconclusive(oracle, reason) }
    }

    /// The rule could not be decided.
    #[must_use]
    pub fn inconclusive(oracle: &str, reason: impl Into<String>) -> Judgement {
        Judgement {
            oracle: oracle.to_string(),
            arm: Arm::Main,
            verdict: Verdict::Inconclusive,
            reason: reason.into(),
            evidence: Vec::new(),
            violations: Vec::new(),
            remarks: Vec::new(),
            armed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Verdict; 6] =
        [Verdict::NotApplicable, Verdict::Pass, Verdict::Inconclusive, Verdict::NotRun, Verdict::Error, Verdict::Fail];

    fn any() -> impl Strategy<Value = Verdict> {
        proptest::sample::select(ALL.to_vec())
    }

    proptest! {
        #[test]
        fn and_is_associative_commutative_and_idempotent(a in any(), b in any(), c in any()) {
            prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
            prop_assert_eq!(a.and(b), b.and(a));
            prop_assert_eq!(a.and(a), a);
        }

        #[test]
        fn not_applicable_is_neutral(a in any()) {
            prop_assert_eq!(a.and(Verdict::NotApplicable), a);
        }

        #[test]
        fn adding_a_fail_never_improves(all in proptest::collection::vec(any(), 0..8)) {
            prop_assert_eq!(Verdict::all(all.into_iter().chain([Verdict::Fail])), Verdict::Fail);
        }
    }

    #[test]
    fn a_fold_over_nothing_is_inconclusive() {
        assert_eq!(Verdict::all([]), Verdict::Inconclusive);
    }

    #[test]
    fn a_pass_without_evidence_is_inconclusive() {
        assert_eq!(Judgement::pass("x", Vec::new(), "fine").verdict, Verdict::Inconclusive);
        assert_eq!(Judgement::pass("x", alloc::vec![EntryId(0)], "fine").verdict, Verdict::Pass);
    }
}
