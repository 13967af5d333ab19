//! One trial: a plan and a target become transcripts and judgements, in the simulator or over real sockets.
use proofhouse_core::actor::Actor;
use proofhouse_core::oracle::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::{BuildPlan, Registry};
use proofhouse_core::sim;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::{Header, Transcript};
use proofhouse_core::trial::Outcome;

use crate::{LiveOptions, RunError};

/// What every trial of a run shares.
pub struct Runner<'a> {
    /// Everything that is known to this build.
    pub registry: &'a Registry,
    /// How live trials run.
    pub live: LiveOptions,
}

impl Runner<'_> {
    /// Runs a plan, and its control arm where it has one, and judges.
    ///
    /// # Errors
    /// When the target cannot be built, started or reached: says nothing about the target's behaviour.
    pub fn outcome(&self, plan: Plan, target: &TargetSpec) -> Result<Outcome, RunError> {
        let transcript = self.arm(&plan, target, "main")?;
        let control = match plan.control_arm() {
            Some(arm) => Some(self.arm(&arm, target, "control")?),
            None => None,
        };
        let judgements = judge_all(&plan, &transcript, control.as_ref(), self.registry);
        Ok(Outcome { plan, transcript, control, judgements })
    }

    fn arm(&self, plan: &Plan, target: &TargetSpec, arm: &str) -> Result<Transcript, RunError> {
        match &target.kind {
            TargetKind::InProcess { build, flaws } => {
                let actor = self.build(plan, target, build, flaws)?;
                Ok(sim::run(plan, self.registry, actor, header(plan, "sim", arm)))
            }
            TargetKind::Process(_) | TargetKind::Remote => {
                crate::run_live(plan, self.registry, target, header(plan, "live", arm), &self.live)
            }
        }
    }

    fn build(
        &self,
        plan: &Plan,
        target: &TargetSpec,
        build: &str,
        flaws: &[String],
    ) -> Result<Box<dyn Actor>, RunError> {
        let known = self.registry.builds.iter().find(|b| b.name == build);
        let row =
            known.ok_or_else(|| RunError::Build(format!("unknown build {build:?} in target {:?}", target.name)))?;
        let claims = &target.endpoints[0].claims;
        let seed = plan.seed.child("target", 0);
        (row.build)(&BuildPlan { plan, claims, flaws, seed }).map_err(RunError::Build)
    }
}

fn header(plan: &Plan, clock: &str, arm: &str) -> Header {
    Header {
        format: proofhouse_core::transcript::FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: plan.target.clone(),
        clock: clock.into(),
        arm: arm.into(),
    }
}
