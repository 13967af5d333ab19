//! Who is refused.
use super::*;

const SWEPT: &str = r#"
[fleet.honest]
behaviour = "script"
step = [ { do = "get", path = "/time", part = "control" } ]
[fleet.foe]
behaviour = "sweep"
paths = "{resource.protected}"
methods = ["GET", "PUT"]
part = "stimulus"
[[expect]]
oracle = "access-denied"
of = "foe"
protected = ["/secret"]
"#;

/// The foe asks twice; these are the codes that it is answered with.
fn answered(codes: [&str; 2]) -> Film {
    let mut film = Film::new(plan(SWEPT));
    film.at(0).open("witness", 0, 90).served().open("foe", 0, 1).open("foe", 0, 2);
    for (conn, method, code) in [(1, "get", codes[0]), (2, "put", codes[1])] {
        film.at(1_000).sent(conn, "request", &request(method, "/secret", 7, ""));
        match code {
            "" => {}
            "rst" => _ = film.at(1_001).got(conn, "rst", &[("mid", Value::Int(7))]),
            code => _ = film.at(1_001).got(conn, "response", &response(code, "", &[])),
        }
    }
    film
}

fn judged(codes: [&str; 2]) -> Judgement {
    answered(codes).at(5_000).served().judge(&access_denied::ORACLE)
}

#[test]
fn every_refusal_passes_and_so_do_a_reset_and_silence() {
    for code in ["4.01", "4.03", "4.04", "4.05", "4.02", "5.01", "rst", ""] {
        assert_says(&judged(["4.01", code]), Verdict::Pass, "2 requests were refused");
    }
}

#[test]
fn data_and_effects_fail_and_so_does_a_server_that_tried() {
    let read = judged(["2.05", "4.01"]);
    assert_says(&read, Verdict::Fail, "answered with 2.05");
    assert_eq!(read.violations[0].place, "GET /secret/granted");
    assert_says(&judged(["4.01", "2.04"]), Verdict::Fail, "2.04");
    assert_eq!(judged(["4.01", "5.00"]).violations[0].place, "PUT /secret/failed");
}

#[test]
fn a_server_that_has_no_time_neither_refuses_nor_grants() {
    assert_says(&judged(["4.01", "5.03"]), Verdict::Inconclusive, "PUT /secret came to a server without time");
    assert_says(&judged(["4.01", "4.29"]), Verdict::Inconclusive, "PUT /secret came to a server without time");
    let challenged = answered(["4.01", ""])
        .at(1_001)
        .got(2, "response", &response("4.01", "", &[("echo", "aa".into())]))
        .judge(&access_denied::ORACLE);
    assert_says(&challenged, Verdict::Inconclusive, "PUT /secret was answered with an Echo challenge");
    assert_eq!(judged(["2.05", "5.03"]).verdict, Verdict::Fail);
}

#[test]
fn an_acknowledgement_promises_a_response_and_is_no_refusal() {
    let mut film = answered(["4.01", ""]);
    film.at(1_001).got(2, "ack", &[("mid", Value::Int(7))]);
    assert_says(&film.at(5_000).served().judge(&access_denied::ORACLE), Verdict::Inconclusive, "PUT /secret was ack");
    let mut film = answered(["4.01", "4.03"]);
    film.at(1_002).got(2, "ack", &[("mid", Value::Int(7))]);
    assert_eq!(film.at(5_000).served().judge(&access_denied::ORACLE).verdict, Verdict::Pass);
}

#[test]
fn silence_shows_nothing_where_the_server_takes_as_long_to_answer_a_control() {
    let controlled = |millis: u64| {
        let mut film = answered(["4.01", ""]);
        film.open("honest", 0, 3).at(100).step("honest", 0, 0, Some(3), StepState::Started);
        film.at(100 + millis).step("honest", 0, 0, Some(3), StepState::Met);
        film.at(3_000).close(2, By::Us).at(9_000).served().judge(&access_denied::ORACLE)
    };
    assert_says(&controlled(2_000), Verdict::Inconclusive, "2000 ms of silence show nothing");
    assert_eq!(controlled(1_800).verdict, Verdict::Pass);
}

#[test]
fn silence_counts_only_where_the_witness_was_served_afterwards() {
    let film = answered(["4.01", ""]);
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Inconclusive, "witness was not served");
}

#[test]
fn a_resource_that_nobody_asked_for_decides_nothing() {
    let mut film = Film::new(plan(&SWEPT.replace("protected = [\"/secret\"]", "protected = \"{resource.protected}\"")));
    film.at(0).open("witness", 0, 90).open("foe", 0, 1).sent(1, "request", &request("get", "/secret", 7, ""));
    film.got(1, "response", &response("4.01", "", &[])).at(5_000).served();
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Inconclusive, "nobody asked for /admin/#");
    film.open("foe", 0, 2).sent(2, "request", &request("get", "/admin/x", 8, ""));
    film.got(2, "response", &response("4.01", "", &[])).at(6_000).served();
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Pass, "2 requests");
}

#[test]
fn what_is_excepted_may_be_answered_and_without_a_list_everything_else_counts() {
    let mut film = Film::new(plan(&SWEPT.replace("protected = [\"/secret\"]", "except = [\"/open\"]")));
    film.at(0).open("witness", 0, 90).open("foe", 0, 1).sent(1, "request", &request("get", "/open", 7, ""));
    film.got(1, "response", &response("2.05", "", &[])).at(5_000).served();
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Inconclusive, "nothing was evaluated");
    film.open("foe", 0, 2).sent(2, "request", &request("get", "/else", 8, ""));
    film.got(2, "response", &response("2.05", "", &[])).at(6_000).served();
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Fail, "2.05");
}

#[test]
fn what_a_control_may_do_is_no_breach() {
    let text = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "get", path = "/secret", part = "control" },
  { do = "put", path = "/secret", part = "stimulus" },
]
[[expect]]
oracle = "access-denied"
of = "foe"
"#;
    let mut film = Film::new(plan(text));
    film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
    film.sent(1, "request", &request("get", "/secret", 7, "aa")).got(1, "response", &response("2.05", "aa", &[]));
    film.step("foe", 0, 0, Some(1), StepState::Met);
    film.at(10).step("foe", 0, 1, Some(1), StepState::Started);
    film.sent(1, "request", &request("put", "/secret", 8, "bb")).got(1, "response", &response("4.05", "bb", &[]));
    film.step("foe", 0, 1, Some(1), StepState::Met);
    assert_says(&film.judge(&access_denied::ORACLE), Verdict::Pass, "1 requests");
}

#[test]
fn a_resource_that_is_nowhere_protects_nothing() {
    let one = judged(["4.04", "4.01"]);
    assert_eq!(one.verdict, Verdict::Pass, "{}", one.reason);
    let all = judged(["4.04", "4.04"]);
    assert_eq!(all.verdict, Verdict::Inconclusive, "{}", all.reason);
}

/// Fields of a grant that came by this message.
fn grant(message: &str, mid: i64, token: &str, more: &[(&str, Value)]) -> alloc::vec::Vec<(&'static str, Value)> {
    let mut fields = response("2.05", token, &[("message", message.into()), ("mid", Value::Int(mid))]);
    fields.extend(more.iter().map(|(_, value)| ("observe", value.clone())));
    fields
}

/// The foe was refused, and then this came to the socket of its first request: from where it asked, or from another port.
fn then(from_asked: bool, fields: &[(&str, Value)]) -> Film {
    let mut film = answered(["4.01", "4.01"]);
    let (conn, elsewhere) = (if from_asked { 1 } else { 7 }, Addr::new([127, 0, 0, 1], 8));
    if !from_asked {
        film.at(1_100).accept("foe", 0, conn, elsewhere, Film::socket(1));
    }
    film.at(1_100).got(conn, "response", fields);
    film
}

fn judged_then(from_asked: bool, fields: &[(&str, Value)]) -> Judgement {
    then(from_asked, fields).at(5_000).served().judge(&access_denied::ORACLE)
}

#[test]
fn a_grant_under_another_token_or_from_another_port_was_on_the_wire() {
    let acked = judged_then(true, &grant("ack", 7, "ff", &[]));
    assert_says(&acked, Verdict::Fail, "answered with 2.05 under another token");
    assert_eq!(acked.violations[0].place, "GET /secret/granted");
    assert_says(&judged_then(true, &grant("non", 900, "ff", &[])), Verdict::Fail, "under another token");
    assert_says(&judged_then(false, &grant("ack", 7, "", &[])), Verdict::Fail, "2.05 from another address");
    assert_says(&judged_then(false, &grant("ack", 7, "ff", &[])), Verdict::Fail, "2.05 from another address");
    assert_says(&judged_then(false, &grant("non", 900, "", &[])), Verdict::Fail, "2.05 from another address");
    let refused = [("code", "4.01".into()), ("token", "ff".into()), ("mid", Value::Int(7))];
    assert_says(&judged_then(false, &refused), Verdict::Pass, "2 requests");
}

#[test]
fn what_may_be_anybodys_and_answers_nothing_of_ours_decides_nothing() {
    let unknown = "answers nothing that was asked";
    assert_says(&judged_then(false, &grant("non", 900, "ff", &[])), Verdict::Inconclusive, unknown);
    let notice = grant("con", 900, "ff", &[("observe", Value::Int(7))]);
    assert_says(&judged_then(true, &notice), Verdict::Inconclusive, unknown);
    let mut used = then(true, &grant("non", 900, "ff", &[]));
    used.gauge(ROUNDS_BEFORE, 1).at(5_000).served();
    assert_says(&used.judge(&access_denied::ORACLE), Verdict::Inconclusive, unknown);
    let mut early = Film::new(plan(SWEPT));
    early.at(0).open("witness", 0, 90).served().open("foe", 0, 1).got(1, "response", &grant("non", 900, "ff", &[]));
    early.at(1_000).sent(1, "request", &request("get", "/secret", 7, "")).got(
        1,
        "response",
        &response("4.01", "", &[]),
    );
    assert_says(&early.at(5_000).served().judge(&access_denied::ORACLE), Verdict::Pass, "1 requests");
}

#[test]
fn a_late_copy_of_the_answer_to_what_was_allowed_is_no_grant() {
    let asked = |late: &dyn Fn(&mut Film)| {
        let mut film = Film::new(plan(CONTROLLED));
        film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
        film.sent(1, "request", &request("get", "/time", 7, "aa")).got(1, "response", &grant("ack", 7, "aa", &[]));
        film.step("foe", 0, 0, Some(1), StepState::Met);
        film.at(10).step("foe", 0, 1, Some(1), StepState::Started);
        film.sent(1, "request", &request("get", "/secret", 8, "aa"));
        film.got(1, "response", &response("4.01", "aa", &[("message", "ack".into()), ("mid", Value::Int(8))]));
        late(film.step("foe", 0, 1, Some(1), StepState::Met));
        film.judge(&access_denied::ORACLE)
    };
    let elsewhere = Addr::new([127, 0, 0, 1], 8);
    let pass = |judgement: &Judgement| assert_says(judgement, Verdict::Pass, "1 requests");
    pass(&asked(&|film| _ = film.got(1, "response", &grant("ack", 7, "aa", &[]))));
    pass(&asked(&|film| {
        _ = film.accept("foe", 0, 5, elsewhere, Film::socket(1)).got(5, "response", &grant("ack", 7, "aa", &[]));
    }));
    // Of whom it is that answers nothing, where something else was asked there too, nobody knows.
    let unknown = asked(&|film| _ = film.got(1, "response", &grant("non", 900, "ff", &[])));
    assert_says(&unknown, Verdict::Inconclusive, "answers nothing");
    let leak = asked(&|film| _ = film.got(1, "response", &grant("ack", 8, "ff", &[])));
    assert_says(&leak, Verdict::Fail, "under another token");
}

const CONTROLLED: &str = r#"
[fleet.foe]
behaviour = "script"
step = [
  { do = "get", path = "/time", part = "control" },
  { do = "get", path = "/secret", part = "stimulus" },
]
[[expect]]
oracle = "access-denied"
of = "foe"
"#;
