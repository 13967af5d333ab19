//! The log holds no panic, sanitizer report or unhandled exception. A line that ended the process belongs to `no-crash`, and one
//! that also came before the attack began is no effect of it.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::no_crash::{death, template};
use super::record::Record;
use super::rule::{Needs, Oracle};
use crate::ids::EntryId;
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::transcript::{Event, Life, Transcript};
use crate::verdict::{Judgement, Violation};

pub(crate) const ORACLE: Oracle = Oracle {
    id: "no-unhandled-exception",
    doc: "the target's log holds no panic, sanitizer report or unhandled exception",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Exception,
    keys: &[],
    reads_steps: false,
    judge,
};

fn judge(_expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    if death(transcript).is_some() {
        return Judgement::inconclusive(ORACLE.id, "the target ended: its last words belong to no-crash");
    }
    let attack = Record::new(plan, transcript).attack().map(|(first, _)| first.id);
    let before = |id: EntryId| attack.is_some_and(|attack| id < attack);
    let mut usual: BTreeSet<String> = BTreeSet::new();
    let mut panics: BTreeMap<String, (String, Vec<EntryId>)> = BTreeMap::new();
    let mut quiet = Vec::new();
    for (id, entry) in transcript.iter() {
        match &entry.event {
            Event::Life(Life::Panic { line }) if before(id) || usual.contains(&template(line)) => {
                usual.insert(template(line));
                quiet.push(id);
            }
            Event::Life(Life::Panic { line }) => {
                panics.entry(template(line)).or_insert((line.clone(), Vec::new())).1.push(id);
            }
            Event::Life(Life::Log { .. } | Life::Started { .. } | Life::Ready) => quiet.push(id),
            _ => {}
        }
    }
    if panics.is_empty() {
        return Judgement::pass(ORACLE.id, quiet, "no line of the log reads like an exception");
    }
    let violation = |(place, (line, entries)): (String, (String, Vec<EntryId>))| Violation {
        expected: "no panic, sanitizer report or unhandled exception in the log".to_string(),
        actual: format!("the log says: {line}"),
        clause: String::new(),
        place,
        entries,
    };
    Judgement::fail(ORACLE.id, panics.into_iter().map(violation).collect())
}
