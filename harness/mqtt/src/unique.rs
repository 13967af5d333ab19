//! Names that no other trial uses: client ids, and topics where the attack does not hang on them. For targets that outlive a trial.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::plan::{Alternative, FleetPlan, Plan, StepPlan};
use proofhouse_core::seed::Seed;
use proofhouse_core::shared::own_seed;
use proofhouse_core::value::{Fields, Value};
use proofhouse_core::witness::is_witness;

/// The key of a fleet under which the ending of its members' client ids stands. No file can write it.
const ENDING: &str = "client id ending";
/// A hyphen and five of 36 characters: one of 60 million.
const ENDING_LEN: usize = 6;
/// Every server must take a client id of up to 23 characters (mqtt3 3.1.3.1): a longer one keeps its length.
const CLIENT_ID_MAX: usize = 23 - ENDING_LEN;
/// A topic that is longer is there for its length.
const TOPIC_MAX: usize = 1_000;
/// Where topics and filters stand.
const TOPICS: [&str; 6] = ["topic", "filter", "filters", "will_topic", "will_response_topic", "response_topic"];
/// What makes of a frame more than its named fields: a topic of another length would make another frame of it.
const RAW: [&str; 7] =
    ["body", "tail", "truncate", "remaining_length", "remaining_length_hex", "property_length", "will_property_length"];

/// The client id of a member that says none of its own: `<fleet>-<index>`, with the trial's ending on a target that others use too.
#[must_use]
pub fn client_id(fleet: &FleetPlan, member: u32) -> String {
    format!("{}-{member}{}", fleet.name, ending(fleet))
}

/// What is added to the client ids of this fleet; empty where it has the target for itself.
#[must_use]
pub fn ending(fleet: &FleetPlan) -> &str {
    fleet.keys.text(ENDING).unwrap_or_default()
}

/// For [`Shared::unique`](proofhouse_core::shared::Shared::unique). Two that spoke of one client id or topic still do.
pub fn unique(plan: &mut Plan) {
    let tag = drawn(own_seed(plan.seed, &plan.id, &plan.case));
    // A witness outlives rounds, each of which is another trial.
    let witness = drawn(own_seed(plan.seed, "witness", ""));
    let moves = may_move(plan);
    for fleet in plan.fleets.iter_mut().filter(|fleet| speaks(fleet)) {
        let own = if is_witness(&fleet.name) { &witness } else { &tag };
        fleet.keys.set(ENDING, own.as_str());
        fleet.steps.iter_mut().for_each(|step| each(&mut step.fields, &["client_id"], &mut |id| rename(id, &tag)));
    }
    if moves {
        each_topic(plan, &mut |topic| move_down(topic, &tag[1..]));
    }
}

fn speaks(fleet: &FleetPlan) -> bool {
    fleet.protocol == "mqtt" && !fleet.plays_server
}

/// `-k3f9a`: letters and digits only, as every server must take them.
fn drawn(seed: Seed) -> String {
    let mut rng = seed.stream("unique", 0);
    let digit = |n: u64| char::from_digit(n as u32, 36).expect("it is below 36");
    // First a letter: a level that is a number could be taken for one.
    let first = digit(10 + rng.below(26));
    core::iter::once('-').chain([first]).chain((2..ENDING_LEN).map(|_| digit(rng.below(36)))).collect()
}

fn rename(id: &mut Value, ending: &str) {
    if let Value::Text(id) = id
        && (1..=CLIENT_ID_MAX).contains(&id.len())
        && !id.starts_with('$')
    {
        id.push_str(ending);
    }
}

/// Whether topics may go one level down, `site/x` to `site/k3f9a/x`: all that the plan says of topics must be in plain words, and its
/// rights cover whole trees. Then every filter matches what it matched, and every right covers what it covered.
fn may_move(plan: &Plan) -> bool {
    let devices = || plan.fleets.iter().filter(|fleet| !is_witness(&fleet.name));
    let scripts = devices().all(|fleet| speaks(fleet) && fleet.behaviour == "script");
    let rights = plan.parties.iter().flat_map(|party| &party.may).all(|(_, filter)| is_tree(filter));
    let said = devices().flat_map(|fleet| &fleet.steps).all(is_plain);
    let mut plain = scripts && rights && said;
    if plain {
        each_topic(&mut plan.clone(), &mut |topic| plain &= is_movable(topic));
    }
    plain
}

/// `site/#`, or everything.
fn is_tree(filter: &str) -> bool {
    filter.strip_suffix('#').is_some_and(|rest| {
        let root = rest.strip_suffix('/').unwrap_or(rest);
        !root.contains(['/', '+', '#']) && (rest.is_empty() || rest.ends_with('/'))
    })
}

/// No bytes that the plan does not name.
fn is_plain(step: &StepPlan) -> bool {
    let frames = step.fields.find("frame").map(Value::as_slice).unwrap_or_default();
    let named = |frame: &Value| matches!(frame, Value::Table(keys) if RAW.iter().all(|raw| keys.find(raw).is_none()));
    step.fields.find("hex").is_none() && frames.iter().all(named)
}

fn is_movable(topic: &Value) -> bool {
    let Value::Text(topic) = topic else { return false };
    let root = root(topic);
    let whole = topic == "#" || !root.contains(['+', '#']);
    topic.len() <= TOPIC_MAX && whole && !topic.starts_with("$share") && !topic.contains('{')
}

fn move_down(topic: &mut Value, tag: &str) {
    let Value::Text(text) = topic else { return };
    // An empty topic stands for an alias, `$` for what is the server's or is bound.
    if text.is_empty() || text.starts_with('$') || text == "#" {
        return;
    }
    let root = root(text).to_string();
    *text = format!("{root}/{tag}{}", &text[root.len()..]);
}

fn root(topic: &str) -> &str {
    topic.split('/').next().unwrap_or_default()
}

fn each_topic(plan: &mut Plan, act: &mut dyn FnMut(&mut Value)) {
    for fleet in plan.fleets.iter_mut().filter(|fleet| !is_witness(&fleet.name)) {
        for step in &mut fleet.steps {
            each(&mut step.fields, &TOPICS, act);
            step.any.iter_mut().for_each(|one| each_in(one, act));
        }
    }
    for expect in &mut plan.expects {
        each(&mut expect.keys, &TOPICS, act);
        place(&mut expect.keys, act);
    }
    if let Some((one, _)) = plan.control.as_mut().and_then(|control| control.packet.as_mut()) {
        each_in(one, act);
    }
}

fn each_in(one: &mut Alternative, act: &mut dyn FnMut(&mut Value)) {
    let topics = one.fields.iter_mut().filter(|(key, _)| TOPICS.contains(&key.as_str()));
    topics.flat_map(|(_, values)| values).for_each(act);
}

/// `at = "fleet:filter"`.
fn place(keys: &mut Fields, act: &mut dyn FnMut(&mut Value)) {
    let Some(Value::Text(at)) = keys.find("at") else { return };
    let Some((fleet, filter)) = at.split_once(':') else { return };
    let (fleet, mut filter) = (fleet.to_string(), Value::from(filter));
    act(&mut filter);
    if let Value::Text(filter) = filter {
        keys.set("at", format!("{fleet}:{filter}"));
    }
}

/// Everything that stands under one of these keys, at any depth.
fn each(fields: &mut Fields, keys: &[&str], act: &mut dyn FnMut(&mut Value)) {
    for (key, value) in &mut fields.0 {
        let mut own: Vec<&mut Value> = match value {
            Value::List(all) => all.iter_mut().collect(),
            one => alloc::vec![one],
        };
        for value in &mut own {
            match value {
                Value::Table(inner) if inner.find("hex").is_none() => each(inner, keys, act),
                other if keys.contains(&key.as_str()) => act(other),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "unique_tests.rs"]
mod tests;
