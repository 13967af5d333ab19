//! What clients are told: messages, as many at a time as they take, each with the right to it asked for as it leaves.
use alloc::sync::Arc;

use proofhouse_core::actor::Outbox;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{
    Ack, Delivery as WireDelivery, Packet, PacketId, Properties, PropertiesBuf, PropertyId, Publish, QoS, ReasonCode,
    TopicName, Version,
};

use super::session::{Delivery, Flight};
use super::{Broker, send};
use crate::flaw::Flaw;

/// Topic aliases that we set in one connection, where the client takes any.
const OWN_ALIASES: u16 = 8;

/// Legal characters that many programs do not expect: controls, non-characters, byte-order marks.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Yes,
    /// Expired, forbidden, or larger than the client takes: as if it had been sent \[MQTT5 3.1.2-25, 3.3.2-5\].
    Never,
}

impl Broker {
    /// Sends a message to a session, or keeps it there. `retained`: it was kept for the topic; the queue's length does not count.
    pub(super) fn deliver(&mut self, place: u32, delivery: Delivery, retained: bool, now: Time, out: &mut Outbox) {
        let Some(session) = self.session(place) else { return };
        let (conn, owner, lasts) = (session.conn, session.owner, session.expiry > 0);
        let revoked = delivery.unchecked || self.flaws.has(Flaw::DeliveryIgnoresRevocation);
        if !revoked && !self.accounts.may_read(owner, &delivery.message.topic, self.flaws) {
            return;
        }
        if delivery.qos > QoS::AtMostOnce && self.loses_this_one() {
            return;
        }
        match (conn, delivery.qos) {
            (Some(conn), QoS::AtMostOnce) => {
                self.send_publish(conn, &delivery, WireDelivery::AtMostOnce, now, out);
            }
            (None, QoS::AtMostOnce) => {}
            (None, _) if self.flaws.has(Flaw::LosesOfflineMessages) => {}
            (None, _) if !lasts && !self.flaws.has(Flaw::SessionNeverExpires) => {}
            _ => {
                self.enqueue(place, delivery, retained);
                if conn.is_some() {
                    self.pump(place, now, out);
                }
            }
        }
    }

    fn loses_this_one(&mut self) -> bool {
        self.plant.delivered += 1;
        self.flaws.has(Flaw::DropsEveryTenth) && self.plant.delivered.is_multiple_of(10)
    }

    fn enqueue(&mut self, place: u32, delivery: Delivery, retained: bool) {
        let unbounded = retained || self.flaws.has(Flaw::UnboundedQueue);
        let (max, max_bytes) = match unbounded {
            true => (usize::MAX, usize::MAX),
            false => (self.limits.queue as usize, self.limits.queue_bytes as usize),
        };
        let meter = self.meter.clone();
        if let Some(session) = self.session(place) {
            let state = session.state(&meter);
            state.push(delivery, max, max_bytes);
            state.settle();
        }
    }

    /// Sends what the client's Receive Maximum has room for: first what is to be sent again, then what waits \[MQTT5 4.4.0-1, 3.3.4-9\].
    pub(super) fn pump(&mut self, place: u32, now: Time, out: &mut Outbox) {
        let Some(conn) = self.session(place).and_then(|session| session.conn) else { return };
        let window = self.limits.inflight.min(self.connection(conn).receive_maximum());
        loop {
            let Some(state) = self.session(place).and_then(|session| session.state.as_mut()) else { return };
            if state.open >= window {
                return;
            }
            if let Some(at) = state.flights.iter().position(|flight| !flight.sent) {
                self.send_again(place, conn, at, now, out);
                continue;
            }
            let Some(delivery) = state.pop() else { return state.settle() };
            let id = state.fresh_id();
            if self.is_void(place, &delivery) {
                continue;
            }
            let wire = WireDelivery::new(delivery.qos, Some(id), false).unwrap_or_default();
            let sent = self.send_publish(conn, &delivery, wire, now, out);
            let stalls = self.flaws.has(Flaw::LargeMessageStalls);
            let Some(state) = self.session(place).and_then(|session| session.state.as_mut()) else { return };
            if sent == Sent::Never && stalls {
                state.open = u16::MAX;
            }
            if sent == Sent::Yes {
                state.flights.push_back(Flight { id, delivery: Some(delivery), sent: true, dup: true });
                state.open += 1;
                state.settle();
            }
        }
    }

    /// The message, or its PUBREL, once more over a new connection.
    fn send_again(&mut self, place: u32, conn: Conn, at: usize, now: Time, out: &mut Outbox) {
        let version = self.connection(conn).version;
        let says_so = !self.flaws.has(Flaw::RedeliversWithoutDup);
        let forgets = self.flaws.has(Flaw::ForgetsPubrel);
        let Some(state) = self.session(place).and_then(|session| session.state.as_mut()) else { return };
        let Some(mut flight) = state.flights.remove(at) else { return };
        let goes = match &flight.delivery {
            None if forgets => false,
            None => {
                send(conn, version, &Packet::Pubrel(Ack::success(flight.id)), out);
                true
            }
            Some(delivery) => {
                let wire = WireDelivery::new(delivery.qos, Some(flight.id), flight.dup && says_so).unwrap_or_default();
                !self.is_void(place, delivery) && self.send_publish(conn, delivery, wire, now, out) == Sent::Yes
            }
        };
        if goes && let Some(state) = self.session(place).and_then(|session| session.state.as_mut()) {
            flight.sent = true;
            state.flights.insert(at, flight);
            state.open += 1;
        }
    }

    /// Whether a message that waited may not be sent any more: its right was taken away.
    fn is_void(&mut self, place: u32, delivery: &Delivery) -> bool {
        if delivery.unchecked || self.flaws.has(Flaw::QueueIgnoresRevocation) {
            return false;
        }
        let Some(owner) = self.session(place).map(|session| session.owner) else { return true };
        !self.accounts.may_read(owner, &delivery.message.topic, self.flaws)
    }

    /// Writes a PUBLISH, with what belongs to this hop: expiry, identifiers, alias.
    fn send_publish(
        &mut self,
        conn: Conn,
        delivery: &Delivery,
        wire: WireDelivery,
        now: Time,
        out: &mut Outbox,
    ) -> Sent {
        let message = &delivery.message;
        // What was sent once at QoS 2 does not expire any more [MQTT5 4.3.3-7].
        let begun = wire.qos() == QoS::ExactlyOnce && wire.dup();
        let Ok(left) = message.left(now).or(if begun { Ok(Some(0)) } else { Err(()) }) else { return Sent::Never };
        let Ok(topic) = TopicName::new(&message.topic) else { return Sent::Never };
        if self.flaws.has(Flaw::OddTopicDropsReaders) && message.topic.contains(is_odd) {
            self.hang_up(conn, now, out);
            return Sent::Never;
        }
        let version = self.connection(conn).version;
        let carried = message.properties();
        if version == Version::V311 {
            let packet = Publish {
                delivery: wire,
                retain: delivery.retain,
                topic,
                properties: Properties::EMPTY,
                payload: &message.payload,
            };
            return self.send_if_it_fits(conn, version, packet, out);
        }
        let alias = self.own_alias(conn, &message.topic);
        if left.is_none() && delivery.ids.is_empty() && alias.is_none() {
            let packet = Publish {
                delivery: wire,
                retain: delivery.retain,
                topic,
                properties: carried,
                payload: &message.payload,
            };
            return self.send_if_it_fits(conn, version, packet, out);
        }
        let mut properties = PropertiesBuf::new(proofhouse_mqtt::codec::Place::Publish);
        let known = alias.is_some_and(|(_, known)| known);
        let expiry = left.map(|left| (PropertyId::MessageExpiryInterval, left.into()));
        let alias = alias.map(|(alias, _)| (PropertyId::TopicAlias, alias.into()));
        let ids = delivery.ids.iter().map(|id| (PropertyId::SubscriptionIdentifier, (*id).into()));
        for (id, value) in carried.iter().chain(expiry).chain(alias).chain(ids) {
            let pushed = properties.push(id, value);
            debug_assert!(pushed.is_ok(), "{id:?}: {pushed:?}");
        }
        let topic = if known { TopicName::ALIASED } else { topic };
        let packet = Publish {
            delivery: wire,
            retain: delivery.retain,
            topic,
            properties: properties.view(),
            payload: &message.payload,
        };
        self.send_if_it_fits(conn, version, packet, out)
    }

    fn send_if_it_fits(&mut self, conn: Conn, version: Version, packet: Publish<'_>, out: &mut Outbox) -> Sent {
        let packet = Packet::Publish(packet);
        let most = self.connection(conn).packet_maximum();
        let ignores = self.flaws.has(Flaw::IgnoresPacketMaximum);
        if !packet.encoded_len(version).is_ok_and(|len| len <= most || ignores) {
            return Sent::Never;
        }
        send(conn, version, &packet, out);
        Sent::Yes
    }

    /// The alias of a topic, where the client takes any, and whether it knows it already \[MQTT5 3.1.2-26, 3.1.2-27\].
    fn own_alias(&mut self, conn: Conn, topic: &str) -> Option<(u16, bool)> {
        let extra = self.connection(conn).extra.as_mut()?;
        // A client with a small Maximum Packet Size may never see the packet that would set the alias.
        let max = if extra.packet_maximum < u32::MAX { 0 } else { extra.alias_maximum.min(OWN_ALIASES) };
        if let Some(alias) = extra.own_aliases.get(topic) {
            return Some((*alias, true));
        }
        let next = extra.own_aliases.len() as u16 + 1;
        if next > max {
            return None;
        }
        extra.own_aliases.insert(Arc::from(topic), next);
        extra.settle();
        Some((next, false))
    }

    /// PUBACK: the message has arrived \[MQTT5 4.3.2-3\]. An identifier that nobody waits for changes nothing.
    pub(super) fn puback(&mut self, conn: Conn, id: PacketId, now: Time, out: &mut Outbox) {
        self.land(conn, id, now, out, |flight| flight.delivery.as_ref().is_some_and(|d| d.qos == QoS::AtLeastOnce));
    }

    /// PUBCOMP: the exchange is over \[MQTT5 4.3.3-10\].
    pub(super) fn pubcomp(&mut self, conn: Conn, id: PacketId, now: Time, out: &mut Outbox) {
        self.land(conn, id, now, out, |flight| flight.delivery.is_none());
    }

    /// PUBREC: answered with PUBREL; above 0x80 the message is discarded \[MQTT5 4.3.3-4, 4.8.2-6\].
    pub(super) fn pubrec(&mut self, conn: Conn, ack: &Ack<'_>, now: Time, out: &mut Outbox) {
        let version = self.connection(conn).version;
        let at_qos2 = |flight: &Flight| flight.delivery.as_ref().is_none_or(|d| d.qos == QoS::ExactlyOnce);
        if !ack.reason.is_ok() {
            return self.land(conn, ack.id, now, out, at_qos2);
        }
        let state = self.session_of(conn).and_then(|(_, session)| session.state.as_mut());
        let flight = state.and_then(|s| s.flights.iter_mut().find(|f| f.id == ack.id && f.sent && at_qos2(f)));
        let known = flight.is_some();
        if let Some(flight) = flight {
            flight.delivery = None;
        }
        let code = match known || version == Version::V311 {
            true => ReasonCode::SUCCESS,
            false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        send(conn, version, &Packet::Pubrel(Ack::with_reason(ack.id, code)), out);
    }

    /// A flight is over; the next may begin.
    fn land(&mut self, conn: Conn, id: PacketId, now: Time, out: &mut Outbox, ends: impl Fn(&Flight) -> bool) {
        let Some((place, session)) = self.session_of(conn) else { return };
        let Some(state) = session.state.as_mut() else { return };
        let Some(at) = state.flights.iter().position(|f| f.id == id && f.sent && ends(f)) else { return };
        state.flights.remove(at);
        state.open = state.open.saturating_sub(1);
        state.settle();
        self.pump(place, now, out);
    }
}
