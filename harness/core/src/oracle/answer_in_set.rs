//! Every expectation that the steps of a fleet state is met.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::aftermath::{came_later, was_silent};
use super::astray::{Astray, astray};
use super::habit::Habits;
use super::record::{Moment, Record, StepRun, ids};
use super::road;
use super::rule::{CLAUSE, Needs, Oracle};
use super::sockets::Sockets;
use crate::key::{Key, Kind};
use crate::part::Part;
use crate::plan::{Alternative, Expect, FleetPlan, Plan, StepPlan};
use crate::severity::FindingKind;
use crate::time::Time;
use crate::transcript::{By, StepState, Transcript};
use crate::value::Value;
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "answer-in-set",
    doc: "every `expect` of these fleets' steps is met: the answer is in the set that the scenario lists",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[
        Key { name: "attack", kind: Kind::Text, doc: "the attack in words, for people: \"a CON GET of version 0\"" },
        Key {
            name: "class",
            kind: Kind::Text,
            doc: "class of the attack; findings of one packet and class are one finding",
        },
        Key {
            name: "late_is_open",
            kind: Kind::Bool,
            doc: "true: that nothing of the set came in time decides nothing; default false: broken, one level less",
        },
        CLAUSE,
    ],
    reads_steps: true,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let sockets = Sockets::of(&record);
    let (mut met, mut wrong, mut late, mut open) = (Vec::new(), Vec::new(), Vec::new(), None);
    let late_is_open = expect.keys.truth("late_is_open") == Some(true);
    let mut failed = BTreeSet::new();
    for fleet in plan.fleets.iter().filter(|fleet| expect.is_about(&fleet.name)) {
        for (member, step) in asked(fleet) {
            let run = record.steps.get(&(fleet.name.as_str(), member, step.index));
            match run.and_then(|run| run.ended.map(|(moment, state)| (run, moment, state))) {
                Some((run, _, StepState::Met))
                    if let Some(why) = is_none(&record, run, step).or_else(|| came_later(plan, &record, run, step)) =>
                {
                    open = open.or(Some(format!("{}: {why}: it", run.name())));
                }
                Some((run, moment, StepState::Met)) => {
                    match was_silent(run, step).then(|| astray(&record, &sockets, run, step)).flatten() {
                        None => met.push(moment),
                        Some(Astray::Unknown(why)) => open = open.or(Some(format!("{}: {why}: it", run.name()))),
                        Some(Astray::Breaks(came, seen)) => {
                            if failed.insert((fleet.name.as_str(), member)) {
                                wrong.push(violation(expect, plan, &record, run, step, Some((came, &seen))));
                            }
                        }
                    }
                }
                Some((run, _, StepState::Unmet))
                    if let Some(why) = run.ran_out().then(|| road::hides_an_answer(&record)).flatten() =>
                {
                    open = open.or(Some(format!("{}: {why}: it", run.name())));
                }
                Some((run, _, StepState::Unmet)) if let Some(why) = record.excuse(run) => {
                    open = open.or(Some(format!("{} {why}: it", run.name())));
                }
                Some((run, _, StepState::Unmet | StepState::Barred)) if record.was_turned_away(run) => {
                    let why =
                        format!("{} was put off by the target, which had decided nothing ({})", run.name(), run.detail);
                    open = open.or(Some(format!("{why}: it")));
                }
                Some((run, _, StepState::Unmet)) if late_is_open && run.ran_out() => {
                    open =
                        open.or(Some(format!("{} had no answer in our time, and no clause names one: it", run.name())));
                }
                Some((run, moment, StepState::Unmet)) if let Some(why) = habit(&record, run, moment) => {
                    open = open.or(Some(format!("{}: {why}: it", run.name())));
                }
                // What follows a wrong answer follows from it: one violation a member.
                Some((run, _, state)) if is_wrong(&record, run, state) => {
                    if failed.insert((fleet.name.as_str(), member)) {
                        let into = if run.ran_out() { &mut late } else { &mut wrong };
                        into.push(violation(expect, plan, &record, run, step, None));
                    }
                }
                Some((run, ..)) if !run.detail.is_empty() => {
                    open = open.or(Some(format!("{} ({})", run.name(), run.detail)));
                }
                _ => open = open.or(Some(format!("{}[{member}] step {}", fleet.name, step.index))),
            }
        }
    }
    match (wrong.is_empty() && late.is_empty(), open) {
        (false, _) => Judgement::fail_by(ORACLE.id, wrong, late),
        (true, Some(step)) => Judgement::inconclusive(ORACLE.id, format!("{step} was never evaluated")),
        (true, None) => {
            let reason = format!("{} answers were in their sets", met.len());
            Judgement::pass(ORACLE.id, ids(met), reason)
        }
    }
}

/// Why the silence that met a step is none: the target may take longer to answer than we have listened, or the answer was lost.
fn is_none(record: &Record<'_>, run: &StepRun<'_>, step: &StepPlan) -> Option<String> {
    let too_short = || record.hides_an_answer(record.listened(run)?);
    was_silent(run, step).then(|| too_short().or_else(|| road::hides_an_answer(record).map(String::from))).flatten()
}

/// Why the end of the connection that a step had instead of an answer is a habit of the target: it ends every connection so.
fn habit(record: &Record<'_>, run: &StepRun<'_>, ended: Moment) -> Option<String> {
    let conn = run.conn?;
    let (closed, By::Peer, _) = record.connections.get(&conn)?.closed? else { return None };
    (closed.at == ended.at).then(|| Habits::of(record).why(conn)).flatten()
}

/// Another answer than one of the set, or none because the target threw a legal client out. What we cut short ourselves is neither.
fn is_wrong(record: &Record<'_>, run: &StepRun<'_>, state: StepState) -> bool {
    state == StepState::Unmet || state == StepState::Barred && record.was_thrown_out(run)
}

/// Steps that state an expectation; those of controls are preconditions.
fn asked(fleet: &FleetPlan) -> impl Iterator<Item = (u32, &StepPlan)> {
    let asks = |step: &&StepPlan| !step.any.is_empty() && !step.skip && step.part.or(fleet.part) != Some(Part::Control);
    fleet.members().flat_map(move |member| fleet.steps.iter().filter(asks).map(move |step| (member, step)))
}

fn violation(
    expect: &Expect,
    plan: &Plan,
    record: &Record<'_>,
    run: &StepRun<'_>,
    step: &StepPlan,
    astray: Option<(Moment, &str)>,
) -> Violation {
    let set: Vec<String> = step.any.iter().map(in_words).collect();
    let at = run.started.or(run.last()).map_or(Time::ZERO, |moment| moment.at);
    let mut place = run.conn.map_or_else(|| String::from("no-connection"), |conn| record.place(conn, at));
    if let Some(class) = expect.keys.text("class") {
        place = format!("{place}/{class}");
    }
    let heard = if run.detail.is_empty() { "nothing of it in time" } else { run.detail };
    let (came, seen) = astray.map_or((run.last(), heard), |(came, seen)| (Some(came), seen));
    Violation {
        expected: set.join(", or "),
        actual: expect.keys.text("attack").map_or_else(|| String::from(seen), |attack| format!("{attack}: {seen}")),
        clause: expect.clause(plan),
        place,
        entries: ids(run.started.into_iter().chain(came)),
        lesser: false,
    }
}

/// An alternative as a person says it: `connack reason=0`, `the connection ended`.
fn in_words(alternative: &Alternative) -> String {
    if alternative.closed {
        return String::from("the connection ended");
    }
    if let Some(silence) = alternative.silence {
        return format!("silence for {} ms", silence.as_millis());
    }
    let words: Vec<String> = alternative.fields.iter().map(field_in_words).collect();
    words.join(" ")
}

fn field_in_words((name, values): &(String, Vec<Value>)) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value}")).collect();
    if name == "type" { values.join("/") } else { format!("{name}={}", values.join("/")) }
}
