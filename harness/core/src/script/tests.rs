//! Laws of scripts, with a toy protocol: a packet is a line, `kind name=number name=text`.
use std::string::ToString;
use std::vec;

use super::*;
use crate::actor::{Act, Input};
use crate::connection::{Addr, Close, CloseHow};
use crate::grammar::Grammar;
use crate::ids::{BindId, CanaryId, Conn, MarkId};
use crate::note::Note;
use crate::plan::{Alternative, Part, Segments, StepPlan};
use crate::protocol::{Answers, Awaits, Dialog, Heard, Protocol, Unsayable};
use crate::testing::{self, alternative};
use crate::time::{Duration, Time};
use crate::transcript::{Packet, StepState};
use crate::value::{Fields, Value};
use alloc::format;
use alloc::string::String;

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

const GRAMMAR: Grammar = Grammar { opening: &["connect"], ..Grammar::NONE };

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

fn ask(id: i64) -> StepPlan {
    StepPlan { fields: Fields(vec![("id".into(), id.into())]), ..step("ask") }
}

#[test]
fn a_step_starts_when_the_one_before_is_answered() {
    let stage = Stage::new(vec![ask(1), ask(2)]).opened();
    assert_eq!(stage.sent, ["ask id=1\n"]);
    let stage = stage.hear("answer id=1");
    assert_eq!(stage.sent, ["ask id=1\n", "ask id=2\n"]);
    stage.check(0, Met, "answer id=1");
    assert!(!stage.finished());
    assert!(stage.hear("answer id=2").finished());
}

#[test]
fn the_answer_to_another_request_is_ignored() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("answer id=6").hear("noise");
    assert_eq!(stage.end_of(0), None);
    stage.closed(Close::Reset).check(0, Unmet, "connection closed (reset) while waiting for answer id=7");
}

#[test]
fn a_wrong_answer_ends_the_step_at_once() {
    let any = vec![alternative(&[("type", &["answer".into()]), ("reason", &[Value::Int(0), Value::Int(1)])])];
    let check = |reason: i64, state, detail: &str| {
        let stage = Stage::new(vec![StepPlan { any: any.clone(), ..ask(7) }]).opened();
        stage.hear(&format!("answer id=7 reason={reason}")).check(0, state, detail);
    };
    check(1, Met, "answer id=7 reason=1");
    check(2, Unmet, "answer id=7 reason=2 instead of answer reason=0|1");
}

#[test]
fn a_class_is_the_protocols_word() {
    let any = vec![alternative(&[("type", &["answer".into()]), ("reason", &["ok".into()])])];
    let check = |reason: i64, state| {
        let stage = Stage::new(vec![StepPlan { any: any.clone(), ..ask(7) }]).opened();
        assert_eq!(stage.hear(&format!("answer id=7 reason={reason}")).end_of(0).unwrap().0, state, "{reason}");
    };
    check(127, Met);
    check(128, Unmet);
}

#[test]
fn a_malformed_answer_is_no_answer() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("answer id=7 malformed=why");
    stage.check(0, Unmet, "answer id=7 (malformed: why) instead of answer id=7");
}

#[test]
fn time_runs_out_and_says_what_was_seen() {
    let stage = Stage::new(vec![ask(7)]).opened().hear("noise loud=1").pass(4);
    assert_eq!(stage.end_of(0), None);
    stage.pass(1).check(0, Unmet, "5s passed without answer id=7; saw: noise loud=1");
}

#[test]
fn closed_is_fin_or_reset_and_nothing_else() {
    let check = |how, state| {
        let stage = Stage::new(vec![step("open"), expect(vec![closed()])]).opened().closed(how);
        assert_eq!(stage.end_of(1).unwrap().0, state, "{how:?}");
    };
    check(Close::Fin, Met);
    check(Close::Reset, Met);
    check(Close::TimedOut, Unmet);
}

#[test]
fn a_refused_connection_bars_its_steps_and_one_that_we_could_not_open_leaves_them_unsaid() {
    let check = |how, state, name: &str| {
        let stage = Stage::new(vec![step("open"), expect(vec![packet("gift")])]).closed(how);
        stage.check(0, state, &format!("the connection could not be opened ({name})"));
        stage.check(1, state, &format!("the connection is closed ({name})"));
        assert!(stage.finished());
    };
    check(Close::Refused, Barred, "refused");
    check(Close::Reset, Barred, "reset");
    check(Close::TimedOut, Unsaid, "timed out");
    check(Close::LocalLimit, Unsaid, "local limit");
}

#[test]
fn silence_lasts_or_is_broken() {
    let silence = Alternative { silence: Some(Duration::from_secs(3)), ..alternative(&[]) };
    let new = || Stage::new(vec![step("open"), expect(vec![silence.clone()])]).opened();
    assert_eq!(new().pass(2).end_of(1), None);
    new().pass(3).check(1, Met, "3s of silence");
    new().pass(2).hear("noise").check(1, Unmet, "noise instead of 3s of silence");
}

#[test]
fn silence_beside_a_packet_waits_for_the_packet_once_broken() {
    let silence = Alternative { silence: Some(Duration::from_secs(3)), ..alternative(&[]) };
    let stage = Stage::new(vec![step("open"), expect(vec![silence, packet("answer")])]).opened().hear("noise").pass(4);
    assert_eq!(stage.end_of(1), None);
    stage.hear("answer").check(1, Met, "answer");
}

#[test]
fn an_expect_sees_what_came_before_it() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("gift")]) };
    let stage = Stage::new(vec![step("tell"), late]).opened().hear("gift").mark(0);
    stage.check(1, Met, "gift");
}

#[test]
fn an_old_packet_is_no_wrong_answer() {
    let wanted = vec![alternative(&[("type", &["word".into()]), ("size", &[Value::Int(2)])])];
    let steps = vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..step("tell") }, expect(wanted)];
    let stage = Stage::new(steps).opened().hear("word size=1").mark(0);
    assert_eq!(stage.end_of(2), None, "it came before we last spoke");
    stage.hear("word size=3").check(2, Unmet, "word size=3 instead of word size=2");
}

#[test]
fn an_answer_from_before_the_question_is_none() {
    let stage = Stage::new(vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..ask(7) }]).opened();
    assert_eq!(stage.hear("answer id=7").mark(0).end_of(1), None);
}

#[test]
fn after_a_closed_connection_its_steps_are_barred_and_others_go_on() {
    let other = StepPlan { conn: "b".into(), ..step("tell") };
    let stage = Stage::new(vec![ask(7), step("tell"), expect(vec![packet("answer")]), other]);
    let mut stage = stage.opened().closed(Close::Fin);
    stage.check(1, Barred, "the connection is closed (fin)");
    stage.check(2, Barred, "the connection is closed (fin)");
    stage.input(Input::Opened(Conn(1)));
    stage.check(3, Met, "sent 6 bytes");
    assert!(stage.notes().any(|note| *note == Note::Label(Conn(1), "b".into())));
}

#[test]
fn after_an_unmet_step_the_script_goes_on_while_its_connection_lives() {
    let stage = Stage::new(vec![ask(7), step("tell")]).opened().pass(5);
    assert_eq!(stage.end_of(0).unwrap().0, Unmet);
    stage.check(1, Met, "sent 6 bytes");
}

#[test]
fn a_close_between_two_steps_makes_the_expect_unmet_not_unsaid() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("gift")]) };
    let stage = Stage::new(vec![step("tell"), late]).opened().closed(Close::Fin).mark(0);
    stage.check(1, Unmet, "connection closed (fin) while waiting for gift");
}

#[test]
fn a_goodbye_waits_for_the_peer_and_is_never_unmet() {
    let again = StepPlan { after: vec![MarkId(0)], ..step("connect") };
    let stage = Stage::new(vec![step("bye"), again.clone()]).opened().closed(Close::Fin).mark(0);
    stage.check(0, Met, "connection closed (fin)");
    let opened = stage.acts.iter().filter(|act| matches!(act, Act::Open(..))).count();
    assert_eq!(opened, 2, "connect opens it again");

    let stage = Stage::new(vec![step("bye"), again]).opened().pass(1);
    stage.check(0, Met, "sent; the peer left the connection open for 1s, so we ended it");
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Fin)));
}

#[test]
fn marks_gate_and_are_set_only_when_met() {
    let first = StepPlan { after: vec![MarkId(3)], mark: Some(MarkId(4)), ..ask(1) };
    let stage = Stage::new(vec![first.clone()]);
    assert!(stage.acts.is_empty(), "nothing happens before the mark");
    let stage = stage.mark(3).opened();
    assert!(!stage.notes().any(|note| *note == Note::Mark(MarkId(4))));
    assert!(stage.hear("answer id=1").notes().any(|note| *note == Note::Mark(MarkId(4))));
    let unmet = Stage::new(vec![first]).mark(3).opened().pass(5);
    assert!(!unmet.notes().any(|note| *note == Note::Mark(MarkId(4))));
}

#[test]
fn a_skipped_step_does_nothing_and_sets_its_mark_when_its_own_marks_hold() {
    let skipped = StepPlan { skip: true, after: vec![MarkId(0)], mark: Some(MarkId(1)), ..step("tell") };
    let stage = Stage::new(vec![skipped]);
    assert!(stage.acts.is_empty());
    let stage = stage.mark(0);
    let notes: Vec<_> = stage.notes().collect();
    assert_eq!(notes, [&Note::Mark(MarkId(1)), &Note::Finished]);
}

fn silence(seconds: u64) -> Alternative {
    Alternative { silence: Some(Duration::from_secs(seconds)), ..alternative(&[]) }
}

fn tell(reference: &str) -> StepPlan {
    StepPlan { fields: Fields(vec![("ref".into(), reference.into())]), ..step("tell") }
}

#[test]
fn silence_counts_from_the_end_of_the_packet_before_however_segments_are_cut() {
    let steps =
        vec![step("open"), expect(vec![packet("gift")]), expect(vec![packet("gift")]), expect(vec![silence(1)])];
    let new = || Stage::new(steps.clone()).opened();
    let four = ["gift n=1", "gift n=2", "gift n=3", "gift n=4"];
    new().hear_all(&four).check(3, Unmet, "2 x gift n=3 up to n=4 instead of 1s of silence");
    new().hear_all(&four[..3]).check(3, Unmet, "gift n=3 instead of 1s of silence");
    let stage = new().hear_all(&four[..2]);
    assert_eq!(stage.end_of(3), None);
    stage.pass(1).check(3, Met, "1s of silence");
    new().hear(four[0]).hear(four[1]).hear(four[2]).check(3, Unmet, "gift n=3 instead of 1s of silence");
}

#[test]
fn half_a_packet_is_no_silence() {
    let mut stage = Stage::new(vec![step("open"), expect(vec![silence(1)])]).opened();
    stage.input(Input::Bytes(Conn(0), b"gif"));
    stage.pass(1).check(1, Unmet, "1s passed without 1s of silence; saw: 3 bytes, no whole packet");
}

#[test]
fn a_silence_to_which_we_did_not_listen_says_nothing() {
    let steps = vec![step("open"), step("stop-reading"), expect(vec![silence(1)]), expect(vec![packet("gift")])];
    let stage = Stage::new(steps).opened().pass(6);
    assert_eq!(stage.end_of(2).unwrap().0, Cut);
    stage.check(3, Cut, "we had stopped reading; 5s passed without gift; saw: nothing");
}

#[test]
fn an_end_after_we_closed_our_direction_is_no_fault_of_the_peer() {
    let stage = Stage::new(vec![tell("a"), step("shutdown"), expect(vec![packet("gift")])]).opened();
    let detail = "we had closed our direction; connection closed (fin) while waiting for gift";
    stage.closed(Close::Fin).check(2, Cut, detail);
}

#[test]
fn a_late_answer_to_an_earlier_step_neither_meets_nor_breaks_a_later_one() {
    let answer = || alternative(&[("type", &["answer".into()]), ("code", &[Value::Int(2)])]);
    let steps = vec![tell("a"), expect(vec![answer()]), tell("b"), expect(vec![answer(), silence(3)])];
    let new = || Stage::new(steps.clone()).opened().hear("answer re=a code=2");
    let late = new().hear("answer re=a code=4");
    assert_eq!(late.end_of(3), None, "not a wrong answer");
    let late = late.hear("answer re=a code=2");
    assert_eq!(late.end_of(3), None, "and not the right one");
    late.pass(3).check(3, Met, "3s of silence");
    new().hear("answer re=b code=4").check(3, Unmet, "answer re=b code=4 instead of answer code=2 or 3s of silence");
    new().hear("answer re=b code=2").check(3, Met, "answer re=b code=2");
    new().hear("answer code=2").check(3, Met, "answer code=2");
}

#[test]
fn the_answers_to_all_that_was_said_since_the_last_answer_are_awaited() {
    let answer = || expect(vec![packet("answer")]);
    let stage = Stage::new(vec![tell("a"), tell("b"), answer(), answer()]).opened();
    let stage = stage.hear("answer re=b").hear("answer re=a");
    stage.check(2, Met, "answer re=b");
    stage.check(3, Met, "answer re=a");
}

#[test]
fn what_other_parties_say_is_no_wrong_answer_and_a_bystander_breaks_no_silence() {
    let wanted = Alternative {
        canary: Some(CanaryId(0)),
        ..alternative(&[("type", &["gift".into()]), ("dup", &[Value::Int(1)])])
    };
    let new = || Stage::new(vec![step("open"), expect(vec![wanted.clone()])]).opened().hear("gift dup=1 of=others");
    assert_eq!(new().end_of(1), None);
    new().hear(&format!("gift dup=1 of={CANARY}")).check(1, Met, &format!("gift dup=1 of={CANARY}"));
    assert_eq!(new().hear(&format!("gift dup=0 of={CANARY}")).end_of(1).unwrap().0, Unmet, "ours, and wrong");
    let quiet = || Stage::new(vec![step("open"), expect(vec![silence(3)])]).opened().pass(1);
    quiet().hear("echo").pass(2).check(1, Met, "3s of silence");
    assert_eq!(quiet().hear("gift").end_of(1).unwrap().0, Unmet);
}

#[test]
fn a_thousand_unread_packets_are_read_and_what_we_drop_fails_nothing() {
    let late = StepPlan { after: vec![MarkId(0)], ..expect(vec![packet("answer")]) };
    let flooded = |packets: usize| {
        let mut stage = Stage::new(vec![tell("a"), late.clone()]).opened().hear("answer re=a");
        for _ in 0..packets {
            stage = stage.hear("noise loud=1");
        }
        stage.mark(0).pass(5)
    };
    flooded(1_000).check(1, Met, "answer re=a");
    let stage = flooded(10_000);
    let (state, detail) = stage.end_of(1).unwrap();
    assert!(state == Cut && detail.starts_with("our own limit: "), "{state:?} {detail}");
}

#[test]
fn said_means_written() {
    let marked = StepPlan { mark: Some(MarkId(0)), part: Some(Part::Stimulus), ..step("tell") };
    let is_set = |stage: &Stage| stage.notes().any(|note| *note == Note::Mark(MarkId(0)));
    let new = || Stage::new(vec![marked.clone()]).stalled(true).opened();
    let stage = new().pass(29);
    assert!(!is_set(&stage) && stage.end_of(0).is_none());
    let stage = stage.written();
    assert!(is_set(&stage));
    stage.check(0, Met, "sent 6 bytes");
    let stage = new().pass(30);
    assert!(!is_set(&stage), "a peer that does not read has not been attacked");
    stage.check(0, Unsaid, "the peer had not read all of 6 bytes after 30s");
    let stage = new().closed(Close::Reset);
    assert!(is_set(&stage), "it came as far as the peer let it");
    stage.check(0, Met, "connection closed (reset) before all of 6 bytes were written");
    let stage = new().closed(Close::LocalLimit);
    assert!(!is_set(&stage));
    assert_eq!(stage.end_of(0).unwrap().0, Cut);
}

#[test]
fn the_peer_has_its_time_once_it_could_have_read_everything() {
    let stage = Stage::new(vec![ask(7)]).stalled(true).opened().pass(20).stalled(false).written();
    let stage = stage.pass(4);
    assert_eq!(stage.end_of(0), None);
    stage.pass(1).check(0, Unmet, "5s passed without answer id=7; saw: nothing");
    let early = Stage::new(vec![ask(7)]).stalled(true).opened().hear("answer id=7");
    early.check(0, Met, "answer id=7");
}

#[test]
fn an_attack_that_the_target_stopped_has_arrived() {
    let attack = |part, any: Vec<Alternative>| StepPlan { part, any, mark: Some(MarkId(0)), ..ask(7) };
    let is_set = |stage: &Stage| stage.notes().any(|note| *note == Note::Mark(MarkId(0)));
    let stimulus = || Stage::new(vec![attack(Some(Part::Stimulus), vec![])]);
    assert!(is_set(&stimulus().closed(Close::Refused)));
    assert!(is_set(&stimulus().opened().closed(Close::Fin)));
    assert!(is_set(&stimulus().opened().pass(5)), "it had its time");
    assert!(!is_set(&stimulus().closed(Close::LocalLimit)));
    let demanding = Stage::new(vec![attack(Some(Part::Stimulus), vec![packet("answer")])]).closed(Close::Refused);
    assert!(!is_set(&demanding), "who waits for it waits for that answer");
    assert!(!is_set(&Stage::new(vec![attack(None, vec![])]).closed(Close::Refused)));
}

#[test]
fn after_a_goodbye_nobody_is_thrown_out() {
    let stage = Stage::new(vec![step("bye"), step("tell")]).opened().closed(Close::Fin);
    stage.check(1, Unsaid, "the connection is closed (fin)");
    let awaited = Stage::new(vec![step("open"), expect(vec![closed()]), step("tell")]).opened().closed(Close::Fin);
    awaited.check(2, Unsaid, "the connection is closed (fin)");
}

#[test]
fn a_mark_that_is_not_reached_is_void_and_nobody_waits_for_it() {
    let first = StepPlan { mark: Some(MarkId(0)), ..ask(1) };
    let voids = |stage: &Stage| stage.notes().filter(|note| matches!(note, Note::Void(_))).count();
    let stage = Stage::new(vec![first.clone()]).opened().pass(5);
    assert_eq!((voids(&stage), stage.finished()), (1, true));
    assert_eq!(voids(&Stage::new(vec![first.clone()]).opened().hear("answer id=1")), 0);
    assert_eq!(
        voids(&Stage::new(vec![first.clone(), first.clone()]).opened().pass(5)),
        0,
        "the second may still set it"
    );
    let waits = StepPlan { after: vec![MarkId(3)], mark: Some(MarkId(4)), ..step("tell") };
    let stage = Stage::new(vec![waits.clone(), StepPlan { mark: Some(MarkId(5)), ..step("tell") }]).void(3);
    assert!(stage.finished() && stage.sent.is_empty());
    assert_eq!(voids(&stage), 2);
    stage.check(0, Unsaid, "waits for a mark, which was not reached");
    assert_eq!(stage.end_of(1), None);
    assert!(!Stage::new(vec![waits]).mark(3).void(3).opened().sent.is_empty(), "a mark that was set holds");
}

#[test]
fn a_bound_field_is_noted_before_the_mark_and_filled_in_later() {
    let mut gift = packet("gift");
    gift.bind = vec![("size".into(), BindId(0))];
    let first = StepPlan { mark: Some(MarkId(0)), ..expect(vec![gift]) };
    let uses = vec![("$foe.size".into(), BindId(0))];
    let fields = Fields(vec![("id".into(), "$foe.size".into()), ("all".into(), Value::List(vec!["$foe.size".into()]))]);
    let last = StepPlan { fields, uses: uses.clone(), ..step("tell") };
    let hex = Fields(vec![("hex".into(), "00 $foe.size".into())]);
    let raw = StepPlan { fields: hex, uses, ..step("send") };
    let stage = Stage::new(vec![step("open"), first, last, raw]).opened().hear("gift size=258");
    let order: Vec<_> = stage.notes().filter(|n| matches!(n, Note::Bind(..) | Note::Mark(_))).collect();
    assert_eq!(order, [&Note::Bind(BindId(0), Value::Int(258)), &Note::Mark(MarkId(0))]);
    assert_eq!(stage.sent, ["tell id=258 all=[258]\n", "\0\x01\x02"]);
}

#[test]
fn a_value_that_nobody_bound_leaves_the_step_unsaid() {
    let step = StepPlan { uses: vec![("$a.b".into(), BindId(0))], ..step("tell") };
    Stage::new(vec![step]).opened().check(0, Unsaid, "$a.b is not bound");
}

#[test]
fn what_a_member_bound_itself_is_not_replaced_by_anothers() {
    let mut gift = packet("gift");
    gift.bind = vec![("size".into(), BindId(0))];
    let fields = Fields(vec![("id".into(), "$foe.size".into())]);
    let last = StepPlan { after: vec![MarkId(0)], fields, uses: vec![("$foe.size".into(), BindId(0))], ..step("tell") };
    let mut stage = Stage::new(vec![step("open"), expect(vec![gift]), last]).opened().hear("gift size=5");
    stage.input(Input::Bound(BindId(0), &Value::Int(6)));
    assert_eq!(stage.mark(0).sent, ["tell id=5\n"]);
}

#[test]
fn a_canary_is_the_payload_and_is_noted_when_it_leaves() {
    let tell = StepPlan { canary: Some(CanaryId(0)), ..step("tell") };
    let stage = Stage::new(vec![tell]).opened();
    assert_eq!(stage.sent, [format!("tell payload={CANARY}\n")]);
    assert!(stage.notes().any(|note| *note == Note::Planted(CanaryId(0), Conn(0))));
}

#[test]
fn an_answer_must_carry_the_canary_where_it_is_asked_for() {
    let wanted = Alternative { canary: Some(CanaryId(0)), ..packet("gift") };
    let new = || Stage::new(vec![step("open"), expect(vec![wanted.clone()])]).opened();
    assert_eq!(new().hear(&format!("gift inside=({CANARY})")).end_of(1).unwrap().0, Met);
    let stage = new().hear("gift inside=nothing");
    assert_eq!(stage.end_of(1), None, "a message of somebody else");
    stage.hear(&format!("gift inside=({CANARY})")).check(1, Met, &format!("gift inside=({CANARY})"));
}

#[test]
fn only_stimuli_are_cut_into_segments() {
    let raw = |part| StepPlan { part, fields: Fields(vec![("hex".into(), "61 62 63".into())]), ..step("send") };
    let cut = |part| Stage::cut(vec![raw(part)], Segments::Each(2)).opened().sent;
    assert_eq!(cut(Some(Part::Stimulus)), ["ab", "c"]);
    assert_eq!(cut(Some(Part::Control)), ["abc"]);
}

#[test]
fn a_paced_send_goes_on_while_later_steps_run_and_the_script_ends_after_it() {
    let pace = Some((1, Duration::from_secs(10)));
    let slow = StepPlan { pace, fields: Fields(vec![("hex".into(), "61 62 63".into())]), ..step("send") };
    let stage = Stage::new(vec![slow, ask(1)]).opened().hear("answer id=1");
    assert_eq!(stage.sent, ["a", "ask id=1\n"]);
    assert_eq!(stage.end_of(1).unwrap().0, Met);
    let stage = stage.pass(19);
    assert_eq!(stage.sent[2..], ["b"]);
    assert!(!stage.finished());
    let stage = stage.pass(1);
    assert_eq!(stage.sent[3..], ["c"]);
    assert!(stage.finished());
}

#[test]
fn a_wait_and_an_at_let_time_pass() {
    let wait = StepPlan { wait: Duration::from_secs(3), ..step("wait") };
    let at = StepPlan { at: Some(Duration::from_secs(10)), ..step("tell") };
    let stage = Stage::new(vec![step("open"), wait, at]).opened().pass(2);
    assert_eq!(stage.end_of(1), None);
    let stage = stage.pass(1);
    stage.check(1, Met, "waited 3s");
    let stage = stage.pass(6);
    assert!(stage.sent.is_empty());
    assert_eq!(stage.pass(1).sent, ["tell \n"]);
}

#[test]
fn a_wait_until_closed_ends_with_the_last_connection() {
    let fields = Fields(vec![("until_closed".into(), true.into())]);
    let wait = StepPlan { wait: Duration::from_secs(5), fields, ..step("wait") };
    let other = StepPlan { conn: "b".into(), ..step("tell") };
    let new = || {
        let mut stage = Stage::new(vec![step("tell"), other.clone(), wait.clone()]).opened();
        stage.input(Input::Opened(Conn(1)));
        stage
    };
    let mut stage = new().closed(Close::Fin);
    assert_eq!(stage.end_of(2), None, "the other one is open");
    stage.input(Input::Closed(Conn(1), Close::Reset));
    stage.check(2, Met, "the target has ended every connection");
    let stage = new().pass(4);
    assert_eq!(stage.end_of(2), None);
    stage.pass(1).check(2, Met, "waited 5s");
}

#[test]
fn the_dialog_answers_and_keeps_time_by_itself() {
    let stage = Stage::new(vec![step("open")]).opened().hear("knock");
    assert_eq!(stage.sent, ["come in\n"]);
    assert_eq!(stage.pass(60).sent[1..], ["still here\n"]);
}

#[test]
fn what_cannot_be_said_is_unsaid_with_the_reason() {
    Stage::new(vec![step("mumble")]).opened().check(0, Unsaid, "nobody understands mumbling");
    Stage::new(vec![step("boast")]).opened().check(0, StepState::Beyond, "Maximum Volume 1");
}

#[test]
fn a_step_says_64_mib_and_not_more() {
    let raw = |bytes: usize| {
        let hex = Value::from("00".repeat(bytes).as_str());
        let fields = Fields(vec![("hex".into(), hex), ("repeat".into(), Value::Int(1 << 20))]);
        Stage::new(vec![StepPlan { fields, ..step("send") }]).opened()
    };
    raw(64).check(0, Met, "sent 67108864 bytes");
    raw(65).check(0, Unsaid, "68157440 bytes in one step: 67108864 at most");
}

#[test]
fn the_transport_verbs_act_on_the_connection() {
    let stop = StepPlan { after: vec![MarkId(0)], ..step("stop-reading") };
    let stage = Stage::new(vec![step("open"), stop, step("shutdown"), step("reset"), step("tell")]).opened().mark(0);
    assert!(stage.acts.contains(&Act::Reading(Conn(0), false)));
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Half)));
    assert!(stage.acts.contains(&Act::Close(Conn(0), CloseHow::Reset)));
    stage.check(4, Unsaid, "we have ended the connection");
}

#[test]
fn an_administrator_orders_and_waits_until_it_is_done() {
    let fields = Fields(vec![("party".into(), "victim".into()), ("grant".into(), "subscribe a/#".into())]);
    let revoke = StepPlan { fields, mark: Some(MarkId(0)), ..step("revoke") };
    let new = || Stage::new(vec![revoke.clone()]);
    let order = crate::admin::Order::Revoke { party: "victim".into(), grant: "subscribe a/#".into() };
    let mut stage = new();
    assert!(stage.notes().any(|note| *note == Note::Order(order.clone())));
    assert_eq!(stage.end_of(0), None);
    stage.input(Input::Done(Ok(())));
    stage.check(0, Met, "in effect");
    assert!(stage.notes().any(|note| *note == Note::Mark(MarkId(0))));
    let mut stage = new();
    stage.input(Input::Done(Err("no such party")));
    stage.check(0, Unmet, "the order failed: no such party");
    assert!(!stage.notes().any(|note| *note == Note::Mark(MarkId(0))));
    assert_eq!(new().pass(30).end_of(0).unwrap().0, Unmet);
}

#[test]
fn a_packet_in_pieces_is_heard_whole() {
    let mut stage = Stage::new(vec![ask(1)]).opened();
    stage.input(Input::Bytes(Conn(0), b"answ"));
    assert_eq!(stage.end_of(0), None);
    stage.input(Input::Bytes(Conn(0), b"er id=1\nnoise\n"));
    stage.check(0, Met, "answer id=1");
}

#[test]
fn a_listener_hears_those_who_connect_to_it() {
    let mut program_stage = Stage::new(vec![]);
    program_stage.input(Input::Accepted(Conn(0), Addr::new([127, 0, 0, 1], 9)));
    assert!(program_stage.finished());
}

#[test]
fn every_verb_and_key_has_a_word_for_people() {
    for verb in VERBS {
        assert!(!verb.doc.is_empty() && verb.keys.iter().all(|key| !key.doc.is_empty()), "{}", verb.name);
    }
}
