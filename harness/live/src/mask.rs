//! Real secrets never reach a file: every occurrence becomes as many `*`.
//!
//! What cannot be found is a secret in another form: hex, base64, percent escapes, compressed, encrypted or hashed. A target that
//! prints one of those has told it to whoever reads the record.
use std::collections::BTreeMap;
use std::ops::Range;

use proofhouse_core::transcript::{Bytes, Entry, Event, Life, Transcript};
use proofhouse_core::value::{Fields, Value, hex, unhex};

use crate::error::RunError;

/// The secrets of a target file: every password that it names from outside, whether a plan uses it or not. Passwords that we made up
/// are not among them: the seed tells them anyway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

/// A beginning of a secret, at the end of what our own limits have cut, is masked from this length on.
const BEGINNING: usize = 4;

impl Secrets {
    pub(crate) fn new(secrets: Vec<String>) -> Secrets {
        Secrets(secrets.into_iter().filter(|s| !s.is_empty()).collect())
    }

    /// `text` with every secret replaced at equal length in bytes.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.bytes(&mut bytes);
        // A secret covers whole characters; were it not so, nothing may be shown.
        String::from_utf8(bytes).unwrap_or_else(|_| "*".repeat(text.len()))
    }

    /// Masks all occurrences, also such as overlap: of `abcd` and `cdef` in `abcdef`, nothing is left.
    pub(crate) fn bytes(&self, bytes: &mut [u8]) {
        let secrets = || self.0.iter().map(String::as_bytes);
        let whole: Vec<Range<usize>> = secrets().flat_map(|secret| occurrences(bytes, secret)).collect();
        for range in whole {
            bytes[range].fill(b'*');
        }
    }

    /// As [`Secrets::bytes`], for what our own limits have cut: its end may be the beginning of a secret. Nothing else is masked so: a
    /// user name or topic that happens to begin like a password would be hidden from the rules.
    pub(crate) fn cut(&self, bytes: &mut [u8]) {
        let cut = self.0.iter().filter_map(|secret| beginning(bytes, secret.as_bytes())).max().unwrap_or(0);
        self.bytes(bytes);
        let end = bytes.len();
        bytes[end - cut..].fill(b'*');
    }

    /// The same error without secrets: a target may have logged one, or a command printed it.
    pub(crate) fn error(&self, error: RunError) -> RunError {
        error.map_text(|text| self.text(text))
    }

    /// Masks what was seen of a target.
    pub(crate) fn entries(&self, entries: &mut [Entry]) {
        if !self.0.is_empty() {
            entries.iter_mut().for_each(|entry| self.event(&mut entry.event));
        }
    }

    fn event(&self, event: &mut Event) {
        match event {
            Event::Life(Life::Log { line } | Life::Panic { line } | Life::Started { version: line }) => {
                *line = self.text(line);
            }
            Event::Step { detail, .. } => *detail = self.text(detail),
            Event::Bound { value, .. } => self.value(value),
            Event::Totals(fields) => self.fields(fields),
            // Traffic is masked as a stream; the others say names of the scenario, numbers and kinds.
            _ => {}
        }
    }

    /// Masks a whole record: the bytes of each connection and direction as one stream, so that a cut secret is found too.
    pub(crate) fn transcript(&self, transcript: &mut Transcript) {
        if self.0.is_empty() {
            return;
        }
        let mut streams: BTreeMap<(u32, bool), Vec<usize>> = BTreeMap::new();
        for (n, entry) in transcript.entries.iter_mut().enumerate() {
            match &mut entry.event {
                Event::Sent(bytes) => streams.entry((bytes.conn, true)).or_default().push(n),
                Event::Received(bytes) => streams.entry((bytes.conn, false)).or_default().push(n),
                event => self.event(event),
            }
        }
        for entries in streams.into_values() {
            // What an entry does not show any more ends its stream: the next one goes on somewhere else.
            let cut = |n: &usize| bytes_of(&transcript.entries[*n].event).len.is_some();
            let runs: Vec<Vec<usize>> = entries.split_inclusive(cut).map(<[usize]>::to_vec).collect();
            runs.iter().for_each(|run| self.stream(run, transcript));
        }
    }

    fn stream(&self, entries: &[usize], transcript: &mut Transcript) {
        let part = |n: &usize| unhex(&bytes_of(&transcript.entries[*n].event).hex).unwrap_or_default();
        let parts: Vec<Vec<u8>> = entries.iter().map(part).collect();
        let mut whole = parts.concat();
        let ends_early = entries.last().is_some_and(|n| bytes_of(&transcript.entries[*n].event).len.is_some());
        if ends_early {
            self.cut(&mut whole);
        } else {
            self.bytes(&mut whole);
        }
        let mut at = 0;
        for (n, part) in entries.iter().zip(parts) {
            let bytes = bytes_mut(&mut transcript.entries[*n].event);
            bytes.hex = hex(&whole[at..at + part.len()]);
            at += part.len();
            for packet in &mut bytes.packets {
                self.fields(&mut packet.fields);
                packet.malformed = self.text(&packet.malformed);
            }
        }
    }

    fn fields(&self, fields: &mut Fields) {
        for (_, value) in &mut fields.0 {
            self.value(value);
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::Text(text) => *text = self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(values) => values.iter_mut().for_each(|v| self.value(v)),
            Value::Table(fields) => self.fields(fields),
            _ => {}
        }
    }
}

/// Where `secret` begins and ends in `bytes`, each occurrence.
fn occurrences<'a>(bytes: &'a [u8], secret: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let first = secret[0];
    let begins = bytes.iter().enumerate().filter(move |(_, byte)| **byte == first).map(|(at, _)| at);
    begins.filter(|at| bytes[*at..].starts_with(secret)).map(|at| at..at + secret.len())
}

/// How much of the end of `bytes` is the beginning of `secret`, where that is enough to be told.
fn beginning(bytes: &[u8], secret: &[u8]) -> Option<usize> {
    (BEGINNING..secret.len()).rev().find(|len| bytes.ends_with(&secret[..*len]))
}

fn bytes_of(event: &Event) -> &Bytes {
    match event {
        Event::Sent(bytes) | Event::Received(bytes) => bytes,
        other => unreachable!("only traffic was collected, not {other:?}"),
    }
}

fn bytes_mut(event: &mut Event) -> &mut Bytes {
    match event {
        Event::Sent(bytes) | Event::Received(bytes) => bytes,
        other => unreachable!("only traffic was collected, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(of: &[&str]) -> Secrets {
        Secrets::new(of.iter().map(|secret| (*secret).to_string()).collect())
    }

    #[test]
    fn a_password_that_begins_another_leaves_nothing_of_it() {
        for (of, text, masked) in [
            (&["hunter", "hunter2"][..], "hunter2 hunter", "******* ******"),
            (&["hunter2", "hunter"], "hunter2 hunter", "******* ******"),
            (&["abcd", "cdef"], "xabcdefx", "x******x"),
            (&["aa"], "aaa", "***"),
            (&["geheim\u{e9}"], "ein geheim\u{e9}!", "ein ********!"),
            (&[""], "nothing", "nothing"),
            (&["secret"], "secre", "secre"),
            (&["secret"], "sec ret", "sec ret"),
        ] {
            assert_eq!(secrets(of).text(text), masked, "{of:?} in {text:?}");
        }
    }

    #[test]
    fn what_our_own_limits_cut_ends_with_no_beginning_of_a_secret() {
        let of = secrets(&["correct horse"]);
        let cut = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            of.cut(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(cut("it is correct hor"), "it is ***********");
        assert_eq!(cut("it is corr"), "it is ****");
        assert_eq!(cut("it is cor"), "it is cor", "three letters are in many words");
        assert_eq!(cut("correct hor is it"), "correct hor is it", "nothing was cut there");
    }

    #[test]
    fn a_name_that_begins_as_a_password_does_stays_readable() {
        assert_eq!(secrets(&["admin123"]).text("admin"), "admin");
    }

    #[test]
    fn an_error_tells_no_secret() {
        let error = RunError::DiedAtStart { how: "exit code 1".into(), log: vec!["login hunter2 refused".into()] };
        let text = secrets(&["hunter2"]).error(error).to_string();
        assert!(text.contains("login ******* refused"), "{text}");
    }
}
