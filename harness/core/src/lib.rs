//! The engine of Proofhouse.
//!
//! `(scenario, case, seed, target) -> transcript -> verdict -> finding`
//!
//! Reading order: [`actor`] (who takes part), [`scenario`] and [`plan`] (what happens), [`sim`] (time passes),
//! [`transcript`] (what was seen), [`oracle`] and [`verdict`] (what it means), [`finding`] and [`shrink`] (what is kept).
//! This crate names no protocol, opens no socket, reads no clock and spawns no thread: it is `no_std`, so those are
//! compile errors here.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod actor;
pub mod admin;
pub mod behaviour;
pub mod board;
pub mod budget;
pub mod clause;
pub mod connection;
pub mod document;
pub mod finding;
pub mod grammar;
pub mod guidance;
pub mod ids;
pub mod judge;
pub mod key;
pub mod link;
pub mod model;
pub mod note;
pub mod oracle;
pub mod part;
pub mod plan;
pub mod protocol;
pub mod queue;
pub mod recorder;
pub mod registry;
pub mod results;
pub mod scenario;
pub mod script;
pub mod seed;
pub mod severity;
pub mod shared;
pub mod shrink;
pub mod sim;
pub mod spread;
pub mod target;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod transcript;
pub mod trial;
pub mod value;
pub mod verdict;
pub mod vocabulary;
mod wanted;
pub mod witness;
pub mod words;
