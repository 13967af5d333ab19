//! A mistake in a file: where, what, and what was probably meant.
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{Span, nearest};

/// A mistake in a file, for the person who can correct it.
///
/// Prints as `file:line:column: message; did you mean "x"?` with the offending line and a caret below.
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
    /// What is known there.
    pub known: Vec<String>,
    /// The offending line.
    pub source: String,
}

/// A mistake whose file is not at hand: becomes a [`LoadError`] where the text is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// The text that is not known, where that is the mistake.
    pub unknown: Option<String>,
    /// What is known there.
    pub known: Vec<String>,
}

impl Mistake {
    /// Something is wrong at `span`.
    #[must_use]
    pub fn new(span: Span, message: impl Into<String>) -> Mistake {
        Mistake { span, message: message.into(), unknown: None, known: Vec::new() }
    }

    /// `unknown behaviour "telemetri"`, and what is known instead.
    #[must_use]
    pub fn unknown<S: ToString>(span: Span, what: &str, unknown: &str, known: impl IntoIterator<Item = S>) -> Mistake {
        Mistake {
            span,
            message: alloc::format!("unknown {what} {unknown:?}"),
            unknown: Some(unknown.to_string()),
            known: known.into_iter().map(|word| word.to_string()).collect(),
        }
    }

    /// The same mistake with its file, line and column.
    #[must_use]
    pub fn locate(self, file: &str, text: &str) -> LoadError {
        let start = floor(text, self.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        LoadError {
            file: file.to_string(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message: self.message,
            unknown: self.unknown,
            known: self.known,
            source: text[line_start..line_end].trim_end_matches('\r').to_string(),
        }
    }
}

/// The start of the character that holds byte `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// More known words than this are not listed where none is near.
const LISTED_MAX: usize = 12;

impl LoadError {
    /// The known word that was probably meant.
    #[must_use]
    pub fn meant(&self) -> Option<&str> {
        nearest(self.unknown.as_deref()?, &self.known)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match self.meant() {
            Some(meant) => write!(f, "; did you mean {meant:?}?")?,
            None if (1..=LISTED_MAX).contains(&self.known.len()) => write!(f, "; known: {}", self.known.join(", "))?,
            None => {}
        }
        // A tab stays a tab, so that the caret stands below its character on every terminal.
        let indent = self.source.chars().take(self.column - 1).map(|c| if c == '\t' { c } else { ' ' });
        write!(f, "\n  {}\n  {}^", self.source, indent.collect::<String>())
    }
}

impl core::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(at: usize, text: &str, line: usize, column: usize, source: &str) {
        let error = Mistake::new(Span { start: at, end: at }, "m").locate("f", text);
        assert_eq!((error.line, error.column, error.source.as_str()), (line, column, source), "byte {at} of {text:?}");
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        check("é = ".len(), "é = 1", 1, 5, "é = 1");
        check(1, "é = 1", 1, 1, "é = 1");
    }

    #[test]
    fn lines_end_at_either_kind_of_line_break() {
        check(0, "a\r\nb", 1, 1, "a");
        check(3, "a\r\nb", 2, 1, "b");
        check(2, "a\n", 2, 1, "");
    }

    #[test]
    fn a_place_past_the_end_is_the_end() {
        check(99, "ab", 1, 3, "ab");
    }
}
