//! Bytes that are no text of the protocol.
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::Fields;

use crate::codec::Version;

/// Name, bytes, and what they are in words. U+0000 is well-formed, and forbidden by a clause of its own.
const TEXTS: &[(&str, &str, &str)] = &[
    ("surrogate", "ed a0 80", "the surrogate U+D800"),
    ("surrogate-pair", "ed a0 bd ed b8 80", "a pair of surrogates"),
    ("overlong-slash", "c0 af", "a slash in two bytes"),
    ("overlong-in-three", "e0 80 af", "a slash in three bytes"),
    ("overlong-nul", "c0 80", "U+0000 in two bytes"),
    ("nul", "00", "U+0000"),
    ("alone", "bf", "the middle of a character"),
    ("cut-short", "e2 82", "the beginning of a character"),
    ("beyond-the-end", "f4 90 80 80", "a character beyond U+10FFFF"),
    ("no-utf-8", "ff fe", "bytes that UTF-8 never has"),
];

/// `hex` is what stands at the end of a text, `clause` what it breaks, `class` and `attack` its name for findings and for people.
pub(super) fn rows(version: Version) -> Vec<CaseRow> {
    TEXTS.iter().map(|text| row(version, text)).collect()
}

/// One of each kind in every other text of a client: `lead_in` is the step before, `frame` the packet.
pub(super) fn everywhere(version: Version) -> Vec<CaseRow> {
    const HOSTS: &[[&str; 4]] = &[
        ["client-id", "connect", "client_id", "a client id"],
        ["will-topic", "connect", "will_topic", "a Will topic"],
        ["filter", "subscribe", "filter", "a filter"],
        ["unsubscribed-filter", "unsubscribe", "filter", "a filter of UNSUBSCRIBE"],
    ];
    let texts = TEXTS.iter().filter(|(name, ..)| matches!(*name, "surrogate" | "overlong-slash" | "nul"));
    let mut rows = Vec::new();
    for text in texts {
        rows.extend(HOSTS.iter().map(|host| elsewhere(version, text, host)));
    }
    rows
}

fn elsewhere(version: Version, text: &(&str, &str, &str), [host, kind, key, what]: &[&str; 4]) -> CaseRow {
    let CaseRow { name, mut fields } = row(version, text);
    let mut bytes = Fields::default();
    bytes.set("hex", format!("61 62 {}", text.1));
    let mut frame = Fields::default();
    frame.set("type", *kind);
    frame.set(key, bytes);
    fields.remove("hex");
    fields.set("frame", frame);
    fields.set("lead_in", if *kind == "connect" { "open" } else { "connect" });
    fields.set("attack", format!("{what} with {}", text.2));
    CaseRow { name: format!("{host}/{name}"), fields }
}

fn row(version: Version, (name, hex, what): &(&str, &str, &str)) -> CaseRow {
    let (clause, class) = match (*name, version) {
        ("nul", Version::V5) => ("mqtt5:1.5.4-2", "nul"),
        ("nul", _) => ("mqtt3:1.5.3-2", "nul"),
        (_, Version::V5) => ("mqtt5:1.5.4-1", "ill-formed"),
        _ => ("mqtt3:1.5.3-1", "ill-formed"),
    };
    let mut fields = Fields::default();
    for (key, value) in [("hex", *hex), ("clause", clause), ("class", class)] {
        fields.set(key, value);
    }
    fields.set("attack", format!("a topic with {what}"));
    CaseRow { name: (*name).to_string(), fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::value::unhex;

    #[test]
    fn none_of_them_is_utf_8_but_the_one_that_is_forbidden_all_the_same() {
        for (name, hex, _) in TEXTS {
            let bytes = unhex(hex).expect("hex");
            assert_eq!(core::str::from_utf8(&bytes).is_ok(), *name == "nul", "{name}");
        }
    }
}
