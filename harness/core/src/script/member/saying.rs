//! How a step is said: connections are opened for it, bytes go out, orders are given.
use alloc::string::String;
use alloc::vec::Vec;

use super::{Member, OPEN_MAX, ORDER_MIN, Phase, STEP, WRITE_MAX, Words, dialog_timer, pace_timer};
use crate::actor::Outbox;
use crate::connection::{Close, CloseHow};
use crate::ids::Conn;
use crate::note::Note;
use crate::part::Part;
use crate::plan::{Segments, StepPlan};
use crate::protocol::{Transport, Unsayable};
use crate::script::connection::State;
use crate::script::fill::Fill;
use crate::script::matching::close_name;
use crate::script::program::Program;
use crate::time::Time;
use crate::transcript::StepState;
use crate::value::unhex;

/// What one step may say, in bytes: as much as one connection may answer, and less than the largest MQTT packet (256 MiB), which
/// no attack needs whole.
const SAID_MAX: usize = 64 << 20;

impl Member {
    /// Whether this verb needs a new connection first.
    pub(super) fn must_open(&self, verb: &str) -> bool {
        match self.connection().state {
            State::Fresh => true,
            // A port that was unreachable ends no socket of datagrams: a fresh one may find it again.
            State::Lost(..) if self.program.transport == Transport::Datagram => true,
            State::Lost(..) | State::Ended(_) => verb == "open" || self.program.fleet.grammar.opening.contains(&verb),
            State::Listening | State::Opening(_) | State::Open(_) => false,
        }
    }

    pub(super) fn open(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        let fleet = &program.fleet;
        let at = program.link_of(self.at);
        self.phase = Phase::Opening(now + OPEN_MAX);
        out.wake(now + OPEN_MAX, STEP);
        if fleet.plays_server {
            self.connections[at].state = State::Listening;
            return;
        }
        let conn = out.open(fleet.endpoint_id, fleet.source(self.identity, self.opened));
        self.opened += 1;
        if program.connections[at] != "main" {
            out.note(Note::Label(conn, program.connections[at].clone()));
        }
        self.connections[at].opening(conn);
    }

    /// A connection that we asked for stands.
    pub(super) fn stands(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let Some(at) = self.connections.iter().position(|connection| connection.state == State::Opening(conn)) else {
            return;
        };
        self.connections[at].opened(conn, self.program.dialog(self.identity));
        self.opened_link(at, now, out);
    }

    /// The target connected to us: to the connection that waits for it, else to the first that was never used.
    /// Who plays no server hears a stranger, of whom the record tells and no step.
    pub(super) fn accept(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        if !self.program.fleet.plays_server {
            return;
        }
        let waits = |state| self.connections.iter().position(|connection| connection.state == state);
        let Some(at) = waits(State::Listening).or_else(|| waits(State::Fresh)) else { return };
        self.connections[at].opened(conn, self.program.dialog(self.identity));
        self.opened_link(at, now, out);
    }

    pub(super) fn opened_link(&mut self, at: usize, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        self.connections[at].tick(now, dialog_timer(at), out);
        if !matches!(self.phase, Phase::Opening(_)) || program.link_of(self.at) != at {
            return;
        }
        let Some(step) = program.step(self.at) else { return };
        if step.verb != "open" {
            return self.say(step, now, out);
        }
        self.note(StepState::Started, String::new(), out);
        if step.any.is_empty() {
            self.met(String::from("opened"), out);
        } else {
            self.await_answer(step, None, None, true, now, out);
        }
    }

    /// Says what the step says, on a connection that stands.
    pub(super) fn say(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if self.is_gone(out) {
            return;
        }
        if self.connection().half {
            return self.unsaid("we have closed our direction", out);
        }
        let program = self.program.clone();
        let said = self.words(&program, step, now);
        let (bytes, times, natural, any) = match said {
            Ok(said) => said,
            Err(Unsayable::Mistake(why)) => return self.unsaid(&why, out),
            Err(Unsayable::Limit(limit)) => return self.beyond(limit, out),
        };
        self.note(StepState::Started, String::new(), out);
        if let (Some(canary), Some(conn)) = (step.canary, self.connection().conn()) {
            out.note(Note::Planted(canary, conn));
        }
        let at = program.link_of(self.at);
        self.connections[at].attacked |= self.attacks();
        let length = bytes.len() * times;
        if let Some((chunk, period)) = step.pace {
            self.connections[at].begin_pace(bytes.repeat(times), chunk, period);
            self.connections[at].pace(now, pace_timer(at), out);
        } else {
            let cut = if step.part == Some(Part::Stimulus) { program.plan.segments } else { Segments::Whole };
            self.connections[at].send(&bytes, times, cut, out);
        }
        self.connections[at].tick(now, dialog_timer(at), out);
        if natural.is_some() || !step.any.is_empty() {
            self.await_answer(step, any, natural, true, now, out);
            self.not_written_yet(now);
        } else if step.pace.is_some() {
            return self.met(alloc::format!("begun to send {length} bytes"), out);
        } else {
            self.phase = Phase::Writing(length, now + WRITE_MAX);
        }
        if self.connections[at].is_open() {
            out.wake(now + WRITE_MAX, STEP);
            self.connections[at].flush(out);
        }
    }

    /// The peer has its time once it could have read everything.
    fn not_written_yet(&mut self, now: Time) {
        if let Phase::Awaiting(waiting) = &mut self.phase {
            (waiting.written, waiting.until) = (false, now + WRITE_MAX);
        }
    }

    /// All that was said on a connection is written: a step that awaits nothing else has ended, any other begins to count its time.
    pub(super) fn written(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let Some(at) = self.connections.iter().position(|connection| connection.is(conn)) else { return };
        if !self.connections[at].is_written() || self.program.link_of(self.at) != at {
            return;
        }
        match &mut self.phase {
            Phase::Writing(length, _) => {
                let detail = alloc::format!("sent {length} bytes");
                self.connections[at].inbox.written(now);
                self.met(detail, out);
            }
            Phase::Awaiting(waiting) if !waiting.written => {
                (waiting.written, waiting.began, waiting.until) = (true, now, now + waiting.patience);
                self.wake_for_answer(out);
            }
            _ => {}
        }
    }

    /// The peer has not read what a step says, although it had its time. A legal client that is not read is not served, as if no answer came.
    /// An attack that is not read has not arrived, and what a link of ours holds back nobody can read.
    pub(super) fn not_read(&mut self, why: String, out: &mut Outbox) {
        let network = &self.program.fleet.network;
        let held = network.rate > 0 || network.stall.is_some();
        if held || self.attacks() || self.connection().attacked { self.unsaid(&why, out) } else { self.unmet(why, out) }
    }

    /// The connection ended while a step was being written. A stimulus has come as far as the peer let it.
    pub(super) fn cut_off(&mut self, length: usize, how: Close, out: &mut Outbox) {
        let attacks = self.attacks();
        let by_peer = matches!(how, Close::Fin | Close::Reset);
        let detail =
            alloc::format!("connection closed ({}) before all of {length} bytes were written", close_name(how));
        if attacks && by_peer { self.met(detail, out) } else { self.unmet(detail, out) }
    }

    /// The bytes of a step, its natural answer, and its alternatives where they hold bound values.
    pub(super) fn words(&mut self, program: &Program, step: &StepPlan, now: Time) -> Result<Words, Unsayable> {
        self.mid = self.mid.checked_add(1).unwrap_or(1);
        let canary = step.canary.map(|id| program.canary(id));
        let fill = Fill::new(step, |id| self.bound.get(&id).map(|(value, _)| value), canary, self.mid)?;
        let (fields, any) = (fill.fields(step), fill.any(step));
        let mut bytes = Vec::new();
        let mut natural = None;
        match fields.find("hex") {
            Some(hex) if step.verb == "send" => bytes = unhex(hex.as_text().unwrap_or_default())?,
            _ => {
                let connection = &mut self.connections[program.link_of(self.at)];
                let dialog = connection.dialog().ok_or_else(|| String::from("this fleet speaks no protocol"))?;
                natural = dialog.say(step, &fields, now, &mut bytes)?;
            }
        }
        let times = fields.int("repeat").filter(|_| step.verb == "send").map_or(1, |n| n.clamp(0, 1 << 20) as usize);
        let length = bytes.len().saturating_mul(times);
        if length > SAID_MAX {
            return Err(alloc::format!("{length} bytes in one step: {SAID_MAX} at most").into());
        }
        Ok((bytes, times, natural, any))
    }

    pub(super) fn transport(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if self.is_gone(out) {
            return;
        }
        self.note(StepState::Started, String::new(), out);
        let at = self.program.link_of(self.at);
        let done = match step.verb.as_str() {
            "shutdown" => {
                self.connections[at].close(CloseHow::Half, out);
                "our direction is closed"
            }
            "reset" => {
                self.connections[at].close(CloseHow::Reset, out);
                "reset"
            }
            _ => {
                let on = step.fields.truth("resume").unwrap_or(false);
                self.connections[at].read(on, out);
                if on { "reading again" } else { "no longer reading" }
            }
        };
        if step.any.is_empty() {
            self.met(String::from(done), out);
        } else {
            self.await_answer(step, None, None, true, now, out);
        }
    }

    pub(super) fn order(
        &mut self,
        step: &StepPlan,
        order: Result<crate::admin::Order, String>,
        now: Time,
        out: &mut Outbox,
    ) {
        let order = match order {
            Ok(order) => order,
            Err(why) => return self.unsaid(&why, out),
        };
        self.note(StepState::Started, String::new(), out);
        let until = now + step.within.max(ORDER_MIN);
        self.phase = Phase::Ordered(until);
        out.note(Note::Order(order));
        out.wake(until, STEP);
    }

    pub(super) fn obeyed(&mut self, result: Result<(), &str>, out: &mut Outbox) {
        if !matches!(self.phase, Phase::Ordered(_)) {
            return;
        }
        match result {
            Ok(()) => self.met(String::from("in effect"), out),
            Err(why) => self.unmet(alloc::format!("the order failed: {why}"), out),
        }
    }

    /// Whether nothing can be said on the current connection; the step has ended then.
    fn is_gone(&mut self, out: &mut Outbox) -> bool {
        match self.connection().state {
            State::Open(_) => return false,
            State::Lost(_, how) => {
                self.not_said(how, &alloc::format!("the connection is closed ({})", close_name(how)), out);
            }
            State::Ended(_) => self.unsaid("we have ended the connection", out),
            State::Fresh | State::Listening | State::Opening(_) => {
                self.unsaid("the connection does not stand", out);
            }
        }
        true
    }

    /// The step cannot be said, because its connection ended or never stood: it was barred where that was the peer's doing.
    pub(super) fn not_said(&mut self, how: Close, why: &str, out: &mut Outbox) {
        match how {
            Close::Fin | Close::Reset | Close::Refused if !self.connection().half && !self.connection().over => {
                self.barred(why, out);
            }
            _ => self.unsaid(why, out),
        }
    }
}
