//! What may be seen: `expect = { .. }` is one outcome, `any = [ .. ]` several.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::Context;
use crate::document::{Keys, Mistake, Span};
use crate::ids::BindId;
use crate::plan::Alternative;
use crate::protocol::Protocol;
use crate::value::Value;
use crate::{wanted, words};

/// Who hears the answer, and in which words.
pub(super) struct Hears<'a> {
    pub(super) fleet: &'a str,
    /// `None`: an administrator, or a protocol that nobody knows.
    pub(super) protocol: Option<&'a Protocol>,
    pub(super) version: &'a str,
}

impl Hears<'_> {
    fn check(&self, kind: Option<&str>, field: (&str, &[Value]), span: Span) -> Result<(), Mistake> {
        self.protocol.map_or(Ok(()), |protocol| words::check(protocol, self.version, kind, field, span))
    }
}

/// The outcomes of a step; none where it awaits only its natural answer.
pub(super) fn all(keys: &mut Keys<'_>, hears: &Hears<'_>, cx: &Context<'_>) -> Result<Vec<Alternative>, Mistake> {
    let span = keys.span_of("any");
    let one = keys.table("expect")?.map(|keys| read(keys, hears, cx)).transpose()?;
    let any = keys.value("any").is_some();
    if one.is_some() && any {
        return Err(Mistake::new(span, "either expect or any, not both"));
    }
    let mut all: Vec<Alternative> = one.into_iter().collect();
    let (seed, path) = (cx.trial.seed, keys.path_of("any"));
    for (at, value) in keys.list("any")?.iter_mut().enumerate() {
        let keys = Keys::of(value, "an alternative")?.drawn(&format!("{path}.{at}"), seed);
        all.push(read(keys, hears, cx)?);
    }
    if any && all.is_empty() {
        return Err(Mistake::new(span, "any: an empty list is never met"));
    }
    let bound = keys.table("bind")?.map(|keys| bind(keys, hears, cx)).transpose()?.unwrap_or_default();
    if !bound.is_empty() && all.is_empty() {
        return Err(Mistake::new(keys.span_of("bind"), "bind keeps fields of an answer: say which in expect or any"));
    }
    for one in &mut all {
        one.bind.extend(bound.iter().cloned());
    }
    Ok(all)
}

/// One outcome: a closed connection, a silence, or a packet. Keys that were asked for already are not fields of the packet.
pub(super) fn read(mut keys: Keys<'_>, hears: &Hears<'_>, cx: &Context<'_>) -> Result<Alternative, Mistake> {
    let closed = keys.truth("closed")?;
    if closed == Some(false) {
        return Err(Mistake::new(keys.span_of("closed"), "closed = false says nothing; leave it out"));
    }
    let silence = keys.duration("silence")?;
    let canary = keys.text("canary")?.map(|name| cx.names.canary(&name, keys.span_of("canary"))).transpose()?;
    let bind = keys.table("bind")?.map(|keys| bind(keys, hears, cx)).transpose()?.unwrap_or_default();
    let mut fields = Vec::new();
    for key in keys.rest() {
        let values = keys.value(&key).map(|value| wanted::read(&key, value)).transpose()?.unwrap_or_default();
        fields.push((key, values));
    }
    for (name, values) in &fields {
        hears.check(kind_of(&fields), (name, values), keys.span_of(name))?;
    }
    let kinds = [closed.is_some(), silence.is_some(), canary.is_some() || !fields.is_empty() || !bind.is_empty()];
    match kinds.iter().filter(|kind| **kind).count() {
        1 => Ok(Alternative { closed: closed.is_some(), silence, fields, canary, bind }),
        0 => Err(Mistake::new(keys.span(), "an empty alternative would be met by anything")),
        _ => Err(Mistake::new(keys.span(), "an alternative is closed, a silence or a packet: give each its own { }")),
    }
}

/// The one type of packet that these fields are about.
fn kind_of(fields: &[(String, Vec<Value>)]) -> Option<&str> {
    let (_, kinds) = fields.iter().find(|(name, _)| name == "type")?;
    kinds.first().and_then(Value::as_text)
}

/// `{ mid = "n1.mid" }`: the answer's field, and the name that it is kept under.
fn bind(mut keys: Keys<'_>, hears: &Hears<'_>, cx: &Context<'_>) -> Result<Vec<(String, BindId)>, Mistake> {
    let mut all = Vec::new();
    for field in keys.rest() {
        let name = keys.text(&field)?.unwrap_or_default();
        // The first look at the file has collected every name that is bound anywhere.
        let full = format!("{}.{name}", hears.fleet);
        hears.check(None, (&field, &[]), keys.span_of(&field))?;
        let at = cx.names.binds.iter().position(|known| *known == full);
        let id = at.ok_or_else(|| Mistake::new(keys.span_of(&field), "bind stands in an answer that a step awaits"))?;
        all.push((field, BindId(id as u16)));
    }
    keys.finish()?;
    Ok(all)
}
