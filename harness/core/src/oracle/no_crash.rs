//! The target neither ends by itself nor is ended by a signal that we did not send.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::record::{Moment, Record};
use super::rule::{Needs, Oracle};
use crate::admin::Order;
use crate::ids::EntryId;
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::Time;
use crate::transcript::{Event, Life, Transcript};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "no-crash",
    doc: "the target's process neither exits nor dies by a signal before we stop it",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Crash,
    keys: &[],
    reads_steps: false,
    judge,
};

fn judge(_expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    if let Some(violation) = crash(transcript) {
        return Judgement::fail(ORACLE.id, alloc::vec![violation]);
    }
    let since = record.attack().map_or(Time::ZERO, |(_, last)| last.at);
    match record.served_after(since) {
        Some(moment) => Judgement::pass(
            ORACLE.id,
            alloc::vec![moment.id],
            "the target still served the witness after the last stimulus",
        ),
        None => {
            Judgement::inconclusive(ORACLE.id, "no end was seen, but nobody was served after the last stimulus either")
        }
    }
}

fn crash(transcript: &Transcript) -> Option<Violation> {
    let (death, how) = death(transcript)?;
    let words = last_words(transcript, death.id);
    let mut entries: Vec<EntryId> = words.iter().map(|(id, _)| *id).collect();
    entries.push(death.id);
    Some(Violation {
        expected: "the target runs until the trial ends".to_string(),
        actual: format!("the target ended by itself: {how}"),
        clause: String::new(),
        place: words.map_or(how.clone(), |(_, line)| format!("{how}: {}", template(line))),
        entries,
    })
}

/// The second arm sends what is legal only; a target that ends there has crashed all the same. Entries of a judgement are those of
/// the first arm, so the text says where in the second it is seen, and the entry shown is the start of the same target.
pub(crate) fn in_control_arm(main: &Transcript, control: &Transcript) -> Option<Judgement> {
    let crash = crash(control)?;
    let place = crash.entries.last().map_or(0, |id| id.0);
    let start = main.iter().find(|(_, entry)| matches!(entry.event, Event::Life(Life::Started { .. })));
    let actual = format!("{}, in the control arm (entry {place} there)", crash.actual);
    let entries = alloc::vec![start.map_or(EntryId(0), |(id, _)| id)];
    Some(Judgement::fail(ORACLE.id, alloc::vec![Violation { actual, entries, ..crash }]))
}

/// The first end that nobody asked for: an ordered restart, or our own stop, excuses what follows it at once.
pub(super) fn death(transcript: &Transcript) -> Option<(Moment, String)> {
    let mut asked = false;
    for (id, entry) in transcript.iter() {
        let how = match &entry.event {
            Event::Ordered { order: Order::Restart } | Event::Life(Life::Stopped) => {
                asked = true;
                continue;
            }
            Event::Life(Life::Started { .. }) => {
                asked = false;
                continue;
            }
            Event::Life(Life::Exited { code }) => format!("exit code {code}"),
            Event::Life(Life::Signalled { signal }) => format!("signal {signal}"),
            _ => continue,
        };
        if !asked {
            return Some((Moment { at: entry.at, id }, how));
        }
    }
    None
}

/// The last panic or sanitizer line before (or reported right after) the end.
fn last_words(transcript: &Transcript, death: EntryId) -> Option<(EntryId, &str)> {
    let panics = transcript.iter().filter_map(|(id, entry)| match &entry.event {
        Event::Life(Life::Panic { line }) => Some((id, line.as_str())),
        _ => None,
    });
    let panics: Vec<(EntryId, &str)> = panics.collect();
    panics.iter().rev().find(|(id, _)| *id < death).or(panics.first()).copied()
}

/// A log line with everything that differs from run to run taken out: numbers and quoted text become `_`.
pub(super) fn template(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' => {
                while chars.peek().is_some_and(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | 'x')) {
                    chars.next();
                }
                out.push('_');
            }
            '"' | '\'' | '`' => {
                for inside in chars.by_ref() {
                    if inside == c {
                        break;
                    }
                }
                out.push('_');
            }
            c => out.push(c),
        }
    }
    out.chars().take(TEMPLATE_MAX).collect()
}

/// Longest template in characters: a line of a log, not a dump.
const TEMPLATE_MAX: usize = 160;
