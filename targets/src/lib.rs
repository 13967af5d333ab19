//! Reference targets: sans-io, correct by their standard, and able to carry one planted flaw so that every oracle can prove itself.
//!
//! [`mod@reference`] holds the targets, [`flaw`] the defects that they can be built with. Nothing here opens a socket or reads a
//! clock: a target is an [`Actor`](proofhouse_core::actor::Actor) like every other participant.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod flaw;
pub mod reference;

use proofhouse_core::registry::Build;

/// Every target that can be built in this process, for [`Registry::builds`](proofhouse_core::registry::Registry::builds).
pub const BUILDS: &[Build] = &[reference::broker::BUILD];
