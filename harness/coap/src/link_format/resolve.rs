//! Reference resolution \[RFC 3986\]: which resource of a server a link leads to, and whether it is one of this server at all.
//!
//! Paths come out as text that can be compared: without dot segments, and with every percent-encoding undone but those of the characters
//! that would mean something else bare (`/ ? # %`).
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::connection::Addr;

/// What a URI names that leads to this server. `None`: nobody knows where it listens, and absolute links count as others'.
pub type Origin = Option<Addr>;

/// The port of a URI that names none \[RFC 7252 §6.1\].
const PORT: u16 = 5683;

/// A resource: of this server or of another, its path, and its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) here: bool,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl Resource {
    /// The origin itself: against it links are resolved that have no anchor \[RFC 6690\].
    pub(super) const fn root() -> Resource {
        Resource { here: true, path: String::new(), query: None }
    }

    /// What a reference means that stands here.
    pub(super) fn resolve(&self, reference: &str, origin: Origin) -> Resource {
        let parts = Parts::of(reference);
        let query = parts.query.map(ToString::to_string);
        let here = match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority)) => scheme.eq_ignore_ascii_case("coap") && is_at(authority, origin),
            (Some(_), None) => false,
            (None, Some(authority)) => self.here && is_at(authority, origin),
            (None, None) => self.here,
        };
        let absolute = parts.scheme.is_some() || parts.authority.is_some();
        if parts.path.is_empty() && !absolute {
            return Resource { here, path: self.path.clone(), query: query.or_else(|| self.query.clone()) };
        }
        let merged = match self.path.rsplit_once('/') {
            _ if absolute || parts.path.starts_with('/') => parts.path.to_string(),
            Some((folder, _)) => format!("{folder}/{}", parts.path),
            None => format!("/{}", parts.path),
        };
        Resource { here, path: plain(&merged), query }
    }

    /// `/path?query`; `None` where it is the root of which nothing was said.
    pub(super) fn text(self) -> Option<String> {
        let Resource { path, query, .. } = self;
        (!path.is_empty()).then(|| query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")))
    }
}

/// A reference cut in its components \[RFC 3986\]; the fragment, which names no other resource, left out.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(reference: &'a str) -> Parts<'a> {
        let rest = reference.split_once('#').map_or(reference, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, after)) if is_scheme(scheme) => (Some(scheme), after),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(named) => {
                let (authority, path) = named.split_at(named.find('/').unwrap_or(named.len()));
                (Some(authority), if path.is_empty() { "/" } else { path })
            }
            None => (None, rest),
        };
        Parts { scheme, authority, path, query }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether an authority names this server: by its address, or as the machine that it runs on.
fn is_at(authority: &str, origin: Origin) -> bool {
    let Some(origin) = origin else { return false };
    let named = authority.rsplit_once('@').map_or(authority, |(_, named)| named);
    let (host, port) = named.rsplit_once(':').unwrap_or((named, ""));
    let port = if port.is_empty() { Some(PORT) } else { port.parse().ok() };
    let is_loopback = origin.ip >> 24 == 127;
    let host = decoded(host);
    let by_address = format!("{host}:0").try_into().is_ok_and(|addr: Addr| addr.ip == origin.ip);
    port == Some(origin.port) && (by_address || is_loopback && host.eq_ignore_ascii_case("localhost"))
}

/// A path that can be compared with others.
fn plain(path: &str) -> String {
    let decoded = decoded(path);
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = decoded.split('/').collect();
    let last = segments.len() - 1;
    for (at, segment) in segments.iter().enumerate().skip(1) {
        match *segment {
            ".." => drop(kept.pop()),
            "." => {}
            segment => kept.push(segment),
        }
        if at == last && matches!(*segment, "." | "..") {
            kept.push(""); // what was a folder stays one
        }
    }
    format!("/{}", kept.join("/"))
}

/// Percent-encodings undone, where that changes no meaning and makes text.
fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let encoded = (*byte == b'%').then(|| byte_of(bytes.get(at + 1..at + 3)?)).flatten();
        match encoded {
            Some(b'/' | b'?' | b'#' | b'%') => out.extend(bytes[at..at + 3].to_ascii_uppercase()),
            Some(byte) => out.push(byte),
            None => out.push(*byte),
        }
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(digits[0])? * 16 + digit(digits[1])?) as u8)
}
