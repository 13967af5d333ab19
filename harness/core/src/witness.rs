//! Names by which a witness is known: the legal client that shows that the target still serves everyone else.

/// Behaviour and party of the fleets that show that the target still serves everyone else, and the name of the one fleet where
/// one protocol is spoken.
pub const WITNESS: &str = "witness";

/// Whether a fleet of this name is a witness: `witness`, or `witness-coap` where several protocols are spoken. The loader sees to
/// it that those names and the behaviour go together.
#[must_use]
pub fn is_witness(fleet: &str) -> bool {
    fleet.strip_prefix(WITNESS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
