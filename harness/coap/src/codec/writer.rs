//! Writing one legal message straight into the datagram that is sent.

use alloc::vec::Vec;

use super::message::{combination, first_byte};
use super::option::{Limits, limits};
use super::options::{Options, UintBytes};
use super::reader::{BYTE_BASE, WORD_BASE};
use super::{Code, Duty, Kind, OptionNumber, PAYLOAD_MARKER, Reject, Rule, Token, rules};

/// Writes a message: header, options in any order (in rising order it never moves a byte), payload.
///
/// ```
/// # use proofhouse_coap::codec::{Code, Kind, Message, OptionNumber, Token, Writer};
/// let mut datagram = Vec::new();
/// Writer::new(&mut datagram, Kind::Con, Code::GET, 7, Token::EMPTY).path("/sensors/1").end()?;
/// assert!(Message::decode(&datagram)?.options().path_is("/sensors/1"));
/// # Ok::<(), proofhouse_coap::codec::Reject>(())
/// ```
#[derive(Debug)]
#[must_use = "a message ends with `end` or `payload`, which also say whether it is legal"]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    options: usize,
    last: u16,
    kind: Kind,
    code: Code,
    broken: Option<(&'static Rule, Option<OptionNumber>)>,
}

impl<'o> Writer<'o> {
    /// Begins a message at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>, kind: Kind, code: Code, mid: u16, token: Token) -> Self {
        let start = out.len();
        let [high, low] = mid.to_be_bytes();
        out.extend_from_slice(&[first_byte(kind, token.len()), code.0, high, low]);
        out.extend_from_slice(token.as_bytes());
        let broken = combination(kind, code, token.is_empty()).err().map(|rule| (rule, None));
        Self { start, options: out.len(), out, last: 0, kind, code, broken }
    }

    /// One option more, after those of the same number.
    pub fn option(mut self, number: OptionNumber, value: &[u8]) -> Self {
        if let Err(rule) = self.check(number, value) {
            self.broken = self.broken.or(Some((rule, Some(number))));
        } else if number.0 >= self.last {
            append(self.out, u32::from(number.0 - self.last), value);
            self.last = number.0;
        } else {
            self.insert(number.0, value);
        }
        self
    }

    /// One option more, with a number for value.
    pub fn uint(self, number: OptionNumber, value: u32) -> Self {
        self.option(number, UintBytes::new(value).as_bytes())
    }

    /// A Uri-Path option per segment of `/a/b`; none for `/`.
    pub fn path(self, path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments = path.split('/').filter(|_| !path.is_empty());
        segments.fold(self, |writer, segment| writer.option(OptionNumber::URI_PATH, segment.as_bytes()))
    }

    /// A Uri-Query option per argument of `a=1&b=2`; none for an empty text.
    pub fn query(self, query: &str) -> Self {
        let arguments = query.split('&').filter(|_| !query.is_empty());
        arguments.fold(self, |writer, argument| writer.option(OptionNumber::URI_QUERY, argument.as_bytes()))
    }

    /// Ends the message with a payload; an empty one is none.
    ///
    /// # Errors
    /// What made the message illegal first. Nothing has been appended then.
    pub fn payload(self, payload: &[u8]) -> Result<(), Reject> {
        if !payload.is_empty() {
            self.out.reserve(1 + payload.len());
            self.out.push(PAYLOAD_MARKER);
            self.out.extend_from_slice(payload);
        }
        self.end()
    }

    /// Ends the message without a payload.
    ///
    /// # Errors
    /// What made the message illegal first. Nothing has been appended then.
    pub fn end(self) -> Result<(), Reject> {
        let bare = self.out.len() == self.start + 4;
        let empty = (self.code.is_empty() && !bare).then_some((&rules::EMPTY_WITH_REST, None));
        let Some((rule, option)) = self.broken.or(empty) else { return Ok(()) };
        let (kind, code) = (self.kind, self.code);
        self.out.truncate(self.start);
        Err(Reject { rule, duty: Duty::Ignore, option, kind, code, mid: 0, token: Token::EMPTY })
    }

    /// A sender keeps to the registry for elective options too.
    fn check(&self, number: OptionNumber, value: &[u8]) -> Result<(), &'static Rule> {
        let limits = limits(number.0);
        if limits.is_unknown() && !number.is_critical() {
            return if value.len() <= VALUE_MAX { Ok(()) } else { Err(&rules::OPTION_LENGTH) };
        }
        let dots = matches!(value, b"." | b"..");
        if dots && matches!(number, OptionNumber::URI_PATH | OptionNumber::LOCATION_PATH) {
            return Err(&rules::PATH_DOTS);
        }
        // An ETag may be repeated in requests only [RFC 7252 §5.10.6.1].
        let once = !limits.repeatable || number == OptionNumber::ETAG && !self.code.is_request();
        let again = once && number.0 <= self.last && self.written().iter().any(|opt| opt.number == number);
        let limits = Limits { repeatable: !once, ..limits };
        limits.check(value.len(), again, self.code.is_request())
    }

    fn written(&self) -> Options<'_> {
        Options::checked(&self.out[self.options..])
    }

    /// Puts an option between others, and shortens the delta of the one after it.
    fn insert(&mut self, number: u16, value: &[u8]) {
        let (mut at, mut before) = (self.options, 0);
        for opt in self.written() {
            let delta = u32::from(opt.number.0 - before);
            let size = header_size(delta, opt.value.len());
            if opt.number.0 > number {
                let mut between = Vec::new();
                append(&mut between, u32::from(number - before), value);
                write_header(&mut between, u32::from(opt.number.0 - number), opt.value.len());
                self.out.splice(at..at + size, between);
                return;
            }
            at += size + opt.value.len();
            before = opt.number.0;
        }
    }
}

/// The longest value that an option header can announce \[RFC 7252 §3.1\].
const VALUE_MAX: usize = WORD_BASE as usize + 65535;

/// Appends one option whose number is `delta` above the one before.
#[inline]
fn append(out: &mut Vec<u8>, delta: u32, value: &[u8]) {
    write_header(out, delta, value.len());
    out.extend_from_slice(value);
}

#[inline]
fn write_header(out: &mut Vec<u8>, delta: u32, len: usize) {
    let len = len as u32;
    if delta < BYTE_BASE && len < BYTE_BASE {
        out.push((delta << 4 | len) as u8);
        return;
    }
    out.push(nibble(delta) << 4 | nibble(len));
    extension(out, delta);
    extension(out, len);
}

/// The four bits that announce a number \[RFC 7252 §3.1\].
pub(super) const fn nibble(value: u32) -> u8 {
    match value {
        ..BYTE_BASE => value as u8,
        BYTE_BASE..WORD_BASE => 13,
        WORD_BASE.. => 14,
    }
}

/// The bytes that those four bits call for.
pub(super) fn extension(out: &mut Vec<u8>, value: u32) {
    match value {
        ..BYTE_BASE => {}
        BYTE_BASE..WORD_BASE => out.push((value - BYTE_BASE) as u8),
        WORD_BASE.. => out.extend_from_slice(&((value - WORD_BASE) as u16).to_be_bytes()),
    }
}

const fn header_size(delta: u32, len: usize) -> usize {
    1 + extension_size(delta) + extension_size(len as u32)
}

const fn extension_size(value: u32) -> usize {
    match value {
        ..BYTE_BASE => 0,
        BYTE_BASE..WORD_BASE => 1,
        WORD_BASE.. => 2,
    }
}
