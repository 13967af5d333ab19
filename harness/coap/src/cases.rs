//! Named lists of cases.
use proofhouse_core::protocol::CaseList;

/// Every list of cases.
pub const CASES: &[CaseList] = &[];
