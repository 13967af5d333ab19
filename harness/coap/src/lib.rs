//! Everything CoAP in Proofhouse.
//!
//! [`codec`] reads and writes the messages of RFC 7252. [`exchange`] confirms, repeats and recognises them, [`block`] carries bodies
//! larger than a datagram, [`observe`] keeps order among notifications and a list of observers, [`link_format`] says what a server
//! offers. Nothing here opens a socket or reads a clock.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod block;
pub mod codec;
pub mod exchange;
pub mod link_format;
pub mod observe;
