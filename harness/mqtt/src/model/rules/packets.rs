//! Single packets of the target: well formed, of a kind that a server sends, in their place.
use alloc::format;

use super::{Breach, Facts, Row, Seen, Tally};

/// What every packet has; the strict decoder names the clause of what else it refuses.
const FLAGS: &[&str] = &["MQTT5 2.1.3-1", "MQTT3 2.2.2-1"];
const PUBLISH_QOS: &[&str] = &["MQTT5 3.3.1-4", "MQTT3 3.3.1-4"];
const TOPIC_IS_TEXT: &[&str] = &[
    "MQTT5 3.3.2-1",
    "MQTT5 1.5.4-1",
    "MQTT5 1.5.4-2",
    "MQTT5 4.7.3-2",
    "MQTT3 3.3.2-1",
    "MQTT3 1.5.3-1",
    "MQTT3 1.5.3-2",
    "MQTT3 4.7.3-2",
];
const TOPIC_WITHOUT_WILDCARD: &[&str] =
    &["MQTT5 3.3.2-2", "MQTT5 4.7.0-1", "MQTT5 4.7.3-1", "MQTT3 3.3.2-2", "MQTT3 4.7.1-1", "MQTT3 4.7.3-1"];
const NO_DUP_AT_QOS0: &[&str] = &["MQTT5 3.3.1-2", "MQTT5 4.3.1-1", "MQTT3 3.3.1-2", "MQTT3 4.3.1-1"];
const PACKET_ID: &[&str] = &["MQTT5 2.2.1-4", "MQTT5 2.2.1-2", "MQTT3 2.3.1-4", "MQTT3 2.3.1-5"];
const PROPERTY_LENGTH: &[&str] = &["MQTT5 2.2.2-1", "MQTT5 1.5.5-1"];
const USER_PROPERTY_TEXT: &[&str] = &["MQTT5 1.5.7-1"];
const SESSION_EXPIRY_IN_DISCONNECT: &[&str] = &["MQTT5 3.14.2-2"];
const CONNACK_FLAGS: &[&str] = &["MQTT5 3.2.2-1"];
const LISTED_CONNACK: &[&str] = &["MQTT5 3.2.2-8"];
const LISTED_PUBACK: &[&str] = &["MQTT5 3.4.2-1"];
const LISTED_PUBREC: &[&str] = &["MQTT5 3.5.2-1"];
const LISTED_PUBREL: &[&str] = &["MQTT5 3.6.2-1"];
const LISTED_PUBCOMP: &[&str] = &["MQTT5 3.7.2-1"];
const LISTED_SUBACK: &[&str] = &["MQTT5 3.9.3-2", "MQTT3 3.9.3-2"];
const LISTED_UNSUBACK: &[&str] = &["MQTT5 3.11.3-2"];
const LISTED_DISCONNECT: &[&str] = &["MQTT5 3.14.2-1"];
const LISTED_AUTH: &[&str] = &["MQTT5 3.15.2-1"];
/// What the rows above look for, and in which packets.
const TABLES: &[(&str, &[&str])] = &[
    ("publish", PUBLISH_QOS),
    ("publish", TOPIC_IS_TEXT),
    ("publish", TOPIC_WITHOUT_WILDCARD),
    ("publish", NO_DUP_AT_QOS0),
    ("publish", PACKET_ID),
    (ANY, PROPERTY_LENGTH),
    (ANY, USER_PROPERTY_TEXT),
    ("disconnect", SESSION_EXPIRY_IN_DISCONNECT),
    ("connack", CONNACK_FLAGS),
    ("connack", LISTED_CONNACK),
    ("puback", LISTED_PUBACK),
    ("pubrec", LISTED_PUBREC),
    ("pubrel", LISTED_PUBREL),
    ("pubcomp", LISTED_PUBCOMP),
    ("suback", LISTED_SUBACK),
    ("unsuback", LISTED_UNSUBACK),
    ("disconnect", LISTED_DISCONNECT),
    ("auth", LISTED_AUTH),
];
/// Packets of every kind.
const ANY: &str = "any";

pub(super) const RULES: &[Row] = &[
    Row { id: "well-formed", clauses: FLAGS, doc: "every packet of the server is well formed", judge: well_formed },
    Row {
        id: "publish-qos",
        clauses: PUBLISH_QOS,
        doc: "a PUBLISH has QoS 0, 1 or 2",
        judge: |facts, tally| wire(facts, tally, "publish", PUBLISH_QOS),
    },
    Row {
        id: "topic-is-text",
        clauses: TOPIC_IS_TEXT,
        doc: "the Topic Name comes first and is well-formed UTF-8",
        judge: |facts, tally| wire(facts, tally, "publish", TOPIC_IS_TEXT),
    },
    Row {
        id: "topic-without-wildcard",
        clauses: TOPIC_WITHOUT_WILDCARD,
        doc: "a Topic Name has a character, and no wildcard",
        judge: |facts, tally| wire(facts, tally, "publish", TOPIC_WITHOUT_WILDCARD),
    },
    Row {
        id: "no-dup-at-qos0",
        clauses: NO_DUP_AT_QOS0,
        doc: "a QoS 0 PUBLISH has DUP 0",
        judge: |facts, tally| wire(facts, tally, "publish", NO_DUP_AT_QOS0),
    },
    Row {
        id: "packet-id",
        clauses: PACKET_ID,
        doc: "a packet identifier is not zero, and stands only where there is one",
        judge: |facts, tally| wire(facts, tally, "publish", PACKET_ID),
    },
    Row {
        id: "property-length",
        clauses: PROPERTY_LENGTH,
        doc: "properties have a length of as few bytes as can hold it",
        judge: |facts, tally| wire(facts, tally, ANY, PROPERTY_LENGTH),
    },
    Row {
        id: "user-property-text",
        clauses: USER_PROPERTY_TEXT,
        doc: "both strings of a user property are UTF-8",
        judge: |facts, tally| wire(facts, tally, ANY, USER_PROPERTY_TEXT),
    },
    Row {
        id: "session-expiry-in-disconnect",
        clauses: SESSION_EXPIRY_IN_DISCONNECT,
        doc: "the server's DISCONNECT has no Session Expiry Interval",
        judge: |facts, tally| wire(facts, tally, "disconnect", SESSION_EXPIRY_IN_DISCONNECT),
    },
    Row {
        id: "connack-flags",
        clauses: CONNACK_FLAGS,
        doc: "of the flags of CONNACK only Session Present may be set",
        judge: |facts, tally| wire(facts, tally, "connack", CONNACK_FLAGS),
    },
    Row {
        id: "listed-connack",
        clauses: LISTED_CONNACK,
        doc: "CONNACK has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "connack", LISTED_CONNACK),
    },
    Row {
        id: "listed-puback",
        clauses: LISTED_PUBACK,
        doc: "PUBACK has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "puback", LISTED_PUBACK),
    },
    Row {
        id: "listed-pubrec",
        clauses: LISTED_PUBREC,
        doc: "PUBREC has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "pubrec", LISTED_PUBREC),
    },
    Row {
        id: "listed-pubrel",
        clauses: LISTED_PUBREL,
        doc: "PUBREL has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "pubrel", LISTED_PUBREL),
    },
    Row {
        id: "listed-pubcomp",
        clauses: LISTED_PUBCOMP,
        doc: "PUBCOMP has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "pubcomp", LISTED_PUBCOMP),
    },
    Row {
        id: "listed-suback",
        clauses: LISTED_SUBACK,
        doc: "SUBACK has reason codes of its table",
        judge: |facts, tally| wire(facts, tally, "suback", LISTED_SUBACK),
    },
    Row {
        id: "listed-unsuback",
        clauses: LISTED_UNSUBACK,
        doc: "UNSUBACK has reason codes of its table",
        judge: |facts, tally| wire(facts, tally, "unsuback", LISTED_UNSUBACK),
    },
    Row {
        id: "listed-disconnect",
        clauses: LISTED_DISCONNECT,
        doc: "DISCONNECT has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "disconnect", LISTED_DISCONNECT),
    },
    Row {
        id: "listed-auth",
        clauses: LISTED_AUTH,
        doc: "AUTH has a reason code of its table",
        judge: |facts, tally| wire(facts, tally, "auth", LISTED_AUTH),
    },
    Row {
        id: "connack-first",
        clauses: &["MQTT5 3.2.0-1", "MQTT5 3.14.0-1", "MQTT3 3.2.0-1"],
        doc: "nothing comes before a CONNACK that accepts, but AUTH",
        judge: connack_first,
    },
    Row {
        id: "one-connack",
        clauses: &["MQTT5 3.2.0-2"],
        doc: "a connection gets no second CONNACK",
        judge: one_connack,
    },
    Row {
        id: "silent-after-disconnect",
        clauses: &["MQTT5 3.14.4-1"],
        doc: "after its DISCONNECT the server says no more on that connection",
        judge: silent_after_disconnect,
    },
    Row {
        id: "no-auth-unasked",
        clauses: &["MQTT5 4.12.0-6"],
        doc: "without an Authentication Method in CONNECT no AUTH comes, and none stands in CONNACK",
        judge: no_auth_unasked,
    },
];

/// Packets that break one of these clauses as the strict decoder reads it.
fn wire(facts: &Facts<'_>, tally: &mut Tally, kind: &str, clauses: &[&str]) {
    for conn in facts.conns.values() {
        for (_, seen) in conn.heard().filter(|(_, seen)| is_of(seen, kind)) {
            let wrong = cites(&seen.packet.malformed, clauses);
            tally.must(seen.id(), wrong.then(|| malformed(seen)));
        }
    }
}

/// Everything that the strict decoder refuses and that no row above knows.
fn well_formed(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        for (_, seen) in conn.heard() {
            let text = &seen.packet.malformed;
            let known = TABLES.iter().any(|(kind, clauses)| is_of(seen, kind) && cites(text, clauses));
            let wrong = !text.is_empty() && !known;
            tally.must(seen.id(), wrong.then(|| malformed(seen)));
        }
    }
}

fn is_of(seen: &Seen<'_>, kind: &str) -> bool {
    kind == ANY || seen.is(kind)
}

/// Whether a refusal of the strict decoder cites one of these clauses: it stands in brackets.
fn cites(malformed: &str, clauses: &[&str]) -> bool {
    !malformed.is_empty() && clauses.iter().any(|clause| malformed.contains(&format!("[{clause}]")))
}

/// What the strict decoder says, with the clause that it cites in brackets.
fn malformed(seen: &Seen<'_>) -> Breach {
    let packet = seen.packet;
    let breach = Breach::seen(packet.kind.as_str(), format!("{}: {}", packet.kind, packet.malformed), &[seen.id()]);
    let cited = packet.malformed.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match cited {
        Some((clause, _)) => breach.citing(clause),
        None => breach,
    }
}

fn connack_first(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let Some((_, first)) = conn.heard().find(|(_, seen)| !seen.is("auth")) else { continue };
        let kind = first.packet.kind.as_str();
        let breach = (kind != "connack")
            .then(|| Breach::seen(kind, format!("the first packet of the server is {kind}"), &[first.id()]));
        tally.must(first.id(), breach);
    }
}

fn one_connack(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let mut all = conn.heard().filter(|(_, seen)| seen.is("connack")).map(|(_, seen)| seen);
        let (Some(first), second) = (all.next(), all.next()) else { continue };
        let breach = second.map(|second| Breach::seen("connack", "a second CONNACK came", &[first.id(), second.id()]));
        tally.must_not(first.id(), breach);
    }
}

fn silent_after_disconnect(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        let mut after = conn.packets.iter().filter(|seen| !seen.sent).skip_while(|seen| !seen.is("disconnect"));
        let Some(last) = after.next() else { continue };
        let breach = after.next().map(|more| {
            let kind = more.packet.kind.as_str();
            Breach::seen(kind, format!("{kind} came after DISCONNECT"), &[last.id(), more.id()])
        });
        tally.must_not(last.id(), breach);
    }
}

fn no_auth_unasked(facts: &Facts<'_>, tally: &mut Tally) {
    for conn in facts.conns.values() {
        if conn.connect().is_none_or(|fields| fields.find("auth_method").is_some()) {
            continue;
        }
        for (_, seen) in conn.heard().filter(|(_, seen)| seen.is("auth") || seen.is("connack")) {
            let wrong = seen.is("auth") || seen.packet.fields.find("auth_method").is_some();
            let breach = wrong.then(|| {
                Breach::seen(
                    seen.packet.kind.as_str(),
                    "an authentication method that the client did not name",
                    &[seen.id()],
                )
            });
            tally.must_not(seen.id(), breach);
        }
    }
}
