//! What outlives a `kill -9` of Proofhouse: a small process that starts every target, and ends all of them when we are gone.
//!
//! One for the whole run. Since it is the one who starts them, there is no moment in which a target lives and nobody would end
//! it. `PR_SET_PDEATHSIG` would not do: it ends only the leader, and it fires when the thread that started it ends.
use std::collections::BTreeMap;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::process::{Pid, Signal, kill_process_group, set_child_subreaper};

mod serve;
mod served;
mod strays;
mod words;

use self::serve::{GRACES, Reach, serve};
pub(crate) use self::words::Order;
use self::words::{Ask, Told, hear, say};
use crate::clock::Stopwatch;
use crate::process::Ended;
use crate::process::group::ProcessId;
use crate::process::observed::lock;
use crate::process::workplace;

/// The hidden command: the supervisor itself, whose standard input is the socket that leads to us.
pub fn supervise() -> ! {
    // A session of its own: neither Ctrl-C nor a closed terminal reaches it. Fails only for a group leader, which then is safe too.
    let _ = rustix::process::setsid();
    // What a target leaves behind when it ends, or what leaves its group, becomes ours. Without it, such orphans stay.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
    if let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() {
        serve(socket, Reach::Process);
    }
    std::process::exit(0)
}

/// Our end of the conversation with the supervisor. When it goes, so does everything that was started.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// Close-on-exec: a target that held it too would keep the supervisor waiting.
    socket: Arc<OwnedFd>,
    started: Arc<Started>,
    next: AtomicU32,
    child: Option<Child>,
}

/// What was asked for, by number.
#[derive(Debug, Default)]
struct Started {
    slots: Mutex<BTreeMap<u32, Arc<Slot>>>,
    /// The supervisor has ended: nobody answers any more.
    lost: AtomicBool,
}

/// What is known of one start.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    begun: Option<Result<Pid, io::Error>>,
    ended: Option<Ended>,
    /// Nothing is left of it, or nobody can say any more.
    gone: bool,
    /// Its number, and its group's, may belong to somebody else by now.
    reaped: bool,
}

impl State {
    /// Whether the group has to be ended from here: the one who would have done it has ended. Once, since whoever inherits the group may
    /// reap it at any time, and never after it was reaped.
    fn is_left_to_us(&mut self, lost: bool) -> bool {
        lost && !std::mem::replace(&mut self.reaped, true)
    }
}

impl Supervisor {
    /// Starts it. Without a command it is a thread of ours, and a `kill -9` leaves the targets behind.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start(command: &[String]) -> io::Result<Supervisor> {
        let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let child = match command.split_first() {
            Some((program, args)) => Some(process(program, args, its)?),
            None => {
                // Orphans of a target come to us, to be reaped with their group.
                let _ = set_child_subreaper(Some(rustix::process::getpid()));
                thread::Builder::new().spawn(move || serve(its, Reach::Thread))?;
                None
            }
        };
        let (socket, started) = (Arc::new(ours), Arc::<Started>::default());
        let (parent, prefix) = workplace::folders();
        say(&*socket, &Ask::Folders { parent, prefix }, &[])?;
        let (hears, notes) = (Arc::clone(&socket), Arc::clone(&started));
        thread::Builder::new().spawn(move || {
            while let Some((told, _)) = hear(&*hears) {
                notes.note(told);
            }
            notes.lose();
        })?;
        Ok(Supervisor { socket, started, next: AtomicU32::new(0), child })
    }

    /// Whether it still answers.
    pub(crate) fn lives(&self) -> bool {
        !self.started.lost.load(Ordering::Relaxed)
    }

    /// Starts a command that leads a group of its own; its standard output and error are what the pipes say.
    ///
    /// # Errors
    /// What the system says about starting it, as if we had.
    pub(crate) fn spawn(&self, order: Order) -> io::Result<(Supervised, [PipeReader; 2])> {
        let (out, its_out) = io::pipe()?;
        let (err, its_err) = io::pipe()?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::<Slot>::default();
        lock(&self.started.slots).insert(id, Arc::clone(&slot));
        let asked = say(&*self.socket, &Ask::Start { id, order }, &[its_out.as_fd(), its_err.as_fd()]);
        drop((its_out, its_err));
        let begun = match asked {
            Ok(()) if self.lives() => slot.wait(None, |state| state.begun.take()).expect("it waits without limit"),
            Ok(()) => Err(lost()),
            Err(error) => Err(error),
        };
        match begun {
            Ok(pid) => {
                let (socket, started) = (Arc::clone(&self.socket), Arc::clone(&self.started));
                Ok((Supervised { id, pid, slot, socket, started }, [out, err]))
            }
            Err(error) => {
                lock(&self.started.slots).remove(&id);
                Err(error)
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // One that is gone needs no good-bye.
        let _ = say(&*self.socket, &Ask::Done, &[]);
        // The end of the conversation ends whatever still runs.
        let _ = shutdown(&*self.socket, Shutdown::Both);
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

fn process(program: &str, args: &[String], socket: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(args).stdin(socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the supervisor, which starts all targets, has ended; was it killed?")
}

/// What news changes of a start.
type Change = Box<dyn FnOnce(&mut State)>;

impl Started {
    fn note(&self, told: Told) {
        let (id, change): (u32, Change) = match told {
            Told::Started { id, pid } => {
                let pid = Pid::from_raw(pid).ok_or_else(lost);
                (id, Box::new(move |state| state.begun = Some(pid)))
            }
            Told::Failed { id, number, text } => {
                let error = number.map_or_else(|| io::Error::other(text), io::Error::from_raw_os_error);
                (id, Box::new(move |state| state.begun = Some(Err(error))))
            }
            Told::Ended { id, how } => (id, Box::new(move |state| _ = state.ended.get_or_insert(how))),
            Told::Gone { id, how } => (
                id,
                Box::new(move |state| {
                    // Where one that served behind a wrapper broke, that is how it ended, whatever the wrapper said.
                    state.ended = Some(how);
                    (state.gone, state.reaped) = (true, true);
                }),
            ),
        };
        let slot = lock(&self.slots).get(&id).cloned();
        if let Some(slot) = slot {
            slot.change(change);
        }
    }

    /// Nobody will answer any more: whoever waits is told.
    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        for slot in lock(&self.slots).values() {
            slot.change(|state| {
                state.begun.get_or_insert_with(|| Err(lost()));
                state.gone = true;
            });
        }
    }
}

impl Slot {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.bell.notify_all();
    }

    /// Waits until `found` finds something; `None` after `limit`.
    fn wait<T>(&self, limit: Option<Duration>, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let watch = Stopwatch::start();
        let mut state = lock(&self.state);
        loop {
            if let Some(found) = found(&mut state) {
                return Some(found);
            }
            let left = limit.map_or(Duration::from_secs(60), |limit| watch.left(limit));
            if left.is_zero() {
                return None;
            }
            state = wait_a_while(&self.bell, state, left);
        }
    }
}

fn wait_a_while<'a>(bell: &Condvar, held: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
    bell.wait_timeout(held, limit).unwrap_or_else(PoisonError::into_inner).0
}

/// A command that the supervisor has started. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Supervised {
    id: u32,
    pid: Pid,
    slot: Arc<Slot>,
    socket: Arc<OwnedFd>,
    started: Arc<Started>,
}

impl Supervised {
    /// Its number, and its group's. It belongs to nobody else until [`Supervised::end`].
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// How the leader ended; `None` while it runs.
    pub(crate) fn ended(&self) -> Option<Ended> {
        lock(&self.slot.state).ended
    }

    /// Waits until the leader has ended, or until nobody can say any more how; `None` also after `limit`.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Option<Ended> {
        self.slot.wait(limit, |state| (state.ended.is_some() || state.gone).then_some(state.ended))?
    }

    /// SIGTERM, `grace`, SIGKILL: to those of `servers` that live, then to the whole group and to whoever has left it. Returns when nothing
    /// of it is left, with how a server broke, or else how the leader ended. A second call does nothing more.
    pub(crate) fn end(&self, grace: Duration, servers: Vec<ProcessId>) -> Option<Ended> {
        /// What killing and a busy machine may take beyond every grace.
        const REST: Duration = Duration::from_secs(10);
        let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        // Those who serve behind a wrapper have their graces first.
        let graces = if servers.is_empty() { GRACES } else { 2 * GRACES };
        let ask = Ask::End { id: self.id, grace_ms, servers };
        if !lock(&self.slot.state).gone && say(&*self.socket, &ask, &[]).is_err() {
            self.slot.change(|state| state.gone = true);
        }
        let gone = self.slot.wait(Some(grace * graces + REST), |state| state.gone.then_some(state.ended));
        let lost = self.started.lost.load(Ordering::Relaxed);
        if lock(&self.slot.state).is_left_to_us(lost) {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        lock(&self.started.slots).remove(&self.id);
        gone?
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end(Duration::ZERO, Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_may_belong_to_somebody_else_is_never_killed() {
        let started = Started::default();
        for id in [1, 2] {
            lock(&started.slots).insert(id, Arc::default());
        }
        started.note(Told::Gone { id: 1, how: Ended::Code(0) });
        started.lose();
        let left = |id| {
            let slot = lock(&started.slots)[&id].clone();
            lock(&slot.state).is_left_to_us(true)
        };
        assert!(!left(1), "the supervisor had reaped it");
        assert!(left(2), "nobody else ends it");
        assert!(!left(2), "and once only");
        assert!(!State::default().is_left_to_us(false), "that is the supervisor's work");
    }
}
