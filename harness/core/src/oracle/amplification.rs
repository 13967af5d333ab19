//! Who has not shown that it owns its address gets little more than it sent: no target is a cannon against whoever is forged.
//!
//! An association is a socket of ours and one peer. All that arrives on it within the window after its first datagram counts
//! against all that it sent until then, retransmissions too, and so does what comes to the same socket from other ports of whoever
//! was asked: it came for what was sent there. Once it has sent what only the owner of the address can know
//! (`proof`), the rest is between friends. A reflected datagram costs its headers as well: `bytes = "ip"` counts 28 for each, and both are told.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record, ids};
use super::rule::{CLAUSE, Needs, Oracle};
use super::sockets::Sockets;
use crate::key::{Key, Kind};
use crate::plan::{Expect, Plan};
use crate::severity::FindingKind;
use crate::time::Duration;
use crate::transcript::{Bytes, Event, Transcript};
use crate::value::Value;
use crate::verdict::{Judgement, Violation};

pub(super) const ORACLE: Oracle = Oracle {
    id: "amplification",
    doc: "an address that was never validated receives at most so many times the bytes that it sent",
    clauses: &["RFC 7252 §11.3"],
    needs: Needs::Full,
    kind: FindingKind::Amplification,
    keys: &[
        Key { name: "factor_max", kind: Kind::Float, doc: "most bytes received for each byte sent; default 3.0" },
        Key {
            name: "bytes",
            kind: Kind::Text,
            doc: "what counts: \"udp-payload\" (default), or \"ip\": with 28 bytes of headers for each datagram",
        },
        Key {
            name: "window",
            kind: Kind::Duration,
            doc: "from the first datagram of an association; default 93s, in which CoAP has ended every retransmission",
        },
        Key { name: "floor", kind: Kind::Int, doc: "payload bytes in all that are never too much; default 20" },
        Key {
            name: "proof",
            kind: Kind::Text,
            doc: "field by which a sender shows that it owns its address; default \"echo\"",
        },
        CLAUSE,
    ],
    reads_steps: false,
    judge,
};

/// What an address that was not validated may get at most: QUIC (RFC 9000, 8.1) and RFC 9175 agree on three times.
const FACTOR_MAX: f64 = 3.0;
/// MAX_TRANSMIT_WAIT of RFC 7252, 4.8.2.
const WINDOW: Duration = Duration::from_secs(93);
/// A header, a token of eight bytes and a challenge of eight (RFC 9175): nobody floods anybody with that, however little was asked.
const FLOOR: i64 = 20;
/// IPv4 header without options, and UDP header.
const HEADERS: u64 = 28;

/// One association until it proved its address.
#[derive(Default)]
struct Account {
    first: Option<Moment>,
    last: Option<Moment>,
    sent: Flow,
    received: Flow,
    /// What came when its window was over.
    late: Flow,
    evidence: Vec<Moment>,
    proven: bool,
}

/// Datagrams in one direction.
#[derive(Clone, Copy, Default)]
struct Flow {
    datagrams: u64,
    payload: u64,
}

impl Flow {
    fn add(&mut self, bytes: &Bytes) {
        self.datagrams += 1;
        self.payload += bytes.len.unwrap_or(bytes.hex.len() as u64 / 2);
    }

    fn bytes(self, level: Level) -> u64 {
        match level {
            Level::Payload => self.payload,
            Level::Ip => self.payload + HEADERS * self.datagrams,
        }
    }
}

/// At which level bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Payload,
    Ip,
}

impl Account {
    /// Bytes received for each byte sent. A datagram without payload counts as one byte, so that there is a factor at all.
    fn factor(&self, level: Level) -> f64 {
        self.received.bytes(level) as f64 / self.sent.bytes(level).max(1) as f64
    }
}

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let level = match expect.keys.text("bytes") {
        None | Some("udp-payload") => Level::Payload,
        Some("ip") => Level::Ip,
        Some(other) => {
            return Judgement::inconclusive(
                ORACLE.id,
                format!("bytes = {other:?}: \"udp-payload\" or \"ip\" can be counted"),
            );
        }
    };
    let window = expect.duration("window", WINDOW);
    let most = factor_max(expect);
    let accounts = accounts(expect, &record, window);
    let floor = u64::try_from(expect.keys.int("floor").unwrap_or(FLOOR)).unwrap_or(0);
    // What is no amplification for its size counts as one for one.
    let factor = |account: &Account| match account.received.payload <= floor {
        true => account.factor(level).min(1.0),
        false => account.factor(level),
    };
    let over = accounts.values().filter(|account| factor(account) > most).count();
    let worst = accounts.values().max_by(|a, b| factor(a).total_cmp(&factor(b)));
    let Some(worst) = worst else { return Judgement::inconclusive(ORACLE.id, "no address sent anything unproven") };
    let told = format!(
        "{:.1} times the bytes of its requests ({} for {}; {:.1} times with IP headers)",
        worst.factor(Level::Payload),
        worst.received.payload,
        worst.sent.payload,
        worst.factor(Level::Ip),
    );
    if over > 0 {
        let violation = Violation {
            expected: format!("an address that was never validated receives at most {most} times what it sent"),
            actual: format!("it received {told}; {over} of {} addresses got more than they may", accounts.len()),
            clause: expect.clause(plan),
            place: String::from("unvalidated-address"),
            entries: ids(worst.evidence.iter().copied().take(ENTRIES_MAX)),
            lesser: false,
        };
        return Judgement::fail(ORACLE.id, alloc::vec![violation]);
    }
    let why = undecided(&record, &accounts, window).or_else(|| answered_late(&accounts, floor, most));
    why.map_or_else(
        || {
            let evidence = ids(accounts.values().flat_map(|a| a.evidence.iter().copied()));
            Judgement::pass(ORACLE.id, evidence, format!("of {} addresses the worst got {told}", accounts.len()))
        },
        |why| Judgement::inconclusive(ORACLE.id, why),
    )
}

/// Why little was received proves nothing: the record is shorter than the window, or nobody knows that a request arrived.
fn undecided(record: &Record<'_>, accounts: &BTreeMap<u32, Account>, window: Duration) -> Option<String> {
    let open = accounts.values().filter(|account| account.first.is_some_and(|first| record.end < first.at + window));
    let open = open.count();
    if open > 0 {
        return Some(format!("the record ends before the window of {open} addresses does"));
    }
    if let Some(conn) = accounts.keys().find(|conn| record.is_limited(**conn)) {
        return Some(format!("our own limits ended connection {conn}"));
    }
    // A server that answers no stranger at all is no amplifier; one that was not reached is not known to be none.
    let silent = accounts.values().all(|account| account.received.datagrams == 0);
    let last = accounts.values().filter_map(|account| account.last).max()?;
    let reached = record.served_after(last.at).is_some();
    if silent && !reached {
        return Some(String::from("no address was answered, and the witness was not served after the last request"));
    }
    silent.then(|| record.hides_an_answer(window)).flatten()
}

/// Who had had no answer when its window was over, or no more than an acknowledgement, and then got more than it may: the window
/// was too short to see that.
fn answered_late(accounts: &BTreeMap<u32, Account>, floor: u64, most: f64) -> Option<String> {
    let unanswered = |account: &&Account| account.received.payload <= floor;
    let late = |account: &&Account| account.late.payload as f64 > most * account.sent.payload.max(1) as f64;
    let many = accounts.values().filter(unanswered).filter(late).count();
    (many > 0).then(|| format!("{many} addresses were answered after the window, and with more than they may get"))
}

fn factor_max(expect: &Expect) -> f64 {
    match expect.keys.find("factor_max") {
        Some(Value::Float(x)) => *x,
        Some(Value::Int(n)) => *n as f64,
        _ => FACTOR_MAX,
    }
}

/// What every association of these fleets sent and received while its address was unproven. Addresses that were proven on any
/// association are friends on all later ones.
fn accounts(expect: &Expect, record: &Record<'_>, window: Duration) -> BTreeMap<u32, Account> {
    let proof = expect.keys.text("proof").unwrap_or("echo");
    let mut accounts: BTreeMap<u32, Account> = BTreeMap::new();
    let mut proven: BTreeSet<u32> = BTreeSet::new();
    let mut addresses: BTreeMap<u32, u32> = BTreeMap::new();
    let sockets = Sockets::of(record);
    for (id, entry) in record.transcript.iter() {
        let moment = Moment { at: entry.at, id };
        if let Event::Opened { conn, from, .. } = &entry.event {
            addresses.insert(*conn, from.ip);
        }
        let (bytes, sent) = match &entry.event {
            Event::Sent(bytes) => (bytes, true),
            Event::Received(bytes) => (bytes, false),
            _ => continue,
        };
        let of = record.connections.get(&bytes.conn).is_some_and(|connection| expect.is_about(connection.fleet));
        let asked = sockets.asked(bytes.conn);
        let friend = addresses.get(&asked).is_some_and(|ip| proven.contains(ip));
        if !of || (friend && !accounts.contains_key(&asked)) {
            continue;
        }
        let account = accounts.entry(asked).or_default();
        if sent && bytes.packets.iter().any(|packet| packet.fields.find(proof).is_some()) {
            account.proven = true;
            proven.extend(addresses.get(&asked));
        }
        if !account.proven {
            account.take(moment, bytes, sent, window);
        }
    }
    accounts.retain(|_, account| account.first.is_some());
    accounts
}

impl Account {
    fn take(&mut self, moment: Moment, bytes: &Bytes, sent: bool, window: Duration) {
        if self.first.is_none() && !sent {
            return;
        }
        if self.first.is_some_and(|first| moment.at > first.at + window) {
            if !sent {
                self.late.add(bytes);
            }
            return;
        }
        if sent {
            self.first = self.first.or(Some(moment));
            self.last = Some(moment);
            self.sent.add(bytes);
        } else {
            self.received.add(bytes);
        }
        self.evidence.push(moment);
    }
}

/// Entries that a violation shows at most: enough to see it, not ten thousand.
const ENTRIES_MAX: usize = 20;
