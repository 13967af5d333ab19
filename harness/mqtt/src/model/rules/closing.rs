//! When the server ends a connection: after a refusal, after a goodbye, on takeover, for silence.
use alloc::format;

use proofhouse_core::oracle::record::Moment;
use proofhouse_core::time::Time;
use proofhouse_core::transcript::By;

use super::{Breach, Conn, Facts, Row, Tally};
use crate::grammar::GRAMMAR;

/// Session taken over.
const TAKEN_OVER: i64 = 0x8E;
/// What a server may say at any time beside what the grammar knows: not authorised (any more), keep alive timeout, message rate too high.
const OWN_REASONS: [i64; 3] = [0x87, 0x8D, 0x96];

pub(super) const RULES: &[Row] = &[
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
];

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

/// Connections that stood when the same client said CONNECT again and was accepted; that CONNECT, and its CONNACK. Another user with the
/// same client id may be kept apart, or refused.
fn taken<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Conn<'a>, Moment, Moment)> {
    let accepted = |conn: &&Conn<'_>| conn.accepted.is_some() && !conn.client_id.is_empty();
    facts.conns.values().filter(accepted).filter_map(move |conn| {
        let next = facts.later(conn).find(|next| next.accepted.is_some() && conn.is_before(next))?;
        let (asked, over) = (next.asked()?, next.let_in()?);
        let stood = conn.left().is_none_or(|left| left.id > asked.id) && conn.user == next.user;
        stood.then_some((conn, asked, over))
    })
}

fn takeover_closes(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, _, over) in taken(facts) {
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

/// Of the DISCONNECTs that come after the second CONNECT: one for a reason of the server's own, or for our silence, may have been under way
/// when that left us.
fn takeover_is_told(facts: &Facts<'_>, tally: &mut Tally) {
    for (conn, asked, over) in taken(facts) {
        let told = conn.heard().map(|(_, seen)| seen).find(|seen| seen.is("disconnect") && seen.id() > asked.id);
        // None: to send it is advice (MQTT5 §4.13.1); to close is the duty.
        let Some(seen) = told else {
            tally.may();
            continue;
        };
        let code = seen.int("reason").unwrap_or(0);
        if code != TAKEN_OVER && (OWN_REASONS.contains(&code) || (GRAMMAR.own_reason)(seen.packet)) {
            tally.may();
            continue;
        }
        let breach = (code != TAKEN_OVER)
            .then(|| Breach::seen("disconnect", format!("a takeover is told as {code:#04x}"), &[over.id, seen.id()]));
        tally.must(seen.id(), breach);
    }
}

fn keep_alive_kept(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.accepted.is_some()) {
        let Some(alive) = conn.keep_alive().filter(|_| conn.is_legal()) else { continue };
        let Some(last) = conn.packets.iter().rev().find(|seen| seen.sent) else { continue };
        let due = last.moment.at + alive * 3 / 2;
        let closed = conn.closed;
        match closed {
            Some((moment, By::Peer)) if moment.at >= due => tally.must(moment.id, None),
            Some((_, By::Us)) | None if facts.had_patience(conn, due) => {
                tally.must(
                    last.id(),
                    Some(Breach::missed(
                        "silence",
                        format!("still connected after 1.5 times {} s and more", alive.as_secs()),
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
