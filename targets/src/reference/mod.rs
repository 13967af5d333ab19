//! The reference targets, one folder each.

pub mod broker;
