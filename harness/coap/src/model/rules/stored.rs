//! What is stored: a resource that has shown that it gives back what is put there gives back the latest, tells its versions apart, and
//! tells its observers of them (RFC 7252 §5.8.3, §5.8.4, §5.10.6; RFC 7641 §4.5).
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use proofhouse_core::time::Duration;

use super::{Act, Breach, Facts, Row, Seen, Shown, Tally};

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

/// Whoever gives what was put before the last, byte for byte, has not made something else of it.
fn put_is_got(facts: &Facts<'_>, tally: &mut Tally) {
    for path in facts.paths.values().filter(|path| !path.is_fickle) {
        let since = path.stores;
        let mut before: BTreeSet<&[u8]> = BTreeSet::new();
        for Shown { act, shown, write, put } in path.shown() {
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
    for path in facts.paths.values() {
        for act in path.acts.iter().filter(|act| act.is("delete")) {
            let Some(told) = &act.told else { continue };
            let before = path.decided_by(act).filter(|write| write.is("delete"));
            let emptied = before.and_then(|write| write.told.as_ref()).is_some_and(|told| told.code() == "2.02");
            if told.succeeds() || (emptied && told.code() == "4.04") {
                let what = || format!("{} for delete", told.code());
                let breach = || Breach::seen(told.code(), what(), &[act.asked.id(), told.id()]);
                tally.must(told.id(), (told.code() != "2.02").then(breach));
            }
        }
    }
}

fn deleted_is_gone(facts: &Facts<'_>, tally: &mut Tally) {
    for path in facts.paths.values() {
        let mut put: Option<&Act<'_>> = None;
        for act in &path.acts {
            if act.put().is_some() {
                put = Some(act);
            }
            let (Some(told), Some(write)) = (act.told.as_ref().filter(|_| act.is("get")), path.decided_by(act)) else {
                continue;
            };
            if write.is("delete") && write.told.as_ref().is_some_and(|told| told.code() == "2.02") {
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
    for path in facts.paths.values() {
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
    for path in facts.paths.values().filter(|path| path.stores.is_some()) {
        let mut known: BTreeMap<&str, &Seen<'_>> = BTreeMap::new();
        for act in path.acts.iter().filter(|act| act.is("get")) {
            if let Some(old) =
                act.asked.text("etag").and_then(|tag| known.get(tag)).filter(|_| !act.asked.has("observe"))
                && let Some(told) = act.told.as_ref().filter(|told| matches!(told.code(), "2.03" | "2.05"))
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
