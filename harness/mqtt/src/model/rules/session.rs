//! What a resumed session brings: messages and PUBRELs that were not acknowledged, with their identifiers.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use proofhouse_core::ids::EntryId;
use proofhouse_core::value::Value;

use super::delivery::matching;
use super::{Breach, Conn, Facts, Row, Seen, Tally};
use crate::model::messages::Delivery;
use crate::model::sessions::{Held, Subscription};

pub(super) const RULES: &[Row] = &[
    Row {
        id: "sent-again-on-resume",
        clauses: &["MQTT5 4.4.0-1", "MQTT5 3.1.2-5", "MQTT3 4.4.0-1", "MQTT3 3.1.2-4"],
        doc: "a resumed session brings again, with its identifier, what was not acknowledged",
        judge: |facts, tally| sent_again_on_resume(facts, tally, |_| true),
    },
    Row {
        id: "shared-is-completed",
        clauses: &["MQTT5 4.8.2-4"],
        doc: "a QoS 2 message of a shared subscription is completed with the member that it was sent to, when that comes back",
        judge: |facts, tally| sent_again_on_resume(facts, tally, |open| open.qos == 2 && is_shared(facts, open)),
    },
    Row {
        id: "shared-goes-to-no-other",
        clauses: &["MQTT5 4.8.2-5"],
        doc: "a QoS 2 message of a shared subscription goes to no other member when the session of the first ends",
        judge: shared_goes_to_no_other,
    },
    Row {
        id: "pubrel-again-on-resume",
        clauses: &["MQTT5 4.4.0-1", "MQTT5 4.3.3-5", "MQTT3 4.4.0-1"],
        doc: "a resumed session brings again the PUBREL whose PUBCOMP was not sent",
        judge: pubrel_again_on_resume,
    },
    Row {
        id: "done-is-done",
        clauses: &["MQTT5 4.4.0-2", "MQTT5 4.4.0-1", "MQTT3 4.3.2-1"],
        doc: "what was acknowledged is not sent again",
        judge: done_is_done,
    },
    Row {
        id: "nothing-after-clean-start",
        clauses: &["MQTT5 3.1.2-4", "MQTT3 3.1.2-6"],
        doc: "Clean Start discards what was queued and not acknowledged",
        judge: nothing_after_clean_start,
    },
];

/// A connection and the one before it in its session, where the server says that the session is present.
pub(super) fn resumed<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = (&'f Conn<'a>, &'f Conn<'a>)> {
    facts.sessions.all.iter().flat_map(move |session| {
        session.conns.windows(2).map(move |two| (&facts.conns[&two[0]], &facts.conns[&two[1]]))
    })
}

/// Of what was not acknowledged, what is wanted here.
fn sent_again_on_resume(facts: &Facts<'_>, tally: &mut Tally, wanted: impl Fn(&Delivery<'_>) -> bool) {
    for (before, after) in resumed(facts).filter(|(before, _)| before.is_legal()) {
        let released: BTreeSet<Option<i64>> = ids(before, true, "pubrec").map(|seen| seen.int("packet_id")).collect();
        let came: BTreeMap<_, EntryId> =
            facts.deliveries_on(after.number).map(|one| (identity(one), one.moment.id)).rev().collect();
        // How many a server sends before it hears an acknowledgement is its own matter.
        let full = facts.has_open(after.number);
        let barred = facts.revokes || full || after.ours("maximum_packet_size").is_some();
        for open in facts.open_on(before.number) {
            // Only a QoS 2 message that was sent once does not expire any more (MQTT5 4.3.3-7).
            let expires = open.qos == 1 && open.packet.fields.find("message_expiry").is_some();
            // After our PUBREC it is the PUBREL that is owed.
            if expires || barred || released.contains(&open.id) || !wanted(open) {
                continue;
            }
            let Some(connack) = after.let_in() else { continue };
            match came.get(&identity(open)) {
                Some(again) => tally.must(*again, None),
                None if after.is_legal() && facts.had_patience(after, connack.at) => {
                    let what = format!("a QoS {} message that was not acknowledged did not come again", open.qos);
                    let entries = [open.moment.id, connack.id];
                    let breach = Breach::missed(format!("publish/qos{}", open.qos), what, &entries);
                    tally.must(connack.id, Some(breach));
                }
                None => tally.may(),
            }
        }
    }
}

/// Whether only shared subscriptions can have brought it.
fn is_shared(facts: &Facts<'_>, delivery: &Delivery<'_>) -> bool {
    let session = facts.sessions.of(delivery.conn);
    let mut all = session.into_iter().flat_map(|session| matching(session, delivery)).peekable();
    all.peek().is_some() && all.all(|one| one.group.is_some())
}

/// Messages that were begun with a member whose session then ended with its connection, and another member that stood all the time.
fn shared_goes_to_no_other(facts: &Facts<'_>, tally: &mut Tally) {
    for (number, conn) in facts.conns.iter().filter(|(_, conn)| conn.is_legal() && conn.expiry() == Some(0)) {
        let (Some(left), Some(session)) = (conn.left(), facts.sessions.of.get(number)) else { continue };
        for open in facts.open_on(*number).filter(|open| open.qos == 2 && is_shared(facts, open)) {
            let [only] = open.from[..] else { continue };
            let message = &facts.publications[only];
            let mut own = matching(&facts.sessions.all[*session], open);
            let (Some(one), None) = (own.next(), own.next()) else { continue };
            for (_, other) in facts.sessions.all.iter().enumerate().filter(|(nth, _)| nth != session) {
                let same = |two: &&Subscription| (&two.group, &two.filter) == (&one.group, &one.filter);
                let stood = other.subscriptions.iter().filter(same).any(|two| two.held(message) == Held::Must);
                let mut all = other.subscriptions.iter().filter(|two| two.matches(&message.topic));
                // It gets the message otherwise too, or may have left the group: nobody can say what brought it.
                if !stood || !all.all(|two| same(&two)) || message.again {
                    continue;
                }
                let came = facts.came(only).find(|copy| other.conns.contains(&copy.conn));
                let later = other.conns.iter().any(|conn| facts.had_patience(&facts.conns[conn], left.at));
                let breach = came.map(|copy| {
                    let what = format!(
                        "a QoS 2 message on {:?} that was begun with one member came to another",
                        message.topic
                    );
                    Breach::seen("publish/shared", what, &[open.moment.id, left.id, copy.moment.id])
                });
                if breach.is_some() || later {
                    tally.must_not(open.moment.id, breach);
                }
            }
        }
    }
}

/// What a message that is sent again keeps: its identifier and its payload.
fn identity<'f>(delivery: &'f Delivery<'_>) -> (Option<i64>, Option<&'f [u8]>) {
    (delivery.id, delivery.packet.fields.find("payload").and_then(Value::as_bytes))
}

/// What was sent, or came, of one kind on a connection, refusals left out.
fn ids<'f, 'a>(conn: &'f Conn<'a>, sent: bool, kind: &'f str) -> impl DoubleEndedIterator<Item = &'f Seen<'a>> {
    let fits = move |seen: &&Seen<'_>| seen.sent == sent && seen.is(kind) && seen.int("reason").unwrap_or(0) < 0x80;
    conn.packets.iter().filter(fits)
}

fn pubrel_again_on_resume(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts).filter(|(before, _)| before.is_legal()) {
        let with = |sent: bool, kind: &str| -> BTreeSet<Option<i64>> {
            ids(before, sent, kind).map(|seen| seen.int("packet_id")).collect()
        };
        let (received, completed, released) = (with(true, "pubrec"), with(true, "pubcomp"), with(false, "pubrel"));
        let heard = after.packets.iter().filter(|seen| !seen.sent && (seen.is("pubrel") || seen.is("publish")));
        let back: BTreeMap<Option<i64>, &Seen<'_>> = heard.rev().map(|seen| (seen.int("packet_id"), seen)).collect();
        let Some(connack) = after.let_in() else { continue };
        for open in facts.open_on(before.number).filter(|open| open.qos == 2) {
            if !received.contains(&open.id) || completed.contains(&open.id) {
                continue;
            }
            // It may not have had our PUBREC; once it has answered that with PUBREL, it had.
            let had = released.contains(&open.id);
            let breach = match back.get(&open.id) {
                Some(seen) if seen.is("pubrel") => {
                    tally.must(seen.id(), None);
                    continue;
                }
                Some(seen) if had => {
                    Breach::seen("pubrel", "PUBLISH came again after PUBREL", &[open.moment.id, seen.id()])
                }
                // What a server sends while something else is not acknowledged is its own matter.
                None if had
                    && after.is_legal()
                    && !facts.has_open(after.number)
                    && facts.had_patience(after, connack.at) =>
                {
                    let what = "a PUBREL that was not answered did not come again";
                    Breach::missed("pubrel", what, &[open.moment.id, connack.id])
                }
                _ => {
                    tally.may();
                    continue;
                }
            };
            tally.must(connack.id, Some(breach));
        }
    }
}

fn done_is_done(facts: &Facts<'_>, tally: &mut Tally) {
    for (before, after) in resumed(facts).filter(|(before, after)| before.is_legal() && after.is_legal()) {
        let acks = before.packets.iter().enumerate().filter(|(_, seen)| seen.sent && is_last_word(seen));
        let acked: BTreeMap<Option<i64>, usize> = acks.map(|(at, seen)| (seen.int("packet_id"), at)).collect();
        let pings: Vec<usize> = places(before, true, "pingreq").collect();
        let answered = places(before, false, "pingresp").count();
        let mut again = BTreeMap::new();
        for delivery in facts.deliveries_on(after.number).filter(|delivery| delivery.dup) {
            again.entry((delivery.id, delivery.from.key())).or_insert(delivery);
        }
        for done in facts.deliveries_on(before.number).filter(|delivery| delivery.acked && !delivery.from.is_empty()) {
            let Some(at) = acked.get(&done.id) else { continue };
            // The acknowledgement may have been lost with the connection, unless the server has answered a ping that followed it.
            if answered <= pings.partition_point(|ping| ping < at) {
                tally.may();
                continue;
            }
            let acked = before.packets[*at].id();
            let breach = again.get(&(done.id, done.from.key())).map(|delivery| {
                let what = "an acknowledged message came again";
                Breach::seen(format!("publish/qos{}", done.qos), what, &[acked, delivery.moment.id])
            });
            tally.must_not(acked, breach);
        }
    }
}

fn is_last_word(seen: &Seen<'_>) -> bool {
    seen.is("puback") || seen.is("pubcomp")
}

/// Places of what was sent, or came, of one kind.
fn places<'f>(conn: &'f Conn<'_>, sent: bool, kind: &'f str) -> impl Iterator<Item = usize> + 'f {
    let fits = move |(_, seen): &(usize, &Seen<'_>)| seen.sent == sent && seen.is(kind);
    conn.packets.iter().enumerate().filter(fits).map(|(at, _)| at)
}

fn nothing_after_clean_start(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values().filter(|conn| conn.clean()) {
        let Some(connack) = conn.let_in() else { continue };
        // Before anything was subscribed to on this connection nothing can come.
        let asked = conn.said().find(|(_, said)| said.is("subscribe")).map(|(at, _)| at);
        for (at, seen) in conn.heard().filter(|(_, seen)| seen.is("publish") || seen.is("pubrel")) {
            let breach = asked.is_none_or(|asked| at < asked).then(|| {
                let what = "it came after Clean Start and before any subscription";
                Breach::seen(seen.packet.kind.as_str(), what, &[connack.id, seen.id()])
            });
            tally.must_not(seen.id(), breach);
        }
    }
}
