//! `proofhouse list`: what there is, one line each.
use std::collections::BTreeMap;
use std::sync::Arc;

use proofhouse_core::scenario::Scenario;

use crate::args::{List, What};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;

/// Runs the command.
pub fn run(args: &List) -> Result<ExitCode, Failure> {
    let registry = registry();
    let scenarios = library::scenarios(&args.scenarios, &registry)?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    match args.what {
        What::Scenarios if args.markdown => {
            anstream::print!("{}", index(&scenarios));
        }
        What::Scenarios if args.by_clause => {
            for scenario in &scenarios {
                rows.extend(scenario.about.spec.iter().map(|clause| vec![clause.clone(), scenario.id.clone()]));
            }
            rows.sort();
        }
        What::Scenarios => rows.extend(scenarios.iter().map(|s| {
            let cases = format!("{} case(s)", s.cases.len());
            vec![s.id.clone(), s.about.attack.clone(), s.about.level.clone(), cases, s.title.clone()]
        })),
        What::Targets => {
            for name in library::target_names() {
                let target = library::target(&name, &[], &registry)?;
                let ends: Vec<String> = target
                    .spec
                    .endpoints
                    .iter()
                    .map(|e| format!("{} {} {}", e.name, e.protocol, e.versions.join("+")))
                    .collect();
                rows.push(vec![
                    name,
                    ends.join(", "),
                    target.text.lines().next().unwrap_or_default().trim_start_matches("# ").into(),
                ]);
            }
        }
        What::Oracles if args.by_clause => {
            for oracle in registry.oracles() {
                rows.extend(oracle.clauses.iter().map(|clause| vec![(*clause).into(), oracle.id.into()]));
            }
            rows.sort();
        }
        What::Oracles => {
            rows.extend(registry.oracles().map(|o| vec![o.id.into(), o.kind.into(), o.doc.into()]));
        }
        What::Flaws => rows.extend(registry.flaws.iter().map(|(name, doc)| vec![(*name).into(), (*doc).into()])),
        What::Guidance => {
            for row in library::guidance()? {
                let serving: Vec<&str> =
                    scenarios.iter().filter(|s| s.about.guidance.contains(&row.id)).map(|s| s.id.as_str()).collect();
                rows.push(vec![row.id, row.code, row.title, serving.join(" ")]);
            }
        }
        What::Attacks => {
            let mut attacks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for scenario in &scenarios {
                attacks.entry(&scenario.about.attack).or_default().push(&scenario.id);
            }
            rows.extend(
                attacks.into_iter().filter(|(id, _)| !id.is_empty()).map(|(id, of)| vec![id.into(), of.join(" ")]),
            );
        }
    }
    print(&rows);
    Ok(ExitCode::Fine)
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

const INDEX_HEAD: &str = "\
# Scenarios

Data only: one TOML 1.0 file each, no loops, no expressions. A new one begins as a copy of [_template.toml](_template.toml); it is done when
`proofhouse validate ID --scenarios DIR` shows every twin caught and the clean reference spared. `proofhouse explain ID` prints one with
everything that is known about it. `bench/` is run by name only. `guidance/` holds the rows of published guidance that scenarios serve.

This table is printed by `proofhouse list scenarios --markdown`.

| scenario | attack | level | cases | what must hold | planted flaws that it must catch |
|---|---|---|--:|---|---|
";

/// Columns as wide as their widest cell; the last one runs on.
fn print(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        anstream::println!("{}", cells.join("  ").trim_end());
    }
}
