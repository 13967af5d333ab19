//! Laws of scripts, with a toy protocol: a packet is a line, `kind name=number name=text`.
use std::string::ToString;
use std::vec;

use super::*;
use crate::actor::{Act, Actor, Input, Outbox};
use crate::connection::{Addr, Close, CloseHow};
use crate::grammar::Grammar;
use crate::ids::{BindId, CanaryId, Conn, EndpointId, MarkId, TimerId};
use crate::note::Note;
use crate::plan::{Alternative, Network, Part, Segments, Source, StepPlan};
use crate::protocol::{Awaits, Dialog, From, Protocol, Transport, Unsayable};
use crate::seed::Seed;
use crate::time::{Duration, Time};
use crate::transcript::{Packet, StepState};
use crate::value::{Fields, Value};
use alloc::format;
use alloc::string::String;

struct Toy {
    held: Vec<u8>,
    pinged: bool,
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
    fn hear(&mut self, bytes: &[u8], _: Time, packets: &mut Vec<Packet>, reply: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            let packet = read(core::str::from_utf8(&line[..end]).unwrap());
            if packet.kind == "knock" {
                reply.extend_from_slice(b"come in\n");
            }
            packets.push(packet);
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

const TOY: Protocol = Protocol {
    name: "toy",
    versions: &[],
    transport: Transport::Stream,
    scheme: ("toy", 1),
    verbs: &[],
    behaviours: &[],
    oracles: &[],
    case_lists: &[],
    capabilities: &[],
    dialog: |_, _, _| Box::new(Toy { held: vec![], pinged: false }),
    describe: |_, _: From| panic!("scripts do not describe"),
    class: |_, packet, field, class| (class == "ok").then(|| packet.fields.int(field).is_some_and(|n| n < 128)),
    grammar: &Grammar::NONE,
    check: |_, _| Ok(()),
};

/// One member and everything that it did.
struct Stage {
    member: Member,
    out: Outbox,
    now: Time,
    acts: Vec<Act>,
    sent: Vec<String>,
    wakes: Vec<(Time, TimerId)>,
}

fn step(verb: &str) -> StepPlan {
    StepPlan {
        index: 0,
        verb: verb.into(),
        conn: "main".into(),
        after: vec![],
        mark: None,
        part: None,
        speaks_as: None,
        any: vec![],
        within: Duration::from_secs(5),
        canary: None,
        pace: None,
        at: None,
        skip: false,
        wait: Duration::ZERO,
        fields: Fields::default(),
        uses: vec![],
    }
}

fn alternative(fields: &[(&str, &[Value])]) -> Alternative {
    Alternative {
        closed: false,
        silence: None,
        fields: fields.iter().map(|(name, values)| (name.to_string(), values.to_vec())).collect(),
        canary: None,
        bind: vec![],
    }
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
        let network = Network::CLEAN;
        let fleet = FleetPlan {
            name: "foe".into(),
            index: 0,
            party: None,
            protocol: "toy".into(),
            grammar: &Grammar::NONE,
            version: String::new(),
            endpoint: "plain".into(),
            endpoint_id: EndpointId(0),
            authenticated: false,
            plays_server: false,
            count: 1,
            only: None,
            behaviour: "script".into(),
            source: Source::One,
            ramp: Duration::ZERO,
            part: None,
            manual: false,
            steps,
            keys: Fields::default(),
            network,
        };
        let plan = Plan {
            tree: crate::document::Located {
                span: crate::document::Span::default(),
                node: crate::document::Node::Bool(true),
            },
            id: "toy".into(),
            case: String::new(),
            seed: Seed(1),
            title: String::new(),
            about: crate::plan::About::default(),
            target: String::new(),
            version: String::new(),
            segments,
            needs: vec![],
            limit: Duration::from_secs(60),
            network,
            parties: vec![],
            fleets: vec![fleet.clone()],
            marks: vec![],
            binds: vec![],
            canaries: vec![("c".into(), CANARY.into())],
            control: None,
            expects: vec![],
            twins: vec![],
            record: crate::plan::Recording::Full,
        };
        let program = Arc::new(Program::new(&fleet, &plan, Some(&TOY)));
        let mut stage = Stage {
            member: Member::new(program, 0),
            out: Outbox::new(),
            now: Time::ZERO,
            acts: vec![],
            sent: vec![],
            wakes: vec![],
        };
        stage.input(Input::Start);
        stage
    }

    fn input(&mut self, input: Input<'_>) {
        self.member.handle(self.now, input, &mut self.out);
        let (acts, bytes) = self.out.take();
        for act in &acts {
            match act {
                Act::Send(_, start, end) => self.sent.push(String::from_utf8_lossy(&bytes[*start..*end]).into()),
                Act::Wake(at, id) => self.wakes.push((*at, *id)),
                _ => {}
            }
        }
        self.acts.extend(acts);
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
        let end = self.now + Duration::from_secs(seconds);
        loop {
            self.wakes.sort();
            let Some(at) = self.wakes.iter().position(|(at, _)| *at <= end) else { break };
            let (at, id) = self.wakes.remove(at);
            self.now = at.max(self.now);
            self.input(Input::Timer(id));
        }
        self.now = end;
        self
    }

    fn mark(mut self, id: u16) -> Stage {
        self.input(Input::Mark(MarkId(id)));
        self
    }

    fn notes(&self) -> impl Iterator<Item = &Note> {
        self.acts.iter().filter_map(|act| match act {
            Act::Note(note) => Some(note),
            _ => None,
        })
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

use StepState::{Met, Unmet, Unsaid};

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
fn a_refused_connection_leaves_the_step_unsaid() {
    let stage = Stage::new(vec![step("open"), expect(vec![closed()])]).closed(Close::Refused);
    stage.check(0, Unsaid, "the connection could not be opened (refused)");
    stage.check(1, Unsaid, "the connection is closed (refused)");
    assert!(stage.finished());
}

#[test]
fn silence_lasts_or_is_broken() {
    let silence = Alternative { silence: Some(Duration::from_secs(3)), ..alternative(&[]) };
    let new = || Stage::new(vec![step("open"), expect(vec![silence.clone()])]).opened();
    assert_eq!(new().pass(2).end_of(1), None);
    new().pass(3).check(1, Met, "3s of silence");
    new().pass(2).hear("noise").check(1, Unmet, "6 bytes arrived instead of 3s of silence; saw: noise");
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
    let wanted = vec![alternative(&[("type", &["gift".into()]), ("size", &[Value::Int(2)])])];
    let steps = vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..step("tell") }, expect(wanted)];
    let stage = Stage::new(steps).opened().hear("gift size=1").mark(0);
    assert_eq!(stage.end_of(2), None, "it came before we last spoke");
    stage.hear("gift size=3").check(2, Unmet, "gift size=3 instead of gift size=2");
}

#[test]
fn an_answer_from_before_the_question_is_none() {
    let stage = Stage::new(vec![step("tell"), StepPlan { after: vec![MarkId(0)], ..ask(7) }]).opened();
    assert_eq!(stage.hear("answer id=7").mark(0).end_of(1), None);
}

#[test]
fn after_a_closed_connection_its_steps_are_unsaid_and_others_go_on() {
    let other = StepPlan { conn: "b".into(), ..step("tell") };
    let stage = Stage::new(vec![ask(7), step("tell"), expect(vec![packet("answer")]), other]);
    let mut stage = stage.opened().closed(Close::Fin);
    stage.check(1, Unsaid, "the connection is closed (fin)");
    stage.check(2, Unsaid, "the connection is closed (fin)");
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
    new().hear("gift inside=nothing").check(1, Unmet, "gift inside=nothing instead of gift with the canary");
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
