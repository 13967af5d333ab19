//! Who gets a message, how often, and with which QoS, RETAIN and DUP.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::oracle::record::Moment;
use proofhouse_core::time::Time;
use proofhouse_core::value::Value;

use super::session::resumed;
use super::{Breach, Facts, Row, Tally};
use crate::model::facts::passed_on;
use crate::model::messages::{Delivery, Publication};
use crate::model::sessions::{Held, Session, Subscription};

/// Messages that a session is owed at once before a server may begin to drop some: Receive Maximum and queues have their limits.
const BACKLOG: usize = 100;

pub(super) const RULES: &[Row] = &[
    Row {
        id: "subscribed-only",
        clauses: &[
            "MQTT5 3.3.2-3",
            "MQTT5 4.7.3-4",
            "MQTT5 4.7.2-1",
            "MQTT3 3.3.2-3",
            "MQTT3 4.7.3-4",
            "MQTT3 4.7.2-1",
        ],
        doc: "the topic of a message that comes matches a filter that the session has subscribed to",
        judge: subscribed_only,
    },
    Row {
        id: "payload-unaltered",
        clauses: &["MQTT5 4.5.0-1", "MQTT5 1.5.4-3", "MQTT3 4.5.0-1", "MQTT3 1.5.3-3"],
        doc: "a message has topic and payload as somebody published them",
        judge: payload_unaltered,
    },
    Row {
        id: "delivered",
        clauses: &[
            "MQTT5 4.5.0-1",
            "MQTT5 3.3.4-1",
            "MQTT5 3.8.4-5",
            "MQTT3 4.5.0-1",
            "MQTT3 3.1.2-5",
            "MQTT3 3.8.4-4",
        ],
        doc: "a message comes to every session whose subscription stood before it was published",
        judge: |facts, tally| owed_comes(facts, tally, |_| true),
    },
    Row {
        id: "id-free-after-puback",
        clauses: &["MQTT5 4.3.2-5"],
        doc: "after PUBACK its identifier is that of a new message, which comes to those who subscribed",
        judge: |facts, tally| owed_comes(facts, tally, |message| message.freed_by == Some("puback")),
    },
    Row {
        id: "id-free-after-pubcomp",
        clauses: &["MQTT5 4.3.3-12"],
        doc: "after PUBCOMP its identifier is that of a new message, which comes to those who subscribed",
        judge: |facts, tally| owed_comes(facts, tally, |message| message.freed_by == Some("pubcomp")),
    },
    Row {
        id: "id-free-after-refusal",
        clauses: &["MQTT5 4.3.3-9"],
        doc: "after a PUBREC that refuses its identifier is that of a new message, which comes to those who subscribed",
        judge: |facts, tally| owed_comes(facts, tally, |message| message.freed_by == Some("pubrec")),
    },
    Row {
        id: "large-is-skipped",
        clauses: &["MQTT5 3.1.2-25"],
        doc: "a message beyond our Maximum Packet Size counts as sent: a small one after it comes",
        judge: large_is_skipped,
    },
    Row {
        id: "not-after-unsubscribe",
        clauses: &["MQTT5 3.10.4-2", "MQTT5 3.10.4-6", "MQTT3 3.10.4-2", "MQTT3 3.10.4-1"],
        doc: "a message that was published after UNSUBACK does not come for that filter",
        judge: not_after_unsubscribe,
    },
    Row {
        id: "qos-of-both",
        clauses: &["MQTT5 3.8.4-8", "MQTT5 3.3.4-2", "MQTT5 4.8.2-3", "MQTT3 3.8.4-6", "MQTT3 3.3.5-1"],
        doc: "a message comes at the lower of the QoS that was published and the QoS that was granted",
        judge: qos_of_both,
    },
    Row {
        id: "no-more-copies",
        clauses: &[
            "MQTT5 4.5.0-1",
            "MQTT5 4.3.3-10",
            "MQTT5 4.4.0-1",
            "MQTT5 3.8.4-3",
            "MQTT3 4.5.0-1",
            "MQTT3 4.3.3-2",
            "MQTT3 3.8.4-3",
        ],
        doc: "a message comes once for each subscription that matches it, and no more",
        judge: no_more_copies,
    },
    Row {
        id: "no-local",
        clauses: &["MQTT5 3.8.3-3"],
        doc: "with No Local a client does not get what it has published itself",
        judge: no_local,
    },
    Row {
        id: "one-of-a-group",
        clauses: &["MQTT5 §4.8.2"],
        doc: "one member of a shared subscription gets a message",
        judge: one_of_a_group,
    },
    Row {
        id: "dup-is-own",
        clauses: &[
            "MQTT5 3.3.1-3",
            "MQTT5 4.3.2-2",
            "MQTT5 4.3.3-2",
            "MQTT3 3.3.1-3",
            "MQTT3 4.3.2-1",
            "MQTT3 4.3.3-1",
        ],
        doc: "DUP is 0 on what the server sends for the first time",
        judge: dup_is_own,
    },
    Row {
        id: "dup-on-redelivery",
        clauses: &["MQTT5 3.3.1-1", "MQTT3 3.3.1-1"],
        doc: "DUP is 1 on what the server sends again",
        judge: dup_on_redelivery,
    },
];

/// What a session had subscribed to when something came, as far as it may have been granted.
pub(super) fn matching<'s>(session: &'s Session, delivery: &'s Delivery<'_>) -> impl Iterator<Item = &'s Subscription> {
    let (topic, until) = (delivery.topic.as_deref().unwrap_or(""), delivery.moment.id);
    session.subscriptions.iter().filter(move |one| one.asked.id < until && one.matches(topic))
}

/// Where a message stands in a signature: its QoS, live or retained.
pub(super) fn place(delivery: &Delivery<'_>) -> alloc::string::String {
    format!("publish/qos{}{}", delivery.qos, if delivery.retain { "/retained" } else { "" })
}

/// Deliveries on connections of ours that are followed up to there, each with its session.
pub(super) fn followed<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Delivery<'a>, &'f Session)> {
    facts.deliveries.iter().filter_map(|delivery| {
        let conn = &facts.conns[&delivery.conn];
        (delivery.at < conn.legal).then_some(())?;
        Some((delivery, facts.sessions.of(delivery.conn)?))
    })
}

fn subscribed_only(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts) {
        let Some(topic) = &delivery.topic else { continue };
        let none = matching(session, delivery).all(|one| one.granted.is_some_and(|(_, code)| code > 2));
        let dollar = if topic.starts_with('$') { "/dollar" } else { "" };
        let breach = none.then(|| {
            Breach::seen(
                format!("publish{dollar}"),
                format!("a message came on {topic:?}, which no filter of the session matches"),
                &[delivery.moment.id],
            )
        });
        tally.must_not(delivery.moment.id, breach);
    }
}

/// On a target that is ours alone, every message is from one of us, but what the target itself says below `$`.
fn payload_unaltered(facts: &Facts<'_>, tally: &mut Tally) {
    if !facts.alone || facts.plan.fleets.iter().any(|fleet| fleet.protocol != "mqtt" && !fleet.protocol.is_empty()) {
        return;
    }
    let topics: BTreeSet<&str> = facts.publications.iter().map(|one| one.topic.as_str()).collect();
    let (others, unread) = spoken_by_others(facts);
    for (delivery, _) in followed(facts) {
        let Some(topic) = delivery.topic.as_deref().filter(|topic| !topic.starts_with('$')) else { continue };
        let what = if topics.contains(topic) { "payload" } else { "topic" };
        let known = !delivery.from.is_empty() || unread || others.contains(topic);
        let breach = (!known).then(|| {
            Breach::seen(
                what,
                format!("a message came on {topic:?} that nobody has published so"),
                &[delivery.moment.id],
            )
        });
        tally.must(delivery.moment.id, breach);
    }
}

/// Clients of the other version speak to the same target, and clients that break the standard may: the topics of theirs, and whether some
/// of it cannot be read at all.
fn spoken_by_others<'f>(facts: &'f Facts<'_>) -> (BTreeSet<&'f str>, bool) {
    let uncertain = facts.publications.iter().filter(|one| !one.certain).map(|one| one.topic.as_str());
    let (mut topics, mut unread): (BTreeSet<&str>, bool) = (uncertain.collect(), false);
    let others = facts.record.packets().filter(|crossing| crossing.sent && !facts.conns.contains_key(&crossing.conn));
    for packet in others.map(|crossing| crossing.packet) {
        topics.extend(["topic", "will_topic"].into_iter().filter_map(|field| packet.fields.text(field)));
        unread |= !packet.malformed.is_empty();
    }
    (topics, unread)
}

/// Whether the sender may publish this, and the reader read it; unknown counts as no, and so does a right that is taken away at any time.
fn allowed(facts: &Facts<'_>, message: &Publication<'_>, session: &Session) -> bool {
    if facts.revokes {
        return false;
    }
    facts.may(message.conn, "publish", &message.topic, message.sent.at)
        && session.conns.iter().all(|conn| facts.may(*conn, "subscribe", &message.topic, message.sent.at))
}

/// The messages that a session must get, each with the QoS that it gets it at: a subscription of its own stood before each, and the rights allow it.
fn owed<'f, 'a>(facts: &'f Facts<'a>, session: &Session) -> BTreeMap<usize, (&'f Publication<'a>, i64)> {
    let mut owed = BTreeMap::new();
    for one in session.subscriptions.iter().filter(|one| one.group.is_none()) {
        for nth in facts.published_on(&one.filter) {
            let message = &facts.publications[nth];
            let plain = message.certain && !message.refused && !message.is_will() && !message.topic.starts_with('$');
            let own = one.no_local && facts.same_client(one.conn, message.conn) != Held::No;
            if plain
                && !own
                && one.held(message) == Held::Must
                && stood(facts, session, message)
                && allowed(facts, message, session)
            {
                let qos = one.qos().unwrap_or(0).min(message.qos);
                owed.entry(nth).and_modify(|(_, most): &mut (_, i64)| *most = qos.max(*most)).or_insert((message, qos));
            }
        }
    }
    owed
}

/// Of the messages that each session is owed, those that are wanted here.
fn owed_comes(facts: &Facts<'_>, tally: &mut Tally, wanted: impl Fn(&Publication<'_>) -> bool) {
    if !facts.publications.iter().any(&wanted) {
        return;
    }
    for session in &facts.sessions.all {
        let came = came(facts, session);
        let owed = owed(facts, session);
        for (nth, (message, qos)) in owed.iter().filter(|(_, (message, _))| wanted(message)) {
            if let Some(entry) = came.get(nth) {
                tally.must(*entry, None);
            } else if owed.len() <= BACKLOG && is_missed(facts, session, message, *qos) {
                let who = session.conns.last().map_or(("", 0), |conn| facts.conns[conn].who);
                let what = format!(
                    "a QoS {} message on {:?} never came to {}[{}], though its connection stood",
                    message.qos, message.topic, who.0, who.1
                );
                tally.must(
                    message.sent.id,
                    Some(Breach::missed(format!("publish/qos{}", message.qos), what, &[message.sent.id])),
                );
            } else {
                tally.may();
            }
        }
    }
}

fn large_is_skipped(facts: &Facts<'_>, tally: &mut Tally) {
    for session in &facts.sessions.all {
        // On one connection alone, so that its limit is the one.
        let [only] = session.conns[..] else { continue };
        let Some(most) = facts.conns[&only].ours("maximum_packet_size") else { continue };
        let (came, owed) = (came(facts, session), owed(facts, session));
        for (nth, (message, qos)) in owed.iter().filter(|(_, (message, qos))| *qos > 0 && has_room(message, most)) {
            let too_large = |other: &Publication<'_>| least_size(other) > most;
            let Some(large) = owed.values().find(|(other, qos)| {
                *qos > 0 && too_large(other) && other.conn == message.conn && other.sent.id < message.sent.id
            }) else {
                continue;
            };
            if let Some(entry) = came.get(nth) {
                tally.must(*entry, None);
            } else if owed.len() <= BACKLOG && is_missed_in(facts, session, message, *qos) {
                let what = format!("a small message on {:?} never came after a large one", message.topic);
                let breach = Breach::missed("publish", what, &[large.0.sent.id, message.sent.id]);
                tally.must(message.sent.id, Some(breach));
            } else {
                tally.may();
            }
        }
    }
}

/// Bytes of the payload: no PUBLISH of this message has less.
fn least_size(message: &Publication<'_>) -> i64 {
    message
        .field("payload_len")
        .and_then(Value::as_int)
        .unwrap_or_else(|| message.field("payload").and_then(Value::as_bytes).map_or(0, |payload| payload.len() as i64))
}

/// Whether a PUBLISH of this message surely fits, whatever properties of its own a server adds: expiry, an alias, identifiers.
fn has_room(message: &Publication<'_>, most: i64) -> bool {
    const ADDED: i64 = 24;
    let plain = ["user_properties", "content_type", "response_topic", "correlation_data"];
    let is_plain = plain.iter().all(|name| message.field(name).is_none());
    is_plain && message.topic.len() as i64 + least_size(message) + ADDED <= most
}

/// What came to a session: the publications that a delivery may be, with the entry.
fn came(facts: &Facts<'_>, session: &Session) -> BTreeMap<usize, EntryId> {
    let mut came = BTreeMap::new();
    // What looks alike is told by its first, and how many of them have been noted.
    let mut noted: BTreeMap<usize, usize> = BTreeMap::new();
    for delivery in session.conns.iter().flat_map(|conn| facts.deliveries_on(*conn)) {
        let Some(first) = delivery.from.first() else { continue };
        let noted = noted.entry(*first).or_default();
        for nth in delivery.from.get(*noted..).into_iter().flatten() {
            came.entry(*nth).or_insert(delivery.moment.id);
        }
        *noted = delivery.from.len().max(*noted);
    }
    came
}

/// Whether the session had a connection, or keeps what comes while it has none.
fn stood(facts: &Facts<'_>, session: &Session, message: &Publication<'_>) -> bool {
    session.conns.iter().any(|number| {
        let conn = &facts.conns[number];
        let closed = conn.closed.map_or(u32::MAX, |(moment, _)| moment.id.0);
        conn.is_legal() && conn.goodbye().is_none_or(|bye| bye.id() > message.sent.id) && closed > message.sent.id.0
    })
}

/// Nothing holds the message back any more: its last connection stood for our whole patience, with nothing unacknowledged on it. What has
/// QoS 0 may be lost.
fn is_missed(facts: &Facts<'_>, session: &Session, message: &Publication<'_>, qos: i64) -> bool {
    let conn = session.conns.last().and_then(|number| facts.conns.get(number));
    conn.is_some_and(|conn| conn.ours("maximum_packet_size").is_none()) && is_missed_in(facts, session, message, qos)
}

/// The same where it is not too large.
fn is_missed_in(facts: &Facts<'_>, session: &Session, message: &Publication<'_>, qos: i64) -> bool {
    let Some(conn) = session.conns.last().and_then(|number| facts.conns.get(number)) else { return false };
    let expires = message.expiry().is_some();
    let handled = message.done.is_some();
    qos > 0
        && handled
        && !expires
        && conn.is_legal()
        && facts.had_patience(conn, message.sent.at)
        && !facts.has_open(conn.number)
}

fn not_after_unsubscribe(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts) {
        let [only] = delivery.from[..] else { continue };
        let message = &facts.publications[only];
        let mut all = matching(session, delivery).peekable();
        if all.peek().is_none() || message.is_will() {
            continue;
        }
        let over = all.all(|one| one.ended.is_some_and(|ended| ended.id < message.sent.id));
        let ever = session.subscriptions.iter().any(|one| one.ended.is_some());
        let breach = over.then(|| {
            let what =
                format!("a message on {:?} came that was published after the filter was given up", message.topic);
            Breach::seen(place(delivery), what, &[message.sent.id, delivery.moment.id])
        });
        if over || ever {
            tally.must_not(delivery.moment.id, breach);
        }
    }
}

fn qos_of_both(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts) {
        let all: Vec<&Subscription> =
            matching(session, delivery).filter(|one| one.qos().is_some() || one.granted.is_none()).collect();
        if delivery.from.is_empty() || all.is_empty() {
            continue;
        }
        if all.iter().any(|one| one.granted.is_none()) {
            tally.may();
            continue;
        }
        // Overlapping filters may give one copy at the highest QoS, or one for each.
        let fits = |nth: &usize| {
            let published = facts.publications[*nth].qos;
            all.iter().any(|one| one.qos().unwrap_or(0).min(published) == delivery.qos)
        };
        let expected =
            facts.publications[delivery.from[0]].qos.min(all.iter().filter_map(|one| one.qos()).max().unwrap_or(0));
        let breach = (!delivery.from.iter().any(fits)).then(|| {
            let what = format!("it came at QoS {}, where {expected} was published and granted", delivery.qos);
            let kind = if delivery.retain { "retained" } else { "live" };
            Breach::seen(format!("publish/{kind}/qos{}-for-{expected}", delivery.qos), what, &[delivery.moment.id])
        });
        tally.must(delivery.moment.id, breach);
    }
}

fn no_more_copies(facts: &Facts<'_>, tally: &mut Tally) {
    let mut seen: BTreeMap<(usize, usize), Vec<&Delivery<'_>>> = BTreeMap::new();
    for (delivery, _) in followed(facts) {
        let ([only], Some(session)) = (&delivery.from[..], facts.sessions.of.get(&delivery.conn)) else { continue };
        // What is sent again says so; what a new subscription brings is retained.
        if !delivery.dup && !delivery.retain {
            seen.entry((*session, *only)).or_default().push(delivery);
        }
    }
    for ((session, only), copies) in seen {
        let message = &facts.publications[only];
        let session = &facts.sessions.all[session];
        let may =
            session.subscriptions.iter().filter(|one| one.matches(&message.topic) && one.held(message) != Held::No);
        // One that takes the place of another may have brought the message for both.
        let (distinct, retained) =
            may.fold((0, false), |(n, r), one| (n + 1, r || message.retain && one.granted.is_some()));
        let version5 = facts.conns[&copies[0].conn].version5;
        let at_least_once = copies.iter().any(|copy| copy.qos == 1) && !version5;
        if distinct == 0 || at_least_once || message.again || (retained && distinct > 1) {
            tally.may();
            continue;
        }
        let breach = (copies.len() > distinct).then(|| {
            let what =
                format!("a message on {:?} came {} times for {distinct} subscriptions", message.topic, copies.len());
            let entries: Vec<_> = copies.iter().map(|copy| copy.moment.id).take(4).collect();
            let breach = Breach::seen(format!("publish/qos{}", copies[0].qos), what, &entries);
            // Or it was passed on so late that it came for them as well.
            let later = |one: &Subscription| one.asked.id > message.sent.id && one.asked.id < copies[0].moment.id;
            let late = session.subscriptions.iter().any(|one| later(one) && one.matches(&message.topic));
            let breach = if late { breach.by_our_time() } else { breach };
            match (message.qos, version5) {
                (2, true) => breach.citing("MQTT5 4.3.3-10"),
                (2, false) => breach.citing("MQTT3 4.3.3-2"),
                _ => breach,
            }
        });
        tally.must_not(copies[0].moment.id, breach);
    }
}

fn no_local(facts: &Facts<'_>, tally: &mut Tally) {
    for (delivery, session) in followed(facts) {
        let [only] = delivery.from[..] else { continue };
        let message = &facts.publications[only];
        if facts.same_client(delivery.conn, message.conn) != Held::Must || message.is_will() {
            continue;
        }
        let mut all = matching(session, delivery).peekable();
        if all.peek().is_none() {
            continue;
        }
        // What a subscription brings of the retained store is not forwarded to it: the text leaves that open.
        let brought = |one: &Subscription| one.asked.id > message.sent.id || one.held(message) != Held::Must;
        if message.retain && matching(session, delivery).any(brought) {
            tally.may();
            continue;
        }
        let closed = all.all(|one| one.no_local);
        let breach = closed.then(|| {
            Breach::seen(
                place(delivery),
                "with No Local its own message came back",
                &[message.sent.id, delivery.moment.id],
            )
        });
        if closed {
            tally.must_not(delivery.moment.id, breach);
        }
    }
    // Also where nothing came, the rule had its say.
    for message in facts.publications.iter().filter(|message| message.certain && !message.is_will()) {
        let Some(session) = facts.sessions.of(message.conn) else { continue };
        let closed =
            |one: &Subscription| one.no_local && one.matches(&message.topic) && one.held(message) == Held::Must;
        if session.subscriptions.iter().any(closed) {
            tally.must_not(message.sent.id, None);
        }
    }
}

fn one_of_a_group(facts: &Facts<'_>, tally: &mut Tally) {
    let mut got: BTreeMap<(&str, usize), Vec<&Delivery<'_>>> = BTreeMap::new();
    for (delivery, session) in followed(facts) {
        let [only] = delivery.from[..] else { continue };
        let mut all = matching(session, delivery);
        let (Some(one), None) = (all.next(), all.next()) else { continue };
        if let (Some(group), false) = (&one.group, delivery.dup) {
            got.entry((group, only)).or_default().push(delivery);
        }
    }
    for ((group, only), copies) in got {
        let filters = |delivery: &Delivery<'_>| {
            let session = facts.sessions.of(delivery.conn);
            session.and_then(|session| matching(session, delivery).next()).map(|one| one.filter.clone())
        };
        // A group is one only where its filter is the same; a member that left may hand over what it did not acknowledge.
        let same = copies.windows(2).all(|two| filters(two[0]) == filters(two[1]));
        let left = copies.windows(2).any(|two| has_left(facts, two[0].conn, two[1].moment));
        if !same || left || facts.publications[only].again {
            tally.may();
            continue;
        }
        let breach = (copies.len() > 1).then(|| {
            let entries: Vec<_> = copies.iter().map(|copy| copy.moment.id).take(4).collect();
            let message = &facts.publications[only];
            Breach::seen(
                "publish/shared",
                format!("a message on {:?} came {} times to group {group:?}", message.topic, copies.len()),
                &entries,
            )
        });
        tally.must_not(copies[0].moment.id, breach);
    }
}

/// Whether a connection may have been over for the server at a moment: it may know before we do.
fn has_left(facts: &Facts<'_>, conn: u32, moment: Moment) -> bool {
    let conn = &facts.conns[&conn];
    let over = |at: Time| passed_on(facts.record, conn.who.0, moment.at) >= at;
    !conn.is_legal() || conn.left().is_some_and(|left| over(left.at))
}

/// The first copy of a message on the first connection of a session cannot be one that is sent again.
fn dup_is_own(facts: &Facts<'_>, tally: &mut Tally) {
    let mut before: BTreeSet<(u32, Option<i64>, Option<usize>)> = BTreeSet::new();
    for (delivery, session) in followed(facts).filter(|(delivery, _)| delivery.qos > 0) {
        // What our acknowledgement crossed had come before, though nothing is open any more.
        let crossed = !before.insert((delivery.conn, delivery.id, delivery.from.first().copied())) && delivery.dup;
        if session.conns.first() != Some(&delivery.conn) || delivery.repeat || crossed {
            continue;
        }
        let breach = delivery.dup.then(|| {
            Breach::seen(place(delivery), "DUP 1 on a message that had not come before", &[delivery.moment.id])
        });
        tally.must(delivery.moment.id, breach);
    }
}

/// What was not acknowledged on the connection before comes again with its identifier, and says so.
fn dup_on_redelivery(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts) {
        let open = facts.open_on(before.number).filter(|open| !open.from.is_empty());
        let open: BTreeSet<_> = open.map(|open| (open.id, open.from.key())).collect();
        let all = facts.deliveries_on(after.number).filter(|delivery| delivery.at < after.legal && delivery.qos > 0);
        for delivery in all.filter(|delivery| !delivery.repeat) {
            if open.contains(&(delivery.id, delivery.from.key())) {
                let breach = (!delivery.dup)
                    .then(|| Breach::seen(place(delivery), "sent again with DUP 0", &[delivery.moment.id]));
                tally.must(delivery.moment.id, breach);
            }
        }
    }
}
