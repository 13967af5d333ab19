//! What a target writes to its standard output and error: line by line, bounded, escaped, masked, and read for signs of trouble.
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use proofhouse_core::recorder::LOG_LIMIT;
use proofhouse_core::transcript::{Event, Life, printable};
use regex_lite::Regex;

use super::observed::{Observed, lock};
use crate::clock::Stopwatch;
use crate::mask::Secrets;

/// A longer line is cut.
const LINE_MAX: usize = 4 << 10;
/// What a target may log in one trial, as it is kept: a byte that is no text becomes six characters. More is read, so that it does not
/// block, and thrown away.
const TOTAL_MAX: usize = 16 << 20;
/// What a line costs beside its characters, as much as any entry: a million empty lines are a flood too.
const LINE_COST: usize = 160;
/// How many lines are kept for error messages and for `wait_for`.
const TAIL: usize = 512;

/// Whether this is a regular expression for log lines and versions.
///
/// # Errors
/// Why it does not read.
pub fn pattern(text: &str) -> Result<(), String> {
    Regex::new(text).map(drop).map_err(|error| error.to_string())
}

/// A target's log, shared by its readers and by whoever waits for a line.
pub struct LogBook {
    observed: Observed,
    secrets: Secrets,
    book: Mutex<Book>,
    grew: Condvar,
}

#[derive(Default)]
struct Book {
    tail: VecDeque<String>,
    /// Lines so far; the last of `tail` has number `lines - 1`.
    lines: u64,
    bytes: usize,
    flooded: bool,
    readers: u32,
}

impl LogBook {
    pub(crate) fn new(observed: Observed, secrets: Secrets) -> LogBook {
        LogBook { observed, secrets, book: Mutex::default(), grew: Condvar::new() }
    }

    /// Reads a stream to its end. One thread each for standard output and error.
    pub(crate) fn read(&self, stream: impl Read) {
        let mut stream = BufReader::with_capacity(16 << 10, stream);
        let mut line = Vec::new();
        while next_line(&mut stream, &mut line) {
            if !self.line(&mut line) {
                // The rest is read, so that the target does not block, and not looked at.
                let _ = io::copy(&mut stream, &mut io::sink());
            }
        }
    }

    /// A reader begins; counted before its thread runs, so that nobody believes that all have ended.
    pub(crate) fn reader_begins(&self) {
        lock(&self.book).readers += 1;
    }

    pub(crate) fn reader_ended(&self) {
        lock(&self.book).readers -= 1;
        self.grew.notify_all();
    }

    /// Waits until the streams have ended: everything that was written is in the book. Not longer than `limit`, since a child
    /// that left the group may hold them open.
    pub(crate) fn drain(&self, limit: Duration) {
        let watch = Stopwatch::start();
        let mut book = lock(&self.book);
        while book.readers > 0 && !watch.left(limit).is_zero() {
            book = wait(&self.grew, book, watch.left(limit));
        }
    }

    /// How many lines there were so far: where a later [`LogBook::wait_for`] begins.
    #[must_use]
    pub fn lines(&self) -> u64 {
        lock(&self.book).lines
    }

    /// Waits until a line from number `from` on matches; `false` after `limit`, or when `give_up` says so.
    pub fn wait_for(&self, pattern: &Regex, from: u64, limit: Duration, give_up: impl Fn() -> bool) -> bool {
        let watch = Stopwatch::start();
        let mut book = lock(&self.book);
        let mut next = from;
        loop {
            let first = book.lines - book.tail.len() as u64;
            let skip = next.saturating_sub(first) as usize;
            if book.tail.iter().skip(skip).any(|line| pattern.is_match(line)) {
                return true;
            }
            next = book.lines;
            let left = watch.left(limit);
            if left.is_zero() || give_up() {
                return false;
            }
            // Short naps, because `give_up` has no bell of its own.
            book = wait(&self.grew, book, left.min(Duration::from_millis(20)));
        }
    }

    /// The last `n` lines.
    #[must_use]
    pub fn last(&self, n: usize) -> Vec<String> {
        let book = lock(&self.book);
        book.tail.iter().skip(book.tail.len().saturating_sub(n)).cloned().collect()
    }

    /// Keeps a line; `false` once the log is flooded.
    fn line(&self, bytes: &mut [u8]) -> bool {
        if lock(&self.book).flooded {
            return false;
        }
        // Before anything is escaped: a secret may hold what is.
        if bytes.len() < LINE_MAX {
            self.secrets.bytes(bytes);
        } else {
            self.secrets.cut(bytes);
        }
        let line = printable(bytes);
        let mut book = lock(&self.book);
        if book.flooded {
            return false;
        }
        let cost = line.len() + LINE_COST;
        book.bytes += cost;
        if book.bytes > TOTAL_MAX || !self.observed.has_room(cost as u64) {
            book.flooded = true;
            let line = format!("log flooded: {} bytes; the rest is not kept", book.bytes);
            self.observed.life(Life::Log { line });
            self.observed.target(Event::Calibration { name: LOG_LIMIT.to_string(), value: TOTAL_MAX as u64 });
            return false;
        }
        self.observed.life(Life::line(&line));
        if book.tail.len() == TAIL {
            book.tail.pop_front();
        }
        book.tail.push_back(line);
        book.lines += 1;
        drop(book);
        self.grew.notify_all();
        true
    }
}

fn wait<'a, T>(bell: &Condvar, held: std::sync::MutexGuard<'a, T>, limit: Duration) -> std::sync::MutexGuard<'a, T> {
    bell.wait_timeout(held, limit).unwrap_or_else(std::sync::PoisonError::into_inner).0
}

/// Reads up to the next line feed into `line`, keeping at most [`LINE_MAX`] bytes; `false` at the end of the stream.
fn next_line(stream: &mut impl BufRead, line: &mut Vec<u8>) -> bool {
    line.clear();
    let mut any = false;
    loop {
        let Ok(bytes) = stream.fill_buf() else { return any };
        if bytes.is_empty() {
            return any;
        }
        any = true;
        let end = bytes.iter().position(|b| *b == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_MAX - line.len())]);
        let used = end.map_or(bytes.len(), |at| at + 1);
        stream.consume(used);
        if end.is_some() {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_letters_are_not() {
        for (bytes, text) in [
            (&b"\x1b[31mred\x07"[..], "\\x{1b}[31mred\\x{07}"),
            (b"tab\tstays", "tab\tstays"),
            ("caf\u{e9} \u{9b}".as_bytes(), "caf\u{e9} \\x{9b}"),
            (b"\xff\xfe", "\\x{ff}\\x{fe}"),
            (b"dos\r", "dos"),
        ] {
            assert_eq!(printable(bytes), text);
        }
    }

    #[test]
    fn a_line_is_cut_at_its_limit_and_the_next_one_is_whole() {
        let mut text = vec![b'a'; LINE_MAX + 1];
        text.extend_from_slice(b"\nnext\nlast");
        let mut stream = BufReader::with_capacity(100, &text[..]);
        let mut line = Vec::new();
        let mut lens = Vec::new();
        while next_line(&mut stream, &mut line) {
            lens.push(line.len());
        }
        assert_eq!(lens, [LINE_MAX, 4, 4]);
    }

    fn is_panic(line: &str) -> bool {
        matches!(Life::line(line), Life::Panic { .. })
    }

    #[test]
    fn trouble_is_told_from_talk() {
        for line in [
            "thread 'main' panicked at src/main.rs:1:1:",
            "==1==ERROR: AddressSanitizer: heap-use-after-free",
            "broker: x.c:1: f: Assertion `a == b' failed.",
            "Traceback (most recent call last):",
        ] {
            assert!(is_panic(line), "{line}");
        }
        for line in [
            "do not panic",
            "Error: bad user name or password",
            "assertion level set",
            "mosquitto version 2.0.11 running",
        ] {
            assert!(!is_panic(line), "{line}");
        }
    }

    #[test]
    fn a_flood_leaves_one_entry_and_is_read_to_its_end() {
        let observed = Observed::default();
        let log = LogBook::new(observed.clone(), Secrets::default());
        const COST: usize = 1023 + LINE_COST;
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        log.read(&*line.repeat(TOTAL_MAX / COST + 100));
        let lines = observed.take();
        assert_eq!(lines.len(), TOTAL_MAX / COST + 2, "the lines, that there are more, and that this was our limit");
        let flooded = |e: &&proofhouse_core::transcript::Entry| format!("{:?}", e.event).contains("log flooded");
        assert_eq!(lines.iter().filter(flooded).count(), 1);
    }

    #[test]
    fn what_is_no_text_costs_what_is_kept_of_it() {
        let kept = |line: &[u8]| {
            let observed = Observed::default();
            LogBook::new(observed.clone(), Secrets::default()).read(&*line.repeat(TOTAL_MAX / line.len()));
            let text = |entry: &proofhouse_core::transcript::Entry| match &entry.event {
                Event::Life(Life::Log { line }) => line.len() + LINE_COST,
                _ => 0,
            };
            observed.take().iter().map(text).sum::<usize>()
        };
        for line in [&[[0xff; 999].as_slice(), b"\n"].concat(), &b"\n"[..], &[[b'a'; 999].as_slice(), b"\n"].concat()] {
            let bytes = kept(line);
            assert!((TOTAL_MAX - (8 << 10)..TOTAL_MAX + (8 << 10)).contains(&bytes), "{bytes} of {:?}", &line[..1]);
        }
    }

    #[test]
    fn secrets_are_masked_at_equal_length() {
        let observed = Observed::default();
        let log = LogBook::new(observed.clone(), Secrets::new(vec!["hunter2".into()]));
        log.read(&b"password hunter2 given\n"[..]);
        assert_eq!(log.last(1), ["password ******* given"]);
        let log = LogBook::new(observed.clone(), Secrets::new(vec!["tab\x01\u{9b}".into()]));
        log.read("password tab\x01\u{9b} given\n".as_bytes());
        assert_eq!(log.last(1), ["password ****** given"], "also where it would be escaped");
    }
}
