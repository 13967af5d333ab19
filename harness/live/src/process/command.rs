//! Commands that know nothing of our environment: the target, its version, its account tools.
use std::io::{self, PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Ended;
use crate::supervisor::{Order, Supervisor};

/// A command in its own process group, with `PATH`, `HOME` (the folder) and `LANG=C`, and nothing else.
pub(crate) fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LANG", "C").process_group(0).stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if !dir.as_os_str().is_empty() {
        command.env("HOME", dir).current_dir(dir);
    }
    command
}

/// What a short command printed, standard output first.
pub(crate) struct Printed {
    pub(crate) ended: Ended,
    pub(crate) text: String,
}

/// More output is cut.
const OUTPUT_MAX: u64 = 64 << 10;

/// Runs a command to its end, or kills its group after `limit` (an error of kind `TimedOut`).
pub(crate) fn run(supervisor: &Supervisor, words: &[String], dir: &Path, limit: Duration) -> io::Result<Printed> {
    let (program, args) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    // The folder is the target's, and so is whoever else runs in it.
    let order = Order {
        program: program.clone(),
        args: args.to_vec(),
        env: Vec::new(),
        dir: dir.to_path_buf(),
        owns_dir: false,
    };
    let (child, [out, err]) = supervisor.spawn(order)?;
    let readers = [reader(out)?, reader(err)?];
    let ended = child.wait(Some(limit));
    // What it has left running goes too; until then the pipes would stay open.
    drop(child);
    let text = readers.into_iter().map(|r| r.join().unwrap_or_default()).collect();
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {limit:?}"));
    Ok(Printed { ended: ended.ok_or_else(late)?, text })
}

fn reader(mut stream: PipeReader) -> io::Result<JoinHandle<String>> {
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        // A command that cannot be read has printed nothing; its exit status still counts.
        let _ = stream.by_ref().take(OUTPUT_MAX).read_to_end(&mut bytes);
        let _ = io::copy(&mut stream, &mut io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
