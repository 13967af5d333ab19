//! One client id, one connection: a take-over ends the older one, and no other.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::lateness::Closing;
use proofhouse_core::oracle::record::{Crossing, Moment, Record, ids};
use proofhouse_core::oracle::{Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::{By, Transcript};
use proofhouse_core::verdict::{Judgement, Violation};

use super::identity::{Login, logins};
use crate::codec::Version;
use crate::names;

pub(super) const ORACLE: Oracle = Oracle {
    id: "session-exclusive",
    doc: "after a second log-in with the same client id and user, the first connection is ended, and the second is not",
    clauses: &["MQTT5 3.1.4-3", "MQTT3 3.1.4-2"],
    needs: Needs::Full,
    kind: FindingKind::Conformance,
    keys: &[Key { name: "within", kind: Kind::Duration, doc: "from the second CONNACK; default 1s" }],
    reads_steps: true,
    judge,
};

/// MC-03 of the catalogue.
const WITHIN: Duration = Duration::from_secs(1);
/// Session taken over.
const TAKEN_OVER: i64 = 0x8e;

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let within = expect.duration("within", WITHIN);
    let (mut proven, mut late, mut evidence, mut undecided, mut silent) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    let came: BTreeSet<EntryId> = logins(&record).values().map(|login| login.connect.id).collect();
    for pair in takeovers(expect, &record) {
        if let Some(ended) = pair.newcomer_thrown_out(&record, &came, within) {
            proven.push(pair.newcomer_violation(plan, ended));
        }
        match pair.ended(&record, within) {
            Ended::InTime(moment) => {
                evidence.extend(ids([pair.second, moment]));
                silent +=
                    usize::from(names::version(&plan.version) == Version::V5 && !was_told(&record, pair.first_conn));
            }
            Ended::Late if pair.is_served(&record) => proven.push(pair.violation(plan, within)),
            Ended::Late => late.push(pair.violation(plan, within)),
            Ended::Undecided => undecided += 1,
        }
    }
    if !proven.is_empty() || !late.is_empty() {
        return Judgement::fail_by(ORACLE.id, proven, late);
    }
    if undecided > 0 {
        return Judgement::inconclusive(ORACLE.id, "the first connection was over before the server's time was");
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "no second log-in with the same client id was accepted");
    }
    let told = if silent > 0 { format!("; {silent} without DISCONNECT 0x8E, which is legal") } else { String::new() };
    Judgement::pass(ORACLE.id, evidence, format!("every take-over ended the first connection{told}"))
}

/// A second log-in that was accepted while the first stood.
struct Takeover {
    first_conn: u32,
    second_conn: u32,
    /// CONNECT of the second.
    connect: EntryId,
    /// CONNACK of the first.
    first: Moment,
    /// CONNACK of the second.
    second: Moment,
}

enum Ended {
    InTime(Moment),
    Late,
    Undecided,
}

fn takeovers(expect: &Expect, record: &Record<'_>) -> Vec<Takeover> {
    let logins = logins(record);
    let about = |conn: &u32| record.connections.get(conn).is_some_and(|c| expect.is_about(c.fleet));
    let mut accepted: Vec<(Moment, u32, &Login<'_>)> = logins
        .iter()
        .filter(|(conn, login)| !login.client_id.is_empty() && about(conn))
        .filter_map(|(conn, login)| Some((login.accepted?, *conn, login)))
        .collect();
    accepted.sort_by_key(|(at, ..)| *at);
    let mut found = Vec::new();
    let mut earlier: BTreeMap<(&str, Option<&str>), Vec<First>> = BTreeMap::new();
    for (second, conn, later) in accepted {
        let firsts = earlier.entry((later.client_id, later.user)).or_default();
        // Whoever has left stays away: a client that comes ten thousand times is not compared with all that it was before.
        firsts.retain(|first| !first.has_left(second));
        // One that is taken over is judged by the log-in that did so; those after it show nothing new of it.
        let taken = firsts.extract_if(.., |first| first.stands(second, later.connect));
        found.extend(taken.map(|first| Takeover {
            first_conn: first.conn,
            second_conn: conn,
            connect: later.connect.id,
            first: first.accepted,
            second,
        }));
        firsts.push(First::new(record, conn, second));
    }
    found
}

/// A log-in that a later one may take over, and how its connection went.
struct First {
    conn: u32,
    accepted: Moment,
    /// When its client said goodbye.
    goodbye: Option<Moment>,
    closed: Option<(Moment, By)>,
}

impl First {
    fn new(record: &Record<'_>, conn: u32, accepted: Moment) -> First {
        let goodbye = record.packets_of(conn).find(|c| c.sent && c.packet.kind == "disconnect");
        let closed = record.connections.get(&conn).and_then(|connection| connection.closed);
        First { conn, accepted, goodbye: goodbye.map(|c| c.moment), closed: closed.map(|(at, by, _)| (at, by)) }
    }

    /// Its own client, or we, had ended it before the second log-in was accepted.
    fn has_left(&self, second: Moment) -> bool {
        let ended = |(at, by): (Moment, By)| by != By::Peer && at.id <= second.id;
        self.goodbye.is_some_and(|goodbye| goodbye.id < second.id) || self.closed.is_some_and(ended)
    }

    /// It had not ended before the second came. That the server ended it between the second CONNECT and its CONNACK is the
    /// take-over itself.
    fn stands(&self, second: Moment, connect: Moment) -> bool {
        let over = |(at, by): (Moment, By)| at.id <= second.id && (by != By::Peer || at.id <= connect.id);
        !self.has_left(second) && !self.closed.is_some_and(over)
    }
}

fn was_told(record: &Record<'_>, conn: u32) -> bool {
    let told = |c: Crossing<'_>| c.packet.kind == "disconnect" && c.packet.fields.int("reason") == Some(TAKEN_OVER);
    record.packets_of(conn).any(|c| !c.sent && told(c))
}

impl Takeover {
    fn ended(&self, record: &Record<'_>, within: Duration) -> Ended {
        match record.closing(self.first_conn, self.second.at, within) {
            Closing::InTime(moment) => Ended::InTime(moment),
            Closing::Late(_) => Ended::Late,
            Closing::Unknown(_) => Ended::Undecided,
        }
    }

    /// The first client went on to be served on its own connection after the second was let in: no time of ours decides that.
    fn is_served(&self, record: &Record<'_>) -> bool {
        let mut later = record.packets_of(self.first_conn).skip_while(|c| c.moment.id <= self.second.id);
        let asked = later.find(|c| c.sent);
        asked.is_some_and(|asked| {
            let answers = |kind: &str| matches!(kind, "pingresp" | "suback" | "puback" | "pubrec" | "unsuback");
            later.any(|c| !c.sent && c.moment.id > asked.moment.id && answers(&c.packet.kind))
        })
    }

    /// When the server ended the connection that it had just accepted, though its client had said nothing wrong, and no other log-in
    /// had come.
    fn newcomer_thrown_out(&self, record: &Record<'_>, came: &BTreeSet<EntryId>, within: Duration) -> Option<Moment> {
        let connection = record.connections.get(&self.second_conn)?;
        let (closed, by, _) = connection.closed?;
        let displaced = came.range(self.connect..).nth(1).is_some_and(|next| *next < closed.id);
        let legal = |c: Crossing<'_>| !c.sent || matches!(c.packet.kind.as_str(), "connect" | "pingreq");
        let thrown_out = by == By::Peer && closed.at.since(self.second.at) <= within && !displaced;
        // A server that says that it has too much to do is nobody's fault.
        let busy = record.packets_of(self.second_conn).any(|c| !c.sent && (connection.grammar.busy)(c.packet));
        (thrown_out && !busy && record.packets_of(self.second_conn).all(legal)).then_some(closed)
    }

    fn newcomer_violation(&self, plan: &Plan, ended: Moment) -> Violation {
        let clause = if names::version(&plan.version) == Version::V5 { "MQTT5 3.1.4-3" } else { "MQTT3 3.1.4-2" };
        Violation {
            expected: "the server goes on with the client that it has accepted".to_string(),
            actual: "the connection that took over was ended as well".to_string(),
            clause: clause.to_string(),
            place: "connect/takeover/newcomer-ended".to_string(),
            entries: ids([self.first, self.second, ended]),
            lesser: false,
        }
    }

    fn violation(&self, plan: &Plan, within: Duration) -> Violation {
        let clause = if names::version(&plan.version) == Version::V5 { "MQTT5 3.1.4-3" } else { "MQTT3 3.1.4-2" };
        Violation {
            expected: format!("the first connection is ended within {} ms of the second CONNACK", within.as_millis()),
            actual: "both connections with one client id stand".to_string(),
            clause: clause.to_string(),
            place: "connect/takeover/first-stays".to_string(),
            entries: ids([self.first, self.second]),
            lesser: false,
        }
    }
}
