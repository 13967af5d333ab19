//! One trial: (scenario, case, seed, target) -> plan, transcripts, judgements.
use alloc::string::String;
use alloc::vec::Vec;

use crate::budget::Lease;
use crate::plan::Plan;
use crate::transcript::Transcript;
use crate::verdict::{Judgement, Verdict};

/// What came of one trial.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was planned.
    pub plan: Plan,
    /// What was seen.
    pub transcript: Transcript,
    /// What was seen in the control arm, where there is one.
    pub control: Option<Transcript>,
    /// What was seen when something that the trial had left on its target could not be cleared.
    pub clearing: Option<Transcript>,
    /// Every rule's answer.
    pub judgements: Vec<Judgement>,
    /// The memory that the records take, for as long as somebody holds them.
    pub held: Vec<Lease>,
}

impl Outcome {
    /// The worst of the judgements.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::all(self.judgements.iter().map(|j| j.verdict))
    }

    /// One line that says why.
    #[must_use]
    pub fn reason(&self) -> String {
        let verdict = self.verdict();
        self.judgements
            .iter()
            .find(|j| j.verdict == verdict)
            .map(|j| alloc::format!("{}: {}", j.oracle, j.reason))
            .unwrap_or_default()
    }
}
