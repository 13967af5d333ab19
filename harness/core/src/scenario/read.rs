//! The head of a scenario, and the order in which its parts are read.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::context::{Context, Stop, Trial};
use super::names::Names;
use super::{about, check, fleet, network, party, rules};
use crate::document::{Keys, Located, Mistake, Span};
use crate::plan::{FleetPlan, Plan, Recording, Segments};
use crate::protocol::Transport;
use crate::shared::{CLEARING, own_seed};
use crate::target::TargetSpec;
use crate::value::hex;

/// Version of the format that this build reads.
const FORMAT: i64 = 1;

/// Reads a tree whose case is chosen; draws its ranges in place.
pub(super) fn plan(mut tree: Located, trial: Trial<'_>) -> Result<Plan, Stop> {
    unread_yet(&tree)?;
    let names = Names::collect(&tree);
    let mut plan = head(&mut tree, names, trial)?;
    plan.tree = tree;
    if is_shared(trial) {
        trial.registry.protocols.iter().for_each(|protocol| (protocol.shared.unique)(&mut plan));
    }
    check::plan(&plan, trial)?;
    Ok(plan)
}

/// A key that a later version will read is refused: one that loads and does nothing is a promise that nobody keeps.
fn unread_yet(tree: &Located) -> Result<(), Mistake> {
    match tree.find("measure") {
        Some(value) => {
            Err(Mistake::new(value.span, "measure: this build reads no measurements off a scenario; leave it out"))
        }
        None => Ok(()),
    }
}

fn head(tree: &mut Located, names: Names, trial: Trial<'_>) -> Result<Plan, Stop> {
    let mut keys = Keys::of(tree, "a scenario")?.drawn("", trial.seed);
    format(&mut keys)?;
    let title = keys.text("title")?;
    let title = keys.need("title", title)?;
    let about = about::read(&mut keys)?;
    let limit = keys.duration("limit")?;
    let limit = keys.need("limit", limit)?;
    let record = keys.word("record", &[("full", Recording::Full), ("edges", Recording::Edges)])?.unwrap_or_default();
    let cut = keys.text("segments")?.map(|text| segments(&text, keys.span_of("segments"))).transpose()?;
    let needs = needs(&mut keys, trial)?;
    let protocol = protocol(&mut keys, trial)?;
    let version = version(&mut keys)?;
    let links = keys.table("network")?.map(network::read).transpose()?.unwrap_or(network::Links::NONE);
    let cx = Context { trial, names, protocol, version, links };

    let mut parties = party::read(keys.value("party"), &cx)?;
    let fleets = fleet::all(&mut keys, &cx)?;
    whole_datagrams(&fleets, cut, keys.span_of("segments"), trial)?;
    party::assign(&mut parties, &fleets, &cx)?;
    let expects = rules::expects(&mut keys, &cx, record)?;
    let twins = rules::twins(&mut keys, &cx, &expects)?;
    let control = keys.table("control")?.map(|keys| rules::control(keys, &cx, &fleets)).transpose()?;
    keys.finish()?;
    Ok(Plan {
        tree: Located { span: Span::default(), node: crate::document::Node::Table(Vec::new()) },
        id: trial.id.to_string(),
        case: trial.case.to_string(),
        seed: trial.seed,
        title,
        about,
        target: trial.target.map(|target| target.name.clone()).unwrap_or_default(),
        segments: cut.unwrap_or_default(),
        needs,
        limit,
        parties,
        fleets,
        canaries: cx.names.canaries.iter().map(|name| (name.clone(), canary(name, trial))).collect(),
        control,
        expects,
        twins,
        record,
        version: cx.version,
        network: cx.links.network,
        marks: cx.names.marks,
        binds: cx.names.binds,
    })
}

/// A datagram is never cut into segments.
fn whole_datagrams(fleets: &[FleetPlan], cut: Option<Segments>, span: Span, trial: Trial<'_>) -> Result<(), Mistake> {
    let datagrams =
        |name: &str| trial.registry.protocol(name).is_some_and(|protocol| protocol.transport == Transport::Datagram);
    match fleets.iter().find(|fleet| datagrams(&fleet.protocol)) {
        Some(fleet) if matches!(cut, Some(Segments::Each(_))) => {
            Err(Mistake::new(span, format!("segments: fleet {} sends datagrams, which arrive whole", fleet.name)))
        }
        _ => Ok(()),
    }
}

/// The first key of every file of ours.
pub(crate) fn format(keys: &mut Keys<'_>) -> Result<(), Mistake> {
    let said = keys.int("format", i64::MIN..=i64::MAX)?;
    let said = keys.need("format", said)?;
    if said == FORMAT {
        return Ok(());
    }
    Err(Mistake::new(keys.span_of("format"), format!("format {said} is unknown to this build, which reads {FORMAT}")))
}

/// `whole`, or `1B`: one write for each byte.
pub(super) fn segments(text: &str, span: Span) -> Result<Segments, Mistake> {
    let bytes = text.strip_suffix('B').and_then(|number| number.parse().ok()).filter(|bytes| *bytes > 0);
    match bytes {
        Some(bytes) => Ok(Segments::Each(bytes)),
        None if text == "whole" => Ok(Segments::Whole),
        None => {
            Err(Mistake::new(span, format!("segments: expected \"whole\" or a size such as \"1B\", found {text:?}")))
        }
    }
}

fn protocol(keys: &mut Keys<'_>, trial: Trial<'_>) -> Result<String, Mistake> {
    let Some(name) = keys.text("protocol")? else { return Ok(String::new()) };
    match trial.registry.protocol(&name) {
        Some(_) => Ok(name),
        None => {
            let known = trial.registry.protocols.iter().map(|protocol| protocol.name);
            Err(Mistake::unknown(keys.span_of("protocol"), "protocol", &name, known))
        }
    }
}

fn version(keys: &mut Keys<'_>) -> Result<String, Mistake> {
    match keys.value("version") {
        Some(value) if value.text().is_none() => Err(Mistake::new(
            value.span,
            format!("version: expected one, found {}: a plan has its case chosen", value.what()),
        )),
        value => Ok(value.and_then(|value| value.text()).unwrap_or_default().to_string()),
    }
}

/// What every target may be able to do, beside what the protocols declare.
const GENERAL_NEEDS: [&str; 7] =
    ["authenticated", "acl", "admin.grant", "admin.revoke", "admin.rekey", "admin.remove", "admin.restart"];

fn needs(keys: &mut Keys<'_>, trial: Trial<'_>) -> Result<Vec<String>, Mistake> {
    let needs = keys.texts("needs")?;
    let known = capabilities(trial.registry);
    for (need, span) in &needs {
        if !known.is_empty() && !need.starts_with("resource.") && !known.contains(need) {
            return Err(Mistake::unknown(*span, "capability", need, known));
        }
    }
    Ok(needs.into_iter().map(|(need, _)| need).collect())
}

/// Every name that `needs`, `claims` and `lacks` may use, beside `resource.x`; empty where no protocol declares any yet.
pub(crate) fn capabilities(registry: &crate::registry::Registry) -> Vec<String> {
    let declared = || registry.protocols.iter().flat_map(|protocol| protocol.capabilities).map(|known| known.name);
    if declared().next().is_none() {
        return Vec::new();
    }
    let sides = registry.protocols.iter().flat_map(|p| [format!("{}.client", p.name), format!("{}.server", p.name)]);
    let general = GENERAL_NEEDS.iter().copied().chain(declared()).map(ToString::to_string);
    let mut all: Vec<String> = Vec::new();
    for name in general.chain(sides) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Whether other trials, which may have the same seed, meet what this one leaves. A clearing takes the names as they are.
fn is_shared(trial: Trial<'_>) -> bool {
    trial.target.is_some_and(TargetSpec::outlives_trials) && !trial.id.starts_with(CLEARING)
}

/// 32 characters that carry 128 random bits: nobody guesses them, and nothing else looks like them.
fn canary(name: &str, trial: Trial<'_>) -> String {
    let mut bytes = [0; 16];
    let seed = if is_shared(trial) { own_seed(trial.seed, trial.id, trial.case) } else { trial.seed };
    seed.stream(&format!("canary/{name}"), 0).fill(&mut bytes);
    hex(&bytes)
}
