//! A target that outlives a trial: isolation of trials on it, and cleanup after each.
//!
//! Whatever a trial leaves there (retained messages, sessions, resources) the next one would find and blame on the target. So each is
//! known by names of its own wherever its attack allows that, and what it has made is taken away, which is checked.
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::plan::Plan;
use crate::seed::Seed;
use crate::transcript::{Event, Packet, Transcript};
use crate::value::Value;

/// What a protocol knows of a target that outlives a trial.
#[derive(Clone, Copy)]
pub struct Shared {
    /// Gives the names in a plan that are the trial's own to choose an ending that no other trial uses. The same for every planning.
    pub unique: fn(&mut Plan),
    /// What this trial has made and left; `None` where there is nothing.
    pub residue: fn(&Plan, &Transcript) -> Option<Residue>,
    /// What others have made and this trial has met, in words.
    pub foreign: fn(&Plan, &Transcript) -> Option<String>,
}

impl Shared {
    /// A protocol whose servers keep nothing.
    pub const NOTHING: Shared = Shared { unique: |_| (), residue: |_, _| None, foreign: |_, _| None };
}

/// What a trial has left on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residue {
    /// The names under which others would meet it: topics, client ids, paths.
    pub names: BTreeSet<String>,
    /// A scenario that takes it away, asks whether it is gone, and passes only then. Its id begins with [`CLEARING`].
    pub scenario: String,
}

/// How the id of a clearing begins; that of the trial follows. Its names are those of the trial, as they are.
pub const CLEARING: &str = "clearing/";

/// The seed of what belongs to one trial alone: trials of one run may share theirs, and meet on a target.
#[must_use]
pub fn own_seed(seed: Seed, scenario: &str, case: &str) -> Seed {
    seed.child(&alloc::format!("{scenario} {case}"), 0)
}

/// The first of these names that stands in a packet which went to the target or came from it.
#[must_use]
pub fn met<'n>(names: &'n BTreeSet<String>, transcript: &Transcript) -> Option<&'n str> {
    packets(transcript).find_map(|(_, packet)| name_in(names, packet))
}

/// As [`met`], in what came from the target.
#[must_use]
pub fn told<'n>(names: &'n BTreeSet<String>, transcript: &Transcript) -> Option<&'n str> {
    packets(transcript).filter(|(sent, _)| !sent).find_map(|(_, packet)| name_in(names, packet))
}

fn packets(transcript: &Transcript) -> impl Iterator<Item = (bool, &Packet)> {
    transcript.entries.iter().flat_map(|entry| {
        let (sent, packets): (bool, &[Packet]) = match &entry.event {
            Event::Sent(bytes) => (true, &bytes.packets),
            Event::Received(bytes) => (false, &bytes.packets),
            _ => (false, &[]),
        };
        packets.iter().map(move |packet| (sent, packet))
    })
}

fn name_in<'n>(names: &'n BTreeSet<String>, packet: &Packet) -> Option<&'n str> {
    let mut texts = Vec::new();
    packet.fields.iter().for_each(|(_, value)| gather(value, &mut texts));
    texts.into_iter().find_map(|text| names.get(text)).map(String::as_str)
}

fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::Text(text) => texts.push(text),
        Value::List(all) => all.iter().for_each(|one| gather(one, texts)),
        Value::Table(fields) => fields.iter().for_each(|(_, one)| gather(one, texts)),
        _ => {}
    }
}

/// Text as a clearing's TOML writes it: whatever a reader of scenarios could take for more than a character is escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+#$ ".contains(c);
    let mut out = String::from("\"");
    for c in text.chars() {
        match plain(c) {
            true => out.push(c),
            false => out += &alloc::format!("\\U{:08X}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_of_one_seed_have_seeds_of_their_own() {
        let own = |scenario, case| own_seed(Seed(1), scenario, case);
        assert_eq!(own("mqtt/a", "5"), own("mqtt/a", "5"), "a replay has the same");
        assert_ne!(own("mqtt/a", "5"), own("mqtt/a", "3.1.1"));
        assert_ne!(own("mqtt/a", "5"), own("mqtt/b", "5"));
    }

    #[test]
    fn odd_text_is_escaped() {
        assert_eq!(quoted("a/b-1"), "\"a/b-1\"");
        assert_eq!(quoted("a\"{x}\u{1}"), "\"a\\U00000022\\U0000007Bx\\U0000007D\\U00000001\"");
    }
}
