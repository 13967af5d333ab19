//! A run under a limit of memory (`ulimit -v`, a container's address space). Where the system refuses memory a program ends at once, with
//! nothing more written. So the run is a child of this process, which needs next to nothing itself and writes what the child had found.
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proofhouse_live::run::folder::Folder;

use crate::args::Run;
use crate::asked::Asked;
use crate::documents;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::registry::registry;
use crate::say::tell;

/// How often the child is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Whether a run has to be guarded: there is a limit, and this is not the child.
pub fn is_needed(args: &Run) -> bool {
    !args.guarded && !args.dry_run && proofhouse_live::memory_limit().is_some()
}

/// Runs the same command as a child that leaves its results in `folder`, and says what it came to.
pub fn run(args: &Run, folder: &Path) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| Failure::new(ExitCode::NoOutput, format!("cannot begin the run: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(std::env::args_os().skip(1)).arg("--guarded");
    if args.out.is_none() && args.resume.is_none() {
        command.arg("--out").arg(folder);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    let handler = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    handler.map_err(|e| Failure::new(ExitCode::Bug, format!("cannot listen for Ctrl-C: {e}")))?;
    let mut child = command.spawn().map_err(failed)?;
    let status = wait(&mut child, &interrupted).map_err(failed)?;
    match status.code().and_then(|code| u8::try_from(code).ok()).and_then(ExitCode::of) {
        Some(code) => Ok(code),
        None => write_found(args, folder, &why(status)),
    }
}

/// Waits for the child, and passes on once what asks this process to end.
fn wait(child: &mut Child, interrupted: &AtomicBool) -> std::io::Result<ExitStatus> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) && !told {
            told = true;
            proofhouse_live::ask_to_end(child);
        }
        std::thread::sleep(LOOK);
    }
}

/// What ended the child. Without memory a program aborts; it also does where it fails in a way that it cannot survive.
fn why(status: ExitStatus) -> String {
    let limit = proofhouse_live::memory_limit().unwrap_or_default() >> 20;
    match status.signal() {
        Some(ABORT) => format!(
            "the run aborted, as a program does to which the system gives no more memory (ulimit -v allows {limit} MiB): use fewer --jobs, or \
             allow more; where that changes nothing, it is a bug in Proofhouse, and stands above"
        ),
        _ => format!("the run was ended from outside ({status})"),
    }
}

/// SIGABRT.
const ABORT: i32 = 6;

/// The documents of what the child had journalled when it ended.
fn write_found(args: &Run, folder: &Path, text: &str) -> Result<ExitCode, Failure> {
    let Ok(asked) = Asked::read(folder, ExitCode::NoOutput) else {
        return Err(Failure::new(ExitCode::NoOutput, text.to_owned()));
    };
    let registry = registry();
    let (run, code) = documents::gather(folder, &asked, &registry)?;
    documents::write(&Folder::at(folder), &run, &args.format, &registry)?;
    tell!("{} {text}", crate::style::error("error:"));
    tell!("what was found is written; to go on: proofhouse run --resume {}", folder.display());
    Ok(if code == ExitCode::Findings { code } else { ExitCode::NoOutput })
}
