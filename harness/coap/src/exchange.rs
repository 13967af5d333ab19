//! The message layer of RFC 7252, sans-io: what an association remembers.
//!
//! Either side keeps an [`Outgoing`] for each message of its own that awaits confirmation, and [`Recent`] for what the other has sent;
//! a server draws the ids of its messages from [`Ids`]. Each is a small value without a map, so that a
//! hundred thousand devices fit in one process. Time is an argument, and so is every draw: nothing here has a clock or a generator.

mod ids;
mod measured;
mod outgoing;
mod params;
mod recent;
#[cfg(test)]
mod tests;

pub use ids::Ids;
pub use measured::Measured;
pub use outgoing::{Confirmed, Outgoing, Tick};
pub use params::Params;
pub use recent::{Recent, Seen};
