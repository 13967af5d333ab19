//! Skeletons of behaviours that every protocol has: what is the same for all of them stands here, what only a protocol knows is a hook.
pub mod pace;
pub mod witness;
