//! Everything MQTT in Proofhouse.
//!
//! [`codec`] cuts, reads and writes the packets of MQTT 3.1.1 and 5.0. [`session`] is a whole client for devices, [`behaviour`]
//! what fleets do with it. [`dialog`], [`steps`] and [`frames`] are the words of scripts, [`describe`] those of transcripts.
//! [`MQTT`] is the row by which the engine knows all of it. Nothing here opens a socket or reads a clock.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod behaviour;
pub mod cases;
pub mod codec;
pub mod describe;
pub mod dialog;
pub mod frames;
mod grammar;
pub mod model;
pub mod names;
pub mod oracle;
pub mod probes;
mod protocol;
pub mod residue;
pub mod session;
pub mod steps;
#[cfg(test)]
mod testing;
pub mod unique;

pub use protocol::MQTT;
