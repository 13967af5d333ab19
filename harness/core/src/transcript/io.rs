//! `transcript.jsonl`: the header first, then one entry a line. Reads back as exactly the same record.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{FORMAT, Header, Transcript};
use crate::value::hex;

impl Transcript {
    /// The record as JSON lines: the header first, then one entry a line.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        self.each_line(|line| text.push_str(line));
        text
    }

    /// Reads [`Transcript::to_jsonl`].
    ///
    /// # Errors
    /// Says which line is wrong.
    pub fn from_jsonl(text: &str) -> Result<Transcript, String> {
        Transcript::from_lines(text.lines())
    }

    /// As [`Transcript::from_jsonl`], line by line: a large record need not be in memory twice.
    ///
    /// # Errors
    /// Says which line is wrong.
    pub fn from_lines(lines: impl Iterator<Item = impl AsRef<str>>) -> Result<Transcript, String> {
        let mut lines = lines.enumerate();
        let (_, first) = lines.next().ok_or("line 1: a transcript begins with its header; this one is empty")?;
        let header: Header = read(0, first.as_ref())?;
        if header.format > FORMAT {
            return Err(format!(
                "line 1: format {} is newer than this build, which reads up to {FORMAT}",
                header.format
            ));
        }
        let entries = lines.map(|(n, line)| read(n, line.as_ref())).collect::<Result<Vec<_>, String>>()?;
        Ok(Transcript { header, entries })
    }

    /// SHA-256 of the JSON lines, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        self.each_line(|line| digest.update(line));
        hex(&digest.finalize())
    }

    /// Hands over the lines of [`Transcript::to_jsonl`], each with its end: a large record need not be in memory twice.
    pub fn each_line(&self, mut take: impl FnMut(&str)) {
        take(&line(&self.header));
        for entry in &self.entries {
            take(&line(entry));
        }
    }
}

fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("entries have text keys only, so they always serialize");
    text.push('\n');
    text
}

fn read<T: for<'a> serde::Deserialize<'a>>(n: usize, line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|e| format!("line {}: {e}", n + 1))
}

impl fmt::Display for super::Who {
    /// `victim/0`, `target`, `harness`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            super::Who::Member(fleet, member) => write!(f, "{fleet}/{member}"),
            super::Who::Target => f.write_str("target"),
            super::Who::Harness => f.write_str("harness"),
        }
    }
}

#[cfg(test)]
mod tests;
