//! What a run was asked for: `run.json`. A resume reads it, and every report.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proofhouse_core::finding::Signature;
use proofhouse_core::results::Results;
use proofhouse_live::run::folder::{FileError, Folder};
use proofhouse_report::run::Scene;
use serde::{Deserialize, Serialize};

use crate::args::{Level, Run};
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// `run.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Version of the stored format.
    pub format: u32,
    /// Version of Proofhouse.
    pub proofhouse: String,
    /// Seed of the first trial of every case.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// What was selected.
    pub selector: Vec<String>,
    /// Only cases with this name.
    pub case: Option<String>,
    /// Only this part.
    pub shard: Option<(u32, u32)>,
    /// Targets as they were named.
    pub targets: Vec<String>,
    /// Planted flaws.
    pub flaws: Vec<String>,
    /// Folders with more scenarios.
    pub scenarios: Vec<PathBuf>,
    /// Live replays of a failure.
    pub replays: u32,
    /// Version of each target.
    pub versions: BTreeMap<String, String>,
    /// When it began.
    pub began: String,
    /// On what machine.
    pub machine: String,
    /// From which level on findings count.
    #[serde(default)]
    pub fail_on: Level,
    /// Signatures that another run has found, and that do not count here.
    #[serde(default)]
    pub baseline: Vec<Signature>,
    /// What reports say about the scenarios that were to run, by id.
    #[serde(default)]
    pub scenes: BTreeMap<String, Scene>,
}

impl Asked {
    /// What the arguments ask for.
    pub fn of(args: &Run) -> Result<Asked, Failure> {
        Ok(Asked {
            format: 1,
            proofhouse: env!("CARGO_PKG_VERSION").into(),
            seed: args.seed,
            seeds: args.seeds,
            selector: args.selector.clone(),
            case: args.case.clone(),
            shard: args.shard,
            targets: args.target.clone(),
            flaws: args.flaw.clone(),
            scenarios: args.scenarios.clone(),
            replays: args.replays,
            versions: BTreeMap::new(),
            began: proofhouse_live::clock::utc_now(),
            machine: proofhouse_live::clock::machine(),
            fail_on: args.fail_on.unwrap_or_default(),
            baseline: args.baseline.as_deref().map(signatures).transpose()?.unwrap_or_default(),
            scenes: BTreeMap::new(),
        })
    }

    /// Reads the file of a run's folder; `code` where there is none.
    pub fn read(folder: &Path, code: ExitCode) -> Result<Asked, Failure> {
        let path = folder.join("run.json");
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Failure::new(code, format!("{}: {e}; it takes the folder of a run", path.display())))?;
        serde_json::from_str(&text).map_err(|e| Failure::new(ExitCode::BadFile, format!("{}: {e}", path.display())))
    }

    /// A resume may say anew what counts: it changes no verdict.
    pub fn count_anew(&mut self, fail_on: Option<Level>, baseline: Option<&Path>) -> Result<(), Failure> {
        self.fail_on = fail_on.unwrap_or(self.fail_on);
        if let Some(run) = baseline {
            self.baseline = signatures(run)?;
        }
        Ok(())
    }

    /// Writes the file.
    pub fn store(&self, out: &Folder) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).expect("text and numbers are always JSON");
        out.write("run.json", text.as_bytes())
    }
}

/// Signatures that another run has found.
fn signatures(run: &Path) -> Result<Vec<Signature>, Failure> {
    let path = run.join("results.json");
    let text = std::fs::read_to_string(&path).map_err(|e| Failure::unreadable(&path, &e))?;
    let results: Results =
        serde_json::from_str(&text).map_err(|e| Failure::new(ExitCode::BadFile, format!("{}: {e}", path.display())))?;
    Ok(results.findings.into_iter().map(|f| f.signature).collect())
}
