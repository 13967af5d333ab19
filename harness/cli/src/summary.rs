//! The last page of a run, for a tired reader.
use std::fmt::Write;
use std::path::Path;

use proofhouse_core::results::{FindingRow, Results, TrialRow};
use proofhouse_core::verdict::Verdict;

use crate::style;

/// What the findings of a run mean for the exit code.
pub struct Gate<'a> {
    /// Those that count.
    pub counted: Vec<&'a FindingRow>,
    /// Those that do not, and why.
    pub spared: Vec<(&'a FindingRow, String)>,
}

/// The summary.
pub fn text(results: &Results, gate: &Gate<'_>, folder: &Path, planned: usize, left_out: &[String]) -> String {
    let mut out = String::new();
    counts(&mut out, results);
    let open = planned.saturating_sub(results.trials.len());
    if open > 0 {
        let resume = format!("proofhouse run --resume {}", folder.display());
        let _ = writeln!(out, "\n{open} of {planned} trials have not run; to go on: {resume}");
    }
    for finding in &gate.counted {
        describe(&mut out, finding, folder, None);
    }
    for (finding, why) in &gate.spared {
        describe(&mut out, finding, folder, Some(why));
    }
    undecided(&mut out, results);
    if !left_out.is_empty() {
        let _ = writeln!(out, "\nLeft out: {} case(s), such as {}", left_out.len(), left_out[0]);
    }
    let _ = writeln!(out, "\nEverything is in {} (results.json, report.md).", folder.display());
    out
}

fn counts(out: &mut String, results: &Results) {
    let all =
        [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::NotApplicable, Verdict::NotRun, Verdict::Error];
    let mut targets: Vec<(&str, &str)> =
        results.trials.iter().map(|t| (t.target.as_str(), t.target_version.as_str())).collect();
    targets.sort_unstable();
    targets.dedup();
    for (target, version) in targets {
        let mine: Vec<&TrialRow> = results.trials.iter().filter(|t| t.target == target).collect();
        let _ = write!(out, "\n{} {}: {} trials", style::bold(target), style::dim(version), mine.len());
        for verdict in all {
            let n = mine.iter().filter(|t| t.verdict == verdict).count();
            if n > 0 {
                let _ = write!(out, ", {n} {}", verdict.name().replace('_', " "));
            }
        }
        let _ = writeln!(out);
    }
}

fn describe(out: &mut String, finding: &FindingRow, folder: &Path, spared: Option<&str>) {
    let f = finding;
    let case = if f.case.is_empty() { String::new() } else { format!(" [{}]", f.case) };
    let state = if f.verdict == "fail" { "" } else { " (suspicion)" };
    let _ = writeln!(out, "\n{} {}{state}", style::error(&f.id), style::bold(&f.title));
    let _ = writeln!(
        out,
        "  {} {}{case} on {}, {} ({}, replay {})",
        f.attack, f.scenario, f.target, f.kind, f.level, f.replay
    );
    let rule = if f.clause.is_empty() { f.oracle.clone() } else { format!("{}, {}", f.oracle, f.clause) };
    let _ = writeln!(out, "  rule      {rule}");
    let _ = writeln!(out, "  expected  {}", f.expected);
    let _ = writeln!(out, "  actual    {}", f.actual);
    let _ = writeln!(out, "  replay    proofhouse replay {}", folder.join(&f.path).display());
    if let Some(why) = spared {
        let _ = writeln!(out, "  exit code not moved: {why}");
    }
}

/// Reasons why trials were not decided, each once with its count.
fn undecided(out: &mut String, results: &Results) {
    let mut reasons: Vec<(&str, &str, usize)> = Vec::new();
    let open = [Verdict::Inconclusive, Verdict::NotRun, Verdict::Error];
    for trial in results.trials.iter().filter(|t| open.contains(&t.verdict)) {
        match reasons.iter_mut().find(|(_, reason, _)| *reason == trial.reason) {
            Some((.., n)) => *n += 1,
            None => reasons.push((&trial.scenario, &trial.reason, 1)),
        }
    }
    if !reasons.is_empty() {
        let _ = writeln!(out, "\nNot decided:");
    }
    for (scenario, reason, n) in reasons {
        let _ = writeln!(out, "  {n:>4}  {scenario}: {reason}");
    }
}
