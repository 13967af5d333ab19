//! Notifications: their form, how many are on their way, and that the latest comes (RFC 7641 §4.2 to §4.5).
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::time::Duration;

use super::messages::is_notification;
use super::observing::{CHANGE, observations, told};
use super::{Breach, Facts, Last, Path, Row, Seen, Tally};
use crate::protocol::busy;

/// After how long a notification on its way may have been replaced: the least ACK_TIMEOUT, less what two clocks and a late reading of ours
/// may make of it.
const REPLACED: Duration = Duration::from_millis(700);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "notification-has-its-token",
        clauses: &["RFC 7641 §4.2-1"],
        doc: "a notification has the token of the request that registered for it",
        judge: notification_has_its_token,
    },
    Row {
        id: "notification-is-content",
        clauses: &["RFC 7641 §4.2-2"],
        doc: "a notification that succeeds is 2.05 or 2.03",
        judge: notification_is_content,
    },
    Row {
        id: "notification-has-number",
        clauses: &["RFC 7641 §4.2-6"],
        doc: "a notification that succeeds has an Observe option",
        judge: notification_has_number,
    },
    Row {
        id: "error-ends-observation",
        clauses: &["RFC 7641 §4.2-3"],
        doc: "after a notification that is an error no other comes",
        judge: error_ends_observation,
    },
    Row {
        id: "one-notification-at-a-time",
        clauses: &["RFC 7641 §4.5.1-1"],
        doc: "a second CON notification waits for the acknowledgement of the first",
        judge: one_notification_at_a_time,
    },
    Row {
        id: "latest-state-is-told",
        clauses: &["RFC 7641 §4.5-3"],
        doc: "an observer is told what the resource is in the end",
        judge: latest_state_is_told,
    },
    Row {
        id: "deleted-is-told",
        clauses: &["RFC 7641 §4.2-3"],
        doc: "an observer of what was deleted is told so",
        judge: deleted_is_told,
    },
    Row {
        id: "notification-is-a-state",
        clauses: &["RFC 7641 §4.2"],
        doc: "what an observer is told was there at some time",
        judge: notification_is_a_state,
    },
    Row {
        id: "notification-block-within-size",
        clauses: &["RFC 7959 §2.6-1"],
        doc: "the blocks of notifications are no larger than the registration asked for",
        judge: notification_block_within_size,
    },
    Row {
        id: "observed-block-has-etag",
        clauses: &["RFC 7959 §2.6-2"],
        doc: "a notification that is one of several blocks has an ETag",
        judge: observed_block_has_etag,
    },
];

fn notification_has_its_token(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        for (at, seen) in assoc.heard().filter(|(_, seen)| is_notification(seen)) {
            let known = assoc.token_before(seen.token(), at);
            // Who was there before us on this port may still be told something.
            if !known && (assoc.odd_before(at) || !facts.alone) {
                tally.may();
                continue;
            }
            let what = "a notification has a token that no request had";
            tally.must(seen.id(), (!known).then(|| Breach::seen("notification", what, &[seen.id()])));
        }
    }
}

/// What is told to those who observe after the response that registered them, each with its registration.
fn later<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Seen<'a>, &'f Seen<'a>)> {
    observations(facts).flat_map(|(assoc, exchange, asked)| {
        let only = exchange.is_only.then_some(exchange);
        only.into_iter()
            .flat_map(move |exchange| told(assoc, exchange).skip(1))
            .filter(|seen| seen.message() != "ack")
            .map(move |seen| (asked, seen))
    })
}

fn notification_is_content(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, seen) in later(facts).filter(|(_, seen)| seen.succeeds()) {
        let wrong = !matches!(seen.code(), "2.05" | "2.03");
        tally.must(
            seen.id(),
            wrong.then(|| Breach::seen(seen.code(), format!("a notification is {}", seen.code()), &[seen.id()])),
        );
    }
}

fn notification_has_number(facts: &Facts<'_>, tally: &mut Tally) {
    for (asked, seen) in later(facts).filter(|(_, seen)| seen.succeeds()) {
        let what = "a notification without Observe";
        let breach = (!seen.has("observe")).then(|| Breach::seen(seen.code(), what, &[asked.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

/// What was on its way beside the error may come: a NON is new long after it, and so is the second CON; one may have been lost before.
fn error_ends_observation(facts: &Facts<'_>, tally: &mut Tally) {
    for (assoc, exchange, asked) in observations(facts).filter(|(_, exchange, _)| exchange.is_only) {
        let own = told(assoc, exchange).skip(1).filter(|seen| seen.message() != "ack" && !busy(seen.packet));
        let all: Vec<&Seen<'_>> = own.collect();
        let Some(at) = all.iter().position(|seen| !seen.succeeds()) else { continue };
        let error = all[at];
        let known = |seen: &Seen<'_>| assoc.heard_with(seen.mid()).any(|before| before.id() <= error.id());
        let mut waiting: Option<i64> = None;
        let again = all[at + 1..].iter().find(|seen| {
            let new = !known(seen) && facts.settled(assoc, error.moment.at, seen.moment.at);
            new && (seen.message() == "non" || waiting.replace(seen.mid()).is_some_and(|mid| mid != seen.mid()))
        });
        let what = "a notification after an error";
        let breach = again.map(|seen| Breach::seen("notification", what, &[asked.id(), error.id(), seen.id()]));
        tally.must_not(error.id(), breach);
    }
}

/// A newer one may take the place of the one on its way, when that would be sent again (RFC 7641 §4.5.2). The number is NSTART, which is one
/// where nobody sets it.
fn one_notification_at_a_time(facts: &Facts<'_>, tally: &mut Tally) {
    for assoc in facts.assocs.iter().filter(|assoc| assoc.clean) {
        let registered: BTreeSet<EntryId> =
            assoc.exchanges.iter().filter_map(|one| one.responses.first()).map(|at| assoc.packets[*at].id()).collect();
        let mut last: Option<&Seen<'_>> = None;
        for (_, seen) in assoc.heard().filter(|(_, seen)| is_notification(seen) && seen.message() == "con") {
            let is_copy = assoc.heard_with(seen.mid()).any(|other| other.id() < seen.id() && other.message() == "con");
            if is_copy || registered.contains(&seen.id()) {
                continue;
            }
            let Some(before) = last.replace(seen) else { continue };
            let answers = |said: &&Seen<'_>| said.id() > before.id() && (said.is("ack") || said.is("rst"));
            let answered = assoc.said_with(before.mid()).find(answers).is_some_and(|said| said.id() < seen.id());
            let apart = seen.moment.at.since(before.moment.at);
            // What waited for us in the kernel looks closer together than it was sent.
            let late = facts.record.lateness.between(assoc.who.0, before.moment.at, seen.moment.at);
            if !answered && (apart >= REPLACED || !late.is_zero() || !facts.alone) {
                tally.may();
                continue;
            }
            let what = "a second CON notification, and the first was not acknowledged";
            let breach = (!answered).then(|| Breach::seen("con", what, &[before.id(), seen.id()]).lesser());
            tally.must_not(seen.id(), breach);
        }
    }
}

/// Where the resource has shown that it keeps what is put there. Notifications that are lost are sent again, or followed by another. What
/// was deleted in between may have ended the observation: that is another rule's.
fn latest_state_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    left_with(facts, tally, false, "an observer was left with what had been there before");
}

/// An observer of what was deleted is told so, or of what came in its place.
fn deleted_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    left_with(facts, tally, true, "an observer was not told that what it observed was deleted");
}

/// What each observer was told last, where the resource was deleted since it registered, or was not.
fn left_with(facts: &Facts<'_>, tally: &mut Tally, deleted: bool, what: &str) {
    let left: BTreeMap<&str, Last<'_, '_>> =
        facts.paths.iter().filter_map(|(name, path)| Some((*name, path.left()?))).collect();
    let plain = |asked: &Seen<'_>| !asked.has("query") && !asked.has("block2");
    for (assoc, exchange, asked) in observations(facts).filter(|(_, _, asked)| plain(asked)) {
        let Some(state) = asked.text("path").and_then(|path| left.get(path)) else { continue };
        let all: Vec<&Seen<'_>> = told(assoc, exchange).collect();
        let (Some(first), Some(last)) = (all.first(), all.last()) else { continue };
        if state.deleted.is_some_and(|gone| gone.id() > first.id()) != deleted {
            continue;
        }
        // Who was told an error is off the list, and knows it.
        let ended = !deleted && all.iter().any(|seen| !seen.succeeds());
        let over = ended || assoc.gives_up || !exchange.is_only || all.iter().any(|seen| seen.has("block2"));
        // One that need not be sent again may be lost, and one that we have not acknowledged keeps the next from coming.
        let news = all.iter().skip(1).filter(|seen| seen.message() != "ack");
        let heeded =
            |seen: &&Seen<'_>| seen.message() == "con" && assoc.said_with(seen.mid()).any(|said| said.is("ack"));
        let sure = all.len() > 1 && news.clone().all(|seen| heeded(seen) || state.is_told_by(seen));
        let patient = facts.had_patience(assoc, state.done.moment.at, CHANGE);
        if over || !sure || first.id() > state.write.id() || !patient {
            tally.may();
            continue;
        }
        let knows = state.is_told_by(last) || (deleted && all.iter().any(|seen| !seen.succeeds()));
        let breach = (!knows).then(|| Breach::missed("notification", what, &[state.write.id(), last.id()]));
        tally.must(last.id(), breach);
    }
}

/// A resource that keeps what is put there, had something before a notification and has the same after it: what was told in between, and that
/// nobody ever put there or saw there, was never there. One that changes by itself shows it when it is asked.
fn notification_is_a_state(facts: &Facts<'_>, tally: &mut Tally) {
    let stores = |path: &&Path<'_>| facts.alone && path.stores.is_some();
    let mut known: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
    let plain = |asked: &Seen<'_>| !["query", "block2", "accept"].iter().any(|option| asked.has(option));
    for (assoc, exchange, asked) in observations(facts).filter(|(_, exchange, asked)| exchange.is_only && plain(asked))
    {
        let Some(name) = asked.text("path") else { continue };
        let Some(path) = facts.paths.get(name).filter(stores) else { continue };
        let known = known.entry(name).or_insert_with(|| path.known());
        let whole = |seen: &&Seen<'_>| seen.message() != "ack" && seen.code() == "2.05" && !seen.has("block2");
        for seen in told(assoc, exchange).skip(1).filter(whole) {
            let Some(after) = path.unchanged_around(seen.id()) else {
                tally.may();
                continue;
            };
            let what = "an observer was told what was never there";
            let entries = [after.write.asked.id(), seen.id(), after.shown.id()];
            let breach = !known.contains(seen.payload());
            tally.must(seen.id(), breach.then(|| Breach::seen("notification", what, &entries).lesser()));
        }
    }
}

fn notification_block_within_size(facts: &Facts<'_>, tally: &mut Tally) {
    for (asked, seen) in later(facts) {
        let (Some(wanted), Some(given)) = (asked.block("block2"), seen.block("block2")) else { continue };
        let what = || format!("a block size of {} where {} was asked for", given.size(), wanted.size());
        let breach = (given.szx > wanted.szx).then(|| Breach::seen("block2", what(), &[asked.id(), seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn observed_block_has_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for (asked, seen) in later(facts) {
        if !seen.is_whole() {
            let what = "one of several blocks, without an ETag";
            let breach = (!seen.has("etag")).then(|| Breach::seen("block2", what, &[asked.id(), seen.id()]));
            tally.must(seen.id(), breach);
        }
    }
}
