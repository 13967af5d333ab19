//! `trials/passed.jsonl.gz`: every passing trial of a run, appended one after the other. A folder with three files each costs more than the
//! trial itself, and nobody opens them one by one; `zcat` shows all, and `proofhouse judge` reads them again.
//!
//! Each trial is one gzip member: a line that says which, then its transcript as `transcript.jsonl` has it, then the control arm's. A torn
//! last member (power cut, `kill -9`) is cut off when the run goes on; its trial's line in the journal stands all the same.
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use flate2::bufread::GzDecoder;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::trial::Outcome;
use serde::{Deserialize, Serialize};

use super::folder::{FileError, gzip};

/// Name of the file, below the run's folder.
pub const FILE: &str = "trials/passed.jsonl.gz";

/// A pack that is being written.
pub struct Pack {
    written: Mutex<Written>,
    path: PathBuf,
}

struct Written {
    file: File,
    /// Everything that was added is surely on disk.
    synced: bool,
}

/// A trial as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its plan, as it prints.
    pub plan: String,
    /// What was seen.
    pub transcript: Transcript,
    /// What was seen in the control arm.
    pub control: Option<Transcript>,
}

/// First line of a member.
#[derive(Serialize, Deserialize)]
struct Head {
    trial: String,
    plan: String,
    /// Bytes of the first transcript; the control arm's follows.
    bytes: usize,
}

impl Pack {
    /// Opens the pack of a run, less a torn end.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(root: &Path) -> Result<Pack, FileError> {
        let path = root.join(FILE);
        let open = || {
            let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            let end = members(&file)?.last().map_or(0, |(_, end)| *end);
            if end < file.metadata()?.len() {
                // A torn end, or damage in the middle: what stands behind it is evidence of lines that stand in the journal.
                std::fs::copy(&path, path.with_extension("gz.torn"))?;
                file.set_len(end)?;
            }
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Pack { written: Mutex::new(Written { file, synced: true }), path }),
            Err(error) => Err(FileError { path, error }),
        }
    }

    /// Adds a trial under the name that its folder would have.
    ///
    /// # Errors
    /// When it cannot be written; what was written of it is taken back.
    pub fn add(&self, trial: &str, outcome: &Outcome) -> Result<(), FileError> {
        let main = outcome.transcript.to_jsonl();
        let head = Head { trial: trial.into(), plan: outcome.plan.to_toml(), bytes: main.len() };
        let head = serde_json::to_string(&head).expect("text and numbers are always JSON");
        let control = outcome.control.as_ref().map(Transcript::to_jsonl).unwrap_or_default();
        self.append(&gzip(format!("{head}\n{main}{control}").as_bytes()))
    }

    pub(super) fn append(&self, member: &[u8]) -> Result<(), FileError> {
        let mut written = self.written.lock().expect("no worker panics while it writes");
        written.synced = false;
        let before = written.file.metadata().map(|m| m.len());
        written.file.write_all(member).map_err(|error| {
            if let Ok(length) = before {
                // A full disk can still shorten a file; if not, the torn end is cut when the run goes on.
                let _ = written.file.set_len(length);
            }
            FileError { path: self.path.clone(), error }
        })
    }

    /// Puts on disk what was added: before the lines of the journal that speak of it.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn sync(&self) -> Result<(), FileError> {
        let mut written = self.written.lock().expect("no worker panics while it writes");
        if !written.synced {
            written.file.sync_data().map_err(|error| FileError { path: self.path.clone(), error })?;
            written.synced = true;
        }
        Ok(())
    }

    /// Whether everything that was added is on disk.
    #[cfg(test)]
    pub(super) fn is_synced(&self) -> bool {
        self.written.lock().expect("no worker panics while it writes").synced
    }
}

/// Where each whole member begins and ends. Stops at the first that does not read.
fn members(file: &File) -> std::io::Result<Vec<(u64, u64)>> {
    let mut all = Vec::new();
    let mut begin = 0;
    loop {
        let mut file = file;
        file.seek(SeekFrom::Start(begin))?;
        let mut decoder = GzDecoder::new(Counted { inner: BufReader::new(file), read: 0 });
        match std::io::copy(&mut decoder, &mut std::io::sink()) {
            Ok(_) => {}
            Err(error) if is_torn(&error) => return Ok(all),
            Err(error) => return Err(error),
        }
        let end = begin + decoder.into_inner().read;
        all.push((begin, end));
        begin = end;
    }
}

/// The bytes end, or are no gzip: the system has read them well.
fn is_torn(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Counts what a decoder takes: the member ends there.
struct Counted<R> {
    inner: R,
    read: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.read += n as u64;
        self.inner.consume(n);
    }
}

/// The passing trials of a run, by name; each is read when it is asked for.
#[derive(Default)]
pub struct Index {
    file: Option<File>,
    places: BTreeMap<String, u64>,
    /// From this byte on it does not read.
    torn: Option<u64>,
}

impl Index {
    /// Looks through a run's pack; empty where there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(root: &Path) -> Result<Index, FileError> {
        let path = root.join(FILE);
        let open = || -> std::io::Result<Index> {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Index::default()),
                Err(error) => return Err(error),
            };
            let mut places = BTreeMap::new();
            let whole = members(&file)?;
            let end = whole.last().map_or(0, |(_, end)| *end);
            let torn = (end < file.metadata()?.len()).then_some(end);
            for (begin, _) in whole {
                let mut line = String::new();
                BufReader::new(decoder(&file, begin)?).read_line(&mut line)?;
                let head: Head = serde_json::from_str(&line).map_err(std::io::Error::other)?;
                // A trial that was run again stands in the pack twice: the later holds, as in the journal.
                places.insert(head.trial, begin);
            }
            Ok(Index { file: Some(file), places, torn })
        };
        open().map_err(|error| FileError { path, error })
    }

    /// The first byte that does not read, where the file is damaged: what is not here may have been behind it.
    #[must_use]
    pub fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// A trial, by the name that its folder would have. `None`: it was not kept, or does not read.
    ///
    /// # Errors
    /// Says what does not read.
    pub fn get(&self, trial: &str) -> Result<Option<Kept>, String> {
        let (Some(file), Some(begin)) = (&self.file, self.places.get(trial)) else { return Ok(None) };
        let mut text = String::new();
        let read = decoder(file, *begin).and_then(|mut decoder| decoder.read_to_string(&mut text));
        read.map_err(|error| format!("{FILE}: {trial}: {error}"))?;
        kept(&text).map(Some).map_err(|error| format!("{FILE}: {trial}: {error}"))
    }
}

fn decoder(file: &File, begin: u64) -> std::io::Result<GzDecoder<BufReader<&File>>> {
    let mut file = file;
    file.seek(SeekFrom::Start(begin))?;
    Ok(GzDecoder::new(BufReader::new(file)))
}

fn kept(text: &str) -> Result<Kept, String> {
    let (head, rest) = text.split_once('\n').ok_or("no first line")?;
    let head: Head = serde_json::from_str(head).map_err(|e| e.to_string())?;
    let (main, control) = rest.split_at_checked(head.bytes).ok_or("the transcript is shorter than it was")?;
    let read = |text: &str| Transcript::from_jsonl(text).map_err(|e| e.to_string());
    let control = if control.is_empty() { None } else { Some(read(control)?) };
    Ok(Kept { plan: head.plan, transcript: read(main)?, control })
}

#[cfg(test)]
mod tests;
