//! The window of attack, the interval of fault injection: from the first to the last byte of the stimulus that was written to the wire.
//!
//! A step of a script opens it when it begins, and holds it open until it has ended and its last byte is written, however long that
//! takes beside later steps. A fleet whose whole traffic is the stimulus holds it open with every byte.
use alloc::collections::BTreeMap;

use super::record::{Moment, Record, StepRun};
use crate::plan::{FleetPlan, Plan};
use crate::transcript::{Event, Who};

/// When the attack was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first entry.
    pub first: Moment,
    /// Its last entry. Whoever was asked after it was asked about a target that had been attacked.
    pub last: Moment,
}

impl Window {
    /// The window of a gathered trial; `None` where nothing of the attack was begun.
    #[must_use]
    pub(super) fn of(plan: &Plan, record: &Record<'_>) -> Option<Window> {
        let until = last_words(record);
        let mut window: Option<Window> = None;
        let mut hold = |moment: Moment| {
            let window = window.get_or_insert(Window { first: moment, last: moment });
            window.first = window.first.min(moment);
            window.last = window.last.max(moment);
        };
        for step in record.stimuli() {
            [step.started, step.last()].into_iter().flatten().for_each(&mut hold);
        }
        let traffic = |fleet: &str| plan.fleet(fleet).is_some_and(FleetPlan::is_stimulus_traffic);
        for (id, entry) in record.transcript.iter() {
            let (Who::Member(fleet, _), Event::Sent(bytes)) = (&entry.who, &entry.event) else { continue };
            let moment = Moment { at: entry.at, id };
            let of_step = || until.get(&bytes.conn).is_some_and(|(from, to)| *from <= moment && moment <= *to);
            if traffic(fleet) || of_step() {
                hold(moment);
            }
        }
        window
    }
}

/// For each connection that carried a stimulus: from when to when what is written on it is one. It ends with the next step of the
/// same connection that is none, or when its member has finished.
fn last_words(record: &Record<'_>) -> BTreeMap<u32, (Moment, Moment)> {
    let mut finished: BTreeMap<(&str, u32), Moment> = BTreeMap::new();
    for (id, entry) in record.transcript.iter() {
        if let (Who::Member(fleet, member), Event::Finished) = (&entry.who, &entry.event) {
            finished.entry((fleet, *member)).or_insert(Moment { at: entry.at, id });
        }
    }
    let mut spans: BTreeMap<u32, (Moment, Moment)> = BTreeMap::new();
    for step in record.stimuli() {
        let (Some(conn), Some(started)) = (step.conn, step.started) else { continue };
        let next = following(record, step, conn).filter(|next| next.part != step.part).and_then(|next| next.started);
        let end = finished.get(&(step.fleet, step.member)).copied();
        let until = next.or(end).or(step.last()).unwrap_or(started);
        let span = spans.entry(conn).or_insert((started, until));
        *span = (span.0.min(started), span.1.max(until));
    }
    spans
}

/// The next step of the same member on the same connection.
fn following<'r, 'a>(record: &'r Record<'a>, step: &StepRun<'a>, conn: u32) -> Option<&'r StepRun<'a>> {
    let after = (step.fleet, step.member, step.index.saturating_add(1))..=(step.fleet, step.member, u16::MAX);
    record.steps.range(after).map(|(_, step)| step).find(|next| next.conn == Some(conn))
}
