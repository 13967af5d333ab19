//! A witness that the target had served and then ended, at or after the first byte of the attack: a legal client pays for what another did.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::habit::Habits;
use super::lateness::STOPPED_MIN;
use super::record::{Crossing, Moment, Record};
use crate::admin::Order;
use crate::connection::Close;
use crate::plan::Plan;
use crate::transcript::{By, Event, Life, WitnessState};

/// One end of a witness that was a client of the target until then.
pub(super) struct Loss {
    /// When it was served last.
    pub(super) served: Moment,
    /// What ended it: the target's goodbye, or the end of the connection; else its own word.
    pub(super) ended: Moment,
    /// Why it is not, or may not be, the target's doing; `None`: it is.
    pub(super) excuse: Option<String>,
}

/// Every loss of this witness since the attack began, in order: who is refused after one has been thrown out already.
pub(super) fn losses(plan: &Plan, record: &Record<'_>, witness: &str) -> Vec<Loss> {
    let mut served = None;
    let mut found = Vec::new();
    for (moment, state) in record.witness(witness) {
        match state {
            WitnessState::Served { .. } => served = Some(moment),
            WitnessState::Lost => found.extend(served.take().map(|served| loss(plan, record, witness, served, moment))),
            _ => {}
        }
    }
    let Some((since, _)) = record.attack() else { return found };
    let (before, mut after): (Vec<Loss>, Vec<Loss>) = found.into_iter().partition(|loss| loss.ended < since);
    if before.iter().any(|loss| loss.excuse.is_none()) {
        for loss in &mut after {
            loss.excuse.get_or_insert_with(|| format!("the {witness} was thrown out before the attack, too"));
        }
    }
    after
}

/// What ended it between its last round trip and its word.
fn loss(plan: &Plan, record: &Record<'_>, witness: &str, served: Moment, lost: Moment) -> Loss {
    let heard = heard(record, witness, served);
    let grammar = plan.grammar(witness);
    let goodbye = heard.iter().find(|c| {
        c.moment <= lost && stood(record, c.conn, served) && grammar.leaving.contains(&c.packet.kind.as_str())
    });
    let Some((conn, ended)) = goodbye.map(|c| (c.conn, c.moment)).or_else(|| cut(record, witness, served, lost)) else {
        let why = format!("the {witness} lost its connection, and nothing shows that the target ended it");
        return Loss { served, ended: lost, excuse: Some(why) };
    };
    // It may say so only when the witness comes back, and is not served.
    let again = served_again(record, witness, lost);
    let says_why = |c: &Crossing<'_>| again.is_none_or(|again| c.moment < again) && (grammar.own_reason)(c.packet);
    let excuse = if heard.iter().any(says_why) {
        Some(format!("the {witness} was thrown out, and the target names a reason of its own"))
    } else if gave_way(plan, record, witness, ended) {
        Some(format!("the {witness} was thrown out once a newcomer of ours had come with its account"))
    } else if is_restart(record, served, lost) {
        Some(format!("the {witness} was thrown out by a restart that the scenario orders"))
    } else if let Some(why) = Habits::of(record).why(conn) {
        Some(format!("the {witness} was thrown out, and {why}"))
    } else {
        late(record, witness, served, lost)
    };
    Loss { served, ended, excuse }
}

/// When the witness was served next.
fn served_again(record: &Record<'_>, witness: &str, lost: Moment) -> Option<Moment> {
    let mut later = record.witness(witness).skip_while(|(moment, _)| *moment <= lost);
    later.find_map(|(moment, state)| matches!(state, WitnessState::Served { .. }).then_some(moment))
}

/// Whether a newcomer had knocked by then that logs in as the witness does: a server may serve one of the two only.
fn gave_way(plan: &Plan, record: &Record<'_>, witness: &str, ended: Moment) -> bool {
    let shared = plan.fleet(witness).is_some_and(|fleet| fleet.authenticated && fleet.party.is_some());
    let knocked = |(moment, state): &(Moment, WitnessState)| *state == WitnessState::Knocks && *moment <= ended;
    shared && record.newcomers(witness).iter().any(knocked)
}

/// What the target said to the witness after `since`, in order.
fn heard<'a>(record: &Record<'a>, witness: &str, since: Moment) -> Vec<Crossing<'a>> {
    let own = record.connections.iter().filter(|(_, connection)| connection.fleet == witness);
    let packets = own.flat_map(|(conn, _)| record.packets_of(*conn));
    let mut heard: Vec<Crossing<'a>> = packets.filter(|c| !c.sent && c.moment > since).collect();
    heard.sort_by_key(|c| c.moment);
    heard
}

/// Which connection of the witness the target ended in this time, and when. On datagrams a port that was served is unreachable now.
fn cut(record: &Record<'_>, witness: &str, served: Moment, lost: Moment) -> Option<(u32, Moment)> {
    let own = record.connections.iter().filter(|(_, connection)| connection.fleet == witness);
    let ends = own.filter(|(conn, _)| stood(record, **conn, served));
    let mut cuts = ends.filter_map(|(conn, connection)| {
        let (moment, by, how) = connection.closed?;
        let cut = by == By::Peer && matches!(how, Close::Fin | Close::Reset | Close::Refused);
        cut.then_some((*conn, moment))
    });
    cuts.find(|(_, moment)| *moment > served && *moment <= lost)
}

/// Whether a connection was there at a moment already: what a newcomer's suffers is another matter.
fn stood(record: &Record<'_>, conn: u32, at: Moment) -> bool {
    record.connections.get(&conn).and_then(|connection| connection.opened).is_none_or(|opened| opened <= at)
}

/// Whether the scenario had the target restarted, and it was not ready again before the witness was served last.
pub(super) fn is_restart(record: &Record<'_>, served: Moment, lost: Moment) -> bool {
    let mut waits = false;
    for (id, entry) in record.transcript.iter() {
        let moment = Moment { at: entry.at, id };
        match &entry.event {
            Event::Ordered { order: Order::Restart } if moment <= lost => waits = true,
            Event::Life(Life::Ready) if moment <= served => waits = false,
            _ => {}
        }
    }
    waits
}

/// A witness that could not speak may have been ended for its silence.
fn late(record: &Record<'_>, witness: &str, served: Moment, lost: Moment) -> Option<String> {
    let late = record.lateness.between(witness, served.at, lost.at);
    (late >= STOPPED_MIN)
        .then(|| format!("the {witness} was thrown out while we, or the machine, were {} ms late", late.as_millis()))
}
