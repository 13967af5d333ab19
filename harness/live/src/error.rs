//! Why a live trial could not take place. None of these says anything about how the target behaves.
use std::fmt;
use std::io;
use std::time::Duration;

use proofhouse_core::scenario::PlanError;

use crate::limits::memory_limit;

/// Trouble outside the trial, for the person who can fix it.
#[derive(Debug)]
pub enum RunError {
    /// The target's program is not there.
    TargetMissing {
        /// As the target file names it.
        program: String,
        /// What to type to install it.
        install: Option<String>,
    },
    /// What the target file names as its program cannot be run: a folder, or no file that may be executed.
    NoProgram {
        /// As the target file names it.
        program: String,
        /// What the system says.
        reason: String,
    },
    /// The target ended before it was ready.
    DiedAtStart {
        /// `exit code 3`, or `signal 11`.
        how: String,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// The target did not show in time that it is ready.
    NotReady {
        /// What was waited for.
        probe: String,
        /// How long.
        waited: Duration,
        /// Its last log lines.
        log: Vec<String>,
        /// The machine was too busy to run it: that is ours, and worth another try alone.
        overloaded: bool,
    },
    /// Somebody else listens on the port that the target was given, three times over.
    PortInUse {
        /// The port.
        port: u16,
    },
    /// Nothing answers where the target should be.
    Unreachable {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// Traffic to this address is not allowed.
    Guard {
        /// The address.
        address: String,
        /// What is missing.
        reason: String,
    },
    /// The target gives fewer accounts than the scenario has parties.
    Accounts {
        /// Parties of the scenario.
        needs: usize,
        /// Accounts of the target that fit.
        gives: usize,
    },
    /// An account could not be made.
    Account {
        /// What was being done: `add account "owner"`.
        doing: String,
        /// What came instead.
        reason: String,
    },
    /// A command of the target file did not end in time. It says nothing about the target.
    Command {
        /// What it is for: `version`.
        what: &'static str,
        /// The command.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The variable that holds an account's password is not set.
    Secret {
        /// Name of the environment variable.
        variable: String,
    },
    /// A password that cannot be hidden without hiding something else.
    Unmaskable {
        /// Name of the environment variable.
        variable: String,
        /// Why, without a word of it.
        why: String,
    },
    /// The plan of an arm could not be made.
    Plan(PlanError),
    /// An in-process target could not be built.
    Build(String),
    /// Our own machine refused something.
    Io {
        /// What was being done.
        doing: String,
        /// What the system says.
        error: io::Error,
    },
    /// The user wants to stop.
    Interrupted,
}

impl RunError {
    /// Wraps what the system says: `.map_err(RunError::io("write /tmp/x"))`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RunError {
        let doing = doing.into();
        move |error| RunError::Io { doing, error }
    }

    /// The same error with other words where it shows what somebody else has said.
    pub(crate) fn map_text(self, map: impl Fn(&str) -> String) -> RunError {
        let all = |lines: Vec<String>| lines.iter().map(|line| map(line)).collect();
        match self {
            RunError::DiedAtStart { how, log } => RunError::DiedAtStart { how, log: all(log) },
            RunError::NotReady { probe, waited, log, overloaded } => {
                RunError::NotReady { probe: map(&probe), waited, log: all(log), overloaded }
            }
            RunError::Account { doing, reason } => RunError::Account { doing: map(&doing), reason: map(&reason) },
            RunError::Command { what, command, limit } => RunError::Command { what, command: map(&command), limit },
            RunError::Io { doing, error } => RunError::Io { doing: map(&doing), error },
            other => other,
        }
    }

    /// Exit code of a command that ends with this: 2 refused for safety, 3 a file is wrong, 5 the target did not start, 6 not run,
    /// 8 our own files, 130 interrupted.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Guard { .. } => 2,
            RunError::Build(_) | RunError::Plan(PlanError::Load(_)) => 3,
            RunError::TargetMissing { .. }
            | RunError::NoProgram { .. }
            | RunError::DiedAtStart { .. }
            | RunError::NotReady { .. }
            | RunError::PortInUse { .. }
            | RunError::Unreachable { .. }
            | RunError::Account { .. }
            | RunError::Command { .. }
            | RunError::Secret { .. }
            | RunError::Unmaskable { .. } => 5,
            RunError::Accounts { .. } | RunError::Plan(PlanError::Unmet(_)) => 6,
            RunError::Io { .. } => 8,
            RunError::Interrupted => 130,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::TargetMissing { program, install: Some(install) } => {
                write!(f, "the target's program {program:?} was not found; install it with: {install}")
            }
            RunError::TargetMissing { program, install: None } => {
                write!(f, "the target's program {program:?} was not found; is it installed, and in PATH?")
            }
            RunError::NoProgram { program, reason } => {
                write!(
                    f,
                    "the target's program {program:?} cannot be run ({reason}): is it a file, and may you execute it?"
                )
            }
            RunError::DiedAtStart { how, log } => {
                write!(f, "the target ended with {how} before it was ready{}", tail(log))
            }
            RunError::NotReady { probe, waited, log, overloaded } => {
                let busy =
                    if *overloaded { "; this machine was too busy to run it: fewer --jobs may help" } else { "" };
                write!(f, "the target did not become ready: waited {waited:?} for {probe}{busy}{}", tail(log))
            }
            RunError::PortInUse { port } => {
                write!(
                    f,
                    "port {port} was taken by another program before the target could listen on it; tried 3 times"
                )
            }
            RunError::Unreachable { address, reason } => write!(f, "nothing answers at {address}: {reason}"),
            RunError::Guard { address, reason } => write!(f, "refused to send anything to {address}: {reason}"),
            RunError::Accounts { needs, gives } => {
                write!(f, "needs {needs} accounts, target gives {gives}; add [[account.given]] entries to its file")
            }
            RunError::Account { doing, reason } => write!(f, "could not {doing}: {reason}"),
            RunError::Command { what, command, limit } => {
                write!(
                    f,
                    "the {what} command of the target file, {command:?}, did not answer within {limit:?}; the target was not started"
                )
            }
            RunError::Secret { variable } => {
                write!(f, "the environment variable {variable} (password_env of the target file) is not set, or empty")
            }
            RunError::Unmaskable { variable, why } => {
                write!(
                    f,
                    "the password in {variable} {why}: hiding it would hide that too, and what the rules see would be wrong; \
                     give this account another password"
                )
            }
            RunError::Plan(PlanError::Unmet(what)) => write!(f, "the target cannot run this: {what}"),
            RunError::Plan(PlanError::Load(mistake)) => {
                write!(f, "{}:{}:{}: {}", mistake.file, mistake.line, mistake.column, mistake.message)
            }
            RunError::Build(reason) => write!(f, "the target cannot be built: {reason}"),
            RunError::Io { doing, error } => write!(f, "could not {doing}: {error}{}", way_out(error, memory_limit())),
            RunError::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl std::error::Error for RunError {}

/// What helps where our own machine is at its limit; `memory` is how many bytes this process may have.
fn way_out(error: &io::Error, memory: Option<u64>) -> String {
    const EAGAIN: i32 = 11;
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let limited = memory.map(|bytes| bytes >> 20);
    match (error.raw_os_error(), limited) {
        (Some(EMFILE), _) => "; this process may open no more: raise its limit (ulimit -n), or use fewer --jobs".into(),
        (Some(ENFILE), _) => "; this machine has no descriptors left: close something, or use fewer --jobs".into(),
        // A thread that finds no place for its stack is refused like one too many.
        (Some(EAGAIN | ENOMEM), Some(mib)) => {
            format!(
                "; this process may have {mib} MiB of memory (ulimit -v), which threads take too: allow more, or use fewer --jobs"
            )
        }
        (Some(EAGAIN), None) => {
            "; no more threads or processes are allowed: raise their limit (ulimit -u), or use fewer --jobs".into()
        }
        (Some(ENOMEM), None) => "; this machine has no memory left: use fewer --jobs".into(),
        _ => String::new(),
    }
}

/// The last log lines, below the message.
fn tail(log: &[String]) -> String {
    if log.is_empty() {
        return "; it logged nothing".into();
    }
    let mut text = String::from("; its last lines:");
    for line in log {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error =
            RunError::TargetMissing { program: "mosquitto".into(), install: Some("apt-get install mosquitto".into()) };
        assert!(error.to_string().ends_with("install it with: apt-get install mosquitto"), "{error}");
        assert_eq!(error.exit_code(), 5);
    }

    #[test]
    fn a_limit_of_ours_says_which_one_it_is() {
        let open = |number| {
            let error = io::Error::from_raw_os_error(number);
            RunError::Io { doing: "find a free port on 127.0.0.1".into(), error }.to_string()
        };
        assert!(open(24).contains("ulimit -n") && !open(24).contains("in use"), "{}", open(24));
        let said = |number, memory| way_out(&io::Error::from_raw_os_error(number), memory);
        assert!(said(11, None).contains("ulimit -u"));
        for number in [11, 12] {
            let limited = said(number, Some(400 << 20));
            assert!(limited.contains("400 MiB") && limited.contains("ulimit -v") && !limited.contains("ulimit -u"));
        }
        assert!(!open(13).contains("ulimit"), "permission denied is another matter");
    }

    #[test]
    fn a_refusal_for_safety_is_a_usage_error() {
        let error = RunError::Guard { address: "10.0.0.1:1883".into(), reason: "not loopback".into() };
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn too_few_accounts_says_both_numbers() {
        let error = RunError::Accounts { needs: 2, gives: 1 };
        assert!(error.to_string().starts_with("needs 2 accounts, target gives 1"), "{error}");
        assert_eq!(error.exit_code(), 6);
    }
}
