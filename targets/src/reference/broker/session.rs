//! What is kept of a client between its connections.
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;

use proofhouse_core::ids::Conn;
use proofhouse_core::time::Time;
use proofhouse_mqtt::codec::topic::matches;
use proofhouse_mqtt::codec::{PacketId, QoS};

use super::accounts::User;
use super::message::Message;
use super::tally::{Meter, Tally};

/// Session Expiry Interval that means "never" \[MQTT5 §3.1.2.11.2\]; what a 3.1.1 client without Clean Session has.
pub(crate) const FOR_EVER: u32 = u32::MAX;

/// One client id. Small: a million of them only publish, and have no [`State`].
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: Arc<str>,
    /// Whose it is; nobody else gets it.
    pub(crate) owner: User,
    /// The connection that speaks for it.
    pub(crate) conn: Option<Conn>,
    /// Seconds that it outlives its connection.
    pub(crate) expiry: u32,
    /// When it ends, once it has no connection.
    pub(crate) ends: Time,
    /// Made when it is first needed.
    pub(crate) state: Option<Box<State>>,
}

impl Session {
    pub(crate) fn state(&mut self, meter: &Meter) -> &mut State {
        self.state.get_or_insert_with(|| Box::new(State::new(meter)))
    }
}

/// What a session remembers \[MQTT5 4.1.0-1, MQTT3 3.1.2-4\].
#[derive(Debug)]
pub(crate) struct State {
    /// As SUBSCRIBE named them, share and all.
    pub(crate) filters: BTreeSet<Box<str>>,
    /// Messages that were sent, or were about to be when the connection ended, in the order of their first sending.
    pub(crate) flights: VecDeque<Flight>,
    /// Messages that wait.
    pub(crate) queue: VecDeque<Delivery>,
    queue_bytes: usize,
    /// QoS 2 messages that came and whose PUBREL has not.
    pub(crate) inbound: BTreeSet<u16>,
    /// How many of the flights have been sent over this connection.
    pub(crate) open: u16,
    last_id: u16,
    /// A Will that waits for its delay.
    pub(crate) will: Option<(Time, Arc<Message>)>,
    text: usize,
    tally: Tally,
}

/// A message on its way to one client.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    /// Of the message and of the subscription the lower one.
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Subscription Identifiers.
    pub(crate) ids: Box<[u32]>,
    /// The shared subscription that chose this client: `$share/group/filter`.
    pub(crate) share: Option<Arc<str>>,
    /// Not asked for rights: only ever set by a flaw.
    pub(crate) unchecked: bool,
}

/// A QoS 1 or 2 message that has a packet identifier.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) id: PacketId,
    /// `None`: PUBREC came, PUBCOMP is awaited.
    pub(crate) delivery: Option<Delivery>,
    /// Sent over this connection.
    pub(crate) sent: bool,
    /// Sent over any connection: the next time with DUP.
    pub(crate) dup: bool,
}

impl State {
    fn new(meter: &Meter) -> State {
        State {
            filters: BTreeSet::new(),
            flights: VecDeque::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            inbound: BTreeSet::new(),
            open: 0,
            last_id: 0,
            will: None,
            text: 0,
            tally: meter.enter(size_of::<State>()),
        }
    }

    /// Corrects the books after a change; cheap.
    pub(crate) fn settle(&mut self) {
        let bytes = size_of::<State>()
            + self.filters.len() * size_of::<Box<str>>()
            + self.text
            + self.flights.capacity() * size_of::<Flight>()
            + self.queue.capacity() * size_of::<Delivery>()
            + self.inbound.len() * size_of::<u16>();
        self.tally.set(bytes);
    }

    /// Remembers a filter.
    pub(crate) fn add_filter(&mut self, filter: &str) {
        if self.filters.insert(filter.into()) {
            self.text += filter.len();
        }
    }

    /// Forgets a filter; whether it was there.
    pub(crate) fn remove_filter(&mut self, filter: &str) -> bool {
        let there = self.filters.remove(filter);
        self.text -= if there { filter.len() } else { 0 };
        there
    }

    /// Queues a message, unless that passes one of the limits: then the newest is the one to go.
    pub(crate) fn push(&mut self, delivery: Delivery, max: usize, max_bytes: usize) -> bool {
        let size = delivery.message.size();
        let room = self.queue.len() < max && self.queue_bytes + size <= max_bytes;
        if room {
            self.queue_bytes += size;
            self.queue.push_back(delivery);
        }
        room
    }

    /// The message that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.queue_bytes -= delivery.message.size();
        if self.queue.is_empty() {
            self.queue.shrink_to(16);
        }
        Some(delivery)
    }

    /// Forgets what waits and what is on its way: only ever called by a flaw.
    pub(crate) fn forget_messages(&mut self) {
        self.queue = VecDeque::new();
        self.flights = VecDeque::new();
        (self.queue_bytes, self.open) = (0, 0);
    }

    /// Forgets what is on its way and matches a filter: only ever called by a flaw.
    pub(crate) fn forget_matching(&mut self, filter: &str) {
        let fits = |flight: &Flight| flight.delivery.as_ref().is_some_and(|one| matches(filter, &one.message.topic));
        self.flights.retain(|flight| !fits(flight));
        self.open = self.flights.iter().filter(|flight| flight.sent).count() as u16;
    }

    /// A packet identifier that no flight has \[MQTT5 2.2.1-4\]. There are fewer flights than identifiers.
    pub(crate) fn fresh_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last_id).unwrap_or(PacketId::MIN);
            if !self.flights.iter().any(|flight| flight.id == id) {
                return id;
            }
        }
    }

    /// The connection is gone: everything unacknowledged is to be sent again \[MQTT5 4.4.0-1\].
    pub(crate) fn ground(&mut self) {
        self.open = 0;
        for flight in &mut self.flights {
            flight.sent = false;
        }
    }
}
