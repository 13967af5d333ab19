//! How a target takes its end: one that breaks over it has not ended because we asked.
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::value::Fields;
use proofhouse_core::verdict::Verdict;
use proofhouse_live::run::Runner;

use super::*;

/// Serves until it is asked to end, and then does this.
fn served(at_sigterm: &str) -> String {
    format!(
        "import os, signal, socket, sys, time\ndef end(*_): {at_sigterm}\nsignal.signal(15, end)\ns = socket.socket()\ns.bind((\"127.0.0.1\", int(sys.argv[1]))); s.listen(9)\nwhile True: time.sleep(99)"
    )
}

/// Shells that start the server and stay: in the foreground, in the background, at two removes, in a session of its own, deaf to SIGTERM,
/// or starting it again and again.
const WRAPPERS: [&str; 6] = [
    "python3 -c 'SERVER' $1; true",
    "python3 -c 'SERVER' $1 & wait; exit 0",
    "sh -c 'python3 -c \"$0\" \"$1\"; true' 'SERVER' $1; true",
    "setsid sh -c 'python3 -c \"$0\" \"$1\"; true' 'SERVER' $1; true",
    "trap '' TERM; python3 -c 'SERVER' $1; exit 0",
    "while :; do python3 -c 'SERVER' $1; done",
];

fn ended(wrapper: &str, at_sigterm: &str) -> Vec<Life> {
    let target = shell(&wrapper.replace("SERVER", &served(at_sigterm)));
    let transcript = run(&plan(vec![patient(50)]), &target).unwrap();
    let turn = |life: &Life| !matches!(life, Life::Log { .. } | Life::Panic { .. } | Life::Ready);
    life(&transcript).into_iter().filter(turn).skip(1).collect()
}

#[test]
fn a_crash_behind_a_wrapper_is_a_crash_and_an_end_in_order_is_none() {
    for wrapper in WRAPPERS {
        assert_eq!(ended(wrapper, "os.abort()"), [Life::Stopped, Life::Signalled { signal: 6 }], "{wrapper}");
        assert_eq!(ended(wrapper, "os._exit(0)"), [Life::Stopped], "{wrapper}");
        assert_eq!(ended(wrapper, "os._exit(143)"), [Life::Stopped], "{wrapper}");
        assert_eq!(ended(wrapper, "os._exit(3)"), [Life::Stopped, Life::Exited { code: 3 }], "{wrapper}");
    }
}

#[test]
fn a_server_behind_a_wrapper_that_asks_for_no_end_is_killed_with_it() {
    for wrapper in WRAPPERS {
        assert_eq!(ended(wrapper, "pass # 86383"), [Life::Stopped], "{wrapper}");
        assert_eq!(processes_with("86383"), [0; 0], "{wrapper}");
    }
}

#[test]
fn a_wrapper_stands_still_only_while_its_server_ends() {
    // It has work of its own to do at SIGTERM, and does it.
    let target = "trap 'echo tidied up; exit 0' TERM; python3 -c 'SERVER' $1 & wait; wait; sleep 9";
    let target = shell(&target.replace("SERVER", &served("os._exit(0)")));
    let transcript = run(&plan(vec![patient(50)]), &target).unwrap();
    assert_eq!(lines(&transcript), ["tidied up"]);
}

#[test]
fn a_code_at_the_end_is_told_where_it_is_none_of_an_asked_end() {
    let direct = "exec python3 -c 'SERVER' $1";
    assert_eq!(ended(direct, "os._exit(1)"), [Life::Stopped, Life::Exited { code: 1 }]);
    assert_eq!(ended(direct, "os.abort()"), [Life::Stopped, Life::Signalled { signal: 6 }]);
    for quiet in ["os._exit(0)", "os._exit(130)", "signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)"] {
        assert_eq!(ended(direct, quiet), [Life::Stopped], "{quiet}");
    }
}

/// Serves; asked to end, it breaks over what it holds by then, unless nobody has sent it anything.
const BREAKS: &str = "import signal, socket, sys, threading, time
held = {}
def end(*_): STORE
def talk(c):
    held['x'] = c.recv(9)
    while c.recv(9): pass
signal.signal(15, end)
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(9)
while True: threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()";

/// What the rule about exceptions says of a target that does this as it is asked to end, once it was spoken to.
fn parted(store: &str) -> (Verdict, Vec<String>) {
    let registry = registry();
    let runner = Runner::new(&registry, options());
    let oracle = "no-unhandled-exception";
    let expect = Expect { oracle: oracle.into(), of: Vec::new(), keys: Fields::default() };
    let talker = fleet("talker", 0, 1, &[("say", Value::Text("ff".into())), ("close-after-ms", int(50))]);
    let plan = Plan { expects: vec![expect], ..plan(vec![talker]) };
    let mut verdicts = Vec::new();
    let mut remarks = Vec::new();
    for _ in 0..2 {
        let outcome = runner.fresh(plan.clone(), &python(&BREAKS.replace("STORE", store))).unwrap();
        let judged = outcome.judgements.into_iter().find(|judged| judged.oracle == oracle).unwrap();
        verdicts.push(judged.verdict);
        remarks = judged.remarks;
    }
    assert_eq!(verdicts[0], verdicts[1], "once it is known how it ends untouched, nothing changes: {store}");
    (verdicts[0], remarks)
}

#[test]
fn an_exception_at_the_end_fails_where_an_untouched_target_ends_in_order_and_is_a_remark_where_none_does() {
    let (verdict, _) = parted("sys.exit(held['x'][2] if held else 0)");
    assert_eq!(verdict, Verdict::Fail);
    let (verdict, remarks) = parted("held['y']");
    assert_eq!(verdict, Verdict::Pass);
    assert!(remarks[0].contains("does not end in order untouched either"), "{remarks:?}");
    for orderly in ["sys.exit(0)", "sys.exit(1)", "signal.default_int_handler(2, None)"] {
        assert_eq!(parted(orderly), (Verdict::Pass, vec![]), "{orderly}");
    }
}
