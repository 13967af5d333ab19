//! `proofhouse validate`: proves the prover. Every scenario must fail on its planted flaws by the named rule, pass on the
//! clean reference, and pass on none of the blank targets.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::trial::Outcome;
use proofhouse_core::verdict::Verdict;
use proofhouse_live::run::Runner;

use crate::args::Validate;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library::{self, Target};
use crate::registry::registry;
use crate::{select, style};

/// What became of one (scenario, flaw), counted over cases and seeds.
#[derive(Default)]
struct Cell {
    /// The named rule failed.
    caught: u32,
    /// No rule failed.
    spared: u32,
    /// Another rule failed that is not listed.
    strayed: u32,
    /// Undecided.
    open: u32,
}

/// Runs the command.
pub fn run(args: &Validate) -> Result<ExitCode, Failure> {
    let registry = registry();
    let all = library::scenarios(&args.scenarios, &registry)?;
    let chosen = select::scenarios(&all, &args.selector)?;
    let interrupt = super::interrupt()?;
    let live = proofhouse_live::LiveOptions::new(interrupt.clone(), Vec::new());
    let runner = Runner { registry: &registry, live };
    let mut wrong = 0;
    anstream::println!(
        "{:<34} {:<34} {:>7} {:>7} {:>7} {:>7}",
        "scenario",
        "target",
        "caught",
        "spared",
        "strayed",
        "open"
    );
    for scenario in &chosen {
        for (label, target, expected) in rows(scenario, args, &registry)? {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(ExitCode::Interrupted);
            }
            let seeds = if matches!(expected, Expected::NeverPassed) { 1 } else { args.seeds };
            let cell = cell(&runner, scenario, &target, &expected, seeds);
            let good = expected.good(&cell);
            wrong += u32::from(!good);
            print(&scenario.id, &label, &cell, good);
        }
    }
    unused(&chosen, &registry, args.selector.is_empty());
    anstream::println!(
        "{}",
        if wrong == 0 { "every row is as it must be" } else { "rows marked WRONG are not as they must be" }
    );
    Ok(if wrong == 0 { ExitCode::Fine } else { ExitCode::Undecided })
}

/// What must come of a row.
enum Expected {
    /// The clean target is spared.
    Spared,
    /// One of these rules fails in at least one case, and no other rule fails.
    Caught(Vec<String>),
    /// A blank target: whatever comes, it is no PASS.
    NeverPassed,
    /// Whatever comes, it is shown.
    Shown,
}

impl Expected {
    fn good(&self, cell: &Cell) -> bool {
        match self {
            Expected::Spared => cell.spared > 0 && cell.caught + cell.strayed + cell.open == 0,
            Expected::Caught(_) => cell.caught > 0 && cell.strayed == 0,
            Expected::NeverPassed => cell.spared == 0,
            Expected::Shown => true,
        }
    }
}

fn rows(scenario: &Scenario, args: &Validate, registry: &Registry) -> Result<Vec<(String, Target, Expected)>, Failure> {
    let clean = library::reference(scenario, &[], registry)?;
    let mut rows = vec![("clean".to_owned(), clean.clone(), Expected::Spared)];
    for (flaw, oracles) in &scenario.twins {
        let twin = library::reference(scenario, std::slice::from_ref(flaw), registry)?;
        rows.push((flaw.clone(), twin, Expected::Caught(oracles.clone())));
        if args.live
            && let Some(twin) = library::live_reference(&clean, flaw, registry)?
        {
            rows.push((format!("{flaw} (live)"), twin, Expected::Caught(oracles.clone())));
        }
    }
    for blank in library::blanks(scenario, registry)? {
        rows.push((blank.spec.name.clone(), blank, Expected::NeverPassed));
    }
    if args.full {
        let others = registry.flaws.iter().filter(|(name, _)| !scenario.twins.iter().any(|(twin, _)| twin == name));
        for (flaw, _) in others {
            rows.push((
                (*flaw).to_owned(),
                library::reference(scenario, &[(*flaw).to_owned()], registry)?,
                Expected::Shown,
            ));
        }
    }
    Ok(rows)
}

fn cell(runner: &Runner<'_>, scenario: &Scenario, target: &Target, expected: &Expected, seeds: u64) -> Cell {
    let mut cell = Cell::default();
    let named: &[String] = match expected {
        Expected::Caught(oracles) => oracles,
        _ => &[],
    };
    for case in &scenario.cases {
        for seed in 1..=seeds {
            let plan = scenario.plan(&case.name, Seed(seed), &target.spec, runner.registry);
            match plan.ok().and_then(|plan| runner.outcome(plan, &target.spec).ok()) {
                Some(outcome) => count(&mut cell, &outcome, named),
                None => cell.open += 1,
            }
        }
    }
    cell
}

fn count(cell: &mut Cell, outcome: &Outcome, named: &[String]) {
    let failed: Vec<&String> =
        outcome.judgements.iter().filter(|j| j.verdict == Verdict::Fail).map(|j| &j.oracle).collect();
    if failed.iter().any(|oracle| !named.contains(oracle)) {
        cell.strayed += 1;
    } else if !failed.is_empty() {
        cell.caught += 1;
    } else if outcome.verdict() == Verdict::Pass {
        cell.spared += 1;
    } else {
        cell.open += 1;
    }
}

fn print(scenario: &str, label: &str, cell: &Cell, good: bool) {
    let mark = if good { String::new() } else { style::error("WRONG") };
    anstream::println!(
        "{scenario:<34} {label:<34} {:>7} {:>7} {:>7} {:>7}  {mark}",
        cell.caught,
        cell.spared,
        cell.strayed,
        cell.open
    );
}

/// Flaws that no scenario names as its twin.
fn unused(chosen: &[Arc<Scenario>], registry: &Registry, all: bool) {
    let named = |flaw: &str| chosen.iter().any(|s| s.twins.iter().any(|(twin, _)| twin == flaw));
    for (flaw, _) in registry.flaws.iter().filter(|(flaw, _)| all && !named(flaw)) {
        anstream::println!("{:<34} {flaw:<34} no scenario's twin", "-");
    }
}
