//! A fixed value, or a range in a scenario: `a..b` is drawn once, when planning; `a~b` at every use.
use alloc::format;
use alloc::string::String;

use crate::seed::Rng;
use crate::time::{Duration, nanos};
use crate::value::Value;

/// A value of a plan: a point, or a range that is drawn at every use. `a..b` never gets this far: the plan shows its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread<T> {
    /// Always this.
    Fixed(T),
    /// Uniform in `lo..=hi`, drawn from the user's own stream at every use.
    Each(T, T),
}

impl Spread<Duration> {
    /// The value for this use.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        match self {
            Spread::Fixed(value) => *value,
            Spread::Each(lo, hi) => Duration::from_nanos(rng.between(nanos(*lo), nanos(*hi))),
        }
    }
}

impl Spread<u64> {
    /// The value for this use.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        match self {
            Spread::Fixed(value) => *value,
            Spread::Each(lo, hi) => rng.between(*lo, *hi),
        }
    }
}

impl<T: Copy> Spread<T> {
    /// The largest value that a draw can give.
    #[must_use]
    pub fn most(&self) -> T {
        match self {
            Spread::Fixed(value) | Spread::Each(_, value) => *value,
        }
    }
}

/// What a file may say where a number or a duration stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written<T> {
    /// One value.
    Point(T),
    /// `a..b`: drawn when planning.
    Plan(T, T),
    /// `a~b`: drawn at every use.
    Each(T, T),
}

/// Reads `a`, `a..b` or `a~b`, where `parse` reads one end.
///
/// # Errors
/// What `parse` says, or that the range is empty.
pub fn written<T: PartialOrd + Copy>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Written<T>, String> {
    let ends = |(lo, hi): (&str, &str)| {
        let (lo, hi) = (parse(lo)?, parse(hi)?);
        if lo <= hi { Ok((lo, hi)) } else { Err(format!("the range {text:?} is empty: the smaller end comes first")) }
    };
    match (text.split_once(".."), text.split_once('~')) {
        (Some(range), _) => ends(range).map(|(lo, hi)| Written::Plan(lo, hi)),
        (None, Some(range)) => ends(range).map(|(lo, hi)| Written::Each(lo, hi)),
        (None, None) => parse(text).map(Written::Point),
    }
}

/// Units of time with their nanoseconds, largest first.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads `"250ms"`: a whole number and its unit.
///
/// # Errors
/// Says what is wrong: `unknown unit "parsecs"; use ns, us, ms, s, m or h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    if number.is_empty() {
        return Err(format!("expected a duration such as \"250ms\", found {text:?}"));
    }
    if unit.is_empty() {
        return Err(format!("{text:?} has no unit; use ns, us, ms, s, m or h"));
    }
    if unit.starts_with('.') {
        return Err(format!("{text:?} is not a whole number; use a smaller unit"));
    }
    let each = unit_nanos(unit).ok_or_else(|| format!("unknown unit {unit:?}; use ns, us, ms, s, m or h"))?;
    let number: Option<u64> = number.parse().ok();
    let nanos = number.and_then(|number| number.checked_mul(each));
    nanos.map(Duration::from_nanos).ok_or_else(|| format!("{text:?} is longer than 584 years"))
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit_nanos(unit: &str) -> Option<u64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos)
}

/// A duration in the largest unit that holds it whole: `90s`, `2m`, `41837us`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let all = nanos(duration);
    if all == 0 {
        return String::from("0s");
    }
    let (unit, each) =
        UNITS.iter().find(|(_, each)| all.is_multiple_of(*each)).expect("every number is whole nanoseconds");
    format!("{}{unit}", all / each)
}

/// Reads `"250ms"` or, drawn at every use, `"1s~3s"`.
///
/// # Errors
/// Says what is wrong: `unknown unit "parsecs"; use ns, us, ms, s, m or h`.
pub fn durations(text: &str) -> Result<Spread<Duration>, String> {
    match written(text, duration)? {
        Written::Point(value) => Ok(Spread::Fixed(value)),
        Written::Each(lo, hi) => Ok(Spread::Each(lo, hi)),
        Written::Plan(..) => Err(format!("{text:?} is drawn when planning: here stands its point, or a~b")),
    }
}

/// Reads a whole number, or text `"3~9"` that is drawn at every use.
///
/// # Errors
/// Says what is wrong.
pub fn numbers(value: &Value) -> Result<Spread<u64>, String> {
    match value {
        Value::Int(n) => u64::try_from(*n).map(Spread::Fixed).map_err(|_| format!("{n} is below zero")),
        Value::Text(text) => match written(text, |end| end.parse().map_err(|_| not_whole(end)))? {
            Written::Point(value) => Ok(Spread::Fixed(value)),
            Written::Each(lo, hi) => Ok(Spread::Each(lo, hi)),
            Written::Plan(..) => Err(format!("{text:?} is drawn when planning: here stands its point, or a~b")),
        },
        other => Err(format!("expected a whole number, found {other}")),
    }
}

/// The message for text that is no whole number.
pub(crate) fn not_whole(text: &str) -> String {
    format!("expected a whole number or a range \"a..b\", found {text:?}")
}

/// The point of the range that `text` wrote as `lo..hi`, in thousandths of the smaller unit written: a plan is read by people.
pub(crate) fn draw_duration(text: &str, lo: Duration, hi: Duration, rng: &mut Rng) -> Duration {
    let unit = |end: &str| unit_nanos(split_unit(end).1).unwrap_or(1);
    let smaller = text.split_once("..").map_or(1, |(lo, hi)| unit(lo).min(unit(hi)));
    let step = (smaller / 1_000).max(1);
    Duration::from_nanos(rng.between(nanos(lo) / step, nanos(hi) / step) * step)
}

/// The point of `lo..=hi`.
pub(crate) fn draw_int(lo: i64, hi: i64, rng: &mut Rng) -> i64 {
    lo.wrapping_add_unsigned(rng.between(0, hi.wrapping_sub(lo).cast_unsigned()))
}

/// The point of `lo..=hi`, in ten-thousandths of the range.
pub(crate) fn draw_float(lo: f64, hi: f64, rng: &mut Rng) -> f64 {
    const STEPS: u64 = 10_000;
    lo + (hi - lo) * (rng.between(0, STEPS) as f64 / STEPS as f64)
}

/// Reads `"99%"`: 0 to 100.
///
/// # Errors
/// Says what is wrong.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| format!("expected a share from \"0%\" to \"100%\", found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;

    fn refuses(text: &str, word: &str) {
        let message = durations(text).expect_err(text);
        assert!(message.contains(word), "{text:?}: {message}");
    }

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        refuses("", "expected a duration");
        refuses("ms", "expected a duration");
        refuses("-1s", "expected a duration");
        refuses("80parsecs", "unknown unit \"parsecs\"; use ns, us, ms, s, m or h");
        refuses("80", "has no unit");
        refuses("1.5s", "smaller unit");
        refuses("99999999999999h", "584 years");
    }

    #[test]
    fn a_range_has_two_ends_in_order() {
        assert_eq!(durations("1s~3s"), Ok(Spread::Each(Duration::from_secs(1), Duration::from_secs(3))));
        assert_eq!(durations("1s~1s"), Ok(Spread::Each(Duration::from_secs(1), Duration::from_secs(1))));
        refuses("3s~1s", "smaller end comes first");
        refuses("1s..3s", "drawn when planning");
        assert_eq!(numbers(&Value::from("3~9")), Ok(Spread::Each(3, 9)));
        assert!(numbers(&Value::Int(-1)).is_err());
    }

    #[test]
    fn draws_stay_in_the_range_and_end_on_a_round_number() {
        let mut rng = Seed(1).stream("x", 0);
        for _ in 0..1_000 {
            let drawn = draw_duration("5ms..80ms", Duration::from_millis(5), Duration::from_millis(80), &mut rng);
            assert!((5..=80_000).contains(&drawn.as_micros()) && drawn.as_nanos().is_multiple_of(1_000), "{drawn:?}");
            assert!((-3..=4).contains(&draw_int(-3, 4, &mut rng)));
            assert!((0.5..=0.75).contains(&draw_float(0.5, 0.75, &mut rng)));
        }
        let _ = draw_int(i64::MIN, i64::MAX, &mut rng);
    }

    #[test]
    fn a_share_ends_at_a_hundred() {
        assert_eq!(percent("99.5%"), Ok(99.5));
        assert_eq!(percent("100%"), Ok(100.0));
        assert!(
            percent("101%").is_err() && percent("-1%").is_err() && percent("5").is_err() && percent("nan%").is_err()
        );
    }

    proptest! {
        #[test]
        fn a_printed_duration_reads_back(nanos: u64) {
            let value = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&duration_text(value)), Ok(value));
        }

        #[test]
        fn any_text_is_a_duration_or_refused(text in ".{0,12}") {
            let _ = durations(&text);
        }
    }
}
