//! CONNECT: who is there, which session goes on, on which terms.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use proofhouse_core::actor::Outbox;
use proofhouse_core::connection::CloseHow;
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::{
    Connack, Connect, Disconnect, Packet, Place, Properties, PropertiesBuf, PropertyId, ReasonCode, Value, Version,
};

use super::accounts::{Refusal, User};
use super::connection::{Phase, Will};
use super::message::Draft;
use super::session::{FOR_EVER, Session};
use super::{Broker, Limits, life, send};
use crate::flaw::Flaw;

/// How long a flaw goes on with a client that it has refused.
const DOOM: Duration = Duration::from_secs(1);

/// A refusal in the words of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct No {
    v5: ReasonCode,
    v3: ReasonCode,
}

const BAD_CREDENTIALS: No =
    No { v5: ReasonCode::BAD_USER_NAME_OR_PASSWORD, v3: ReasonCode::V3_BAD_USER_NAME_OR_PASSWORD };
const NOT_AUTHORIZED: No = No { v5: ReasonCode::NOT_AUTHORIZED, v3: ReasonCode::V3_NOT_AUTHORIZED };
const BAD_ID: No = No { v5: ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, v3: ReasonCode::V3_IDENTIFIER_REJECTED };
const BUSY: No = No { v5: ReasonCode::SERVER_BUSY, v3: ReasonCode::V3_SERVER_UNAVAILABLE };
const QUOTA: No = No { v5: ReasonCode::QUOTA_EXCEEDED, v3: ReasonCode::V3_SERVER_UNAVAILABLE };
const NO_QOS: No = No { v5: ReasonCode::QOS_NOT_SUPPORTED, v3: ReasonCode::V3_SERVER_UNAVAILABLE };
const NO_RETAIN: No = No { v5: ReasonCode::RETAIN_NOT_SUPPORTED, v3: ReasonCode::V3_SERVER_UNAVAILABLE };
const BAD_METHOD: No = No { v5: ReasonCode::BAD_AUTHENTICATION_METHOD, v3: ReasonCode::V3_NOT_AUTHORIZED };

impl Broker {
    pub(super) fn connect(&mut self, conn: Conn, version: Version, connect: &Connect<'_>, now: Time, out: &mut Outbox) {
        self.connection(conn).version = version;
        match self.may_connect(conn, version, connect) {
            Ok(user) => self.welcome(conn, user, connect, now, out),
            Err(no) => self.turn_away(conn, version, connect, no, now, out),
        }
    }

    /// Every reason to refuse a client, in the order in which they are told.
    fn may_connect(&mut self, conn: Conn, version: Version, connect: &Connect<'_>) -> Result<User, No> {
        if connect.properties.authentication_method().is_some() {
            return Err(BAD_METHOD);
        }
        let user_name = connect.user_name.map(|name| name.as_str());
        let password = connect.password.map(|password| password.as_bytes());
        let user = self.accounts.log_in(user_name, password, self.flaws).map_err(|refusal| match refusal {
            Refusal::Missing => NOT_AUTHORIZED,
            Refusal::Unknown if self.flaws.has(Flaw::TellsUnknownUsers) => NOT_AUTHORIZED,
            Refusal::Unknown | Refusal::Wrong => BAD_CREDENTIALS,
        })?;
        if connect.client_id.is_empty() && version == Version::V311 && !connect.clean_start {
            return Err(BAD_ID);
        }
        self.has_room(conn, connect)?;
        if version == Version::V5 {
            self.has_terms_for(connect)?;
        }
        self.may_have_session(connect, user)?;
        if let Some(will) = &connect.will
            && !self.flaws.has(Flaw::WillIgnoresAcl)
            && !self.accounts.may_publish(user, &will.topic, self.flaws)
        {
            return Err(NOT_AUTHORIZED);
        }
        Ok(user)
    }

    /// A Will keeps the limits that CONNACK would have told \[MQTT5 3.2.2-12, 3.2.2-13\].
    fn has_terms_for(&self, connect: &Connect<'_>) -> Result<(), No> {
        match &connect.will {
            Some(will) if will.qos.number() > self.limits.qos => Err(NO_QOS),
            Some(will) if will.retain && self.limits.lacks.retain => Err(NO_RETAIN),
            _ => Ok(()),
        }
    }

    fn has_room(&mut self, conn: Conn, connect: &Connect<'_>) -> Result<(), No> {
        let source = self.connection(conn).source;
        let most = if self.flaws.has(Flaw::FewConnections) { 64 } else { self.limits.connections };
        if self.connected >= most {
            return Err(BUSY);
        }
        if self.per_source.get(&source).is_some_and(|count| *count >= self.limits.per_source) {
            return Err(QUOTA);
        }
        let new = !self.by_id.contains_key(connect.client_id.as_str());
        if new && self.by_id.len() >= self.limits.sessions as usize { Err(QUOTA) } else { Ok(()) }
    }

    /// A session belongs to the user who made it; whoever else names its client id is refused.
    fn may_have_session(&mut self, connect: &Connect<'_>, user: User) -> Result<(), No> {
        let Some(&place) = self.by_id.get(connect.client_id.as_str()) else { return Ok(()) };
        let loses_queue = self.flaws.has(Flaw::TakeoverLosesQueue);
        let ignores = self.flaws.has(Flaw::SessionIgnoresIdentity);
        let Some(session) = self.session(place) else { return Ok(()) };
        if loses_queue
            && session.owner != user
            && let Some(state) = &mut session.state
        {
            state.forget_messages();
        }
        if session.owner == user || ignores { Ok(()) } else { Err(BAD_ID) }
    }

    /// CONNACK with the reason, then the end \[MQTT5 3.2.2-7, MQTT3 3.2.2-5\].
    fn turn_away(&mut self, conn: Conn, version: Version, connect: &Connect<'_>, no: No, now: Time, out: &mut Outbox) {
        let code = if version == Version::V5 { no.v5 } else { no.v3 };
        let (id, name) = (connect.client_id.as_str(), connect.user_name.map_or("", |name| name.as_str()));
        out.note(Note::Log(match self.flaws.has(Flaw::LogsRaw) {
            true => format!("refused {id}, user {name}: {code}"),
            false => format!("refused {id:?}, user {name:?}: {code}"),
        }));
        send(conn, version, &Packet::Connack(Connack::new(false, code)), out);
        if self.flaws.has(Flaw::ProcessesBeforeConnack) && self.phase(conn) == Phase::Fresh {
            self.let_in_unasked(conn, version, now);
            let connection = self.connection(conn);
            (connection.phase, connection.armed) = (Phase::Doomed, now + DOOM);
            out.wake(now + DOOM, life::of_conn(conn));
            return;
        }
        self.hang_up(conn, now, out);
    }

    /// A session with every right for a client that has not earned one: only ever made by a flaw.
    pub(super) fn let_in_unasked(&mut self, conn: Conn, version: Version, now: Time) {
        let id = self.assign_id();
        let place = self.new_session(&id, User::TRUSTED);
        self.attach(conn, place, now);
        self.connection(conn).version = version;
    }

    fn welcome(&mut self, conn: Conn, user: User, connect: &Connect<'_>, now: Time, out: &mut Outbox) {
        if self.flaws.has(Flaw::OddClientIdHangs) && connect.client_id.contains(['/', '+', '#', '$']) {
            self.plant.hung = !self.plant.odd_ids.insert(connect.client_id.as_str().into());
        }
        let version = self.connection(conn).version;
        let assigned = connect.client_id.is_empty().then(|| self.assign_id());
        let id = assigned.as_deref().unwrap_or(connect.client_id.as_str());
        let (place, present) = self.take_session(id, user, connect.clean_start, now, out);
        let expiry = match version {
            Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0).min(self.limits.session_expiry),
            Version::V311 if connect.clean_start => 0,
            Version::V311 => FOR_EVER,
        };
        if let Some(session) = self.session(place) {
            session.expiry = expiry;
        }
        self.attach(conn, place, now);
        self.take_terms(conn, place, user, connect, now);
        let silent_at = self.connection(conn).silent_at();
        if silent_at < self.connection(conn).armed {
            self.connection(conn).armed = silent_at;
            out.wake(silent_at, life::of_conn(conn));
        }
        self.say_welcome(conn, version, present, assigned.as_deref().filter(|_| version == Version::V5), expiry, out);
        if present {
            self.pump(place, now, out);
        }
    }

    /// The session of this client id: the one that goes on, or a new one; whether it goes on.
    fn take_session(&mut self, id: &str, user: User, clean: bool, now: Time, out: &mut Outbox) -> (u32, bool) {
        let Some(&place) = self.by_id.get(id) else { return (self.new_session(id, user), false) };
        let goes_on = !clean || self.flaws.has(Flaw::CleanStartKeepsQueue);
        self.take_over(place, now, out);
        // A session that lasts as long as its connection has ended with it.
        if goes_on && self.by_id.get(id) == Some(&place) {
            if let Some(state) = self.session(place).and_then(|session| session.state.as_mut()) {
                state.will = None;
            }
            return (place, true);
        }
        self.end_session(place, now, out);
        (self.new_session(id, user), false)
    }

    /// Disconnects whoever speaks for this session \[MQTT5 3.1.4-3, MQTT3 3.1.4-2\].
    fn take_over(&mut self, place: u32, now: Time, out: &mut Outbox) {
        if self.flaws.has(Flaw::TakeoverForgetsInboundQos2)
            && let Some(state) = self.session(place).and_then(|session| session.state.as_mut())
        {
            state.inbound.clear();
        }
        let Some(old) = self.session(place).and_then(|session| session.conn) else { return };
        if self.flaws.has(Flaw::KeepsBothSessions) {
            return;
        }
        let version = self.connection(old).version;
        if version == Version::V5 {
            let taken_over = Disconnect::new(ReasonCode::SESSION_TAKEN_OVER);
            send(old, version, &Packet::Disconnect(taken_over), out);
        }
        out.close(old, CloseHow::Fin);
        self.gone(old, false, now, out);
    }

    pub(super) fn new_session(&mut self, id: &str, owner: User) -> u32 {
        let id: Arc<str> = id.into();
        let session = Session { id: id.clone(), owner, conn: None, expiry: 0, ends: Time::NEVER, state: None };
        let place = match self.free_sessions.pop() {
            Some(place) => {
                self.sessions[place as usize] = Some(session);
                place
            }
            None => {
                self.sessions.push(Some(session));
                self.sessions.len() as u32 - 1
            }
        };
        self.by_id.insert(id, place);
        place
    }

    /// This connection speaks for this session from now on.
    fn attach(&mut self, conn: Conn, place: u32, now: Time) {
        let limited = self.limits.per_source < u32::MAX;
        let connection = self.connection(conn);
        let source = connection.source;
        (connection.phase, connection.session, connection.heard) = (Phase::Up, place, now);
        self.connected += 1;
        if limited {
            *self.per_source.entry(source).or_default() += 1;
        }
        if let Some(session) = self.session(place) {
            (session.conn, session.ends) = (Some(conn), Time::NEVER);
            if let Some(state) = &mut session.state {
                state.ground();
            }
        }
    }

    /// Keep Alive, the client's own limits, its Will.
    fn take_terms(&mut self, conn: Conn, place: u32, user: User, connect: &Connect<'_>, now: Time) {
        let Some(id) = self.session(place).map(|session| session.id.clone()) else { return };
        let will = connect.will.as_ref().map(|will| Will {
            message: Draft::of_will(will).keep(now, user, &id, &self.meter),
            delay: will.properties.will_delay_interval().unwrap_or(0),
        });
        let aliases = match self.flaws.has(Flaw::AliasSurvivesConnection) {
            true => self.plant.aliases.get(&id).cloned().unwrap_or_default(),
            false => Default::default(),
        };
        let v5 = self.connection(conn).version == Version::V5;
        let agreed = self.limits.keep_alive.filter(|_| v5).unwrap_or(connect.keep_alive);
        let keep_alive = if self.flaws.has(Flaw::NoKeepAlive) { 0 } else { agreed };
        let (meter, connection) = (&self.meter, &mut self.connections[conn.0 as usize]);
        connection.keep_alive = keep_alive;
        connection.extra = None;
        let terms = [PropertyId::ReceiveMaximum, PropertyId::MaximumPacketSize, PropertyId::TopicAliasMaximum];
        if will.is_none() && aliases.is_empty() && !terms.iter().any(|id| connect.properties.has(*id)) {
            return;
        }
        let extra = connection.extra(meter);
        extra.will = will;
        extra.aliases = aliases;
        extra.receive_maximum = connect.properties.receive_maximum().unwrap_or(u16::MAX);
        extra.packet_maximum = connect.properties.maximum_packet_size().unwrap_or(u32::MAX);
        extra.alias_maximum = connect.properties.topic_alias_maximum().unwrap_or(0);
    }

    /// CONNACK with our own terms.
    fn say_welcome(
        &mut self,
        conn: Conn,
        version: Version,
        present: bool,
        assigned: Option<&str>,
        expiry: u32,
        out: &mut Outbox,
    ) {
        let terms = match version {
            Version::V5 => Some(self.terms(assigned, expiry)),
            Version::V311 => None,
        };
        let properties = terms.as_ref().map_or(Properties::EMPTY, PropertiesBuf::view);
        let connack = Connack { session_present: present, code: ReasonCode::SUCCESS, properties };
        let packet = Packet::Connack(connack);
        // A client whose Maximum Packet Size is too small for our terms is told as much as it can take \[MQTT5 3.1.2-24\].
        let fits = packet.encoded_len(version).is_ok_and(|len| len <= self.connection(conn).packet_maximum());
        let packet = if fits { packet } else { Packet::Connack(Connack::new(present, ReasonCode::SUCCESS)) };
        send(conn, version, &packet, out);
    }

    fn terms(&self, assigned: Option<&str>, expiry: u32) -> PropertiesBuf {
        let mut terms = PropertiesBuf::new(Place::Connack);
        let mut say = |id, value: Value<'_>| {
            let said = terms.push(id, value);
            debug_assert!(said.is_ok(), "{id:?}: {said:?}");
        };
        say(PropertyId::ReceiveMaximum, self.limits.receive_maximum.into());
        say(PropertyId::MaximumPacketSize, self.limits.packet_bytes.into());
        say(PropertyId::TopicAliasMaximum, self.limits.aliases.into());
        let Limits { qos, lacks, keep_alive, session_expiry, .. } = self.limits;
        if qos < 2 {
            say(PropertyId::MaximumQoS, qos.into());
        }
        let there = [
            (PropertyId::RetainAvailable, lacks.retain),
            (PropertyId::WildcardSubscriptionAvailable, lacks.wildcards),
            (PropertyId::SubscriptionIdentifierAvailable, lacks.identifiers),
            (PropertyId::SharedSubscriptionAvailable, lacks.shares),
        ];
        for (id, _) in there.into_iter().filter(|(_, lacking)| *lacking) {
            say(id, 0_u8.into());
        }
        if let Some(seconds) = keep_alive {
            say(PropertyId::ServerKeepAlive, seconds.into());
        }
        if session_expiry < u32::MAX {
            say(PropertyId::SessionExpiryInterval, expiry.into());
        }
        if let Some(id) = assigned {
            say(PropertyId::AssignedClientIdentifier, id.into());
        }
        terms
    }

    /// 128 random bits: nobody finds the session of another by counting.
    fn assign_id(&mut self) -> Box<str> {
        if self.flaws.has(Flaw::GuessableClientIds) {
            self.plant.assigned += 1;
            return format!("auto-{:016}", self.plant.assigned).into();
        }
        if self.flaws.has(Flaw::AssignsOneClientId) {
            return "auto".into();
        }
        let id: String = format!("auto-{:016x}{:016x}", self.rng.next(), self.rng.next());
        id.into()
    }
}
