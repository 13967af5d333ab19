//! The command line.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::exit_code;

mod files;
mod finished;
mod run;
mod served;
mod told;

pub use files::{Completions, Man, New, NewScenario, NewTarget, Schema, SchemaOf, Spoken, SpokenOne};
pub use finished::{Judge, Replay, Report, Shrink};
pub use run::Run;
pub use served::{Reference, Serve, Served};
pub use told::{Document, Keep, Level, Print};

/// Attack simulation, conformance and reproducible security findings for IoT protocol stacks.
#[derive(Debug, Parser)]
#[command(name = "proofhouse", version, max_term_width = 110, propagate_version = true)]
#[command(after_help = exit_code::TABLE)]
#[command(after_long_help = concat!("Examples:
  proofhouse run                                        the baseline suite against the embedded broker and CoAP server
  proofhouse run mqtt/mc-03-takeover --target mosquitto one scenario against mosquitto from your PATH
  proofhouse run --target mqtt://127.0.0.1:1883         everything against a broker that runs already
  proofhouse replay runs/latest/findings/F-3f9a1c27-*   does it still happen?
  proofhouse list scenarios                             what there is
"))]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios against targets; with nothing else, the baseline suite against the embedded broker and CoAP server
    Run(Run),
    /// Run a finding's smallest scenario again: 100 while its rule fails, 0 once it is fixed
    Replay(Replay),
    /// Judge the stored transcripts of a run again, without a network
    Judge(Judge),
    /// Cut a finding's scenario down further
    Shrink(Shrink),
    /// Write the documents of a run again from its journal
    Report(Report),
    /// List scenarios, targets, oracles, flaws, guidance, attacks, verbs, behaviours or capabilities
    List(List),
    /// Explain a scenario, oracle, flaw, target, guidance row, verb, behaviour or key; or the how-to
    Explain(Explain),
    /// Write a scenario or target file to begin with
    #[command(subcommand)]
    New(New),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
    /// Write manual pages
    Man(Man),
    /// Prove the prover: every scenario against its planted flaws, the clean reference and the blank targets
    Validate(Validate),
    /// Say what this machine allows and which targets are installed
    Doctor(Doctor),
    /// Serve an embedded target (used by target files with program = "{self}")
    #[command(hide = true)]
    Serve(Serve),
    /// Kill a process group when standard input ends
    #[command(hide = true)]
    Supervise,
}

/// `list`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Examples:
  proofhouse list scenarios
  proofhouse list oracles --by-clause
  proofhouse list --by-clause runs/latest
")]
pub struct List {
    /// What to list
    #[arg(value_enum, required_unless_present = "by_clause")]
    pub what: Option<What>,
    /// One line per clause, for oracles and scenarios; with the folder of a run: the statements of the standards, and which of them the
    /// run has armed (a statement is armed where keeping and breaking it were both possible)
    #[arg(long, value_name = "RUN")]
    #[expect(clippy::option_option, reason = "no flag, a flag, a flag with a value")]
    pub by_clause: Option<Option<PathBuf>>,
    /// For scenarios: the index that stands in scenarios/README.md
    #[arg(long, conflicts_with = "by_clause")]
    pub markdown: bool,
    /// More scenarios, from a folder; may be repeated
    #[arg(long, value_name = "DIR")]
    pub scenarios: Vec<PathBuf>,
}

/// What `list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Scenarios with attack, level and title
    Scenarios,
    /// Embedded target files
    Targets,
    /// Rules
    Oracles,
    /// Planted flaws of the reference targets
    Flaws,
    /// Rows of published guidance, and the scenarios that serve them
    Guidance,
    /// Attack ids, and the scenarios that implement them
    Attacks,
    /// Steps of scripts
    Verbs,
    /// What fleets can do
    Behaviours,
    /// What scenarios need and targets claim
    Capabilities,
    /// Named lists of cases
    Cases,
}

/// `explain`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Examples:
  proofhouse explain mqtt/mc-03-takeover
  proofhouse explain closes-in-time
  proofhouse explain keeps-both-sessions          a planted flaw, and who must catch it
  proofhouse explain within                       a key, wherever it may stand
  proofhouse explain how-to                       from an idea to a scenario that is proven
", after_help = exit_code::TABLE)]
pub struct Explain {
    /// Id of anything that `list` shows, a key of a scenario or target file, or how-to
    pub id: String,
    /// More scenarios, from a folder; may be repeated
    #[arg(long, value_name = "DIR")]
    pub scenarios: Vec<PathBuf>,
}

/// `validate`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "TP, FN: (twin, seed) that every rule named for the twin caught, in some case, or that one missed. TN, FP: (case, seed)
of the clean reference that passed, or failed. Sensitivity and specificity come with the exact one-sided 95 % lower
bound; what is undecided counts against them. Anything that is not as it must be makes the exit code 6.

Examples:
  proofhouse validate
  proofhouse validate 'mqtt/mb-*' --seeds 20 --rows
  proofhouse validate --format json --out validation.json
  proofhouse validate mine/first --scenarios my-scenarios
  proofhouse validate --live                  the twins also as child processes over real sockets
", after_help = exit_code::TABLE)]
pub struct Validate {
    /// Scenario ids or globs, attack ids, or guidance rows
    pub selector: Vec<String>,
    /// Seeds per (scenario, twin); the clean target gets as many
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Also every twin over real sockets, as a child process
    #[arg(long)]
    pub live: bool,
    /// Every flaw against every scenario, not only the twins
    #[arg(long)]
    pub full: bool,
    /// Every row, not only those that are not as they must be
    #[arg(long)]
    pub rows: bool,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Shown::Table)]
    pub format: Shown,
    /// File for it, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Simulated trials side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// More scenarios, from a folder; one with a known id stands in for it; may be repeated
    #[arg(long, value_name = "DIR")]
    pub scenarios: Vec<PathBuf>,
    /// No progress on standard error
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a validation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// For people
    Table,
    /// For machines, stable
    Json,
}

/// `doctor`
#[derive(Debug, ClapArgs)]
pub struct Doctor {}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
