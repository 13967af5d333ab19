//! The numbers that a laboratory writes when it validates a method, and their bounds.
use serde::Serialize;

/// `k of n`, and how low the true share may be at most: one-sided, 95 %, exact (Clopper and Pearson).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// How many were right.
    pub k: u64,
    /// Of how many.
    pub n: u64,
    /// The lower bound of the share, 0 to 1.
    pub lower_95: f64,
}

impl Share {
    /// With its bound.
    pub fn of(k: u64, n: u64) -> Share {
        Share { k, n, lower_95: lower_bound(k, n) }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Rounded down: a bound that was rounded up is none.
        let percent = (self.lower_95 * 1000.0).floor() / 10.0;
        write!(f, "{} of {} (at least {percent:.1} %)", self.k, self.n)
    }
}

/// Error of a one-sided bound.
const ALPHA: f64 = 0.05;
/// More than enough halvings for a double.
const HALVINGS: u32 = 60;

/// The share p at which `k` or more of `n` would be seen in 5 % of all series; 0 where none was right, or none was tried.
pub fn lower_bound(k: u64, n: u64) -> f64 {
    if k == 0 || k > n {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if at_least(k, n, middle) < ALPHA { low = middle } else { high = middle }
    }
    low
}

/// The probability of `k` or more of `n`, where each comes with probability `p`: 0 < p < 1.
fn at_least(k: u64, n: u64, p: f64) -> f64 {
    let choose: f64 = (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum();
    let mut term = (choose + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp();
    let mut sum = term;
    for i in k..n {
        term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        sum += term;
    }
    sum
}

/// What became of the trials of a scenario, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// (Twin, seed): every rule named for it failed, each in at least one case.
    pub true_positives: u64,
    /// (Twin, seed): some named rule failed in no case, though every case was decided.
    pub false_negatives: u64,
    /// (Twin, seed): some named rule failed in no case, and some case was not decided.
    pub undecided_twins: u64,
    /// (Case, seed) on the clean reference: passed.
    pub true_negatives: u64,
    /// (Case, seed) on the clean reference: a rule failed.
    pub false_positives: u64,
    /// (Case, seed) on the clean reference: not decided.
    pub undecided_clean: u64,
    /// (Blank target, case): passed, which none may.
    pub blank_passed: u64,
    /// (Blank target, case).
    pub blank_trials: u64,
}

impl Counts {
    /// Share of the twins that were caught. What was not decided counts against it.
    pub fn sensitivity(&self) -> Share {
        Share::of(self.true_positives, self.true_positives + self.false_negatives + self.undecided_twins)
    }

    /// Share of the clean trials that passed. What was not decided counts against it.
    pub fn specificity(&self) -> Share {
        Share::of(self.true_negatives, self.true_negatives + self.false_positives + self.undecided_clean)
    }

    /// Neither right nor wrong.
    pub fn undecided(&self) -> u64 {
        self.undecided_twins + self.undecided_clean
    }

    /// Both together.
    pub fn add(&mut self, other: &Counts) {
        self.true_positives += other.true_positives;
        self.false_negatives += other.false_negatives;
        self.undecided_twins += other.undecided_twins;
        self.true_negatives += other.true_negatives;
        self.false_positives += other.false_positives;
        self.undecided_clean += other.undecided_clean;
        self.blank_passed += other.blank_passed;
        self.blank_trials += other.blank_trials;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(k: u64, n: u64, wanted: f64) {
        let found = lower_bound(k, n);
        assert!((found - wanted).abs() < 5e-7, "{k} of {n}: {found}, not {wanted}");
    }

    #[test]
    fn of_a_full_score_the_bound_is_the_root_of_the_error() {
        for n in [1_u32, 3, 59, 1000] {
            check(u64::from(n), u64::from(n), 0.05_f64.powf(1.0 / f64::from(n)));
        }
        assert!(lower_bound(59, 59) > 0.95 && lower_bound(58, 58) < 0.95, "59 in a row show 95 %, 58 do not");
    }

    #[test]
    fn one_of_n_is_the_other_end_of_none_of_n() {
        for n in [2_u32, 10, 100] {
            check(1, u64::from(n), 1.0 - 0.95_f64.powf(1.0 / f64::from(n)));
        }
    }

    #[test]
    fn bounds_are_those_of_the_beta_quantile() {
        // 5 % quantiles of Beta(k, n - k + 1), from another implementation.
        check(95, 100, QUANTILES[0]);
        check(8, 10, QUANTILES[1]);
        check(2990, 3000, QUANTILES[2]);
    }

    const QUANTILES: [f64; 3] = [0.897746622, 0.493098699, 0.994352488];

    #[test]
    fn nothing_tried_and_nothing_right_show_nothing() {
        for (k, n) in [(0, 0), (0, 10), (2, 1)] {
            assert_eq!(lower_bound(k, n), 0.0);
        }
    }

    #[test]
    fn a_bound_is_printed_rounded_down() {
        assert_eq!(Share::of(59, 59).to_string(), "59 of 59 (at least 95.0 %)");
        assert_eq!(Share { k: 1, n: 1, lower_95: 0.9999 }.to_string(), "1 of 1 (at least 99.9 %)");
    }

    #[test]
    fn what_is_undecided_counts_against_both() {
        let counts = Counts {
            true_positives: 9,
            undecided_twins: 1,
            true_negatives: 4,
            undecided_clean: 1,
            ..Counts::default()
        };
        assert_eq!((counts.sensitivity().k, counts.sensitivity().n), (9, 10));
        assert_eq!((counts.specificity().k, counts.specificity().n), (4, 5));
        let mut twice = counts;
        twice.add(&counts);
        assert_eq!((twice.undecided(), twice.true_positives), (4, 18));
    }
}
