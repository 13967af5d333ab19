//! A newcomer after the attack: a server that goes on with those it has, and hears nobody new, is dead for everyone who comes.
use alloc::format;
use alloc::string::{String, ToString};

use super::no_hang::{LATE_SHARE, culprit};
use super::record::{Moment, Record, ids};
use super::thrown_out::is_restart;
use crate::plan::Plan;
use crate::recorder::LISTEN_OVERFLOWS;
use crate::time::{Duration, Time};
use crate::transcript::{Event, StepState, WitnessState};
use crate::verdict::Violation;

/// So many connections of others that stand may be all that a small server has, whether it says so or not.
const CROWD: usize = 16;

/// What became of it.
pub(super) enum Fate {
    /// It was served.
    Served,
    /// It was not, and nothing excuses that.
    Unserved(Violation),
    /// Nobody can say, for this reason.
    Unknown(String),
}

/// The fate of the newcomer that knocked after the last stimulus; `None` where none did, as in records of older versions.
pub(super) fn fate(plan: &Plan, record: &Record<'_>, witness: &str, deadline: Duration) -> Option<Fate> {
    let last = record.attack().map_or(Time::ZERO, |(_, last)| last.at);
    let all = record.newcomers(witness);
    let knocked = all.iter().rposition(|(moment, state)| *state == WitnessState::Knocks && moment.at >= last)?;
    let (knock, _) = all[knocked];
    let Some((until, state)) = all.get(knocked + 1).copied() else {
        return Some(Fate::Unknown("nobody knows what became of a newcomer".to_string()));
    };
    let (how, excuse) = match state {
        WitnessState::Welcomed { .. } => return Some(Fate::Served),
        WitnessState::Ignored { waited, late } => {
            let waited = Duration::from_nanos(waited);
            let how = format!("a newcomer had no answer for {} ms", waited.as_millis());
            (how, ignored(record, witness, knock, until, Duration::from_nanos(late), deadline))
        }
        WitnessState::Unheard => ("nobody listens to a newcomer".to_string(), crowded(record, witness, knock)),
        _ if serves_others(record, witness, last) => return Some(Fate::Served),
        _ => {
            return Some(Fate::Unknown(
                "a newcomer was turned away, and nothing shows one that was served".to_string(),
            ));
        }
    };
    if is_restart(record, knock, until) {
        return Some(Fate::Unknown(format!("{how}, during a restart that the scenario orders")));
    }
    Some(match excuse {
        Some(why) => Fate::Unknown(format!("{how}, {why}")),
        None => Fate::Unserved(violation(plan, record, witness, knock, until, &how)),
    })
}

/// What excuses that nobody answered it.
fn ignored(
    record: &Record<'_>,
    witness: &str,
    knock: Moment,
    until: Moment,
    late: Duration,
    deadline: Duration,
) -> Option<String> {
    let late = record.lateness.between(witness, knock.at, until.at).max(late);
    if until.at.since(knock.at).saturating_sub(late) < deadline - deadline / LATE_SHARE {
        return Some(format!("while we, or the machine, were {} ms late", late.as_millis()));
    }
    let overflows = record.transcript.entries.iter().any(
        |entry| matches!(&entry.event, Event::Calibration { name, value } if name == LISTEN_OVERFLOWS && *value > 0),
    );
    if overflows {
        return Some("and this machine has dropped connections before the target saw them".to_string());
    }
    crowded(record, witness, knock)
}

/// So many connections of others stood at a moment that there may be no room for more.
fn crowded(record: &Record<'_>, witness: &str, at: Moment) -> Option<String> {
    let stood = record.connections.values().filter(|connection| {
        connection.fleet != witness
            && connection.opened.is_some_and(|opened| opened <= at)
            && connection.closed.is_none_or(|(closed, ..)| closed > at)
    });
    let standing = stood.count();
    (standing >= CROWD).then(|| format!("while {standing} connections stood: there may be a limit"))
}

/// Whether somebody who came after the last stimulus was served: by a step that was met, or the witness on its way back.
fn serves_others(record: &Record<'_>, witness: &str, last: Time) -> bool {
    let new = |conn: u32| {
        let opened = record.connections.get(&conn).and_then(|connection| connection.opened);
        opened.is_some_and(|opened| opened.at >= last) && record.packets_of(conn).any(|crossing| !crossing.sent)
    };
    let met =
        record.steps.values().any(|step| matches!(step.ended, Some((_, StepState::Met))) && step.conn.is_some_and(new));
    met || {
        let mut rounds = record.witness(witness).skip_while(|(moment, _)| moment.at < last);
        rounds.any(|(_, state)| state == WitnessState::Lost)
            && rounds.any(|(_, state)| matches!(state, WitnessState::Served { .. }))
    }
}

/// As a hang, it shows no cause of its own.
fn violation(plan: &Plan, record: &Record<'_>, witness: &str, knock: Moment, until: Moment, how: &str) -> Violation {
    let (started, after) = culprit(record, knock);
    Violation {
        expected: "a newcomer is served after the attack".to_string(),
        actual: format!("{how}{after}"),
        clause: String::new(),
        place: format!("newcomer beside the {witness} not served after {}", plan.stimulus()),
        entries: ids(started.into_iter().chain([knock, until])),
    }
}
