//! What is said without being asked at that moment: notifications, separate responses, repetitions.
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::codec::{Code, Kind, Message, Reject, Token};
use proofhouse_coap::exchange::{Confirmed, Tick};
use proofhouse_coap::observe::Registered;
use proofhouse_core::actor::Outbox;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::time::Time;

use super::CoapServer;
use super::answer::Answer;
use super::intake::Ask;
use super::peer::{Peer, Topic};
use super::site::Resource;
use crate::flaw::Flaw;

/// How long the slow resource takes.
const SLOW: Duration = Duration::from_secs(1);
/// How long after a reset a flaw obeys it.
const LATER: Duration = Duration::from_secs(3);
/// How often the time changes.
const SECOND: Duration = Duration::from_secs(1);
/// What can be observed, in the numbering of the list of observers.
pub(super) const TIME: u32 = 0;
pub(super) const STORE: u32 = 1;

impl CoapServer {
    /// Puts the asker on the list of observers; `false` where there is no room.
    pub(super) fn register(&mut self, ask: &Ask, resource: u32, now: Time) -> bool {
        let rng = &mut self.rng;
        let Some(peer) = self.peers.get(ask.conn) else { return false };
        let own = peer.own(|| rng.next());
        let room = own.watched.len() < self.limits.observations_each as usize;
        if !room && !own.watched.contains_key(&ask.token) {
            return false;
        }
        if self.observers.register(ask.conn, ask.token, resource, now) == Registered::Full {
            return false;
        }
        own.watched.insert(ask.token, false);
        if resource == TIME && self.tick == Time::NEVER {
            self.tick = next_second(now);
        }
        true
    }

    /// Takes a peer off the list: it asked for that, or cannot be reached.
    pub(super) fn unobserve(&mut self, conn: Conn, token: Token) {
        self.observers.remove(conn, token);
        if let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) {
            own.watched.remove(&token);
            if own.topic == Topic::Notice(token) {
                own.outgoing.stop();
            }
        }
        self.settle(conn);
    }

    /// Everybody who observes something, and under which token.
    fn observed_by(&self) -> impl Iterator<Item = (Conn, Token)> {
        [TIME, STORE].into_iter().flat_map(|of| self.observers.of(of)).map(|(conn, token, _)| (conn, token))
    }

    /// What a flaw does for a malformed datagram: nobody observes any more.
    pub(super) fn unobserve_all(&mut self) {
        let all: Vec<(Conn, Token)> = self.observed_by().collect();
        all.into_iter().for_each(|(conn, token)| self.unobserve(conn, token));
    }

    /// Promises a response in a message of its own \[RFC 7252 §5.2.2\].
    pub(super) fn postpone(&mut self, ask: &Ask, now: Time, out: &mut Outbox) -> Option<Answer> {
        let rng = &mut self.rng;
        let own = self.peers.get(ask.conn)?.own(|| rng.next());
        if own.slow.len() >= self.limits.separate as usize {
            return Some(Answer { max_age: Some(1), ..Answer::of(Code::SERVICE_UNAVAILABLE) });
        }
        own.slow.push_back((now + SLOW, ask.token, ask.kind, ask.mid));
        if ask.kind == Kind::Con {
            let mut ack = Vec::new();
            Message::ack(ask.mid).encode(&mut ack);
            self.peers.keep(ask.conn, ask.mid, &ack);
            self.say(ask.conn, &ack, out);
        }
        self.settle(ask.conn);
        None
    }

    /// An ACK or a RST: it means something only from where our message went \[RFC 7252 §4.4\].
    pub(super) fn confirmed(&mut self, conn: Conn, message: &Message<'_>, now: Time, out: &mut Outbox) {
        let (at_once, later) = (self.flaws.has(Flaw::RstMatchedByMidOnly), self.flaws.has(Flaw::RstMatchedLater));
        if message.kind() == Kind::Rst && (at_once || later) {
            let mid = Some(message.mid());
            let named = |(conn, token): &(Conn, Token)| {
                self.observers.get(*conn, *token).is_some_and(|observer| observer.mid == mid)
            };
            let named = self.observed_by().find(named);
            match named {
                Some((conn, token)) if at_once => return self.unobserve(conn, token),
                Some((conn, token)) => return self.ending.push((now + LATER, conn, token)),
                None => {}
            }
        }
        if message.kind() == Kind::Ack && self.flaws.has(Flaw::AckUnheeded) {
            return;
        }
        if message.kind() == Kind::Rst && self.flaws.has(Flaw::ResetIgnored) {
            if let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) {
                own.outgoing.stop();
            }
            return self.go_on(conn, now, out);
        }
        let own = self.peers.get(conn).and_then(|peer| peer.own.as_mut());
        let known = own.and_then(|own| own.outgoing.hear(message).map(|confirmed| (confirmed, own.topic)));
        match known {
            Some((Confirmed::Acked, Topic::Notice(_))) => {
                self.observers.confirmed(conn, message.mid(), now);
            }
            Some((Confirmed::Reset, Topic::Notice(token))) => self.unobserve(conn, token),
            Some((_, Topic::Separate)) => {}
            // The client may have lost interest after it acknowledged.
            None if message.kind() == Kind::Rst => {
                if let Some((token, _)) = self.observers.reset(conn, message.mid()) {
                    self.unobserve(conn, token);
                }
            }
            None => {}
        }
        self.go_on(conn, now, out);
    }

    pub(super) fn timer(&mut self, now: Time, out: &mut Outbox) {
        if now >= self.armed {
            self.armed = Time::NEVER;
        }
        if now >= self.tick {
            self.tick(now, out);
        }
        while let Some((_, conn)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.overdue(conn, now, out);
        }
        self.arm(out);
    }

    /// The time has changed.
    fn tick(&mut self, now: Time, out: &mut Outbox) {
        let (over, still) = core::mem::take(&mut self.ending).into_iter().partition(|(at, ..)| *at <= now);
        self.ending = still;
        let over: Vec<(Time, Conn, Token)> = over;
        over.into_iter().for_each(|(_, conn, token)| self.unobserve(conn, token));
        self.changed(TIME, now, out);
        let watched = self.observers.of(TIME).next().is_some();
        self.tick = if watched { next_second(now) } else { Time::NEVER };
    }

    /// Tells those who observe a resource that it has changed.
    pub(super) fn changed(&mut self, resource: u32, now: Time, out: &mut Outbox) {
        self.sequence.next();
        let told = if resource == STORE && self.flaws.has(Flaw::SecondObserverForgotten) { 1 } else { usize::MAX };
        let observers = self.observers.of(resource).map(|(conn, token, _)| (conn, token)).take(told);
        let gone = resource == STORE && !self.site.has_store();
        for (conn, token) in observers.collect::<Vec<_>>() {
            if gone && self.flaws.has(Flaw::DeletedUntold) {
                self.unobserve(conn, token);
                continue;
            }
            if let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) {
                own.watched.insert(token, true);
            }
            self.go_on(conn, now, out);
        }
    }

    /// A repetition, or a response whose time has come.
    fn overdue(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let params = self.params();
        let own = self.peers.get(conn).and_then(|peer| peer.own.as_mut());
        match own.map(|own| (own.outgoing.tick(now, &params), own.topic)) {
            Some((Tick::Resend, Topic::Notice(token))) => self.renew(conn, token, now, out),
            Some((Tick::Resend, Topic::Separate)) => self.resend(conn, out),
            // Nobody confirms: whoever it was does not want it, or is not there [RFC 7641 §4.5].
            Some((Tick::GaveUp, Topic::Notice(token))) => self.unobserve(conn, token),
            Some(_) | None => {}
        }
        self.go_on(conn, now, out);
    }

    /// A notification that is out of date is not repeated but brought up to date: the newer one takes its place, its timer and its count
    /// \[RFC 7641 §4.5.2\].
    fn renew(&mut self, conn: Conn, token: Token, now: Time, out: &mut Outbox) {
        let Some(resource) = self.observers.get(conn, token).map(|observer| observer.resource) else {
            return self.resend(conn, out);
        };
        let own = self.peers.get(conn).and_then(|peer| peer.own.as_ref());
        if own.is_none_or(|own| own.watched.get(&token) != Some(&true)) {
            return self.resend(conn, out);
        }
        let Some(mid) = self.fresh_id(conn, now) else { return self.resend(conn, out) };
        let answer = self.notice(resource, now);
        self.write_own(&answer, Kind::Con, mid, token);
        let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) else { return };
        own.watched.insert(token, false);
        let wire = &self.wire;
        let _ = own.outgoing.supersede(|to| {
            to.extend_from_slice(wire);
            Ok::<(), Reject>(())
        });
        self.observers.sent(conn, token, mid);
        self.resend(conn, out);
    }

    fn resend(&mut self, conn: Conn, out: &mut Outbox) {
        let wire = self.peers.get(conn).and_then(|peer| peer.own.as_ref()).map(|own| own.outgoing.wire().to_vec());
        self.repeat(conn, &wire.unwrap_or_default(), out);
    }

    /// What an observer is told: the state, or that there is none any more.
    fn notice(&mut self, resource: u32, now: Time) -> Answer {
        let of = if resource == TIME { Resource::Time } else { Resource::Store };
        let state = self.site.read(of, now, self.flaws);
        let observe = state.code.is_success().then(|| self.sequence.current());
        self.bent_notice(of, Answer { observe, ..state }.page(None))
    }

    /// Says the next thing to a peer, if nothing is on its way to it.
    fn go_on(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let pile_up = self.flaws.has(Flaw::NoticesPileUp);
        if let Some(next) = self.peers.get(conn).and_then(|peer| next_topic(peer, pile_up, now)) {
            let (topic, token) = (next.topic, next.token);
            let resource = self.observers.get(conn, token).map(|observer| observer.resource);
            let answer = match (topic, resource) {
                (Topic::Notice(_), Some(resource)) => self.notice(resource, now),
                (Topic::Notice(_), None) => return self.settle(conn),
                (Topic::Separate, _) => self.site.read(Resource::Slow, now, self.flaws),
            };
            self.begin(conn, &next, &answer, now, out);
            if matches!(topic, Topic::Notice(_)) && !answer.code.is_success() && !self.flaws.has(Flaw::DeletedGoesOn) {
                self.over(conn, token);
            }
        }
        self.settle(conn);
    }

    /// What was observed is no more: whoever has been told so is on the list no longer \[RFC 7641 §4.2\].
    fn over(&mut self, conn: Conn, token: Token) {
        self.observers.remove(conn, token);
        if let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) {
            own.watched.remove(&token);
        }
    }

    fn begin(&mut self, conn: Conn, next: &Next, answer: &Answer, now: Time, out: &mut Outbox) {
        let Some(fresh) = self.fresh_id(conn, now) else { return };
        let in_ack = next.topic == Topic::Separate && next.kind == Kind::Con && self.flaws.has(Flaw::SeparateInAck);
        let (kind, mid) = if in_ack { (Kind::Ack, next.mid) } else { (next.kind, fresh) };
        self.write_own(answer, kind, mid, next.token);
        let draw = self.rng.next();
        let params = self.params();
        let wire = core::mem::take(&mut self.wire);
        if let Some(own) = self.peers.get(conn).and_then(|peer| peer.own.as_mut()) {
            own.topic = next.topic;
            let _ = own.outgoing.send(now, &params, draw, |to| {
                to.extend_from_slice(&wire);
                Ok::<(), Reject>(())
            });
            if kind != Kind::Con {
                own.outgoing.stop();
            }
        }
        if let Topic::Notice(token) = next.topic {
            self.observers.sent(conn, token, mid);
        }
        self.repeat(conn, &wire, out);
        self.wire = wire;
    }

    /// Corrects when something is due for a peer.
    fn settle(&mut self, conn: Conn) {
        let Some(peer) = self.peers.get(conn) else { return };
        let due = peer.own.as_ref().map_or(Time::NEVER, |own| own.due());
        if due != peer.due {
            self.due.remove(&(peer.due, conn));
            peer.due = due;
            if due != Time::NEVER {
                self.due.insert((due, conn));
            }
        }
    }

    /// Asks to be woken for what is due next.
    pub(super) fn arm(&mut self, out: &mut Outbox) {
        let next = self.due.first().map_or(Time::NEVER, |(at, _)| *at).min(self.tick);
        if next < self.armed {
            self.armed = next;
            out.wake(next, TimerId(0));
        }
    }
}

/// A message of our own that is to be said next.
struct Next {
    topic: Topic,
    token: Token,
    kind: Kind,
    /// Message id of the request, for a separate response.
    mid: u16,
}

/// What is to be said next, if nothing is on its way: separate responses go before notifications.
fn next_topic(peer: &mut Peer, pile_up: bool, now: Time) -> Option<Next> {
    let own = peer.own.as_mut()?;
    if pile_up && own.watched.values().any(|news| *news) {
        own.outgoing.stop();
    }
    if !own.outgoing.is_idle() {
        return None;
    }
    if let Some((_, token, kind, mid)) = own.slow.front().copied().filter(|(at, ..)| *at <= now) {
        own.slow.pop_front();
        return Some(Next { topic: Topic::Separate, token, kind, mid });
    }
    let (token, news) = own.watched.iter_mut().find(|(_, news)| **news)?;
    *news = false;
    Some(Next { topic: Topic::Notice(*token), token: *token, kind: Kind::Con, mid: 0 })
}

fn next_second(now: Time) -> Time {
    Time((now.0 / SECOND.as_nanos() as u64 + 1) * SECOND.as_nanos() as u64)
}
