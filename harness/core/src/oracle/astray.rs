//! What comes to the socket of a step that was met by silence from another address than the one that was asked: no step hears it, and the
//! peer was not silent.
use alloc::format;
use alloc::string::String;

use super::record::{Crossing, Moment, Record, StepRun, writes};
use super::sockets::Sockets;
use crate::grammar::Grammar;
use crate::plan::{Alternative, StepPlan};
use crate::transcript::Packet;
use crate::wanted;

/// What a stranger makes of a silence.
pub(super) enum Astray {
    /// It was broken: his packet answers what the step asks.
    Breaks(Moment, String),
    /// His packet answers nothing that was said from that socket: nobody knows whose it is.
    Unknown(String),
}

/// What came to the socket of a silent step from elsewhere; `None`: nothing, or answers to something else. A late copy of the answer to an
/// earlier request is none to this one, wherever it comes from.
pub(super) fn astray(record: &Record<'_>, sockets: &Sockets, run: &StepRun<'_>, step: &StepPlan) -> Option<Astray> {
    let (conn, (ended, _)) = (run.conn?, run.ended?);
    let asked_from = earlier_answer(record, run);
    let grammar = record.connections.get(&conn).map_or(&Grammar::NONE, |connection| connection.grammar);
    let mut unknown = None;
    for heard in sockets.strangers_at(conn).flat_map(|stranger| record.packets_of(stranger)) {
        if heard.sent || step.any.iter().any(|alternative| accepts(alternative, heard.packet)) {
            continue;
        }
        let said = |crossing: &Crossing<'_>| crossing.sent && crossing.moment < heard.moment;
        let answers = |crossing: &Crossing<'_>| (grammar.answers)(crossing.packet, heard.packet);
        let own = |moment: Moment| asked_from.is_none_or(|from| moment > from) && moment < ended;
        match record.packets_of(conn).filter(said).rfind(answers) {
            Some(said) if own(said.moment) => return Some(Astray::Breaks(heard.moment, told(heard.packet))),
            Some(_) => {}
            None if own(heard.moment) => unknown = unknown.or(Some(Astray::Unknown(told(heard.packet)))),
            None => {}
        }
    }
    unknown
}

/// When the step before this one on its connection had heard what it awaited: what was said later is what this one asks.
fn earlier_answer(record: &Record<'_>, run: &StepRun<'_>) -> Option<Moment> {
    let awaits =
        |step: &&StepRun<'_>| step.patience.is_some() || step.may_be_silent || writes(step.verb) && step.verb != "send";
    let earlier = record
        .steps_of(run.conn?)
        .filter(|step| (step.fleet, step.member) == (run.fleet, run.member) && step.index < run.index);
    earlier.filter(awaits).filter_map(|step| step.ended).map(|(moment, _)| moment).max()
}

/// The step would have been met by this, had it come from where it asked. (Groups of values are their protocol's, and not asked here.)
fn accepts(alternative: &Alternative, packet: &Packet) -> bool {
    !alternative.fields.is_empty() && wanted::fits(&alternative.fields, packet, &|_, _, _| None)
}

fn told(packet: &Packet) -> String {
    format!("a {} came from another address than the one that was asked", packet.kind)
}
