//! `proofhouse judge`: the stored transcripts of a run, judged again without a network.
use std::collections::BTreeMap;
use std::path::Path;

use proofhouse_core::document::parse;
use proofhouse_core::judge::judge_all;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::results::TrialRow;
use proofhouse_core::scenario::PlanError;
use proofhouse_core::seed::Seed;
use proofhouse_core::verdict::{Judgement, Verdict};
use proofhouse_live::run::folder::Folder;
use proofhouse_live::run::gate;
use proofhouse_live::run::journal::{Journal, JournalEntry};
use proofhouse_live::run::pack::{Index, Kept};
use proofhouse_live::run::resume::worst;

use crate::args::Judge;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::say::say;
use crate::style;

/// Runs the command.
pub fn run(args: &Judge) -> Result<ExitCode, Failure> {
    let registry = registry();
    let records = Journal::read(&args.run).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let folder = Folder::at(&args.run);
    let passed = Index::of(&args.run).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let (mut same, mut other, mut dropped) = (0, 0, 0);
    for (row, transcript, judgements) in latest(&records) {
        if judgements.is_empty() {
            continue; // not run, not applicable or an error: there is no transcript to judge
        }
        match again(&kept(&folder, &passed, row)?, &args.run, row, transcript, judgements, &registry)? {
            None => dropped += 1,
            Some(now) if now.0 == row.verdict => same += 1,
            Some(now) => {
                other += 1;
                say!("{} was {}: {}", style::verdict(now.0), row.verdict.name(), now.1);
            }
        }
    }
    say!("{same} trial(s) judged as before, {other} otherwise, {dropped} without a kept transcript");
    Ok(if other > 0 {
        ExitCode::Unverified
    } else if dropped > 0 {
        ExitCode::Undecided
    } else {
        ExitCode::Fine
    })
}

/// Rows, digests and judgements by number: a trial that was run again has a second line, which holds.
fn latest(records: &[JournalEntry]) -> impl Iterator<Item = Judged<'_>> {
    records.iter().filter_map(judged).map(|judged| (judged.0.n, judged)).collect::<BTreeMap<_, _>>().into_values()
}

/// Row, digest of the transcript, and judgements.
type Judged<'a> = (&'a TrialRow, &'a String, &'a Vec<Judgement>);

fn judged(record: &JournalEntry) -> Option<Judged<'_>> {
    match record {
        JournalEntry::Trial { row, transcript, judgements, .. } => Some((row, transcript, judgements)),
        _ => None,
    }
}

/// A trial as the run kept it: in a folder of its own, or among those that passed.
fn kept(folder: &Folder, passed: &Index, row: &TrialRow) -> Result<Option<Kept>, Failure> {
    let trial = Folder::trial(row.n, &row.scenario, Seed(row.seed));
    let bad = |text: String| Failure::new(ExitCode::Unverified, text);
    let Some(transcript) = folder.transcript(&trial, "transcript").map_err(bad)? else {
        return passed.get(&trial).map_err(bad);
    };
    let control = folder.transcript(&trial, "control").map_err(bad)?;
    let plan = folder.read(&format!("{trial}/plan.toml"));
    let plan = plan.map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    Ok(Some(Kept { plan, transcript, control }))
}

/// Judges one kept trial. `None`: its transcript was dropped (`--keep findings`).
fn again(
    kept: &Option<Kept>,
    run: &Path,
    row: &TrialRow,
    digest: &str,
    before: &[Judgement],
    registry: &Registry,
) -> Result<Option<(Verdict, String)>, Failure> {
    let bad = |text: String| Failure::new(ExitCode::Unverified, text);
    let trial = Folder::trial(row.n, &row.scenario, Seed(row.seed));
    let Some(Kept { plan, transcript, control }) = kept else { return Ok(None) };
    if transcript.digest() != digest {
        return Err(bad(format!("{trial}: the transcript is not the one that was journalled")));
    }
    let kept = library::kept(run, &row.target, &[], registry)?;
    let target =
        kept.ok_or_else(|| bad(format!("{}: the run kept no {}", run.display(), Folder::target(&row.target))))?;
    let tree = parse(&run.join(&trial).join("plan.toml").display().to_string(), plan)?;
    let plan = Plan::read(&row.scenario, &row.case, Seed(row.seed), tree, &target.spec, registry);
    let plan = plan.map_err(|error| match error {
        PlanError::Load(error) => error.into(),
        PlanError::Unmet(what) => bad(format!("{trial}: {what}")),
    })?;
    let mut judged = judge_all(&plan, transcript, control.as_ref(), registry);
    if let Some(capability) = row.scenario.strip_prefix(gate::PROBE) {
        let _ = gate::declaration(capability, &target.spec, &mut judged, registry);
    } else if let Some(doubt) = before.iter().find(|j| gate::DOUBTS.contains(&j.oracle.as_str())) {
        gate::doubted(&doubt.oracle, &doubt.reason, &mut judged, registry);
    }
    // What a trial left on its target was seen after its record had ended.
    judged.extend(before.iter().filter(|j| j.oracle == gate::CLEARING).cloned());
    Ok(Some(worst(&judged)))
}
