//! The witness is not served much slower once the attack has begun.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record, ids};
use super::rule::{Needs, Oracle};
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::{Duration, Time, nanos};
use crate::transcript::{Transcript, WitnessState};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "no-slowdown",
    doc: "the witness's round trips (99th percentile) are not much slower once the attack has begun",
    clauses: &[],
    needs: Needs::Quiet,
    kind: FindingKind::Resource,
    keys: &[
        Key { name: "factor", kind: Kind::Int, doc: "how many times slower is too slow; default 5" },
        Key { name: "floor", kind: Kind::Duration, doc: "a round trip up to this is never too slow; default 50ms" },
    ],
    reads_steps: false,
    judge,
};

/// O-slow of the catalogue.
const FACTOR: u64 = 5;
/// A quarter of the witness's period of 200 ms: below that a multiple of next to nothing is still next to nothing.
const FLOOR: Duration = Duration::from_millis(50);
/// Round trips on each side. By nearest rank the 99th percentile of fewer than 100 is their maximum: one hiccup would decide.
const ROUNDS_MIN: usize = 100;
/// Our own lateness above which a round trip says nothing about the target.
const LATE_MAX: Duration = Duration::from_millis(100);

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let Some((first, _)) = record.attack() else {
        return Judgement::inconclusive(ORACLE.id, "there was no attack to compare before and after");
    };
    let each = record.witnesses().map(|witness| one(expect, plan, &record, witness, first.at));
    each.reduce(super::no_hang::worse)
        .unwrap_or_else(|| Judgement::inconclusive(ORACLE.id, "nobody played the witness"))
}

/// What one witness shows, where the attack began at `first`.
fn one(expect: &Expect, plan: &Plan, record: &Record<'_>, witness: &str, first: Time) -> Judgement {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (moment, state) in record.witness(witness) {
        let WitnessState::Served { rtt, late } = state else { continue };
        if late > nanos(LATE_MAX) {
            return Judgement::inconclusive(ORACLE.id, format!("we ourselves were {} ms late", late / 1_000_000));
        }
        if moment.at < first { before.push((rtt, moment)) } else { after.push((rtt, moment)) }
    }
    if before.len() < ROUNDS_MIN || after.len() < ROUNDS_MIN {
        let (b, a) = (before.len(), after.len());
        return Judgement::inconclusive(
            ORACLE.id,
            format!("{b} round trips before and {a} after: {ROUNDS_MIN} each are needed"),
        );
    }
    let ((base, base_at), (now, now_at)) = (slowest(&mut before), slowest(&mut after));
    let factor = expect.keys.int("factor").and_then(|n| u64::try_from(n).ok()).unwrap_or(FACTOR);
    let limit = base.saturating_mul(factor).max(nanos(expect.duration("floor", FLOOR)));
    if now <= limit {
        return Judgement::pass(
            ORACLE.id,
            ids([base_at, now_at]),
            format!("{} us before, {} us after", base / 1000, now / 1000),
        );
    }
    Judgement::fail(
        ORACLE.id,
        alloc::vec![Violation {
            expected: format!("99 of 100 round trips take at most {} us", limit / 1000),
            actual: format!("they took {} us; before the attack {} us", now / 1000, base / 1000),
            clause: String::new(),
            place: format!("{witness} slow after {}", plan.stimulus()),
            entries: ids([base_at, now_at]),
            lesser: false
        }],
    )
}

/// The 99th percentile by nearest rank.
fn slowest(rounds: &mut [(u64, Moment)]) -> (u64, Moment) {
    rounds.sort_unstable();
    rounds[(rounds.len() * 99).div_ceil(100) - 1]
}
