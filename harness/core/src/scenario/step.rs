//! One step of a script.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::alternative::{self, Hears};
use super::context::{Context, Stop};
use crate::document::{Keys, Located, Mistake, Span};
use crate::ids::{BindId, MarkId};
use crate::part::Part;
use crate::plan::{Alternative, StepPlan};
use crate::protocol::{Protocol, Verb};
use crate::registry::Registry;
use crate::script::VERBS;
use crate::spread;
use crate::time::Duration;
use crate::value::{Fields, Value};

/// How long an answer is awaited where a step does not say.
const WITHIN: Duration = Duration::from_secs(5);

/// The fleet whose script is read.
pub(super) struct Speaker<'a> {
    pub(super) fleet: &'a str,
    /// `None`: an administrator.
    pub(super) protocol: Option<&'a Protocol>,
    pub(super) version: &'a str,
    pub(super) part: Option<Part>,
    /// What `{resource.x}` stands for; `None` where the target has everything.
    pub(super) resources: Option<&'a Fields>,
}

pub(super) fn read(value: &mut Located, place: u16, speaker: &Speaker<'_>, cx: &Context<'_>) -> Result<StepPlan, Stop> {
    let index = index(value, place)?;
    let mut step = keys(value, index, speaker, cx)?;
    step.fields = filled(step.fields, speaker.resources.map(|all| |name: &str| all.find(name).cloned()))?;
    if let Some(protocol) = speaker.protocol {
        (protocol.check)(speaker.version, &step).map_err(|(key, what)| Mistake::new(at(value, &key), what))?;
    }
    value.set("index", &Value::from(u32::from(index)));
    Ok(step)
}

fn index(value: &mut Located, place: u16) -> Result<u16, Mistake> {
    let mut keys = Keys::of(value, "a step")?;
    Ok(keys.int("index", 0..=i64::from(u16::MAX))?.map_or(place, |n| n as u16))
}

fn keys(value: &mut Located, index: u16, speaker: &Speaker<'_>, cx: &Context<'_>) -> Result<StepPlan, Stop> {
    let path = format!("fleet.{}.step.{index}", speaker.fleet);
    let mut keys = Keys::of(value, "a step")?.drawn(&path, cx.trial.seed);
    let _ = keys.value("index");
    let name = keys.text("do")?;
    let name = keys.need("do", name)?;
    let verb = verb(&name, keys.span_of("do"), speaker)?;
    let conn = keys.text("conn")?.unwrap_or_else(|| "main".to_string());
    let after = after(&mut keys, cx)?;
    let mark = keys.text("mark")?;
    let mark =
        mark.map(|mark| cx.names.mark(&format!("{}.{mark}", speaker.fleet), keys.span_of("mark"))).transpose()?;
    let part = keys.word("part", &Part::WORDS)?.or(speaker.part);
    let speaks_as = keys.text("as")?;
    let speaks_as = speaks_as.map(|party| cx.names.party(&party, keys.span_of("as"))).transpose()?;
    let hears = Hears { fleet: speaker.fleet, protocol: speaker.protocol, version: speaker.version };
    let any = alternative::all(&mut keys, &hears, cx)?;
    let within = within(&mut keys, &any)?;
    let canary = keys.text("canary")?.map(|name| cx.names.canary(&name, keys.span_of("canary"))).transpose()?;
    let pace = keys.text("pace")?.map(|text| pace(&text, keys.span_of("pace"))).transpose()?;
    let at = keys.duration("at")?;
    let wait = if name == "wait" { Some(keys.duration("for")?) } else { None };
    let wait = wait.map(|wait| keys.need("for", wait)).transpose()?.unwrap_or(Duration::ZERO);
    let skip = keys.truth("skip")?.unwrap_or(false);
    let (fields, mut uses) = own_keys(&mut keys, verb, cx)?;
    says_something(&name, &keys, &any, &fields, cx.trial.registry)?;
    let answered = any.iter().flat_map(|one| &one.fields).flat_map(|(_, values)| values);
    for value in answered {
        refer(value, keys.span(), cx, &mut uses)?;
    }
    keys.finish()?;
    Ok(StepPlan {
        index,
        verb: name,
        conn,
        after,
        mark,
        part,
        speaks_as,
        any,
        within,
        canary,
        pace,
        at,
        wait,
        skip,
        fields,
        uses,
    })
}

/// What only an administrator says; and what else of the general steps he may say.
const ADMIN: [&str; 5] = ["grant", "revoke", "rekey", "remove", "restart"];
const ADMIN_TOO: &str = "wait";

fn verb(name: &str, span: Span, speaker: &Speaker<'_>) -> Result<&'static Verb, Mistake> {
    let admin = speaker.protocol.is_none();
    let may_say = |verb: &&Verb| ADMIN.contains(&verb.name) == admin || verb.name == ADMIN_TOO;
    let own = speaker.protocol.map_or(&[][..], |protocol| protocol.verbs);
    let known = || VERBS.iter().filter(may_say).chain(own);
    known()
        .find(|verb| verb.name == name)
        .ok_or_else(|| Mistake::unknown(span, "step", name, known().map(|verb| verb.name)))
}

fn after(keys: &mut Keys<'_>, cx: &Context<'_>) -> Result<Vec<MarkId>, Mistake> {
    keys.texts("after")?.iter().map(|(name, span)| cx.names.mark(name, *span)).collect()
}

/// 5 s, or as long as the longest silence that is awaited.
fn within(keys: &mut Keys<'_>, any: &[Alternative]) -> Result<Duration, Mistake> {
    let silence = any.iter().filter_map(|one| one.silence).max().unwrap_or(Duration::ZERO);
    match keys.duration("within")? {
        Some(within) if within < silence => {
            let (silence, within) = (spread::duration_text(silence), spread::duration_text(within));
            Err(Mistake::new(keys.span_of("within"), format!("a silence of {silence} cannot be seen within {within}")))
        }
        Some(within) => Ok(within),
        None => Ok(WITHIN.max(silence)),
    }
}

/// `1B/10s`: bytes and period.
fn pace(text: &str, span: Span) -> Result<(u32, Duration), Mistake> {
    let said = || {
        let (bytes, period) = text.split_once('/')?;
        let bytes = bytes.strip_suffix('B')?.parse().ok().filter(|bytes| *bytes > 0)?;
        let period = spread::duration(period).ok().filter(|period| !period.is_zero())?;
        Some((bytes, period))
    };
    said().ok_or_else(|| {
        Mistake::new(span, format!("pace: expected bytes in a period such as \"1B/10s\", found {text:?}"))
    })
}

/// The keys that the verb knows, and the bound values that they use.
fn own_keys(keys: &mut Keys<'_>, verb: &Verb, cx: &Context<'_>) -> Result<(Fields, Vec<(String, BindId)>), Mistake> {
    let (mut fields, mut uses) = (Fields::default(), Vec::new());
    let unread = keys.rest();
    for key in verb.keys.iter().filter(|key| unread.iter().any(|name| name == key.name)) {
        let span = keys.span_of(key.name);
        let bound = match keys.value(key.name).and_then(|value| value.text()) {
            Some(text) => cx.names.bind(text, span)?.map(|_| Value::from(text)),
            None => None,
        };
        // A bound value has any type: what it holds is known only when it is bound.
        let Some(value) = bound.map_or_else(|| keys.row(key, false), |value| Ok(Some(value)))? else { continue };
        refer(&value, span, cx, &mut uses)?;
        if key.name == "party" {
            cx.names.party(value.as_text().unwrap_or_default(), span)?;
        }
        fields.set(key.name, value);
    }
    // Keys that every step knows and the verb knows too are the step's; the verb may still ask.
    for key in verb.keys {
        let _ = keys.value(key.name);
    }
    Ok((fields, uses))
}

fn refer(value: &Value, span: Span, cx: &Context<'_>, uses: &mut Vec<(String, BindId)>) -> Result<(), Mistake> {
    match value {
        Value::Text(text) => {
            if let Some(id) = cx.names.bind(text, span)?
                && !uses.iter().any(|(_, used)| *used == id)
            {
                uses.push((text.clone(), id));
            }
            Ok(())
        }
        Value::List(all) => all.iter().try_for_each(|one| refer(one, span, cx, uses)),
        Value::Table(fields) => fields.iter().try_for_each(|(_, one)| refer(one, span, cx, uses)),
        _ => Ok(()),
    }
}

/// Steps that would do nothing at all are slips of the pen.
fn says_something(
    verb: &str,
    keys: &Keys<'_>,
    any: &[Alternative],
    fields: &Fields,
    registry: &Registry,
) -> Result<(), Mistake> {
    let missing = |what: &str| Err(Mistake::new(keys.span(), what));
    match verb {
        "expect" if any.is_empty() => missing("expect awaits nothing: say what in any = [..]"),
        "send" if fields.find("hex").is_none() && fields.find("frame").is_none() => {
            missing("send says nothing: give it hex = \"..\" or frame = { .. }")
        }
        "grant" | "revoke" => right(fields.text("grant"), keys.span_of("grant"), registry),
        "rekey" | "remove" if fields.find("party").is_none() => missing("missing key \"party\""),
        _ => Ok(()),
    }
}

/// A right as `grant` and `revoke` write it: its name, a space, its filter.
fn right(grant: Option<&str>, span: Span, registry: &Registry) -> Result<(), Mistake> {
    let known = || registry.rights().into_iter().map(|right| right.name);
    match grant.and_then(|grant| grant.split_once(' ')) {
        Some((name, filter)) if !filter.is_empty() && known().any(|right| right == name) => Ok(()),
        Some((name, filter)) if !filter.is_empty() => Err(Mistake::unknown(span, "right", name, known())),
        _ => {
            let forms: Vec<String> = known().map(|name| format!("\"{name} FILTER\"")).collect();
            Err(Mistake::new(span, format!("a right reads {}", forms.join(" or "))))
        }
    }
}

/// `{resource.x}` is what this target's endpoint has; `None`: a target that has everything, and the words stay.
pub(super) fn filled(fields: Fields, resource_of: Option<impl Fn(&str) -> Option<Value>>) -> Result<Fields, Stop> {
    let Some(resource_of) = resource_of else { return Ok(fields) };
    match resource(Value::Table(fields), &resource_of)? {
        Value::Table(fields) => Ok(fields),
        other => unreachable!("a table stays a table: {other}"),
    }
}

fn resource(value: Value, resource_of: &impl Fn(&str) -> Option<Value>) -> Result<Value, Stop> {
    match value {
        Value::Text(text) => match text.strip_prefix("{resource.").and_then(|rest| rest.strip_suffix('}')) {
            None => Ok(Value::Text(text)),
            Some(name) => resource_of(name).ok_or_else(|| Stop::Unmet(format!("needs resource.{name}"))),
        },
        Value::List(all) => {
            all.into_iter().map(|one| resource(one, resource_of)).collect::<Result<_, _>>().map(Value::List)
        }
        Value::Table(fields) => {
            let fill = |(key, one): (String, Value)| Ok((key, resource(one, resource_of)?));
            Ok(Value::Table(Fields(fields.0.into_iter().map(fill).collect::<Result<_, Stop>>()?)))
        }
        other => Ok(other),
    }
}

/// Where the value of a key stands: `frame`, or `frame.qos` within it; as deep as the file goes.
fn at(value: &Located, key: &str) -> Span {
    let mut here = value;
    for name in key.split('.') {
        match here.find(name) {
            Some(deeper) => here = deeper,
            None => break,
        }
    }
    here.span
}
