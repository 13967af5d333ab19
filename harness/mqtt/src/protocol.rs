//! The row by which the engine knows MQTT.
use proofhouse_core::protocol::{Capability, Protocol, Right, Transport};
use proofhouse_core::shared::Shared;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::Value;

use crate::codec::Version;
use crate::{behaviour, cases, describe, dialog, grammar, names, oracle, probes, residue, steps, unique};

/// MQTT 3.1.1 and 5.0.
pub const MQTT: Protocol = Protocol {
    name: "mqtt",
    versions: &["3.1.1", "5"],
    transport: Transport::Stream,
    scheme: ("mqtt", 1883),
    verbs: steps::VERBS,
    behaviours: behaviour::BEHAVIOURS,
    oracles: oracle::ORACLES,
    model: Some(&crate::model::ORACLE),
    case_lists: cases::CASES,
    capabilities: CAPABILITIES,
    rights: RIGHTS,
    ping: None,
    dialog: dialog::dialog,
    describe: describe::describe,
    words: Some(&names::WORDS),
    class,
    grammar: &grammar::GRAMMAR,
    shared: Shared { unique: unique::unique, residue: residue::residue, foreign: residue::foreign },
    check: steps::check,
};

const fn can(name: &'static str, probe: Option<&'static str>, doc: &'static str) -> Capability {
    Capability { name, probe, doc }
}

/// What a broker may be able to do.
const CAPABILITIES: &[Capability] = &[
    can(
        "authenticated",
        Some(probes::AUTHENTICATED),
        "asks who is there: a connection without a known user name and password is refused",
    ),
    can("acl", Some(probes::ACL), "rights of parties on topics are enforced"),
    can("sessions", Some(probes::SESSIONS), "a session outlives its connection"),
    can("retained", Some(probes::RETAINED), "the last retained message of a topic is kept for later subscribers"),
    can("wills", Some(probes::WILLS), "the Will of a client that is gone is published"),
    can("qos-2", Some(probes::QOS_2), "messages of QoS 2 are taken and delivered once"),
    can("shared", Some(probes::SHARED), "shared subscriptions, MQTT 5"),
    can("topic-alias", Some(probes::TOPIC_ALIAS), "topic aliases from clients, MQTT 5"),
    can("quotas", None, "limits on queues, sessions or messages of one client"),
    can("admin.grant", None, "rights can be given while the target runs"),
    can("admin.revoke", None, "rights can be taken away while the target runs"),
    can("admin.rekey", None, "passwords can be changed while the target runs"),
    can("admin.remove", None, "accounts can be deleted while the target runs"),
    can("admin.restart", None, "the target can be stopped and started again with what it keeps on disk"),
];

/// What a broker lets a party do: by topic filters, with wildcards.
const RIGHTS: &[Right] = &[
    Right {
        name: "publish",
        doc: "the right to publish, by topics with wildcards",
        witness: behaviour::WITNESS_FILTER,
    },
    Right { name: "subscribe", doc: "the right to read, by topics with wildcards", witness: behaviour::WITNESS_FILTER },
];

/// `ok` and `refused` of a reason: below 0x80 or not; a 3.1.1 CONNACK refuses with any code but 0. In a list all must be so.
/// `limited` of a Topic Alias Maximum: there are aliases above it.
fn class(version: &str, packet: &Packet, field: &str, class: &str) -> Option<bool> {
    if field == "topic_alias_maximum" && class == "limited" {
        return Some(packet.fields.int(field).is_none_or(|most| most < 65_535));
    }
    if field != "reason" || !matches!(class, "ok" | "refused") {
        return None;
    }
    let version = names::version(version);
    let limit = if version == Version::V311 && packet.kind == "connack" { 1 } else { 0x80 };
    let found = packet.fields.find(field).map(Value::as_slice).unwrap_or_default();
    // A 3.1.1 UNSUBACK, PUBACK or DISCONNECT has no code: it can only mean yes.
    let known = !found.is_empty() || version == Version::V311;
    let all =
        |is_in: fn(i64, i64) -> bool| found.iter().all(|code| code.as_int().is_some_and(|code| is_in(code, limit)));
    Some(match class {
        "ok" => known && all(|code, limit| code < limit),
        _ => !found.is_empty() && all(|code, limit| code >= limit),
    })
}
