//! Rules that know CoAP: what discovery may show, who is refused, which observations go on.
use proofhouse_core::oracle::Oracle;

mod access_denied;
mod discovers_only;
mod exchanges;
mod observe_continues;
#[cfg(test)]
mod tests;

/// Every oracle of CoAP.
pub const ORACLES: &[Oracle] = &[observe_continues::ORACLE, discovers_only::ORACLE, access_denied::ORACLE];
