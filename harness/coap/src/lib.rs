//! Everything CoAP in Proofhouse.
//!
//! [`codec`] reads and writes the messages of RFC 7252. [`exchange`] confirms, repeats and recognises them, [`block`] carries bodies
//! larger than a datagram, [`observe`] keeps order among notifications and a list of observers, [`link_format`] says what a server
//! offers. [`client`] asks and listens for scripts and devices, [`behaviour`] is what fleets do. [`dialog`], [`steps`] and [`frames`]
//! are the words of scripts, [`describe`] and [`names`] those of transcripts. [`COAP`] is the row by which the engine knows all of
//! it. Nothing here opens a socket or reads a clock.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod behaviour;
pub mod block;
pub mod cases;
pub mod client;
pub mod codec;
pub mod describe;
pub mod dialog;
pub mod exchange;
pub mod frames;
pub mod link_format;
pub mod model;
pub mod names;
pub mod observe;
pub mod oracle;
pub mod probes;
mod protocol;
pub mod residue;
pub mod steps;
#[cfg(test)]
mod testing;

pub use protocol::COAP;
