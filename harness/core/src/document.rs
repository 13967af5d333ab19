//! TOML as a tree in which every key and value knows its place, so that every mistake has `file:line:column`.
use alloc::string::String;
use alloc::vec::Vec;

use crate::value::Value;

/// Byte range in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Where it stands; for a value that no file holds (drawn, added), where its origin stands.
    pub span: Span,
    /// The value.
    pub node: Node,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// An array, of tables too.
    List(Vec<Located>),
    /// A table: keys in file order.
    Table(Vec<Pair>),
}

/// A key with its place, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Located,
}

/// A mistake in a file, for the person who can correct it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadError {
    /// The file as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// `unknown key "behavior"`.
    pub message: String,
    /// The text that is not known, where that is the mistake.
    pub unknown: Option<String>,
    /// What is known there: the command line picks the nearest.
    pub known: Vec<String>,
    /// The offending line.
    pub source: String,
}

/// Reads TOML 1.0. `file` is used in messages only.
///
/// # Errors
/// The first syntax mistake, with its place.
pub fn parse(file: &str, text: &str) -> Result<Located, LoadError> {
    let _ = (file, text);
    todo!()
}

/// Prints a tree as TOML 1.0 that reads back as the same tree.
#[must_use]
pub fn to_toml(tree: &Located) -> String {
    let _ = tree;
    todo!()
}

impl Located {
    /// The value without its place.
    #[must_use]
    pub fn plain(&self) -> Value {
        todo!()
    }
}
