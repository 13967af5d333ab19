//! When the server ends a connection: after a refusal, after a goodbye, on takeover, for silence.
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::By;

use super::{Breach, Conn, Facts, Row, Tally};

pub(super) fn rules<'a>() -> Vec<Row<'a>> {
    vec![
        Row {
            id: "refusal-closes",
            clauses: &["MQTT5 3.2.2-7", "MQTT5 4.13.2-1", "MQTT3 3.2.2-5"],
            doc: "after a CONNACK that refuses, the server closes the connection",
            judge: refusal_closes,
        },
        Row {
            id: "disconnect-closes",
            clauses: &["MQTT5 3.14.4-2", "MQTT5 4.13.2-1"],
            doc: "after its DISCONNECT the server closes the connection",
            judge: disconnect_closes,
        },
        Row {
            id: "takeover-closes",
            clauses: &["MQTT5 3.1.4-3", "MQTT3 3.1.4-2"],
            doc: "a CONNECT with the client id of a connected client ends that connection",
            judge: takeover_closes,
        },
        Row {
            id: "takeover-is-told",
            clauses: &["MQTT5 3.1.4-3"],
            doc: "a DISCONNECT for a connection that is taken over has reason 0x8E",
            judge: takeover_is_told,
        },
        Row {
            id: "keep-alive-kept",
            clauses: &["MQTT5 3.1.2-22", "MQTT5 3.2.2-22", "MQTT3 3.1.2-24"],
            doc: "a client that is silent for one and a half times its Keep Alive is disconnected",
            judge: keep_alive_kept,
        },
        Row {
            id: "connect-is-answered",
            clauses: &["MQTT5 3.1.4-5", "MQTT5 3.1.3-5", "MQTT3 3.1.4-4", "MQTT3 3.1.3-5"],
            doc: "a CONNECT is answered by CONNACK, or by the end of the connection",
            judge: connect_is_answered,
        },
    ]
}

/// Whether a connection was ended, by either side, before our patience was over; `None`: nobody can say.
fn ended(facts: &Facts<'_>, conn: &Conn<'_>, since: Time) -> Option<bool> {
    match conn.closed {
        Some((_, By::Peer)) => Some(true),
        _ if facts.had_patience(conn, since) => Some(false),
        _ => None,
    }
}

fn refusal_closes(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let refusal =
            conn.heard().find(|(_, seen)| seen.is("connack") && seen.int("reason").is_some_and(|code| code != 0));
        let Some((_, seen)) = refusal else { continue };
        match ended(facts, conn, seen.moment.at) {
            Some(closed) => tally.must(
                seen.id(),
                (!closed)
                    .then(|| Breach::missed("connack", "the connection was left open after a refusal", &[seen.id()])),
            ),
            None => tally.may(),
        }
    }
}

fn disconnect_closes(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some(seen) = conn.packets.iter().find(|seen| !seen.sent && seen.is("disconnect")) else { continue };
        match ended(facts, conn, seen.moment.at) {
            Some(closed) => tally.must(
                seen.id(),
                (!closed).then(|| {
                    Breach::missed("disconnect", "the connection was left open after DISCONNECT", &[seen.id()])
                }),
            ),
            None => tally.may(),
        }
    }
}

/// Connections that were open when another with their client id was accepted; the moment of its CONNACK.
fn taken<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (&'f Conn<'a>, proofhouse_core::oracle::record::Moment)> {
    let accepted = |conn: &&Conn<'_>| conn.accepted.is_some() && !conn.client_id.is_empty();
    facts.conns.values().filter(accepted).filter_map(move |conn| {
        let stood = conn.packets[conn.accepted?].moment;
        let later = facts.of_client(conn).filter(|other| other.number != conn.number).filter_map(|other| {
            let connect = other.packets[other.connect?].moment;
            (connect.id > stood.id).then_some(other.packets[other.accepted?].moment)
        });
        let over = later.min_by_key(|moment| moment.id)?;
        let closed = conn.closed.filter(|(_, by)| *by != By::Peer).map_or(u32::MAX, |(moment, _)| moment.id.0);
        let left = conn.goodbye().map_or(u32::MAX, |bye| bye.id().0);
        (closed > over.id.0 && left > over.id.0).then_some((conn, over))
    })
}

fn takeover_closes(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, over) in taken(facts) {
        match ended(facts, conn, over.at) {
            Some(closed) => tally.must(
                over.id,
                (!closed)
                    .then(|| Breach::missed("connect", "the connection that was taken over was left open", &[over.id])),
            ),
            None => tally.may(),
        }
    }
}

fn takeover_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, over) in taken(facts) {
        let told = conn.packets.iter().find(|seen| !seen.sent && seen.is("disconnect"));
        match told {
            Some(seen) => {
                let code = seen.int("reason").unwrap_or(0);
                let breach = (code != 0x8E).then(|| {
                    Breach::seen("disconnect", format!("a takeover is told as {code:#04x}"), &[over.id, seen.id()])
                });
                tally.must(seen.id(), breach);
            }
            // None: to send it is advice (MQTT5 §4.13.1); to close is the duty.
            _ => tally.may(),
        }
    }
}

fn keep_alive_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.accepted.is_some()) {
        let asked = conn.ours("keep_alive").unwrap_or(0);
        let seconds = conn.connack().and_then(|fields| fields.int("server_keep_alive")).unwrap_or(asked).max(0) as u64;
        if seconds == 0 || !conn.is_legal() {
            continue;
        }
        let Some(last) = conn.packets.iter().rev().find(|seen| seen.sent) else { continue };
        let due = last.moment.at + Duration::from_millis(seconds * 1_500);
        let closed = conn.closed;
        match closed {
            Some((moment, By::Peer)) if moment.at >= due => tally.must(moment.id, None),
            Some((_, By::Us)) | None if facts.had_patience(conn, due) => {
                tally.must(
                    last.id(),
                    Some(Breach::missed(
                        "silence",
                        format!("still connected after 1.5 times {seconds} s and more"),
                        &[last.id()],
                    )),
                );
            }
            _ => tally.may(),
        }
    }
}

fn connect_is_answered(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some((_, seen)) = conn.said().find(|(_, seen)| seen.is("connect")) else { continue };
        let answer = conn.heard().find(|(_, seen)| seen.is("connack") || seen.is("auth"));
        match (answer, conn.closed) {
            (Some((_, answer)), _) => tally.must(answer.id(), None),
            (None, Some((moment, By::Peer))) => tally.must(moment.id, None),
            _ if conn.is_legal() && facts.had_patience(conn, seen.moment.at) => {
                tally.must(
                    seen.id(),
                    Some(Breach::missed("connack", "a CONNECT was left without any answer", &[seen.id()])),
                );
            }
            _ => tally.may(),
        }
    }
}
