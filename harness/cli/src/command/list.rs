//! `proofhouse list`: what there is, one line each.
use std::collections::BTreeMap;
use std::sync::Arc;

use proofhouse_core::scenario::{Scenario, capability_names};
use proofhouse_core::script;

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
        What::Verbs => {
            rows.extend(script::VERBS.iter().map(|v| vec![v.name.into(), "any".into(), v.doc.into()]));
            let own = registry.protocols.iter().flat_map(|p| p.verbs.iter().map(|v| (p.name, v)));
            rows.extend(own.map(|(protocol, v)| vec![v.name.into(), protocol.into(), v.doc.into()]));
        }
        What::Behaviours => {
            rows.extend(script::BEHAVIOURS.iter().map(|b| vec![b.name.into(), "any".into(), b.doc.into()]));
            let own = registry.protocols.iter().flat_map(|p| p.behaviours.iter().map(|b| (p.name, b)));
            rows.extend(own.map(|(protocol, b)| vec![b.name.into(), protocol.into(), b.doc.into()]));
        }
        What::Capabilities => {
            for name in capability_names(&registry) {
                let of = || registry.protocols.iter().flat_map(|p| p.capabilities.iter().map(|c| (p.name, c)));
                let told: Vec<_> = of().filter(|(_, c)| c.name == name).collect();
                let doc = told.iter().map(|(protocol, c)| format!("{protocol}: {}", c.doc)).collect::<Vec<_>>();
                let how = if told.iter().any(|(_, c)| c.probe.is_some()) { "tried out" } else { "declared" };
                rows.push(vec![name, how.into(), doc.join("; ")]);
            }
        }
        What::Cases => {
            for list in registry.protocols.iter().flat_map(|p| p.case_lists) {
                let using = |s: &&Arc<Scenario>| s.tree.find("cases").and_then(|c| c.text()) == Some(list.name);
                let using: Vec<&str> = scenarios.iter().filter(using).map(|s| s.id.as_str()).collect();
                rows.push(vec![list.name.into(), using.join(" ")]);
            }
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
fn print(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        anstream::println!("{}", cells.join("  ").trim_end());
    }
}
