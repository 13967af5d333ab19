//! The simulator: virtual clock, one event queue, bytes in a recycled slab. Same plan and seed, same transcript bytes.
//!
//! One loop takes what happens next, hands it to one actor, and carries out what that actor asks for. Built for a million
//! devices in one process: an event is 16 bytes, one end of a connection 24, and once warm nothing is allocated per event.
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use crate::actor::{Actor, Input, Outbox};
use crate::admin::Order;
use crate::board::{Board, Heard, start_of};
use crate::connection::Addr;
use crate::ids::{BindId, Conn};
use crate::plan::{FleetPlan, Plan, Recording};
use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::registry::Registry;
use crate::time::Time;
use crate::transcript::{Event, Header, Life, Transcript, Who};
use crate::value::Value;
use crate::witness::is_witness;

mod actors;
mod bytes;
mod conditions;
mod datagram;
mod ends;
mod happening;
mod lab;
mod notes;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use lab::Lab;

use actors::Actors;
use bytes::Slab;
pub use conditions::Conditions;
use conditions::Lateness;
use ends::Ends;
use happening::Happening;
use wire::{Held, Lanes};

/// How far a simulation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Virtual time.
    pub now: Time,
    /// Events that were handled.
    pub events: u64,
    /// Events that wait.
    pub waiting: u64,
}

/// Events between two looks at progress: some 40 ms.
const LOOK_EVERY: u64 = 1 << 16;
/// Devices whose state is touched ahead of their events: as many loads as a core keeps in flight, and some.
const TOUCH_AHEAD: usize = 32;
/// Gauges are read once per virtual second.
const TICK: Duration = Duration::from_secs(1);
/// Events at one moment beyond which somebody wakes itself for ever: this many, and this many more for each member.
const AT_ONCE_MAX: (u64, u64) = (1_000_000, 1_000);

/// Runs a plan against an in-process target.
#[must_use]
pub fn run(plan: &Plan, registry: &Registry, target: Box<dyn Actor>, header: Header) -> Transcript {
    run_with(plan, registry, target, header, &mut |_| true)
}

/// As [`run`], while this befalls the harness.
#[must_use]
pub fn run_under(
    plan: &Plan,
    registry: &Registry,
    target: Box<dyn Actor>,
    header: Header,
    conditions: Conditions,
) -> Transcript {
    let mut sim = Sim::new(plan, registry, target, header);
    sim.lateness = Lateness::new(conditions, plan.seed);
    sim.begin();
    let end = sim.play(&mut |_| true);
    sim.finish(end)
}

/// As [`run`]; calls `look` now and then and once at the end. `false` stops the trial, which then counts as not finished.
#[must_use]
pub fn run_with(
    plan: &Plan,
    registry: &Registry,
    target: Box<dyn Actor>,
    header: Header,
    look: &mut dyn FnMut(Progress) -> bool,
) -> Transcript {
    let mut sim = Sim::new(plan, registry, target, header);
    sim.begin();
    let end = sim.play(look);
    look(sim.progress());
    sim.finish(end)
}

struct Sim<'a> {
    plan: &'a Plan,
    now: Time,
    queue: Queue,
    actors: Actors<'a>,
    outbox: Outbox,
    ends: Ends,
    slab: Slab,
    lanes: Lanes,
    /// What arrived at ends that do not read.
    held: BTreeMap<Conn, VecDeque<Held>>,
    unread: u64,
    /// Where the datagrams of an association come from, by the end that is called.
    callers: BTreeMap<Conn, Addr>,
    recorder: Recorder,
    board: Board,
    heard: Vec<Heard>,
    bound: Vec<(BindId, Value)>,
    orders: Vec<(Order, u32)>,
    /// Connections are numbered anew; otherwise a `Conn` is given out again once nothing in flight names it.
    unique: bool,
    /// Connections that were begun: their ports follow from it.
    opened: u64,
    /// What befalls the harness; mostly nothing.
    lateness: Option<Lateness>,
    /// Everybody but the witness has started.
    started: bool,
    limit_at: Time,
    over: bool,
    events: u64,
    at_once: u64,
    ahead: usize,
}

/// Why the loop ended.
#[derive(Clone, Copy)]
enum End {
    /// Everybody who ends has, and the witness has had the last word.
    Over,
    /// Nothing is left that could happen, and somebody has not finished.
    Stuck,
    /// Time stands still.
    Standstill,
    /// The caller stopped it.
    Interrupted,
}

impl<'a> Sim<'a> {
    fn new(plan: &'a Plan, registry: &Registry, target: Box<dyn Actor + 'a>, header: Header) -> Sim<'a> {
        let actors = Actors::new(plan, registry, target);
        Sim {
            plan,
            now: Time::ZERO,
            queue: Queue::new(),
            lanes: Lanes::new(plan),
            actors,
            outbox: Outbox::new(),
            ends: Ends::default(),
            slab: Slab::default(),
            held: BTreeMap::new(),
            unread: 0,
            callers: BTreeMap::new(),
            recorder: Recorder::new(header, plan, registry),
            board: Board::new(plan, registry),
            heard: Vec::new(),
            bound: Vec::new(),
            orders: Vec::new(),
            unique: plan.record == Recording::Full,
            opened: 0,
            lateness: None,
            started: false,
            limit_at: Time::NEVER,
            over: false,
            events: 0,
            at_once: 0,
            ahead: 0,
        }
    }

    /// The target is up, rights are in effect, the witness begins.
    fn begin(&mut self) {
        self.recorder.entry(Time::ZERO, Who::Target, Event::Life(Life::Started { version: Default::default() }));
        self.recorder.entry(Time::ZERO, Who::Target, Event::Life(Life::Ready));
        for party in &self.plan.parties {
            for (verb, filter) in &party.may {
                let grant =
                    Event::Grant { party: party.name.clone(), grant: alloc::format!("{verb} {filter}"), allow: true };
                self.recorder.entry(Time::ZERO, Who::Harness, grant);
            }
        }
        self.push(Time::ZERO, Happening::Start(self.actors.target()));
        for fleet in self.plan.fleets.iter().filter(|fleet| is_witness(&fleet.name)) {
            self.push_starts(fleet);
        }
        self.push(Time::ZERO + TICK, Happening::Tick);
        self.start_when_due();
    }

    /// Lets everybody else start once the witness has spoken: ramps and the limit count from here.
    fn start_when_due(&mut self) {
        if self.started || !self.board.may_start(self.now) {
            return;
        }
        self.started = true;
        self.limit_at = self.limit_seen(self.now + self.plan.limit);
        for fleet in self.plan.fleets.iter().filter(|fleet| !is_witness(&fleet.name)) {
            self.push_starts(fleet);
        }
    }

    fn push_starts(&mut self, fleet: &FleetPlan) {
        for member in fleet.members() {
            let after = start_of(fleet.ramp, member, fleet.count).since(Time::ZERO);
            self.push(self.now + after, Happening::Start(self.actors.who(fleet.index, member)));
        }
    }

    fn play(&mut self, look: &mut dyn FnMut(Progress) -> bool) -> End {
        let at_once_max = AT_ONCE_MAX.0 + AT_ONCE_MAX.1 * u64::from(self.actors.target());
        while let Some(item) = self.queue.pop() {
            if item.at > self.limit_at {
                self.queue.push(item.at, item.what);
                self.limit();
                if self.over {
                    return End::Over;
                }
                continue;
            }
            self.at_once = if item.at > self.now { 0 } else { self.at_once + 1 };
            self.now = item.at.max(self.now);
            self.events += 1;
            self.touch_ahead();
            let happening = Happening::unpack(item.what);
            if self.lateness.is_none() || self.happens_now(happening) {
                self.happen(happening);
            }
            if self.over {
                return End::Over;
            }
            if self.at_once > at_once_max {
                return End::Standstill;
            }
            if self.queue.len() == 1 && matches!(happening, Happening::Tick) && self.started && self.board.unfinished()
            {
                return End::Stuck; // all that is left is the next tick
            }
            if self.events.is_multiple_of(LOOK_EVERY) && !look(self.progress()) {
                return End::Interrupted;
            }
        }
        End::Stuck
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(who) => self.tell(who, Input::Start),
            Happening::Timer(who, id) => self.tell(who, Input::Timer(id)),
            Happening::Knock(conn, from) => self.knock(conn, from),
            Happening::Opened(conn, from) => self.stands(conn, from),
            Happening::Bytes(conn, message) => self.arrive(conn, Held::Bytes(message)),
            Happening::Closed(conn, how) => self.arrive(conn, Held::Closed(how)),
            Happening::Drain(conn) => self.drain(conn),
            Happening::Cut(conn) => self.cut(conn),
            Happening::Mark(who, id) => self.tell(who, Input::Mark(id)),
            Happening::Bound(who, place) => self.tell_bound(who, place),
            Happening::Order(place) => self.order(place),
            Happening::Done(who, done) => {
                self.tell(who, Input::Done(if done { Ok(()) } else { Err("the target has ended") }));
            }
            Happening::Tick => self.tick(),
            Happening::Flushed(conn) => self.flushed(conn),
            Happening::Ask(who) => self.tell(who, Input::Ask),
            Happening::Void(who, id) => self.tell(who, Input::Void(id)),
        }
    }

    /// Hands one input to one actor and carries out what it asks for.
    fn tell(&mut self, who: u32, input: Input<'_>) {
        self.actors.handle(who, self.now, input, &mut self.outbox);
        self.carry_out(who);
    }

    fn tick(&mut self) {
        if self.unique {
            if let Some(held) = self.actors.held() {
                let gauge = Event::Gauge { name: "held-bytes".to_string(), value: held };
                self.recorder.entry(self.now, Who::Target, gauge);
            }
            if self.unread > 0 {
                let gauge = Event::Gauge { name: "unread-bytes".to_string(), value: self.unread };
                self.recorder.entry(self.now, Who::Harness, gauge);
            }
        }
        self.start_when_due();
        self.end_when_due(false);
        self.push(self.now + TICK, Happening::Tick);
    }

    /// The plan's limit: whoever has not finished is stopped, and the witnesses have the last word all the same.
    fn limit(&mut self) {
        self.now = self.limit_at;
        self.limit_at = Time::NEVER;
        if self.board.unfinished() {
            self.recorder.entry(self.now, Who::Harness, Event::Limit);
        }
        self.actors.freeze(|fleet| !is_witness(&fleet.name), &self.plan.fleets);
        self.end_when_due(true);
    }

    /// Asks the witnesses for their last word once everybody has finished (`must`: whoever has not), and sees whether all is said.
    fn end_when_due(&mut self, must: bool) {
        if self.board.last_word(self.now, must) {
            self.limit_at = Time::NEVER;
            self.actors.freeze(FleetPlan::is_stimulus_traffic, &self.plan.fleets);
            for witness in self.plan.fleets.iter().filter(|fleet| is_witness(&fleet.name)) {
                for member in witness.members() {
                    self.push(self.now, Happening::Ask(self.actors.who(witness.index, member)));
                }
            }
        }
        self.over |= self.board.over(self.now);
    }

    /// Loads what the next events of the running bucket will need, all at once: the loads overlap.
    fn touch_ahead(&mut self) {
        if self.ahead > 0 {
            self.ahead -= 1;
            return;
        }
        let mut touched = 0;
        for item in self.queue.reached().iter().take(TOUCH_AHEAD) {
            match Happening::unpack(item.what) {
                Happening::Start(who) | Happening::Timer(who, _) => self.actors.touch(who),
                Happening::Bytes(conn, _) | Happening::Closed(conn, _) => self.ends.touch(conn),
                _ => {}
            }
            touched += 1;
        }
        self.ahead = touched;
    }

    fn push(&mut self, at: Time, happening: Happening) {
        self.queue.push(at, happening.pack());
    }

    fn progress(&self) -> Progress {
        Progress { now: self.now, events: self.events, waiting: self.queue.len() as u64 }
    }

    /// The last entries. A trial that did not come to its end says why, and that it did not.
    fn finish(mut self, end: End) -> Transcript {
        let why = match end {
            End::Over => None,
            End::Stuck => Some(("nothing-left-after-events", self.events)),
            End::Standstill => Some(("events-at-one-moment", self.at_once)),
            End::Interrupted => Some(("interrupted-after-events", self.events)),
        };
        if let Some((name, value)) = why {
            self.recorder.entry(self.now, Who::Harness, Event::Calibration { name: name.to_string(), value });
        }
        if why.is_some() {
            self.recorder.entry(self.now, Who::Harness, Event::Limit);
        }
        if self.actors.target_lives() {
            self.recorder.entry(self.now, Who::Target, Event::Life(Life::Stopped));
        }
        self.recorder.finish()
    }
}
