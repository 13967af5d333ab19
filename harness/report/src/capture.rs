//! `capture.pcapng`: the packets of one finding, for Wireshark.
//!
//! Payloads, addresses, ports and times are those of the transcript; nothing is renumbered to make a dissector happy (what to tell it
//! stands in `reproduce.md`). What a transcript does not hold is synthesized so that a stream can be followed: TCP sequence numbers,
//! the handshake when a connection opens, FIN or RST when it ends. Acknowledgements ride on data. Time begins at the epoch, since a
//! trial's clock does. Bytes that the transcript has cut away leave a gap in the sequence, and the packet before it says so.
use std::collections::{BTreeMap, BTreeSet};

use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::finding::Finding;
use proofhouse_core::part::Part;
use proofhouse_core::transcript::{By, Bytes, Event, StepState, Transcript, Who};
use proofhouse_core::value::unhex;

use crate::pcapng::{Pcapng, Tcp, flag, tcp, udp};
use crate::words::{cut, visible};

/// Largest TCP payload of one packet: Ethernet's 1,500 bytes less the headers, as a capture of a real path would show.
const SEGMENT_MAX: usize = 1_460;
/// Largest UDP payload over IPv4.
const DATAGRAM_MAX: usize = 65_507;
/// Characters of a comment; the transcript has all of them.
const COMMENT_MAX: usize = 600;

/// What the capture has to know of a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetTransport {
    /// It speaks in datagrams.
    pub datagrams: bool,
    /// It listens, and the target connects.
    pub listens: bool,
}

/// The fleets of a finding's `scenario.toml`; `datagrams` says which protocols are carried by datagrams.
#[must_use]
pub fn fleets(scenario: &str, datagrams: &dyn Fn(&str) -> bool) -> BTreeMap<String, FleetTransport> {
    let Ok(tree) = proofhouse_core::document::parse("scenario.toml", scenario) else { return BTreeMap::new() };
    let plain = tree.plain();
    let text = |value: &proofhouse_core::value::Value, key: &str| match value {
        proofhouse_core::value::Value::Table(fields) => fields.text(key).map(str::to_owned),
        _ => None,
    };
    let default = text(&plain, "protocol").unwrap_or_default();
    let proofhouse_core::value::Value::Table(root) = &plain else { return BTreeMap::new() };
    let Some(proofhouse_core::value::Value::Table(all)) = root.find("fleet") else { return BTreeMap::new() };
    let fleet = |value: &proofhouse_core::value::Value| FleetTransport {
        datagrams: datagrams(&text(value, "protocol").unwrap_or_else(|| default.clone())),
        listens: text(value, "plays").as_deref() == Some("server"),
    };
    all.iter().map(|(name, value)| (name.to_owned(), fleet(value))).collect()
}

/// The capture.
#[must_use]
pub fn capture(transcript: &Transcript, finding: &Finding, fleets: &BTreeMap<String, FleetTransport>) -> Vec<u8> {
    let header = &transcript.header;
    let mut about = format!(
        "{} {} on {}, seed {}: {} by {}. Payloads, addresses, ports and times are those of the transcript; TCP sequence numbers, \
         handshakes and ends are synthesized.",
        header.scenario, header.case, header.target, header.seed, finding.id, finding.oracle
    );
    if transcript.entries.iter().any(|entry| matches!(entry.event, Event::Totals(_))) {
        about += " Recorded on edges: messages between the first and the last ones of a connection are not here.";
    }
    let mut writer = Writer {
        file: Pcapng::new("Proofhouse", &visible(&about)),
        flows: BTreeMap::new(),
        ends: ends(transcript),
        ours: BTreeSet::new(),
        comments: comments(transcript, finding),
        fleets,
    };
    for (id, entry) in transcript.iter() {
        if let Who::Member(fleet, _) = &entry.who {
            writer.take(id.0, entry.at.0, fleet, &entry.event);
        }
    }
    writer.file.into_bytes()
}

/// Both ends of every connection, wherever its `opened` stands: bytes of a stranger may be recorded before the association that they
/// begin, and a record on edges has the one without the other.
fn ends(transcript: &Transcript) -> BTreeMap<u32, (Addr, Addr)> {
    let opened = |event: &Event| match event {
        Event::Opened { conn, from, to, .. } => Some((*conn, (*from, *to))),
        _ => None,
    };
    transcript.entries.iter().filter_map(|entry| opened(&entry.event)).collect()
}

/// One connection or association.
struct Flow {
    ours: Addr,
    theirs: Addr,
    datagrams: bool,
    /// Its end was written. What the record has after that is written all the same.
    closed: bool,
    /// Next sequence number of ours and of theirs.
    next: [u32; 2],
}

struct Writer<'a> {
    file: Pcapng,
    flows: BTreeMap<u32, Flow>,
    ends: BTreeMap<u32, (Addr, Addr)>,
    /// Addresses of sockets that we opened: an association that comes to one of them is a stranger's.
    ours: BTreeSet<Addr>,
    comments: BTreeMap<u32, Vec<String>>,
    fleets: &'a BTreeMap<String, FleetTransport>,
}

impl Writer<'_> {
    fn take(&mut self, id: u32, at: u64, fleet: &str, event: &Event) {
        let comments = self.comments.remove(&id).unwrap_or_default();
        match event {
            Event::Opened { conn, from, to, .. } if !self.stands(*conn, (*from, *to)) => {
                self.opened(at, fleet, *conn, (*from, *to), &comments);
            }
            Event::Sent(bytes) => self.bytes(at, fleet, bytes, true, comments),
            Event::Received(bytes) => self.bytes(at, fleet, bytes, false, comments),
            Event::Closed { conn, by, how } => self.closed(at, *conn, *by, *how, &comments),
            _ => {}
        }
    }

    fn opened(&mut self, at: u64, fleet: &str, conn: u32, (from, to): (Addr, Addr), comments: &[String]) {
        let fleet = self.fleets.get(fleet).copied().unwrap_or_default();
        let accepted = fleet.listens || self.ours.contains(&to);
        let (ours, theirs) = if accepted { (to, from) } else { (from, to) };
        self.ours.insert(ours);
        let mut flow = Flow { ours, theirs, datagrams: fleet.datagrams, closed: false, next: [0, 0] };
        if !fleet.datagrams {
            let first = !accepted;
            self.file.packet(at, &flow.tcp(first, flag::SYN, &[]), comments);
            flow.next[usize::from(!first)] = 1;
            self.file.packet(at, &flow.tcp(!first, flag::SYN | flag::ACK, &[]), &[]);
            flow.next[usize::from(first)] = 1;
            self.file.packet(at, &flow.tcp(first, flag::ACK, &[]), &[]);
        }
        self.flows.insert(conn, flow);
    }

    /// Whether bytes have begun this very connection before its own entry came.
    fn stands(&self, conn: u32, ends: (Addr, Addr)) -> bool {
        let same = |flow: &Flow| ends == (flow.ours, flow.theirs) || ends == (flow.theirs, flow.ours);
        self.flows.get(&conn).is_some_and(|flow| !flow.closed && same(flow))
    }

    fn bytes(&mut self, at: u64, fleet: &str, bytes: &Bytes, sent: bool, mut comments: Vec<String>) {
        if !self.flows.contains_key(&bytes.conn) {
            let known = self.ends.get(&bytes.conn).copied();
            if known.is_none() {
                comments.push("the transcript does not name the addresses of this connection".to_owned());
            }
            self.opened(at, fleet, bytes.conn, known.unwrap_or_else(|| nameless(bytes.conn)), &[]);
        }
        let Some(flow) = self.flows.get_mut(&bytes.conn) else { return };
        let payload = unhex(&bytes.hex).unwrap_or_default();
        let missing = bytes.len.unwrap_or(0).saturating_sub(payload.len() as u64);
        if missing > 0 {
            comments.push(format!("{missing} more bytes followed, which the transcript does not keep"));
        }
        if flow.datagrams {
            let (from, to) = flow.ends(sent);
            let packet = udp(from, to, &payload[..payload.len().min(DATAGRAM_MAX)]);
            return self.file.packet(at, &packet, &comments);
        }
        for segment in payload.chunks(SEGMENT_MAX) {
            let packet = flow.tcp(sent, flag::PSH | flag::ACK, segment);
            self.file.packet(at, &packet, &comments);
            flow.advance(sent, segment.len() as u64);
            comments.clear();
        }
        flow.advance(sent, missing);
    }

    fn closed(&mut self, at: u64, conn: u32, by: By, how: Close, comments: &[String]) {
        let Some(flow) = self.flows.get_mut(&conn).filter(|flow| !flow.datagrams) else { return };
        let by_us = match by {
            By::Us => true,
            By::Peer => false,
            By::Limit => return,
        };
        flow.closed = true;
        match how {
            Close::Fin => {
                self.file.packet(at, &flow.tcp(by_us, flag::FIN | flag::ACK, &[]), comments);
                flow.advance(by_us, 1);
                self.file.packet(at, &flow.tcp(!by_us, flag::FIN | flag::ACK, &[]), &[]);
                flow.advance(!by_us, 1);
                self.file.packet(at, &flow.tcp(by_us, flag::ACK, &[]), &[]);
            }
            Close::Reset => self.file.packet(at, &flow.tcp(by_us, flag::RST | flag::ACK, &[]), comments),
            Close::Refused | Close::TimedOut | Close::LocalLimit => {}
        }
    }
}

/// Ends that no record names: documentation addresses (RFC 5737), one port for each connection.
fn nameless(conn: u32) -> (Addr, Addr) {
    (Addr::new([192, 0, 2, 1], conn as u16), Addr::new([192, 0, 2, 2], 0))
}

impl Flow {
    fn ends(&self, sent: bool) -> (Addr, Addr) {
        if sent { (self.ours, self.theirs) } else { (self.theirs, self.ours) }
    }

    fn tcp(&self, sent: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to) = self.ends(sent);
        let ack = if flags & flag::ACK == 0 { 0 } else { self.next[usize::from(sent)] };
        tcp(from, to, Tcp { seq: self.next[usize::from(!sent)], ack, flags }, payload)
    }

    fn advance(&mut self, sent: bool, by: u64) {
        let next = &mut self.next[usize::from(!sent)];
        *next = next.wrapping_add(by as u32); // sequence numbers count modulo 2^32
    }
}

/// What stands at which packet: who and on which connection, the packets that its bytes complete, the step that sent it, the answer
/// of the step that it met, marks, and the violation. An entry that is no packet speaks at the packet before it.
fn comments(transcript: &Transcript, finding: &Finding) -> BTreeMap<u32, Vec<String>> {
    let mut notes = Notes::default();
    for (id, entry) in transcript.iter() {
        if is_packet(&entry.event) {
            let who = format!("{} {}", transcript.header.scenario, entry.who);
            notes.packet(id.0, &who, &entry.event);
        } else {
            notes.aside(&entry.event);
        }
        if finding.entries.contains(&id) {
            notes.violation(id.0, &entry.event, finding);
        }
    }
    notes.all.values_mut().flatten().for_each(|text| *text = cut(&visible(text), COMMENT_MAX));
    notes.all
}

#[derive(Default)]
struct Notes<'a> {
    all: BTreeMap<u32, Vec<String>>,
    labels: BTreeMap<u32, &'a str>,
    /// Steps that have begun on a connection and not yet sent.
    begun: BTreeMap<u32, String>,
    /// The last packet on each connection, and of all.
    last_on: BTreeMap<u32, u32>,
    last: Option<u32>,
}

impl<'a> Notes<'a> {
    fn packet(&mut self, id: u32, who: &str, event: &'a Event) {
        let conn = event.conn().expect("packets are on a connection").0;
        if let Event::Opened { label, .. } = event {
            self.labels.insert(conn, label);
        }
        let mut line = format!("{who} {}", self.labels.get(&conn).copied().unwrap_or_default());
        if let Event::Sent(bytes) | Event::Received(bytes) = event {
            line += &kinds(bytes);
        }
        let said = self.all.entry(id).or_default();
        said.push(line);
        if let Event::Sent(_) = event {
            said.extend(self.begun.remove(&conn));
        }
        self.last_on.insert(conn, id);
        self.last = Some(id);
    }

    fn aside(&mut self, event: &Event) {
        let (at, text) = match event {
            Event::Step { index, verb, conn: Some(conn), state: StepState::Started, part, .. } => {
                self.begun.insert(*conn, step(*index, verb, *part));
                return;
            }
            Event::Step { index, verb, conn: Some(conn), state, part, detail } => {
                let how = if *state == StepState::Met { "met" } else { "UNMET" };
                (self.last_on.get(conn).copied(), format!("{} {how}: {detail}", step(*index, verb, *part)))
            }
            Event::Mark { name } => (self.last, format!("mark {name}")),
            Event::Seen { canary, conn } => (self.last_on.get(conn).copied(), format!("canary {canary} seen")),
            _ => return,
        };
        if let Some(at) = at {
            self.all.entry(at).or_default().push(text);
        }
    }

    fn violation(&mut self, id: u32, event: &Event, finding: &Finding) {
        let before = event.conn().and_then(|conn| self.last_on.get(&conn.0).copied()).or(self.last);
        let at = if is_packet(event) { id } else { before.unwrap_or(id) };
        let f = finding;
        let rule = if f.clause.is_empty() { f.oracle.clone() } else { format!("{}, {}", f.oracle, f.clause) };
        let text = format!("VIOLATION {} ({rule}): expected: {}; actual: {}", f.id, f.expected, f.actual);
        let said = self.all.entry(at).or_default();
        if !said.contains(&text) {
            said.push(text);
        }
    }
}

fn is_packet(event: &Event) -> bool {
    matches!(event, Event::Opened { .. } | Event::Sent(_) | Event::Received(_))
        || matches!(event, Event::Closed { by: By::Us | By::Peer, how: Close::Fin | Close::Reset, .. })
}

fn step(index: u16, verb: &str, part: Option<Part>) -> String {
    match part {
        None => format!("step {index} {verb}"),
        Some(part) => format!("step {index} {verb} ({part})"),
    }
}

fn kinds(bytes: &Bytes) -> String {
    let mut text = String::new();
    for packet in &bytes.packets {
        text += &format!(" {}", packet.kind);
        if !packet.malformed.is_empty() {
            text += &format!(" (malformed: {})", packet.malformed);
        }
    }
    text
}

#[cfg(test)]
mod tests;
