//! Test oracles (checkers, properties): pure functions over a stored transcript, the trace. A rule sees entries and nothing else; [`crate::judge`] asks them.
pub(crate) mod aftermath;
mod amplification;
mod answer_in_set;
mod astray;
pub mod canary;
mod closes_in_time;
mod counter_rises;
mod fleet_undisturbed;
mod habit;
mod index;
pub mod lateness;
mod log_injection;
mod memory_bounded;
pub(crate) mod never_at;
mod newcomer;
pub(crate) mod no_crash;
pub(crate) mod no_hang;
mod no_slowdown;
pub(crate) mod no_unhandled_exception;
mod pace;
mod parting;
pub mod record;
mod road;
pub mod rule;
pub mod sockets;
mod state_kept;
mod thrown_out;
mod traceback;
pub mod window;

pub use no_crash::servers_ended;
pub use parting::broke_as_it_ended;
pub use rule::{CLAUSE, Needs, Oracle};

/// Oracles that know no protocol.
pub const GENERIC: &[Oracle] = &[
    no_crash::ORACLE,
    no_hang::ORACLE,
    no_slowdown::ORACLE,
    memory_bounded::ORACLE,
    closes_in_time::ORACLE,
    answer_in_set::ORACLE,
    fleet_undisturbed::ORACLE,
    no_unhandled_exception::ORACLE,
    never_at::ORACLE,
    log_injection::ORACLE,
    amplification::ORACLE,
    counter_rises::ORACLE,
    state_kept::ORACLE,
];

#[cfg(test)]
mod tests;
