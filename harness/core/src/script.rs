//! Scripted fleets: steps in order, marks, bindings, expectations. Knows no protocol: a [`Dialog`](crate::protocol::Dialog) says and hears.
use crate::protocol::{Behaviour, Verb};

/// Behaviours that every protocol has.
pub const BEHAVIOURS: &[Behaviour] = &[];
/// Steps that every protocol has.
pub const VERBS: &[Verb] = &[];
