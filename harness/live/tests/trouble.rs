//! Targets in trouble: each ends in a typed error that says what to do, or in a record that says what happened, and none leaves
//! anything behind.
mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proofhouse_core::actor::Close;
use proofhouse_core::target::{AccountSpec, Change, Ready, TargetSpec};
use proofhouse_core::transcript::{By, Event, Life, StepState, Who};
use proofhouse_core::value::Value;
use proofhouse_live::{RunError, preflight, run_live};
use support::*;

fn int(n: i64) -> Value {
    Value::Int(n)
}

/// A fleet that goes on for this long, whatever the target does.
fn patient(ms: i64) -> proofhouse_core::plan::FleetPlan {
    fleet("patient", 0, 1, &[("close-after-ms", int(ms))])
}

fn lines(transcript: &proofhouse_core::transcript::Transcript) -> Vec<String> {
    events(transcript, |e| match &e.event {
        Event::Life(Life::Log { line } | Life::Panic { line }) => Some(line.clone()),
        _ => None,
    })
}

/// Waits until no process mentions `needle`; the system needs a moment to bury them.
fn gone(needle: &str) -> bool {
    for _ in 0..200 {
        if processes_with(needle).is_empty() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

const ACCEPTS: &str = "while c.recv(65536): pass";

#[test]
fn a_missing_program_names_what_to_install() {
    let mut target = process("proofhouse-no-such-program", &[]);
    spec(&mut target).install = Some("apt-get install it".into());
    let error = run(&plan(vec![patient(1)]), &target).unwrap_err();
    assert!(
        matches!(&error, RunError::TargetMissing { program, .. } if program == "proofhouse-no-such-program"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("apt-get install it"), "{error}");
}

#[test]
fn a_target_that_dies_at_start_shows_its_code_and_its_last_words() {
    let error = run(&plan(vec![patient(1)]), &shell("echo 'config line 3: what?' >&2; exit 3")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RunError::DiedAtStart { .. }), "{text}");
    assert!(text.contains("exit code 3") && text.contains("config line 3: what?"), "{text}");
}

#[test]
fn a_target_that_is_never_ready_is_given_up_and_stopped() {
    let mut target = shell("echo still thinking; sleep 86399");
    spec(&mut target).ready_within = Duration::from_millis(300);
    let error = run(&plan(vec![patient(1)]), &target).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RunError::NotReady { .. }), "{text}");
    assert!(text.contains("a listener on 127.0.0.1:") && text.contains("still thinking"), "{text}");
    assert!(matches!(error, RunError::NotReady { waited, .. } if waited >= Duration::from_millis(300)), "{text}");
    assert!(gone("86399"));
}

#[test]
fn a_log_line_can_show_readiness_and_a_missing_one_cannot() {
    let mut target = shell("echo 'now: ready=7'; sleep 86398");
    spec(&mut target).ready = Ready::Log(r"ready=\d".into());
    preflight(&target, &registry(), &options()).unwrap();
    spec(&mut target).ready = Ready::Log(r"ready=x".into());
    spec(&mut target).ready_within = Duration::from_millis(200);
    assert!(matches!(preflight(&target, &registry(), &options()), Err(RunError::NotReady { .. })));
}

#[test]
fn an_exit_in_the_middle_is_in_the_record_and_ends_the_trial_soon() {
    let body = "c.recv(1)\nos._exit(7)";
    let talker = fleet("f", 0, 1, &[("say", "61".into()), ("hear", int(1))]);
    let mut stays = patient(60_000);
    stays.index = 1;
    let mut plan = plan(vec![talker, stays]);
    plan.limit = Duration::from_secs(60);
    let transcript = run(&plan, &server(body)).unwrap();
    assert!(life(&transcript).contains(&Life::Exited { code: 7 }), "{:?}", life(&transcript));
    assert!(!life(&transcript).contains(&Life::Stopped), "we did not stop what had ended");
    let last = transcript.entries.last().unwrap().at;
    assert!(last.since(proofhouse_core::time::Time::ZERO) < Duration::from_secs(30), "{last}");
}

#[test]
fn a_signal_in_the_middle_is_told_from_ours() {
    let talker = fleet("f", 0, 1, &[("say", "61".into()), ("hear", int(1))]);
    let transcript = run(&plan(vec![talker]), &server("c.recv(1)\nos.kill(os.getpid(), signal.SIGSEGV)")).unwrap();
    assert!(life(&transcript).contains(&Life::Signalled { signal: 11 }), "{:?}", life(&transcript));
    let transcript = run(&plan(vec![patient(50)]), &server(ACCEPTS)).unwrap();
    assert!(!life(&transcript).iter().any(|l| matches!(l, Life::Signalled { .. })), "{:?}", life(&transcript));
}

#[test]
fn a_crash_while_it_is_stopped_is_a_crash() {
    let program = "import os, signal, socket, sys, time\nsignal.signal(15, lambda *_: os.abort())\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\ntime.sleep(99)";
    let transcript = run(&plan(vec![patient(50)]), &python(program)).unwrap();
    assert!(life(&transcript).contains(&Life::Signalled { signal: 6 }), "{:?}", life(&transcript));
}

#[test]
fn a_target_that_ignores_sigterm_is_killed_with_its_children() {
    let target = shell(
        "trap '' TERM; sleep 86397 & sleep 86397 & exec python3 -c \"import signal, socket, sys, time\nsignal.signal(15, signal.SIG_IGN)\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\ntime.sleep(86397)\" $1",
    );
    let transcript = run(&plan(vec![patient(50)]), &target).unwrap();
    assert!(life(&transcript).contains(&Life::Stopped));
    assert!(gone("86397"), "{:?}", processes_with("86397"));
}

#[test]
fn a_flood_of_log_lines_is_bounded_and_said() {
    // 64 MB of lines, while it serves.
    let body = "for _ in range(64):\n    os.write(1, b'flood flood flood\\n' * 58254)\nc.sendall(b'x')\nc.close()";
    let transcript = run(&plan(vec![fleet("f", 0, 1, &[])]), &server(body)).unwrap();
    let lines = lines(&transcript);
    assert!(lines.iter().any(|l| l.starts_with("log flooded")), "{} lines", lines.len());
    assert!(lines.iter().map(String::len).sum::<usize>() <= 16 << 20);
    assert_eq!(received(&transcript, "f"), "x", "it was never blocked by a full pipe");
}

#[test]
fn control_codes_do_not_reach_the_record() {
    let body = r"os.write(1, b'\x1b]0;owned\x07 \xff\xfe\r\n')
c.close()";
    let transcript = run(&plan(vec![fleet("f", 0, 1, &[])]), &server(body)).unwrap();
    assert_eq!(lines(&transcript), [r"\x{1b}]0;owned\x{07} \x{ff}\x{fe}"]);
}

#[test]
fn a_traceback_is_more_than_a_line() {
    let transcript = run(&plan(vec![fleet("f", 0, 1, &[])]), &server("1/0")).unwrap();
    let panics = life(&transcript).into_iter().filter(|l| matches!(l, Life::Panic { .. })).count();
    assert!(panics >= 1, "{:?}", lines(&transcript));
}

#[test]
fn garbage_is_recorded_like_anything_else() {
    let body = "c.sendall(bytes(range(256)) * 16)\nc.close()";
    let transcript = run(&plan(vec![fleet("f", 0, 1, &[])]), &server(body)).unwrap();
    let bytes: usize = events(&transcript, |e| match &e.event {
        Event::Received(bytes) => Some(bytes.hex.len() / 2),
        _ => None,
    })
    .iter()
    .sum();
    assert_eq!(bytes, 4096);
}

#[test]
fn a_gigabyte_is_cut_off_by_us_and_others_are_still_served() {
    let body = "if c.recv(1) == b'g':\n    b = b'x' * 1048576\n    try:\n        for _ in range(1024): c.sendall(b)\n    except OSError: pass\nelse: c.sendall(b'y')";
    let greedy = fleet("greedy", 0, 1, &[("say", "67".into())]);
    let modest = fleet("modest", 1, 1, &[("say", "6d".into()), ("hear", int(1))]);
    let transcript = run(&plan(vec![greedy, modest]), &server(body)).unwrap();
    assert_eq!(closings(&transcript, "greedy"), [(By::Limit, Close::LocalLimit)]);
    let bytes: usize = events(&transcript, |e| match &e.event {
        Event::Received(bytes) => Some(bytes.hex.len() / 2),
        _ => None,
    })
    .iter()
    .sum();
    assert!(bytes <= (16 << 20) + 1, "{bytes}");
    assert_eq!(received(&transcript, "modest"), "y");
}

#[test]
fn a_stolen_port_is_tried_again_and_then_named() {
    // The thief listens on the target's port, from outside its group, before the target can.
    let target = shell(
        "python3 -c \"import os, socket, sys, time\nif os.fork() == 0:\n    os.setsid()\n    s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(1)\n    time.sleep(3.86396)\n\" $1; sleep 86396",
    );
    let error = run(&plan(vec![patient(1)]), &target).unwrap_err();
    assert!(matches!(error, RunError::PortInUse { .. }), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert!(gone("86396"));
}

#[test]
fn the_version_is_what_its_command_prints() {
    let mut target = server(ACCEPTS);
    let say = ["sh", "-c", "echo toy version 1.2.3 >&2; exit 3"].map(String::from).to_vec();
    spec(&mut target).version = Some((say, r"version (\S+)".into()));
    assert_eq!(preflight(&target, &registry(), &options()).unwrap(), "1.2.3");
    let transcript = run(&plan(vec![patient(1)]), &target).unwrap();
    assert!(life(&transcript).contains(&Life::Started { version: "1.2.3".into() }));
}

#[test]
fn files_ports_and_environment_are_filled_in() {
    let mut target = shell(
        "cat $HOME/conf; stat -c %a . conf; env | grep -v -e PWD -e SHLVL -e '^_=' | cut -d= -f1 | sort | tr '\\n' ' '; echo; exec python3 -c \"import socket, sys, time\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9); time.sleep(99)\" $1",
    );
    spec(&mut target).files = vec![("conf".into(), "port={port} same={port.plain} {unknown}\n".into())];
    spec(&mut target).env = vec![("EXTRA".into(), "{conf}".into())];
    let transcript = run(&plan(vec![patient(50)]), &target).unwrap();
    let lines = lines(&transcript);
    let (port, rest) = lines[0].strip_prefix("port=").and_then(|l| l.split_once(' ')).unwrap();
    assert_eq!(rest, format!("same={port} {{unknown}}"));
    assert_eq!(&lines[1..3], ["755", "644"], "a target that drops its rights must still read them");
    assert_eq!(lines[3], "EXTRA HOME LANG PATH ");
}

#[test]
fn usage_of_the_whole_group_is_sampled() {
    let transcript = run(&plan(vec![patient(700)]), &server(ACCEPTS)).unwrap();
    for name in ["rss-bytes", "cpu-ms", "cpu-wait-ns", "descriptors", "threads"] {
        let values = events(&transcript, |e| match &e.event {
            Event::Gauge { name: found, value } if found == name => Some(*value),
            _ => None,
        });
        assert!(values.len() >= 2, "{name}: {values:?}");
        assert!(name.starts_with("cpu-") || values.iter().all(|v| *v > 0), "{name}: {values:?}");
    }
}

#[test]
fn the_users_wish_to_stop_ends_the_trial_and_the_target() {
    let options = options();
    let wish: Arc<AtomicBool> = Arc::clone(&options.interrupt);
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        wish.store(true, Ordering::Relaxed);
    });
    let target = shell(
        "sleep 86395 & exec python3 -c \"import socket, sys, time\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9); time.sleep(99)\" $1",
    );
    let mut plan = plan(vec![patient(60_000)]);
    plan.limit = Duration::from_secs(60);
    let error = run_live(&plan, &registry(), &target, header(), &options).unwrap_err();
    assert!(matches!(error, RunError::Interrupted), "{error}");
    assert_eq!(error.exit_code(), 130);
    stopper.join().unwrap();
    assert!(gone("86395"));
}

#[test]
fn an_administrator_may_restart_the_target() {
    let admin = fleet("admin", 0, 1, &[("restart", "now".into())]);
    let transcript = run(&plan(vec![admin]), &server(ACCEPTS)).unwrap();
    let life = life(&transcript);
    let turns: Vec<&str> = life
        .iter()
        .map(|l| match l {
            Life::Started { .. } => "started",
            Life::Ready => "ready",
            Life::Stopped => "stopped",
            _ => "other",
        })
        .collect();
    assert_eq!(turns, ["started", "ready", "stopped", "started", "ready", "stopped"]);
    assert_eq!(details(&transcript), ["done"]);
}

fn details(transcript: &proofhouse_core::transcript::Transcript) -> Vec<String> {
    events(transcript, |e| match &e.event {
        Event::Step { detail, state: StepState::Met, .. } => Some(detail.clone()),
        _ => None,
    })
}

/// A target whose accounts are lines of files, and which says when it has read them again.
fn with_accounts() -> TargetSpec {
    let mut target = python(
        "import os, signal, socket, sys, time\n\
         def show(*_):\n    print('users', open('users').read().replace('\\n', ';'), 'acl', open('acl').read().replace('\\n', ';'), flush=True)\n    print('reloaded', flush=True)\n\
         signal.signal(signal.SIGHUP, show)\nshow()\n\
         s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\n\
         while True: time.sleep(1)",
    );
    spec(&mut target).files = vec![("users".into(), String::new()), ("acl".into(), String::new())];
    let append = |text: &str, to: &str| Some(Change::Append { text: text.into(), to: to.into() });
    target.account = Some(AccountSpec {
        add: append("{name}:{password}\n", "{users}"),
        remove: None,
        grant_publish: append("{name} w {filter}\n", "{acl}"),
        grant_subscribe: append("{name} r {filter}\n", "{acl}"),
        reload: Some(proofhouse_core::target::Reload {
            signal: Some("HUP".into()),
            run: None,
            done: Some("reloaded".into()),
            within: Duration::from_secs(5),
        }),
        given: vec![],
    });
    target
}

fn with_party(mut plan: proofhouse_core::plan::Plan) -> proofhouse_core::plan::Plan {
    plan.parties = vec![proofhouse_core::plan::Party {
        name: "owner".into(),
        may: vec![("publish".into(), "site/#".into()), ("subscribe".into(), "cmd/#".into())],
        user: "owner".into(),
        password: "made-up".into(),
    }];
    plan.fleets[0].authenticated = true;
    plan.fleets[0].party = Some(0);
    plan
}

#[test]
fn a_revoked_right_is_cut_once_and_in_effect_before_the_step_is_answered() {
    let admin = fleet("admin", 0, 1, &[("revoke", "owner subscribe cmd/#".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &with_accounts()).unwrap();
    let states: Vec<String> = lines(&transcript).into_iter().filter(|l| l.starts_with("users")).collect();
    assert_eq!(
        states,
        ["users owner:made-up; acl owner w site/#;owner r cmd/#;", "users owner:made-up; acl owner w site/#;"]
    );
    let grants = events(&transcript, |e| match &e.event {
        Event::Grant { grant, allow, .. } => Some((grant.clone(), *allow)),
        _ => None,
    });
    let grant = |text: &str, allow| (text.to_string(), allow);
    assert_eq!(
        grants,
        [grant("publish site/#", true), grant("subscribe cmd/#", true), grant("subscribe cmd/#", false)]
    );
    assert_eq!(details(&transcript), ["done"]);
}

#[test]
fn a_rekeyed_party_has_a_new_password_and_not_the_old_one() {
    let admin = fleet("admin", 0, 1, &[("party", "owner".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &with_accounts()).unwrap();
    let states: Vec<String> = lines(&transcript).into_iter().filter(|l| l.starts_with("users")).collect();
    assert!(states[0].contains("owner:made-up;"), "{states:?}");
    assert!(!states[1].contains("made-up") && states[1].contains("owner:"), "{states:?}");
}

#[test]
fn a_reload_that_is_never_done_fails_the_step_and_says_why() {
    let mut target = with_accounts();
    if let Some(reload) = target.account.as_mut().and_then(|a| a.reload.as_mut()) {
        reload.done = Some("never said".into());
        reload.within = Duration::from_millis(200);
    }
    let admin = fleet("admin", 0, 1, &[("revoke", "owner subscribe cmd/#".into())]);
    let transcript = run(&with_party(plan(vec![admin])), &target).unwrap();
    let details = details(&transcript);
    assert!(details[0].contains("never said"), "{details:?}");
    let taken = events(&transcript, |e| matches!(&e.event, Event::Grant { allow: false, .. }).then_some(()));
    assert!(taken.is_empty(), "nothing took effect");
}

#[test]
fn an_account_tool_that_fails_is_an_error_with_its_words() {
    let mut target = with_accounts();
    let tool = ["sh", "-c", "echo no room for {name} >&2; exit 1"].map(String::from).to_vec();
    target.account.as_mut().unwrap().add = Some(Change::Run(tool));
    let error = run(&with_party(plan(vec![patient(1)])), &target).unwrap_err();
    assert!(error.to_string().contains("no room for owner"), "{error}");
}

#[test]
fn a_remote_target_takes_no_orders() {
    let mute = proofhouse_live::blank::mute().unwrap();
    let admin = fleet("admin", 0, 1, &[("restart", "now".into())]);
    let transcript = run(&plan(vec![admin]), &remote(&mute.addr().to_string())).unwrap();
    assert!(details(&transcript)[0].contains("takes no orders"));
}

#[test]
fn too_few_given_accounts_is_not_run() {
    let mute = proofhouse_live::blank::mute().unwrap();
    let mut target = remote(&mute.addr().to_string());
    let mut account = with_accounts().account.unwrap();
    account.given =
        vec![proofhouse_core::target::Given { name: "one".into(), password_env: "PATH".into(), may: vec![] }];
    target.account = Some(account);
    let error = run(&with_party(plan(vec![patient(1)])), &target).unwrap_err();
    assert!(matches!(error, RunError::Accounts { needs: 1, gives: 0 }), "{error}");
}

#[test]
fn a_given_password_comes_from_outside_and_is_never_written() {
    // PATH is a variable that every test run has; its text plays the secret.
    let secret = std::env::var_os("PATH").unwrap().into_string().unwrap();
    let yes = proofhouse_live::blank::yes(<[u8]>::to_vec).unwrap();
    let mut target = remote(&yes.addr().to_string());
    let mut account = with_accounts().account.unwrap();
    account.given =
        vec![proofhouse_core::target::Given { name: "owner".into(), password_env: "PATH".into(), may: vec![] }];
    target.account = Some(account);
    let (head, tail) = secret.as_bytes().split_at(3);
    let hex = proofhouse_core::value::hex;
    // Sent in two writes: a cut secret is a secret.
    let says = format!("{}|{}", hex(head), hex(tail));
    let says = fleet("f", 0, 1, &[("say", says.as_str().into()), ("hear", int(secret.len() as i64))]);
    let transcript = run(&with_party(plan(vec![says])), &target).unwrap();
    let text = transcript.to_jsonl();
    assert!(!text.contains(&hex(tail)), "the secret is in the record");
    let masked: usize = events(&transcript, |e| match &e.event {
        Event::Sent(bytes) => Some(bytes.hex.matches("2a").count()),
        _ => None,
    })
    .iter()
    .sum();
    assert_eq!(masked, secret.len(), "masked at equal length");
}

#[test]
fn an_address_off_loopback_is_refused_before_anything_is_sent() {
    let error = run(&plan(vec![patient(1)]), &remote("192.0.2.1:1883")).unwrap_err();
    assert!(matches!(error, RunError::Guard { .. }), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn preflight_tells_whether_somebody_answers() {
    let mute = proofhouse_live::blank::mute().unwrap();
    preflight(&remote(&mute.addr().to_string()), &registry(), &options()).unwrap();
    let closed = proofhouse_live::blank::closed().unwrap();
    let error = preflight(&remote(&closed.addr().to_string()), &registry(), &options()).unwrap_err();
    assert!(matches!(error, RunError::Unreachable { .. }), "{error}");
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "a helper: a_kill_of_proofhouse_leaves_nothing_behind starts it"]
fn helper_that_is_killed() {
    let mut options = options();
    options.supervisor = helper("helper_that_supervises");
    let target = shell(
        "trap '' TERM; sleep 86394 & exec python3 -c \"import signal, socket, sys, time\nsignal.signal(15, signal.SIG_IGN)\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\nprint('up', flush=True)\ntime.sleep(86394)\" $1",
    );
    let mut plan = plan(vec![fleet("f", 0, 1, &[("say", "61".into()), ("hear", int(1))])]);
    plan.limit = Duration::from_secs(60);
    let _ = run_live(&plan, &registry(), &target, header(), &options);
}

/// Not a test of its own either: the supervisor of the one above.
#[test]
#[ignore = "a helper: helper_that_is_killed starts it"]
fn helper_that_supervises() {
    proofhouse_live::supervise();
}

fn helper(name: &str) -> Vec<String> {
    let own = std::env::current_exe().unwrap().display().to_string();
    vec![own, "--exact".into(), name.into(), "--ignored".into(), "--nocapture".into()]
}

#[test]
fn a_kill_of_proofhouse_leaves_nothing_behind() {
    let words = helper("helper_that_is_killed");
    let mut child = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().unwrap();
    // Libtest prints its head line once it runs.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(20));
        processes_with("86394").len() >= 2
    });
    assert!(started, "the target of the helper never came up");
    thread::sleep(Duration::from_millis(200));
    let folders = folders_of(child.id());
    assert!(!folders.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(gone("86394"), "left behind: {:?}", processes_with("86394"));
    assert!((0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        folders.iter().all(|folder| !folder.exists())
    }));
}

fn folders_of(pid: u32) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|entry| entry.path());
    let ours = format!("proofhouse-target-{pid}-");
    all.filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&ours))).collect()
}

/// Not a test of its own: starts and stops targets until it is killed. One of their children leaves the group and the session.
#[test]
#[ignore = "a helper: the laws about kills start it"]
fn helper_that_starts_targets() {
    let mut options = options();
    options.supervisor = helper("helper_that_supervises");
    let mut target = shell("setsid sleep 86392 & sleep 86392 & exec sleep 86392");
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    spec(&mut target).version =
        Some((["sh", "-c", "sleep 0.02; echo 86392"].map(String::from).to_vec(), r"(\d+)".into()));
    for _ in 0..1000 {
        options.host = Arc::default();
        let _ = preflight(&target, &registry(), &options);
    }
}

/// Kills Proofhouse at some moment of its life with targets, so many times; nothing may be left of any.
fn kills_leave_nothing_behind(times: u64) {
    for n in 0..times {
        let words = helper("helper_that_starts_targets");
        let mut child = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).spawn().unwrap();
        // Spread over start, version, several targets and their ends; a step that shares no factor with them.
        thread::sleep(Duration::from_micros(n * 7_919 % 300_000));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(gone("86392"), "kill {n}: left behind: {:?}", processes_with("86392"));
        let removed = || folders_of(child.id()).is_empty();
        assert!(
            (0..200).any(|_| removed() || {
                thread::sleep(Duration::from_millis(10));
                removed()
            }),
            "kill {n}"
        );
    }
}

#[test]
fn a_hundred_kills_at_any_moment_leave_nothing_behind() {
    kills_leave_nothing_behind(100);
}

#[test]
#[ignore = "takes minutes: `cargo ci soak` runs it"]
fn a_thousand_kills_at_any_moment_leave_nothing_behind() {
    kills_leave_nothing_behind(1000);
}

#[test]
fn what_a_target_puts_outside_its_group_is_gone_after_the_run() {
    let mut options = options();
    options.supervisor = helper("helper_that_supervises");
    let mut target = shell("setsid sleep 86391 & exec sleep 86391");
    spec(&mut target).ready = Ready::After(Duration::from_millis(300));
    preflight(&target, &registry(), &options).unwrap();
    assert_eq!(processes_with("86391").len(), 1, "the one that left the group");
    drop(options);
    assert!(gone("86391"));
}

#[test]
fn a_supervisor_that_was_killed_is_our_trouble_and_another_takes_its_place() {
    let mut options = options();
    options.supervisor = ["sh", "-c", "exit 0"].map(String::from).to_vec();
    let mut target = shell("exec sleep 86390");
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    let error = preflight(&target, &registry(), &options).unwrap_err();
    assert!(error.exit_code() == 8 && error.to_string().contains("supervisor"), "{error}");
    options.supervisor = helper("helper_that_supervises");
    preflight(&target, &registry(), &options).unwrap();
}

#[test]
fn a_version_command_that_does_not_answer_is_not_the_targets_fault() {
    let mut target = server(ACCEPTS);
    spec(&mut target).version = Some((["sleep", "86389"].map(String::from).to_vec(), r"(\d+)".into()));
    let error = preflight(&target, &registry(), &options()).unwrap_err().to_string();
    assert!(error.contains("the version command") && error.contains("sleep 86389"), "{error}");
    assert!(error.contains("the target was not started"), "{error}");
    assert!(gone("86389"));
}

#[test]
fn the_version_is_read_once_a_run() {
    let count = tempfile::NamedTempFile::new().unwrap();
    let say = format!("echo x >> {}; echo version 7", count.path().display());
    let mut target = shell("exec sleep 86388");
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    spec(&mut target).version = Some((vec!["sh".into(), "-c".into(), say], r"version (\d+)".into()));
    let options = options();
    for _ in 0..3 {
        assert_eq!(preflight(&target, &registry(), &options).unwrap(), "7");
    }
    assert_eq!(std::fs::read_to_string(count.path()).unwrap(), "x\n");
}

#[test]
fn a_start_that_still_works_gets_more_time_than_its_file_says() {
    let program = "import socket, sys, time\nend = time.time() + 2\nwhile time.time() < end: pass\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)\ntime.sleep(99)";
    let mut target = python(program);
    spec(&mut target).ready_within = Duration::from_secs(1);
    preflight(&target, &registry(), &options()).unwrap();
    let mut sleeps = python(&program.replace("while time.time() < end: pass", "time.sleep(20)"));
    spec(&mut sleeps).ready_within = Duration::from_secs(1);
    let error = preflight(&sleeps, &registry(), &options()).unwrap_err();
    assert!(matches!(error, RunError::NotReady { .. }), "{error}");
}

#[test]
fn the_target_and_its_folder_are_gone_after_a_trial() {
    let transcript = run(&plan(vec![patient(50)]), &shell("sleep 86393 & pwd; exec python3 -c \"import socket, sys, time\ns = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9); time.sleep(99)\" $1")).unwrap();
    let folder = &lines(&transcript)[0];
    assert!(folder.contains("proofhouse-target-") && !std::path::Path::new(folder).exists(), "{folder}");
    assert!(gone("86393"));
    let _ = Who::Target;
}
