//! Nobody reads what he may not read, and nobody's words arrive where he may not write.
//!
//! Canaries carry the proof: each is planted by a PUBLISH or a Will whose topic the transcript shows. It may arrive only at a
//! connection whose party had the right to subscribe to that topic, and only if the sender's party had the right to publish to
//! it. Rights have epochs: the transcript says when each began and ended.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::canary::{Sighting, carries, sightings};
use proofhouse_core::oracle::record::{Crossing, Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::{Entry, Event, Packet, Transcript};
use proofhouse_core::verdict::{Judgement, Violation};

use super::arrivals::{Arrival, arrivals};
use super::identity::{Login, logins, name_of, party};
use super::reads_within_rights;
use crate::codec::topic::matches;

pub(super) const ORACLE: Oracle = Oracle {
    id: "policy-kept",
    doc: "a message arrives only at parties that may read its topic, and a canary only from parties that may write it, at the time it arrives",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Disclosure,
    keys: &[
        Key {
            name: "within",
            kind: Kind::Duration,
            doc: "how long after a revocation a delivery is still excused; default 0s",
        },
        CLAUSE,
    ],
    reads_steps: false,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let court = Court {
        plan,
        logins: logins(&record),
        rights: Rights::new(plan, transcript),
        // What was on its way when a right ended was sent while it held.
        grace: expect.duration("within", Duration::ZERO) + plan.network.delay.most(),
        record,
    };
    let (mut violations, mut evidence, mut unknown) = (Vec::<Violation>::new(), Vec::new(), None);
    for (name, text) in &plan.canaries {
        let sources = court.sources(text);
        evidence.extend(ids(sources.iter().map(|source| source.moment)));
        for seen in sightings(plan, &court.record, name) {
            match court.breach(&sources, &seen) {
                Some(breach) => violations.push(breach.into_violation(expect, plan, name, &seen)),
                None if sources.is_empty() => unknown = Some(name),
                None => evidence.push(seen.moment.id),
            }
        }
    }
    if violations.is_empty() {
        // A server that strips what it must not show still tells where something was said.
        let Court { record, logins, rights, grace, .. } = &court;
        let mut stripped = arrivals(expect, record);
        let carried = |arrival: &Arrival<'_>| plan.canaries.iter().any(|(_, text)| carries(arrival.packet, text));
        // Whoever said the same there himself learns nothing by his own echo.
        let echo = |arrival: &Arrival<'_>| {
            let payload = |packet: &Packet| packet.fields.find("payload").cloned();
            let own = record.packets_of(arrival.conn).take_while(|c| c.moment.id < arrival.moment.id);
            own.filter(|c| c.sent && c.packet.fields.text("topic") == arrival.topic.as_deref())
                .any(|c| payload(c.packet) == payload(arrival.packet))
        };
        stripped.retain(|arrival| !carried(arrival) && !echo(arrival));
        violations = reads_within_rights::beyond(&stripped, expect, (plan, record), logins, rights, *grace).0;
    }
    if !violations.is_empty() {
        violations.dedup_by(|a, b| a.place == b.place && a.actual == b.actual);
        return Judgement::fail(ORACLE.id, violations);
    }
    if let Some(name) = unknown {
        let reason = format!("canary {name:?} arrived, but no packet in the record says on which topic it was sent");
        return Judgement::inconclusive(ORACLE.id, reason);
    }
    let planted: BTreeSet<&str> = transcript.entries.iter().filter_map(planted).collect();
    if planted.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "no canary was ever sent");
    }
    let reason = format!("{} canaries arrived only where they may", planted.len());
    Judgement::pass(ORACLE.id, evidence, reason)
}

fn planted(entry: &Entry) -> Option<&str> {
    match &entry.event {
        Event::Planted { canary, .. } => Some(canary),
        _ => None,
    }
}

struct Court<'a> {
    plan: &'a Plan,
    record: Record<'a>,
    logins: BTreeMap<u32, Login<'a>>,
    rights: Rights<'a>,
    grace: Duration,
}

/// A packet that carried a canary away from us.
struct Source {
    moment: Moment,
    conn: u32,
    party: Option<u16>,
    topic: Topic,
    qos: i64,
    will: bool,
}

/// The topic that a sender named.
#[derive(Clone, PartialEq, Eq)]
enum Topic {
    /// In the packet itself.
    Written(String),
    /// By an alias that this connection had set.
    Alias(String),
    /// By an alias that this connection never set.
    NoAlias,
}

struct Breach {
    place: String,
    expected: String,
    actual: String,
    source: Option<Moment>,
    /// The clause that forbids it, where it is not a matter of policy alone.
    clause: Option<&'static str>,
}

impl<'a> Court<'a> {
    /// The packets that carried a canary, with the topics that they named.
    fn sources(&self, text: &str) -> Vec<Source> {
        let mut aliases: BTreeMap<(u32, i64), String> = BTreeMap::new();
        let mut sources = Vec::new();
        for crossing in self.record.packets().filter(|crossing| crossing.sent) {
            let topic = topic_of(&crossing, &mut aliases);
            let carried = carries(crossing.packet, text);
            match (crossing.packet.kind.as_str(), topic) {
                ("publish", Some(topic)) if carried => sources.push(self.source(&crossing, topic, false)),
                ("connect", _) if carried => {
                    let topic = crossing.packet.fields.text("will_topic").unwrap_or("").to_string();
                    sources.push(self.source(&crossing, Topic::Written(topic), true));
                }
                _ => {}
            }
        }
        sources
    }

    fn source(&self, crossing: &Crossing<'_>, topic: Topic, will: bool) -> Source {
        let qos = crossing.packet.fields.int(if will { "will_qos" } else { "qos" }).unwrap_or(0);
        let party = party(self.plan, &self.record, &self.logins, crossing.conn);
        Source { moment: crossing.moment, conn: crossing.conn, party, topic, qos, will }
    }

    /// What is wrong with this arrival; `None`: nothing.
    fn breach(&self, sources: &[Source], seen: &Sighting<'_>) -> Option<Breach> {
        // An echo on the sender's own connection shows nobody anything new.
        if sources.iter().any(|source| source.conn == seen.conn) {
            return None;
        }
        let before: Vec<&Source> = sources.iter().filter(|source| source.moment.at <= seen.moment.at).collect();
        let arrived = seen.resource();
        let unwritten =
            before.iter().map(|source| self.wrongly_written(source, arrived.as_deref())).collect::<Vec<_>>();
        // Sent by several, one of whom may: it cannot be said whose this one is.
        if let (false, Some(first)) = (unwritten.iter().any(Option::is_none), unwritten.into_iter().flatten().next()) {
            return Some(first);
        }
        self.wrongly_read(&before, seen, arrived.as_deref())
    }

    fn wrongly_written(&self, source: &Source, arrived: Option<&str>) -> Option<Breach> {
        let sender = name_of(self.plan, source.party);
        let kind = if source.will { "will".to_string() } else { format!("publish/qos{}", source.qos) };
        let breach = |place: String, expected: String, topic: &str, clause| {
            let actual = format!("what {sender} sent to {topic} arrived");
            Some(Breach { place, expected, actual, source: Some(source.moment), clause })
        };
        let (topic, place) = match (&source.topic, arrived) {
            (Topic::NoAlias, _) => {
                let expected = "a topic alias names nothing on a connection that has not set it".to_string();
                return breach(
                    format!("{kind}/alias-of-another-connection"),
                    expected,
                    "an alias",
                    Some("MQTT5 3.3.2-7"),
                );
            }
            (Topic::Written(topic), _) => (topic.as_str(), "without-right"),
            // A server may leave an alias as it was when it refuses the PUBLISH that sets it: what counts is where this one went.
            (Topic::Alias(_), Some(arrived)) => (arrived, "alias-without-right"),
            (Topic::Alias(topic), None) => (topic.as_str(), "alias-without-right"),
        };
        if self.rights.held(source.party, "publish", topic, source.moment.at, self.grace) {
            return None;
        }
        breach(format!("{kind}/{place}"), format!("{sender} may not publish to {topic}"), topic, None)
    }

    fn wrongly_read(&self, sources: &[&Source], seen: &Sighting<'_>, arrived: Option<&str>) -> Option<Breach> {
        let reader = party(self.plan, &self.record, &self.logins, seen.conn);
        let topics: Vec<&str> = sources
            .iter()
            .filter_map(|source| match &source.topic {
                Topic::Written(topic) => Some(topic.as_str()),
                Topic::Alias(topic) => Some(arrived.unwrap_or(topic)),
                Topic::NoAlias => arrived,
            })
            .collect();
        let may = |topic: &str| self.rights.held(reader, "subscribe", topic, seen.moment.at, self.grace);
        if topics.is_empty() || topics.iter().any(|topic| may(topic)) {
            return None;
        }
        let had = topics.iter().any(|topic| self.rights.ever(reader, "subscribe", topic));
        let who = name_of(self.plan, reader);
        let qos = seen.packet.and_then(|packet| packet.fields.int("qos")).unwrap_or(0);
        let state = self.state(sources, seen);
        Some(Breach {
            place: format!("publish/qos{qos}/{state}/{}", if had { "after-revocation" } else { "without-right" }),
            expected: format!("{who} may not read {}", topics[0]),
            actual: format!("it arrived at {who}{}", if had { " after the right was taken away" } else { "" }),
            source: sources.first().map(|source| source.moment),
            clause: None,
        })
    }

    /// How a message reached its reader: kept for him, retained for anyone, or live.
    fn state(&self, sources: &[&Source], seen: &Sighting<'_>) -> &'static str {
        let opened = self.record.connections.get(&seen.conn).and_then(|connection| connection.opened);
        let retained = seen.packet.is_some_and(|packet| packet.fields.truth("retain") == Some(true));
        match (retained, opened) {
            (true, _) => "retained",
            (false, Some(opened)) if sources.iter().all(|source| source.moment.at < opened.at) => "queued",
            _ => "live",
        }
    }
}

impl Breach {
    fn into_violation(self, expect: &Expect, plan: &Plan, canary: &str, seen: &Sighting<'_>) -> Violation {
        Violation {
            expected: self.expected,
            actual: format!("{} at {}[{}] (canary {canary:?})", self.actual, seen.fleet, seen.member),
            clause: self.clause.map_or_else(|| expect.clause(plan), ToString::to_string),
            place: self.place,
            entries: ids(self.source.into_iter().chain([seen.moment])),
            lesser: false,
        }
    }
}

/// The topic of a PUBLISH, by name or alias; keeps the aliases that each connection sets.
fn topic_of(crossing: &Crossing<'_>, aliases: &mut BTreeMap<(u32, i64), String>) -> Option<Topic> {
    if crossing.packet.kind != "publish" {
        return None;
    }
    let fields = &crossing.packet.fields;
    let written = fields.text("topic").unwrap_or("");
    Some(match (written, fields.int("topic_alias")) {
        ("", Some(alias)) => match aliases.get(&(crossing.conn, alias)) {
            Some(topic) => Topic::Alias(topic.clone()),
            None => Topic::NoAlias,
        },
        (topic, alias) => {
            if let Some(alias) = alias {
                aliases.insert((crossing.conn, alias), topic.to_string());
            }
            Topic::Written(topic.to_string())
        }
    })
}

/// Who may do what, and since when: epochs by party and right.
pub(crate) struct Rights<'a> {
    plan: &'a Plan,
    /// (party, right as scenarios write it) -> changes in order.
    epochs: BTreeMap<(&'a str, &'a str), Vec<(Time, bool)>>,
    /// Rights of the plan, as scenarios write them.
    initial: Vec<Vec<String>>,
}

impl<'a> Rights<'a> {
    pub(crate) fn new(plan: &'a Plan, transcript: &'a Transcript) -> Rights<'a> {
        let mut epochs: BTreeMap<(&str, &str), Vec<(Time, bool)>> = BTreeMap::new();
        for entry in &transcript.entries {
            if let Event::Grant { party, grant, allow } = &entry.event {
                epochs.entry((party, grant)).or_default().push((entry.at, *allow));
            }
        }
        let written = |party: &proofhouse_core::plan::Party| {
            party.may.iter().map(|(what, filter)| format!("{what} {filter}")).collect()
        };
        Rights { plan, epochs, initial: plan.parties.iter().map(written).collect() }
    }

    /// Whether a party could do this to a topic at `at`, or within `grace` before.
    pub(crate) fn held(&self, party: Option<u16>, what: &str, topic: &str, at: Time, grace: Duration) -> bool {
        self.filters(party, what, topic).any(|right| {
            let changes = self.epochs.get(&right).map_or(&[][..], Vec::as_slice);
            let mut allowed = self.is_initial(party, right.1);
            let from = Time(at.0.saturating_sub(proofhouse_core::time::nanos(grace)));
            for (when, allow) in changes.iter().filter(|(when, _)| *when <= at) {
                // It held until `when`; a delivery in the grace after that is excused.
                if allowed && !*allow && *when >= from && grace > Duration::ZERO {
                    return true;
                }
                allowed = *allow;
            }
            allowed
        })
    }

    fn ever(&self, party: Option<u16>, what: &str, topic: &str) -> bool {
        self.filters(party, what, topic).next().is_some()
    }

    /// Rights of this kind that the party has or had and that cover the topic.
    fn filters<'s>(
        &'s self,
        party: Option<u16>,
        what: &'s str,
        topic: &'s str,
    ) -> impl Iterator<Item = (&'s str, &'s str)> + 's {
        let at = party.map(usize::from);
        let name = at.and_then(|at| self.plan.parties.get(at)).map_or("", |party| party.name.as_str());
        let initial = at.and_then(|at| self.initial.get(at)).into_iter().flatten().map(String::as_str);
        let later = self.epochs.keys().filter(move |(party, _)| *party == name).map(|(_, right)| *right);
        initial.chain(later).filter(move |right| fits(right, what, topic)).map(move |right| (name, right))
    }

    fn is_initial(&self, party: Option<u16>, right: &str) -> bool {
        let may = party.and_then(|at| self.initial.get(usize::from(at)));
        may.is_some_and(|rights| rights.iter().any(|own| own == right))
    }
}

fn fits(right: &str, what: &str, topic: &str) -> bool {
    right.split_once(' ').is_some_and(|(kind, filter)| kind == what && matches(filter, topic))
}
