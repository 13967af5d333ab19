//! `run`.
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Document, Keep, Level, Print};
use crate::exit_code;

/// `run`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = concat!("Selectors are scenario ids (globs too), attack ids or guidance rows; none selects everything but mqtt/bench.

Examples:
  proofhouse run
  proofhouse run 'mqtt/mc-*' MA-01 --target mosquitto --target rumqttd --seeds 3
  proofhouse run HRD-1 --target ./my-broker.toml --fail-on should --out runs/mine
  proofhouse run --target mqtt://127.0.0.1:1883
  proofhouse run --target mosquitto --format html,junit --format sarif
  proofhouse run --target reference --flaw keeps-both-sessions mc-03*
  proofhouse run --resume runs/2026-11-22T10-00-00Z
"), after_help = exit_code::TABLE)]
pub struct Run {
    /// Scenario ids or globs, attack ids, or guidance rows
    pub selector: Vec<String>,
    /// Name of an embedded target, a target file, or a URL such as mqtt://127.0.0.1:1883; may be repeated. A server that runs
    /// already has one run at a time: another one on this machine waits, and says for which process. Where one of several
    /// targets does not start, its trials are not run, and the others are
    #[arg(long, value_name = "NAME|FILE|URL")]
    pub target: Vec<String>,
    /// Plant a flaw in an in-process target; may be repeated
    #[arg(long, value_name = "NAME")]
    pub flaw: Vec<String>,
    /// Seed of the first trial of every case
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many seeds, counted up from the first
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Only cases with this name (a glob)
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Folder for what the run leaves; default runs/TIME
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Documents to write, a list or repeated; results.json always is
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_values_t = Document::ALL)]
    pub format: Vec<Document>,
    /// What to print on standard output at the end
    #[arg(long, value_enum, default_value_t = Print::Summary)]
    pub print: Print,
    /// Findings of this level and above make the exit code 100 [default: must; of a resumed run, what it began with]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// A finished run: what it found already does not count for the exit code
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    /// Run only this part of the trials, such as 2/4
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(u32, u32)>,
    /// Go on with a run that was killed or interrupted
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "shard", "seed", "seeds", "target", "flaw", "selector", "case"])]
    pub resume: Option<PathBuf>,
    /// Trials side by side: live ones mostly wait, and as many start at once as there are processors [default: 24 for each
    /// processor, at most 96]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Memory for the records of all trials side by side, in MiB; a trial that finds none left is inconclusive
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..))]
    pub memory: u32,
    /// Live replays that confirm a failure (more than half of them, and two thirds of those that
    /// took place, must show it; one of more than six seconds is run as often as decides it)
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub replays: u32,
    /// Which trials are kept on disk
    #[arg(long, value_enum, default_value_t = Keep::All)]
    pub keep: Keep,
    /// More scenarios, from a folder; may be repeated
    #[arg(long, value_name = "DIR")]
    pub scenarios: Vec<PathBuf>,
    /// Repeat an address off loopback that the target file names with its owner
    #[arg(long, value_name = "ADDRESS")]
    pub i_own: Vec<String>,
    /// Print the trials and how long they take, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// This process is watched by one that writes what was found if memory runs out
    #[arg(long, hide = true)]
    pub guarded: bool,
    /// No progress on standard error
    #[arg(long, short)]
    pub quiet: bool,
}

fn shard(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if 1 <= i && i <= n => Ok((i, n)),
        _ => Err("a shard reads I/N with 1 <= I <= N, such as 2/4".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_has_two_numbers_in_order() {
        assert_eq!(shard("2/4"), Ok((2, 4)));
        for wrong in ["0/4", "5/4", "2", "a/b", "1/0"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
