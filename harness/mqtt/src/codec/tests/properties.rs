//! Properties: the table, the rules of each row, the builder.

use std::collections::BTreeSet;

use super::*;
use crate::codec::properties::{PROPERTIES, PropertyRow, ValueKind};
use crate::codec::{Place, Properties, PropertiesBuf, PropertyId, Value, writer};

/// A legal value of this row.
fn sample(row: &PropertyRow) -> Value<'static> {
    match row.kind {
        ValueKind::Byte | ValueKind::TwoBytes | ValueKind::FourBytes | ValueKind::Varint => Value::Int(1),
        ValueKind::Text => Value::Text("text"),
        ValueKind::Binary => Value::Binary(b"\0\xFF"),
        ValueKind::Pair => Value::Pair("name", "value"),
    }
}

/// A row's sample on the wire.
fn wire(row: &PropertyRow) -> Vec<u8> {
    let mut out = std::vec![row.id as u8];
    match row.kind {
        ValueKind::Byte | ValueKind::Varint => out.push(1),
        ValueKind::TwoBytes => writer::two_bytes(&mut out, 1),
        ValueKind::FourBytes => writer::four_bytes(&mut out, 1),
        ValueKind::Text => writer::field(&mut out, b"text"),
        ValueKind::Binary => writer::field(&mut out, b"\0\xFF"),
        ValueKind::Pair => {
            writer::field(&mut out, b"name");
            writer::field(&mut out, b"value");
        }
    }
    out
}

fn clause(result: Result<Properties<'_>, Reason>) -> Result<(), (&'static str, u8)> {
    result.map(|_| ()).map_err(|reason| (reason.clause, reason.code.0))
}

#[test]
fn the_table_has_every_identifier_once() {
    let ids: Vec<u8> = PROPERTIES.iter().map(|row| row.id as u8).collect();
    let expected =
        [1, 2, 3, 8, 9, 11, 17, 18, 19, 21, 22, 23, 24, 25, 26, 28, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42];
    assert_eq!(ids, expected);
    assert_eq!(PROPERTIES.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), 27);
    assert!(PROPERTIES.iter().all(|row| row.id.row().name == row.name));
}

#[test]
fn a_property_stands_only_in_its_places() {
    for row in &PROPERTIES {
        for place in Place::ALL {
            let expected = match row.places.iter().any(|(p, _)| *p == place) {
                true => Ok(()),
                false => Err(("MQTT5 §2.2.2.2", 0x81)),
            };
            assert_eq!(clause(Properties::new(place, &wire(row))), expected, "{} in {place:?}", row.name);
            let built = PropertiesBuf::new(place).with(row.id, sample(row));
            assert_eq!(built.map(|_| ()).map_err(|reason| (reason.clause, reason.code.0)), expected);
        }
    }
}

#[test]
fn a_property_repeats_only_where_it_may() {
    for row in &PROPERTIES {
        for &(place, section) in row.places {
            let twice = wire(row).repeat(2);
            let expected = if row.repeats.contains(&place) { Ok(()) } else { Err((section, 0x82)) };
            assert_eq!(clause(Properties::new(place, &twice)), expected, "{} twice in {place:?}", row.name);
            let mut built = PropertiesBuf::new(place).with(row.id, sample(row)).expect("once");
            let before = built.clone();
            assert_eq!(built.push(row.id, sample(row)).is_ok(), expected.is_ok());
            assert!(expected.is_ok() || built == before, "a refused property leaves nothing behind");
        }
    }
}

#[test]
fn only_user_properties_and_published_identifiers_repeat() {
    let repeating: Vec<_> = PROPERTIES.iter().filter(|row| !row.repeats.is_empty()).map(|row| row.id).collect();
    assert_eq!(repeating, [PropertyId::SubscriptionIdentifier, PropertyId::UserProperty]);
    assert_eq!(PropertyId::SubscriptionIdentifier.row().repeats, [Place::Publish]);
    assert_eq!(PropertyId::UserProperty.row().repeats.len(), Place::ALL.len());
}

#[test]
fn a_property_that_is_cut_short_is_refused() {
    for row in &PROPERTIES {
        let (place, _) = row.places[0];
        let whole = wire(row);
        for len in 1..whole.len() {
            assert_eq!(
                clause(Properties::new(place, &whole[..len])),
                Err(("MQTT5 §2.2.2.2", 0x81)),
                "{} at {len}",
                row.name
            );
        }
        assert_eq!(clause(Properties::new(place, &whole)), Ok(()));
    }
}

#[test]
fn an_unknown_property_is_refused() {
    for id in 0..=0x7F {
        let known = PROPERTIES.iter().any(|row| row.id as u8 == id);
        if !known {
            assert_eq!(clause(Properties::new(Place::Connect, &[id, 0])), Err(("MQTT5 §2.2.2.2", 0x81)), "0x{id:02X}");
        }
    }
    assert_eq!(
        clause(Properties::new(Place::Connect, &[0x81, 0x01])),
        Err(("MQTT5 §2.2.2.2", 0x81)),
        "0x81 in two bytes"
    );
    assert_eq!(
        clause(Properties::new(Place::Publish, &[0x81, 0x00, 0x01])),
        Err(("MQTT5 1.5.5-1", 0x81)),
        "1 in two bytes"
    );
    assert_eq!(clause(Properties::new(Place::Publish, &[0xFF; 5])), Err(("MQTT5 §1.5.5", 0x81)));
}

#[test]
fn a_flag_is_0_or_1() {
    let flags = PROPERTIES.iter().filter(|row| row.kind == ValueKind::Byte);
    for row in flags {
        for &(place, section) in row.places {
            for value in [0, 1] {
                assert_eq!(clause(Properties::new(place, &[row.id as u8, value])), Ok(()));
            }
            for value in [2, 255] {
                assert_eq!(
                    clause(Properties::new(place, &[row.id as u8, value])),
                    Err((section, 0x82)),
                    "{}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn a_maximum_is_not_0() {
    let cases = [
        (PropertyId::ReceiveMaximum, Place::Connect, "MQTT5 §3.1.2.11.3"),
        (PropertyId::ReceiveMaximum, Place::Connack, "MQTT5 §3.2.2.3.3"),
        (PropertyId::MaximumPacketSize, Place::Connect, "MQTT5 §3.1.2.11.4"),
        (PropertyId::MaximumPacketSize, Place::Connack, "MQTT5 §3.2.2.3.6"),
        (PropertyId::SubscriptionIdentifier, Place::Publish, "MQTT5 §3.3.2.3.8"),
        (PropertyId::SubscriptionIdentifier, Place::Subscribe, "MQTT5 §3.8.2.1.2"),
    ];
    for (id, place, section) in cases {
        let with = |value: u32| PropertiesBuf::new(place).with(id, value).map(|_| ()).map_err(|reason| reason.clause);
        assert_eq!((with(0), with(1)), (Err(section), Ok(())), "{}", id.name());
    }
    // These may be 0, and say so: no aliases, no expiry, no keep alive.
    for id in [PropertyId::TopicAliasMaximum, PropertyId::SessionExpiryInterval] {
        assert!(PropertiesBuf::new(Place::Connect).with(id, 0_u32).is_ok());
    }
}

#[test]
fn a_response_topic_has_no_wildcards() {
    for place in [Place::Publish, Place::Will] {
        let with = |topic: &'static str| PropertiesBuf::new(place).with(PropertyId::ResponseTopic, topic).map(|_| ());
        assert_eq!(with("a/+").map_err(|reason| reason.clause), Err("MQTT5 3.3.2-14"));
        assert_eq!(with("a/b"), Ok(()));
    }
    assert_eq!(clause(Properties::new(Place::Publish, b"\x08\0\x01#")), Err(("MQTT5 3.3.2-14", 0x82)));
}

#[test]
fn texts_and_pairs_are_well_formed() {
    let content = |bytes: &[u8]| clause(Properties::new(Place::Publish, bytes));
    assert_eq!(content(b"\x03\0\x01\xFF"), Err(("MQTT5 1.5.4-1", 0x81)));
    assert_eq!(content(b"\x03\0\x01\0"), Err(("MQTT5 1.5.4-2", 0x81)));
    assert_eq!(content(b"\x26\0\x01\xFF\0\x01v"), Err(("MQTT5 1.5.7-1", 0x81)));
    assert_eq!(content(b"\x26\0\x01n\0\x01\xFF"), Err(("MQTT5 1.5.7-1", 0x81)));
    assert_eq!(content(b"\x26\0\x01n\0\x01\0"), Err(("MQTT5 1.5.7-1", 0x81)));
    assert_eq!(content(b"\x26\0\0\0\0"), Ok(()), "both may be empty");
    assert_eq!(content(b"\x09\0\x02\0\xFF"), Ok(()), "correlation data is binary");
}

#[test]
fn a_value_of_another_type_is_not_built() {
    let push = |id, value: Value<'static>| PropertiesBuf::new(id_place(id)).with(id, value).is_ok();
    assert!(!push(PropertyId::ReasonString, Value::Int(1)));
    assert!(!push(PropertyId::TopicAlias, Value::Text("1")));
    assert!(!push(PropertyId::TopicAlias, Value::Int(65_536)));
    assert!(push(PropertyId::TopicAlias, Value::Int(65_535)));
    assert!(!push(PropertyId::MaximumQoS, Value::Int(256)));
    assert!(!push(PropertyId::SubscriptionIdentifier, Value::Int(268_435_456)));
    assert!(push(PropertyId::SubscriptionIdentifier, Value::Int(268_435_455)));
    assert!(!push(PropertyId::UserProperty, Value::Pair("a", "\0")));
}

fn id_place(id: PropertyId) -> Place {
    id.row().places[0].0
}

#[test]
fn what_was_built_reads_back_through_every_getter() {
    let connack = PropertiesBuf::new(Place::Connack)
        .with(PropertyId::MaximumQoS, 1_u8)
        .and_then(|buf| buf.with(PropertyId::RetainAvailable, false))
        .and_then(|buf| buf.with(PropertyId::ServerKeepAlive, 30_u16))
        .and_then(|buf| buf.with(PropertyId::AssignedClientIdentifier, "id"))
        .and_then(|buf| buf.with(PropertyId::MaximumPacketSize, 1_000_000_u32))
        .and_then(|buf| buf.with(PropertyId::AuthenticationData, b"\0".as_slice()))
        .and_then(|buf| buf.with(PropertyId::UserProperty, ("b", "1")))
        .and_then(|buf| buf.with(PropertyId::UserProperty, ("a", "2")))
        .expect("legal");
    let view = connack.view();
    assert_eq!((view.maximum_qos(), view.retain_available()), (Some(1), Some(false)));
    assert_eq!((view.server_keep_alive(), view.assigned_client_identifier()), (Some(30), Some("id")));
    assert_eq!((view.maximum_packet_size(), view.authentication_data()), (Some(1_000_000), Some(&b"\0"[..])));
    assert_eq!(view.user_properties().collect::<Vec<_>>(), [("b", "1"), ("a", "2")], "order is kept");
    assert_eq!((view.topic_alias_maximum(), view.reason_string()), (None, None));
    assert_eq!(view.iter().count(), 8);
    assert_eq!(view.to_buf(), connack);
    assert_eq!(Properties::new(Place::Connack, view.as_bytes()), Ok(view));
}

#[test]
fn no_properties_are_the_same_everywhere() {
    assert_eq!(PropertiesBuf::new(Place::Auth).view(), Properties::EMPTY);
    assert_eq!(Properties::new(Place::Connect, b""), Ok(Properties::default()));
    let mut buf = PropertiesBuf::new(Place::Publish).with(PropertyId::TopicAlias, 1_u16).expect("legal");
    buf.clear();
    assert_eq!(buf, PropertiesBuf::new(Place::Publish));
    assert!(buf.push(PropertyId::TopicAlias, 2_u16).is_ok(), "cleared: it is not there twice");
}
