//! The model of a protocol as a table of rules, and the count of what each of them had to say about a transcript.
//!
//! A scenario asks about its own attack; a model asks of every packet that the target sent or owed whether the standard allows it. Each rule
//! is *armed* wherever both outcomes were possible, and says so: what no transcript arms is not tested, and a report can tell.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::ids::EntryId;
use crate::plan::{Plan, Recording};
use crate::verdict::{Judgement, Verdict, Violation};

/// Breaches of one rule that are kept for one trial: the first ones show it, the others are counted.
const KEPT: usize = 3;

/// One rule of a model. A row: `J` is the function that looks at what the protocol has gathered from a transcript.
pub struct Rule<J> {
    /// Name of the rule, unique in its model; part of the signature of what breaks it.
    pub id: &'static str,
    /// Statements that it decides, as `MQTT5 3.1.4-3`; the first one of a version is cited.
    pub clauses: &'static [&'static str],
    /// What it demands, in one line.
    pub doc: &'static str,
    /// Looks at everything that it is about.
    pub judge: J,
}

impl<J> Rule<J> {
    /// The clause that a breach cites, in the version whose clauses begin like this: `MQTT5`.
    #[must_use]
    pub fn clause(&self, document: &str) -> Option<&'static str> {
        self.clauses.iter().find(|clause| clause.split(' ').next() == Some(document)).copied()
    }
}

/// What a rule found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The text demanded it.
    must: u32,
    /// The text allowed either.
    may: u32,
    /// The text forbade it.
    must_not: u32,
    broken: u32,
    breaches: Vec<Breach>,
    evidence: Option<EntryId>,
}

/// One packet, or one silence, that the standard does not allow.
#[derive(Clone, Debug)]
pub struct Breach {
    /// Kind of packet and state, never a number of one trial: part of the signature.
    pub place: String,
    /// What was seen.
    pub actual: String,
    /// The entries that show it.
    pub entries: Vec<EntryId>,
    /// Nothing but our own patience shows it: the text names no time.
    pub our_time: bool,
    /// The clause, where it is not the rule's first.
    pub clause: Option<String>,
}

impl Breach {
    /// Something came that may not come, or came wrong.
    pub fn seen(place: impl Into<String>, actual: impl Into<String>, entries: &[EntryId]) -> Breach {
        Breach { place: place.into(), actual: actual.into(), entries: entries.to_vec(), our_time: false, clause: None }
    }

    /// The same, of another clause than the rule's first.
    #[must_use]
    pub fn citing(self, clause: impl Into<String>) -> Breach {
        Breach { clause: Some(clause.into()), ..self }
    }

    /// No clause demands it as it stands: a number that may be set, a duty that is described and not laid down.
    #[must_use]
    pub fn lesser(self) -> Breach {
        Breach { our_time: true, ..self }
    }

    /// It came wrong only if what was acknowledged long before had been handled by then: the text names no time.
    #[must_use]
    pub fn by_our_time(self) -> Breach {
        Breach { our_time: true, ..self }
    }

    /// Something did not come for as long as we had patience.
    pub fn missed(place: impl Into<String>, actual: impl Into<String>, entries: &[EntryId]) -> Breach {
        Breach { our_time: true, ..Breach::seen(place, actual, entries) }
    }
}

impl Tally {
    /// The text demands something here: it is there, or the breach says what is instead.
    pub fn must(&mut self, at: EntryId, breach: Option<Breach>) {
        self.must += 1;
        self.note(at, breach);
    }

    /// The text forbids something here, and it did not happen, or the breach says how.
    pub fn must_not(&mut self, at: EntryId, breach: Option<Breach>) {
        self.must_not += 1;
        self.note(at, breach);
    }

    /// The text leaves it open here, or nobody saw the order that decides it.
    pub fn may(&mut self) {
        self.may += 1;
    }

    fn note(&mut self, at: EntryId, breach: Option<Breach>) {
        self.evidence = self.evidence.or(Some(at));
        let Some(breach) = breach else { return };
        self.broken += 1;
        if self.breaches.len() < KEPT {
            self.breaches.push(breach);
        }
    }
}

/// How often a rule was armed in a trial, and how often it was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// Name of the rule.
    pub rule: String,
    /// Statements that it decides in the version of the trial, as `MQTT5 3.1.4-3`.
    pub clauses: Vec<String>,
    /// The text demanded something.
    pub must: u32,
    /// The text forbade something.
    pub must_not: u32,
    /// It was open: not armed.
    pub may: u32,
    /// It was not so.
    pub broken: u32,
}

impl Armed {
    /// Whether both outcomes were possible at least once.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.must + self.must_not > 0
    }
}

/// Asks every rule that has a clause in `document` (`MQTT5`), and makes one judgement of it. Nothing armed is NOT_APPLICABLE: a transcript
/// without that protocol says nothing about it. `ask` hands a rule the facts.
pub fn judge<J: 'static>(
    oracle: &str,
    rules: impl Iterator<Item = &'static Rule<J>>,
    document: &str,
    ask: impl Fn(&J, &mut Tally),
) -> Judgement {
    let (mut armed, mut evidence) = (Vec::new(), Vec::new());
    let (mut whole, mut less) = (Vec::new(), Vec::new());
    for rule in rules {
        let Some(cited) = rule.clause(document) else { continue };
        let mut tally = Tally::default();
        ask(&rule.judge, &mut tally);
        evidence.extend(tally.evidence);
        for breach in &tally.breaches {
            let violation = violation(rule, cited, breach);
            if breach.our_time || is_advice(&violation.clause) { less.push(violation) } else { whole.push(violation) }
        }
        if tally.must + tally.must_not + tally.may > 0 {
            armed.push(count(rule, document, &tally));
        }
    }
    evidence.sort_unstable();
    evidence.dedup();
    let broken = !whole.is_empty() || !less.is_empty();
    let judgement = if broken {
        Judgement::fail_by(oracle, whole, less)
    } else if evidence.is_empty() {
        Judgement::not_applicable(oracle, evidence, "no rule of the model was armed")
    } else {
        let held = armed.iter().filter(|row| row.is_armed()).count();
        Judgement::pass(oracle, evidence, alloc::format!("{held} rules of the model were armed and held"))
    };
    Judgement { armed, ..judgement }
}

/// Whether a clause gives advice (SHOULD), and lays no duty on a server.
fn is_advice(clause: &str) -> bool {
    clause::find(clause).is_some_and(|statement| matches!(statement.duty, "should" | "may"))
}

fn violation<J>(rule: &Rule<J>, cited: &str, breach: &Breach) -> Violation {
    Violation {
        expected: rule.doc.to_string(),
        actual: breach.actual.clone(),
        clause: breach.clause.clone().unwrap_or_else(|| cited.to_string()),
        place: alloc::format!("{}/{}", rule.id, breach.place),
        entries: breach.entries.clone(),
        lesser: false,
    }
}

fn count<J>(rule: &Rule<J>, document: &str, tally: &Tally) -> Armed {
    let of = rule.clauses.iter().filter(|clause| clause.split(' ').next() == Some(document));
    Armed {
        rule: rule.id.to_string(),
        clauses: of.map(ToString::to_string).collect(),
        must: tally.must,
        must_not: tally.must_not,
        may: tally.may,
        broken: tally.broken,
    }
}

/// Two judgements of one model, about clients of two versions, as one: the worse, with what both have armed.
#[must_use]
pub fn both(a: Judgement, b: Judgement) -> Judgement {
    let second =
        a.verdict.and(b.verdict) != a.verdict || (a.is_lesser() && b.verdict == Verdict::Fail && !b.is_lesser());
    let (mut worse, other) = if second { (b, a) } else { (a, b) };
    if other.verdict == worse.verdict {
        worse.violations.extend(other.violations);
        worse.violations.sort_by_key(|violation| violation.lesser);
        worse.evidence.extend(other.evidence);
    }
    worse.armed.extend(other.armed);
    worse
}

/// What a model says of a record that is not whole: nothing. `None` where it is whole.
#[must_use]
pub fn of_edges(oracle: &str, plan: &Plan) -> Option<Judgement> {
    let what = "the record keeps only first, last and unusual messages";
    (plan.record != Recording::Full).then(|| Judgement::not_applicable(oracle, Vec::new(), what))
}
