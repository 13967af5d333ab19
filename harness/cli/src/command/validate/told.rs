//! What came of it: counted, and told as a table or as JSON.
use std::fmt::Write as _;

use proofhouse_core::verdict::Verdict;
use serde::Serialize;

use super::numbers::{Counts, Share};
use super::rows::{Expected, Row};
use crate::args::{Shown, Validate};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::style;

/// The whole validation: what `--format json` prints.
#[derive(Debug, Serialize)]
pub struct Validation {
    /// Version of this format: 1.
    pub format: u32,
    /// Version of Proofhouse.
    pub proofhouse: &'static str,
    /// Seeds for each case of a twin and of the clean reference.
    pub seeds: u64,
    /// Whether every trial was run; otherwise only scenarios that are done are counted.
    pub finished: bool,
    /// Scenario by scenario.
    pub scenarios: Vec<Told>,
    /// All of them.
    pub total: Total,
    /// Flaws that no scenario names as its twin, where every scenario was tried.
    pub flaws_without_a_scenario: Vec<String>,
}

/// Everything together.
#[derive(Debug, Default, Serialize)]
pub struct Total {
    /// In the simulator.
    pub counts: Counts,
    /// Share of twins that were caught.
    pub sensitivity: Option<Share>,
    /// Share of clean trials that passed.
    pub specificity: Option<Share>,
    /// Twins as child processes over real sockets, with `--live`.
    pub live: Option<Share>,
}

/// One scenario.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// How many cases it has.
    pub cases: usize,
    /// In the simulator.
    pub counts: Counts,
    /// Share of its twins that were caught.
    pub sensitivity: Share,
    /// Share of its clean trials that passed.
    pub specificity: Share,
    /// Target by target.
    pub rows: Vec<ToldRow>,
}

/// One scenario on one target.
#[derive(Debug, Serialize)]
pub struct ToldRow {
    /// Flaw or target.
    pub name: String,
    /// `clean`, `twin`, `twin-live`, `blank`, or `other-flaw` with `--full`.
    pub role: &'static str,
    /// The rules that must fail.
    pub rules: Vec<String>,
    /// The row alone.
    pub counts: Counts,
    /// Trials in which a rule failed that is not named.
    pub strayed: u64,
    /// As it must be.
    pub good: bool,
    /// What came of it, in words.
    pub says: String,
}

impl Told {
    /// Every row is as it must be.
    pub fn good(&self) -> bool {
        self.rows.iter().all(|row| row.good)
    }
}

impl Validation {
    /// Counts the rows of all scenarios; they stand together, scenario by scenario.
    pub fn of(rows: &[Row], args: &Validate, finished: bool) -> Validation {
        let mut total = Total::default();
        let mut live = Counts::default();
        let mut scenarios = Vec::new();
        for rows in rows.chunk_by(|a, b| a.scenario.id == b.scenario.id) {
            if !rows.iter().all(Row::done) {
                continue;
            }
            let told: Vec<ToldRow> = rows.iter().map(row).collect();
            let mut counts = Counts::default();
            told.iter().filter(|row| row.role != "twin-live").for_each(|row| counts.add(&row.counts));
            told.iter().filter(|row| row.role == "twin-live").for_each(|row| live.add(&row.counts));
            total.counts.add(&counts);
            scenarios.push(Told {
                id: rows[0].scenario.id.clone(),
                cases: rows[0].scenario.cases.len(),
                counts,
                sensitivity: counts.sensitivity(),
                specificity: counts.specificity(),
                rows: told,
            });
        }
        total.sensitivity = Some(total.counts.sensitivity());
        total.specificity = Some(total.counts.specificity());
        total.live = args.live.then(|| live.sensitivity());
        let proofhouse = env!("CARGO_PKG_VERSION");
        Validation {
            format: 1,
            proofhouse,
            seeds: args.seeds,
            finished,
            scenarios,
            total,
            flaws_without_a_scenario: Vec::new(),
        }
    }
}

fn row(row: &Row) -> ToldRow {
    let mut counts = Counts::default();
    let (role, rules) = match &row.expected {
        Expected::Spared => ("clean", &[][..]),
        Expected::Caught(oracles) => (if row.live { "twin-live" } else { "twin" }, &oracles[..]),
        Expected::NeverPassed => ("blank", &[][..]),
        Expected::Shown => ("other-flaw", &[][..]),
    };
    match &row.expected {
        Expected::Caught(oracles) => twin(row, oracles, &mut counts),
        Expected::Spared => {
            counts.true_negatives = row.came_to(Verdict::Pass);
            counts.false_positives = row.came_to(Verdict::Fail);
            counts.undecided_clean = row.came.len() as u64 - counts.true_negatives - counts.false_positives;
        }
        Expected::NeverPassed => {
            counts.blank_passed = row.came_to(Verdict::Pass);
            counts.blank_trials = row.came.len() as u64;
        }
        Expected::Shown => {}
    }
    let strayed = if role == "twin" || role == "twin-live" { row.strayed(rules) } else { 0 };
    let wrong = counts.false_negatives + counts.undecided() + counts.false_positives + counts.blank_passed + strayed;
    // A scenario without a case, a twin or a trial has shown nothing.
    let good = wrong == 0 && !row.came.is_empty();
    ToldRow { name: row.name.clone(), role, rules: rules.to_vec(), counts, strayed, good, says: says(row, rules) }
}

/// A twin is caught with a seed where each rule that is named for it fails in some case.
fn twin(row: &Row, oracles: &[String], counts: &mut Counts) {
    for seed in 1..=row.seeds {
        let of_seed = || row.came.iter().filter(|came| came.seed == seed);
        let caught = |oracle: &String| of_seed().any(|came| came.failed.contains(oracle));
        let decided = |verdict: Option<Verdict>| matches!(verdict, Some(Verdict::Pass | Verdict::Fail));
        if oracles.iter().all(caught) {
            counts.true_positives += 1;
        } else if of_seed().all(|came| decided(came.verdict)) {
            counts.false_negatives += 1;
        } else {
            counts.undecided_twins += 1;
        }
    }
}

/// Trials by what they came to, and the rules that failed: `FAIL 4 (answer-in-set), PASS 2`.
fn says(row: &Row, named: &[String]) -> String {
    let mut text = String::new();
    for verdict in
        [Verdict::Fail, Verdict::Error, Verdict::NotRun, Verdict::Inconclusive, Verdict::Pass, Verdict::NotApplicable]
    {
        let n = row.came_to(verdict);
        if n > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{} {n}", verdict.name());
        }
    }
    let without = row.count(|came| came.verdict.is_none());
    if without > 0 {
        let _ = write!(text, "{}no plan or no target {without}", if text.is_empty() { "" } else { ", " });
    }
    let mut failed: Vec<&str> = row.came.iter().flat_map(|came| &came.failed).map(String::as_str).collect();
    failed.sort_unstable();
    failed.dedup();
    let (meant, strayed): (Vec<&str>, Vec<&str>) =
        failed.iter().partition(|rule| named.is_empty() || named.iter().any(|name| name == **rule));
    for (what, rules) in [("failed", meant), ("strayed, failed too", strayed)] {
        if !rules.is_empty() {
            let _ = write!(text, "; {what}: {}", rules.join(", "));
        }
    }
    let missing: Vec<&str> = named.iter().map(String::as_str).filter(|rule| !failed.contains(rule)).collect();
    if !missing.is_empty() {
        let _ = write!(text, "; did not fail: {}", missing.join(", "));
    }
    text
}

/// Prints it, or writes it to `--out`.
pub fn tell(validation: &Validation, args: &Validate) -> Result<(), Failure> {
    let text = match args.format {
        Shown::Table => table(validation, args),
        Shown::Json => serde_json::to_string_pretty(validation).expect("numbers and text are always JSON") + "\n",
    };
    match &args.out {
        None => {
            crate::say::out(format_args!("{text}"));
            Ok(())
        }
        Some(path) => std::fs::write(path, anstream::adapter::strip_str(&text).to_string())
            .map_err(|e| Failure::new(ExitCode::NoOutput, format!("cannot write {}: {e}", path.display()))),
    }
}

fn table(validation: &Validation, args: &Validate) -> String {
    let mut text = format!(
        "{:<40} {:>6} {:>6} {:>6} {:>6} {:>9} {:>8}\n",
        "scenario", "TP", "FN", "TN", "FP", "undecided", "blank"
    );
    for told in &validation.scenarios {
        let c = &told.counts;
        let mark = if told.good() { String::new() } else { format!("  {}", style::error("WRONG")) };
        let blank = format!("{}/{}", c.blank_passed, c.blank_trials);
        let _ = writeln!(
            text,
            "{:<40} {:>6} {:>6} {:>6} {:>6} {:>9} {blank:>8}{mark}",
            told.id,
            c.true_positives,
            c.false_negatives,
            c.true_negatives,
            c.false_positives,
            c.undecided()
        );
        for row in told.rows.iter().filter(|row| args.rows || !row.good || row.role == "other-flaw") {
            let mark = if row.good { String::new() } else { format!("{} ", style::error("WRONG")) };
            let name = if row.role == row.name { String::new() } else { format!(" {}", row.name) };
            let _ = writeln!(text, "    {mark}{}{name}: {}", row.role, row.says);
        }
    }
    summary(validation, &mut text);
    text
}

fn summary(validation: &Validation, text: &mut String) {
    let total = &validation.total;
    text.push('\n');
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "{name:<24} {what}");
    };
    for (name, share, of) in [
        ("sensitivity", &total.sensitivity, "(twin, seed) caught by every rule named"),
        ("specificity", &total.specificity, "(case, seed) of the clean reference passed"),
        ("sensitivity, live", &total.live, "(twin, seed) caught over real sockets"),
    ] {
        if let Some(share) = share {
            line(name, format!("{share}   {of}"));
        }
    }
    line("blank targets passed", format!("{} of {}", total.counts.blank_passed, total.counts.blank_trials));
    line("", "at least: one-sided 95 % bound, exact; what is undecided counts against".into());
    if !validation.flaws_without_a_scenario.is_empty() {
        line("flaws without a scenario", validation.flaws_without_a_scenario.join(" "));
    }
    let wrong = validation.scenarios.iter().filter(|told| !told.good()).count();
    let end = match (validation.finished, wrong) {
        (false, _) => {
            format!("interrupted: these {} scenarios are done, the others are not counted", validation.scenarios.len())
        }
        (true, 0) => "every scenario is as it must be".to_owned(),
        (true, n) => format!("{n} of {} scenarios are not as they must be", validation.scenarios.len()),
    };
    let _ = writeln!(text, "{end}");
}
