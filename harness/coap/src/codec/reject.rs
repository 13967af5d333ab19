//! Why a datagram is refused, and what its receiver owes the sender.

use core::fmt;

use super::{Code, Kind, OptionNumber, Token};

/// One thing that a message must not be.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The section that is broken: `RFC 7252 §3.1`.
    pub clause: &'static str,
    /// What was wrong, for people.
    pub what: &'static str,
}

/// Why a datagram is not a message that its receiver may process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What is broken; one of the rows of `rules`, so that it can be compared.
    pub rule: &'static Rule,
    /// What the receiver must do.
    pub duty: Duty,
    /// The option that is not understood, where one is.
    pub option: Option<OptionNumber>,
    /// Type of the message; CON where the datagram does not say.
    pub kind: Kind,
    /// Code of the message; 0.00 where the datagram does not say.
    pub code: Code,
    /// Message id; 0 where the datagram does not say.
    pub mid: u16,
    /// Token, as far as it could be read.
    pub token: Token,
}

/// What the receiver of a refused datagram must do \[RFC 7252 §4.2, RFC 7252 §4.3, RFC 7252 §5.4.1\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Nothing at all, and nothing may be sent.
    Ignore,
    /// Send a RST with its message id.
    Reset,
    /// Send a RST with its message id, or nothing.
    ResetOrIgnore,
    /// Answer 4.02 Bad Option, with its token.
    BadOption,
}

impl Reject {
    /// The section that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        self.rule.clause
    }

    /// The whole datagram is no message (a message format error), as opposed to a message with an option that is not understood.
    #[must_use]
    pub const fn is_format_error(&self) -> bool {
        self.option.is_none()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.what)?;
        if let Some(option) = self.option {
            write!(f, ": {option}")?;
        }
        write!(f, " [{}]", self.rule.clause)
    }
}

impl core::error::Error for Reject {}
