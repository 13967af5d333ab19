//! One file per command.
mod completions;
mod doctor;
mod explain;
mod judge;
mod list;
mod new;
mod replay;
mod report;
mod run;
mod schema;
mod serve;
mod shrink;
mod under_limit;
mod validate;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proofhouse_live::clock::Stopwatch;

use crate::args::{Args, Command};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library::Target;
use crate::say::tell;

/// Does what the command line says.
pub fn run(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Report(args) => report::run(&args),
        Command::List(args) => list::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::New(args) => new::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => completions::man(&args),
        Command::Doctor(_) => doctor::run(),
        Command::Serve(args) => serve::run(args),
        Command::Supervise => proofhouse_live::supervise(),
    }
}

/// Waits until no other process of this machine plays on these targets where they run elsewhere.
fn alone<'t>(
    targets: impl Iterator<Item = &'t Target>,
    live: &proofhouse_live::LiveOptions,
) -> Result<proofhouse_live::Alone, Failure> {
    // Said also where no progress is: nothing would show why nothing happens.
    Ok(proofhouse_live::Alone::with(targets.map(|target| &*target.spec), live, &|line| tell!("{line}"))?)
}

/// `timeout(1)` signals the process and then its group: what comes this soon after the first is the first again.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// A flag that Ctrl-C, SIGTERM and SIGHUP set; the second one ends the process at once (targets die with their supervisor).
fn interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let mut first: Option<Stopwatch> = None;
    ctrlc::set_handler(move || {
        if let Some(first) = &first {
            if first.elapsed() >= SAME_SIGNAL {
                std::process::exit(i32::from(ExitCode::Interrupted as u8));
            }
            return;
        }
        first = Some(Stopwatch::start());
        set.store(true, Ordering::Relaxed);
        tell!("\ninterrupted: writing what was found (again to stop at once)");
    })
    .map_err(|e| Failure::new(ExitCode::Bug, format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(flag)
}
