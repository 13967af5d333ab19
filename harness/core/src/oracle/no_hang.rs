//! The target goes on serving legal clients: after the attack began, the witness completes its round trips and is not thrown out, and
//! after it a newcomer is served.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::newcomer::{self, Fate};
use super::record::{Connection, Crossing, Moment, Record};
use super::road;
use super::rule::{Needs, Oracle};
use super::thrown_out::{self, Loss};
use crate::connection::Close;
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::{Duration, Time};
use crate::transcript::{Event, Life, Transcript, WitnessState};
use crate::verdict::{Judgement, Violation};
use crate::witness::is_witness;

pub(crate) const ORACLE: Oracle = Oracle {
    id: "no-hang",
    doc: "a legal client completes its round trips during and after the attack, is not thrown out, and a new one is served",
    clauses: &[],
    // Not Quiet: five seconds are long enough for a machine that does other work too, and our own lateness is looked at.
    needs: Needs::Edges,
    kind: FindingKind::Hang,
    keys: &[Key { name: "deadline", kind: Kind::Duration, doc: "longest time without an answer; default 5s" }],
    reads_steps: false,
    judge,
};

/// 20 times the slowest round trip that a loaded loopback showed (under 250 ms), as the catalogue's policy has it. It is also the
/// longest silence that a witness waits for in one question.
const DEADLINE: Duration = Duration::from_secs(5);
/// Share of the deadline for which one side may have been kept from acting: four fifths of it, in which both could act and no answer
/// came, are a hang still.
pub(super) const LATE_SHARE: u32 = 5;

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    if super::no_crash::death(transcript).is_some() {
        return Judgement::inconclusive(ORACLE.id, "the target ended: that belongs to no-crash");
    }
    if let Some(why) = gone_elsewhere(&record) {
        return Judgement::inconclusive(ORACLE.id, why);
    }
    let deadline = expect.duration("deadline", DEADLINE);
    let each = record.witnesses().map(|witness| one(plan, &record, witness, deadline));
    each.reduce(worse)
        .unwrap_or_else(|| Judgement::inconclusive(ORACLE.id, "the witness was not served after the last stimulus"))
}

/// A server that somebody else started, and that nobody listens for any more: it ended, and who or what ended it cannot be seen from here.
/// The witness was refused, or its newcomer, and no witness was served afterwards; that another is refused may be a port that was closed
/// for him.
fn gone_elsewhere(record: &Record<'_>) -> Option<String> {
    let transcript = record.transcript;
    let ours = transcript.entries.iter().any(|entry| matches!(entry.event, Event::Life(Life::Started { .. })));
    let first = record.attack().map_or(Time::ZERO, |(first, _)| first.at);
    let served_last = record
        .witnesses()
        .flat_map(|witness| record.witness(witness))
        .filter_map(|(moment, state)| matches!(state, WitnessState::Served { .. }).then_some(moment));
    let since = served_last.max().filter(|served| served.at >= first);
    let refused = |connection: &Connection<'_>| {
        let after = |moment: Moment| moment.at >= first && since.is_none_or(|served| moment > served);
        is_witness(connection.fleet)
            && connection.closed.is_some_and(|(moment, _, how)| how == Close::Refused && after(moment))
    };
    let gone = !ours && transcript.header.clock != "sim" && record.connections.values().any(refused);
    gone.then(|| {
        "nobody listens there any more: who ended a server that runs elsewhere cannot be seen from here".to_string()
    })
}

/// The worse of two judgements; of two alike, the first.
pub(super) fn worse(a: Judgement, b: Judgement) -> Judgement {
    if a.verdict.and(b.verdict) == a.verdict { a } else { b }
}

/// What one witness shows.
fn one(plan: &Plan, record: &Record<'_>, witness: &str, deadline: Duration) -> Judgement {
    let (first, last) = record.attack().map_or((Time::ZERO, Time::ZERO), |(first, last)| (first.at, last.at));
    let served = record.witness_served_after(witness, last);
    let mut excuse = None;
    for silence in silences(record, witness, deadline) {
        match why_not(record, witness, &silence, first, served.is_some(), deadline) {
            None => {
                let violation = violation(plan, record, witness, &silence, deadline);
                return Judgement::fail(ORACLE.id, alloc::vec![violation]);
            }
            Some(why) => excuse = excuse.or(Some(why)),
        }
    }
    for loss in thrown_out::losses(plan, record, witness) {
        match loss.excuse {
            None => return Judgement::fail(ORACLE.id, alloc::vec![thrown_out(plan, record, witness, &loss)]),
            Some(why) => excuse = excuse.or(Some(why)),
        }
    }
    match newcomer::fate(plan, record, witness, deadline) {
        Some(Fate::Unserved(violation)) => return Judgement::fail(ORACLE.id, alloc::vec![violation]),
        Some(Fate::Unknown(why)) => excuse = excuse.or(Some(why)),
        Some(Fate::Served) | None => {}
    }
    match (excuse, served) {
        (Some(why), _) => Judgement::inconclusive(ORACLE.id, why),
        (None, Some(moment)) => {
            Judgement::pass(ORACLE.id, alloc::vec![moment.id], "the witness was served after the last stimulus")
        }
        (None, None) => Judgement::inconclusive(ORACLE.id, "the witness was not served after the last stimulus"),
    }
}

/// A time in which the witness had a question open and was not served.
#[derive(Clone, Copy)]
struct Silence {
    /// When it was asked.
    from: Time,
    /// When it was served again, or said that it had not been.
    until: Moment,
    /// It was thrown out meanwhile.
    thrown_out: bool,
    /// How late the witness says that it was, nanoseconds.
    late: u64,
}

/// What excuses a silence as long as the deadline; `None`: it is a hang.
fn why_not(
    record: &Record<'_>,
    witness: &str,
    silence: &Silence,
    first: Time,
    served_later: bool,
    deadline: Duration,
) -> Option<String> {
    if served_before(record, witness, silence.until.at).is_none() {
        return Some("the witness was never served, before the attack either".to_string());
    }
    if silence.until.at < first && served_later {
        return Some("a round trip was missed before the attack began".to_string());
    }
    let late = record.lateness.between(witness, silence.from, silence.until.at).max(Duration::from_nanos(silence.late));
    let had = silence.until.at.since(silence.from).saturating_sub(late);
    if had < deadline - deadline / LATE_SHARE {
        return Some(format!("a round trip was missed while we, or the machine, were {} ms late", late.as_millis()));
    }
    let lost = road::excuse(record, witness, (silence.from, silence.until), deadline)?;
    Some(format!("a round trip was missed, and {lost}"))
}

/// Every silence as long as the deadline, in order.
fn silences(record: &Record<'_>, witness: &str, deadline: Duration) -> Vec<Silence> {
    let mut found = Vec::new();
    let mut open: Option<Silence> = None;
    for (until, state) in record.witness(witness) {
        let (took, late) = match state {
            WitnessState::Served { rtt: took, late } | WitnessState::Missed { waited: took, late } => (took, late),
            _ => (0, 0),
        };
        let from = Time(until.at.0.saturating_sub(took));
        let thrown_out = state == WitnessState::Lost;
        // Each question by itself, since an earlier one that we missed excuses no later one; and all of them together.
        let own = Silence { from, until, thrown_out, late };
        found.push(own);
        let before = open.take().unwrap_or(own);
        let silence = Silence {
            from: before.from.min(from),
            until,
            thrown_out: before.thrown_out || thrown_out,
            late: before.late.max(late),
        };
        match state {
            WitnessState::Served { .. } => found.push(silence),
            _ => open = Some(silence),
        }
    }
    found.extend(open);
    found.retain(|silence| silence.until.at.since(silence.from) >= deadline);
    found
}

fn served_before(record: &Record<'_>, witness: &str, at: Time) -> Option<Moment> {
    record.witness(witness).find(|(m, state)| m.at < at && matches!(state, WitnessState::Served { .. })).map(|(m, _)| m)
}

/// Nothing shows why a target is silent, so hangs of different stimuli stay apart: the place is the stimulus and whom it does not serve.
fn violation(plan: &Plan, record: &Record<'_>, witness: &str, silence: &Silence, deadline: Duration) -> Violation {
    let (started, after) = culprit(record, silence.until);
    let meanwhile = |c: &Crossing<'_>| !c.sent && c.moment.at >= silence.from && c.moment <= silence.until;
    let how = match silence.thrown_out {
        true => "it was thrown out, and not served",
        false if record.packets_by(witness, 0).iter().any(meanwhile) => "answers to the witness, but no service",
        false => "no answer to the witness",
    };
    let lasted = silence.until.at.since(silence.from).as_millis();
    Violation {
        expected: format!("the witness is served within {} ms", deadline.as_millis()),
        actual: format!("{how} for {lasted} ms{after}"),
        clause: String::new(),
        place: format!("{witness} not served after {}", plan.stimulus()),
        entries: super::record::ids(started.into_iter().chain([silence.until])),
        lesser: false,
    }
}

/// As a silence, a loss shows no cause of its own.
fn thrown_out(plan: &Plan, record: &Record<'_>, witness: &str, loss: &Loss) -> Violation {
    let (started, after) = culprit(record, loss.ended);
    Violation {
        expected: "a legal client stays connected, whatever another sends".to_string(),
        actual: format!("the target threw out the {witness}, which it had served{after}"),
        clause: String::new(),
        place: format!("{witness} thrown out after {}", plan.stimulus()),
        entries: super::record::ids(started.into_iter().chain([loss.served, loss.ended])),
        lesser: false,
    }
}

/// The step of the attack that was begun last before a moment, and where it stood, in words.
pub(super) fn culprit(record: &Record<'_>, until: Moment) -> (Option<Moment>, String) {
    let culprit =
        record.stimuli().filter(|step| step.started.is_some_and(|m| m.at <= until.at)).max_by_key(|step| step.last());
    let started = culprit.and_then(|step| step.started);
    let conn = culprit.and_then(|step| step.conn);
    let last = conn.zip(started).map(|(conn, at)| format!(", after {}", record.place(conn, at.at)));
    (started, last.unwrap_or_default())
}
