//! The supervisor's side: starts what it is asked to start, and ends all of it when nobody asks any more.
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use procfs::process::Process;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, WaitStatus, kill_process, kill_process_group,
    test_kill_process_group, wait, waitid, waitpgid,
};

use super::served::Served;
use super::strays::Strays;
use super::words::{Ask, Order, Told, hear, say};
use crate::clock::Stopwatch;
use crate::process::Ended;
use crate::process::command::command;
use crate::process::cpu_wait::CpuWait;
use crate::process::group::{ProcessId, children, exiting, usage};
use crate::process::observed::lock;
use crate::process::workplace::DIR_PREFIX;

/// Whether everything that this process has ever started, or inherited, is the supervisor's to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A process of its own.
    Process,
    /// A thread of ours: only what it was asked to start.
    Thread,
}

/// How long a group may take to go after a SIGKILL, which is not immediate. A busy machine needs far less.
const KILL: Duration = Duration::from_secs(2);
/// How often a group that is at work as its time to end runs out gets as much again, the first included.
pub(super) const GRACES: u32 = 5;
/// Most groups have ended by then, and nobody need look at what they do.
const EASY: Duration = Duration::from_millis(50);
/// Between two looks.
const NAP: Duration = Duration::from_millis(1);

/// What was started and lives, by the number of who asked for it.
type Groups = Arc<Mutex<BTreeMap<u32, Group>>>;

/// One start: its group, and where whoever has left the group is at home.
#[derive(Clone)]
struct Group {
    leader: Pid,
    home: Option<PathBuf>,
}

/// Serves until the other side is gone.
pub(super) fn serve(socket: OwnedFd, reach: Reach) {
    let socket = Arc::new(socket);
    let groups = Groups::default();
    let mut folders = None;
    while let Some((ask, fds)) = hear::<Ask>(&*socket) {
        match ask {
            Ask::Folders { parent, prefix } => folders = Some((parent, prefix)),
            Ask::Done => folders = None,
            Ask::Start { id, order } => begin(id, &order, fds, &socket, &groups),
            Ask::End { id, grace_ms, servers } => {
                end(id, Duration::from_millis(grace_ms.into()), servers, &socket, &groups);
            }
        }
    }
    for group in lock(&groups).values() {
        // Gone already is as good. Nobody is left to tell.
        let _ = kill_process_group(group.leader, Signal::KILL);
    }
    if reach == Reach::Process {
        end_descendants();
    }
    if let Some((parent, prefix)) = folders {
        remove_folders(&parent, &prefix);
    }
}

/// Starts a command. It belongs to us from its first moment on: whoever asked may be killed at any time.
fn begin(id: u32, order: &Order, fds: Vec<OwnedFd>, socket: &Arc<OwnedFd>, groups: &Groups) {
    let told = match start(order, fds) {
        Ok(pid) => {
            let home = order.owns_dir.then(|| order.dir.clone());
            lock(groups).insert(id, Group { leader: pid, home });
            watch(id, pid, socket);
            Told::Started { id, pid: pid.as_raw_nonzero().get() }
        }
        Err(error) => Told::Failed { id, number: error.raw_os_error(), text: error.to_string() },
    };
    tell(socket, &told);
}

fn start(order: &Order, fds: Vec<OwnedFd>) -> io::Result<Pid> {
    let mut command = command(&order.program, &order.dir);
    command.args(&order.args).envs(order.env.iter().map(|(name, value)| (name, value)));
    // A target whose log goes nowhere would pass every rule about it. Linux's number for "no descriptor left" is why they are missing.
    const EMFILE: i32 = 24;
    let [out, err] = <[OwnedFd; 2]>::try_from(fds).map_err(|_| io::Error::from_raw_os_error(EMFILE))?;
    command.stdout(Stdio::from(out)).stderr(Stdio::from(err));
    // The child is waited for by its number; its handle does nothing when it goes.
    Ok(Pid::from_child(&command.spawn()?))
}

/// Tells when the leader ends, and leaves it to be reaped: its number, and so the group's, belongs to nobody else until then.
fn watch(id: u32, pid: Pid, socket: &Arc<OwnedFd>) {
    let theirs = Arc::clone(socket);
    let wait = move || {
        if let Ok(Some(status)) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            tell(&theirs, &Told::Ended { id, how: ended(&status) });
        }
    };
    if thread::Builder::new().spawn(wait).is_err() {
        // A machine without room for a thread has none for a target: it ends, and whoever asked hears of it.
        let _ = kill_process_group(pid, Signal::KILL);
        if let Ok(Some(status)) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            tell(socket, &Told::Ended { id, how: ended(&status) });
        }
    }
}

/// Ends a group, beside everything else.
fn end(id: u32, grace: Duration, servers: Vec<ProcessId>, socket: &Arc<OwnedFd>, groups: &Groups) {
    let Some(group) = lock(groups).get(&id).cloned() else { return };
    let (theirs, its, own) = (Arc::clone(socket), Arc::clone(groups), group.clone());
    let end = move || {
        let how = end_group(&own, &servers, grace, &its);
        lock(&its).remove(&id);
        tell(&theirs, &Told::Gone { id, how });
    };
    if thread::Builder::new().spawn(end).is_err() {
        let how = end_group(&group, &[], Duration::ZERO, groups);
        lock(groups).remove(&id);
        tell(socket, &Told::Gone { id, how });
    }
}

/// SIGTERM, what is left of `grace`, SIGKILL: to those who serve behind a wrapper, then to every member of the group and to whoever has
/// left it. Reaps them all, and says how one that served broke, or else how the leader ended.
fn end_group(group: &Group, servers: &[ProcessId], grace: Duration, groups: &Groups) -> Ended {
    let mut ending = Ending::of(group, groups);
    let broke = end_served(&mut ending, servers, grace);
    ending.signal(Signal::TERM);
    ending.give(grace, Ending::left);
    let watch = Stopwatch::start();
    loop {
        // Again and again: somebody may have come while we killed, or may be ours to find since its parents are gone.
        ending.look();
        if !ending.left() || watch.left(KILL).is_zero() {
            break;
        }
        ending.signal(Signal::KILL);
        thread::sleep(NAP);
    }
    broke.or(ending.leader).unwrap_or(Ended::Signal(Signal::KILL.as_raw()))
}

/// A wrapper that dies of our SIGTERM before its server does says nothing about that one.
fn end_served(ending: &mut Ending<'_>, servers: &[ProcessId], grace: Duration) -> Option<Ended> {
    if servers.is_empty() {
        return None;
    }
    let served = Served::ask(servers);
    ending.give(grace, |_| served.left());
    served.broke()
}

/// A start that is being ended.
struct Ending<'a> {
    group: Pid,
    groups: &'a Groups,
    strays: Strays,
    /// How its leader ended, once it is reaped.
    leader: Option<Ended>,
}

impl<'a> Ending<'a> {
    fn of(group: &Group, groups: &'a Groups) -> Ending<'a> {
        let mut ending = Ending { group: group.leader, groups, strays: Strays::new(group.home.clone()), leader: None };
        ending.look();
        ending
    }

    fn look(&mut self) {
        let started = lock(self.groups).values().map(|group| group.leader.as_raw_nonzero().get()).collect();
        self.strays.look(self.group, self.leader.is_none(), &started);
    }

    fn signal(&self, signal: Signal) {
        // An empty group is what we want.
        let _ = kill_process_group(self.group, signal);
        self.strays.signal(signal);
    }

    /// Waits while somebody is `left`, for the grace. Whoever is still at work when it is over has as much again, a few times: what it would
    /// say as it ends, it may only just be saying.
    fn give(&mut self, grace: Duration, mut left: impl FnMut(&mut Self) -> bool) {
        for _ in 0..GRACES {
            let watch = Stopwatch::start();
            let mut work = None;
            while left(self) && !watch.left(grace).is_zero() {
                if work.is_none() && watch.elapsed() >= EASY {
                    work = Some(Work::begin(self.group, self.strays.all()));
                }
                thread::sleep(NAP);
            }
            if !left(self) || !work.is_some_and(|work| work.goes_on(self.strays.all())) {
                return;
            }
        }
    }

    /// Reaps whoever has ended; whether there is anybody else.
    fn left(&mut self) -> bool {
        while let Ok(Some((pid, status))) = waitpgid(self.group, WaitOptions::NOHANG) {
            if pid == self.group {
                self.leader = Some(ended_as(status));
            }
        }
        // While the leader is not reaped, it is a member, dead or alive. Afterwards the group lives as long as one of them does.
        test_kill_process_group(self.group).is_ok() | self.strays.left()
    }
}

/// What a start does while it is asked to end, with whoever of it has left the group.
struct Work {
    group: i32,
    began: Stopwatch,
    cpu_ms: u64,
    wait: CpuWait,
}

impl Work {
    fn begin(group: Pid, strays: &[ProcessId]) -> Work {
        let group = group.as_raw_nonzero().get();
        let mut wait = CpuWait::new(group);
        wait.look();
        Work { group, began: Stopwatch::start(), cpu_ms: usage(group, strays).cpu_ms, wait }
    }

    /// Whether it is at work still: it is dying, or it had a good part of a processor, or would have had it but for others.
    fn goes_on(mut self, strays: &[ProcessId]) -> bool {
        let used = Duration::from_millis(usage(self.group, strays).cpu_ms.saturating_sub(self.cpu_ms));
        let waited = self.wait.look().unwrap_or_default();
        exiting(self.group) || used + waited >= self.began.elapsed() / 4
    }
}

/// Ends whoever descends from this process, also what has left its group: orphans come to us.
fn end_descendants() {
    let watch = Stopwatch::start();
    while !watch.left(KILL).is_zero() {
        let own = Process::myself().map(|own| children(&own)).unwrap_or_default();
        for pid in own.iter().filter_map(|child| Pid::from_raw(child.pid)) {
            // It may lead a group of its own, or be a member of one that lives on.
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = kill_process(pid, Signal::KILL);
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return, // no child is left
            }
        }
        thread::sleep(NAP);
    }
}

/// Removes the folders of whoever is gone, and only such as a workplace makes.
fn remove_folders(parent: &Path, prefix: &str) {
    if !parent.is_absolute() || prefix.strip_prefix(DIR_PREFIX).is_none_or(|own| own.len() <= 1) {
        return;
    }
    for folder in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if folder.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

/// Whoever asked may be gone; then the end of the conversation says so.
fn tell(socket: &OwnedFd, told: &Told) {
    let _ = say(socket, told, &[]);
}

fn ended(status: &WaitIdStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal),
        None => Ended::Code(status.exit_status().unwrap_or(-1)),
    }
}

fn ended_as(status: WaitStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal),
        None => Ended::Code(status.exit_status().unwrap_or(-1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| parent.path().join(name);
        for name in ["proofhouse-target-1-a-0", "proofhouse-target-1-a-1", "proofhouse-target-12-a-0", "home"] {
            std::fs::create_dir(folder(name)).unwrap();
        }
        for prefix in ["", "home", "proofhouse-target-", "proofhouse-targe"] {
            remove_folders(parent.path(), prefix);
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 4, "such prefixes remove nothing");
        remove_folders(parent.path(), "proofhouse-target-1-");
        let mut left: Vec<_> = std::fs::read_dir(parent.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["home", "proofhouse-target-12-a-0"]);
    }
}
