//! Real secrets never reach a file: every occurrence becomes as many `*`.
use std::collections::BTreeMap;

use proofhouse_core::transcript::{Bytes, Entry, Event, Life, Transcript};
use proofhouse_core::value::{Fields, Value, hex, unhex};

/// The secrets of a trial: passwords from outside. Passwords that we made up are not among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(secrets: Vec<String>) -> Secrets {
        Secrets(secrets.into_iter().filter(|s| !s.is_empty()).collect())
    }

    /// `text` with every secret replaced at equal length in bytes.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut masked = text.to_string();
        for secret in &self.0 {
            masked = masked.replace(secret, &"*".repeat(secret.len()));
        }
        masked
    }

    fn bytes(&self, bytes: &mut [u8]) {
        for secret in self.0.iter().map(String::as_bytes) {
            let mut at = 0;
            while at + secret.len() <= bytes.len() {
                if bytes[at..].starts_with(secret) {
                    bytes[at..at + secret.len()].fill(b'*');
                    at += secret.len();
                } else {
                    at += 1;
                }
            }
        }
    }

    /// Masks what a target has logged.
    pub(crate) fn entries(&self, entries: &mut [Entry]) {
        for entry in entries {
            if let Event::Life(Life::Log { line } | Life::Panic { line }) = &mut entry.event {
                *line = self.text(line);
            }
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
                Event::Life(Life::Log { line } | Life::Panic { line }) => *line = self.text(line),
                Event::Step { detail, .. } => *detail = self.text(detail),
                Event::Bound { value, .. } => self.value(value),
                _ => {}
            }
        }
        for entries in streams.into_values() {
            self.stream(&entries, transcript);
        }
    }

    fn stream(&self, entries: &[usize], transcript: &mut Transcript) {
        let part = |n: &usize| unhex(&bytes_of(&transcript.entries[*n].event).hex).unwrap_or_default();
        let parts: Vec<Vec<u8>> = entries.iter().map(part).collect();
        let mut whole = parts.concat();
        self.bytes(&mut whole);
        let mut at = 0;
        for (n, part) in entries.iter().zip(parts) {
            let bytes = bytes_mut(&mut transcript.entries[*n].event);
            bytes.hex = hex(&whole[at..at + part.len()]);
            at += part.len();
            for packet in &mut bytes.packets {
                self.fields(&mut packet.fields);
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
