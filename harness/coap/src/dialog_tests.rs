//! Laws of what a script says by itself.
use super::*;
use crate::codec::Message;
use crate::describe;
use alloc::string::String;
use proofhouse_core::plan::StepPlan;
use proofhouse_core::protocol::Answers;
use proofhouse_core::testing::{self, step};
use proofhouse_core::time::Duration;

fn open(manual: bool) -> Box<dyn Dialog> {
    let fleet = FleetPlan { manual, ..crate::testing::fleet("foe", Fields::default()) };
    let plan = testing::plan([fleet.clone()].to_vec());
    dialog(&fleet, &plan, 3)
}

fn say(dialog: &mut dyn Dialog, step: &StepPlan) -> (String, Option<Awaits>) {
    let mut out = Vec::new();
    let awaits = dialog.say(step, &step.fields, Time::ZERO, &mut out).unwrap();
    dialog.said(1, &out);
    (line(&out), awaits)
}

fn line(datagram: &[u8]) -> String {
    let told = describe::tell(datagram);
    format!("{} {}", told.kind, told.fields)
}

fn ticks(dialog: &mut dyn Dialog, now: Time) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let mut out = Vec::new();
        dialog.tick(now, &mut out);
        if out.is_empty() {
            return said;
        }
        said.push(line(&out));
    }
}

fn hear(dialog: &mut dyn Dialog, message: Message<'_>) -> (usize, Vec<u8>) {
    let (mut datagram, mut packets, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    message.encode(&mut datagram);
    dialog.hear(&datagram, Time::ZERO, &mut packets, &mut reply);
    (packets.len(), reply)
}

#[test]
fn a_request_awaits_the_response_with_its_token() {
    let mut dialog = open(false);
    let post = step("post", &[("path", "/count".into()), ("mid", Value::Int(7)), ("token", "C0 FF".into())]);
    let (said, awaits) = say(&mut *dialog, &post);
    assert_eq!(said, "request message=con code=0.02 method=post mid=7 token=c0ff path=/count");
    assert_eq!(awaits, Some(Awaits { kind: "response", fields: [("token", "c0ff".into())].into() }));
    let none = say(&mut *dialog, &step("get", &[("token", "".into())])).1.unwrap();
    assert_eq!(none.fields, [("token", Value::from(""))]);
}

#[test]
fn ids_and_tokens_are_fresh_unless_a_step_says_them() {
    let mut dialog = open(false);
    let get = step("get", &[]);
    let (first, second) = (say(&mut *dialog, &get), say(&mut *dialog, &get));
    assert_ne!(first.1, second.1);
    assert_ne!(first.0, second.0);
    let fixed = step("get", &[("mid", Value::Int(7)), ("token", "aa".into())]);
    assert_eq!(say(&mut *dialog, &fixed), say(&mut *dialog, &fixed), "the same message five times is the same message");
}

#[test]
fn a_ping_awaits_its_reset() {
    let mut dialog = open(false);
    let (said, awaits) = say(&mut *dialog, &step("ping", &[("mid", Value::Int(9))]));
    assert_eq!(said, "ping message=con mid=9");
    assert_eq!(awaits, Some(Awaits { kind: "rst", fields: [("mid", Value::Int(9))].into() }));
}

#[test]
fn a_manual_session_answers_and_repeats_nothing_until_a_step_says_so() {
    let mut dialog = open(true);
    say(&mut *dialog, &step("get", &[]));
    assert_eq!(hear(&mut *dialog, Message::ping(5)), (1, Vec::new()));
    assert_eq!(ticks(&mut *dialog, Time::ZERO + Duration::from_secs(60)), [""; 0]);
    assert_eq!(say(&mut *dialog, &step("ack", &[])).0, "ack message=ack mid=5");
    assert_eq!(say(&mut *dialog, &step("rst", &[("mid", Value::Int(6))])).0, "rst message=rst mid=6");
}

#[test]
fn an_acknowledgement_of_nothing_cannot_be_said() {
    let step = step("ack", &[]);
    let why = open(false).say(&step, &step.fields, Time::ZERO, &mut Vec::new()).unwrap_err();
    assert_eq!(why, Unsayable::Mistake("mid: no CON was heard yet whose message id could be meant".into()));
}

#[test]
fn several_frames_are_several_datagrams_and_their_answers_are_known() {
    let mut dialog = open(false);
    let frame = |mid: i64| {
        let mut frame = Fields::default();
        frame.set("code", "get");
        frame.set("mid", mid);
        frame.set("token", "aa");
        Value::Table(frame)
    };
    let (first, awaits) = say(&mut *dialog, &step("send", &[("frame", Value::List([frame(1), frame(2)].into()))]));
    assert!(first.contains("mid=1") && awaits.is_none());
    let rest = ticks(&mut *dialog, Time::ZERO);
    assert!(rest.len() == 1 && rest[0].contains("mid=2"), "{rest:?}");
    let mut response = Vec::new();
    let token = crate::codec::Token::new(&[0xaa]).unwrap();
    crate::codec::Writer::new(&mut response, crate::codec::Kind::Con, crate::codec::Code::CONTENT, 77, token)
        .end()
        .unwrap();
    let (_, reply) = hear(&mut *dialog, Message::decode(&response).unwrap());
    assert_eq!(line(&reply), "ack message=ack mid=77");
}

/// What a datagram answers; empty where it is not told.
fn answers(
    dialog: &mut dyn Dialog,
    kind: crate::codec::Kind,
    code: crate::codec::Code,
    mid: u16,
    token: &[u8],
) -> Vec<Answers> {
    let mut datagram = Vec::new();
    let token = crate::codec::Token::new(token).unwrap();
    crate::codec::Writer::new(&mut datagram, kind, code, mid, token).end().unwrap();
    let mut packets = Vec::new();
    dialog.hear(&datagram, Time::ZERO, &mut packets, &mut Vec::new());
    packets.into_iter().map(|heard| heard.answers).collect()
}

#[test]
fn an_answer_belongs_to_the_message_whose_id_and_token_it_carries() {
    use crate::codec::{Code, Kind};
    let mut dialog = open(false);
    let get = step("get", &[("mid", Value::Int(7)), ("token", "aa".into())]);
    dialog.say(&get, &get.fields, Time::ZERO, &mut Vec::new()).unwrap();
    dialog.said(1, &[0x41, 1, 0, 7, 0xaa]);
    // A reserved code with a token, and what is too short for a message id.
    dialog.said(2, &[0x41, 0xc1, 0, 8, 0xbb]);
    dialog.said(3, &[0x40, 1]);
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CONTENT, 7, &[0xaa]), [Answers::Step(1)]);
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CONTENT, 7, &[0xaa]), [], "a copy is told no second time");
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CONTENT, 70, &[0xaa]), [Answers::Step(1)], "a later block of it");
    assert_eq!(answers(&mut *dialog, Kind::Rst, Code::EMPTY, 8, &[]), [Answers::Step(2)]);
    assert_eq!(answers(&mut *dialog, Kind::Con, Code::CONTENT, 900, &[0xbb]), [Answers::Step(2)]);
    assert_eq!(answers(&mut *dialog, Kind::Con, Code::CONTENT, 901, &[0xcc]), [Answers::Unknown]);
    assert_eq!(answers(&mut *dialog, Kind::Rst, Code::EMPTY, 9, &[]), [Answers::Unknown]);
}

#[test]
fn the_same_message_said_again_takes_the_answer_and_a_notification_is_news() {
    use crate::codec::{Code, Kind};
    let mut dialog = open(true);
    let post = [0x41, 2, 0x12, 0x67, 0xaa];
    dialog.said(1, &post);
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CHANGED, 0x1267, &[0xaa]), [Answers::Step(1)]);
    dialog.said(2, &post);
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CHANGED, 0x1267, &[0xaa]), [Answers::Step(2)]);
    // GET with Observe 0 and token dd.
    dialog.said(3, &[0x41, 1, 0, 9, 0xdd, 0x60]);
    assert_eq!(answers(&mut *dialog, Kind::Ack, Code::CONTENT, 9, &[0xdd]), [Answers::Step(3)]);
    assert_eq!(answers(&mut *dialog, Kind::Con, Code::CONTENT, 77, &[0xdd]), [Answers::Message]);
}

#[test]
fn a_step_asks_again_with_the_tag_that_its_path_had_last_and_takes_no_message_id_of_a_script() {
    let mut dialog = open(false);
    let get = |path: &str, again: bool| step("get", &[("path", path.into()), ("revalidate", again.into())]);
    let (first, _) = say(&mut *dialog, &get("/a", true));
    assert!(!first.contains("etag"), "it has none yet: {first}");
    let fields = |said: &str, key: &str| {
        said.split(&format!("{key}=")).nth(1).and_then(|rest| rest.split(' ').next()).map(String::from)
    };
    let (mid, token) = (fields(&first, "mid").unwrap(), fields(&first, "token").unwrap());
    assert!(mid.parse::<u16>().unwrap() >= OWN_MIDS, "{mid}");
    let answer = Fields(
        [
            ("type".to_string(), Value::from("ack")),
            ("code".to_string(), "2.05".into()),
            ("mid".to_string(), Value::Int(mid.parse().unwrap())),
            ("token".to_string(), token.as_str().into()),
            ("etag".to_string(), "0102".into()),
        ]
        .into(),
    );
    let (mut datagram, mut packets, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    frames::build(&answer, &mut datagram).unwrap();
    dialog.hear(&datagram, Time::ZERO, &mut packets, &mut reply);
    for (path, again, tagged) in [("/a", true, true), ("/a", false, false), ("/b", true, false)] {
        assert_eq!(say(&mut *dialog, &get(path, again)).0.contains("etag=0102"), tagged, "{path} {again}");
    }
}
