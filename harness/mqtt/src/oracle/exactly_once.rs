//! A message that the server has acknowledged is delivered once: not twice, not never.
//!
//! What counts as one delivery: a PUBLISH with the canary at a member, unless it repeats one whose exchange is still open there.
//! It repeats when it carries DUP and a packet identifier for which that member has not yet sent PUBACK (QoS 1) or PUBCOMP
//! (QoS 2): such a retransmission is what the standard asks for. The exchange outlives the connection, as the session does.
//! A loss is one only where the sender has the server's word: PUBACK below 0x80, or PUBCOMP below 0x80. (After PUBREC alone the
//! server may still wait for PUBREL.) At QoS 0 nothing is promised. Twice is a violation where the message was both published and
//! delivered at QoS 0 or 2, or where the scenario itself says "at most once": QoS 1, on either side, is at least once. A scenario with overlapping subscriptions cannot use this rule.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::canary::{At, carries};
use proofhouse_core::oracle::lateness::InTime;
use proofhouse_core::oracle::record::{Crossing, Moment, Record, StepRun, ids};
use proofhouse_core::oracle::{Needs, Oracle};
use proofhouse_core::plan::{Expect, FleetPlan, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::{StepState, Transcript};
use proofhouse_core::verdict::{Judgement, Violation};

use super::identity::{Logins, logins};
use crate::codec::Version;
use crate::codec::topic::matches;
use crate::names;

pub(super) const ORACLE: Oracle = Oracle {
    id: "exactly-once",
    doc: "a canary that the server has acknowledged is delivered once at every member of a fleet",
    clauses: &["MQTT5 4.3.3-10", "MQTT3 4.3.3-2", "MQTT5 4.5.0-1", "MQTT3 4.5.0-1"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[
        Key { name: "canary", kind: Kind::Text, doc: "name of the canary" },
        Key { name: "at", kind: Kind::Text, doc: "`fleet`, or `fleet:filter`" },
        Key { name: "within", kind: Kind::Duration, doc: "how long an acknowledged message may take; default 1s" },
        Key {
            name: "may_be_lost",
            kind: Kind::Bool,
            doc: "true: a message that was never acknowledged need not be delivered, only not twice (default false)",
        },
    ],
    reads_steps: true,
    judge,
};

/// The witness's own round trips take less than 100 ms on a loaded loopback; ten of those.
const WITHIN: Duration = Duration::from_secs(1);

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let asked = match Asked::of(expect, plan) {
        Ok(asked) => asked,
        Err(why) => return Judgement::inconclusive(ORACLE.id, why),
    };
    let record = Record::new(plan, transcript);
    let logins = logins(&record);
    let sent = Sent::of(&record, &logins, asked.text);
    if sent.copies.is_empty() {
        return Judgement::inconclusive(ORACLE.id, format!("canary {:?} was never sent", asked.canary));
    }
    let mut found = Found::default();
    for member in asked.fleet.members() {
        let deliveries = deliveries(&record, &asked.at, member, asked.text);
        let evidence = ids(sent.copies.iter().copied().chain(deliveries.iter().map(|one| one.moment)));
        match deliveries.as_slice() {
            [_] => found.evidence.extend(evidence),
            [] => found.never(missing(&asked, &record, &logins, &sent, member), evidence),
            many if asked.may_be_lost || is_exact(&sent, many) => {
                found.violations.push(repeated(expect, plan, &sent, many, asked.canary));
            }
            many => {
                let (fleet, canary, times) = (asked.at.fleet, asked.canary, many.len());
                let text = format!("{fleet}[{member}] had message {canary:?} {times} times, which QoS 1 permits");
                found.remarks.push(text);
                found.evidence.extend(evidence);
            }
        }
    }
    found.judgement(&asked, unmet(expect, &record), |word| lost(plan, &sent, word, asked.canary, asked.at.fleet))
}

/// What the rule is asked.
struct Asked<'a> {
    canary: &'a str,
    /// The canary's own text.
    text: &'a str,
    at: At<'a>,
    fleet: &'a FleetPlan,
    within: Duration,
    may_be_lost: bool,
}

impl<'a> Asked<'a> {
    fn of(expect: &'a Expect, plan: &'a Plan) -> Result<Asked<'a>, String> {
        let keys = expect.keys.text("canary").zip(expect.keys.text("at"));
        let (canary, at) = keys.ok_or("`canary` and `at` say what to look for and where")?;
        let known = plan.canaries.iter().find(|(name, _)| name == canary);
        let (_, text) = known.ok_or_else(|| format!("no step sends canary {canary:?}"))?;
        let at = At::parse(at);
        let fleet = plan.fleet(at.fleet).ok_or_else(|| format!("there is no fleet {:?}", at.fleet))?;
        let may_be_lost = expect.keys.truth("may_be_lost") == Some(true);
        Ok(Asked { canary, text, at, fleet, within: expect.duration("within", WITHIN), may_be_lost })
    }
}

/// Why a member never had the message.
enum Missing {
    /// It need not have had it.
    Allowed,
    /// The server had given its word, then, and the time that it takes was over.
    Lost(Moment),
    /// Nobody can say, for this reason.
    Open(String),
}

fn missing(asked: &Asked<'_>, record: &Record<'_>, logins: &Logins<'_>, sent: &Sent, member: u32) -> Missing {
    let (at, who) = (&asked.at, format!("{}[{member}]", asked.at.fleet));
    match sent.acknowledged {
        None if asked.may_be_lost => Missing::Allowed,
        None => Missing::Open("it was neither acknowledged nor delivered".to_string()),
        Some(_) if was_granted_qos_0(record, at, member) => {
            Missing::Open(format!("{who} was granted QoS 0: its messages may be dropped"))
        }
        Some(word) if listened(record, logins, at, member, word, asked.within) => Missing::Lost(word),
        Some(_) => Missing::Open(format!(
            "{who} was not there for long enough after the acknowledgement, or everything was slow"
        )),
    }
}

/// What was found of all members.
#[derive(Default)]
struct Found {
    violations: Vec<Violation>,
    /// For each member that lost it: the server's word.
    lost: Vec<Moment>,
    evidence: Vec<EntryId>,
    open: Option<String>,
    remarks: Vec<String>,
}

impl Found {
    fn never(&mut self, missing: Missing, evidence: Vec<EntryId>) {
        match missing {
            Missing::Allowed => self.evidence.extend(evidence),
            Missing::Lost(word) => self.lost.push(word),
            Missing::Open(why) => self.open = Some(why),
        }
    }

    fn judgement(self, asked: &Asked<'_>, unmet: Option<String>, lost: impl Fn(Moment) -> Violation) -> Judgement {
        let canary = asked.canary;
        if !self.violations.is_empty() || !self.lost.is_empty() {
            return Judgement::fail_by(ORACLE.id, self.violations, self.lost.into_iter().map(lost).collect());
        }
        if let Some(why) = self.open {
            return Judgement::inconclusive(ORACLE.id, format!("canary {canary:?}: {why}"));
        }
        if let Some(step) = unmet {
            let why = format!("{step} was not met: not the exchange that was to be judged");
            return Judgement::inconclusive(ORACLE.id, why);
        }
        let times = if asked.may_be_lost { "at most once" } else { "once" };
        let text = match self.remarks.is_empty() {
            true => format!("canary {canary:?} was delivered {times} at {}", asked.at.text),
            false => format!("canary {canary:?} was delivered at {}, at least once", asked.at.text),
        };
        Judgement::pass(ORACLE.id, self.evidence, text).remarking(self.remarks)
    }
}

/// The first step of the exchange that awaited something else than came: it took another course than the scenario tells. A PUBLISH, or a
/// PUBREL, awaits its acknowledgement though no `expect` says so.
fn unmet(expect: &Expect, record: &Record<'_>) -> Option<String> {
    let other = |run: &&StepRun<'_>| {
        let met = matches!(run.ended, Some((_, StepState::Met)));
        let stuck = matches!(run.ended, Some((_, StepState::Unmet | StepState::Barred)));
        let asked = run.verb == "expect" && !met || matches!(run.verb, "publish" | "pubrel") && stuck;
        asked && expect.is_about(run.fleet)
    };
    record.steps.values().find(other).map(StepRun::name)
}

/// What the sender did and was told.
struct Sent {
    copies: Vec<Moment>,
    acknowledged: Option<Moment>,
    qos: i64,
    /// When the first copy went out on a second connection.
    taken_over: Option<Moment>,
}

impl Sent {
    fn of(record: &Record<'_>, logins: &Logins<'_>, text: &str) -> Sent {
        let mut sent = Sent { copies: Vec::new(), acknowledged: None, qos: 0, taken_over: None };
        let mut open: BTreeSet<(&str, i64)> = BTreeSet::new();
        let mut conns: BTreeSet<u32> = BTreeSet::new();
        for Crossing { moment, conn, sent: ours, packet } in record.packets() {
            let client = logins.get(&conn).map_or("", |login| login.client_id);
            let id = packet.fields.int("packet_id").unwrap_or(0);
            match (ours, packet.kind.as_str()) {
                (true, "publish") if carries(packet, text) => {
                    sent.copies.push(moment);
                    sent.qos = packet.fields.int("qos").unwrap_or(0);
                    conns.insert(conn);
                    if conns.len() > 1 {
                        sent.taken_over = sent.taken_over.or(Some(moment));
                    }
                    if sent.qos > 0 {
                        open.insert((client, id));
                    }
                }
                (false, "puback" | "pubcomp") if open.contains(&(client, id)) && is_yes(packet) => {
                    sent.acknowledged = sent.acknowledged.or(Some(moment));
                }
                _ => {}
            }
        }
        sent
    }
}

/// Below 0x80, or without a reason: success. 0x10 (nobody subscribes) is one too.
fn is_yes(packet: &proofhouse_core::transcript::Packet) -> bool {
    packet.fields.int("reason").is_none_or(|reason| reason < 0x80)
}

/// One delivery, at the QoS that its PUBLISH names: the lower one of the message's and the subscription's.
#[derive(Clone, Copy)]
struct Delivery {
    moment: Moment,
    qos: i64,
}

/// The deliveries of the canary at one member, repeats of open exchanges left out.
fn deliveries(record: &Record<'_>, at: &At<'_>, member: u32, text: &str) -> Vec<Delivery> {
    let mut open: BTreeMap<i64, bool> = BTreeMap::new();
    let mut found = Vec::new();
    for Crossing { moment, sent, packet, .. } in record.packets_by(at.fleet, member) {
        let id = packet.fields.int("packet_id").unwrap_or(0);
        match (sent, packet.kind.as_str()) {
            (true, "puback" | "pubcomp") => {
                open.insert(id, false);
            }
            (false, "publish") if carries(packet, text) && on_topic(packet, at) => {
                let qos = packet.fields.int("qos").unwrap_or(0);
                let repeats = packet.fields.truth("dup") == Some(true) && open.get(&id) == Some(&true);
                if qos > 0 {
                    open.insert(id, true);
                }
                if !repeats {
                    found.push(Delivery { moment, qos });
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether a SUBACK has granted this member no more than QoS 0, whatever it asked for.
fn was_granted_qos_0(record: &Record<'_>, at: &At<'_>, member: u32) -> bool {
    let granted = |c: &Crossing<'_>| !c.sent && c.packet.kind == "suback" && c.packet.fields.int("reason") == Some(0);
    record.packets_by(at.fleet, member).iter().any(granted)
}

fn on_topic(packet: &proofhouse_core::transcript::Packet, at: &At<'_>) -> bool {
    at.filter.is_none_or(|filter| packet.fields.text("topic").is_none_or(|topic| matches(filter, topic)))
}

/// Whether a member had a session open for the whole time in which the message had to come.
fn listened(
    record: &Record<'_>,
    logins: &Logins<'_>,
    at: &At<'_>,
    member: u32,
    word: Moment,
    within: Duration,
) -> bool {
    record.connections_of(at.fleet, member).any(|(conn, connection)| {
        let Some(accepted) = logins.get(&conn).and_then(|login| login.accepted) else { return false };
        let until = connection.closed.map_or(record.end, |(moment, ..)| moment.at);
        let from = accepted.at.max(word.at);
        until.since(from) >= within && record.in_time(at.fleet, from, within, None) == InTime::No
    })
}

/// Whether a second delivery breaks a promise: a message of QoS 0 or 2 reaches the server once, and from there QoS 0 is at most once and QoS
/// 2 exactly once.
fn is_exact(sent: &Sent, deliveries: &[Delivery]) -> bool {
    sent.qos != 1 && deliveries.iter().all(|delivery| delivery.qos != 1)
}

fn repeated(expect: &Expect, plan: &Plan, sent: &Sent, deliveries: &[Delivery], canary: &str) -> Violation {
    // Below QoS 2 no clause of its own binds the server: the scenario's does.
    let clause = match (names::version(&plan.version), sent.qos) {
        (_, 0 | 1) => expect.clause(plan),
        (Version::V5, _) => "MQTT5 4.3.3-10".to_string(),
        (_, _) => "MQTT3 4.3.3-2".to_string(),
    };
    let after = sent.taken_over.is_some_and(|moment| deliveries[1].moment.at >= moment.at);
    let state = if after { "after-takeover" } else { "same-connection" };
    Violation {
        expected: "the message is delivered once".to_string(),
        actual: format!("message {canary:?} was delivered {} times", deliveries.len()),
        clause,
        place: format!("publish/qos{}/{state}/delivered-again", sent.qos),
        entries: ids(sent.copies.iter().copied().chain(deliveries.iter().map(|delivery| delivery.moment))),
        lesser: false,
    }
}

fn lost(plan: &Plan, sent: &Sent, word: Moment, canary: &str, fleet: &str) -> Violation {
    let clause = if names::version(&plan.version) == Version::V5 { "MQTT5 4.5.0-1" } else { "MQTT3 4.5.0-1" };
    let state = if sent.taken_over.is_some() { "after-takeover" } else { "acknowledged" };
    Violation {
        expected: "an acknowledged message is delivered".to_string(),
        actual: format!("message {canary:?} was acknowledged and never came to {fleet}"),
        clause: clause.to_string(),
        place: format!("publish/qos{}/{state}/lost", sent.qos),
        entries: ids(sent.copies.iter().copied().chain([word])),
        lesser: false,
    }
}
