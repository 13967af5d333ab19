//! No exception ends a task, the process or a connection that had a right to an answer. An end of the process belongs to `no-crash`, and
//! what the log told before the attack began is no effect of it. An exception that the target caught, logged and answered as it should
//! is a remark, as is one of a target that is being ended and ends so untouched too, and so is a word of the log with no stack, no death and nobody cut off: how much a server writes about the errors of its peers is its own matter.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::no_crash::death;
use super::parting::{self, Partings};
use super::record::{Moment, Record, StepRun};
use super::rule::{Needs, Oracle};
use super::traceback::{self, Traceback};
use crate::connection::Close;
use crate::ids::EntryId;
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::Duration;
use crate::transcript::{By, Event, Life, StepState, Transcript, WitnessState};
use crate::verdict::{Judgement, Violation};

pub(crate) const ORACLE: Oracle = Oracle {
    id: "no-unhandled-exception",
    doc: "no exception that the log shows ended a task, the process, or a connection without its answer",
    clauses: &[],
    needs: Needs::Edges,
    kind: FindingKind::Exception,
    keys: &[],
    reads_steps: false,
    judge,
};

/// How far apart a line of the log and the end of the connection may be that it tells of: one comes through a pipe, the other through a
/// socket, and a server writes before or after it closes.
const NEAR: Duration = Duration::from_secs(1);

fn judge(_expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    if death(transcript).is_some() {
        return Judgement::inconclusive(ORACLE.id, "the target ended: its last words belong to no-crash");
    }
    let record = Record::new(plan, transcript);
    let partings = Partings::of(transcript);
    let mut traces = traceback::all(&traceback::log(transcript));
    traces.retain(|trace| !partings.have(trace.entries[0]));
    let all = Told::sorted(plan, &record, &traces);
    let mut remarks: Vec<String> = all.values().filter(|told| told.ended.is_none()).map(Told::remark).collect();
    let mut violations: Vec<Violation> =
        all.into_iter().filter_map(|(place, told)| told.into_violation(place)).collect();
    let broken = parting::broken(transcript);
    match (&broken, parting::ends_in_order(transcript)) {
        (Some(trace), Some(true)) => violations.push(as_it_ended(plan, trace)),
        (Some(trace), Some(false)) => {
            remarks
                .push(format!("asked to end, the target tells of {trace}; it does not end in order untouched either"));
        }
        _ => {}
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations).remarking(remarks);
    }
    if let (Some(trace), None) = (&broken, parting::ends_in_order(transcript)) {
        let why = format!("asked to end, the target tells of {trace}, and how it ends untouched is not known");
        return Judgement::inconclusive(ORACLE.id, why).remarking(remarks);
    }
    let quiet = |event: &Event| {
        matches!(event, Event::Life(Life::Log { .. } | Life::Panic { .. } | Life::Started { .. } | Life::Ready))
    };
    let evidence = transcript.iter().filter(|(_, entry)| quiet(&entry.event)).map(|(id, _)| id).collect();
    Judgement::pass(ORACLE.id, evidence, "no line of the log tells of an unhandled exception").remarking(remarks)
}

/// Untouched, it ends in order.
fn as_it_ended(plan: &Plan, trace: &Traceback) -> Violation {
    Violation {
        expected: "asked to end, the target ends in order, as it does where nobody has attacked it".to_string(),
        actual: format!("asked to end, it broke over an unhandled {trace}"),
        clause: String::new(),
        place: trace.place(&plan.stimulus()),
        entries: trace.entries.to_vec(),
        lesser: false,
    }
}

/// What the log tells of one place, how often, and what it ended.
struct Told {
    what: String,
    entries: Vec<EntryId>,
    times: usize,
    ended: Option<String>,
}

impl Told {
    /// By place. What also came before the attack is left out.
    fn sorted(plan: &Plan, record: &Record<'_>, all: &[Traceback]) -> BTreeMap<String, Told> {
        let attack = record.attack().map(|(first, _)| first.id);
        let before = |trace: &&Traceback| attack.is_some_and(|attack| trace.entries[0] < attack);
        let place = |trace: &Traceback| trace.place(&plan.stimulus());
        let usual: BTreeSet<String> = all.iter().filter(before).map(place).collect();
        let mut told: BTreeMap<String, Told> = BTreeMap::new();
        for trace in all.iter().filter(|trace| !usual.contains(&place(trace))) {
            let new = || Told { what: trace.to_string(), entries: Vec::new(), times: 0, ended: None };
            let one = told.entry(place(trace)).or_insert_with(new);
            one.times += 1;
            one.entries.extend(trace.entries);
            if let (None, Some((ended, shown))) = (&one.ended, ended(record, trace)) {
                one.ended = Some(ended);
                one.entries.extend(shown.map(|moment| moment.id));
            }
        }
        told
    }

    fn remark(&self) -> String {
        format!(
            "the log tells of {} that ended nothing and left nobody without an answer ({} times)",
            self.what, self.times
        )
    }

    fn into_violation(mut self, place: String) -> Option<Violation> {
        let ended = self.ended?;
        self.entries.sort_unstable();
        self.entries.dedup();
        Some(Violation {
            expected: "no exception ends a task, the process, or a connection without its answer".to_string(),
            actual: format!("the log tells of an unhandled {}: {ended}", self.what),
            clause: String::new(),
            place,
            entries: self.entries,
            lesser: false,
        })
    }
}

/// What an exception ended, and the entry beside its own that shows it. `None`: it was caught, and everybody had what was due.
fn ended(record: &Record<'_>, trace: &Traceback) -> Option<(String, Option<Moment>)> {
    if trace.uncaught {
        return Some(("nobody caught it".to_string(), None));
    }
    let at = record.transcript.entries.get(trace.entries[0].0 as usize)?.at;
    let near = |moment: Moment| moment.at.since(at).max(at.since(moment.at)) <= NEAR;
    let closed = |step: &StepRun<'_>| {
        let (moment, by, how) = record.connections.get(&step.conn?)?.closed?;
        let by_target = by == By::Peer && matches!(how, Close::Fin | Close::Reset);
        (by_target && near(moment)).then_some(moment)
    };
    let thrown_out = |witness: &str| {
        let lost = record.witness(witness).find(|(moment, state)| *state == WitnessState::Lost && near(*moment));
        lost.map(|(moment, _)| (format!("the {witness} was thrown out"), Some(moment)))
    };
    if let Some(found) = record.witnesses().find_map(thrown_out) {
        return Some(found);
    }
    let unanswered = |step: &&StepRun<'_>| matches!(step.ended, Some((_, StepState::Unmet))) && is_due(record, step);
    let (step, moment) = record.steps.values().filter(unanswered).find_map(|step| Some((step, closed(step)?)))?;
    Some((format!("it ended the connection of {} without the answer", step.name()), Some(moment)))
}

/// Whether the target owed this step an answer: the script states one, or its client had done nothing wrong on that connection. What else
/// follows an attack, the target may end without a word; often it must.
fn is_due(record: &Record<'_>, step: &StepRun<'_>) -> bool {
    step.patience.is_some() || record.was_thrown_out(step)
}
