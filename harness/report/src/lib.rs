//! Documents from a finished run: plain functions of its results.
#![forbid(unsafe_code)]
mod markdown;

pub use markdown::markdown;
