//! Rules that know MQTT: who may see and write what, one session per client id, exactly one delivery, refused log-ins.
use proofhouse_core::oracle::Oracle;

mod answers_fit;
mod arrivals;
mod exactly_once;
pub(crate) mod identity;
mod matches_filter;
pub(crate) mod policy_kept;
mod reads_within_rights;
mod refused;
mod session_exclusive;
mod stays_available;
#[cfg(test)]
mod tests;

/// Every oracle of MQTT.
pub const ORACLES: &[Oracle] = &[
    policy_kept::ORACLE,
    reads_within_rights::ORACLE,
    matches_filter::ORACLE,
    session_exclusive::ORACLE,
    stays_available::ORACLE,
    answers_fit::ORACLE,
    exactly_once::ORACLE,
    refused::ORACLE,
];
