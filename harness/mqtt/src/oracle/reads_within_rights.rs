//! Nobody is told anything on a topic that he may not read: also what no party sent, such as a server's reports of itself.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::oracle::record::{Moment, Record, ids};
use proofhouse_core::oracle::{CLAUSE, Needs, Oracle};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::Transcript;
use proofhouse_core::verdict::{Judgement, Violation};

use super::arrivals::{Arrival, arrivals};
use super::identity::{Login, logins, name_of, party};
use super::policy_kept::Rights;

pub(super) const ORACLE: Oracle = Oracle {
    id: "reads-within-rights",
    doc: "every message that arrives at these fleets is on a topic that its reader's party may read, whoever sent it",
    clauses: &[],
    needs: Needs::Full,
    kind: FindingKind::Disclosure,
    keys: &[CLAUSE],
    reads_steps: false,
    judge,
};

fn judge(expect: &Expect, plan: &Plan, transcript: &Transcript) -> Judgement {
    let record = Record::new(plan, transcript);
    let (logins, rights) = (logins(&record), Rights::new(plan, transcript));
    let grace = plan.network.delay.most();
    let (violations, evidence) = beyond(&arrivals(expect, &record), expect, (plan, &record), &logins, &rights, grace);
    if !violations.is_empty() {
        return Judgement::fail(ORACLE.id, violations);
    }
    if evidence.is_empty() {
        return Judgement::inconclusive(ORACLE.id, "no message arrived, so no right was put to the test");
    }
    let reason = format!("{} messages were within their readers' rights", evidence.len());
    Judgement::pass(ORACLE.id, ids(evidence), reason)
}

/// Of these messages, those on topics that their readers may not read, whatever they hold; and the moments at which others came. `grace`: how long after a
/// right has ended a delivery is still excused.
pub(super) fn beyond(
    arrivals: &[Arrival<'_>],
    expect: &Expect,
    (plan, record): (&Plan, &Record<'_>),
    logins: &BTreeMap<u32, Login<'_>>,
    rights: &Rights<'_>,
    grace: Duration,
) -> (Vec<Violation>, Vec<Moment>) {
    let (mut violations, mut evidence) = (Vec::<Violation>::new(), Vec::new());
    for arrival in arrivals {
        let Some(topic) = &arrival.topic else { continue };
        let reader = party(plan, record, logins, arrival.conn);
        if rights.held(reader, "subscribe", topic, arrival.moment.at, grace) {
            evidence.push(arrival.moment);
            continue;
        }
        // One for each tree of topics: a server that tells a hundred things of itself has one fault.
        let tree = topic.split('/').next().unwrap_or(topic);
        let place = format!("publish/{}", if tree.starts_with('$') { tree } else { "without-right" });
        if !violations.iter().any(|same| same.place == place) {
            violations.push(Violation {
                expected: format!("{} may not read {topic}", name_of(plan, reader)),
                actual: format!("a message to {topic} arrived at {}", arrival.who()),
                clause: expect.clause(plan),
                place,
                entries: ids([arrival.moment]),
                lesser: false,
            });
        }
    }
    (violations, evidence)
}
