//! `cargo ci`: what the pipeline runs, runnable at home.
#![forbid(unsafe_code)]
mod corpus;
mod fuzz;
mod tidy;

use std::path::Path;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo ci TASK
    check    formatting, clippy and docs with warnings denied, tidy
    tidy     clauses exist, data files are TOML 1.0, crates keep to their arrows
    soak     200 seeds of every twin in simulation, the full scenario x flaw matrix, 1,000 kills -9 at any moment, and a
             thousand workloads (minutes)
    fuzz-smoke  20,000 new inputs on every libFuzzer target, on stable
    corpus   old and repaired versions of real servers, from their registries (see corpus --help)";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace");
    let task = std::env::args().nth(1).unwrap_or_default();
    if task == "corpus" {
        return corpus::corpus(root, &std::env::args().skip(2).collect::<Vec<_>>());
    }
    let fine = match task.as_str() {
        "check" => check(root),
        "tidy" => tidy::tidy(root),
        "soak" => soak(root),
        "fuzz-smoke" => fuzz::smoke(root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(root: &Path) -> bool {
    cargo(root, &["fmt", "--all", "--check"], &[])
        && cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
        && cargo(root, &["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
        && tidy::tidy(root)
}

fn soak(root: &Path) -> bool {
    let validate = ["run", "--release", "--", "validate", "--seeds", "200", "--full"];
    let kills = ["test", "-p", "proofhouse-live", "--test", "trouble", "a_thousand_kills", "--", "--ignored"];
    let workloads = ["test", "-p", "proofhouse-targets", "--test", "workload", "a_thousand", "--", "--ignored"];
    cargo(root, &validate, &[]) && cargo(root, &kills, &[]) && cargo(root, &workloads, &[])
}

fn cargo(root: &Path, args: &[&str], env: &[(&str, &str)]) -> bool {
    eprintln!("cargo {}", args.join(" "));
    let status = Command::new("cargo").args(args).envs(env.iter().copied()).current_dir(root).status();
    status.is_ok_and(|status| status.success())
}
