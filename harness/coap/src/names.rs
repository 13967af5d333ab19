//! The words that scenarios and transcripts use for options, blocks and tokens.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::transcript::Packet;
use proofhouse_core::value::{Value, hex};
use proofhouse_core::words::{self, Words};

use crate::codec::{Code, Token, uint_value};

/// How the value of an option reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One option for each segment of `/a/b`.
    Path,
    /// One option for each argument of `a=1&b=2`.
    Query,
    /// Text.
    Text,
    /// A whole number.
    Uint,
    /// Bytes, in hex digits.
    Opaque,
    /// `true` where it stands.
    Flag,
    /// `num/more/size`.
    Block,
}

/// Every option that has a name in scenarios: name, number, how its value reads. By number.
pub const OPTIONS: [(&str, u16, Form); 24] = [
    ("if_match", 1, Form::Opaque),
    ("uri_host", 3, Form::Text),
    ("etag", 4, Form::Opaque),
    ("if_none_match", 5, Form::Flag),
    ("observe", 6, Form::Uint),
    ("uri_port", 7, Form::Uint),
    ("location_path", 8, Form::Path),
    ("oscore", 9, Form::Opaque),
    ("path", 11, Form::Path),
    ("content_format", 12, Form::Uint),
    ("max_age", 14, Form::Uint),
    ("query", 15, Form::Query),
    ("hop_limit", 16, Form::Uint),
    ("accept", 17, Form::Uint),
    ("location_query", 20, Form::Query),
    ("block2", 23, Form::Block),
    ("block1", 27, Form::Block),
    ("size2", 28, Form::Uint),
    ("proxy_uri", 35, Form::Text),
    ("proxy_scheme", 39, Form::Text),
    ("size1", 60, Form::Uint),
    ("echo", 252, Form::Opaque),
    ("no_response", 258, Form::Uint),
    ("request_tag", 292, Form::Opaque),
];

/// Fields of messages beside options.
const FIELDS: [(&str, words::Form); 11] = [
    (Packet::MESSAGE, words::Form::Word(|text| matches!(text, "con" | "non" | "ack" | "rst"))),
    ("code", words::Form::Word(|text| text.parse::<Code>().is_ok())),
    ("method", words::Form::Text),
    ("mid", words::Form::Number),
    ("token", words::Form::Text),
    ("tkl", words::Form::Number),
    ("version", words::Form::Number),
    ("payload", words::Form::Text),
    ("options", words::Form::Number),
    ("option_cut", words::Form::Truth),
    ("raw", words::Form::Text),
];

/// The words in which messages are told: what a message is, and its type beside that.
pub static WORDS: Words = Words {
    kinds: &["request", "response", "ping", "empty", "reserved", "datagram", "con", "non", "ack", "rst"],
    fields: &[&FIELDS, &OPTION_FORMS],
};

const OPTION_FORMS: [(&str, words::Form); OPTIONS.len()] = {
    let mut forms = [("", words::Form::Text); OPTIONS.len()];
    let mut at = 0;
    while at < OPTIONS.len() {
        forms[at] = (OPTIONS[at].0, told_as(OPTIONS[at].2));
        at += 1;
    }
    forms
};

const fn told_as(form: Form) -> words::Form {
    match form {
        Form::Uint => words::Form::Number,
        Form::Flag => words::Form::Truth,
        _ => words::Form::Text,
    }
}

/// The option of this name.
#[must_use]
pub fn option(name: &str) -> Option<(u16, Form)> {
    OPTIONS.iter().find(|(known, ..)| *known == name).map(|(_, number, form)| (*number, *form))
}

/// The name of an option, and how its value reads.
#[must_use]
pub fn name_of(number: u16) -> Option<(&'static str, Form)> {
    OPTIONS.iter().find(|(_, known, _)| *known == number).map(|(name, _, form)| (*name, *form))
}

/// A token as hex digits.
#[must_use]
pub fn token(token: Token) -> String {
    hex(token.as_bytes())
}

/// A block option in numbers: which block, whether more follow, and the exponent of its size. Unlike a
/// [`Block`](crate::block::Block) it can say the reserved exponent 7, which transcripts show and attackers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockWords {
    /// Number of the block, up to 2^20 - 1.
    pub num: u32,
    /// More blocks follow.
    pub more: bool,
    /// 0 to 7: blocks of 16 to 1024 bytes, and one value that nobody may use.
    pub szx: u8,
}

impl BlockWords {
    /// From the number that the option's value is.
    #[must_use]
    pub const fn of(value: u32) -> BlockWords {
        BlockWords { num: value >> 4, more: value & 8 != 0, szx: (value & 7) as u8 }
    }

    /// The number that the option's value is.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.num << 4 | (self.more as u32) << 3 | (self.szx & 7) as u32
    }

    /// Bytes of a block of this size; 2048 for the reserved exponent.
    #[must_use]
    pub const fn size(self) -> usize {
        16 << (self.szx & 7)
    }

    /// The exponent of a size that a block may have: a power of two from 16 to 1024.
    #[must_use]
    pub fn szx_of(size: usize) -> Option<u8> {
        (0..7).find(|szx| 16 << szx == size)
    }

    /// Reads `num/more/size`: `2/1/64`, `0/true/1024`, or `0/0/szx7` for the reserved size.
    ///
    /// # Errors
    /// Says what does not read so.
    pub fn parse(text: &str) -> Result<BlockWords, String> {
        let wrong = || format!("a block reads \"num/more/size\" such as \"0/1/64\", found {text:?}");
        let mut parts = text.split('/');
        let (Some(num), Some(more), Some(size), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let num = num.parse().ok().filter(|num| *num < 1 << 20).ok_or_else(wrong)?;
        let more = match more {
            "0" | "false" => false,
            "1" | "true" => true,
            _ => return Err(wrong()),
        };
        let szx = match size.strip_prefix("szx") {
            Some(szx) => szx.parse().ok().filter(|szx| *szx < 8).ok_or_else(wrong)?,
            None => size.parse().ok().and_then(BlockWords::szx_of).ok_or_else(wrong)?,
        };
        Ok(BlockWords { num, more, szx })
    }
}

impl core::fmt::Display for BlockWords {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (num, more) = (self.num, u8::from(self.more));
        match self.szx {
            7 => write!(f, "{num}/{more}/szx7"),
            _ => write!(f, "{num}/{more}/{}", self.size()),
        }
    }
}

/// What the values of one option say, in the words of scenarios.
#[must_use]
pub fn read(form: Form, values: &[&[u8]]) -> Value {
    let text = |bytes: &[u8]| core::str::from_utf8(bytes).ok().map(ToString::to_string);
    let one = |bytes: &&[u8]| match form {
        Form::Uint => Value::from(uint_value(bytes)),
        Form::Opaque => Value::from(hex(bytes)),
        Form::Flag => Value::Bool(true),
        Form::Block if bytes.len() <= 3 => Value::from(BlockWords::of(uint_value(bytes)).to_string()),
        Form::Block => Value::from(hex(bytes)),
        Form::Path | Form::Query | Form::Text => Value::from_payload(bytes),
    };
    let joined = |separator: char| -> Option<Vec<String>> {
        values.iter().map(|bytes| text(bytes).filter(|text| !text.contains(separator))).collect()
    };
    match (form, values) {
        (Form::Path, _) => match joined('/') {
            Some(segments) => Value::from(format!("/{}", segments.join("/"))),
            None => Value::List(values.iter().map(one).collect()),
        },
        (Form::Query, _) => match joined('&') {
            Some(arguments) => Value::from(arguments.join("&")),
            None => Value::List(values.iter().map(one).collect()),
        },
        (_, [single]) => one(single),
        _ => Value::List(values.iter().map(one).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_by_number_and_no_two_share_a_name() {
        for pair in OPTIONS.windows(2) {
            assert!(pair[0].1 < pair[1].1, "{} before {}", pair[0].0, pair[1].0);
        }
        for (name, number, _) in OPTIONS {
            assert_eq!(option(name).unwrap().0, number);
        }
    }

    #[test]
    fn a_block_reads_as_it_is_written() {
        for text in ["0/0/16", "2/1/64", "1048575/0/1024", "0/0/szx7"] {
            let block = BlockWords::parse(text).unwrap();
            assert_eq!(block.to_string(), text);
            assert_eq!(BlockWords::of(block.value()), block);
        }
        assert_eq!(BlockWords::parse("3/true/32"), Ok(BlockWords { num: 3, more: true, szx: 1 }));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in ["", "1", "0/2/64", "0/0/65", "0/0/2048", "1048576/0/16", "0/0/64/1", "0/0/szx8"] {
            assert!(BlockWords::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_segment_with_a_slash_keeps_its_segments_apart() {
        assert_eq!(read(Form::Path, &[b"a", b"b"]), Value::from("/a/b"));
        assert_eq!(read(Form::Path, &[]), Value::from("/"));
        assert_eq!(read(Form::Path, &[b"a/b"]), Value::List([Value::from("a/b")].into()));
        assert_eq!(
            read(Form::Path, &[b"a", b"\xff"]),
            Value::List([Value::from("a"), Value::Bytes([0xff].into())].into())
        );
    }
}
