//! Transcripts by hand: a film is cut entry by entry, then judged. Shared by the tests of every crate that has oracles.
use super::world::*;

/// A plan, and what was seen of it so far.
pub(crate) struct Film {
    pub(crate) plan: Plan,
    entries: Vec<Entry>,
    now: Time,
    owners: BTreeMap<u32, (String, u32)>,
}

#[allow(dead_code, reason = "each crate's tests use their own part")]
impl Film {
    pub(crate) fn new(plan: Plan) -> Film {
        Film { plan, entries: Vec::new(), now: Time::ZERO, owners: BTreeMap::new() }
    }

    /// What follows is seen this many milliseconds after the start.
    pub(crate) fn at(&mut self, millis: u64) -> &mut Film {
        self.now = Time(millis * 1_000_000);
        self
    }

    pub(crate) fn nanos(&mut self, nanos: u64) -> &mut Film {
        self.now = Time(nanos);
        self
    }

    pub(crate) fn entry(&mut self, who: Who, event: Event) -> &mut Film {
        self.entries.push(Entry { at: self.now, who, event });
        self
    }

    fn on(&mut self, conn: u32, event: Event) -> &mut Film {
        let (fleet, member) =
            self.owners.get(&conn).cloned().unwrap_or_else(|| panic!("connection {conn} was never opened"));
        self.entry(Who::Member(fleet, member), event)
    }

    pub(crate) fn open(&mut self, fleet: &str, member: u32, conn: u32) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        let here = Addr::new([127, 0, 0, 1], 7);
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from: here, to: here })
    }

    /// A connection from this address.
    pub(crate) fn open_from(&mut self, fleet: &str, member: u32, conn: u32, from: Addr) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        let to = Addr::new([127, 0, 0, 1], 7);
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from, to })
    }

    /// Somebody at this address speaks to a socket of ours.
    pub(crate) fn accept(&mut self, fleet: &str, member: u32, conn: u32, from: Addr, to: Addr) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        self.on(conn, Event::Opened { conn, label: "main".to_string(), from, to })
    }

    /// A datagram of so many bytes, sent or received, that holds a packet with these fields.
    pub(crate) fn datagram(&mut self, conn: u32, sent: bool, len: usize, fields: &[(&str, Value)]) -> &mut Film {
        let bytes = Bytes { hex: "00".repeat(len), ..bytes(conn, "datagram", fields) };
        self.on(conn, if sent { Event::Sent(bytes) } else { Event::Received(bytes) })
    }

    /// A member keeps a value as `fleet.name`.
    pub(crate) fn bound(&mut self, fleet: &str, member: u32, name: &str, value: impl Into<Value>) -> &mut Film {
        let event = Event::Bound { name: name.to_string(), value: value.into() };
        self.entry(Who::Member(fleet.to_string(), member), event)
    }

    pub(crate) fn refuse(&mut self, fleet: &str, member: u32, conn: u32) -> &mut Film {
        self.owners.insert(conn, (fleet.to_string(), member));
        self.on(conn, Event::Closed { conn, by: By::Peer, how: Close::Refused })
    }

    pub(crate) fn close(&mut self, conn: u32, by: By) -> &mut Film {
        self.on(conn, Event::Closed { conn, by, how: Close::Fin })
    }

    pub(crate) fn sent(&mut self, conn: u32, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        self.on(conn, Event::Sent(bytes(conn, kind, fields)))
    }

    pub(crate) fn got(&mut self, conn: u32, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        self.on(conn, Event::Received(bytes(conn, kind, fields)))
    }

    /// The whole text of a canary, as payload.
    pub(crate) fn canary(&self, name: &str) -> Value {
        let (_, text) =
            self.plan.canaries.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no canary {name:?}"));
        Value::from(text.as_str())
    }

    /// A packet with the canary leaves.
    pub(crate) fn plants(&mut self, conn: u32, canary: &str, kind: &str, fields: &[(&str, Value)]) -> &mut Film {
        let key = if kind == "connect" { "will_payload" } else { "payload" };
        let mut fields = fields.to_vec();
        fields.push((key, self.canary(canary)));
        self.sent(conn, kind, &fields).on(conn, Event::Planted { canary: canary.to_string(), conn })
    }

    /// A packet with the canary arrives.
    pub(crate) fn sees(&mut self, conn: u32, canary: &str, fields: &[(&str, Value)]) -> &mut Film {
        let mut fields = fields.to_vec();
        fields.push(("payload", self.canary(canary)));
        self.got(conn, "publish", &fields).on(conn, Event::Seen { canary: canary.to_string(), conn })
    }

    /// A step changes its state; verb and part are the plan's.
    pub(crate) fn step(
        &mut self,
        fleet: &str,
        member: u32,
        index: u16,
        conn: Option<u32>,
        state: StepState,
    ) -> &mut Film {
        let of = self.plan.fleet(fleet).unwrap_or_else(|| panic!("no fleet {fleet:?}"));
        let step = of.steps.iter().find(|step| step.index == index).expect("the plan has this step");
        let part = step.part.or(of.part);
        let event = Event::Step { index, verb: step.verb.clone(), conn, state, part, detail: String::new() };
        self.entry(Who::Member(fleet.to_string(), member), event)
    }

    /// A step that was said and met at once.
    pub(crate) fn met(&mut self, fleet: &str, member: u32, index: u16, conn: u32) -> &mut Film {
        self.step(fleet, member, index, Some(conn), StepState::Started);
        self.step(fleet, member, index, Some(conn), StepState::Met)
    }

    pub(crate) fn witness(&mut self, state: WitnessState) -> &mut Film {
        self.entry(Who::Member("witness".to_string(), 0), Event::Witness(state))
    }

    /// The witness is served within a millisecond.
    pub(crate) fn served(&mut self) -> &mut Film {
        self.witness(WitnessState::Served { rtt: 1_000_000, late: 0 })
    }

    pub(crate) fn life(&mut self, life: Life) -> &mut Film {
        self.entry(Who::Target, Event::Life(life))
    }

    pub(crate) fn gauge(&mut self, name: &str, value: u64) -> &mut Film {
        self.entry(Who::Target, Event::Gauge { name: name.to_string(), value })
    }

    pub(crate) fn transcript(&self) -> Transcript {
        let header = Header {
            format: FORMAT,
            scenario: self.plan.id.clone(),
            case: String::new(),
            seed: Seed(1),
            target: "by-hand".to_string(),
            clock: "sim".to_string(),
            arm: "main".to_string(),
        };
        Transcript { header, entries: self.entries.clone() }
    }

    /// The answer of the plan's rule for an oracle.
    pub(crate) fn judge(&self, oracle: &Oracle) -> Judgement {
        let expect =
            self.plan.expects.iter().find(|expect| expect.oracle == oracle.id).expect("the plan has this rule");
        (oracle.judge)(expect, &self.plan, &self.transcript())
    }
}

fn bytes(conn: u32, kind: &str, fields: &[(&str, Value)]) -> Bytes {
    let fields = Fields(fields.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect());
    let packet = Packet { kind: kind.to_string(), fields, malformed: String::new() };
    Bytes { conn, hex: "00".to_string(), len: None, sha256: None, packets: [packet].to_vec() }
}
