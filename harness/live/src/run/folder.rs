//! The folder of a run: where trials and findings lie, and how their files are written.
use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proofhouse_core::finding::Finding;
use proofhouse_core::ids::TrialNo;
use proofhouse_core::plan::Plan;
use proofhouse_core::seed::Seed;
use proofhouse_core::transcript::{Entry, Event, Life, Transcript};
use proofhouse_core::trial::Outcome;

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// A file that could not be written or read, with its name.
#[derive(Debug)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl Folder {
    /// The folder at `root`, which may not exist yet.
    #[must_use]
    pub fn at(root: &Path) -> Folder {
        Folder { root: root.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder and its parts.
    ///
    /// # Errors
    /// When the system says no.
    pub fn create(&self) -> Result<(), FileError> {
        for part in ["trials", "findings", "targets"] {
            let path = self.root.join(part);
            fs::create_dir_all(&path).map_err(|error| FileError { path, error })?;
        }
        Ok(())
    }

    /// Writes a file whole or not at all: to a name beside it first, then renamed.
    ///
    /// # Errors
    /// When the system says no.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        self.write_with(name, |file| file.write_all(bytes))
    }

    /// As [`Folder::write`], with what `fill` writes.
    fn write_with(
        &self,
        name: &str,
        fill: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>,
    ) -> Result<(), FileError> {
        let path = self.root.join(name);
        let part = path.with_extension("part");
        let write = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut file = BufWriter::new(fs::File::create(&part)?);
            fill(&mut file)?;
            file.into_inner()?.sync_data()?;
            fs::rename(&part, &path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&part);
            FileError { path: path.clone(), error }
        })
    }

    /// Reads a text file of the run.
    ///
    /// # Errors
    /// When the system says no.
    pub fn read(&self, name: &str) -> Result<String, FileError> {
        let path = self.root.join(name);
        fs::read_to_string(&path).map_err(|error| FileError { path, error })
    }

    /// Folder of a trial, below the run's.
    #[must_use]
    pub fn trial(n: TrialNo, scenario: &str, seed: Seed) -> String {
        format!("trials/{n}-{}-{seed}", file_name(&scenario.replace('/', "-")))
    }

    /// The copy of a target's file, below the run's folder. Targets that are named by a URL have names that no file can have.
    #[must_use]
    pub fn target(name: &str) -> String {
        format!("targets/{}.toml", file_name(name))
    }

    /// Folder of a finding, below the run's. The target stands in it, since one run may see one defect on several.
    #[must_use]
    pub fn finding(finding: &Finding) -> String {
        format!("findings/{}-{}", finding.id, file_name(&finding.target))
    }

    /// Keeps a trial: its plan, and its transcripts compressed.
    ///
    /// # Errors
    /// When the system says no.
    pub fn keep_trial(&self, n: TrialNo, outcome: &Outcome) -> Result<(), FileError> {
        let trial = Folder::trial(n, &outcome.plan.id, outcome.plan.seed);
        self.write(&format!("{trial}/plan.toml"), outcome.plan.to_toml().as_bytes())?;
        let kept = [("control", &outcome.control), ("clearing", &outcome.clearing)];
        let kept = kept.iter().filter_map(|(which, record)| Some((*which, record.as_ref()?)));
        for (which, record) in [("transcript", &outcome.transcript)].into_iter().chain(kept) {
            self.write_with(&format!("{trial}/{which}.jsonl.gz"), |file| {
                let mut packed = GzEncoder::new(file, Compression::fast());
                lines(record, &mut packed)?;
                packed.finish().map(drop)
            })?;
        }
        Ok(())
    }

    /// Removes what was kept of a trial, where anything was.
    pub fn forget(&self, trial: &str) {
        let _ = fs::remove_dir_all(self.root.join(trial));
    }

    /// Reads a kept transcript: `transcript` or `control`. `None` where the trial has none.
    ///
    /// # Errors
    /// Says which file does not read.
    pub fn transcript(&self, trial: &str, which: &str) -> Result<Option<Transcript>, String> {
        let path = self.root.join(trial).join(format!("{which}.jsonl.gz"));
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let mut trouble = None;
        let lines = BufReader::new(GzDecoder::new(file)).lines();
        let read = Transcript::from_lines(lines.map_while(|line| line.map_err(|error| trouble = Some(error)).ok()));
        let read = trouble.map_or(read, |error| Err(error.to_string()));
        read.map(Some).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Writes a finding's folder: what it is, its smallest scenario, its record, how to repeat it.
    ///
    /// # Errors
    /// When the system says no.
    pub fn keep_finding(
        &self,
        finding: &Finding,
        plan: &Plan,
        transcript: &Transcript,
        control: Option<&Transcript>,
        reproduce: &str,
    ) -> Result<(), FileError> {
        let at = |name: &str| format!("{}/{name}", Folder::finding(finding));
        self.write(&at("scenario.toml"), plan.to_toml().as_bytes())?;
        self.write_with(&at("transcript.jsonl"), |file| lines(transcript, file))?;
        self.write(&at("transcript.txt"), transcript.to_text().as_bytes())?;
        if let Some(control) = control {
            self.write_with(&at("control.jsonl"), |file| lines(control, file))?;
        }
        let shown = if finding.arm.is_main() { transcript } else { control.unwrap_or(transcript) };
        self.write(&at("target.log"), target_log(shown).as_bytes())?;
        self.write(&at("reproduce.md"), reproduce.as_bytes())?;
        let text = toml::to_string(finding).expect("a finding is text, numbers and lists of them");
        // Last: a finding folder with this file is whole.
        self.write(&at("finding.toml"), text.as_bytes())
    }
}

/// A name as a file has it, of `A-Z a-z 0-9 . _ -` only, since runs are copied to other systems and uploaded as artifacts. What had to
/// be changed ends in a digest of the name, so that two names stay two.
#[must_use]
pub fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain) && !name.starts_with('.') {
        return name.to_owned();
    }
    let kept: String = name.chars().map(|c| if plain(c) { c } else { '-' }).take(NAME_MAX).collect();
    format!("{}-{}", kept.trim_matches(['-', '.']), &crate::digest::sha256(name.as_bytes())[..8])
}

/// Longest name that is kept as it is: a file may have 255 bytes, and more stands before and behind it.
const NAME_MAX: usize = 120;

/// Writes a record line by line, up to the first trouble.
fn lines(record: &Transcript, to: &mut impl Write) -> io::Result<()> {
    let mut written = Ok(());
    record.each_line(|line| {
        if written.is_ok() {
            written = to.write_all(line.as_bytes());
        }
    });
    written
}

/// What the target logged, one line each, with the time in seconds.
fn target_log(transcript: &Transcript) -> String {
    let line = |entry: &Entry| match &entry.event {
        Event::Life(Life::Log { line } | Life::Panic { line }) => Some(format!("{} {line}\n", entry.at)),
        _ => None,
    };
    transcript.entries.iter().filter_map(line).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_that_any_file_system_takes() {
        for name in ["mqtt://127.0.0.1:1883", "größer", "..", "", "a b", "../../etc/passwd", &"x".repeat(300)] {
            let file = file_name(name);
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            assert!(!file.is_empty() && file.len() < 160 && file.chars().all(fits), "{name:?}: {file:?}");
            assert!(!file.starts_with('.'), "{name:?}: {file:?}");
        }
        assert_eq!(file_name("mosquitto-2.0"), "mosquitto-2.0", "what fits stays as it is");
    }

    #[test]
    fn two_names_never_become_one_file() {
        assert_ne!(file_name("mqtt://127.0.0.1:1883"), file_name("mqtt:--127.0.0.1-1883"));
        assert_ne!(file_name("a/b"), file_name("a:b"));
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::at(temp.path());
        folder.write("a/b.txt", b"whole").unwrap();
        assert_eq!(folder.read("a/b.txt").unwrap(), "whole");
        // A folder stands where the file should go: nothing is left beside it.
        fs::create_dir_all(temp.path().join("c.txt")).unwrap();
        let error = folder.write("c.txt", b"x").unwrap_err();
        assert!(error.to_string().contains("c.txt"), "{error}");
        assert!(!temp.path().join("c.part").exists());
    }
}
