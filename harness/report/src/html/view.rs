//! What the template of `report.html` is given: words and numbers, nothing to decide.
use std::collections::BTreeSet;

use proofhouse_core::clause::{Document, documents};
use proofhouse_core::finding::{Finding as Stored, Repeats, Standing};
use proofhouse_core::ids::TrialNo;
use proofhouse_core::results::{ArmedRow, CoverageRow, TrialRow};
use proofhouse_core::severity::{FindingKind, Level};
use proofhouse_core::verdict::Verdict;
use serde::Serialize;

use crate::coverage::{Covered, Principle, State, coverage};
use crate::ladder::Ladder;
use crate::run::{Found, Run, VERDICTS};
use crate::score;
use crate::words::{count, cut, span, thousands, uri, verdict, visible};

/// Findings that are shown with their packets; the rest stand in `results.json` and in their folders.
const FINDINGS_MAX: usize = 100;
/// Findings that are shown unfolded.
const OPEN_MAX: usize = 8;
/// Trials of one verdict that are shown.
const TRIALS_MAX: usize = 1_000;
/// Reasons of one verdict that are shown.
const REASONS_MAX: usize = 100;
/// Characters of a reason or of what was expected and seen.
const TEXT_MAX: usize = 1_200;

#[derive(Serialize)]
pub(super) struct Page {
    run: String,
    headline: String,
    tone: &'static str,
    exit: u8,
    meaning: String,
    facts: Vec<(&'static str, String)>,
    totals: Vec<Share>,
    targets: Vec<Target>,
    findings: Vec<Finding>,
    findings_left_out: String,
    principles: Vec<Section>,
    standards: Vec<Standard>,
    covered: String,
    undecided: Vec<Reasons>,
    trials: Vec<Trials>,
    trials_count: String,
}

/// How many trials came to one verdict.
#[derive(Serialize)]
struct Share {
    class: &'static str,
    word: String,
    n: usize,
    shown: String,
}

#[derive(Serialize)]
struct Target {
    name: String,
    version: String,
    trials: String,
    shares: Vec<Share>,
}

#[derive(Serialize)]
struct Finding {
    id: String,
    open: bool,
    title: String,
    suspicion: bool,
    level: Level,
    kind: FindingKind,
    spared: String,
    summary: Vec<(&'static str, String)>,
    expected: String,
    actual: String,
    ladder: Option<Ladder>,
    replay: String,
    files: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Section {
    name: String,
    summary: String,
    rows: Vec<Recommendation>,
}

/// How much of a standard was armed.
#[derive(Serialize)]
struct Standard {
    name: String,
    armed: u32,
    of: u32,
    broken: String,
}

#[derive(Serialize)]
struct Recommendation {
    id: String,
    code: String,
    title: String,
    class: &'static str,
    mark: &'static str,
    word: String,
    by: String,
}

#[derive(Serialize)]
struct Reasons {
    word: String,
    class: &'static str,
    count: String,
    rows: Vec<(String, String, String)>,
    left_out: String,
}

#[derive(Serialize)]
struct Trials {
    word: String,
    class: &'static str,
    count: String,
    rows: Vec<Trial>,
    left_out: String,
}

#[derive(Serialize)]
struct Trial {
    n: TrialNo,
    scenario: String,
    case: String,
    target: String,
    seed: String,
    reason: String,
    time: String,
}

pub(super) fn page(run: &Run) -> Page {
    let (headline, tone) = headline(run);
    let all: Vec<&TrialRow> = run.results.trials.iter().collect();
    // What counts comes first.
    let (counted, spared): (Vec<&Found>, Vec<&Found>) = run.findings.iter().partition(|f| f.spared.is_none());
    let in_order = counted.into_iter().chain(spared);
    Page {
        run: visible(&run.results.run),
        headline,
        tone,
        exit: run.exit.code,
        meaning: run.exit.meaning.clone(),
        facts: facts(run),
        totals: shares(&all),
        targets: run.targets().into_iter().map(|(name, version, trials)| target(name, version, &trials)).collect(),
        findings: in_order.take(FINDINGS_MAX).map(|f| finding(f, run.findings.len() <= OPEN_MAX)).collect(),
        findings_left_out: left_out(run.findings.len(), FINDINGS_MAX, "finding"),
        covered: covered(run),
        principles: coverage(run).iter().map(section).collect(),
        standards: run.results.coverage.iter().map(|row| standard(row, &run.results.statements)).collect(),
        undecided: [Verdict::Error, Verdict::Inconclusive, Verdict::NotRun, Verdict::NotApplicable]
            .into_iter()
            .filter_map(|verdict| reasons(run, verdict))
            .chain(remarks(run))
            .collect(),
        trials: VERDICTS.into_iter().filter_map(|verdict| trials(run, verdict)).collect(),
        trials_count: count(all.len(), "trial"),
    }
}

fn headline(run: &Run) -> (String, &'static str) {
    let counted = run.findings.iter().filter(|f| f.spared.is_none()).count();
    let open = [Verdict::Inconclusive, Verdict::NotRun, Verdict::Error].map(|v| run.results.count(v)).iter().sum();
    match (counted, run.findings.len(), open) {
        (1.., all, _) if all > counted => {
            (format!("{} and {} more below the gate", count(counted, "finding"), all - counted), "fail")
        }
        (1.., ..) => (count(counted, "finding"), "fail"),
        (0, 1, _) => ("1 finding that does not count".into(), "inconclusive"),
        (0, n @ 2.., _) => (format!("{} that do not count", count(n, "finding")), "inconclusive"),
        (0, 0, 1..) => (format!("No finding, but {} undecided", count(open, "trial")), "inconclusive"),
        _ if run.results.trials.is_empty() => ("Nothing has run".into(), "inconclusive"),
        _ => ("No finding".into(), "pass"),
    }
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let f = &run.facts;
    let selector = if f.selector.is_empty() { "the whole suite".into() } else { f.selector.join(", ") };
    let ran = run.results.trials.len();
    let trials = if (f.planned as usize) > ran {
        format!("{} of {}", thousands(ran), count(f.planned as usize, "trial"))
    } else {
        count(ran, "trial")
    };
    let seeds = match f.seeds {
        0 | 1 => f.seed.to_string(),
        n => format!("{} to {}", f.seed, f.seed.saturating_add(n - 1)),
    };
    let mut all = vec![
        ("Began", f.began.replace('T', " ").replace('Z', " UTC")),
        ("Took", if f.wall_ms == 0 { String::new() } else { span(f.wall_ms) }),
        ("Selected", visible(&cut(&selector, 300))),
        ("Ran", trials),
        ("Seed", seeds),
        ("Counts from", format!("level {}", f.fail_on)),
        ("Proofhouse", f.version.clone()),
        ("Machine", visible(&f.machine)),
    ];
    all.retain(|(_, value)| !value.is_empty());
    all
}

fn shares(trials: &[&TrialRow]) -> Vec<Share> {
    let share = |verdict_: Verdict| {
        let n = trials.iter().filter(|t| t.verdict == verdict_).count();
        Share { class: class(verdict_), word: verdict(verdict_), n, shown: thousands(n) }
    };
    VERDICTS.into_iter().map(share).filter(|share| share.n > 0).collect()
}

fn target(name: &str, version: &str, trials: &[&TrialRow]) -> Target {
    Target {
        name: visible(name),
        version: visible(version),
        trials: count(trials.len(), "trial"),
        shares: shares(trials),
    }
}

fn finding(found: &Found, open: bool) -> Finding {
    let f = &found.finding;
    let case = if f.case.is_empty() { String::new() } else { format!(" · case {}", f.case) };
    let cwe: Vec<String> = f.cwe.iter().map(|n| format!("CWE-{n}")).collect();
    let score = score::of(&f.cvss).map(|(score, word)| format!("{score:.1} {word} · {}", f.cvss));
    let mut summary = vec![
        ("Rule", f.oracle.clone()),
        ("Clause", if f.clause.is_empty() { "a policy, no clause".into() } else { f.clause.clone() }),
        ("Reproduced", reproduced(f)),
        ("Scenario", format!("{}{case} · seed {}", f.scenario, f.seed)),
        ("Target", format!("{} {}", f.target, f.target_version).trim().to_owned()),
        ("Attack", f.attack.clone()),
        ("Guidance", f.guidance.join(", ")),
        ("Weakness", cwe.join(", ")),
        ("CVSS 4.0", score.unwrap_or_else(|| f.cvss.clone())),
        ("Signature", f.signature.to_string()),
    ];
    summary.retain(|(_, value)| !value.is_empty());
    summary.iter_mut().for_each(|(_, value)| *value = visible(value));
    let file = |name: &'static str| (name, uri(&format!("{}/{name}", found.path)));
    Finding {
        id: f.id.clone(),
        open,
        title: visible(&f.title),
        suspicion: f.verdict == Standing::Suspicion,
        level: f.level,
        kind: f.kind,
        spared: found.spared.as_ref().map(|why| visible(&why.to_string())).unwrap_or_default(),
        summary,
        expected: cut(&visible(&f.expected), TEXT_MAX),
        actual: cut(&visible(&f.actual), TEXT_MAX),
        ladder: found.ladder.clone().filter(|ladder| !ladder.lines.is_empty()),
        replay: visible(&format!("proofhouse replay {}", found.path)),
        files: ["reproduce.md", "scenario.toml", "transcript.txt", "capture.pcapng", "target.log"].map(file).into(),
    }
}

fn reproduced(f: &Stored) -> String {
    let counted = match f.replay {
        Repeats::Exact => "exactly, byte for byte (simulation)".into(),
        counted => counted.to_string(),
    };
    match f.not_replayed.as_slice() {
        [] => counted,
        [why, ..] => visible(&format!("{counted}; {} did not take place: {why}", f.not_replayed.len())),
    }
}

fn covered(run: &Run) -> String {
    let all = coverage(run);
    let rows = || all.iter().flat_map(|p| &p.rows);
    let tested = rows().filter(|c| matches!(c.state, State::Tested(_))).count();
    let off = rows().filter(|c| c.state == State::OffWire).count();
    let n = rows().count();
    format!(
        "{tested} of {n} recommendations under {} principles were tested in this run, {} were not, and {off} cannot be decided by \
         speaking a protocol: those are managed as evidence.",
        all.len(),
        n - tested - off
    )
}

fn standard(row: &CoverageRow, statements: &[ArmedRow]) -> Standard {
    let own = documents().filter(|document| document.name == row.document).flat_map(Document::statements);
    let clauses: BTreeSet<&str> = own.map(|statement| statement.clause).collect();
    let broken = statements.iter().filter(|one| one.broken > 0 && clauses.contains(one.clause.as_str()));
    Standard {
        name: row.document.clone(),
        armed: row.armed,
        of: row.of,
        broken: broken.map(|one| one.clause.clone()).collect::<Vec<_>>().join(", "),
    }
}

fn section(principle: &Principle<'_>) -> Section {
    let mut words: Vec<(String, usize)> = Vec::new();
    for covered in &principle.rows {
        let word = state(covered).2;
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, n)) => *n += 1,
            None => words.push((word, 1)),
        }
    }
    let words: Vec<String> = words.into_iter().map(|(word, n)| format!("{n} {word}")).collect();
    Section {
        name: principle.name.into(),
        summary: words.join(", "),
        rows: principle.rows.iter().map(recommendation).collect(),
    }
}

fn recommendation(covered: &Covered<'_>) -> Recommendation {
    let (class, mark, word) = state(covered);
    let by = match covered.scenarios.as_slice() {
        [] => String::new(),
        _ if covered.state == State::OffWire => String::new(),
        all => format!("{} by {}", count(covered.trials, "trial"), cut(&all.join(", "), 400)),
    };
    let row = covered.row;
    Recommendation { id: row.id.clone(), code: row.code.clone(), title: row.title.clone(), class, mark, word, by }
}

/// Class, mark and word: never colour alone.
fn state(covered: &Covered<'_>) -> (&'static str, &'static str, String) {
    use proofhouse_core::guidance::Wire;
    match covered.state {
        State::NotTested => ("untested", "·", "not tested".into()),
        State::OffWire => ("offwire", "–", "not decidable on the wire".into()),
        State::Tested(verdict_) => {
            let part = covered.row.wire == Wire::Part && verdict_ == Verdict::Pass;
            (class(verdict_), mark(verdict_), verdict(verdict_) + if part { " in part" } else { "" })
        }
    }
}

fn reasons(run: &Run, of: Verdict) -> Option<Reasons> {
    listed(&run.reasons(of), verdict(of), class(of), count(run.results.count(of), "trial"))
}

/// What breaks no rule and is worth an eye: it moves no verdict, and stands with those that are open.
fn remarks(run: &Run) -> Option<Reasons> {
    let all = run.remarks();
    listed(&all, "that moved no verdict".into(), class(Verdict::NotApplicable), count(all.len(), "remark"))
}

fn listed(all: &[(&str, &str, usize)], word: String, class: &'static str, count: String) -> Option<Reasons> {
    let row = |(scenario, reason, n): &(&str, &str, usize)| {
        (thousands(*n), visible(scenario), cut(&visible(reason), TEXT_MAX))
    };
    (!all.is_empty()).then(|| Reasons {
        word,
        class,
        count,
        rows: all.iter().take(REASONS_MAX).map(row).collect(),
        left_out: left_out(all.len(), REASONS_MAX, "reason"),
    })
}

fn trials(run: &Run, of: Verdict) -> Option<Trials> {
    let all: Vec<&TrialRow> = run.results.trials.iter().filter(|t| t.verdict == of).collect();
    if all.is_empty() {
        return None;
    }
    let row = |t: &&TrialRow| Trial {
        n: t.n,
        scenario: visible(&t.scenario),
        case: visible(&t.case),
        target: visible(&t.target),
        seed: t.seed.to_string(),
        reason: cut(&visible(&t.reason), 240),
        time: span(t.wall_ms),
    };
    Some(Trials {
        word: verdict(of),
        class: class(of),
        count: thousands(all.len()),
        rows: all.iter().take(TRIALS_MAX).map(row).collect(),
        left_out: left_out(all.len(), TRIALS_MAX, "trial"),
    })
}

/// `19,000 more trials are in results.json`; empty where nothing is left out.
fn left_out(all: usize, shown: usize, noun: &str) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        1 => format!("1 more {noun} is in"),
        n => format!("{} more {noun}s are in", thousands(n)),
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Error => "error",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotRun => "notrun",
        Verdict::NotApplicable => "na",
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✕",
        Verdict::Error => "!",
        Verdict::Inconclusive => "?",
        Verdict::NotRun => "○",
        Verdict::NotApplicable => "∅",
    }
}
