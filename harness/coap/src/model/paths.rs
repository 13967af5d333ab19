//! What was said about each resource, and what is there after each of these requests for all that we know (linearizability of one register).
use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;

use super::facts::{Assoc, Seen};
use crate::protocol::busy;

/// More of the body is to come (RFC 7959 §2.9.1).
pub(super) const CONTINUE: &str = "2.31";

/// Something said about one resource, and its answer.
pub(super) struct Act<'a> {
    pub asked: Seen<'a>,
    /// `None`: no answer came that surely is its own.
    pub told: Option<Seen<'a>>,
    /// What it carries: its payload, or the body of which it is the last block. `None`: a part of one, or of a body that is not whole.
    content: Option<Cow<'a, [u8]>>,
    /// Place of the write that decides what is there when it was said.
    decided: Option<usize>,
}

impl<'a> Act<'a> {
    pub fn is(&self, method: &str) -> bool {
        self.asked.text("method") == Some(method)
    }
    /// Nobody can say what it has changed, or whether it still will: its answer never came, or says that it failed on the way.
    fn is_open(&self) -> bool {
        let undecided = |told: &Seen<'_>| told.code().starts_with("5.") && told.code() != "5.03";
        self.told.as_ref().is_none_or(undecided)
    }
    /// It may have changed the resource.
    fn writes(&self) -> bool {
        let nothing = |told: &Seen<'_>| told.code().starts_with("4.") || told.code() == CONTINUE || busy(told.packet);
        !self.is("get") && !self.is("fetch") && !self.told.as_ref().is_some_and(nothing)
    }
    /// It has put this there.
    pub fn put(&self) -> Option<&[u8]> {
        let done = self.is("put") && self.told.as_ref().is_some_and(Seen::succeeds);
        self.content.as_deref().filter(|_| done)
    }
    /// A whole representation, and nothing but it.
    pub fn shows(&self) -> Option<&Seen<'a>> {
        let plain = self.is("get") && !self.asked.has("accept") && !self.asked.has("observe");
        self.told.as_ref().filter(|told| plain && told.code() == "2.05" && told.is_whole())
    }
    /// The same with its ETag, where it has one.
    pub fn tagged(&self) -> Option<(&'a str, &Seen<'a>)> {
        self.shows().and_then(|shown| Some((shown.text("etag")?, shown)))
    }
    fn ended(&self) -> Option<EntryId> {
        self.told.as_ref().map(Seen::id)
    }
}

/// Where an act shows what is there: the act, what it shows, the write that decides it, and what that has put.
pub(super) struct Shown<'p, 'a> {
    pub act: &'p Act<'a>,
    pub shown: &'p Seen<'a>,
    pub write: &'p Act<'a>,
    pub put: &'p [u8],
}

/// Everything that was said about one path, in the order in which it was said.
pub(super) struct Path<'a> {
    pub acts: Vec<Act<'a>>,
    /// Places of what may have written, and until when those up to each of them lasted at most.
    writes: Vec<usize>,
    lasted: Vec<EntryId>,
    /// Nobody but us writes there.
    ours: bool,
    /// It changes by itself, or by others: it has shown what nobody of us put there and what is no damaged form of it, or nothing where
    /// something had been put.
    pub is_fickle: bool,
    /// The first entry that shows that it gives back what is put there: two contents, each put and then got. What changes by itself does
    /// not.
    pub stores: Option<EntryId>,
}

/// What a path that gives back what is put there was left with: the write that nobody wrote after or beside, its answer, what it has put, and
/// the last time that it was deleted.
pub(super) struct Last<'p, 'a> {
    pub write: &'p Seen<'a>,
    pub done: &'p Seen<'a>,
    put: Option<&'p [u8]>,
    pub deleted: Option<&'p Seen<'a>>,
}

impl Last<'_, '_> {
    /// What an observer is to be told of it: the content, or that there is none.
    pub fn is_told_by(&self, told: &Seen<'_>) -> bool {
        match self.put {
            Some(put) => told.succeeds() && told.payload() == put,
            None => !told.succeeds(),
        }
    }
}

impl<'a> Path<'a> {
    fn new(mut acts: Vec<Act<'a>>, ours: bool) -> Path<'a> {
        acts.sort_by_key(|act| act.asked.id());
        let writes: Vec<usize> = (0..acts.len()).filter(|at| acts[*at].writes()).collect();
        let never = EntryId(u32::MAX);
        let ends = writes.iter().map(|at| acts[*at].ended().filter(|_| !acts[*at].is_open()).unwrap_or(never));
        let lasted = ends.scan(EntryId(0), |most, end| {
            *most = end.max(*most);
            Some(*most)
        });
        let lasted = lasted.collect();
        let mut path = Path { acts, writes, lasted, ours, is_fickle: false, stores: None };
        for at in 0..path.acts.len() {
            path.acts[at].decided = path.decides(&path.acts[at]);
        }
        path.is_fickle = path.changes_by_itself();
        path.stores = path.gives_back().filter(|_| !path.is_fickle);
        path
    }

    /// The write that decides what is there when an act was said: the last one, where its answer had come by then, and nothing else was
    /// under way beside it.
    pub fn decided_by(&self, act: &Act<'a>) -> Option<&Act<'a>> {
        act.decided.map(|at| &self.acts[at])
    }

    fn decides(&self, act: &Act<'a>) -> Option<usize> {
        let end = act.ended()?;
        let until = self.writes_before(act.asked.id());
        let beside = self.writes_before(end) - until - usize::from(act.writes());
        let last = until.checked_sub(1).filter(|_| beside == 0)?;
        let write = &self.acts[self.writes[last]];
        let alone = last == 0 || self.lasted[last - 1] < write.asked.id();
        (alone && self.lasted[last] < act.asked.id()).then_some(self.writes[last])
    }

    fn writes_before(&self, moment: EntryId) -> usize {
        self.writes.partition_point(|at| self.acts[*at].asked.id() < moment)
    }

    pub fn shown(&self) -> impl Iterator<Item = Shown<'_, 'a>> {
        self.acts.iter().filter_map(|act| self.shown_by(act))
    }

    fn shown_by<'p>(&'p self, act: &'p Act<'a>) -> Option<Shown<'p, 'a>> {
        let (shown, write) = (act.shows()?, self.decided_by(act)?);
        Some(Shown { act, shown, write, put: write.put()? })
    }

    fn changes_by_itself(&self) -> bool {
        let puts: BTreeSet<&[u8]> = self.acts.iter().filter_map(Act::put).collect();
        let damaged = |shown: &[u8], put: &[u8]| {
            self.ours && (shown.len() == put.len() || (!shown.is_empty() && put.starts_with(shown)))
        };
        // What was put, and is there again though nobody has written since, had not changed.
        let got = self.shown().filter(|one| one.put == one.shown.payload());
        let last: BTreeMap<EntryId, EntryId> = got.map(|one| (one.write.asked.id(), one.act.asked.id())).collect();
        let returns =
            |one: &Shown<'_, '_>| self.ours && last.get(&one.write.asked.id()).is_some_and(|got| *got > one.shown.id());
        let alien = |one: &Shown<'_, '_>| {
            let shown = one.shown.payload();
            !puts.contains(shown) && !damaged(shown, one.put) && !returns(one)
        };
        let vanished = |act: &Act<'a>| {
            let gone = act.is("get") && act.told.as_ref().is_some_and(|told| told.code() == "4.04");
            gone && self.decided_by(act).is_some_and(|write| write.is("put"))
        };
        self.shown().any(|one| alien(&one)) || self.acts.iter().any(vanished)
    }

    /// What was got after a moment, and was put before it, with no write in between.
    pub fn unchanged_around(&self, moment: EntryId) -> Option<Shown<'_, 'a>> {
        let from = self.acts.partition_point(|act| act.asked.id() < moment);
        let after = self.acts[from..].iter().take_while(|act| !act.writes()).filter_map(|act| self.shown_by(act));
        after
            .into_iter()
            .find(|one| one.put == one.shown.payload() && one.write.ended().is_some_and(|end| end < moment))
    }

    fn gives_back(&self) -> Option<EntryId> {
        let mut first: Option<&[u8]> = None;
        let mut got = self.shown().map(|one| (one.shown, one.put)).filter(|(shown, put)| *put == shown.payload());
        got.find_map(|(shown, _)| match first {
            Some(first) if first != shown.payload() => Some(shown.id()),
            _ => {
                first = first.or(Some(shown.payload()));
                None
            }
        })
    }

    /// How it was left, where it has shown that it stores.
    pub fn left(&self) -> Option<Last<'_, 'a>> {
        self.stores?;
        let at = self.writes.len().checked_sub(1)?;
        let last = &self.acts[self.writes[at]];
        let alone = at == 0 || self.lasted[at - 1] < last.asked.id();
        let known = last.put().is_some() || last.is("delete");
        if last.is_open() || !alone || !known {
            return None;
        }
        let deleted = self.writes.iter().rev().map(|at| &self.acts[*at]).find(|act| act.is("delete"));
        let deleted = deleted.and_then(|act| act.told.as_ref());
        Some(Last { write: &last.asked, done: last.told.as_ref()?, put: last.put(), deleted })
    }

    /// Everything that anybody of us has put there, or has seen there when it was asked for.
    pub fn known(&self) -> BTreeSet<&[u8]> {
        let said = self.acts.iter().filter(|act| !act.is("get")).filter_map(|act| act.content.as_deref());
        let seen = self.acts.iter().filter(|act| act.is("get")).filter_map(|act| act.told.as_ref()).map(Seen::payload);
        said.chain(seen).collect()
    }
}

/// What was said, by path. A request with a query, or for another host, may still have written: what it did is open.
pub(super) fn paths<'a>(assocs: &[Assoc<'a>], ours: bool) -> BTreeMap<&'a str, Path<'a>> {
    let mut all: BTreeMap<&str, Vec<Act<'_>>> = BTreeMap::new();
    for assoc in assocs {
        let mut bodies: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for exchange in &assoc.exchanges {
            let asked = assoc.packets[exchange.request];
            let Some(path) = asked.text("path") else { continue };
            let own = exchange.responses.iter().find(|at| assoc.is_for(exchange, **at)).map(|at| assoc.packets[*at]);
            let plain =
                !["query", "uri_host", "uri_port", "proxy_uri", "proxy_scheme"].iter().any(|key| asked.has(key));
            let sure = assoc.clean && asked.is_legal() && !exchange.reuses && exchange.copies.is_empty() && plain;
            let content = content(&asked, bodies.entry(path).or_default());
            all.entry(path).or_default().push(Act { asked, told: own.filter(|_| sure), content, decided: None });
        }
    }
    all.into_iter().map(|(path, acts)| (path, Path::new(acts, ours))).collect()
}

/// What a request carries; `body` is what came before it of the same body, in blocks.
fn content<'a>(asked: &Seen<'a>, body: &mut Vec<u8>) -> Option<Cow<'a, [u8]>> {
    if !asked.has("block1") {
        return Some(Cow::Borrowed(asked.payload()));
    }
    let block = asked.block("block1")?;
    if block.num == 0 {
        body.clear();
    }
    if block.num as usize * block.size() != body.len() {
        return None;
    }
    body.extend_from_slice(asked.payload());
    (!block.more).then(|| Cow::Owned(core::mem::take(body)))
}
