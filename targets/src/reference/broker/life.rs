//! Time passes, connections and sessions end, Wills are published, the administrator changes things.
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::admin::Order;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::{Disconnect, Packet, QoS, ReasonCode, Version};

use super::accounts::{Accounts, User};
use super::connection::{Connection, NONE, Phase, Will};
use super::message::{Draft, Message};
use super::session::FOR_EVER;
use super::{Broker, send};
use crate::flaw::Flaw;

/// Timers of sessions have this bit; timers of connections have not.
const SESSION: u32 = 1 << 31;

/// The timer of a connection.
pub(super) fn of_conn(conn: Conn) -> TimerId {
    TimerId(conn.0 & !SESSION)
}

impl Broker {
    pub(super) fn timer(&mut self, id: TimerId, now: Time, out: &mut Outbox) {
        match id.0 & SESSION {
            0 => self.conn_timer(Conn(id.0), now, out),
            _ => self.session_timer(id.0 & !SESSION, now, out),
        }
    }

    /// Wakes are never taken back: a deadline that has moved, or a connection that is another one by now, makes this an early one.
    fn conn_timer(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let phase = self.phase(conn);
        if phase == Phase::Free || now < self.connection(conn).armed {
            return;
        }
        match phase {
            // No packet may be sent before CONNACK, so the client is told nothing.
            Phase::Fresh | Phase::Doomed => self.hang_up(conn, now, out),
            _ => {
                let silent_at = self.connection(conn).silent_at();
                self.connection(conn).armed = silent_at;
                if silent_at <= now {
                    self.throw_out(conn, ReasonCode::KEEP_ALIVE_TIMEOUT, now, out);
                } else if silent_at < Time::NEVER {
                    out.wake(silent_at, of_conn(conn));
                }
            }
        }
    }

    fn session_timer(&mut self, place: u32, now: Time, out: &mut Outbox) {
        let Some(session) = self.session(place) else { return };
        if session.conn.is_some() {
            return;
        }
        let ended = session.ends <= now;
        let will = session.state.as_mut().and_then(|state| state.will.take_if(|(at, _)| *at <= now));
        if let Some((_, will)) = will {
            self.publish_will(&will, now, out);
        }
        if ended && !self.flaws.has(Flaw::SessionNeverExpires) {
            self.end_session(place, now, out);
        }
    }

    /// A connection is over. `orderly`: the client said so, and its Will is gone with it \[MQTT5 3.1.2-10, MQTT3 3.1.2-10\].
    pub(super) fn gone(&mut self, conn: Conn, orderly: bool, now: Time, out: &mut Outbox) {
        if self.phase(conn) == Phase::Free {
            return;
        }
        let connection = core::mem::take(self.connection(conn));
        if connection.session != NONE {
            self.connected -= 1;
            self.leave_source(connection.source);
            self.detach(conn, connection, orderly, now, out);
        }
    }

    fn leave_source(&mut self, source: u32) {
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }

    fn detach(&mut self, conn: Conn, connection: Connection, orderly: bool, now: Time, out: &mut Outbox) {
        let place = connection.session;
        let Some(session) = self.session(place) else { return };
        // A flaw may have left an older connection open: it is not the one that speaks for the session.
        let speaks = session.conn == Some(conn);
        let (id, expiry) = (session.id.clone(), session.expiry);
        let extra = connection.extra.map(|extra| *extra);
        if self.flaws.has(Flaw::AliasSurvivesConnection)
            && let Some(extra) = &extra
        {
            self.plant.aliases.insert(id, extra.aliases.clone());
        }
        if speaks {
            self.park(place, expiry, now, out);
        }
        let keeps_will = !orderly || self.flaws.has(Flaw::WillAfterDisconnect);
        if let Some(will) = extra.and_then(|extra| extra.will).filter(|_| keeps_will) {
            self.end_of_will(place, will, expiry, now, out);
        }
        if speaks && expiry == 0 && !self.flaws.has(Flaw::SessionNeverExpires) {
            self.end_session(place, now, out);
        }
    }

    /// The session goes on without a connection.
    fn park(&mut self, place: u32, expiry: u32, now: Time, out: &mut Outbox) {
        let Some(session) = self.session(place) else { return };
        session.conn = None;
        session.ends = match expiry {
            FOR_EVER => Time::NEVER,
            seconds => now + Duration::from_secs(seconds.into()),
        };
        if let Some(state) = &mut session.state {
            state.ground();
        }
        if expiry != 0 && expiry != FOR_EVER {
            out.wake(session.ends, TimerId(SESSION | place));
        }
    }

    /// Publishes a Will now, or when its delay or its session is over, whichever is first \[MQTT5 §3.1.3.2.2, 3.1.2-8\].
    fn end_of_will(&mut self, place: u32, will: Will, expiry: u32, now: Time, out: &mut Outbox) {
        let delay = will.delay.min(expiry);
        let at = now + Duration::from_secs(delay.into());
        if delay == 0 || self.flaws.has(Flaw::DoubleWill) {
            self.publish_will(&will.message, now, out);
        }
        if delay > 0 {
            let meter = self.meter.clone();
            let Some(session) = self.session(place) else { return };
            session.state(&meter).will = Some((at, will.message));
            out.wake(at, TimerId(SESSION | place));
        }
    }

    /// The right to publish is asked for at this moment, not at CONNECT alone.
    fn publish_will(&mut self, will: &Arc<Message>, now: Time, out: &mut Outbox) {
        if !self.flaws.has(Flaw::WillIgnoresAcl) && !self.accounts.may_publish(will.author, &will.topic, self.flaws) {
            return;
        }
        let draft = Draft {
            topic: &will.topic,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: will.properties(),
            expiry: will.expiry,
        };
        self.route(&draft, will.author, &will.origin, now, out);
    }

    /// Forgets a session: subscriptions, queue, identifiers. Its Will waits no longer \[MQTT5 §3.1.3.2.2\].
    pub(super) fn end_session(&mut self, place: u32, now: Time, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(place as usize).and_then(Option::take) else { return };
        self.by_id.remove(&session.id);
        self.free_sessions.push(place);
        let Some(mut state) = session.state else { return };
        for filter in &state.filters {
            let (group, bare) = super::subscribe::parts(filter);
            self.tree.remove(bare, group, place);
        }
        if let Some((_, will)) = state.will.take() {
            self.publish_will(&will, now, out);
        }
        self.pass_on(*state, now, out);
    }

    /// Takes a newer state of the accounts; those whose password is void are thrown out.
    pub fn reload(&mut self, accounts: &Accounts, now: Time, out: &mut Outbox) {
        for user in self.accounts.replace(accounts) {
            self.expel(user, now, out);
        }
    }

    pub(super) fn order(&mut self, order: &Order, now: Time, out: &mut Outbox) {
        let grant = |party: &str, grant: &str, allow| Note::Grant { party: party.into(), grant: grant.into(), allow };
        match order {
            Order::Grant { party, grant: right } => {
                self.accounts.change(party, right, true);
                out.note(grant(party, right, true));
            }
            Order::Revoke { party, grant: right } => {
                self.accounts.change(party, right, false);
                out.note(grant(party, right, false));
            }
            Order::Rekey { party } => {
                self.accounts.rekey(party);
                self.expel_party(party, now, out);
            }
            Order::Remove { party } => self.remove(party, now, out),
            Order::Restart => self.restart(now, out),
        }
    }

    fn remove(&mut self, party: &str, now: Time, out: &mut Outbox) {
        if self.flaws.has(Flaw::IgnoresRemoval) {
            out.note(Note::Log(format!("removed {party}")));
            return;
        }
        let rights: Vec<String> = self.accounts.remove(party).unwrap_or_default();
        for right in rights {
            out.note(Note::Grant { party: party.into(), grant: right, allow: false });
        }
        self.expel_party(party, now, out);
        if let Some(user) = self.accounts.user(party) {
            let theirs = |(place, session): (usize, &Option<super::session::Session>)| {
                session.as_ref().is_some_and(|session| session.owner == user).then_some(place as u32)
            };
            let places: Vec<u32> = self.sessions.iter().enumerate().filter_map(theirs).collect();
            for place in places {
                self.end_session(place, now, out);
            }
        }
    }

    fn expel_party(&mut self, party: &str, now: Time, out: &mut Outbox) {
        if let Some(user) = self.accounts.user(party) {
            self.expel(user, now, out);
        }
    }

    /// Ends every connection of a user.
    fn expel(&mut self, user: User, now: Time, out: &mut Outbox) {
        if self.flaws.has(Flaw::IgnoresRemoval) {
            return;
        }
        let theirs = self.sessions.iter().flatten().filter(|session| session.owner == user);
        let conns: Vec<Conn> = theirs.filter_map(|session| session.conn).collect();
        for conn in conns {
            self.throw_out(conn, ReasonCode::ADMINISTRATIVE_ACTION, now, out);
        }
    }

    /// Sessions that outlive their connection, and retained messages, are what a restart keeps.
    fn restart(&mut self, now: Time, out: &mut Outbox) {
        for place in 0..self.connections.len() {
            let conn = Conn(place as u32);
            if self.phase(conn) == Phase::Up && self.connection(conn).version == Version::V5 {
                let bye = Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN);
                send(conn, Version::V5, &Packet::Disconnect(bye), out);
            }
            if self.phase(conn) != Phase::Free {
                out.close(conn, CloseHow::Fin);
                self.gone(conn, false, now, out);
            }
        }
        out.note(Note::Log("restarted".into()));
    }

    /// DISCONNECT from a client \[MQTT5 3.14.4-1 to 3.14.4-3, MQTT3 3.14.4-3\].
    pub(super) fn disconnect(&mut self, conn: Conn, packet: &Disconnect<'_>, now: Time, out: &mut Outbox) {
        if let Some(expiry) = packet.properties.session_expiry_interval()
            && let Some((_, session)) = self.session_of(conn)
        {
            if session.expiry == 0 && expiry != 0 {
                return self.throw_out(conn, ReasonCode::PROTOCOL_ERROR, now, out);
            }
            session.expiry = expiry;
        }
        out.close(conn, CloseHow::Fin);
        self.gone(conn, packet.reason == ReasonCode::NORMAL_DISCONNECTION, now, out);
    }

    /// A message of a shared subscription goes to another member when its session ends unacknowledged, at QoS 1 only
    /// \[MQTT5 §4.8.2, 4.8.2-5\].
    fn pass_on(&mut self, state: super::session::State, now: Time, out: &mut Outbox) {
        let flights = state.flights.into_iter().filter_map(|flight| flight.delivery);
        let both = self.flaws.has(Flaw::SharedGoesOnAtQos2);
        for delivery in flights.chain(state.queue) {
            if let Some(share) = delivery.share.clone().filter(|_| both || delivery.qos == QoS::AtLeastOnce) {
                self.hand_to_member(&share, &delivery.message, now, out);
            }
        }
    }
}
