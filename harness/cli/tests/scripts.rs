//! What scripts make of awkward peers and of our own doings, over real sockets: each row was once a wrong verdict.
mod common;

use std::thread;

use common::{peer, run, trials};

const HEAD: &str = r##"
format   = 1
title    = "t"
attack   = "XX-05"
level    = "must"
protocol = "mqtt"
version  = ["3.1.1", "5"]
limit    = "20s"
[party.user]
may = { publish = ["#"], subscribe = ["#"] }
"##;

/// A fleet of one script that begins with a legal connection.
fn script(name: &str, steps: &str) -> String {
    format!(
        "[fleet.{name}]\nas = \"user\"\nbehaviour = \"script\"\nstep = [\n\
         {{ do = \"connect\", client_id = \"{name}\", expect = {{ type = \"connack\", reason = 0 }}, part = \"control\", mark = \"in\" }},\n\
         {steps}\n]\n"
    )
}

fn rule(oracle: &str, of: &str) -> String {
    format!("[[expect]]\noracle = \"{oracle}\"\nof = \"{of}\"\n")
}

/// Runs these fleets and rules on the small broker that does `word`, once for each version: every verdict is this, for such a reason.
#[track_caller]
fn check(parts: &[String], word: &[&str], verdict: &str, why: &str) {
    let temp = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(temp.path().join(name), text).unwrap();
    write("t.toml", &peer("mqtt", "", word));
    std::fs::create_dir(temp.path().join("s")).unwrap();
    write("s/x.toml", &format!("{HEAD}{}", parts.concat()));
    let words = ["run", "x", "--scenarios", "s", "--target", "t.toml", "--replays", "1", "--out", "r", "-q"];
    let out = run(temp.path(), &words);
    let trials = trials(&temp.path().join("r"));
    assert_eq!(trials.len(), 2, "{}", common::stderr(&out));
    for (trial, told, reason) in trials {
        assert!(told == verdict && reason.contains(why), "{word:?} {trial}: {told} {reason}\nnot {verdict} {why}");
    }
}

#[test]
fn six_hundred_unread_packets_are_all_there_when_they_are_asked_for() {
    let reader = script(
        "reader",
        "{ do = \"subscribe\", filter = \"a/#\", part = \"control\", mark = \"ready\" },\n\
         { do = \"wait\", for = \"500ms\", after = \"writer.done\" },\n\
         { do = \"expect\", any = [{ type = \"publish\", topic = \"a/first\" }] },\n\
         { do = \"expect\", any = [{ type = \"publish\", topic = \"a/last\" }] },",
    );
    let writer = script(
        "writer",
        "{ do = \"publish\", topic = \"a/first\", payload = \"1\", after = \"reader.ready\", part = \"stimulus\" },\n\
         { do = \"send\", frame = { type = \"publish\", topic = \"a/more\", qos = 0, payload = \"2\" }, repeat = 600, part = \"stimulus\" },\n\
         { do = \"publish\", topic = \"a/last\", qos = 1, payload = \"3\", part = \"stimulus\", mark = \"done\" },",
    );
    check(&[reader, writer, rule("answer-in-set", "reader")], &[], "pass", "");
}

#[test]
fn a_question_that_our_own_reset_cut_off_fails_nobody() {
    let asks = "{ do = \"send\", frame = { type = \"subscribe\", packet_id = 7, filters = [{ filter = \"a/#\", qos = 1 }] }, part = \"stimulus\" },";
    let parts = |end: &str| [script("user", &format!("{asks}\n{end}")), rule("answers-fit", "user")];
    check(&parts("{ do = \"reset\" },"), &["slow=0.5"], "inconclusive", "ended, or was no longer read");
    // Where the connection stands for as long as the answer takes, it counts.
    check(&parts("{ do = \"wait\", for = \"2s\" },"), &["slow=0.2"], "pass", "");
}

#[test]
fn a_control_that_is_not_met_is_followed_by_no_attack_and_no_failure() {
    let user = script(
        "user",
        "{ do = \"ping\", expect = { type = \"puback\" }, within = \"500ms\", part = \"control\", mark = \"met\" },",
    );
    let foe = script(
        "foe",
        "{ do = \"publish\", topic = \"a/x\", qos = 1, any = [{ closed = true }], within = \"1s\", after = \"user.met\", part = \"stimulus\" },",
    );
    let rules = [rule("answer-in-set", "foe"), rule("closes-in-time", "foe")];
    let parts = [&[user, foe][..], &rules].concat();
    // The broker does not end the connection: had the attack been sent, both rules would fail.
    check(&parts, &[], "inconclusive", "control user step 1 (ping) was not met");
}

#[test]
fn silence_is_broken_by_what_comes_in_the_segment_of_the_packet_before() {
    let user = script(
        "user",
        "{ do = \"expect\", any = [{ silence = \"500ms\" }] },\n{ do = \"publish\", topic = \"a/x\", qos = 1, part = \"stimulus\" },",
    );
    let parts = [user, rule("answer-in-set", "user")];
    thread::scope(|scope| {
        scope.spawn(|| check(&parts, &["glued=1"], "fail", "instead of 500ms of silence"));
        scope.spawn(|| check(&parts, &[], "pass", ""));
    });
}

#[test]
fn an_attack_of_which_a_part_was_written_is_not_said() {
    let big = script(
        "big",
        "{ do = \"send\", frame = { type = \"publish\", topic = \"a/x\", payload = { size = 24000000 } }, part = \"stimulus\", mark = \"said\" },",
    );
    let other = script("other", "{ do = \"ping\", after = \"big.said\", part = \"stimulus\" },");
    let parts = [big, other];
    thread::scope(|scope| {
        scope.spawn(|| check(&parts, &["stops=1"], "inconclusive", "(send) was not over: "));
        scope.spawn(|| check(&parts, &[], "pass", ""));
    });
}

#[test]
fn a_legal_client_that_is_thrown_out_while_it_waits_is_a_failure() {
    let victim = script(
        "victim",
        "{ do = \"wait\", for = \"1s\", after = \"foe.done\" },\n{ do = \"ping\", expect = { type = \"pingresp\" } },",
    );
    let foe = script(
        "foe",
        "{ do = \"publish\", topic = \"a/bye\", qos = 1, payload = \"1\", after = \"victim.in\", part = \"stimulus\", mark = \"done\" },",
    );
    let parts = [victim, foe, rule("answer-in-set", "victim")];
    thread::scope(|scope| {
        scope.spawn(|| check(&parts, &["ends=a/bye"], "fail", "answer-in-set: the connection is closed"));
        scope.spawn(|| check(&parts, &[], "pass", ""));
    });
}

#[test]
fn a_message_of_the_witness_is_no_wrong_answer() {
    // It hears every topic, the witness's too, and waits for a message that comes after several of those.
    let reader = script(
        "reader",
        "{ do = \"subscribe\", filter = \"#\", part = \"control\", mark = \"ready\" },\n\
         { do = \"expect\", any = [{ type = \"publish\", canary = \"mine\" }] },",
    );
    let writer = script(
        "writer",
        "{ do = \"wait\", for = \"1500ms\", after = \"reader.ready\" },\n\
         { do = \"publish\", topic = \"a/x\", canary = \"mine\", part = \"stimulus\" },",
    );
    check(&[reader, writer, rule("answer-in-set", "reader")], &["slow=0.1"], "pass", "");
}
