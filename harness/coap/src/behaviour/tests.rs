//! Laws of what fleets do, against a server that answers as it is told.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::vec;

use proofhouse_core::actor::{Act, Crowd, Input};
use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::ids::Conn;
use proofhouse_core::note::Note;
use proofhouse_core::plan::{FleetPlan, Source};
use proofhouse_core::testing;
use proofhouse_core::time::Duration;
use proofhouse_core::transcript::{StepState, WitnessState};
use proofhouse_core::value::{Fields, Value};

use crate::codec::{Code, Kind, Message, OptionNumber, Writer};
use crate::describe;

/// What the server does with a request.
type Serve = fn(&Message<'_>) -> Vec<Vec<u8>>;

/// One member, a server 3 ms away, and everything that was said and noted.
struct Stage {
    stage: testing::Stage<Box<dyn Crowd>>,
    said: Vec<String>,
    open: BTreeMap<Conn, Addr>,
    sources: Vec<Addr>,
    serve: Serve,
}

const HOP: Duration = Duration::from_millis(3);

fn stage(behaviour: &str, keys: &[(&str, Value)], serve: Serve) -> Stage {
    let mut fleet = FleetPlan { behaviour: behaviour.into(), ..crate::testing::fleet("lamps", testing::fields(keys)) };
    fleet.source = if behaviour == "sweep" { Source::Fresh } else { Source::One };
    let row = super::BEHAVIOURS.iter().find(|row| row.name == behaviour).unwrap();
    let crowd = (row.crowd)(&fleet, &testing::plan(vec![fleet.clone()]), None);
    let mut stage =
        Stage { stage: testing::Stage::new(crowd), said: vec![], open: BTreeMap::new(), sources: vec![], serve };
    stage.input(Input::Start);
    stage
}

impl Stage {
    fn input(&mut self, input: Input<'_>) {
        let (acts, bytes) = self.stage.input(input);
        let (mut opened, mut answers) = (vec![], vec![]);
        for act in acts {
            match act {
                Act::Open(conn, _, from) => {
                    self.open.insert(conn, from);
                    self.sources.push(from);
                    opened.push(conn);
                }
                Act::Send(conn, start, end) => {
                    let datagram = &bytes[start..end];
                    let told = describe::tell(datagram);
                    assert_eq!(told.malformed, "");
                    let words = ["method", "message", "path", "payload", "echo"]
                        .map(|name| told.fields.find(name).map(ToString::to_string));
                    let words: Vec<String> = [Some(told.kind)].into_iter().chain(words).flatten().collect();
                    self.said.push(words.join(" "));
                    let message = Message::decode(datagram).unwrap();
                    answers.extend((self.serve)(&message).into_iter().map(|answer| (conn, answer)));
                }
                Act::Close(conn, _) => drop(self.open.remove(&conn)),
                Act::Wake(..) | Act::Note(_) | Act::Reading(..) | Act::Flush(_) => {}
            }
        }
        for conn in opened {
            self.input(Input::Opened(conn));
        }
        for (conn, answer) in answers {
            self.stage.now = self.stage.now + HOP;
            self.input(Input::Bytes(conn, &answer));
        }
    }

    fn pass(mut self, millis: u64) -> Stage {
        let end = self.stage.now + Duration::from_millis(millis);
        while let Some(id) = self.stage.due(end) {
            self.input(Input::Timer(id));
        }
        self
    }

    fn refused(mut self) -> Stage {
        let (conn, _) = self.open.pop_first().unwrap();
        self.input(Input::Closed(conn, Close::Refused));
        self
    }
}

fn answer(to: &Message<'_>, code: Code, with: impl FnOnce(Writer<'_>) -> Writer<'_>, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let kind = if to.kind() == Kind::Con { Kind::Ack } else { Kind::Non };
    if to.code().is_request() {
        with(Writer::new(&mut out, kind, code, to.mid(), to.token())).payload(payload).unwrap();
        vec![out]
    } else {
        vec![]
    }
}

fn yes(to: &Message<'_>) -> Vec<Vec<u8>> {
    answer(to, Code::CONTENT, |writer| writer, b"")
}

fn mute(_: &Message<'_>) -> Vec<Vec<u8>> {
    vec![]
}

const SERVED: WitnessState = WitnessState::Served { rtt: 3_000_000, late: 0 };

#[test]
fn the_witness_makes_a_round_trip_every_200_ms() {
    let stage = stage("witness", &[], yes).pass(400);
    assert_eq!(stage.said[..2], ["request get con /.well-known/core", "request get con /.well-known/core"]);
    assert_eq!(stage.stage.witnessed(), [SERVED, SERVED, SERVED]);
}

#[test]
fn a_server_that_has_nothing_to_show_serves_and_one_that_fails_does_not() {
    let not_found: Serve = |to| answer(to, Code::NOT_FOUND, |writer| writer, b"");
    assert_eq!(stage("witness", &[("path", "/a".into())], not_found).stage.witnessed(), [SERVED]);
    let failing: Serve = |to| answer(to, Code::SERVICE_UNAVAILABLE, |writer| writer, b"");
    assert!(stage("witness", &[], failing).stage.witnessed().is_empty());
}

#[test]
fn a_witness_that_is_told_of_a_failure_asks_again_in_the_same_round() {
    let busy: Serve = |to| answer(to, Code::SERVICE_UNAVAILABLE, |writer| writer, b"");
    let for_a_second: Serve =
        |to| answer(to, Code::SERVICE_UNAVAILABLE, |writer| writer.uint(OptionNumber::MAX_AGE, 1), b"");
    for (serve, rtt) in [(busy, 206), (for_a_second, 1_006)] {
        let mut stage = stage("witness", &[], serve);
        stage.serve = yes;
        let stage = stage.pass(rtt - 3);
        assert_eq!(stage.stage.witnessed()[0], WitnessState::Served { rtt: rtt * 1_000_000, late: 0 });
    }
    let always = stage("witness", &[], busy).pass(5_000);
    assert_eq!(
        always.stage.witnessed(),
        [WitnessState::Missed { waited: 5_000_000_000, late: 0 }],
        "nothing else is a miss"
    );
}

#[test]
fn a_challenged_witness_proves_its_address() {
    let challenge: Serve = |to| match to.options().has(OptionNumber(252)) {
        true => yes(to),
        false => answer(to, Code::UNAUTHORIZED, |writer| writer.option(OptionNumber(252), &[7]), b""),
    };
    let stage = stage("witness", &[], challenge);
    assert_eq!(stage.said[1], "request get con /.well-known/core 07");
    assert_eq!(stage.stage.witnessed(), [WitnessState::Served { rtt: 6_000_000, late: 0 }]);
}

#[test]
fn a_lost_datagram_is_repeated_and_no_answer_within_5_s_is_missed() {
    let stage = stage("witness", &[], mute).pass(4_999);
    assert_eq!(stage.stage.witnessed(), []);
    assert_eq!(stage.said.len(), 2, "the first repetition comes after 2 s to 3 s, the second after 6 s to 9 s");
    let stage = stage.pass(1);
    assert_eq!(stage.stage.witnessed(), [WitnessState::Missed { waited: 5_000_000_000, late: 0 }]);
}

#[test]
fn a_witness_that_was_answered_quickly_asks_five_times_within_its_patience() {
    let mut stage = stage("witness", &[], yes);
    stage.serve = mute;
    // One question was answered; the next begins 200 ms after it.
    let stage = stage.pass(200 + 4_900);
    assert_eq!(
        (stage.stage.witnessed().len(), stage.said.len()),
        (1, 1 + 5),
        "at 0 s, 0.3 s, 0.9 s, 2.1 s and 4.5 s at the latest"
    );
}

fn newcomers(stage: &Stage) -> Vec<WitnessState> {
    stage.stage.witnessed().into_iter().filter(|state| state.is_of_newcomer()).collect()
}

#[test]
fn a_newcomer_asks_once_from_a_port_of_its_own() {
    let mut stage = stage("witness", &[], yes);
    stage.input(Input::Ask);
    let stage = stage.pass(250);
    assert!(matches!(newcomers(&stage)[..], [WitnessState::Knocks, WitnessState::Welcomed { .. }]));
    assert_eq!((stage.sources.len(), stage.open.len(), stage.said.len()), (2, 1, 3), "opened, left open, and requests");
}

#[test]
fn a_newcomer_that_is_told_to_come_later_is_turned_away_and_one_that_finds_nobody_is_unheard() {
    let mut busy = stage("witness", &[], yes);
    busy.serve = |to| answer(to, Code::SERVICE_UNAVAILABLE, |writer| writer, b"");
    busy.input(Input::Ask);
    assert_eq!(newcomers(&busy.pass(250)), [WitnessState::Knocks, WitnessState::TurnedAway]);
    let mut dead = stage("witness", &[], yes);
    dead.serve = mute;
    dead.input(Input::Ask);
    let mut dead = dead.pass(250);
    let newcomer = *dead.open.last_key_value().unwrap().0;
    dead.input(Input::Closed(newcomer, Close::Refused));
    assert_eq!(newcomers(&dead), [WitnessState::Knocks, WitnessState::Unheard]);
}

#[test]
fn a_witness_that_finds_nobody_says_so_and_comes_back() {
    let stage = stage("witness", &[], yes).refused();
    assert_eq!(stage.stage.witnessed(), [SERVED, WitnessState::Lost]);
    assert_eq!(stage.pass(100).stage.witnessed()[2..], [SERVED]);
}

fn list(to: &Message<'_>) -> Vec<Vec<u8>> {
    let body = b"</a>,</b/c>;obs,<coap://far/x>,</a>".as_slice();
    if to.options().path_is(super::WELL_KNOWN) { answer(to, Code::CONTENT, |writer| writer, body) } else { yes(to) }
}

#[test]
fn a_sweep_asks_each_resource_once_from_an_address_of_its_own() {
    let stage = stage("sweep", &[], list).pass(10_000);
    let paths =
        ["/.well-known/core", "/.well-known/core", "/a", "/b/c"].map(|path| ["request get con ", path].concat());
    assert_eq!(stage.said, paths);
    let addresses: std::collections::BTreeSet<u32> = stage.sources.iter().map(|from| from.ip).collect();
    assert_eq!(addresses.len(), 4);
    assert_eq!(stage.stage.notes, [Note::Finished]);
    assert!(stage.open.is_empty());
}

#[test]
fn a_sweep_over_named_resources_says_every_method_to_each() {
    let methods = Value::List(vec!["GET".into(), "PUT".into(), "FETCH".into()]);
    let request = Fields(vec![("payload".into(), "x".into()), ("type".into(), "non".into())]);
    let keys = [("paths", "/p".into()), ("methods", methods), ("request", Value::Table(request))];
    let stage = stage("sweep", &keys, yes).pass(10_000);
    assert_eq!(stage.said, ["request get non /p", "request put non /p x", "request fetch non /p x"]);
}

#[test]
fn a_sweep_that_never_acknowledges_listens_for_93_s() {
    let separate: Serve = |to| match to.code().is_request() {
        true => {
            let mut out = Vec::new();
            Writer::new(&mut out, Kind::Con, Code::CONTENT, to.mid() ^ 1, to.token()).end().unwrap();
            vec![out]
        }
        false => vec![],
    };
    let keys = |ack: bool| {
        let request = Fields(vec![("ack".into(), ack.into())]);
        [("paths", Value::from("/p")), ("request", Value::Table(request))]
    };
    let silent = stage("sweep", &keys(false), separate).pass(93_019);
    assert_eq!((silent.said.len(), silent.stage.notes.len(), silent.open.len()), (1, 0, 1));
    assert_eq!(silent.pass(5).stage.notes, [Note::Finished]);
    let polite = stage("sweep", &keys(true), separate).pass(6_000);
    assert_eq!(polite.said, ["request get con /p", "ack ack"]);
}

#[test]
fn a_sweep_whose_associations_are_all_over_listens_no_longer() {
    let request = Fields(vec![("ack".into(), false.into())]);
    let one = |paths: Value| stage("sweep", &[("paths", paths), ("request", Value::Table(request.clone()))], mute);
    assert_eq!(one("/p".into()).pass(1_000).refused().stage.notes, [Note::Finished]);
    let two = one(Value::List(vec!["/p".into(), "/q".into()])).pass(1_000).refused();
    assert_eq!(two.stage.notes, [], "the other may still be answered");
    assert_eq!(two.refused().stage.notes, [Note::Finished]);
}

#[test]
fn a_sweep_of_a_server_without_a_list_still_asks_for_the_list() {
    let stage = stage("sweep", &[("linger", "1s".into())], mute).pass(29_999);
    assert!(stage.said.len() >= 4, "discovery is repeated: {:?}", stage.said);
    let before = stage.sources.len();
    let stage = stage.pass(2_000);
    assert_eq!(stage.sources.len(), before + 1);
    assert_eq!(stage.stage.notes, [Note::Finished]);
}

fn notify(to: &Message<'_>) -> Vec<Vec<u8>> {
    let mut all = answer(to, Code::CONTENT, |writer| writer.uint(OptionNumber::OBSERVE, 1), b"");
    if to.code().is_request() {
        let mut out = Vec::new();
        Writer::new(&mut out, Kind::Con, Code::CONTENT, 9, to.token()).uint(OptionNumber::OBSERVE, 2).end().unwrap();
        all.push(out);
    }
    all
}

#[test]
fn an_observer_acknowledges_what_it_is_told_or_nothing() {
    let keys = |ack: bool| [("path", "/t".into()), ("ack", ack.into()), ("for", Value::from("20s"))];
    let polite = stage("observer", &keys(true), notify).pass(20_000);
    assert_eq!(polite.said, ["request get con /t", "ack ack"]);
    assert_eq!(polite.stage.notes, [Note::Gauge("notifications", 2), Note::Finished]);
    assert_eq!(stage("observer", &keys(false), notify).pass(20_000).said, ["request get con /t"]);
}

#[test]
fn telemetry_sends_a_reading_at_its_pace_and_stops_in_time() {
    let keys = [("every", "1s".into()), ("for", Value::from("3s")), ("size", Value::Int(12))];
    let stage = stage("telemetry", &keys, yes).pass(10_000);
    assert_eq!(stage.said.len(), 3, "{:?}", stage.said);
    assert_eq!(stage.said[0], "request put con /site/lamps-0/t {\"seq\":1}   ");
    assert_eq!(stage.stage.notes, [Note::Finished]);
}

#[test]
fn telemetry_says_what_it_is_told_to_say() {
    let keys = [("method", "get".into()), ("path", "/time".into()), ("con", "0%".into()), ("every", "1s".into())];
    let stage = stage("telemetry", &keys, yes).pass(1_000);
    assert_eq!(stage.said, ["request get non /time"]);
}

#[test]
fn a_reading_that_nobody_acknowledges_is_repeated_four_times_and_noted() {
    let stage = stage("telemetry", &[("every", "10m".into()), ("path", "/t".into())], mute).pass(600_000);
    let missed =
        stage.stage.notes.iter().filter(|note| matches!(note, Note::Step { state: StepState::Unmet, .. })).count();
    assert_eq!((stage.said.len(), missed), (5, 1), "{:?}", stage.stage.notes);
}

#[test]
fn a_device_whose_time_is_over_still_finds_out_that_nobody_answers() {
    let keys = [("every", "1s".into()), ("path", Value::from("/t")), ("for", "2s".into())];
    let stage = stage("telemetry", &keys, mute).pass(100_000);
    assert_eq!(stage.said.len(), 5, "{:?}", stage.said);
    assert!(
        matches!(stage.stage.notes[..], [Note::Step { state: StepState::Unmet, .. }, Note::Finished]),
        "{:?}",
        stage.stage.notes
    );
}

#[test]
fn a_separate_response_is_acknowledged_and_an_unknown_one_reset() {
    let separate: Serve = |to| match to.code().is_request() {
        true => {
            let (mut ack, mut late) = (Vec::new(), Vec::new());
            Message::ack(to.mid()).encode(&mut ack);
            Writer::new(&mut late, Kind::Con, Code::CHANGED, 7, to.token()).end().unwrap();
            let mut strange = Vec::new();
            Writer::new(&mut strange, Kind::Con, Code::CHANGED, 8, crate::codec::Token::EMPTY).end().unwrap();
            vec![ack, late, strange]
        }
        false => vec![],
    };
    let stage = stage("telemetry", &[("every", "10m".into()), ("path", "/t".into())], separate).pass(600_000);
    assert_eq!(stage.said[1..], ["ack ack", "rst rst"]);
    assert!(stage.stage.notes.is_empty(), "{:?}", stage.stage.notes);
}

#[test]
fn a_device_of_telemetry_is_small() {
    const { assert!(super::telemetry::DEVICE_SIZE <= 80) }
}
