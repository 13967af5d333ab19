//! How fast the simulator is, and how much a device costs: 1,000 to 1,000,000 QoS 1 telemetry devices for ten virtual minutes.
//!
//! Three lines for each size, each in a process of its own so that its peak memory is its own: the bare queue (the machine's limit
//! for this many events), the fleet against a target that keeps nothing (simulator and devices), the fleet against the
//! reference broker (all of it). CPU time, not wall time: the machine may be shared.
//!
//! `cargo bench -p proofhouse-benches --bench sim [-- SIZE...]`
#[path = "common/clock.rs"]
mod clock;
mod common;

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use proofhouse_core::actor::{Actor, Input, Outbox};
use proofhouse_core::plan::Plan;
use proofhouse_core::queue::Queue;
use proofhouse_core::registry::Registry;
use proofhouse_core::seed::Seed;
use proofhouse_core::sim::{Progress, run_with};
use proofhouse_core::target::TargetSpec;
use proofhouse_core::testing::header;
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{Event, Transcript};

use clock::cpu_time;
use common::broker;

const SIZES: [&str; 4] = ["1000", "10000", "100000", "1000000"];

/// As `scenarios/bench/telemetry-million.toml`, for any size.
const SCENARIO: &str = r#"
format   = 1
title    = "Devices report once a minute"
level    = "hardening"
protocol = "mqtt"
version  = "3.1.1"
record   = "edges"
limit    = "15m"

[party.owner]
may = { publish = ["site/#"] }

[fleet.meters]
as        = "owner"
count     = {devices}
source    = "each"
ramp      = "1m"
behaviour = "telemetry"
every     = "1m"
qos       = 1
for       = "10m"
part      = "stimulus"

[fleet.honest]
as        = "owner"
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack", reason = 0 }, part = "control" },
  { do = "disconnect" },
]

[[expect]]
oracle = "fleet-undisturbed"
of     = "meters"
"#;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [what, devices, events] = args.as_slice()
        && let (Ok(devices), Ok(events)) = (devices.parse(), events.parse())
        && !what.starts_with(char::is_numeric)
    {
        return one(what, devices, events);
    }
    println!(
        "{:>9}  {:8} {:>12} {:>9} {:>14} {:>12}",
        "devices", "target", "events", "CPU s", "events/CPU s", "bytes/device"
    );
    let sizes: Vec<&str> = if args.is_empty() { SIZES.to_vec() } else { args.iter().map(String::as_str).collect() };
    for devices in sizes {
        let events = child("nothing", devices, "0");
        child("broker", devices, "0");
        child("queue", devices, &events);
    }
}

/// Runs one line in a process of its own, passes it on and returns the number of events.
fn child(what: &str, devices: &str, events: &str) -> String {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program).args([what, devices, events]).output().expect("we can start ourselves");
    let line = String::from_utf8_lossy(&output.stdout);
    print!("{line}{}", String::from_utf8_lossy(&output.stderr));
    line.split_whitespace().nth(2).unwrap_or("0").to_string()
}

fn one(what: &str, devices: u64, events: u64) {
    let registry = Registry {
        protocols: vec![proofhouse_mqtt::MQTT],
        builds: proofhouse_targets::BUILDS.to_vec(),
        ..Registry::default()
    };
    let (rss, cpu) = (peak_rss(), cpu_time());
    let events = match what {
        "queue" => bare_queue(devices, events),
        "nothing" => fleet(devices, &registry, |_, _| Box::new(Nothing)),
        _ => fleet(devices, &registry, broker),
    };
    let cpu = (cpu_time() - cpu).as_secs_f64();
    let bytes = (peak_rss() - rss) / devices;
    // A tick is 10 ms: below ten of them there is no rate.
    let rate = if cpu < 0.1 { "-".to_string() } else { format!("{:.0}", events as f64 / cpu) };
    println!("{devices:>9}  {what:8} {events:>12} {cpu:>9.2} {rate:>14} {bytes:>12}");
}

/// Every device has one event waiting, and each event the next one 5 to 30 s later: nothing but the queue.
fn bare_queue(devices: u64, events: u64) -> u64 {
    let mut queue = Queue::new();
    let mut rng = Seed(1).stream("queue", 0);
    for device in 0..devices {
        queue.push(Time(rng.below(60_000_000_000)), device);
    }
    for _ in 0..events {
        let item = queue.pop().expect("every device has an event waiting");
        let ahead = rng.between(5_000_000_000, 30_000_000_000);
        queue.push(item.at + Duration::from_nanos(ahead), item.what);
    }
    black_box(queue.len());
    events
}

fn fleet(devices: u64, registry: &Registry, target: fn(&Plan, &TargetSpec) -> Box<dyn Actor>) -> u64 {
    let text = SCENARIO.replace("{devices}", &devices.to_string());
    let (plan, spec) = common::planned("bench/telemetry", &text, registry);
    let mut last = Progress::default();
    let target = target(&plan, &spec);
    let transcript = run_with(&plan, registry, target, header(&plan), &mut |progress| {
        last = progress;
        true
    });
    check(&transcript, devices);
    last.events
}

/// A number that no device earned is worth nothing: ten readings each must have been acknowledged.
fn check(transcript: &Transcript, devices: u64) {
    let totals = transcript.entries.iter().find_map(|entry| match &entry.event {
        Event::Totals(fields) if fields.text("fleet") == Some("meters") => Some(fields),
        _ => None,
    });
    let received = totals.and_then(|fields| fields.int("received")).unwrap_or(0) as u64;
    // CONNACK and nine readings at least: the first comes somewhere within the first minute.
    assert!(received >= devices * 10, "{devices} devices were answered {received} times: {totals:?}");
}

/// Accepts every CONNECT and acknowledges every QoS 1 PUBLISH of MQTT 3.1.1, and keeps nothing at all. What it cannot say, such as
/// the witness's own message, it leaves out.
struct Nothing;

impl Actor for Nothing {
    fn handle(&mut self, _: Time, input: Input<'_>, out: &mut Outbox) {
        let Input::Bytes(conn, bytes) = input else { return };
        match bytes {
            [0x10, ..] => out.send(conn, |buf| buf.extend_from_slice(&[0x20, 2, 0, 0])),
            [0xc0, ..] => out.send(conn, |buf| buf.extend_from_slice(&[0xd0, 0])),
            // The fixed header is two bytes: readings are short.
            [0x32 | 0x3a, _, high, low, rest @ ..] => {
                let topic = usize::from(u16::from_be_bytes([*high, *low]));
                if let Some(id) = rest.get(topic..topic + 2) {
                    out.send(conn, |buf| buf.extend_from_slice(&[0x40, 2, id[0], id[1]]));
                }
            }
            _ => {}
        }
    }
}

/// The most memory that this process has had, in bytes.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
