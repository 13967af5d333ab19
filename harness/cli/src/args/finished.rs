//! Commands about what a run has left.
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Document, Level};
use crate::exit_code;

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
