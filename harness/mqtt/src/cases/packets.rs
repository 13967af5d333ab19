//! Lists of single packets that are wrong in one place.
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value};

use super::{loud, refusal};
use crate::codec::Version;

/// A value of a frame that a table can hold.
#[derive(Clone, Copy)]
enum Is {
    N(i64),
    T(&'static str),
    /// `true`.
    Set,
}
use Is::{N, Set, T};

/// A packet: the class of its error and the packet, as the case's name; which versions know it; the frame.
struct Row {
    name: &'static str,
    versions: Versions,
    frame: &'static [(&'static str, Is)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    Both,
    Only3,
    Only5,
}
use Versions::{Both, Only3, Only5};

impl Versions {
    fn has(self, version: Version) -> bool {
        match self {
            Both => true,
            Only3 => version == Version::V311,
            Only5 => version == Version::V5,
        }
    }
}

/// `mqtt.reserved-bits`: bits that must be 0 or 1 and are not, and values that no two bits may have.
pub(super) fn reserved_bits(version: Version) -> Vec<CaseRow> {
    rows(version, RESERVED_BITS)
}

const RESERVED_BITS: &[Row] = &[
    Row { name: "flags/connect", versions: Both, frame: &[("type", T("connect")), ("flags", N(15))] },
    Row {
        name: "flags/puback",
        versions: Both,
        frame: &[("type", T("puback")), ("packet_id", N(7)), ("flags", N(15))],
    },
    Row {
        name: "flags/pubrec",
        versions: Both,
        frame: &[("type", T("pubrec")), ("packet_id", N(7)), ("flags", N(15))],
    },
    Row { name: "flags/pubrel", versions: Both, frame: &[("type", T("pubrel")), ("packet_id", N(7)), ("flags", N(0))] },
    Row {
        name: "flags/pubcomp",
        versions: Both,
        frame: &[("type", T("pubcomp")), ("packet_id", N(7)), ("flags", N(15))],
    },
    Row {
        name: "flags/subscribe",
        versions: Both,
        frame: &[("type", T("subscribe")), ("filter", T("foe/#")), ("packet_id", N(7)), ("flags", N(0))],
    },
    Row {
        name: "flags/unsubscribe",
        versions: Both,
        frame: &[("type", T("unsubscribe")), ("filter", T("foe/#")), ("packet_id", N(7)), ("flags", N(0))],
    },
    Row { name: "flags/pingreq", versions: Both, frame: &[("type", T("pingreq")), ("flags", N(15))] },
    Row {
        name: "qos/publish",
        versions: Both,
        frame: &[
            ("type", T("publish")),
            ("topic", T("foe/x")),
            ("qos", N(3)),
            ("packet_id", N(7)),
            ("payload", T("1")),
        ],
    },
    Row {
        name: "qos/will",
        versions: Both,
        frame: &[("type", T("connect")), ("will_topic", T("foe/w")), ("will_qos", N(3))],
    },
    Row { name: "connect-flags/reserved", versions: Both, frame: &[("type", T("connect")), ("reserved_flag", Set)] },
    Row { name: "connect-flags/will-qos", versions: Both, frame: &[("type", T("connect")), ("will_qos", N(1))] },
    Row { name: "connect-flags/will-retain", versions: Both, frame: &[("type", T("connect")), ("will_retain", Set)] },
];

/// `mqtt.aliases`: a PUBLISH whose topic cannot be known.
pub(super) fn aliases(version: Version) -> Vec<CaseRow> {
    let mut rows = rows(version, ALIASES);
    for row in &mut rows {
        // Where 65,535 has to be too high: `limited`. Elsewhere any maximum will do, and none.
        let any = Value::List([true, false].map(Value::Bool).to_vec());
        let high = matches!(row.name.as_str(), "above-maximum" | "unknown-highest");
        row.fields.set("maximum", if high { "limited".into() } else { any });
    }
    rows
}

const ALIASES: &[Row] = &[
    Row { name: "no-topic", versions: Both, frame: &[("type", T("publish")), ("topic", T("")), ("payload", T("1"))] },
    Row {
        name: "no-topic-qos1",
        versions: Both,
        frame: &[("type", T("publish")), ("topic", T("")), ("qos", N(1)), ("packet_id", N(7)), ("payload", T("1"))],
    },
    Row {
        name: "zero",
        versions: Only5,
        frame: &[("type", T("publish")), ("topic", T("foe/x")), ("topic_alias", N(0)), ("payload", T("1"))],
    },
    Row {
        name: "zero-no-topic",
        versions: Only5,
        frame: &[("type", T("publish")), ("topic", T("")), ("topic_alias", N(0)), ("payload", T("1"))],
    },
    Row {
        name: "above-maximum",
        versions: Only5,
        frame: &[("type", T("publish")), ("topic", T("foe/x")), ("topic_alias", N(65_535)), ("payload", T("1"))],
    },
    Row {
        name: "unknown",
        versions: Only5,
        frame: &[("type", T("publish")), ("topic", T("")), ("topic_alias", N(1)), ("payload", T("1"))],
    },
    Row {
        name: "unknown-highest",
        versions: Only5,
        frame: &[("type", T("publish")), ("topic", T("")), ("topic_alias", N(65_535)), ("payload", T("1"))],
    },
];

/// What the decoder cannot tell of an alias, and what it breaks.
const BY_STATE: [(&str, &str, &str); 3] = [
    ("above-maximum", "MQTT5 3.3.2-9", "a Topic Alias above the server's maximum"),
    ("unknown", "MQTT5 3.3.2-7", "a Topic Alias that was never set, and no topic"),
    ("unknown-highest", "MQTT5 3.3.2-9", "a Topic Alias above the server's maximum, and no topic"),
];

/// `mqtt.subscriptions`: a SUBSCRIBE or UNSUBSCRIBE that asks for nothing, or for what there is not.
pub(super) fn subscriptions(version: Version) -> Vec<CaseRow> {
    rows(version, SUBSCRIPTIONS)
}

const SUBSCRIPTIONS: &[Row] = &[
    Row { name: "no-filter/subscribe", versions: Both, frame: &[("type", T("subscribe")), ("packet_id", N(7))] },
    Row { name: "no-filter/unsubscribe", versions: Both, frame: &[("type", T("unsubscribe")), ("packet_id", N(7))] },
    Row {
        name: "qos/subscribe",
        versions: Both,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("foe/#")), ("qos", N(3))],
    },
    // A good filter before the bad one: nothing of such a packet may be granted and the rest forgotten.
    Row {
        name: "qos/second-filter",
        versions: Only3,
        frame: &[("type", T("subscribe")), ("body", T("00070005666f652f23010005666f652f7803"))],
    },
    Row {
        name: "qos/second-filter",
        versions: Only5,
        frame: &[("type", T("subscribe")), ("body", T("0007000005666f652f23010005666f652f7803"))],
    },
    Row {
        name: "reserved/lowest",
        versions: Only3,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("foe/#")), ("options", N(0x04))],
    },
    Row {
        name: "reserved/lowest",
        versions: Only5,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("foe/#")), ("options", N(0x40))],
    },
    Row {
        name: "reserved/highest",
        versions: Both,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("foe/#")), ("options", N(0x80))],
    },
    Row {
        name: "retain-handling/subscribe",
        versions: Only5,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("foe/#")), ("retain_handling", N(3))],
    },
    Row {
        name: "no-local/shared",
        versions: Only5,
        frame: &[("type", T("subscribe")), ("packet_id", N(7)), ("filter", T("$share/g/foe/#")), ("no_local", Set)],
    },
];

/// `mqtt.surplus`: a packet with bytes after its last field.
pub(super) fn surplus(version: Version) -> Vec<CaseRow> {
    rows(version, SURPLUS)
}

const SURPLUS: &[Row] = &[
    Row { name: "surplus/pingreq", versions: Both, frame: &[("type", T("pingreq")), ("tail", T("00"))] },
    Row {
        name: "surplus/puback",
        versions: Only3,
        frame: &[("type", T("puback")), ("packet_id", N(7)), ("tail", T("00"))],
    },
    Row {
        name: "surplus/pubrel",
        versions: Only3,
        frame: &[("type", T("pubrel")), ("packet_id", N(7)), ("tail", T("00"))],
    },
    Row {
        name: "surplus/puback",
        versions: Only5,
        frame: &[("type", T("puback")), ("packet_id", N(7)), ("tail", T("000000"))],
    },
    Row {
        name: "surplus/pubrel",
        versions: Only5,
        frame: &[("type", T("pubrel")), ("packet_id", N(7)), ("tail", T("000000"))],
    },
];

fn rows(version: Version, table: &[Row]) -> Vec<CaseRow> {
    table.iter().filter(|row| row.versions.has(version)).map(|row| case(version, row)).collect()
}

fn case(version: Version, row: &Row) -> CaseRow {
    let frame = frame(row.frame);
    let (clause, what) = match refusal(version, &frame) {
        Some(reason) => (reason.clause, reason.what),
        None => {
            let by_state = BY_STATE.iter().find(|(name, ..)| *name == row.name);
            by_state.map(|(_, clause, what)| (*clause, *what)).unwrap_or_else(|| panic!("{}: a legal packet", row.name))
        }
    };
    let mut fields = Fields::default();
    fields.set("lead_in", if frame.text("type") == Some("connect") { "open" } else { "connect" });
    fields.set("class", row.name.split('/').next().unwrap_or(row.name));
    fields.set("attack", format!("{} ({what})", loud(&frame)));
    fields.set("clause", clause);
    fields.set("frame", frame);
    CaseRow { name: row.name.to_string(), fields }
}

fn frame(pairs: &[(&str, Is)]) -> Fields {
    let value = |is: Is| match is {
        N(number) => Value::Int(number),
        T(text) => text.into(),
        Set => true.into(),
    };
    Fields(pairs.iter().map(|(key, is)| ((*key).to_string(), value(*is))).collect())
}
