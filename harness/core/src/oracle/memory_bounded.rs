//! What the target holds stops growing: the slope over the second half of the samples, with a one-sided 95 % bound. Or it never
//! holds more than the scenario allows (`most`): what a burst of connections takes at once is over before a slope could show.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record, ids};
use super::rule::{Needs, Oracle};
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::Time;
use crate::transcript::{Event, Transcript};
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "memory-bounded",
    doc: "the target's memory stops growing: at most this much above its baseline, or no slope with 95 % confidence",
    clauses: &[],
    needs: Needs::Quiet,
    kind: FindingKind::Resource,
    keys: &[
        Key {
            name: "gauge",
            kind: Kind::Text,
            doc: "what is measured; default held-bytes where there is one, else rss-bytes",
        },
        Key {
            name: "growth",
            kind: Kind::Percent,
            doc: "growth above the baseline that is never too much; default 10%",
        },
        Key {
            name: "slack",
            kind: Kind::Int,
            doc: "bytes above the baseline that are never too much; default 1048576",
        },
        Key {
            name: "most",
            kind: Kind::Int,
            doc: "bytes above the baseline that are too much at any moment; where it is set, no slope is asked for",
        },
    ],
    reads_steps: false,
    judge,
};

/// O-mem of the catalogue.
const GROWTH: f64 = 0.10;
/// One allocator arena grows in steps of this size.
const SLACK: i64 = 1 << 20;
/// Samples after the attack began that a slope needs: with fewer, the bound is wider than any slope.
const SAMPLES_MIN: usize = 10;
/// Student's t, one-sided 95 %, for 3 to 10 degrees of freedom; 1.65 (the normal one, rounded up to 1.83) beyond.
const T: [f64; 8] = [2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812];
const T_MANY: f64 = 1.812;

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let Some((gauge, samples)) = samples(expect, transcript) else {
        return Judgement::inconclusive(ORACLE.id, "nothing was measured");
    };
    let start = record.attack().map_or(samples[0].0.at, |(first, _)| first.at);
    let after: Vec<(Moment, u64)> = samples.iter().copied().filter(|(moment, _)| moment.at >= start).collect();
    if let Some(most) = expect.keys.int("most") {
        return below(plan, u64::try_from(most).unwrap_or(0), gauge, &samples, &after, start);
    }
    if after.len() < SAMPLES_MIN {
        return Judgement::inconclusive(
            ORACLE.id,
            format!("{} samples of {gauge}: {SAMPLES_MIN} are needed", after.len()),
        );
    }
    let (base_at, base) = baseline(&samples, start);
    let (last_at, last) = after[after.len() - 1];
    let slack = expect.keys.int("slack").unwrap_or(SLACK) as f64;
    let ceiling = base as f64 * (1.0 + expect.share("growth", GROWTH)) + slack;
    let evidence = ids([base_at, last_at]);
    if (last as f64) <= ceiling {
        return Judgement::pass(ORACLE.id, evidence, format!("{gauge}: {base} before, {last} at the end"));
    }
    let half = &after[after.len() / 2..];
    match slope(half) {
        Slope::Up => Judgement::fail(
            ORACLE.id,
            alloc::vec![Violation {
                expected: format!("{gauge} stops growing"),
                actual: format!("it grew from {base} to {last} and goes on (one-sided 95 % bound above zero)"),
                clause: String::new(),
                place: format!("{gauge}/grows after {}", plan.stimulus()),
                entries: evidence,
                lesser: false
            }],
        ),
        Slope::Flat => {
            Judgement::pass(ORACLE.id, evidence, format!("{gauge} rose from {base} to {last} and stays there"))
        }
        Slope::Unclear => {
            Judgement::inconclusive(ORACLE.id, format!("{gauge} rose from {base} to {last}; its slope is not clear"))
        }
    }
}

/// The last sample before the attack.
fn baseline(samples: &[(Moment, u64)], start: Time) -> (Moment, u64) {
    *samples.iter().rfind(|(moment, _)| moment.at <= start).unwrap_or(&samples[0])
}

/// Samples after the attack began that a ceiling needs: one while it lasts, one after it.
const MOMENTS_MIN: usize = 2;

fn below(
    plan: &Plan,
    most: u64,
    gauge: &str,
    samples: &[(Moment, u64)],
    after: &[(Moment, u64)],
    start: Time,
) -> Judgement {
    let (base_at, base) = baseline(samples, start);
    if after.len() < MOMENTS_MIN || base_at.at > start {
        return Judgement::inconclusive(ORACLE.id, format!("{} samples of {gauge} are too few", after.len()));
    }
    let (peak_at, peak) = after.iter().copied().max_by_key(|(_, value)| *value).unwrap_or((base_at, base));
    let evidence = ids([base_at, peak_at]);
    if peak <= base.saturating_add(most) {
        return Judgement::pass(ORACLE.id, evidence, format!("{gauge}: {base} before, {peak} at the most"));
    }
    let violation = Violation {
        expected: format!("{gauge} stays below {base} + {most}"),
        actual: format!("it was {peak}"),
        clause: String::new(),
        place: format!("{gauge}/peak after {}", plan.stimulus()),
        entries: evidence,
        lesser: false,
    };
    Judgement::fail(ORACLE.id, alloc::vec![violation])
}

fn samples<'e>(expect: &'e Expect, transcript: &Transcript) -> Option<(&'e str, Vec<(Moment, u64)>)> {
    let of = |wanted: &str| -> Vec<(Moment, u64)> {
        let gauges = transcript.iter().filter_map(|(id, entry)| match &entry.event {
            Event::Gauge { name, value } if name == wanted => Some((Moment { at: entry.at, id }, *value)),
            _ => None,
        });
        gauges.collect()
    };
    let names = match expect.keys.text("gauge") {
        Some(name) => alloc::vec![name],
        None => alloc::vec!["held-bytes", "rss-bytes"],
    };
    names.into_iter().map(|name| (name, of(name))).find(|(_, samples)| !samples.is_empty())
}

enum Slope {
    Up,
    Flat,
    Unclear,
}

/// Least squares over time. The bound is compared in squares: there is no square root without `std`.
fn slope(samples: &[(Moment, u64)]) -> Slope {
    let n = samples.len() as f64;
    let x = |m: &Moment| m.at.0 as f64 / 1e9;
    let (mean_x, mean_y) =
        (samples.iter().map(|(m, _)| x(m)).sum::<f64>() / n, samples.iter().map(|(_, v)| *v as f64).sum::<f64>() / n);
    let sxx: f64 = samples.iter().map(|(m, _)| (x(m) - mean_x) * (x(m) - mean_x)).sum();
    let sxy: f64 = samples.iter().map(|(m, v)| (x(m) - mean_x) * (*v as f64 - mean_y)).sum();
    if sxx <= 0.0 {
        return Slope::Unclear;
    }
    let slope = sxy / sxx;
    let residual = |(m, v): &(Moment, u64)| *v as f64 - mean_y - slope * (x(m) - mean_x);
    let error2 = samples.iter().map(|s| residual(s) * residual(s)).sum::<f64>() / (n - 2.0) / sxx;
    let freedom = samples.len() - 2;
    let t = T.get(freedom.saturating_sub(3)).copied().unwrap_or(T_MANY);
    if slope > 0.0 && slope * slope > t * t * error2 {
        Slope::Up
    } else if slope <= 0.0 {
        Slope::Flat
    } else {
        Slope::Unclear
    }
}
