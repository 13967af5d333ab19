//! Block-wise transfer (RFC 7959).
use alloc::format;

use super::content::answered;
use super::{Breach, Facts, Row, Seen, Tally};
use crate::names::BlockWords;

pub(super) const RULES: &[Row] = &[
    Row {
        id: "block-within-size",
        clauses: &["RFC 7959 §2.4"],
        doc: "a block is no larger than the size that was asked for",
        judge: block_within_size,
    },
    Row {
        id: "block-is-full",
        clauses: &["RFC 7959 §2.3"],
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
        clauses: &["RFC 7959 §2.3"],
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
        id: "reserved-size-refused",
        clauses: &["RFC 7959 §2.2"],
        doc: "the reserved size exponent 7 gives 4.00",
        judge: reserved_size_refused,
    },
];

/// Number, whether more follow, and size of a block option.
fn block(seen: &Seen<'_>, option: &str) -> Option<(u64, bool, u64)> {
    let block = BlockWords::parse(seen.text(option)?).ok()?;
    Some((u64::from(block.num), block.more, block.size() as u64))
}

fn block_within_size(facts: &Facts<'_>, tally: &mut Tally) {
    for (_, request, seen) in answered(facts).filter(|(_, request, _)| !request.has("block1")) {
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
    for (_, request, seen) in answered(facts).filter(|(_, _, seen)| seen.code() == "2.31") {
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
