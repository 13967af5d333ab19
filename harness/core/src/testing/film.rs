//! Transcripts by hand: a film is cut entry by entry, then judged. For the tests of rules.
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::header;
use crate::connection::{Addr, Close};
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::time::Time;
use crate::transcript::{By, Bytes, Entry, Event, Header, Life, Packet, StepState, Transcript, Who, WitnessState};
use crate::value::Value;
use crate::verdict::Judgement;

/// A plan, and what was seen of it so far.
pub struct Film {
    /// What was planned.
    pub plan: Plan,
    entries: Vec<Entry>,
    now: Time,
    owners: BTreeMap<u32, (String, u32)>,
}

impl Film {
    /// Nothing has been seen yet.
    pub fn new(plan: Plan) -> Film {
        Film { plan, entries: Vec::new(), now: Time::ZERO, owners: BTreeMap::new() }
    }

    /// What follows is seen this many milliseconds after the start.
    pub fn at(&mut self, millis: u64) -> &mut Film {
        self.now = Time(millis * 1_000_000);
        self
    }

    /// What follows is seen this many nanoseconds after the start.
    pub fn nanos(&mut self, nanos: u64) -> &mut Film {
        self.now = Time(nanos);
        self
    }

    /// Anything, by anyone.
    pub fn entry(&mut self, who: Who, event: Event) -> &mut Film {
        self.entries.push(Entry { at: self.now, who, event });
        self
    }

    fn on(&mut self, conn: u32, event: Event) -> &mut Film {
        let (fleet, member) =
            self.owners.get(&conn).cloned().unwrap_or_else(|| panic!("connection {conn} was never opened"));
        self.entry(Who::Member(fleet, member), event)
    }

    /// A member opens a connection.
    pub fn open(&mut self, fleet: &str, member: u32, conn: u32) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        let (from, to) = (Film::socket(conn), Addr::new([127, 0, 0, 1], 7));
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from, to })
    }

    /// The address of ours from which [`Film::open`] opens a connection.
    #[must_use]
    pub fn socket(conn: u32) -> Addr {
        Addr::new([127, 0, 0, 1], 40_000 + conn as u16)
    }

    /// A connection from this address.
    pub fn open_from(&mut self, fleet: &str, member: u32, conn: u32, from: Addr) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        let to = Addr::new([127, 0, 0, 1], 7);
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from, to })
    }

    /// Somebody at this address speaks to a socket of ours.
    pub fn accept(&mut self, fleet: &str, member: u32, conn: u32, from: Addr, to: Addr) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from, to })
    }

    /// A datagram of so many bytes, sent or received, that holds a packet with these fields.
    pub fn datagram(&mut self, conn: u32, sent: bool, len: usize, fields: &[(&str, Value)]) -> &mut Film {
        let bytes = Bytes { hex: "00".repeat(len), ..bytes(conn, "datagram", fields) };
        self.on(conn, if sent { Event::Sent(bytes) } else { Event::Received(bytes) })
    }

    /// A member keeps a value as `fleet.name`.
    pub fn bound(&mut self, fleet: &str, member: u32, name: &str, value: impl Into<Value>) -> &mut Film {
        let event = Event::Bound { name: name.to_string(), value: value.into() };
        self.entry(Who::Member(fleet.to_string(), member), event)
    }

    /// A connection is refused.
    pub fn refuse(&mut self, fleet: &str, member: u32, conn: u32) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        self.on(conn, Event::Closed { conn, by: By::Peer, how: Close::Refused })
    }

    /// A connection ends with FIN.
    pub fn close(&mut self, conn: u32, by: By) -> &mut Film {
        self.on(conn, Event::Closed { conn, by, how: Close::Fin })
    }

    /// A packet leaves.
    pub fn sent(&mut self, conn: u32, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        self.on(conn, Event::Sent(bytes(conn, kind, fields)))
    }

    /// A packet arrives.
    pub fn got(&mut self, conn: u32, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        self.on(conn, Event::Received(bytes(conn, kind, fields)))
    }

    /// The whole text of a canary, as payload.
    pub fn canary(&self, name: &str) -> Value {
        let (_, text) =
            self.plan.canaries.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no canary {name:?}"));
        Value::from(text.as_str())
    }

    /// A packet with the canary leaves.
    pub fn plants(&mut self, conn: u32, canary: &str, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        let key = if kind == "connect" { "will_payload" } else { "payload" };
        let mut fields = fields.to_vec();
        fields.push((key, self.canary(canary)));
        self.sent(conn, kind, &fields).on(conn, Event::Planted { canary: canary.to_string(), conn })
    }

    /// A packet with the canary arrives.
    pub fn sees(&mut self, conn: u32, canary: &str, fields: &[(&str, Value)]) -> &mut Film {
        let mut fields = fields.to_vec();
        fields.push(("payload", self.canary(canary)));
        self.got(conn, "publish", &fields).on(conn, Event::Seen { canary: canary.to_string(), conn })
    }

    /// A step changes its state; verb and part are the plan's.
    pub fn step(&mut self, fleet: &str, member: u32, index: u16, conn: Option<u32>, state: StepState) -> &mut Film {
        let of = self.plan.fleet(fleet).unwrap_or_else(|| panic!("no fleet {fleet:?}"));
        let step = of.steps.iter().find(|step| step.index == index).expect("the plan has this step");
        let part = step.part.or(of.part);
        let event = Event::Step { index, verb: step.verb.clone(), conn, state, part, detail: String::new() };
        self.entry(Who::Member(fleet.to_string(), member), event)
    }

    /// A step that was said and met at once.
    pub fn met(&mut self, fleet: &str, member: u32, index: u16, conn: u32) -> &mut Film {
        self.step(fleet, member, index, Some(conn), StepState::Started);
        self.step(fleet, member, index, Some(conn), StepState::Met)
    }

    /// The witness says how its round went.
    pub fn witness(&mut self, state: WitnessState) -> &mut Film {
        self.entry(Who::Member("witness".to_string(), 0), Event::Witness(state))
    }

    /// The witness is served within a millisecond.
    pub fn served(&mut self) -> &mut Film {
        self.witness(WitnessState::Served { rtt: 1_000_000, late: 0 })
    }

    /// A turn of the target's life.
    pub fn life(&mut self, life: Life) -> &mut Film {
        self.entry(Who::Target, Event::Life(life))
    }

    /// A measure of the target.
    pub fn gauge(&mut self, name: &str, value: u64) -> &mut Film {
        self.entry(Who::Target, Event::Gauge { name: name.to_string(), value })
    }

    /// All that was seen.
    pub fn transcript(&self) -> Transcript {
        let header = Header { target: "by-hand".to_string(), ..header(&self.plan) };
        Transcript { header, entries: self.entries.clone() }
    }

    /// The answer of the plan's rule for an oracle.
    pub fn judge(&self, oracle: &Oracle) -> Judgement {
        let expect =
            self.plan.expects.iter().find(|expect| expect.oracle == oracle.id).expect("the plan has this rule");
        (oracle.judge)(expect, &self.plan, &self.transcript())
    }
}

fn bytes(conn: u32, kind: &str, fields: &[(&str, Value)]) -> Bytes {
    let packet = Packet { kind: kind.to_string(), fields: super::fields(fields), malformed: String::new() };
    Bytes { conn, hex: "00".to_string(), len: None, sha256: None, packets: [packet].to_vec() }
}
