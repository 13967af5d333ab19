//! The row by which the engine knows CoAP.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::grammar::Grammar;
use proofhouse_core::protocol::{Capability, Ping, Protocol, Transport};
use proofhouse_core::shared::Shared;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::Value;

use crate::codec::Code;
use crate::{behaviour, cases, describe, dialog, names, oracle, probes, residue, steps};

/// CoAP over UDP, RFC 7252, with RFC 7641 and RFC 7959.
pub const COAP: Protocol = Protocol {
    name: "coap",
    versions: &[],
    transport: Transport::Datagram,
    scheme: ("coap", 5683),
    verbs: steps::VERBS,
    behaviours: behaviour::BEHAVIOURS,
    oracles: oracle::ORACLES,
    model: Some(&crate::model::ORACLE),
    case_lists: cases::CASES,
    capabilities: CAPABILITIES,
    rights: &[],
    ping: Some(PING),
    dialog: dialog::dialog,
    describe: describe::describe,
    words: Some(&names::WORDS),
    class,
    grammar: &GRAMMAR,
    shared: Shared { residue: residue::residue, ..Shared::NOTHING },
    check: steps::check,
};

/// An Empty CON, which is answered by a Reset \[RFC 7252 §4.3\].
const PING: Ping = Ping { what: "a CoAP ping", datagram: &[0x40, 0x00, 0x50, 0x48] };

/// The messages of CoAP, as far as rules of every protocol ask about them. There are no sessions: nothing begins or ends one.
static GRAMMAR: Grammar = Grammar {
    protocol: "coap",
    resource,
    covers,
    interim: |packet| packet.kind == "ack",
    answers,
    keep_alive: |packet| packet.kind == "ping",
    busy,
    ..Grammar::NONE
};

/// Acknowledgements and resets answer by message id, responses by token, and those that ride on an ACK by either
/// \[RFC 7252 §4.4, §5.3.2\].
pub(crate) fn answers(said: &Packet, heard: &Packet) -> bool {
    let same = |name: &str| said.fields.find(name).is_some_and(|value| heard.fields.find(name) == Some(value));
    match heard.kind.as_str() {
        "ack" | "rst" => same("mid"),
        "response" => same("token") || heard.fields.text(Packet::MESSAGE) == Some("ack") && same("mid"),
        _ => false,
    }
}

/// Too Many Requests \[RFC 8516\], Service Unavailable \[RFC 7252 §5.9.3.4\], and a challenge: none says anything of what was asked.
pub(crate) fn busy(packet: &Packet) -> bool {
    matches!(packet.fields.text("code"), Some("4.29" | "5.03")) || is_challenge(packet)
}

/// A 4.01 with Echo \[RFC 9175\]: the same may be asked again.
pub(crate) fn is_challenge(packet: &Packet) -> bool {
    packet.fields.text("code") == Some("4.01") && packet.fields.find("echo").is_some()
}

/// Uri-Path segments joined by `/`, without the slash that a path begins with: filters name segments.
fn resource(packet: &Packet) -> Option<String> {
    let path = packet.fields.find("path")?.as_slice();
    let segments: Vec<&str> = path.iter().filter_map(Value::as_text).collect();
    let joined = segments.join("/");
    Some(joined.strip_prefix('/').map(ToString::to_string).unwrap_or(joined))
}

/// Whether a filter covers a path, segment by segment: `+` stands for one, `#` at the end for all that is below and the path itself.
fn covers(filter: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (filter.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(segment), Some(same)) if segment == same => {}
            _ => return false,
        }
    }
}

const fn can(name: &'static str, probe: Option<&'static str>, doc: &'static str) -> Capability {
    Capability { name, probe, doc }
}

/// What a server may be able to do, beside what every target may (`authenticated`, `acl`, `admin.restart`). What it offers
/// (`resource.counter`) stands in its target file.
const CAPABILITIES: &[Capability] = &[
    can("discovery", Some(probes::DISCOVERY), "/.well-known/core lists resources in link format"),
    can("observe", Some(probes::OBSERVE), "sends notifications to who observes a resource"),
    can("blockwise", Some(probes::BLOCKWISE), "answers with large bodies in blocks"),
    can(
        "address-validation",
        Some(probes::ADDRESS_VALIDATION),
        "challenges an unknown address (Echo) before it answers at length",
    ),
    can("proxy", None, "forwards requests to other servers"),
];

/// Classes of a code: `ok` is 2.xx, `refused` 4.xx and 5.xx, `client-error` and `server-error` one of them; `4.xx` says it in digits.
fn class(_: &str, packet: &Packet, field: &str, class: &str) -> Option<bool> {
    if field != "code" {
        return None;
    }
    let code: Option<Code> = packet.fields.text("code").and_then(|text| text.parse().ok());
    let is = |test: fn(Code) -> bool| Some(code.is_some_and(test));
    // Who has no time, or wants an Echo first, has not looked at what was asked, and so has refused nothing of it.
    if class != "ok" && class != "2.xx" && busy(packet) {
        return Some(false);
    }
    match class {
        "ok" => is(Code::is_success),
        "refused" => is(Code::is_refusal),
        "client-error" | "4.xx" => is(|code| code.class() == 4),
        "server-error" | "5.xx" => is(|code| code.class() == 5),
        "2.xx" => is(|code| code.class() == 2),
        "0.xx" => is(|code| code.class() == 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proofhouse_core::value::Fields;

    fn is(code: &str, name: &str) -> Option<bool> {
        let mut fields = Fields::default();
        fields.set("code", code);
        class("", &Packet { kind: "response".into(), fields, malformed: String::new() }, "code", name)
    }

    #[test]
    fn a_code_is_of_its_class_and_of_no_other() {
        assert_eq!([is("2.05", "ok"), is("4.00", "ok"), is("2.31", "2.xx")], [Some(true), Some(false), Some(true)]);
        assert_eq!(
            [is("4.31", "refused"), is("5.00", "refused"), is("2.05", "refused")],
            [Some(true), Some(true), Some(false)]
        );
        assert_eq!(
            [is("4.04", "4.xx"), is("4.04", "client-error"), is("5.03", "client-error")],
            [Some(true), Some(true), Some(false)]
        );
        assert_eq!([is("5.00", "server-error"), is("5.00", "2.05")], [Some(true), None]);
    }

    #[test]
    fn whoever_has_not_looked_at_a_request_has_not_refused_it() {
        for (code, class) in [("5.03", "refused"), ("5.03", "5.xx"), ("4.29", "refused"), ("4.29", "4.xx")] {
            assert_eq!(is(code, class), Some(false), "{code} {class}");
        }
        let mut fields = Fields::default();
        fields.set("code", "4.01");
        let mut packet = Packet { kind: "response".into(), fields, malformed: String::new() };
        assert_eq!(class("", &packet, "code", "refused"), Some(true));
        packet.fields.set("echo", "00");
        assert_eq!(class("", &packet, "code", "refused"), Some(false), "it is a challenge");
    }

    #[test]
    fn the_ping_is_the_codecs_own() {
        let mut bytes = Vec::new();
        crate::codec::Message::ping(0x5048).encode(&mut bytes);
        assert_eq!(PING.datagram, bytes);
    }

    #[test]
    fn filters_cover_segments_and_not_letters() {
        for (filter, path) in [("a/#", "a"), ("a/#", "a/b/c"), ("+/b", "a/b"), ("#", "a"), ("a", "a"), ("+", "")] {
            assert!(covers(filter, path), "{filter} does not cover {path}");
        }
        for (filter, path) in [("a/#", "ab"), ("+/b", "a/c"), ("a", "a/b"), ("a/b", "a"), ("+", "a/b"), ("a/+", "a")] {
            assert!(!covers(filter, path), "{filter} covers {path}");
        }
    }
}
