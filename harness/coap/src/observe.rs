//! Following a resource: the order of notifications, and who is to get them (RFC 7641).

mod observers;
mod order;
#[cfg(test)]
mod tests;

pub use observers::{Observer, Observers, Registered};
pub use order::{Sequence, newer};

/// Observe in a request: put me on the list \[RFC 7641 §2\].
pub const REGISTER: u32 = 0;
/// Observe in a request: take me off the list \[RFC 7641 §2\].
pub const DEREGISTER: u32 = 1;
