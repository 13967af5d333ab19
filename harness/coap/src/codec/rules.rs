//! Everything that a single message must not be, each with its section.

use super::Rule;

const fn rule(clause: &'static str, what: &'static str) -> Rule {
    Rule { clause, what }
}

/// The header takes four bytes. No id could be read, so nothing can be answered.
pub static TOO_SHORT: Rule = rule("RFC 7252 §3", "shorter than the header of four bytes");
/// 0, 2 and 3 belong to versions that do not exist.
pub static VERSION: Rule = rule("RFC 7252 §3", "a version other than 1");
/// 9 to 15.
pub static TOKEN_LENGTH: Rule = rule("RFC 7252 §3", "a token length above 8");
/// The datagram ends inside the token.
pub static TOKEN_CUT: Rule = rule("RFC 7252 §3", "the token is shorter than its length says");
/// Code 0.00 with a token, options or a payload.
pub static EMPTY_WITH_REST: Rule = rule("RFC 7252 §4.1", "an Empty message with bytes after its message id");
/// Classes 1, 6 and 7.
pub static RESERVED_CLASS: Rule = rule("RFC 7252 §4.2", "a code of a reserved class");
/// An ACK carries a response or is Empty.
pub static ACK_WITH_REQUEST: Rule = rule("RFC 7252 §4.2", "an ACK that carries a request");
/// A RST is Empty.
pub static RST_WITH_CODE: Rule = rule("RFC 7252 §4.2", "a RST that is not Empty");
/// A NON is never Empty.
pub static NON_EMPTY: Rule = rule("RFC 7252 §4.3", "an Empty NON");
/// 0xFF is followed by at least one byte.
pub static MARKER_ALONE: Rule = rule("RFC 7252 §3", "a payload marker without a payload");
/// Delta nibble 15 in a byte that is not 0xFF.
pub static DELTA_RESERVED: Rule = rule("RFC 7252 §3.1", "an option delta of 15");
/// Length nibble 15.
pub static LENGTH_RESERVED: Rule = rule("RFC 7252 §3.1", "an option length of 15");
/// The datagram ends inside the extended delta or length of an option.
pub static EXTENSION_CUT: Rule = rule("RFC 7252 §3.1", "an option header that ends too early");
/// The datagram ends inside the value of an option.
pub static VALUE_CUT: Rule = rule("RFC 7252 §3.1", "an option value shorter than its length says");
/// The deltas add up to more than 65535, which no option has.
pub static NUMBER_TOO_LARGE: Rule = rule("RFC 7252 §3.1", "an option number above 65535");
/// A critical option that no one here knows.
pub static OPTION_UNKNOWN: Rule = rule("RFC 7252 §5.4.1", "a critical option that is not understood");
/// An option where it means nothing: a path in a response.
pub static OPTION_MISPLACED: Rule = rule("RFC 7252 §5.4", "an option that is not defined for this code");
/// Too few or too many bytes of value.
pub static OPTION_LENGTH: Rule = rule("RFC 7252 §5.4.3", "an option value whose length is out of range");
/// A second one of what may stand there once.
pub static OPTION_REPEATED: Rule = rule("RFC 7252 §5.4.5", "an option that may occur only once");
/// Only refused in writing: a server may read it as any segment.
pub static PATH_DOTS: Rule = rule("RFC 7252 §5.10.1", "a path segment that is . or ..");
