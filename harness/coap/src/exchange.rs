//! The message layer of RFC 7252, sans-io: what an association remembers.
//!
//! A client keeps an [`Exchange`] (one request on its way, which is what NSTART 1 allows) and [`Ids`]; a server keeps [`Recent`] per
//! peer, and an [`Outgoing`] for each message of its own that awaits confirmation. Each is a small value without a map, so that a
//! hundred thousand devices fit in one process. Time is an argument, and so is every draw: nothing here has a clock or a generator.

mod ids;
mod outgoing;
mod params;
mod recent;
mod request;
#[cfg(test)]
mod tests;

pub use ids::Ids;
pub use outgoing::{Confirmed, Outgoing, Tick};
pub use params::Params;
pub use recent::{Recent, Seen};
pub use request::{Exchange, Heard};
