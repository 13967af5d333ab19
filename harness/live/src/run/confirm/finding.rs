//! What a finding says.
use proofhouse_core::finding::{ENTRIES_MAX, Finding, Standing, level};
use proofhouse_core::plan::Plan;
use proofhouse_core::severity::FindingKind;
use proofhouse_core::target::TargetKind;
use proofhouse_core::verdict::Violation;

use super::counted::Counted;
use crate::run::campaign::{Campaign, Job};
use crate::run::resume::Suspicion;

impl Campaign<'_> {
    /// The finding that a suspicion has become, replays counted.
    pub(super) fn describe(
        &self,
        job: &Job,
        plan: &Plan,
        suspicion: &Suspicion,
        violation: &Violation,
        counted: &Counted,
    ) -> Finding {
        let about = &plan.about;
        let flaws = match &job.target.kind {
            TargetKind::InProcess { flaws, .. } => flaws.clone(),
            _ => Vec::new(),
        };
        Finding {
            format: 1,
            id: suspicion.shown.signature.id(),
            signature: suspicion.shown.signature.clone(),
            verdict: if counted.confirmed { Standing::Confirmed } else { Standing::Suspicion },
            kind: suspicion.shown.kind,
            level: level(suspicion.shown.kind, about.level, suspicion.shown.lesser),
            title: title(suspicion.shown.kind, violation, plan),
            scenario: plan.id.clone(),
            case: plan.case.clone(),
            seed: plan.seed.to_string(),
            target: job.target.name.clone(),
            target_version: self.versions.get(&job.target.name).cloned().unwrap_or_default(),
            target_digest: job.target.digest.clone(),
            flaws,
            oracle: suspicion.shown.oracle.clone(),
            clause: violation.clause.clone(),
            expected: violation.expected.clone(),
            actual: violation.actual.clone(),
            place: violation.place.clone(),
            arm: suspicion.shown.arm,
            replay: counted.repeats(matches!(job.target.kind, TargetKind::InProcess { .. })),
            not_replayed: counted.others.clone(),
            attack: about.attack.clone(),
            guidance: about.guidance.clone(),
            cwe: about.cwe.clone(),
            cvss: about.cvss.clone(),
            entries: violation.entries.iter().copied().take(ENTRIES_MAX).collect(),
        }
    }
}

/// What a finding is called: what was seen, where a rule failed that holds in every scenario; the scenario says what its own rules are
/// about, and would accuse the target of something else.
fn title(kind: FindingKind, violation: &Violation, plan: &Plan) -> String {
    match kind {
        FindingKind::Crash | FindingKind::Hang | FindingKind::Exception | FindingKind::Config => {
            let mut chars = violation.actual.chars();
            chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
        }
        _ => plan.title.clone(),
    }
}
