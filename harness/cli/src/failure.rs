//! One clear line and an exit code: how every command fails.
use std::fmt;
use std::path::Path;

use proofhouse_core::document::LoadError;
use proofhouse_live::RunError;
use proofhouse_live::run::CampaignError;
use proofhouse_live::run::folder::FileError;

use crate::exit_code::ExitCode;

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// Its exit code.
    pub code: ExitCode,
    message: String,
}

impl Failure {
    /// A failure with its code.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    /// A file that cannot be read.
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
        Failure::new(ExitCode::BadFile, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        Failure::new(ExitCode::BadFile, error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        Failure::new(ExitCode::of(error.exit_code()).unwrap_or(ExitCode::NoTarget), error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        Failure::new(ExitCode::NoOutput, format!("cannot write {error}"))
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Failure {
        let code = match error {
            CampaignError::Other(_) => ExitCode::Usage,
            _ => ExitCode::NoOutput,
        };
        Failure::new(code, error.to_string())
    }
}
