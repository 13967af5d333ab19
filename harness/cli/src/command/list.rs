//! `proofhouse list`: what there is, one line each.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use proofhouse_core::clause::{Document, Statement, documents};
use proofhouse_core::protocol::CaseList;
use proofhouse_core::registry::Registry;
use proofhouse_core::results::ArmedRow;
use proofhouse_core::scenario::{Scenario, capability_names};
use proofhouse_core::script;
use proofhouse_core::target::Endpoint;
use proofhouse_live::run::journal::Journal;
use proofhouse_live::run::resume::fold;

use crate::args::{List, What};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::say::say;

/// One line of a listing.
type Row = Vec<String>;

/// Runs the command.
pub fn run(args: &List) -> Result<ExitCode, Failure> {
    let run = args.by_clause.iter().flatten().next();
    let Some(what) = args.what else { return of_run(run) };
    if let Some(run) = run {
        let text = format!("a list of its own: proofhouse list --by-clause {}", run.display());
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let by_clause = args.by_clause.is_some();
    let registry = registry();
    let scenarios = library::scenarios(&args.scenarios, &registry)?;
    if args.markdown && what == What::Scenarios {
        crate::say::out(format_args!("{}", index(&scenarios)));
        return Ok(ExitCode::Fine);
    }
    let mut rows = match (what, by_clause) {
        (What::Scenarios, true) => {
            clauses(scenarios.iter().map(|s| (s.id.as_str(), s.about.spec.iter().map(String::as_str).collect())))
        }
        (What::Oracles, true) => clauses(registry.oracles().map(|o| (o.id, o.clauses.to_vec()))),
        (What::Scenarios, false) => scenarios.iter().map(|scenario| of_scenario(scenario)).collect(),
        (What::Oracles, false) => registry.oracles().map(|o| row([o.id, o.kind.name(), o.doc])).collect(),
        (What::Targets, _) => targets(&registry)?,
        (What::Flaws, _) => registry.flaws.iter().map(|(name, doc)| row([name, doc])).collect(),
        (What::Guidance, _) => guidance(&scenarios)?,
        (What::Attacks, _) => attacks(&scenarios),
        (What::Verbs, _) => verbs(&registry),
        (What::Behaviours, _) => behaviours(&registry),
        (What::Capabilities, _) => capabilities(&registry),
        (What::Cases, _) => case_lists(&registry, &scenarios),
    };
    if by_clause {
        rows.sort();
    }
    print(&rows);
    Ok(ExitCode::Fine)
}

/// The statements of the standards that a run is about, and what it has armed.
fn of_run(run: Option<&PathBuf>) -> Result<ExitCode, Failure> {
    let run = run.ok_or_else(|| Failure::new(ExitCode::Usage, "list what? see proofhouse list --help"))?;
    if let Ok(what) = What::from_str(&run.to_string_lossy(), true) {
        let name = what.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        return Err(Failure::new(ExitCode::Usage, format!("no run is called so: proofhouse list {name} --by-clause")));
    }
    let records = Journal::read(run).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let results = fold("", &records);
    let of: BTreeMap<&str, &ArmedRow> = results.statements.iter().map(|row| (row.clause.as_str(), row)).collect();
    let is_about = |document: &Document| results.coverage.iter().any(|row| row.document == document.name);
    let statements = documents().filter(is_about).flat_map(Document::statements);
    print(&statements.map(|one| statement(one, of.get(one.clause).copied())).collect::<Vec<_>>());
    for row in &results.coverage {
        say!("{}: {} of {} armed", row.document, row.armed, row.of);
    }
    Ok(ExitCode::Fine)
}

fn statement(of: Statement, armed: Option<&ArmedRow>) -> Row {
    let state = match (armed, of.unseen, of.duty) {
        (Some(row), ..) if row.broken > 0 => format!("broken {} of {}", row.broken, row.armed),
        (Some(row), ..) => format!("armed {}", row.armed),
        (None, "", "client") => "not asked: it binds clients".to_owned(),
        (None, "", _) => "not armed".to_owned(),
        (None, why, _) => format!("not asked: {why}"),
    };
    let by = armed.map(|row| row.by.join(", ")).unwrap_or_default();
    row([of.clause, of.duty, &state, &by])
}

fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(str::to_owned).to_vec()
}

/// A line for each clause, then who serves it.
fn clauses<'a>(all: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> Vec<Row> {
    all.flat_map(|(id, clauses)| clauses.into_iter().map(move |clause| row([clause, id]))).collect()
}

fn of_scenario(scenario: &Scenario) -> Row {
    let cases = format!("{} case(s)", scenario.cases.len());
    row([&scenario.id, &scenario.about.attack, scenario.about.level.name(), &cases, &scenario.title])
}

fn targets(registry: &Registry) -> Result<Vec<Row>, Failure> {
    let of = |name: String| {
        let target = library::target(&name, &[], registry)?;
        let end = |e: &Endpoint| format!("{} {} {}", e.name, e.protocol, e.versions.join("+")).trim_end().to_owned();
        let ends: Vec<String> = target.spec.endpoints.iter().map(end).collect();
        let head = target.text.lines().next().unwrap_or_default().trim_start_matches("# ");
        Ok(row([&name, &ends.join(", "), head]))
    };
    library::target_names().into_iter().map(of).collect()
}

fn guidance(scenarios: &[Arc<Scenario>]) -> Result<Vec<Row>, Failure> {
    let of = |guidance: &proofhouse_core::guidance::Row| {
        let serving = scenarios.iter().filter(|s| s.about.guidance.contains(&guidance.id)).map(|s| s.id.as_str());
        row([&guidance.id, &guidance.code, &guidance.title, &serving.collect::<Vec<_>>().join(" ")])
    };
    Ok(library::guidance()?.iter().map(of).collect())
}

fn attacks(scenarios: &[Arc<Scenario>]) -> Vec<Row> {
    let mut attacks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for scenario in scenarios.iter().filter(|scenario| !scenario.about.attack.is_empty()) {
        attacks.entry(&scenario.about.attack).or_default().push(&scenario.id);
    }
    attacks.into_iter().map(|(id, of)| row([id, &of.join(" ")])).collect()
}

fn verbs(registry: &Registry) -> Vec<Row> {
    let own = registry.protocols.iter().flat_map(|p| p.verbs.iter().map(|v| (p.name, v)));
    let all = script::VERBS.iter().map(|v| ("any", v)).chain(own);
    all.map(|(protocol, verb)| row([verb.name, protocol, verb.doc])).collect()
}

fn behaviours(registry: &Registry) -> Vec<Row> {
    let own = registry.protocols.iter().flat_map(|p| p.behaviours.iter().map(|b| (p.name, b)));
    let all = script::BEHAVIOURS.iter().map(|b| ("any", b)).chain(own);
    all.map(|(protocol, behaviour)| row([behaviour.name, protocol, behaviour.doc])).collect()
}

fn capabilities(registry: &Registry) -> Vec<Row> {
    let of = |name: String| {
        let all = registry.protocols.iter().flat_map(|p| p.capabilities.iter().map(|c| (p.name, c)));
        let told: Vec<_> = all.filter(|(_, c)| c.name == name).collect();
        let doc: Vec<String> = told.iter().map(|(protocol, c)| format!("{protocol}: {}", c.doc)).collect();
        let how = if told.iter().any(|(_, c)| c.probe.is_some()) { "tried out" } else { "declared" };
        row([&name, how, &doc.join("; ")])
    };
    capability_names(registry).into_iter().map(of).collect()
}

fn case_lists(registry: &Registry, scenarios: &[Arc<Scenario>]) -> Vec<Row> {
    let of = |list: &CaseList| {
        let using = |s: &&Arc<Scenario>| s.tree.find("cases").and_then(|c| c.text()) == Some(list.name);
        let using: Vec<&str> = scenarios.iter().filter(using).map(|s| s.id.as_str()).collect();
        row([list.name, &using.join(" ")])
    };
    registry.protocols.iter().flat_map(|p| p.case_lists).map(of).collect()
}

/// `scenarios/README.md`.
fn index(scenarios: &[Arc<Scenario>]) -> String {
    let mut text = INDEX_HEAD.to_owned();
    for s in scenarios {
        let twins: Vec<&str> = s.twins.iter().map(|(flaw, _)| flaw.as_str()).collect();
        text += &format!(
            "| [{id}]({id}.toml) | {attack} | {level} | {cases} | {title} | {twins} |\n",
            id = s.id,
            attack = s.about.attack,
            level = s.about.level,
            cases = s.cases.len(),
            title = s.title,
            twins = twins.join(", ")
        );
    }
    text
}

/// What stands above the table: the how-to.
pub const INDEX_HEAD: &str = concat!(
    include_str!("../../../../scenarios/_howto.md"),
    "
## What there is

This table is printed by `proofhouse list scenarios --markdown`.

| scenario | attack | level | cases | what must hold | planted flaws that it must catch |
|---|---|---|--:|---|---|
"
);

/// Columns as wide as their widest cell; the last one runs on.
fn print(rows: &[Row]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say!("{}", cells.join("  ").trim_end());
    }
}
