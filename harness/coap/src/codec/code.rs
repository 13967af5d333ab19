//! Codes: what is asked, and how it was answered.

use core::fmt;
use core::str::FromStr;

/// Class and detail of a message: `0.01` is GET, `2.05` is Content. Any byte; names for those that mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

impl Code {
    /// An Empty message: a ping, a bare acknowledgement or a reset \[RFC 7252 §4.1\].
    pub const EMPTY: Self = Self(0);
    /// 0.01 GET \[RFC 7252 §5.8.1\].
    pub const GET: Self = Self::new(0, 1);
    /// 0.02 POST \[RFC 7252 §5.8.2\].
    pub const POST: Self = Self::new(0, 2);
    /// 0.03 PUT \[RFC 7252 §5.8.3\].
    pub const PUT: Self = Self::new(0, 3);
    /// 0.04 DELETE \[RFC 7252 §5.8.4\].
    pub const DELETE: Self = Self::new(0, 4);
    /// 0.05 FETCH.
    pub const FETCH: Self = Self::new(0, 5);
    /// 0.06 PATCH.
    pub const PATCH: Self = Self::new(0, 6);
    /// 0.07 iPATCH.
    pub const IPATCH: Self = Self::new(0, 7);
    /// 2.01 Created \[RFC 7252 §5.9.1.1\].
    pub const CREATED: Self = Self::new(2, 1);
    /// 2.02 Deleted \[RFC 7252 §5.9.1.2\].
    pub const DELETED: Self = Self::new(2, 2);
    /// 2.03 Valid \[RFC 7252 §5.9.1.3\].
    pub const VALID: Self = Self::new(2, 3);
    /// 2.04 Changed \[RFC 7252 §5.9.1.4\].
    pub const CHANGED: Self = Self::new(2, 4);
    /// 2.05 Content \[RFC 7252 §5.9.1.5\].
    pub const CONTENT: Self = Self::new(2, 5);
    /// 2.31 Continue \[RFC 7959 §2.9.1\].
    pub const CONTINUE: Self = Self::new(2, 31);
    /// 4.00 Bad Request \[RFC 7252 §5.9.2.1\].
    pub const BAD_REQUEST: Self = Self::new(4, 0);
    /// 4.01 Unauthorized \[RFC 7252 §5.9.2.2\].
    pub const UNAUTHORIZED: Self = Self::new(4, 1);
    /// 4.02 Bad Option \[RFC 7252 §5.9.2.3\].
    pub const BAD_OPTION: Self = Self::new(4, 2);
    /// 4.03 Forbidden \[RFC 7252 §5.9.2.4\].
    pub const FORBIDDEN: Self = Self::new(4, 3);
    /// 4.04 Not Found \[RFC 7252 §5.9.2.5\].
    pub const NOT_FOUND: Self = Self::new(4, 4);
    /// 4.05 Method Not Allowed \[RFC 7252 §5.9.2.6\].
    pub const METHOD_NOT_ALLOWED: Self = Self::new(4, 5);
    /// 4.06 Not Acceptable \[RFC 7252 §5.9.2.7\].
    pub const NOT_ACCEPTABLE: Self = Self::new(4, 6);
    /// 4.08 Request Entity Incomplete \[RFC 7959 §2.9.2\].
    pub const REQUEST_ENTITY_INCOMPLETE: Self = Self::new(4, 8);
    /// 4.12 Precondition Failed \[RFC 7252 §5.9.2.8\].
    pub const PRECONDITION_FAILED: Self = Self::new(4, 12);
    /// 4.13 Request Entity Too Large \[RFC 7252 §5.9.2.9\].
    pub const REQUEST_ENTITY_TOO_LARGE: Self = Self::new(4, 13);
    /// 4.15 Unsupported Content-Format \[RFC 7252 §5.9.2.10\].
    pub const UNSUPPORTED_CONTENT_FORMAT: Self = Self::new(4, 15);
    /// 5.00 Internal Server Error \[RFC 7252 §5.9.3.1\].
    pub const INTERNAL_SERVER_ERROR: Self = Self::new(5, 0);
    /// 5.01 Not Implemented \[RFC 7252 §5.9.3.2\].
    pub const NOT_IMPLEMENTED: Self = Self::new(5, 1);
    /// 5.02 Bad Gateway \[RFC 7252 §5.9.3.3\].
    pub const BAD_GATEWAY: Self = Self::new(5, 2);
    /// 5.03 Service Unavailable \[RFC 7252 §5.9.3.4\].
    pub const SERVICE_UNAVAILABLE: Self = Self::new(5, 3);
    /// 5.04 Gateway Timeout \[RFC 7252 §5.9.3.5\].
    pub const GATEWAY_TIMEOUT: Self = Self::new(5, 4);
    /// 5.05 Proxying Not Supported \[RFC 7252 §5.9.3.6\].
    pub const PROXYING_NOT_SUPPORTED: Self = Self::new(5, 5);

    /// From a class (0 to 7) and a detail (0 to 31); higher bits do not count.
    #[must_use]
    pub const fn new(class: u8, detail: u8) -> Self {
        Self(class << 5 | detail & 0x1F)
    }

    /// The upper three bits: 0 requests, 2 success, 4 the client's error, 5 the server's.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The lower five bits.
    #[must_use]
    pub const fn detail(self) -> u8 {
        self.0 & 0x1F
    }

    /// 0.00.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// 0.01 to 0.31, whether or not anyone knows the method.
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.class() == 0 && !self.is_empty()
    }

    /// 2.00 to 5.31, whether or not the code has a name.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2..=5)
    }

    /// Classes 1, 6 and 7, which no message may have \[RFC 7252 §4.2\].
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        matches!(self.class(), 1 | 6 | 7)
    }

    /// 2.xx.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// 4.xx and 5.xx.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.class(), 4 | 5)
    }

    /// The method of a request in lower case, as scenarios write it: `get`, `ipatch`. `None` for responses and unknown methods.
    #[must_use]
    pub fn method(self) -> Option<&'static str> {
        METHODS.get(usize::from(self.0).checked_sub(1)?).copied()
    }

    /// The request code of a method in lower case.
    #[must_use]
    pub fn from_method(name: &str) -> Option<Self> {
        METHODS.iter().position(|method| *method == name).map(|at| Self(at as u8 + 1))
    }

    /// The name that the standard gives: `GET`, `Not Found`. `None` if it gives none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(code, _)| *code == self).map(|(_, name)| *name)
    }
}

/// The methods, from 0.01 on.
const METHODS: [&str; 7] = ["get", "post", "put", "delete", "fetch", "patch", "ipatch"];

const NAMES: &[(Code, &str)] = &[
    (Code::EMPTY, "Empty"),
    (Code::GET, "GET"),
    (Code::POST, "POST"),
    (Code::PUT, "PUT"),
    (Code::DELETE, "DELETE"),
    (Code::FETCH, "FETCH"),
    (Code::PATCH, "PATCH"),
    (Code::IPATCH, "iPATCH"),
    (Code::CREATED, "Created"),
    (Code::DELETED, "Deleted"),
    (Code::VALID, "Valid"),
    (Code::CHANGED, "Changed"),
    (Code::CONTENT, "Content"),
    (Code::CONTINUE, "Continue"),
    (Code::BAD_REQUEST, "Bad Request"),
    (Code::UNAUTHORIZED, "Unauthorized"),
    (Code::BAD_OPTION, "Bad Option"),
    (Code::FORBIDDEN, "Forbidden"),
    (Code::NOT_FOUND, "Not Found"),
    (Code::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    (Code::NOT_ACCEPTABLE, "Not Acceptable"),
    (Code::REQUEST_ENTITY_INCOMPLETE, "Request Entity Incomplete"),
    (Code::PRECONDITION_FAILED, "Precondition Failed"),
    (Code::REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large"),
    (Code::UNSUPPORTED_CONTENT_FORMAT, "Unsupported Content-Format"),
    (Code::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    (Code::NOT_IMPLEMENTED, "Not Implemented"),
    (Code::BAD_GATEWAY, "Bad Gateway"),
    (Code::SERVICE_UNAVAILABLE, "Service Unavailable"),
    (Code::GATEWAY_TIMEOUT, "Gateway Timeout"),
    (Code::PROXYING_NOT_SUPPORTED, "Proxying Not Supported"),
];

impl fmt::Display for Code {
    /// `2.05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl FromStr for Code {
    type Err = &'static str;

    /// `2.05`: one digit, a dot, two digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [class @ b'0'..=b'7', b'.', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                let detail = (tens - b'0') * 10 + (ones - b'0');
                if detail > 31 {
                    return Err("the detail of a code ends at 31");
                }
                Ok(Self::new(class - b'0', detail))
            }
            _ => Err("a code reads 2.05"),
        }
    }
}
