//! The loop: timers, what waits, sockets, again.
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};

use mio::{Events, Token};
use proofhouse_core::actor::Input;
use proofhouse_core::board::{Heard, News, start_of};
use proofhouse_core::budget::Lease;
use proofhouse_core::connection::Close;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::{Duration, Time, nanos};
use proofhouse_core::transcript::{Event, Slipped, Who};
use proofhouse_core::witness::is_witness;

use super::port::Begun;
use super::socket::Phase;
use super::timers::Due;
use super::{Bid, Cues, Driver, Pending, Reply, Request, Round, WAKER, Word};
use crate::error::RunError;

/// The longest sleep: how late the user's wish to stop is noticed.
const NAP: Duration = Duration::from_millis(50);
/// How long a trial goes on after the target has ended by itself: everybody sees the connections go, and the first attempts to come
/// back fail. More would only repeat that.
const AFTERMATH: Duration = Duration::from_secs(2);

/// Lateness of the loop that is worth an entry: several times what a busy system takes to wake a thread.
const SLIP_MIN: Duration = Duration::from_millis(10);
/// Rounds of reading before deadlines: 64 of 256 KiB are all that one connection may bring.
const ROUNDS_MAX: u32 = 64;

/// When this driver ends.
struct Ends {
    /// Everybody but the witnesses has started, and this is when the plan's limit is reached.
    limit: Option<Time>,
    /// When the end of the target was noticed.
    ended: Option<Time>,
}

impl Driver {
    /// Runs until the trial is over, its limit is reached, or somebody says stop. The trial's clock has begun.
    ///
    /// # Errors
    /// `Interrupted`, or `Io` when the system no longer polls.
    pub fn run(&mut self, mut cues: Cues<'_>) -> Result<(), RunError> {
        let mut events = Events::with_capacity(1024);
        let mut ends = Ends { limit: None, ended: None };
        let of = if cues.bids.is_some() { Slipped::Witnesses } else { Slipped::Fleets };
        let mut awake = self.context.clock.now();
        loop {
            // Deadlines up to this moment fire in this turn: after everything that had come by then was read.
            let due = self.context.clock.now();
            let nap = self.nap(due);
            match self.poll.poll(&mut events, Some(nap)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                polled => polled.map_err(RunError::io("poll the sockets"))?,
            }
            let woken = self.context.clock.now();
            self.slipped(of, woken, due.since(awake).max(woken.since(due + nap)));
            awake = woken;
            for event in &events {
                self.ring(event);
            }
            self.read_all();
            if !self.listen_to(&mut cues) {
                return Ok(());
            }
            self.pending(&mut cues);
            self.timers_due(due);
            self.pending(&mut cues);
            if self.is_over(&mut ends, &cues)? {
                return Ok(());
            }
        }
    }

    /// The loop could not act for this long: it slept longer than it wanted to, or its last turn took that long.
    fn slipped(&mut self, of: Slipped, now: Time, late: Duration) {
        self.slip = self.slip.max(late);
        if late >= SLIP_MIN {
            self.recorder.entry(now, Who::Harness, Event::Slip { of, ns: nanos(late) });
        }
    }

    /// Reads everything that has come, or as much as all connections may bring.
    fn read_all(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.ready.len() == 0 {
                return;
            }
            self.read_ready();
        }
    }

    fn ring(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if token == WAKER {
            return;
        }
        let listener = WAKER.0 - 1 - token.0;
        if listener < self.fleets.len() {
            return self.accept(listener);
        }
        if self.port_bell(conn(token), event.is_error()) {
            return;
        }
        let broken = event.is_error() || (event.is_read_closed() && event.is_write_closed());
        self.bell(conn(token), event.is_readable() || event.is_read_closed(), broken);
    }

    fn is_witness(&self, fleet: usize) -> bool {
        is_witness(&self.context.plan.fleets[self.fleets[fleet].index as usize].name)
    }

    fn schedule(&mut self, from: Time, fleet: usize) {
        let plan = &self.context.plan.fleets[self.fleets[fleet].index as usize];
        for (position, identity) in (0..).zip(plan.members()) {
            // By identity: a plan that was cut keeps the starts of those who stay.
            let after = start_of(plan.ramp, identity, plan.count).since(Time::ZERO);
            self.timers.push(from + after, Due::Start(fleet, position));
        }
    }

    fn is_over(&mut self, ends: &mut Ends, cues: &Cues<'_>) -> Result<bool, RunError> {
        if cues.interrupt.load(Ordering::Relaxed) {
            return Err(RunError::Interrupted);
        }
        if cues.bids.is_some() {
            return Ok(false); // until nobody bids any more
        }
        let now = self.context.clock.now();
        let Some(limit) = ends.limit else {
            self.start(now, ends);
            return Ok(false);
        };
        self.last_word(now, now >= limit, cues);
        if ends.ended.is_none() && cues.ended.as_ref().is_some_and(|ended| ended()) {
            ends.ended = Some(now);
        }
        let aftermath = ends.ended.is_some_and(|at| now >= at + AFTERMATH);
        Ok(aftermath || self.board.over(now))
    }

    /// The attack is over once everybody has finished, or at the limit: it is frozen, and the witnesses are asked.
    fn last_word(&mut self, now: Time, limit: bool, cues: &Cues<'_>) {
        let cut_short = self.board.unfinished();
        if !self.board.last_word(now, limit) {
            return;
        }
        if limit && cut_short {
            self.recorder.entry(now, Who::Harness, Event::Limit);
        }
        for fleet in &mut self.fleets {
            let plan = &self.context.plan.fleets[fleet.index as usize];
            fleet.frozen = limit || plan.is_stimulus_traffic();
        }
        if let Some((ask, waker)) = &cues.ask {
            // Witnesses that are gone say why when they are asked for their record.
            let _ = ask.send(Bid::Ask);
            let _ = waker.wake();
        }
    }

    /// Everybody but the witnesses starts, once each of them has shown that the target serves.
    fn start(&mut self, now: Time, ends: &mut Ends) {
        if !self.board.may_start(now) {
            return;
        }
        ends.limit = Some(now + self.context.plan.limit);
        for fleet in (0..self.fleets.len()).filter(|f| !self.is_witness(*f)).collect::<Vec<_>>() {
            self.schedule(now, fleet);
        }
    }

    fn timers_due(&mut self, now: Time) {
        // Those that the due ones set for the same moment have their turn after the sockets.
        while let Some((_, due)) = self.timers.pop(now) {
            self.due(due);
        }
    }

    fn due(&mut self, due: Due) {
        let alive = |conn, age| self.slots.age(conn) == age;
        match due {
            Due::Start(fleet, position) => self.deliver(fleet, position, Input::Start),
            Due::Wake(fleet, position, id) => self.deliver(fleet, position, Input::Timer(id)),
            Due::ConnectLimit(conn, age) if alive(conn, age) => self.connect_limit(conn),
            Due::LingerLimit(conn, age) if alive(conn, age) => {
                drop(self.slots.take(conn));
                self.recycle(conn);
            }
            Due::Datagram(id) => self.release(id),
            Due::AskAgain(port, age) if self.ports.age(port) == age => self.flush_port(port),
            Due::Release(conn, age) if alive(conn, age) => self.flush(conn),
            Due::Arrive(conn, age) if alive(conn, age) => self.arrive(conn),
            Due::Cut(conn, age, how) if alive(conn, age) => self.cut(conn, how),
            _ => {}
        }
    }

    fn connect_limit(&mut self, conn: Conn) {
        if self.slots.get(conn).is_some_and(|s| s.phase == Phase::Connecting) {
            self.connect_failed(conn, Close::TimedOut);
        }
    }

    fn pending(&mut self, cues: &mut Cues<'_>) {
        while let Some(pending) = self.pending.pop_front() {
            match pending {
                Pending::Heard(heard) => self.hear(heard),
                Pending::Opened(conn, age) => self.port_opened(conn, age),
                Pending::Flushed(conn, age) => self.written(conn, age),
                Pending::Closed(fleet, position, conn, how) => {
                    if self.failing.remove(&conn) {
                        self.deliver(fleet, position, Input::Closed(conn, how));
                    }
                    self.recycle(conn);
                }
                Pending::Order(request) => self.order(request, cues),
                Pending::Witness(word) => tell(word, cues.round.as_ref()),
            }
        }
    }

    /// The actor learns that what it sent is written, unless the connection has ended since.
    fn written(&mut self, conn: Conn, age: u32) {
        let stream = self.slots.get(conn).map(|socket| (socket.fleet, socket.position));
        let who = match stream {
            Some(who) => Some(who).filter(|_| self.slots.age(conn) == age),
            None => {
                self.peers.get(conn).map(|peer| (peer.fleet, peer.position)).filter(|_| self.peers.age(conn) == age)
            }
        };
        if let Some((fleet, position)) = who {
            self.deliver(fleet, position, Input::Flushed(conn));
        }
    }

    fn hear(&mut self, heard: Heard) {
        let Some(fleet) = self.fleets.iter().position(|f| f.index == heard.fleet) else { return };
        let Ok(position) = self.fleets[fleet].members.binary_search(&heard.member) else { return };
        match heard.news {
            News::Mark(id) => self.deliver(fleet, position as u32, Input::Mark(id)),
            News::Void(id) => self.deliver(fleet, position as u32, Input::Void(id)),
            News::Bound(id) => {
                let Some(value) = self.board.value(id).cloned() else { return };
                self.deliver(fleet, position as u32, Input::Bound(id, &value));
            }
        }
    }

    fn order(&mut self, request: Request, cues: &Cues<'_>) {
        let who = request.who;
        let refused = match &cues.admin {
            Some((orders, _)) => orders.send(request).is_err(),
            None => true,
        };
        if refused {
            self.deliver(who.0, who.1, Input::Done(Err("this target takes no orders: Proofhouse did not start it")));
        }
    }

    fn read_ready(&mut self) {
        // Each once; who has more goes to the back and waits for the next turn.
        for _ in 0..self.ready.len() {
            if let Some(conn) = self.ready.pop()
                && !self.read_port(conn)
            {
                self.arrive(conn);
                self.read(conn);
            }
        }
    }

    /// Hears what others have to say; `false`: this driver's witnesses are no longer wanted.
    fn listen_to(&mut self, cues: &mut Cues<'_>) -> bool {
        if let Some(witness) = &cues.witness {
            while let Ok((at, fleet, state)) = witness.try_recv() {
                self.board.witness(at, fleet, state);
            }
        }
        let replies = cues.admin.as_ref().map(|(_, replies)| replies.try_iter().collect()).unwrap_or_default();
        for reply in Vec::<Reply>::into_iter(replies) {
            self.reply(reply);
        }
        loop {
            match cues.bids.as_ref().map(Receiver::try_recv) {
                None | Some(Err(TryRecvError::Empty)) => return true,
                Some(Err(TryRecvError::Disconnected)) => return false,
                Some(Ok(bid)) => self.bid(bid, &mut cues.round),
            }
        }
    }

    fn bid(&mut self, bid: Bid, round: &mut Option<Round>) {
        match bid {
            Bid::Begin(begins) => {
                let fresh = !self.begun;
                self.begun = true;
                self.recorder.charge(begins.memory.clone());
                *round = Some(begins);
                match fresh {
                    true => self.deliver_to_all(Input::Start),
                    false => {
                        self.opened_before();
                        self.deliver_to_all(Input::Ask);
                    }
                }
            }
            Bid::Ask => self.deliver_to_all(Input::Ask),
            Bid::Record(reply) => {
                // Nobody waits for what comes between rounds.
                self.recorder.charge(Lease::spared());
                // Who asked for it may have been interrupted meanwhile.
                let _ = reply.send(self.recorder.take());
            }
        }
    }

    fn deliver_to_all(&mut self, input: Input<'_>) {
        for fleet in 0..self.fleets.len() {
            for position in 0..self.fleets[fleet].members.len() as u32 {
                self.deliver(fleet, position, input);
            }
        }
    }

    /// A record that begins in the middle of a connection's life names it first.
    fn opened_before(&mut self) {
        let now = self.context.clock.now();
        for conn in self.slots.open() {
            let Some(socket) = self.slots.get(conn).filter(|socket| socket.phase == Phase::Open) else { continue };
            let (fleet, position) = (socket.fleet, socket.position);
            let (from, to, label) = (socket.from(), socket.to, socket.label.clone());
            let (index, member) = self.identity(fleet, position);
            self.recorder.opened(now, index, member, conn, &label, from, to);
        }
        for conn in self.peers.open() {
            if let Some(peer) = self.peers.get(conn).filter(|peer| peer.begun == Begun::Stands) {
                peer.begun = Begun::Asked;
                self.stand(conn);
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        let now = self.context.clock.now();
        let (fleet, position) = reply.who;
        let result = reply.result.map(|effects| {
            for effect in effects {
                let (party, grant, allow) = (effect.party, effect.grant, effect.allow);
                self.recorder.entry(now, Who::Target, Event::Grant { party, grant, allow });
            }
        });
        self.deliver(fleet, position, Input::Done(result.as_ref().copied().map_err(String::as_str)));
    }

    fn nap(&self, now: Time) -> Duration {
        if self.ready.len() > 0 || !self.pending.is_empty() {
            return Duration::ZERO;
        }
        self.timers.next_at().map_or(NAP, |at| at.since(now).min(NAP))
    }
}

fn conn(token: Token) -> Conn {
    Conn(u32::try_from(token.0).expect("tokens of connections are made from their numbers"))
}

/// Says in the round what a witness has found.
fn tell((at, fleet, state): Word, round: Option<&Round>) {
    let Some(round) = round else { return };
    let Some((_, place)) = round.places.iter().find(|(own, _)| *own == fleet) else { return };
    let (heard, waker) = &round.ear;
    // A round that has stopped listening is over.
    let _ = heard.send((Time(at.0.saturating_sub(round.zero.0)), *place, state));
    let _ = waker.wake();
}
