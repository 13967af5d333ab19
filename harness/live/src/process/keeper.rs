//! One start of the target: its child, its group, the threads that watch it, and the orderly end of all of them.
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proofhouse_core::time::nanos;
use proofhouse_core::transcript::{Event, Life};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::Ended;
use super::cpu_wait::CpuWait;
use super::group::{Usage, alive, exiting, usage};
use super::log::LogBook;
use super::observed::{Observed, lock};
use crate::clock::Stopwatch;
use crate::error::RunError;
use crate::supervisor::Supervisor;

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);
/// Between two looks at how long the group waits for a processor.
const SAMPLE: Duration = Duration::from_millis(100);
/// Which of those looks is also one at what it uses: that costs more.
const USAGE: u32 = 3;
/// Gauge of the nanoseconds that the target was ready to run while others had the processors, since it was started.
const CPU_WAIT: &str = "cpu-wait-ns";

/// Signals that a program brings upon itself: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. One that was already dying of
/// them when we asked it to end did not end because we asked.
const CRASHES: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

/// Watches one start of the target.
pub(super) struct Keeper {
    pid: Pid,
    first_line: u64,
    state: Mutex<State>,
}

struct State {
    /// Not yet reaped: as long as it is here, its number, and so the group's, belongs to nobody else.
    child: Option<Child>,
    supervisor: Option<Supervisor>,
    /// Dropped to end the sampler.
    sampler: Option<Sender<()>>,
    ended: Option<Ended>,
}

impl Keeper {
    /// Takes a child that leads its own group, and starts to read, sample and wait for it.
    pub(super) fn new(
        mut child: Child,
        mut supervisor: Option<Supervisor>,
        log: &Arc<LogBook>,
        observed: &Observed,
    ) -> Result<Arc<Keeper>, RunError> {
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a child's number is not 0");
        if let Some(supervisor) = &mut supervisor {
            supervisor.keep(pid);
        }
        let first_line = log.lines();
        read(log, child.stdout.take());
        read(log, child.stderr.take());
        let (sampler, bell) = mpsc::channel();
        let state = State { child: Some(child), supervisor, sampler: Some(sampler), ended: None };
        let keeper = Arc::new(Keeper { pid, first_line, state: Mutex::new(state) });
        sample(pid, observed.clone(), bell);
        wait(Arc::clone(&keeper), observed.clone());
        Ok(keeper)
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn first_line(&self) -> u64 {
        self.first_line
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        lock(&self.state).ended
    }

    /// SIGTERM, a second, SIGKILL, to the group; then reaps.
    pub(super) fn stop(&self, observed: &Observed) {
        // An end that nobody has noticed yet is the target's own, not ours.
        self.notice(observed, self.settled());
        let mut state = lock(&self.state);
        let Some(mut child) = state.child.take() else { return };
        drop(state.sampler.take());
        drop(state);
        end_group(self.pid);
        // The leader is dead by now; an error would mean that somebody else has reaped it.
        let crashed = child.wait().ok().and_then(|status| status.signal()).filter(|signal| CRASHES.contains(signal));
        let mut state = lock(&self.state);
        drop(state.supervisor.take());
        match (state.ended, crashed) {
            (Some(_), _) => {}
            (None, None) => observed.life(Life::Stopped),
            (None, Some(signal)) => {
                state.ended = Some(Ended::Signal(signal));
                observed.life(Life::Signalled { signal });
            }
        }
    }

    /// How it ended, if it has. A process that is ending closes its connections first, so that we may hear of that before it is dead:
    /// then this waits.
    fn settled(&self) -> Option<Ended> {
        let watch = Stopwatch::start();
        loop {
            let ended = look(self.pid, WaitIdOptions::NOHANG);
            if ended.is_some() || !exiting(self.pid.as_raw_nonzero().get()) || watch.left(GRACE).is_zero() {
                return ended;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Keeps how the target ended, once, unless we are the ones who end it.
    fn notice(&self, observed: &Observed, ended: Option<Ended>) {
        let mut state = lock(&self.state);
        let (Some(how), None, true) = (ended, state.ended, state.child.is_some()) else { return };
        state.ended = Some(how);
        observed.life(match how {
            Ended::Code(code) => Life::Exited { code },
            Ended::Signal(signal) => Life::Signalled { signal },
        });
    }
}

fn read(log: &Arc<LogBook>, stream: Option<impl std::io::Read + Send + 'static>) {
    let Some(stream) = stream else { return };
    log.reader_begins();
    let log = Arc::clone(log);
    thread::spawn(move || {
        log.read(stream);
        log.reader_ended();
    });
}

fn sample(pid: Pid, observed: Observed, bell: mpsc::Receiver<()>) {
    let group = pid.as_raw_nonzero().get();
    thread::spawn(move || {
        let mut wait = CpuWait::new(group);
        for look in 1_u32.. {
            if bell.recv_timeout(SAMPLE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if let Some(waited) = wait.look() {
                gauge(&observed, CPU_WAIT, nanos(waited));
            }
            if look % USAGE == 0 {
                gauge_usage(&observed, usage(group));
            }
        }
    });
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

fn wait(keeper: Arc<Keeper>, observed: Observed) {
    thread::spawn(move || {
        let ended = look(keeper.pid, WaitIdOptions::empty());
        keeper.notice(&observed, ended);
    });
}

/// How the leader ended; leaves it to be reaped. `None` while it lives (with `NOHANG`), or once it was reaped.
fn look(pid: Pid, how: WaitIdOptions) -> Option<Ended> {
    let status = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | how).ok()??;
    Some(ended(&status))
}

fn ended(status: &WaitIdStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal),
        None => Ended::Code(status.exit_status().unwrap_or(-1)),
    }
}

/// Ends every member of the group. Its leader is a zombie afterwards, everybody else is gone.
fn end_group(group: Pid) {
    let number = group.as_raw_nonzero().get();
    // An empty group is what we want.
    let _ = kill_process_group(group, Signal::TERM);
    let watch = Stopwatch::start();
    while alive(number) && !watch.left(GRACE).is_zero() {
        thread::sleep(Duration::from_millis(3));
    }
    let watch = Stopwatch::start();
    loop {
        let _ = kill_process_group(group, Signal::KILL);
        // SIGKILL is not immediate; a second is far more than a busy machine needs.
        if !alive(number) || watch.left(GRACE).is_zero() {
            return;
        }
        thread::sleep(Duration::from_millis(3));
    }
}
