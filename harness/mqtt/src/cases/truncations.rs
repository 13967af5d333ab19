//! `mqtt.truncations`: every packet that a client sends, ended after each byte of its body, with a Remaining Length that is true.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::protocol::CaseRow;
use proofhouse_core::value::{Fields, Value};

use super::{fields, loud, refusal, volley_row};
use crate::codec::Version;
use crate::frames;

/// One case for each packet: a connection for each byte after which it may not end. An end that is legal (a payload may be any
/// length, an acknowledgement of MQTT 5 may leave its reason out) is no case.
pub(super) fn truncations(version: Version) -> Vec<CaseRow> {
    packets(version).into_iter().map(|(name, frame)| cut(version, name, &frame)).collect()
}

fn cut(version: Version, name: &str, frame: &Fields) -> CaseRow {
    let mut bytes = Vec::new();
    frames::build(version, frame, &mut bytes).expect("a legal packet can be built");
    let ends = 0..bytes.len() - 2;
    let cut = ends.map(|end| {
        let frame = Fields([frame.0.clone(), alloc::vec![("truncate".into(), Value::Int(end as i64))]].concat());
        (format!("after-{end}"), frame)
    });
    let broken: Vec<(String, Fields)> = cut.filter(|(_, frame)| is_cut_short(version, frame)).collect();
    let clause = match (frame.text("type"), version) {
        (Some("connect"), Version::V5) => "mqtt5:3.1.4-1",
        (Some("connect"), _) => "mqtt3:3.1.4-1",
        (_, Version::V5) => "mqtt5:4.13.1-1",
        _ => "mqtt3:4.8.0-1",
    };
    volley_row(name, "cut-short", &format!("{} that ends too early", loud(frame)), clause, broken)
}

/// Illegal, and not for want of a filter alone: a SUBSCRIBE of no filter is whole, and another list's matter.
fn is_cut_short(version: Version, frame: &Fields) -> bool {
    const NO_FILTER: [&str; 4] = ["MQTT3 3.8.3-3", "MQTT5 3.8.3-2", "MQTT3 3.10.3-2", "MQTT5 3.10.3-2"];
    refusal(version, frame).is_some_and(|reason| !NO_FILTER.contains(&reason.clause))
}

/// Every packet of a client with everything in it that can be cut.
fn packets(version: Version) -> Vec<(&'static str, Fields)> {
    let v5 = version == Version::V5;
    let user = || Value::List(alloc::vec!["k".into(), "v".into()]);
    let with = |mut frame: Fields, more: &[(&str, Value)]| {
        more.iter().filter(|_| v5).for_each(|(key, value)| frame.set(key, value.clone()));
        frame
    };
    let publish = |qos: i64| {
        let frame = fields([
            ("type", "publish".into()),
            ("topic", "foe/x".into()),
            ("qos", Value::Int(qos)),
            ("payload", "1".into()),
        ]);
        let frame = with(frame, &[("message_expiry", Value::Int(30)), ("user_properties", user())]);
        if qos == 0 { frame } else { Fields([frame.0, alloc::vec![("packet_id".into(), Value::Int(7))]].concat()) }
    };
    let ack = |kind: &str| {
        let frame = fields([("type", kind.into()), ("packet_id", Value::Int(7))]);
        with(frame, &[("reason", Value::Int(0)), ("user_properties", user())])
    };
    let filter = |kind: &str| {
        let frame = fields([("type", kind.into()), ("packet_id", Value::Int(7)), ("filter", "foe/x".into())]);
        with(frame, &[("user_properties", user())])
    };
    let connect = fields([
        ("type", "connect".into()),
        ("client_id", "foe-c".into()),
        ("will_topic", "foe/w".into()),
        ("will_payload", "gone".into()),
        ("username", "foe".into()),
        ("password", "guess".into()),
    ]);
    let mut all = alloc::vec![
        ("connect", with(connect, &[("session_expiry", Value::Int(0)), ("will_delay", Value::Int(1))])),
        ("publish/qos0", publish(0)),
        ("publish/qos1", publish(1)),
        ("publish/qos2", publish(2)),
        ("puback", ack("puback")),
        ("pubrec", ack("pubrec")),
        ("pubrel", ack("pubrel")),
        ("pubcomp", ack("pubcomp")),
        ("subscribe", filter("subscribe")),
        ("unsubscribe", filter("unsubscribe")),
    ];
    if v5 {
        all.push((
            "disconnect",
            fields([("type", "disconnect".into()), ("reason", Value::Int(0)), ("session_expiry", Value::Int(0))]),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(version: Version, name: &str) -> Vec<i64> {
        let row = truncations(version).into_iter().find(|row| row.name == name).expect("there is such a packet");
        let steps = row.fields.find("steps").map(Value::as_slice).unwrap_or_default().to_vec();
        let frame = |step: &Value| match step {
            Value::Table(step) => step.find("frame").cloned(),
            _ => None,
        };
        steps
            .iter()
            .filter_map(frame)
            .filter_map(|f| if let Value::Table(f) = f { f.int("truncate") } else { None })
            .collect()
    }

    #[test]
    fn a_publish_is_cut_up_to_its_payload_and_not_in_it() {
        assert_eq!(cuts(Version::V311, "publish/qos0"), (0..7).collect::<Vec<_>>(), "2 + 5 bytes of topic");
        assert_eq!(cuts(Version::V311, "publish/qos1"), (0..9).collect::<Vec<_>>(), "and a packet identifier");
    }

    #[test]
    fn where_an_acknowledgement_may_end_is_no_case() {
        assert_eq!(cuts(Version::V311, "puback"), [0, 1]);
        assert_eq!(
            cuts(Version::V5, "puback"),
            [0, 1, 4, 5, 6, 7, 8, 9, 10],
            "2: without a reason; 3: without properties"
        );
    }

    #[test]
    fn a_subscribe_that_ends_before_its_filters_is_another_matter() {
        assert_eq!(
            cuts(Version::V311, "unsubscribe"),
            [0, 1, 3, 4, 5, 6, 7, 8],
            "2: a packet identifier and no filter"
        );
    }

    #[test]
    fn a_volley_stays_below_a_hundred_connections() {
        for version in Version::ALL {
            for row in truncations(version) {
                assert!((2..100).contains(&cuts(version, &row.name).len()), "{version} {}", row.name);
            }
        }
    }
}
