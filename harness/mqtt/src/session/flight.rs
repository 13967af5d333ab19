//! Messages on their way to the server.
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{Delivery, PacketId, QoS};

/// Names a message from [`Session::publish`](super::Session::publish) until it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u32);

/// What a device sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic, without wildcards.
    pub topic: String,
    /// The message itself.
    pub payload: Vec<u8>,
    /// The quality; lowered where the server announces less.
    pub qos: QoS,
    /// Whether it is retained; dropped where the server announces that it keeps none.
    pub retain: bool,
}

impl Message {
    /// How it is to be acknowledged: with an identifier and DUP, or not at all.
    pub(super) fn delivery(&self, id: Option<(PacketId, bool)>) -> Delivery {
        id.and_then(|(id, dup)| Delivery::new(self.qos, Some(id), dup)).unwrap_or_default()
    }
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryState {
    /// PUBLISH was sent.
    Published,
    /// PUBREL was sent: the server has the message.
    Released,
}

/// A message that is sent and not acknowledged.
pub(super) struct Flight {
    pub(super) id: PacketId,
    pub(super) ticket: Ticket,
    pub(super) message: Message,
    pub(super) state: DeliveryState,
    /// PUBLISH must be sent again, and was not yet on this connection.
    pub(super) again: bool,
}

impl Flight {
    /// A message that was just sent for the first time.
    pub(super) const fn new(id: PacketId, ticket: Ticket, message: Message) -> Flight {
        Flight { id, ticket, message, state: DeliveryState::Published, again: false }
    }
}
