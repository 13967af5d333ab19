//! The target neither ends by itself nor is ended by a signal that we did not send.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::record::{Moment, Record};
use super::rule::{Needs, Oracle};
use super::traceback::{self, Traceback};
use crate::admin::Order;
use crate::ids::EntryId;
use crate::plan::{Expect, Plan};
use crate::recorder::SERVERS_ENDED;
use crate::severity::FindingKind;
use crate::time::Time;
use crate::transcript::{Entry, Event, Life, Transcript, Who, is_crash};
use crate::verdict::{Judgement, Violation};

pub(crate) const ORACLE: Oracle = Oracle {
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
    if let Some(why) = to_the_background(&record) {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    if let Some(violation) = crash(plan, transcript) {
        return Judgement::fail(ORACLE.id, alloc::vec![violation]);
    }
    if let Some(why) = servers_ended(&transcript.entries) {
        return Judgement::inconclusive(ORACLE.id, why);
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

/// A first process that ends in order while others go on serving is no crash: it has gone to the background, and we watch the wrong one.
fn to_the_background(record: &Record<'_>) -> Option<String> {
    let (death, _) = death(record.transcript)?;
    let ended = &record.transcript.entries[death.id.0 as usize].event;
    let in_order = *ended == Event::Life(Life::Exited { code: 0 });
    // Who is served by the next start shows nothing of this one.
    let starts =
        |(id, entry): &(EntryId, &Entry)| *id > death.id && matches!(entry.event, Event::Life(Life::Started { .. }));
    let next = record.transcript.iter().find(starts).map(|(id, _)| id);
    let served = record.served_after(death.at).filter(|served| next.is_none_or(|next| served.id < next));
    (in_order && served.is_some()).then(|| {
        String::from("the first process ended with exit code 0, and the target serves on: run it in the foreground, or its end is unseen")
    })
}

/// How many processes of the target ended although it lives, in words: a supervisor of its own has put others in their place.
#[must_use]
pub fn servers_ended(entries: &[Entry]) -> Option<String> {
    let count = |entry: &Entry| match &entry.event {
        Event::Gauge { name, value } if entry.who == Who::Target && name == SERVERS_ENDED => Some(*value),
        _ => None,
    };
    let ended = entries.iter().filter_map(count).max()?;
    Some(format!("{ended} of the processes that served when the target was ready have ended, and others serve"))
}

/// The place is what repeats: how it ended, and why where a stack trace shows it. Its last words are not: they hold what was sent,
/// and when. Without a cause, crashes of different stimuli stay apart.
fn crash(plan: &Plan, transcript: &Transcript) -> Option<Violation> {
    let (death, how) = death(transcript)?;
    let cause = cause(transcript, death.id);
    let said = cause.as_ref().map_or_else(String::new, |cause| format!(" ({cause})"));
    let stimulus = plan.stimulus();
    let why = cause.as_ref().map_or_else(|| format!("after {stimulus}"), |cause| cause.place(&stimulus));
    let mut entries: Vec<EntryId> = cause.iter().flat_map(|cause| cause.entries).chain([death.id]).collect();
    entries.sort_unstable();
    entries.dedup();
    Some(Violation {
        expected: "the target runs until the trial ends".to_string(),
        actual: format!("the target ended by itself: {how}{said}"),
        clause: String::new(),
        place: format!("{how}: {why}"),
        entries,
        lesser: false,
    })
}

/// The first end that nobody asked for: an ordered restart, or our own stop, excuses what follows it at once, but for a crash.
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
        let crashed = matches!(&entry.event, Event::Life(Life::Signalled { signal }) if is_crash(*signal));
        if crashed || !asked {
            return Some((Moment { at: entry.at, id }, how));
        }
    }
    None
}

/// How many lines a program may log after the stack trace that ended it.
const AFTERWORDS: usize = 8;

/// What a shell says of a command that a signal ended: how, which the end itself says. It comes in time to be read, or does not.
const HOW: [&str; 2] = ["Segmentation fault", "core dumped"];

/// What ended the target: the last stack trace that nobody caught, or the one with which its log ends. Both may be read a little after
/// the end itself.
fn cause(transcript: &Transcript, death: EntryId) -> Option<Traceback> {
    let lines = life(transcript, death);
    let late = lines.len().checked_sub(AFTERWORDS).map(|at| lines[at].0);
    let ends = |trace: &Traceback| trace.uncaught || late.is_none_or(|late| trace.entries[1] >= late);
    let mut all = traceback::all(&lines);
    all.retain(|trace| ends(trace) && (trace.frame.is_some() || !HOW.contains(&trace.kind.as_str())));
    let shown = all.iter().rposition(|trace| trace.frame.is_some());
    shown.or(all.len().checked_sub(1)).map(|at| all.swap_remove(at))
}

/// What the process that ended has logged: nothing of those before and after it.
fn life(transcript: &Transcript, death: EntryId) -> Vec<traceback::Line<'_>> {
    let starts =
        |(id, entry): (EntryId, &Entry)| matches!(entry.event, Event::Life(Life::Started { .. })).then_some(id);
    let begins: Vec<EntryId> = transcript.iter().filter_map(starts).collect();
    let first = begins.iter().copied().filter(|id| *id < death).max();
    let next = begins.iter().copied().find(|id| *id > death);
    let mut lines = traceback::log(transcript);
    lines.retain(|(id, _)| first.is_none_or(|first| *id > first) && next.is_none_or(|next| *id < next));
    lines
}
