//! What a run over the corpus came to: found, missed, false.
use std::collections::BTreeMap;
use std::fmt;

use super::list::{Defect, Explained, Lists, matches};
use super::run::{Results, Trial};

/// What was seen on each version.
#[derive(Default)]
pub struct Outcomes {
    by_version: BTreeMap<String, Results>,
}

impl Outcomes {
    /// Adds what a version came to.
    pub fn add(&mut self, version: &str, results: Results) {
        self.by_version.insert(version.to_owned(), results);
    }
}

/// What one version came to, for one defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// FAIL, by the rule that was meant.
    Fail(String),
    /// FAIL, but by another rule.
    Other(String),
    /// All PASS.
    Pass,
    /// Neither: the reason of the first.
    Open(String),
    /// Nothing ran.
    Skipped,
}

/// One line of the table.
pub struct Row {
    id: String,
    scenario: String,
    on: (String, Seen),
    fixed: (String, Seen),
}

/// The table, and what stands below it.
pub struct Table {
    rows: Vec<Row>,
    beside: Beside,
    sweep: bool,
}

/// FAILs beside the known defects.
#[derive(Default)]
struct Beside {
    /// On repaired versions, with the caller's explanation.
    explained: Vec<String>,
    /// On repaired versions, without one.
    unexplained: Vec<String>,
    /// How many on the others, where more of them are to be expected.
    old: usize,
}

impl Table {
    /// Judges what was seen. A sweep has no rows: it asks for an explanation of each FAIL.
    pub fn judge(lists: &Lists, outcomes: &Outcomes, sweep: bool) -> Table {
        let row = |defect: &Defect| Row {
            id: defect.id.clone(),
            scenario: defect.scenario.clone(),
            on: (defect.on.clone(), seen(defect, outcomes.by_version.get(&defect.on))),
            fixed: (defect.fixed.clone(), seen(defect, outcomes.by_version.get(&defect.fixed))),
        };
        let rows = if sweep { Vec::new() } else { lists.defects.iter().map(row).collect() };
        Table { rows, beside: beside(lists, outcomes), sweep }
    }

    /// Whether every defect that could be tried was found, and no repaired version was accused.
    pub fn holds(&self) -> bool {
        let fine = |row: &Row| matches!(row.word(), "found" | "skipped");
        self.rows.iter().all(fine) && (!self.sweep || self.beside.unexplained.is_empty())
    }
}

impl Row {
    fn word(&self) -> &'static str {
        match (&self.on.1, &self.fixed.1) {
            (Seen::Skipped, _) | (_, Seen::Skipped) => "skipped",
            (_, Seen::Fail(_) | Seen::Other(_)) => "false",
            (Seen::Fail(_), Seen::Pass) => "found",
            (Seen::Fail(_), Seen::Open(_)) => "open",
            _ => "missed",
        }
    }
}

/// What a version's trials say about a defect. A FAIL counts for the one rule that is named, if one is.
///
/// The trials say it, with the rule first in the reason. Findings that are alike in several cases stand there once only; they
/// are asked for a second rule that the same case broke.
fn seen(defect: &Defect, results: Option<&Results>) -> Seen {
    let Some(results) = results else { return Seen::Skipped };
    let mine = |scenario: &str, case: &str| scenario == defect.scenario && matches(&defect.case, case);
    let trials: Vec<&Trial> = results.trials.iter().filter(|t| mine(&t.scenario, &t.case)).collect();
    let findings = results.findings.iter().filter(|f| f.verdict == "fail" && mine(&f.scenario, &f.case));
    let failed = trials.iter().filter(|t| t.verdict == "fail").map(|t| format!("{} ({})", t.reason, t.case));
    let mut said: Vec<String> =
        failed.chain(findings.map(|f| format!("{}: {} ({})", f.oracle, f.actual, f.case))).collect();
    let meant = |line: &String| defect.rule.is_empty() || line.starts_with(&format!("{}:", defect.rule));
    if let Some(at) = said.iter().position(meant) {
        return Seen::Fail(said.swap_remove(at));
    }
    if let Some(line) = said.pop() {
        return Seen::Other(line);
    }
    let open = trials.iter().find(|t| t.verdict != "pass" && t.verdict != "not_applicable");
    match (open, trials.iter().any(|t| t.verdict == "pass")) {
        (None, true) => Seen::Pass,
        (Some(trial), _) => Seen::Open(format!("{} ({}): {}", trial.verdict, trial.case, trial.reason)),
        (None, false) => Seen::Open("no case of the scenario applies".to_owned()),
    }
}

/// FAILs that are no known defect of their version.
fn beside(lists: &Lists, outcomes: &Outcomes) -> Beside {
    let mut beside = Beside::default();
    for (version, results) in &outcomes.by_version {
        let repaired = lists.defects.iter().any(|defect| defect.fixed == *version);
        for Trial { scenario, case, reason, .. } in results.trials.iter().filter(|t| t.verdict == "fail") {
            let known = |d: &Defect| d.on == *version && d.scenario == *scenario && matches(&d.case, case);
            if lists.defects.iter().any(known) {
                continue;
            }
            let line = format!("{version}  {scenario} ({case})  {reason}");
            let fits =
                |e: &&Explained| matches(&e.on, version) && matches(&e.scenario, scenario) && matches(&e.case, case);
            match lists.explained.iter().find(fits) {
                _ if !repaired => beside.old += 1,
                Some(explanation) => beside.explained.push(format!("{line}\n    {}", explanation.why)),
                None => beside.unexplained.push(line),
            }
        }
    }
    beside
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
        for row in &self.rows {
            let (on, fixed) = (&row.on.0, &row.fixed.0);
            writeln!(f, "{:8} {:width$}  {:32} {on} -> {fixed}", row.word(), row.id, row.scenario)?;
            if row.word() != "found" && row.word() != "skipped" {
                writeln!(f, "{:8}   {on}: {}\n{:8}   {fixed}: {}", "", row.on.1, "", row.fixed.1)?;
            }
        }
        let count = |word| self.rows.iter().filter(|row| row.word() == word).count();
        if !self.sweep {
            let (found, missed, wrong) = (count("found"), count("missed"), count("false"));
            let (open, skipped) = (count("open"), count("skipped"));
            writeln!(f, "{found} found, {missed} missed, {wrong} false, {open} open, {skipped} skipped")?;
        }
        for (lines, word) in [(&self.beside.explained, "explained"), (&self.beside.unexplained, "to be read")] {
            if !lines.is_empty() {
                writeln!(f, "{} FAIL on repaired versions beside that, {word}:", lines.len())?;
            }
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        if self.beside.old > 0 {
            writeln!(f, "{} FAIL more on the versions with known defects", self.beside.old)?;
        }
        Ok(())
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Fail(why) => write!(f, "FAIL, {why}"),
            Seen::Other(why) => write!(f, "FAIL by another rule, {why}"),
            Seen::Pass => write!(f, "PASS"),
            Seen::Open(why) => write!(f, "{why}"),
            Seen::Skipped => write!(f, "not there"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::run::Finding;

    fn lists() -> Lists {
        let defect = Defect {
            id: "d".into(),
            what: "what".into(),
            scenario: "mqtt/s".into(),
            case: "qos-*".into(),
            rule: "closes-in-time".into(),
            on: "old".into(),
            fixed: "new".into(),
        };
        Lists { defects: vec![defect], ..Lists::default() }
    }

    fn results(case: &str, verdict: &str, rule: &str) -> Results {
        let (scenario, case, verdict) = ("mqtt/s".to_owned(), case.to_owned(), verdict.to_owned());
        let trial = Trial {
            scenario: scenario.clone(),
            case: case.clone(),
            verdict: verdict.clone(),
            reason: format!("{rule}: it did"),
        };
        let finding = Finding { scenario, case, verdict, oracle: rule.into(), actual: "it did".into() };
        let findings = if rule.is_empty() { Vec::new() } else { vec![finding] };
        Results { trials: vec![trial], findings }
    }

    fn judged(old: Results, new: Results) -> (&'static str, bool) {
        let mut outcomes = Outcomes::default();
        outcomes.add("old", old);
        outcomes.add("new", new);
        let table = Table::judge(&lists(), &outcomes, false);
        (table.rows[0].word(), table.holds())
    }

    fn fail() -> Results {
        results("qos-3", "fail", "closes-in-time")
    }

    fn pass() -> Results {
        results("qos-3", "pass", "")
    }

    #[test]
    fn found_is_fail_on_the_old_and_pass_on_the_new() {
        assert_eq!(judged(fail(), pass()), ("found", true));
    }

    #[test]
    fn a_fail_on_the_new_is_false_even_where_the_old_was_found() {
        assert_eq!(judged(fail(), fail()), ("false", false));
        assert_eq!(judged(fail(), results("qos-3", "fail", "no-crash")), ("false", false));
    }

    #[test]
    fn a_pass_an_open_verdict_and_another_rule_or_case_on_the_old_are_missed() {
        assert_eq!(judged(pass(), pass()), ("missed", false));
        assert_eq!(judged(results("qos-3", "inconclusive", ""), pass()), ("missed", false));
        assert_eq!(judged(results("qos-3", "fail", "no-crash"), pass()), ("missed", false));
        assert_eq!(judged(results("other", "fail", "closes-in-time"), pass()), ("missed", false));
    }

    #[test]
    fn a_finding_that_stands_once_for_several_cases_counts_for_each() {
        let mut old = fail();
        old.findings.clear();
        assert_eq!(judged(old, pass()), ("found", true));
    }

    #[test]
    fn a_second_rule_that_the_same_case_broke_counts() {
        let mut old = results("qos-3", "fail", "no-crash");
        old.findings[0].oracle = "closes-in-time".into();
        assert_eq!(judged(old, pass()), ("found", true));
    }

    #[test]
    fn a_suspicion_is_no_finding() {
        assert_eq!(judged(results("qos-3", "inconclusive", "closes-in-time"), pass()), ("missed", false));
    }

    #[test]
    fn what_the_new_one_leaves_open_does_not_pass() {
        assert_eq!(judged(fail(), results("qos-3", "inconclusive", "")), ("open", false));
        assert_eq!(judged(fail(), Results::default()), ("open", false));
    }

    #[test]
    fn a_version_that_is_not_there_is_skipped() {
        let mut outcomes = Outcomes::default();
        outcomes.add("old", fail());
        let table = Table::judge(&lists(), &outcomes, false);
        assert_eq!((table.rows[0].word(), table.holds()), ("skipped", true));
    }

    #[test]
    fn in_a_sweep_each_fail_wants_an_explanation() {
        let mut outcomes = Outcomes::default();
        outcomes.add("new", fail());
        let mut lists = lists();
        assert!(!Table::judge(&lists, &outcomes, true).holds());
        let (on, scenario) = ("n*".to_owned(), "mqtt/s".to_owned());
        lists.explained.push(Explained { on, scenario, case: "*".into(), why: "it is so".into() });
        assert!(Table::judge(&lists, &outcomes, true).holds());
        lists.explained[0].case = "other".into();
        assert!(!Table::judge(&lists, &outcomes, true).holds());
    }
}
