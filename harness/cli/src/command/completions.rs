//! `proofhouse completions` and `proofhouse man`: from the command line's own definition.
use std::io::Write;

use clap::CommandFactory;

use crate::args::{Args, Completions, Man};
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Runs `completions`.
pub fn run(args: &Completions) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "proofhouse", &mut text);
    // A reader that has seen enough (`| head`) is no mistake of ours.
    let _ = std::io::stdout().write_all(&text);
    Ok(ExitCode::Fine)
}

/// Runs `man`.
pub fn man(args: &Man) -> Result<ExitCode, Failure> {
    let failed =
        |e: std::io::Error| Failure::new(ExitCode::NoOutput, format!("cannot write {}: {e}", args.out.display()));
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), &args.out).map_err(failed)?;
    anstream::println!("wrote {}; read them: man {}/proofhouse.1", args.out.display(), args.out.display());
    Ok(ExitCode::Fine)
}
