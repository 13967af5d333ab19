//! What any PASS rests on: every control met, every stimulus on the wire, the witness served afterwards, the limit not reached.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::connection::Close;
use crate::ids::{CanaryId, EntryId};
use crate::oracle::aftermath::came_later;
use crate::oracle::canary::{At, sightings};
use crate::oracle::lateness::tolerance;
use crate::oracle::record::{Connection, Crossing, Moment, Record, StepRun, ids, writes};
use crate::part::Part;
use crate::plan::{Alternative, FleetPlan, Plan, Recording, StepPlan};
use crate::recorder::{DROPPED, LOG_LIMIT, MEMORY_LIMIT, RECEIVED_LIMIT, RECORD_LIMIT, UNHEARD};
use crate::registry::Registry;
use crate::script::{Class, Wanted};
use crate::time::Time;
use crate::transcript::{Event, Packet, StepState, Transcript, Who};
use crate::value::Value;
use crate::verdict::Judgement;
use crate::wanted;
use crate::witness::is_witness;

/// Id under which the preconditions are judged.
pub const ID: &str = "preconditions";

/// Share of a fleet's members whose stimulus must have been said. Below 100 members that is all of them; in a crowd of thousands
/// one may lose the race for a port.
const REACHED_MIN: (usize, usize) = (99, 100);

/// What is missing, and what was there.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    controls: Vec<String>,
    gaps: Vec<String>,
    /// Fleets whose attack was sent, and those whose attack was not, with the first thing that is missing.
    attackers: BTreeMap<String, Result<(), String>>,
    /// The record had no more room, or we took no more.
    full: bool,
    evidence: Vec<EntryId>,
}

impl Preconditions {
    /// PASS with every entry that it rests on, or INCONCLUSIVE with the first thing that is missing.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        let missing: Vec<&String> = self.controls.iter().chain(&self.gaps).collect();
        match missing.as_slice() {
            [] => {
                let reason = format!("{} entries show controls, stimuli and the witness", self.evidence.len());
                Judgement::pass(ID, self.evidence.clone(), reason)
            }
            [one] => Judgement::inconclusive(ID, one.as_str()),
            [first, rest @ ..] => Judgement::inconclusive(ID, format!("{first}; and {} more", rest.len())),
        }
    }

    /// The first control that was not met: other rules have nothing to compare with then.
    #[must_use]
    pub fn broken_control(&self) -> Option<&str> {
        self.controls.first().map(String::as_str)
    }

    /// Why nothing can be said about an attack: none of it was sent. Where some of the fleets that a rule is about attack, it is
    /// about their attack.
    #[must_use]
    pub fn unsent(&self, of: &[String]) -> Option<&str> {
        let own = |name: &String| of.contains(name);
        let some = self.attackers.keys().any(own);
        let mut all = self.attackers.iter().filter(|(name, _)| !some || own(name)).map(|(_, sent)| sent).peekable();
        let first = all.peek()?.as_ref().err()?;
        all.all(Result::is_err).then_some(first.as_str())
    }

    /// Traffic is missing from the record: what is not there may have happened.
    #[must_use]
    pub fn record_was_full(&self) -> bool {
        self.full
    }

    /// Everything that is missing, broken controls first.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().chain(&self.gaps).map(String::as_str)
    }
}

impl Preconditions {
    /// Part of a fleet's attack was sent, or was not.
    fn attack(&mut self, fleet: &FleetPlan, sent: Result<(), String>) {
        let all = self.attackers.entry(fleet.name.clone()).or_insert_with(|| sent.clone());
        if sent.is_ok() {
            *all = sent;
        }
    }
}

/// Looks for all of them.
#[must_use]
pub fn check(plan: &Plan, transcript: &Transcript, control: Option<&Transcript>, registry: &Registry) -> Preconditions {
    let record = Record::new(plan, transcript);
    let mut found = Preconditions::default();
    for fleet in plan.fleets.iter().filter(|fleet| !is_witness(&fleet.name)) {
        check_fleet(plan, &record, fleet, &mut found);
    }
    check_limit(plan, &record, registry, &mut found);
    check_witness(plan, &record, &mut found);
    check_record(&record, "", &mut found);
    check_stops(&record, &mut found);
    check_arm(plan, control, registry, &mut found);
    found.evidence.sort_unstable();
    found.evidence.dedup();
    found
}

/// An attack in which we were stopped is another one: what was to last came in one burst.
fn check_stops(record: &Record<'_>, found: &mut Preconditions) {
    let Some(window) = record.window else { return };
    if let Some(long) = record.lateness.stopped_between(Time::ZERO, window.last.at) {
        found.gaps.push(format!("we ourselves were stopped for {} ms before the attack was over", long.as_millis()));
    }
}

/// What of our own stood in the way of a trial: we were stopped or late, the target waited for a processor, or we met a limit of ours.
/// A rule that came to no answer in it has shown nothing.
#[must_use]
pub fn own_doing(plan: &Plan, transcript: &Transcript) -> Option<String> {
    let record = Record::new(plan, transcript);
    if let Some(long) = record.lateness.stopped() {
        return Some(format!("we ourselves were stopped for {} ms", long.as_millis()));
    }
    let late = plan.fleets.iter().map(|fleet| record.lateness.between(&fleet.name, Time::ZERO, record.end)).max();
    // What a bound as long as the trial may be missed by.
    if let Some(late) = late.filter(|late| *late > tolerance(record.end - Time::ZERO)) {
        return Some(format!("we, or the machine, were {} ms late", late.as_millis()));
    }
    let mut found = Preconditions::default();
    check_record(&record, "", &mut found);
    let limited = record.connections.keys().any(|conn| record.is_limited(*conn));
    found
        .gaps
        .into_iter()
        .next()
        .or_else(|| limited.then(|| "our own limits kept a connection from standing".to_string()))
}

/// The first step that was not said, or control that was not met, for a limit that the target has announced: which, and where.
#[must_use]
pub fn announced_limit(plan: &Plan, transcript: &Transcript, registry: &Registry) -> Option<(String, EntryId)> {
    let record = Record::new(plan, transcript);
    let fleets = plan.fleets.iter().filter(|fleet| !is_witness(&fleet.name));
    let steps = fleets.flat_map(|fleet| fleet.steps.iter().map(move |step| (fleet, step)));
    let runs = steps.flat_map(|(fleet, step)| fleet.members().map(move |member| (fleet, step, member)));
    runs.filter_map(|(fleet, step, member)| {
        let run = record.steps.get(&(fleet.name.as_str(), member, step.index))?;
        match run.ended? {
            (moment, StepState::Beyond) => Some((run.detail.to_string(), moment.id)),
            (moment, StepState::Unmet) if step.part.or(fleet.part) == Some(Part::Control) => {
                let answer = record.packets_of(run.conn?).rfind(|c| !c.sent && c.moment <= moment)?;
                Some((limit_in(&record, fleet, step, &answer, registry)?, moment.id))
            }
            _ => None,
        }
    })
    .next()
}

/// What of an answer is a limit that the target has announced, where nothing but that keeps it from being the one that the control expects.
fn limit_in(
    record: &Record<'_>,
    fleet: &FleetPlan,
    step: &StepPlan,
    answer: &Crossing<'_>,
    registry: &Registry,
) -> Option<String> {
    let packet = answer.packet;
    let class = registry.protocol(&fleet.protocol)?.class;
    let class = |packet: &Packet, field: &str, word: &str| class(&fleet.version, packet, field, word);
    let asked = step.any.iter().find(|alternative| !alternative.fields.is_empty())?;
    let mut amiss = asked.fields.iter().filter(|field| !wanted::has(packet, field, &class)).peekable();
    let first = amiss.peek().map(|(name, _)| name.clone())?;
    let announced = amiss.all(|(name, _)| (fleet.grammar.limit)(&mut told_before(record, answer), packet, name));
    announced.then(|| {
        format!("{first} {}", packet.fields.find(&first).map_or_else(|| "unsaid".to_string(), Value::to_string))
    })
}

/// What the target had said on the connection of an answer; where that is the first, what it has said to the witnesses first.
fn told_before<'a>(record: &'a Record<'_>, answer: &Crossing<'_>) -> impl Iterator<Item = &'a Packet> {
    let (conn, until) = (answer.conn, answer.moment);
    let heard = move |conn| record.packets_of(conn).filter(|c| !c.sent);
    let own = move || heard(conn).take_while(move |c| c.moment < until);
    let first = own().next().is_none();
    let watched = record.connections.iter().filter(move |(_, connection)| first && is_witness(connection.fleet));
    let watched = watched.filter_map(move |(conn, _)| heard(*conn).next()).take(1);
    own().chain(watched).map(|c| c.packet)
}

fn check_fleet(plan: &Plan, record: &Record<'_>, fleet: &FleetPlan, found: &mut Preconditions) {
    for step in fleet.steps.iter().filter(|step| !step.skip) {
        match step.part.or(fleet.part) {
            Some(Part::Control) => check_control(plan, record, fleet, step, found),
            Some(Part::Stimulus) => check_stimulus(plan, record, fleet, step, found),
            None => {}
        }
    }
    if let (Some(part), true) = (fleet.part, fleet.steps.is_empty()) {
        check_traffic(record, fleet, part, found);
    }
}

fn check_control(plan: &Plan, record: &Record<'_>, fleet: &FleetPlan, step: &StepPlan, found: &mut Preconditions) {
    for member in fleet.members() {
        let run = record.steps.get(&(fleet.name.as_str(), member, step.index));
        match run.and_then(|run| run.ended) {
            Some((_, StepState::Met)) if let Some(why) = run.and_then(|run| came_later(plan, record, run, step)) => {
                found.controls.push(format!("control {}: {why}", step_name(fleet, member, step)));
                return;
            }
            Some((moment, StepState::Met)) => found.evidence.push(moment.id),
            ended => {
                let why = match (run, ended) {
                    (Some(run), Some((_, StepState::Unsaid | StepState::Beyond | StepState::Barred))) => {
                        format!("could not be said {}", in_brackets(run.detail))
                    }
                    (Some(run), Some((_, StepState::Cut))) => format!("was cut short {}", in_brackets(run.detail)),
                    (Some(run), Some(_)) => format!("was not met {}", in_brackets(run.detail)),
                    (Some(_), None) => "was never answered".to_string(),
                    (None, _) => "was never reached".to_string(),
                };
                found.controls.push(format!("control {} {}", step_name(fleet, member, step), why.trim_end()));
                return;
            }
        }
    }
}

fn check_stimulus(plan: &Plan, record: &Record<'_>, fleet: &FleetPlan, step: &StepPlan, found: &mut Preconditions) {
    let listens = somebody_listens(plan, record, fleet);
    let mut missing = Vec::new();
    let mut members = 0_usize;
    for member in fleet.members() {
        members += 1;
        match stimulus_reached(plan, record, fleet, member, step, listens) {
            Ok(moments) => found.evidence.extend(ids(moments)),
            Err(why) => missing.push((member, why)),
        }
    }
    let (share, of) = REACHED_MIN;
    let gap = missing.first().map(|(member, why)| {
        let who = step_name(fleet, *member, step);
        let rest = if members > 1 { format!(" ({} of {members} members)", missing.len()) } else { String::new() };
        format!("stimulus {who} {why}{rest}")
    });
    match &gap {
        Some(gap) if members == missing.len() => found.attack(fleet, Err(gap.clone())),
        _ => found.attack(fleet, Ok(())),
    }
    if (members - missing.len()) * of < members * share || members == missing.len() {
        found.gaps.extend(gap);
    }
}

/// Whether anybody was ever let in where a fleet speaks.
fn somebody_listens(plan: &Plan, record: &Record<'_>, fleet: &FleetPlan) -> bool {
    let there = |name: &str| plan.fleet(name).is_some_and(|other| other.endpoint_id == fleet.endpoint_id);
    record.connections.values().any(|connection| connection.opened.is_some() && there(connection.fleet))
}

/// Whether the target refused or ended the connection before a stimulus could be said. Where it listens, the attack came as far as the
/// target let it; where nobody listens, it came nowhere.
fn is_stopped_by_target(record: &Record<'_>, run: &StepRun<'_>) -> bool {
    let barred = matches!(run.ended, Some((_, StepState::Barred)));
    barred && run.conn.is_some_and(|conn| record.is_ended_by_target(conn))
}

/// The entries that show that a stimulus was written, or why it was not.
fn stimulus_reached(
    plan: &Plan,
    record: &Record<'_>,
    fleet: &FleetPlan,
    member: u32,
    step: &StepPlan,
    listens: bool,
) -> Result<Vec<Moment>, String> {
    let run = record.steps.get(&(fleet.name.as_str(), member, step.index)).ok_or("was never reached")?;
    if listens && is_stopped_by_target(record, run) {
        return Ok(run.last().into_iter().collect());
    }
    let written = || written_since(record, run);
    if !run.was_said() {
        let part = written().filter(|_| run.started.is_some()).map(|n| format!(", {n} bytes of it were"));
        let why = format!("could not be said {}{}", in_brackets(run.detail), part.unwrap_or_default());
        return Err(why.trim_end().to_string());
    }
    let started = run.started.or(run.last()).ok_or("was never begun")?;
    if run.ended.is_none() && writes(&step.verb) && step.any.is_empty() && plan.record == Recording::Full {
        return Err(format!("was not over: {} bytes of it were written", written().unwrap_or(0)));
    }
    let Some(conn) = run.conn else { return Ok(alloc::vec![started]) };
    match record.connections.get(&conn) {
        Some(connection) if connection.opened.is_some() => {}
        Some(connection) => {
            return Err(match connection.closed {
                Some((_, _, Close::LocalLimit)) => "found no port or descriptor left on our own side".to_string(),
                _ => "found nobody to connect to".to_string(),
            });
        }
        None if plan.record == Recording::Edges => return Ok(alloc::vec![started]),
        None => return Err("has no connection".to_string()),
    }
    if !writes(&step.verb) || plan.record == Recording::Edges {
        return Ok(alloc::vec![started]);
    }
    let sent = record.sent_since(conn, started.at).ok_or("put no byte on the wire")?;
    Ok(alloc::vec![started, sent])
}

/// Bytes that were written on a step's connection since it began; `None` where it has none.
fn written_since(record: &Record<'_>, run: &StepRun<'_>) -> Option<u64> {
    let (conn, since) = (run.conn?, run.started?);
    let all = record.bytes_of(conn);
    let later = &all[all.partition_point(|id| *id < since.id)..];
    let sent = later.iter().filter_map(|id| match &record.transcript.entries[id.0 as usize].event {
        Event::Sent(bytes) => Some(bytes.len.unwrap_or(bytes.hex.len() as u64 / 2)),
        _ => None,
    });
    Some(sent.sum())
}

/// A fleet without steps whose whole traffic is control (must be answered) or stimulus (must be sent).
fn check_traffic(record: &Record<'_>, fleet: &FleetPlan, part: Part, found: &mut Preconditions) {
    let seen = record.transcript.iter().find(|(_, entry)| {
        let own = matches!(&entry.who, Who::Member(name, _) if *name == fleet.name);
        match (&entry.event, part) {
            (Event::Sent(_), Part::Stimulus) | (Event::Received(_), Part::Control) => own,
            (Event::Totals(totals), _) if totals.text("fleet") == Some(&fleet.name) => {
                let way = if part == Part::Stimulus { "sent-bytes" } else { "received-bytes" };
                totals.int(way).is_some_and(|n| n > 0)
            }
            _ => false,
        }
    });
    match (seen, part) {
        (Some((id, _)), part) => {
            found.evidence.push(id);
            if part == Part::Stimulus {
                found.attack(fleet, Ok(()));
            }
        }
        (None, Part::Control) => found.controls.push(format!("control {} was never answered", fleet.name)),
        (None, Part::Stimulus) => {
            let gap = format!("stimulus {} sent nothing", fleet.name);
            found.attack(fleet, Err(gap.clone()));
            found.gaps.push(gap);
        }
    }
}

/// The limit is a gap only where somebody who ends by himself had not ended.
fn check_limit(plan: &Plan, record: &Record<'_>, registry: &Registry, found: &mut Preconditions) {
    if !record.transcript.entries.iter().any(|entry| entry.event == Event::Limit) {
        return;
    }
    let mut finished: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in &record.transcript.entries {
        if let (Who::Member(fleet, _), Event::Finished) = (&entry.who, &entry.event) {
            *finished.entry(fleet).or_default() += 1;
        }
    }
    let ends = |fleet: &&FleetPlan| {
        let behaviour = registry.behaviour(&fleet.protocol, &fleet.behaviour);
        !is_witness(&fleet.name) && behaviour.is_none_or(|behaviour| (behaviour.ends)(fleet))
    };
    for fleet in plan.fleets.iter().filter(ends) {
        let done = finished.get(fleet.name.as_str()).copied().unwrap_or(0);
        let all = u32::try_from(fleet.members().count()).unwrap_or(u32::MAX);
        if done < all {
            found.gaps.push(format!("the limit was reached: {done} of {all} members of {} had finished", fleet.name));
        }
    }
}

fn check_witness(plan: &Plan, record: &Record<'_>, found: &mut Preconditions) {
    let mut witnesses = plan.fleets.iter().map(|fleet| fleet.name.as_str()).filter(|name| is_witness(name)).peekable();
    if witnesses.peek().is_none() {
        found.gaps.push("nobody played the witness".to_string());
    }
    let since = record.attack().map_or(Time::ZERO, |(_, last)| last.at);
    for witness in witnesses {
        match record.witness_served_after(witness, since) {
            Some(moment) => found.evidence.push(moment.id),
            None => found.gaps.push(format!("the {witness} was not served after the last stimulus")),
        }
    }
}

/// The second arm must show what the first is compared with.
fn check_arm(plan: &Plan, control: Option<&Transcript>, registry: &Registry, found: &mut Preconditions) {
    let Some(arm) = &plan.control else { return };
    let Some(transcript) = control else {
        found.controls.push("the control arm was not run".to_string());
        return;
    };
    let record = Record::new(plan, transcript);
    if let Some((canary, at)) = &arm.canary {
        let name = plan.canaries.get(usize::from(canary.0)).map_or("", |(name, _)| name);
        let at = At::parse(at);
        if !sightings(plan, &record, name).iter().any(|seen| at.holds(seen) == Some(true)) {
            found.controls.push(format!("in the control arm canary {name:?} was not seen at {}", at.text));
        }
    }
    if let Some((wanted, at)) = &arm.packet {
        let at = At::parse(at);
        let at_fleet = |conn: &u32| record.connections.get(conn).is_some_and(|connection| connection.fleet == at.fleet);
        let fits = |packet: &Packet| is_wanted(plan, registry, wanted, &at, packet);
        if !record.packets().any(|crossing| !crossing.sent && at_fleet(&crossing.conn) && fits(crossing.packet)) {
            found.controls.push(format!("in the control arm {} did not receive what it must", at.text));
        }
    }
    check_record(&record, "in the control arm ", found);
}

/// Whether a packet is what the control arm must show, by the same words as the answer to a step.
fn is_wanted(plan: &Plan, registry: &Registry, wanted: &Alternative, at: &At<'_>, packet: &Packet) -> bool {
    let Some(fleet) = plan.fleet(at.fleet) else { return false };
    let Some(protocol) = registry.protocol(&fleet.protocol) else { return false };
    let canary = |id: CanaryId| plan.canaries.get(usize::from(id.0)).map_or("", |(_, text)| text.as_str());
    let class = Class { version: &fleet.version, of: protocol.class };
    let words = Wanted { any: core::slice::from_ref(wanted), natural: None, class, canary: &canary };
    let grammar = fleet.grammar;
    let covered =
        at.filter.is_none_or(|filter| (grammar.resource)(packet).is_some_and(|name| (grammar.covers)(filter, &name)));
    covered && words.fits(wanted, packet)
}

/// Nothing was cut short by ourselves: no connection that stood, and not the record. (One that never stood is its step's matter.)
fn check_record(record: &Record<'_>, arm: &str, found: &mut Preconditions) {
    let stood = |(conn, connection): (&u32, &Connection<'_>)| connection.opened.is_some() && record.is_limited(*conn);
    if record.connections.iter().any(stood) {
        found.gaps.push(format!("{arm}our own limits ended a connection"));
    }
    let reached = record.transcript.entries.iter().filter_map(|entry| match &entry.event {
        Event::Calibration { name, .. } => OWN_LIMITS.iter().find(|(limit, _)| limit == name).map(|(_, what)| *what),
        _ => None,
    });
    let reached: BTreeSet<&str> = reached.collect();
    // What a log does not show is no doubt about what crossed the wire.
    found.full |= reached.iter().any(|what| *what != LOG_CUT);
    found.gaps.extend(reached.into_iter().map(|what| format!("{arm}{what}")));
}

const LOG_CUT: &str = "the target logged more than we keep: its log is not whole";
/// Limits of ours that the record names by themselves: on edges it need not show the connection that met one.
const OWN_LIMITS: [(&str, &str); 6] = [
    (LOG_LIMIT, LOG_CUT),
    (RECORD_LIMIT, "the record was full before the trial was over"),
    (MEMORY_LIMIT, "our own memory limit was reached before the trial was over: fewer --jobs, or more --memory"),
    (RECEIVED_LIMIT, "a peer sent more than we take: our own limit"),
    (DROPPED, "more datagrams came at once than the system keeps for us: our own limit"),
    (UNHEARD, "more strangers spoke than we tell apart: our own limit"),
];

fn step_name(fleet: &FleetPlan, member: u32, step: &StepPlan) -> String {
    let who = if fleet.count == 1 { fleet.name.clone() } else { format!("{}[{member}]", fleet.name) };
    format!("{who} step {} ({})", step.index, step.verb)
}

fn in_brackets(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!("({detail})") }
}
