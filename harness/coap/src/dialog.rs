//! The CoAP side of one scripted association: says steps, hears datagrams, and does by itself what a client has to do, unless the
//! session is manual: it acknowledges what it asked for, resets what it did not, repeats a CON until it is heard, answers an Echo
//! challenge, and moves blocks where a step says `blockwise = true`.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::plan::{FleetPlan, Plan, StepPlan};
use proofhouse_core::protocol::{Awaits, Dialog, Heard, Unsayable};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::Packet;
use proofhouse_core::value::{Fields, Value};

use crate::client::{Client, Manners};
use crate::frames::{self, Mistake};
use crate::steps;

mod asked;
use asked::Asked;

/// Message ids from here on are given by themselves; a step that chooses its own takes one below, so that no two messages share one.
const OWN_MIDS: u16 = 5_000;

/// One scripted association.
struct Script {
    client: Client,
    asked: Asked,
    /// Datagrams of the step that is being said, beside its first.
    more: Vec<Vec<u8>>,
    tags: Tags,
}

/// The ETag that came last for each path, and the path of each token.
#[derive(Default)]
struct Tags {
    paths: BTreeMap<String, String>,
    tags: BTreeMap<String, Value>,
}

impl Tags {
    fn asked(&mut self, frame: &Fields) {
        let path = frame.find("path").map(Value::to_string).unwrap_or_default();
        self.paths.insert(frame.text("token").unwrap_or("").to_string(), path);
    }

    fn told(&mut self, packet: &Packet) {
        let path = packet.fields.text("token").and_then(|token| self.paths.get(token));
        if let (Some(path), Some(tag), Some("2.05")) = (path, packet.fields.find("etag"), packet.fields.text("code")) {
            self.tags.insert(path.clone(), tag.clone());
        }
    }

    fn of(&self, path: Option<&Value>) -> Option<&Value> {
        self.tags.get(&path.map(Value::to_string).unwrap_or_default())
    }
}

/// For [`Protocol::dialog`](proofhouse_core::protocol::Protocol::dialog).
#[must_use]
pub fn dialog(fleet: &FleetPlan, plan: &Plan, member: u32) -> Box<dyn Dialog> {
    let mut rng = plan.seed.stream(&format!("coap/{}", fleet.name), u64::from(member));
    // The ids that the engine fills into raw bytes begin at this member's own place; ours begin half the circle away.
    let raw = 1 + plan.seed.stream(&format!("mid/{}", fleet.name), u64::from(member)).below(0xff00) as u16;
    let offset = rng.below(0x1000) as u16;
    let mut client = Client::new(rng, raw.wrapping_add(0x8000).wrapping_add(offset));
    client.floor = OWN_MIDS;
    client.mute = fleet.manual || fleet.plays_server;
    Box::new(Script { client, asked: Asked::default(), more: Vec::new(), tags: Tags::default() })
}

impl Dialog for Script {
    fn say(
        &mut self,
        step: &StepPlan,
        values: &Fields,
        now: Time,
        out: &mut Vec<u8>,
    ) -> Result<Option<Awaits>, Unsayable> {
        let said = match step.verb.as_str() {
            "send" => self.send(values, out).map(|()| None),
            "ping" => self.ping(values, now, out).map(Some),
            "ack" | "rst" => self.empty(step, values, out).map(|()| None),
            method => self.request(method, values, now, out).map(Some),
        };
        said.map_err(|m| Unsayable::Mistake(format!("{}: {}", m.key, m.what)))
    }

    fn said(&mut self, nth: u32, bytes: &[u8]) {
        self.asked.step(nth, bytes);
        for datagram in self.more.drain(..) {
            self.asked.step(nth, &datagram);
        }
    }

    fn hear(&mut self, bytes: &[u8], now: Time, packets: &mut Vec<Heard>, reply: &mut Vec<u8>) {
        let mut told = Vec::new();
        self.client.hear(now, bytes, &mut told, reply);
        told.iter().for_each(|packet| self.tags.told(packet));
        let (answers, copy) = self.asked.heard(bytes);
        // As with a message that comes twice: whoever repeats must expect to be answered again, and is told once.
        if !copy || self.client.mute {
            packets.extend(told.into_iter().map(|packet| Heard { packet, answers }));
        }
    }

    fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Time> {
        self.client.tick(now, out)
    }
}

impl Script {
    fn request(&mut self, method: &str, values: &Fields, now: Time, out: &mut Vec<u8>) -> Result<Awaits, Mistake> {
        let manners = Manners {
            echo: values.find("echo").is_none(),
            blocks: values.truth("blockwise") == Some(true),
            block_size: steps::block_size(values)?,
            confirm: steps::confirm(values)?,
        };
        let mut frame = steps::frame(method, values);
        if values.truth("revalidate") == Some(true)
            && let Some(tag) = self.tags.of(values.find("path"))
        {
            frame.set("etag", tag.clone());
        }
        let frame = self.client.ask(now, frame, manners, out)?;
        self.tags.asked(&frame);
        let token = frame.find("token").cloned().unwrap_or_else(|| Value::from(""));
        // Hex digits may be written in capitals or with spaces; packets tell them in one way.
        let token = frames::opaque("token", &token).map(|bytes| proofhouse_core::value::hex(&bytes))?;
        Ok(Awaits { kind: "response", fields: alloc::vec![("token", Value::from(token))] })
    }

    fn ping(&mut self, values: &Fields, now: Time, out: &mut Vec<u8>) -> Result<Awaits, Mistake> {
        let mid = self.client.ping(now, steps::frame("ping", values), out)?;
        Ok(Awaits { kind: "rst", fields: alloc::vec![("mid", Value::from(u32::from(mid)))] })
    }

    /// An ACK or RST, of the last CON unless the step says of which.
    fn empty(&mut self, step: &StepPlan, values: &Fields, out: &mut Vec<u8>) -> Result<(), Mistake> {
        let mut frame = steps::frame(&step.verb, values);
        if frame.find("mid").is_none() {
            let Some(mid) = self.client.last_con() else {
                return frames::mistake("mid", "no CON was heard yet whose message id could be meant");
            };
            frame.set("mid", u32::from(mid));
        }
        frames::build(&frame, out)
    }

    /// Frames as they are, each a datagram: the first at once, the others with the ticks after it.
    fn send(&mut self, values: &Fields, out: &mut Vec<u8>) -> Result<(), Mistake> {
        let frames = values.find("frame").map(Value::as_slice).unwrap_or_default();
        for (place, frame) in frames.iter().enumerate() {
            let Value::Table(frame) = frame else { return frames::mistake("frame", format!("{frame} is no frame")) };
            let mut frame = frame.clone();
            if frame.find("mid").is_none() {
                let mid = self.client.fresh_mid();
                frame.set("mid", u32::from(mid));
            }
            let mut datagram = Vec::new();
            frames::build(&frame, &mut datagram)?;
            if frame.find("code").is_some() {
                self.client.expect_token(&frame);
            }
            match place {
                0 => out.extend_from_slice(&datagram),
                _ => {
                    self.more.push(datagram.clone());
                    self.client.queue(datagram);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "dialog_tests.rs"]
mod tests;
