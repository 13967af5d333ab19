//! Stack traces in a target's log (tracebacks, panics, sanitizer reports), read as far as they repeat: exception type and innermost own
//! frame. Messages, addresses, ids and paths differ from run to run, and are never read.
//!
//! One file for each family of runtimes; all of them are asked at every line, and whatever they do not know is no stack trace. A log
//! is a peer's text: nothing here can fail, and nothing looks further ahead than [`LINES_MAX`].
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::ids::EntryId;
use crate::transcript::{Event, Life, Transcript, crash_sign, is_goodbye};

mod arrows;
mod beam;
mod frame;
mod native;
mod python;
#[cfg(test)]
mod tests;

pub(super) use frame::Frame;

/// One line of a log.
pub(super) type Line<'a> = (EntryId, &'a str);

/// How many lines one stack trace may have; what is longer is read up to here.
const LINES_MAX: usize = 200;
/// How many lines before a stack trace may say whose it is: `Task exception was never retrieved`, and what the task was.
const HEAD_LINES: usize = 3;

/// One failure that a log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Traceback {
    /// `KeyError`, `panic`, `AddressSanitizer heap-use-after-free`; the runtime's own word where there is no type.
    pub kind: String,
    /// The innermost frame that is not a library's, where there is any.
    pub frame: Option<Frame>,
    /// The log says by itself that nobody caught it: it ended a thread, a task or the process, or memory is damaged.
    pub uncaught: bool,
    /// Its first and last line.
    pub entries: [EntryId; 2],
}

impl Traceback {
    /// What of it repeats, for a signature: type and frame; where there is no frame, no cause is shown, and failures of different
    /// stimuli stay apart.
    pub fn place(&self, stimulus: &str) -> String {
        match &self.frame {
            Some(frame) => alloc::format!("{} at {frame}", self.kind),
            None => alloc::format!("{} after {stimulus}", self.kind),
        }
    }
}

impl fmt::Display for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.frame {
            Some(frame) => write!(f, "{} in {frame}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

/// The lines that a target logged, in order.
pub(super) fn log(transcript: &Transcript) -> Vec<Line<'_>> {
    let line = |(id, entry): (EntryId, &'_ crate::transcript::Entry)| match &entry.event {
        Event::Life(Life::Log { .. } | Life::Panic { .. }) => Some(id),
        _ => None,
    };
    let ids: Vec<EntryId> = transcript.iter().filter_map(line).collect();
    let text = |id: EntryId| match &transcript.entries[id.0 as usize].event {
        Event::Life(Life::Log { line } | Life::Panic { line }) => line.as_str(),
        _ => "",
    };
    ids.into_iter().map(|id| (id, text(id))).collect()
}

/// Every stack trace in these lines, in order.
pub(super) fn all(lines: &[Line<'_>]) -> Vec<Traceback> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let read = structured(lines, at).or_else(|| bare(lines, at));
        at = match read {
            Some(read) => {
                let mut kept = read.traceback(lines, at);
                kept.uncaught &= !is_goodbye(&kept.kind);
                found.push(kept);
                read.next.max(at + 1)
            }
            None => at + 1,
        };
    }
    found
}

/// What a family of runtimes makes of the lines from one on.
struct Read {
    kind: String,
    frame: Option<Frame>,
    uncaught: bool,
    /// The first line that does not belong to it.
    next: usize,
}

impl Read {
    fn traceback(&self, lines: &[Line<'_>], at: usize) -> Traceback {
        let last = self.next.clamp(at + 1, lines.len()) - 1;
        Traceback {
            kind: self.kind.clone(),
            frame: self.frame.clone(),
            uncaught: self.uncaught,
            entries: [lines[at].0, lines[last].0],
        }
    }
}

/// Reads a stack trace that begins at this line; `None`: none of its runtimes printed it.
type Family = fn(&[Line<'_>], usize) -> Option<Read>;

fn structured(lines: &[Line<'_>], at: usize) -> Option<Read> {
    const FAMILIES: [Family; 4] = [python::read, native::read, beam::read, arrows::read];
    FAMILIES.iter().find_map(|read| read(lines, at))
}

/// A line that reads like the report of a crash, and no stack with it; the head of a stack trace is none. Topics, names and reasons of
/// peers stand in such lines too: the word alone says of nobody that he caught nothing.
fn bare(lines: &[Line<'_>], at: usize) -> Option<Read> {
    let sign = crash_sign(lines[at].1)?;
    let follows = (at + 1..lines.len().min(at + 2 + HEAD_LINES)).any(|next| structured(lines, next).is_some());
    if follows {
        return None;
    }
    let thrown = lines[at].1.split_once("an instance of '").and_then(|(_, rest)| frame::type_name(rest));
    let kind = thrown.unwrap_or_else(|| sign.trim_matches([' ', ':', '*']).to_string());
    Some(Read { kind, frame: None, uncaught: false, next: at + 1 })
}

/// Whether the lines up to this one say that nobody caught what follows.
fn is_uncaught(lines: &[Line<'_>], at: usize) -> bool {
    const WORDS: [&str; 7] = [
        "never retrieved",
        "Exception in thread",
        "nhandled",
        "ncaught",
        "Exception in callback",
        "Fatal error",
        "exception calling callback",
    ];
    let heads = &lines[at.saturating_sub(HEAD_LINES)..=at];
    heads.iter().any(|(_, line)| WORDS.iter().any(|word| line.contains(word)))
}
