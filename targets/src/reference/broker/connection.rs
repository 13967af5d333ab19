//! One network connection, as long as it lasts.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_core::time::{Duration, Time};
use proofhouse_mqtt::codec::Version;

use super::message::Message;
use super::tally::{Meter, Tally};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody.
    #[default]
    Free,
    /// CONNECT has not come.
    Fresh,
    /// CONNECT was accepted.
    Up,
    /// CONNECT was refused, and a flaw goes on for a second.
    Doomed,
}

/// A connection. A million of them: what most do not need is behind a box.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Place of its session, once it has one.
    pub(crate) session: u32,
    /// Address that it came from.
    pub(crate) source: u32,
    /// When its last packet came.
    pub(crate) heard: Time,
    /// The earliest wake that was asked for and has not come. Later ones find that they are not the one.
    pub(crate) armed: Time,
    /// Seconds.
    pub(crate) keep_alive: u16,
    pub(crate) version: Version,
    pub(crate) phase: Phase,
    /// A packet that has not come entirely. Only bytes that came, never what a header announces.
    pub(crate) partial: Option<Box<Partial>>,
    pub(crate) extra: Option<Box<Extra>>,
}

/// Bytes of a packet that is not complete.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tally: Tally,
}

/// No session.
pub(crate) const NONE: u32 = u32::MAX;

impl Default for Connection {
    fn default() -> Connection {
        Connection {
            session: NONE,
            source: 0,
            heard: Time::ZERO,
            armed: Time::NEVER,
            keep_alive: 0,
            version: Version::V311,
            phase: Phase::Free,
            partial: None,
            extra: None,
        }
    }
}

impl Connection {
    /// When silence has lasted one and a half times the Keep Alive \[MQTT5 3.1.2-22, MQTT3 3.1.2-24\].
    pub(crate) fn silent_at(&self) -> Time {
        match self.keep_alive {
            0 => Time::NEVER,
            seconds => self.heard + Duration::from_millis(u64::from(seconds) * 1_500),
        }
    }

    pub(crate) fn extra(&mut self, meter: &Meter) -> &mut Extra {
        self.extra.get_or_insert_with(|| Box::new(Extra::new(meter)))
    }

    /// Unacknowledged messages that the client takes.
    pub(crate) fn receive_maximum(&self) -> u16 {
        self.extra.as_ref().map_or(u16::MAX, |extra| extra.receive_maximum)
    }

    /// Bytes of the largest packet that the client takes.
    pub(crate) fn packet_maximum(&self) -> usize {
        self.extra.as_ref().map_or(usize::MAX, |extra| extra.packet_maximum as usize)
    }
}

/// What a client asked for that most do not.
#[derive(Debug)]
pub(crate) struct Extra {
    pub(crate) will: Option<Will>,
    /// Topic aliases that the client set \[MQTT5 §3.3.2.3.4\].
    pub(crate) aliases: BTreeMap<u16, Arc<str>>,
    /// Topic aliases that we set.
    pub(crate) own_aliases: BTreeMap<Arc<str>, u16>,
    pub(crate) alias_maximum: u16,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_maximum: u32,
    tally: Tally,
}

/// A message for the end of the connection.
#[derive(Debug)]
pub(crate) struct Will {
    pub(crate) message: Arc<Message>,
    /// Seconds.
    pub(crate) delay: u32,
}

impl Extra {
    fn new(meter: &Meter) -> Extra {
        Extra {
            will: None,
            aliases: BTreeMap::new(),
            own_aliases: BTreeMap::new(),
            alias_maximum: 0,
            receive_maximum: u16::MAX,
            packet_maximum: u32::MAX,
            tally: meter.enter(size_of::<Extra>()),
        }
    }

    /// Corrects the books after a change of aliases.
    pub(crate) fn settle(&mut self) {
        let topics = self.aliases.values().chain(self.own_aliases.keys());
        self.tally.set(size_of::<Extra>() + topics.map(|topic| topic.len() + 24).sum::<usize>());
    }
}
