//! Documents from a finished run: plain functions of what its folder holds. No clock, no file, no network.
//!
//! Reading order: [`run`] (what a run is here), then one file per document: [`markdown()`], [`html()`] (with [`ladder`] and
//! [`coverage`]), [`junit()`], [`sarif()`], and [`capture()`] (the packets of one finding, for Wireshark).
//!
//! Titles, payloads and log lines come from peers. Every document escapes them in its own way, and [`words::visible`] first takes
//! away what no escaping covers: control characters, and those that turn the direction of writing.
#![forbid(unsafe_code)]
mod capture;
pub mod coverage;
mod html;
mod junit;
pub mod ladder;
mod markdown;
mod pcapng;
pub mod run;
mod sarif;
mod score;
pub mod words;

#[cfg(test)]
mod samples;

pub use capture::{FleetTransport, capture, fleets};
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use run::Run;
pub use sarif::sarif;
