//! What a server announces in CONNACK, and which legal packets it then takes: Receive Maximum, Maximum QoS, Maximum Packet Size
//! and the rest.
//!
//! One mechanism for everybody of ours who keeps to the standard: device sessions, telemetry and the legal steps of scripts ask
//! here before they speak. What a single packet cannot show (unacknowledged messages, aliases that were defined) is an argument or
//! is kept by whoever asks.
use core::fmt;

use crate::codec::{
    Connack, Packet, Properties, PropertyId, Publish, QoS, Reason, ReasonCode, Subscribe, Value, Version,
};

/// The terms of one network connection, from the CONNACK that opened it. 3.1.1 announces nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Unacknowledged QoS 1 and 2 messages that the server takes \[MQTT5 3.3.4-7\].
    pub receive_maximum: u16,
    /// The highest Topic Alias; 0: none \[MQTT5 3.2.2-17, 3.2.2-18\].
    pub topic_alias_maximum: u16,
    /// Bytes of the largest packet \[MQTT5 3.2.2-15\].
    pub maximum_packet_size: u32,
    /// The highest quality of a message \[MQTT5 3.2.2-11\].
    pub maximum_qos: QoS,
    /// Whether messages may carry RETAIN \[MQTT5 3.2.2-14\].
    pub retain: bool,
    /// Whether filters may have wildcards \[MQTT5 §3.2.2.3.11\].
    pub wildcards: bool,
    /// Whether SUBSCRIBE may carry a Subscription Identifier \[MQTT5 §3.2.2.3.12\].
    pub subscription_ids: bool,
    /// Whether `$share/...` may be subscribed to \[MQTT5 §3.2.2.3.13\].
    pub shared: bool,
}

/// A limit that a packet would break, with the server's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum Limit {
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    MaximumPacketSize(u32),
    MaximumQoS(QoS),
    RetainAvailable,
    WildcardSubscriptionAvailable,
    SubscriptionIdentifierAvailable,
    SharedSubscriptionAvailable,
}

impl Announced {
    /// Nothing is announced: what holds before CONNACK, and always in 3.1.1.
    pub const NOTHING: Announced = Announced {
        receive_maximum: u16::MAX,
        topic_alias_maximum: 0,
        maximum_packet_size: u32::MAX,
        maximum_qos: QoS::ExactlyOnce,
        retain: true,
        wildcards: true,
        subscription_ids: true,
        shared: true,
    };

    /// The terms of a CONNACK.
    #[must_use]
    pub fn by(connack: &Connack<'_>) -> Announced {
        Announced::read(|id| match connack.properties.find(id) {
            Some(Value::Int(value)) => Some(value),
            _ => None,
        })
    }

    /// The terms that these properties make, wherever they stand.
    #[must_use]
    pub fn read(property: impl Fn(PropertyId) -> Option<u32>) -> Announced {
        let short = |id, unsaid: u16| property(id).map_or(unsaid, |value| u16::try_from(value).unwrap_or(u16::MAX));
        let available = |id| property(id).is_none_or(|value| value != 0);
        let nothing = Announced::NOTHING;
        let qos = property(PropertyId::MaximumQoS).and_then(|value| QoS::from_number(u8::try_from(value).ok()?));
        Announced {
            receive_maximum: short(PropertyId::ReceiveMaximum, nothing.receive_maximum),
            topic_alias_maximum: short(PropertyId::TopicAliasMaximum, nothing.topic_alias_maximum),
            maximum_packet_size: property(PropertyId::MaximumPacketSize).unwrap_or(nothing.maximum_packet_size),
            maximum_qos: qos.unwrap_or(nothing.maximum_qos),
            retain: available(PropertyId::RetainAvailable),
            wildcards: available(PropertyId::WildcardSubscriptionAvailable),
            subscription_ids: available(PropertyId::SubscriptionIdentifierAvailable),
            shared: available(PropertyId::SharedSubscriptionAvailable),
        }
    }

    /// Whether one more QoS 1 or 2 message may be sent beside so many that are not acknowledged \[MQTT5 3.3.4-7\].
    ///
    /// # Errors
    /// The Receive Maximum.
    pub const fn takes_beside(&self, unacknowledged: usize) -> Result<(), Limit> {
        if unacknowledged < self.receive_maximum as usize {
            Ok(())
        } else {
            Err(Limit::ReceiveMaximum(self.receive_maximum))
        }
    }
}

/// Whether a server with these terms takes this packet from a client, as far as the packet alone shows.
///
/// # Errors
/// The first limit that it breaks.
pub fn allows(announced: &Announced, packet: &Packet<'_>) -> Result<(), Limit> {
    match packet {
        Packet::Publish(publish) => publish_fits(announced, publish)?,
        Packet::Subscribe(subscribe) => subscribe_fits(announced, subscribe)?,
        _ => {}
    }
    let most = announced.maximum_packet_size;
    // A packet that cannot be said at all is refused by its encoder, in its own words.
    let size = if most == u32::MAX { 0 } else { packet.encoded_len(Version::V5).unwrap_or(0) };
    unless(size <= most as usize, Limit::MaximumPacketSize(most))
}

fn publish_fits(announced: &Announced, publish: &Publish<'_>) -> Result<(), Limit> {
    let (qos, alias) = (announced.maximum_qos, announced.topic_alias_maximum);
    unless(publish.delivery.qos() <= qos, Limit::MaximumQoS(qos))?;
    unless(!publish.retain || announced.retain, Limit::RetainAvailable)?;
    unless(publish.properties.topic_alias().is_none_or(|own| own <= alias), Limit::TopicAliasMaximum(alias))
}

fn subscribe_fits(announced: &Announced, subscribe: &Subscribe<'_>) -> Result<(), Limit> {
    let all = |holds: fn(&str) -> bool| subscribe.subscriptions.iter().all(|one| holds(one.filter.as_str()));
    let (wild, shared) = (|filter: &str| !filter.contains(['+', '#']), |filter: &str| !filter.starts_with("$share/"));
    unless(announced.wildcards || all(wild), Limit::WildcardSubscriptionAvailable)?;
    unless(announced.shared || all(shared), Limit::SharedSubscriptionAvailable)?;
    let named = has_identifier(subscribe.properties);
    unless(announced.subscription_ids || !named, Limit::SubscriptionIdentifierAvailable)
}

fn has_identifier(properties: Properties<'_>) -> bool {
    properties.find(PropertyId::SubscriptionIdentifier).is_some()
}

fn unless(holds: bool, limit: Limit) -> Result<(), Limit> {
    if holds { Ok(()) } else { Err(limit) }
}

impl Limit {
    /// The clause by which the limit binds a client.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Limit::ReceiveMaximum(_) => "MQTT5 3.3.4-7",
            Limit::TopicAliasMaximum(_) => "MQTT5 3.2.2-17",
            Limit::MaximumPacketSize(_) => "MQTT5 3.2.2-15",
            Limit::MaximumQoS(_) => "MQTT5 3.2.2-11",
            Limit::RetainAvailable => "MQTT5 3.2.2-14",
            Limit::WildcardSubscriptionAvailable => "MQTT5 §3.2.2.3.11",
            Limit::SubscriptionIdentifierAvailable => "MQTT5 §3.2.2.3.12",
            Limit::SharedSubscriptionAvailable => "MQTT5 §3.2.2.3.13",
        }
    }
}

impl From<Limit> for Reason {
    /// The reason that a server would have for a refusal.
    fn from(limit: Limit) -> Reason {
        let (code, what) = match limit {
            Limit::ReceiveMaximum(_) => (ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, "a message beyond the Receive Maximum"),
            Limit::TopicAliasMaximum(_) => (ReasonCode::TOPIC_ALIAS_INVALID, "an alias above the Topic Alias Maximum"),
            Limit::MaximumPacketSize(_) => (ReasonCode::PACKET_TOO_LARGE, "a packet above the Maximum Packet Size"),
            Limit::MaximumQoS(_) => (ReasonCode::QOS_NOT_SUPPORTED, "a message above the Maximum QoS"),
            Limit::RetainAvailable => (ReasonCode::RETAIN_NOT_SUPPORTED, "RETAIN where nothing is retained"),
            Limit::WildcardSubscriptionAvailable => {
                (ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "a wildcard where none is available")
            }
            Limit::SubscriptionIdentifierAvailable => (
                ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
                "a Subscription Identifier where none is available",
            ),
            Limit::SharedSubscriptionAvailable => {
                (ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "a shared subscription where none is available")
            }
        };
        Reason { clause: limit.clause(), code, what }
    }
}

impl fmt::Display for Limit {
    /// As an engineer looks for it: `Maximum QoS 0 [MQTT5 3.2.2-11]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::ReceiveMaximum(most) => write!(f, "Receive Maximum {most}")?,
            Limit::TopicAliasMaximum(most) => write!(f, "Topic Alias Maximum {most}")?,
            Limit::MaximumPacketSize(most) => write!(f, "Maximum Packet Size {most}")?,
            Limit::MaximumQoS(most) => write!(f, "Maximum QoS {}", most.number())?,
            Limit::RetainAvailable => f.write_str("Retain Available 0")?,
            Limit::WildcardSubscriptionAvailable => f.write_str("Wildcard Subscription Available 0")?,
            Limit::SubscriptionIdentifierAvailable => f.write_str("Subscription Identifier Available 0")?,
            Limit::SharedSubscriptionAvailable => f.write_str("Shared Subscription Available 0")?,
        }
        write!(f, " [{}]", self.clause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{
        Delivery, PacketId, Place, PropertiesBuf, ReasonCode, SubscribeOptions, SubscriptionsBuf, TopicName,
    };

    fn announced(id: PropertyId, value: u32) -> Announced {
        let properties = PropertiesBuf::new(Place::Connack).with(id, value).unwrap();
        Announced::by(&Connack { properties: properties.view(), ..Connack::new(false, ReasonCode::SUCCESS) })
    }

    /// A limit, the packet that just keeps it, and the one just past it.
    #[track_caller]
    fn check(id: PropertyId, value: u32, within: &Packet<'_>, past: &Packet<'_>, limit: Limit) {
        let announced = announced(id, value);
        assert_eq!(allows(&announced, within), Ok(()), "{id:?} {value}");
        assert_eq!(allows(&announced, past), Err(limit), "{id:?} {value}");
        assert_eq!(allows(&Announced::NOTHING, within), Ok(()), "{id:?}: nothing is announced");
    }

    fn publish(qos: QoS, payload: &[u8]) -> Publish<'_> {
        let delivery = Delivery::new(qos, PacketId::new(1), false).unwrap();
        Publish::new(delivery, TopicName::new("a").unwrap(), payload)
    }

    #[test]
    fn each_limit_of_a_message_is_kept_to_the_edge() {
        let qos = |qos| Packet::Publish(publish(qos, b""));
        let limit = Limit::MaximumQoS(QoS::AtLeastOnce);
        check(PropertyId::MaximumQoS, 1, &qos(QoS::AtLeastOnce), &qos(QoS::ExactlyOnce), limit);
        let retained = Publish { retain: true, ..publish(QoS::AtMostOnce, b"") };
        let plain = qos(QoS::AtMostOnce);
        check(PropertyId::RetainAvailable, 0, &plain, &Packet::Publish(retained), Limit::RetainAvailable);
        // Two bytes of fixed header, three of topic, one of properties: 10 with a payload of 4.
        let sized = |payload| Packet::Publish(publish(QoS::AtMostOnce, payload));
        check(PropertyId::MaximumPacketSize, 10, &sized(b"1234"), &sized(b"12345"), Limit::MaximumPacketSize(10));
        let alias = |n: u16| PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, n).unwrap();
        let (two, three) = (alias(2), alias(3));
        let with = |alias: &'_ PropertiesBuf| {
            let publish = Publish { properties: alias.view(), ..publish(QoS::AtMostOnce, b"") };
            allows(&announced(PropertyId::TopicAliasMaximum, 2), &Packet::Publish(publish))
        };
        assert_eq!((with(&two), with(&three)), (Ok(()), Err(Limit::TopicAliasMaximum(2))));
    }

    #[test]
    fn a_server_that_announces_no_alias_maximum_takes_none() {
        let properties = PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, 1u16).unwrap();
        let publish = Publish { properties: properties.view(), ..publish(QoS::AtMostOnce, b"") };
        let refused = allows(&Announced::NOTHING, &Packet::Publish(publish));
        assert_eq!(refused, Err(Limit::TopicAliasMaximum(0)));
    }

    #[test]
    fn each_limit_of_a_subscription_is_kept() {
        let wanted = |filter| SubscriptionsBuf::new(Version::V5).with(filter, SubscribeOptions::default()).unwrap();
        let (plain, wild, shared) = (wanted("a/b"), wanted("a/#"), wanted("$share/g/a"));
        let named = PropertiesBuf::new(Place::Subscribe).with(PropertyId::SubscriptionIdentifier, 1u32).unwrap();
        fn subscribe<'a>(wanted: &'a SubscriptionsBuf, properties: Properties<'a>) -> Packet<'a> {
            Packet::Subscribe(Subscribe { id: PacketId::MIN, properties, subscriptions: wanted.view() })
        }
        let of = |wanted| subscribe(wanted, Properties::EMPTY);
        let limit = Limit::WildcardSubscriptionAvailable;
        check(PropertyId::WildcardSubscriptionAvailable, 0, &of(&plain), &of(&wild), limit);
        let limit = Limit::SharedSubscriptionAvailable;
        check(PropertyId::SharedSubscriptionAvailable, 0, &of(&plain), &of(&shared), limit);
        let (with, limit) = (subscribe(&plain, named.view()), Limit::SubscriptionIdentifierAvailable);
        check(PropertyId::SubscriptionIdentifierAvailable, 0, &of(&plain), &with, limit);
    }

    #[test]
    fn the_quota_ends_with_the_receive_maximum() {
        let two = announced(PropertyId::ReceiveMaximum, 2);
        assert_eq!(two.takes_beside(1), Ok(()));
        assert_eq!(two.takes_beside(2), Err(Limit::ReceiveMaximum(2)));
        assert_eq!(Announced::NOTHING.takes_beside(65_534), Ok(()));
    }

    #[test]
    fn a_limit_names_its_number_and_its_clause() {
        let said = alloc::format!("{}", Limit::MaximumQoS(QoS::AtMostOnce));
        assert_eq!(said, "Maximum QoS 0 [MQTT5 3.2.2-11]");
    }
}
