//! Fills in what is known only while a script plays: bound values, fresh message ids, canaries.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::ids::BindId;
use crate::plan::{Alternative, StepPlan};
use crate::value::{Fields, Value, hex};

/// What can be filled in.
pub(super) struct Fill<'a> {
    /// The texts that stand for bound values, with the values.
    bound: Vec<(&'a str, &'a Value)>,
    /// The step's canary.
    canary: Option<&'a str>,
    /// A fresh message id; only a raw or hostile step has `{mid}`.
    mid: Option<u16>,
}

impl<'a> Fill<'a> {
    /// Looks up the values that a step uses.
    ///
    /// # Errors
    /// Names the first that nobody has bound yet.
    pub(super) fn new(
        step: &'a StepPlan,
        value_of: impl Fn(BindId) -> Option<&'a Value>,
        canary: Option<&'a str>,
        mid: u16,
    ) -> Result<Fill<'a>, String> {
        let mut bound = Vec::with_capacity(step.uses.len());
        for (text, id) in &step.uses {
            let value = value_of(*id).ok_or_else(|| alloc::format!("{text} is not bound"))?;
            bound.push((text.as_str(), value));
        }
        // The longest first: "$a.mid2" must not be read as "$a.mid" and a 2.
        bound.sort_by_key(|(text, _)| core::cmp::Reverse(text.len()));
        Ok(Fill { bound, canary, mid: (step.verb == "send").then_some(mid) })
    }

    /// The step's fields, ready to be said. The canary is the payload, in a frame too where it has none of its own.
    pub(super) fn fields(&self, step: &StepPlan) -> Fields {
        let mut fields = self.table(&step.fields);
        let Some(canary) = self.canary else { return fields };
        match fields.0.iter_mut().find(|(key, _)| key == "frame" || key == "hex").map(|(_, value)| value) {
            Some(Value::Table(frame)) => plant(frame, canary),
            Some(Value::List(frames)) => {
                if let Some(Value::Table(frame)) = frames.last_mut() {
                    plant(frame, canary);
                }
            }
            Some(_) => {}
            None => plant(&mut fields, canary),
        }
        fields
    }

    /// The alternatives of a step, where any of them uses a bound value; else `None`: they stand as planned.
    pub(super) fn any(&self, step: &StepPlan) -> Option<Vec<Alternative>> {
        if self.bound.is_empty() || step.any.is_empty() {
            return None;
        }
        let mut any = step.any.clone();
        for value in any.iter_mut().flat_map(|a| &mut a.fields).flat_map(|(_, values)| values) {
            *value = self.value(value);
        }
        Some(any)
    }

    fn table(&self, fields: &Fields) -> Fields {
        Fields(fields.iter().map(|(key, value)| (key.to_string(), self.value(value))).collect())
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Text(text) => self.text(text),
            Value::List(all) => Value::List(all.iter().map(|one| self.value(one)).collect()),
            Value::Table(fields) => Value::Table(self.table(fields)),
            other => other.clone(),
        }
    }

    /// A text that is exactly one bound value becomes that value, of any type; inside a longer one it is put as hex.
    fn text(&self, text: &str) -> Value {
        if let Some((_, value)) = self.bound.iter().find(|(name, _)| *name == text) {
            return (*value).clone();
        }
        let mut filled = text.to_string();
        for (name, value) in &self.bound {
            if filled.contains(name) {
                filled = filled.replace(name, &as_hex(value));
            }
        }
        if let Some(mid) = self.mid {
            filled = filled.replace("{mid}", &hex(&mid.to_be_bytes()));
            if let Some(canary) = self.canary {
                filled = filled.replace("{canary}", &hex(canary.as_bytes()));
            }
        }
        Value::Text(filled)
    }
}

fn plant(fields: &mut Fields, canary: &str) {
    if fields.find("payload").is_none() && fields.find("body").is_none() {
        fields.set("payload", canary);
    }
}

/// Numbers as two bytes (four above 65535), texts and bytes as they are.
fn as_hex(value: &Value) -> String {
    match value {
        Value::Int(n) => match u16::try_from(*n) {
            Ok(short) => hex(&short.to_be_bytes()),
            Err(_) => hex(&(*n as u32).to_be_bytes()),
        },
        Value::Text(text) => hex(text.as_bytes()),
        Value::Bytes(bytes) => hex(bytes),
        other => other.to_string(),
    }
}
