//! A message that is legal.

use alloc::vec::Vec;

use super::option::{Limits, limits};
use super::options::Options;
use super::reader::{Stop, header};
use super::{Code, Duty, Kind, OptionNumber, PAYLOAD_MARKER, Reject, Rule, TOKEN_MAX, Token, VERSION, rules};

/// A legal message that borrows from the datagram it was read from. There is no other way to get one but to read it, or the Empty
/// ones: to write one, use [`Writer`](super::Writer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    kind: Kind,
    code: Code,
    mid: u16,
    token: &'a [u8],
    options: Options<'a>,
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a datagram. Allocates nothing.
    ///
    /// # Errors
    /// A message format error, or a critical option that its receiver may not ignore; each with what must be done about it.
    /// A format error anywhere in the datagram goes before an option that is not understood.
    #[inline]
    pub fn decode(datagram: &'a [u8]) -> Result<Self, Reject> {
        // Every CON brings a bare ACK: half of all datagrams.
        if let [first @ (0x40 | 0x60 | 0x70), 0, high, low] = *datagram {
            return Ok(Message::empty(Kind::from_bits(first >> 4), u16::from_be_bytes([high, low])));
        }
        Self::decode_whole(datagram)
    }

    fn decode_whole(datagram: &'a [u8]) -> Result<Self, Reject> {
        let Some((&[first, code, high, low], rest)) = datagram.split_first_chunk() else {
            return Err(nameless(&rules::TOO_SHORT));
        };
        if first >> 6 != VERSION {
            return Err(nameless(&rules::VERSION));
        }
        let (kind, code, mid) = (Kind::from_bits(first >> 4), Code(code), u16::from_be_bytes([high, low]));
        let token_len = usize::from(first & 0x0F);
        let refuse = |rule| Err(refusal(rule, kind, code, mid, rest, token_len));
        if token_len > TOKEN_MAX {
            return refuse(&rules::TOKEN_LENGTH);
        }
        if let Err(rule) = combination(kind, code, token_len + rest.len() == 0) {
            return refuse(rule);
        }
        let Some((token, rest)) = rest.split_at_checked(token_len) else {
            return refuse(&rules::TOKEN_CUT);
        };
        match scan(rest, code.is_request()) {
            Ok(Scan { options, payload, misfit: None }) => Ok(Self { kind, code, mid, token, options, payload }),
            Ok(Scan { misfit: Some((number, rule)), .. }) => {
                let duty = option_duty(kind, code);
                let token = Token::new(token).unwrap_or_default();
                Err(Reject { rule, duty, option: Some(number), kind, code, mid, token })
            }
            Err(rule) => refuse(rule),
        }
    }

    /// An Empty CON: who gets it answers with a RST \[RFC 7252 §4.2\].
    #[must_use]
    pub const fn ping(mid: u16) -> Message<'static> {
        Message::empty(Kind::Con, mid)
    }

    /// An Empty acknowledgement.
    #[must_use]
    pub const fn ack(mid: u16) -> Message<'static> {
        Message::empty(Kind::Ack, mid)
    }

    /// A reset.
    #[must_use]
    pub const fn rst(mid: u16) -> Message<'static> {
        Message::empty(Kind::Rst, mid)
    }

    const fn empty(kind: Kind, mid: u16) -> Message<'static> {
        Message { kind, code: Code::EMPTY, mid, token: &[], options: Options::NONE, payload: &[] }
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What is asked or answered; 0.00 for an Empty message.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The message id.
    #[must_use]
    pub const fn mid(&self) -> u16 {
        self.mid
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::new(self.token).unwrap_or_default()
    }

    /// The options.
    #[must_use]
    pub const fn options(&self) -> Options<'a> {
        self.options
    }

    /// The payload, maybe empty.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Appends the datagram that this was read from, byte by byte.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(5 + self.token.len() + self.options.wire().len() + self.payload.len());
        let [high, low] = self.mid.to_be_bytes();
        out.extend_from_slice(&[first_byte(self.kind, self.token.len()), self.code.0, high, low]);
        out.extend_from_slice(self.token);
        out.extend_from_slice(self.options.wire());
        if !self.payload.is_empty() {
            out.push(PAYLOAD_MARKER);
            out.extend_from_slice(self.payload);
        }
    }
}

/// Version, type and token length.
#[inline]
pub(super) const fn first_byte(kind: Kind, token_len: usize) -> u8 {
    VERSION << 6 | kind.bits() << 4 | token_len as u8
}

/// Which types go with which codes \[RFC 7252 §4.2, RFC 7252 §4.3\].
#[inline]
pub(super) fn combination(kind: Kind, code: Code, bare: bool) -> Result<(), &'static Rule> {
    if code.is_empty() {
        return match kind {
            _ if !bare => Err(&rules::EMPTY_WITH_REST),
            Kind::Non => Err(&rules::NON_EMPTY),
            _ => Ok(()),
        };
    }
    match kind {
        _ if code.is_reserved() => Err(&rules::RESERVED_CLASS),
        Kind::Rst => Err(&rules::RST_WITH_CODE),
        Kind::Ack if code.is_request() => Err(&rules::ACK_WITH_REQUEST),
        _ => Ok(()),
    }
}

/// What follows the token, taken apart.
struct Scan<'a> {
    options: Options<'a>,
    payload: &'a [u8],
    /// The first critical option that may not be ignored, and why it is not understood.
    misfit: Option<(OptionNumber, &'static Rule)>,
}

#[inline]
fn scan(bytes: &[u8], request: bool) -> Result<Scan<'_>, &'static Rule> {
    let (mut at, mut number, mut misfit) = (0, 0, None);
    let payload = loop {
        let (delta, len, size) = match header(&bytes[at..]) {
            Ok(header) => (header.delta, header.len, header.size),
            Err(Stop::End) => break &[][..],
            Err(Stop::Marker) if at + 1 == bytes.len() => return Err(&rules::MARKER_ALONE),
            Err(Stop::Marker) => break &bytes[at + 1..],
            Err(Stop::Broken(rule)) => return Err(rule),
        };
        number += delta;
        if number > u32::from(u16::MAX) {
            return Err(&rules::NUMBER_TOO_LARGE);
        }
        at += size + len;
        if at > bytes.len() {
            return Err(&rules::VALUE_CUT);
        }
        // Even numbers are elective: whatever is wrong with them, the receiver ignores them.
        if number & 1 != 0 {
            let again = delta == 0;
            if let Err(rule) = limits(number as u16).check(len, again, request) {
                misfit = misfit.or(Some((OptionNumber(number as u16), rule)));
            }
        }
    };
    let end = bytes.len() - payload.len() - usize::from(!payload.is_empty());
    Ok(Scan { options: Options::checked(&bytes[..end]), payload, misfit })
}

impl Limits {
    /// Whether an option of this length may stand here; `again` if its number stood there before.
    #[inline]
    pub(super) fn check(self, len: usize, again: bool, request: bool) -> Result<(), &'static Rule> {
        if self.is_unknown() {
            return Err(&rules::OPTION_UNKNOWN);
        }
        if again && !self.repeatable {
            return Err(&rules::OPTION_REPEATED);
        }
        if len < usize::from(self.min) || len > usize::from(self.max) {
            return Err(&rules::OPTION_LENGTH);
        }
        if !(if request { self.in_request } else { self.in_response }) {
            return Err(&rules::OPTION_MISPLACED);
        }
        Ok(())
    }
}

/// No id can be told, or nothing may be answered.
#[cold]
fn nameless(rule: &'static Rule) -> Reject {
    let (kind, code, token) = (Kind::Con, Code::EMPTY, Token::EMPTY);
    Reject { rule, duty: Duty::Ignore, option: None, kind, code, mid: 0, token }
}

#[cold]
fn refusal(rule: &'static Rule, kind: Kind, code: Code, mid: u16, rest: &[u8], token_len: usize) -> Reject {
    let token = rest.get(..token_len).and_then(Token::new).unwrap_or_default();
    Reject { rule, duty: format_duty(kind), option: None, kind, code, mid, token }
}

/// What a message format error calls for \[RFC 7252 §4.2, RFC 7252 §4.3\].
const fn format_duty(kind: Kind) -> Duty {
    match kind {
        Kind::Con => Duty::Reset,
        Kind::Non => Duty::ResetOrIgnore,
        Kind::Ack | Kind::Rst => Duty::Ignore,
    }
}

/// What a critical option that is not understood calls for \[RFC 7252 §5.4.1\].
const fn option_duty(kind: Kind, code: Code) -> Duty {
    match kind {
        Kind::Con if code.is_request() => Duty::BadOption,
        _ => format_duty(kind),
    }
}
