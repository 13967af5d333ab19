//! Block-wise transfer (RFC 7959).
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;

use super::content::{CONTINUE, answered};
use super::messages::is_notification;
use super::{Assoc, Breach, Facts, Row, Seen, Tally};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "block-within-size",
        clauses: &["RFC 7959 §2.4-3"],
        doc: "a block is no larger than the size that was asked for",
        judge: block_within_size,
    },
    Row {
        id: "block-is-full",
        clauses: &["RFC 7959 §2.3-1"],
        doc: "a block that more follow is exactly as long as its size, and no block is longer",
        judge: block_is_full,
    },
    Row {
        id: "block-asked-for",
        clauses: &["RFC 7959 §2.4"],
        doc: "the block that comes begins where the one that was asked for begins",
        judge: block_asked_for,
    },
    Row {
        id: "collecting-has-no-block2",
        clauses: &["RFC 7959 §2.3-4"],
        doc: "while a body is still being collected the response has no Block2",
        judge: collecting_has_no_block2,
    },
    Row {
        id: "block1-is-echoed",
        clauses: &["RFC 7959 §2.3"],
        doc: "a response to a block names that block",
        judge: block1_is_echoed,
    },
    Row {
        id: "block-sizes-agree",
        clauses: &["RFC 7959 §2.4-6"],
        doc: "the blocks of one transfer have one size, but for the first and the last",
        judge: block_sizes_agree,
    },
    Row {
        id: "block-has-etag",
        clauses: &["RFC 7959 §2.4-7"],
        doc: "one of several blocks has an ETag",
        judge: block_has_etag,
    },
    Row {
        id: "blocks-of-one-etag-agree",
        clauses: &["RFC 7959 §2.4-7"],
        doc: "blocks with one ETag are parts of one representation",
        judge: blocks_of_one_etag_agree,
    },
    Row {
        id: "gap-is-refused",
        clauses: &["RFC 7959 §2.5-2"],
        doc: "the last block of a body whose earlier blocks are missing is refused",
        judge: gap_is_refused,
    },
    Row {
        id: "reserved-size-refused",
        clauses: &["RFC 7959 §2.2-2"],
        doc: "the reserved size exponent 7 gives 4.00",
        judge: reserved_size_refused,
    },
];

/// Number, whether more follow, and size of a block option.
fn block(seen: &Seen<'_>, option: &str) -> Option<(u64, bool, u64)> {
    let block = seen.block(option)?;
    Some((u64::from(block.num), block.more, block.size() as u64))
}

fn block_within_size(facts: &Facts<'_>, tally: &mut Tally) {
    let own =
        |(_, request, seen): &(&Assoc<'_>, &Seen<'_>, &Seen<'_>)| !request.has("block1") && !is_notification(seen);
    for (_, request, seen) in answered(facts).filter(own) {
        let (Some((_, _, asked)), Some((_, _, given))) = (block(request, "block2"), block(seen, "block2")) else {
            continue;
        };
        let breach = (given > asked).then(|| {
            Breach::seen(
                "block2",
                format!("a block size of {given} where {asked} was asked for"),
                &[request.id(), seen.id()],
            )
        });
        tally.must(seen.id(), breach);
    }
}

fn block_is_full(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, _, seen)| seen.succeeds()) {
        let Some((_, more, size)) = block(seen, "block2") else { continue };
        let len = seen.payload().len() as u64;
        let wrong = len > size || (more && len != size);
        let breach = wrong.then(|| {
            Breach::seen(
                "block2",
                format!("a block of {len} bytes says size {size}{}", if more { " and more" } else { "" }),
                &[request.id(), seen.id()],
            )
        });
        tally.must(seen.id(), breach);
    }
}

fn block_asked_for(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts)
        .filter(|(_, request, seen)| seen.succeeds() && !request.has("observe") && !request.has("block1"))
    {
        let (Some((number, _, asked)), Some((got, _, given))) = (block(request, "block2"), block(seen, "block2"))
        else {
            continue;
        };
        let breach = (number * asked != got * given).then(|| {
            Breach::seen(
                "block2",
                format!("it begins at byte {} where {} was asked for", got * given, number * asked),
                &[request.id(), seen.id()],
            )
        });
        tally.must(seen.id(), breach);
    }
}

fn collecting_has_no_block2(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, _, seen)| seen.code() == CONTINUE) {
        let breach = seen.has("block2").then(|| Breach::seen("2.31", "2.31 has a Block2", &[request.id(), seen.id()]));
        tally.must_not(seen.id(), breach);
    }
}

fn block1_is_echoed(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, _, seen)| seen.succeeds()) {
        let (Some((number, ..)), Some((got, ..))) = (block(request, "block1"), block(seen, "block1")) else { continue };
        let breach = (number != got).then(|| {
            Breach::seen(
                "block1",
                format!("block {got} is acknowledged where {number} was sent"),
                &[request.id(), seen.id()],
            )
        });
        tally.must(seen.id(), breach);
    }
}

/// Blocks after the first, asked for in one size by one of us, one after the other.
fn block_sizes_agree(facts: &Facts<'_>, tally: &mut Tally) {
    let mut last: Option<(&Assoc<'_>, &Seen<'_>, &Seen<'_>)> = None;
    for (assoc, request, seen) in
        answered(facts).filter(|(_, request, seen)| seen.succeeds() && !request.has("observe"))
    {
        let (Some((asked, _, wanted)), Some((_, more, size))) = (block(request, "block2"), block(seen, "block2"))
        else {
            last = None;
            continue;
        };
        let before = last.replace((assoc, request, seen)).filter(|(of, ..)| of.who == assoc.who);
        let Some((_, asked_before, seen_before)) = before else { continue };
        let (Some((number, _, same)), Some((_, _, size_before))) =
            (block(asked_before, "block2"), block(seen_before, "block2"))
        else {
            continue;
        };
        // Who asks on in another size than was given asks for a change.
        let follows = number > 0 && asked == number + 1 && same == wanted && same == size_before && more;
        if follows && asked_before.text("path") == request.text("path") {
            let what = || format!("a block of size {size} after one of {size_before}");
            let breach = (size != size_before).then(|| Breach::seen("block2", what(), &[seen_before.id(), seen.id()]));
            tally.must(seen.id(), breach);
        }
    }
}

fn block_has_etag(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in
        answered(facts).filter(|(_, request, seen)| seen.code() == "2.05" && !request.has("observe"))
    {
        let Some((number, more, _)) = block(seen, "block2") else { continue };
        if number > 0 || more {
            let what = "one of several blocks, without an ETag";
            let breach = (!seen.has("etag")).then(|| Breach::seen("block2", what, &[request.id(), seen.id()]));
            tally.must(seen.id(), breach);
        }
    }
}

/// What is known of one version of a resource: each byte that some block has shown, and where the last block ended.
#[derive(Default)]
struct Version {
    bytes: Vec<Option<u8>>,
    end: Option<usize>,
}

impl Version {
    /// More than this of a representation is not held against anything.
    const MAX: usize = 1 << 20;

    /// Adds a block; `false`: it contradicts what is known. `true` also where nothing was known of it.
    fn add(&mut self, at: usize, payload: &[u8], more: bool) -> bool {
        let until = at + payload.len();
        if until > Version::MAX {
            return true;
        }
        self.bytes.resize(self.bytes.len().max(until), None);
        let own = self.bytes[at..until].iter_mut().zip(payload);
        let mut agrees = true;
        for (known, byte) in own {
            agrees &= known.is_none_or(|known| known == *byte);
            *known = known.or(Some(*byte));
        }
        let ends = if more { None } else { Some(until) };
        agrees &= self.end.is_none_or(|end| if more { until <= end } else { until == end });
        agrees &= ends.is_none_or(|end| self.bytes[end..].iter().all(Option::is_none));
        self.end = self.end.or(ends);
        agrees
    }
}

fn blocks_of_one_etag_agree(facts: &Facts<'_>, tally: &mut Tally) {
    let mut known: BTreeMap<(&str, &str), (Version, EntryId)> = BTreeMap::new();
    let shown = answered(facts).filter(|(_, request, seen)| seen.code() == "2.05" && !request.has("query"));
    for (_, request, seen) in shown.filter(|(_, request, _)| !request.has("accept")) {
        let (Some(path), Some(tag)) = (request.text("path"), seen.text("etag")) else { continue };
        // What is made anew is another resource, and its tags may begin anew.
        let Some((number, more, size)) = block(seen, "block2").filter(|_| !facts.may_be_gone(path)) else { continue };
        let (version, first) = known.entry((path, tag)).or_insert_with(|| (Version::default(), seen.id()));
        let agrees = version.add((number * size) as usize, seen.payload(), more);
        if *first != seen.id() {
            let what = "a block contradicts another with the same ETag";
            tally.must(seen.id(), (!agrees).then(|| Breach::seen("block2", what, &[*first, seen.id()])));
        }
    }
}

/// A resource that has never asked for more (2.31) may take each block for itself (RFC 7959 §2.3).
fn gap_is_refused(facts: &Facts<'_>, tally: &mut Tally) {
    let more = answered(facts).filter(|(_, _, seen)| seen.code() == CONTINUE);
    let collects: BTreeSet<Option<&str>> = more.map(|(_, request, _)| request.text("path")).collect();
    for (assoc, request, seen) in answered(facts).filter(|(_, request, _)| collects.contains(&request.text("path"))) {
        let Some((number, false, size)) = block(request, "block1") else { continue };
        let part_of = |said: &Seen<'_>| {
            said.id() < request.id() && said.text("path") == request.text("path") && said.has("block1")
        };
        // The first block was never said: whatever sizes were used since, there is nothing that this one ends.
        let began = assoc
            .said()
            .filter(|(_, said)| part_of(said))
            .any(|(_, said)| block(said, "block1").is_none_or(|(number, ..)| number == 0));
        if number > 0 && !began {
            let what =
                || format!("{} for the last block, and the first {} bytes were never sent", seen.code(), number * size);
            let breach = seen.succeeds().then(|| Breach::seen("block1", what(), &[request.id(), seen.id()]));
            tally.must_not(seen.id(), breach);
        }
    }
}

fn reserved_size_refused(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts) {
        let reserved =
            ["block1", "block2"].iter().any(|option| request.text(option).is_some_and(|text| text.ends_with("/szx7")));
        if reserved {
            let breach = seen.succeeds().then(|| {
                Breach::seen(
                    "size-7",
                    format!("{} for the reserved block size", seen.code()),
                    &[request.id(), seen.id()],
                )
            });
            tally.must(seen.id(), breach);
        }
    }
}
