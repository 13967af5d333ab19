//! What an administrator may ask of a target: acts on its accounts and its life, never on the wire.
use alloc::string::String;

use serde::{Deserialize, Serialize};

/// One administrative act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Give a party a right: `publish site/#` or `subscribe cmd/#`.
    Grant {
        /// Name of the party.
        party: String,
        /// The right.
        grant: String,
    },
    /// Take a right away.
    Revoke {
        /// Name of the party.
        party: String,
        /// The right.
        grant: String,
    },
    /// Give a party a new password; the old one is void.
    Rekey {
        /// Name of the party.
        party: String,
    },
    /// Delete a party's account.
    Remove {
        /// Name of the party.
        party: String,
    },
    /// Stop the target and start it again, with what it keeps on disk.
    Restart,
}
