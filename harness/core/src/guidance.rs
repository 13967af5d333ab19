//! Rows of published security guidance that scenarios serve.
use alloc::string::String;

/// One recommendation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Our id: `AUTH-1`.
    pub id: String,
    /// Place in its table: `T1.1`.
    pub code: String,
    /// Principle that it stands under.
    pub principle: String,
    /// Short title.
    pub title: String,
}
