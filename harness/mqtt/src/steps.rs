//! The steps that a script can say in MQTT, with their keys, and the check that a step can be said at all.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{Alternative, StepPlan};
use proofhouse_core::protocol::Verb;
use proofhouse_core::value::{Fields, Value, unhex};

use crate::codec::{Packet, Sender, Version, split};
use crate::frames::{self, Mistake};
use crate::names;

/// Every packet that a client sends, by name.
pub const VERBS: &[Verb] = &[
    Verb { name: "connect", keys: CONNECT, doc: "CONNECT; answered by connack" },
    Verb { name: "publish", keys: PUBLISH, doc: "PUBLISH; answered by puback (QoS 1) or pubrec (QoS 2)" },
    Verb { name: "puback", keys: ACK, doc: "PUBACK; awaits nothing" },
    Verb { name: "pubrec", keys: ACK, doc: "PUBREC; answered by pubrel" },
    Verb { name: "pubrel", keys: ACK, doc: "PUBREL; answered by pubcomp" },
    Verb { name: "pubcomp", keys: ACK, doc: "PUBCOMP; awaits nothing" },
    Verb { name: "subscribe", keys: SUBSCRIBE, doc: "SUBSCRIBE; answered by suback" },
    Verb { name: "unsubscribe", keys: UNSUBSCRIBE, doc: "UNSUBSCRIBE; answered by unsuback" },
    Verb { name: "ping", keys: &[], doc: "PINGREQ; answered by pingresp" },
    Verb { name: "disconnect", keys: DISCONNECT, doc: "DISCONNECT; answered by the end of the connection" },
    Verb { name: "auth", keys: AUTH, doc: "AUTH, MQTT 5 only; re-authentication (0x19) is answered by auth" },
];

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc }
}

const REASON: Key = key("reason", Kind::Int, "reason code; left out in 3.1.1");
const PACKET_ID: Key = key("packet_id", Kind::Int, "packet identifier; a fresh one where it is not given");
const USER: Key = key("user_properties", Kind::Any, "[[name, value], ...]; MQTT 5");
const REASON_STRING: Key = key("reason_string", Kind::Text, "the reason, for people; MQTT 5");
const EXPIRY: Key = key("session_expiry", Kind::Int, "seconds that the session outlives the connection; MQTT 5");
const METHOD: Key = key("auth_method", Kind::Text, "authentication method; MQTT 5");
const DATA: Key = key("auth_data", Kind::Any, "authentication data; MQTT 5");

const CONNECT: &[Key] = &[
    key("client_id", Kind::Text, "default <fleet>-<index>"),
    key("clean_start", Kind::Bool, "Clean Session in 3.1.1 (default true)"),
    key("keep_alive", Kind::Int, "seconds (default 60); 0 turns it off"),
    key("username", Kind::Text, "default: the party's, where the endpoint asks who is there"),
    key("password", Kind::Any, "default: the party's, where the endpoint asks who is there"),
    key("will_topic", Kind::Text, "makes a Will"),
    key("will_payload", Kind::Any, "default: the step's canary, or empty"),
    key("will_qos", Kind::Int, "0, 1 or 2 (default 0)"),
    key("will_retain", Kind::Bool, "default false"),
    key("will_delay", Kind::Int, "seconds; MQTT 5"),
    key("will_payload_format", Kind::Int, "0 or 1; MQTT 5"),
    key("will_message_expiry", Kind::Int, "seconds; MQTT 5"),
    key("will_content_type", Kind::Text, "MQTT 5"),
    key("will_response_topic", Kind::Text, "MQTT 5"),
    key("will_correlation_data", Kind::Any, "MQTT 5"),
    key("will_user_properties", Kind::Any, "[[name, value], ...]; MQTT 5"),
    EXPIRY,
    key("receive_maximum", Kind::Int, "unacknowledged messages that we take; MQTT 5"),
    key("maximum_packet_size", Kind::Int, "bytes of the largest packet that we take; MQTT 5"),
    key("topic_alias_maximum", Kind::Int, "highest alias that we take; MQTT 5"),
    key("request_response_info", Kind::Int, "0 or 1; MQTT 5"),
    key("request_problem_info", Kind::Int, "0 or 1; MQTT 5"),
    METHOD,
    DATA,
    USER,
];
const PUBLISH: &[Key] = &[
    key("topic", Kind::Text, "topic name"),
    key(
        "payload",
        Kind::Any,
        "text, { hex = \"...\" }, { size = n } or { repeat = \"...\", times = n }; default empty",
    ),
    key("qos", Kind::Int, "0, 1 or 2 (default 0)"),
    key("retain", Kind::Bool, "default false"),
    key("dup", Kind::Bool, "default false"),
    PACKET_ID,
    key("topic_alias", Kind::Int, "MQTT 5"),
    key("message_expiry", Kind::Int, "seconds; MQTT 5"),
    key("payload_format", Kind::Int, "0 or 1; MQTT 5"),
    key("content_type", Kind::Text, "MQTT 5"),
    key("response_topic", Kind::Text, "MQTT 5"),
    key("correlation_data", Kind::Any, "MQTT 5"),
    USER,
];
const ACK: &[Key] = &[PACKET_ID, REASON, REASON_STRING, USER];
const SUBSCRIBE: &[Key] = &[
    key("filter", Kind::Text, "topic filter"),
    key("filters", Kind::Any, "several: texts, or { filter, qos, ... }"),
    key("qos", Kind::Int, "0, 1 or 2 (default 0)"),
    key("no_local", Kind::Bool, "own messages do not come back; MQTT 5"),
    key("retain_as_published", Kind::Bool, "MQTT 5"),
    key("retain_handling", Kind::Int, "0, 1 or 2; MQTT 5"),
    key("subscription_id", Kind::Int, "MQTT 5"),
    PACKET_ID,
    USER,
];
const UNSUBSCRIBE: &[Key] =
    &[key("filter", Kind::Text, "topic filter"), key("filters", Kind::Any, "several"), PACKET_ID, USER];
const DISCONNECT: &[Key] = &[REASON, EXPIRY, REASON_STRING, USER];
const AUTH: &[Key] = &[REASON, METHOD, DATA, REASON_STRING, USER];

/// Checks a step before anything runs.
///
/// # Errors
/// The key, and what is wrong with it: a frame that cannot be built, a packet that the standard forbids.
pub fn check(version: &str, step: &StepPlan) -> Result<(), (String, String)> {
    check_whose(step)?;
    let version = names::version(version);
    let outcome = match step.verb.as_str() {
        "send" => check_send(version, &step.fields),
        verb if VERBS.iter().any(|v| v.name == verb) => {
            let mut fields = stand_in(step, &step.fields);
            with_defaults(verb, &mut fields);
            legal(version, verb, &fields, &mut Vec::new())
        }
        _ => Ok(()),
    };
    outcome.map_err(|mistake| (mistake.key, mistake.what))
}

/// A message that is awaited says whose it is. Any other party may publish at the same moment, and the server may have kept something
/// from before: only a canary, a topic or a payload tells them apart.
fn check_whose(step: &StepPlan) -> Result<(), (String, String)> {
    let named = |alternative: &Alternative, key: &str| alternative.fields.iter().any(|(name, _)| name == key);
    let is_publish = |alternative: &Alternative| {
        let mut types = alternative.fields.iter().filter(|(name, _)| name == "type").flat_map(|(_, values)| values);
        types.any(|value| value.as_text() == Some("publish"))
    };
    let anonymous = |alternative: &&Alternative| {
        is_publish(alternative)
            && alternative.canary.is_none()
            && !["topic", "payload"].iter().any(|key| named(alternative, key))
    };
    match step.any.iter().find(anonymous) {
        None => Ok(()),
        Some(_) => Err((
            "type".to_string(),
            "a publish may be anybody's: say whose is awaited, by canary = \"name\", topic or payload".to_string(),
        )),
    }
}

fn check_send(version: Version, fields: &Fields) -> Result<(), Mistake> {
    let fail = |key: &str, what: String| Err(Mistake { key: key.to_string(), what });
    match (fields.find("hex"), fields.find("frame")) {
        (None, None) => fail("do", "send needs hex or frame".to_string()),
        (Some(_), Some(_)) => fail("hex", "send takes hex or frame, not both".to_string()),
        (Some(Value::Text(hex)), None) => check_hex(hex),
        (Some(other), None) => fail("hex", alloc::format!("{other} is no hex text")),
        (None, Some(frame)) => {
            let frames = frame.as_slice();
            for frame in frames {
                let Value::Table(frame) = frame else { return fail("frame", alloc::format!("{frame} is no frame")) };
                if !uses_bindings(frame) {
                    frames::build(version, frame, &mut Vec::new())?;
                }
            }
            Ok(())
        }
    }
}

/// Hex digits, where everything that is filled in later stands for whole bytes.
fn check_hex(hex: &str) -> Result<(), Mistake> {
    if hex.contains('$') || hex.contains("{case.") {
        return Ok(());
    }
    let plain = hex.replace("{mid}", "0000").replace("{canary}", "00");
    unhex(&plain).map(|_| ()).map_err(|what| Mistake { key: "hex".to_string(), what })
}

fn uses_bindings(fields: &Fields) -> bool {
    fn inside(value: &Value) -> bool {
        match value {
            Value::Text(text) => {
                text.starts_with('$') && text.contains('.') || text.contains("{mid}") || text.contains("{canary}")
            }
            Value::List(all) => all.iter().any(inside),
            Value::Table(fields) => uses_bindings(fields),
            _ => false,
        }
    }
    fields.iter().any(|(_, value)| inside(value))
}

/// The fields with something legal in place of each bound value.
fn stand_in(step: &StepPlan, fields: &Fields) -> Fields {
    let numeric = ["packet_id", "qos", "reason", "topic_alias", "keep_alive", "session_expiry", "subscription_id"];
    let mut filled = fields.clone();
    for (key, value) in &mut filled.0 {
        if step.uses.iter().any(|(text, _)| value.as_text() == Some(text)) {
            *value = if numeric.contains(&key.as_str()) { Value::Int(1) } else { Value::from("x") };
        }
    }
    filled
}

/// What the dialog adds to a step that says nothing about it.
pub(crate) fn with_defaults(verb: &str, fields: &mut Fields) {
    if verb == "connect" && fields.find("will_topic").is_some() && fields.find("will_payload").is_none() {
        let payload = fields.remove("payload").unwrap_or_else(|| Value::from(""));
        fields.set("will_payload", payload);
    }
    // A canary is the payload of any step; only a message has one.
    if verb != "publish" {
        fields.remove("payload");
    }
}

/// Writes a legal packet: built like any frame, then read by the strict decoder. What 3.1.1 does not have is left out there.
///
/// # Errors
/// What the standard forbids, with its clause; the key is the one that is most likely at fault.
pub(crate) fn legal(version: Version, verb: &str, fields: &Fields, out: &mut Vec<u8>) -> Result<(), Mistake> {
    let mut frame = Fields::default();
    frame.set("type", if verb == "ping" { "pingreq" } else { verb });
    for (key, value) in fields.iter().filter(|(key, _)| version == Version::V5 || !only_in_v5(key)) {
        frame.0.push((key.to_string(), value.clone()));
    }
    let mut bytes = Vec::new();
    frames::build(version, &frame, &mut bytes)?;
    let read = split(version, Sender::Client, u32::MAX, &bytes).and_then(|cut| match cut {
        Some(cut) => Packet::decode(version, Sender::Client, cut.first, cut.body).map(|_| ()),
        None => Ok(()),
    });
    match read {
        Ok(()) => {
            out.extend_from_slice(&bytes);
            Ok(())
        }
        Err(reason) => Err(Mistake {
            key: at_fault(verb, fields),
            what: alloc::format!("{reason}: not a legal packet; say it with do = \"send\" and a frame"),
        }),
    }
}

/// The key that a refusal is most likely about.
fn at_fault(verb: &str, fields: &Fields) -> String {
    let likely = ["topic", "filter", "filters", "reason", "client_id", "will_topic"];
    let key = likely.into_iter().find(|key| fields.find(key).is_some());
    key.map_or_else(|| alloc::format!("do = {verb:?}"), ToString::to_string)
}

fn only_in_v5(key: &str) -> bool {
    let options = ["reason", "no_local", "retain_as_published", "retain_handling"];
    options.contains(&key) || names::PROPERTY_NAMES.iter().chain(&names::WILL_NAMES).any(|(name, _)| *name == key)
}
