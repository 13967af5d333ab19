//! The packets around a violation, as a ladder: parties as columns, time downwards.
//!
//! A ladder is for reading, so it is short: what is left out is counted where it was. The transcript has all of it.
use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::finding::Finding;
use proofhouse_core::part::Part;
use proofhouse_core::transcript::{
    By, Bytes, Entry, Event, Life, Packet, Slipped, StepState, Transcript, Who, WitnessState,
};
use proofhouse_core::value::unhex;
use serde::Serialize;

use crate::words::{cut, visible};

/// Columns beside the target's. More do not fit a page.
const PARTIES_MAX: usize = 4;
/// Lines of a ladder.
const LINES_MAX: usize = 56;
/// Lines kept before and after each one that shows the violation.
const BEFORE: usize = 7;
const AFTER: usize = 3;
/// Lines kept at the beginning and at the end.
const EDGE: usize = 4;
/// Bytes of a message that are shown.
const HEX_MAX: usize = 256;
/// Characters of a packet's fields.
const TEXT_MAX: usize = 140;

/// The packets around a violation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ladder {
    /// Columns: members, and the target last.
    pub parties: Vec<String>,
    /// Downwards.
    pub lines: Vec<Line>,
    /// Members that have no column.
    pub others: usize,
    /// Messages around the violation, in hex.
    pub dumps: Vec<Dump>,
    /// `sim` or `live`.
    pub clock: String,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Seconds since the trial began; empty in a gap.
    pub at: String,
    /// `right`: to the target; `left`: from it; `note`: beside a column; `gap`: lines that are left out.
    pub shape: &'static str,
    /// Column of the member (from 0); of the target for a note about it.
    pub party: usize,
    /// What: packet or event.
    pub what: String,
    /// Its fields.
    pub fields: String,
    /// What the step that sent it is for.
    pub part: Option<Part>,
    /// It shows the violation.
    pub hot: bool,
    /// It is to be called so: the message, where there is one, or else what was noted.
    pub violation: bool,
}

/// A message in hex.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dump {
    /// Time, who, direction and packet.
    pub title: String,
    /// Offset, bytes, text; one line for 16 bytes.
    pub text: String,
    /// It shows the violation.
    pub hot: bool,
}

/// A line before anything is left out.
struct Draft<'a> {
    id: u32,
    entry: &'a Entry,
    part: Option<Part>,
    hot: bool,
    violation: bool,
}

impl Ladder {
    /// The ladder of a finding's own transcript.
    #[must_use]
    pub fn of(transcript: &Transcript, finding: &Finding) -> Ladder {
        let drafts = drafts(transcript, finding);
        let (parties, others) = parties(&drafts, transcript, finding);
        let drafts: Vec<Draft<'_>> = drafts.into_iter().filter(|d| column(&parties, &d.entry.who).is_some()).collect();
        let kept = kept(&drafts);
        let mut lines = Vec::new();
        let mut left_out = 0;
        for (at, draft) in drafts.iter().enumerate() {
            if !kept.contains(&at) {
                left_out += 1;
                continue;
            }
            gap(&mut lines, &mut left_out);
            lines.push(line(draft, &parties));
        }
        gap(&mut lines, &mut left_out);
        let mut names: Vec<String> = parties.iter().map(|who| visible(&who.to_string())).collect();
        names.push("target".into());
        Ladder { parties: names, lines, others, dumps: dumps(&drafts), clock: transcript.header.clock.clone() }
    }
}

/// Everything that a ladder can show, each with the part of the step that caused it.
fn drafts<'a>(transcript: &'a Transcript, finding: &Finding) -> Vec<Draft<'a>> {
    let hot: BTreeSet<u32> = finding.entries.iter().map(|id| id.0).collect();
    let mut parts: BTreeMap<u32, Option<Part>> = BTreeMap::new();
    let mut drafts = Vec::new();
    for (id, entry) in transcript.iter() {
        let mut part = None;
        match &entry.event {
            Event::Step { conn: Some(conn), state: StepState::Started, part, .. } => {
                parts.insert(*conn, *part);
            }
            Event::Sent(bytes) => part = parts.get(&bytes.conn).copied().unwrap_or_default(),
            _ => {}
        }
        let hot = hot.contains(&id.0);
        if hot || is_shown(&entry.event) {
            drafts.push(Draft { id: id.0, entry, part, hot, violation: hot });
        }
    }
    name_messages(&mut drafts);
    drafts
}

/// What was noted together with a message (a canary that left or arrived, a step that was met by it) shows that very message.
fn name_messages(drafts: &mut [Draft<'_>]) {
    let noted: Vec<usize> =
        (0..drafts.len()).filter(|at| drafts[*at].hot && !is_message(&drafts[*at].entry.event)).collect();
    for at in noted {
        let (conn, time) = (drafts[at].entry.event.conn(), drafts[at].entry.at);
        let same = |other: &usize| {
            let entry = drafts[*other].entry;
            is_message(&entry.event) && conn.is_some() && entry.event.conn() == conn && entry.at == time
        };
        let after =
            matches!(drafts[at].entry.event, Event::Planted { .. } | Event::Step { state: StepState::Started, .. });
        let near = if after {
            (at + 1..drafts.len().min(at + 8)).find(same)
        } else {
            (at.saturating_sub(8)..at).rev().find(same)
        };
        if let Some(message) = near {
            drafts[at].violation = false;
            (drafts[message].hot, drafts[message].violation) = (true, true);
        }
    }
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Sent(_) | Event::Received(_))
}

fn is_shown(event: &Event) -> bool {
    match event {
        Event::Life(life) => !matches!(life, Life::Log { .. } | Life::Stopped),
        Event::Step { state, .. } => state.went_wrong(),
        Event::Witness(state) => {
            !matches!(state, WitnessState::Served { .. } | WitnessState::Knocks | WitnessState::Welcomed { .. })
        }
        Event::Grant { .. } | Event::Gauge { .. } | Event::Calibration { .. } | Event::Bound { .. } => false,
        Event::Finished | Event::Totals(_) => false,
        _ => true,
    }
}

/// Members that get a column: those that show the violation, then those that attack, then the others, each in order of appearance;
/// a witness only where it shows something. Also how many get none.
fn parties<'a>(drafts: &[Draft<'a>], transcript: &Transcript, finding: &Finding) -> (Vec<&'a Who>, usize) {
    let owners: BTreeMap<u32, &Who> = transcript
        .entries
        .iter()
        .filter(|e| matches!(e.event, Event::Opened { .. }))
        .filter_map(|e| Some((e.event.conn()?.0, &e.who)))
        .collect();
    let shows: BTreeSet<&Who> = finding
        .entries
        .iter()
        .filter_map(|id| transcript.entries.get(id.0 as usize))
        .filter_map(|e| e.event.conn().and_then(|c| owners.get(&c.0).copied()).or(Some(&e.who)))
        .collect();
    let mut ranked: BTreeMap<&Who, (u8, u32)> = BTreeMap::new();
    for draft in drafts {
        let Who::Member(fleet, _) = &draft.entry.who else { continue };
        let rank = match () {
            () if draft.hot || shows.contains(&draft.entry.who) => 0,
            () if draft.part == Some(Part::Stimulus) => 1,
            () if fleet.starts_with("witness") => continue,
            () => 2,
        };
        let known = ranked.entry(&draft.entry.who).or_insert((rank, draft.id));
        known.0 = known.0.min(rank);
    }
    let mut order: Vec<(&Who, (u8, u32))> = ranked.into_iter().collect();
    order.sort_by_key(|(_, rank)| *rank);
    let others = order.len().saturating_sub(PARTIES_MAX);
    order.truncate(PARTIES_MAX);
    order.sort_by_key(|(_, (_, first))| *first);
    (order.into_iter().map(|(who, _)| who).collect(), others)
}

/// The column of somebody; what target and harness do stands in the last one.
fn column(parties: &[&Who], who: &Who) -> Option<usize> {
    match who {
        Who::Member(..) => parties.iter().position(|party| *party == who),
        Who::Target | Who::Harness => Some(parties.len()),
    }
}

/// Which drafts stay: the edges, what is around the violation, and what the attack sent, in this order until the page is full.
fn kept(drafts: &[Draft<'_>]) -> BTreeSet<usize> {
    let hot: Vec<usize> = (0..drafts.len()).filter(|at| drafts[*at].hot).collect();
    let around = hot.iter().flat_map(|at| {
        let mut near: Vec<usize> = (at.saturating_sub(BEFORE)..=at + AFTER).collect();
        near.sort_by_key(|other| other.abs_diff(*at));
        near
    });
    let edges = (0..EDGE).chain(drafts.len().saturating_sub(EDGE)..drafts.len());
    let attack = (0..drafts.len()).filter(|at| drafts[*at].part == Some(Part::Stimulus));
    let rest = 0..drafts.len();
    let mut kept = BTreeSet::new();
    for at in hot.iter().copied().take(LINES_MAX / 2).chain(edges).chain(around).chain(attack).chain(rest) {
        if kept.len() == LINES_MAX {
            break;
        }
        if at < drafts.len() {
            kept.insert(at);
        }
    }
    kept
}

fn gap(lines: &mut Vec<Line>, left_out: &mut usize) {
    if *left_out > 0 {
        lines.push(Line {
            at: String::new(),
            shape: "gap",
            party: 0,
            what: crate::words::count(*left_out, "line") + " left out",
            fields: String::new(),
            part: None,
            hot: false,
            violation: false,
        });
        *left_out = 0;
    }
}

fn line(draft: &Draft<'_>, parties: &[&Who]) -> Line {
    let (shape, (what, fields)) = match &draft.entry.event {
        Event::Sent(bytes) => ("right", traffic(bytes)),
        Event::Received(bytes) => ("left", traffic(bytes)),
        other => ("note", (aside(other), String::new())),
    };
    Line {
        at: draft.entry.at.to_string(),
        shape,
        party: column(parties, &draft.entry.who).expect("only those with a column are drawn"),
        what: visible(&what),
        fields: cut(&visible(&fields), TEXT_MAX),
        part: draft.part,
        hot: draft.hot,
        violation: draft.violation,
    }
}

/// Names of the packets, and the fields of the first.
fn traffic(bytes: &Bytes) -> (String, String) {
    let len = bytes.len.unwrap_or(bytes.hex.len() as u64 / 2);
    let Some(first) = bytes.packets.first() else { return (crate::words::count(len as usize, "byte"), String::new()) };
    let same = bytes.packets.iter().all(|packet| packet.kind == first.kind);
    let names = match bytes.packets.len() {
        1 => first.kind.clone(),
        n if same => format!("{n} × {}", first.kind),
        _ => bytes.packets.iter().take(4).map(|p| p.kind.as_str()).collect::<Vec<_>>().join(" + "),
    };
    (names, fields(first))
}

fn fields(packet: &Packet) -> String {
    let mut text: Vec<String> =
        packet.fields.iter().map(|(name, value)| format!("{name}={}", cut(&value.to_string(), 40))).collect();
    if !packet.malformed.is_empty() {
        text.insert(0, format!("malformed: {}", packet.malformed));
    }
    text.join(" ")
}

fn aside(event: &Event) -> String {
    match event {
        Event::Opened { label, .. } if label == "main" => "opened".into(),
        Event::Opened { label, .. } => format!("opened {label}"),
        Event::Closed { by, how, .. } => format!("closed by {}: {how:?}", by_name(*by)).to_lowercase(),
        Event::Undelivered { len, .. } => format!("{len} bytes not written: the connection was over"),
        Event::Step { verb, state, detail, .. } if detail.is_empty() => format!("{verb} {state:?}").to_lowercase(),
        Event::Step { verb, state, detail, .. } => format!("{verb} {state:?}: {detail}").to_lowercase(),
        Event::Mark { name } => format!("mark {name}"),
        Event::Planted { canary, .. } => format!("plants canary {canary}"),
        Event::Seen { canary, .. } => format!("canary {canary} arrives"),
        Event::Fate { fate, .. } => format!("link: {fate}"),
        Event::Ordered { order } => format!("order: {order:?}"),
        Event::Life(life) => life_line(life),
        Event::Witness(WitnessState::Served { rtt, .. }) => format!("witness served in {} ms", rtt / 1_000_000),
        Event::Witness(WitnessState::Missed { waited, .. }) => {
            format!("witness unanswered for {} ms", waited / 1_000_000)
        }
        Event::Witness(WitnessState::Lost) => "witness lost".into(),
        Event::Witness(WitnessState::Knocks) => "a newcomer comes".into(),
        Event::Witness(WitnessState::Welcomed { took }) => format!("newcomer served in {} ms", took / 1_000_000),
        Event::Witness(WitnessState::Ignored { waited, .. }) => {
            format!("newcomer unanswered for {} ms", waited / 1_000_000)
        }
        Event::Witness(WitnessState::Unheard) => "nobody listens to a newcomer".into(),
        Event::Witness(WitnessState::TurnedAway) => "newcomer turned away".into(),
        Event::Gauge { name, value } | Event::Calibration { name, value } => format!("{name} {value}"),
        Event::Grant { party, grant, allow } => {
            format!("{party} {} {grant}", if *allow { "may" } else { "may no longer" })
        }
        Event::Bound { name, value } => format!("{name} = {value}"),
        Event::Slip { of, ns } => format!("{} could not act for {} ms", slipped(*of), ns / 1_000_000),
        Event::Limit => "the trial's time was over".into(),
        Event::Finished => "finished".into(),
        Event::Totals(fields) => format!("totals: {fields}"),
        Event::Sent(_) | Event::Received(_) => String::new(),
    }
}

fn slipped(of: Slipped) -> &'static str {
    match of {
        Slipped::Fleets => "our own loop",
        Slipped::Witnesses => "the witness's loop",
        Slipped::Target => "the target",
    }
}

fn by_name(by: By) -> &'static str {
    match by {
        By::Us => "us",
        By::Peer => "target",
        By::Limit => "our own limit",
    }
}

fn life_line(life: &Life) -> String {
    match life {
        Life::Started { .. } => "target started".into(),
        Life::Ready => "target ready".into(),
        Life::Exited { code } => format!("target EXITED with code {code}"),
        Life::Signalled { signal } => format!("target ENDED by signal {signal}"),
        Life::Log { line } | Life::Panic { line } => cut(line, TEXT_MAX),
        Life::Stopped => "target stopped by us".into(),
    }
}

/// The messages that show the violation; where none is one, those next to it. At most six.
fn dumps(drafts: &[Draft<'_>]) -> Vec<Dump> {
    let messages: Vec<&Draft<'_>> = drafts.iter().filter(|d| is_message(&d.entry.event)).collect();
    let hot: Vec<u32> = drafts.iter().filter(|d| d.hot).map(|d| d.id).take(3).collect();
    let mut chosen: BTreeSet<u32> = BTreeSet::new();
    for id in hot {
        let at = messages.partition_point(|d| d.id < id);
        for near in messages[at.saturating_sub(1)..].iter().take(2) {
            chosen.insert(near.id);
        }
    }
    if chosen.is_empty() {
        chosen.extend(messages.iter().filter(|d| d.part == Some(Part::Stimulus)).take(2).map(|d| d.id));
    }
    messages.into_iter().filter(|d| chosen.contains(&d.id)).take(6).map(dump).collect()
}

fn dump(draft: &Draft<'_>) -> Dump {
    let (arrow, bytes) = match &draft.entry.event {
        Event::Sent(bytes) => ("→ target", bytes),
        Event::Received(bytes) => ("← target", bytes),
        _ => unreachable!("only messages are dumped"),
    };
    let title = format!("{} {} {arrow}: {}", draft.entry.at, draft.entry.who, traffic(bytes).0);
    Dump { title: visible(&title), text: hexdump(bytes), hot: draft.hot }
}

/// `0000  10 15 00 04 ...  |....|`
fn hexdump(bytes: &Bytes) -> String {
    let all = unhex(&bytes.hex).unwrap_or_default();
    let mut text = String::new();
    for (at, row) in all[..all.len().min(HEX_MAX)].chunks(16).enumerate() {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let seen: String =
            row.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        text += &format!("{:04x}  {:<47}  {seen}\n", at * 16, hex.join(" "));
    }
    let len = bytes.len.unwrap_or(all.len() as u64);
    if len > HEX_MAX as u64 {
        text += &format!("… {} more bytes\n", len - HEX_MAX as u64);
    }
    text
}

#[cfg(test)]
mod tests;
