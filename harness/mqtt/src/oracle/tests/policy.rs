//! Who may read and write what.
use super::*;

const PLAN: &str = r#"
[party.owner]
may = { publish = ["a/#"], subscribe = ["a/#"] }
[party.stranger]
may = { publish = ["s/#"], subscribe = ["s/#"] }
[fleet.owner]
behaviour = "script"
step = [ { do = "connect", expect = { type = "connack" }, part = "control" }, { do = "publish", topic = "a/x", canary = "c", part = "stimulus" } ]
[fleet.stranger]
behaviour = "script"
step = [ { do = "connect" } ]
[[expect]]
oracle = "policy-kept"
"#;

/// Owner on connection 1, stranger on 2, another owner on 3, nobody on 4.
fn film(rules: &str) -> Film {
    let mut film = Film::new(plan("5", &format!("{PLAN}{rules}")));
    let (owner, stranger) = (user(&film, "owner"), user(&film, "stranger"));
    film.at(0);
    login(&mut film, "owner", 1, Some(&owner), "o1");
    login(&mut film, "stranger", 2, Some(&stranger), "s1");
    login(&mut film, "owner", 3, Some(&owner), "o2");
    film.open("stranger", 0, 4);
    film
}

fn topic(name: &str) -> [(&'static str, Value); 2] {
    [("topic", name.into()), ("qos", Value::Int(1))]
}

fn judge(film: &Film) -> Judgement {
    film.judge(&policy_kept::ORACLE)
}

#[test]
fn a_rightful_reader_may_see_what_a_rightful_writer_sent() {
    let mut film = film("");
    film.at(10).plants(1, "c", "publish", &topic("a/x"));
    film.at(20).sees(3, "c", &topic("a/x"));
    assert_says(&judge(&film), Verdict::Pass, "only where they may");
}

#[test]
fn a_reader_without_the_right_is_caught_also_on_another_name_for_the_topic() {
    for arrived in ["a/x", "s/disguise"] {
        let mut film = film("");
        film.at(10).plants(1, "c", "publish", &topic("a/x"));
        film.at(20).sees(2, "c", &topic(arrived));
        let judgement = judge(&film);
        assert_says(&judgement, Verdict::Fail, "arrived at stranger");
        assert_eq!(judgement.violations[0].place, "publish/qos1/live/without-right");
    }
}

#[test]
fn a_writer_without_the_right_is_caught_at_a_rightful_reader() {
    let mut film = film("");
    film.at(10).plants(2, "c", "publish", &topic("a/x"));
    film.at(20).sees(3, "c", &topic("a/x"));
    let judgement = judge(&film);
    assert_says(&judgement, Verdict::Fail, "what stranger sent to a/x arrived");
    assert_eq!(judgement.violations[0].place, "publish/qos1/without-right");
}

#[test]
fn an_echo_to_its_own_sender_tells_nobody_anything() {
    let mut film = film("");
    film.at(10).plants(2, "c", "publish", &topic("a/x"));
    film.at(20).sees(2, "c", &topic("a/x"));
    assert_says(&judge(&film), Verdict::Pass, "");
}

#[test]
fn a_message_that_was_stripped_still_tells_where_something_was_said() {
    let heard = |conn: u32, name: &str| {
        let mut film = film("");
        film.at(10).plants(1, "c", "publish", &topic("a/x"));
        film.at(20).got(conn, "publish", &topic(name));
        judge(&film)
    };
    assert_says(&heard(2, "a/x"), Verdict::Fail, "a message to a/x arrived at stranger[0]");
    assert_says(&heard(3, "a/x"), Verdict::Pass, "");
    assert_says(&heard(2, "s/x"), Verdict::Pass, "");
    let mut echo = film("");
    echo.at(10).plants(1, "c", "publish", &topic("a/x"));
    echo.at(15).sent(2, "publish", &topic("a/y")).at(20).got(2, "publish", &topic("a/y"));
    assert_says(&judge(&echo), Verdict::Pass, "");
    echo.at(30).got(2, "publish", &[("topic", "a/y".into()), ("payload", "of others".into())]);
    assert_says(&judge(&echo), Verdict::Fail, "a message to a/y arrived at stranger[0]");
}

#[test]
fn a_will_without_the_right_is_caught() {
    let mut film = film("");
    let stranger = user(&film, "stranger");
    let fields = [("client_id", "s2".into()), ("username", stranger.as_str().into()), ("will_topic", "a/x".into())];
    film.at(10).plants(4, "c", "connect", &fields);
    film.at(20).close(4, By::Us);
    film.at(30).sees(3, "c", &topic("a/x"));
    let judgement = judge(&film);
    assert_says(&judgement, Verdict::Fail, "what stranger sent");
    assert_eq!(judgement.violations[0].place, "will/without-right");
}

#[test]
fn who_never_logged_in_has_no_rights() {
    let mut film = film("");
    film.at(10).plants(4, "c", "publish", &topic("s/x"));
    film.at(20).sees(2, "c", &topic("s/x"));
    assert_says(&judge(&film), Verdict::Fail, "what nobody sent");
}

#[test]
fn an_alias_is_worth_what_its_topic_is_worth() {
    let aliased = |set: &str, arrived: &str| {
        let mut film = film("");
        film.at(10).sent(2, "publish", &[("topic", set.into()), ("topic_alias", Value::Int(1))]);
        film.at(11).plants(2, "c", "publish", &[("topic", "".into()), ("topic_alias", Value::Int(1))]);
        film.at(20).sees(3, "c", &topic(arrived));
        judge(&film)
    };
    assert_says(&aliased("a/x", "a/x"), Verdict::Fail, "stranger sent");
    // The server kept the alias as it was when it refused the PUBLISH that changed it: this one went where its sender may write.
    let mut film = film("");
    film.at(10).sent(2, "publish", &[("topic", "a/x".into()), ("topic_alias", Value::Int(1))]);
    film.at(11).plants(2, "c", "publish", &[("topic", "".into()), ("topic_alias", Value::Int(1))]);
    film.at(20).sees(4, "c", &topic("s/x"));
    let judgement = judge(&film);
    assert!(judgement.reason.contains("nobody"), "only the reader is wrong here: {}", judgement.reason);
}

#[test]
fn an_alias_that_this_connection_never_set_may_deliver_nothing() {
    let mut film = film("");
    film.at(11).plants(
        1,
        "c",
        "publish",
        &[("topic", "".into()), ("topic_alias", Value::Int(1)), ("qos", Value::Int(0))],
    );
    film.at(20).sees(3, "c", &topic("a/x"));
    let judgement = judge(&film);
    assert_says(&judgement, Verdict::Fail, "");
    assert_eq!(judgement.violations[0].clause, "MQTT5 3.3.2-7");
}

fn revoked(at: u64, seen: u64, within: &str) -> Judgement {
    let mut film = Film::new(plan("5", &format!("{PLAN}within = \"{within}\"\n")));
    let owner = user(&film, "owner");
    film.at(0);
    login(&mut film, "owner", 1, Some(&owner), "o1");
    login(&mut film, "owner", 3, Some(&owner), "o2");
    film.at(10).plants(1, "c", "publish", &topic("a/x"));
    let grant = Event::Grant { party: "owner".into(), grant: "subscribe a/#".into(), allow: false };
    film.at(at).entry(Who::Target, grant);
    film.at(seen).sees(3, "c", &topic("a/x"));
    judge(&film)
}

#[test]
fn a_right_that_was_taken_away_covers_no_delivery_after_that() {
    assert_says(&revoked(100, 99, "0s"), Verdict::Pass, "");
    assert_says(&revoked(100, 101, "0s"), Verdict::Fail, "after the right was taken away");
}

#[test]
fn a_delivery_within_the_grace_is_excused_and_one_just_past_it_is_not() {
    assert_says(&revoked(100, 150, "50ms"), Verdict::Pass, "");
    assert_says(&revoked(100, 151, "50ms"), Verdict::Fail, "after the right was taken away");
}

#[test]
fn without_a_canary_nothing_is_decided() {
    assert_says(&judge(&film("")), Verdict::Inconclusive, "no canary");
}
