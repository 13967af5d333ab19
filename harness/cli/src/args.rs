//! The command line.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use proofhouse_core::severity;
use serde::{Deserialize, Serialize};

use crate::exit_code;

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
    /// Name of an embedded target, a target file, or a URL such as mqtt://127.0.0.1:1883; may be repeated
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
    /// Live replays that confirm a failure (at least two thirds must agree)
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

/// `replay`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Examples:
  proofhouse replay runs/x/findings/F-3f9a1c27-rumqttd
  proofhouse replay runs/x/findings/F-3f9a1c27-rumqttd --times 10
  proofhouse replay runs/x/findings/F-3f9a1c27-reference --target reference    without the flaw: is it gone?

Another failure of the same rule is said, and is 100 too: the finding has changed its face, and is not fixed.
", after_help = exit_code::TABLE)]
pub struct Replay {
    /// Folder of the finding
    pub finding: PathBuf,
    /// Another target than the one it was found on (a planted flaw is left out then)
    #[arg(long, value_name = "NAME|FILE|URL")]
    pub target: Option<String>,
    /// Plant a flaw in an in-process target; may be repeated
    #[arg(long, value_name = "NAME")]
    pub flaw: Vec<String>,
    /// How often
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: u32,
    /// Repeat an address off loopback that the target file names with its owner
    #[arg(long, value_name = "ADDRESS")]
    pub i_own: Vec<String>,
}

/// `judge`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Example:
  proofhouse judge runs/latest
", after_help = exit_code::TABLE)]
pub struct Judge {
    /// Folder of the run
    pub run: PathBuf,
}

/// `shrink`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Example:
  proofhouse shrink runs/latest/findings/F-3f9a1c27-mosquitto --budget 200
", after_help = exit_code::TABLE)]
pub struct Shrink {
    /// Folder of the finding
    pub finding: PathBuf,
    /// How many trials it may cost
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub budget: u32,
    /// Repeat an address off loopback that the target file names with its owner
    #[arg(long, value_name = "ADDRESS")]
    pub i_own: Vec<String>,
}

/// `report`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Everything is read from the run's folder; no target is started and no trial judged again.

Examples:
  proofhouse report runs/latest
  proofhouse report runs/latest --format html,junit
  proofhouse report runs/latest --fail-on should --baseline runs/last-week
", after_help = exit_code::TABLE)]
pub struct Report {
    /// Folder of the run
    pub run: PathBuf,
    /// Documents to write, a list or repeated; results.json always is
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_values_t = Document::ALL)]
    pub format: Vec<Document>,
    /// Findings of this level and above count [default: what the run was asked for]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// A finished run: what it found already does not count
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
}

/// `list`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Examples:
  proofhouse list scenarios
  proofhouse list oracles --by-clause
")]
pub struct List {
    /// What to list
    #[arg(value_enum)]
    pub what: What,
    /// For oracles and scenarios: one line per clause
    #[arg(long)]
    pub by_clause: bool,
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

/// `new`
#[derive(Debug, Subcommand)]
pub enum New {
    /// A scenario that loads and passes its validation, to be changed into yours
    Scenario(NewScenario),
    /// A target file: a program that we start, or something that runs already
    Target(NewTarget),
}

/// `new scenario`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Nothing is overwritten.

Examples:
  proofhouse new scenario mqtt/mc-99-odd-will
  proofhouse new scenario coap/cb-99-echo-reuse --out my-scenarios
  proofhouse new scenario lab/first --protocol mixed --attack CA-04
", after_help = exit_code::TABLE)]
pub struct NewScenario {
    /// Its id: folder/name, in small letters, digits and -
    pub id: String,
    /// Which template [default: the id's first folder, else mqtt]
    #[arg(long, value_enum)]
    pub protocol: Option<Spoken>,
    /// Id in the catalogue of attacks [default: from an id such as mqtt/ma-99-odd-name]
    #[arg(long, value_name = "ID")]
    pub attack: Option<String>,
    /// Folder of scenarios
    #[arg(long, value_name = "DIR", default_value = "scenarios")]
    pub out: PathBuf,
}

/// `new target`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Nothing is overwritten.

Examples:
  proofhouse new target my-broker --program mosquitto --arg=-p --arg={port}
  proofhouse new target my-sensor --program ./sensor --protocol coap
  proofhouse new target lab-broker --url mqtt://127.0.0.1:1883
", after_help = exit_code::TABLE)]
pub struct NewTarget {
    /// Its name, which is its file's
    pub name: String,
    /// Program to start for every trial
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub program: Option<String>,
    /// One argument of the program, {port} for a free port; repeated, in order [default: -p {port}]
    #[arg(long, value_name = "WORD", conflicts_with = "url", allow_hyphen_values = true)]
    pub arg: Vec<String>,
    /// Where it runs already
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// What it speaks [default: what the URL says, else mqtt]
    #[arg(long, value_enum)]
    pub protocol: Option<SpokenOne>,
    /// Folder for the file
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// Protocols that a scenario can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Spoken {
    /// MQTT
    Mqtt,
    /// CoAP
    Coap,
    /// Both, through a gateway
    Mixed,
}

/// The protocol of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SpokenOne {
    /// MQTT
    Mqtt,
    /// CoAP
    Coap,
}

/// `schema`
#[derive(Debug, ClapArgs)]
#[command(
    after_long_help = "Editors that know TOML (taplo, Even Better TOML) read it where the first line of a file is
  #:schema ../scenario.schema.json

Examples:
  proofhouse schema > scenario.schema.json
  proofhouse schema target > target.schema.json
"
)]
pub struct Schema {
    /// Of which kind of file
    #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
    pub of: SchemaOf,
}

/// Files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenario files
    Scenario,
    /// Target files
    Target,
    /// results.json of a run
    Results,
}

/// `completions`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Examples:
  proofhouse completions bash > ~/.local/share/bash-completion/completions/proofhouse
  proofhouse completions zsh > ~/.zfunc/_proofhouse
  proofhouse completions fish > ~/.config/fish/completions/proofhouse.fish
")]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "Example:
  proofhouse man --out man && man man/proofhouse-run.1
")]
pub struct Man {
    /// Folder for the pages
    #[arg(long, value_name = "DIR", default_value = "man")]
    pub out: PathBuf,
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

/// `serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Which target
    #[command(subcommand)]
    pub what: Served,
}

/// Embedded targets.
#[derive(Debug, Subcommand)]
pub enum Served {
    /// rumqttd
    #[command(version = "0.20.0")] // its own; targets/rumqttd.toml asks for it
    Rumqttd {
        /// Port for MQTT 3.1.1
        #[arg(long)]
        port_v4: u16,
        /// Port for MQTT 5
        #[arg(long)]
        port_v5: u16,
        /// File of users, one name:password a line, read once; without it, or when it is empty, everyone may connect
        #[arg(long)]
        users: Option<PathBuf>,
    },
    /// A server on coap-lite
    #[command(version = "0.13.3")] // its own; targets/coap-lite.toml asks for it
    CoapLite {
        /// UDP port
        #[arg(long)]
        port: u16,
    },
    /// A reference target
    Reference {
        /// Which one
        #[arg(long, value_enum, default_value_t = Reference::Broker)]
        build: Reference,
        /// Port
        #[arg(long)]
        port: u16,
        /// File with accounts and rights, read again when it changes
        #[arg(long)]
        accounts: Option<PathBuf>,
        /// Plant a flaw; may be repeated
        #[arg(long)]
        flaw: Vec<String>,
    },
}

/// Reference targets that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    /// The MQTT broker
    Broker,
    /// The CoAP server
    Coap,
}

/// A document of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// report.html: for people; one file, no script, no request
    Html,
    /// report.md: for a pull request or a wiki
    Md,
    /// junit.xml: for the test page of a CI server
    Junit,
    /// results.sarif: for code scanning
    Sarif,
    /// results.json: for machines, stable
    Json,
    /// findings/F-*/capture.pcapng: for Wireshark
    Pcap,
}

impl Document {
    /// All, in the order in which they are written.
    pub const ALL: [Document; 6] =
        [Document::Json, Document::Html, Document::Md, Document::Junit, Document::Sarif, Document::Pcap];
}

/// What is printed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Print {
    /// A summary for people
    Summary,
    /// results.json
    Json,
}

/// From which level on findings move the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// must only
    #[default]
    Must,
    /// must and should
    Should,
    /// must, should and hardening
    Hardening,
    /// none
    Never,
}

impl Level {
    /// As the command line and files write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::Hardening => "hardening",
            Level::Never => "never",
        }
    }

    /// Whether a finding of `level` counts.
    pub fn counts(self, level: severity::Level) -> bool {
        match self {
            Level::Must => level >= severity::Level::Must,
            Level::Should => level >= severity::Level::Should,
            Level::Hardening => level >= severity::Level::Hardening,
            Level::Never => false,
        }
    }
}

/// Which trials are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// Every trial, so that it can be judged again
    All,
    /// Only those that did not pass
    Findings,
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
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_shard_has_two_numbers_in_order() {
        assert_eq!(shard("2/4"), Ok((2, 4)));
        for wrong in ["0/4", "5/4", "2", "a/b", "1/0"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
