//! A toy protocol, so that the simulator and the recorder are tested without any real one: a packet is one byte of length
//! and that many bytes of text; members are puppets that do what their fleet's keys say.
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::actor::{Actor, Crowd, Input, Outbox};
use crate::admin::Order;
use crate::connection::CloseHow;
use crate::ids::{BindId, CanaryId, Conn, EndpointId, MarkId, TimerId};
use crate::note::Note;
use crate::plan::{FleetPlan, Network, Plan, StepPlan};
use crate::protocol::{Behaviour, Describe, From, Protocol, Transport};
use crate::registry::Registry;
use crate::testing;
pub(crate) use crate::testing::header;
use crate::time::Time;
use crate::transcript::{Event, Packet, StepState, Transcript, Who, WitnessState};
use crate::value::{Fields, Value};

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) const CLEAN: Network = Network::CLEAN;

const TOY: Protocol = Protocol {
    behaviours: &[
        Behaviour { name: "puppet", keys: &[], doc: "", crowd: puppets, ends: |_| true, written_out: None },
        Behaviour { name: "endless", keys: &[], doc: "", crowd: puppets, ends: |_| false, written_out: None },
    ],
    describe: |_, from| Box::new(Reader { from, rest: Vec::new() }),
    ..testing::PROTOCOL
};

/// The same over datagrams.
const GRAM: Protocol = Protocol { name: "gram", transport: Transport::Datagram, scheme: ("gram", 9), ..TOY };

pub(crate) fn registry() -> Registry {
    Registry { protocols: vec![TOY, GRAM], ..Registry::default() }
}

struct Reader {
    from: From,
    rest: Vec<u8>,
}

impl Describe for Reader {
    fn bytes(&mut self, bytes: &[u8], packets: &mut Vec<Packet>) {
        self.rest.extend_from_slice(bytes);
        while let Some(&len) = self.rest.first()
            && self.rest.len() > usize::from(len)
        {
            let body: Vec<u8> = self.rest.drain(..=usize::from(len)).skip(1).collect();
            let mut fields = Fields::default();
            fields.set("body", Value::from_payload(&body));
            let kind = if self.from == From::Client { "ask" } else { "answer" };
            packets.push(Packet { kind: kind.to_string(), fields, malformed: String::new() });
        }
    }
}

/// Does what a fleet's keys say on each input: words with spaces between.
struct Puppet {
    fleet: FleetPlan,
    member: u32,
    conn: Option<Conn>,
    opened: u32,
    heard: Vec<u8>,
}

fn puppets(fleet: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    let puppet = |member| Puppet { fleet: fleet.clone(), member, conn: None, opened: 0, heard: Vec::new() };
    Box::new(fleet.members().map(puppet).collect::<Vec<_>>())
}

impl Actor for Puppet {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        let key = match input {
            Input::Start => "start",
            Input::Opened(_) => "opened",
            Input::Accepted(conn, _) => {
                self.conn = Some(conn);
                "accepted"
            }
            Input::Bytes(_, bytes) => {
                self.heard.extend_from_slice(bytes);
                "bytes"
            }
            Input::Closed(..) => "closed",
            Input::Timer(_) => "timer",
            Input::Mark(_) => "mark",
            Input::Bound(_, value) => {
                self.heard.extend(value.to_string().bytes());
                "bound"
            }
            Input::Done(Ok(())) => "done",
            Input::Done(Err(_)) => "failed",
            Input::Order(_) => "order",
            Input::Flushed(_) => "flushed",
            Input::Ask => "ask",
            Input::Void(_) => "void",
        };
        let words = self.fleet.keys.text(key).unwrap_or_default().to_string();
        for word in words.split_whitespace() {
            self.act(now, word, out);
        }
    }
}

impl Puppet {
    fn act(&mut self, now: Time, word: &str, out: &mut Outbox) {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        let number = || rest.parse::<u64>().expect("a number after the colon");
        let conn = self.conn.unwrap_or(Conn(u32::MAX));
        match verb {
            "open" => {
                let from = self.fleet.source(self.member, self.opened);
                self.opened += 1;
                self.conn = Some(out.open(EndpointId(0), from));
            }
            "say" => out.send(conn, |buf| packet(rest, buf)),
            "empty" => out.datagram(conn, |_| ()),
            "raw" => out.send(conn, |buf| buf.extend_from_slice(rest.as_bytes())),
            "fill" => out.send(conn, |buf| buf.resize(buf.len() + number() as usize, b'x')),
            "fin" => out.close(conn, CloseHow::Fin),
            "reset" => out.close(conn, CloseHow::Reset),
            "half" => out.close(conn, CloseHow::Half),
            "stop" => out.reading(conn, false),
            "read" => out.reading(conn, true),
            "wake" => out.wake(now + MS * number() as u32, TimerId(0)),
            "mark" => out.note(Note::Mark(MarkId(number() as u16))),
            "bind" => out.note(Note::Bind(BindId(number() as u16), Value::Int(i64::from(self.member)))),
            "plant" => out.note(Note::Planted(CanaryId(number() as u16), conn)),
            "tell" => out.note(Note::Step {
                index: 0,
                conn: Some(conn),
                state: StepState::Met,
                detail: String::from_utf8_lossy(&self.heard).to_string(),
            }),
            "unmet" => {
                out.note(Note::Step { index: 0, conn: None, state: StepState::Unmet, detail: String::new() });
            }
            "served" => out.note(Note::Witness(WitnessState::Served { rtt: number(), late: 0 })),
            "restart" => out.note(Note::Order(Order::Restart)),
            "finish" => out.note(Note::Finished),
            _ => panic!("no puppet knows {word:?}"),
        }
    }
}

fn packet(text: &str, buf: &mut Vec<u8>) {
    buf.push(u8::try_from(text.len()).expect("toy packets are short"));
    buf.extend_from_slice(text.as_bytes());
}

/// Fleet `name` of `count` puppets: `("start", "open")`, ...
pub(crate) fn fleet(name: &str, count: u32, does: &[(&str, &str)]) -> FleetPlan {
    let mut keys = Fields::default();
    for (on, what) in does {
        keys.set(on, *what);
    }
    FleetPlan { count, behaviour: "puppet".to_string(), ..testing::fleet(name, keys) }
}

/// A step that waits for marks and uses values: what makes a fleet hear of them.
pub(crate) fn listening(after: &[u16], uses: &[u16]) -> StepPlan {
    StepPlan {
        after: after.iter().copied().map(MarkId).collect(),
        within: MS,
        wait: MS,
        uses: uses.iter().map(|id| (String::new(), BindId(*id))).collect(),
        ..testing::step("toy", &[])
    }
}

pub(crate) fn plan(fleets: Vec<FleetPlan>) -> Plan {
    Plan { limit: Duration::from_secs(20), ..testing::plan(fleets) }
}

/// A target that is one function.
pub(crate) struct Target<F>(pub(crate) F);

impl<F: FnMut(Time, Input<'_>, &mut Outbox) + Send> Actor for Target<F> {
    fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outbox) {
        (self.0)(now, input, out);
    }
}

/// Sends back what it gets.
pub(crate) fn echo(_: Time, input: Input<'_>, out: &mut Outbox) {
    if let Input::Bytes(conn, bytes) = input {
        out.send(conn, |buf| buf.extend_from_slice(bytes));
    }
}

pub(crate) fn run(plan: &Plan, target: impl FnMut(Time, Input<'_>, &mut Outbox) + Send + 'static) -> Transcript {
    crate::sim::run(plan, &registry(), self::target(target), header(plan))
}

/// A target that this is.
pub(crate) fn target(does: impl FnMut(Time, Input<'_>, &mut Outbox) + Send + 'static) -> Box<dyn Actor> {
    Box::new(Target(does))
}

/// The lines of the text form that are about members: `(microseconds, "fleet/0 <- answer body=hello")`.
pub(crate) fn lines(transcript: &Transcript) -> Vec<(u64, String)> {
    let text = transcript.to_text();
    let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    let lines = text.lines().skip(1).map(words);
    let members = transcript.entries.iter().zip(lines).filter(|(entry, _)| matches!(entry.who, Who::Member(..)));
    members.map(|(entry, line)| (entry.at.0 / 1_000, line)).collect()
}

/// What members said of their steps, in order.
pub(crate) fn told(transcript: &Transcript) -> Vec<String> {
    let details = transcript.entries.iter().filter_map(|entry| match &entry.event {
        Event::Step { detail, .. } => Some(detail.clone()),
        _ => None,
    });
    details.collect()
}

/// How many entries hold this.
pub(crate) fn count(transcript: &Transcript, which: impl Fn(&Event) -> bool) -> usize {
    transcript.entries.iter().filter(|entry| which(&entry.event)).count()
}
