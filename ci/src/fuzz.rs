//! `cargo ci fuzz-smoke`: builds the libFuzzer targets on stable and plays a fixed number of new inputs on each.
use std::path::Path;
use std::process::Command;

/// New inputs per target: a few seconds each. The same seed and count play the same inputs again.
const RUNS: u32 = 20_000;
/// What stable needs for libFuzzer's feedback; only AddressSanitizer needs nightly. One unit, so that no edge is counted twice.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Builds all of them and runs one after the other; whether none failed. A failing input lies in `target/fuzz/found`.
pub fn smoke(root: &Path) -> bool {
    let Some(triple) = triple() else {
        eprintln!("fuzz-smoke: rustc -vV names no host");
        return false;
    };
    let build = ["build", "--release", "-p", "proofhouse-fuzz", "--features", "fuzzing", "--bins", "--target", &triple];
    let folder = root.join("target/fuzz");
    // With a triple, build scripts are not instrumented.
    let env = [("RUSTFLAGS", FLAGS), ("CARGO_TARGET_DIR", folder.to_str().unwrap_or("target/fuzz"))];
    super::cargo(root, &build, &env) && targets(root).iter().all(|name| run(root, &folder, &triple, name))
}

fn run(root: &Path, folder: &Path, triple: &str, name: &str) -> bool {
    let found = folder.join("found").join(name);
    if let Err(e) = std::fs::create_dir_all(&found) {
        eprintln!("fuzz-smoke: {}: {e}", found.display());
        return false;
    }
    let output = Command::new(folder.join(triple).join("release").join(name))
        .args([format!("-runs={RUNS}"), "-seed=1".into(), "-print_final_stats=1".into(), "-rss_limit_mb=2048".into()])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&found)
        .arg(root.join("fuzz/corpus").join(name))
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stderr);
            let units = text.lines().find(|line| line.contains("number_of_executed_units")).unwrap_or("no statistics");
            eprintln!("fuzz-smoke: {name}: {}", units.trim());
            true
        }
        Ok(output) => {
            eprintln!(
                "{}fuzz-smoke: {name} failed; its input is in {}",
                String::from_utf8_lossy(&output.stderr),
                found.display()
            );
            false
        }
        Err(e) => {
            eprintln!("fuzz-smoke: {name}: {e}");
            false
        }
    }
}

/// The names of the targets: those of their files.
fn targets(root: &Path) -> Vec<String> {
    let listed = std::fs::read_dir(root.join("fuzz/fuzz_targets")).into_iter().flatten();
    let stem = |path: std::path::PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
    let mut names: Vec<String> = listed.filter_map(|entry| stem(entry.ok()?.path())).collect();
    names.sort();
    names
}

fn triple() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned())
}
