//! The resources, and what they do. Nothing here knows who asks.
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_coap::codec::{Code, OptionNumber, Options};
use proofhouse_coap::link_format;
use proofhouse_core::time::Time;

use super::answer::{Answer, LINKS, TEXT};
use crate::flaw::{Flaw, Flaws};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Time,
    Counter,
    Actuator,
    Large,
    Store,
    Slow,
    Protected,
    Core,
}

const PATHS: [(&str, Resource); 8] = [
    ("/time", Resource::Time),
    ("/counter", Resource::Counter),
    ("/actuator", Resource::Actuator),
    ("/large", Resource::Large),
    ("/store", Resource::Store),
    ("/slow", Resource::Slow),
    ("/protected", Resource::Protected),
    (link_format::WELL_KNOWN, Resource::Core),
];

/// What discovery says. No more than three times what asks for it, so that nobody need be challenged for it.
const LISTED: [Resource; 5] = [Resource::Time, Resource::Counter, Resource::Actuator, Resource::Large, Resource::Store];

/// Bytes of the large resource: five blocks.
const LARGE: usize = 5 << 10;

/// The state of the resources.
#[derive(Debug, Default)]
pub(super) struct Site {
    counter: u64,
    on: bool,
    store: Option<Vec<u8>>,
}

impl Resource {
    pub(super) fn find(options: &Options<'_>) -> Option<Resource> {
        PATHS.iter().find(|(path, _)| options.path_is(path)).map(|(_, resource)| *resource)
    }

    fn path(self) -> &'static str {
        PATHS.iter().find(|(_, resource)| *resource == self).map_or("/", |(path, _)| path)
    }
}

impl Site {
    /// Does what is asked. `body` is the whole payload.
    pub(super) fn serve(
        &mut self,
        resource: Resource,
        method: Code,
        options: &Options<'_>,
        body: &[u8],
        flaws: Flaws,
        now: Time,
    ) -> Answer {
        if !self.holds(resource, options) {
            return Answer::of(Code::PRECONDITION_FAILED);
        }
        match (resource, method) {
            (Resource::Protected, Code::GET) if flaws.has(Flaw::GetUnguarded) => {
                acceptable(self.read(resource, now), options)
            }
            (Resource::Protected, Code::IPATCH) if flaws.has(Flaw::IpatchUnguarded) => Answer::of(Code::CHANGED),
            (Resource::Protected, method) if method != Code::GET && flaws.has(Flaw::GuardsOnlyGet) => {
                Answer::of(Code::CHANGED)
            }
            (Resource::Protected, _) => Answer::of(Code::UNAUTHORIZED),
            (Resource::Core, Code::GET) => acceptable(core(flaws), options),
            (_, Code::GET) => acceptable(self.read(resource, now), options),
            (Resource::Counter, Code::POST) => {
                self.counter += 1;
                Answer { code: Code::CHANGED, ..Answer::text(self.counter.to_string()) }
            }
            (Resource::Actuator, Code::PUT) => self.switch(options, body),
            (Resource::Store, Code::PUT) => {
                let code = if self.store.is_some() { Code::CHANGED } else { Code::CREATED };
                self.store = Some(body.to_vec());
                Answer::of(code)
            }
            (Resource::Store, Code::DELETE) => {
                self.store = None;
                Answer::of(Code::DELETED)
            }
            _ => Answer::of(Code::METHOD_NOT_ALLOWED),
        }
    }

    /// Takes back what was stored: only ever called by a flaw.
    pub(super) fn forget(&mut self) {
        self.store = None;
    }

    /// The representation of a resource.
    pub(super) fn read(&self, resource: Resource, now: Time) -> Answer {
        match resource {
            Resource::Time => Answer { max_age: Some(1), ..Answer::text((now.0 / 1_000_000_000).to_string()) },
            Resource::Counter => Answer::text(self.counter.to_string()),
            Resource::Actuator => Answer::content(if self.on { &b"on"[..] } else { &b"off"[..] }),
            Resource::Large => Answer { etag: Some(tag(&LARGE_BODY)), ..Answer::content(&LARGE_BODY[..]) },
            Resource::Store => match &self.store {
                Some(body) => Answer { etag: Some(tag(body)), format: None, ..Answer::content(body.clone()) },
                None => Answer::of(Code::NOT_FOUND),
            },
            Resource::Slow => Answer::content(&b"done"[..]),
            Resource::Protected => Answer::content(&b"a secret"[..]),
            Resource::Core => core(Flaws::NONE),
        }
    }

    fn switch(&mut self, options: &Options<'_>, body: &[u8]) -> Answer {
        if options.uint(OptionNumber::CONTENT_FORMAT).is_some_and(|format| format != u32::from(TEXT)) {
            return Answer::of(Code::UNSUPPORTED_CONTENT_FORMAT);
        }
        self.on = match body {
            b"on" => true,
            b"off" => false,
            _ => return Answer::because(Code::BAD_REQUEST, "on or off".into()),
        };
        Answer::of(Code::CHANGED)
    }

    /// If-Match and If-None-Match \[RFC 7252 §5.10.8\].
    fn holds(&self, resource: Resource, options: &Options<'_>) -> bool {
        let exists = resource != Resource::Store || self.store.is_some();
        if exists && options.has(OptionNumber::IF_NONE_MATCH) {
            return false;
        }
        let mut wanted = options.all(OptionNumber::IF_MATCH).peekable();
        if wanted.peek().is_none() {
            return true;
        }
        let etag = match resource {
            Resource::Large => Some(tag(&LARGE_BODY)),
            Resource::Store => self.store.as_deref().map(tag),
            _ => None,
        };
        exists && wanted.any(|value| value.is_empty() || etag.is_some_and(|etag| etag == *value))
    }

    pub(super) fn bytes(&self) -> usize {
        self.store.as_ref().map_or(0, Vec::capacity)
    }
}

/// What Accept and ETag make of a representation \[RFC 7252 §5.10.4, RFC 7252 §5.10.6.2\].
fn acceptable(answer: Answer, options: &Options<'_>) -> Answer {
    let wanted = options.uint(OptionNumber::ACCEPT);
    if answer.code == Code::CONTENT
        && wanted.is_some_and(|wanted| answer.format.is_some_and(|is| u32::from(is) != wanted))
    {
        return Answer::of(Code::NOT_ACCEPTABLE);
    }
    let known = answer.etag.is_some_and(|etag| options.all(OptionNumber::ETAG).any(|value| value == etag));
    if known { Answer { code: Code::VALID, body: Cow::Borrowed(&[]), format: None, ..answer } } else { answer }
}

fn core(flaws: Flaws) -> Answer {
    let mut links = String::new();
    for resource in LISTED.into_iter().chain(flaws.has(Flaw::ListsProtected).then_some(Resource::Protected)) {
        let observable: &[(&str, Option<&str>)] = if resource == Resource::Time { &[("obs", None)] } else { &[] };
        link_format::write(&mut links, resource.path(), observable);
    }
    Answer { format: Some(LINKS), ..Answer::text(links) }
}

/// FNV-1a: tells versions apart, keeps no secret.
fn tag(body: &[u8]) -> [u8; 4] {
    body.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)).to_be_bytes()
}

static LARGE_BODY: [u8; LARGE] = {
    let mut body = [b' '; LARGE];
    let mut at = 0;
    while at < LARGE {
        body[at] = b'a' + (at / 10 % 26) as u8;
        if at % 10 > 0 {
            body[at] = b'0' + (at % 10) as u8;
        }
        at += 1;
    }
    body
};
