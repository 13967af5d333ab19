//! The driver against small servers of datagrams: what crosses the wire is what the record says.
mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use proofhouse_core::connection::{Addr, Close};
use proofhouse_core::plan::{Network, Recording, Source};
use proofhouse_core::spread::Spread;
use proofhouse_core::target::Ready;
use proofhouse_core::transcript::{By, Event, Life, Transcript, Who, WitnessState};
use proofhouse_core::value::{Value, unhex};
use proofhouse_live::{RunError, blank, preflight, run_live};
use support::*;

fn hex(text: &str) -> Value {
    proofhouse_core::value::hex(text.as_bytes()).as_str().into()
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

const ECHO: &str = "s.sendto(d, a)";

/// Each datagram that `fleet` received, as text.
fn heard(transcript: &Transcript, fleet: &str) -> Vec<String> {
    events(transcript, |entry| match (&entry.who, &entry.event) {
        (Who::Member(name, _), Event::Received(bytes)) if name == fleet => {
            Some(String::from_utf8_lossy(&unhex(&bytes.hex).unwrap()).into_owned())
        }
        _ => None,
    })
}

fn fates(transcript: &Transcript) -> Vec<String> {
    events(transcript, |entry| match &entry.event {
        Event::Fate { fate, .. } => Some(fate.clone()),
        _ => None,
    })
}

/// Who spoke to whom: the two addresses of each association.
fn opened(transcript: &Transcript) -> Vec<(Addr, Addr)> {
    events(transcript, |entry| match &entry.event {
        Event::Opened { from, to, .. } => Some((*from, *to)),
        _ => None,
    })
}

fn undelivered(transcript: &Transcript) -> Vec<u64> {
    events(transcript, |entry| match &entry.event {
        Event::Undelivered { len, .. } => Some(*len),
        _ => None,
    })
}

fn logged(transcript: &Transcript) -> Vec<String> {
    events(transcript, |entry| match &entry.event {
        Event::Life(Life::Log { line } | Life::Panic { line }) => Some(line.clone()),
        _ => None,
    })
}

#[test]
fn what_is_said_comes_back_and_is_recorded_both_ways() {
    let fleet = grams("talkers", 0, 3, &[("say", hex("hello")), ("hear", int(5))]);
    let transcript = run(&plan(vec![fleet]), &datagrams(ECHO)).unwrap();
    assert_eq!(heard(&transcript, "talkers"), ["hello"; 3]);
    assert_eq!(opened(&transcript).len(), 3);
    assert!(matches!(life(&transcript)[..], [Life::Started { .. }, Life::Ready, Life::Stopped]));
    assert!(transcript.entries.is_sorted_by_key(|e| e.at));
}

#[test]
fn each_send_is_one_datagram_and_an_empty_one_is_one_too() {
    let keys = [("say", "61|6262|636363".into()), ("say-empty", int(2)), ("hear", int(10))];
    let transcript = run(&plan(vec![grams("f", 0, 1, &keys)]), &datagrams("s.sendto(b'%d,' % len(d), a)")).unwrap();
    assert_eq!(heard(&transcript, "f"), ["1,", "2,", "3,", "0,", "0,"]);
}

#[test]
fn an_empty_answer_is_heard() {
    let keys = [("say", hex("x")), ("counts", true.into()), ("hear", int(1))];
    let transcript = run(&plan(vec![grams("f", 0, 1, &keys)]), &datagrams("s.sendto(b'', a)")).unwrap();
    assert_eq!(heard(&transcript, "f"), [""]);
}

#[test]
fn nothing_goes_on_the_wire_before_something_is_said_nor_after_the_end() {
    let quiet = grams("quiet", 0, 1, &[("close-after-ms", int(50))]);
    let transcript = run(&plan(vec![quiet]), &datagrams("print('heard', len(d), flush=True)")).unwrap();
    assert_eq!(logged(&transcript), Vec::<String>::new());
    assert_eq!(closings(&transcript, "quiet"), [(By::Us, Close::Fin)]);
}

#[test]
fn a_datagram_of_65_507_bytes_goes_both_ways_and_one_more_is_undelivered() {
    let largest = grams("f", 0, 1, &[("say-bytes", int(65_507)), ("hear", int(65_507))]);
    let transcript = run(&plan(vec![largest]), &datagrams(ECHO)).unwrap();
    assert_eq!(heard(&transcript, "f")[0].len(), 65_507);
    assert!(undelivered(&transcript).is_empty());
    let more = grams("f", 0, 1, &[("say-bytes", int(65_508)), ("close-after-ms", int(50))]);
    let transcript = run(&plan(vec![more]), &datagrams(ECHO)).unwrap();
    assert_eq!(undelivered(&transcript), [65_508]);
}

#[test]
fn nobody_there_is_a_refusal_once_something_was_said() {
    let closed = blank::closed_datagrams().unwrap();
    let target = over_datagrams(remote(&closed.addr().to_string()));
    let fleet = grams("f", 0, 2, &[("say", hex("x"))]);
    let transcript = run(&plan(vec![fleet]), &target).unwrap();
    assert_eq!(closings(&transcript, "f"), [(By::Peer, Close::Refused); 2]);
    assert_eq!(opened(&transcript).len(), 2, "the socket stood all the same");
}

#[test]
fn a_mute_target_leads_to_the_limit() {
    let mute = blank::mute_datagrams().unwrap();
    let mut plan = plan(vec![grams("f", 0, 1, &[("say", hex("x")), ("hear", int(1))])]);
    plan.limit = Duration::from_millis(300);
    let transcript = run(&plan, &over_datagrams(remote(&mute.addr().to_string()))).unwrap();
    assert_eq!(events(&transcript, |e| matches!(e.event, Event::Limit).then_some(())).len(), 1);
}

#[test]
fn a_yes_sayer_answers() {
    let yes = blank::yes_datagrams(<[u8]>::to_ascii_uppercase).unwrap();
    let fleet = grams("f", 0, 1, &[("say", hex("yes")), ("hear", int(3))]);
    let transcript = run(&plan(vec![fleet]), &over_datagrams(remote(&yes.addr().to_string()))).unwrap();
    assert_eq!(heard(&transcript, "f"), ["YES"]);
}

#[test]
fn an_answer_from_another_port_is_an_association_of_its_own() {
    let body = "t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nt.bind(('127.9.9.9', 0))\nt.sendto(b'stranger', a)\ns.sendto(b'friend', a)";
    let fleet = grams("f", 0, 1, &[("say", hex("x")), ("hear", int(14))]);
    let transcript = run(&plan(vec![fleet]), &datagrams(body)).unwrap();
    assert_eq!(heard(&transcript, "f"), ["stranger", "friend"]);
    let opened = opened(&transcript);
    let [(ours, _), (stranger, at)] = opened[..] else { panic!("{opened:?}") };
    assert_eq!(std::net::Ipv4Addr::from(stranger.ip).to_string(), "127.9.9.9");
    assert_eq!(at, ours, "the stranger spoke to the socket that we had opened");
    let conns = events(&transcript, |e| matches!(e.event, Event::Received(_)).then(|| e.event.conn().unwrap()));
    assert_ne!(conns[0], conns[1]);
}

#[test]
fn a_stranger_is_answered_at_its_own_address() {
    // The toy says everything back, reversed.
    let body = "t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nt.bind(('127.0.0.1', 0))\nt.sendto(b'abc', a)\nprint('stranger heard', t.recvfrom(99)[0], flush=True)\ns.sendto(b'end', a)";
    let keys = [("say", hex("x")), ("answers", true.into()), ("hear", int(6))];
    let transcript = run(&plan(vec![grams("f", 0, 1, &keys)]), &datagrams(body)).unwrap();
    assert_eq!(logged(&transcript), ["stranger heard b'cba'"]);
}

#[test]
fn more_strangers_than_we_tell_apart_are_counted_and_make_the_record_incomplete() {
    let body = "for k in range(1100):\n    t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    t.bind(('127.%d.%d.1' % (1 + k // 200, k % 200), 5683))\n    t.sendto(b'z', a)\n    t.close()\n    if k % 50 == 49: time.sleep(0.01)\ns.sendto(b'enough', a)";
    let fleet = grams("f", 0, 1, &[("say", hex("x")), ("hear", int(1_023 + 6))]);
    let transcript = run(&plan(vec![fleet]), &datagrams(body)).unwrap();
    let limited = closings(&transcript, "f").into_iter().filter(|end| *end == (By::Limit, Close::LocalLimit)).count();
    assert_eq!(limited, 1, "one entry for all who came too late");
    let unheard = events(&transcript, |e| match &e.event {
        Event::Calibration { name, value } if name == "datagrams-unheard" => Some(*value),
        _ => None,
    });
    assert_eq!(unheard, [1_100 - 1_023]);
}

#[test]
fn a_fleet_that_plays_the_server_knows_each_peer_and_answers_it() {
    let mut listens = grams("f", 0, 1, &[("answers", true.into()), ("hear", int(6))]);
    listens.plays_server = true;
    let client = "import socket, sys, time\nto = ('127.0.0.1', int(sys.argv[1]))\npeers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]\nfor p in peers: p.sendto(b'abc', to)\nprint(*[p.recv(9) for p in peers], flush=True)\ntime.sleep(9)";
    let mut target = over_datagrams(python(client));
    target.endpoints[0].client = true;
    spec(&mut target).ready = Ready::After(Duration::from_millis(10));
    let transcript = run(&plan(vec![listens, grams("late", 1, 1, &[("close-after-ms", int(400))])]), &target).unwrap();
    assert_eq!(heard(&transcript, "f"), ["abc", "abc"]);
    assert_eq!(logged(&transcript), ["b'cba' b'cba'"]);
}

#[test]
fn members_have_the_source_addresses_of_their_plan() {
    let mut each = grams("f", 0, 20, &[("say", hex("x")), ("hear", int(7))]);
    each.source = Source::Each;
    each.only = Some(vec![3, 17]);
    let mut expected = [each.source(3, 0), each.source(17, 0)].map(|a| std::net::Ipv4Addr::from(a.ip).to_string());
    let transcript = run(&plan(vec![each]), &datagrams("s.sendto(a[0].encode(), a)")).unwrap();
    let mut heard = heard(&transcript, "f");
    heard.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heard, expected);
}

#[test]
fn the_witness_of_each_protocol_is_heard() {
    let target = datagrams(ECHO);
    let talker = grams("f", 0, 1, &[("say", hex("x")), ("hear", int(1))]);
    let witnesses = [grams("witness-grams", 1, 1, &[]), grams("witness-more", 2, 1, &[])];
    let [one, two] = witnesses;
    let transcript = run(&plan(vec![talker, one, two]), &target).unwrap();
    for name in ["witness-grams", "witness-more"] {
        let served = events(&transcript, |e| match (&e.who, &e.event) {
            (Who::Member(who, _), Event::Witness(WitnessState::Served { .. })) if who == name => Some(e.at),
            _ => None,
        });
        assert!(served.len() >= 2, "{name} was served {} times: before all others and after them", served.len());
    }
}

fn linked(network: Network, says: &str, hear: i64) -> Transcript {
    let mut fleet = grams("f", 0, 1, &[("say", says.into()), ("hear", int(hear)), ("close-after-ms", int(600))]);
    fleet.network = network;
    run(&plan(vec![fleet]), &datagrams("print(d.decode(), flush=True)\ns.sendto(d, a)")).unwrap()
}

#[test]
fn a_link_with_delay_holds_an_echo_for_two_ways() {
    let transcript = linked(Network { delay: Spread::Fixed(Duration::from_millis(50)), ..Network::CLEAN }, "61", 1);
    let at = |pick: fn(&Event) -> bool| events(&transcript, |e| pick(&e.event).then_some(e.at))[0];
    let (sent, received) = (at(|e| matches!(e, Event::Sent(_))), at(|e| matches!(e, Event::Received(_))));
    assert!(received.since(sent) >= Duration::from_millis(100), "{:?}", received.since(sent));
}

#[test]
fn a_link_that_loses_everything_loses_it_and_says_so() {
    let transcript = linked(Network { loss: 1.0, ..Network::CLEAN }, "61|62", 1);
    assert_eq!(fates(&transcript), ["loss", "loss"]);
    assert_eq!(logged(&transcript), Vec::<String>::new());
}

#[test]
fn a_link_that_doubles_everything_doubles_it_on_both_ways() {
    let transcript = linked(Network { duplicate: 1.0, ..Network::CLEAN }, "61", 4);
    assert_eq!(logged(&transcript), ["a", "a"]);
    assert_eq!(heard(&transcript, "f"), ["a"; 4]);
}

#[test]
fn a_link_that_damages_flips_one_bit() {
    let transcript = linked(Network { corrupt: 1.0, ..Network::CLEAN }, "00000000", 4);
    let ones: u32 = heard(&transcript, "f")[0].bytes().map(u8::count_ones).sum();
    assert!(ones <= 2, "one bit on either way: {:?}", heard(&transcript, "f"));
    assert_eq!(fates(&transcript), ["corrupt", "corrupt"]);
}

#[test]
fn what_a_link_holds_arrives_though_its_sender_has_left() {
    let mut fleet = grams("f", 0, 1, &[("say", hex("late")), ("close-after-ms", int(0))]);
    fleet.network = Network { delay: Spread::Fixed(Duration::from_millis(100)), ..Network::CLEAN };
    let stays = grams("late", 1, 1, &[("close-after-ms", int(600))]);
    let transcript = run(&plan(vec![fleet, stays]), &datagrams("print(d.decode(), flush=True)")).unwrap();
    assert_eq!(logged(&transcript), ["late"]);
    assert!(undelivered(&transcript).is_empty());
}

#[test]
fn a_target_that_never_binds_is_never_ready() {
    let mut target = over_datagrams(shell("echo thinking; sleep 86390"));
    spec(&mut target).ready_within = Duration::from_millis(300);
    let error = run(&plan(vec![grams("f", 0, 1, &[])]), &target).unwrap_err();
    assert!(matches!(&error, RunError::NotReady { .. }), "{error}");
    assert!(error.to_string().contains("a socket of datagrams"), "{error}");
}

#[test]
fn a_ping_finds_a_target_ready_whether_it_answers_or_not() {
    for body in [ECHO, "pass"] {
        let mut target = datagrams(body);
        spec(&mut target).ready = Ready::Ping(PING, "127.0.0.1:{port}".into());
        preflight(&target, &registry(), &options()).unwrap();
    }
}

#[test]
fn a_port_that_belongs_to_somebody_else_is_named() {
    // Outside of the group it is a thief where it has no parents there either; a child in a session of its own is the target's.
    let leaves = |how: &str| {
        let binds = "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', int(sys.argv[1])))";
        let program = format!(
            "import os, socket, sys, time\nif os.fork() == 0:\n    {how}\n    os.setsid(); time.sleep(0.3)\n    {binds}\n    time.sleep(3)\nelse:\n    time.sleep(86389)"
        );
        preflight(&over_datagrams(python(&program)), &registry(), &options())
    };
    let error = leaves("if os.fork(): os._exit(0)").unwrap_err();
    assert!(matches!(error, RunError::PortInUse { .. }), "{error}");
    leaves("pass").unwrap();
}

#[test]
fn preflight_tells_a_closed_port_from_a_mute_one() {
    let remote = |addr: Addr| over_datagrams(remote(&addr.to_string()));
    let mute = blank::mute_datagrams().unwrap();
    preflight(&remote(mute.addr()), &registry(), &options()).unwrap();
    let closed = blank::closed_datagrams().unwrap();
    let error = preflight(&remote(closed.addr()), &registry(), &options()).unwrap_err();
    assert!(matches!(error, RunError::Unreachable { .. }), "{error}");
}

#[test]
fn an_address_off_loopback_is_refused_before_anything_is_sent() {
    let target = over_datagrams(remote("192.0.2.1:5683"));
    let error = run(&plan(vec![grams("f", 0, 1, &[])]), &target).unwrap_err();
    assert!(matches!(error, RunError::Guard { .. }), "{error}");
    assert!(matches!(preflight(&target, &registry(), &options()), Err(RunError::Guard { .. })));
}

#[test]
fn a_target_that_crashes_is_seen_and_refuses_from_then_on() {
    let talker = grams("f", 0, 1, &[("say", hex("x")), ("hear", int(1))]);
    let witness = grams("witness", 1, 1, &[]);
    let mut plan = plan(vec![talker, witness]);
    plan.limit = Duration::from_secs(60);
    let body = "if d == b'?': s.sendto(d, a)\nelse: os.kill(os.getpid(), signal.SIGSEGV)";
    let transcript = run(&plan, &datagrams(body)).unwrap();
    assert!(life(&transcript).contains(&Life::Signalled { signal: 11 }), "{:?}", life(&transcript));
    let lost = events(&transcript, |e| matches!(e.event, Event::Witness(WitnessState::Lost)).then_some(()));
    assert!(!lost.is_empty());
}

#[test]
fn a_storm_ends_at_what_we_keep_and_others_are_served_meanwhile() {
    // A million datagrams of 8 bytes, as fast as they go; some get lost, and 16,257 of 8 + 1,024 bytes make 16 MiB.
    let body = "if d == b'storm':\n    def go(a=a):\n        for _ in range(1000000): s.sendto(b'duplicat', a)\n    threading.Thread(target=go, daemon=True).start()\nelse: s.sendto(d, a)";
    let storm = grams("greedy", 0, 1, &[("say", hex("storm")), ("hear", int(i64::MAX))]);
    let modest = grams("modest", 1, 1, &[("say", hex("y")), ("hear", int(1))]);
    let mut plan = plan(vec![storm, modest, grams("witness", 2, 1, &[])]);
    plan.limit = Duration::from_secs(60);
    let transcript = run(&plan, &datagrams(body)).unwrap();
    assert_eq!(closings(&transcript, "greedy"), [(By::Limit, Close::LocalLimit)]);
    assert_eq!(heard(&transcript, "modest"), ["y"]);
    assert!(heard(&transcript, "greedy").len() <= (16 << 20) / (8 + 1024) + 1);
}

#[test]
fn the_users_wish_to_stop_is_heard_in_a_storm() {
    let options = options();
    let wish = Arc::clone(&options.interrupt);
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        wish.store(true, Ordering::Relaxed);
    });
    // On edges nothing ends a storm but the limit, which is far away.
    let storm = grams("f", 0, 1, &[("say", hex("storm")), ("hear", int(i64::MAX))]);
    let mut plan = plan(vec![storm]);
    plan.record = Recording::Edges;
    plan.limit = Duration::from_secs(3_600);
    let body = "while True: s.sendto(b'duplicat', a)";
    let error = run_live(&plan, &registry(), &datagrams(body), header(), &options).unwrap_err();
    assert!(matches!(error, RunError::Interrupted), "{error}");
    stopper.join().unwrap();
}
