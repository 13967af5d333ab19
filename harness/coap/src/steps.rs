//! The steps that a script can say in CoAP, with their keys, and the check that a step can be said at all.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::key::{Key, Kind};
use proofhouse_core::plan::{Alternative, StepPlan};
use proofhouse_core::protocol::Verb;
use proofhouse_core::value::{Fields, Value, unhex};

use crate::client::Confirm;
use crate::codec::{Code, Message};
use crate::frames::{self, Built, Mistake, mistake};
use crate::names;

/// Every request by its method, and what goes without one.
pub const VERBS: &[Verb] = &[
    Verb { name: "get", keys: REQUEST, doc: "GET; answered by the response with its token" },
    Verb { name: "post", keys: REQUEST, doc: "POST; answered by the response with its token" },
    Verb { name: "put", keys: REQUEST, doc: "PUT; answered by the response with its token" },
    Verb { name: "delete", keys: REQUEST, doc: "DELETE; answered by the response with its token" },
    Verb { name: "fetch", keys: REQUEST, doc: "FETCH; answered by the response with its token" },
    Verb { name: "patch", keys: REQUEST, doc: "PATCH; answered by the response with its token" },
    Verb { name: "ipatch", keys: REQUEST, doc: "iPATCH; answered by the response with its token" },
    Verb { name: "ping", keys: PING, doc: "an Empty CON; answered by its RST" },
    Verb { name: "ack", keys: EMPTY, doc: "an Empty ACK; awaits nothing" },
    Verb { name: "rst", keys: EMPTY, doc: "a RST; awaits nothing" },
];

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc }
}

const MID: Key = key("mid", Kind::Int, "message id; a fresh one where it is not given");

const REQUEST: &[Key] = &[
    key(
        "path",
        Kind::Any,
        "\"/a/b\", a segment for each level; or [\"a\", \"b\"], segments as they are (default: none)",
    ),
    key("query", Kind::Any, "\"a=1&b=2\"; or a list of arguments as they are"),
    key("type", Kind::Text, "con (default) or non"),
    MID,
    key("token", Kind::Any, "hex digits, up to 8 bytes; eight drawn letters where it is not given"),
    key("payload", Kind::Any, "text, { hex = \"...\" }, { size = n } or { repeat = \"...\", times = n }; default none"),
    key("content_format", Kind::Int, "format of the payload: 0 text, 40 links, 50 JSON, 60 CBOR"),
    key("accept", Kind::Int, "format that is wanted"),
    key("observe", Kind::Int, "0 registers, 1 deregisters"),
    key("block1", Kind::Any, "which block of the request: \"num/more/size\""),
    key("block2", Kind::Any, "which block of the response: \"num/more/size\""),
    key("size1", Kind::Int, "bytes of the whole request"),
    key("size2", Kind::Int, "bytes of the whole response"),
    key("etag", Kind::Any, "hex digits, or a list"),
    key("if_match", Kind::Any, "hex digits, or a list"),
    key("if_none_match", Kind::Bool, "only where the resource does not exist"),
    key("uri_host", Kind::Any, "the host that is asked for"),
    key("uri_port", Kind::Any, "the port that is asked for"),
    key("proxy_uri", Kind::Any, "the absolute URI that a proxy shall ask"),
    key("proxy_scheme", Kind::Any, "the scheme that a proxy shall ask with"),
    key("hop_limit", Kind::Int, "how many proxies may forward it"),
    key("no_response", Kind::Int, "classes of responses that are not wanted: 2, 8, 16 or a sum of them"),
    key(
        "echo",
        Kind::Any,
        "hex digits; false: a challenge is not answered (default: it is, by saying the request again)",
    ),
    key("request_tag", Kind::Any, "hex digits"),
    key("oscore", Kind::Any, "hex digits of the option's value"),
    key("options", Kind::Any, "[{ number, value, times }, ...]: more options, values in hex digits"),
    key("blockwise", Kind::Bool, "true: a large body goes and comes in blocks by itself (default false)"),
    key(
        "confirm",
        Kind::Text,
        "how confirmable responses are taken: now (default), late, always (also after the last), reset (news by RST)",
    ),
    key(
        "revalidate",
        Kind::Bool,
        "true: with the ETag that this client had last for this path, if any (default false)",
    ),
    key(
        "block_size",
        Kind::Int,
        "bytes of a block, 16 to 1024, for blockwise (default: 1024 to send, the server's to receive)",
    ),
];
const PING: &[Key] = &[MID];
const EMPTY: &[Key] = &[key("mid", Kind::Int, "message id; the last CON's where it is not given")];

/// Keys of a request that are about how it is said, not in it.
const MANNERS: [&str; 4] = ["blockwise", "block_size", "confirm", "revalidate"];
/// The largest datagram that IPv4 carries.
const DATAGRAM_MAX: usize = 65_507;

/// Checks a step before anything runs.
///
/// # Errors
/// The key, and what is wrong with it: a frame that cannot be built, a message that the standard forbids, an answer that no
/// message can be.
pub fn check(_: &str, step: &StepPlan) -> Result<(), (String, String)> {
    let said = match step.verb.as_str() {
        "send" => check_send(&step.fields),
        verb if VERBS.iter().any(|known| known.name == verb) => check_verb(verb, step),
        _ => Ok(()),
    };
    said.and_then(|()| step.any.iter().try_for_each(check_answer)).map_err(|mistake| (mistake.key, mistake.what))
}

fn check_verb(verb: &str, step: &StepPlan) -> Built<()> {
    let fields = stand_in(step);
    block_size(&fields)?;
    confirm(&fields)?;
    match (verb, fields.text("type")) {
        ("ping" | "ack" | "rst", _) | (_, None | Some("con" | "non")) => {}
        (_, Some(other)) => {
            return mistake(
                "type",
                format!("a request is con or non; {other:?} is said with do = \"send\" and a frame"),
            );
        }
    }
    // Blocks are cut when they are said.
    let whole = fields.truth("blockwise") != Some(true);
    let mut out = Vec::new();
    let frame = frame(verb, &fields);
    frames::build(&frame, &mut out)?;
    if whole && out.len() > DATAGRAM_MAX {
        return mistake(
            "payload",
            format!("{} bytes: a datagram holds {DATAGRAM_MAX}; say blockwise = true", out.len()),
        );
    }
    match Message::decode(&out) {
        // What a receiver must make of an option is its own matter; a datagram that is no message at all is none of a verb's.
        Err(reject) if reject.is_format_error() => {
            mistake("do", format!("{reject}: not a legal message; say it with do = \"send\" and a frame"))
        }
        _ => Ok(()),
    }
}

/// The frame of a verb, without message id and token where the step gives none.
pub(crate) fn frame(verb: &str, fields: &Fields) -> Fields {
    let mut frame = Fields::default();
    match verb {
        "ping" => frame.set("type", "con"),
        "ack" | "rst" => frame.set("type", verb),
        method => frame.set("code", method),
    }
    for (key, value) in fields.iter().filter(|(key, _)| !MANNERS.contains(key)) {
        let bare = Code::from_method(verb).is_none();
        if !(bare && key != "mid") {
            frame.set(key, value.clone());
        }
    }
    frame
}

/// How a step takes what answers it.
pub(crate) fn confirm(fields: &Fields) -> Built<Confirm> {
    match fields.text("confirm") {
        None | Some("now") => Ok(Confirm::AtOnce),
        Some("late") => Ok(Confirm::Late),
        Some("always") => Ok(Confirm::Always),
        Some("reset") => Ok(Confirm::Reset),
        Some(other) => mistake("confirm", format!("{other:?} is not now, late, always or reset")),
    }
}

/// The size of blocks that a step asks for.
pub(crate) fn block_size(fields: &Fields) -> Built<Option<usize>> {
    match fields.int("block_size") {
        None => Ok(None),
        Some(size) => match usize::try_from(size).ok().filter(|size| names::BlockWords::szx_of(*size).is_some()) {
            Some(size) => Ok(Some(size)),
            None => mistake("block_size", format!("{size} is no size of a block: 16, 32, 64, 128, 256, 512 or 1024")),
        },
    }
}

fn check_send(fields: &Fields) -> Built<()> {
    match (fields.find("hex"), fields.find("frame")) {
        (None, None) => mistake("do", "send needs hex or frame"),
        (Some(_), Some(_)) => mistake("hex", "send takes hex or frame, not both"),
        (Some(Value::Text(hex)), None) => check_hex(hex),
        (Some(other), None) => mistake("hex", format!("{other} is no hex text")),
        (None, Some(frame)) => frame.as_slice().iter().try_for_each(check_frame),
    }
}

fn check_frame(frame: &Value) -> Built<()> {
    let Value::Table(frame) = frame else { return mistake("frame", format!("{frame} is no frame")) };
    if uses_bindings(frame) {
        return Ok(());
    }
    let within = |m: Mistake| Mistake { key: format!("frame.{}", m.key), ..m };
    frames::build(frame, &mut Vec::new()).map_err(within)
}

/// Hex digits, where everything that is filled in later stands for whole bytes.
fn check_hex(hex: &str) -> Built<()> {
    if hex.contains('$') || hex.contains("{case.") {
        return Ok(());
    }
    let plain = hex.replace("{mid}", "0000").replace("{canary}", "00");
    unhex(&plain).map(|_| ()).or_else(|what| mistake("hex", what))
}

fn uses_bindings(fields: &Fields) -> bool {
    fn inside(value: &Value) -> bool {
        match value {
            Value::Text(text) => text.starts_with('$') && text.contains('.'),
            Value::List(all) => all.iter().any(inside),
            Value::Table(fields) => uses_bindings(fields),
            _ => false,
        }
    }
    fields.iter().any(|(_, value)| inside(value))
}

/// The fields with something legal in place of each bound value.
fn stand_in(step: &StepPlan) -> Fields {
    let mut filled = step.fields.clone();
    for (key, value) in &mut filled.0 {
        if step.uses.iter().any(|(text, _)| value.as_text() == Some(text)) {
            *value = match names::option(key) {
                Some((_, names::Form::Uint)) => Value::Int(0),
                Some((_, names::Form::Block)) => Value::from("0/0/64"),
                _ if key == "mid" => Value::Int(0),
                _ => Value::from("00"),
            };
        }
    }
    filled
}

/// Fields that no frame is built of, but that a packet has.
const ANSWERED: [&str; 3] = ["method", "option_cut", "message"];

/// An answer that no message can be is a slip of the pen.
fn check_answer(answer: &Alternative) -> Built<()> {
    for (name, values) in &answer.fields {
        let known = frames::KEYS.contains(&name.as_str()) || ANSWERED.contains(&name.as_str());
        if !known && names::option(name).is_none() {
            return mistake("any", format!("no packet of CoAP has the field {name:?}"));
        }
        if name == "code" {
            values.iter().try_for_each(check_code)?;
        }
    }
    Ok(())
}

/// Classes of codes beside `2.xx` and the like.
pub(crate) const CLASSES: [&str; 4] = ["ok", "refused", "client-error", "server-error"];

fn check_code(value: &Value) -> Built<()> {
    let wrong = |found: &dyn core::fmt::Display| {
        mistake("any", format!("code = {found}: a code reads \"2.05\", \"4.xx\" or {}", CLASSES.join(", ")))
    };
    match value {
        Value::Text(text) if CLASSES.contains(&text.as_str()) || text.starts_with('$') => Ok(()),
        Value::Text(text) if text.strip_suffix(".xx").is_some_and(|class| matches!(class, "0" | "2" | "4" | "5")) => {
            Ok(())
        }
        Value::Text(text) if text.parse::<Code>().is_ok() => Ok(()),
        other => wrong(&format!("{:?}", other.to_string())),
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
