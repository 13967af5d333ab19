//! CONNACK: session present, assigned names, what it may hold.

use proofhouse_core::time::Duration;

use super::{Breach, Conn, Facts, Row, Tally};
use crate::model::sessions::Before;

/// A server that counts whole seconds may be this early.
const ROUNDING: Duration = Duration::from_secs(1);
/// A server that looks at expiry once in a while may be this late.
const EXPIRY_SLACK: Duration = Duration::from_secs(2);

pub(super) const RULES: &[Row] = &[
    Row {
        id: "refusal-without-session",
        clauses: &["MQTT5 3.2.2-6", "MQTT3 3.2.2-4"],
        doc: "a CONNACK that refuses has Session Present 0",
        judge: refusal_without_session,
    },
    Row {
        id: "clean-start-without-session",
        clauses: &[
            "MQTT5 3.2.2-2",
            "MQTT5 3.1.2-4",
            "MQTT5 3.1.4-4",
            "MQTT3 3.2.2-1",
            "MQTT3 3.1.2-6",
            "MQTT3 3.1.4-3",
        ],
        doc: "accepting Clean Start 1, CONNACK has Session Present 0",
        judge: clean_start_without_session,
    },
    Row {
        id: "session-present",
        clauses: &[
            "MQTT5 3.2.2-3",
            "MQTT5 3.1.2-5",
            "MQTT5 3.1.2-23",
            "MQTT5 3.1.3-2",
            "MQTT5 4.1.0-1",
            "MQTT3 3.2.2-2",
            "MQTT3 3.1.2-4",
            "MQTT3 3.1.3-2",
            "MQTT3 4.1.0-1",
            "MQTT3 4.1.0-2",
        ],
        doc: "a session that is still kept is resumed: Session Present 1",
        judge: session_present,
    },
    Row {
        id: "no-session-present",
        clauses: &["MQTT5 3.1.2-6", "MQTT5 4.1.0-2", "MQTT3 3.2.2-3"],
        doc: "where no session is kept, Session Present is 0",
        judge: no_session_present,
    },
    Row {
        id: "assigned-client-id",
        clauses: &["MQTT5 3.2.2-16", "MQTT5 3.1.3-6", "MQTT5 3.1.3-7"],
        doc: "an empty client id that is accepted gets one that no other session has",
        judge: assigned_client_id,
    },
    Row {
        id: "no-response-information",
        clauses: &["MQTT5 3.1.2-28"],
        doc: "no Response Information unless the client asked for it",
        judge: no_response_information,
    },
];

fn refusal_without_session(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let refusals =
            conn.heard().filter(|(_, seen)| seen.is("connack") && seen.int("reason").is_some_and(|code| code != 0));
        for (_, seen) in refusals {
            let wrong = seen.packet.fields.truth("session_present") == Some(true);
            tally.must_not(
                seen.id(),
                wrong.then(|| Breach::seen("connack", "it refuses and says Session Present 1", &[seen.id()])),
            );
        }
    }
}

/// The accepted connections whose CONNECT was legal, with the CONNACK's Session Present.
fn accepted<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Conn<'a>, usize, bool)> {
    facts.conns.values().filter_map(|conn| {
        let at = conn.accepted.filter(|at| *at < conn.legal)?;
        let present = conn.packets[at].packet.fields.truth("session_present")?;
        Some((conn, at, present))
    })
}

fn clean_start_without_session(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, at, present) in accepted(facts).filter(|(conn, ..)| conn.clean()) {
        let id = conn.packets[at].id();
        tally.must_not(
            id,
            present.then(|| Breach::seen("connack", "Clean Start 1 was accepted with Session Present 1", &[id])),
        );
    }
}

/// What must be known of the session that a CONNECT with Clean Start 0 asks for.
enum Kept {
    Yes,
    /// Unless an administrator had it discarded, of which 3.1.1 has no word on the wire: its section 4.1 (not normative) lets him say how
    /// long what is stored outlives its connection. A time under a second would be no storing at all.
    YesByDefault,
    No,
    Open,
}

fn kept(facts: &Facts<'_>, conn: &Conn<'_>) -> Kept {
    let connect = conn.packets[conn.connect.unwrap_or(0)].moment;
    match facts.sessions.before.get(&conn.number) {
        Some(Before::Nothing) if facts.alone && !conn.client_id.is_empty() => Kept::No,
        Some(Before::Conn(earlier)) => {
            let earlier = &facts.conns[earlier];
            // From the end as we saw it to the moment at which the target can have looked, at the earliest and at the latest.
            let left = earlier.closed.map(|(moment, _)| moment).filter(|left| left.id < connect.id);
            let connack = conn.packets[conn.accepted.unwrap_or(0)].moment;
            let away = left.map(|left| (connect.at.since(left.at), connack.at.since(left.at)));
            match (earlier.expiry(), away) {
                _ if !earlier.is_legal() => Kept::Open,
                (None, Some((_, most))) if !conn.version5 && most > ROUNDING => Kept::YesByDefault,
                (None, _) => Kept::Yes,
                // Still connected, as far as we know: taken over with what it had.
                (Some(seconds), None) if seconds > 0 => Kept::Yes,
                (Some(seconds), Some((_, most))) if most + ROUNDING < Duration::from_secs(seconds) => Kept::Yes,
                (Some(seconds), Some((least, _))) if least > Duration::from_secs(seconds) + EXPIRY_SLACK => Kept::No,
                _ => Kept::Open,
            }
        }
        _ => Kept::Open,
    }
}

fn session_present(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, at, present) in accepted(facts).filter(|(conn, ..)| !conn.clean()) {
        let id = conn.packets[at].id();
        let kept = kept(facts, conn);
        match kept {
            Kept::Yes | Kept::YesByDefault => {
                let what = "a session that must be kept is gone: Session Present 0";
                let breach = Breach::seen("connack", what, &[id]);
                let breach = if matches!(kept, Kept::Yes) { breach } else { breach.by_our_time() };
                tally.must(id, (!present).then_some(breach));
            }
            Kept::Open => tally.may(),
            Kept::No => {}
        }
    }
}

fn no_session_present(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, at, present) in accepted(facts).filter(|(conn, ..)| !conn.clean()) {
        let id = conn.packets[at].id();
        match kept(facts, conn) {
            Kept::No => {
                let place = if matches!(facts.sessions.before.get(&conn.number), Some(Before::Nothing)) {
                    "never"
                } else {
                    "expired"
                };
                let breach = || Breach::seen(place, "Session Present 1 where no session can be left", &[id]);
                tally.must_not(id, present.then(breach));
            }
            Kept::Open => tally.may(),
            Kept::Yes | Kept::YesByDefault => {}
        }
    }
}

fn assigned_client_id(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, at, _) in accepted(facts) {
        let asked = conn.connect().and_then(|fields| fields.text("client_id")).unwrap_or("");
        if !asked.is_empty() {
            continue;
        }
        let (given, id) =
            (conn.packets[at].packet.fields.text("assigned_client_id").unwrap_or(""), conn.packets[at].id());
        let other = facts.earlier(conn).rev().find(|other| has_session(other, conn));
        let breach = if given.is_empty() {
            Some(Breach::seen("connack", "an empty client id was accepted, and none was assigned", &[id]))
        } else {
            other.and_then(Conn::let_in).map(|let_in| {
                Breach::seen("connack", "the assigned client id belongs to another session", &[let_in.id, id])
            })
        };
        tally.must(id, breach);
    }
}

/// Whether an earlier connection surely had its session still when a later one was let in: the id of one that is over may be assigned.
fn has_session(other: &Conn<'_>, later: &Conn<'_>) -> bool {
    let Some(let_in) = later.let_in().filter(|_| other.is_before(later) && other.is_legal()) else { return false };
    match (other.left().filter(|left| left.id < let_in.id), other.expiry()) {
        (None, _) | (Some(_), None) => true,
        (Some(left), Some(seconds)) => let_in.at.since(left.at) + ROUNDING < Duration::from_secs(seconds),
    }
}

fn no_response_information(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, at, _) in accepted(facts).filter(|(conn, ..)| conn.ours("request_response_info").unwrap_or(0) == 0) {
        let seen = &conn.packets[at];
        let there = seen.packet.fields.find("response_info").is_some();
        tally.must_not(
            seen.id(),
            there.then(|| Breach::seen("connack", "Response Information that nobody asked for", &[seen.id()])),
        );
    }
}
