//! What clients say after CONNECT: each packet to its handler, PUBLISH to everyone who subscribed.
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{Ack, Delivery as WireDelivery, Packet, PacketId, Publish, QoS, ReasonCode, Version};

use super::accounts::User;
use super::message::{Draft, Message};
use super::session::Delivery;
use super::tree::{Entry, Hit, Quirks};
use super::{Broker, lenient, send};
use crate::flaw::Flaw;

impl Broker {
    /// Does what a legal packet asks for.
    pub(super) fn obey(&mut self, conn: Conn, packet: Packet<'_>, now: Time, out: &mut Outbox) {
        let version = self.connection(conn).version;
        match packet {
            Packet::Publish(publish) if self.is_too_deep(&publish.topic) => self.drown(out),
            Packet::Subscribe(subscribe) if subscribe.subscriptions.iter().any(|one| self.is_too_deep(&one.filter)) => {
                self.drown(out);
            }
            Packet::Publish(publish) => self.publish(conn, &publish, now, out),
            Packet::Puback(ack) => self.puback(conn, ack.id, now, out),
            Packet::Pubrec(ack) => self.pubrec(conn, &ack, now, out),
            Packet::Pubrel(ack) => self.pubrel(conn, ack.id, out),
            Packet::Pubcomp(ack) => self.pubcomp(conn, ack.id, now, out),
            Packet::Subscribe(subscribe) => self.subscribe(conn, &subscribe, now, out),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(conn, &unsubscribe, out),
            Packet::Pingreq if self.stalls(conn) => {}
            Packet::Pingreq => send(conn, version, &Packet::Pingresp, out),
            Packet::Disconnect(disconnect) => self.disconnect(conn, &disconnect, now, out),
            Packet::Connect(connect) if self.flaws.has(Flaw::SecondConnectChangesIdentity) => {
                self.leave_session(conn, now, out);
                self.connect(conn, version, &connect, now, out);
            }
            // A second CONNECT [MQTT5 3.1.0-2, MQTT3 3.1.0-2]; AUTH without an Authentication Method in CONNECT [MQTT5 4.12.0-6].
            _ => self.throw_out(conn, ReasonCode::PROTOCOL_ERROR, now, out),
        }
    }

    /// Only ever true with a flaw: one call for each level would take more stack than there is.
    fn is_too_deep(&self, name: &str) -> bool {
        const LEVELS: usize = 10_000;
        let flawed = self.flaws.has(Flaw::ExitsOnDeepTopic) || self.flaws.has(Flaw::HangsOnDeepTopic);
        flawed && name.split('/').count() > LEVELS
    }

    fn drown(&mut self, out: &mut Outbox) {
        if self.flaws.has(Flaw::ExitsOnDeepTopic) {
            return self.exit("the stack is exhausted", out);
        }
        self.plant.hung = true;
    }

    /// Only ever called by a flaw: the connection stays, the session does not.
    fn leave_session(&mut self, conn: Conn, now: Time, out: &mut Outbox) {
        let connection = self.connection(conn);
        let (source, version, armed) = (connection.source, connection.version, connection.armed);
        self.gone(conn, true, now, out);
        let phase = super::connection::Phase::Fresh;
        *self.connection(conn) =
            super::connection::Connection { phase, source, version, armed, heard: now, ..Default::default() };
    }

    fn publish(&mut self, conn: Conn, packet: &Publish<'_>, now: Time, out: &mut Outbox) {
        if let Some(code) = self.more_than_announced(conn, packet) {
            return self.throw_out(conn, code, now, out);
        }
        let by_alias = packet.topic.is_empty();
        let aliased = match self.resolve_alias(conn, packet) {
            Ok(aliased) => aliased,
            Err(_) if self.flaws.has(Flaw::AcceptsUnknownAlias) => return,
            Err(code) => return self.throw_out(conn, code, now, out),
        };
        let topic = aliased.as_deref().unwrap_or(packet.topic.as_str());
        let Some((place, session)) = self.session_of(conn) else { return };
        let (owner, id) = (session.owner, session.id.clone());
        if let WireDelivery::ExactlyOnce { id, .. } = packet.delivery {
            match self.is_known(place, id, self.connections[conn.0 as usize].version) {
                Ok(false) => {}
                Ok(true) => return self.acknowledge(conn, packet.delivery, ReasonCode::SUCCESS, out),
                Err(code) => return self.throw_out(conn, code, now, out),
            }
        }
        let draft = Draft {
            topic,
            payload: packet.payload,
            qos: packet.delivery.qos(),
            retain: packet.retain,
            properties: packet.properties,
            expiry: packet.properties.message_expiry_interval(),
        };
        let code = self.accept(&draft, owner, by_alias, now);
        if code.is_ok() {
            if self.two_steps(&draft, &id) {
                return self.exit("a retained message was freed twice", out);
            }
            if let WireDelivery::ExactlyOnce { id, .. } = packet.delivery {
                self.remember(place, id);
            }
            self.route(&draft, owner, &id, now, out);
        }
        self.acknowledge(conn, packet.delivery, code, out);
    }

    /// A message that uses what CONNACK has said is not there \[MQTT5 §3.2.2.3.4, §3.2.2.3.5\].
    fn more_than_announced(&mut self, conn: Conn, packet: &Publish<'_>) -> Option<ReasonCode> {
        let v5 = self.connection(conn).version == Version::V5;
        match packet.delivery.qos().number() > self.limits.qos {
            _ if !v5 => None,
            true => Some(ReasonCode::QOS_NOT_SUPPORTED),
            false => (packet.retain && self.limits.lacks.retain).then_some(ReasonCode::RETAIN_NOT_SUPPORTED),
        }
    }

    /// The topic that an alias stands for, where the packet has none of its own \[MQTT5 §3.3.2.3.4, 3.3.2-7, 3.3.2-8\].
    fn resolve_alias(&mut self, conn: Conn, packet: &Publish<'_>) -> Result<Option<Arc<str>>, ReasonCode> {
        let Some(alias) = packet.properties.topic_alias() else { return Ok(None) };
        let halved = self.flaws.has(Flaw::RefusesHigherAliases);
        if alias > self.limits.aliases || (halved && alias > self.limits.aliases / 2) {
            return Err(ReasonCode::TOPIC_ALIAS_INVALID);
        }
        let (meter, connection) = (&self.meter, &mut self.connections[conn.0 as usize]);
        if packet.topic.is_empty() {
            let known = connection.extra.as_ref().and_then(|extra| extra.aliases.get(&alias));
            return known.cloned().map(Some).ok_or(ReasonCode::PROTOCOL_ERROR);
        }
        let extra = connection.extra(meter);
        extra.aliases.insert(alias, packet.topic.as_str().into());
        extra.settle();
        Ok(None)
    }

    /// Whether this QoS 2 message has come before \[MQTT5 4.3.3-10, MQTT3 4.3.3-2\]; `Err` where it is one too many \[MQTT5 3.3.4-7\].
    fn is_known(&mut self, place: u32, id: PacketId, version: Version) -> Result<bool, ReasonCode> {
        let max = usize::from(self.limits.receive_maximum);
        let unlimited = version == Version::V311 || self.flaws.has(Flaw::UnlimitedQos2);
        let forgets = self.flaws.has(Flaw::ForgetsInboundQos2);
        let Some(state) = self.session(place).and_then(|session| session.state.as_ref()) else { return Ok(false) };
        if state.inbound.contains(&id.get()) {
            return Ok(!forgets);
        }
        if state.inbound.len() >= max && !unlimited { Err(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED) } else { Ok(false) }
    }

    fn remember(&mut self, place: u32, id: PacketId) {
        let meter = self.meter.clone();
        if let Some(session) = self.session(place) {
            let state = session.state(&meter);
            state.inbound.insert(id.get());
            state.settle();
        }
    }

    /// Whether a message may be taken: rights, and room where it is to be kept.
    fn accept(&mut self, draft: &Draft<'_>, owner: User, by_alias: bool, now: Time) -> ReasonCode {
        let unchecked = match draft.qos {
            QoS::AtMostOnce => self.flaws.has(Flaw::PublishIgnoresAclAtQos0),
            QoS::AtLeastOnce => {
                self.flaws.has(Flaw::PublishIgnoresAclAtQos1) || self.flaws.has(Flaw::PublishAclOnlyAtQos0)
            }
            QoS::ExactlyOnce => {
                self.flaws.has(Flaw::PublishIgnoresAclAtQos2) || self.flaws.has(Flaw::PublishAclOnlyAtQos0)
            }
        };
        let unchecked = unchecked
            || (by_alias && self.flaws.has(Flaw::AliasSkipsAcl))
            || (draft.topic.starts_with('$') && self.flaws.has(Flaw::ClientsWriteSys));
        if !unchecked && !self.accounts.may_publish(owner, draft.topic, self.flaws) {
            return ReasonCode::NOT_AUTHORIZED;
        }
        let keeps = draft.retain && !draft.payload.is_empty();
        match keeps && !self.retained.has_room(draft.topic, self.limits.retained, now) {
            true => ReasonCode::QUOTA_EXCEEDED,
            false => ReasonCode::SUCCESS,
        }
    }

    /// PUBACK or PUBREC. In 3.1.1 there is no word for a refusal \[MQTT3 3.3.5-2\].
    fn acknowledge(&mut self, conn: Conn, wire: WireDelivery, code: ReasonCode, out: &mut Outbox) {
        let version = self.connection(conn).version;
        let Some(id) = wire.id() else { return };
        if self.plant.mute && wire.qos() == QoS::AtLeastOnce {
            return;
        }
        let id = match self.flaws.has(Flaw::AnswersWrongPacketId) {
            true => id.checked_add(1).unwrap_or(PacketId::MIN),
            false => id,
        };
        let code = if version == Version::V5 { code } else { ReasonCode::SUCCESS };
        let ack = Ack::with_reason(id, code);
        let packet = if wire.qos() == QoS::AtLeastOnce { Packet::Puback(ack) } else { Packet::Pubrec(ack) };
        send(conn, version, &packet, out);
    }

    /// The end of an inbound QoS 2 exchange \[MQTT5 4.3.3-11, MQTT3 4.3.3-2\].
    fn pubrel(&mut self, conn: Conn, id: PacketId, out: &mut Outbox) {
        let version = self.connection(conn).version;
        let keeps = self.flaws.has(Flaw::RemembersUsedIds);
        let state = self.session_of(conn).and_then(|(_, session)| session.state.as_mut());
        let known = state.is_some_and(|state| match keeps {
            true => state.inbound.contains(&id.get()),
            false => state.inbound.remove(&id.get()),
        });
        if !known && self.flaws.has(Flaw::NoPubcompForUnknown) {
            return;
        }
        let code = match known || version == Version::V311 {
            true => ReasonCode::SUCCESS,
            false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        send(conn, version, &Packet::Pubcomp(Ack::with_reason(id, code)), out);
    }

    /// Only ever true with a flaw: as much is under way to a client as it takes.
    fn stalls(&mut self, conn: Conn) -> bool {
        let most = self.connection(conn).receive_maximum();
        let state = self.session_of(conn).and_then(|(_, session)| session.state.as_ref());
        let is_full = state.is_some_and(|state| state.open >= most);
        is_full && self.flaws.has(Flaw::StallsWhenFull)
    }

    /// Only ever true with a flaw: the second of two steps.
    fn two_steps(&mut self, draft: &Draft<'_>, id: &Arc<str>) -> bool {
        if !self.flaws.has(Flaw::RetainThenClearCrashes) || !draft.retain || !id.ends_with("-17") {
            return false;
        }
        if draft.payload.is_empty() {
            return self.plant.retained_by.as_ref() == Some(id) && self.retained.has(draft.topic);
        }
        self.plant.retained_by = Some(id.clone());
        false
    }

    /// Only ever true with a flaw: every third replacement of what is retained.
    fn misses_this_one(&mut self, draft: &Draft<'_>) -> bool {
        if !self.flaws.has(Flaw::KeepsOldRetained) || !draft.retain || !self.retained.has(draft.topic) {
            return false;
        }
        self.plant.replaced += 1;
        self.plant.replaced.is_multiple_of(3)
    }

    /// Brings a message to everyone who subscribed to its topic, and keeps it where it asks for that.
    pub(super) fn route(&mut self, draft: &Draft<'_>, author: User, origin: &Arc<str>, now: Time, out: &mut Outbox) {
        let normal = self.flaws.has(Flaw::RoutesNormalForm).then(|| lenient::normal_form(draft.topic));
        let draft = &Draft { topic: normal.as_deref().unwrap_or(draft.topic), ..*draft };
        let mut hits = core::mem::take(&mut self.hits);
        let quirks = Quirks {
            dollar: self.flaws.has(Flaw::DollarMatchesWildcard),
            plus_matches_more: self.flaws.has(Flaw::PlusMatchesMore),
            hash_misses_parent: self.flaws.has(Flaw::HashMissesParent),
        };
        self.tree.find(draft.topic, quirks, &mut hits);
        if self.flaws.has(Flaw::AnyMessageClears) && !draft.retain {
            self.retained.clear(draft.topic);
        }
        let clears = draft.payload.is_empty() && self.flaws.has(Flaw::ClearingKeeps);
        let ignored = clears || self.misses_this_one(draft);
        let keeps = draft.retain
            && !ignored
            && !self.flaws.has(Flaw::ForgetsRetained)
            && (draft.payload.is_empty() || self.retained.has_room(draft.topic, self.limits.retained, now));
        if !hits.is_empty() || keeps {
            let message = draft.keep(now, author, origin, &self.meter);
            if keeps {
                self.retained.keep(&message);
            }
            self.fan_out(&mut hits, &message, now, out);
        }
        hits.clear();
        self.hits = hits;
    }

    /// One copy for each session, however many of its filters match \[MQTT5 3.3.4-2 to 3.3.4-4, MQTT3 3.3.5-1\]; one for each share.
    fn fan_out(&mut self, hits: &mut [Hit], message: &Arc<Message>, now: Time, out: &mut Outbox) {
        hits.sort_by_key(|hit| match hit {
            Hit::One(entry) => (0, entry.session, 0),
            Hit::Shared(node, place) => (1, *node, *place),
        });
        let mut rest = &*hits;
        while let Some(first) = rest.first() {
            match *first {
                Hit::One(entry) => {
                    let same = |hit: &&Hit| matches!(hit, Hit::One(other) if other.session == entry.session);
                    let (mine, others) = rest.split_at(rest.iter().take_while(same).count());
                    rest = others;
                    self.deliver_once(mine, message, now, out);
                }
                Hit::Shared(node, place) => {
                    rest = &rest[1..];
                    self.deliver_shared(node, place, message, now, out);
                }
            }
        }
    }

    /// All subscriptions of one session that match, as one delivery.
    fn deliver_once(&mut self, mine: &[Hit], message: &Arc<Message>, now: Time, out: &mut Outbox) {
        let entries = mine.iter().filter_map(|hit| if let Hit::One(entry) = hit { Some(entry) } else { None });
        let mut qos = None;
        let (mut retain, mut unchecked) = (false, false);
        let mut ids = Vec::new();
        for entry in entries {
            let own = entry.options.no_local && self.session(entry.session).is_some_and(|s| s.id == message.origin);
            if own {
                continue;
            }
            qos = qos.max(Some(entry.options.qos));
            retain |= entry.options.retain_as_published && message.retain;
            unchecked |= entry.unchecked;
            ids.extend((entry.id != 0).then_some(entry.id));
        }
        if self.flaws.has(Flaw::FirstIdentifierOnly) {
            ids.truncate(1);
        }
        if let (Some(qos), Some(Hit::One(entry))) = (qos, mine.first()) {
            let qos = qos.min(message.qos);
            let delivery = Delivery { message: message.clone(), qos, retain, ids: ids.into(), share: None, unchecked };
            self.deliver(entry.session, delivery, false, now, out);
        }
    }

    /// One member of a share: in turn, those who are connected first \[MQTT5 §4.8.2\].
    fn deliver_shared(&mut self, node: u32, place: u32, message: &Arc<Message>, now: Time, out: &mut Outbox) {
        let share = self.tree.share(node, place);
        let turn = share.next as usize % share.members.len().max(1);
        share.next = turn as u32 + 1;
        let mut members = share.members.clone();
        members.rotate_left(turn);
        let name = share.name.clone();
        self.hand_to_one(&members, &name, message, now, out);
    }

    /// A message whose first member is gone.
    pub(super) fn hand_to_member(&mut self, share: &Arc<str>, message: &Arc<Message>, now: Time, out: &mut Outbox) {
        let (group, bare) = super::subscribe::parts(share);
        let members: Vec<Entry> = self.tree.share_of(bare, group.unwrap_or_default()).to_vec();
        self.hand_to_one(&members, share, message, now, out);
    }

    fn hand_to_one(
        &mut self,
        members: &[Entry],
        share: &Arc<str>,
        message: &Arc<Message>,
        now: Time,
        out: &mut Outbox,
    ) {
        let mut able = members.iter().filter(|entry| self.may_be_served(entry, &message.topic));
        let chosen = able.clone().find(|entry| self.is_connected(entry.session)).or_else(|| able.next()).copied();
        let Some(entry) = chosen else { return };
        let delivery = Delivery {
            message: message.clone(),
            qos: entry.options.qos.min(message.qos),
            retain: entry.options.retain_as_published && message.retain,
            ids: if entry.id == 0 { Default::default() } else { [entry.id].into() },
            share: Some(share.clone()),
            unchecked: entry.unchecked,
        };
        self.deliver(entry.session, delivery, false, now, out);
    }

    fn may_be_served(&self, entry: &Entry, topic: &str) -> bool {
        let session = self.sessions.get(entry.session as usize).and_then(Option::as_ref);
        entry.unchecked || session.is_some_and(|s| self.accounts.may_read(s.owner, topic, self.flaws))
    }

    fn is_connected(&self, place: u32) -> bool {
        self.sessions.get(place as usize).and_then(Option::as_ref).is_some_and(|session| session.conn.is_some())
    }
}
