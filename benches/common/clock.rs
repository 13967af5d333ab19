//! The processor time of this process.
use std::time::Duration;

/// User and system time of this process, in ticks of 10 ms.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    // The name in brackets may hold spaces; 12 fields after it come user and system time.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = |n: usize| after.split_whitespace().nth(n).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
