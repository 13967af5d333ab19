//! Targets served over sockets, for the hidden command `serve`: each function here runs one server in this process.
//! The only crate that carries rumqttd's dependencies; nothing but the command line uses it.

pub mod coap_lite;
pub mod reference;
pub mod rumqttd;
