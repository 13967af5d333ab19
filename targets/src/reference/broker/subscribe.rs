//! SUBSCRIBE and UNSUBSCRIBE.
use alloc::vec::Vec;

use proofhouse_core::actor::Outbox;
use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{
    Packet, Properties, QoS, ReasonCode, RetainHandling, Suback, Subscribe, Subscription, Unsuback, Unsubscribe,
    Version, topic::matches,
};

use super::accounts::User;
use super::message::Draft;
use super::session::Delivery;
use super::tree::Entry;
use super::{Broker, send};
use crate::flaw::Flaw;

/// Share name and filter of what SUBSCRIBE named. 3.1.1 sessions hold no names that begin with `$share/`.
pub(super) fn parts(filter: &str) -> (Option<&str>, &str) {
    match filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/')) {
        Some((group, bare)) => (Some(group), bare),
        None => (None, filter),
    }
}

/// A filter that was granted.
struct Granted<'a> {
    bare: &'a str,
    /// Retained messages are to be sent.
    retained: bool,
    entry: Entry,
}

impl Broker {
    pub(super) fn subscribe(&mut self, conn: Conn, packet: &Subscribe<'_>, now: Time, out: &mut Outbox) {
        let version = self.connection(conn).version;
        if let (Version::V5, Some(code)) = (version, self.more_than_offered(packet)) {
            return self.throw_out(conn, code, now, out);
        }
        let Some((place, session)) = self.session_of(conn) else { return };
        let owner = session.owner;
        let id = packet.properties.subscription_identifiers().next().unwrap_or(0);
        let mut codes = Vec::new();
        let mut granted = Vec::new();
        for mut wanted in packet.subscriptions.iter() {
            if version == Version::V5 && wanted.options.qos.number() > self.limits.qos {
                wanted.options.qos = if self.limits.qos == 1 { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            }
            match self.grant(place, owner, version, &wanted, id) {
                Ok(grant) => {
                    codes.push(wanted.options.qos.number());
                    granted.push(grant);
                }
                Err(code) => codes.push(if version == Version::V5 { code.0 } else { ReasonCode::V3_FAILURE.0 }),
            }
        }
        if self.flaws.has(Flaw::OneCodeForAllFilters) {
            codes.truncate(1);
        }
        let suback = Suback { id: packet.id, properties: Default::default(), codes: &codes };
        send(conn, version, &Packet::Suback(suback), out);
        for grant in granted.iter().filter(|grant| grant.retained) {
            self.send_retained(place, grant, now, out);
        }
        for grant in granted.iter().filter(|grant| grant.bare.starts_with("$SYS/")) {
            self.tell_of_itself(place, grant, now, out);
        }
    }

    /// A subscription that uses what CONNACK has said is not there \[MQTT5 §3.2.2.3.11, §3.2.2.3.12, §3.2.2.3.13\].
    fn more_than_offered(&self, packet: &Subscribe<'_>) -> Option<ReasonCode> {
        let lacks = self.limits.lacks;
        let any = |what: fn(&str) -> bool| packet.subscriptions.iter().any(|one| what(one.filter.as_str()));
        let identified = packet.properties.subscription_identifiers().next().is_some();
        if lacks.shares && any(|filter| filter.starts_with("$share/")) {
            return Some(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        if lacks.identifiers && identified {
            return Some(ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED);
        }
        let wild = lacks.wildcards && any(|filter| filter.contains(['+', '#']));
        wild.then_some(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
    }

    /// Adds one subscription, or says why not.
    fn grant<'a>(
        &mut self,
        place: u32,
        owner: User,
        version: Version,
        wanted: &Subscription<'a>,
        id: u32,
    ) -> Result<Granted<'a>, ReasonCode> {
        let filter = wanted.filter.as_str();
        // In 3.1.1 a name that begins with $share/ has no special meaning; nothing is ever published there.
        let (group, bare) = parts(filter);
        if filter.split('/').count() > self.limits.levels as usize || (group.is_some() && version == Version::V311) {
            return Err(ReasonCode::TOPIC_FILTER_INVALID);
        }
        let unchecked = self.ignores_rights(group, bare);
        if !unchecked && !self.accounts.may_subscribe(owner, bare) {
            return Err(ReasonCode::NOT_AUTHORIZED);
        }
        let (meter, max) = (self.meter.clone(), self.limits.filters as usize);
        let Some(session) = self.session(place) else { return Err(ReasonCode::UNSPECIFIED_ERROR) };
        let state = session.state(&meter);
        if state.filters.len() >= max && !state.filters.contains(filter) {
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        state.add_filter(filter);
        state.settle();
        let entry = Entry { session: place, options: wanted.options, id, unchecked };
        let was_there = self.tree.insert(bare, group, entry);
        let retained = match wanted.options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !was_there,
            RetainHandling::DoNotSend => false,
        };
        Ok(Granted { bare, retained: retained && group.is_none(), entry })
    }

    /// A correct broker has nothing under `$SYS`; a flaw has, for everybody.
    fn tell_of_itself(&mut self, place: u32, grant: &Granted<'_>, now: Time, out: &mut Outbox) {
        let topic = "$SYS/broker/version";
        if !self.flaws.has(Flaw::SysForEverybody) || !matches(grant.bare, topic) {
            return;
        }
        let Some(id) = self.session(place).map(|session| session.id.clone()) else { return };
        let qos = QoS::AtMostOnce;
        let properties = Properties::EMPTY;
        let draft = Draft { topic, payload: b"reference 1.0", qos, retain: true, properties, expiry: None };
        let message = draft.keep(now, User::TRUSTED, &id, &self.meter);
        let delivery = Delivery { message, qos, retain: true, ids: Vec::new().into(), share: None, unchecked: true };
        self.deliver(place, delivery, true, now, out);
    }

    fn ignores_rights(&self, group: Option<&str>, bare: &str) -> bool {
        self.flaws.has(Flaw::SubscribeIgnoresAcl)
            || (self.flaws.has(Flaw::SysForEverybody) && bare.starts_with("$SYS/"))
            || (self.flaws.has(Flaw::WildcardSubscribeIgnoresAcl) && bare.contains(['+', '#']))
            || (self.flaws.has(Flaw::ShareIgnoresAcl) && group.is_some())
    }

    /// What was kept for a new subscription, with RETAIN set \[MQTT5 3.3.1-8, 3.3.1-9, MQTT3 3.3.1-6, 3.3.1-8\].
    fn send_retained(&mut self, place: u32, grant: &Granted<'_>, now: Time, out: &mut Outbox) {
        let Some(id) = self.session(place).map(|session| session.id.clone()) else { return };
        let kept =
            self.retained.matching(grant.bare).filter(|message| !grant.entry.options.no_local || message.origin != id);
        let kept: Vec<_> = kept.cloned().collect();
        for message in kept {
            let stands = self.flaws.has(Flaw::RetainedOutlivesAuthor)
                || self.accounts.may_publish(message.author, &message.topic, self.flaws);
            if message.left(now).is_err() {
                self.retained.clear(&message.topic);
            } else if stands {
                let qos = message.qos.min(grant.entry.options.qos);
                let ids = if grant.entry.id == 0 { Vec::new() } else { alloc::vec![grant.entry.id] };
                let unchecked = grant.entry.unchecked;
                let delivery = Delivery { message, qos, retain: true, ids: ids.into(), share: None, unchecked };
                self.deliver(place, delivery, true, now, out);
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, conn: Conn, packet: &Unsubscribe<'_>, out: &mut Outbox) {
        let version = self.connection(conn).version;
        let Some((place, _)) = self.session_of(conn) else { return };
        let mut codes = Vec::new();
        for filter in packet.filters.iter() {
            let forgets = self.flaws.has(Flaw::UnsubscribeEndsDelivery);
            let state = self.session(place).and_then(|session| session.state.as_mut());
            let there = state.is_some_and(|state| {
                let there = state.remove_filter(&filter);
                if forgets {
                    state.forget_matching(parts(&filter).1);
                }
                state.settle();
                there
            });
            if there {
                let (group, bare) = parts(&filter);
                self.tree.remove(bare, group, place);
            }
            codes.push(if there { ReasonCode::SUCCESS.0 } else { ReasonCode::NO_SUBSCRIPTION_EXISTED.0 });
        }
        let codes = if version == Version::V5 { &codes[..] } else { &[] };
        send(conn, version, &Packet::Unsuback(Unsuback::new(packet.id, codes)), out);
    }
}
