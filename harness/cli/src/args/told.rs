//! How a run is told: its documents, its summary, what counts and what is kept.
use clap::ValueEnum;
use proofhouse_core::severity;
use serde::{Deserialize, Serialize};

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
