//! What is stored: a resource that has shown that it gives back what is put there gives back the latest, tells its versions apart, and
//! tells its observers of them (RFC 7252 §5.8.3, §5.8.4, §5.10.6; RFC 7641 §4.5).
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::value::Value;

use super::content::CONTINUE;
use super::{Breach, Facts, Row, Seen, Tally};

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
}

impl<'f, 'a> Act<'f, 'a> {
    fn is(&self, method: &str) -> bool {
        self.asked.text("method") == Some(method)
    }
    /// Nobody can say what it has changed, and when: it may still be under way, or was one block of something.
    fn is_open(&self) -> bool {
        self.told.is_none_or(|told| told.code() == CONTINUE) || self.asked.has("block1")
    }
    /// It may have changed the resource.
    fn writes(&self) -> bool {
        let refused = self.told.is_some_and(|told| told.code().starts_with("4.") || told.code().starts_with("5."));
        !self.is("get") && !self.is("fetch") && !refused
    }
    /// A whole representation, and nothing but it.
    fn shows(&self) -> Option<&'f Seen<'a>> {
        let whole = |told: &&Seen<'_>| told.text("block2").is_none_or(|block| block.starts_with("0/0/"));
        let plain = self.is("get") && !self.asked.has("accept") && !self.asked.has("observe");
        self.told.filter(|told| plain && told.code() == "2.05").filter(whole)
    }
    fn ended(&self) -> Option<EntryId> {
        self.told.map(Seen::id)
    }
}

/// Everything that was said about each path, in the order in which it was said.
fn acts<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'a str, Vec<Act<'f, 'a>>> {
    let mut all: BTreeMap<&str, Vec<Act<'_, '_>>> = BTreeMap::new();
    for assoc in &facts.assocs {
        for exchange in &assoc.exchanges {
            let asked = &assoc.packets[exchange.request];
            let Some(path) = asked.text("path").filter(|_| !asked.has("query")) else { continue };
            let own = exchange.responses.iter().find(|at| assoc.is_for(exchange, **at)).map(|at| &assoc.packets[*at]);
            let sure = assoc.clean && asked.is_legal() && exchange.copies.is_empty();
            all.entry(path).or_default().push(Act { asked, told: own.filter(|_| sure) });
        }
    }
    for acts in all.values_mut() {
        acts.sort_by_key(|act| act.asked.id());
    }
    all
}

/// The write that decides what is there when `act` was said: the last one of which the answer had come, where no other was under way.
fn decided_by<'s, 'f, 'a>(acts: &'s [Act<'f, 'a>], act: &Act<'f, 'a>) -> Option<&'s Act<'f, 'a>> {
    let end = act.ended()?;
    let before = acts.iter().filter(|other| other.writes() && other.asked.id() < end);
    let mut latest: Option<&Act<'_, '_>> = None;
    for write in before {
        let done = write.ended().filter(|done| *done < act.asked.id() && !write.is_open())?;
        let overlaps = latest.is_some_and(|other| other.ended().is_some_and(|ended| ended > write.asked.id()));
        if overlaps {
            return None;
        }
        latest = Some(write).filter(|write| write.ended() == Some(done));
    }
    latest
}

/// The first entry that shows that a path gives back what is put there: two contents, each put and then got.
fn stores(acts: &[Act<'_, '_>]) -> Option<EntryId> {
    let mut got: Vec<&[u8]> = Vec::new();
    for act in acts {
        let (Some(shown), Some(write)) = (act.shows(), decided_by(acts, act)) else { continue };
        if write.is("put") && write.asked.payload() == shown.payload() && !got.contains(&shown.payload()) {
            got.push(shown.payload());
        }
        if got.len() == 2 {
            return Some(shown.id());
        }
    }
    None
}

fn put_is_got(facts: &Facts<'_>, tally: &mut Tally) {
    for acts in acts(facts).values() {
        let Some(since) = stores(acts) else { continue };
        for act in acts {
            let (Some(shown), Some(write)) = (act.shows(), decided_by(acts, act)) else { continue };
            if !write.is("put") || shown.id() == since {
                continue;
            }
            let what = "something else than what was put last";
            let wrong = shown.payload() != write.asked.payload();
            let breach = wrong.then(|| Breach::seen("2.05", what, &[write.asked.id(), act.asked.id(), shown.id()]));
            tally.must(shown.id(), breach);
        }
    }
}

fn delete_is_deleted(facts: &Facts<'_>, tally: &mut Tally) {
    for acts in acts(facts).values() {
        for act in acts.iter().filter(|act| act.is("delete")) {
            let Some(told) = act.told else { continue };
            let before = decided_by(acts, act).filter(|write| write.is("delete"));
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
    for acts in acts(facts).values() {
        for act in acts.iter().filter(|act| act.is("get")) {
            let (Some(told), Some(write)) = (act.told, decided_by(acts, act)) else { continue };
            if write.is("delete") && write.told.is_some_and(|told| told.code() == "2.02") {
                let old = acts.iter().rfind(|one| one.is("put") && one.asked.id() < write.asked.id());
                let again = old.filter(|put| told.code() == "2.05" && put.asked.payload() == told.payload());
                let what = "what had been deleted";
                let breach = again.map(|_| Breach::seen("2.05", what, &[write.asked.id(), told.id()]));
                tally.must_not(told.id(), breach);
            }
        }
    }
}

/// Whole representations with an ETag, in the order in which they came: the tag, the content, and who shows it.
fn tagged<'f, 'a>(acts: &'f [Act<'f, 'a>]) -> impl Iterator<Item = (&'f Value, &'f Seen<'a>)> {
    acts.iter().filter_map(Act::shows).filter_map(|shown| Some((shown.packet.fields.find("etag")?, shown)))
}

fn etag_tells_versions(facts: &Facts<'_>, tally: &mut Tally) {
    for acts in acts(facts).values() {
        let mut known: Vec<(&Value, &Seen<'_>)> = Vec::new();
        for (tag, shown) in tagged(acts) {
            let other = |(_, before): &&(&Value, &Seen<'_>)| {
                let same_form = before.int("content_format") == shown.int("content_format");
                same_form && before.payload() != shown.payload()
            };
            if !known.iter().any(|one| other(&one)) {
                known.push((tag, shown));
                continue;
            }
            let shared = known.iter().filter(other).find(|(known, _)| *known == tag);
            let what = "another representation has the same ETag";
            tally
                .must_not(shown.id(), shared.map(|(_, before)| Breach::seen("etag", what, &[before.id(), shown.id()])));
            known.push((tag, shown));
        }
    }
}

fn valid_is_unchanged(facts: &Facts<'_>, tally: &mut Tally) {
    for acts in acts(facts).values().filter(|acts| stores(acts).is_some()) {
        for act in acts.iter().filter(|act| act.is("get") && !act.asked.has("observe")) {
            let Some(told) = act.told.filter(|told| matches!(told.code(), "2.03" | "2.05")) else { continue };
            let asked = act.asked.packet.fields.find("etag").map_or(&[][..], Value::as_slice);
            let of = tagged(acts).find(|(tag, shown)| asked.contains(tag) && shown.id() < act.asked.id());
            let (Some((_, old)), Some(write)) = (of, decided_by(acts, act).filter(|write| write.is("put"))) else {
                continue;
            };
            if asked.len() != 1 || write.asked.payload() == old.payload() || write.asked.id() < old.id() {
                continue;
            }
            let what = "2.03 for the ETag of what was there before";
            let entries = [old.id(), write.asked.id(), told.id()];
            tally.must_not(told.id(), (told.code() == "2.03").then(|| Breach::seen("2.03", what, &entries)));
        }
    }
}

/// What a path that gives back what is put there was left with: the write that nobody wrote after or beside, its answer, and the last time
/// that it was deleted.
pub(super) struct Last<'f, 'a> {
    pub(super) write: &'f Seen<'a>,
    pub(super) done: &'f Seen<'a>,
    pub(super) deleted: Option<&'f Seen<'a>>,
}

impl Last<'_, '_> {
    /// What an observer is to be told of it: the content, or that there is none.
    pub(super) fn is_told_by(&self, told: &Seen<'_>) -> bool {
        match self.write.text("method") {
            Some("put") => told.succeeds() && told.payload() == self.write.payload(),
            _ => !told.succeeds(),
        }
    }
}

/// How each path was left that has shown that it stores.
pub(super) fn left<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'a str, Last<'f, 'a>> {
    let last = |(path, acts): (&'a str, Vec<Act<'f, 'a>>)| {
        stores(&acts)?;
        let last = acts.iter().rfind(|act| act.writes())?;
        let began = last.asked.id();
        let beside = |other: &Act<'_, '_>| other.asked.id() != began && other.ended().is_none_or(|ended| ended > began);
        if last.is_open() || acts.iter().filter(|act| act.writes()).any(beside) {
            return None;
        }
        let deleted = acts.iter().rfind(|act| act.is("delete") && act.writes()).and_then(|act| act.told);
        (last.is("put") || last.is("delete")).then_some((path, Last { write: last.asked, done: last.told?, deleted }))
    };
    acts(facts).into_iter().filter_map(last).collect()
}
