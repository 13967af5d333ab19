//! Rules that know MQTT: who may see and write what, one session per client id, exactly one delivery, refused log-ins.
use proofhouse_core::oracle::Oracle;

mod exactly_once;
mod identity;
mod policy_kept;
mod refused;
mod session_exclusive;
#[cfg(test)]
mod tests;

/// Every oracle of MQTT.
pub const ORACLES: &[Oracle] = &[policy_kept::ORACLE, session_exclusive::ORACLE, exactly_once::ORACLE, refused::ORACLE];
