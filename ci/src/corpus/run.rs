//! Runs Proofhouse as a user would, and reads what it leaves.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Options;
use super::list::Version;

/// How Proofhouse is started.
pub struct Prover<'a> {
    program: PathBuf,
    root: &'a Path,
    dir: &'a Path,
    options: &'a Options,
}

/// The part of `results.json` that is looked at.
#[derive(Default, Deserialize)]
pub struct Results {
    /// Every trial.
    pub trials: Vec<Trial>,
    /// Every finding and suspicion.
    pub findings: Vec<Finding>,
}

/// One trial.
#[derive(Clone, Deserialize)]
pub struct Trial {
    /// Id of the scenario.
    pub scenario: String,
    /// Name of the case.
    pub case: String,
    /// `pass`, `fail` and so on.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

/// One finding.
#[derive(Clone, Deserialize)]
pub struct Finding {
    /// Id of the scenario.
    pub scenario: String,
    /// Name of the case.
    pub case: String,
    /// `fail`, or `inconclusive` for a suspicion.
    pub verdict: String,
    /// The rule that was broken.
    pub oracle: String,
    /// What was seen.
    pub actual: String,
}

impl<'a> Prover<'a> {
    /// The program that was named, or one that is built now.
    pub fn find(root: &'a Path, dir: &'a Path, options: &'a Options) -> Result<Prover<'a>, String> {
        if let Some(program) = &options.proofhouse {
            let program = program.canonicalize().map_err(|e| format!("{}: {e}", program.display()))?;
            return Ok(Prover { program, root, dir, options });
        }
        let build = ["build", "--release", "--package", "proofhouse", "--no-default-features", "--target-dir"];
        let status = Command::new("cargo").args(build).arg(dir.join("build")).current_dir(root).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err("proofhouse does not build".to_owned());
        }
        Ok(Prover { program: dir.join("build/release/proofhouse"), root, dir, options })
    }

    /// Runs these scenarios (none: all) against a version.
    pub fn run(&self, version: &Version, scenarios: &[String]) -> Result<Results, String> {
        let kind = if scenarios.is_empty() { "sweep" } else { "runs" };
        let out = self.dir.join(kind).join(&version.name);
        let file = out.join("results.json");
        if !(self.options.reuse && file.exists()) {
            let _ = fs::remove_dir_all(&out);
            eprintln!("corpus: running against {}", version.name);
            self.prove(version, scenarios, &out)?;
        }
        let text = fs::read_to_string(&file)
            .map_err(|_| format!("{}: no results; see {}.log", version.name, out.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
    }

    fn prove(&self, version: &Version, scenarios: &[String], out: &Path) -> Result<(), String> {
        let log = PathBuf::from(format!("{}.log", out.display()));
        fs::create_dir_all(log.parent().expect("it lies in the corpus")).map_err(|e| e.to_string())?;
        let file = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let both = file.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .args(scenarios)
            .arg("--target")
            .arg(self.dir.join("targets").join(format!("{}.toml", version.name)));
        command.args(["--replays", "3", "--fail-on", "never", "--quiet", "--jobs", &self.options.jobs.to_string()]);
        command.arg("--out").arg(out).current_dir(self.root).stdin(Stdio::null()).stdout(file).stderr(both);
        command.status().map_err(|e| format!("{} does not start: {e}", self.program.display()))?;
        Ok(())
    }
}
