//! The vocabulary of a protocol's packets: which types and fields there are, and what a field may hold. An expectation that names
//! another is never met, or met by everything: it is refused where it is read.
use alloc::format;
use alloc::string::String;

use crate::document::{Mistake, Span};
use crate::protocol::Protocol;
use crate::transcript::Packet;
use crate::value::{Fields, Value};
use crate::wanted;

/// What a field of a packet holds. A truth may be asked of any: whether it is there.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A whole number.
    Number,
    /// Text or bytes.
    Text,
    /// True or false.
    Truth,
    /// Text of this form.
    Word(fn(&str) -> bool),
}

/// Every type of packet that its protocol tells of, and every field.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What `type` may be.
    pub kinds: &'static [&'static str],
    /// Tables of fields, each with its form.
    pub fields: &'static [&'static [(&'static str, Form)]],
}

impl Words {
    fn fields(&self) -> impl Iterator<Item = (&'static str, Form)> {
        self.fields.iter().copied().flatten().copied()
    }

    fn form(&self, field: &str) -> Option<Form> {
        self.fields().find(|(name, _)| *name == field).map(|(_, form)| form)
    }

    /// Whether a packet is told in these words; the first that is not.
    #[must_use]
    pub fn lacks(&self, packet: &Packet) -> Option<String> {
        if !self.kinds.contains(&packet.kind.as_str()) {
            return Some(format!("type {}", packet.kind));
        }
        let odd = |(name, value): &(&str, &Value)| self.form(name).is_none_or(|form| !holds(form, value));
        packet.fields.iter().find(odd).map(|(name, value)| format!("{name} = {value:?}"))
    }
}

/// Whether a field of this form holds such a value; of a list, each.
fn holds(form: Form, value: &Value) -> bool {
    match (form, value) {
        (_, Value::List(all)) => all.iter().all(|one| holds(form, one)),
        (Form::Number, Value::Int(_)) | (Form::Truth, Value::Bool(_)) => true,
        (Form::Text, Value::Text(_) | Value::Bytes(_)) => true,
        (Form::Word(is), Value::Text(text)) => is(text),
        _ => false,
    }
}

/// Refuses a field of an expectation that no packet has, or a value that it never holds. `kind`: the type of packet that is expected.
///
/// # Errors
/// Names the word at its place, with what may be meant.
pub(crate) fn check(
    protocol: &Protocol,
    version: &str,
    kind: Option<&str>,
    (name, values): (&str, &[Value]),
    span: Span,
) -> Result<(), Mistake> {
    let Some(words) = protocol.words else { return Ok(()) };
    if name == "type" {
        let wrong =
            values.iter().find(|value| !is_open(value) && !value.as_text().is_some_and(|t| words.kinds.contains(&t)));
        return wrong.map_or(Ok(()), |value| {
            Err(Mistake::unknown(span, "type of packet", value.as_text().unwrap_or_default(), words.kinds))
        });
    }
    let Some(form) = words.form(name) else {
        let known = words.fields().map(|(known, _)| known).chain(["type", "closed", "silence", "canary", "bind"]);
        return Err(Mistake::unknown(span, "field of a packet", name, known));
    };
    let packet = Packet { kind: kind.unwrap_or_default().into(), fields: Fields::default(), malformed: String::new() };
    let is_class =
        |value: &Value| value.as_text().is_some_and(|word| (protocol.class)(version, &packet, name, word).is_some());
    let odd =
        |value: &Value| !is_open(value) && !matches!(value, Value::Bool(_)) && !holds(form, value) && !is_class(value);
    let parts = values.iter().flat_map(wanted::parts);
    for (value, only_a_number) in parts {
        if only_a_number && !matches!(form, Form::Number) {
            return Err(Mistake::new(span, format!("{name}: no number stands there that could be more or less")));
        }
        if odd(value) {
            let text = format!("{name}: no packet has {value} there, and it names no group of values");
            return Err(Mistake::new(span, text));
        }
    }
    Ok(())
}

/// Filled in later.
fn is_open(value: &Value) -> bool {
    value.as_text().is_some_and(|text| text.starts_with('$'))
}
