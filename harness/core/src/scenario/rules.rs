//! What must hold: `[[expect]]`, `[twin]`, `[control]`.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::alternative::{self, Hears};
use super::context::{Context, Stop, place};
use super::fleet::named;
use super::step;
use crate::document::{Keys, Located, Mistake, Pair};
use crate::key::Kind;
use crate::oracle::Needs;
use crate::plan::{Alternative, ControlArm, Expect, FleetPlan, Recording};
use crate::value::Fields;

/// Rules that hold in every scenario.
const ALWAYS: [&str; 2] = ["no-crash", "no-hang"];

pub(super) fn expects(keys: &mut Keys<'_>, cx: &Context<'_>, record: Recording) -> Result<Vec<Expect>, Stop> {
    let mut expects = Vec::new();
    for (at, value) in keys.list("expect")?.iter_mut().enumerate() {
        let keys = Keys::of(value, "an [[expect]]")?.drawn(&format!("expect.{at}"), cx.trial.seed);
        expects.push(expect(keys, cx, record)?);
    }
    for id in ALWAYS {
        if !expects.iter().any(|expect| expect.oracle == id) {
            expects.push(Expect { oracle: id.to_string(), of: Vec::new(), keys: Fields::default() });
        }
    }
    Ok(expects)
}

fn expect(mut keys: Keys<'_>, cx: &Context<'_>, record: Recording) -> Result<Expect, Stop> {
    let id = keys.text("oracle")?;
    let id = keys.need("oracle", id)?;
    let span = keys.span_of("oracle");
    let registry = cx.trial.registry;
    let Some(oracle) = registry.oracle(&id) else {
        return Err(Mistake::unknown(span, "oracle", &id, registry.oracles().map(|oracle| oracle.id)).into());
    };
    if oracle.needs == Needs::Full && record == Recording::Edges {
        let text = format!("{id} needs every message, and record = \"edges\" keeps only some");
        return Err(Mistake::new(span, text).into());
    }
    let of = keys.texts("of")?;
    let of = cx.fleets(&of)?;
    let mut own = Fields::default();
    for key in oracle.keys.iter().filter(|key| key.name != "of") {
        let Some(value) = keys.row(key, false)? else { continue };
        let span = keys.span_of(key.name);
        if key.kind == Kind::Fleets {
            cx.fleets(&named(&value, span))?;
        }
        cx.check_names(key.name, &value, span)?;
        if let (Some(name), "before" | "after" | "steady") = (value.as_text(), key.name) {
            match id.as_str() {
                "state-kept" => drop(cx.names.mark(name, span)?),
                "counter-rises" => drop(cx.names.bind(&format!("${name}"), span)?),
                _ => {}
            }
        }
        own.set(key.name, value);
    }
    keys.finish()?;
    let own = step::filled(own, cx.trial.target.map(|target| |name: &str| target.resource(name).cloned()))?;
    Ok(Expect { oracle: id, of, keys: own })
}

/// `flaw = "oracle"` or `flaw = ["oracle", "oracle"]`: who must fail on a target that carries the flaw.
/// A registry without flaws (a build without reference targets) checks the oracles only.
pub(super) fn twins(
    keys: &mut Keys<'_>,
    cx: &Context<'_>,
    expects: &[Expect],
) -> Result<Vec<(String, Vec<String>)>, Mistake> {
    let Some(table) = keys.value("twin") else { return Ok(Vec::new()) };
    let mut twins = Vec::new();
    for Pair { key, key_span, value } in table.table_mut("twin")? {
        let flaws = &cx.trial.registry.flaws;
        if !flaws.is_empty() && !flaws.iter().any(|(flaw, _)| flaw == key) {
            return Err(Mistake::unknown(*key_span, "flaw", key, flaws.iter().map(|(flaw, _)| *flaw)));
        }
        twins.push((key.clone(), caught_by(value, cx, expects)?));
    }
    Ok(twins)
}

fn caught_by(value: &Located, cx: &Context<'_>, expects: &[Expect]) -> Result<Vec<String>, Mistake> {
    let mut oracles = Vec::new();
    for (oracle, span) in value.texts() {
        if cx.trial.registry.oracle(oracle).is_none() && !ALWAYS.contains(&oracle) {
            let known = cx.trial.registry.oracles().map(|oracle| oracle.id);
            return Err(Mistake::unknown(span, "oracle", oracle, known));
        }
        if !expects.iter().any(|expect| expect.oracle == oracle) {
            return Err(Mistake::new(
                span,
                format!("{oracle} cannot catch this: the scenario has no [[expect]] for it"),
            ));
        }
        oracles.push(oracle.to_string());
    }
    if oracles.is_empty() {
        return Err(Mistake::new(
            value.span,
            format!("a flaw is caught by an oracle, or several; found {}", value.what()),
        ));
    }
    Ok(oracles)
}

/// `without = ["fleet.mark"], expect = { canary = "x", at = "fleet" }`.
pub(super) fn control(mut keys: Keys<'_>, cx: &Context<'_>, fleets: &[FleetPlan]) -> Result<ControlArm, Stop> {
    let without = keys.texts("without")?;
    let without: Vec<_> = without.iter().map(|(name, span)| cx.names.mark(name, *span)).collect::<Result<_, _>>()?;
    keys.need("without", (!without.is_empty()).then_some(()))?;
    let expect = keys.table("expect")?.map(|keys| seen_at(keys, cx, fleets)).transpose()?;
    let (alternative, at) = keys.need("expect", expect)?;
    keys.finish()?;
    // A canary alone is searched in every byte; with fields it must be in that packet.
    let (canary, packet) = match alternative.canary {
        Some(canary) if alternative.fields.is_empty() => (Some((canary, at)), None),
        _ => (None, Some((alternative, at))),
    };
    Ok(ControlArm { without, canary, packet })
}

fn seen_at(mut keys: Keys<'_>, cx: &Context<'_>, fleets: &[FleetPlan]) -> Result<(Alternative, String), Mistake> {
    let at = keys.text("at")?;
    let at = keys.need("at", at)?;
    cx.fleets(&[(place(&at).to_string(), keys.span_of("at"))])?;
    let fleet = fleets.iter().find(|fleet| fleet.name == place(&at));
    let protocol = fleet.and_then(|fleet| cx.trial.registry.protocol(&fleet.protocol));
    let hears = Hears { fleet: place(&at), protocol, version: fleet.map_or("", |fleet| &fleet.version) };
    let span = keys.span();
    let alternative = alternative::read(keys, &hears, cx)?;
    if alternative.closed || alternative.silence.is_some() || !alternative.bind.is_empty() {
        return Err(Mistake::new(
            span,
            "the control arm shows that a packet arrives: its type, its fields or its canary",
        ));
    }
    Ok((alternative, at))
}
