//! How a step is answered: by a packet, by silence, by the end of the connection, or not at all.
use alloc::string::String;
use alloc::vec::Vec;

use super::{Await, GOODBYE, Member, OPEN_MAX, Phase, STEP, WRITE_MAX, dialog_timer};
use crate::actor::Outbox;
use crate::connection::{Close, CloseHow};
use crate::ids::{Conn, TimerId};
use crate::note::Note;
use crate::plan::{Alternative, StepPlan};
use crate::protocol::{Answers, Awaits};
use crate::script::connection::{Connection, State};
use crate::script::fill::Fill;
use crate::script::hush::Hush;
use crate::script::matching::{self, Sight, Wanted, brief, close_name, span};
use crate::script::saw;
use crate::time::{Duration, Time};
use crate::transcript::StepState;

impl Member {
    pub(super) fn begin_expect(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if self.connection().state == State::Fresh && !self.program.fleet.plays_server {
            return self.unsaid("the connection was never opened", out);
        }
        let fill = Fill::new(step, |id| self.bound.get(&id).map(|(value, _)| value), None, self.mid);
        match fill.map(|fill| fill.any(step)) {
            Ok(any) => {
                self.note(StepState::Started, String::new(), out);
                self.await_answer(step, any, None, false, now, out);
            }
            Err(why) => self.unsaid(&why, out),
        }
    }

    /// From here on the step is answered by what arrives. `said`: only by what arrives from now on.
    pub(super) fn await_answer(
        &mut self,
        step: &StepPlan,
        any: Option<Vec<Alternative>>,
        natural: Option<Awaits>,
        said: bool,
        now: Time,
        out: &mut Outbox,
    ) {
        let goodbye = natural.as_ref().is_some_and(|n| *n == Awaits::CLOSED) && step.any.is_empty();
        let at = self.program.link_of(self.at);
        let connection = &mut self.connections[at];
        let view = connection.inbox.view(said, now);
        connection.over |= natural.as_ref() == Some(&Awaits::CLOSED);
        let silences = step.any.iter().filter_map(|a| a.silence);
        let longest = silences.clone().max().unwrap_or_default();
        let only_silence = !step.any.is_empty() && silences.clone().count() == step.any.len();
        let patience = match (goodbye, only_silence) {
            (true, _) => GOODBYE,
            (_, true) => longest,
            _ => step.within.max(longest),
        };
        let waiting = Await {
            any,
            natural,
            patience,
            written: true,
            began: now,
            until: now + patience,
            view,
            next: if said { connection.inbox.len() } else { 0 },
            heard: connection.heard,
            silent: longest > Duration::ZERO,
        };
        self.phase = Phase::Awaiting(waiting);
        self.wake_for_answer(out);
        self.read(now, out);
        self.break_silence(out);
        if let (State::Lost(_, how), true) = (self.connection().state, matches!(self.phase, Phase::Awaiting(_))) {
            self.link_closed(how, out);
        } else if let (State::Ended(_), Phase::Awaiting(_)) = (self.connection().state, &self.phase) {
            self.unsaid("we have ended the connection", out);
        }
    }

    /// Asks to be woken when a silence has lasted long enough, and when the time of the step is over.
    pub(super) fn wake_for_answer(&self, out: &mut Outbox) {
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, self.program.step(self.at)) else { return };
        for length in step.any.iter().filter_map(|a| a.silence) {
            out.wake(waiting.began + length, STEP);
        }
        out.wake(waiting.until, STEP);
    }

    /// Reads on in the inbox of the current step's connection.
    pub(super) fn read(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        let Some(step) = program.step(self.at) else { return };
        let connection = &mut self.connections[program.link_of(self.at)];
        let Phase::Awaiting(waiting) = &mut self.phase else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let canary = |id| program.canary(id);
        let wanted = Wanted { any, natural: waiting.natural.as_ref(), class: program.class(), canary: &canary };
        while let Some(unread) = connection.inbox.get(waiting.next) {
            let sight = match unread.answers {
                Answers::Step(nth) if nth < waiting.view.floor => Sight::Other,
                answers => wanted.look(&unread.packet, answers),
            };
            match sight {
                Sight::Met(which) => {
                    let bind = which.map(|at| any[at].bind.clone()).unwrap_or_default();
                    let packet = connection.inbox.take(waiting.next, now).expect("it was just looked at");
                    for (field, id) in bind {
                        if let Some(value) = packet.fields.find(&field) {
                            self.bound.insert(id, (value.clone(), true));
                            out.note(Note::Bind(id, value.clone()));
                        }
                    }
                    return self.met(brief(&packet), out);
                }
                // What came before we last spoke may be what is awaited, but it is no wrong answer.
                Sight::Wrong if unread.spoken == connection.inbox.spoken => {
                    let detail = alloc::format!(
                        "{} instead of {}",
                        brief(&unread.packet),
                        matching::in_words(any, waiting.natural.as_ref())
                    );
                    connection.inbox.take(waiting.next, now);
                    return self.unmet(detail, out);
                }
                Sight::Wrong | Sight::Other => waiting.next += 1,
            }
        }
    }

    pub(super) fn hear(&mut self, conn: Conn, bytes: &[u8], now: Time, out: &mut Outbox) {
        let Some(at) = self.connections.iter().position(|connection| connection.is(conn)) else { return };
        let came = self.connections[at].inbox.came();
        let dropped = self.connections[at].hear(bytes, now, out);
        self.hear_after_silence(at, came, out);
        self.connections[at].tick(now, dialog_timer(at), out);
        if self.program.link_of(self.at) != at {
            return;
        }
        let Phase::Awaiting(waiting) = &mut self.phase else { return };
        waiting.next = waiting.next.saturating_sub(dropped);
        self.read(now, out);
        self.break_silence(out);
    }

    /// What has come since `came` may answer a step that silence had met before: then the step was met too early.
    fn hear_after_silence(&mut self, at: usize, came: u64, out: &mut Outbox) {
        let program = self.program.clone();
        let canary = |id| program.canary(id);
        let (class, interim) = (program.class(), program.fleet.grammar.interim);
        let conn = self.connections[at].conn();
        let Connection { inbox, hushes, .. } = &mut self.connections[at];
        for unread in inbox.since(came) {
            hushes.retain_mut(|hush| {
                let Some((state, detail)) = hush.hear(unread, class, &canary, interim) else { return true };
                out.note(Note::Step { index: hush.index, conn, state, detail });
                state != StepState::Unmet
            });
        }
    }

    /// A step that awaits nothing but silence is unmet with the first packet that is meant for it.
    pub(super) fn break_silence(&mut self, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let inbox = &self.connection().inbox;
        if !waiting.silent || step.any.iter().any(|a| a.silence.is_none()) || inbox.noise(waiting.view).next().is_none()
        {
            return;
        }
        let saw = saw::listed(inbox.noise(waiting.view).map(|unread| &unread.packet));
        self.unmet(alloc::format!("{saw} instead of {}", matching::in_words(&step.any, None)), out);
    }

    /// Whether nothing came that breaks a silence: no packet, and no part of one.
    fn is_quiet(&self, waiting: &Await) -> bool {
        let connection = self.connection();
        let begun = connection.heard > waiting.heard && connection.is_unfinished();
        !begun && connection.inbox.noise(waiting.view).next().is_none()
    }

    pub(super) fn lost(&mut self, conn: Conn, how: Close, out: &mut Outbox) {
        let Some(at) = self.connections.iter().position(|connection| connection.is(conn)) else { return };
        self.connections[at].ended(State::Lost(conn, how));
        self.wake_when_closed(out);
        if self.program.link_of(self.at) != at {
            return;
        }
        match self.phase {
            Phase::Opening(_) => {
                self.connections[at].told = true;
                let detail = alloc::format!("the connection could not be opened ({})", close_name(how));
                self.not_said(how, &detail, out);
            }
            Phase::Awaiting(_) => self.link_closed(how, out),
            Phase::Writing(length, _) => self.cut_off(length, how, out),
            _ => {}
        }
    }

    /// A wait that lasts no longer than the connections is over with the last of them.
    pub(super) fn wake_when_closed(&mut self, out: &mut Outbox) {
        let Phase::Sleeping(_) = self.phase else { return };
        let asked = self.program.step(self.at).is_some_and(|step| step.fields.truth("until_closed") == Some(true));
        if asked && !self.connections.iter().any(Connection::is_open) {
            self.met(String::from("the target has ended every connection"), out);
        }
    }

    /// The connection that the current step awaits something on is over.
    pub(super) fn link_closed(&mut self, how: Close, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let by_peer = matches!(how, Close::Fin | Close::Reset);
        let goodbye = any.is_empty() && waiting.natural.as_ref() == Some(&Awaits::CLOSED);
        let name = close_name(how);
        let awaited = by_peer && (goodbye || any.iter().any(|a| a.closed));
        let connection = &mut self.connections[program.link_of(self.at)];
        connection.over |= awaited;
        let told = core::mem::replace(&mut connection.told, true);
        if awaited {
            self.met(alloc::format!("connection closed ({name})"), out);
        } else if told {
            self.not_said(how, &alloc::format!("the connection is closed ({name})"), out);
        } else {
            let wanted = matching::in_words(any, waiting.natural.as_ref());
            self.unmet(alloc::format!("connection closed ({name}) while waiting for {wanted}"), out);
        }
    }

    pub(super) fn timer(&mut self, id: TimerId, now: Time, out: &mut Outbox) {
        if id != STEP {
            let (at, is_pace) = (id.0 as usize - 1, id.0.is_multiple_of(2));
            let Some(connection) = self.connections.get_mut(at / 2) else { return };
            return if is_pace { connection.pace(now, id, out) } else { connection.tick(now, id, out) };
        }
        match &self.phase {
            Phase::Sleeping(until) if now >= *until => {
                let length = self.program.step(self.at).map(|step| step.wait).unwrap_or_default();
                self.met(alloc::format!("waited {}", span(length)), out);
            }
            Phase::Opening(until) if now >= *until => {
                let at = self.program.link_of(self.at);
                self.connections[at].close(CloseHow::Reset, out);
                self.unsaid(&alloc::format!("no connection after {}", span(OPEN_MAX)), out);
            }
            Phase::Ordered(until) if now >= *until => {
                self.unmet(String::from("the target did not say that the order took effect"), out);
            }
            Phase::Writing(length, until) if now >= *until => {
                let why = alloc::format!("the peer had not read all of {length} bytes after {}", span(WRITE_MAX));
                self.not_read(why, out);
            }
            Phase::Awaiting(_) => self.patience(now, out),
            _ => {}
        }
    }

    /// A silence may have lasted long enough, or the time of the step may be over.
    pub(super) fn patience(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let quiet = self.is_quiet(waiting);
        let lasted = |length: &Duration| quiet && waiting.written && now >= waiting.began + *length;
        let silence = any.iter().filter_map(|a| a.silence).find(lasted);
        if let (Some(length), false) = (silence, self.connection().deaf || self.connection().inbox.dropped > 0) {
            let said = waiting.view.floor..=self.connection().inbox.spoken;
            let hush = Hush { index: step.index, said, any: any.to_vec(), doubted: false };
            self.connections[program.link_of(self.at)].hushes.push(hush);
            return self.met(alloc::format!("{} of silence", span(length)), out);
        }
        if now < waiting.until {
            return;
        }
        if !waiting.written {
            let why = alloc::format!("the peer had not read all that was sent after {}", span(WRITE_MAX));
            return self.not_read(why, out);
        }
        let passed = span(waiting.until - waiting.began);
        if any.is_empty() && waiting.natural.as_ref() == Some(&Awaits::CLOSED) {
            let at = program.link_of(self.at);
            self.connections[at].close(CloseHow::Fin, out);
            return self
                .met(alloc::format!("sent; the peer left the connection open for {passed}, so we ended it"), out);
        }
        let wanted = matching::in_words(any, waiting.natural.as_ref());
        let saw = self.saw(waiting);
        self.unmet(alloc::format!("{passed} passed without {wanted}; saw: {saw}"), out);
    }

    /// What has arrived since the step began (or since it spoke), in a few words.
    pub(super) fn saw(&self, waiting: &Await) -> String {
        let connection = self.connection();
        let spoken = connection.inbox.spoken;
        let seen = connection.inbox.iter().filter(|unread| unread.spoken == spoken).map(|unread| &unread.packet);
        match connection.heard - waiting.heard {
            _ if seen.clone().next().is_some() => saw::listed(seen),
            0 => String::from("nothing"),
            bytes => alloc::format!("{bytes} bytes, no whole packet"),
        }
    }
}
