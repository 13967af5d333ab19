//! MQTT 3.1.1 and 5.0 on the wire, in two layers.
//!
//! [`Frame`] can hold nonsense: any flags, any length, any body. Attackers write it and printers read it.
//! [`Packet`] holds only what the standard allows: devices and targets use it. A `Packet` borrows from the bytes it was read
//! from; reading allocates nothing, and writing appends to a buffer whose length was computed beforehand.
//!
//! The way in: [`split`] or [`Framer`] cuts a stream, [`Packet::decode`] reads what was cut. A server that does not know the
//! version yet reads the first packet with [`Connect::first`]. Every refusal is a [`Reason`] that cites its clause.
//!
//! Both layers only look at one packet. What a session remembers (identifiers in use, alias maps, quotas, order) is not here.

mod acks;
mod auth;
pub mod codes;
mod connack;
mod connect;
mod disconnect;
mod frame;
mod framer;
mod kind;
mod packet;
mod ping;
pub mod properties;
mod publish;
mod reader;
mod reason;
mod rules;
mod scan;
mod strings;
mod suback;
mod subscribe;
#[cfg(test)]
mod tests;
pub mod topic;
mod unsuback;
mod unsubscribe;
mod writer;

pub use acks::Ack;
pub use auth::Auth;
pub use connack::Connack;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use frame::{Frame, Length};
pub use framer::{Cut, Framer, split};
pub use kind::{Kind, PacketId, QoS, Sender, Version};
pub use packet::Packet;
pub use properties::{Place, Properties, PropertiesBuf, PropertyId, Value};
pub use publish::{Delivery, Publish};
pub use reason::{Reason, ReasonCode};
pub use strings::{Binary, Filter, Share, Text, TopicName};
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, SubscribeOptions, Subscription, Subscriptions, SubscriptionsBuf};
pub use unsuback::Unsuback;
pub use unsubscribe::{Filters, FiltersBuf, Unsubscribe};

/// The largest Remaining Length that four bytes can say: 268,435,455 \[MQTT5 §1.5.5, MQTT3 §2.2.3\].
pub const REMAINING_LENGTH_MAX: u32 = 0x0FFF_FFFF;
