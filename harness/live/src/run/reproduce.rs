//! `reproduce.md`: what a person needs to see a finding again.
use std::collections::BTreeSet;
use std::path::Path;

use proofhouse_core::finding::Finding;
use proofhouse_core::plan::Plan;
use proofhouse_core::protocol::Transport;
use proofhouse_core::registry::Registry;
use proofhouse_core::transcript::{Event, Transcript, Who};

use super::folder::Folder;

/// What Wireshark has to be told to read the capture: `tcp.port==21595,mqtt`, once per port of the target. Ports in a capture are
/// those that were used, which are seldom the protocol's own.
#[must_use]
pub fn decode_as(plan: &Plan, transcript: &Transcript, registry: &Registry) -> BTreeSet<String> {
    let port = |entry: &proofhouse_core::transcript::Entry| {
        let (Who::Member(name, _), Event::Opened { to, .. }) = (&entry.who, &entry.event) else { return None };
        let fleet = plan.fleets.iter().find(|fleet| fleet.name == *name)?;
        let layer = match registry.protocol(&fleet.protocol)?.transport {
            Transport::Stream => "tcp",
            Transport::Datagram => "udp",
        };
        Some(format!("{layer}.port=={},{}", to.port, fleet.protocol))
    };
    transcript.entries.iter().filter_map(port).collect()
}

/// The text, for the finding's folder below `run`. `decode` is [`decode_as`] of its record.
#[must_use]
pub fn text(finding: &Finding, run: &Path, decode: &BTreeSet<String>) -> String {
    let f = finding;
    let flags: String = decode.iter().map(|rule| format!(" -d {rule}")).collect();
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let cwe = f.cwe.iter().map(|n| format!("CWE-{n}")).collect::<Vec<_>>().join(", ");
    format!(
        "# {title}\n\n\
         - finding: {id} ({kind}, {level}), {verdict}, replay {replay}{others}\n\
         - target: {target} {version}\n\
         - rule: {oracle}, {clause}\n\
         - weakness: {cwe}; {cvss}\n\n\
         Expected: {expected}\n\n\
         Actual: {actual}\n\n\
         ## Run it again\n\n\
         ```sh\nproofhouse replay {run}/{folder}\n```\n\n\
         The smallest scenario is `scenario.toml` beside this file (seed {seed}), what crossed the wire is `transcript.txt`.\n\n\
         ## Look at the packets\n\n\
         ```sh\ntshark -r {run}/{folder}/capture.pcapng{flags}\n```\n\n\
         `capture.pcapng` is written from the transcript when the run ends (`proofhouse report` writes it again): payloads, addresses,\n\
         ports and times are those of the trial, TCP sequence numbers and handshakes are synthesized. Wireshark: Analyze, Decode As, or\n\
         the same `-d`. Every packet carries its step as a comment; the violating one says so: filter `frame.comment contains VIOLATION`.\n",
        title = f.title,
        id = f.id,
        kind = f.kind,
        level = f.level,
        verdict = f.verdict,
        replay = f.replay,
        others = others(f),
        target = f.target,
        version = or(&f.target_version, "(version unknown)"),
        oracle = f.oracle,
        clause = or(&f.clause, "a policy, no clause"),
        cwe = or(&cwe, "not classified"),
        cvss = or(&f.cvss, "no CVSS vector"),
        expected = f.expected,
        actual = f.actual,
        seed = f.seed,
        run = run.display(),
        folder = Folder::finding(f),
    )
}

/// Replays that did not take place, each with its reason.
fn others(finding: &Finding) -> String {
    let why = finding.not_replayed.join("; ");
    if why.is_empty() { why } else { format!(" ({} did not take place: {why})", finding.not_replayed.len()) }
}
