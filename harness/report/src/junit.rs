//! `junit.xml`: one suite per target, one case per (scenario, case), for the test pages of CI servers.
//!
//! JUnit knows four ends of a test; a trial knows six. What a CI user would expect:
//!
//! | trial | JUnit | why |
//! |---|---|---|
//! | pass | (nothing) | |
//! | fail, a finding counts for `--fail-on` | `failure` | the job is red (exit 100), and so is the test |
//! | fail, every finding is below `--fail-on`, in the baseline or accepted | `skipped` | the job is not red because of it; the finding stays on the page, with its number and the reason why it does not count |
//! | inconclusive, a suspicion too | `error` | it ran and nobody knows: that is no pass |
//! | error | `error` | our own mistake |
//! | not applicable, not run | `skipped` | it did not take place; the message begins with which of the two |
//!
//! Several seeds of one case are one test: its end is the worst of them, its time their sum. The `replay` property is the command that
//! shows it again, typed in the run's folder.
use std::collections::BTreeMap;
use std::time::Duration;

use proofhouse_core::results::TrialRow;
use proofhouse_core::verdict::Verdict;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::run::{Found, Run};
use crate::words::{self, visible};

/// The report as JUnit XML. Text of peers is escaped, and characters that XML has no place for are shown as `\u{..}`.
///
/// # Panics
/// When writing to memory fails, which it does not.
#[must_use]
pub fn junit(run: &Run) -> String {
    let mut report = Report::new("proofhouse");
    report.set_time(Duration::from_millis(run.facts.wall_ms));
    for (target, version, trials) in run.targets() {
        report.add_test_suite(suite(run, target, version, &trials));
    }
    report.to_string().expect("an XML document is written to memory")
}

fn suite(run: &Run, target: &str, version: &str, trials: &[&TrialRow]) -> TestSuite {
    let mut suite = TestSuite::new(visible(target));
    // XML Schema of Jenkins: seconds, no zone; it is UTC.
    suite.extra.insert("timestamp".into(), run.facts.began.trim_end_matches('Z').into());
    suite.set_time(Duration::from_millis(trials.iter().map(|t| t.wall_ms).sum()));
    let facts = &run.facts;
    for (name, value) in [
        ("target", target),
        ("target.version", version),
        ("proofhouse.version", &facts.version),
        ("run", &run.results.run),
        ("machine", &facts.machine),
        ("fail-on", &facts.fail_on),
    ] {
        suite.add_property(Property::new(name, visible(value)));
    }
    let mut cases: BTreeMap<(&str, &str), Vec<&TrialRow>> = BTreeMap::new();
    for trial in trials {
        cases.entry((&trial.scenario, &trial.case)).or_default().push(trial);
    }
    let mut in_order: Vec<Vec<&TrialRow>> = cases.into_values().collect();
    in_order.sort_by_key(|trials| trials[0].n);
    suite.add_test_cases(in_order.iter().map(|trials| case(run, trials)));
    suite
}

/// One scenario and case: the worst of its seeds.
fn case(run: &Run, trials: &[&TrialRow]) -> TestCase {
    let verdict = Verdict::all(trials.iter().map(|t| t.verdict));
    let worst = trials.iter().find(|t| t.verdict == verdict).expect("the worst verdict is one of theirs");
    let found = findings(run, trials);
    let name = if worst.case.is_empty() { worst.scenario.rsplit('/').next().unwrap_or_default() } else { &worst.case };
    let mut case = TestCase::new(visible(name), status(worst, &found));
    case.set_classname(visible(&worst.scenario.replace('/', ".")));
    case.set_time(Duration::from_millis(trials.iter().map(|t| t.wall_ms).sum()));
    case.add_properties(properties(run, worst, trials.len(), &found));
    if found.iter().all(|f| f.spared.is_some()) && !found.is_empty() {
        case.set_system_out(found.iter().map(|f| describe(f)).collect::<Vec<_>>().join("\n\n"));
    }
    case
}

/// What the failing ones of these trials show, each once.
fn findings<'a>(run: &'a Run, trials: &[&TrialRow]) -> Vec<&'a Found> {
    let mut all: Vec<&Found> = Vec::new();
    for trial in trials.iter().filter(|trial| trial.verdict == Verdict::Fail) {
        for found in run.findings_of(trial) {
            if !all.iter().any(|known| known.path == found.path) {
                all.push(found);
            }
        }
    }
    all
}

fn status(trial: &TrialRow, found: &[&Found]) -> TestCaseStatus {
    let counted: Vec<&&Found> = found.iter().filter(|f| f.spared.is_none()).collect();
    let (mut status, message) = match trial.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => match (counted.first(), found.first()) {
            (Some(found), _) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(found.finding.kind.name());
                let all: Vec<String> = counted.iter().map(|f| describe(f)).collect();
                status.set_description(all.join("\n\n"));
                (status, format!("{}: {}", found.finding.id, found.finding.actual))
            }
            (None, Some(found)) => {
                let why = found.spared.as_ref().map(ToString::to_string).unwrap_or_default();
                let status = TestCaseStatus::skipped();
                (status, format!("finding {} does not count, {why}: {}", found.finding.id, found.finding.actual))
            }
            (None, None) => (TestCaseStatus::non_success(NonSuccessKind::Failure), trial.reason.clone()),
        },
        Verdict::Inconclusive | Verdict::Error => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(trial.verdict.name());
            (status, format!("{}: {}", words::verdict(trial.verdict), trial.reason))
        }
        Verdict::NotApplicable | Verdict::NotRun => {
            (TestCaseStatus::skipped(), format!("{}: {}", words::verdict(trial.verdict), trial.reason))
        }
    };
    status.set_message(visible(&message));
    status
}

fn properties(run: &Run, trial: &TrialRow, seeds: usize, found: &[&Found]) -> Vec<Property> {
    let mut all = vec![("seed", trial.seed.to_string()), ("verdict", trial.verdict.name().to_owned())];
    if seeds > 1 {
        all.push(("seeds", seeds.to_string()));
    }
    all.push(("trial", trial.n.to_string()));
    all.push(("target.version", trial.target_version.clone()));
    if let Some(scene) = run.scenes.get(&trial.scenario) {
        all.push(("title", scene.title.clone()));
        all.push(("attack", scene.attack.clone()));
        all.push(("level", scene.level.to_string()));
        all.push(("guidance", scene.guidance.join(" ")));
    }
    for f in found {
        all.push(("finding", f.finding.id.clone()));
        all.push(("oracle", f.finding.oracle.clone()));
        all.push(("clause", f.finding.clause.clone()));
        all.push(("replay", replay(f)));
    }
    all.retain(|(_, value)| !value.is_empty());
    all.into_iter().map(|(name, value)| Property::new(name, visible(&value))).collect()
}

fn replay(found: &Found) -> String {
    format!("proofhouse replay {}", found.path)
}

/// Rule, expected, actual, replay command.
fn describe(found: &Found) -> String {
    let f = &found.finding;
    let rule = if f.clause.is_empty() { f.oracle.clone() } else { format!("{}, {}", f.oracle, f.clause) };
    let mut lines = vec![
        format!("{} {} ({}, {}, replay {})", f.id, f.title, f.kind, f.level, f.replay),
        format!("rule      {rule}"),
        format!("expected  {}", f.expected),
        format!("actual    {}", f.actual),
        format!("evidence  {}", found.path),
        format!("replay    {}", replay(found)),
    ];
    lines.extend(found.spared.as_ref().map(|why| format!("exit code not moved: {why}")));
    lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
