//! Exit codes: documented, stable, one list.

/// What a command came to. Where several hold: 100, then 1, 8, 5, 6, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All passed.
    Fine = 0,
    /// A bug in Proofhouse, a panic too.
    Bug = 1,
    /// Wrong usage, or refused for safety.
    Usage = 2,
    /// A scenario or target file is invalid.
    BadFile = 3,
    /// Nothing was selected.
    Nothing = 4,
    /// The target did not start.
    NoTarget = 5,
    /// Some trial was inconclusive or not run.
    Undecided = 6,
    /// Evidence does not verify.
    Unverified = 7,
    /// Output cannot be written.
    NoOutput = 8,
    /// Findings at or above `--fail-on`.
    Findings = 100,
    /// Interrupted; what was found is written.
    Interrupted = 130,
}

impl ExitCode {
    /// Every one of them.
    const ALL: [ExitCode; 11] = [
        ExitCode::Fine,
        ExitCode::Bug,
        ExitCode::Usage,
        ExitCode::BadFile,
        ExitCode::Nothing,
        ExitCode::NoTarget,
        ExitCode::Undecided,
        ExitCode::Unverified,
        ExitCode::NoOutput,
        ExitCode::Findings,
        ExitCode::Interrupted,
    ];

    /// The one with this number, where a process has ended with one of ours.
    pub fn of(code: u8) -> Option<ExitCode> {
        ExitCode::ALL.into_iter().find(|known| *known as u8 == code)
    }

    /// What it says about a finished run, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Fine => "all passed, or nothing that counts was found",
            ExitCode::Bug => "a bug in Proofhouse",
            ExitCode::Usage => "wrong usage, or refused for safety",
            ExitCode::BadFile => "a scenario or target file is invalid",
            ExitCode::Nothing => "nothing was selected",
            ExitCode::NoTarget => "the target did not start",
            ExitCode::Undecided => "some trial was inconclusive or not run",
            ExitCode::Unverified => "evidence does not verify",
            ExitCode::NoOutput => "output cannot be written",
            ExitCode::Findings => "findings at or above --fail-on",
            ExitCode::Interrupted => "not finished; what was found is written, and --resume goes on",
        }
    }
}

/// For `--help`.
pub const TABLE: &str = "\
Exit codes:
    0  all passed                        6  some trial inconclusive or not run
    1  bug in Proofhouse                 7  evidence does not verify
    2  usage, or refused for safety      8  output cannot be written
    3  scenario or target file invalid 100  findings at or above --fail-on
    4  nothing selected                130  interrupted (what was found is written)
    5  target did not start";
