//! What findings and verdicts mean for the exit code. None of this changes a verdict.
use std::collections::BTreeMap;

use proofhouse_core::finding::{Finding, Standing};
use proofhouse_core::results::Results;
use proofhouse_core::target::Known;
use proofhouse_core::verdict::Verdict;
use proofhouse_report::run::{Found, Spared};

use crate::asked::Asked;
use crate::exit_code::ExitCode;

/// Findings that target files accept, by the target's name.
pub type Accepted = BTreeMap<String, Vec<Known>>;

/// Why a finding does not move the exit code. An acceptance counts if it had not run out when the run began, so that a report
/// says later what the run said.
pub fn spared(finding: &Finding, asked: &Asked, accepted: &Accepted) -> Option<Spared> {
    if finding.verdict == Standing::Suspicion {
        return Some(Spared::Suspicion);
    }
    if !asked.fail_on.counts(finding.level) {
        return Some(Spared::Level(finding.level));
    }
    if asked.baseline.contains(&finding.signature) {
        return Some(Spared::Baseline);
    }
    let today = asked.began.get(..10).unwrap_or_default();
    let known = accepted.get(&finding.target)?.iter().find(|k| k.signature == finding.signature)?;
    match &known.until {
        Some(until) if until.as_str() < today => None,
        _ => Some(Spared::Accepted(known.reason.clone())),
    }
}

/// What the run comes to.
pub fn exit_code(results: &Results, findings: &[Found], interrupted: bool) -> ExitCode {
    let ran = |verdict| results.count(verdict) > 0;
    if findings.iter().any(|f| f.spared.is_none()) {
        ExitCode::Findings
    } else if ran(Verdict::Error) {
        ExitCode::Bug
    } else if interrupted {
        ExitCode::Interrupted
    } else if ran(Verdict::Inconclusive) || ran(Verdict::NotRun) || ran(Verdict::Fail) && findings.is_empty() {
        ExitCode::Undecided
    } else {
        ExitCode::Fine
    }
}
