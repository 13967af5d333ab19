//! `transcript.txt`: the record for people. Time, who, arrow, packet, one line each.
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use super::{By, Bytes, Event, Life, Packet, StepState, Transcript, WitnessState};
use crate::connection::Close;
use crate::part::Part;

/// Characters of undecoded bytes and of single values that a line shows.
const SHOWN_MAX: usize = 96;

impl Transcript {
    /// For people: time, who, arrow, packet, one line each.
    #[must_use]
    pub fn to_text(&self) -> String {
        let header = &self.header;
        let mut text = format!("# {}", header.scenario);
        for (name, value) in [("case", &header.case), ("target", &header.target)] {
            if !value.is_empty() {
                let _ = write!(text, "  {name} {value}");
            }
        }
        let _ = writeln!(text, "  seed {}  {}  arm {}", header.seed, header.clock, header.arm);
        let width = self.entries.iter().map(|entry| entry.who.to_string().len()).max().unwrap_or(0);
        for entry in &self.entries {
            let conn = entry.event.conn().map_or_else(String::new, |conn| format!("c{}", conn.0));
            let (arrow, what) = said(&entry.event);
            let who = entry.who.to_string();
            let line = format!("{:>12}  {who:width$}  {conn:>5}  {arrow:2}  {what}", entry.at.to_string());
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The arrow of an event, and what it says.
fn said(event: &Event) -> (&'static str, String) {
    match event {
        Event::Sent(bytes) => ("->", traffic(bytes)),
        Event::Received(bytes) => ("<-", traffic(bytes)),
        Event::Opened { label, from, to, .. } => ("--", format!("opened {label}: {from} to {to}")),
        Event::Closed { by, how, .. } => ("--", format!("closed by {}: {}", by_name(*by), how_name(*how))),
        Event::Undelivered { len, .. } => ("-x", format!("{len} bytes not written: the connection was over")),
        Event::Fate { fate, .. } => ("~~", format!("link: {fate}")),
        Event::Planted { canary, .. } => ("->", format!("canary {canary} planted")),
        Event::Seen { canary, .. } => ("<-", format!("canary {canary} seen")),
        other => ("", aside(other)),
    }
}

/// Events that are about no connection.
fn aside(event: &Event) -> String {
    match event {
        Event::Step { index, verb, state, part, detail, .. } => step(*index, verb, *state, *part, detail),
        Event::Mark { name } => format!("mark {name}"),
        Event::Bound { name, value } => format!("bound {name} = {}", short(&value.to_string())),
        Event::Ordered { order } => format!("order {order:?}"),
        Event::Grant { party, grant, allow } => {
            format!("{party} {} {grant}", if *allow { "may" } else { "may no longer" })
        }
        Event::Life(life) => life_line(life),
        Event::Gauge { name, value } => format!("{name} {value}"),
        Event::Witness(state) => witness(*state),
        Event::Calibration { name, value } => format!("calibration: {name} {value}"),
        Event::Finished => "finished".to_string(),
        Event::Limit => "limit reached".to_string(),
        Event::Totals(fields) => format!("totals: {fields}"),
        _ => String::new(),
    }
}

/// `connect client_id=victim-0; publish topic=a`, or the bytes where no packet is complete.
fn traffic(bytes: &Bytes) -> String {
    let mut line = String::new();
    for packet in &bytes.packets {
        if !line.is_empty() {
            line.push_str("; ");
        }
        describe(packet, &mut line);
    }
    let len = bytes.len.unwrap_or(bytes.hex.len() as u64 / 2);
    if bytes.packets.is_empty() {
        let _ = write!(line, "{len} bytes {}", short(&bytes.hex));
    } else if bytes.len.is_some() {
        let _ = write!(line, " ({len} bytes)");
    }
    line
}

fn describe(packet: &Packet, line: &mut String) {
    line.push_str(&packet.kind);
    for (name, value) in packet.fields.iter() {
        let _ = write!(line, " {name}={}", short(&value.to_string()));
    }
    if !packet.malformed.is_empty() {
        let _ = write!(line, " !! {}", packet.malformed);
    }
}

fn step(index: u16, verb: &str, state: StepState, part: Option<Part>, detail: &str) -> String {
    let state = match state {
        StepState::Started => "started",
        StepState::Met => "met",
        StepState::Unmet => "UNMET",
        StepState::Unsaid => "UNSAID",
        StepState::Beyond => "BEYOND",
        StepState::Barred => "BARRED",
        StepState::Cut => "CUT",
    };
    let mut line = format!("step {index} {verb} {state}");
    if let Some(part) = part {
        let _ = write!(line, " ({part})");
    }
    if !detail.is_empty() {
        let _ = write!(line, ": {}", escaped(detail));
    }
    line
}

fn life_line(life: &Life) -> String {
    match life {
        Life::Started { version } if version.is_empty() => "started".to_string(),
        Life::Started { version } => format!("started, version {version}"),
        Life::Ready => "ready".to_string(),
        Life::Exited { code } => format!("EXITED with code {code}"),
        Life::Signalled { signal } => format!("ENDED by signal {signal}"),
        Life::Log { line } => format!("    | {}", escaped(line)),
        Life::Panic { line } => format!("    ! {}", escaped(line)),
        Life::Stopped => "stopped by us".to_string(),
    }
}

fn witness(state: WitnessState) -> String {
    let ms = |nanos: u64| format!("{}.{:03} ms", nanos / 1_000_000, nanos / 1_000 % 1_000);
    let late = |late: u64| if late == 0 { String::new() } else { format!(", itself {} late", ms(late)) };
    match state {
        WitnessState::Served { rtt, late: own } => format!("served in {}{}", ms(rtt), late(own)),
        WitnessState::Missed { waited, late: own } => format!("MISSED after {}{}", ms(waited), late(own)),
        WitnessState::Lost => "LOST".to_string(),
        WitnessState::Knocks => "sends a newcomer".to_string(),
        WitnessState::Welcomed { took } => format!("newcomer served in {}", ms(took)),
        WitnessState::Ignored { waited, late: own } => format!("newcomer IGNORED for {}{}", ms(waited), late(own)),
        WitnessState::Unheard => "newcomer UNHEARD: nobody listens".to_string(),
        WitnessState::TurnedAway => "newcomer TURNED AWAY".to_string(),
    }
}

fn by_name(by: By) -> &'static str {
    match by {
        By::Us => "us",
        By::Peer => "peer",
        By::Limit => "our own limit",
    }
}

fn how_name(how: Close) -> &'static str {
    match how {
        Close::Fin => "fin",
        Close::Reset => "reset",
        Close::Refused => "refused",
        Close::TimedOut => "timed out",
        Close::LocalLimit => "no descriptor or port left",
    }
}

fn short(text: &str) -> String {
    let text = escaped(text);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}... ({} characters)", &text[..at], text.chars().count()),
        None => text,
    }
}

/// A peer's text stays on its line and moves no cursor.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}
