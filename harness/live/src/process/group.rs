//! What the system knows about the processes of a target: who they are, what they use, and what they listen on.
use std::collections::{BTreeMap, BTreeSet};

use procfs::process::{FDTarget, LimitValue, Process, Stat, all_processes};
use serde::{Deserialize, Serialize};

use super::diag;
use super::door::Door;

/// One look at all members of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, bytes, summed: shared pages count once per member.
    pub rss_bytes: u64,
    /// Processor time so far, milliseconds; the system counts in ticks of 10.
    pub cpu_ms: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// Adds up the members of `group`, and `others` with their descendants; zero where none is left. While its leader lives, the members are
/// the leader and what descends from it: a look at every process of the machine, four times a second for each of many trials, would
/// cost more than the targets.
#[must_use]
pub(crate) fn usage(group: i32, others: &[ProcessId]) -> Usage {
    let mut usage = Usage::default();
    let ticks = procfs::ticks_per_second().max(1);
    let family = family(group);
    let members: Vec<Process> = if family.is_empty() { members(group).collect() } else { family };
    let others = descent(others.iter().filter_map(|one| one.process()));
    for process in each_once(members.into_iter().chain(others)) {
        let Ok(stat) = process.stat() else { continue };
        usage.rss_bytes += stat.rss * procfs::page_size();
        // With what its children used that have ended: a script works by others.
        let reaped = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        usage.cpu_ms += (stat.utime + stat.stime + reaped) * 1000 / ticks;
        usage.threads += u64::try_from(stat.num_threads).unwrap_or(0);
        usage.descriptors += process.fd_count().map_or(0, |n| n as u64);
    }
    usage
}

/// Soft limit of open descriptors of the group's leader; `None` where there is none, or it cannot be read.
#[must_use]
pub fn descriptors_max(leader: i32) -> Option<u64> {
    match Process::new(leader).ok()?.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    }
}

/// Whether a process is on its way out, on its own or by a signal. A zombie too: its leader may be one before its other threads
/// have ended, and until then nobody is told how.
#[must_use]
pub fn exiting(pid: i32) -> bool {
    let stat = Process::new(pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.flags & PF_EXITING != 0)
}

/// Linux's flag of a process "getting shut down".
const PF_EXITING: u32 = 0x4;

/// Who listens on a port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Nobody.
    Nobody,
    /// A member of the group.
    Group,
    /// Somebody else.
    Stranger,
}

/// Who listens on TCP `port`, on any address; `Group` where a member of `group` is among them.
#[must_use]
pub fn listener(group: i32, port: u16) -> Listener {
    owner(group, &diag::listening(port))
}

/// Who has a socket of datagrams on `port` that takes them from everybody; `Group` as with [`listener`].
#[must_use]
pub fn bound(group: i32, port: u16) -> Listener {
    owner(group, &diag::bound(port))
}

/// Whose these sockets are.
fn owner(group: i32, found: &BTreeSet<diag::Inode>) -> Listener {
    if found.is_empty() {
        return Listener::Nobody;
    }
    let ours = |process: &Process| sockets(process).iter().any(|inode| found.contains(inode));
    if family(group).iter().any(ours) || members(group).any(|process| ours(&process)) {
        Listener::Group
    } else {
        Listener::Stranger
    }
}

/// A process, told from a later one of the same number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pid: i32,
    began: u64,
}

impl ProcessId {
    /// `None` where it is gone.
    pub(crate) fn of(process: &Process) -> Option<ProcessId> {
        Some(ProcessId { pid: process.pid, began: process.stat().ok()?.starttime })
    }

    /// Its number, which may belong to somebody else by now.
    pub(crate) fn pid(self) -> i32 {
        self.pid
    }

    /// What the system knows about it; `None` once it was reaped.
    pub(crate) fn stat(self) -> Option<Stat> {
        let stat = Process::new(self.pid).and_then(|process| process.stat());
        stat.ok().filter(|stat| stat.starttime == self.began)
    }

    /// Whether it still runs.
    pub(crate) fn lives(self) -> bool {
        self.stat().is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
    }

    fn process(self) -> Option<Process> {
        Process::new(self.pid).ok().filter(|_| self.lives())
    }
}

/// Who holds the sockets at these doors, in whatever group or session.
pub(super) fn servers(leader: i32, doors: &[Door]) -> Vec<ProcessId> {
    let held: BTreeSet<diag::Inode> = doors.iter().flat_map(|door| door.sockets()).collect();
    let serves = |process: &Process| sockets(process).iter().any(|inode| held.contains(inode));
    let all = each_once(family(leader).into_iter().chain(members(leader)).chain(inherited(leader)));
    all.filter(serves).filter_map(|process| ProcessId::of(&process)).collect()
}

/// The leader and what descends from him, by number.
pub(super) fn pids(leader: i32) -> Vec<i32> {
    family(leader).iter().map(|process| process.pid).collect()
}

/// The sockets that a process holds.
fn sockets(process: &Process) -> Vec<u64> {
    let socket = |target| if let FDTarget::Socket(inode) = target { Some(inode) } else { None };
    process.fd().into_iter().flatten().flatten().filter_map(|fd| socket(fd.target)).collect()
}

/// The leader of a group and what descends from him, in whatever group; nobody where the leader has ended.
fn family(leader: i32) -> Vec<Process> {
    let leads = |process: &Process| process.stat().is_ok_and(|stat| stat.pgrp == leader);
    descent(Process::new(leader).into_iter().filter(leads))
}

/// These and what descends from them, as far as they live.
pub(crate) fn descent(roots: impl Iterator<Item = Process>) -> Vec<Process> {
    let lives = |process: &Process| process.stat().is_ok_and(|stat| stat.state != 'Z');
    let mut all: Vec<Process> = roots.filter(lives).collect();
    let mut next = 0;
    while let Some(process) = all.get(next) {
        let children = children(process);
        all.extend(children.into_iter().filter(lives));
        next += 1;
    }
    all
}

/// Its children, zombies too.
pub(crate) fn children(process: &Process) -> Vec<Process> {
    let tasks = process.tasks().into_iter().flatten().flatten();
    let pids = tasks.filter_map(|task| task.children().ok()).flatten();
    pids.filter_map(|pid| Process::new(pid.cast_signed()).ok()).collect()
}

/// Who left the group that it was born in and lost its parents, with its descendants: the one that starts all targets inherits it. Those
/// of other targets are among them.
fn inherited(leader: i32) -> Vec<Process> {
    let Ok(own) = Process::new(leader).and_then(|process| process.stat()) else { return Vec::new() };
    let strays =
        |process: &Process| process.stat().is_ok_and(|stat| stat.session != own.session || stat.pgrp != stat.pid);
    let heir = Process::new(own.ppid).into_iter();
    descent(heir.flat_map(|heir| children(&heir)).filter(strays))
}

fn each_once(all: impl Iterator<Item = Process>) -> impl Iterator<Item = Process> {
    let by_pid: BTreeMap<i32, Process> = all.map(|process| (process.pid, process)).collect();
    by_pid.into_values()
}

fn members(group: i32) -> impl Iterator<Item = Process> {
    let all = all_processes().ok().into_iter().flatten().flatten();
    all.filter(move |process| process.stat().is_ok_and(|stat| stat.pgrp == group && stat.state != 'Z'))
}
