//! What a session makes of each packet of the server.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::time::{Duration, Time};

use super::flight::{DeliveryState, Flight};
use super::limits::Announced;
use super::{Event, Session, State};
use crate::codec::{Ack, Connack, Packet, PacketId, Publish, QoS, Reason, ReasonCode, Version};

impl Session {
    pub(super) fn packet(
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
            Packet::Puback(ack) => self.taken(ack, DeliveryState::Published, on),
            Packet::Pubrec(ack) => self.pubrec(now, ack, out, on)?,
            Packet::Pubrel(ack) => self.pubrel(now, ack, out)?,
            Packet::Pubcomp(ack) => self.taken(ack, DeliveryState::Released, on),
            Packet::Suback(ack) if self.answered(ack.id) => on(Event::Subscribed(ack.codes)),
            Packet::Unsuback(ack) if self.answered(ack.id) => on(Event::Unsubscribed),
            Packet::Pingresp => self.pinged = None,
            Packet::Disconnect(disconnect) => {
                self.lost();
                on(Event::Ended(disconnect.reason));
            }
            _ => {}
        }
        self.send_waiting(now, out, on);
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
            self.lost();
            on(Event::Refused(connack.code));
            return Ok(());
        }
        let (present, properties) = (connack.session_present, connack.properties);
        PRESENT_AFTER_CLEAN_START.unless(!present || !self.clean)?;
        // MQTT 3.1.1 leaves it to the client what to do with a session that only the server knows.
        self.afresh = present && !self.kept && self.profile.version == Version::V5;
        PRESENT_TO_A_STRANGER.unless(!self.afresh)?;
        self.kept = self.outlives(properties.session_expiry_interval());
        self.announced = Announced::by(connack);
        if let Some(seconds) = properties.server_keep_alive() {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        if let Some(id) = properties.assigned_client_identifier() {
            self.client_id = id.to_string();
        }
        self.state = State::Online;
        on(Event::Connected { present });
        if present { self.resume(now, out) } else { self.begin_anew(on) }
    }

    /// Whether the session stays when the connection ends; a server may have the last word on for how long.
    fn outlives(&self, expiry: Option<u32>) -> bool {
        match self.profile.version {
            Version::V311 => !self.profile.clean_start,
            Version::V5 => expiry.unwrap_or(self.profile.session_expiry) > 0,
        }
    }

    /// Owes again what was not acknowledged \[MQTT3 4.4.0-1, MQTT5 4.4.0-1\]: PUBRELs at once, in the order of their PUBRECs
    /// \[MQTT5 4.6.0-4\]; messages as soon as the server's quota, which begins anew, takes them.
    fn resume(&mut self, now: Time, out: &mut Vec<u8>) -> Result<(), Reason> {
        for at in 0..self.flights.len() {
            self.flights[at].again = self.flights[at].state == DeliveryState::Published;
            if !self.flights[at].again {
                let id = self.flights[at].id;
                self.say(now, &Packet::Pubrel(Ack::success(id)), out)?;
            }
        }
        Ok(())
    }

    /// The server has forgotten the session, and so do we \[MQTT5 3.2.2-5\]: what it had already taken (PUBREC) counts as delivered, the
    /// other messages are new ones.
    fn begin_anew(&mut self, on: &mut dyn FnMut(Event<'_>)) -> Result<(), Reason> {
        self.received.clear();
        for flight in core::mem::take(&mut self.flights).into_iter().rev() {
            match flight.state {
                DeliveryState::Published => self.waiting.push_front((flight.ticket, flight.message)),
                DeliveryState::Released => on(Event::Delivered { ticket: flight.ticket, reason: ReasonCode::SUCCESS }),
            }
        }
        Ok(())
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
            (QoS::AtLeastOnce, Some(id)) => self.say(now, &Packet::Puback(Ack::success(id)), out)?,
            (QoS::ExactlyOnce, Some(id)) => {
                if !again {
                    self.received.push(id);
                }
                self.say(now, &Packet::Pubrec(Ack::success(id)), out)?;
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
    fn taken(&mut self, ack: &Ack<'_>, state: DeliveryState, on: &mut dyn FnMut(Event<'_>)) {
        let qos = if state == DeliveryState::Published { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        let is_it = |flight: &Flight| flight.id == ack.id && flight.state == state && flight.message.qos == qos;
        if let Some(at) = self.flights.iter().position(is_it) {
            let ticket = self.flights.remove(at).ticket;
            on(Event::Delivered { ticket, reason: ack.reason });
        }
    }

    fn pubrec(
        &mut self,
        now: Time,
        ack: &Ack<'_>,
        out: &mut Vec<u8>,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Reason> {
        let is_it = |flight: &Flight| flight.id == ack.id && flight.message.qos == QoS::ExactlyOnce;
        let Some(at) = self.flights.iter().position(is_it) else {
            return Ok(self.say(now, &Packet::Pubrel(self.not_found(ack.id)), out)?);
        };
        if !ack.reason.is_ok() {
            let ticket = self.flights.remove(at).ticket;
            on(Event::Delivered { ticket, reason: ack.reason });
            return Ok(());
        }
        if self.flights[at].state == DeliveryState::Published {
            let flight = self.flights.remove(at);
            self.flights.push(Flight { state: DeliveryState::Released, again: false, ..flight });
        }
        Ok(self.say(now, &Packet::Pubrel(Ack::success(ack.id)), out)?)
    }

    fn pubrel(&mut self, now: Time, ack: &Ack<'_>, out: &mut Vec<u8>) -> Result<(), Reason> {
        let known = self.received.iter().position(|id| *id == ack.id);
        if let Some(at) = known {
            self.received.swap_remove(at);
        }
        let answer = if known.is_some() { Ack::success(ack.id) } else { self.not_found(ack.id) };
        Ok(self.say(now, &Packet::Pubcomp(answer), out)?)
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
const PRESENT_TO_A_STRANGER: Breach = Breach(Reason {
    clause: "MQTT5 3.2.2-4",
    code: ReasonCode::PROTOCOL_ERROR,
    what: "Session Present for a session that the client does not know",
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
