//! Named lists of cases: matrices of hostile packets, in the words of frames.
//!
//! A list of single packets gives each case its `frame` and the step before it (`lead_in`); a list of volleys gives it all `steps` of
//! a member that plays one hostile packet on each of many connections. What a packet breaks (`clause`, `attack`) is what our own
//! strict decoder says of it, so that no list can cite a clause for a packet that is legal.
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::protocol::{CaseList, CaseRow};
use proofhouse_core::value::{Fields, Value};

use crate::codec::{Packet, Reason, Sender, Version, split};
use crate::{frames, names};

#[cfg(test)]
mod decoded;
mod ill_formed;
mod lengths;
mod packets;
mod properties;
mod protocols;
mod server_packets;
mod truncations;

/// Every list of cases.
pub const CASES: &[CaseList] = &[
    CaseList { name: "mqtt.property-matrix", rows: |version| properties::property_matrix(names::version(version)) },
    CaseList { name: "mqtt.inner-lengths", rows: |version| lengths::inner_lengths(names::version(version)) },
    CaseList { name: "mqtt.truncations", rows: |version| truncations::truncations(names::version(version)) },
    CaseList { name: "mqtt.reserved-bits", rows: |version| packets::reserved_bits(names::version(version)) },
    CaseList { name: "mqtt.aliases", rows: |version| packets::aliases(names::version(version)) },
    CaseList { name: "mqtt.subscriptions", rows: |version| packets::subscriptions(names::version(version)) },
    CaseList { name: "mqtt.surplus", rows: |version| packets::surplus(names::version(version)) },
    CaseList { name: "mqtt.protocols", rows: |version| protocols::protocols(names::version(version)) },
    CaseList { name: "mqtt.bridge-levels", rows: |version| protocols::bridge_levels(names::version(version)) },
    CaseList { name: "mqtt.server-packets", rows: |version| server_packets::rows(names::version(version)) },
    CaseList { name: "mqtt.ill-formed-texts", rows: |version| ill_formed::rows(names::version(version)) },
    CaseList { name: "mqtt.ill-formed-elsewhere", rows: |version| ill_formed::everywhere(names::version(version)) },
];

/// Fields of a frame or a step, in order.
fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Fields {
    Fields(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Why the strict decoder refuses the bytes of a frame; `None` where it is legal.
fn refusal(version: Version, frame: &Fields) -> Option<Reason> {
    let mut bytes = Vec::new();
    frames::build(version, frame, &mut bytes).expect("lists are made of frames that can be built");
    match split(version, Sender::Client, u32::MAX, &bytes) {
        Ok(Some(cut)) => Packet::decode(version, Sender::Client, cut.first, cut.body).err(),
        Ok(None) => None,
        Err(reason) => Some(reason),
    }
}

/// One hostile packet on each of many named connections of one member: every connection is let in first (where the packet is no
/// CONNECT), then each says its packet, then the target has its time to end them all; those that stand then ask for an answer.
fn volley(frames: Vec<(String, Fields)>) -> Value {
    let hello = |(label, _): &(String, Fields)| {
        let welcome = fields([("type", "connack".into()), ("reason", Value::Int(0))]);
        fields([
            ("conn", label.as_str().into()),
            ("do", "connect".into()),
            ("client_id", format!("foe-{label}").into()),
            ("expect", welcome.into()),
            ("part", "control".into()),
        ])
    };
    let hostile = |(label, frame): (String, Fields)| {
        fields([
            ("conn", label.as_str().into()),
            ("do", "send".into()),
            ("frame", frame.into()),
            ("part", "stimulus".into()),
        ])
    };
    let introduces = frames.first().is_some_and(|(_, frame)| frame.text("type") == Some("connect"));
    // Whoever answers the next packet of a connection has not ended it.
    let asks = |(label, _): &(String, Fields)| {
        fields([("conn", label.as_str().into()), ("do", "ping".into()), ("within", "1s".into())])
    };
    let asks: Vec<Fields> = frames.iter().take(ASKED).map(asks).collect();
    let mut steps: Vec<Fields> = frames.iter().filter(|_| !introduces).map(hello).collect();
    steps.extend(frames.into_iter().map(hostile));
    steps.push(fields([
        ("conn", LAST.into()),
        ("do", "wait".into()),
        ("for", PATIENCE.into()),
        ("until_closed", true.into()),
    ]));
    steps.extend(asks);
    // Every member waits until the honest client was let in.
    if let Some(first) = steps.first_mut() {
        first.set("after", "honest.in");
    }
    Value::List(steps.into_iter().map(Value::Table).collect())
}

/// How many connections ask afterwards: one answer shows it, and each that has none costs its second.
const ASKED: usize = 8;

/// A wait belongs to no connection, and must not be cut away with one.
const LAST: &str = "main";

/// A little more than `closes-in-time` gives the target.
const PATIENCE: &str = "3200ms";

/// A case that is a volley.
fn volley_row(name: &str, class: &str, attack: &str, clause: &str, frames: Vec<(String, Fields)>) -> CaseRow {
    let fields = fields([
        ("steps", volley(frames)),
        ("class", class.into()),
        ("attack", attack.into()),
        ("clause", clause.into()),
    ]);
    CaseRow { name: name.to_string(), fields }
}

/// `publish` of a frame as people say it: `PUBLISH`.
fn loud(frame: &Fields) -> String {
    match frame.find("type") {
        Some(Value::Text(kind)) => kind.to_uppercase(),
        Some(other) => format!("a packet of type {other}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    const VERSIONS: [&str; 2] = ["3.1.1", "5"];

    /// The frames of a case, wherever they stand.
    fn frames_of(row: &CaseRow) -> Vec<Fields> {
        let steps = row.fields.find("steps").map(Value::as_slice).unwrap_or_default();
        let in_steps = steps.iter().filter_map(|step| match step {
            Value::Table(step) => step.find("frame"),
            _ => None,
        });
        let frames = row.fields.find("frame").into_iter().chain(in_steps);
        frames
            .flat_map(Value::as_slice)
            .filter_map(|f| if let Value::Table(f) = f { Some(f.clone()) } else { None })
            .collect()
    }

    #[test]
    fn every_case_has_its_own_name_and_the_strict_decoder_refuses_all_its_frames() {
        for list in CASES {
            for version in VERSIONS {
                let rows = (list.rows)(version);
                let names: BTreeSet<&String> = rows.iter().map(|row| &row.name).collect();
                assert_eq!(names.len(), rows.len(), "{} {version}", list.name);
                for row in &rows {
                    let frames = frames_of(row);
                    for frame in frames.iter().filter(|_| !JUDGED_BY_STATE.contains(&row.name.as_str())) {
                        assert!(
                            refusal(names::version(version), frame).is_some(),
                            "{} {version} {}: {frame:?} is legal",
                            list.name,
                            row.name
                        );
                    }
                }
            }
        }
    }

    /// What no decoder can tell: it depends on what was said before.
    const JUDGED_BY_STATE: [&str; 5] = ["above-maximum", "unknown", "unknown-highest", "auth-continues", "auth-again"];

    #[test]
    fn every_case_cites_a_clause_of_its_version() {
        for list in CASES {
            for version in VERSIONS {
                for row in (list.rows)(version) {
                    let clause = row.fields.text("clause").unwrap_or_default().to_uppercase();
                    let document = if version == "5" { "MQTT5" } else { "MQTT3" };
                    assert!(clause.starts_with(document), "{} {version} {}: {clause:?}", list.name, row.name);
                }
            }
        }
    }
}
