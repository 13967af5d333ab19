//! What a peer says about itself stays within its own record of the target's log: no line begins with it, and no control character
//! before it reaches a terminal.
//!
//! The canary stands right behind a line feed or an escape in what a member sent. A log that escapes or drops control characters
//! keeps it inside its line. Another canary, told in a plain name, must show in the log: otherwise the log may tell nothing of such
//! names, and its silence would prove nothing.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::rule::{CLAUSE, Needs, Oracle};
use crate::ids::EntryId;
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::transcript::{Event, Life, Transcript};
use crate::value::Value;
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "log-injection",
    doc: "what stands behind a control character in a name that a peer sends neither begins a line of the target's log nor brings that character to a terminal",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Conformance,
    keys: &[
        Key {
            name: "canary",
            kind: Kind::Any,
            doc: "what stands right behind a control character, one canary or several",
        },
        Key { name: "told", kind: Kind::Any, doc: "canaries in plain names, of which the log must show one" },
        Key { name: "where", kind: Kind::Text, doc: "the name in words, for people: \"a client id\"" },
        CLAUSE,
    ],
    reads_steps: false,
    judge,
};

/// What became of the canary in one line.
enum Trace {
    /// Inside its record.
    Kept,
    /// The line begins with it.
    Forged,
    /// A control character stands before it as it was sent.
    Raw,
}

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let (canaries, told) = (canaries(expect, plan, "canary"), canaries(expect, plan, "told"));
    if canaries.is_empty() || told.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "`canary` and `told` name canaries that steps send");
    }
    let is_told = |line: &str| told.iter().any(|told| line.contains(told));
    let shown = lines(transcript).find(|(_, line)| is_told(line)).map(|(id, _)| id);
    let (mut seen, mut found) = (Vec::new(), Vec::<(&str, EntryId)>::new());
    for (id, line) in lines(transcript) {
        for trace in canaries.iter().filter_map(|canary| trace(line, canary)) {
            match trace {
                Trace::Kept => seen.push(id),
                Trace::Forged => found.push(("forged-line", id)),
                Trace::Raw => found.push(("raw-control", id)),
            }
        }
    }
    let name = expect.keys.text("where").unwrap_or("a name");
    let mut violations: Vec<Violation> = Vec::new();
    for (place, id) in found {
        let place = format!("{place}/{name}");
        match violations.iter_mut().find(|violation| violation.place == place) {
            Some(same) => same.entries.push(id),
            None => violations.push(violation(name, place, id, expect.clause(plan))),
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    let Some(shown) = shown else {
        let why = "the log does not show a plain name either: it tells nothing of such names";
        return Judgement::inconclusive(ORACLE.id, why);
    };
    let what = if seen.is_empty() { "it is not in the log at all" } else { "it stays within its record" };
    seen.push(shown);
    Judgement::pass(ORACLE.id, seen, String::from(what))
}

fn violation(name: &str, place: String, line: EntryId, clause: String) -> Violation {
    let actual = match place.starts_with("forged") {
        true => format!("a line of the log begins with what stood behind a line feed in {name}"),
        false => format!("a control character of {name} stands in the log as it was sent"),
    };
    let expected = format!("the log keeps {name} within one record, with its control characters escaped");
    Violation { expected, actual, clause, place, entries: alloc::vec![line], lesser: false }
}

/// The characters of the canaries that a key names.
fn canaries<'p>(expect: &Expect, plan: &'p Plan, key: &str) -> Vec<&'p str> {
    let names = expect.keys.find(key).map(Value::as_slice).unwrap_or_default();
    let text = |name: &Value| {
        plan.canaries.iter().find(|(canary, _)| name.as_text() == Some(canary)).map(|(_, text)| text.as_str())
    };
    names.iter().filter_map(text).collect()
}

fn lines(transcript: &Transcript) -> impl Iterator<Item = (EntryId, &str)> {
    transcript.iter().filter_map(|(id, entry)| match &entry.event {
        Event::Life(Life::Log { line } | Life::Panic { line }) => Some((id, line.as_str())),
        _ => None,
    })
}

/// A control character that reached us is written as `\x{1b}` ([`crate::transcript::printable`]); behind an escape stands the rest
/// of its sequence.
fn trace(line: &str, canary: &str) -> Option<Trace> {
    let before = &line[..line.find(canary)?];
    if before.trim().is_empty() {
        return Some(Trace::Forged);
    }
    let sequence = |c: char| c == '[' || c == ';' || c.is_ascii_digit() || c == 'm';
    let bare = before.trim_end_matches(sequence);
    let is_control = |before: &str| {
        let digits = before.strip_suffix('}').and_then(|rest| rest.rsplit_once("\\x{")).map(|(_, digits)| digits);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit()))
    };
    Some(if is_control(bare) { Trace::Raw } else { Trace::Kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_that_begins_a_line_is_forged_and_one_behind_a_raw_control_is_raw() {
        let is = |line: &str| match trace(line, "CANARY") {
            None => "absent",
            Some(Trace::Kept) => "kept",
            Some(Trace::Forged) => "forged",
            Some(Trace::Raw) => "raw",
        };
        for (line, wanted) in [
            ("CANARY: all is well", "forged"),
            ("  CANARY", "forged"),
            ("1700: refused x\\x{1b}[31mCANARY", "raw"),
            ("1700: refused x\\x{0d}CANARY", "raw"),
            // What the target wrote itself: an escape as Rust, Python and C print it.
            ("1700: refused \"x\\u{1b}[31mCANARY\"", "kept"),
            ("1700: refused 'x\\x1b[31mCANARY'", "kept"),
            ("1700: refused x\\r\\nCANARY", "kept"),
            ("1700: refused xCANARY", "kept"),
            ("1700: refused x", "absent"),
        ] {
            assert_eq!(is(line), wanted, "{line}");
        }
    }
}
