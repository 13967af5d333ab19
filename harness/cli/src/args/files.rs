//! Commands that write files for people and their editors.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::exit_code;

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
