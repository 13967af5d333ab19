//! Requirements coverage: the statements of the standards, and how many of them a run has armed.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::results::{ArmedRow, CoverageRow};
use crate::verdict::{Judgement, Verdict, Violation};

/// One statement of a standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `MQTT5 3.1.4-3`, `RFC 7252 §4.2-1`.
    pub clause: &'static str,
    /// The strongest duty that it lays on a server: `must`, `should` or `may`; `client` where it binds another side only.
    pub duty: &'static str,
    /// Why no test from outside can ask for it; empty where one can.
    pub unseen: &'static str,
}

/// A standard, as coverage counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// `mqtt5`.
    pub name: &'static str,
    /// What its clauses begin with.
    prefix: &'static str,
}

const TABLE: &str = include_str!("clauses.txt");

/// The standards, in the order in which they are counted.
pub fn documents() -> impl Iterator<Item = Document> {
    let rows = TABLE.lines().filter_map(|line| line.strip_prefix("= "));
    rows.filter_map(|row| row.split_once('\t')).map(|(name, prefix)| Document { name, prefix })
}

/// Every clause that may be cited: numbered statements, and sections as a whole.
fn clauses() -> impl Iterator<Item = Statement> {
    TABLE.lines().filter_map(|line| {
        let (clause, rest) = line.split_once('\t')?;
        let (duty, unseen) = rest.split_once('\t').unwrap_or((rest, ""));
        Some(Statement { clause, duty, unseen })
    })
}

/// The clause that is cited so: a statement, or a whole section.
#[must_use]
pub fn find(cited: &str) -> Option<Statement> {
    clauses().find(|one| one.clause == cited)
}

impl Document {
    /// Its statements, in the order of the text: what has a number of its own, and not a section as a whole.
    pub fn statements(self) -> impl Iterator<Item = Statement> {
        clauses().filter(move |one| one.clause.starts_with(self.prefix) && one.clause.contains('-'))
    }
}

/// The statements that were armed in these judgements, by clause. A statement is broken where a failure that stands cites it: `confirmed`
/// says so of each judgement.
pub fn armed<'a>(judgements: impl Iterator<Item = (bool, &'a Judgement)>) -> Vec<ArmedRow> {
    let mut all: BTreeMap<&str, (BTreeSet<&str>, u32, u32)> = BTreeMap::new();
    for (confirmed, judgement) in judgements {
        let failed = confirmed && judgement.verdict == Verdict::Fail;
        for row in judgement.armed.iter().filter(|row| row.is_armed()) {
            for clause in &row.clauses {
                let (by, armed, broken) = all.entry(clause).or_default();
                by.insert(&row.rule);
                *armed += 1;
                let cites = |violation: &Violation| violation.clause == *clause;
                *broken += u32::from(failed && row.broken > 0 && judgement.violations.iter().any(cites));
            }
        }
    }
    let row = |(clause, (by, armed, broken)): (&str, (BTreeSet<&str>, u32, u32))| ArmedRow {
        clause: clause.into(),
        by: by.into_iter().map(String::from).collect(),
        armed,
        broken,
    };
    all.into_iter().map(row).collect()
}

/// How much of each standard that was armed at all.
#[must_use]
pub fn coverage(rows: &[ArmedRow]) -> Vec<CoverageRow> {
    let of = |document: Document| {
        let known: BTreeSet<&str> = document.statements().map(|one| one.clause).collect();
        let armed = rows.iter().filter(|row| known.contains(row.clause.as_str())).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        CoverageRow { document: document.name.into(), armed: count(armed), of: count(known.len()) }
    };
    documents().map(of).filter(|row| row.armed > 0).collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::model::Armed;
    use crate::verdict::Violation;

    fn judged(rule: &str, clauses: &[&str], must: u32, broken: u32) -> Judgement {
        let clauses = clauses.iter().map(|clause| String::from(*clause)).collect();
        let row = Armed { rule: rule.into(), clauses, must, broken, ..Armed::default() };
        let violation = |clause: &String| Violation {
            expected: String::new(),
            actual: String::new(),
            clause: clause.clone(),
            place: String::new(),
            entries: vec![crate::ids::EntryId(0)],
            lesser: false,
        };
        let violations = row.clauses.iter().take(broken as usize).map(violation).collect();
        match broken {
            0 => Judgement { armed: vec![row], ..Judgement::pass("model", vec![], "") },
            _ => Judgement { armed: vec![row], ..Judgement::fail("model", violations) },
        }
    }

    #[test]
    fn each_document_has_its_statements() {
        let counts: Vec<(&str, usize)> =
            documents().map(|document| (document.name, document.statements().count())).collect();
        assert_eq!(counts, [("mqtt5", 251), ("mqtt3", 141), ("coap", 311)]);
        let all = || documents().flat_map(Document::statements);
        assert!(all().all(|one| ["must", "should", "may", "client"].contains(&one.duty)));
        assert!(all().any(|one| one.unseen == "it is about DTLS"));
    }

    #[test]
    fn a_statement_counts_once_whoever_arms_it_and_one_that_was_open_counts_not_at_all() {
        let all = [
            judged("a", &["MQTT5 3.1.4-3", "MQTT3 3.1.4-2"], 2, 0),
            judged("b", &["MQTT5 3.1.4-3"], 1, 1),
            judged("c", &["MQTT5 3.1.4-5"], 0, 0),
        ];
        let rows = armed(all.iter().map(|judgement| (true, judgement)));
        let counts: Vec<(&str, u32, u32)> =
            rows.iter().map(|row| (row.clause.as_str(), row.armed, row.broken)).collect();
        assert_eq!(counts, [("MQTT3 3.1.4-2", 1, 0), ("MQTT5 3.1.4-3", 2, 1)]);
        assert_eq!(rows[1].by, ["a", "b"]);
        let flaky = armed(all.iter().map(|judgement| (false, judgement)));
        assert!(flaky.iter().all(|row| row.broken == 0), "a failure that did not come again breaks nothing");
        let covered: Vec<(String, u32)> = coverage(&rows).into_iter().map(|row| (row.document, row.armed)).collect();
        assert_eq!(covered, [("mqtt5".into(), 1), ("mqtt3".into(), 1)]);
    }
}
