//! `proofhouse judge`: the stored transcripts of a run, judged again without a network.
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
use proofhouse_live::run::journal::{Journal, Record};
use proofhouse_live::run::resume::worst;

use crate::args::Judge;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::style;

/// Runs the command.
pub fn run(args: &Judge) -> Result<ExitCode, Failure> {
    let registry = registry();
    let records = Journal::read(&args.run).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let folder = Folder::at(&args.run);
    let (mut same, mut other, mut dropped) = (0, 0, 0);
    for record in &records {
        let Record::Trial { row, transcript, judgements, .. } = record else { continue };
        if judgements.is_empty() {
            continue; // not run, not applicable or an error: there is no transcript to judge
        }
        match again(&folder, &args.run, row, transcript, judgements, &registry)? {
            None => dropped += 1,
            Some(now) if now.0 == row.verdict => same += 1,
            Some(now) => {
                other += 1;
                anstream::println!("{} was {}: {}", style::verdict(now.0), row.verdict.name(), now.1);
            }
        }
    }
    anstream::println!("{same} trial(s) judged as before, {other} otherwise, {dropped} without a kept transcript");
    Ok(if other > 0 {
        ExitCode::Unverified
    } else if dropped > 0 {
        ExitCode::Undecided
    } else {
        ExitCode::Fine
    })
}

/// Judges one kept trial. `None`: its transcript was dropped (`--keep findings`).
fn again(
    folder: &Folder,
    run: &Path,
    row: &TrialRow,
    digest: &str,
    before: &[Judgement],
    registry: &Registry,
) -> Result<Option<(Verdict, String)>, Failure> {
    let bad = |text: String| Failure::new(ExitCode::Unverified, text);
    let trial = Folder::trial(row.n, &row.scenario, Seed(row.seed));
    let Some(transcript) = folder.transcript(&trial, "transcript").map_err(bad)? else { return Ok(None) };
    if transcript.digest() != digest {
        return Err(bad(format!("{trial}: the transcript is not the one that was journalled")));
    }
    let control = folder.transcript(&trial, "control").map_err(bad)?;
    let kept = run.join("targets").join(format!("{}.toml", row.target));
    let text = std::fs::read_to_string(&kept).map_err(|e| Failure::unreadable(&kept, &e))?;
    let url = text.contains("://") && !text.contains('=');
    let named = if url { text.trim().to_owned() } else { kept.display().to_string() };
    let target = library::target(&named, &[], registry)?;
    let file = run.join(&trial).join("plan.toml");
    let text = std::fs::read_to_string(&file).map_err(|e| Failure::unreadable(&file, &e))?;
    let tree = parse(&file.display().to_string(), &text)?;
    let plan = Plan::read(&row.scenario, &row.case, Seed(row.seed), tree, &target.spec, registry);
    let plan = plan.map_err(|error| match error {
        PlanError::Load(error) => error.into(),
        PlanError::Unmet(what) => bad(format!("{trial}: {what}")),
    })?;
    let mut judged = judge_all(&plan, &transcript, control.as_ref(), registry);
    if let Some(capability) = row.scenario.strip_prefix(gate::PROBE) {
        let _ = gate::declaration(capability, &target.spec, &mut judged, registry);
    } else if let Some(doubt) = before.iter().find(|j| j.oracle == "needs") {
        gate::doubted(&doubt.reason, &mut judged, registry);
    }
    Ok(Some(worst(&judged)))
}
