//! Nobody gets a message that he has not subscribed to.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::oracle::record::{Crossing, Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Violation};

use super::arrivals::{Arrival, arrivals};
use super::identity::{Login, logins};
use crate::codec::Version;
use crate::codec::topic::matches;
use crate::grammar::kind;
use crate::names;

pub(super) const ORACLE: Oracle = Oracle {
    id: "matches-filter",
    doc: "every message that arrives at these fleets is on a topic that one of its reader's filters matches, byte for byte",
    clauses: &["MQTT5 3.3.2-3", "MQTT5 4.7.2-1", "MQTT5 4.7.3-4", "MQTT3 3.3.2-3", "MQTT3 4.7.2-1", "MQTT3 4.7.3-4"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[CLAUSE],
    reads_steps: false,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let logins = logins(&record);
    let filters = Filters::new(&record, &logins);
    let (mut violations, mut evidence) = (Vec::<Violation>::new(), Vec::new());
    for arrival in arrivals(expect, &record) {
        let Some(topic) = &arrival.topic else { continue };
        let asked = filters.of(arrival.conn, &logins, arrival.moment);
        if asked.iter().any(|filter| matches(bare(filter, arrival.version(plan)), topic)) {
            evidence.push(arrival.moment);
            continue;
        }
        let place =
            format!("{}/{}", kind(arrival.packet), if topic.starts_with('$') { "dollar-topic" } else { "unasked" });
        let violation = Violation {
            expected: format!("{} gets what it subscribed to: {}", arrival.who(), in_words(&asked)),
            actual: format!("a message to {topic:?} arrived"),
            clause: expect.clause(plan),
            place,
            entries: ids([arrival.moment]),
            lesser: false,
        };
        if !violations.iter().any(|same| same.place == violation.place) {
            violations.push(violation);
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "no message arrived, so no filter was put to the test");
    }
    let reason = format!("{} messages matched a filter of their readers", evidence.len());
    Judgement::pass(ORACLE.id, ids(evidence), reason)
}

/// Filters by client id, each since it was asked for. A refused one counts too, and one that was given back: what was on its way
/// may still come \[MQTT5 3.10.4-1\].
struct Filters<'a> {
    by_session: BTreeMap<(&'a str, u32), Vec<(Moment, &'a str)>>,
}

impl<'a> Filters<'a> {
    fn new(record: &Record<'a>, logins: &BTreeMap<u32, Login<'a>>) -> Filters<'a> {
        let mut filters = Filters { by_session: BTreeMap::new() };
        let subscribes = record.packets().filter(|crossing| crossing.sent && crossing.packet.kind == "subscribe");
        for Crossing { moment, conn, packet, .. } in subscribes {
            let named = packet.fields.find("filters").or_else(|| packet.fields.find("filter"));
            let session = filters.by_session.entry(session(conn, logins)).or_default();
            let texts = named.map(Value::as_slice).unwrap_or_default().iter().filter_map(Value::as_text);
            session.extend(texts.map(|filter| (moment, filter)));
        }
        filters
    }

    fn of(&self, conn: u32, logins: &BTreeMap<u32, Login<'a>>, at: Moment) -> Vec<&'a str> {
        let all = self.by_session.get(&session(conn, logins)).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|(since, _)| since.at <= at.at).map(|(_, filter)| *filter).collect()
    }
}

/// The client id, or, where the server gives one, the connection.
fn session<'a>(conn: u32, logins: &BTreeMap<u32, Login<'a>>) -> (&'a str, u32) {
    match logins.get(&conn).map_or("", |login| login.client_id) {
        "" => ("", conn),
        id => (id, 0),
    }
}

/// The filter that topics are compared with: in MQTT 5 what follows a share name.
fn bare(filter: &str, version: Version) -> &str {
    let shared = filter.strip_prefix("$share/").filter(|_| version == Version::V5);
    shared.and_then(|shared| shared.split_once('/')).map_or(filter, |(_, bare)| bare)
}

fn in_words(filters: &[&str]) -> String {
    match filters {
        [] => "nothing".to_string(),
        filters => {
            let quoted: Vec<String> = filters.iter().map(|filter| format!("{filter:?}")).collect();
            quoted.join(", ")
        }
    }
}

impl Arrival<'_> {
    fn version(&self, plan: &Plan) -> Version {
        names::version(plan.fleet(self.fleet).map_or("", |fleet| &fleet.version))
    }
}
