//! Options: their numbers, and what the registry says of each.

use core::fmt;

/// The number of an option: any 16 bits; names for those that mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

impl OptionNumber {
    /// The request holds only if the representation has one of these ETags \[RFC 7252 §5.10.8.1\].
    pub const IF_MATCH: Self = Self(1);
    /// The host that is asked for \[RFC 7252 §5.10.1\].
    pub const URI_HOST: Self = Self(3);
    /// The version of a representation \[RFC 7252 §5.10.6\].
    pub const ETAG: Self = Self(4);
    /// The request holds only if the resource does not exist \[RFC 7252 §5.10.8.2\].
    pub const IF_NONE_MATCH: Self = Self(5);
    /// Registers, deregisters, or numbers a notification \[RFC 7641 §2\].
    pub const OBSERVE: Self = Self(6);
    /// The port that is asked for \[RFC 7252 §5.10.1\].
    pub const URI_PORT: Self = Self(7);
    /// One segment of the path of what was created \[RFC 7252 §5.10.7\].
    pub const LOCATION_PATH: Self = Self(8);
    /// One segment of the path that is asked for \[RFC 7252 §5.10.1\].
    pub const URI_PATH: Self = Self(11);
    /// The format of the payload \[RFC 7252 §5.10.3\].
    pub const CONTENT_FORMAT: Self = Self(12);
    /// How many seconds a response stays fresh \[RFC 7252 §5.10.5\].
    pub const MAX_AGE: Self = Self(14);
    /// One argument of what is asked for \[RFC 7252 §5.10.1\].
    pub const URI_QUERY: Self = Self(15);
    /// The format that the client wants \[RFC 7252 §5.10.4\].
    pub const ACCEPT: Self = Self(17);
    /// One argument of what was created \[RFC 7252 §5.10.7\].
    pub const LOCATION_QUERY: Self = Self(20);
    /// Which block of a response body \[RFC 7959 §2.1\].
    pub const BLOCK2: Self = Self(23);
    /// Which block of a request body \[RFC 7959 §2.1\].
    pub const BLOCK1: Self = Self(27);
    /// The size of a response body \[RFC 7959 §4\].
    pub const SIZE2: Self = Self(28);
    /// The absolute URI that a proxy shall ask \[RFC 7252 §5.10.2\].
    pub const PROXY_URI: Self = Self(35);
    /// The scheme that a proxy shall ask with \[RFC 7252 §5.10.2\].
    pub const PROXY_SCHEME: Self = Self(39);
    /// The size of a request body \[RFC 7252 §5.10.9\].
    pub const SIZE1: Self = Self(60);

    /// Odd numbers: who does not understand it must not process the message \[RFC 7252 §5.4.1\].
    #[must_use]
    pub const fn is_critical(self) -> bool {
        self.0 & 1 != 0
    }

    /// A proxy that does not understand it must not forward the message \[RFC 7252 §5.7.1\].
    #[must_use]
    pub const fn is_unsafe(self) -> bool {
        self.0 & 2 != 0
    }

    /// Safe to forward, and no part of a cache key.
    #[must_use]
    pub const fn is_no_cache_key(self) -> bool {
        self.0 & 0x1E == 0x1C
    }

    /// What the registry says of it; `None` for an option that this codec does not know.
    #[inline]
    #[must_use]
    pub fn definition(self) -> Option<&'static Definition> {
        REGISTRY.iter().find(|row| row.number == self)
    }

    /// Its name, also of some that are known by name only; `None` if no one here ever heard of it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let known = self.definition().map(|row| row.name);
        known.or_else(|| HEARD_OF.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name))
    }
}

impl fmt::Display for OptionNumber {
    /// The name if there is one, else the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What the value of an option is \[RFC 7252 §3.2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No value: that it stands there says all.
    Empty,
    /// Bytes that mean something only to who wrote them.
    Opaque,
    /// A number in as few bytes as it takes.
    Uint,
    /// UTF-8.
    Text,
}

/// In which messages an option means something; elsewhere it counts as not understood \[RFC 7252 §5.4\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Requests.
    Request,
    /// Responses.
    Response,
    /// Both.
    Both,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The number; it also says whether the option is critical and unsafe.
    pub number: OptionNumber,
    /// As the standard writes it: `Uri-Path`.
    pub name: &'static str,
    /// What its value is.
    pub format: Format,
    /// Whether it may occur more than once.
    pub repeatable: bool,
    /// Least bytes of the value.
    pub len_min: u16,
    /// Most bytes of the value.
    pub len_max: u16,
    /// Where it means something.
    pub place: Place,
    /// The section that defines it.
    pub clause: &'static str,
}

impl Definition {
    /// Whether a value of so many bytes is in range \[RFC 7252 §5.4.3\].
    #[inline]
    #[must_use]
    pub const fn takes(&self, len: usize) -> bool {
        self.len_min as usize <= len && len <= self.len_max as usize
    }
}

const ONCE: bool = false;
const OFTEN: bool = true;

/// The options of RFC 7252, RFC 7641 and RFC 7959, by number.
pub static REGISTRY: [Definition; 19] = REGISTRY_ROWS;

const REGISTRY_ROWS: [Definition; 19] = {
    use Format::{Empty, Opaque, Text, Uint};
    use Place::{Both, Request, Response};
    [
        row(OptionNumber::IF_MATCH, "If-Match", Opaque, OFTEN, (0, 8), Request, "RFC 7252 §5.10.8.1"),
        row(OptionNumber::URI_HOST, "Uri-Host", Text, ONCE, (1, 255), Request, "RFC 7252 §5.10.1"),
        row(OptionNumber::ETAG, "ETag", Opaque, OFTEN, (1, 8), Both, "RFC 7252 §5.10.6"),
        row(OptionNumber::IF_NONE_MATCH, "If-None-Match", Empty, ONCE, (0, 0), Request, "RFC 7252 §5.10.8.2"),
        row(OptionNumber::OBSERVE, "Observe", Uint, ONCE, (0, 3), Both, "RFC 7641 §2"),
        row(OptionNumber::URI_PORT, "Uri-Port", Uint, ONCE, (0, 2), Request, "RFC 7252 §5.10.1"),
        row(OptionNumber::LOCATION_PATH, "Location-Path", Text, OFTEN, (0, 255), Response, "RFC 7252 §5.10.7"),
        row(OptionNumber::URI_PATH, "Uri-Path", Text, OFTEN, (0, 255), Request, "RFC 7252 §5.10.1"),
        row(OptionNumber::CONTENT_FORMAT, "Content-Format", Uint, ONCE, (0, 2), Both, "RFC 7252 §5.10.3"),
        row(OptionNumber::MAX_AGE, "Max-Age", Uint, ONCE, (0, 4), Response, "RFC 7252 §5.10.5"),
        row(OptionNumber::URI_QUERY, "Uri-Query", Text, OFTEN, (0, 255), Request, "RFC 7252 §5.10.1"),
        row(OptionNumber::ACCEPT, "Accept", Uint, ONCE, (0, 2), Request, "RFC 7252 §5.10.4"),
        row(OptionNumber::LOCATION_QUERY, "Location-Query", Text, OFTEN, (0, 255), Response, "RFC 7252 §5.10.7"),
        row(OptionNumber::BLOCK2, "Block2", Uint, ONCE, (0, 3), Both, "RFC 7959 §2.1"),
        row(OptionNumber::BLOCK1, "Block1", Uint, ONCE, (0, 3), Both, "RFC 7959 §2.1"),
        row(OptionNumber::SIZE2, "Size2", Uint, ONCE, (0, 4), Both, "RFC 7959 §4"),
        row(OptionNumber::PROXY_URI, "Proxy-Uri", Text, ONCE, (1, 1034), Request, "RFC 7252 §5.10.2"),
        row(OptionNumber::PROXY_SCHEME, "Proxy-Scheme", Text, ONCE, (1, 255), Request, "RFC 7252 §5.10.2"),
        row(OptionNumber::SIZE1, "Size1", Uint, ONCE, (0, 4), Both, "RFC 7252 §5.10.9"),
    ]
};

const fn row(
    number: OptionNumber,
    name: &'static str,
    format: Format,
    repeatable: bool,
    (len_min, len_max): (u16, u16),
    place: Place,
    clause: &'static str,
) -> Definition {
    Definition { number, name, format, repeatable, len_min, len_max, place, clause }
}

/// Options of other documents, known by name only: a message that needs one of them is refused.
const HEARD_OF: &[(u16, &str)] =
    &[(9, "OSCORE"), (16, "Hop-Limit"), (252, "Echo"), (258, "No-Response"), (292, "Request-Tag")];

/// A row of the registry, packed for a look per option of every datagram.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub min: u16,
    pub max: u16,
    pub repeatable: bool,
    pub in_request: bool,
    pub in_response: bool,
}

impl Limits {
    /// No value is long enough and short enough: nothing is known of the option.
    const UNKNOWN: Self = Self { min: 1, max: 0, repeatable: false, in_request: false, in_response: false };

    pub(super) const fn is_unknown(self) -> bool {
        self.min > self.max
    }
}

/// What is known of an option, in one look.
#[inline]
pub(super) fn limits(number: u16) -> Limits {
    LIMITS.get(usize::from(number)).copied().unwrap_or(Limits::UNKNOWN)
}

/// By number: the largest that is known is Size1, 60.
static LIMITS: [Limits; 64] = {
    let mut limits = [Limits::UNKNOWN; 64];
    let mut at = 0;
    while at < REGISTRY_ROWS.len() {
        let row = REGISTRY_ROWS[at];
        limits[row.number.0 as usize] = Limits {
            min: row.len_min,
            max: row.len_max,
            repeatable: row.repeatable,
            in_request: !matches!(row.place, Place::Response),
            in_response: !matches!(row.place, Place::Request),
        };
        at += 1;
    }
    limits
};
