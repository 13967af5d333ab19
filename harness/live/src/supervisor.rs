//! What outlives a `kill -9` of Proofhouse: a small process that reads a pipe, and ends the target's group when the pipe ends.
//!
//! `PR_SET_PDEATHSIG` would not do: it ends only the leader, and it fires when the thread that started it ends.
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::RunError;
use crate::process::workplace::DIR_PREFIX;

/// The hidden command: reads `group N` and `folder PATH` lines from standard input. At its end, kills the groups and removes
/// the folders; after `done` it leaves everything as it is.
pub fn supervise() -> ! {
    // A session of its own: neither Ctrl-C nor a closed terminal reaches it. Fails only for a group leader, which then is safe too.
    let _ = rustix::process::setsid();
    let mut groups = Vec::new();
    let mut folders = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("group", number)) => groups.extend(number.parse().ok().and_then(Pid::from_raw)),
            Some(("folder", path)) => folders.push(PathBuf::from(path)),
            _ if line == "done" => std::process::exit(0),
            _ => {}
        }
    }
    for group in groups {
        // Gone already is as good. Nobody is left to tell.
        let _ = kill_process_group(group, Signal::KILL);
    }
    for folder in folders.iter().filter(|folder| is_ours(folder)) {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(0)
}

/// Only folders that a workplace has made are ever removed.
fn is_ours(folder: &Path) -> bool {
    folder.is_absolute() && folder.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with(DIR_PREFIX))
}

/// Our end of the pipe. Dropped in good order, the supervisor does nothing.
pub(crate) struct Supervisor {
    child: Child,
    /// Close-on-exec, as std makes all pipes: a target that held it too would keep the supervisor waiting.
    pipe: Option<ChildStdin>,
}

impl Supervisor {
    /// Starts it; `None` where the options name no command.
    pub(crate) fn start(command: &[String], folder: &Path) -> Result<Option<Supervisor>, RunError> {
        let Some((program, args)) = command.split_first() else { return Ok(None) };
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(RunError::io(format!("start the supervisor {program}")))?;
        let pipe = child.stdin.take();
        let mut supervisor = Supervisor { child, pipe };
        supervisor.say(&format!("folder {}", folder.display()));
        Ok(Some(supervisor))
    }

    /// From now on, this group goes when we go.
    pub(crate) fn keep(&mut self, group: Pid) {
        self.say(&format!("group {}", group.as_raw_nonzero()));
    }

    fn say(&mut self, line: &str) {
        if let Some(pipe) = &mut self.pipe {
            // A supervisor that died can supervise nothing; the orderly stop still works.
            let _ = writeln!(pipe, "{line}");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.say("done");
        drop(self.pipe.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_folders_are_removed() {
        assert!(is_ours(Path::new("/tmp/proofhouse-target-1-0")));
        for path in ["/", "/home", "/tmp/proofhouse", "proofhouse-target-1-0", "/tmp/proofhouse-target-1-0/.."] {
            assert!(!is_ours(Path::new(path)), "{path}");
        }
    }
}
