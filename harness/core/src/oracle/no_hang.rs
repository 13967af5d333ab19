//! The target goes on serving a legal client: after the attack began, the witness completes its round trips.
use alloc::format;
use alloc::string::{String, ToString};

use super::record::{Moment, Record};
use super::{Needs, Oracle};
use crate::actor::Close;
use crate::plan::{Expect, Plan};
use crate::protocol::{Key, Kind};
use crate::time::{Duration, Time, nanos};
use crate::transcript::{Event, Life, Transcript, Who, WitnessState};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "no-hang",
    doc: "a legal client completes its round trips during and after the attack",
    clauses: &[],
    // Not Quiet: five seconds are long enough for a machine that does other work too, and our own lateness is looked at.
    needs: Needs::Edges,
    kind: "hang",
    keys: &[Key { name: "deadline", kind: Kind::Duration, doc: "longest time without an answer; default 5s" }],
    reads_steps: false,
    judge,
};

/// 20 times the slowest round trip that a loaded loopback showed (under 250 ms), as the catalogue's policy has it.
const DEADLINE: Duration = Duration::from_secs(5);
/// Our own lateness above which a missed round trip says nothing about the target.
const LATE_MAX: Duration = Duration::from_secs(1);

fn judge(expect: &Expect, _plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(transcript);
    if super::no_crash::death(transcript).is_some() {
        return Judgement::inconclusive(ORACLE.id, "the target ended: that belongs to no-crash");
    }
    let (first, last) = match record.attack() {
        Some((first, last)) => (first.at, last.at),
        None => (Time::ZERO, Time::ZERO),
    };
    let deadline = expect.duration("deadline", DEADLINE);
    let each = record.witnesses().into_iter().map(|witness| one(&record, witness, deadline, (first, last)));
    each.reduce(worse)
        .unwrap_or_else(|| Judgement::inconclusive(ORACLE.id, "the witness was not served after the last stimulus"))
}

/// The worse of two judgements; of two alike, the first.
pub(super) fn worse(a: Judgement, b: Judgement) -> Judgement {
    if a.verdict.and(b.verdict) == a.verdict { a } else { b }
}

/// What one witness shows, where the attack lasted from `first` to `last`.
fn one(record: &Record<'_>, witness: &str, deadline: Duration, (first, last): (Time, Time)) -> Judgement {
    match silence(record, witness, deadline) {
        Some(Silence { since, .. }) if served_before(record, witness, since.at).is_none() => {
            Judgement::inconclusive(ORACLE.id, "the witness was never served, before the attack either")
        }
        Some(Silence { late: true, .. }) => {
            Judgement::inconclusive(ORACLE.id, "a round trip was missed while we ourselves were more than 1 s late")
        }
        Some(silence) if silence.since.at < first && record.witness_served_after(witness, last).is_some() => {
            Judgement::inconclusive(ORACLE.id, "a round trip was missed before the attack began")
        }
        Some(silence) => Judgement::fail(ORACLE.id, alloc::vec![violation(record, witness, &silence, deadline)]),
        None => match record.witness_served_after(witness, last) {
            Some(moment) => {
                Judgement::pass(ORACLE.id, alloc::vec![moment.id], "the witness was served after the last stimulus")
            }
            None => Judgement::inconclusive(ORACLE.id, "the witness was not served after the last stimulus"),
        },
    }
}

/// The witness was not served for as long as the deadline, or never again.
struct Silence {
    since: Moment,
    late: bool,
    how: String,
}

fn silence(record: &Record<'_>, witness: &str, deadline: Duration) -> Option<Silence> {
    let mut lost: Option<Moment> = None;
    let mut excused = None;
    for (moment, state) in record.witness(witness) {
        match state {
            WitnessState::Missed { waited, late } => {
                let late = late > nanos(LATE_MAX);
                let how = format!("no answer to the witness within {} ms", waited / 1_000_000);
                let missed = Silence { since: moment, late, how };
                if !late {
                    return Some(missed);
                }
                // Ours, perhaps; a later one may be the target's.
                excused = excused.or(Some(missed));
            }
            WitnessState::Served { .. } => lost = None,
            WitnessState::Lost => lost = lost.or(Some(moment)),
        }
    }
    // Thrown out once is no hang: a restart does that. It is one when nobody listens any more, or long enough has passed.
    let gone = |since: &Moment| refused_since(record, witness, *since) || record.end.since(since.at) >= deadline;
    let how = "the witness was thrown out and never served again".to_string();
    match lost.filter(|_| !restarted(record.transcript)).filter(gone) {
        Some(since) => Some(Silence { since, late: false, how }),
        None => excused,
    }
}

fn served_before(record: &Record<'_>, witness: &str, at: Time) -> Option<Moment> {
    record.witness(witness).find(|(m, state)| m.at < at && matches!(state, WitnessState::Served { .. })).map(|(m, _)| m)
}

fn refused_since(record: &Record<'_>, witness: &str, since: Moment) -> bool {
    record.connections.values().any(|connection| {
        connection.fleet == witness
            && matches!(connection.closed, Some((moment, _, Close::Refused)) if moment.at >= since.at)
    })
}

fn restarted(transcript: &Transcript) -> bool {
    let starts = |entry: &&crate::transcript::Entry| matches!(entry.event, Event::Life(Life::Started { .. }));
    transcript.entries.iter().filter(|entry| entry.who == Who::Target).filter(starts).count() > 1
}

/// The place is the last packet of the attack before the silence.
fn violation(record: &Record<'_>, witness: &str, silence: &Silence, deadline: Duration) -> Violation {
    let culprit = record
        .stimuli()
        .filter(|step| step.last().is_some_and(|m| m.at <= silence.since.at))
        .max_by_key(|step| step.last());
    let started = culprit.and_then(|step| step.started);
    let conn = culprit.and_then(|step| step.conn);
    let place = conn.zip(started).map_or_else(|| String::from(witness), |(conn, at)| record.place(conn, at.at));
    Violation {
        expected: format!("the witness is served within {} ms", deadline.as_millis()),
        actual: silence.how.clone(),
        clause: String::new(),
        place,
        entries: super::record::ids(started.into_iter().chain([silence.since])),
    }
}
