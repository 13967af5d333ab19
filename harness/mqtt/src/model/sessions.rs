//! Sessions and their subscriptions: which connections continue which, and from when to when a filter may, or must, match.
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::oracle::record::Moment;
use proofhouse_core::value::Value;

use super::breach::{column, filters};
use super::facts::Conn;
use super::messages::Publication;
use crate::codec::topic::matches;

/// Whether something held at a moment, as far as anybody saw the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    No,
    May,
    Must,
}

/// One subscription of one session.
pub(super) struct Subscription {
    pub conn: u32,
    pub filter: String,
    /// Name of the group of a shared one.
    pub group: Option<String>,
    pub no_local: bool,
    pub as_published: bool,
    /// 0: retained messages come; 1: only to a new subscription; 2: none.
    pub handling: i64,
    pub id: Option<i64>,
    /// SUBSCRIBE left us.
    pub asked: Moment,
    /// SUBACK, and its code.
    pub granted: Option<(Moment, i64)>,
    /// UNSUBSCRIBE, or another SUBSCRIBE with this filter, left us; and its answer came.
    pub ending: Option<Moment>,
    pub ended: Option<Moment>,
    /// The same filter was, or may have been, subscribed to before.
    pub existed: bool,
    /// What asked for it was legal.
    pub certain: bool,
}

impl Subscription {
    pub fn qos(&self) -> Option<i64> {
        self.granted.map(|(_, code)| code).filter(|code| *code <= 2)
    }
    pub fn matches(&self, topic: &str) -> bool {
        matches(&self.filter, topic)
    }
    /// Whether it applied to a message when the target handled it.
    pub fn held(&self, message: &Publication<'_>) -> Held {
        let handled_before = |moment: Moment| message.handled_before(moment);
        if handled_before(self.asked) && !message.is_will() || self.granted.is_some_and(|(_, code)| code > 2) {
            return Held::No;
        }
        if self.ended.is_some_and(|ended| ended.id < message.sent.id) && !message.is_will() {
            return Held::No;
        }
        let stood = self.granted.is_some_and(|(at, _)| at.id < message.sent.id);
        let stands = self.ending.is_none_or(handled_before);
        if stood && stands && self.certain { Held::Must } else { Held::May }
    }
}

/// The life of one session: one after the other, the connections that continued it.
#[derive(Default)]
pub(super) struct Session {
    pub conns: Vec<u32>,
    pub subscriptions: Vec<Subscription>,
}

/// What was before a connection under its client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing that we said.
    Nothing,
    /// This connection, and nothing unclear since.
    Conn(u32),
    /// Somebody tried, and nobody can say what came of it.
    Unclear,
}

#[derive(Default)]
pub(super) struct Sessions {
    pub all: Vec<Session>,
    /// The session of each accepted connection.
    pub of: BTreeMap<u32, usize>,
    pub before: BTreeMap<u32, Before>,
}

impl Sessions {
    pub fn of(&self, conn: u32) -> Option<&Session> {
        self.of.get(&conn).map(|at| &self.all[*at])
    }
}

/// Follows every client id through its connections.
pub(super) fn sessions(conns: &BTreeMap<u32, Conn<'_>>) -> Sessions {
    let mut order: Vec<&Conn<'_>> = conns.values().filter(|conn| conn.connect.is_some()).collect();
    order.sort_by_key(|conn| conn.packets[conn.connect.unwrap_or(0)].moment.id);
    let mut sessions = Sessions::default();
    let mut last: BTreeMap<&str, Before> = BTreeMap::new();
    for conn in order {
        let before = last.get(conn.client_id.as_str()).copied().unwrap_or(Before::Nothing);
        sessions.before.insert(conn.number, before);
        let accepted = conn.accepted.is_some() && conn.connect.is_some_and(|at| at < conn.legal);
        last.insert(&conn.client_id, if accepted { Before::Conn(conn.number) } else { Before::Unclear });
        if conn.accepted.is_none() {
            continue;
        }
        let present = conn.connack().and_then(|fields| fields.truth("session_present")) == Some(true);
        let continued = match before {
            Before::Conn(earlier) if present => sessions.of.get(&earlier).copied(),
            _ => None,
        };
        if present && continued.is_none() {
            continue; // somebody's session, and nobody knows what it had subscribed to
        }
        let at = continued.unwrap_or_else(|| {
            sessions.all.push(Session::default());
            sessions.all.len() - 1
        });
        sessions.of.insert(conn.number, at);
        sessions.all[at].conns.push(conn.number);
        subscribe(conn, &mut sessions.all[at].subscriptions);
    }
    sessions
}

/// Adds what a connection subscribed to and took back.
fn subscribe(conn: &Conn<'_>, all: &mut Vec<Subscription>) {
    for (at, seen) in conn.packets.iter().enumerate() {
        match (seen.sent, seen.packet.kind.as_str()) {
            (true, "subscribe") => asked(conn, at, all),
            (true, "unsubscribe") => {
                let answer = answer(conn, at, "unsuback");
                for filter in filters(seen) {
                    let mut same = all.iter_mut().filter(|one| one.ending.is_none() && is(one, filter));
                    if let Some(one) = same.next() {
                        one.ending = Some(seen.moment);
                        one.ended = answer.map(|at| conn.packets[at].moment);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is(subscription: &Subscription, filter: &str) -> bool {
    let (group, plain) = split(filter);
    subscription.filter == plain && subscription.group.as_deref() == group
}

/// Group and filter of a shared subscription; no group for another.
pub(super) fn split(filter: &str) -> (Option<&str>, &str) {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or((None, filter), |(group, plain)| (Some(group), plain))
}

/// Index of the answer to a request of ours: the next one of that kind with its identifier.
pub(super) fn answer(conn: &Conn<'_>, at: usize, kind: &str) -> Option<usize> {
    let id = conn.packets[at].int("packet_id");
    let fits = |seen: &super::facts::Seen<'_>| !seen.sent && seen.is(kind) && seen.int("packet_id") == id;
    conn.packets[at..].iter().position(fits).map(|after| at + after)
}

fn asked(conn: &Conn<'_>, at: usize, all: &mut Vec<Subscription>) {
    let seen = &conn.packets[at];
    let answer = answer(conn, at, "suback");
    let codes = answer.map(|at| column(&conn.packets[at], "reason", "reason")).unwrap_or(&[]);
    let nth = |name: &str, nth: usize| column(seen, name, name).get(nth);
    let truth = |name: &str, at: usize| nth(name, at) == Some(&Value::Bool(true));
    for (place, filter) in filters(seen).into_iter().enumerate() {
        let (group, plain) = if conn.version5 { split(filter) } else { (None, filter) };
        let granted = answer.zip(codes.get(place).and_then(Value::as_int));
        let granted = granted.map(|(at, code)| (conn.packets[at].moment, code));
        let existed = all.iter().any(|one| is(one, filter) && one.ended.is_none_or(|ended| ended.id > seen.moment.id));
        // Another SUBSCRIBE with the same filter takes the place of the one before; one that is refused leaves it.
        for one in all.iter_mut().filter(|one| one.ending.is_none() && is(one, filter)) {
            one.ending = Some(seen.moment);
            one.ended = granted.filter(|(_, code)| *code <= 2).map(|(moment, _)| moment);
        }
        all.push(Subscription {
            conn: conn.number,
            filter: plain.to_string(),
            group: group.map(ToString::to_string),
            no_local: truth("no_local", place),
            as_published: truth("retain_as_published", place),
            handling: nth("retain_handling", place).and_then(Value::as_int).unwrap_or(0),
            id: seen.int("subscription_id"),
            asked: seen.moment,
            granted,
            ending: None,
            ended: None,
            existed,
            certain: at < conn.legal,
        });
    }
}
