//! Sessions and their subscriptions: which connections continue which, and from when to when a filter may, or must, match.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
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
    /// Whether the same filter was subscribed to before.
    pub existed: Held,
    /// What asked for it was legal.
    pub certain: bool,
}

impl Subscription {
    pub fn qos(&self) -> Option<i64> {
        self.granted.map(|(_, code)| code).filter(|code| *code <= 2)
    }
    pub fn is_refused(&self) -> bool {
        self.granted.is_some_and(|(_, code)| code > 2)
    }
    pub fn matches(&self, topic: &str) -> bool {
        matches(&self.filter, topic)
    }
    /// Whether it brings the retained messages that it matches.
    pub fn brings(&self) -> Held {
        match (self.handling, self.existed) {
            _ if self.group.is_some() => Held::No,
            (0, _) | (1, Held::No) => Held::Must,
            (1, Held::May) => Held::May,
            _ => Held::No,
        }
    }
    /// Whether it applied to a message when the target handled it.
    pub fn held(&self, message: &Publication<'_>) -> Held {
        let handled_before = |moment: Moment| message.handled_before(moment);
        if handled_before(self.asked) && !message.is_will() || self.is_refused() {
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
    /// Places of the subscriptions to each filter as it was written, in order; refused ones change nothing and are not among them.
    places: BTreeMap<String, Vec<usize>>,
}

impl Session {
    /// The latest subscription to a filter, as it was written, that was asked for before an entry.
    pub fn latest(&self, written: &str, before: EntryId) -> Option<&Subscription> {
        let all = self.places.get(written)?;
        let until = all.partition_point(|at| self.subscriptions[*at].asked.id < before);
        all[..until].last().map(|at| &self.subscriptions[*at])
    }
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

/// Follows every client id through its connections. A server may keep the ids of each user apart, or not: where another user came with
/// the same one, or somebody whom we do not follow, nothing is certain.
pub(super) fn sessions(
    conns: &BTreeMap<u32, Conn<'_>>,
    clients: &BTreeMap<String, Vec<u32>>,
    strangers: &BTreeSet<&str>,
) -> Sessions {
    let mut sessions = Sessions::default();
    for (client, numbers) in clients {
        let all: Vec<&Conn<'_>> = numbers.iter().map(|number| &conns[number]).collect();
        let mut last = Before::Nothing;
        for (nth, conn) in all.iter().enumerate() {
            let earlier = nth.checked_sub(1).map(|at| all[at]);
            let in_turn = earlier.is_none_or(|earlier| earlier.is_before(conn) && earlier.user == conn.user)
                && all.get(nth + 1).is_none_or(|later| conn.is_before(later));
            let clear = in_turn && !strangers.contains(client.as_str());
            let before = if clear { last } else { Before::Unclear };
            sessions.before.insert(conn.number, before);
            let accepted = conn.accepted.is_some() && conn.connect.is_some_and(|at| at < conn.legal);
            last = if accepted { Before::Conn(conn.number) } else { Before::Unclear };
            sessions.follow(conn, before);
        }
    }
    sessions
}

impl Sessions {
    /// Adds a connection to the session that it continues, or to a new one.
    fn follow(&mut self, conn: &Conn<'_>, before: Before) {
        let continued = match before {
            Before::Conn(earlier) if conn.is_resumed() => self.of.get(&earlier).copied(),
            _ => None,
        };
        // Otherwise it is somebody's session, and nobody knows what it had subscribed to.
        if conn.accepted.is_none() || (conn.is_resumed() && continued.is_none()) {
            return;
        }
        let at = continued.unwrap_or_else(|| {
            self.all.push(Session::default());
            self.all.len() - 1
        });
        self.of.insert(conn.number, at);
        self.all[at].conns.push(conn.number);
        self.all[at].take(conn);
    }
}

impl Session {
    /// Adds what a connection subscribed to and took back.
    fn take(&mut self, conn: &Conn<'_>) {
        for (at, seen) in conn.packets.iter().enumerate().filter(|(_, seen)| seen.sent) {
            match seen.packet.kind.as_str() {
                "subscribe" => self.asked(conn, at),
                "unsubscribe" => self.taken_back(conn, at),
                _ => {}
            }
        }
    }

    fn open(&mut self, written: &str) -> Option<&mut Subscription> {
        let last = self.places.get(written)?.last()?;
        Some(&mut self.subscriptions[*last]).filter(|one| one.ending.is_none())
    }

    /// An UNSUBACK that refuses a filter leaves its subscription, as far as anybody knows.
    fn taken_back(&mut self, conn: &Conn<'_>, at: usize) {
        let answer = conn.answer(at, "unsuback").map(|at| &conn.packets[at]);
        for (place, filter) in filters(&conn.packets[at]).into_iter().enumerate() {
            let code = answer.and_then(|answer| column(answer, "reason", "reason").get(place)).and_then(Value::as_int);
            if let Some(one) = self.open(filter) {
                one.ending = Some(conn.packets[at].moment);
                one.ended = answer.filter(|_| code.unwrap_or(0) < 0x80).map(|answer| answer.moment);
            }
        }
    }

    fn asked(&mut self, conn: &Conn<'_>, at: usize) {
        let seen = &conn.packets[at];
        let answer = conn.answer(at, "suback");
        let codes = answer.map(|at| column(&conn.packets[at], "reason", "reason")).unwrap_or(&[]);
        let nth = |name: &str, nth: usize| column(seen, name, name).get(nth);
        let truth = |name: &str, at: usize| nth(name, at) == Some(&Value::Bool(true));
        for (place, filter) in filters(seen).into_iter().enumerate() {
            let (group, plain) = if conn.version5 { split(filter) } else { (None, filter) };
            let granted = answer.zip(codes.get(place).and_then(Value::as_int));
            let new = Subscription {
                conn: conn.number,
                filter: plain.to_string(),
                group: group.map(ToString::to_string),
                no_local: truth("no_local", place),
                as_published: truth("retain_as_published", place),
                handling: nth("retain_handling", place).and_then(Value::as_int).unwrap_or(0),
                id: seen.int("subscription_id"),
                asked: seen.moment,
                granted: granted.map(|(at, code)| (conn.packets[at].moment, code)),
                ending: None,
                ended: None,
                existed: self.existed(filter, seen.moment),
                certain: at < conn.legal,
            };
            self.add(filter, new);
        }
    }

    /// Another SUBSCRIBE with the same filter takes the place of the one before; one that is refused leaves it.
    fn add(&mut self, written: &str, new: Subscription) {
        if !new.is_refused() {
            if let Some(one) = self.open(written) {
                one.ending = Some(new.asked);
                one.ended = new.granted.map(|(moment, _)| moment);
            }
            self.places.entry(written.to_string()).or_default().push(self.subscriptions.len());
        }
        self.subscriptions.push(new);
    }

    /// Whether a filter was subscribed to when it is asked for again.
    fn existed(&self, written: &str, asked: Moment) -> Held {
        let Some(last) = self.places.get(written).and_then(|all| all.last()) else { return Held::No };
        let last = &self.subscriptions[*last];
        let granted = last.granted.is_some_and(|(moment, _)| moment.id < asked.id);
        match last.ended {
            Some(ended) if ended.id < asked.id => Held::No,
            _ if granted && last.ending.is_none() && last.certain => Held::Must,
            _ => Held::May,
        }
    }
}

/// Group and filter of a shared subscription; no group for another.
pub(super) fn split(filter: &str) -> (Option<&str>, &str) {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or((None, filter), |(group, plain)| (Some(group), plain))
}
