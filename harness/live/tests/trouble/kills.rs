//! Whoever is killed, nothing of a target is left: no process, no folder.
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

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
    vec![own, "--exact".into(), format!("kills::{name}"), "--ignored".into(), "--nocapture".into()]
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
    let mut target = without_socket(shell("setsid sleep 86392 & sleep 86392 & exec sleep 86392"));
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    spec(&mut target).version =
        Some((["sh", "-c", "sleep 0.02; echo 86392"].map(String::from).to_vec(), r"(\d+)".into()));
    for _ in 0..1000 {
        options.host = Arc::default();
        let _ = preflight(&target, &registry(), &options);
    }
}

/// Kills Proofhouse at some moment of its life with targets, so many times; nothing may be left of any. Half of the kills come at any
/// moment from its start on, and half once it has a target, which some of them have to meet.
fn kills_leave_nothing_behind(times: u64) {
    let mut met = 0;
    for n in 0..times {
        let words = helper("helper_that_starts_targets");
        let mut child = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).spawn().unwrap();
        if n % 2 == 1 {
            let up = |_| {
                thread::sleep(Duration::from_millis(2));
                runs("86392")
            };
            assert!((0..5_000).any(up), "kill {n}: no target ever came up");
        }
        // Spread over start, version, several targets and their ends; a step that shares no factor with them.
        thread::sleep(Duration::from_micros(n * 7_919 % 300_000));
        met += u64::from(runs("86392"));
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
    assert!(met * 8 >= times, "only {met} of {times} kills met a target that ran");
}

/// Whether something of a target runs: not only the shell that starts it, or prints its version.
fn runs(seconds: &str) -> bool {
    let line = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    processes_with(seconds).into_iter().any(|pid| line(pid).starts_with(b"sleep\0"))
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
fn what_a_target_puts_outside_its_group_is_gone_after_the_trial() {
    let (mut apart, beside) = (options(), options());
    apart.supervisor = helper("helper_that_supervises");
    // A child in a session of its own, one in a group of its own whose parents are gone, and one that asks for no end.
    let outside =
        ["setsid sleep 86391 &", "(set -m; sleep 86391 &);", "(setsid sh -c 'trap \"\" TERM; cd /; sleep 86391' &);"];
    for (outside, options) in outside.iter().flat_map(|outside| [(outside, &apart), (outside, &beside)]) {
        let mut target = without_socket(shell(&format!("{outside} exec sleep 86391")));
        spec(&mut target).ready = Ready::After(Duration::from_millis(300));
        preflight(&target, &registry(), options).unwrap();
        assert_eq!(processes_with("86391"), [0; 0], "{outside}");
    }
}

#[test]
fn what_hides_outside_its_group_is_gone_after_the_run() {
    let mut options = options();
    options.supervisor = helper("helper_that_supervises");
    let mut target = without_socket(shell("cd /; (env -i setsid sleep 86384 &); exec sleep 86384"));
    spec(&mut target).ready = Ready::After(Duration::from_millis(300));
    preflight(&target, &registry(), &options).unwrap();
    assert_eq!(processes_with("86384").len(), 1, "nobody can say whose it is");
    drop(options);
    assert!(gone("86384"));
}

#[test]
fn a_supervisor_that_was_killed_is_our_trouble_and_another_takes_its_place() {
    let mut options = options();
    options.supervisor = ["sh", "-c", "exit 0"].map(String::from).to_vec();
    let mut target = without_socket(shell("exec sleep 86390"));
    spec(&mut target).ready = Ready::After(Duration::from_millis(5));
    let error = preflight(&target, &registry(), &options).unwrap_err();
    assert!(error.exit_code() == 8 && error.to_string().contains("supervisor"), "{error}");
    options.supervisor = helper("helper_that_supervises");
    preflight(&target, &registry(), &options).unwrap();
}
