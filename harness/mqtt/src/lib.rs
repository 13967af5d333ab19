//! Everything MQTT in Proofhouse.
//!
//! [`codec`] cuts, reads and writes the packets of MQTT 3.1.1 and 5.0. Nothing here opens a socket or reads a clock.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
