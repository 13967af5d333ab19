//! Hostile peers fill no more memory than a run was given, and nothing passes on them.
mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{peer, peer_script, proofhouse, trials};

/// What a run may take at its peak, MiB: 128 for records and what is held beside them, and the build itself, which is a large one in tests.
const PEAK_MAX: u64 = 256;

/// Runs it against a flood of this kind; the most memory that it held, MiB.
fn peak(folder: &Path, protocol: &str, how: &str, scenario: &str) -> u64 {
    let flood = peer_script(protocol).with_file_name("flood.py");
    let target = peer(protocol, "", &[how]);
    let target = target.replace(peer_script(protocol).to_str().unwrap(), flood.to_str().unwrap());
    std::fs::write(folder.join("flood.toml"), target).unwrap();
    let words = ["run", scenario, "--target", "flood.toml", "--jobs", "16", "--memory", "128", "--replays", "1"];
    let mut child = proofhouse();
    child.args(words).args(["--out", "r", "-q"]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let now = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(now.unwrap_or(0) / 1024);
        std::thread::sleep(Duration::from_millis(50));
    }
    for (what, verdict, reason) in trials(&folder.join("r")) {
        assert_ne!(verdict, "pass", "{what}: {reason}");
    }
    most
}

#[test]
fn large_datagrams_fill_no_more_than_the_budget() {
    let temp = tempfile::tempdir().unwrap();
    let peak = peak(temp.path(), "coap", "storm", "coap/cd-01*");
    assert!((1..PEAK_MAX).contains(&peak), "{peak} MiB");
}

#[test]
fn packets_that_never_end_fill_no_more_than_the_budget() {
    let temp = tempfile::tempdir().unwrap();
    let peak = peak(temp.path(), "mqtt", "big", "mqtt/me-14*");
    assert!((1..PEAK_MAX).contains(&peak), "{peak} MiB");
}
