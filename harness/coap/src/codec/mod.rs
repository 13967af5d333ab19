//! CoAP on the wire, in two layers.
//!
//! [`Frame`] can hold nonsense: any version, any token length, any option header. Attackers write it and printers read it.
//! [`Message`] holds only what RFC 7252 allows: devices and targets use it. A `Message` borrows from the datagram it was read from;
//! reading allocates nothing. [`Writer`] writes one straight into the datagram that is sent.
//!
//! Every refusal is a [`Reject`] that cites its section and says what the receiver must do: [`Duty`].
//! Both layers look at one message only; what an association remembers is in [`exchange`](crate::exchange).

mod code;
mod frame;
mod kind;
mod message;
mod option;
mod options;
mod reader;
mod reject;
pub mod rules;
#[cfg(test)]
mod tests;
mod token;
mod writer;

pub use code::Code;
pub use frame::{Delta, Frame, Length, RawOption};
pub use kind::Kind;
pub use message::Message;
pub use option::{Definition, Format, OptionNumber, Place, REGISTRY};
pub use options::{Opt, Options, UintBytes, uint_value};
pub use reject::{Duty, Reject, Rule};
pub use token::Token;
pub use writer::Writer;

/// The version that every message says \[RFC 7252 §3\].
pub const VERSION: u8 = 1;
/// The longest token \[RFC 7252 §3\].
pub const TOKEN_MAX: usize = 8;
/// What stands between options and payload \[RFC 7252 §3\].
pub const PAYLOAD_MARKER: u8 = 0xFF;
/// The largest message if nothing is known of the path \[RFC 7252 §4.6\].
pub const MESSAGE_MAX: usize = 1152;
/// The largest payload if nothing is known of the path \[RFC 7252 §4.6\].
pub const PAYLOAD_MAX: usize = 1024;
