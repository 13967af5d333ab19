//! A whole MQTT client for devices: QoS 0 to 2 both ways, keep-alive, Will, sessions that outlive connections, topic aliases,
//! flow control, re-delivery after a reconnect.
//!
//! [`Session`] is sans-io: bytes and time in, bytes and [`Event`]s out. [`Client`] ties it to connections and timers, and
//! reconnects with exponential back-off and jitter. What a device must not do by itself it cannot do here; attackers use scripts.
mod backoff;
mod client;
mod flight;
mod profile;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::time::{Duration, Time};

use crate::codec::{
    Ack, Binary, Connack, Connect, Disconnect, FiltersBuf, Framer, Packet, PacketId, Place, Properties, PropertiesBuf,
    PropertyId, Publish, QoS, Reason, ReasonCode, Sender, Subscribe, SubscribeOptions, SubscriptionsBuf, Text,
    TopicName, Unsubscribe, Version, Will,
};

pub use backoff::Backoff;
pub use client::Client;
pub use flight::{Message, Ticket};
pub(crate) use client::FIRST_FREE_TIMER;
pub(crate) use profile::plain_topic;
pub use profile::{Profile, WillProfile};

use flight::{Flight, Stage};

/// How long a server may take to answer CONNECT.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Messages that wait for a connection or for the server's quota. A device drops new ones above that.
const QUEUE_MAX: usize = 1000;

/// What a session has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Accepted; `present`: the server went on with a session that it kept.
    Connected {
        /// Session Present.
        present: bool,
    },
    /// The server refused CONNECT.
    Refused(ReasonCode),
    /// A message arrived; a QoS 2 message that is sent again is told once.
    Message {
        /// The topic, also where the server used an alias.
        topic: &'a str,
        /// The message itself.
        payload: &'a [u8],
        /// The quality with which it came.
        qos: QoS,
        /// The RETAIN flag.
        retain: bool,
    },
    /// The server took a message (QoS 1: PUBACK, QoS 2: PUBCOMP), or refused it.
    Delivered {
        /// What [`Session::publish`] returned.
        ticket: Ticket,
        /// The server's code.
        reason: ReasonCode,
    },
    /// The answer to [`Session::subscribe`]: one code for each filter.
    Subscribed(&'a [u8]),
    /// The answer to [`Session::unsubscribe`].
    Unsubscribed,
    /// The server ended the connection with a reason.
    Ended(ReasonCode),
}

/// What [`Session::tick`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// All is well; look again at this time.
    Next(Time),
    /// All is well, and nothing will be due.
    Idle,
    /// The server no longer answers: end the connection.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offline,
    /// CONNECT was sent.
    Connecting(Time),
    Online,
}

/// What the server allows, from its CONNACK.
#[derive(Clone, Copy, Debug)]
struct Limits {
    receive_maximum: u16,
    alias_maximum: u16,
    packet_maximum: u32,
    qos: QoS,
    retain: bool,
}

const NO_LIMITS: Limits = Limits {
    receive_maximum: u16::MAX,
    alias_maximum: 0,
    packet_maximum: u32::MAX,
    qos: QoS::ExactlyOnce,
    retain: true,
};

/// One client's session, across its connections.
pub struct Session {
    profile: Arc<Profile>,
    client_id: String,
    state: State,
    framer: Framer,
    limits: Limits,
    /// Sent and not yet acknowledged, in the order in which they were first sent.
    flights: Vec<Flight>,
    /// Not sent yet.
    waiting: VecDeque<(Ticket, Message)>,
    /// QoS 2 messages that were told and not yet released.
    received: Vec<PacketId>,
    /// SUBSCRIBE and UNSUBSCRIBE without an answer.
    asked: Vec<PacketId>,
    aliases_out: Vec<String>,
    aliases_in: Vec<String>,
    last_id: u16,
    last_ticket: u32,
    keep_alive: Duration,
    spoke: Time,
    /// When a PINGREQ was sent that has no answer yet.
    pinged: Option<Time>,
}

impl Session {
    /// A session that has never been connected.
    #[must_use]
    pub fn new(profile: Arc<Profile>, client_id: String) -> Session {
        Session {
            framer: Framer::new(profile.version, Sender::Server, u32::MAX),
            client_id,
            state: State::Offline,
            limits: NO_LIMITS,
            flights: Vec::new(),
            waiting: VecDeque::new(),
            received: Vec::new(),
            asked: Vec::new(),
            aliases_out: Vec::new(),
            aliases_in: Vec::new(),
            last_id: 0,
            last_ticket: 0,
            keep_alive: Duration::ZERO,
            spoke: Time::ZERO,
            pinged: None,
            profile,
        }
    }

    /// The client identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether the server has accepted the current connection.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Messages that are not acknowledged yet, sent or not.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.flights.len() + self.waiting.len()
    }

    /// A connection stands: says CONNECT.
    ///
    /// # Panics
    /// If the profile holds what no CONNECT can hold, such as a client id of more than 65,535 bytes: our own mistake.
    pub fn connect(&mut self, now: Time, out: &mut Vec<u8>) {
        let profile = self.profile.clone();
        self.framer = Framer::new(profile.version, Sender::Server, u32::MAX);
        self.aliases_out.clear();
        self.aliases_in.clear();
        self.asked.clear();
        self.limits = NO_LIMITS;
        self.pinged = None;
        self.state = State::Connecting(now);
        self.spoke = now;
        self.keep_alive = Duration::from_secs(profile.keep_alive.into());
        let (properties, will) = (profile.connect_properties(), profile.will.as_ref());
        let will_properties = will.map(WillProfile::properties).unwrap_or(PropertiesBuf::new(Place::Will));
        let will_topic = will.map(|will| will.topic.replace("{id}", &self.client_id)).unwrap_or_default();
        let connect = Connect {
            clean_start: profile.clean_start,
            keep_alive: profile.keep_alive,
            client_id: Text::new(&self.client_id).expect("a client id of ours is short"),
            will: will.map(|will| Will {
                topic: TopicName::new(&will_topic).expect("the loader has checked the Will's topic"),
                payload: Binary::new(&will.payload).expect("a Will of ours is short"),
                qos: will.qos,
                retain: will.retain,
                properties: will_properties.view().for_version(profile.version),
            }),
            user_name: profile.account.as_ref().map(|(user, _)| Text::new(user).expect("a user name is short")),
            password: profile.account.as_ref().map(|(_, p)| Binary::new(p.as_bytes()).expect("a password is short")),
            properties: properties.view().for_version(profile.version),
        };
        write(&Packet::Connect(connect), profile.version, out);
    }

    /// Bytes of the server: answers go to `out`, what happened to `on`.
    ///
    /// # Errors
    /// The server broke the protocol. What there is to say about it stands in `out`; the connection must be ended.
    pub fn hear(
        &mut self,
        now: Time,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Reason> {
        let version = self.profile.version;
        let mut framer = core::mem::replace(&mut self.framer, Framer::new(version, Sender::Server, u32::MAX));
        let read = loop {
            match framer.next(&mut bytes) {
                Ok(None) => break Ok(()),
                Err(reason) => break Err(reason),
                Ok(Some(cut)) => {
                    let packet = Packet::decode(version, Sender::Server, cut.first, cut.body);
                    if let Err(reason) = packet.and_then(|packet| self.packet(now, &packet, out, on)) {
                        break Err(reason);
                    }
                }
            }
        };
        self.framer = framer;
        if let (Err(reason), Version::V5, State::Online) = (&read, version, self.state) {
            write(&Packet::Disconnect(Disconnect::new(reason.code)), version, out);
        }
        read
    }

    /// Sends a message, now or as soon as there is a connection and quota. `None`: too many wait already.
    pub fn publish(&mut self, now: Time, message: Message, out: &mut Vec<u8>) -> Option<Ticket> {
        if self.waiting.len() >= QUEUE_MAX {
            return None;
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        self.waiting.push_back((ticket, message));
        self.send_waiting(now, out);
        Some(ticket)
    }

    /// Asks for messages. Only online; a session asks again after each [`Event::Connected`] that was not `present`.
    ///
    /// # Errors
    /// A filter that is none.
    pub fn subscribe(&mut self, now: Time, filters: &[(&str, QoS)], out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut subscriptions = SubscriptionsBuf::new(self.profile.version);
        for (filter, qos) in filters {
            subscriptions.push(filter, SubscribeOptions::new(*qos))?;
        }
        let id = self.fresh_id();
        self.asked.push(id);
        let view = subscriptions.view();
        self.say(now, &Packet::Subscribe(Subscribe { id, properties: Properties::EMPTY, subscriptions: view }), out);
        Ok(())
    }

    /// Asks for no more messages. Only online.
    ///
    /// # Errors
    /// A filter that is none.
    pub fn unsubscribe(&mut self, now: Time, filters: &[&str], out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut all = FiltersBuf::new(self.profile.version);
        for filter in filters {
            all.push(filter)?;
        }
        let id = self.fresh_id();
        self.asked.push(id);
        let filters = all.view();
        self.say(now, &Packet::Unsubscribe(Unsubscribe { id, properties: Properties::EMPTY, filters }), out);
        Ok(())
    }

    /// Says goodbye; the caller ends the connection.
    pub fn disconnect(&mut self, now: Time, out: &mut Vec<u8>) {
        if self.is_online() {
            self.say(now, &Packet::Disconnect(Disconnect::default()), out);
        }
        self.lost();
    }

    /// The connection is over. What was not acknowledged is sent again over the next one.
    pub fn lost(&mut self) {
        self.state = State::Offline;
        self.pinged = None;
    }

    /// Does what is due by now: keep-alive, and finding out that nobody answers any more.
    pub fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Tick {
        match self.state {
            State::Offline => Tick::Idle,
            State::Connecting(since) if now >= since + CONNECT_MAX => Tick::Dead,
            State::Connecting(since) => Tick::Next(since + CONNECT_MAX),
            State::Online if self.keep_alive == Duration::ZERO => Tick::Idle,
            State::Online => self.keep_alive(now, out),
        }
    }

    fn keep_alive(&mut self, now: Time, out: &mut Vec<u8>) -> Tick {
        if let Some(pinged) = self.pinged {
            return if now >= pinged + self.keep_alive { Tick::Dead } else { Tick::Next(pinged + self.keep_alive) };
        }
        // An eighth early: the interval runs until the server has our packet, not until we have sent it.
        let due = self.spoke + (self.keep_alive - self.keep_alive / 8);
        if now < due {
            return Tick::Next(due);
        }
        self.pinged = Some(now);
        self.say(now, &Packet::Pingreq, out);
        Tick::Next(now + self.keep_alive)
    }

    fn packet(
        &mut self,
        now: Time,
        packet: &Packet<'_>,
        out: &mut Vec<u8>,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Reason> {
        if matches!(self.state, State::Connecting(_)) != matches!(packet, Packet::Connack(_)) {
            // AUTH and a DISCONNECT may stand in for CONNACK; we offer no method, so only the second comes.
            let excused = matches!(packet, Packet::Disconnect(_));
            OUT_OF_ORDER.unless(excused)?;
        }
        match packet {
            Packet::Connack(connack) => self.connack(now, connack, out, on)?,
            Packet::Publish(publish) => self.message(now, publish, out, on)?,
            Packet::Puback(ack) => self.taken(ack, Stage::Published, on),
            Packet::Pubrec(ack) => self.pubrec(now, ack, out, on),
            Packet::Pubrel(ack) => self.pubrel(now, ack, out),
            Packet::Pubcomp(ack) => self.taken(ack, Stage::Released, on),
            Packet::Suback(ack) if self.answered(ack.id) => on(Event::Subscribed(ack.codes)),
            Packet::Unsuback(ack) if self.answered(ack.id) => on(Event::Unsubscribed),
            Packet::Pingresp => self.pinged = None,
            Packet::Disconnect(disconnect) => on(Event::Ended(disconnect.reason)),
            _ => {}
        }
        self.send_waiting(now, out);
        Ok(())
    }

    fn connack(
        &mut self,
        now: Time,
        connack: &Connack<'_>,
        out: &mut Vec<u8>,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Reason> {
        if !connack.accepted() {
            on(Event::Refused(connack.code));
            return Ok(());
        }
        PRESENT_AFTER_CLEAN_START.unless(!connack.session_present || !self.profile.clean_start)?;
        let properties = connack.properties;
        self.limits = Limits {
            receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
            alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            packet_maximum: properties.maximum_packet_size().unwrap_or(u32::MAX),
            qos: properties.maximum_qos().and_then(QoS::from_number).unwrap_or(QoS::ExactlyOnce),
            retain: properties.retain_available().unwrap_or(true),
        };
        if let Some(seconds) = properties.server_keep_alive() {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        if let Some(id) = properties.assigned_client_identifier() {
            self.client_id = id.to_string();
        }
        self.state = State::Online;
        on(Event::Connected { present: connack.session_present });
        self.resume(now, connack.session_present, out, on);
        Ok(())
    }

    /// Sends again what was not acknowledged \[MQTT3 4.4.0-1, MQTT5 4.4.0-1\]. A server that forgot the session gets the
    /// messages as new ones; what it had already taken (PUBREC) counts as delivered.
    fn resume(&mut self, now: Time, present: bool, out: &mut Vec<u8>, on: &mut dyn FnMut(Event<'_>)) {
        if !present {
            self.received.clear();
            for flight in self.flights.iter().filter(|flight| flight.stage == Stage::Released) {
                on(Event::Delivered { ticket: flight.ticket, reason: ReasonCode::SUCCESS });
            }
            self.flights.retain(|flight| flight.stage == Stage::Published);
        }
        let flights = core::mem::take(&mut self.flights);
        for flight in &flights {
            match flight.stage {
                Stage::Published => {
                    self.say_publish(now, &flight.message, Some((flight.id, present)), out);
                }
                Stage::Released => self.say(now, &Packet::Pubrel(Ack::success(flight.id)), out),
            }
        }
        self.flights = flights;
    }

    fn message(
        &mut self,
        now: Time,
        publish: &Publish<'_>,
        out: &mut Vec<u8>,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Reason> {
        let known = self.resolve(publish)?;
        let topic = known.map_or(publish.topic.as_str(), |at| self.aliases_in[at].as_str());
        let (qos, id) = (publish.delivery.qos(), publish.delivery.id());
        let again = qos == QoS::ExactlyOnce && id.is_some_and(|id| self.received.contains(&id));
        if !again {
            on(Event::Message { topic, payload: publish.payload, qos, retain: publish.retain });
        }
        match (qos, id) {
            (QoS::AtLeastOnce, Some(id)) => self.say(now, &Packet::Puback(Ack::success(id)), out),
            (QoS::ExactlyOnce, Some(id)) => {
                if !again {
                    self.received.push(id);
                }
                self.say(now, &Packet::Pubrec(Ack::success(id)), out);
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps a new alias; the place of the topic that a known one stands for.
    fn resolve(&mut self, publish: &Publish<'_>) -> Result<Option<usize>, Reason> {
        let Some(alias) = publish.properties.topic_alias() else { return Ok(None) };
        ALIAS_TOO_HIGH.unless(alias <= self.profile.topic_alias_maximum)?;
        let at = usize::from(alias) - 1;
        if self.aliases_in.len() <= at {
            self.aliases_in.resize(at + 1, String::new());
        }
        if !publish.topic.is_empty() {
            self.aliases_in[at] = publish.topic.to_string();
        }
        ALIAS_UNKNOWN.unless(!self.aliases_in[at].is_empty())?;
        Ok(Some(at))
    }

    /// The last word on a message: PUBACK for QoS 1, PUBCOMP for QoS 2.
    fn taken(&mut self, ack: &Ack<'_>, stage: Stage, on: &mut dyn FnMut(Event<'_>)) {
        let qos = if stage == Stage::Published { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        let is_it = |flight: &Flight| flight.id == ack.id && flight.stage == stage && flight.message.qos == qos;
        if let Some(at) = self.flights.iter().position(is_it) {
            let ticket = self.flights.remove(at).ticket;
            on(Event::Delivered { ticket, reason: ack.reason });
        }
    }

    fn pubrec(&mut self, now: Time, ack: &Ack<'_>, out: &mut Vec<u8>, on: &mut dyn FnMut(Event<'_>)) {
        let is_it = |flight: &Flight| flight.id == ack.id && flight.message.qos == QoS::ExactlyOnce;
        let Some(at) = self.flights.iter().position(is_it) else {
            return self.say(now, &Packet::Pubrel(self.not_found(ack.id)), out);
        };
        if ack.reason.is_ok() {
            self.flights[at].stage = Stage::Released;
            self.say(now, &Packet::Pubrel(Ack::success(ack.id)), out);
        } else {
            let ticket = self.flights.remove(at).ticket;
            on(Event::Delivered { ticket, reason: ack.reason });
        }
    }

    fn pubrel(&mut self, now: Time, ack: &Ack<'_>, out: &mut Vec<u8>) {
        let known = self.received.iter().position(|id| *id == ack.id);
        if let Some(at) = known {
            self.received.swap_remove(at);
        }
        let answer = if known.is_some() { Ack::success(ack.id) } else { self.not_found(ack.id) };
        self.say(now, &Packet::Pubcomp(answer), out);
    }

    fn not_found(&self, id: PacketId) -> Ack<'static> {
        match self.profile.version {
            Version::V311 => Ack::success(id),
            Version::V5 => Ack::with_reason(id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND),
        }
    }

    fn answered(&mut self, id: PacketId) -> bool {
        let at = self.asked.iter().position(|asked| *asked == id);
        if let Some(at) = at {
            self.asked.swap_remove(at);
        }
        at.is_some()
    }

    /// Sends what waits, as far as the server's quota goes \[MQTT5 3.3.4-9\].
    fn send_waiting(&mut self, now: Time, out: &mut Vec<u8>) {
        while self.is_online() {
            let Some((_, next)) = self.waiting.front() else { return };
            let acknowledged = next.qos.min(self.limits.qos) != QoS::AtMostOnce;
            let most = self.limits.receive_maximum.min(self.profile.in_flight_maximum);
            if acknowledged && self.flights.len() >= usize::from(most) {
                return;
            }
            let Some((ticket, mut message)) = self.waiting.pop_front() else { return };
            message.qos = message.qos.min(self.limits.qos);
            message.retain &= self.limits.retain;
            let id = acknowledged.then(|| self.fresh_id());
            let said = self.say_publish(now, &message, id.map(|id| (id, false)), out);
            if let Some(id) = id.filter(|_| said) {
                self.flights.push(Flight { id, ticket, message, stage: Stage::Published });
            }
        }
    }

    /// `false`: the server takes no packet of that size \[MQTT5 3.2.2-15\], and the message is dropped.
    fn say_publish(&mut self, now: Time, message: &Message, id: Option<(PacketId, bool)>, out: &mut Vec<u8>) -> bool {
        let (known, properties) = self.alias(&message.topic);
        let delivery = message.delivery(id);
        let topic = if known { Ok(TopicName::ALIASED) } else { TopicName::new(&message.topic) };
        let topic = topic.expect("the loader has checked the topic");
        let publish = Publish {
            retain: message.retain,
            properties: properties.view(),
            ..Publish::new(delivery, topic, &message.payload)
        };
        let packet = Packet::Publish(publish);
        let fits = packet.encoded_len(self.profile.version).is_ok_and(|len| len <= self.limits.packet_maximum as usize);
        if fits {
            self.say(now, &packet, out);
        }
        fits
    }

    /// Whether the server knows the topic by its alias, and the property that says the alias. Aliases are given in the order of
    /// first use until the server's maximum is reached.
    fn alias(&mut self, topic: &str) -> (bool, PropertiesBuf) {
        let none = PropertiesBuf::new(Place::Publish);
        if !self.profile.use_aliases || self.limits.alias_maximum == 0 {
            return (false, none);
        }
        let known = self.aliases_out.iter().position(|of| of == topic);
        let at = match known {
            Some(at) => at,
            None if self.aliases_out.len() < usize::from(self.limits.alias_maximum) => {
                self.aliases_out.push(topic.to_string());
                self.aliases_out.len() - 1
            }
            None => return (false, none),
        };
        let properties = none.with(PropertyId::TopicAlias, at as u16 + 1).expect("an alias may stand in a PUBLISH");
        (known.is_some(), properties)
    }

    /// An identifier that is not in use \[MQTT3 2.3.1-2, MQTT5 2.2.1-3\].
    fn fresh_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && !self.asked.contains(&id)
                && !self.flights.iter().any(|flight| flight.id == id)
            {
                return id;
            }
        }
    }

    fn say(&mut self, now: Time, packet: &Packet<'_>, out: &mut Vec<u8>) {
        self.spoke = now;
        write(packet, self.profile.version, out);
    }
}

/// Something that a server does only if it breaks the protocol.
struct Breach(Reason);

const OUT_OF_ORDER: Breach = Breach(Reason {
    clause: "MQTT5 3.2.0-1",
    code: ReasonCode::PROTOCOL_ERROR,
    what: "a packet before CONNACK, or a second CONNACK",
});
const PRESENT_AFTER_CLEAN_START: Breach = Breach(Reason {
    clause: "MQTT5 3.2.2-2",
    code: ReasonCode::PROTOCOL_ERROR,
    what: "Session Present after a Clean Start",
});
const ALIAS_TOO_HIGH: Breach = Breach(Reason {
    clause: "MQTT5 3.1.2-26",
    code: ReasonCode::TOPIC_ALIAS_INVALID,
    what: "a Topic Alias above the maximum of the client",
});
const ALIAS_UNKNOWN: Breach = Breach(Reason {
    clause: "MQTT5 §3.3.2.3.4",
    code: ReasonCode::PROTOCOL_ERROR,
    what: "a Topic Alias that stands for no topic",
});

impl Breach {
    const fn unless(&self, holds: bool) -> Result<(), Reason> {
        if holds { Ok(()) } else { Err(self.0) }
    }
}

fn write(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    if let Err(reason) = packet.encode(version, out) {
        panic!("a device wanted to send {packet:?}: {reason}");
    }
}

/// A fleet of one for tests.
#[cfg(test)]
pub(crate) fn test_fleet(name: &str, keys: proofhouse_core::value::Fields) -> proofhouse_core::plan::FleetPlan {
    use proofhouse_core::{actor::EndpointId, plan, spread::Spread};
    plan::FleetPlan {
        name: name.into(),
        index: 0,
        party: None,
        protocol: "mqtt".into(),
        version: "5".into(),
        endpoint: "plain".into(),
        endpoint_id: EndpointId(0),
        authenticated: false,
        plays_server: false,
        count: 1,
        only: None,
        behaviour: "script".into(),
        source: plan::Source::One,
        ramp: Duration::ZERO,
        part: None,
        manual: false,
        steps: Vec::new(),
        keys,
        network: plan::Network {
            delay: Spread::Fixed(Duration::ZERO),
            loss: 0.0,
            cut: None,
            stall: None,
            rate: 0,
            split: 0,
        },
    }
}
