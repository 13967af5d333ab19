//! A whole MQTT client for devices: QoS 0 to 2 both ways, keep-alive, Will, sessions that outlive connections, topic aliases,
//! flow control, re-delivery after a reconnect.
//!
//! [`Session`] is sans-io: bytes and time in, bytes and [`Event`]s out. [`Client`] ties it to connections and timers, and
//! reconnects with exponential back-off and jitter. What a device must not do by itself it cannot do here; attackers use scripts.
mod backoff;
mod client;
mod flight;
mod hear;
mod profile;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
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

fn write(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    if let Err(reason) = packet.encode(version, out) {
        panic!("a device wanted to send {packet:?}: {reason}");
    }
}

/// A fleet of one for tests.
#[cfg(test)]
pub(crate) fn test_fleet(name: &str, keys: proofhouse_core::value::Fields) -> proofhouse_core::plan::FleetPlan {
    use proofhouse_core::{actor::EndpointId, plan};
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
        network: plan::Network::CLEAN,
    }
}
