//! `proofhouse doctor`: what this machine allows and which targets are installed.
use proofhouse_core::target::TargetKind;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::library;
use crate::registry::registry;
use crate::say::say;

/// Runs the command.
pub fn run() -> Result<ExitCode, Failure> {
    let registry = registry();
    say!("proofhouse {}, {}", env!("CARGO_PKG_VERSION"), proofhouse_live::clock::machine());
    let (soft, hard) = proofhouse_live::descriptors();
    say!("descriptors: {soft} now, raised to {hard} at start: at most {} connections at once", hard.saturating_sub(64));
    let interrupt = super::interrupt()?;
    let live = proofhouse_live::LiveOptions::new(interrupt, Vec::new());
    say!("targets:");
    for name in library::target_names() {
        let target = library::target(&name, &[], &registry)?;
        let line = match proofhouse_live::preflight(&target.spec, &registry, &live) {
            Ok(version) => format!("ready  {version}"),
            Err(error) => match &target.spec.kind {
                TargetKind::Process(process) if process.install.is_some() => {
                    format!("absent {error}")
                }
                _ => format!("failed {error}"),
            },
        };
        say!("  {name:<20} {line}");
    }
    Ok(ExitCode::Fine)
}
