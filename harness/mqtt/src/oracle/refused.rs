//! A log-in that must not succeed does not: refused, or the connection is ended.
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::oracle::lateness::{Closing, InTime};
use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::verdict::{Judgement, Violation};

use super::identity::accepts;

pub(super) const ORACLE: Oracle = Oracle {
    id: "refused",
    doc: "a connection of these fleets that carries the attack gets no CONNACK with success: it is refused or ended (undecided where neither is seen in time)",
    clauses: &["MQTT5 3.1.4-2"],
    needs: Needs::Full,
    kind: FindingKind::Auth,
    keys: &[Key { name: "within", kind: Kind::Duration, doc: "from the stimulus; default 5s" }, CLAUSE],
    reads_steps: true,
    judge,
};

/// O-close of the catalogue.
const WITHIN: Duration = Duration::from_secs(5);

enum Answer {
    Accepted(Moment),
    Refused(Moment),
    Ended(Moment),
    Undecided,
}

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let within = expect.duration("within", WITHIN);
    let (mut violations, mut evidence, mut undecided) = (Vec::new(), Vec::new(), 0);
    for (conn, since) in subjects(expect, &record) {
        let mut breach = |actual: &str, place: &str, moments: Vec<Moment>| {
            violations.push(Violation {
                expected: format!("the log-in is refused, or the connection ended within {} ms", within.as_millis()),
                actual: actual.to_string(),
                clause: expect.clause(plan),
                place: place.to_string(),
                entries: ids(moments),
                lesser: false,
            });
        };
        match answer(&record, conn, since, within) {
            Answer::Accepted(moment) => {
                breach("the log-in was accepted", "connect/accepted", alloc::vec![since, moment]);
            }
            // Not let in, and not told so in our time: the standard names none, and the rule that looks for ends is another.
            Answer::Undecided => undecided += 1,
            Answer::Refused(moment) | Answer::Ended(moment) => evidence.extend(ids([since, moment])),
        }
    }
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if undecided > 0 {
        return Judgement::inconclusive(
            ORACLE.id,
            format!("{undecided} log-ins were neither accepted nor refused while the record lasts"),
        );
    }
    Judgement::pass(ORACLE.id, evidence, "every log-in of the attack was refused")
}

/// Connections that carried the attack, each with the moment at which it first did.
fn subjects(expect: &Expect, record: &Record<'_>) -> Vec<(u32, Moment)> {
    let of = record.stimuli().filter(|step| expect.is_about(step.fleet) && step.was_said());
    let mut subjects: Vec<(u32, Moment)> =
        of.filter_map(|step| Some((step.conn?, step.started.or(step.last())?))).collect();
    subjects.sort_unstable();
    subjects.dedup_by_key(|(conn, _)| *conn);
    subjects
}

fn answer(record: &Record<'_>, conn: u32, since: Moment, within: Duration) -> Answer {
    let answers = record.packets_of(conn).filter(|c| !c.sent && c.moment.at >= since.at);
    let connacks = answers.filter(|c| c.packet.kind == "connack");
    let mut refused = None;
    for crossing in connacks {
        if accepts(crossing.packet) {
            return Answer::Accepted(crossing.moment);
        }
        refused = refused.or(Some(crossing.moment));
    }
    let fleet = record.connections.get(&conn).map_or("", |connection| connection.fleet);
    let in_time = |moment: Moment| record.in_time(fleet, since.at, within, Some(moment.at)) == InTime::Yes;
    match (refused.filter(|moment| in_time(*moment)), record.closing(conn, since.at, within)) {
        (Some(moment), _) => Answer::Refused(moment),
        (None, Closing::InTime(moment)) => Answer::Ended(moment),
        (None, Closing::Late(_) | Closing::Unknown(_)) => Answer::Undecided,
    }
}
