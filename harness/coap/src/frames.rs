//! Builds a datagram out of named fields and judges nothing: every field is written, even where it is illegal.
//!
//! Legal steps are built here too, and then have to be a message (see [`crate::steps`]).
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::value::{Fields, Value, unhex};

use crate::codec::{Code, Delta, Frame, Kind, Length, RawOption, UintBytes};
use crate::names::{self, BlockWords, Form};

/// What is wrong with which key of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// A part of a frame, or what is wrong with it.
pub type Built<T> = Result<T, Mistake>;

pub(crate) fn mistake<T>(key: &str, what: impl Into<String>) -> Built<T> {
    Err(Mistake { key: key.to_string(), what: what.into() })
}

/// Keys of a frame beside the names of options.
pub const KEYS: [&str; 11] =
    ["type", "code", "mid", "token", "tkl", "version", "options", "marker", "payload", "raw", "truncate"];
/// Keys of one raw option.
const OPTION_KEYS: [&str; 9] =
    ["number", "delta", "delta_nibble", "delta_hex", "length", "length_nibble", "length_hex", "value", "times"];
/// How often one option is repeated at most: one byte each fills a datagram.
const TIMES_MAX: u32 = 0xffff;

/// Appends the datagram that `fields` describe. What they do not say: CON, code 0.00, message id 0, no token.
///
/// # Errors
/// A key that no frame has, or a value that cannot stand there.
pub fn build(fields: &Fields, out: &mut Vec<u8>) -> Built<()> {
    frame(fields)?.encode(out);
    Ok(())
}

fn frame(fields: &Fields) -> Built<Frame> {
    for (key, _) in fields.iter() {
        if !KEYS.contains(&key) && names::option(key).is_none() {
            let known: Vec<&str> = KEYS.into_iter().chain(names::OPTIONS.iter().map(|(name, ..)| *name)).collect();
            return mistake(key, format!("no frame has such a field; known are {}", known.join(", ")));
        }
    }
    let truth = |key: &str| match fields.find(key) {
        None => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(other) => mistake(key, format!("{other} is neither true nor false")),
    };
    Ok(Frame {
        version: number(fields, "version", 3)?.unwrap_or(1) as u8,
        kind: kind(fields)?,
        tkl: number(fields, "tkl", 15)?.map(|tkl| tkl as u8),
        code: code(fields)?.0,
        mid: number(fields, "mid", 0xffff)?.unwrap_or(0) as u16,
        token: fields.find("token").map(|value| opaque("token", value)).transpose()?.unwrap_or_default(),
        options: options(fields)?,
        marker: truth("marker")?,
        payload: fields.find("payload").map(|value| text("payload", value)).transpose()?.unwrap_or_default(),
        tail: fields.find("raw").map(|value| opaque("raw", value)).transpose()?.unwrap_or_default(),
        truncate: number(fields, "truncate", 0xffff)?.map(|most| most as usize),
    })
}

/// `con`, `non`, `ack`, `rst`, or a number from 0 to 3; CON where nothing is said.
fn kind(fields: &Fields) -> Built<u8> {
    match fields.find("type") {
        None => Ok(Kind::Con.bits()),
        Some(Value::Int(bits @ 0..=3)) => Ok(*bits as u8),
        Some(Value::Text(name)) if Kind::from_name(name).is_some() => Ok(Kind::from_name(name).map_or(0, Kind::bits)),
        Some(other) => mistake("type", format!("{other} is none of con, non, ack, rst, nor a number from 0 to 3")),
    }
}

/// `0.01`, `get`, or a number from 0 to 255; 0.00 where nothing is said.
fn code(fields: &Fields) -> Built<Code> {
    match fields.find("code") {
        None => Ok(Code::EMPTY),
        Some(Value::Int(byte @ 0..=255)) => Ok(Code(*byte as u8)),
        Some(Value::Text(text)) => match Code::from_method(text).map_or_else(|| text.parse(), Ok) {
            Ok(code) => Ok(code),
            Err(what) => mistake("code", format!("{text:?}: {what}, or it is a method such as \"get\"")),
        },
        Some(other) => mistake("code", format!("{other} is no code: it reads \"0.01\" or \"get\"")),
    }
}

/// Named options and raw ones by number, in the order of their numbers; where a raw one says a distance, the raw ones stand after
/// the named ones as they are written.
fn options(fields: &Fields) -> Built<Vec<RawOption>> {
    let mut all: Vec<(u16, RawOption)> = Vec::new();
    for (name, option, form) in names::OPTIONS {
        if let Some(value) = fields.find(name) {
            let values = values(name, form, value)?;
            all.extend(values.iter().map(|value| (option, RawOption::new(option, value))));
        }
    }
    let raw = fields.find("options").map(Value::as_slice).unwrap_or_default();
    let raw: Vec<(Option<u16>, RawOption)> = raw.iter().map(raw_options).collect::<Built<Vec<_>>>()?.concat();
    if raw.iter().all(|(number, _)| number.is_some()) {
        all.extend(raw.into_iter().filter_map(|(number, option)| Some((number?, option))));
        all.sort_by_key(|(number, _)| *number);
        return Ok(all.into_iter().map(|(_, option)| option).collect());
    }
    Ok(all.into_iter().map(|(_, option)| option).chain(raw.into_iter().map(|(_, option)| option)).collect())
}

/// The values that a named option has, one for each time that it stands there.
fn values(name: &str, form: Form, value: &Value) -> Built<Vec<Vec<u8>>> {
    let several = |each: &dyn Fn(&Value) -> Built<Vec<u8>>| value.as_slice().iter().map(each).collect();
    match (form, value) {
        (_, Value::Bool(false)) => Ok(Vec::new()),
        (Form::Path, Value::Text(path)) => {
            let path = path.strip_prefix('/').unwrap_or(path);
            Ok(path.split('/').filter(|_| !path.is_empty()).map(|segment| segment.as_bytes().to_vec()).collect())
        }
        (Form::Query, Value::Text(query)) => {
            Ok(query.split('&').filter(|_| !query.is_empty()).map(|argument| argument.as_bytes().to_vec()).collect())
        }
        (Form::Path | Form::Query | Form::Text, _) => several(&|one| text(name, one)),
        (Form::Opaque, _) => several(&|one| opaque(name, one)),
        (Form::Flag, Value::Bool(true)) => Ok(alloc::vec![Vec::new()]),
        (Form::Flag, other) => mistake(name, format!("{other} is neither true nor false")),
        (Form::Uint, _) => several(&|one| match one {
            Value::Int(number) if u32::try_from(*number).is_ok() => {
                Ok(UintBytes::new(*number as u32).as_bytes().to_vec())
            }
            other => mistake(name, format!("{other} is no number from 0 to {}", u32::MAX)),
        }),
        (Form::Block, _) => several(&|one| block(name, one)),
    }
}

fn block(name: &str, value: &Value) -> Built<Vec<u8>> {
    let number = match value {
        Value::Text(text) => BlockWords::parse(text).map(BlockWords::value).or_else(|what| mistake(name, what))?,
        Value::Int(number) if u32::try_from(*number).is_ok() => *number as u32,
        other => return mistake(name, format!("{other} is no block: it reads \"num/more/size\"")),
    };
    Ok(UintBytes::new(number).as_bytes().to_vec())
}

/// `{ number | delta | delta_nibble, length | length_nibble, value, times }`: so many of them, one where it does not say.
fn raw_options(value: &Value) -> Built<Vec<(Option<u16>, RawOption)>> {
    let Value::Table(table) = value else {
        return mistake("options", format!("{value} is no option: write {{ number = 65000, value = \"00\" }}"));
    };
    if let Some((key, _)) = table.iter().find(|(key, _)| !OPTION_KEYS.contains(key)) {
        return mistake("options", format!("no option has {key:?}; known are {}", OPTION_KEYS.join(", ")));
    }
    let within = |key: &str, most: u32| number(table, key, most).map_err(|m| Mistake { key: "options".into(), ..m });
    let bytes = |key: &str| table.find(key).map(|value| opaque("options", value)).transpose();
    let nibble = |key: &str| within(key, 15).map(|found| found.map(|nibble| nibble as u8));
    let known = within("number", 0xffff)?.map(|number| number as u16);
    let delta = match (known, within("delta", u32::MAX)?, nibble("delta_nibble")?) {
        (Some(number), None, None) => Delta::Number(number),
        (None, Some(delta), None) => Delta::By(delta),
        (None, None, Some(nibble)) => Delta::Raw(nibble, bytes("delta_hex")?.unwrap_or_default()),
        _ => return mistake("options", "an option has one of number, delta and delta_nibble"),
    };
    let length = match (within("length", u32::MAX)?, nibble("length_nibble")?) {
        (None, None) => Length::Actual,
        (Some(length), None) => Length::Claimed(length),
        (None, Some(nibble)) => Length::Raw(nibble, bytes("length_hex")?.unwrap_or_default()),
        _ => return mistake("options", "an option has length or length_nibble, not both"),
    };
    let times = within("times", TIMES_MAX)?.unwrap_or(1) as usize;
    Ok(alloc::vec![(known, RawOption { delta, length, value: bytes("value")?.unwrap_or_default() }); times])
}

fn number(fields: &Fields, key: &str, most: u32) -> Built<Option<u32>> {
    match fields.find(key) {
        None => Ok(None),
        Some(Value::Int(number)) if (0..=i64::from(most)).contains(number) => Ok(Some(*number as u32)),
        Some(other) => mistake(key, format!("{other} is no number from 0 to {most}")),
    }
}

/// Text is itself.
pub(crate) fn text(key: &str, value: &Value) -> Built<Vec<u8>> {
    match value {
        Value::Text(text) => Ok(text.as_bytes().to_vec()),
        Value::Int(number) => Ok(number.to_string().into_bytes()),
        other => made(key, other),
    }
}

/// Text is hex digits.
pub(crate) fn opaque(key: &str, value: &Value) -> Built<Vec<u8>> {
    match value {
        Value::Text(text) => unhex(text).or_else(|what| mistake(key, what)),
        other => made(key, other),
    }
}

/// Bytes as they are; `{ hex = "ff" }`, `{ text = "a" }`, `{ size = 100 }` (that many `x`), `{ repeat = "ab", times = 9 }`.
fn made(key: &str, value: &Value) -> Built<Vec<u8>> {
    /// A datagram holds less.
    const MOST: i64 = 1 << 20;
    if let Value::Bytes(bytes) = value {
        return Ok(bytes.clone());
    }
    let Value::Table(table) = value else { return mistake(key, format!("{value} is no text")) };
    match (table.text("hex"), table.text("text"), table.int("size"), table.text("repeat"), table.int("times")) {
        (Some(hex), ..) => unhex(hex).or_else(|what| mistake(key, what)),
        (_, Some(text), ..) => Ok(text.as_bytes().to_vec()),
        (_, _, Some(size @ 0..=MOST), ..) => Ok(alloc::vec![b'x'; size as usize]),
        (_, _, _, Some(text), Some(times @ 0..=MOST)) if (text.len() as i64).saturating_mul(times) <= MOST => {
            Ok(text.as_bytes().repeat(times as usize))
        }
        _ => mistake(
            key,
            "write a text, { hex = \"...\" }, { text = \"...\" }, { size = n } or { repeat = \"...\", times = n }",
        ),
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
