//! A whole MQTT client for devices: QoS 0 to 2 both ways, keep-alive, Will, sessions that outlive connections, topic aliases,
//! flow control, re-delivery after a reconnect.
//!
//! [`Session`] is sans-io: bytes and time in, bytes and [`Event`]s out. [`Client`] ties it to connections and timers, and
//! reconnects with exponential back-off and jitter. What a device must not do by itself it cannot do here; attackers use scripts.
mod backoff;
mod client;
mod flight;
mod hear;
pub mod limits;
mod profile;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::time::{Duration, Time};

use crate::codec::{
    Binary, Connect, Disconnect, FiltersBuf, Framer, Packet, PacketId, Place, Properties, PropertiesBuf, PropertyId,
    Publish, QoS, Reason, ReasonCode, Sender, Subscribe, SubscribeOptions, SubscriptionsBuf, Text, TopicName,
    Unsubscribe, Version, Will,
};

pub use backoff::Backoff;
pub use client::Client;
pub(crate) use client::FIRST_FREE_TIMER;
pub use flight::{Message, Ticket};
pub(crate) use profile::plain_topic;
pub use profile::{Profile, WillProfile};

use flight::Flight;
use limits::{Announced, Limit, allows};

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
    /// The server takes no such message: it was dropped.
    Dropped {
        /// What [`Session::publish`] returned.
        ticket: Ticket,
        /// What the server announced.
        limit: Limit,
    },
    /// The answer to [`Session::subscribe`]: one code for each filter.
    Subscribed(&'a [u8]),
    /// The answer to [`Session::unsubscribe`].
    Unsubscribed,
    /// The server ended the connection with a reason.
    Ended(ReasonCode),
}

/// Why a message was not taken over by the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many wait already.
    Full,
    /// The server takes no such message.
    Limit(Limit),
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

/// One client's session, across its connections.
pub struct Session {
    profile: Arc<Profile>,
    client_id: String,
    state: State,
    framer: Framer,
    /// What the server announced on this connection.
    announced: Announced,
    /// CONNECT said Clean Start on this connection.
    clean: bool,
    /// We hold the state of a session that outlives its connection.
    kept: bool,
    /// The server holds a session that we know nothing of: the next CONNECT says Clean Start \[MQTT5 3.2.2-4\].
    afresh: bool,
    /// Sent and not yet acknowledged: those without PUBREC in the order in which they were first sent \[MQTT5 4.6.0-1\], those with it in
    /// the order of their PUBRECs \[MQTT5 4.6.0-4\].
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
            announced: Announced::NOTHING,
            clean: false,
            kept: false,
            afresh: false,
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
        self.announced = Announced::NOTHING;
        self.clean = profile.clean_start || self.afresh;
        self.pinged = None;
        self.state = State::Connecting(now);
        self.spoke = now;
        self.keep_alive = Duration::from_secs(profile.keep_alive.into());
        let (properties, will) = (profile.connect_properties(), profile.will.as_ref());
        let will_properties = will.map(WillProfile::properties).unwrap_or(PropertiesBuf::new(Place::Will));
        let will_topic = will.map(|will| will.topic.replace("{id}", &self.client_id)).unwrap_or_default();
        let connect = Connect {
            clean_start: self.clean,
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
                // What comes behind a refusal or a goodbye is nobody's.
                _ if self.state == State::Offline => break Ok(()),
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
            // A server that takes no packet of that size hears nothing.
            let _too_large = self.say(now, &Packet::Disconnect(Disconnect::new(reason.code)), out);
        }
        if read.is_err() {
            self.lost();
        }
        read
    }

    /// Sends a message, now or as soon as there is a connection and quota.
    ///
    /// # Errors
    /// Too many wait already, or the server takes no such message. One that has to wait may still be refused: [`Event::Dropped`].
    pub fn publish(&mut self, now: Time, message: Message, out: &mut Vec<u8>) -> Result<Ticket, Refused> {
        if self.waiting.len() >= QUEUE_MAX {
            return Err(Refused::Full);
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        self.waiting.push_back((ticket, message));
        // Whatever was before it in the queue still waits for quota: only the new one can be dropped now.
        let mut taken = Ok(ticket);
        self.send_waiting(now, out, &mut |event| {
            if let Event::Dropped { limit, .. } = event {
                taken = Err(Refused::Limit(limit));
            }
        });
        taken
    }

    /// Asks for messages; a session asks again after each [`Event::Connected`] that was not `present`.
    ///
    /// # Errors
    /// A filter that is none, or one that the server does not take; not online.
    pub fn subscribe(&mut self, now: Time, filters: &[(&str, QoS)], out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut subscriptions = SubscriptionsBuf::new(self.profile.version);
        for (filter, qos) in filters {
            subscriptions.push(filter, SubscribeOptions::new(*qos))?;
        }
        let (id, subscriptions) = (self.fresh_id(), subscriptions.view());
        self.ask(now, id, &Packet::Subscribe(Subscribe { id, properties: Properties::EMPTY, subscriptions }), out)
    }

    /// Asks for no more messages.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&mut self, now: Time, filters: &[&str], out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut all = FiltersBuf::new(self.profile.version);
        for filter in filters {
            all.push(filter)?;
        }
        let (id, filters) = (self.fresh_id(), all.view());
        self.ask(now, id, &Packet::Unsubscribe(Unsubscribe { id, properties: Properties::EMPTY, filters }), out)
    }

    fn ask(&mut self, now: Time, id: PacketId, packet: &Packet<'_>, out: &mut Vec<u8>) -> Result<(), Reason> {
        if !self.is_online() {
            return Err(NOT_ONLINE);
        }
        self.say(now, packet, out)?;
        self.asked.push(id);
        Ok(())
    }

    /// Says goodbye; the caller ends the connection.
    pub fn disconnect(&mut self, now: Time, out: &mut Vec<u8>) {
        if self.is_online() {
            // A server that takes not even this sees the end of the connection only.
            let _too_large = self.say(now, &Packet::Disconnect(Disconnect::default()), out);
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
            State::Connecting(since) => self.keep_alive_early(now, since + CONNECT_MAX, out),
            State::Online if self.keep_alive == Duration::ZERO => Tick::Idle,
            State::Online => self.keep_alive(now, out),
        }
    }

    /// Keep Alive counts from CONNECT on, whenever its answer comes \[MQTT5 3.1.2-20\].
    fn keep_alive_early(&mut self, now: Time, until: Time, out: &mut Vec<u8>) -> Tick {
        if self.keep_alive > Duration::ZERO && now >= self.ping_due() {
            self.spoke = now;
            write(&Packet::Pingreq, self.profile.version, out);
        }
        Tick::Next(if self.keep_alive > Duration::ZERO { until.min(self.ping_due()) } else { until })
    }

    /// An eighth early: the interval runs until the server has our packet, not until we have sent it.
    fn ping_due(&self) -> Time {
        self.spoke + (self.keep_alive - self.keep_alive / 8)
    }

    fn keep_alive(&mut self, now: Time, out: &mut Vec<u8>) -> Tick {
        if let Some(pinged) = self.pinged {
            return if now >= pinged + self.keep_alive { Tick::Dead } else { Tick::Next(pinged + self.keep_alive) };
        }
        let due = self.ping_due();
        if now < due {
            return Tick::Next(due);
        }
        self.pinged = Some(now);
        match self.say(now, &Packet::Pingreq, out) {
            Ok(()) => Tick::Next(now + self.keep_alive),
            Err(_) => Tick::Dead,
        }
    }

    /// Sends what must be sent again, then what waits, as far as the server's quota goes \[MQTT5 3.3.4-7, 4.9.0-2\].
    fn send_waiting(&mut self, now: Time, out: &mut Vec<u8>, on: &mut dyn FnMut(Event<'_>)) {
        self.send_again(now, out);
        while self.is_online() {
            let Some((_, next)) = self.waiting.front() else { return };
            let acknowledged = next.qos.min(self.announced.maximum_qos) != QoS::AtMostOnce;
            if acknowledged && !self.has_room() {
                return;
            }
            let Some((ticket, mut message)) = self.waiting.pop_front() else { return };
            message.qos = message.qos.min(self.announced.maximum_qos);
            message.retain &= self.announced.retain;
            let id = acknowledged.then(|| self.fresh_id());
            match (self.say_publish(now, &message, id.map(|id| (id, false)), out), id) {
                (Err(limit), _) => on(Event::Dropped { ticket, limit }),
                (Ok(()), Some(id)) => self.flights.push(Flight::new(id, ticket, message)),
                (Ok(()), None) => {}
            }
        }
    }

    /// Sends again, in order, what a new connection owes: as much of it as the server's quota takes. A message that the server does
    /// not take any more keeps its identifier and waits for a connection on other terms; it is never sent as something else.
    fn send_again(&mut self, now: Time, out: &mut Vec<u8>) {
        for at in 0..self.flights.len() {
            if !self.is_online() || !self.flights[at].again || !self.has_room() {
                continue;
            }
            let (id, message) = (self.flights[at].id, core::mem::take(&mut self.flights[at].message));
            self.flights[at].again = self.say_publish(now, &message, Some((id, true)), out).is_err();
            self.flights[at].message = message;
        }
    }

    /// Whether one more message may be under way.
    fn has_room(&self) -> bool {
        let under_way = self.flights.iter().filter(|flight| !flight.again).count();
        under_way < usize::from(self.profile.in_flight_maximum) && self.announced.takes_beside(under_way).is_ok()
    }

    /// Says a message, by its alias where that is possible.
    fn say_publish(
        &mut self,
        now: Time,
        message: &Message,
        id: Option<(PacketId, bool)>,
        out: &mut Vec<u8>,
    ) -> Result<(), Limit> {
        let topic = TopicName::new(&message.topic).expect("the loader has checked the topic");
        let plain = Publish { retain: message.retain, ..Publish::new(message.delivery(id), topic, &message.payload) };
        let Some(alias) = self.alias(&message.topic) else { return self.say(now, &Packet::Publish(plain), out) };
        let property = PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, alias.number());
        let properties = property.expect("an alias may stand in a PUBLISH");
        let topic = if matches!(alias, Alias::Known(_)) { TopicName::ALIASED } else { topic };
        let said = self.say(now, &Packet::Publish(Publish { topic, properties: properties.view(), ..plain }), out);
        match (said, alias) {
            // The property takes three bytes, which may be those that are too many.
            (Err(_), _) => return self.say(now, &Packet::Publish(plain), out),
            // Only what was sent was defined.
            (Ok(()), Alias::New(_)) => self.aliases_out.push(message.topic.clone()),
            (Ok(()), Alias::Known(_)) => {}
        }
        Ok(())
    }

    /// The alias of a topic. Aliases are given in the order of first use until the server's maximum is reached.
    fn alias(&self, topic: &str) -> Option<Alias> {
        let most = if self.profile.use_aliases { self.announced.topic_alias_maximum } else { 0 };
        match self.aliases_out.iter().position(|of| of == topic) {
            Some(at) => Some(Alias::Known(at as u16 + 1)),
            None if self.aliases_out.len() < usize::from(most) => Some(Alias::New(self.aliases_out.len() as u16 + 1)),
            None => None,
        }
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

    /// Says what the server takes; nothing is said beyond its limits.
    fn say(&mut self, now: Time, packet: &Packet<'_>, out: &mut Vec<u8>) -> Result<(), Limit> {
        allows(&self.announced, packet)?;
        self.spoke = now;
        write(packet, self.profile.version, out);
        Ok(())
    }
}

/// A topic alias of ours, on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alias {
    /// The server does not know it yet.
    New(u16),
    /// It stands for the topic.
    Known(u16),
}

impl Alias {
    const fn number(self) -> u16 {
        match self {
            Alias::New(number) | Alias::Known(number) => number,
        }
    }
}

const NOT_ONLINE: Reason = Reason {
    clause: "MQTT5 §3.1.4",
    code: ReasonCode::UNSPECIFIED_ERROR,
    what: "the limits of a server are not known before its CONNACK",
};

fn write(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    if let Err(reason) = packet.encode(version, out) {
        panic!("a device wanted to send {packet:?}: {reason}");
    }
}
