//! Plain values: fields of packets, keys of behaviours, things that are bound.
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value without a place in a file. Tables keep the order in which their keys were set.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes that are not text; `{"hex": "00ff"}` in JSON.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<Value>),
    /// Named values.
    Table(Fields),
}

/// Named values in a fixed order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(pub Vec<(String, Value)>);

impl Fields {
    /// The value of `name`, where it is set.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets `name`, in place where it stands already.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_string(), value)),
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The whole number at `name`.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        self.find(name).and_then(Value::as_int)
    }

    /// The text at `name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(Value::as_text)
    }

    /// The truth at `name`.
    #[must_use]
    pub fn truth(&self, name: &str) -> Option<bool> {
        match self.find(name) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl Value {
    /// A table of these keys, in this order.
    #[must_use]
    pub fn table(keys: &[(&str, Value)]) -> Value {
        Value::Table(Fields(keys.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect()))
    }

    /// The number, where it is a whole one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a text or of bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values of a list; a single value is a list of one.
    #[must_use]
    pub fn as_slice(&self) -> &[Value] {
        match self {
            Value::List(all) => all,
            one => core::slice::from_ref(one),
        }
    }

    /// Bytes as text where they are UTF-8 without control characters, else as bytes.
    #[must_use]
    pub fn from_payload(bytes: &[u8]) -> Value {
        match core::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => Value::Text(text.to_string()),
            _ => Value::Bytes(bytes.to_vec()),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Value {
        Value::Int(i64::from(n))
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
impl From<Vec<Value>> for Value {
    fn from(all: Vec<Value>) -> Value {
        Value::List(all)
    }
}
impl From<Fields> for Value {
    fn from(fields: Fields) -> Value {
        Value::Table(fields)
    }
}

impl fmt::Display for Value {
    /// As a person reads it: text bare but for control characters (a peer's text must not steer a terminal), bytes as hex, lists in
    /// brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x}"),
            Value::Text(text) => text.chars().try_for_each(|c| match c.is_control() {
                true => write!(f, "{}", c.escape_default()),
                false => f.write_char(c),
            }),
            Value::Bytes(bytes) => write!(f, "{}", hex(bytes)),
            Value::List(all) => {
                write!(f, "[")?;
                for (i, value) in all.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                write!(f, "]")
            }
            Value::Table(fields) => write!(f, "{{{fields}}}"),
        }
    }
}

impl fmt::Display for Fields {
    /// `name=value name=value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.iter().enumerate() {
            write!(f, "{}{key}={value}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Lower-case hex digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// The bytes of hex digits; white space between pairs is allowed.
///
/// # Errors
/// Says which character is no hex digit, or that a digit is missing.
pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        let digit = c.to_digit(16).ok_or_else(|| alloc::format!("{c:?} is not a hex digit"))?;
        digits.push(u8::try_from(digit).expect("a hex digit is below 16"));
    }
    if digits.len() % 2 == 1 {
        return Err(alloc::format!("{} hex digits: one is missing", digits.len()));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(b) => to.serialize_bool(*b),
            Value::Int(n) => to.serialize_i64(*n),
            Value::Float(x) => to.serialize_f64(*x),
            Value::Text(text) => to.serialize_str(text),
            Value::Bytes(bytes) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("hex", &hex(bytes))?;
                map.end()
            }
            Value::List(all) => to.collect_seq(all),
            Value::Table(fields) => fields.serialize(to),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fields, D::Error> {
        from.deserialize_map(NamedValues)
    }
}

/// Always a table: a packet whose only field is called `hex` is no bytes.
struct NamedValues;

impl<'de> Visitor<'de> for NamedValues {
    type Value = Fields;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "named values")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_entry()? {
            fields.0.push(field);
        }
        Ok(fields)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value")
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }
    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        i64::try_from(n).map(Value::Int).map_err(|_| E::custom("a number above 2^63 - 1"))
    }
    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = seq.next_element()? {
            all.push(value);
        }
        Ok(Value::List(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let fields = NamedValues.visit_map(map)?;
        if let [(key, Value::Text(text))] = fields.0.as_slice()
            && key == "hex"
        {
            return unhex(text).map(Value::Bytes).map_err(de::Error::custom);
        }
        Ok(Value::Table(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_text_cannot_steer_a_terminal_or_break_a_line() {
        let told = Value::from("caf\u{e9}\u{1b}[2J\n\u{9b}x").to_string();
        assert_eq!(told, "caf\u{e9}\\u{1b}[2J\\n\\u{9b}x");
    }
}
