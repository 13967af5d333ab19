//! The driver against small servers: what crosses the wire is what the record says.
mod support;

use std::time::Duration;

use proofhouse_core::connection::Close;
use proofhouse_core::ids::MarkId;
use proofhouse_core::plan::{Source, StepPlan};
use proofhouse_core::spread::Spread;
use proofhouse_core::testing;
use proofhouse_core::transcript::{By, Event, Life, Who, WitnessState};
use proofhouse_core::value::Value;
use proofhouse_live::blank;
use support::*;

/// `say` takes hex.
fn hex(text: &str) -> Value {
    proofhouse_core::value::hex(text.as_bytes()).as_str().into()
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

const ECHO: &str = "while True:\n    d = c.recv(65536)\n    if not d: break\n    c.sendall(d)\nc.close()";

#[test]
fn what_is_said_comes_back_and_is_recorded_both_ways() {
    let fleet = fleet("talkers", 0, 3, &[("say", hex("hello")), ("hear", int(5))]);
    let transcript = run(&plan(vec![fleet]), &server(ECHO)).unwrap();
    let text = received(&transcript, "talkers");
    assert_eq!(text, "hellohellohello");
    let members = events(&transcript, |e| matches!(e.event, Event::Opened { .. }).then(|| e.who.clone()));
    assert_eq!(members.len(), 3, "{members:?}");
    assert!(
        matches!(life(&transcript)[..], [Life::Started { .. }, Life::Ready, Life::Stopped]),
        "{:?}",
        life(&transcript)
    );
    assert!(transcript.entries.is_sorted_by_key(|e| e.at));
}

#[test]
fn each_send_is_a_write_of_its_own() {
    // The server answers each read with its length: sends that were joined would be told.
    let lens = "while True:\n    d = c.recv(65536)\n    if not d: break\n    c.sendall(b'%d,' % len(d))";
    let mut fleet = fleet("talkers", 0, 1, &[("say", "61|6262|636363".into()), ("hear", int(6))]);
    // 30 ms between writes, so that a busy server reads them one by one.
    fleet.network.delay = Spread::Fixed(Duration::from_millis(1));
    fleet.network.rate = 100;
    let transcript = run(&plan(vec![fleet]), &server(lens)).unwrap();
    assert_eq!(received(&transcript, "talkers"), "1,2,3,");
}

#[test]
fn a_split_link_cuts_a_write_into_pieces() {
    let lens = "while True:\n    d = c.recv(65536)\n    if not d: break\n    c.sendall(b'%d,' % len(d))";
    let mut fleet = fleet("talkers", 0, 1, &[("say", hex("abcdefg")), ("hear", int(6))]);
    fleet.network.split = 3;
    fleet.network.rate = 100;
    let transcript = run(&plan(vec![fleet]), &server(lens)).unwrap();
    assert_eq!(received(&transcript, "talkers"), "3,3,1,");
}

#[test]
fn a_link_with_delay_holds_an_echo_for_two_ways() {
    let mut fleet = fleet("talkers", 0, 1, &[("say", hex("x")), ("hear", int(1))]);
    fleet.network.delay = Spread::Fixed(Duration::from_millis(100));
    let transcript = run(&plan(vec![fleet]), &server(ECHO)).unwrap();
    let at = |pick: fn(&Event) -> bool| events(&transcript, |e| pick(&e.event).then_some(e.at))[0];
    let (sent, received) = (at(|e| matches!(e, Event::Sent(_))), at(|e| matches!(e, Event::Received(_))));
    assert!(received.since(sent) >= Duration::from_millis(200), "{:?}", received.since(sent));
}

#[test]
fn a_cut_link_ends_the_connection_and_says_so() {
    let mut fleet = fleet("talkers", 0, 1, &[("hear", int(1))]);
    fleet.network.cut = Some((Duration::from_millis(50), Close::Reset));
    let transcript = run(&plan(vec![fleet]), &server(ECHO)).unwrap();
    let fates = events(&transcript, |e| match &e.event {
        Event::Fate { fate, .. } => Some(fate.clone()),
        _ => None,
    });
    assert_eq!(fates, ["cut"]);
    assert_eq!(closings(&transcript, "talkers").iter().map(|(_, how)| *how).collect::<Vec<_>>(), [Close::Reset]);
}

#[test]
fn fin_and_reset_of_the_peer_differ() {
    let ends = [
        ("c.close()", Close::Fin),
        ("c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\nc.close()", Close::Reset),
    ];
    for (body, how) in ends {
        let transcript = run(&plan(vec![fleet("f", 0, 1, &[])]), &server(body)).unwrap();
        assert_eq!(closings(&transcript, "f"), [(By::Peer, how)], "{body}");
    }
}

#[test]
fn our_own_fin_reset_and_half_close_reach_the_peer() {
    // What the peer's recv says last: an empty read, or an error.
    let body = "try:\n    while c.recv(100): pass\n    print('end of stream', flush=True)\nexcept ConnectionResetError:\n    print('reset', flush=True)\nc.close()";
    for (close, line) in [("fin", "end of stream"), ("reset", "reset"), ("half", "end of stream")] {
        let keys = [("say", hex("x")), ("close", close.into()), ("close-after-ms", int(200))];
        let mut linger = fleet("late", 1, 1, &[("close-after-ms", int(600))]);
        linger.index = 1;
        let transcript = run(&plan(vec![fleet("f", 0, 1, &keys), linger]), &server(body)).unwrap();
        let lines = events(&transcript, |e| match &e.event {
            Event::Life(Life::Log { line }) => Some(line.clone()),
            _ => None,
        });
        assert!(lines.iter().any(|l| l == line), "{close}: {lines:?}");
    }
}

#[test]
fn what_was_said_before_a_fin_still_arrives() {
    let body = "n = 0\nwhile True:\n    d = c.recv(65536)\n    if not d: break\n    n += len(d)\nprint('got', n, flush=True)\nc.close()";
    let keys = [("say-bytes", int(8_000_000)), ("close-after-ms", int(0))];
    let wait = fleet("late", 1, 1, &[("close-after-ms", int(800))]);
    let transcript = run(&plan(vec![fleet("f", 0, 1, &keys), wait]), &server(body)).unwrap();
    let lines = events(&transcript, |e| match &e.event {
        Event::Life(Life::Log { line }) => Some(line.clone()),
        _ => None,
    });
    assert!(lines.iter().any(|l| l == "got 8000000"), "{lines:?}");
}

#[test]
fn bytes_that_the_peer_never_took_are_undelivered() {
    let body = "time.sleep(0.2)\nc.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\nc.close()";
    let transcript = run(&plan(vec![fleet("f", 0, 1, &[("say-bytes", int(50_000_000))])]), &server(body)).unwrap();
    let lost: u64 = events(&transcript, |e| match &e.event {
        Event::Undelivered { len, .. } => Some(*len),
        _ => None,
    })
    .iter()
    .sum();
    assert!((1..=50_000_000).contains(&lost), "{lost}");
    assert_eq!(closings(&transcript, "f"), [(By::Peer, Close::Reset)]);
}

#[test]
fn nobody_listens_is_a_refusal() {
    let closed = blank::closed().unwrap();
    let transcript = run(&plan(vec![fleet("f", 0, 2, &[])]), &remote(&closed.addr().to_string())).unwrap();
    assert_eq!(closings(&transcript, "f"), [(By::Peer, Close::Refused), (By::Peer, Close::Refused)]);
}

#[test]
fn a_mute_target_leads_to_the_limit() {
    let mute = blank::mute().unwrap();
    let mut plan = plan(vec![fleet("f", 0, 1, &[("say", hex("x")), ("hear", int(1))])]);
    plan.limit = Duration::from_millis(300);
    let transcript = run(&plan, &remote(&mute.addr().to_string())).unwrap();
    assert_eq!(events(&transcript, |e| matches!(e.event, Event::Limit).then_some(())).len(), 1);
}

#[test]
fn a_plan_of_endless_fleets_ends_at_its_limit_without_a_word() {
    let mute = blank::mute().unwrap();
    let mut endless = fleet("f", 0, 1, &[]);
    endless.behaviour = "endless".into();
    let mut plan = plan(vec![endless]);
    plan.limit = Duration::from_millis(200);
    let transcript = run(&plan, &remote(&mute.addr().to_string())).unwrap();
    assert_eq!(events(&transcript, |e| matches!(e.event, Event::Limit).then_some(())).len(), 0);
}

#[test]
fn a_yes_sayer_answers() {
    let yes = blank::yes(|bytes| bytes.to_ascii_uppercase()).unwrap();
    let fleet = fleet("f", 0, 1, &[("say", hex("yes")), ("hear", int(3))]);
    let transcript = run(&plan(vec![fleet]), &remote(&yes.addr().to_string())).unwrap();
    assert_eq!(received(&transcript, "f"), "YES");
}

#[test]
fn members_have_the_source_addresses_of_their_plan() {
    let body = "c.sendall(c.getpeername()[0].encode())\nc.close()";
    let mut each = fleet("f", 0, 2, &[]);
    each.source = Source::Each;
    each.only = Some(vec![3, 17]);
    each.count = 20;
    let expected = [each.source(3, 0), each.source(17, 0)].map(|a| std::net::Ipv4Addr::from(a.ip).to_string());
    let transcript = run(&plan(vec![each]), &server(body)).unwrap();
    let text = received(&transcript, "f");
    assert!(expected.iter().all(|ip| text.contains(ip)), "{text}: {expected:?}");
    let members = events(&transcript, |e| match (&e.who, &e.event) {
        (Who::Member(_, n), Event::Opened { .. }) => Some(*n),
        _ => None,
    });
    assert_eq!(members, [3, 17], "identities, not positions");
}

#[test]
fn a_mark_lets_another_fleet_begin() {
    let mut second = fleet("second", 1, 2, &[("say", hex("b")), ("hear", int(1))]);
    second.steps = vec![waiting_step()];
    let first = fleet("first", 0, 1, &[("say", hex("a")), ("hear", int(1)), ("mark", true.into())]);
    let mut plan = plan(vec![first, second]);
    plan.marks = vec![("first.done".into(), 0)];
    let transcript = run(&plan, &server(ECHO)).unwrap();
    let opened = events(&transcript, |e| match (&e.who, &e.event) {
        (Who::Member(name, _), Event::Opened { .. }) => Some(name.clone()),
        (_, Event::Mark { name }) => Some(name.clone()),
        _ => None,
    });
    assert_eq!(opened, ["first", "first.done", "second", "second"]);
}

fn waiting_step() -> StepPlan {
    StepPlan { after: vec![MarkId(0)], ..testing::step("open", &[]) }
}

#[test]
fn the_witness_speaks_first_and_last_with_numbers_of_its_own() {
    let talkers = fleet("talkers", 0, 2, &[("say", hex("x")), ("hear", int(1))]);
    let transcript = run(&plan(vec![talkers, fleet("witness", 1, 1, &[])]), &server(ECHO)).unwrap();
    let order = events(&transcript, |e| match (&e.who, &e.event) {
        (Who::Member(..), Event::Witness(WitnessState::Served { .. })) => Some('w'),
        (Who::Member(name, _), Event::Opened { .. }) if name == "talkers" => Some('o'),
        (Who::Member(_, _), Event::Finished) => Some('f'),
        _ => None,
    });
    let order: String = order.into_iter().collect();
    assert!(order.starts_with('w') && order.ends_with('w'), "{order}");
    let mut conns = events(&transcript, |e| match &e.event {
        Event::Opened { conn, .. } => Some(*conn),
        _ => None,
    });
    let all = conns.len();
    conns.sort_unstable();
    conns.dedup();
    assert_eq!(conns.len(), all, "a number stands for two connections");
}

#[test]
fn a_fleet_that_plays_the_server_is_connected_to() {
    let mut listens = fleet("f", 0, 1, &[("say", hex("go")), ("hear", int(3))]);
    listens.plays_server = true;
    let client = "import socket, sys, time\nc = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\nassert c.recv(2) == b'go'\nc.sendall(b'yes')\ntime.sleep(9)";
    let mut target = python(client);
    target.endpoints[0].client = true;
    spec(&mut target).ready = proofhouse_core::target::Ready::After(Duration::from_millis(10));
    let transcript = run(&plan(vec![listens]), &target).unwrap();
    assert_eq!(received(&transcript, "f"), "yes");
}

#[test]
fn a_deaf_member_lets_its_window_fill() {
    // The peer can write no more than the buffers of both sides hold.
    let body = "c.setblocking(False)\nn = 0\nend = time.time() + 1\nwhile time.time() < end:\n    try:\n        n += c.send(b'x' * 65536)\n    except BlockingIOError:\n        time.sleep(0.01)\nprint('wrote', n, flush=True)";
    let keys = [("deaf", true.into()), ("close-after-ms", int(1500))];
    let transcript = run(&plan(vec![fleet("f", 0, 1, &keys)]), &server(body)).unwrap();
    let wrote = events(&transcript, |e| match &e.event {
        Event::Life(Life::Log { line }) => line.strip_prefix("wrote ").and_then(|n| n.parse::<u64>().ok()),
        _ => None,
    });
    assert!(wrote[0] < 32 << 20, "{wrote:?}");
    assert_eq!(received(&transcript, "f"), "");
}

#[test]
fn connections_that_the_kernel_dropped_before_the_target_saw_them_are_counted() {
    // Room for two, and nobody takes them: what the other attempts meet is the kernel's queue, not the target.
    let full = "import socket, sys, time\ns = socket.socket()\ns.bind(('127.0.0.1', int(sys.argv[1])))\ns.listen(1)\ntime.sleep(9)";
    let mut target = python(full);
    spec(&mut target).ready = proofhouse_core::target::Ready::After(Duration::from_millis(700));
    let mut plan = plan(vec![fleet("f", 0, 20, &[])]);
    plan.limit = Duration::from_millis(800);
    let transcript = run(&plan, &target).unwrap();
    let counted = events(&transcript, |e| match &e.event {
        Event::Calibration { name, value } if name == proofhouse_core::recorder::LISTEN_OVERFLOWS => Some(*value),
        _ => None,
    });
    assert!(counted.first().is_some_and(|dropped| *dropped >= 10), "{counted:?}");
}

#[test]
fn our_own_limits_are_recorded() {
    let yes = blank::yes(<[u8]>::to_vec).unwrap();
    let fleet = fleet("f", 0, 5, &[("say", hex("x")), ("hear", int(1))]);
    let transcript = run(&plan(vec![fleet]), &remote(&yes.addr().to_string())).unwrap();
    let names = events(&transcript, |e| match &e.event {
        Event::Calibration { name, value } => Some((name.clone(), *value)),
        _ => None,
    });
    let value = |wanted: &str| names.iter().find(|(name, _)| name == wanted).map(|(_, v)| *v).unwrap();
    assert!(value("descriptors-soft-limit") >= 256);
    assert_eq!(value("connections-peak"), 5);
    assert!(value("schedule-slip-max-ns") > 0);
}
