//! Laws of hostile frames: what the fields say is what stands on the wire, true or not.
use std::vec;

use super::*;
use proofhouse_core::value::hex;

fn table(fields: &[(&str, Value)]) -> Fields {
    Fields(fields.iter().map(|(key, value)| (key.to_string(), value.clone())).collect())
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

#[track_caller]
fn check(version: Version, fields: &[(&str, Value)], expect: &str) {
    let mut out = vec![];
    build(version, &table(fields), &mut out).unwrap();
    assert_eq!(hex(&out), expect.replace(' ', ""));
}

#[track_caller]
fn refuse(fields: &[(&str, Value)], key: &str) {
    let mistake = build(Version::V5, &table(fields), &mut vec![]).unwrap_err();
    assert_eq!(mistake.key, key, "{}", mistake.what);
}

const V3: Version = Version::V311;
const V5: Version = Version::V5;

#[test]
fn a_publish_may_have_qos_3_and_claim_any_length() {
    let publish = [("type", text("publish")), ("topic", text("a")), ("qos", int(3)), ("packet_id", int(0))];
    check(V3, &publish, "36 05 000161 0000");
    check(V5, &publish, "36 06 000161 0000 00");
    let claim = |key: &'static str, value| [publish.as_slice(), &[(key, value)]].concat();
    check(V3, &claim("remaining_length", int(268_435_455)), "36 ffffff7f 000161 0000");
    check(V3, &claim("remaining_length_hex", text("ff ff ff ff 01")), "36 ffffffff01 000161 0000");
    check(V3, &claim("length_bytes", int(4)), "36 85808000 000161 0000");
    check(V3, &claim("truncate", int(2)), "36 02 0001");
    check(V3, &claim("tail", text("beef")), "36 07 000161 0000 beef");
    check(V3, &claim("flags", int(15)), "3f 05 000161 0000");
    check(V3, &claim("body", text("00")), "36 01 00");
}

#[test]
fn a_connect_says_what_its_flags_may_deny() {
    let connect = [("type", text("connect")), ("client_id", text("c")), ("username", text("u"))];
    check(V3, &connect, "10 10 00044d515454 04 82 003c 000163 000175");
    let lie = [connect.as_slice(), &[("connect_flags", int(1)), ("protocol_level", int(9))]].concat();
    check(V3, &lie, "10 10 00044d515454 09 01 003c 000163 000175");
    let will = [("type", text("connect")), ("will_topic", text("w")), ("will_qos", int(3)), ("will_delay", int(1))];
    check(V5, &will, "10 18 00044d515454 05 1e 003c 00 0000 05 1800000001 000177 0000");
    check(
        V3,
        &[("type", text("connect")), ("protocol_name", text("MQIsdp"))],
        "10 0e 00064d5149736470 04 02 003c 0000",
    );
}

#[test]
fn properties_stand_wherever_they_are_put() {
    let row = |fields: &[(&str, Value)]| Value::Table(table(fields));
    let twice =
        Value::List(vec![row(&[("id", int(0x11)), ("value", int(1))]), row(&[("id", int(0x11)), ("raw", text("ff"))])]);
    check(V5, &[("type", text("disconnect")), ("properties", twice)], "e0 09 00 07 1100000001 11ff");
    check(V5, &[("type", text("pingreq")), ("topic_alias", int(3))], "c0 04 03 230003");
    check(V5, &[("type", text("disconnect")), ("reason", int(0)), ("property_length", int(200))], "e0 03 00 c801");
    let unknown = Value::List(vec![row(&[("id", int(0x7f)), ("value", text("x"))])]);
    check(V5, &[("type", text("publish")), ("topic", text("a")), ("properties", unknown)], "30 08 000161 04 7f000178");
    let forced = Value::List(vec![row(&[("id", int(0x11)), ("as", text("byte")), ("value", int(1))])]);
    check(V5, &[("type", text("auth")), ("reason", int(0x18)), ("properties", forced)], "f0 04 18 02 1101");
    let pairs = Value::List(vec![Value::List(vec![text("k"), text("v")]), Value::List(vec![text("k"), text("w")])]);
    let disconnect = [("type", text("disconnect")), ("user_properties", pairs)];
    check(V5, &disconnect, "e0 10 00 0e 2600016b000176 2600016b000177");
}

#[test]
fn reasons_may_be_left_out_from_the_end() {
    check(V5, &[("type", text("puback")), ("packet_id", int(7))], "40 02 0007");
    check(V5, &[("type", text("puback")), ("packet_id", int(7)), ("reason", int(0x87))], "40 03 0007 87");
    check(V5, &[("type", text("disconnect"))], "e0 00");
    check(V5, &[("type", text("auth")), ("reason", int(0x18))], "f0 02 18 00");
}

#[test]
fn filters_may_be_none_one_or_several() {
    let subscribe = |more: &[(&'static str, Value)]| [&[("type", text("subscribe"))], more].concat();
    check(V3, &subscribe(&[]), "82 02 0001");
    check(V3, &subscribe(&[("filter", text("#")), ("qos", int(1))]), "82 06 0001 000123 01");
    let own = Value::Table(table(&[("filter", text("+")), ("options", int(0xff))]));
    check(
        V5,
        &subscribe(&[("filters", Value::List(vec![text("#"), own])), ("no_local", true.into())]),
        "82 0b 0001 00 000123 04 00012b ff",
    );
    check(V3, &[("type", text("unsubscribe")), ("filter", text("#"))], "a2 05 0001 000123");
}

#[test]
fn texts_may_be_bytes_and_may_be_long() {
    let bad = Value::Table(table(&[("hex", text("c0 80"))]));
    check(V3, &[("type", text("publish")), ("topic", bad)], "30 04 0002c080");
    let long = Value::Table(table(&[("repeat", text("ab")), ("times", int(2))]));
    check(V3, &[("type", text("publish")), ("topic", text("a")), ("payload", long)], "30 07 000161 61626162");
    let size = Value::Table(table(&[("size", int(3))]));
    check(V3, &[("type", text("publish")), ("topic", text("a")), ("payload", size)], "30 06 000161 787878");
}

#[test]
fn a_type_is_a_name_or_a_number() {
    check(V3, &[("type", int(0))], "00 00");
    check(V3, &[("type", int(15)), ("flags", int(3))], "f3 00");
    refuse(&[("type", int(16))], "type");
    refuse(&[("type", text("publsh"))], "type");
    refuse(&[], "type");
}

#[test]
fn a_mistake_has_its_key() {
    let frame = |key: &'static str, value| [("type", text("publish")), (key, value)];
    refuse(&frame("tpic", text("a")), "tpic");
    refuse(&frame("qos", int(4)), "qos");
    refuse(&frame("retain", text("yes")), "retain");
    refuse(&frame("body", text("0")), "body");
    refuse(&frame("packet_id", int(65_536)), "packet_id");
    refuse(&frame("topic", Value::Table(table(&[("size", int(-1))]))), "topic");
    refuse(&frame("properties", int(3)), "properties");
}
