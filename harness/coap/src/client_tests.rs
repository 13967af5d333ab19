//! Laws of a client: what it repeats, what it acknowledges, what it puts together.
use super::*;
use crate::codec::Writer;
use crate::names::BlockWords;
use alloc::format;
use alloc::string::String;
use proofhouse_core::seed::Seed;

const MS: Duration = Duration::from_millis(1);

/// A client and what time it is.
struct Desk {
    client: Client,
    now: Time,
}

impl Desk {
    fn new() -> Desk {
        Desk { client: Client::new(Seed(1).stream("client", 0), 0x0100), now: Time::ZERO }
    }

    fn at(&mut self, millis: u64) -> &mut Desk {
        self.now = Time::ZERO + MS * millis as u32;
        self
    }

    fn ask(&mut self, fields: &[(&str, Value)], manners: Manners) -> String {
        let mut frame = Fields([("code".into(), "get".into()), ("token".into(), "aa".into())].into());
        fields.iter().for_each(|(key, value)| frame.set(key, value.clone()));
        let mut out = Vec::new();
        self.client.ask(self.now, frame, manners, &mut out).unwrap();
        line(&out)
    }

    /// What the client says to a datagram at once, and what it makes known.
    fn hear(&mut self, datagram: &[u8]) -> (String, Vec<String>) {
        let (mut packets, mut reply) = (Vec::new(), b"before".to_vec());
        self.client.hear(self.now, datagram, &mut packets, &mut reply);
        (line(&reply[6..]), packets.iter().map(|told| format!("{} {}", told.kind, told.fields)).collect())
    }

    /// Everything that is due, and the next moment in milliseconds.
    fn tick(&mut self) -> (Vec<String>, Option<u64>) {
        let mut said = Vec::new();
        loop {
            let mut out = Vec::new();
            let next = self.client.tick(self.now, &mut out);
            if out.is_empty() {
                return (said, next.map(|at| at.0 / 1_000_000));
            }
            said.push(line(&out));
        }
    }
}

fn line(datagram: &[u8]) -> String {
    if datagram.is_empty() {
        return String::new();
    }
    let told = describe::tell(datagram);
    assert_eq!(told.malformed, "");
    format!("{} {}", told.kind, told.fields)
}

fn message(kind: Kind, code: Code, mid: u16, more: impl FnOnce(Writer<'_>) -> Writer<'_>, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    more(Writer::new(&mut out, kind, code, mid, Token::new(&[0xaa]).unwrap())).payload(payload).unwrap();
    out
}

fn plain(kind: Kind, code: Code, mid: u16) -> Vec<u8> {
    message(kind, code, mid, |writer| writer, b"")
}

fn empty(of: Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    of.encode(&mut out);
    out
}

const GET: &str = "request message=con code=0.01 method=get mid=257 token=aa path=/";

#[test]
fn a_copy_repeats_what_the_server_took_and_proves_nothing_anew() {
    let polite = Manners { echo: true, ..Manners::default() };
    let challenge = |mid| message(Kind::Ack, Code::UNAUTHORIZED, mid, |writer| writer.option(ECHO, &[1, 2]), b"");
    let chosen: &[(&str, Value)] = &[("code", "post".into()), ("mid", Value::Int(7))];
    let mut desk = Desk::new();
    assert_eq!(desk.ask(chosen, polite), "request message=con code=0.02 method=post mid=7 token=aa path=/");
    let (proven, told) = desk.hear(&challenge(7));
    assert!(proven.contains("mid=257") && proven.contains("echo=") && told.is_empty(), "{proven}");
    desk.hear(&plain(Kind::Ack, Code::CHANGED, 257));
    assert_eq!(desk.ask(chosen, polite), proven, "the copy is of the request that was taken");
    let (reply, told) = desk.hear(&challenge(257));
    assert_eq!((reply.as_str(), told.len()), ("", 1), "a challenge of a copy is its answer");
    let other: &[(&str, Value)] = &[("code", "post".into()), ("mid", Value::Int(7)), ("token", "bb".into())];
    assert!(!desk.ask(other, polite).contains("echo"), "another token is another request");
}

#[test]
fn a_con_is_repeated_four_times_with_pauses_that_double_and_then_given_up() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask(&[], Manners::default()), GET);
    let (said, Some(first)) = desk.tick() else { panic!("nothing is due") };
    assert!(said.is_empty() && (2_000..=3_000).contains(&first), "{first} ms");
    for repeated in [1_u64, 3, 7, 15] {
        let due = repeated * (first + 1);
        assert_eq!(desk.at(due - (repeated + 1)).tick().0, [""; 0], "{repeated} pauses are not over");
        assert_eq!(desk.at(due).tick().0, [GET]);
    }
    assert_eq!(desk.at(31 * (first + 2) + 100).tick(), (Vec::new(), None));
    assert!(desk.hear(&plain(Kind::Con, Code::CONTENT, 9)).0.starts_with("rst"), "it was given up");
}

#[test]
fn a_non_is_said_once() {
    let mut desk = Desk::new();
    desk.ask(&[("type", "non".into())], Manners::default());
    assert_eq!(desk.at(60_000).tick(), (Vec::new(), None));
}

#[test]
fn an_acknowledgement_a_reset_and_a_response_each_end_the_repetitions() {
    for answer in [
        empty(Message::ack(257)),
        empty(Message::rst(257)),
        plain(Kind::Ack, Code::CONTENT, 257),
        plain(Kind::Con, Code::CONTENT, 9),
        plain(Kind::Non, Code::CONTENT, 9),
    ] {
        let mut desk = Desk::new();
        desk.ask(&[], Manners::default());
        assert_eq!(desk.hear(&answer).1.len(), 1);
        assert_eq!(desk.at(60_000).tick(), (Vec::new(), None), "{}", line(&answer));
    }
    let mut desk = Desk::new();
    desk.ask(&[], Manners::default());
    desk.hear(&empty(Message::ack(258)));
    assert!(desk.tick().1.is_some(), "the acknowledgement of another message ends nothing");
}

#[test]
fn a_separate_response_is_acknowledged_and_told_once_however_often_it_comes() {
    let mut desk = Desk::new();
    desk.ask(&[], Manners::default());
    let response = plain(Kind::Con, Code::CONTENT, 9);
    let (reply, told) = desk.hear(&response);
    assert_eq!((reply.as_str(), told.len()), ("ack message=ack mid=9", 1));
    let (again, told) = desk.at(3_000).hear(&response);
    assert_eq!((again.as_str(), told.len()), ("ack message=ack mid=9", 0));
    let (later, told) = desk.at(251_001).hear(&response);
    assert_eq!((later.as_str(), told.len()), ("rst message=rst mid=9", 1), "after 247 s the id is another message");
}

#[test]
fn what_nobody_asked_for_is_reset_and_told() {
    let mut desk = Desk::new();
    for kind in [Kind::Con, Kind::Non] {
        let (reply, told) = desk.hear(&plain(kind, Code::CONTENT, 9 + u16::from(kind.bits())));
        assert!(reply.starts_with("rst"), "{kind}: {reply}");
        assert_eq!(told.len(), 1);
    }
    assert_eq!(desk.hear(&empty(Message::ping(5))).0, "rst message=rst mid=5");
    assert_eq!(desk.hear(&plain(Kind::Con, Code::GET, 6)).0, "rst message=rst mid=6", "we serve nothing");
    let (reply, told) = desk.hear(&plain(Kind::Ack, Code::CONTENT, 7));
    assert_eq!((reply.as_str(), told.len()), ("", 1), "an ACK is never answered");
}

#[test]
fn a_piggybacked_response_must_have_the_id_of_its_request() {
    let mut desk = Desk::new();
    desk.ask(&[], Manners::default());
    assert_eq!(desk.hear(&plain(Kind::Ack, Code::CONTENT, 258)), (String::new(), Vec::new()));
    assert_eq!(desk.hear(&plain(Kind::Ack, Code::CONTENT, 257)).1.len(), 1);
}

#[test]
fn a_mute_client_repeats_and_answers_nothing_and_still_tells() {
    let mut desk = Desk::new();
    desk.client.mute = true;
    desk.ask(&[], Manners::default());
    let response = plain(Kind::Con, Code::CONTENT, 9);
    assert_eq!(desk.hear(&response).0, "");
    assert_eq!(desk.hear(&response).1.len(), 1, "each repetition is told");
    assert_eq!(desk.at(60_000).tick(), (Vec::new(), None));
    assert_eq!(desk.client.last_con(), Some(9));
}

#[test]
fn an_observation_stays_known_until_a_response_without_observe() {
    let mut desk = Desk::new();
    desk.ask(&[("observe", Value::Int(0))], Manners::default());
    let notified =
        |kind, mid, n| message(kind, Code::CONTENT, mid, |writer| writer.uint(OptionNumber::OBSERVE, n), b"x");
    assert_eq!(desk.hear(&notified(Kind::Ack, 257, 1)).1.len(), 1);
    assert!(desk.hear(&notified(Kind::Con, 10, 2)).0.starts_with("ack"));
    assert_eq!(desk.hear(&notified(Kind::Non, 11, 3)).0, "");
    assert!(desk.hear(&plain(Kind::Con, Code::NOT_FOUND, 12)).0.starts_with("ack"));
    assert!(desk.hear(&notified(Kind::Con, 13, 4)).0.starts_with("rst"), "the observation was over");
}

#[test]
fn a_challenge_is_answered_once_by_saying_the_request_again() {
    let polite = Manners { echo: true, ..Manners::default() };
    let challenge = |mid| message(Kind::Ack, Code::UNAUTHORIZED, mid, |writer| writer.option(ECHO, &[1, 2]), b"");
    let mut desk = Desk::new();
    desk.ask(&[], polite);
    let (again, told) = desk.hear(&challenge(257));
    assert_eq!(again, "request message=con code=0.01 method=get mid=258 token=aa path=/ echo=0102");
    assert!(told.is_empty());
    assert_eq!(desk.hear(&challenge(258)).1.len(), 1, "a second challenge is the answer");
    let mut desk = Desk::new();
    desk.ask(&[], Manners::default());
    assert_eq!(desk.hear(&challenge(257)).1.len(), 1);
}

const BLOCKS: Manners = Manners { echo: true, blocks: true, block_size: Some(16), confirm: Confirm::AtOnce };

fn block2(mid: u16, num: u32, more: bool, payload: &[u8]) -> Vec<u8> {
    let value = BlockWords { num, more, szx: 0 }.value();
    message(Kind::Ack, Code::CONTENT, mid, |writer| writer.uint(OptionNumber::BLOCK2, value), payload)
}

#[test]
fn a_body_comes_in_blocks_and_is_told_as_one() {
    let mut desk = Desk::new();
    assert!(desk.ask(&[], BLOCKS).ends_with("path=/ block2=0/0/16"));
    let (next, told) = desk.hear(&block2(257, 0, true, b"0123456789abcdef"));
    assert_eq!(next, "request message=con code=0.01 method=get mid=258 token=aa path=/ block2=1/0/16");
    assert!(told.is_empty());
    let (next, told) = desk.hear(&block2(258, 1, false, b"gh"));
    assert_eq!(next, "");
    assert!(told[0].ends_with("payload=0123456789abcdefgh"), "{told:?}");
    assert_eq!(desk.at(60_000).tick(), (Vec::new(), None));
}

#[test]
fn a_separate_block_is_acknowledged_first_and_the_next_asked_for_with_the_tick() {
    let mut desk = Desk::new();
    desk.ask(&[], BLOCKS);
    let mut block = block2(9, 0, true, b"0123456789abcdef");
    block[0] = 0x41; // CON
    assert_eq!(desk.hear(&block).0, "ack message=ack mid=9");
    assert_eq!(desk.hear(&block).0, "ack message=ack mid=9", "a repetition is acknowledged and nothing more");
    assert_eq!(desk.tick().0, ["request message=con code=0.01 method=get mid=258 token=aa path=/ block2=1/0/16"]);
}

#[test]
fn blocks_that_do_not_follow_one_another_are_no_body() {
    for (second, why) in [
        (block2(258, 2, false, b"gh"), "a block that was not asked for"),
        (block2(258, 1, true, b"gh"), "a block that is not full"),
    ] {
        let mut desk = Desk::new();
        desk.ask(&[], BLOCKS);
        desk.hear(&block2(257, 0, true, b"0123456789abcdef"));
        let mut packets = Vec::new();
        desk.client.hear(desk.now, &second, &mut packets, &mut Vec::new());
        assert!(packets[0].malformed.starts_with(why), "{packets:?}");
    }
}

#[test]
fn a_large_request_goes_in_blocks_no_larger_than_the_server_wants() {
    let mut desk = Desk::new();
    let body = Value::from("0123456789abcdefghijklmnopqrstuvwxyz");
    let manners = Manners { block_size: Some(32), ..BLOCKS };
    let first = desk.ask(&[("code", "put".into()), ("payload", body)], manners);
    assert!(
        first.ends_with("block2=0/0/32 block1=0/1/32 size1=36 payload=0123456789abcdefghijklmnopqrstuv"),
        "{first}"
    );
    let block1 = BlockWords { num: 0, more: true, szx: 0 }.value();
    let go_on = message(Kind::Ack, Code::CONTINUE, 257, |writer| writer.uint(OptionNumber::BLOCK1, block1), b"");
    let (next, told) = desk.hear(&go_on);
    assert!(
        told.is_empty() && next.contains("mid=258") && next.ends_with("block1=2/0/16 size1=36 payload=wxyz"),
        "{next}"
    );
    assert_eq!(desk.hear(&plain(Kind::Ack, Code::CHANGED, 258)).1.len(), 1);
}

#[test]
fn a_server_that_wants_more_than_the_last_block_is_told_of() {
    let mut desk = Desk::new();
    let body = Value::from("0123456789abcdefghijklmnopqrstuvwxyz");
    desk.ask(&[("code", "put".into()), ("payload", body)], Manners { block_size: Some(32), ..BLOCKS });
    let go_on = |mid, num| {
        let block1 = BlockWords { num, more: true, szx: 1 }.value();
        message(Kind::Ack, Code::CONTINUE, mid, |writer| writer.uint(OptionNumber::BLOCK1, block1), b"")
    };
    assert!(desk.hear(&go_on(257, 0)).1.is_empty());
    let (said, told) = desk.hear(&go_on(258, 1));
    assert!(said.is_empty() && told.len() == 1 && told[0].contains("2.31"), "{said} {told:?}");
}

#[test]
fn a_server_for_which_a_block_is_too_large_gets_smaller_ones() {
    let mut desk = Desk::new();
    let body = Value::from("0123456789abcdefghijklmnopqrstuvwxyz");
    desk.ask(&[("code", "put".into()), ("payload", body)], Manners { block_size: Some(32), ..BLOCKS });
    let smaller = BlockWords { num: 0, more: true, szx: 0 }.value();
    let code = Code::REQUEST_ENTITY_TOO_LARGE;
    let refusal = message(Kind::Ack, code, 257, |writer| writer.uint(OptionNumber::BLOCK1, smaller), b"");
    let (next, told) = desk.hear(&refusal);
    assert!(told.is_empty() && next.ends_with("block1=0/1/16 size1=36 payload=0123456789abcdef"), "{next}");
}

#[test]
fn a_block_of_the_reserved_size_is_no_block() {
    let mut desk = Desk::new();
    desk.ask(&[], BLOCKS);
    let reserved = BlockWords { num: 0, more: true, szx: 7 }.value();
    let answer =
        message(Kind::Ack, Code::CONTENT, 257, |writer| writer.uint(OptionNumber::BLOCK2, reserved), &[b'x'; 2048]);
    let mut packets = Vec::new();
    desk.client.hear(desk.now, &answer, &mut packets, &mut Vec::new());
    assert!(packets.len() == 1 && packets[0].malformed.contains("RFC 7959 §2.2"), "{packets:?}");
}

#[test]
fn a_small_request_goes_whole() {
    let mut desk = Desk::new();
    let said = desk.ask(&[("code", "put".into()), ("payload", "0123456789abcdef".into())], BLOCKS);
    assert!(said.ends_with("payload=0123456789abcdef") && !said.contains("block1"), "{said}");
}

#[test]
fn a_late_client_acknowledges_after_its_pause_and_a_copy_at_once() {
    let late = Manners { confirm: Confirm::Late, ..Manners::default() };
    let mut desk = Desk::new();
    desk.ask(&[], late);
    let (reply, told) = desk.at(100).hear(&plain(Kind::Con, Code::CONTENT, 9));
    assert_eq!((reply.as_str(), told.len()), ("", 1), "nothing shows yet that it came");
    assert_eq!(desk.at(949).tick(), (Vec::new(), Some(950)));
    assert_eq!(desk.at(950).tick().0, ["ack message=ack mid=9"]);
    let (reply, told) = desk.at(2_000).hear(&plain(Kind::Con, Code::CONTENT, 9));
    assert_eq!((reply.as_str(), told.len()), ("ack message=ack mid=9", 0));
}

#[test]
fn a_client_resets_news_and_never_the_first_answer() {
    let reset = Manners { confirm: Confirm::Reset, ..Manners::default() };
    let told = |kind, mid, number| message(kind, Code::CONTENT, mid, |to| to.uint(OptionNumber::OBSERVE, number), b"");
    let mut desk = Desk::new();
    desk.ask(&[("observe", Value::Int(0))], reset);
    assert_eq!(desk.hear(&told(Kind::Con, 8, 1)).0, "ack message=ack mid=8");
    assert_eq!(desk.hear(&told(Kind::Con, 9, 2)).0, "rst message=rst mid=9");
    assert_eq!(desk.hear(&told(Kind::Non, 10, 3)).0, "rst message=rst mid=10");
}

#[test]
fn whoever_always_confirms_does_so_after_the_last_answer_too() {
    for (confirm, reply) in [(Confirm::Always, "ack message=ack mid=9"), (Confirm::AtOnce, "rst message=rst mid=9")] {
        let mut desk = Desk::new();
        desk.ask(&[], Manners { confirm, ..Manners::default() });
        desk.hear(&plain(Kind::Ack, Code::CONTENT, 257));
        assert_eq!(desk.hear(&plain(Kind::Con, Code::CONTENT, 9)).0, reply);
    }
}
