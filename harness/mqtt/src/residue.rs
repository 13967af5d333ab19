//! What a trial leaves on a broker, retained messages and sessions, and the scenario that takes it away; what others have left there.
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use proofhouse_core::oracle::canary::carries;
use proofhouse_core::oracle::record::{Crossing, Record};
use proofhouse_core::plan::{self, Plan};
use proofhouse_core::shared::{Residue, quoted};
use proofhouse_core::transcript::{Event, Packet, Transcript};
use proofhouse_core::value::hex;

use crate::codec::Version;
use crate::grammar::GRAMMAR;
use crate::names;
use crate::oracle::identity::{Login, logins, party};

/// Who speaks on a connection: party, version, endpoint.
type Speaker = (Option<u16>, String, String);

/// For [`Shared::residue`](proofhouse_core::shared::Shared::residue).
#[must_use]
pub fn residue(plan: &Plan, transcript: &Transcript) -> Option<Residue> {
    let left = Left::of(plan, transcript);
    if left.sessions.is_empty() && left.retained.is_empty() {
        return None;
    }
    let ids = left.sessions.iter().map(|(_, id)| id.clone());
    let names = ids.chain(left.retained.keys().cloned()).collect();
    Some(Residue { names, scenario: left.scenario(plan) })
}

/// For [`Shared::foreign`](proofhouse_core::shared::Shared::foreign): a message on a topic that we have never said in whatever packet,
/// and that carries nothing of ours. The server's own topics are left out.
#[must_use]
pub fn foreign(plan: &Plan, transcript: &Transcript) -> Option<String> {
    let record = Record::new(plan, transcript);
    let (sent, got): (Vec<Crossing<'_>>, Vec<Crossing<'_>>) = record.packets().partition(|crossing| crossing.sent);
    let payloads =
        || sent.iter().flat_map(|c| ["payload", "will_payload"].map(|key| c.packet.fields.find(key))).flatten();
    let said = bytes_sent(transcript);
    let ours = |packet: &Packet| {
        let canary = plan.canaries.iter().any(|(_, canary)| carries(packet, canary));
        let topic = hex(text(packet, "topic").as_bytes());
        let payload = packet.fields.find("payload");
        canary
            || said.values().any(|all| all.contains(&topic))
            || payload.is_some_and(|own| payloads().any(|sent| sent == own))
    };
    // On edges our own messages are not all recorded: there only what the server kept tells.
    let kept_only = plan.record == plan::Recording::Edges;
    let is_foreign = |packet: &&Packet| {
        let topic = text(packet, "topic");
        let kept = packet.fields.truth("retain") == Some(true);
        let told = packet.malformed.is_empty() && !topic.is_empty() && !topic.starts_with('$');
        told && (kept || !kept_only) && !ours(packet)
    };
    let mut messages = got.iter().map(|crossing| crossing.packet).filter(|packet| packet.kind == "publish");
    let topic = messages.find(is_foreign).map(|packet| text(packet, "topic"))?;
    Some(format!(
        "a message that is not ours came on topic {topic:?}: somebody else uses this target, or had left it there"
    ))
}

/// Everything that we have sent, in hex, by connection: a packet within another says a topic too.
fn bytes_sent(transcript: &Transcript) -> BTreeMap<u32, String> {
    let mut all: BTreeMap<u32, String> = BTreeMap::new();
    for entry in &transcript.entries {
        if let Event::Sent(bytes) = &entry.event {
            all.entry(bytes.conn).or_default().push_str(&bytes.hex);
        }
    }
    all
}

/// What is left.
#[derive(Default)]
struct Left {
    /// Sessions that outlive their connections, and whose they are.
    sessions: BTreeSet<(Speaker, String)>,
    /// Topics of retained messages, and who published there.
    retained: BTreeMap<String, Speaker>,
}

impl Left {
    fn of(plan: &Plan, transcript: &Transcript) -> Left {
        let record = Record::new(plan, transcript);
        let logins = logins(&record);
        let mut left = Left::default();
        for Crossing { conn, packet, .. } in record.packets().filter(|crossing| crossing.sent) {
            let Some(login) = logins.get(&conn).filter(|login| login.accepted.is_some()) else { continue };
            let Some(speaker) = speaker(plan, &record, &logins, conn) else { continue };
            left.take(packet, login, speaker);
        }
        left
    }

    fn take(&mut self, packet: &Packet, login: &Login<'_>, speaker: Speaker) {
        match packet.kind.as_str() {
            "connect" => {
                if packet.fields.truth("will_retain") == Some(true) {
                    self.retained.insert(text(packet, "will_topic").to_string(), speaker.clone());
                }
                if outlives(packet, names::version(&speaker.1)) && !login.client_id.is_empty() {
                    self.sessions.insert((speaker, login.client_id.to_string()));
                }
            }
            // What the server must refuse it may have kept all the same. An alias has no name here: the topic was said before.
            "publish" if packet.fields.truth("retain") == Some(true) && !text(packet, "topic").is_empty() => {
                self.retained.insert(text(packet, "topic").to_string(), speaker);
            }
            _ => {}
        }
    }

    /// Sessions first: the Will of one that ends may be a retained message.
    fn scenario(&self, plan: &Plan) -> String {
        let mut script = Script { plan, fleets: BTreeMap::new() };
        for (speaker, id) in &self.sessions {
            let id = quoted(id);
            script.steps(speaker, &format!("do = \"connect\", client_id = {id}, clean_start = true, {CONNECTED}"));
        }
        for (topic, speaker) in &self.retained {
            script.steps(speaker, &format!("do = \"connect\", {CONNECTED}"));
            let frame = format!("{{ type = \"publish\", topic = {}, qos = 1, retain = true }}", quoted(topic));
            // A server may end the connection of somebody who must not publish here.
            script.more(
                speaker,
                &format!("do = \"send\", frame = {frame}, any = [{{ type = \"puback\" }}, {{ closed = true }}]"),
            );
        }
        script.text(&self.questions(plan))
    }

    /// Who asks for which topics: somebody who may read them, where there is one.
    fn questions(&self, plan: &Plan) -> BTreeMap<Speaker, Vec<&str>> {
        let mut all: BTreeMap<Speaker, Vec<&str>> = BTreeMap::new();
        for (topic, (party, version, endpoint)) in &self.retained {
            let reads = |of: Option<u16>| {
                of.and_then(|at| plan.parties.get(usize::from(at))).is_some_and(|party| may_read(party, topic))
            };
            let fleets = plan.fleets.iter().filter(|fleet| fleet.endpoint == *endpoint).map(|fleet| fleet.party);
            let reader = core::iter::once(*party).chain(fleets).find(|of| reads(*of)).unwrap_or(*party);
            all.entry((reader, version.clone(), endpoint.clone())).or_default().push(topic);
        }
        // A session is gone when the server says so.
        for (speaker, _) in &self.sessions {
            all.entry(speaker.clone()).or_default();
        }
        all
    }
}

const CONNECTED: &str = "expect = { type = \"connack\", reason = 0 }";

fn text<'a>(packet: &'a Packet, key: &str) -> &'a str {
    packet.fields.text(key).unwrap_or_default()
}

fn may_read(party: &plan::Party, topic: &str) -> bool {
    party.may.iter().any(|(verb, filter)| verb == "subscribe" && (GRAMMAR.covers)(filter, topic))
}

fn outlives(connect: &Packet, version: Version) -> bool {
    match version {
        Version::V311 => connect.fields.truth("clean_start") == Some(false),
        Version::V5 => connect.fields.int("session_expiry").is_some_and(|seconds| seconds > 0),
    }
}

fn speaker(plan: &Plan, record: &Record<'_>, logins: &BTreeMap<u32, Login<'_>>, conn: u32) -> Option<Speaker> {
    let fleet = plan.fleet(record.connections.get(&conn)?.fleet)?;
    Some((party(plan, record, logins, conn), fleet.version.clone(), fleet.endpoint.clone()))
}

/// The scenario as it grows: a fleet for each speaker, a connection for each thing that is cleared.
struct Script<'p> {
    plan: &'p Plan,
    fleets: BTreeMap<Speaker, (u32, String)>,
}

impl Script<'_> {
    /// A step on a connection of its own.
    fn steps(&mut self, speaker: &Speaker, step: &str) {
        let (conns, _) = self.fleets.entry(speaker.clone()).or_default();
        *conns += 1;
        self.more(speaker, step);
    }

    /// A further step on the same.
    fn more(&mut self, speaker: &Speaker, step: &str) {
        let (conns, steps) = self.fleets.entry(speaker.clone()).or_default();
        let _ = writeln!(steps, "  {{ conn = \"c{conns}\", part = \"control\", {step} }},");
    }

    /// First everybody clears; then somebody asks whether it is gone.
    fn text(self, questions: &BTreeMap<Speaker, Vec<&str>>) -> String {
        let mut out = String::from(
            "format = 1\ntitle = \"What a trial has left on the target is gone\"\nprotocol = \"mqtt\"\nlimit = \"60s\"\n",
        );
        let parties: BTreeSet<u16> =
            self.fleets.keys().chain(questions.keys()).filter_map(|(party, ..)| *party).collect();
        for at in parties {
            let _ = write!(out, "{}", rights(&self.plan.parties[usize::from(at)]));
        }
        for (n, (speaker, (_, steps))) in self.fleets.iter().enumerate() {
            let _ = write!(
                out,
                "{}{steps}  {{ do = \"wait\", for = \"1ms\", mark = \"done\" }},\n]\n",
                self.fleet("clears", n, speaker)
            );
        }
        let marks: Vec<String> = (0..self.fleets.len()).map(|n| format!("\"clears-{n}.done\"")).collect();
        for (n, (speaker, topics)) in questions.iter().enumerate() {
            let _ = writeln!(
                out,
                "{}  {{ after = [{}], do = \"connect\", {CONNECTED}, part = \"control\" }},",
                self.fleet("asks", n, speaker),
                marks.join(", ")
            );
            let _ = writeln!(out, "{}]", question(topics));
        }
        let asking: Vec<String> = (0..questions.len()).map(|n| format!("\"asks-{n}\"")).collect();
        let _ = write!(out, "[[expect]]\noracle = \"answer-in-set\"\nof = [{}]\n", asking.join(", "));
        out
    }

    fn fleet(&self, name: &str, n: usize, (party, version, endpoint): &Speaker) -> String {
        let who = party.map_or("nobody", |at| self.plan.parties[usize::from(at)].name.as_str());
        let place = format!("version = \"{version}\"\nendpoint = {}", quoted(endpoint));
        format!("[fleet.{name}-{n}]\nas = \"{who}\"\n{place}\nbehaviour = \"script\"\nstep = [\n")
    }
}

/// Asks for all topics at once. What the server still holds comes before or soon after its answer.
fn question(topics: &[&str]) -> String {
    if topics.is_empty() {
        return "  { do = \"ping\", any = [{ type = \"pingresp\" }], part = \"stimulus\" },\n".to_string();
    }
    let filters: Vec<String> = topics.iter().map(|topic| quoted(topic)).collect();
    let frame = format!("{{ type = \"subscribe\", filters = [{}] }}", filters.join(", "));
    let answers = "any = [{ type = \"suback\" }, { closed = true }]";
    format!(
        "  {{ do = \"send\", frame = {frame}, {answers}, part = \"stimulus\" }},\n  {{ do = \"wait\", for = \"150ms\" }},\n"
    )
}

fn rights(party: &plan::Party) -> String {
    let list = |verb: &str| {
        let filters = party.may.iter().filter(|(own, _)| own == verb).map(|(_, filter)| quoted(filter));
        filters.collect::<Vec<_>>().join(", ")
    };
    let (publish, subscribe) = (list("publish"), list("subscribe"));
    format!("[party.{}]\nmay = {{ publish = [{publish}], subscribe = [{subscribe}] }}\n", party.name)
}

#[cfg(test)]
#[path = "residue_tests.rs"]
mod tests;
