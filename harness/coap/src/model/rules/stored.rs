//! What is stored: a resource that has shown that it gives back what is put there gives back the latest, tells its versions apart, and
//! tells its observers of them (RFC 7252 §5.8.3, §5.8.4, §5.10.6; RFC 7641 §4.5).
use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::time::Duration;

use super::content::CONTINUE;
use super::{Breach, Facts, Row, Seen, Tally};
use crate::protocol::busy;

/// What a clock of whole seconds may not tell apart.
const A_SECOND: Duration = Duration::from_millis(1_100);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "put-is-got",
        clauses: &["RFC 7252 §5.8.3-1", "RFC 7252 §5.1-2"],
        doc: "what was put last is what is got",
        judge: put_is_got,
    },
    Row {
        id: "delete-is-deleted",
        clauses: &["RFC 7252 §5.8.4-1"],
        doc: "a DELETE that succeeds, or finds nothing, gives 2.02",
        judge: delete_is_deleted,
    },
    Row {
        id: "deleted-is-gone",
        clauses: &["RFC 7252 §5.8.4-1"],
        doc: "what was deleted is got no more",
        judge: deleted_is_gone,
    },
    Row {
        id: "etag-tells-versions",
        clauses: &["RFC 7252 §5.10.6"],
        doc: "two representations of a resource do not share an ETag",
        judge: etag_tells_versions,
    },
    Row {
        id: "valid-is-unchanged",
        clauses: &["RFC 7252 §5.10.6"],
        doc: "2.03 is said of the representation that is there, and not of one before it",
        judge: valid_is_unchanged,
    },
];

/// Something said about one resource, and its answer.
struct Act<'f, 'a> {
    asked: &'f Seen<'a>,
    /// `None`: no answer came that surely is its own.
    told: Option<&'f Seen<'a>>,
    /// What it carries: its payload, or the body of which it is the last block. `None`: a part of one, or of a body that is not whole.
    content: Option<Cow<'a, [u8]>>,
}

impl<'f, 'a> Act<'f, 'a> {
    fn is(&self, method: &str) -> bool {
        self.asked.text("method") == Some(method)
    }
    /// Nobody can say what it has changed, or whether it still will: its answer never came, or says that it failed on the way.
    fn is_open(&self) -> bool {
        let undecided = |told: &Seen<'_>| told.code().starts_with("5.") && told.code() != "5.03";
        self.told.is_none_or(undecided)
    }
    /// It may have changed the resource.
    fn writes(&self) -> bool {
        let nothing = |told: &Seen<'_>| told.code().starts_with("4.") || told.code() == CONTINUE || busy(told.packet);
        !self.is("get") && !self.is("fetch") && !self.told.is_some_and(nothing)
    }
    /// It has put this there.
    fn put(&self) -> Option<&[u8]> {
        let done = self.is("put") && self.told.is_some_and(Seen::succeeds);
        self.content.as_deref().filter(|_| done)
    }
    /// A whole representation, and nothing but it.
    fn shows(&self) -> Option<&'f Seen<'a>> {
        let plain = self.is("get") && !self.asked.has("accept") && !self.asked.has("observe");
        self.told.filter(|told| plain && told.code() == "2.05" && told.is_whole())
    }
    /// The same with its ETag, where it has one.
    fn tagged(&self) -> Option<(&'a str, &'f Seen<'a>)> {
        self.shows().and_then(|shown| Some((shown.text("etag")?, shown)))
    }
    fn ended(&self) -> Option<EntryId> {
        self.told.map(Seen::id)
    }
}

/// Everything that was said about one path, in the order in which it was said.
struct Path<'f, 'a> {
    acts: Vec<Act<'f, 'a>>,
    /// Places of what may have written, and until when those up to each of them lasted at most.
    writes: Vec<usize>,
    lasted: Vec<EntryId>,
    /// Nobody but us writes there.
    ours: bool,
}

impl<'f, 'a> Path<'f, 'a> {
    fn new(mut acts: Vec<Act<'f, 'a>>, ours: bool) -> Path<'f, 'a> {
        acts.sort_by_key(|act| act.asked.id());
        let writes: Vec<usize> = (0..acts.len()).filter(|at| acts[*at].writes()).collect();
        let never = EntryId(u32::MAX);
        let ends = writes.iter().map(|at| acts[*at].ended().filter(|_| !acts[*at].is_open()).unwrap_or(never));
        let lasted = ends.scan(EntryId(0), |most, end| {
            *most = end.max(*most);
            Some(*most)
        });
        let lasted = lasted.collect();
        Path { acts, writes, lasted, ours }
    }

    /// The write that decides what is there when an act was said: the last one, where its answer had come by then, and nothing else was
    /// under way beside it.
    fn decided_by(&self, act: &Act<'f, 'a>) -> Option<&Act<'f, 'a>> {
        let end = act.ended()?;
        let began = |at: &usize| self.acts[*at].asked.id();
        let until = self.writes.partition_point(|at| began(at) < act.asked.id());
        let beside = self.writes.partition_point(|at| began(at) < end) - until - usize::from(act.writes());
        let last = until.checked_sub(1).filter(|_| beside == 0)?;
        let write = &self.acts[self.writes[last]];
        let alone = last == 0 || self.lasted[last - 1] < write.asked.id();
        (alone && self.lasted[last] < act.asked.id()).then_some(write)
    }

    /// Where an act shows what is there: what it shows, the write that decides it, and what that has put.
    fn shown(&self) -> impl Iterator<Item = (&Act<'f, 'a>, &'f Seen<'a>, &Act<'f, 'a>, &[u8])> {
        self.acts.iter().filter_map(|act| {
            let (shown, write) = (act.shows()?, self.decided_by(act)?);
            Some((act, shown, write, write.put()?))
        })
    }

    /// It changes by itself, or by others: it has shown what nobody of us put there and what is no damaged form of it, or nothing where
    /// something had been put.
    fn is_fickle(&self) -> bool {
        let puts: BTreeSet<&[u8]> = self.acts.iter().filter_map(Act::put).collect();
        let damaged = |shown: &[u8], put: &[u8]| {
            self.ours && (shown.len() == put.len() || (!shown.is_empty() && put.starts_with(shown)))
        };
        let alien = |shown: &[u8], put: &[u8]| !puts.contains(shown) && !damaged(shown, put);
        let vanished = |act: &Act<'f, 'a>| {
            let gone = act.is("get") && act.told.is_some_and(|told| told.code() == "4.04");
            gone && self.decided_by(act).is_some_and(|write| write.is("put"))
        };
        self.shown().any(|(_, shown, _, put)| alien(shown.payload(), put)) || self.acts.iter().any(vanished)
    }
}

/// What was said, by path. A request with a query, or for another host, may still have written: what it did is open.
fn paths<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'a str, Path<'f, 'a>> {
    let mut all: BTreeMap<&str, Vec<Act<'_, '_>>> = BTreeMap::new();
    for assoc in &facts.assocs {
        let mut bodies: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for exchange in &assoc.exchanges {
            let asked = &assoc.packets[exchange.request];
            let Some(path) = asked.text("path") else { continue };
            let own = exchange.responses.iter().find(|at| assoc.is_for(exchange, **at)).map(|at| &assoc.packets[*at]);
            let plain =
                !["query", "uri_host", "uri_port", "proxy_uri", "proxy_scheme"].iter().any(|key| asked.has(key));
            let sure = assoc.clean && asked.is_legal() && !exchange.reuses && exchange.copies.is_empty() && plain;
            let content = content(asked, bodies.entry(path).or_default());
            all.entry(path).or_default().push(Act { asked, told: own.filter(|_| sure), content });
        }
    }
    all.into_iter().map(|(path, acts)| (path, Path::new(acts, facts.alone))).collect()
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

/// The first entry that shows that a path gives back what is put there: two contents, each put and then got. What changes by itself does not.
fn stores(path: &Path<'_, '_>) -> Option<EntryId> {
    let mut first: Option<&[u8]> = None;
    let mut got = path.shown().filter(|(_, shown, _, put)| *put == shown.payload());
    let second = got.find_map(|(_, shown, ..)| match first {
        Some(first) if first != shown.payload() => Some(shown.id()),
        _ => {
            first = first.or(Some(shown.payload()));
            None
        }
    });
    second.filter(|_| !path.is_fickle())
}

/// Whoever gives what was put before the last, byte for byte, has not made something else of it.
fn put_is_got(facts: &Facts<'_>, tally: &mut Tally) {
    for path in paths(facts).values().filter(|path| !path.is_fickle()) {
        let since = stores(path);
        let mut before: BTreeSet<&[u8]> = BTreeSet::new();
        for (act, shown, write, put) in path.shown() {
            let (wrong, again) = (shown.payload() != put, before.contains(shown.payload()));
            before.insert(put);
            if since == Some(shown.id()) || (since.is_none() && !again) {
                continue;
            }
            let what = "something else than what was put last";
            let breach = wrong.then(|| Breach::seen("2.05", what, &[write.asked.id(), act.asked.id(), shown.id()]));
            tally.must(shown.id(), breach);
        }
    }
}

fn delete_is_deleted(facts: &Facts<'_>, tally: &mut Tally) {
    for path in paths(facts).values() {
        for act in path.acts.iter().filter(|act| act.is("delete")) {
            let Some(told) = act.told else { continue };
            let before = path.decided_by(act).filter(|write| write.is("delete"));
            let emptied = before.and_then(|write| write.told).is_some_and(|told| told.code() == "2.02");
            if told.succeeds() || (emptied && told.code() == "4.04") {
                let what = || format!("{} for delete", told.code());
                let breach = || Breach::seen(told.code(), what(), &[act.asked.id(), told.id()]);
                tally.must(told.id(), (told.code() != "2.02").then(breach));
            }
        }
    }
}

fn deleted_is_gone(facts: &Facts<'_>, tally: &mut Tally) {
    for path in paths(facts).values() {
        let mut put: Option<&Act<'_, '_>> = None;
        for act in &path.acts {
            if act.put().is_some() {
                put = Some(act);
            }
            let (Some(told), Some(write)) = (act.told.filter(|_| act.is("get")), path.decided_by(act)) else {
                continue;
            };
            if write.is("delete") && write.told.is_some_and(|told| told.code() == "2.02") {
                let again = put.filter(|put| told.code() == "2.05" && put.put() == Some(told.payload()));
                let what = "what had been deleted";
                let breach = again.map(|_| Breach::seen("2.05", what, &[write.asked.id(), told.id()]));
                tally.must_not(told.id(), breach);
            }
        }
    }
}

/// A tag may be made of the time: what changes within its second may share it. That it tells versions apart is what a tag is; no sentence
/// demands it.
fn etag_tells_versions(facts: &Facts<'_>, tally: &mut Tally) {
    for path in paths(facts).values() {
        let mut known: BTreeMap<&str, &Seen<'_>> = BTreeMap::new();
        let mut last: Option<&Seen<'_>> = None;
        for act in &path.acts {
            // What is made anew is another resource.
            if act.is("delete") {
                (known, last) = Default::default();
            }
            let Some((tag, shown)) = act.tagged() else { continue };
            let differs = |before: &&Seen<'_>| {
                let apart = shown.moment.at.since(before.moment.at) > A_SECOND;
                let same_form = before.int("content_format") == shown.int("content_format");
                apart && same_form && before.payload() != shown.payload()
            };
            let shared = known.get(tag).copied().filter(differs);
            if shared.is_some() || last.is_some_and(|last| differs(&last)) {
                let what = "another representation has the same ETag";
                let breach = shared.map(|before| Breach::seen("etag", what, &[before.id(), shown.id()]).lesser());
                tally.must_not(shown.id(), breach);
            }
            known.entry(tag).or_insert(shown);
            last = Some(shown);
        }
    }
}

fn valid_is_unchanged(facts: &Facts<'_>, tally: &mut Tally) {
    for path in paths(facts).values().filter(|path| stores(path).is_some()) {
        let mut known: BTreeMap<&str, &Seen<'_>> = BTreeMap::new();
        for act in path.acts.iter().filter(|act| act.is("get")) {
            if let Some(old) =
                act.asked.text("etag").and_then(|tag| known.get(tag)).filter(|_| !act.asked.has("observe"))
                && let Some(told) = act.told.filter(|told| matches!(told.code(), "2.03" | "2.05"))
                && let Some(write) = path.decided_by(act).filter(|write| write.asked.id() > old.id())
                && write.put().is_some_and(|put| put != old.payload())
                && write.asked.moment.at.since(old.moment.at) > A_SECOND
            {
                let what = "2.03 for the ETag of what was there before";
                let entries = [old.id(), write.asked.id(), told.id()];
                let breach = (told.code() == "2.03").then(|| Breach::seen("2.03", what, &entries).lesser());
                tally.must_not(told.id(), breach);
            }
            if let Some((tag, shown)) = act.tagged() {
                known.insert(tag, shown);
            }
        }
    }
}

/// What a path that gives back what is put there was left with: the write that nobody wrote after or beside, its answer, what it has put, and
/// the last time that it was deleted.
pub(super) struct Last<'f, 'a> {
    pub(super) write: &'f Seen<'a>,
    pub(super) done: &'f Seen<'a>,
    put: Option<Cow<'a, [u8]>>,
    pub(super) deleted: Option<&'f Seen<'a>>,
}

impl Last<'_, '_> {
    /// What an observer is to be told of it: the content, or that there is none.
    pub(super) fn is_told_by(&self, told: &Seen<'_>) -> bool {
        match &self.put {
            Some(put) => told.succeeds() && told.payload() == &**put,
            None => !told.succeeds(),
        }
    }
}

/// How each path was left that has shown that it stores.
pub(super) fn left<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'a str, Last<'f, 'a>> {
    let last = |(name, path): (&'a str, Path<'f, 'a>)| {
        stores(&path)?;
        let at = path.writes.len().checked_sub(1)?;
        let last = &path.acts[path.writes[at]];
        let alone = at == 0 || path.lasted[at - 1] < last.asked.id();
        let known = last.put().is_some() || last.is("delete");
        if last.is_open() || !alone || !known {
            return None;
        }
        let deleted = path.writes.iter().rev().map(|at| &path.acts[*at]).find(|act| act.is("delete"));
        let deleted = deleted.and_then(|act| act.told);
        let put = last.put().map(|put| Cow::Owned(put.to_vec()));
        Some((name, Last { write: last.asked, done: last.told?, put, deleted }))
    };
    paths(facts).into_iter().filter_map(last).collect()
}
