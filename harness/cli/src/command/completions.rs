//! `proofhouse completions` and `proofhouse man`: from the command line's own definition.
use clap::CommandFactory;

use crate::args::{Args, Completions, Man};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::say::say;

/// Runs `completions`.
pub fn run(args: &Completions) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "proofhouse", &mut text);
    crate::say::out(format_args!("{}", String::from_utf8_lossy(&text)));
    Ok(ExitCode::Fine)
}

/// Runs `man`.
pub fn man(args: &Man) -> Result<ExitCode, Failure> {
    let failed =
        |e: std::io::Error| Failure::new(ExitCode::NoOutput, format!("cannot write {}: {e}", args.out.display()));
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), &args.out).map_err(failed)?;
    say!("wrote {}; read them: man {}/proofhouse.1", args.out.display(), args.out.display());
    Ok(ExitCode::Fine)
}
