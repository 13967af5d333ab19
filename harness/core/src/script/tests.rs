//! Laws of scripts, with a toy protocol: a packet is a line, `kind name=number name=text`.
use std::string::ToString;
use std::vec;

use super::*;
use crate::actor::{Act, Input};
use crate::connection::{Addr, Close, CloseHow};
use crate::grammar::Grammar;
use crate::ids::{BindId, CanaryId, Conn, MarkId};
use crate::note::Note;
use crate::part::Part;
use crate::plan::{Alternative, Segments, StepPlan};
use crate::protocol::{Answers, Awaits, Dialog, Heard, Protocol, Unsayable};
use crate::testing::{self, alternative};
use crate::time::{Duration, Time};
use crate::transcript::{Packet, StepState};
use crate::value::{Fields, Value};
use alloc::format;
use alloc::string::String;

mod answers;
mod ends;
mod marks;
mod saying;
mod silence;

struct Toy {
    held: Vec<u8>,
    pinged: bool,
    /// What was said, by the `ref` that it carries; a packet with that `re` is its answer.
    refs: Vec<(u32, String)>,
}

impl Toy {
    fn answers(&self, packet: &Packet) -> Answers {
        let re = packet.fields.text("re");
        let step = self.refs.iter().rev().find(|(_, said)| Some(said.as_str()) == re);
        match (packet.kind.as_str(), step) {
            ("gift", _) => Answers::Message,
            ("echo", _) => Answers::Bystander,
            (_, Some((nth, _))) => Answers::Step(*nth),
            (_, None) => Answers::Unknown,
        }
    }
}

impl Dialog for Toy {
    fn say(
        &mut self,
        step: &StepPlan,
        values: &Fields,
        _: Time,
        out: &mut Vec<u8>,
    ) -> Result<Option<Awaits>, Unsayable> {
        if step.verb == "boast" {
            return Err(Unsayable::Limit("Maximum Volume 1".into()));
        }
        if step.verb == "mumble" {
            return Err("nobody understands mumbling".into());
        }
        out.extend_from_slice(format!("{} {values}\n", step.verb).as_bytes());
        let id = values.int("id").map(|id| ("id", Value::Int(id)));
        Ok(match step.verb.as_str() {
            "ask" => Some(Awaits { kind: "answer", fields: id.into_iter().collect() }),
            "bye" => Some(Awaits::CLOSED),
            _ => None,
        })
    }
    fn said(&mut self, nth: u32, bytes: &[u8]) {
        let line = core::str::from_utf8(bytes).unwrap_or_default().trim_end();
        self.refs.extend(line.split("ref=").nth(1).map(|said| (nth, said.to_string())));
    }
    fn unfinished(&self) -> usize {
        self.held.len()
    }
    fn hear(&mut self, bytes: &[u8], _: Time, packets: &mut Vec<Heard>, reply: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            let packet = read(core::str::from_utf8(&line[..end]).unwrap());
            if packet.kind == "knock" {
                reply.extend_from_slice(b"come in\n");
            }
            packets.push(Heard { answers: self.answers(&packet), packet });
        }
    }
    fn tick(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Time> {
        if now >= Time(60_000_000_000) && !self.pinged {
            self.pinged = true;
            out.extend_from_slice(b"still here\n");
        }
        (!self.pinged).then_some(Time(60_000_000_000))
    }
}

fn read(line: &str) -> Packet {
    let mut words = line.split(' ');
    let kind = words.next().unwrap().to_string();
    let mut fields = Fields::default();
    let mut malformed = String::new();
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        match (name, value.parse::<i64>()) {
            ("malformed", _) => malformed = value.to_string(),
            (_, Ok(number)) => fields.set(name, number),
            (_, Err(_)) => fields.set(name, value),
        }
    }
    Packet { kind, fields, malformed }
}

const GRAMMAR: Grammar = Grammar { opening: &["connect"], interim: |packet| packet.kind == "wait", ..Grammar::NONE };

const TOY: Protocol = Protocol {
    dialog: |_, _, _| Box::new(Toy { held: vec![], pinged: false, refs: vec![] }),
    class: |_, packet, field, class| (class == "ok").then(|| packet.fields.int(field).is_some_and(|n| n < 128)),
    grammar: &GRAMMAR,
    ..testing::PROTOCOL
};

/// One member and everything that it did.
struct Stage {
    stage: testing::Stage<Vec<Member>>,
    acts: Vec<Act>,
    sent: Vec<String>,
    /// The peer does not read: nothing that is sent is written.
    stalled: bool,
}

fn step(verb: &str) -> StepPlan {
    testing::step(verb, &[])
}

fn packet(kind: &str) -> Alternative {
    alternative(&[("type", &[kind.into()])])
}

fn closed() -> Alternative {
    Alternative { closed: true, ..alternative(&[]) }
}

fn expect(any: Vec<Alternative>) -> StepPlan {
    StepPlan { any, ..step("expect") }
}

const CANARY: &str = "0123456789abcdef0123456789abcdef";

impl Stage {
    fn new(steps: Vec<StepPlan>) -> Stage {
        Stage::cut(steps, Segments::Whole)
    }

    fn cut(mut steps: Vec<StepPlan>, segments: Segments) -> Stage {
        for (at, step) in steps.iter_mut().enumerate() {
            step.index = at as u16;
        }
        let fleet = FleetPlan { grammar: &GRAMMAR, steps, ..testing::fleet("foe", Fields::default()) };
        let plan = Plan { segments, canaries: vec![("c".into(), CANARY.into())], ..testing::plan(vec![fleet.clone()]) };
        let program = Arc::new(Program::new(&fleet, &plan, Some(&TOY)));
        let stage = testing::Stage::new(vec![Member::new(program, 0)]);
        let mut stage = Stage { stage, acts: vec![], sent: vec![], stalled: false };
        stage.input(Input::Start);
        stage
    }

    fn input(&mut self, input: Input<'_>) {
        let (acts, bytes) = self.stage.input(input);
        let flushed: Vec<Conn> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Flush(conn) if !self.stalled => Some(*conn),
                _ => None,
            })
            .collect();
        for act in &acts {
            if let Act::Send(_, start, end) = act {
                self.sent.push(String::from_utf8_lossy(&bytes[*start..*end]).into());
            }
        }
        self.acts.extend(acts);
        for conn in flushed {
            self.input(Input::Flushed(conn));
        }
    }

    /// From now on, or no longer, the peer does not read.
    fn stalled(mut self, stalled: bool) -> Stage {
        self.stalled = stalled;
        self
    }

    /// All that was sent is written.
    fn written(mut self) -> Stage {
        self.input(Input::Flushed(Conn(0)));
        self
    }

    /// Several packets in one segment.
    fn hear_all(mut self, lines: &[&str]) -> Stage {
        self.input(Input::Bytes(Conn(0), format!("{}\n", lines.join("\n")).as_bytes()));
        self
    }

    fn void(mut self, id: u16) -> Stage {
        self.input(Input::Void(MarkId(id)));
        self
    }

    /// Opens the first connection.
    fn opened(mut self) -> Stage {
        self.input(Input::Opened(Conn(0)));
        self
    }

    fn hear(mut self, line: &str) -> Stage {
        self.input(Input::Bytes(Conn(0), format!("{line}\n").as_bytes()));
        self
    }

    fn closed(mut self, how: Close) -> Stage {
        self.input(Input::Closed(Conn(0), how));
        self
    }

    /// Time passes; every wake that was asked for comes.
    fn pass(mut self, seconds: u64) -> Stage {
        let end = self.stage.now + Duration::from_secs(seconds);
        while let Some(id) = self.stage.due(end) {
            self.input(Input::Timer(id));
        }
        self
    }

    fn mark(mut self, id: u16) -> Stage {
        self.input(Input::Mark(MarkId(id)));
        self
    }

    fn notes(&self) -> impl Iterator<Item = &Note> {
        self.stage.notes.iter()
    }

    /// What became of a step, once it has ended.
    fn end_of(&self, index: u16) -> Option<(StepState, &str)> {
        self.notes().find_map(|note| match note {
            Note::Step { index: i, state, detail, .. } if *i == index && *state != StepState::Started => {
                Some((*state, detail.as_str()))
            }
            _ => None,
        })
    }

    #[track_caller]
    fn check(&self, index: u16, state: StepState, detail: &str) {
        assert_eq!(self.end_of(index), Some((state, detail)));
    }

    fn finished(&self) -> bool {
        self.notes().any(|note| *note == Note::Finished)
    }
}

use StepState::{Barred, Cut, Met, Unmet, Unsaid};

fn silence(seconds: u64) -> Alternative {
    Alternative { silence: Some(Duration::from_secs(seconds)), ..alternative(&[]) }
}

fn ask(id: i64) -> StepPlan {
    StepPlan { fields: Fields(vec![("id".into(), id.into())]), ..step("ask") }
}

fn tell(reference: &str) -> StepPlan {
    StepPlan { fields: Fields(vec![("ref".into(), reference.into())]), ..step("tell") }
}
