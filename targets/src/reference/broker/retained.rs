//! Retained messages by topic: the last one that asked to be kept.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound;

use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::topic::matches;

use super::message::Message;

/// All retained messages.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    all: BTreeMap<Box<str>, Arc<Message>>,
    text: usize,
}

impl Retained {
    /// Whether a message for this topic can be kept: there is one already, or room for one more.
    pub(crate) fn has_room(&mut self, topic: &str, max: u32, now: Time) -> bool {
        if self.all.len() < max as usize || self.all.contains_key(topic) {
            return true;
        }
        self.all.retain(|_, message| message.left(now).is_ok());
        self.text = self.all.keys().map(|topic| topic.len()).sum();
        self.all.len() < max as usize
    }

    /// Keeps a message; an empty one clears its topic \[MQTT5 3.3.1-6, 3.3.1-7, MQTT3 3.3.1-10, 3.3.1-11\].
    pub(crate) fn keep(&mut self, message: &Arc<Message>) {
        if message.payload.is_empty() {
            self.clear(&message.topic);
        } else if self.all.insert(message.topic.clone(), message.clone()).is_none() {
            self.text += message.topic.len();
        }
    }

    /// Forgets a topic.
    pub(crate) fn clear(&mut self, topic: &str) {
        if self.all.remove(topic).is_some() {
            self.text -= topic.len();
        }
    }

    /// Whether a message is kept for this topic.
    pub(crate) fn has(&self, topic: &str) -> bool {
        self.all.contains_key(topic)
    }

    /// Every kept message that a filter matches, in the order of topics. Only topics that share the filter's fixed part are looked at.
    pub(crate) fn matching<'a>(&'a self, filter: &'a str) -> impl Iterator<Item = &'a Arc<Message>> {
        let fixed = filter.find(['+', '#']).map_or(filter, |wild| filter[..wild].trim_end_matches('/'));
        let from = self.all.range::<str, _>((Bound::Included(fixed), Bound::Unbounded));
        from.take_while(move |(topic, _)| topic.starts_with(fixed))
            .filter(move |(topic, _)| matches(filter, topic))
            .map(|(_, message)| message)
    }

    /// Bytes of the index; the messages are counted where they are made.
    pub(crate) fn bytes(&self) -> usize {
        self.text + self.all.len() * size_of::<(Box<str>, Arc<Message>)>()
    }
}
