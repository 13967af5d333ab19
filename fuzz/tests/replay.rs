//! Every stored input is played once on stable, so that what a fuzzer has found stays found without one.
use std::fs;
use std::path::{Path, PathBuf};

use proofhouse_fuzz::TARGETS;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_stored_input_keeps_the_law_of_its_target() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 10, "{name}: {} inputs are no corpus", files.len());
        for file in files {
            let data = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let played = std::panic::catch_unwind(|| target(&data));
            assert!(played.is_ok(), "{name} fails on {}", file.display());
        }
    }
}

#[test]
fn every_target_has_its_one_line_for_libfuzzer() {
    for (name, _) in TARGETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets").join(format!("{name}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(text.contains(&format!("proofhouse_fuzz::{name}(data)")), "{} drives something else", file.display());
    }
}
