//! `proofhouse`: attack simulation, conformance and reproducible security findings for IoT protocol stacks.
#![forbid(unsafe_code)]
mod args;
mod asked;
mod command;
mod documents;
mod exit_code;
mod failure;
mod gate;
mod library;
mod progress;
mod registry;
mod say;
mod select;
mod style;
mod summary;

use std::process::ExitCode;

use clap::Parser;

use crate::say::tell;

fn main() -> ExitCode {
    proofhouse_live::outlive_file_limit();
    let args = args::Args::parse();
    std::panic::set_hook(Box::new(|info| tell!("proofhouse: bug in Proofhouse: {info}")));
    let result = std::panic::catch_unwind(|| command::run(args));
    let code = match result {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            tell!("{} {failure}", style::error("error:"));
            failure.code
        }
        Err(_) => exit_code::ExitCode::Bug,
    };
    ExitCode::from(say::settled(code) as u8)
}
