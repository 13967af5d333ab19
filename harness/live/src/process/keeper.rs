//! One start of the target: its child, its group, the threads that watch it, and the orderly end of all of them.
use std::io::PipeReader;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proofhouse_core::recorder::SERVERS_ENDED;
use proofhouse_core::time::nanos;
use proofhouse_core::transcript::{Event, Life};
use rustix::process::Pid;

use super::Ended;
use super::cpu_wait::CpuWait;
use super::group::{ProcessId, Usage, exiting, usage};
use super::log::LogBook;
use super::observed::{Observed, lock};
use crate::clock::Stopwatch;
use crate::error::RunError;
use crate::supervisor::Supervised;

/// Between SIGTERM and SIGKILL; several of it where the target is at work until then.
const GRACE: Duration = Duration::from_secs(1);
/// How long a process that is on its way out may take to be gone: it may write its memory to disk first.
const SETTLED: Duration = Duration::from_secs(5);
/// Between two looks at how long the group waits for a processor.
const SAMPLE: Duration = Duration::from_millis(100);
/// Which of those looks is also one at what it uses: that costs more.
const USAGE: u32 = 3;
/// Gauge of the nanoseconds that the target was ready to run while others had the processors, since it was started.
const CPU_WAIT: &str = "cpu-wait-ns";

/// Watches one start of the target.
pub(super) struct Keeper {
    child: Supervised,
    first_line: u64,
    state: Mutex<State>,
}

struct State {
    /// Dropped to end the sampler.
    sampler: Option<Sender<()>>,
    /// Its other processes that served when it was ready, and how many of them have ended since.
    servers: Vec<ProcessId>,
    gone: usize,
    /// Its first process serves nobody: it has started those who do.
    wraps: bool,
    /// We are the ones who end it.
    stopping: bool,
    ended: Option<Ended>,
}

impl Keeper {
    /// Takes a child that leads its own group, and starts to read, sample and wait for it.
    pub(super) fn new(
        child: Supervised,
        streams: [PipeReader; 2],
        log: &Arc<LogBook>,
        observed: &Observed,
    ) -> Result<Arc<Keeper>, RunError> {
        let (sampler, bell) = mpsc::channel();
        let state =
            State { sampler: Some(sampler), servers: Vec::new(), gone: 0, wraps: false, stopping: false, ended: None };
        let state = Mutex::new(state);
        let keeper = Arc::new(Keeper { child, first_line: log.lines(), state });
        for stream in streams {
            read(log, stream)?;
        }
        sample(Arc::clone(&keeper), observed.clone(), bell)?;
        wait(Arc::clone(&keeper), observed.clone())?;
        Ok(keeper)
    }

    pub(super) fn pid(&self) -> Pid {
        self.child.pid()
    }

    /// From now on, ends of these are told. Whoever waits for the leader learns of his anyway.
    pub(super) fn watch(&self, mut servers: Vec<ProcessId>) {
        let all = servers.len();
        servers.retain(|server| server.pid() != self.pid().as_raw_nonzero().get());
        let mut state = lock(&self.state);
        state.wraps = servers.len() == all;
        state.servers = servers;
    }

    /// Tells how many of the watched have ended, whenever there are more.
    pub(super) fn count_servers(&self, observed: &Observed) {
        let mut state = lock(&self.state);
        let gone = state.servers.iter().filter(|server| !server.lives()).count();
        if gone > state.gone && !state.stopping {
            state.gone = gone;
            gauge(observed, SERVERS_ENDED, gone as u64);
        }
    }

    /// What the group uses, and who of the watched has left it.
    fn usage(&self) -> Usage {
        let servers = lock(&self.state).servers.clone();
        usage(self.pid().as_raw_nonzero().get(), &servers)
    }

    pub(super) fn first_line(&self) -> u64 {
        self.first_line
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        lock(&self.state).ended
    }

    /// SIGTERM, [`GRACE`], SIGKILL, to the group; then reaps. Those who serve behind a wrapper come first.
    pub(super) fn stop(&self, observed: &Observed) {
        // An end that nobody has noticed yet is the target's own, not ours.
        self.notice(observed, self.settled());
        self.count_servers(observed);
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.stopping, true) {
            return;
        }
        drop(state.sampler.take());
        let servers = if state.wraps { state.servers.clone() } else { Vec::new() };
        let runs = state.ended.is_none();
        drop(state);
        if runs {
            observed.life(Life::Stopped);
        }
        let how = self.child.end(GRACE, servers);
        if let (true, Some(how)) = (runs, how) {
            self.took_its_end(observed, how);
        }
    }

    /// One who was asked to end and breaks over it has not ended because we asked.
    fn took_its_end(&self, observed: &Observed, how: Ended) {
        match (how, how.crash()) {
            (_, Some(signal)) => {
                lock(&self.state).ended = Some(Ended::Signal(signal));
                observed.life(Life::Signalled { signal });
            }
            (Ended::Code(code), None) if how.is_failure() => observed.life(Life::Exited { code }),
            _ => {}
        }
    }

    /// How it ended, if it has. A process that is ending closes its connections first, so that we may hear of that before it is dead:
    /// then this waits.
    fn settled(&self) -> Option<Ended> {
        let watch = Stopwatch::start();
        loop {
            let ended = self.child.ended();
            if ended.is_some() || !exiting(self.pid().as_raw_nonzero().get()) || watch.left(SETTLED).is_zero() {
                return ended;
            }
            self.child.wait(Some(Duration::from_millis(1)));
        }
    }

    /// Keeps how the target ended, once, unless we are the ones who end it.
    fn notice(&self, observed: &Observed, ended: Option<Ended>) {
        let mut state = lock(&self.state);
        let (Some(how), None, false) = (ended, state.ended, state.stopping) else { return };
        state.ended = Some(how);
        observed.life(match how {
            Ended::Code(code) => Life::Exited { code },
            Ended::Signal(signal) => Life::Signalled { signal },
        });
    }
}

fn read(log: &Arc<LogBook>, stream: PipeReader) -> Result<(), RunError> {
    let log = Arc::clone(log);
    log.reader_begins();
    begin("a reader of the target's log", move || {
        log.read(stream);
        log.reader_ended();
    })
}

/// A thread of ours; a machine that has none left is no fault of the target.
fn begin(what: &str, work: impl FnOnce() + Send + 'static) -> Result<(), RunError> {
    thread::Builder::new().spawn(work).map(drop).map_err(RunError::io(format!("start {what}")))
}

fn sample(keeper: Arc<Keeper>, observed: Observed, bell: mpsc::Receiver<()>) -> Result<(), RunError> {
    let group = keeper.pid().as_raw_nonzero().get();
    begin("the sampler of the target", move || {
        let mut wait = CpuWait::new(group);
        for look in 1_u32.. {
            if bell.recv_timeout(SAMPLE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if let Some(waited) = wait.look() {
                gauge(&observed, CPU_WAIT, nanos(waited));
            }
            if look % USAGE == 0 {
                gauge_usage(&observed, keeper.usage());
                keeper.count_servers(&observed);
            }
        }
    })
}

fn gauge_usage(observed: &Observed, usage: Usage) {
    if usage.threads == 0 {
        return;
    }
    gauge(observed, "rss-bytes", usage.rss_bytes);
    gauge(observed, "cpu-ms", usage.cpu_ms);
    gauge(observed, "descriptors", usage.descriptors);
    gauge(observed, "threads", usage.threads);
}

fn gauge(observed: &Observed, name: &str, value: u64) {
    observed.target(Event::Gauge { name: name.into(), value });
}

fn wait(keeper: Arc<Keeper>, observed: Observed) -> Result<(), RunError> {
    begin("the thread that waits for the target", move || {
        let ended = keeper.child.wait(None);
        keeper.notice(&observed, ended);
    })
}
