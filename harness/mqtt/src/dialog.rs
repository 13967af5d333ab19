//! The MQTT side of one scripted connection: says steps, hears packets, and answers by itself what a client has to answer, unless
//! the session is manual.
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::plan::{FleetPlan, Plan, StepPlan};
use proofhouse_core::protocol::{Awaits, Describe, Dialog, Heard, Unsayable};
use proofhouse_core::time::{Duration, Time};
use proofhouse_core::transcript::Packet as Told;
use proofhouse_core::value::{Fields, Value};

use crate::codec::{Ack, Packet, PacketId, ReasonCode, Sender, Version, split};
use crate::describe::Stream;
use crate::session::limits::{Announced, Limit, allows};
use crate::{frames, names, steps, unique};

mod asked;
use asked::Asked;

/// One scripted connection.
struct Script {
    version: Version,
    /// Nothing is answered that a step does not say; also where we play the server.
    manual: bool,
    client_id: String,
    /// Who may speak here: place of the party, user name, password.
    accounts: Vec<(u16, String, String)>,
    /// Who speaks unless a step says otherwise.
    party: Option<u16>,
    stream: Stream,
    asked: Asked,
    last_id: u16,
    keep_alive: Duration,
    /// When keep-alive began to count: with the CONNACK, and then with each packet that we send.
    spoke: Option<Time>,
    /// What the server announced in the last CONNACK.
    announced: Announced,
    /// Legal messages without their last acknowledgement.
    unacknowledged: BTreeSet<PacketId>,
    /// Legal messages that wait for the server's quota.
    held: VecDeque<(PacketId, Vec<u8>)>,
}

/// For [`Protocol::dialog`](proofhouse_core::protocol::Protocol::dialog).
#[must_use]
pub fn dialog(fleet: &FleetPlan, plan: &Plan, member: u32) -> Box<dyn Dialog> {
    let version = names::version(&fleet.version);
    let speakers = fleet.steps.iter().filter_map(|step| step.speaks_as.flatten()).chain(fleet.party);
    let mut accounts: Vec<(u16, String, String)> = Vec::new();
    for index in speakers.filter(|_| fleet.authenticated) {
        if let Some(party) = plan.parties.get(usize::from(index))
            && !accounts.iter().any(|(known, ..)| *known == index)
        {
            accounts.push((index, party.user.clone(), party.password.clone()));
        }
    }
    let manual = fleet.manual || fleet.plays_server;
    let (ours, theirs) =
        if fleet.plays_server { (Sender::Server, Sender::Client) } else { (Sender::Client, Sender::Server) };
    Box::new(Script {
        version,
        manual,
        client_id: unique::client_id(fleet, member),
        accounts,
        party: fleet.party,
        stream: Stream::new(version, theirs),
        asked: Asked::new(version, ours, manual),
        last_id: 0,
        keep_alive: Duration::ZERO,
        spoke: None,
        announced: Announced::NOTHING,
        unacknowledged: BTreeSet::new(),
        held: VecDeque::new(),
    })
}

impl Dialog for Script {
    fn say(
        &mut self,
        step: &StepPlan,
        values: &Fields,
        now: Time,
        out: &mut Vec<u8>,
    ) -> Result<Option<Awaits>, Unsayable> {
        if let Some(spoke) = &mut self.spoke {
            *spoke = now;
        }
        if step.verb == "send" {
            return Ok(self.send(step, values, out).map(|()| None)?);
        }
        let mut fields = values.clone();
        steps::with_defaults(&step.verb, &mut fields);
        if step.verb == "connect" {
            self.introduce(step, &mut fields);
        }
        self.give_id(&step.verb, &mut fields);
        let start = out.len();
        steps::legal(self.version, &step.verb, &fields, out).map_err(|m| alloc::format!("{}: {}", m.key, m.what))?;
        if let Err(limit) = self.keep_limits(start, out) {
            out.truncate(start);
            return Err(Unsayable::Limit(limit.to_string()));
        }
        Ok(awaits(&step.verb, &fields))
    }

    fn said(&mut self, nth: u32, bytes: &[u8]) {
        self.asked.step(nth, bytes);
    }

    fn hear(&mut self, bytes: &[u8], now: Time, packets: &mut Vec<Heard>, reply: &mut Vec<u8>) {
        let mut told = Vec::new();
        self.stream.bytes(bytes, &mut told);
        for packet in told {
            let answers = self.asked.answered_by(&packet);
            if packet.malformed.is_empty() {
                self.learn(&packet);
                let before = reply.len();
                if !self.manual {
                    self.answer(&packet, now, reply);
                }
                self.asked.dialog(&reply[before..]);
            }
            packets.push(Heard { packet, answers });
        }
        let before = reply.len();
        self.release(now, reply);
        self.asked.late(&reply[before..]);
    }

    fn unfinished(&self) -> usize {
        self.stream.held()
    }

    fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Time> {
        let spoke = self.spoke.filter(|_| !self.manual && self.keep_alive > Duration::ZERO)?;
        // An eighth early: the interval runs until the server has our packet, not until we have sent it.
        let pause = self.keep_alive - self.keep_alive / 8;
        if now < spoke + pause {
            return Some(spoke + pause);
        }
        let before = out.len();
        write(&Packet::Pingreq, self.version, out);
        self.asked.dialog(&out[before..]);
        self.spoke = Some(now);
        Some(now + pause)
    }
}

impl Script {
    /// A legal step keeps what the server announced; who wants to break a limit says it with a frame. What the packet from `start` on is
    /// too many of waits until the server has acknowledged others: nothing stands in `out` then.
    fn keep_limits(&mut self, start: usize, out: &mut Vec<u8>) -> Result<(), Limit> {
        let Ok(Some(cut)) = split(self.version, Sender::Client, u32::MAX, &out[start..]) else { return Ok(()) };
        let Ok(packet) = Packet::decode(self.version, Sender::Client, cut.first, cut.body) else { return Ok(()) };
        allows(&self.announced, &packet)?;
        let Packet::Publish(publish) = packet else { return Ok(()) };
        let Some(id) = publish.delivery.id().filter(|id| !self.unacknowledged.contains(id)) else { return Ok(()) };
        match self.announced.takes_beside(self.unacknowledged.len()) {
            Ok(()) => _ = self.unacknowledged.insert(id),
            // Nobody acknowledges for a manual session: its script would wait for ever.
            Err(limit) if self.manual => return Err(limit),
            Err(_) => self.held.push_back((id, out.split_off(start))),
        }
        Ok(())
    }

    /// Says what waited for the server's quota.
    fn release(&mut self, now: Time, reply: &mut Vec<u8>) {
        while self.announced.takes_beside(self.unacknowledged.len()).is_ok()
            && let Some((id, bytes)) = self.held.pop_front()
        {
            self.unacknowledged.insert(id);
            self.spoke = Some(now);
            reply.extend_from_slice(&bytes);
        }
    }

    /// What the server announces, and which messages it has done with.
    fn learn(&mut self, packet: &Told) {
        let number = |name: &str| packet.fields.int(name).and_then(|value| u32::try_from(value).ok());
        let refused = number("reason").is_some_and(|reason| !ReasonCode(reason as u8).is_ok());
        let done = match packet.kind.as_str() {
            "connack" if number("reason") == Some(0) => {
                self.announced = Announced::read(|id| number(names::property(id)));
                self.unacknowledged.clear();
                return self.held.clear();
            }
            "puback" | "pubcomp" => true,
            "pubrec" => refused,
            _ => false,
        };
        if let Some(id) = number("packet_id").and_then(|id| PacketId::new(u16::try_from(id).ok()?)).filter(|_| done) {
            self.unacknowledged.remove(&id);
        }
    }

    /// Frames as they are; what a legal CONNECT or an acknowledged message needs is filled in where the frame does not say it.
    fn send(&mut self, step: &StepPlan, values: &Fields, out: &mut Vec<u8>) -> Result<(), String> {
        let frame = values.find("frame").ok_or("send needs hex or frame")?;
        for frame in frame.as_slice() {
            let Value::Table(frame) = frame else { return Err(alloc::format!("{frame} is no frame")) };
            let mut fields = frame.clone();
            let kind = fields.text("type").unwrap_or_default().to_string();
            if kind == "connect" {
                self.introduce(step, &mut fields);
            }
            if fields.find("body").is_none() {
                self.give_id(&kind, &mut fields);
            }
            frames::build(self.version, &fields, out).map_err(|m| alloc::format!("frame.{}: {}", m.key, m.what))?;
        }
        Ok(())
    }

    /// Client id and credentials of whoever speaks.
    fn introduce(&mut self, step: &StepPlan, fields: &mut Fields) {
        if fields.find("client_id").is_none() {
            fields.set("client_id", self.client_id.as_str());
        }
        let speaker = step.speaks_as.unwrap_or(self.party);
        let account = self.accounts.iter().find(|(index, ..)| Some(*index) == speaker);
        if let Some((_, user, password)) = account {
            for (key, value) in [("username", user), ("password", password)] {
                if fields.find(key).is_none() {
                    fields.set(key, value.as_str());
                }
            }
        }
        let seconds = fields.int("keep_alive").unwrap_or(60);
        self.keep_alive = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    }

    /// A packet identifier where one is needed and none is given.
    fn give_id(&mut self, kind: &str, fields: &mut Fields) {
        let needed = match kind {
            "publish" => fields.int("qos").is_some_and(|qos| qos > 0),
            "subscribe" | "unsubscribe" => true,
            _ => false,
        };
        if needed && fields.find("packet_id").is_none() {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            fields.set("packet_id", u32::from(self.last_id));
        }
    }

    /// What a client has to answer.
    fn answer(&mut self, packet: &Told, now: Time, reply: &mut Vec<u8>) {
        if packet.kind == "connack" && packet.fields.int("reason") == Some(0) {
            self.spoke = Some(now);
            if let Some(seconds) = packet.fields.int("server_keep_alive") {
                self.keep_alive = Duration::from_secs(seconds as u64);
            }
        }
        let id = packet.fields.int("packet_id").and_then(|id| u16::try_from(id).ok()).and_then(PacketId::new);
        let Some(ack) = id.map(Ack::success) else { return };
        let accepted = packet.fields.int("reason").is_none_or(|reason| ReasonCode(reason as u8).is_ok());
        let answer = match (packet.kind.as_str(), packet.fields.int("qos")) {
            ("publish", Some(1)) => Packet::Puback(ack),
            ("publish", Some(2)) => Packet::Pubrec(ack),
            ("pubrec", _) if accepted => Packet::Pubrel(ack),
            ("pubrel", _) => Packet::Pubcomp(ack),
            _ => return,
        };
        write(&answer, self.version, reply);
        self.spoke = Some(now);
    }
}

/// The natural answer of a legal packet.
fn awaits(verb: &str, fields: &Fields) -> Option<Awaits> {
    let with_id = |kind| {
        let id = fields.find("packet_id").cloned();
        Some(Awaits { kind, fields: id.map(|id| ("packet_id", id)).into_iter().collect() })
    };
    match (verb, fields.int("qos")) {
        ("connect", _) => Some(Awaits { kind: "connack", fields: Vec::new() }),
        ("publish", Some(1)) => with_id("puback"),
        ("publish", Some(2)) => with_id("pubrec"),
        ("pubrec", _) if fields.int("reason").is_none_or(|reason| reason < 0x80) => with_id("pubrel"),
        ("pubrel", _) => with_id("pubcomp"),
        ("subscribe", _) => with_id("suback"),
        ("unsubscribe", _) => with_id("unsuback"),
        ("ping", _) => Some(Awaits { kind: "pingresp", fields: Vec::new() }),
        ("disconnect", _) => Some(Awaits::CLOSED),
        ("auth", _) if fields.int("reason") == Some(0x19) => Some(Awaits { kind: "auth", fields: Vec::new() }),
        _ => None,
    }
}

fn write(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    packet.encode(version, out).expect("an acknowledgement without properties is legal in both versions");
}

#[cfg(test)]
#[path = "dialog_tests.rs"]
mod tests;
