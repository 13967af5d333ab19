//! Whether a packet is what a step awaits. Pure: packets and expectations in, a decision out.
use alloc::string::{String, ToString};

use crate::connection::Close;
use crate::oracle::canary::carries;
use crate::plan::Alternative;
use crate::protocol::{Answers, Awaits};
use crate::time::Duration;
use crate::transcript::Packet;
use crate::value::Value;
use crate::wanted;

/// What the protocol's words for groups of values mean, in one version.
#[derive(Clone, Copy)]
pub(crate) struct Class<'a> {
    pub(crate) version: &'a str,
    pub(crate) of: fn(&str, &Packet, &str, &str) -> Option<bool>,
}

/// What a step makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is what the step awaits: the alternative, or `None` for the natural answer.
    Met(Option<usize>),
    /// It is of the awaited type, and wrong.
    Wrong,
    /// It is about something else.
    Other,
}

/// What a step awaits: one of its alternatives, or else the natural answer.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) any: &'a [Alternative],
    pub(crate) natural: Option<&'a Awaits>,
    pub(crate) class: Class<'a>,
    /// The characters of each alternative's canary.
    pub(crate) canary: &'a dyn Fn(crate::ids::CanaryId) -> &'a str,
}

impl Wanted<'_> {
    /// Looks at one packet. Only an answer can be a wrong one: a message of somebody else with other content is about something
    /// else, unless it carries the canary that is awaited.
    pub(super) fn look(&self, packet: &Packet, answers: Answers) -> Sight {
        match (self.look_at(packet), answers) {
            (Sight::Wrong, Answers::Bystander) => Sight::Other,
            (Sight::Wrong, Answers::Message) if !self.is_ours(packet) => Sight::Other,
            (sight, _) => sight,
        }
    }

    fn look_at(&self, packet: &Packet) -> Sight {
        let ours = self.natural.is_none_or(|natural| natural.kind != packet.kind || holds(natural, packet));
        if !ours {
            // The answer to another request: same type, other packet id.
            let named = self.any.iter().position(|a| names_natural(a, self.natural) && self.fits(a, packet));
            return named.map_or(Sight::Other, |at| Sight::Met(Some(at)));
        }
        let answers = self.natural.is_some_and(|natural| natural.kind == packet.kind);
        if packet.malformed.is_empty() {
            if let Some(at) = self.any.iter().position(|a| self.fits(a, packet)) {
                return Sight::Met(Some(at));
            }
            if self.any.is_empty() && answers {
                return Sight::Met(None);
            }
        }
        if answers || self.any.iter().any(|a| is_about(a, packet)) { Sight::Wrong } else { Sight::Other }
    }

    /// The packet carries the canary of an alternative that is about its type.
    fn is_ours(&self, packet: &Packet) -> bool {
        let carried = |a: &Alternative| a.canary.is_some_and(|id| carries(packet, (self.canary)(id)));
        self.any.iter().any(|a| is_about(a, packet) && carried(a))
    }

    /// Every field of the alternative is one of its values, or of a class of the protocol; the canary stands in the packet.
    pub(crate) fn fits(&self, alternative: &Alternative, packet: &Packet) -> bool {
        if alternative.closed || alternative.silence.is_some() {
            return false;
        }
        let carries = alternative.canary.is_none_or(|id| carries(packet, (self.canary)(id)));
        let class = |packet: &Packet, name: &str, word: &str| (self.class.of)(self.class.version, packet, name, word);
        carries && wanted::fits(&alternative.fields, packet, &class)
    }
}

fn holds(natural: &Awaits, packet: &Packet) -> bool {
    natural.fields.iter().all(|(name, value)| packet.fields.find(name) == Some(value))
}

/// The alternative itself says one of the fields by which the natural answer is told from others.
fn names_natural(alternative: &Alternative, natural: Option<&Awaits>) -> bool {
    natural.is_some_and(|n| n.fields.iter().any(|(name, _)| alternative.fields.iter().any(|(f, _)| f == name)))
}

/// The alternative names the packet's type; or no type at all, but only fields that the packet has.
pub(crate) fn is_about(alternative: &Alternative, packet: &Packet) -> bool {
    match alternative.fields.iter().find(|(name, _)| name == "type") {
        Some((_, values)) => wanted::is_type(packet, values),
        None => {
            let stands = |name: &str| packet.fields.find(name).is_some();
            !alternative.fields.is_empty() && alternative.fields.iter().all(|(name, _)| stands(name))
        }
    }
}

/// A packet in a few words: its type, its numbers, what is true of it, and its short texts.
pub(super) fn brief(packet: &Packet) -> String {
    const LONGEST: usize = 48;
    let mut text = packet.kind.clone();
    for (name, value) in packet.fields.iter() {
        let told = match value {
            Value::Bool(told) => *told,
            Value::Text(short) => short.len() <= LONGEST,
            Value::Bytes(short) => short.len() * 2 <= LONGEST,
            Value::Int(_) | Value::Float(_) | Value::List(_) => true,
            Value::Table(_) => false,
        };
        if told {
            let item = alloc::format!(" {name}={value}");
            text.push_str(if item.len() > LONGEST * 2 { " ..." } else { &item });
        }
    }
    if !packet.malformed.is_empty() {
        text.push_str(&alloc::format!(" (malformed: {})", packet.malformed));
    }
    text
}

/// What is awaited, in a few words.
pub(super) fn in_words(any: &[Alternative], natural: Option<&Awaits>) -> String {
    let mut words: alloc::vec::Vec<String> = any.iter().map(alternative).collect();
    if let (true, Some(natural)) = (any.is_empty(), natural) {
        let mut text = natural.kind.to_string();
        for (name, value) in &natural.fields {
            text.push_str(&alloc::format!(" {name}={value}"));
        }
        words.push(text);
    }
    words.join(" or ")
}

fn alternative(one: &Alternative) -> String {
    if one.closed {
        return "connection closed".into();
    }
    if let Some(length) = one.silence {
        return alloc::format!("{} of silence", span(length));
    }
    let named = |name: &str| one.fields.iter().find(|(f, _)| f == name);
    let mut text = named("type").map_or_else(|| "a packet".to_string(), |(_, values)| join(values));
    for (name, values) in one.fields.iter().filter(|(f, _)| f != "type") {
        text.push_str(&alloc::format!(" {name}={}", join(values)));
    }
    if one.canary.is_some() {
        text.push_str(" with the canary");
    }
    text
}

fn join(values: &[Value]) -> String {
    let all: alloc::vec::Vec<String> = values.iter().map(ToString::to_string).collect();
    all.join("|")
}

/// How a connection ended, as people say it.
pub(super) fn close_name(how: Close) -> &'static str {
    match how {
        Close::Fin => "fin",
        Close::Reset => "reset",
        Close::Refused => "refused",
        Close::TimedOut => "timed out",
        Close::LocalLimit => "local limit",
    }
}

/// A duration in its largest whole unit.
pub(super) fn span(length: Duration) -> String {
    let nanos = length.as_nanos();
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let (unit, one) = units.into_iter().find(|(_, one)| nanos.is_multiple_of(*one)).unwrap_or(("ns", 1));
    alloc::format!("{}{unit}", nanos / one)
}
