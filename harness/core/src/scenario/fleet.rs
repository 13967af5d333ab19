//! Fleets: who they play, where they speak, what they do.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::context::{Context, Stop};
use super::step::{self, Speaker};
use super::{network, party};
use crate::document::{Keys, Mistake, Span};
use crate::grammar::Grammar;
use crate::ids::EndpointId;
use crate::key::Kind;
use crate::part::Part;
use crate::plan::{FleetPlan, SOURCES_MAX, Source};
use crate::protocol::{Behaviour, Protocol};
use crate::target::Endpoint;
use crate::time::Duration;
use crate::value::{Fields, Value};
use crate::witness::{WITNESS, is_witness};

/// Behaviours that every protocol has, beside what the registry lists.
const SCRIPT: &str = "script";
const ADMIN: &str = "admin";

pub(super) fn all(keys: &mut Keys<'_>, cx: &Context<'_>) -> Result<Vec<FleetPlan>, Stop> {
    let nobody = Mistake::new(keys.span(), "nobody takes part: a scenario has at least one [fleet.x]");
    let Some(table) = keys.value("fleet") else { return Err(nobody.into()) };
    let mut fleets = Vec::new();
    for (at, pair) in table.table_mut("fleet")?.iter_mut().enumerate() {
        party::check_name(&pair.key, pair.key_span)?;
        let keys = Keys::of(&mut pair.value, "a fleet")?.drawn(&format!("fleet.{}", pair.key), cx.trial.seed);
        fleets.push(one(keys, &pair.key, at as u16, cx)?);
    }
    Ok(fleets)
}

fn one(mut keys: Keys<'_>, name: &str, index: u16, cx: &Context<'_>) -> Result<FleetPlan, Stop> {
    let doing = keys.text("behaviour")?;
    let doing = keys.need("behaviour", doing)?;
    if is_witness(name) != (doing == WITNESS) {
        let text = "fleets called `witness` or `witness-...` are those with behaviour = \"witness\", and no others";
        return Err(Mistake::new(keys.span_of("behaviour"), text).into());
    }
    let admin = doing == ADMIN;
    let protocol = if admin { None } else { Some(protocol(&mut keys, cx)?) };
    let behaviour = behaviour(&keys, &doing, protocol, cx)?;
    let plays_server = keys.word("plays", &[("client", false), ("server", true)])?.unwrap_or(false);
    let place = Place::find(&mut keys, protocol, plays_server, cx)?;
    let speaker = Speaker {
        fleet: name,
        protocol,
        version: &place.version,
        part: keys.word("part", &Part::WORDS)?,
        resources: place.endpoint.map(|endpoint| &endpoint.resources),
    };
    let steps = steps(&mut keys, &doing, &speaker, cx)?;
    let part = speaker.part;
    let links = keys.table("network")?.map(network::read).transpose()?.unwrap_or(cx.links);
    let fleet = FleetPlan {
        name: name.to_string(),
        index,
        party: if admin || plays_server { None } else { party(&mut keys, name, cx)? },
        protocol: protocol.map(|protocol| protocol.name.to_string()).unwrap_or_default(),
        grammar: protocol.map_or(&Grammar::NONE, |protocol| protocol.grammar),
        endpoint: place.name(),
        endpoint_id: place.id,
        authenticated: place.authenticated(cx) && !admin,
        plays_server,
        count: keys.int("count", 1..=i64::from(u32::MAX))?.map_or(1, |n| n as u32),
        only: None,
        source: source(&mut keys)?,
        ramp: keys.duration("ramp")?.unwrap_or(Duration::ZERO),
        part,
        manual: keys.word("session", &[("auto", false), ("manual", true)])?.unwrap_or(false),
        steps,
        network: protocol.map_or(Ok(links.network), |protocol| links.on(protocol.transport))?,
        keys: step::filled(
            own_keys(&mut keys, behaviour, cx)?,
            speaker.resources.map(|all| |name: &str| all.find(name).cloned()),
        )?,
        behaviour: doing,
        version: place.version,
    };
    let only = only(&mut keys, fleet.count)?;
    enough_addresses(&keys, &fleet)?;
    keys.finish()?;
    Ok(FleetPlan { only, ..fleet })
}

fn protocol<'a>(keys: &mut Keys<'_>, cx: &Context<'a>) -> Result<&'a Protocol, Mistake> {
    match keys.text("protocol")? {
        Some(name) => cx.find_protocol(&name, keys.span_of("protocol")),
        None if cx.protocol.is_empty() => {
            Err(Mistake::new(keys.span(), "no protocol: name it here, or for all fleets at the top of the file"))
        }
        None => cx.find_protocol(&cx.protocol, keys.span()),
    }
}

fn behaviour<'a>(
    keys: &Keys<'_>,
    name: &str,
    protocol: Option<&Protocol>,
    cx: &Context<'a>,
) -> Result<Option<&'a Behaviour>, Mistake> {
    let registry = cx.trial.registry;
    let found = registry.behaviour(protocol.map_or("", |protocol| protocol.name), name);
    if found.is_some() || name == SCRIPT || name == ADMIN {
        return Ok(found);
    }
    let known = protocol.into_iter().flat_map(|protocol| protocol.behaviours).map(|row| row.name);
    Err(Mistake::unknown(keys.span_of("behaviour"), "behaviour", name, [SCRIPT, ADMIN].into_iter().chain(known)))
}

/// The party that a fleet plays: `as`, or the one of its own name.
fn party(keys: &mut Keys<'_>, name: &str, cx: &Context<'_>) -> Result<Option<u16>, Mistake> {
    let said = keys.text("as")?;
    cx.names.party(said.as_deref().unwrap_or(name), keys.span_of("as"))
}

/// Where a fleet speaks, and in which version.
struct Place<'a> {
    endpoint: Option<&'a Endpoint>,
    id: EndpointId,
    version: String,
    said: String,
}

impl<'a> Place<'a> {
    fn find(
        keys: &mut Keys<'_>,
        protocol: Option<&Protocol>,
        listens: bool,
        cx: &Context<'a>,
    ) -> Result<Place<'a>, Stop> {
        let said = if protocol.is_some() { keys.text("endpoint")?.unwrap_or_default() } else { String::new() };
        let nowhere =
            |version: &str, said| Place { endpoint: None, id: EndpointId(0), version: version.to_string(), said };
        let Some(protocol) = protocol else { return Ok(nowhere("", said)) };
        let version = own_version(keys, protocol, cx)?;
        let Some(target) = cx.trial.target else {
            return Ok(nowhere(version.or(protocol.versions.last().copied()).unwrap_or_default(), said));
        };
        let fits = |endpoint: &Endpoint| {
            endpoint.protocol == protocol.name
                && endpoint.client == listens
                && (said.is_empty() || endpoint.name == said)
                && version.is_none_or(|version| endpoint.speaks(version))
        };
        let Some(at) = target.endpoints.iter().position(fits) else {
            let named = |end: &&Endpoint| said.is_empty() || end.name == said;
            let other = target
                .endpoints
                .iter()
                .filter(named)
                .find(|end| end.protocol == protocol.name && end.client != listens);
            return Err(Stop::Unmet(unmet(protocol, version, &said, listens, other)));
        };
        let endpoint = &target.endpoints[at];
        let newest = protocol.versions.iter().rev().find(|version| endpoint.speaks(version));
        let version = version.or(newest.copied()).unwrap_or_default().to_string();
        Ok(Place { endpoint: Some(endpoint), id: EndpointId(at as u16), version, said })
    }

    fn name(&self) -> String {
        self.endpoint.map_or_else(|| self.said.clone(), |endpoint| endpoint.name.clone())
    }

    /// A target that has everything asks who is there.
    fn authenticated(&self, cx: &Context<'_>) -> bool {
        self.endpoint
            .map_or(cx.trial.target.is_none(), |endpoint| endpoint.claims.iter().any(|claim| claim == "authenticated"))
    }
}

/// The fleet's version, else the scenario's where this protocol has it. `None`: the newest that the endpoint speaks.
fn own_version<'p>(keys: &mut Keys<'_>, protocol: &'p Protocol, cx: &Context<'_>) -> Result<Option<&'p str>, Mistake> {
    let find = |name: &str| protocol.versions.iter().find(|version| **version == name).copied();
    match keys.text("version")? {
        None => Ok(find(&cx.version)),
        Some(said) => match find(&said) {
            None => Err(Mistake::unknown(keys.span_of("version"), "version", &said, protocol.versions)),
            version => Ok(version),
        },
    }
}

/// `other`: an endpoint of the protocol that plays the other side.
fn unmet(protocol: &Protocol, version: Option<&str>, said: &str, listens: bool, other: Option<&Endpoint>) -> String {
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let said = if said.is_empty() { String::new() } else { format!(" named {said}") };
    let side = if listens { " that connects to us" } else { "" };
    let role = if listens { "server" } else { "client" };
    let other = other.map(|end| format!(" ({} has role = \"{role}\")", end.name)).unwrap_or_default();
    format!("needs an endpoint{said} for {}{version}{side}{other}", protocol.name)
}

fn source(keys: &mut Keys<'_>) -> Result<Source, Mistake> {
    let Some(text) = keys.text("source")? else { return Ok(Source::One) };
    match (text.as_str(), text.parse::<Ipv4Addr>()) {
        ("one", _) => Ok(Source::One),
        ("each", _) => Ok(Source::Each),
        ("fresh", _) => Ok(Source::Fresh),
        (_, Ok(ip)) if ip.is_loopback() => Ok(Source::Fixed(ip.into())),
        (_, Ok(_)) => Err(Mistake::new(keys.span_of("source"), format!("source: {text} is not in 127.0.0.0/8"))),
        (_, Err(_)) => {
            Err(Mistake::unknown(keys.span_of("source"), "source", &text, ["one", "each", "fresh", "127.0.0.2"]))
        }
    }
}

fn enough_addresses(keys: &Keys<'_>, fleet: &FleetPlan) -> Result<(), Mistake> {
    let many = matches!(fleet.source, Source::Each | Source::Fresh);
    if many && fleet.count > SOURCES_MAX {
        let text = format!("source: there are {SOURCES_MAX} addresses for a fleet of {}", fleet.count);
        return Err(Mistake::new(keys.span_of("source"), text));
    }
    Ok(())
}

fn steps(
    keys: &mut Keys<'_>,
    doing: &str,
    speaker: &Speaker<'_>,
    cx: &Context<'_>,
) -> Result<Vec<crate::plan::StepPlan>, Stop> {
    if doing != SCRIPT && doing != ADMIN {
        return Ok(Vec::new());
    }
    let said = keys.value("step").is_some();
    keys.need("step", said.then_some(()))?;
    let mut steps: Vec<crate::plan::StepPlan> = Vec::new();
    for (place, value) in keys.list("step")?.iter_mut().enumerate() {
        let span = value.find("index").map_or(value.span, |index| index.span);
        let step = step::read(value, place as u16, speaker, cx)?;
        if steps.last().is_some_and(|before| before.index >= step.index) {
            return Err(Mistake::new(span, "index: steps keep their order, and no two have the same index").into());
        }
        if let Some(mark) = step.mark
            && steps.iter().any(|before| before.mark == Some(mark))
        {
            let span = value.find("mark").map_or(span, |mark| mark.span);
            return Err(Mistake::new(
                span,
                format!("two steps set the mark {}", cx.names.marks[usize::from(mark.0)].0),
            )
            .into());
        }
        steps.push(step);
    }
    Ok(steps)
}

/// The keys that the behaviour knows, checked and drawn.
fn own_keys(keys: &mut Keys<'_>, behaviour: Option<&Behaviour>, cx: &Context<'_>) -> Result<Fields, Mistake> {
    let mut own = Fields::default();
    let unread = keys.rest();
    for key in behaviour.map_or(&[][..], |row| row.keys) {
        let Some(value) = keys.row(key, true)? else { continue };
        let span = keys.span_of(key.name);
        if key.kind == Kind::Fleets {
            cx.fleets(&named(&value, span))?;
        }
        cx.check_names(key.name, &value, span)?;
        if unread.iter().any(|name| name == key.name) {
            own.set(key.name, value);
        }
    }
    Ok(own)
}

/// Names in a value, all at one place.
pub(super) fn named(value: &Value, span: Span) -> Vec<(String, Span)> {
    value.as_slice().iter().filter_map(Value::as_text).map(|text| (text.to_string(), span)).collect()
}

fn only(keys: &mut Keys<'_>, count: u32) -> Result<Option<Vec<u32>>, Mistake> {
    if keys.value("only").is_none() {
        return Ok(None);
    }
    let mut members: Vec<u32> = Vec::new();
    for value in keys.list("only")? {
        let member = value.plain().as_int().and_then(|n| u32::try_from(n).ok()).filter(|n| *n < count);
        match member {
            Some(member) if members.last().is_none_or(|before| *before < member) => members.push(member),
            _ => {
                let text = format!("only: members count up from 0 and stay below {count}, found {}", value.what());
                return Err(Mistake::new(value.span, text));
            }
        }
    }
    if members.is_empty() {
        return Err(Mistake::new(keys.span_of("only"), "only: names nobody; a fleet without members shows nothing"));
    }
    Ok(Some(members))
}
