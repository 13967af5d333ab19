//! SHA-256 of what is stored, as 64 hex digits.
use proofhouse_core::value::hex;
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`, in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
