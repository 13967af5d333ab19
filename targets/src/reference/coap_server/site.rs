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
    /// What the store held before, and how often it was written to.
    before: Option<Vec<u8>>,
    puts: u32,
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
        if !flaws.has(Flaw::ConditionIgnored) && !self.holds(resource, options) {
            return Answer::of(Code::PRECONDITION_FAILED);
        }
        match (resource, method) {
            (Resource::Protected, Code::GET) if flaws.has(Flaw::GetUnguarded) => {
                acceptable(self.read(resource, now, flaws), options, flaws)
            }
            (Resource::Protected, Code::IPATCH) if flaws.has(Flaw::IpatchUnguarded) => Answer::of(Code::CHANGED),
            (Resource::Protected, method) if method != Code::GET && flaws.has(Flaw::GuardsOnlyGet) => {
                Answer::of(Code::CHANGED)
            }
            (Resource::Protected, _) => Answer::of(Code::UNAUTHORIZED),
            (Resource::Core, Code::GET) => acceptable(core(flaws), options, flaws),
            (_, Code::GET) => acceptable(self.read(resource, now, flaws), options, flaws),
            (Resource::Counter, Code::POST) => {
                self.counter += 1;
                Answer { code: Code::CHANGED, ..Answer::text(self.counter.to_string()) }
            }
            (Resource::Actuator, Code::PUT) => self.switch(options, body),
            (Resource::Store, Code::PUT) => {
                let code = if self.store.is_some() { Code::CHANGED } else { Code::CREATED };
                self.puts += 1;
                let lost = flaws.has(Flaw::LosesEveryThirdPut) && self.puts.is_multiple_of(3)
                    || flaws.has(Flaw::KeepsFirstPut) && self.store.is_some();
                if !lost {
                    self.before = self.store.replace(body.to_vec());
                }
                Answer::of(code)
            }
            (Resource::Store, Code::DELETE) if self.store.is_none() && flaws.has(Flaw::DeleteFindsNothing) => {
                Answer::of(Code::NOT_FOUND)
            }
            (Resource::Store, Code::DELETE) => {
                if !flaws.has(Flaw::DeleteKeeps) {
                    self.before = self.store.take();
                }
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
    pub(super) fn read(&self, resource: Resource, now: Time, flaws: Flaws) -> Answer {
        match resource {
            Resource::Time => Answer { max_age: Some(1), ..Answer::text((now.0 / 1_000_000_000).to_string()) },
            Resource::Counter => Answer::text(self.counter.to_string()),
            Resource::Actuator => Answer::content(if self.on { &b"on"[..] } else { &b"off"[..] }),
            Resource::Large => Answer { etag: Some(tag(&LARGE_BODY)), ..Answer::content(&LARGE_BODY[..]) },
            Resource::Store => match &self.store {
                Some(body) => {
                    let named = if flaws.has(Flaw::EtagNeverChanges) { &[][..] } else { body };
                    Answer { etag: Some(tag(named)), format: None, ..Answer::content(body.clone()) }
                }
                None => Answer::of(Code::NOT_FOUND),
            },
            Resource::Slow => Answer::content(&b"done"[..]),
            Resource::Protected => Answer::content(&b"a secret"[..]),
            Resource::Core => core(flaws),
        }
    }

    pub(super) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// What the store held before it was written to last.
    pub(super) fn before(&self) -> Option<&[u8]> {
        self.before.as_deref()
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
        [&self.store, &self.before].into_iter().flatten().map(Vec::capacity).sum()
    }
}

/// What Accept and ETag make of a representation \[RFC 7252 §5.10.4, RFC 7252 §5.10.6.2\].
fn acceptable(answer: Answer, options: &Options<'_>, flaws: Flaws) -> Answer {
    let wanted = options.uint(OptionNumber::ACCEPT);
    if answer.code == Code::CONTENT
        && !flaws.has(Flaw::AcceptIgnored)
        && wanted.is_some_and(|wanted| answer.format.is_some_and(|is| u32::from(is) != wanted))
    {
        return Answer::of(Code::NOT_ACCEPTABLE);
    }
    let mut asked = options.all(OptionNumber::ETAG);
    let known = answer.etag.is_some_and(|etag| asked.any(|value| flaws.has(Flaw::AnyEtagIsValid) || value == etag));
    if known { Answer { code: Code::VALID, body: Cow::Borrowed(&[]), format: None, ..answer } } else { answer }
}

fn core(flaws: Flaws) -> Answer {
    let mut links = String::new();
    for resource in LISTED.into_iter().chain(flaws.has(Flaw::ListsProtected).then_some(Resource::Protected)) {
        link_format::write(&mut links, resource.path(), attributes(resource, flaws));
    }
    if flaws.has(Flaw::LinksUnopened) {
        links = links.replace('<', "");
    }
    Answer { format: Some(LINKS), ..Answer::text(links) }
}

fn attributes(resource: Resource, flaws: Flaws) -> &'static [(&'static str, Option<&'static str>)] {
    match resource {
        Resource::Time if flaws.has(Flaw::ObsHasValue) => &[("obs", Some("1"))],
        Resource::Time if flaws.has(Flaw::CtInWords) => &[("obs", None), ("ct", Some("text"))],
        Resource::Time | Resource::Store => &[("obs", None)],
        _ => &[],
    }
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
