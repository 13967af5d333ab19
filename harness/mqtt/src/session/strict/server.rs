//! A server that is legal and unpredictable: it answers late and in pieces, forgets sessions, and announces whatever a CONNACK can.
use std::vec;
use std::vec::Vec;

use proofhouse_core::seed::SplitMix;

use super::below;
use crate::codec::{
    Ack, Connack, Delivery, Disconnect, Packet, PacketId, Place, PropertiesBuf, PropertyId, Publish, QoS, ReasonCode,
    Sender, Suback, TopicName, Unsuback, Version, split,
};

/// The server's side of one session, and of one connection at a time.
pub(super) struct Server {
    version: Version,
    rng: SplitMix,
    /// It keeps a session.
    pub(super) holds: bool,
    durable: bool,
    nameless: bool,
    /// What has arrived and is not a whole packet yet.
    partial: Vec<u8>,
    /// Answers that it owes, each a whole packet; said in this order.
    pub(super) queue: Vec<Vec<u8>>,
    online: bool,
    last_id: u16,
    /// It announces nothing and answers everything from now on.
    pub(super) calm: bool,
    /// What the client's CONNECT has announced.
    receive_maximum: u16,
    under_way: usize,
}

impl Server {
    pub(super) fn new(version: Version, seed: u64, nameless: bool) -> Server {
        Server {
            version,
            rng: SplitMix(seed),
            holds: below(&mut SplitMix(seed ^ 1), 8) == 0,
            durable: false,
            nameless,
            partial: vec![],
            queue: vec![],
            online: false,
            last_id: 0,
            calm: false,
            receive_maximum: u16::MAX,
            under_way: 0,
        }
    }

    /// The connection is over.
    pub(super) fn closed(&mut self) {
        self.partial.clear();
        self.queue.clear();
        self.online = false;
        self.under_way = 0;
        if !self.durable {
            self.holds = false;
        }
    }

    /// Bytes have arrived, cut anywhere.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let held = core::mem::take(&mut self.partial);
        let mut rest = &held[..];
        while let Ok(Some(cut)) = split(self.version, Sender::Client, u32::MAX, rest) {
            let packet =
                Packet::decode(self.version, Sender::Client, cut.first, cut.body).expect("the audit has read it");
            self.take(&packet);
            rest = &rest[cut.size..];
        }
        self.partial = rest.to_vec();
    }

    fn take(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(connect) => {
                self.durable = match self.version {
                    Version::V311 => !connect.clean_start,
                    Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0) > 0,
                };
                self.receive_maximum = connect.properties.receive_maximum().unwrap_or(u16::MAX);
                self.connack(connect.clean_start);
            }
            Packet::Publish(publish) => {
                let refused = !self.calm && self.version == Version::V5 && below(&mut self.rng, 6) == 0;
                let code = if refused { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
                match publish.delivery {
                    Delivery::AtMostOnce => {}
                    Delivery::AtLeastOnce { id, .. } => self.say(&Packet::Puback(Ack::with_reason(id, code))),
                    Delivery::ExactlyOnce { id, .. } => self.say(&Packet::Pubrec(Ack::with_reason(id, code))),
                }
            }
            Packet::Pubrel(ack) => self.say(&Packet::Pubcomp(Ack::success(ack.id))),
            Packet::Puback(_) | Packet::Pubcomp(_) => self.under_way = self.under_way.saturating_sub(1),
            Packet::Pubrec(ack) => self.say(&Packet::Pubrel(Ack::success(ack.id))),
            Packet::Subscribe(subscribe) => {
                let codes: Vec<u8> = subscribe.subscriptions.iter().map(|_| 0).collect();
                self.say(&Packet::Suback(Suback::new(subscribe.id, &codes)));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let codes: Vec<u8> = unsubscribe.filters.iter().map(|_| 0).collect();
                let codes = if self.version == Version::V5 { &codes[..] } else { &[] };
                self.say(&Packet::Unsuback(Unsuback::new(unsubscribe.id, codes)));
            }
            Packet::Pingreq if self.calm || below(&mut self.rng, 4) > 0 => self.say(&Packet::Pingresp),
            _ => {}
        }
    }

    fn connack(&mut self, clean: bool) {
        if !self.calm && below(&mut self.rng, 8) == 0 {
            let code = if self.version == Version::V5 { ReasonCode::SERVER_BUSY } else { ReasonCode(3) };
            return self.say(&Packet::Connack(Connack::new(false, code)));
        }
        let forgets = !self.calm && below(&mut self.rng, 5) == 0;
        let present = self.holds && !clean && !forgets;
        let mut properties = PropertiesBuf::new(Place::Connack);
        if self.version == Version::V5 {
            self.terms(&mut properties);
        }
        if self.durable {
            self.durable = properties.view().session_expiry_interval() != Some(0);
        }
        self.holds = self.durable;
        self.online = true;
        let connack = Connack { properties: properties.view(), ..Connack::new(present, ReasonCode::SUCCESS) };
        self.say(&Packet::Connack(connack));
    }

    /// Any terms; few of them at a time, so that each is met alone too.
    fn terms(&mut self, properties: &mut PropertiesBuf) {
        use PropertyId as Id;
        if self.nameless {
            properties.push(Id::AssignedClientIdentifier, "given").unwrap();
            self.nameless = false;
        }
        let all: [(Id, &[u32]); 10] = [
            (Id::ReceiveMaximum, &[1, 2, 5]),
            (Id::MaximumQoS, &[0, 1]),
            (Id::RetainAvailable, &[0]),
            (Id::MaximumPacketSize, &[3, 14, 24, 40, 60]),
            (Id::TopicAliasMaximum, &[1, 2, 9]),
            (Id::WildcardSubscriptionAvailable, &[0]),
            (Id::SubscriptionIdentifierAvailable, &[0]),
            (Id::SharedSubscriptionAvailable, &[0]),
            (Id::ServerKeepAlive, &[1, 7]),
            (Id::SessionExpiryInterval, &[0, 90]),
        ];
        for (id, values) in all {
            if !self.calm && below(&mut self.rng, 3) == 0 {
                let value = values[below(&mut self.rng, values.len() as u64) as usize];
                match id {
                    Id::ReceiveMaximum | Id::TopicAliasMaximum | Id::ServerKeepAlive => {
                        properties.push(id, value as u16).unwrap();
                    }
                    _ => properties.push(id, value).unwrap(),
                }
            }
        }
    }

    /// A message of its own.
    pub(super) fn publish(&mut self) {
        let qos = QoS::from_number(below(&mut self.rng, 3) as u8).unwrap_or_default();
        if !self.online || qos > QoS::AtMostOnce && self.under_way >= usize::from(self.receive_maximum) {
            return;
        }
        self.last_id = self.last_id.wrapping_add(1).max(1);
        if qos > QoS::AtMostOnce {
            self.under_way += 1;
        }
        let delivery = Delivery::new(qos, PacketId::new(self.last_id), false).unwrap();
        self.say(&Packet::Publish(Publish::new(delivery, TopicName::new("cmd/x").unwrap(), b"go")));
    }

    /// A goodbye, which only MQTT 5 has.
    pub(super) fn goodbye(&mut self) {
        if self.online && self.version == Version::V5 {
            self.say(&Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_BUSY)));
            self.online = false;
        }
    }

    fn say(&mut self, packet: &Packet<'_>) {
        let mut bytes = vec![];
        packet.encode(self.version, &mut bytes).expect("a legal server says legal packets");
        self.queue.push(bytes);
    }
}
