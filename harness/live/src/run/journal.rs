//! The journal of a run: append-only, one JSON object a line, each line naming the hash of the one before.
//!
//! A line is on disk before anything that it says is shown: [`Journal::sync`] puts there what [`Journal::add`] has written, and several
//! lines at once where several workers ask for it. A line that nobody has been shown survives a kill, not a power cut. A torn last line (power cut, `kill -9`) is cut when the run
//! is resumed; a broken chain anywhere else is refused.
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proofhouse_core::finding::{Finding, Signature};
use proofhouse_core::ids::TrialNo;
use proofhouse_core::results::TrialRow;
use proofhouse_core::verdict::Judgement;
use serde::{Deserialize, Serialize};

use crate::digest::sha256;

/// Version of the stored format.
pub const FORMAT: u32 = 1;
/// Name of the file in a run's folder.
pub const FILE: &str = "journal.jsonl";
/// What the first line names as the one before it.
const ROOT: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum JournalEntry {
    /// The run began: what was asked for, so that a resume does the same.
    Run {
        /// [`FORMAT`] at the time of writing.
        format: u32,
        /// SHA-256 of the list of trials: a resume with other scenarios or targets is refused.
        selection: String,
        /// How many trials there are.
        trials: u32,
    },
    /// A trial is over.
    Trial {
        /// The row of `results.json`, before replays have confirmed a failure.
        row: Box<TrialRow>,
        /// SHA-256 of the printed plan.
        plan: String,
        /// SHA-256 of the transcript.
        transcript: String,
        /// The same of the control arm, empty where it has none; absent in older journals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<String>,
        /// Digest of the target's file, with its planted flaws; absent in older journals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// Every rule's answer.
        judgements: Vec<Judgement>,
        /// For a probe: whether the capability was there. Absent: it could not decide, or the journal is an older one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observed: Option<bool>,
    },
    /// A failing trial was run again.
    Replay {
        /// Signature of the finding.
        signature: Signature,
        /// From 1.
        nth: u32,
        /// Whether the same signature came.
        reproduced: bool,
        /// Whether the transcript was the same to the byte.
        exact: bool,
        /// SHA-256 of the transcript.
        transcript: String,
        /// SHA-256 of the printed plan that was run, which may be cut down; empty in older journals.
        #[serde(default)]
        plan: String,
    },
    /// A finding was written.
    Finding {
        /// Number of the trial that first showed it.
        trial: TrialNo,
        /// The finding.
        finding: Box<Finding>,
    },
    /// The run is over: every trial has its line and every failure its finding.
    End {
        /// Whether it was interrupted.
        interrupted: bool,
        /// Wall time of this part of the run, milliseconds; a part that was killed has no such line.
        #[serde(default)]
        wall_ms: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    prev: String,
    #[serde(flatten)]
    record: JournalEntry,
}

/// A journal that is being written.
pub struct Journal {
    file: File,
    path: PathBuf,
    last: String,
    /// Lines that were written, and of those how many are surely on disk.
    written: u64,
    synced: u64,
    /// A line that was not written whole could not be taken back: nothing may follow it.
    torn: bool,
}

/// A journal that does not read.
#[derive(Debug)]
pub enum JournalError {
    /// The system said no.
    Io(PathBuf, io::Error),
    /// Another process writes it at this moment.
    Busy(PathBuf),
    /// A line other than the last is damaged, or does not follow from the one before.
    Broken(PathBuf, usize, String),
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            JournalError::Busy(path) => write!(
                f,
                "{}: another proofhouse is at work in this folder; wait until it has ended, or choose another --out",
                path.display()
            ),
            JournalError::Broken(path, line, what) => write!(f, "{}:{line}: {what}", path.display()),
        }
    }
}

impl Journal {
    /// Begins a journal in a fresh folder.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(folder: &Path) -> Result<Journal, JournalError> {
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| JournalError::Io(path.clone(), e))?;
        lock(&file, &path)?;
        Ok(Journal { file, path, last: ROOT.to_owned(), written: 0, synced: 0, torn: false })
    }

    /// Goes on with a journal, less a torn last line; also returns what it says so far.
    ///
    /// # Errors
    /// When it cannot be read or written, or its chain is broken.
    pub fn resume(folder: &Path) -> Result<(Journal, Vec<JournalEntry>), JournalError> {
        let path = folder.join(FILE);
        let io = |e| JournalError::Io(path.clone(), e);
        let file = OpenOptions::new().append(true).open(&path).map_err(io)?;
        // Before it is read: what looks like a torn line may be one that somebody is writing.
        lock(&file, &path)?;
        let (records, length, last) = scan(&path)?;
        file.set_len(length).and_then(|()| file.sync_data()).map_err(io)?;
        Ok((Journal { file, path, last, written: 0, synced: 0, torn: false }, records))
    }

    /// What a journal says.
    ///
    /// # Errors
    /// As [`Journal::resume`]; a torn last line is left out.
    pub fn read(folder: &Path) -> Result<Vec<JournalEntry>, JournalError> {
        Ok(scan(&folder.join(FILE))?.0)
    }

    /// Adds a record. It is in the file when this returns, and on disk after the next [`Journal::sync`].
    ///
    /// # Errors
    /// When it cannot be written: what was written of it is taken back, so that the journal still reads.
    pub fn add(&mut self, record: JournalEntry) -> Result<(), JournalError> {
        if self.torn {
            let error = io::Error::other("an earlier line could not be taken back");
            return Err(JournalError::Io(self.path.clone(), error));
        }
        let line = Line { prev: self.last.clone(), record };
        let mut text = serde_json::to_string(&line).expect("a record is always JSON");
        let hash = sha256(text.as_bytes());
        text.push('\n');
        let before = self.file.metadata().map(|m| m.len());
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // A full disk can still shorten a file; if not, the torn line stays the last, and the resume cuts it.
            self.torn = before.and_then(|length| self.file.set_len(length)).is_err();
            return Err(JournalError::Io(self.path.clone(), error));
        }
        self.last = hash;
        self.written += 1;
        Ok(())
    }

    /// Puts every line on disk that is not there yet; one that another worker has just put there costs nothing.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.synced < self.written {
            self.file.sync_data().map_err(|error| JournalError::Io(self.path.clone(), error))?;
            self.synced = self.written;
        }
        Ok(())
    }
}

/// One writer at a time. The system lets go when the file is closed, also by a kill.
fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy(path.to_owned())),
        // A file system that knows no locks: then nobody else is warned, as before.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        locked => Ok(locked.map_err(|error| JournalError::Io(path.to_owned(), error.into()))?),
    }
}

/// Records, length in bytes of the whole lines, and hash of the last one.
fn scan(path: &Path) -> Result<(Vec<JournalEntry>, u64, String), JournalError> {
    let bytes = std::fs::read(path).map_err(|e| JournalError::Io(path.to_owned(), e))?;
    let mut records = Vec::new();
    let (mut length, mut last) = (0, ROOT.to_owned());
    for (at, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let whole = line.strip_suffix(b"\n");
        let broken = |what: String| JournalError::Broken(path.to_owned(), at + 1, what);
        let parsed: Line = match (whole, whole.map(serde_json::from_slice)) {
            (Some(_), Some(Ok(parsed))) => parsed,
            // Only the last line may be torn: an append that the machine did not finish.
            _ if length + line.len() == bytes.len() => break,
            (_, Some(Err(error))) => return Err(broken(format!("damaged: {error}"))),
            _ => unreachable!("only the last line can lack its end"),
        };
        if parsed.prev != last {
            return Err(broken(format!("does not follow from the line before: {} is not {last}", parsed.prev)));
        }
        last = sha256(whole.expect("a parsed line is whole"));
        length += line.len();
        records.push(parsed.record);
    }
    Ok((records, length as u64, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(trials: u32) -> JournalEntry {
        JournalEntry::Run { format: FORMAT, selection: "s".into(), trials }
    }

    fn three_lines() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path()).unwrap();
        for n in 0..3 {
            journal.add(record(n)).unwrap();
        }
        let path = folder.path().join(FILE);
        (folder, path)
    }

    #[test]
    fn what_was_added_is_read() {
        let (folder, _) = three_lines();
        assert_eq!(Journal::read(folder.path()).unwrap(), [record(0), record(1), record(2)]);
    }

    #[test]
    fn a_torn_last_line_is_cut_and_the_chain_goes_on() {
        let (folder, path) = three_lines();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..40 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let (mut journal, records) = Journal::resume(folder.path()).unwrap();
            assert_eq!(records.len(), 2, "{cut} bytes were cut from the last of three lines");
            journal.add(record(9)).unwrap();
            assert_eq!(Journal::read(folder.path()).unwrap(), [record(0), record(1), record(9)]);
        }
    }

    #[test]
    fn a_changed_line_breaks_the_chain() {
        let (folder, path) = three_lines();
        let text = std::fs::read_to_string(&path).unwrap().replacen("\"trials\":1", "\"trials\":7", 1);
        std::fs::write(&path, text).unwrap();
        let error = Journal::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(":3: does not follow"), "{error}");
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_refused() {
        let (folder, path) = three_lines();
        let text = std::fs::read_to_string(&path).unwrap().replacen("{\"prev\"", "{\"prev", 1);
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Journal::read(folder.path()), Err(JournalError::Broken(_, 1, _))));
    }

    #[test]
    fn a_journal_has_one_writer_and_any_number_of_readers() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path()).unwrap();
        let busy = Journal::resume(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(busy.contains("another proofhouse is at work"), "{busy}");
        assert_eq!(Journal::read(folder.path()).unwrap(), []);
        drop(journal);
        assert!(Journal::resume(folder.path()).is_ok());
    }

    #[test]
    fn a_replay_of_an_older_journal_names_no_plan() {
        let old = r#"{"kind":"replay","signature":"s","nth":1,"reproduced":true,"exact":false,"transcript":"t"}"#;
        let Ok(JournalEntry::Replay { plan, .. }) = serde_json::from_str(old) else { panic!("{old}") };
        assert_eq!(plan, "");
    }

    #[test]
    fn a_second_journal_does_not_overwrite_the_first() {
        let (folder, _) = three_lines();
        assert!(Journal::create(folder.path()).is_err());
    }
}
