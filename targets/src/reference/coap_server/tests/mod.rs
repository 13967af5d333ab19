//! What the server must do, clause by clause; what every flaw changes; and that no bytes make it panic.

mod blocks;
mod flaws;
mod messages;
mod observing;
mod strangers;
mod world;
