//! Over real sockets, too, a target that hangs at some packet of a behaviour fleet is found to hang, and one that is slow is not.
mod common;

use std::thread;

use common::{peer, readings, run, trials};

const SWEEP: &str = r#"
format   = 1
title    = "A walk over everything"
attack   = "XX-01"
level    = "must"
protocol = "coap"
limit    = "40s"
[fleet.known]
behaviour = "script"
step = [ { do = "get", path = "/.well-known/core", expect = { code = "2.05" }, part = "control" } ]
[fleet.walker]
behaviour = "sweep"
linger    = "1s"
part      = "stimulus"
"#;

/// The verdict and its reason of one trial of this scenario on such a server.
fn judged(protocol: &str, scenario: &str, words: &[&str]) -> (String, String) {
    let temp = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(temp.path().join(name), text).unwrap();
    write("t.toml", &peer(protocol, "", words));
    std::fs::create_dir(temp.path().join("s")).unwrap();
    write("s/x.toml", scenario);
    run(temp.path(), &["run", "x", "--scenarios", "s", "--target", "t.toml", "--replays", "1", "--out", "r", "-q"]);
    let (_, verdict, reason) = trials(&temp.path().join("r")).pop().expect("one trial");
    (verdict, reason)
}

/// Trials side by side: most of their time is the wait for a witness that nobody answers.
fn check(protocol: &str, scenario: &str, rows: &[(&[&str], &str)]) {
    thread::scope(|scope| {
        for (words, wanted) in rows {
            scope.spawn(move || {
                let (verdict, reason) = judged(protocol, scenario, words);
                assert_eq!(&verdict, wanted, "{protocol} {words:?}: {reason}");
                assert!(*wanted == "pass" || reason.starts_with("no-hang"), "{protocol} {words:?}: {reason}");
            });
        }
    });
}

#[test]
fn a_server_that_hangs_at_a_request_of_a_sweep_hangs() {
    // It lists five resources; the fifth is the last that is asked for, a sixth never is.
    check(
        "coap",
        SWEEP,
        &[
            (&["hang=1"], "fail"),
            (&["hang=3"], "fail"),
            (&["hang=5"], "fail"),
            (&["hang=6"], "pass"),
            (&["slow=0.3"], "pass"),
        ],
    );
}

#[test]
fn a_broker_that_hangs_at_a_reading_hangs() {
    // Two seconds, a reading each 200 ms: at least five, whatever the machine does, and never a hundred.
    check(
        "mqtt",
        &readings("200ms"),
        &[(&["hang=1"], "fail"), (&["hang=5"], "fail"), (&["hang=100"], "pass"), (&["slow=0.1"], "pass")],
    );
}
