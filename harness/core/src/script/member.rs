//! One member that plays a script: a machine with a place in the script and a few connections.
mod saying;
mod waiting;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::admin;
use super::connection::{Connection, State};
use super::inbox::View;
use super::program::Program;
use crate::actor::{Actor, Input, Outbox};
use crate::connection::Close;
use crate::ids::{BindId, MarkId, TimerId};
use crate::note::Note;
use crate::part::Part;
use crate::plan::{Alternative, StepPlan};
use crate::protocol::Awaits;
use crate::time::{Duration, Time};
use crate::transcript::StepState;
use crate::value::Value;

/// How long a connection may take to stand. The system itself gives up after 127 s, which is longer than most trials.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// How long the peer has to end the connection after a goodbye, before we do.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long the peer may take to read what a step says, before we know that it will not.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long an order may take at least: restarting a slow target takes longer than an answer on the wire.
const ORDER_MIN: Duration = Duration::from_secs(30);
/// The timer of the current step; those of connections follow.
const STEP: TimerId = TimerId(0);

/// A member of a scripted fleet.
pub(super) struct Member {
    program: Arc<Program>,
    identity: u32,
    /// Place in the script.
    at: usize,
    phase: Phase,
    connections: Vec<Connection>,
    marks: BTreeSet<MarkId>,
    /// Marks that will never be set.
    void: BTreeSet<MarkId>,
    /// Bound values; those that this member bound itself are not replaced by another's.
    bound: BTreeMap<BindId, (Value, bool)>,
    /// Connections opened so far.
    opened: u32,
    /// The next fresh message id.
    mid: u16,
}

/// What the current step is at.
enum Phase {
    /// The member has not started.
    Unborn,
    /// Before its marks and its time.
    Gate,
    /// Its connection is being opened.
    Opening(Time),
    /// So many bytes are being written, and nothing is awaited but that; until then at most.
    Writing(usize, Time),
    /// It awaits something.
    Awaiting(Await),
    /// It lets time pass.
    Sleeping(Time),
    /// It waits for the target to obey.
    Ordered(Time),
    /// There is no further step.
    Over { told: bool },
}

/// What a step awaits, and since when.
struct Await {
    /// The alternatives, where they hold bound values; else those of the plan.
    any: Option<Vec<Alternative>>,
    natural: Option<Awaits>,
    /// The peer's time, from the moment when it could have read all that the step says.
    patience: Duration,
    /// What the step says is written.
    written: bool,
    /// When that was, or, where it says nothing, when it began.
    began: Time,
    until: Time,
    /// From where on it looks.
    view: View,
    /// The next unread packet to look at.
    next: usize,
    /// Bytes that had arrived when it began.
    heard: u64,
    /// Some alternative is silence.
    silent: bool,
}

impl Actor for Member {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Start => self.start(),
            Input::Opened(conn) => self.stands(conn, now, out),
            Input::Accepted(conn, _) => self.accept(conn, now, out),
            Input::Bytes(conn, bytes) => self.hear(conn, bytes, now, out),
            Input::Closed(conn, how) => self.lost(conn, how, out),
            Input::Timer(id) => self.timer(id, now, out),
            Input::Mark(id) => {
                self.marks.insert(id);
            }
            Input::Void(id) => {
                self.void.insert(id);
            }
            Input::Flushed(conn) => self.written(conn, now, out),
            Input::Bound(id, value) => {
                if !self.bound.get(&id).is_some_and(|(_, own)| *own) {
                    self.bound.insert(id, (value.clone(), false));
                }
            }
            Input::Done(result) => self.obeyed(result, out),
            Input::Order(_) | Input::Ask => {}
        }
        self.advance(now, out);
    }

    fn held(&self) -> u64 {
        self.connections.iter().map(|connection| connection.inbox.size() as u64).sum()
    }
}

impl Member {
    pub(super) fn new(program: Arc<Program>, identity: u32) -> Member {
        let connections = program.connections.iter().map(|_| Connection::new(program.transport)).collect();
        let mut rng = program.plan.seed.stream(&alloc::format!("mid/{}", program.fleet.name), u64::from(identity));
        Member {
            identity,
            at: 0,
            phase: Phase::Unborn,
            connections,
            marks: BTreeSet::new(),
            void: BTreeSet::new(),
            bound: BTreeMap::new(),
            opened: 0,
            mid: 1 + rng.below(0xff00) as u16,
            program,
        }
    }

    fn start(&mut self) {
        if matches!(self.phase, Phase::Unborn) {
            self.phase = Phase::Gate;
        }
    }

    /// Plays on until a step has to wait.
    fn advance(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        while matches!(self.phase, Phase::Gate) {
            let Some(step) = program.step(self.at) else {
                self.phase = Phase::Over { told: false };
                break;
            };
            if let Some(mark) = self.waits_in_vain(step) {
                self.give_up(mark, out);
                break;
            }
            if !self.may_begin(step, now, out) {
                return;
            }
            if step.skip {
                self.next(step.mark, out);
            } else {
                self.begin(step, now, out);
            }
        }
        if let Phase::Over { told: false } = self.phase
            && !self.connections.iter().any(Connection::is_pacing)
        {
            self.phase = Phase::Over { told: true };
            out.note(Note::Finished);
        }
    }

    /// A mark that the step waits for and that will never be set.
    fn waits_in_vain(&self, step: &StepPlan) -> Option<MarkId> {
        step.after.iter().copied().find(|mark| self.void.contains(mark) && !self.marks.contains(mark))
    }

    /// The script ends before its end, and so does everything that waits for the rest of it.
    fn give_up(&mut self, mark: MarkId, out: &mut Outbox) {
        let program = self.program.clone();
        let name = program.plan.marks.get(usize::from(mark.0)).map_or("a mark", |(name, _)| name.as_str());
        self.note(StepState::Unsaid, alloc::format!("waits for {name}, which was not reached"), out);
        while program.step(self.at).is_some() {
            self.next(None, out);
        }
        self.phase = Phase::Over { told: false };
    }

    /// Its marks are set, and its time has come.
    fn may_begin(&self, step: &StepPlan, now: Time, out: &mut Outbox) -> bool {
        if !step.after.iter().all(|mark| self.marks.contains(mark)) {
            return false;
        }
        let Some(at) = step.at.map(|at| Time::ZERO + at) else { return true };
        if now < at {
            out.wake(at, STEP);
        }
        now >= at
    }

    fn begin(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        match step.verb.as_str() {
            "wait" => {
                self.note(StepState::Started, String::new(), out);
                self.phase = Phase::Sleeping(now + step.wait);
                out.wake(now + step.wait, STEP);
                self.wake_when_closed(out);
            }
            "expect" => self.begin_expect(step, now, out),
            "shutdown" | "reset" | "stop-reading" => self.transport(step, now, out),
            verb => match admin::order(step) {
                Some(order) => self.order(step, order, now, out),
                None if verb == "open" && self.connection().is_open() => {
                    self.unsaid("the connection is already open", out);
                }
                None if self.must_open(verb) => self.open(now, out),
                None => self.say(step, now, out),
            },
        }
    }

    fn connection(&self) -> &Connection {
        &self.connections[self.program.link_of(self.at)]
    }

    fn met(&mut self, detail: String, out: &mut Outbox) {
        self.note(StepState::Met, detail, out);
        let mark = self.program.step(self.at).and_then(|step| step.mark);
        self.next(mark, out);
    }

    /// Not met; where something of our own stood in the way, it says nothing about the peer. A stimulus has had its time all the same.
    fn unmet(&mut self, detail: String, out: &mut Outbox) {
        match self.own_doing() {
            Some(ours) => {
                self.note(StepState::Cut, alloc::format!("{ours}; {detail}"), out);
                self.next(None, out);
            }
            None => {
                self.note(StepState::Unmet, detail, out);
                self.next(self.stimulus_mark(), out);
            }
        }
    }

    fn unsaid(&mut self, why: &str, out: &mut Outbox) {
        self.note(StepState::Unsaid, String::from(why), out);
        self.next(None, out);
    }

    fn beyond(&mut self, limit: String, out: &mut Outbox) {
        self.note(StepState::Beyond, limit, out);
        self.next(None, out);
    }

    /// The peer would not have it. A stimulus has come as far as the peer let it.
    fn barred(&mut self, why: &str, out: &mut Outbox) {
        self.note(StepState::Barred, String::from(why), out);
        self.next(self.stimulus_mark(), out);
    }

    /// The mark of a stimulus that awaits nothing of its own: others wait for the attack, not for what the peer makes of it.
    fn stimulus_mark(&self) -> Option<MarkId> {
        let step = self.program.step(self.at)?;
        step.mark.filter(|_| self.attacks() && step.any.is_empty())
    }

    /// Whether the current step is part of the attack.
    fn attacks(&self) -> bool {
        let step = self.program.step(self.at);
        step.is_some_and(|step| step.part.or(self.program.fleet.part) == Some(Part::Stimulus))
    }

    /// What we did ourselves that may be why an answer is missing.
    fn own_doing(&self) -> Option<String> {
        let connection = self.connection();
        match (connection.inbox.dropped, connection.state) {
            (1.., _) => {
                Some(alloc::format!("our own limit: {} unread packets had been dropped", connection.inbox.dropped))
            }
            (_, State::Lost(_, Close::LocalLimit)) => Some(String::from("our own limit ended the connection")),
            (_, State::Lost(..)) if connection.half => Some(String::from("we had closed our direction")),
            _ if connection.deaf => Some(String::from("we had stopped reading")),
            _ => None,
        }
    }

    /// The step is over. A mark of its own that it did not set, and that no later step sets, is void: nobody need wait for it.
    fn next(&mut self, mark: Option<MarkId>, out: &mut Outbox) {
        let own = self.program.step(self.at).and_then(|step| step.mark);
        if let Some(mark) = mark {
            out.note(Note::Mark(mark));
        } else if let Some(own) = own
            && !self.program.sets_later(self.at, own)
        {
            out.note(Note::Void(own));
        }
        self.at += 1;
        self.phase = Phase::Gate;
    }

    fn note(&self, state: StepState, detail: String, out: &mut Outbox) {
        let Some(step) = self.program.step(self.at) else { return };
        let conn = match step.verb.as_str() {
            "wait" => None,
            _ => self.connection().conn(),
        };
        out.note(Note::Step { index: step.index, conn, state, detail });
    }
}

/// Bytes and how many times, natural answer, and alternatives with their bound values.
type Words = (Vec<u8>, usize, Option<Awaits>, Option<Vec<Alternative>>);

const fn dialog_timer(connection: usize) -> TimerId {
    TimerId(1 + 2 * connection as u32)
}

const fn pace_timer(connection: usize) -> TimerId {
    TimerId(2 + 2 * connection as u32)
}
