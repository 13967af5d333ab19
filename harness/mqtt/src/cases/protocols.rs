//! A CONNECT that names another protocol, or another level of it.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value};

use super::{fields, volley_row};
use crate::codec::Version;

/// Names that are not "MQTT", with the level of the version.
const NAMES: [(&str, &str); 6] = [
    ("empty", ""),
    ("shorter", "MQT"),
    ("longer", "MQTTx"),
    ("lower-case", "mqtt"),
    ("space", "MQTT "),
    ("older", "MQIsdp"),
];
/// A name as long as a name can be.
const LONG: i64 = 65_535;
/// Levels that no published MQTT has. 3 with "MQTT" was never one; "MQIsdp" with 3 is MQTT 3.1, which a server may speak.
const LEVELS: [i64; 6] = [0, 1, 3, 6, 0x7f, 0xff];
/// The level with its highest bit set: by custom of some servers another server that connects as a bridge. No standard knows it.
const BRIDGES: [i64; 3] = [0x83, 0x84, 0x85];

/// `mqtt.protocols`: one case of names, one of levels; a connection for each.
pub(super) fn protocols(version: Version) -> Vec<CaseRow> {
    let named = |(label, name): (&str, Value)| {
        (label.to_string(), fields([("type", "connect".into()), ("protocol_name", name)]))
    };
    let long = fields([("size", Value::Int(LONG))]);
    let names = NAMES.iter().map(|(label, name)| (*label, Value::from(*name))).chain([("longest", long.into())]);
    let names = names.map(named).collect();
    let other = volley_row("name", "name", "CONNECT with another protocol name", &clause(version, 1), own_ids(names));
    let attack = "CONNECT with a level that MQTT does not have";
    let level = volley_row("level", "level", attack, &clause(version, 2), levels(&LEVELS));
    // MQTT 3.1.1 lets a server read another name as another protocol; it may wait for more of that. It may not serve it as MQTT.
    alloc::vec![served_only(other, version == Version::V311), served_only(level, false)]
}

/// `mqtt.bridge-levels`: levels that some servers keep for other servers.
pub(super) fn bridge_levels(version: Version) -> Vec<CaseRow> {
    let attack = "CONNECT with the bridge bit in its protocol level";
    alloc::vec![volley_row("bridge", "bridge", attack, &clause(version, 2), levels(&BRIDGES))]
}

/// `served_only` of the rule that reads the case: whether a connection that stays open in silence is spared.
fn served_only(mut row: CaseRow, only: bool) -> CaseRow {
    row.fields.set("served_only", only);
    row
}

fn clause(version: Version, number: u8) -> String {
    format!("{}:3.1.2-{number}", if version == Version::V5 { "mqtt5" } else { "mqtt3" })
}

fn levels(levels: &[i64]) -> Vec<(String, Fields)> {
    let level = |level: &i64| {
        (format!("level-{level}"), fields([("type", "connect".into()), ("protocol_level", Value::Int(*level))]))
    };
    own_ids(levels.iter().map(level).collect())
}

/// A client id for each connection, so that none takes another's place.
fn own_ids(mut frames: Vec<(String, Fields)>) -> Vec<(String, Fields)> {
    frames.iter_mut().for_each(|(label, frame)| frame.set("client_id", format!("foe-{label}")));
    frames
}
