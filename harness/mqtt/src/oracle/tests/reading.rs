//! What arrives at whom: by filter, by right; and how long a client stays connected.
use super::*;

const PLAN: &str = r#"
[party.owner]
may = { publish = ["a/#"], subscribe = ["a/#"] }
[fleet.reader]
as = "owner"
behaviour = "script"
step = [ { do = "connect", expect = { type = "connack" }, part = "control" } ]
[fleet.foe]
as = "owner"
behaviour = "script"
step = [ { do = "connect", part = "stimulus" } ]
"#;

const RULES: &str = "[[expect]]\noracle = \"matches-filter\"\nof = \"reader\"\n\
    [[expect]]\noracle = \"reads-within-rights\"\nof = \"reader\"\n[[expect]]\noracle = \"stays-available\"\nof = \"reader\"\n";

/// The reader on connection 1 with client id `r`, and what it subscribed to.
fn film(version: &str, filters: &[&str]) -> Film {
    let mut film = Film::new(plan(version, &format!("{PLAN}{RULES}")));
    let owner = user(&film, "owner");
    login(film.at(0), "reader", 1, Some(&owner), "r");
    for filter in filters {
        film.at(1).sent(1, "subscribe", &[("filter", (*filter).into())]);
    }
    film
}

fn arrives(version: &str, filters: &[&str], topic: &str) -> Judgement {
    let mut film = film(version, filters);
    film.at(10).got(1, "publish", &[("topic", topic.into()), ("qos", Value::Int(0))]);
    film.judge(&matches_filter::ORACLE)
}

#[test]
fn a_message_that_one_filter_matches_is_as_it_must_be() {
    for (filters, topic) in [(&["a/#"][..], "a"), (&["b", "a/+/c"], "a/b/c"), (&["$SYS/#"], "$SYS/x")] {
        assert_says(&arrives("5", filters, topic), Verdict::Pass, "1 messages");
    }
}

#[test]
fn a_message_that_no_filter_matches_is_caught_byte_for_byte() {
    for (filters, topic) in
        [(&["a/+"][..], "a/b/c"), (&["a"], "A"), (&["a"], "a/"), (&["#"], "$SYS/x"), (&["+/x"], "$a/x"), (&[], "a")]
    {
        assert_says(&arrives("5", filters, topic), Verdict::Fail, "arrived");
    }
    assert_eq!(arrives("5", &["#"], "$SYS/x").violations[0].place, "publish/qos0/dollar-topic");
}

#[test]
fn a_share_is_its_filter_in_mqtt_5_and_a_name_in_3_1_1() {
    assert_says(&arrives("5", &["$share/g/a/+"], "a/b"), Verdict::Pass, "");
    assert_says(&arrives("3.1.1", &["$share/g/a/+"], "a/b"), Verdict::Fail, "arrived");
}

#[test]
fn a_filter_counts_for_the_client_id_and_not_before_it_was_asked_for() {
    let mut film = film("5", &["a/b"]);
    let owner = user(&film, "owner");
    film.at(5).close(1, By::Us);
    login(film.at(6), "reader", 2, Some(&owner), "r");
    film.at(7).got(2, "publish", &[("topic", "a/b".into())]);
    assert_says(&film.judge(&matches_filter::ORACLE), Verdict::Pass, "");
    film.at(8).got(2, "publish", &[("topic", "a/c".into())]);
    film.at(9).sent(2, "subscribe", &[("filter", "a/c".into())]);
    assert_says(&film.judge(&matches_filter::ORACLE), Verdict::Fail, "a/c");
}

#[test]
fn an_alias_of_the_server_stands_for_the_topic_that_set_it() {
    let mut film = film("5", &["a/b"]);
    let alias = ("topic_alias", Value::Int(3));
    film.at(10).got(1, "publish", &[("topic", "a/b".into()), alias.clone()]);
    film.at(11).got(1, "publish", &[("topic", "".into()), alias]);
    assert_says(&film.judge(&matches_filter::ORACLE), Verdict::Pass, "2 messages");
}

#[test]
fn where_nothing_arrives_nothing_is_decided() {
    assert_says(&film("5", &["a"]).judge(&matches_filter::ORACLE), Verdict::Inconclusive, "no message arrived");
    assert_says(&film("5", &["a"]).judge(&reads_within_rights::ORACLE), Verdict::Inconclusive, "no message arrived");
}

#[test]
fn a_message_on_a_topic_that_its_reader_may_not_read_is_caught_whoever_sent_it() {
    let told = |topic: &str| {
        let mut film = film("5", &["#"]);
        film.at(10).got(1, "publish", &[("topic", topic.into())]);
        film.judge(&reads_within_rights::ORACLE)
    };
    assert_says(&told("a/b"), Verdict::Pass, "within their readers' rights");
    assert_says(&told("b"), Verdict::Fail, "a message to b arrived");
    assert_eq!(told("$SYS/broker/version").violations[0].place, "publish/$SYS");
}

/// An attack from 1 s to 11 s; the reader is away between these times in milliseconds.
fn away(from: u64, to: u64) -> Judgement {
    let mut film = film("5", &[]);
    let owner = user(&film, "owner");
    film.at(1_000).step("foe", 0, 0, Some(9), StepState::Started);
    film.at(from).close(1, By::Peer);
    login(film.at(to), "reader", 2, Some(&owner), "r");
    film.at(11_000).step("foe", 0, 0, Some(9), StepState::Met);
    film.judge(&stays_available::ORACLE)
}

#[test]
fn one_per_cent_of_the_attack_may_be_lost_and_no_more() {
    assert_says(&away(2_000, 2_100), Verdict::Pass, "stayed connected");
    let lost = away(2_000, 2_101);
    assert_says(&lost, Verdict::Fail, "lost its connection 1 times");
    assert_says(&away(500, 1_200), Verdict::Inconclusive, "not connected when the attack began");
}

/// A question with these filters, each with its QoS, and the codes of its answer; `None`: none came.
fn asked(version: &str, kind: &str, wanted: &[i64], codes: Option<&[i64]>) -> Judgement {
    let rule = "[[expect]]\noracle = \"answers-fit\"\nof = \"reader\"\n";
    let mut film = Film::new(plan(version, &format!("{PLAN}{rule}")));
    let owner = user(&film, "owner");
    let list = |all: &[i64]| Value::List(all.iter().map(|n| Value::Int(*n)).collect());
    let filters = Value::List(wanted.iter().map(|_| Value::from("a/b")).collect());
    login(film.at(0), "reader", 1, Some(&owner), "r");
    film.at(1).sent(1, kind, &[("packet_id", Value::Int(7)), ("filters", filters), ("qos", list(wanted))]);
    if let Some(codes) = codes {
        let answer = if kind == "subscribe" { "suback" } else { "unsuback" };
        film.at(2).got(1, answer, &[("packet_id", Value::Int(6)), ("reason", list(&[0]))]);
        film.at(3).got(1, answer, &[("packet_id", Value::Int(7)), ("reason", list(codes))]);
    }
    film.at(5_000).close(1, By::Us);
    film.judge(&answers_fit::ORACLE)
}

#[test]
fn an_answer_has_one_code_for_each_filter_and_grants_no_more_than_was_asked_for() {
    assert_says(&asked("5", "subscribe", &[0, 1, 2], Some(&[0, 1, 2])), Verdict::Pass, "1 answers");
    assert_says(&asked("5", "subscribe", &[2, 2, 2], Some(&[0, 0x87, 1])), Verdict::Pass, "");
    assert_says(&asked("5", "subscribe", &[0, 1, 2], Some(&[0])), Verdict::Fail, "1 codes for 3 filters");
    assert_says(&asked("5", "subscribe", &[1, 0], Some(&[1, 1])), Verdict::Fail, "QoS 1 granted where 0");
    assert_says(&asked("5", "unsubscribe", &[0, 0], Some(&[0, 0x11])), Verdict::Pass, "");
    assert_says(&asked("5", "unsubscribe", &[0, 0], Some(&[0])), Verdict::Fail, "1 codes for 2 filters");
    assert_says(&asked("3.1.1", "unsubscribe", &[0, 0], Some(&[])), Verdict::Pass, "");
    assert_says(&asked("5", "unsubscribe", &[0], None), Verdict::Fail, "no answer came");
}

#[test]
fn a_question_whose_connection_the_server_ended_is_open() {
    let rule = "[[expect]]\noracle = \"answers-fit\"\nof = \"reader\"\n";
    let mut film = Film::new(plan("5", &format!("{PLAN}{rule}")));
    let owner = user(&film, "owner");
    login(film.at(0), "reader", 1, Some(&owner), "r");
    film.at(1).sent(1, "subscribe", &[("packet_id", Value::Int(7)), ("filter", "a".into()), ("qos", Value::Int(0))]);
    film.at(2).close(1, By::Peer);
    assert_says(&film.judge(&answers_fit::ORACLE), Verdict::Inconclusive, "before its subscribe was answered");
}

#[test]
fn a_question_that_we_broke_off_ourselves_is_open() {
    let rule = "[[expect]]\noracle = \"answers-fit\"\nof = \"reader\"\n";
    let broken_off = |after: u64| {
        let mut film = Film::new(plan("5", &format!("{PLAN}{rule}")));
        let owner = user(&film, "owner");
        login(film.at(0), "reader", 1, Some(&owner), "r");
        let fields = [("packet_id", Value::Int(7)), ("filter", "a".into()), ("qos", Value::Int(0))];
        film.at(1).sent(1, "subscribe", &fields).at(1 + after).close(1, By::Us);
        film.judge(&answers_fit::ORACLE)
    };
    assert_says(&broken_off(1_999), Verdict::Inconclusive, "before its subscribe was answered");
    assert_says(&broken_off(2_000), Verdict::Fail, "no answer came");
}

#[test]
fn a_device_that_leaves_by_itself_was_not_kept_out() {
    let mut film = film("5", &[]);
    film.at(1_000).step("foe", 0, 0, Some(9), StepState::Started);
    film.at(6_000).close(1, By::Us);
    film.at(11_000).step("foe", 0, 0, Some(9), StepState::Met);
    assert_says(&film.judge(&stays_available::ORACLE), Verdict::Inconclusive, "away by itself");
}
