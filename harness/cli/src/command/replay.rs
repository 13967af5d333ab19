//! `proofhouse replay`: a finding's smallest scenario again. 100 while its rule fails, also by another failure than the finding's own
//! (which is then said); 0 once it is fixed.
use std::path::{Path, PathBuf};

use proofhouse_core::document::parse;
use proofhouse_core::finding::{Finding, Signature};
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::PlanError;
use proofhouse_core::seed::Seed;
use proofhouse_core::transcript::Transcript;
use proofhouse_live::digest::sha256;
use proofhouse_live::run::Runner;
use proofhouse_live::run::journal::{Journal, JournalEntry, JournalError};
use proofhouse_live::run::replay;

use crate::args::Replay;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library::{self, Target};
use crate::registry::registry;
use crate::say::{say, tell};

/// A finding read from its folder.
pub struct Stored {
    /// `finding.toml`.
    pub finding: Finding,
    /// Its folder.
    pub folder: PathBuf,
    scenario: String,
}

impl Stored {
    /// Reads a finding's folder.
    pub fn read(folder: &Path) -> Result<Stored, Failure> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|e| Failure::unreadable(&path, &e))
        };
        let text = read("finding.toml")?;
        let finding = toml::from_str(&text)
            .map_err(|e| Failure::new(ExitCode::BadFile, format!("{}: {e}", folder.join("finding.toml").display())))?;
        let stored = Stored { finding, folder: folder.to_owned(), scenario: read("scenario.toml")? };
        match stored.tampered()? {
            None => Ok(stored),
            Some(why) => Err(Failure::new(ExitCode::Unverified, format!("{}: {why}", folder.display()))),
        }
    }

    /// Whether it showed only after its trial, while the target lived on.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let kept = ["transcript.jsonl", "control.jsonl"].map(|name| std::fs::read_to_string(self.folder.join(name)));
        let read = kept.iter().flatten().filter_map(|text| Transcript::from_jsonl(text).ok());
        read.map(|transcript| replay::is_late(&transcript)).max().unwrap_or_default()
    }

    /// What is not what the run journalled. A folder that was taken out of its run has nothing to be compared with.
    fn tampered(&self) -> Result<Option<String>, Failure> {
        let signature = &self.finding.signature;
        let run = lines(&self.folder.join("../.."))?;
        let journalled = run.iter().rev().find_map(|line| match line {
            JournalEntry::Finding { finding, .. }
                if finding.signature == *signature && finding.target == self.finding.target =>
            {
                Some(&**finding)
            }
            _ => None,
        });
        // A scenario that was cut down further shows other entries.
        let entries = self.finding.entries.clone();
        if journalled.is_some_and(|before| Finding { entries, ..before.clone() } != self.finding) {
            return Ok(Some("finding.toml is not the one that was journalled".to_owned()));
        }
        let own = lines(&self.folder)?;
        let mut played = run.iter().chain(&own).filter_map(|line| match line {
            JournalEntry::Replay { signature: of, plan, .. } if of == signature && !plan.is_empty() => Some(plan),
            _ => None,
        });
        let digest = sha256(self.scenario.as_bytes());
        let changed = played.clone().next().is_some() && !played.any(|plan| *plan == digest);
        Ok(changed.then(|| {
            let id = &self.finding.id;
            format!("scenario.toml is not the one that showed {id}: play one of your own with `proofhouse run FILE`")
        }))
    }

    /// The plan for a target.
    pub fn plan(&self, target: &Target, registry: &Registry) -> Result<Plan, Failure> {
        let file = self.folder.join("scenario.toml").display().to_string();
        let tree = parse(&file, &self.scenario)?;
        let f = &self.finding;
        let seed = f
            .seed
            .parse()
            .map(Seed)
            .map_err(|_| Failure::new(ExitCode::BadFile, format!("seed {:?} is no number", f.seed)))?;
        Plan::read(&f.scenario, &f.case, seed, tree, &target.spec, registry).map_err(|error| match error {
            PlanError::Load(error) => error.into(),
            PlanError::Unmet(what) => Failure::new(ExitCode::Undecided, format!("{}: {what}", target.spec.name)),
        })
    }

    /// The target that it was found on: the file that the run kept, with its planted flaws.
    pub fn target(&self, other: Option<&str>, flaws: &[String], registry: &Registry) -> Result<Target, Failure> {
        if let Some(named) = other {
            return library::target(named, flaws, registry);
        }
        let flaws = if flaws.is_empty() { &self.finding.flaws } else { flaws };
        match library::kept(&self.folder.join("../.."), &self.finding.target, flaws, registry)? {
            Some(target) if target.spec.digest != self.finding.target_digest && *flaws == self.finding.flaws => {
                let text =
                    format!("{}: its run kept another target file than the one that was journalled", self.finding.id);
                Err(Failure::new(ExitCode::Unverified, format!("{text}; play on one of your own with --target")))
            }
            Some(target) => Ok(target),
            None => library::target(&self.finding.target, flaws, registry),
        }
    }
}

/// Runs the command.
pub fn run(args: &Replay) -> Result<ExitCode, Failure> {
    let registry = registry();
    let stored = Stored::read(&args.finding)?;
    let target = stored.target(args.target.as_deref(), &args.flaw, &registry)?;
    let plan = stored.plan(&target, &registry)?;
    let interrupt = super::interrupt()?;
    let live = proofhouse_live::LiveOptions::new(interrupt.clone(), args.i_own.clone());
    let _alone = super::alone(std::iter::once(&target), &live)?;
    let version = proofhouse_live::preflight(&target.spec, &registry, &live)?;
    let runner = Runner::new(&registry, live);
    let before = lines(&stored.folder)?.len();
    let mut journal = journal(&stored.folder)?;
    let late = stored.is_late();
    let (mut undecided, mut another) = (0, 0);
    tell!(
        "{} on {}, seed {}, {} times",
        stored.finding.id,
        format!("{} {version}", target.spec.name).trim_end(),
        plan.seed,
        args.times
    );
    for nth in 1..=args.times {
        if interrupt.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(ExitCode::Interrupted);
        }
        let again = match replay::replay(&runner, &plan, &target.spec, late) {
            Ok(again) => again,
            Err(_) if interrupt.load(std::sync::atomic::Ordering::Relaxed) => return Ok(ExitCode::Interrupted),
            Err(why) => return Err(Failure::new(ExitCode::NoTarget, format!("{}: {why}", target.spec.name))),
        };
        let Finding { signature, oracle, .. } = &stored.finding;
        let shown = again.violation(signature).is_some();
        undecided += u32::from(!shown && !replay::was_judged(&again.outcome.judgements, oracle));
        if let Some(why) = again.void(oracle, signature) {
            tell!("{nth:>4}  did not take place, and is not counted: {why}");
            continue;
        }
        another += u32::from(!shown && again.others(signature).any(|other| other.oracle == *oracle));
        let words = in_words(&again, oracle, signature);
        journal
            .add(JournalEntry::Replay {
                signature: signature.clone(),
                nth,
                reproduced: shown,
                exact: false,
                transcript: again.outcome.transcript.digest(),
                plan: sha256(stored.scenario.as_bytes()),
            })
            .and_then(|()| journal.sync())
            .map_err(|e| Failure::new(ExitCode::NoOutput, e.to_string()))?;
        tell!("{nth:>4}  {words}");
    }
    let said = say(&stored, &lines(&stored.folder)?[before..]);
    if said == ExitCode::Fine && another > 0 {
        let (oracle, times) = (&stored.finding.oracle, args.times);
        say!("{another} of {times} show another failure of {oracle}: that is not fixed");
        return Ok(ExitCode::Findings);
    }
    if said == ExitCode::Fine && undecided > 0 {
        say!("{undecided} of {} could not be decided: that is not fixed", args.times);
        return Ok(ExitCode::Undecided);
    }
    Ok(said)
}

/// What one replay came to. A failure of the same rule is no success, whatever it is; what else failed is said beside it.
fn in_words(again: &replay::Replay, oracle: &str, signature: &Signature) -> String {
    let same = again.others(signature).find(|other| other.oracle == oracle);
    match (again.violation(signature), same, again.others(signature).next()) {
        (Some(shown), ..) => shown.actual.clone(),
        (None, Some(other), _) => format!("another failure of {oracle}: {}", other.violation.actual),
        (None, None, Some(other)) => format!("not seen; but {}: {}", other.oracle, other.violation.actual),
        (None, None, None) => "not seen".to_owned(),
    }
}

/// Counts the lines that this command has written to the finding's own journal.
fn say(stored: &Stored, lines: &[JournalEntry]) -> ExitCode {
    let mut ran = 0;
    let mut digests = Vec::new();
    for line in lines {
        if let JournalEntry::Replay { reproduced, transcript, .. } = line {
            ran += 1;
            if *reproduced {
                digests.push(transcript);
            }
        }
    }
    let exact = digests.len() == ran && digests.windows(2).all(|two| two[0] == two[1]) && ran > 1;
    let word = if exact { "exact: " } else { "" };
    say!("{} {word}{} of {ran}", stored.finding.id, digests.len());
    if digests.is_empty() { ExitCode::Fine } else { ExitCode::Findings }
}

pub(super) fn journal(folder: &Path) -> Result<Journal, Failure> {
    let opened = match Journal::resume(folder) {
        Ok((journal, _)) => Ok(journal),
        Err(JournalError::Io(_, e)) if e.kind() == std::io::ErrorKind::NotFound => Journal::create(folder),
        Err(error) => Err(error),
    };
    opened.map_err(|e| Failure::new(ExitCode::NoOutput, e.to_string()))
}

fn lines(folder: &Path) -> Result<Vec<JournalEntry>, Failure> {
    match Journal::read(folder) {
        Ok(records) => Ok(records),
        Err(JournalError::Io(_, e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::new(ExitCode::BadFile, error.to_string())),
    }
}
