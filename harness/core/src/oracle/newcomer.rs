//! A newcomer after the attack: a server that goes on with those it has, and hears nobody new, is dead for everyone who comes.
use alloc::format;
use alloc::string::{String, ToString};

use super::no_hang::{LATE_SHARE, culprit};
use super::pace::SHARE;
use super::record::{Moment, Record, ids};
use super::thrown_out::is_restart;
use crate::connection::Close;
use crate::plan::{Plan, Recording};
use crate::time::{Duration, Time};
use crate::transcript::{Event, StepState, WitnessState};
use crate::value::Fields;
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
            (how, ignored(plan, record, witness, (knock, until), Duration::from_nanos(late), deadline))
        }
        WitnessState::Unheard => ("nobody listens to a newcomer".to_string(), crowded(plan, record, witness, knock)),
        _ if serves_others(plan, record, witness, last) => return Some(Fate::Served),
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
    plan: &Plan,
    record: &Record<'_>,
    witness: &str,
    (knock, until): (Moment, Moment),
    late: Duration,
    deadline: Duration,
) -> Option<String> {
    let (waited, enough) = (until.at.since(knock.at), deadline - deadline / LATE_SHARE);
    if waited < enough {
        return Some(format!("and the scenario grants {} ms", deadline.as_millis()));
    }
    let late = record.lateness.between(witness, knock.at, until.at).max(late);
    if waited.saturating_sub(late) < enough {
        return Some(format!("while we, or the machine, were {} ms late", late.as_millis()));
    }
    if let Some(long) = let_in(record, witness).filter(|long| *long > waited / SHARE) {
        return Some(format!("where the {witness} had waited {} ms until it was let in", long.as_millis()));
    }
    if record.never_handed_over() > 0 {
        return Some("and this machine has dropped connections before the target saw them".to_string());
    }
    crowded(plan, record, witness, knock)
}

/// The longest that the witness waited from a connection of before the attack to the first answer on it: a log-in may take a server longer
/// than a round trip.
fn let_in(record: &Record<'_>, witness: &str) -> Option<Duration> {
    let attack = record.attack().map_or(Time::NEVER, |(first, _)| first.at);
    let own = record.connections.iter().filter(|(_, connection)| connection.fleet == witness);
    let waits = own.filter_map(|(conn, connection)| {
        let opened = connection.opened.filter(|opened| opened.at <= attack)?;
        let answer = record.packets_of(*conn).find(|crossing| !crossing.sent)?.moment.at;
        Some(answer.since(opened.at))
    });
    waits.max()
}

/// So many connections of others stood at a moment that there may be no room for more.
fn crowded(plan: &Plan, record: &Record<'_>, witness: &str, at: Moment) -> Option<String> {
    let standing = match plan.record {
        Recording::Full => stood(record, witness, at),
        Recording::Edges => stood_by_totals(record, witness, at),
    };
    (standing >= CROWD).then(|| format!("while {standing} connections stood: there may be a limit"))
}

fn stood(record: &Record<'_>, witness: &str, at: Moment) -> usize {
    let stood = record.connections.values().filter(|connection| {
        connection.fleet != witness
            && connection.opened.is_some_and(|opened| opened <= at)
            && connection.closed.is_none_or(|(closed, ..)| closed > at)
    });
    stood.count()
}

/// A record of edges keeps few openings, and counts all of them: as many as had not ended when the record did, and those whose end came
/// after the moment.
fn stood_by_totals(record: &Record<'_>, witness: &str, at: Moment) -> usize {
    let standing = |totals: &Fields| {
        let count = |name: &str| totals.int(name).unwrap_or(0);
        // One that was refused had never stood.
        let ends =
            ["us", "peer", "limit"].into_iter().flat_map(|by| ["fin", "reset"].map(|how| format!("closed-{by}-{how}")));
        let ended: i64 = ends.map(|name| count(&name)).sum();
        usize::try_from(count("opened") - ended).unwrap_or(0)
    };
    let all = record.transcript.entries.iter().filter_map(|entry| match &entry.event {
        Event::Totals(totals) if totals.text("fleet") != Some(witness) => Some(standing(totals)),
        _ => None,
    });
    let later = record.connections.values().filter(|connection| {
        let stood = |how: Close| matches!(how, Close::Fin | Close::Reset);
        connection.fleet != witness && connection.closed.is_some_and(|(closed, _, how)| closed > at && stood(how))
    });
    all.sum::<usize>() + later.count()
}

/// Whether somebody who came after the last stimulus by the same endpoint was served: by a step that was met, or the witness on its way back.
fn serves_others(plan: &Plan, record: &Record<'_>, witness: &str, last: Time) -> bool {
    let door = plan.fleet(witness).map(|fleet| fleet.endpoint_id);
    // Whom the target calls itself, or lets in by another door, shows nothing about this one.
    let same_door =
        |name: &str| plan.fleet(name).is_some_and(|fleet| !fleet.plays_server && Some(fleet.endpoint_id) == door);
    let new = |conn: u32| {
        let Some(connection) = record.connections.get(&conn) else { return false };
        let opened = connection.opened.is_some_and(|opened| opened.at >= last);
        opened && same_door(connection.fleet) && record.packets_of(conn).any(|crossing| !crossing.sent)
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
        lesser: false,
    }
}
