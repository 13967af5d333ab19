//! PUBLISH: a message on its way.

use alloc::vec::Vec;

use super::packet::Body;
use super::reader::Reader;
use super::rules::Rule;
use super::{
    Kind, PacketId, Place, Properties, PropertyId, QoS, Reason, ReasonCode, Sender, TopicName, Version, properties,
    writer,
};

const QOS_3: Rule = Rule::malformed("MQTT3 3.3.1-4", "MQTT5 3.3.1-4", "QoS 3");
const DUP_AT_QOS_0: Rule = Rule::malformed("MQTT3 3.3.1-2", "MQTT5 3.3.1-2", "DUP on a QoS 0 message");
const WILDCARD: Rule = Rule::malformed("MQTT3 3.3.2-2", "MQTT5 3.3.2-2", "a wildcard in the Topic Name")
    .answer(ReasonCode::TOPIC_NAME_INVALID);
const NO_TOPIC: Rule = Rule::protocol("MQTT3 4.7.3-1", "MQTT5 §3.3.2.1", "an empty Topic Name without a Topic Alias");

/// How a message is to be acknowledged. QoS 0 has neither identifier nor DUP \[MQTT3 2.3.1-5, 3.3.1-2, MQTT5 2.2.1-2, 3.3.1-2\].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce {
        /// The identifier that PUBACK repeats.
        id: PacketId,
        /// Sent before \[MQTT5 3.3.1-1\].
        dup: bool,
    },
    /// QoS 2.
    ExactlyOnce {
        /// The identifier that PUBREC, PUBREL and PUBCOMP repeat.
        id: PacketId,
        /// Sent before \[MQTT5 3.3.1-1\].
        dup: bool,
    },
}

impl Delivery {
    /// The delivery of this quality: `id` is dropped at QoS 0, and must be there above it.
    #[must_use]
    pub const fn new(qos: QoS, id: Option<PacketId>, dup: bool) -> Option<Self> {
        match (qos, id) {
            (QoS::AtMostOnce, _) => Some(Self::AtMostOnce),
            (QoS::AtLeastOnce, Some(id)) => Some(Self::AtLeastOnce { id, dup }),
            (QoS::ExactlyOnce, Some(id)) => Some(Self::ExactlyOnce { id, dup }),
            (_, None) => None,
        }
    }

    /// The quality of service.
    #[must_use]
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce { .. } => QoS::AtLeastOnce,
            Self::ExactlyOnce { .. } => QoS::ExactlyOnce,
        }
    }

    /// The packet identifier; none at QoS 0.
    #[must_use]
    pub const fn id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce { id, .. } | Self::ExactlyOnce { id, .. } => Some(id),
        }
    }

    /// Whether the DUP flag is set.
    #[must_use]
    pub const fn dup(self) -> bool {
        match self {
            Self::AtMostOnce => false,
            Self::AtLeastOnce { dup, .. } | Self::ExactlyOnce { dup, .. } => dup,
        }
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Quality of service, identifier and DUP.
    pub delivery: Delivery,
    /// The RETAIN flag.
    pub retain: bool,
    /// The Topic Name; [`TopicName::ALIASED`] only with a Topic Alias \[MQTT5 §3.3.2.1\].
    pub topic: TopicName<'a>,
    /// Alias, expiry, response topic and the rest; a server may add Subscription Identifiers.
    pub properties: Properties<'a>,
    /// The message itself, any bytes. A Payload Format Indicator is not checked against it \[MQTT5 §3.3.2.3.2\].
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// A message without properties, not retained.
    #[must_use]
    pub const fn new(delivery: Delivery, topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        Self { delivery, retain: false, topic, properties: Properties::EMPTY, payload }
    }

    #[inline]
    pub(crate) fn read(flags: u8, sender: Sender, mut reader: Reader<'a>) -> Result<Self, Reason> {
        let version = reader.version;
        let (dup, retain) = (flags & 0b1000 != 0, flags & 1 != 0);
        let qos = QoS::from_number(flags >> 1 & 3).ok_or_else(|| QOS_3.refuse(version))?;
        DUP_AT_QOS_0.require(!dup || qos != QoS::AtMostOnce, version)?;
        let topic = TopicName::read(version, reader.utf8()?, WILDCARD)?;
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce { id: reader.packet_id(sender)?, dup },
            QoS::ExactlyOnce => Delivery::ExactlyOnce { id: reader.packet_id(sender)?, dup },
        };
        let properties = Properties::read(Place::Publish, &mut reader)?;
        properties::sent_by(properties, sender)?;
        let publish = Self { delivery, retain, topic, properties, payload: reader.rest() };
        publish.has_topic(version)?;
        Ok(publish)
    }

    /// An empty Topic Name needs an alias.
    #[inline]
    fn has_topic(&self, version: Version) -> Result<(), Reason> {
        NO_TOPIC.require(!self.topic.is_empty() || self.properties.has(PropertyId::TopicAlias), version)
    }

    pub(crate) const fn flags(&self) -> u8 {
        (self.delivery.dup() as u8) << 3 | self.delivery.qos().number() << 1 | self.retain as u8
    }
}

impl Body for Publish<'_> {
    #[inline]
    fn check(&self, version: Version, _: Kind) -> Result<(), Reason> {
        self.properties.fit(Place::Publish, version)?;
        self.has_topic(version)
    }

    #[inline]
    fn len(&self, version: Version) -> usize {
        let id = if self.delivery == Delivery::AtMostOnce { 0 } else { 2 };
        2 + self.topic.len() + id + self.properties.encoded_len(version) + self.payload.len()
    }

    #[inline]
    fn write(&self, version: Version, out: &mut Vec<u8>) {
        writer::field(out, self.topic.as_bytes());
        if let Some(id) = self.delivery.id() {
            writer::two_bytes(out, id.get());
        }
        self.properties.write(version, out);
        out.extend_from_slice(self.payload);
    }
}
