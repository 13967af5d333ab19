//! Processes of a start that have left its group (`setsid`): they are the target's all the same, and end with it.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use procfs::process::Process;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::process::group::{ProcessId, children, descent};

/// Those of one start that were found so far.
pub(super) struct Strays {
    /// Folder that is `HOME` of this start's processes and of nobody else's; `None` where there is no such folder.
    home: Option<PathBuf>,
    found: Vec<ProcessId>,
}

impl Strays {
    pub(super) fn new(home: Option<PathBuf>) -> Strays {
        Strays { home, found: Vec::new() }
    }

    /// Looks for more: whoever descends from the leader, where his number is still his, or from one that was found; and whoever has lost its
    /// parents, so that we have inherited it, and is at home in the folder. Members of the group are none, and nor are the leaders of `started`.
    pub(super) fn look(&mut self, leader: Pid, his: bool, started: &BTreeSet<i32>) {
        let leader = leader.as_raw_nonzero().get();
        let ours = Process::myself().map(|own| children(&own)).unwrap_or_default().into_iter();
        let orphans = ours.filter(|process| !started.contains(&process.pid));
        let home = self.home.as_deref();
        let at_home = orphans.filter(|process| home.is_some_and(|home| is_at_home(process, home)));
        let found = self.found.iter().filter(|one| one.lives()).filter_map(|one| Process::new(one.pid()).ok());
        let leads = his.then(|| Process::new(leader).ok()).flatten();
        let strays = |process: &Process| process.stat().is_ok_and(|stat| stat.pgrp != leader);
        let all = descent(leads.into_iter().chain(found).chain(at_home));
        for one in all.iter().filter(|process| strays(process)).filter_map(ProcessId::of) {
            if !self.found.contains(&one) {
                self.found.push(one);
            }
        }
    }

    /// Those that were found and are not gone.
    pub(super) fn all(&self) -> &[ProcessId] {
        &self.found
    }

    pub(super) fn signal(&self, signal: Signal) {
        for one in self.found.iter().filter(|one| one.lives()) {
            // Gone meanwhile is as good.
            let _ = Pid::from_raw(one.pid()).map(|pid| kill_process(pid, signal));
        }
    }

    /// Reaps whoever of them has ended and is ours; whether there is anybody else.
    pub(super) fn left(&mut self) -> bool {
        self.found.retain(|one| !reap(*one));
        !self.found.is_empty()
    }
}

/// By its environment, or by where it works: some servers write their title over the one, and daemons leave the other.
fn is_at_home(process: &Process, home: &Path) -> bool {
    let said =
        || process.environ().is_ok_and(|all| all.get(std::ffi::OsStr::new("HOME")).is_some_and(|dir| dir == home));
    process.cwd().is_ok_and(|dir| dir == home) || said()
}

/// Whether nothing is left of a process. Who ended before its parent did is the parent's to reap, and becomes ours with its end.
fn reap(one: ProcessId) -> bool {
    let Some(stat) = one.stat() else { return true };
    let ours = stat.ppid == std::process::id().cast_signed();
    if let Some(pid) = Pid::from_raw(one.pid()).filter(|_| stat.state == 'Z' && ours) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
    one.stat().is_none()
}
