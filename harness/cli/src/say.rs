//! Words for people: results on standard output, news on standard error. Either may be gone (a closed terminal, a full disk, `| head`):
//! that is never a bug and never stops a run, whose results are files. A result that could not be said is remembered for the exit code.
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use crate::exit_code::ExitCode;

/// Why standard output does not take what is said; the first reason.
static LOST: OnceLock<ErrorKind> = OnceLock::new();

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// A line on standard error.
macro_rules! tell {
    ($($text:tt)*) => { $crate::say::err(format_args!($($text)*)) };
}

pub(crate) use {say, tell};

/// Text on standard output, as it is.
pub fn out(text: Arguments<'_>) {
    keep(anstream::stdout().lock().write_fmt(text));
}

/// A line on standard error. Where nobody reads it, nobody misses it.
pub fn err(text: Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

fn keep(written: io::Result<()>) {
    match written {
        // A reader that has seen enough (`| head`) is no mistake of ours.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(LOST.set(error.kind())),
        _ => {}
    }
}

/// The exit code, once everything is said. Findings and bugs weigh more than a lost summary; an interruption says enough.
pub fn settled(code: ExitCode) -> ExitCode {
    keep(anstream::stdout().lock().flush());
    let Some(why) = LOST.get().filter(|_| matches!(code, ExitCode::Fine | ExitCode::NoTarget | ExitCode::Undecided))
    else {
        return code;
    };
    tell!("{} cannot write to standard output: {why}", crate::style::error("error:"));
    ExitCode::NoOutput
}
