//! What the broker must do, clause by clause; what every flaw changes; and that no bytes make it panic.

mod access;
mod bounds;
mod bytes;
mod flaws;
mod messages;
mod sessions;
mod world;
