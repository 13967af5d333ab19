//! `proofhouse validate`: proves the prover. Every scenario must fail on its planted flaws by the named rules, pass on the
//! clean reference, and pass on none of the blank targets.
mod numbers;
mod rows;
mod told;

use std::sync::atomic::Ordering;

use proofhouse_core::verdict::Verdict;
use proofhouse_live::run::Runner;

use crate::args::Validate;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::registry::registry;
use crate::say::tell;
use crate::{library, select};
use rows::Row;
use told::{Told, Validation};

/// Runs the command.
pub fn run(args: &Validate) -> Result<ExitCode, Failure> {
    let registry = registry();
    let all = library::scenarios(&args.scenarios, &registry)?;
    let chosen = select::scenarios(&all, &args.selector)?;
    let interrupt = super::interrupt()?;
    let live = proofhouse_live::LiveOptions::new(interrupt.clone(), Vec::new());
    let runner = Runner::new(&registry, live);

    let mut rows: Vec<Row> = Vec::new();
    for scenario in &chosen {
        rows.extend(rows::of(scenario, args, &registry)?);
    }
    let jobs = args.jobs.map_or_else(cores, usize::from);
    rows::play(&mut rows, &runner, jobs, args.quiet, &interrupt);

    let finished = !interrupt.load(Ordering::Relaxed);
    let mut validation = Validation::of(&rows, args, finished);
    if args.selector.is_empty() {
        let named = |flaw: &str| chosen.iter().any(|s| s.twins.iter().any(|(twin, _)| twin == flaw));
        let unused = registry.flaws.iter().filter(|(flaw, _)| !named(flaw));
        validation.flaws_without_a_scenario = unused.map(|(flaw, _)| (*flaw).to_owned()).collect();
    }
    told::tell(&validation, args)?;
    let panicked = |row: &&Row| row.came_to(Verdict::Error) > 0;
    for row in rows.iter().filter(panicked) {
        let (times, id) = (row.came_to(Verdict::Error), &row.scenario.id);
        tell!("{} bug in Proofhouse: {times} trial(s) of {id} on {} panicked", crate::style::error("error:"), row.name);
    }
    if rows.iter().any(|row| panicked(&row)) {
        return Ok(ExitCode::Bug);
    }
    Ok(match (finished, validation.scenarios.iter().all(Told::good)) {
        (false, _) => ExitCode::Interrupted,
        (true, true) => ExitCode::Fine,
        (true, false) => ExitCode::Undecided,
    })
}

/// Trials in the simulator wait for nothing, so there is no use in more threads than cores.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
