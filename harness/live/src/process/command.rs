//! Commands that know nothing of our environment: the target, its version, its account tools.
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::Stopwatch;

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
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

/// More output is cut.
const OUTPUT_MAX: u64 = 64 << 10;

/// Runs a command to its end, or kills its group after `limit` (an error of kind `TimedOut`).
pub(crate) fn run(words: &[String], dir: &Path, limit: Duration) -> io::Result<Printed> {
    let program = words.first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an empty command"))?;
    let mut child = command(program, dir).args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let readers = [reader(out), reader(err)];
    let ended = wait(&mut child, limit);
    if ended.is_err() {
        kill(&mut child);
    }
    let text = readers.into_iter().map(|r| r.join().unwrap_or_default()).collect();
    Ok(Printed { status: ended?, text })
}

fn reader(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let Some(mut stream) = stream else { return String::new() };
        let mut bytes = Vec::new();
        // A command that cannot be read has printed nothing; its exit status still counts.
        let _ = stream.by_ref().take(OUTPUT_MAX).read_to_end(&mut bytes);
        let _ = io::copy(&mut stream, &mut io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let watch = Stopwatch::start();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if watch.left(limit).is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {limit:?}")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill(child: &mut Child) {
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        // Gone already is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
