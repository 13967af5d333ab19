//! A fixed value, or a range in a scenario: `a..b` is drawn once, when planning; `a~b` at every use.
use crate::seed::Rng;
use crate::time::{Duration, nanos};

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

    /// The largest value that a draw can give.
    #[must_use]
    pub fn most(&self) -> Duration {
        match self {
            Spread::Fixed(value) | Spread::Each(_, value) => *value,
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

/// Reads `"250ms"` or, drawn at every use, `"1s~3s"`.
///
/// # Errors
/// Says what is wrong: `unknown unit "parsecs"; use ns, us, ms, s, m or h`.
pub fn durations(text: &str) -> Result<Spread<Duration>, alloc::string::String> {
    let _ = text;
    todo!()
}
