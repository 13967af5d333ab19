//! What comes to the connection of a step after the silence that met it, and that nobody has asked for since: the peer was late, not silent.
//! That it may never come is what `never-at` asks; a silence has an end, so what comes after it breaks nothing and proves nothing.
use alloc::format;
use alloc::string::String;

use super::record::{Connection, Crossing, Moment, Record, StepRun};
use crate::connection::Close;
use crate::plan::{Alternative, FleetPlan, Plan, Recording, StepPlan};
use crate::script::is_about;
use crate::transcript::{By, Entry, Event, Packet, Who};
use crate::witness::is_witness;

/// Whether a step was met by silence. What is met before that was met by a packet.
pub(crate) fn was_silent(run: &StepRun<'_>, step: &StepPlan) -> bool {
    let silence = step.any.iter().filter_map(|alternative| alternative.silence).min();
    let took = run.started.zip(run.ended).map(|(from, (until, _))| until.at.since(from.at));
    silence.zip(took).is_some_and(|(silence, took)| took >= silence)
}

/// What came after the silence of a step and shows that it was none: nothing that anyone did meanwhile explains it, no later step
/// awaits it, and it answers nothing that was said before (a script hears that by itself).
pub(crate) fn came_later(plan: &Plan, record: &Record<'_>, run: &StepRun<'_>, step: &StepPlan) -> Option<String> {
    if plan.record != Recording::Full || !was_silent(run, step) {
        return None;
    }
    let (conn, (silent, _)) = (run.conn?, run.ended?);
    let (connection, fleet) = (record.connections.get(&conn)?, plan.fleet(run.fleet)?);
    let after = After { plan, record, connection, conn, fleet, run, step, silent };
    let until = record.whole_until();
    let mut late = record.packets_of(conn).filter(|c| !c.sent && c.moment > silent && c.moment < until);
    let packet = late.find(|heard| after.breaks(heard)).map(|heard| (heard.moment, heard.packet.kind.as_str()));
    let (moment, what) = packet.or_else(|| after.end(until).map(|moment| (moment, "the end of the connection")))?;
    Some(format!("{what} came {} ms after the silence that met it", moment.at.since(silent.at).as_millis()))
}

/// The time after one silence.
struct After<'a, 'r> {
    plan: &'a Plan,
    record: &'a Record<'r>,
    connection: &'a Connection<'r>,
    conn: u32,
    fleet: &'a FleetPlan,
    run: &'a StepRun<'r>,
    step: &'a StepPlan,
    /// When it was over.
    silent: Moment,
}

impl After<'_, '_> {
    fn breaks(&self, heard: &Crossing<'_>) -> bool {
        let grammar = self.connection.grammar;
        let said = |c: &Crossing<'_>| c.sent && c.moment < heard.moment;
        let answers = |c: Crossing<'_>| (grammar.answers)(c.packet, heard.packet);
        let about = |one: &Alternative| is_about(one, heard.packet);
        !self.step.any.iter().any(about)
            && !(grammar.own_reason)(heard.packet)
            && !self.is_awaited(heard.moment, about)
            && !self.record.packets_of(self.conn).filter(said).any(answers)
            && !self.is_explained(heard.moment, Some(heard.packet))
    }

    /// The peer has ended the connection.
    fn end(&self, until: Moment) -> Option<Moment> {
        let (moment, By::Peer, Close::Fin | Close::Reset) = self.connection.closed? else { return None };
        let told_why = |c: &Crossing<'_>| !c.sent && (self.connection.grammar.own_reason)(c.packet);
        let closes = |one: &Alternative| one.closed;
        let broken = moment > self.silent
            && moment < until
            && !self.step.any.iter().any(closes)
            && !self.is_awaited(moment, closes)
            && !self.record.packets_of(self.conn).any(|c| told_why(&c))
            && !self.is_explained(moment, None);
        broken.then_some(moment)
    }

    /// A later step of the same member awaits such a thing there, and was not over before it came.
    fn is_awaited(&self, came: Moment, such: impl Fn(&Alternative) -> bool) -> bool {
        let later = self.record.steps_of(self.conn).filter(|other| {
            (other.fleet, other.member) == (self.run.fleet, self.run.member)
                && other.index > self.run.index
                && other.ended.is_none_or(|(moment, _)| moment >= came)
        });
        let planned = |index| self.fleet.steps.iter().find(|step| step.index == index);
        later.filter_map(|other| planned(other.index)).any(|step| step.any.iter().any(&such))
    }

    /// Something that was done after the silence and before this may be why it came. `heard`: the packet, or the end of the connection.
    fn is_explained(&self, came: Moment, heard: Option<&Packet>) -> bool {
        let since = |(id, entry): &(_, &Entry)| {
            let moment = Moment { at: entry.at, id: *id };
            moment > self.silent && moment < came
        };
        let mut acts = self.record.transcript.iter().filter(since);
        acts.any(|(_, entry)| self.explains(&entry.who, &entry.event, heard))
    }

    fn explains(&self, who: &Who, event: &Event, heard: Option<&Packet>) -> bool {
        let witness = matches!(who, Who::Member(fleet, _) if is_witness(fleet));
        match event {
            // Half a packet may be anything.
            Event::Sent(bytes) if bytes.packets.is_empty() => !witness,
            Event::Sent(bytes) => bytes.packets.iter().any(|said| self.stirs(who, witness, bytes.conn, said, heard)),
            // Who goes may leave a last word; who comes takes nobody's place but by what he says.
            Event::Closed { conn, .. } => !witness && *conn != self.conn,
            Event::Ordered { .. } => true,
            _ => false,
        }
    }

    /// Whether what one party said may be why another hears this. A witness speaks of its own corner, and a keep-alive moves nothing.
    fn stirs(&self, who: &Who, witness: bool, conn: u32, said: &Packet, heard: Option<&Packet>) -> bool {
        let Who::Member(fleet, _) = who else { return false };
        let grammar = self.plan.grammar(fleet);
        let of = |packet: &Packet| (grammar.resource)(packet);
        match (of(said), heard.and_then(of)) {
            (Some(said), Some(heard)) => said == heard,
            _ if witness || (grammar.keep_alive)(said) => false,
            (None, Some(_)) => conn == self.conn || heard.is_some_and(|heard| heard.kind == said.kind),
            (_, None) => true,
        }
    }
}
