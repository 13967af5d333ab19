//! A message that the broker holds: shared by everyone it goes to, counted once.
use alloc::boxed::Box;
use alloc::sync::Arc;

use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::{Place, Properties, PropertiesBuf, PropertyId, QoS, Will};

use super::accounts::User;
use super::tally::{Meter, Tally};

/// An application message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
    /// The properties that travel with it, as they stand on the wire \[MQTT5 3.3.2-17, 3.3.2-18\].
    properties: Box<[u8]>,
    /// When it was taken.
    pub(crate) at: Time,
    /// Message Expiry Interval in seconds.
    pub(crate) expiry: Option<u32>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// On whose right it stands.
    pub(crate) author: User,
    /// Client id of its publisher, for No Local.
    pub(crate) origin: Arc<str>,
    _tally: Tally,
}

/// What a publisher gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Properties<'a>,
    /// Message Expiry Interval in seconds.
    pub(crate) expiry: Option<u32>,
}

impl<'a> Draft<'a> {
    /// The message of a Will.
    pub(crate) fn of_will(will: &Will<'a>) -> Draft<'a> {
        Draft {
            topic: will.topic.as_str(),
            payload: will.payload.as_bytes(),
            qos: will.qos,
            retain: will.retain,
            properties: will.properties,
            expiry: will.properties.message_expiry_interval(),
        }
    }

    /// A copy to keep.
    pub(crate) fn keep(&self, at: Time, author: User, origin: &Arc<str>, meter: &Meter) -> Arc<Message> {
        let properties = travelling(self.properties);
        let bytes = size_of::<Message>() + self.topic.len() + self.payload.len() + properties.len();
        Arc::new(Message {
            topic: self.topic.into(),
            payload: self.payload.into(),
            properties,
            at,
            expiry: self.expiry,
            qos: self.qos,
            retain: self.retain,
            author,
            origin: origin.clone(),
            _tally: meter.enter(bytes),
        })
    }
}

impl Message {
    /// Bytes of topic, payload and properties: what a queue's limit counts.
    pub(crate) fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.len()
    }

    /// Seconds that are left of its Message Expiry Interval; `Err` when none are \[MQTT5 3.3.2-5, 3.3.2-6\].
    pub(crate) fn left(&self, now: Time) -> Result<Option<u32>, ()> {
        let Some(expiry) = self.expiry else { return Ok(None) };
        let waited = u32::try_from(now.since(self.at).as_secs()).unwrap_or(u32::MAX);
        expiry.checked_sub(waited).filter(|left| *left > 0).map(Some).ok_or(())
    }

    /// The properties that travel with it.
    pub(crate) fn properties(&self) -> Properties<'_> {
        Properties::new(Place::Publish, &self.properties).unwrap_or_default()
    }
}

/// Without alias, identifiers and expiry, which belong to one hop; in the order in which they came.
fn travelling(properties: Properties<'_>) -> Box<[u8]> {
    if properties.is_empty() {
        return Box::default();
    }
    let mut kept = PropertiesBuf::new(Place::Publish);
    for (id, value) in properties {
        let travels = matches!(
            id,
            PropertyId::PayloadFormatIndicator
                | PropertyId::ContentType
                | PropertyId::ResponseTopic
                | PropertyId::CorrelationData
                | PropertyId::UserProperty
        );
        if travels {
            // They were legal in a PUBLISH or a Will, and every one of these may stand in a PUBLISH.
            let _ = kept.push(id, value);
        }
    }
    kept.view().as_bytes().into()
}
