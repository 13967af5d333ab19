//! From a path to a topic.
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_coap::codec::Code;
use proofhouse_mqtt::codec::TopicName;

use crate::flaw::{Flaw, Flaws};

/// The topic that a path stands for. Slashes inside a segment would become levels, dots another place, and wildcards more than one:
/// none of them is a name \[RFC 7252 §6.5, MQTT5 4.7.1-2\].
///
/// # Errors
/// 4.00 for a segment that is no name, 4.04 for a path that leads nowhere.
pub(super) fn of<'a>(segments: impl Iterator<Item = &'a [u8]>, flaws: Flaws) -> Result<String, Code> {
    let segments: Vec<&str> =
        segments.map(core::str::from_utf8).collect::<Result<_, _>>().map_err(|_| Code::BAD_REQUEST)?;
    if flaws.has(Flaw::GatewayJoinsPathUnescaped) {
        return joined(&segments);
    }
    match segments.as_slice() {
        all if !all.iter().all(|segment| is_name(segment)) => Err(Code::BAD_REQUEST),
        ["site", _, "t"] => Ok(segments.join("/")),
        _ => Err(Code::NOT_FOUND),
    }
}

fn is_name(segment: &str) -> bool {
    let shown = |c: char| !c.is_control() && !matches!(c, '/' | '+' | '#');
    !matches!(segment, "" | "." | "..") && segment.chars().all(shown)
}

/// What a flaw makes of it: the path is a text, and what the text says is resolved.
fn joined(segments: &[&str]) -> Result<String, Code> {
    let text = segments.join("/");
    let mut levels: Vec<&str> = Vec::new();
    for level in text.split('/') {
        match level {
            ".." => drop(levels.pop()),
            "." | "" => {}
            level => levels.push(level),
        }
    }
    let topic = levels.join("/");
    if levels.first() != Some(&"site") {
        return Err(Code::NOT_FOUND);
    }
    TopicName::new(&topic).map_err(|_| Code::BAD_REQUEST)?;
    Ok(topic)
}
