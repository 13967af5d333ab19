//! What actors ask of their connections, and what arrives. Streams: in order, each direction on its own. Datagrams: see [`super::datagram`].
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Sim;
use super::ends::{Carrier, State};
use super::happening::{Happening, Message};
use crate::actor::{Act, Input};
use crate::connection::{Addr, Close, CloseHow};
use crate::ids::{Conn, EndpointId};
use crate::link::{Passage, Path};
use crate::plan::{FleetPlan, Plan};
use crate::protocol::Transport;
use crate::seed::{Seed, SplitMix};
use crate::time::Time;
use crate::transcript::By;

/// Ports that a client's system gives out: Linux's 32768 to 60999.
const PORTS: core::ops::Range<u64> = 32_768..61_000;

/// Something that arrived, and may have to wait until it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    Bytes(Message),
    Closed(Close),
}

/// The paths of the fleets, and of each connection what its faults depend on. Clean paths need none of that.
pub(super) struct Lanes {
    pub(super) fleets: Vec<Road>,
    pub(super) lanes: Vec<Lane>,
    seed: Seed,
}

pub(super) struct Road {
    pub(super) path: Path,
    label: String,
    /// Connections that each member has begun; empty where nothing depends on it.
    begun: Vec<u32>,
}

/// One direction of one connection, at the place of the end towards which it leads.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    pub(super) opened: Time,
    pub(super) draws: SplitMix,
}

pub(super) const UNUSED: Lane = Lane { opened: Time::ZERO, draws: SplitMix(0) };

impl Lanes {
    pub(super) fn new(plan: &Plan) -> Lanes {
        Lanes { fleets: plan.fleets.iter().map(Road::new).collect(), lanes: Vec::new(), seed: plan.seed }
    }

    /// A member's connection begins: its draws come from streams of its own, which no other connection disturbs.
    fn begin(&mut self, now: Time, fleet: u16, member: u32, ours: Conn, theirs: Conn) {
        let road = &mut self.fleets[fleet as usize];
        let Some(begun) = road.begun.get_mut(member as usize) else { return };
        let nth = *begun;
        *begun += 1;
        for (conn, way) in [(theirs, "up"), (ours, "down")] {
            let label = format!("{}/{way}/{nth}", road.label);
            let place = conn.0 as usize;
            if place >= self.lanes.len() {
                self.lanes.resize(place + 1, UNUSED);
            }
            let draws = SplitMix(self.seed.stream(&label, u64::from(member)).next());
            self.lanes[place] = Lane { opened: now, draws };
        }
    }
}

impl Road {
    fn new(fleet: &FleetPlan) -> Road {
        let path = Path::new(&fleet.network);
        let members = if path.has_state() { fleet.count as usize } else { 0 };
        Road { path, label: format!("link/{}", fleet.name), begun: alloc::vec![0; members] }
    }
}

impl Sim<'_> {
    /// Carries out what `who` has just asked for, in order.
    pub(super) fn carry_out(&mut self, who: u32) {
        if self.outbox.is_empty() {
            return;
        }
        let (mut acts, bytes) = self.outbox.take();
        for act in acts.drain(..) {
            match act {
                Act::Open(conn, endpoint, from) => self.open(who, conn, endpoint, from),
                Act::Send(conn, start, end) => self.send(who, conn, &bytes[start..end]),
                Act::Flush(conn) => self.flush(who, conn),
                Act::Close(conn, how) => self.close(who, conn, how),
                Act::Reading(conn, on) => self.reading(conn, on),
                Act::Wake(at, id) => self.push(at.max(self.now), Happening::Timer(who, id)),
                Act::Note(note) => self.note(who, note),
            }
        }
        self.outbox.restore(acts, bytes);
    }

    fn open(&mut self, who: u32, conn: Conn, endpoint: EndpointId, from: Addr) {
        let target = self.actors.target();
        let server = self.outbox.new_conn();
        let peer = if who == target { self.actors.listener(endpoint) } else { Some(target) };
        // Nobody listens: the target's own number stands in, and the knock is refused.
        let fleet =
            self.actors.member(if who == target { peer.unwrap_or(target) } else { who }).map(|(fleet, _)| fleet);
        let datagrams = fleet.is_some_and(|fleet| self.actors.transport(fleet) == Transport::Datagram);
        let carrier = if datagrams { Carrier::Datagram } else { Carrier::Stream };
        self.ends.pair((conn, who), (server, peer.unwrap_or(target)), carrier);
        let ours = if who == target { server } else { conn };
        if let Some((fleet, member)) = self.actors.member(self.ends[ours].who) {
            self.recorder.opening(ours);
            let theirs = self.ends[ours].peer;
            self.lanes.begin(self.now, fleet, member, ours, theirs);
            if let Some((at, _)) = self.lanes.fleets[fleet as usize].path.cut(self.now) {
                self.ends[conn].in_flight += 1;
                self.push(at, Happening::Cut(conn));
            }
        }
        let port =
            if from.port == 0 { (PORTS.start + self.opened % (PORTS.end - PORTS.start)) as u16 } else { from.port };
        self.opened += 1;
        let from = Addr { port, ..from };
        if datagrams {
            return self.open_association(conn, server, from);
        }
        let from = self.slab.put(&packed(from));
        let at = self.passes(server, 0);
        self.ends[server].in_flight += 1;
        self.push(at, Happening::Knock(server, from));
    }

    /// An attempt to connect reaches the one who listens. A reset as its first answer is how one says that nobody listens.
    pub(super) fn knock(&mut self, server: Conn, from: Message) {
        self.ends[server].in_flight -= 1;
        let client = self.ends[server].peer;
        let who = self.ends[server].who;
        let listens = who != self.ends[client].who && (who != self.actors.target() || self.actors.target_lives());
        if !listens || !self.ends[server].stands() {
            self.slab.free(from);
            return self.refuse(server);
        }
        let addr = unpacked(self.slab.bytes(from));
        self.accept(server, addr);
        if self.answers_with_reset(server) {
            self.slab.free(from);
            self.refuse(server);
        } else {
            let at = self.passes(client, 0);
            self.ends[client].in_flight += 1;
            self.push(at, Happening::Opened(client, from));
        }
        self.carry_out(who);
    }

    /// Tells the one who listens who is there; what it asks for waits in the outbox.
    pub(super) fn accept(&mut self, server: Conn, addr: Addr) {
        let who = self.ends[server].who;
        self.ends[server].state = State::Open;
        if let Some((fleet, member)) = self.actors.member(who) {
            let to = self.plan.fleets[fleet as usize].source(member, 0);
            self.recorder.opened(self.now, fleet, member, server, "", addr, to);
        }
        self.actors.handle(who, self.now, Input::Accepted(server, addr), &mut self.outbox);
    }

    fn answers_with_reset(&self, server: Conn) -> bool {
        let first = self.outbox.acts().iter().find(|act| match act {
            Act::Send(conn, ..) | Act::Close(conn, _) => *conn == server,
            _ => false,
        });
        matches!(first, Some(Act::Close(_, CloseHow::Reset)))
    }

    fn refuse(&mut self, server: Conn) {
        self.ends[server].state = State::Closed;
        self.push_closed(self.ends[server].peer, Close::Refused);
        self.free(server);
    }

    /// The one who began it learns that the connection stands.
    pub(super) fn stands(&mut self, client: Conn, from: Message) {
        self.ends[client].in_flight -= 1;
        let addr = unpacked(self.slab.bytes(from));
        self.slab.free(from);
        if self.ends[client].state != State::Opening {
            return self.free(client);
        }
        self.ends[client].state = State::Open;
        let who = self.ends[client].who;
        if let Some((fleet, member)) = self.actors.member(who) {
            let to = self.actors.address(fleet);
            self.recorder.opened(self.now, fleet, member, client, "", addr, to);
        }
        self.tell(who, Input::Opened(client));
    }

    fn send(&mut self, who: u32, conn: Conn, bytes: &[u8]) {
        let member = self.actors.member(who);
        let peer = match self.ends.find(conn) {
            Some(end) if end.sends() && end.who == who => end.peer,
            _ => {
                if let Some((fleet, member)) = member {
                    self.recorder.undelivered(self.now, fleet, member, conn, bytes.len() as u64);
                }
                return;
            }
        };
        if let Some((fleet, member)) = member {
            self.recorder.sent(self.now, fleet, member, conn, bytes);
        }
        if self.ends[conn].carrier == Carrier::Datagram {
            return self.scatter(conn, peer, bytes);
        }
        if !self.ends[peer].stands() {
            return; // written, and on its way to nobody
        }
        let Some((fleet, _)) = member.or_else(|| self.actors.member(self.ends[peer].who)) else { return };
        for piece in self.lanes.fleets[fleet as usize].path.pieces(bytes) {
            let at = self.passes(peer, piece.len());
            let message = self.slab.put(piece);
            self.ends[peer].in_flight += 1;
            self.push(at, Happening::Bytes(peer, message));
        }
    }

    /// What is sent is written at once; the answer comes when the actor at work has returned.
    fn flush(&mut self, who: u32, conn: Conn) {
        if let Some(end) = self.ends.find(conn).filter(|end| end.sends() && end.who == who) {
            end.in_flight += 1;
            self.push(self.now, Happening::Flushed(conn));
        }
    }

    pub(super) fn flushed(&mut self, conn: Conn) {
        self.ends[conn].in_flight -= 1;
        if self.ends[conn].sends() {
            self.tell(self.ends[conn].who, Input::Flushed(conn));
        }
        self.free(conn);
    }

    fn close(&mut self, who: u32, conn: Conn, how: CloseHow) {
        let Some(end) = self.ends.find(conn).filter(|end| end.stands() && end.who == who) else { return };
        let (peer, carrier_before, told) = (end.peer, end.carrier, end.state == State::Told);
        let how = match how {
            CloseHow::Half if carrier_before == Carrier::Datagram => return,
            CloseHow::Half => {
                end.carrier = Carrier::Silent;
                if carrier_before == Carrier::Stream {
                    self.push_closed(peer, Close::Fin);
                }
                return;
            }
            CloseHow::Fin => Close::Fin,
            CloseHow::Reset => Close::Reset,
        };
        self.shut(conn);
        if let Some((fleet, member)) = self.actors.member(who).filter(|_| !told) {
            self.recorder.closed(self.now, fleet, member, conn, By::Us, how);
        }
        if carrier_before == Carrier::Datagram {
            self.forget(conn); // nobody hears that a socket of datagrams is gone
        } else {
            self.push_closed(peer, how);
        }
        self.free(conn);
    }

    fn reading(&mut self, conn: Conn, on: bool) {
        let Some(end) = self.ends.find(conn).filter(|end| end.stands()) else { return };
        end.stopped = !on;
        if on && end.backlog {
            end.in_flight += 1;
            self.push(self.now, Happening::Drain(conn));
        }
    }

    /// Something arrives at an end: its owner gets it, unless it does not read.
    pub(super) fn arrive(&mut self, conn: Conn, what: Held) {
        let end = &mut self.ends[conn];
        end.in_flight -= 1;
        let waits = end.stands() && (end.stopped || end.backlog) && !matches!(what, Held::Closed(Close::Reset));
        if !waits {
            return self.hand_over(conn, what);
        }
        end.in_flight += 1;
        end.backlog = true;
        if let Held::Bytes(message) = what {
            self.unread += self.slab.bytes(message).len() as u64;
        }
        self.held.entry(conn).or_default().push_back(what);
    }

    /// An end that reads again gets what waits for it, one thing at a time.
    pub(super) fn drain(&mut self, conn: Conn) {
        self.ends[conn].in_flight -= 1;
        if self.ends[conn].stopped || !self.ends[conn].stands() {
            return self.free(conn);
        }
        let Some(queue) = self.held.get_mut(&conn) else { return };
        let Some(what) = queue.pop_front() else { return };
        self.ends[conn].in_flight -= 1;
        if queue.is_empty() {
            self.held.remove(&conn);
            self.ends[conn].backlog = false;
        } else {
            self.ends[conn].in_flight += 1;
            self.push(self.now, Happening::Drain(conn));
        }
        if let Held::Bytes(message) = what {
            self.unread -= self.slab.bytes(message).len() as u64;
        }
        self.hand_over(conn, what);
    }

    fn hand_over(&mut self, conn: Conn, what: Held) {
        if self.ends[conn].carrier == Carrier::Datagram && self.ends[conn].state == State::Opening {
            self.first_datagram(conn);
        }
        let stands = self.ends[conn].stands();
        match what {
            Held::Bytes(message) => {
                if stands {
                    self.hand_over_bytes(conn, message);
                }
                self.slab.free(message);
                if stands {
                    self.carry_out(self.ends[conn].who);
                }
            }
            Held::Closed(how) if stands => self.hand_over_close(conn, how, By::Peer),
            Held::Closed(_) => {}
        }
        self.free(conn);
    }

    fn hand_over_bytes(&mut self, conn: Conn, message: Message) {
        let who = self.ends[conn].who;
        let bytes = self.slab.bytes(message);
        if let Some((fleet, member)) = self.actors.member(who) {
            self.recorder.received(self.now, fleet, member, conn, bytes);
        }
        self.actors.handle(who, self.now, Input::Bytes(conn, bytes), &mut self.outbox);
    }

    /// An end learns that its connection is over. Where the peer only stopped sending, it may still answer, and then ends too.
    fn hand_over_close(&mut self, conn: Conn, how: Close, by: By) {
        let (who, peer) = (self.ends[conn].who, self.ends[conn].peer);
        let may_answer = how == Close::Fin && self.ends[peer].stands();
        if let Some((fleet, member)) = self.actors.member(who) {
            self.recorder.closed(self.now, fleet, member, conn, by, how);
        }
        if may_answer {
            self.ends[conn].state = State::Told;
        } else {
            self.shut(conn);
        }
        self.tell(who, Input::Closed(conn, how));
        if may_answer && self.ends[conn].stands() {
            self.shut(conn);
            self.push_closed(peer, Close::Fin);
        }
    }

    /// The path ends the connection at both ends, whatever is under way.
    pub(super) fn cut(&mut self, client: Conn) {
        self.ends[client].in_flight -= 1;
        let server = self.ends[client].peer;
        let standing: Vec<Conn> = [client, server].into_iter().filter(|end| self.ends[*end].stands()).collect();
        let ours = if self.ends[client].who == self.actors.target() { server } else { client };
        let Some((fleet, member)) = self.actors.member(self.ends[ours].who) else { return };
        let path = &self.lanes.fleets[fleet as usize].path;
        let how = path.cut(Time::ZERO).map_or(Close::Reset, |(_, how)| how);
        if standing.contains(&ours) {
            self.recorder.fate(self.now, fleet, member, ours, "cut");
        }
        for end in &standing {
            self.shut(*end);
        }
        for end in standing {
            self.hand_over_close(end, how, By::Us);
        }
        self.free(client);
    }

    /// The target has ended: its system resets what it had, and refuses what comes.
    pub(super) fn reset_all_of_target(&mut self) {
        for conn in self.ends.of(self.actors.target()) {
            self.shut(conn);
            if self.ends[conn].carrier != Carrier::Datagram {
                self.push_closed(self.ends[conn].peer, Close::Reset);
            }
        }
    }

    /// This end is over: what it has not read is gone.
    pub(super) fn shut(&mut self, conn: Conn) {
        self.ends[conn].state = State::Closed;
        for what in self.held.remove(&conn).into_iter().flatten() {
            self.ends[conn].in_flight -= 1;
            if let Held::Bytes(message) = what {
                self.unread -= self.slab.bytes(message).len() as u64;
                self.slab.free(message);
            }
        }
        self.ends[conn].backlog = false;
    }

    fn push_closed(&mut self, to: Conn, how: Close) {
        if self.ends[to].stands() {
            let at = self.passes(to, 0);
            self.ends[to].in_flight += 1;
            self.push(at, Happening::Closed(to, how));
        }
    }

    /// When a message towards `to` arrives.
    fn passes(&mut self, to: Conn, len: usize) -> Time {
        let end = self.ends[to];
        let ours = if end.who == self.actors.target() { end.peer } else { to };
        let Some((fleet, member)) = self.actors.member(self.ends[ours].who) else { return self.now };
        let mut unused = UNUSED;
        let lane = self.lanes.lanes.get_mut(to.0 as usize).unwrap_or(&mut unused);
        let passage = Passage { sent: self.now, opened: lane.opened, before: end.arrives, len };
        let fate = self.lanes.fleets[fleet as usize].path.fate(passage, &mut lane.draws);
        self.ends[to].arrives = fate.arrives;
        if let Some(fault) = fate.fault {
            self.recorder.fate(self.now, fleet, member, ours, fault.name());
        }
        fate.arrives
    }

    /// Gives a connection's numbers out again, where numbers may repeat.
    pub(super) fn free(&mut self, conn: Conn) {
        if !self.unique
            && let Some((conn, peer)) = self.ends.free_pair(conn)
        {
            self.outbox.recycle(conn);
            self.outbox.recycle(peer);
        }
    }
}

pub(super) fn packed(addr: Addr) -> [u8; 6] {
    let [a, b, c, d] = addr.ip.to_be_bytes();
    let [e, f] = addr.port.to_be_bytes();
    [a, b, c, d, e, f]
}

fn unpacked(bytes: &[u8]) -> Addr {
    match *bytes {
        [a, b, c, d, e, f] => Addr::new([a, b, c, d], u16::from_be_bytes([e, f])),
        _ => panic!("an address takes 6 bytes, not {}", bytes.len()),
    }
}
