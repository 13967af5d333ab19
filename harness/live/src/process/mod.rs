//! One target process: started in a fresh folder and its own group, watched, and gone with everything that it started
//! on every way out.
pub(crate) mod command;
pub(crate) mod cpu_wait;
mod diag;
mod door;
pub mod group;
mod keeper;
pub mod log;
pub mod observed;
mod patience;
mod ready;
pub(crate) mod turns;
pub mod workplace;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proofhouse_core::target::ProcessSpec;
use proofhouse_core::transcript::{Life, is_crash};
use regex_lite::Regex;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

pub(crate) use self::command::run as run_command;
pub(crate) use self::door::Door;
use self::keeper::Keeper;
use self::log::LogBook;
use self::observed::{Observed, lock};
pub use self::workplace::Workplace;
use crate::error::RunError;
use crate::mask::Secrets;
use crate::options::LiveOptions;
use crate::supervisor::Order;

/// How a target ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Ended {
    /// The signal of a crash: its own, or the one that a shell says of its command.
    pub(crate) fn crash(self) -> Option<i32> {
        let signal = match self {
            Ended::Signal(signal) => signal,
            Ended::Code(code) => code - 128,
        };
        Some(signal).filter(|signal| is_crash(*signal))
    }

    /// Whether this is no end of one who was asked to: a crash, or a code that is neither 0 nor what a shell says of SIGINT or SIGTERM.
    pub(crate) fn is_failure(self) -> bool {
        match self {
            Ended::Signal(_) => self.crash().is_some(),
            Ended::Code(code) => ![0, 128 + 2, 128 + 15].contains(&code),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Code(code) => write!(f, "exit code {code}"),
            Ended::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A running target. Stopped when dropped.
pub struct Process {
    spec: ProcessSpec,
    doors: Vec<Door>,
    place: Arc<Workplace>,
    log: Arc<LogBook>,
    observed: Observed,
    keeper: Mutex<Arc<Keeper>>,
    version: String,
}

impl Process {
    /// Starts a target in a workplace whose accounts are made already, and waits until it is ready.
    ///
    /// # Errors
    /// `TargetMissing`, `DiedAtStart`, `NotReady`, `PortInUse` (worth another try with other ports), `Interrupted`.
    pub(crate) fn start(
        spec: &ProcessSpec,
        doors: Vec<Door>,
        place: Arc<Workplace>,
        observed: Observed,
        secrets: &Secrets,
        options: &LiveOptions,
    ) -> Result<Process, RunError> {
        let log = Arc::new(LogBook::new(observed.clone(), secrets.clone()));
        let version = version(spec, &place, options)?;
        let turn = options.host.turns().take(|| options.interrupted()).ok_or(RunError::Interrupted)?;
        ready::vacant(&doors)?;
        let keeper = spawn(spec, &place, &log, &observed, options)?;
        let process = Process { spec: spec.clone(), doors, place, log, observed, keeper: Mutex::new(keeper), version };
        process.observed.life(Life::Started { version: process.version.clone() });
        ready::wait(&process, options, Some(turn))?;
        process.is_ready();
        Ok(process)
    }

    /// Stops it and starts it again in the same workplace: what it keeps on disk stays.
    ///
    /// # Errors
    /// As a start.
    pub fn restart(&self, options: &LiveOptions) -> Result<(), RunError> {
        self.stop();
        let keeper = spawn(&self.spec, &self.place, &self.log, &self.observed, options)?;
        *lock(&self.keeper) = keeper;
        self.observed.life(Life::Started { version: self.version.clone() });
        ready::wait(self, options, None)?;
        self.is_ready();
        Ok(())
    }

    /// From now on, whoever of it serves is watched.
    fn is_ready(&self) {
        self.observed.life(Life::Ready);
        let servers = group::servers(self.group(), &self.doors);
        lock(&self.keeper).watch(servers);
    }

    /// Asks the whole group to end, then ends it. Returns when nothing of it is left and its log is read. A second call does nothing.
    pub fn stop(&self) {
        let keeper = lock(&self.keeper).clone();
        keeper.stop(&self.observed);
        // A child that has left the group may hold the log open; it is not waited for.
        self.log.drain(Duration::from_millis(500));
    }

    /// Looks once more whether all serve who served when it was ready: what happened in a round belongs to that round.
    pub fn look(&self) {
        lock(&self.keeper).count_servers(&self.observed);
    }

    /// How it ended by itself; `None` while it runs, or when we stopped it.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        lock(&self.keeper).ended()
    }

    /// Sends a signal to the target itself, not to its group.
    ///
    /// # Errors
    /// What the system says.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::kill_process(lock(&self.keeper).pid(), signal)?)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &LogBook {
        &self.log
    }

    /// Its folder and words.
    #[must_use]
    pub fn place(&self) -> &Workplace {
        &self.place
    }

    /// As it prints it; empty where unknown.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many descriptors it may open; `None` where the system does not say.
    #[must_use]
    pub fn descriptors_max(&self) -> Option<u64> {
        group::descriptors_max(self.group())
    }

    /// The number of its process group.
    #[must_use]
    pub fn group(&self) -> i32 {
        lock(&self.keeper).pid().as_raw_nonzero().get()
    }

    /// The ports that it is to serve.
    fn doors(&self) -> &[Door] {
        &self.doors
    }

    fn spec(&self) -> &ProcessSpec {
        &self.spec
    }

    /// Number of the first log line of this start.
    fn first_line(&self) -> u64 {
        lock(&self.keeper).first_line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(
    spec: &ProcessSpec,
    place: &Workplace,
    log: &Arc<LogBook>,
    observed: &Observed,
    options: &LiveOptions,
) -> Result<Arc<Keeper>, RunError> {
    let program = place.fill(&spec.program);
    let args = spec.args.iter().map(|arg| place.fill(arg)).collect();
    let env = spec.env.iter().map(|(name, value)| (name.clone(), place.fill(value))).collect();
    let order = Order { program: program.clone(), args, env, dir: place.dir().to_path_buf(), owns_dir: true };
    let (child, streams) = options.supervisor()?.spawn(order).map_err(|error| missing(error, &program, spec))?;
    Keeper::new(child, streams, log, observed)
}

fn missing(error: io::Error, program: &str, spec: &ProcessSpec) -> RunError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            RunError::TargetMissing { program: program.to_string(), install: spec.install.clone() }
        }
        _ if is_no_program(&error) => RunError::NoProgram { program: program.to_string(), reason: error.to_string() },
        _ => RunError::Io { doing: format!("start {program}"), error },
    }
}

/// Whether the file itself is why it does not start, and not this machine.
fn is_no_program(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied};
    /// Linux's number for a file in no format that it runs.
    const ENOEXEC: i32 = 8;
    matches!(error.kind(), PermissionDenied | IsADirectory | NotADirectory) || error.raw_os_error() == Some(ENOEXEC)
}

/// How long the command that prints a version may take.
const VERSION: Duration = Duration::from_secs(10);

/// What the target says about its version, asked once a run; empty where it says nothing that matches.
fn version(spec: &ProcessSpec, place: &Workplace, options: &LiveOptions) -> Result<String, RunError> {
    let Some((words, pattern)) = &spec.version else { return Ok(String::new()) };
    let regex = Regex::new(pattern).map_err(|error| RunError::Build(format!("version match {pattern:?}: {error}")))?;
    options.host.version(format!("{words:?} {pattern}"), || {
        let words: Vec<String> = words.iter().map(|word| place.fill(word)).collect();
        // The exit code says nothing: mosquitto -h ends with 3.
        let printed = run_command(&*options.supervisor()?, &words, place.dir(), VERSION);
        let printed = printed.map_err(|error| unversioned(error, &words, spec))?.text;
        let found = regex.captures(&printed).and_then(|groups| groups.get(1).map(|group| group.as_str().to_string()));
        Ok(found.unwrap_or_default())
    })
}

/// The command that prints the version is the target file's word; the target itself has not been asked for anything.
fn unversioned(error: io::Error, words: &[String], spec: &ProcessSpec) -> RunError {
    match error.kind() {
        io::ErrorKind::TimedOut => RunError::Command { what: "version", command: words.join(" "), limit: VERSION },
        _ => missing(error, words.first().map_or("", String::as_str), spec),
    }
}
