//! Sockets, processes and clocks: the same actors over a real network.
//!
//! Reading order: [`lab`] (a started target and the rounds in it), [`driver`] (one poll loop for all fleets), [`process`] (the target's life),
//! [`accounts`] (who may log in), [`guard`] (where traffic may go), [`supervisor`] (what outlives a `kill -9`), [`run`] (many trials).
//! This is the only crate that reads a clock, the environment or a socket.
#![forbid(unsafe_code)]

pub mod accounts;
mod alone;
pub mod blank;
pub mod clock;
pub mod digest;
pub mod driver;
pub mod error;
pub mod guard;
pub mod host;
pub mod lab;
mod limits;
mod mask;
pub mod options;
mod ping;
pub mod port;
pub mod process;
pub mod run;
pub mod supervisor;
mod witness;

pub use alone::Alone;
pub use error::RunError;
pub use lab::{Lab, preflight, run_live};
pub use limits::{ask_to_end, descriptors, end_with_parent, memory_limit, outlive_file_limit};
pub use options::LiveOptions;
pub use supervisor::supervise;
