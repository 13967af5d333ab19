//! Laws of frames: what is said is written, sense or nonsense.
use super::*;
use proofhouse_core::value::hex;

fn fields(all: &[(&str, Value)]) -> Fields {
    Fields(all.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect())
}

fn built(all: &[(&str, Value)]) -> String {
    let mut out = Vec::new();
    build(&fields(all), &mut out).unwrap_or_else(|m| panic!("{m:?}"));
    hex(&out)
}

fn option(all: &[(&str, Value)]) -> Value {
    Value::List([Value::Table(fields(all))].into())
}

fn refused(all: &[(&str, Value)]) -> Mistake {
    build(&fields(all), &mut Vec::new()).unwrap_err()
}

#[test]
fn options_are_written_by_number_however_they_are_named() {
    let get = [
        ("code", "get".into()),
        ("mid", Value::Int(1)),
        ("token", "aa bb".into()),
        ("query", "x=1".into()),
        ("path", "/a/b".into()),
        ("observe", Value::Int(0)),
        ("options", option(&[("number", Value::Int(9)), ("value", "ff".into())])),
    ];
    assert_eq!(built(&get), "42010001aabb6031ff2161016243783d31");
}

#[test]
fn a_path_is_cut_at_slashes_and_a_list_is_taken_as_it_is() {
    let path = |path: Value| built(&[("code", "get".into()), ("path", path)]);
    assert_eq!(path("/".into()), "40010000");
    assert_eq!(path("a//b".into()), "40010000b161000162");
    assert_eq!(path(Value::List(["a/b".into(), "..".into()].into())), "40010000b3612f62022e2e");
}

#[test]
fn numbers_take_as_few_bytes_as_they_can() {
    let format = |n: i64| built(&[("code", Value::Int(0x45)), ("content_format", Value::Int(n))]);
    assert_eq!([format(0), format(40), format(256)], ["40450000c0", "40450000c128", "40450000c20100"]);
    assert_eq!(built(&[("code", "2.05".into()), ("block2", "2/1/64".into())]), "40450000d10a2a");
}

#[test]
fn nonsense_is_written_as_it_is_said() {
    assert_eq!(built(&[("version", Value::Int(3)), ("type", Value::Int(2)), ("tkl", Value::Int(15))]), "ef000000");
    assert_eq!(built(&[("code", "get".into()), ("marker", true.into())]), "40010000ff");
    assert_eq!(built(&[("code", "get".into()), ("payload", "x".into()), ("marker", false.into())]), "4001000078");
    assert_eq!(built(&[("code", "get".into()), ("raw", "f0".into())]), "40010000f0");
    assert_eq!(built(&[("code", "get".into()), ("truncate", Value::Int(3))]), "400100");
    assert_eq!(built(&[("token", "00112233445566778899".into())]), "4a00000000112233445566778899");
}

#[test]
fn a_raw_option_may_lie_about_its_distance_and_its_length() {
    let with = |all: &[(&str, Value)]| built(&[("code", "get".into()), ("options", option(all))]);
    assert_eq!(with(&[("delta", Value::Int(65_804)), ("value", "".into())]), "40010000e0ffff");
    assert_eq!(with(&[("delta_nibble", Value::Int(15))]), "40010000f0");
    assert_eq!(with(&[("delta_nibble", Value::Int(13)), ("delta_hex", "".into())]), "40010000d0");
    assert_eq!(
        with(&[("number", Value::Int(11)), ("length", Value::Int(300)), ("value", "61".into())]),
        "40010000be001f61"
    );
    assert_eq!(with(&[("number", Value::Int(11)), ("length_nibble", Value::Int(15))]), "40010000bf");
}

#[test]
fn an_option_may_stand_there_a_thousand_times() {
    let times = option(&[("number", Value::Int(15)), ("value", "61".into()), ("times", Value::Int(3))]);
    assert_eq!(built(&[("code", "get".into()), ("options", times)]), "40010000d10261016101 61".replace(' ', ""));
    let by = option(&[("delta", Value::Int(2)), ("times", Value::Int(2))]);
    assert_eq!(built(&[("code", "get".into()), ("options", by)]), "400100002020");
}

#[test]
fn what_cannot_be_written_names_its_key() {
    for (field, value) in [
        ("type", Value::from("con2")),
        ("type", Value::Int(4)),
        ("code", Value::from("2.5")),
        ("code", Value::from("8.00")),
        ("mid", Value::Int(65_536)),
        ("tkl", Value::Int(16)),
        ("token", Value::from("abc")),
        ("observe", Value::from("x")),
        ("block1", Value::from("1/1/65")),
        ("marker", Value::Int(1)),
        ("if_none_match", Value::Int(1)),
        ("payload", Value::Bool(true)),
    ] {
        assert_eq!(refused(&[(field, value.clone())]).key, field, "{value}");
    }
    assert!(refused(&[("paht", "/a".into())]).what.contains("known are type, code, mid"));
    assert_eq!(refused(&[("options", option(&[("value", "00".into())]))]).key, "options");
    assert_eq!(refused(&[("options", option(&[("number", Value::Int(1)), ("delta", Value::Int(1))]))]).key, "options");
    assert_eq!(refused(&[("options", option(&[("nummer", Value::Int(1))]))]).key, "options");
}
