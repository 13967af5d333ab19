//! A broker and its clients without a network: bytes in, readable lines out, time by hand.
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::actor::{Act, Actor, Input, Outbox};
use proofhouse_core::admin::Order;
use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::ids::{Conn, TimerId};
use proofhouse_core::note::Note;
use proofhouse_core::seed::Seed;
use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::{
    Ack, Connect, Delivery, Disconnect, FiltersBuf, Packet, PacketId, Place, PropertiesBuf, PropertyId, Publish, QoS,
    ReasonCode, Sender, Subscribe, SubscribeOptions, SubscriptionsBuf, Text, TopicName, Unsubscribe, Version, Will,
    split,
};

use super::super::{Accounts, Broker, Limits};
use crate::flaw::Flaws;

pub(super) use Version::{V5, V311};

/// Who has what in most tests: `owner` may do everything below `a/`, `other` below `b/`, `reader` reads `a/#`.
pub(super) const ACCOUNTS: &str = "\
user owner pw-owner\npublish owner a/#\nsubscribe owner a/#\n\
user other pw-other\npublish other b/#\nsubscribe other b/#\n\
user reader pw-reader\nsubscribe reader a/#\n";

#[derive(Default)]
struct Peer {
    version: Option<Version>,
    inbox: Vec<u8>,
    closed: bool,
    lines: Vec<String>,
}

pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) now: Time,
    out: Outbox,
    wakes: Vec<(Time, TimerId)>,
    peers: BTreeMap<u32, Peer>,
    /// The next connection; a test may give numbers out again.
    pub(super) next: u32,
    pub(super) notes: Vec<Note>,
    /// Everything that anybody has heard, and what tests add: what two brokers are compared by.
    pub(super) log: Vec<String>,
}

/// A client that is about to say CONNECT.
#[derive(Clone)]
pub(super) struct As<'a> {
    pub(super) id: &'a str,
    pub(super) user: Option<(&'a str, &'a [u8])>,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    pub(super) expiry: Option<u32>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) packet_maximum: Option<u32>,
    pub(super) alias_maximum: Option<u16>,
    /// Topic, payload, delay.
    pub(super) will: Option<(&'a str, &'a [u8], u32)>,
}

pub(super) fn anyone(id: &str) -> As<'_> {
    As {
        id,
        user: None,
        clean: true,
        keep_alive: 0,
        expiry: None,
        receive_maximum: None,
        packet_maximum: None,
        alias_maximum: None,
        will: None,
    }
}

/// A user of [`ACCOUNTS`], whose password is `pw-` and the name.
pub(super) fn user<'a>(id: &'a str, name: &'a str) -> As<'a> {
    let password: &[u8] = match name {
        "owner" => b"pw-owner",
        "other" => b"pw-other",
        _ => b"pw-reader",
    };
    As { user: Some((name, password)), ..anyone(id) }
}

impl<'a> As<'a> {
    /// A session that stays for a minute; in 3.1.1 for ever.
    pub(super) fn stays(self) -> Self {
        As { clean: false, expiry: Some(60), ..self }
    }
    pub(super) fn will(self, topic: &'a str, payload: &'a [u8], delay: u32) -> Self {
        As { will: Some((topic, payload, delay)), ..self }
    }
}

pub(super) fn id(n: u16) -> PacketId {
    PacketId::new(n).unwrap()
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A broker without accounts.
pub(super) fn open_world() -> World {
    World::new(Accounts::open(), Limits::default(), Flaws::NONE)
}

/// A broker with [`ACCOUNTS`].
pub(super) fn guarded_world() -> World {
    World::new(Accounts::read(ACCOUNTS).unwrap(), Limits::default(), Flaws::NONE)
}

impl World {
    pub(super) fn new(accounts: Accounts, limits: Limits, flaws: Flaws) -> World {
        World {
            broker: Broker::new(accounts, limits, flaws, Seed(1)),
            now: Time::ZERO,
            out: Outbox::new(),
            wakes: Vec::new(),
            peers: BTreeMap::new(),
            next: 0,
            notes: Vec::new(),
            log: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.broker.handle(self.now, input, &mut self.out);
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Send(conn, start, end) => self.hear(*conn, &bytes[*start..*end]),
                Act::Close(conn, _) => {
                    let peer = self.peers.get_mut(&conn.0).unwrap();
                    assert!(!peer.closed, "connection {} closed twice", conn.0);
                    peer.closed = true;
                    self.line(*conn, "closed".to_owned());
                }
                Act::Wake(at, id) => self.wakes.push((*at, *id)),
                Act::Note(note) => {
                    if let Note::Exit(code) = note {
                        self.log.push(format!("exit {code}"));
                    }
                    self.notes.push(note.clone());
                }
                other => panic!("a broker does not {other:?}"),
            }
        }
        self.out.restore(acts, bytes);
    }

    fn line(&mut self, conn: Conn, line: String) {
        self.log.push(format!("{}: {line}", conn.0));
        self.peers.get_mut(&conn.0).unwrap().lines.push(line);
    }

    fn hear(&mut self, conn: Conn, bytes: &[u8]) {
        let peer = self.peers.get_mut(&conn.0).unwrap();
        assert!(!peer.closed, "bytes after close to {}", conn.0);
        peer.inbox.extend_from_slice(bytes);
        let inbox = core::mem::take(&mut peer.inbox);
        let version = peer.version.unwrap_or(if inbox.len() == 4 { V311 } else { V5 });
        let mut rest = &inbox[..];
        while let Some(cut) = split(version, Sender::Server, u32::MAX, rest).unwrap() {
            let packet = Packet::decode(version, Sender::Server, cut.first, cut.body);
            self.line(conn, say_packet(&packet.unwrap_or_else(|why| panic!("the broker sent {cut:02X?}: {why}"))));
            rest = &rest[cut.size..];
        }
        assert!(rest.is_empty(), "the broker sent half a packet");
    }

    pub(super) fn open(&mut self) -> Conn {
        let conn = Conn(self.next);
        self.open_from(conn, 0x7f00_0001)
    }

    pub(super) fn open_from(&mut self, conn: Conn, ip: u32) -> Conn {
        self.next = self.next.max(conn.0 + 1);
        self.peers.insert(conn.0, Peer::default());
        self.feed(Input::Accepted(conn, Addr { ip, port: 1 }));
        conn
    }

    pub(super) fn bytes(&mut self, conn: Conn, bytes: &[u8]) {
        if self.is_open(conn) {
            self.feed(Input::Bytes(conn, bytes));
        }
    }

    /// The network takes the connection away.
    pub(super) fn lose(&mut self, conn: Conn) {
        self.peers.get_mut(&conn.0).unwrap().closed = true;
        self.feed(Input::Closed(conn, Close::Reset));
    }

    pub(super) fn order(&mut self, order: &Order) {
        self.feed(Input::Order(order));
    }

    pub(super) fn is_open(&self, conn: Conn) -> bool {
        !self.peers[&conn.0].closed
    }

    /// Lets time pass, with every wake at its moment.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = (0..self.wakes.len()).filter(|n| self.wakes[*n].0 <= until).min_by_key(|n| self.wakes[*n])
        {
            let (moment, id) = self.wakes.swap_remove(at);
            self.now = self.now.max(moment);
            self.feed(Input::Timer(id));
        }
        self.now = until;
    }

    /// What a client has heard since it was last asked.
    pub(super) fn heard(&mut self, conn: Conn) -> Vec<String> {
        core::mem::take(&mut self.peers.get_mut(&conn.0).unwrap().lines)
    }

    /// As [`World::heard`], on one line.
    pub(super) fn hears(&mut self, conn: Conn) -> String {
        self.heard(conn).join("; ")
    }

    pub(super) fn say(&mut self, conn: Conn, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version(conn), &mut bytes).unwrap();
        self.bytes(conn, &bytes);
    }

    pub(super) fn version(&self, conn: Conn) -> Version {
        self.peers[&conn.0].version.unwrap_or(V5)
    }

    /// For clients that say something else than CONNECT first.
    pub(super) fn speaks(&mut self, conn: Conn, version: Version) {
        self.peers.get_mut(&conn.0).unwrap().version = Some(version);
    }

    /// Connects, and does not look at the answer.
    pub(super) fn dial(&mut self, version: Version, who: &As<'_>) -> Conn {
        let conn = self.open();
        self.connect(conn, version, who);
        conn
    }

    pub(super) fn dial_and_hear(&mut self, version: Version, who: &As<'_>) -> String {
        let conn = self.dial(version, who);
        self.hears(conn)
    }

    pub(super) fn connect(&mut self, conn: Conn, version: Version, who: &As<'_>) {
        self.speaks(conn, version);
        let mut bytes = Vec::new();
        connect_bytes(version, who, &mut bytes);
        self.bytes(conn, &bytes);
    }

    /// Connects and must be let in; the answer is gone.
    pub(super) fn client(&mut self, version: Version, who: &As<'_>) -> Conn {
        let conn = self.dial(version, who);
        let heard = self.heard(conn);
        assert!(heard.first().is_some_and(|line| line.starts_with("connack 00")), "{heard:?}");
        self.peers.get_mut(&conn.0).unwrap().lines.extend_from_slice(&heard[1..]);
        conn
    }

    pub(super) fn publish(&mut self, conn: Conn, topic: &str, qos: u8, n: u16, payload: &[u8]) {
        self.publish_with(conn, topic, qos, n, payload, false, &[]);
    }

    pub(super) fn publish_if_open(&mut self, conn: Conn, topic: &str) {
        if self.is_open(conn) {
            self.publish(conn, topic, 1, 1, b"x");
        }
    }

    pub(super) fn retain(&mut self, conn: Conn, topic: &str, qos: u8, n: u16, payload: &[u8]) {
        self.publish_with(conn, topic, qos, n, payload, true, &[]);
    }

    #[expect(clippy::too_many_arguments, reason = "a PUBLISH has that many parts")]
    pub(super) fn publish_with(
        &mut self,
        conn: Conn,
        topic: &str,
        qos: u8,
        n: u16,
        payload: &[u8],
        retain: bool,
        properties: &[(PropertyId, proofhouse_mqtt::codec::Value<'_>)],
    ) {
        let mut buf = PropertiesBuf::new(Place::Publish);
        for (id, value) in properties {
            buf.push(*id, *value).unwrap();
        }
        let delivery = Delivery::new(QoS::from_number(qos).unwrap(), PacketId::new(n), false).unwrap();
        let topic = if topic.is_empty() { TopicName::ALIASED } else { TopicName::new(topic).unwrap() };
        self.say(conn, &Packet::Publish(Publish { delivery, retain, topic, properties: buf.view(), payload }));
    }

    pub(super) fn subscribe(&mut self, conn: Conn, n: u16, filter: &str, qos: u8) {
        self.subscribe_with(conn, n, filter, SubscribeOptions::new(QoS::from_number(qos).unwrap()), None);
    }

    pub(super) fn subscribe_with(
        &mut self,
        conn: Conn,
        n: u16,
        filter: &str,
        options: SubscribeOptions,
        sub_id: Option<u32>,
    ) {
        let version = self.version(conn);
        let subscriptions = SubscriptionsBuf::new(version).with(filter, options).unwrap();
        let mut properties = PropertiesBuf::new(Place::Subscribe);
        if let Some(sub_id) = sub_id {
            properties.push(PropertyId::SubscriptionIdentifier, sub_id).unwrap();
        }
        let packet = Subscribe { id: id(n), properties: properties.view(), subscriptions: subscriptions.view() };
        self.say(conn, &Packet::Subscribe(packet));
    }

    pub(super) fn unsubscribe(&mut self, conn: Conn, n: u16, filter: &str) {
        let filters = FiltersBuf::new(self.version(conn)).with(filter).unwrap();
        self.say(
            conn,
            &Packet::Unsubscribe(Unsubscribe { id: id(n), properties: Default::default(), filters: filters.view() }),
        );
    }

    pub(super) fn puback(&mut self, conn: Conn, n: u16) {
        self.say(conn, &Packet::Puback(Ack::success(id(n))));
    }
    pub(super) fn pubrec(&mut self, conn: Conn, n: u16) {
        self.say(conn, &Packet::Pubrec(Ack::success(id(n))));
    }
    pub(super) fn pubrel(&mut self, conn: Conn, n: u16) {
        self.say(conn, &Packet::Pubrel(Ack::success(id(n))));
    }
    pub(super) fn pubcomp(&mut self, conn: Conn, n: u16) {
        self.say(conn, &Packet::Pubcomp(Ack::success(id(n))));
    }
    pub(super) fn disconnect(&mut self, conn: Conn, reason: u8) {
        self.say(conn, &Packet::Disconnect(Disconnect::new(ReasonCode(reason))));
    }

    pub(super) fn grant(&mut self, party: &str, grant: &str) {
        self.order(&Order::Grant { party: party.into(), grant: grant.into() });
    }
    pub(super) fn revoke(&mut self, party: &str, grant: &str) {
        self.order(&Order::Revoke { party: party.into(), grant: grant.into() });
    }
}

pub(super) fn connect_bytes(version: Version, who: &As<'_>, bytes: &mut Vec<u8>) {
    let mut properties = PropertiesBuf::new(Place::Connect);
    let mut will_properties = PropertiesBuf::new(Place::Will);
    if version == V5 {
        let numbers = [
            (PropertyId::SessionExpiryInterval, who.expiry),
            (PropertyId::ReceiveMaximum, who.receive_maximum.map(u32::from)),
            (PropertyId::MaximumPacketSize, who.packet_maximum),
            (PropertyId::TopicAliasMaximum, who.alias_maximum.map(u32::from)),
        ];
        for (id, value) in numbers {
            if let Some(value) = value {
                properties.push(id, value).unwrap();
            }
        }
        if let Some((_, _, delay @ 1..)) = who.will {
            will_properties.push(PropertyId::WillDelayInterval, delay).unwrap();
        }
    }
    let will = who.will.map(|(topic, payload, _)| Will {
        topic: TopicName::new(topic).unwrap(),
        payload: proofhouse_mqtt::codec::Binary::new(payload).unwrap(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: will_properties.view(),
    });
    let connect = Connect {
        clean_start: who.clean,
        keep_alive: who.keep_alive,
        client_id: Text::new(who.id).unwrap(),
        will,
        user_name: who.user.map(|(name, _)| Text::new(name).unwrap()),
        password: who.user.map(|(_, password)| proofhouse_mqtt::codec::Binary::new(password).unwrap()),
        properties: properties.view(),
    };
    Packet::Connect(connect).encode(version, bytes).unwrap();
}

fn say_packet(packet: &Packet<'_>) -> String {
    let ack = |name: &str, ack: &Ack<'_>| match ack.reason.0 {
        0 => format!("{name} {}", ack.id),
        code => format!("{name} {} {code:02x}", ack.id),
    };
    match packet {
        Packet::Connack(c) => {
            let present = if c.session_present { " present" } else { "" };
            let assigned = c.properties.assigned_client_identifier().map(|id| format!(" as {id}")).unwrap_or_default();
            format!("connack {:02x}{present}{assigned}", c.code.0)
        }
        Packet::Publish(p) => say_publish(p),
        Packet::Puback(a) => ack("puback", a),
        Packet::Pubrec(a) => ack("pubrec", a),
        Packet::Pubrel(a) => ack("pubrel", a),
        Packet::Pubcomp(a) => ack("pubcomp", a),
        Packet::Suback(s) => format!("suback {} {:02x?}", s.id, s.codes),
        Packet::Unsuback(u) => format!("unsuback {} {:02x?}", u.id, u.codes),
        Packet::Pingresp => "pingresp".to_string(),
        Packet::Disconnect(d) => format!("disconnect {:02x}", d.reason.0),
        other => panic!("a broker does not say {other:?}"),
    }
}

fn say_publish(p: &Publish<'_>) -> String {
    let mut line = format!("{} q{}", p.topic.as_str(), p.delivery.qos().number());
    if let Some(id) = p.delivery.id() {
        line += &format!(" #{id}");
    }
    if p.delivery.dup() {
        line += " dup";
    }
    if p.retain {
        line += " retained";
    }
    let ids: Vec<u32> = p.properties.subscription_identifiers().collect();
    if !ids.is_empty() {
        line += &format!(" ids {ids:?}");
    }
    if let Some(left) = p.properties.message_expiry_interval() {
        line += &format!(" left {left}");
    }
    if let Some(alias) = p.properties.topic_alias() {
        line += &format!(" alias {alias}");
    }
    for (name, value) in p.properties.user_properties() {
        line += &format!(" {name}={value}");
    }
    match p.payload.len() {
        0..=40 => line + &format!(" {}", p.payload.escape_ascii()),
        len => line + &format!(" [{len}]"),
    }
}
