//! Runs: many trials, what they leave on disk, and how a killed one goes on.
//!
//! [`Runner`] does one trial. [`Campaign`] does many: it asks what the target can do ([`gate`]), runs trials side by side,
//! confirms and cuts every failure, and writes all of it through the [`journal`], so that nothing found is lost.
pub mod campaign;
mod clearing;
mod confirm;
pub mod folder;
pub mod gate;
mod idle;
pub mod journal;
pub mod pack;
pub mod replay;
pub mod reproduce;
pub mod resume;
mod slots;
pub mod trial;
mod turn;

pub use campaign::{Campaign, CampaignError, Job, Progress, Reporter, Settings, Wait};
pub use idle::Parting;
pub use trial::Runner;
