//! Rules that know CoAP.
use proofhouse_core::oracle::Oracle;

/// Every oracle of CoAP.
pub const ORACLES: &[Oracle] = &[];
