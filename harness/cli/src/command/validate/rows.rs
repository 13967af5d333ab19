//! What is tried: one row per scenario and target, each with all cases and seeds.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::verdict::Verdict;
use proofhouse_live::run::Runner;

use crate::args::Validate;
use crate::failure::Failure;
use crate::library::{self, Target};

/// One scenario on one target.
pub struct Row {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// Flaw or target.
    pub name: String,
    target: Target,
    /// Over real sockets, as a child process.
    pub live: bool,
    /// What must come of it.
    pub expected: Expected,
    /// Seeds for each case.
    pub seeds: u64,
    /// What came of the trials that were run, in any order.
    pub came: Vec<Came>,
}

/// What must come of a row.
pub enum Expected {
    /// The clean target is spared.
    Spared,
    /// Each of these rules fails in at least one case, and no other rule fails.
    Caught(Vec<String>),
    /// A blank target: whatever comes, it is no PASS.
    NeverPassed,
    /// Whatever comes, it is shown.
    Shown,
}

/// What came of one trial.
pub struct Came {
    /// Its seed.
    pub seed: u64,
    /// What it came to; `None`: there was no plan, or no target.
    pub verdict: Option<Verdict>,
    /// The rules that failed.
    pub failed: Vec<String>,
}

impl Row {
    /// Whether every trial was run.
    pub fn done(&self) -> bool {
        self.came.len() as u64 == self.seeds * self.scenario.cases.len() as u64
    }

    /// Trials in which a rule failed that `named` does not hold.
    pub fn strayed(&self, named: &[String]) -> u64 {
        self.count(|came| came.failed.iter().any(|oracle| !named.contains(oracle)))
    }

    /// Trials of which this holds.
    pub fn count(&self, holds: impl Fn(&Came) -> bool) -> u64 {
        self.came.iter().filter(|came| holds(came)).count() as u64
    }

    /// Trials that came to this.
    pub fn came_to(&self, verdict: Verdict) -> u64 {
        self.count(|came| came.verdict == Some(verdict))
    }
}

/// The rows of a scenario.
pub fn of(scenario: &Arc<Scenario>, args: &Validate, registry: &Registry) -> Result<Vec<Row>, Failure> {
    let row = |name: &str, target: Target, live: bool, expected: Expected| {
        let seeds = if matches!(expected, Expected::NeverPassed) { 1 } else { args.seeds };
        Row { scenario: scenario.clone(), name: name.to_owned(), target, live, expected, seeds, came: Vec::new() }
    };
    let clean = library::reference(scenario, &[], registry)?;
    let mut rows = vec![row("clean", clean.clone(), false, Expected::Spared)];
    for (flaw, oracles) in &scenario.twins {
        let twin = library::planted(&clean, flaw, registry)?;
        rows.push(row(flaw, twin, false, Expected::Caught(oracles.clone())));
        if args.live
            && let Some(twin) = library::live_reference(&clean, flaw, registry)?
        {
            rows.push(row(flaw, twin, true, Expected::Caught(oracles.clone())));
        }
    }
    for blank in library::blanks(scenario, registry)? {
        rows.push(row(&blank.spec.name.clone(), blank, false, Expected::NeverPassed));
    }
    if args.full {
        let others = registry.flaws.iter().filter(|(name, _)| !scenario.twins.iter().any(|(twin, _)| twin == name));
        for (flaw, _) in others {
            rows.push(row(flaw, library::planted(&clean, flaw, registry)?, false, Expected::Shown));
        }
    }
    Ok(rows)
}

/// One trial: place of its row, of its case, and its seed.
type Task = (usize, usize, u64);

/// Runs every trial: those of the simulator on all cores, live ones one after the other, so that nothing disturbs their clocks.
pub fn play(rows: &mut [Row], runner: &Runner<'_>, jobs: usize, quiet: bool, interrupt: &AtomicBool) {
    let tasks = |live: bool, rows: &[Row]| -> Vec<Task> {
        let of = |(at, row): (usize, &Row)| {
            let seeds = row.seeds;
            (0..row.scenario.cases.len()).flat_map(move |case| (1..=seeds).map(move |seed| (at, case, seed)))
        };
        rows.iter().enumerate().filter(|(_, row)| row.live == live).flat_map(of).collect()
    };
    let (sim, live) = (tasks(false, rows), tasks(true, rows));
    let bar = bar(sim.len() + live.len(), quiet);
    side_by_side(rows, &sim, jobs, runner, interrupt, &bar);
    side_by_side(rows, &live, 1, runner, interrupt, &bar);
    bar.finish_and_clear();
}

fn bar(of: usize, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::stderr_with_hz(5));
    let look = ProgressStyle::with_template("{bar:30} {pos}/{len} trials  {elapsed} (about {eta} left)  {msg}");
    bar.set_style(look.expect("the template is a constant that reads"));
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    } else {
        bar.enable_steady_tick(Duration::from_millis(500));
    }
    bar
}

fn side_by_side(
    rows: &mut [Row],
    tasks: &[Task],
    jobs: usize,
    runner: &Runner<'_>,
    interrupt: &AtomicBool,
    bar: &ProgressBar,
) {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    let ready: &[Row] = rows;
    let mut came: Vec<(usize, Came)> = Vec::with_capacity(tasks.len());
    let work = |tell: mpsc::Sender<(usize, Came)>| {
        while !interrupt.load(Ordering::Relaxed) {
            let Some(&(at, case, seed)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            if tell.send((at, trial(&ready[at], case, seed, runner))).is_err() {
                break;
            }
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        let begin = |tell| std::thread::Builder::new().spawn_scoped(scope, move || work(tell)).is_ok();
        if (0..jobs).filter(|_| begin(tell.clone())).count() == 0 {
            work(tell.clone()); // a machine that gives no thread has this one
        }
        drop(tell);
        for (at, one) in told {
            bar.set_message(ready[at].scenario.id.clone());
            bar.inc(1);
            came.push((at, one));
        }
    });
    for (at, one) in came {
        rows[at].came.push(one);
    }
}

fn trial(row: &Row, case: usize, seed: u64, runner: &Runner<'_>) -> Came {
    let case = &row.scenario.cases[case].name;
    let plan = row.scenario.plan(case, Seed(seed), &row.target.spec, runner.registry);
    let outcome = |plan| catch_unwind(AssertUnwindSafe(|| runner.outcome(plan, &row.target.spec)));
    let outcome = match plan.map(outcome) {
        Ok(Ok(Ok(outcome))) => outcome,
        // What it panicked of has been printed.
        Ok(Err(_)) => return Came { seed, verdict: Some(Verdict::Error), failed: Vec::new() },
        Err(_) | Ok(Ok(Err(_))) => return Came { seed, verdict: None, failed: Vec::new() },
    };
    let failed = outcome.judgements.iter().filter(|j| j.verdict == Verdict::Fail).map(|j| j.oracle.clone()).collect();
    Came { seed, verdict: Some(outcome.verdict()), failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::registry;

    #[test]
    fn a_trial_that_panics_is_an_error_of_its_row_and_ends_no_other() {
        let mut registry = registry();
        for row in &mut registry.builds {
            row.build = |_| panic!("planted by a test");
        }
        let all = library::scenarios(&[], &registry).unwrap();
        let scenario = all[0].clone();
        let target = library::reference(&scenario, &[], &registry).unwrap();
        let (name, live, expected) = ("clean".to_owned(), false, Expected::Spared);
        let mut rows = [Row { scenario, name, target, live, expected, seeds: 2, came: Vec::new() }];
        let runner = Runner::new(&registry, proofhouse_live::LiveOptions::new(Arc::default(), Vec::new()));
        play(&mut rows, &runner, 2, true, &AtomicBool::new(false));
        assert!(rows[0].done(), "every trial has come to something");
        assert_eq!(rows[0].came_to(Verdict::Error), rows[0].came.len() as u64);
    }
}
