//! The reference targets, one folder each.

pub mod broker;
pub mod coap_server;
pub mod gateway;
