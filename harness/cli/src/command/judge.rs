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
use proofhouse_core::target::TargetSpec;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::verdict::{Judgement, Verdict};
use proofhouse_live::digest::sha256;
use proofhouse_live::run::folder::Folder;
use proofhouse_live::run::gate;
use proofhouse_live::run::journal::{Journal, JournalEntry};
use proofhouse_live::run::pack::{self, Index, Kept as Trial};
use proofhouse_live::run::resume::worst;

use crate::args::Judge;
use crate::asked::Asked;
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
    let flaws = Asked::read(&args.run, ExitCode::BadFile)?.flaws;
    let run = Kept { path: &args.run, flaws: &flaws, registry: &registry };
    let (mut same, mut other, mut dropped) = (0, 0, 0);
    let (mut arms, mut targets) = (0, 0);
    for line in latest(&records) {
        if line.judgements.is_empty() {
            continue; // not run, not applicable or an error: there is no transcript to judge
        }
        let Some(trial) = kept(&folder, &passed, line.row)? else {
            dropped += 1;
            continue;
        };
        arms += u32::from(line.control.is_none() && trial.control.is_some());
        targets += u32::from(line.target.is_none());
        let now = run.judge(&trial, &line)?;
        if now.0 == line.row.verdict {
            same += 1;
        } else {
            other += 1;
            say!("{} was {}: {}", style::verdict(now.0), line.row.verdict.name(), now.1);
        }
    }
    say!("{same} trial(s) judged as before, {other} otherwise, {dropped} without a kept transcript");
    for (unsure, what) in [(arms, "control arm(s)"), (targets, "target file(s)")] {
        if unsure > 0 {
            say!("{unsure} {what} could not be verified: this journal is older and holds no digest of them");
        }
    }
    let damaged = passed.torn().filter(|_| dropped > 0);
    if let Some(from) = damaged {
        let file = args.run.join(pack::FILE);
        say!(
            "{} is damaged: it does not read from byte {from} on, and may have held what was not found",
            file.display()
        );
    }
    Ok(if other > 0 || damaged.is_some() {
        ExitCode::Unverified
    } else if dropped > 0 {
        ExitCode::Undecided
    } else {
        ExitCode::Fine
    })
}

/// Lines by number: a trial that was run again has a second line, which holds.
fn latest(records: &[JournalEntry]) -> impl Iterator<Item = Line<'_>> {
    records.iter().filter_map(Line::of).map(|line| (line.row.n, line)).collect::<BTreeMap<_, _>>().into_values()
}

/// What the journal says of a trial: its row, the digests of what it was judged from, and the judgements.
struct Line<'a> {
    row: &'a TrialRow,
    plan: &'a str,
    transcript: &'a str,
    control: Option<&'a str>,
    target: Option<&'a str>,
    judgements: &'a [Judgement],
}

impl Line<'_> {
    fn of(record: &JournalEntry) -> Option<Line<'_>> {
        let JournalEntry::Trial { row, plan, transcript, control, target, judgements, .. } = record else {
            return None;
        };
        let (control, target) = (control.as_deref(), target.as_deref());
        Some(Line { row, plan, transcript, control, target, judgements })
    }

    /// What is not what was journalled.
    fn tampered(&self, trial: &Trial, target: &TargetSpec) -> Option<&'static str> {
        let control = trial.control.as_ref().map(Transcript::digest).unwrap_or_default();
        let differs = [
            ("the plan", sha256(trial.plan.as_bytes()) != self.plan),
            ("the transcript", trial.transcript.digest() != self.transcript),
            ("the control arm", self.control.is_some_and(|before| before != control)),
            ("the target file", self.target.is_some_and(|before| before != target.digest)),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(what, _)| what)
    }
}

/// A trial as the run kept it: in a folder of its own, or among those that passed.
fn kept(folder: &Folder, passed: &Index, row: &TrialRow) -> Result<Option<Trial>, Failure> {
    let trial = Folder::trial(row.n, &row.scenario, Seed(row.seed));
    let bad = |text: String| Failure::new(ExitCode::Unverified, text);
    let Some(transcript) = folder.transcript(&trial, "transcript").map_err(bad)? else {
        return passed.get(&trial).map_err(bad);
    };
    let control = folder.transcript(&trial, "control").map_err(bad)?;
    let plan = folder.read(&format!("{trial}/plan.toml"));
    let plan = plan.map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    Ok(Some(Trial { plan, transcript, control }))
}

/// What a run kept beside its trials.
struct Kept<'a> {
    path: &'a Path,
    flaws: &'a [String],
    registry: &'a Registry,
}

impl Kept<'_> {
    /// Judges a trial again, from what was journalled and nothing else.
    fn judge(&self, trial: &Trial, line: &Line<'_>) -> Result<(Verdict, String), Failure> {
        let bad = |text: String| Failure::new(ExitCode::Unverified, text);
        let Line { row, judgements: before, .. } = line;
        let name = Folder::trial(row.n, &row.scenario, Seed(row.seed));
        let target = library::kept(self.path, &row.target, self.flaws, self.registry)?;
        let missing = || bad(format!("{}: the run kept no {}", self.path.display(), Folder::target(&row.target)));
        let target = target.ok_or_else(missing)?.spec;
        if let Some(what) = line.tampered(trial, &target) {
            return Err(bad(format!("{name}: {what} is not the one that was journalled")));
        }
        let file = self.path.join(&name).join("plan.toml").display().to_string();
        let tree = parse(&file, &trial.plan)?;
        let plan = Plan::read(&row.scenario, &row.case, Seed(row.seed), tree, &target, self.registry);
        let plan = plan.map_err(|error| match error {
            PlanError::Load(error) => error.into(),
            PlanError::Unmet(what) => bad(format!("{name}: {what}")),
        })?;
        let mut judged = judge_all(&plan, &trial.transcript, trial.control.as_ref(), self.registry);
        if let Some(capability) = row.scenario.strip_prefix(gate::PROBE) {
            let _ = gate::declaration(capability, &target, &mut judged, self.registry);
        } else if let Some(doubt) = before.iter().find(|j| gate::DOUBTS.contains(&j.oracle.as_str())) {
            gate::doubted(&doubt.oracle, &doubt.reason, &mut judged, self.registry);
        }
        // What was seen beside its record: what it left on its target, and what its target had done before in another one.
        let beside = |j: &&Judgement| [gate::CLEARING, gate::REUSE].contains(&j.oracle.as_str());
        judged.extend(before.iter().filter(beside).cloned());
        Ok(worst(&judged))
    }
}
