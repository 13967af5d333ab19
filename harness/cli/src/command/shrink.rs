//! `proofhouse shrink`: cuts a finding's scenario down further, judged again after every cut.
use std::sync::atomic::Ordering;

use proofhouse_core::finding::ENTRIES_MAX;
use proofhouse_live::digest::sha256;
use proofhouse_live::run::Runner;
use proofhouse_live::run::journal::JournalEntry;
use proofhouse_live::run::replay;

use super::replay::Stored;
use crate::args::Shrink;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::registry::registry;
use crate::say::say;

/// Runs the command.
pub fn run(args: &Shrink) -> Result<ExitCode, Failure> {
    let registry = registry();
    let stored = Stored::read(&args.finding)?;
    let target = stored.target(None, &[], &registry)?;
    let plan = stored.plan(&target, &registry)?;
    let interrupt = super::interrupt()?;
    let live = proofhouse_live::LiveOptions::new(interrupt.clone(), args.i_own.clone());
    let _alone = super::alone(std::iter::once(&target), &live)?;
    proofhouse_live::preflight(&target.spec, &registry, &live)?;
    let runner = Runner::new(&registry, live);
    let (signature, late) = (&stored.finding.signature, stored.is_late());
    let stop = || interrupt.load(Ordering::Relaxed);
    let small = replay::smallest(&runner, &plan, &target.spec, (signature, late), args.budget, &stop);
    let again = replay::replay(&runner, &small, &target.spec, late);
    let unchanged = |why: &str| {
        let text = format!("{} does not reproduce now{why}: nothing was changed", stored.finding.id);
        Failure::new(ExitCode::Undecided, text)
    };
    let again = again.map_err(|why| unchanged(&format!(" ({why})")))?;
    let Some(violation) = again.violation(signature) else {
        return Err(unchanged(""));
    };
    let (before, after) = (plan.to_toml(), small.to_toml());
    let out = proofhouse_live::run::folder::Folder::at(&stored.folder);
    let mut finding = stored.finding.clone();
    let shown = violation.entries.as_slice();
    finding.entries = shown.iter().copied().take(ENTRIES_MAX).collect();
    // The finding's own journal vouches for the scenario that takes the other's place.
    let shown = JournalEntry::Replay {
        signature: signature.clone(),
        nth: 1,
        reproduced: true,
        exact: false,
        transcript: again.outcome.transcript.digest(),
        plan: sha256(after.as_bytes()),
    };
    let mut journal = super::replay::journal(&stored.folder)?;
    journal.add(shown).and_then(|()| journal.sync()).map_err(|e| Failure::new(ExitCode::NoOutput, e.to_string()))?;
    let finding = toml::to_string(&finding).expect("a finding is text, numbers and lists of them");
    let files = [
        ("transcript.jsonl", again.outcome.transcript.to_jsonl()),
        ("transcript.txt", again.outcome.transcript.to_text()),
        ("scenario.toml", after.clone()),
        ("finding.toml", finding),
    ];
    let control = again.outcome.control.as_ref().map(|control| ("control.jsonl", control.to_jsonl()));
    for (file, text) in control.into_iter().chain(files) {
        out.write(file, text.as_bytes())?;
    }
    say!("{}: scenario.toml has {} lines, had {}", stored.finding.id, after.lines().count(), before.lines().count());
    Ok(if stop() { ExitCode::Interrupted } else { ExitCode::Fine })
}
