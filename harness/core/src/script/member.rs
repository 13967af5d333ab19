//! One member that plays a script: a machine with a place in the script and a few connections.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::admin;
use super::fill::Fill;
use super::link::{Link, State};
use super::matching::{self, Sight, Wanted, brief, close_name, span};
use super::program::Program;
use crate::actor::{Actor, Close, CloseHow, Conn, Input, Note, Outbox, TimerId};
use crate::plan::{Alternative, BindId, MarkId, Part, Segments, StepPlan};
use crate::protocol::Awaits;
use crate::time::{Duration, Time};
use crate::transcript::{Packet, StepState};
use crate::value::{Value, unhex};

/// How long a connection may take to stand. The system itself gives up after 127 s, which is longer than most trials.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// How long the peer has to end the connection after a goodbye, before we do.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long an order may take at least: restarting a slow target takes longer than an answer on the wire.
const ORDER_MIN: Duration = Duration::from_secs(30);
/// Packets that an unmet step tells of.
const SAW_MAX: usize = 5;
/// The timer of the current step; those of connections follow.
const STEP: TimerId = TimerId(0);
/// Verbs that begin a connection again after it ended: `open`, and the one by which protocols introduce themselves.
const OPENING: [&str; 2] = ["open", "connect"];

/// A member of a scripted fleet.
pub(super) struct Member {
    program: Arc<Program>,
    identity: u32,
    /// Place in the script.
    at: usize,
    phase: Phase,
    links: Vec<Link>,
    marks: BTreeSet<MarkId>,
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
    began: Time,
    until: Time,
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
            Input::Bound(id, value) => {
                if !self.bound.get(&id).is_some_and(|(_, own)| *own) {
                    self.bound.insert(id, (value.clone(), false));
                }
            }
            Input::Done(result) => self.obeyed(result, out),
            Input::Order(_) => {}
        }
        self.advance(now, out);
    }

    fn held(&self) -> u64 {
        self.links.iter().map(|link| link.inbox.len() as u64 * size_of::<Packet>() as u64).sum()
    }
}

impl Member {
    pub(super) fn new(program: Arc<Program>, identity: u32) -> Member {
        let links = program.links.iter().map(|_| Link::new()).collect();
        let mut rng = program.plan.seed.stream(&alloc::format!("mid/{}", program.fleet.name), u64::from(identity));
        Member {
            identity,
            at: 0,
            phase: Phase::Unborn,
            links,
            marks: BTreeSet::new(),
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
            && !self.links.iter().any(Link::is_pacing)
        {
            self.phase = Phase::Over { told: true };
            out.note(Note::Finished);
        }
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
            }
            "expect" => self.begin_expect(step, now, out),
            "shutdown" | "reset" | "stop-reading" => self.transport(step, now, out),
            verb => match admin::order(step) {
                Some(order) => self.order(step, order, now, out),
                None if verb == "open" && self.link().is_open() => self.unsaid("the connection is already open", out),
                None if self.must_open(verb) => self.open(now, out),
                None => self.say(step, now, out),
            },
        }
    }

    /// Whether this verb needs a new connection first.
    fn must_open(&self, verb: &str) -> bool {
        match self.link().state {
            State::Fresh => true,
            State::Lost(..) | State::Ended(_) => OPENING.contains(&verb),
            State::Listening | State::Opening(_) | State::Open(_) => false,
        }
    }

    fn open(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        let fleet = &program.fleet;
        let at = program.link_of(self.at);
        self.phase = Phase::Opening(now + OPEN_MAX);
        out.wake(now + OPEN_MAX, STEP);
        if fleet.plays_server {
            self.links[at].state = State::Listening;
            return;
        }
        let conn = out.open(fleet.endpoint_id, fleet.source(self.identity, self.opened));
        self.opened += 1;
        if program.links[at] != "main" {
            out.note(Note::Label(conn, program.links[at].clone()));
        }
        self.links[at].opening(conn);
    }

    /// A connection that we asked for stands.
    fn stands(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let Some(at) = self.links.iter().position(|link| link.state == State::Opening(conn)) else { return };
        self.links[at].opened(conn, self.program.dialog(self.identity));
        self.opened_link(at, now, out);
    }

    /// The target connected to us: to the connection that waits for it, else to the first that was never used.
    fn accept(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let waits = |state| self.links.iter().position(|link| link.state == state);
        let Some(at) = waits(State::Listening).or_else(|| waits(State::Fresh)) else { return };
        self.links[at].opened(conn, self.program.dialog(self.identity));
        self.opened_link(at, now, out);
    }

    fn opened_link(&mut self, at: usize, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        self.links[at].tick(now, dialog_timer(at), out);
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
    fn say(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if let Some(gone) = self.gone() {
            return self.unsaid(&gone, out);
        }
        let program = self.program.clone();
        let said = self.words(&program, step, now);
        let (bytes, natural, any) = match said {
            Ok(said) => said,
            Err(why) => return self.unsaid(&why, out),
        };
        self.note(StepState::Started, String::new(), out);
        if let (Some(canary), Some(conn)) = (step.canary, self.link().conn()) {
            out.note(Note::Planted(canary, conn));
        }
        let at = program.link_of(self.at);
        let length = bytes.len();
        if let Some((chunk, period)) = step.pace {
            self.links[at].begin_pace(bytes, chunk, period);
            self.links[at].pace(now, pace_timer(at), out);
        } else {
            let cut = if step.part == Some(Part::Stimulus) { program.plan.segments } else { Segments::Whole };
            self.links[at].send(&bytes, cut, out);
        }
        self.links[at].tick(now, dialog_timer(at), out);
        match natural {
            None if step.any.is_empty() => self.met(alloc::format!("sent {length} bytes"), out),
            natural => self.await_answer(step, any, natural, true, now, out),
        }
    }

    /// The bytes of a step, its natural answer, and its alternatives where they hold bound values.
    fn words(&mut self, program: &Program, step: &StepPlan, now: Time) -> Result<Words, String> {
        self.mid = self.mid.checked_add(1).unwrap_or(1);
        let canary = step.canary.map(|id| program.canary(id));
        let fill = Fill::new(step, |id| self.bound.get(&id).map(|(value, _)| value), canary, self.mid)?;
        let (fields, any) = (fill.fields(step), fill.any(step));
        let mut bytes = Vec::new();
        let mut natural = None;
        match fields.find("hex") {
            Some(hex) if step.verb == "send" => bytes = unhex(hex.as_text().unwrap_or_default())?,
            _ => {
                let link = &mut self.links[program.link_of(self.at)];
                let dialog = link.dialog().ok_or_else(|| String::from("this fleet speaks no protocol"))?;
                natural = dialog.say(step, &fields, now, &mut bytes)?;
            }
        }
        let times = fields.int("repeat").filter(|_| step.verb == "send").map_or(1, |n| n.clamp(0, 1 << 20) as usize);
        Ok((if times == 1 { bytes } else { bytes.repeat(times) }, natural, any))
    }

    fn begin_expect(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if self.link().state == State::Fresh && !self.program.fleet.plays_server {
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
    fn await_answer(
        &mut self,
        step: &StepPlan,
        any: Option<Vec<Alternative>>,
        natural: Option<Awaits>,
        said: bool,
        now: Time,
        out: &mut Outbox,
    ) {
        let goodbye = natural.as_ref().is_some_and(|n| *n == Awaits::CLOSED) && step.any.is_empty();
        let link = self.link();
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
            began: now,
            until: now + patience,
            next: if said { link.inbox.len() } else { 0 },
            heard: link.heard,
            silent: longest > Duration::ZERO,
        };
        for length in silences {
            out.wake(now + length, STEP);
        }
        out.wake(waiting.until, STEP);
        self.phase = Phase::Awaiting(waiting);
        self.read(out);
        if let (State::Lost(_, how), true) = (self.link().state, matches!(self.phase, Phase::Awaiting(_))) {
            self.link_closed(how, out);
        } else if let (State::Ended(_), Phase::Awaiting(_)) = (self.link().state, &self.phase) {
            self.unsaid("we have ended the connection", out);
        }
    }

    /// Reads on in the inbox of the current step's connection.
    fn read(&mut self, out: &mut Outbox) {
        let program = self.program.clone();
        let Some(step) = program.step(self.at) else { return };
        let link = &mut self.links[program.link_of(self.at)];
        let Phase::Awaiting(waiting) = &mut self.phase else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let canary = |id| program.canary(id);
        let wanted = Wanted { any, natural: waiting.natural.as_ref(), class: program.class(), canary: &canary };
        while let Some(unread) = link.inbox.get(waiting.next) {
            match wanted.look(&unread.packet) {
                Sight::Met(which) => {
                    let bind = which.map(|at| any[at].bind.clone()).unwrap_or_default();
                    let packet = link.inbox.remove(waiting.next).expect("it was just looked at").packet;
                    for (field, id) in bind {
                        if let Some(value) = packet.fields.find(&field) {
                            self.bound.insert(id, (value.clone(), true));
                            out.note(Note::Bind(id, value.clone()));
                        }
                    }
                    return self.met(alloc::format!("met: {}", brief(&packet)), out);
                }
                // What came before we last spoke may be what is awaited, but it is no wrong answer.
                Sight::Wrong if unread.spoken == link.spoken => {
                    let detail = alloc::format!(
                        "unmet: {} instead of {}",
                        brief(&unread.packet),
                        matching::wanted(any, waiting.natural.as_ref())
                    );
                    link.inbox.remove(waiting.next);
                    return self.unmet(detail, out);
                }
                Sight::Wrong | Sight::Other => waiting.next += 1,
            }
        }
    }

    fn hear(&mut self, conn: Conn, bytes: &[u8], now: Time, out: &mut Outbox) {
        let Some(at) = self.links.iter().position(|link| link.is(conn)) else { return };
        let dropped = self.links[at].hear(bytes, now, out);
        self.links[at].tick(now, dialog_timer(at), out);
        if self.program.link_of(self.at) != at {
            return;
        }
        let Phase::Awaiting(waiting) = &mut self.phase else { return };
        waiting.next = waiting.next.saturating_sub(dropped);
        self.read(out);
        self.break_silence(out);
    }

    /// A step that awaits nothing but silence is unmet with the first byte.
    fn break_silence(&mut self, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let heard = self.link().heard - waiting.heard;
        if waiting.silent && heard > 0 && step.any.iter().all(|a| a.silence.is_some()) {
            let detail = alloc::format!(
                "unmet: {heard} bytes arrived instead of {}; saw: {}",
                matching::wanted(&step.any, None),
                self.saw(waiting)
            );
            self.unmet(detail, out);
        }
    }

    fn lost(&mut self, conn: Conn, how: Close, out: &mut Outbox) {
        let Some(at) = self.links.iter().position(|link| link.is(conn)) else { return };
        self.links[at].ended(State::Lost(conn, how));
        if self.program.link_of(self.at) != at {
            return;
        }
        match self.phase {
            Phase::Opening(_) => {
                self.links[at].told = true;
                let detail = alloc::format!("the connection could not be opened ({})", close_name(how));
                self.unsaid(&detail, out);
            }
            Phase::Awaiting(_) => self.link_closed(how, out),
            _ => {}
        }
    }

    /// The connection that the current step awaits something on is over.
    fn link_closed(&mut self, how: Close, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let by_peer = matches!(how, Close::Fin | Close::Reset);
        let goodbye = any.is_empty() && waiting.natural.as_ref() == Some(&Awaits::CLOSED);
        let name = close_name(how);
        let told = core::mem::replace(&mut self.links[program.link_of(self.at)].told, true);
        if by_peer && (goodbye || any.iter().any(|a| a.closed)) {
            self.met(alloc::format!("met: connection closed ({name})"), out);
        } else if told {
            self.unsaid(&alloc::format!("the connection is closed ({name})"), out);
        } else {
            let wanted = matching::wanted(any, waiting.natural.as_ref());
            self.unmet(alloc::format!("unmet: connection closed ({name}) while waiting for {wanted}"), out);
        }
    }

    fn timer(&mut self, id: TimerId, now: Time, out: &mut Outbox) {
        if id != STEP {
            let (at, is_pace) = (id.0 as usize - 1, id.0.is_multiple_of(2));
            let Some(link) = self.links.get_mut(at / 2) else { return };
            return if is_pace { link.pace(now, id, out) } else { link.tick(now, id, out) };
        }
        match &self.phase {
            Phase::Sleeping(until) if now >= *until => {
                let length = self.program.step(self.at).map(|step| step.wait).unwrap_or_default();
                self.met(alloc::format!("waited {}", span(length)), out);
            }
            Phase::Opening(until) if now >= *until => {
                let at = self.program.link_of(self.at);
                self.links[at].close(CloseHow::Reset, out);
                self.unsaid(&alloc::format!("no connection after {}", span(OPEN_MAX)), out);
            }
            Phase::Ordered(until) if now >= *until => {
                self.unmet(String::from("unmet: the target did not say that the order took effect"), out);
            }
            Phase::Awaiting(_) => self.patience(now, out),
            _ => {}
        }
    }

    /// A silence may have lasted long enough, or the time of the step may be over.
    fn patience(&mut self, now: Time, out: &mut Outbox) {
        let program = self.program.clone();
        let (Phase::Awaiting(waiting), Some(step)) = (&self.phase, program.step(self.at)) else { return };
        let any = waiting.any.as_deref().unwrap_or(&step.any);
        let quiet = self.link().heard == waiting.heard;
        let silence = any.iter().filter_map(|a| a.silence).find(|length| quiet && now >= waiting.began + *length);
        if let Some(length) = silence {
            return self.met(alloc::format!("met: {} of silence", span(length)), out);
        }
        if now < waiting.until {
            return;
        }
        let passed = span(waiting.until - waiting.began);
        if any.is_empty() && waiting.natural.as_ref() == Some(&Awaits::CLOSED) {
            let at = program.link_of(self.at);
            self.links[at].close(CloseHow::Fin, out);
            return self
                .met(alloc::format!("sent; the peer left the connection open for {passed}, so we ended it"), out);
        }
        let wanted = matching::wanted(any, waiting.natural.as_ref());
        let saw = self.saw(waiting);
        self.unmet(alloc::format!("unmet: {passed} passed without {wanted}; saw: {saw}"), out);
    }

    /// What has arrived since the step began (or since it spoke), in a few words.
    fn saw(&self, waiting: &Await) -> String {
        let link = self.link();
        let seen: Vec<String> = link
            .inbox
            .iter()
            .filter(|unread| unread.spoken == link.spoken)
            .map(|unread| brief(&unread.packet))
            .collect();
        match (seen.len(), link.heard - waiting.heard) {
            (0, 0) => String::from("nothing"),
            (0, bytes) => alloc::format!("{bytes} bytes, no whole packet"),
            (1..=SAW_MAX, _) => seen.join(", "),
            (more, _) => alloc::format!("{}, and {} more", seen[..SAW_MAX].join(", "), more - SAW_MAX),
        }
    }

    fn transport(&mut self, step: &StepPlan, now: Time, out: &mut Outbox) {
        if let Some(gone) = self.gone() {
            return self.unsaid(&gone, out);
        }
        self.note(StepState::Started, String::new(), out);
        let at = self.program.link_of(self.at);
        let done = match step.verb.as_str() {
            "shutdown" => {
                self.links[at].close(CloseHow::Half, out);
                "our direction is closed"
            }
            "reset" => {
                self.links[at].close(CloseHow::Reset, out);
                "reset"
            }
            _ => {
                let on = step.fields.truth("resume").unwrap_or(false);
                if let Some(conn) = self.links[at].conn() {
                    out.reading(conn, on);
                }
                if on { "reading again" } else { "no longer reading" }
            }
        };
        if step.any.is_empty() {
            self.met(String::from(done), out);
        } else {
            self.await_answer(step, None, None, true, now, out);
        }
    }

    fn order(&mut self, step: &StepPlan, order: Result<crate::admin::Order, String>, now: Time, out: &mut Outbox) {
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

    fn obeyed(&mut self, result: Result<(), &str>, out: &mut Outbox) {
        if !matches!(self.phase, Phase::Ordered(_)) {
            return;
        }
        match result {
            Ok(()) => self.met(String::from("met: in effect"), out),
            Err(why) => self.unmet(alloc::format!("unmet: the order failed: {why}"), out),
        }
    }

    fn link(&self) -> &Link {
        &self.links[self.program.link_of(self.at)]
    }

    /// Why nothing can be said on the current connection.
    fn gone(&self) -> Option<String> {
        match self.link().state {
            State::Open(_) => None,
            State::Lost(_, how) => Some(alloc::format!("the connection is closed ({})", close_name(how))),
            State::Ended(_) => Some(String::from("we have ended the connection")),
            State::Fresh | State::Listening | State::Opening(_) => Some(String::from("the connection does not stand")),
        }
    }

    fn met(&mut self, detail: String, out: &mut Outbox) {
        self.note(StepState::Met, detail, out);
        let mark = self.program.step(self.at).and_then(|step| step.mark);
        self.next(mark, out);
    }

    fn unmet(&mut self, detail: String, out: &mut Outbox) {
        self.note(StepState::Unmet, detail, out);
        self.next(None, out);
    }

    fn unsaid(&mut self, why: &str, out: &mut Outbox) {
        self.note(StepState::Unsaid, alloc::format!("unsaid: {why}"), out);
        self.next(None, out);
    }

    fn next(&mut self, mark: Option<MarkId>, out: &mut Outbox) {
        if let Some(mark) = mark {
            out.note(Note::Mark(mark));
        }
        self.at += 1;
        self.phase = Phase::Gate;
    }

    fn note(&self, state: StepState, detail: String, out: &mut Outbox) {
        let Some(step) = self.program.step(self.at) else { return };
        let conn = match step.verb.as_str() {
            "wait" => None,
            _ => self.link().conn(),
        };
        out.note(Note::Step { index: step.index, conn, state, detail });
    }
}

/// Bytes, natural answer, and alternatives with their bound values.
type Words = (Vec<u8>, Option<Awaits>, Option<Vec<Alternative>>);

const fn dialog_timer(link: usize) -> TimerId {
    TimerId(1 + 2 * link as u32)
}

const fn pace_timer(link: usize) -> TimerId {
    TimerId(2 + 2 * link as u32)
}
