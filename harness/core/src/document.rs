//! TOML as a tree in which every key and value knows its place, so that every mistake has `file:line:column`.
//!
//! [`parse`] reads TOML 1.0 into [`Located`], [`to_toml`] prints it, [`Keys`] reads one table and refuses what nobody asked for.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::value::{Fields, Value};

mod keys;
mod mistake;
mod nearest;
mod parse;
mod print;

pub use keys::Keys;
pub use mistake::{LoadError, Mistake};
pub use nearest::nearest;
pub use parse::parse;
pub use print::to_toml;

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

impl Located {
    /// The value without its place.
    #[must_use]
    pub fn plain(&self) -> Value {
        match &self.node {
            Node::Bool(b) => Value::Bool(*b),
            Node::Int(n) => Value::Int(*n),
            Node::Float(x) => Value::Float(*x),
            Node::Text(text) => Value::Text(text.clone()),
            Node::List(all) => Value::List(all.iter().map(Located::plain).collect()),
            Node::Table(pairs) => {
                Value::Table(Fields(pairs.iter().map(|pair| (pair.key.clone(), pair.value.plain())).collect()))
            }
        }
    }

    /// A value that no file holds, standing at the place of its origin. Bytes become hex digits.
    #[must_use]
    pub fn at(span: Span, value: &Value) -> Located {
        let node = match value {
            Value::Bool(b) => Node::Bool(*b),
            Value::Int(n) => Node::Int(*n),
            Value::Float(x) => Node::Float(*x),
            Value::Text(text) => Node::Text(text.clone()),
            Value::Bytes(bytes) => Node::Text(crate::value::hex(bytes)),
            Value::List(all) => Node::List(all.iter().map(|one| Located::at(span, one)).collect()),
            Value::Table(fields) => Node::Table(fields.iter().map(|(key, one)| Pair::at(span, key, one)).collect()),
        };
        Located { span, node }
    }

    /// The value at `key`, where this is a table that has it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Located> {
        self.pairs().iter().find(|pair| pair.key == key).map(|pair| &pair.value)
    }

    /// The value at `key`, to be changed.
    pub fn find_mut(&mut self, key: &str) -> Option<&mut Located> {
        match &mut self.node {
            Node::Table(pairs) => pairs.iter_mut().find(|pair| pair.key == key).map(|pair| &mut pair.value),
            _ => None,
        }
    }

    /// Keys and values, where this is a table; else nothing.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        match &self.node {
            Node::Table(pairs) => pairs,
            _ => &[],
        }
    }

    /// Keys and values, to be changed; `what` names the table in the message where this is none.
    ///
    /// # Errors
    /// `fleet is a table, found 5`.
    pub fn table_mut(&mut self, what: &str) -> Result<&mut Vec<Pair>, Mistake> {
        let mistake = Mistake::new(self.span, alloc::format!("{what} is a table, found {}", self.what()));
        if let Node::Table(pairs) = &mut self.node { Ok(pairs) } else { Err(mistake) }
    }

    /// The values, where this is a list; else nothing.
    #[must_use]
    pub fn items(&self) -> &[Located] {
        match &self.node {
            Node::List(all) => all,
            _ => &[],
        }
    }

    /// The text, where this is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list of texts, or of one text; anything else is left out.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Span)> {
        let one = self.text().map(|text| (text, self.span));
        one.into_iter().chain(self.items().iter().filter_map(|item| Some((item.text()?, item.span))))
    }

    /// Sets `key` of a table: in place where it stands, else as the last key. Does nothing to what is no table.
    pub fn set(&mut self, key: &str, value: &Value) {
        let span = self.span;
        if let Some(old) = self.find_mut(key) {
            *old = Located::at(old.span, value);
        } else if let Node::Table(pairs) = &mut self.node {
            pairs.push(Pair::at(span, key, value));
        }
    }

    /// Takes `key` out of a table.
    pub fn remove(&mut self, key: &str) -> Option<Located> {
        let Node::Table(pairs) = &mut self.node else { return None };
        let at = pairs.iter().position(|pair| pair.key == key)?;
        Some(pairs.remove(at).value)
    }

    /// The value, as messages name it: `text "abc"`, `a table`.
    #[must_use]
    pub fn what(&self) -> String {
        match &self.node {
            Node::Bool(b) => b.to_string(),
            Node::Int(n) => n.to_string(),
            Node::Float(x) => alloc::format!("{x:?}"),
            Node::Text(text) => alloc::format!("text {text:?}"),
            Node::List(_) => "a list".to_string(),
            Node::Table(_) => "a table".to_string(),
        }
    }
}

impl Pair {
    /// A key and value that no file holds.
    #[must_use]
    pub fn at(span: Span, key: &str, value: &Value) -> Pair {
        Pair { key: key.to_string(), key_span: span, value: Located::at(span, value) }
    }
}
