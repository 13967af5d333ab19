//! The last page of a run, for a tired reader.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use proofhouse_core::finding::Standing;
use proofhouse_core::results::{Results, TrialRow};
use proofhouse_core::verdict::Verdict;
use proofhouse_report::Run;
use proofhouse_report::run::Found;

use crate::style;

/// How the gate says that no probe could tell whether a target has what a scenario needs.
const NO_PROBE: &str = ", which no probe saw";

/// The summary.
pub fn text(run: &Run, folder: &Path, left_out: &[String]) -> String {
    let mut out = String::new();
    let results = &run.results;
    counts(&mut out, results);
    let open = (run.facts.planned as usize).saturating_sub(results.trials.len());
    if open > 0 {
        let resume = format!("proofhouse run --resume {}", folder.display());
        let _ = writeln!(out, "\n{open} of {} trials have not run; to go on: {resume}", run.facts.planned);
    }
    let (counted, spared): (Vec<&Found>, Vec<&Found>) = run.findings.iter().partition(|f| f.spared.is_none());
    for found in counted.into_iter().chain(spared) {
        describe(&mut out, found, folder);
    }
    undecided(&mut out, results);
    for (scenario, remark, n) in run.remarks() {
        let _ = writeln!(out, "\nRemark: {remark} ({n} trial(s), such as {scenario})");
    }
    if !left_out.is_empty() {
        let _ = writeln!(out, "\nLeft out: {} case(s), such as {}", left_out.len(), left_out[0]);
    }
    let _ = writeln!(out, "\nEverything is in {} (open report.html).", folder.display());
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
        let version = if version.is_empty() { String::new() } else { format!(" {}", style::dim(version)) };
        let _ = write!(out, "\n{}{version}: {} trials", style::bold(target), mine.len());
        for verdict in all {
            let n = mine.iter().filter(|t| t.verdict == verdict).count();
            if n > 0 {
                let _ = write!(out, ", {n} {}", verdict.name().replace('_', " "));
            }
        }
        let _ = writeln!(out);
    }
}

fn describe(out: &mut String, found: &Found, folder: &Path) {
    let f = &found.finding;
    let case = if f.case.is_empty() { String::new() } else { format!(" [{}]", f.case) };
    let state = if f.verdict == Standing::Confirmed { "" } else { " (suspicion)" };
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
    let _ = writeln!(out, "  replay    proofhouse replay {}", folder.join(&found.path).display());
    if let Some(why) = &found.spared {
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
    undeclared(out, results);
}

/// The way out where trials wait for a word of the target file: what to write, and where to begin.
fn undeclared(out: &mut String, results: &Results) {
    let mut waiting: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for trial in results.trials.iter().filter(|t| t.verdict == Verdict::Inconclusive) {
        let need = trial.reason.split_once(NO_PROBE).and_then(|(before, _)| before.rsplit_once("needs "));
        if let Some((_, need)) = need {
            let of = waiting.entry(&trial.target).or_default();
            of.0 += 1;
            of.1.insert(need);
        }
    }
    for (target, (n, needs)) in waiting {
        let all = results.trials.iter().filter(|t| t.target == target).count();
        let claims: Vec<String> = needs.iter().map(|need| format!("{need:?}")).collect();
        let first = claims[0].trim_matches('"');
        let _ = writeln!(
            out,
            "\n{n} of {all} trials on {target} are undecided only because nothing says whether it can do this."
        );
        let _ = writeln!(out, "  In its target file, under [[endpoint]]:  claims = [{}]", claims.join(", "));
        let _ = writeln!(out, "  or, for what it cannot do:               lacks = {{ {first:?} = \"why\" }}");
        let _ = writeln!(
            out,
            "  A file to begin with:                    proofhouse explain mosquitto-default > my-target.toml"
        );
    }
}
