//! Targets in trouble: each ends in a typed error that says what to do, or in a record that says what happened, and none leaves
//! anything behind.
mod accounts;
mod ends;
mod kills;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proofhouse_core::connection::Close;
use proofhouse_core::target::Ready;
use proofhouse_core::transcript::{By, Event, Life, Who};
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

/// A target that serves nothing: where it speaks, we would listen.
fn without_socket(mut target: proofhouse_core::target::TargetSpec) -> proofhouse_core::target::TargetSpec {
    target.endpoints[0].client = true;
    target
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
fn what_is_no_program_is_the_target_files_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no program\n").unwrap();
    let mut executable = std::fs::metadata(&file).unwrap().permissions();
    for (program, mode) in [(folder.path(), None), (&*file, None), (&*file, Some(0o755)), (&*file.join("x"), None)] {
        if let Some(mode) = mode {
            std::os::unix::fs::PermissionsExt::set_mode(&mut executable, mode);
            std::fs::set_permissions(&file, executable.clone()).unwrap();
        }
        let error = run(&plan(vec![patient(1)]), &process(&program.display().to_string(), &[])).unwrap_err();
        assert!(matches!(error, RunError::NoProgram { .. }) && error.exit_code() == 5, "{error}");
        assert!(error.to_string().contains("may you execute it"), "{error}");
    }
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
    let mut target = without_socket(shell("echo 'now: ready=7'; sleep 86398"));
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
    // The thief listens on the target's port, from outside its group and without parents there, before the target can.
    let target = shell(
        "python3 -c \"import os, socket, sys, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(0.3)\n    s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(1)\n    time.sleep(3.86396)\n\" $1; sleep 86396",
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
    let mut target = without_socket(shell("exec sleep 86388"));
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

#[test]
fn whoever_is_there_already_is_not_taken_for_the_target() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap();
    for ready in [Ready::After(Duration::from_millis(5)), Ready::Log("here".into())] {
        let mut target = shell("echo here; exec sleep 86387");
        target.endpoints[0].address = address.to_string();
        spec(&mut target).ready = ready;
        let error = preflight(&target, &registry(), &options()).unwrap_err();
        assert!(matches!(error, RunError::PortInUse { port } if port == address.port()), "{error}");
    }
    // The same port of the other transport is another door.
    let mut target = over_datagrams(python(&BINDS.replace("int(sys.argv[1])", &address.port().to_string())));
    target.endpoints[0].address = address.to_string();
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    preflight(&target, &registry(), &options()).unwrap();
}

const BINDS: &str = "import socket, sys, time\ntime.sleep(0.3)\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(99)";

#[test]
fn time_and_log_lines_make_nobody_ready_who_listens_nowhere() {
    for ready in [Ready::After(Duration::from_millis(5)), Ready::Log("here".into())] {
        let mut target = shell("echo here; exec sleep 86386");
        spec(&mut target).ready = ready;
        spec(&mut target).ready_within = Duration::from_millis(200);
        let error = preflight(&target, &registry(), &options()).unwrap_err();
        assert!(matches!(error, RunError::NotReady { .. }), "{error}");
        assert!(error.to_string().contains("a socket on port"), "{error}");
    }
    let mut late = over_datagrams(python(BINDS));
    spec(&mut late).ready = Ready::After(Duration::from_millis(5));
    preflight(&late, &registry(), &options()).unwrap();
}

#[test]
fn the_end_of_a_process_that_served_is_told_although_another_takes_its_place() {
    let ends = |leaves: &str, body: &str| {
        // Who serves is looked at four times a second: it lives a while before it answers.
        let program = format!(
            "import os, socket, sys, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('127.0.0.1', int(sys.argv[1])))\n\
             while True:\n  if os.fork() == 0:\n    {leaves}\n    time.sleep(0.6)\n    while True:\n      d, a = s.recvfrom(99)\n      s.sendto(b'y', a)\n      {body}\n  os.wait()\n  while 'stays' in {leaves:?}: time.sleep(9)"
        );
        let talker = grams("f", 0, 1, &[("say", "78".into()), ("hear", int(2)), ("close-after-ms", int(1_500))]);
        let transcript = run(&plan(vec![talker]), &over_datagrams(python(&program))).unwrap();
        events(&transcript, |e| match &e.event {
            Event::Gauge { name, value } if name == proofhouse_core::recorder::SERVERS_ENDED => Some(*value),
            _ => None,
        })
    };
    // In its group, in a session of its own, and there without its parents.
    let orphan = "if os.fork(): os._exit(0) # the first one stays\n    os.setsid()";
    for leaves in ["pass", "os.setsid()", orphan] {
        assert_eq!(ends(leaves, "os._exit(1)"), [1], "{leaves}");
        assert_eq!(ends(leaves, "pass"), [0; 0], "{leaves}");
    }
}
