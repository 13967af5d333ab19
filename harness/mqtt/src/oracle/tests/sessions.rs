//! Take-overs, deliveries and refused log-ins.
use super::*;

const TAKEOVER: &str = r#"
[party.owner]
may = { publish = ["a/#"] }
[fleet.twice]
as = "owner"
behaviour = "script"
step = [
  { do = "connect", expect = { type = "connack" }, part = "control" },
  { conn = "b", do = "connect", part = "stimulus" },
]
[[expect]]
oracle = "session-exclusive"
of = "twice"
within = "1s"
"#;

fn takeover(version: &str, users: [&str; 2], end: Option<(u64, By)>) -> Judgement {
    let mut film = Film::new(plan(version, TAKEOVER));
    login(film.at(0), "twice", 1, Some(users[0]), "probe");
    login(film.at(100), "twice", 2, Some(users[1]), "probe");
    if let Some((at, by)) = end {
        film.at(at).close(1, by);
    }
    film.at(5_000).served();
    film.judge(&session_exclusive::ORACLE)
}

#[test]
fn the_first_connection_may_last_one_second_and_the_tolerance_after_the_second_connack() {
    assert_says(&takeover("5", ["u", "u"], Some((1_200, By::Peer))), Verdict::Pass, "without DISCONNECT 0x8E");
    assert_says(&takeover("5", ["u", "u"], Some((1_201, By::Peer))), Verdict::Fail, "both connections");
    assert_says(&takeover("3.1.1", ["u", "u"], None), Verdict::Fail, "both connections");
}

#[test]
fn a_take_over_that_is_over_by_our_own_doing_decides_nothing() {
    assert_says(&takeover("5", ["u", "u"], Some((500, By::Us))), Verdict::Inconclusive, "over before");
}

#[test]
fn a_take_over_that_ends_the_newcomer_too_has_served_nobody() {
    let ended = |at: u64, by: By, third: bool| {
        let mut film = Film::new(plan("5", TAKEOVER));
        login(film.at(0), "twice", 1, Some("u"), "probe");
        login(film.at(100), "twice", 2, Some("u"), "probe");
        film.at(110).close(1, By::Peer);
        if third {
            login(film.at(120), "twice", 3, Some("u"), "probe");
        }
        film.at(at).close(2, by).at(5_000).served();
        film.judge(&session_exclusive::ORACLE)
    };
    assert_says(&ended(150, By::Peer, false), Verdict::Fail, "was ended as well");
    assert_says(&ended(150, By::Us, false), Verdict::Pass, "");
    assert_says(&ended(150, By::Peer, true), Verdict::Pass, "");
    assert_says(&ended(4_000, By::Peer, false), Verdict::Pass, "");
}

#[test]
fn a_server_that_is_too_busy_for_the_newcomer_has_let_it_in_all_the_same() {
    for (reason, verdict) in [(0x97, Verdict::Pass), (0x8E, Verdict::Fail)] {
        let mut film = Film::new(plan("5", TAKEOVER));
        login(film.at(0), "twice", 1, Some("u"), "probe");
        login(film.at(100), "twice", 2, Some("u"), "probe");
        film.at(110).close(1, By::Peer).got(2, "disconnect", &[("reason", Value::Int(reason))]);
        film.close(2, By::Peer).at(5_000).served();
        assert_says(&film.judge(&session_exclusive::ORACLE), verdict, "");
    }
}

#[test]
fn two_users_with_one_client_id_are_another_matter() {
    assert_says(&takeover("5", ["u", "v"], None), Verdict::Inconclusive, "no second log-in");
}

#[test]
fn the_clause_is_that_of_the_version() {
    let clause = |version| takeover(version, ["u", "u"], None).violations[0].clause.clone();
    assert_eq!([clause("5"), clause("3.1.1")], ["MQTT5 3.1.4-3", "MQTT3 3.1.4-2"]);
}

const ONCE: &str = r#"
[party.sender]
may = { publish = ["a/#"] }
[party.reader]
may = { subscribe = ["a/#"] }
[fleet.reader]
behaviour = "script"
step = [ { do = "connect", expect = { type = "connack" }, part = "control" } ]
[fleet.sender]
behaviour = "script"
step = [ { do = "connect" }, { do = "publish", topic = "a/x", qos = 2, canary = "once", part = "stimulus" } ]
[[expect]]
oracle = "exactly-once"
canary = "once"
at = "reader"
within = "1s"
"#;

fn publish(qos: i64, id: i64, dup: bool) -> [(&'static str, Value); 4] {
    [("topic", "a/x".into()), ("qos", Value::Int(qos)), ("packet_id", Value::Int(id)), ("dup", Value::Bool(dup))]
}

fn id(id: i64) -> [(&'static str, Value); 1] {
    [("packet_id", Value::Int(id))]
}

/// Reader on 1, sender on 2; the message is sent at 100 ms and acknowledged at 200 ms where `word` says so.
fn sent(word: bool) -> Film {
    let mut film = Film::new(plan("5", ONCE));
    login(film.at(0), "reader", 1, Some("r"), "r1");
    login(film.at(0), "sender", 2, Some("s"), "s1");
    film.at(100).plants(2, "once", "publish", &publish(2, 7, false));
    film.at(150).got(2, "pubrec", &id(7)).sent(2, "pubrel", &id(7));
    if word {
        film.at(200).got(2, "pubcomp", &id(7));
    }
    film
}

fn once(film: &mut Film, end: u64) -> Judgement {
    film.at(end).served();
    film.judge(&exactly_once::ORACLE)
}

#[test]
fn one_delivery_passes_and_two_fail() {
    let mut film = sent(true);
    film.at(210).sees(1, "once", &publish(2, 1, false));
    assert_says(&once(&mut film, 2_000), Verdict::Pass, "delivered once");
    film.at(2_100).sees(1, "once", &publish(2, 2, false));
    assert_says(&once(&mut film, 3_000), Verdict::Fail, "2 times");
}

#[test]
fn a_retransmission_of_an_open_exchange_is_no_second_delivery() {
    let mut film = sent(true);
    film.at(210).sees(1, "once", &publish(2, 1, false));
    film.at(220).sees(1, "once", &publish(2, 1, true));
    assert_says(&once(&mut film, 2_000), Verdict::Pass, "delivered once");
}

#[test]
fn a_retransmission_of_a_finished_exchange_is_a_second_delivery() {
    let mut film = sent(true);
    film.at(210).sees(1, "once", &publish(2, 1, false)).sent(1, "pubrec", &id(1)).sent(1, "pubcomp", &id(1));
    film.at(220).sees(1, "once", &publish(2, 1, true));
    assert_says(&once(&mut film, 2_000), Verdict::Fail, "2 times");
}

#[test]
fn a_message_that_was_acknowledged_may_not_be_lost() {
    assert_says(&once(&mut sent(true), 1_200), Verdict::Fail, "never came");
    assert_says(&once(&mut sent(true), 1_199), Verdict::Inconclusive, "not there for long enough");
}

#[test]
fn a_message_without_an_acknowledgement_may_be_lost() {
    assert_says(&once(&mut sent(false), 5_000), Verdict::Inconclusive, "neither acknowledged nor delivered");
}

#[test]
fn a_reader_who_was_not_there_has_lost_nothing() {
    let mut film = sent(true);
    film.at(300).close(1, By::Us);
    assert_says(&once(&mut film, 9_000), Verdict::Inconclusive, "not there for long enough");
}

#[test]
fn a_puback_that_says_nobody_subscribes_is_still_a_word() {
    let acknowledged = |reason: i64| {
        let mut film = Film::new(plan("5", ONCE));
        login(film.at(0), "reader", 1, Some("r"), "r1");
        login(film.at(0), "sender", 2, Some("s"), "s1");
        film.at(100).plants(2, "once", "publish", &publish(1, 7, false));
        film.at(150).got(2, "puback", &[("packet_id", Value::Int(7)), ("reason", Value::Int(reason))]);
        once(&mut film, 5_000)
    };
    assert_says(&acknowledged(0x10), Verdict::Fail, "never came");
    assert_says(&acknowledged(0x87), Verdict::Inconclusive, "neither acknowledged");
}

#[test]
fn a_message_that_was_never_sent_proves_nothing() {
    assert_says(&once(&mut Film::new(plan("5", ONCE)), 1_000), Verdict::Inconclusive, "never sent");
}

/// Two deliveries, the second no repeat of the first, of a message that was published and delivered at these QoS.
fn twice(published: i64, delivered: i64) -> Judgement {
    let mut film = Film::new(plan("3.1.1", ONCE));
    login(film.at(0), "reader", 1, Some("r"), "r1");
    login(film.at(0), "sender", 2, Some("s"), "s1");
    film.at(100).plants(2, "once", "publish", &publish(published, 7, false));
    film.at(200).sees(1, "once", &publish(delivered, 1, false)).sees(1, "once", &publish(delivered, 2, false));
    once(&mut film, 3_000)
}

#[test]
fn what_was_published_at_qos_2_comes_once_at_qos_0_as_well() {
    for delivered in [0, 2] {
        assert_says(&twice(2, delivered), Verdict::Fail, "2 times");
    }
}

#[test]
fn a_second_delivery_is_permitted_where_the_message_or_its_delivery_is_of_qos_1() {
    for (published, delivered) in [(1, 1), (2, 1), (1, 0)] {
        let judgement = twice(published, delivered);
        assert_says(&judgement, Verdict::Pass, "at least once");
        assert_eq!(judgement.remarks.len(), 1, "{published} {delivered}");
    }
    for qos in [0, 2] {
        assert_says(&twice(qos, qos), Verdict::Fail, "2 times");
    }
    assert_eq!(twice(2, 2).violations[0].clause, "MQTT3 4.3.3-2");
}

#[test]
fn a_reader_who_was_granted_qos_0_has_no_promise() {
    let granted = |reason: i64| {
        let mut film = sent(true);
        film.at(50).got(1, "suback", &[("packet_id", Value::Int(3)), ("reason", Value::Int(reason))]);
        once(&mut film, 5_000)
    };
    assert_says(&granted(0), Verdict::Inconclusive, "granted QoS 0");
    assert_says(&granted(1), Verdict::Fail, "never came");
}

#[test]
fn an_exchange_whose_publish_was_never_answered_is_not_the_one_to_be_judged() {
    for (state, verdict) in [
        (StepState::Met, Verdict::Pass),
        (StepState::Unmet, Verdict::Inconclusive),
        (StepState::Barred, Verdict::Inconclusive),
    ] {
        let mut film = sent(true);
        film.at(210).sees(1, "once", &publish(2, 1, false)).step("sender", 0, 1, Some(2), state);
        assert_eq!(once(&mut film, 2_000).verdict, verdict, "{state:?}");
    }
}

const REFUSED: &str = r#"
[fleet.honest]
behaviour = "script"
step = [ { do = "connect", expect = { type = "connack" }, part = "control" } ]
[fleet.foe]
as = "nobody"
behaviour = "script"
step = [ { do = "connect", part = "stimulus" } ]
[[expect]]
oracle = "refused"
of = "foe"
within = "5s"
"#;

fn answered(answer: impl FnOnce(&mut Film)) -> Judgement {
    let mut film = Film::new(plan("5", REFUSED));
    film.at(0).open("foe", 0, 1).step("foe", 0, 0, Some(1), StepState::Started);
    film.sent(1, "connect", &[("client_id", "foe-0".into())]);
    answer(&mut film);
    film.judge(&refused::ORACLE)
}

#[test]
fn a_log_in_is_refused_by_a_code_or_by_the_end_of_the_connection() {
    let code = |film: &mut Film| _ = film.at(10).got(1, "connack", &[("reason", Value::Int(0x87))]);
    let end = |film: &mut Film| _ = film.at(5_000).close(1, By::Peer);
    assert_says(&answered(code), Verdict::Pass, "refused");
    assert_says(&answered(end), Verdict::Pass, "refused");
}

#[test]
fn a_log_in_that_succeeds_fails_and_one_that_is_left_open_decides_nothing() {
    let yes = |film: &mut Film| _ = film.at(10).got(1, "connack", &[("reason", Value::Int(0))]);
    let late = |film: &mut Film| _ = film.at(5_101).close(1, By::Peer);
    let never = |film: &mut Film| _ = film.at(5_000).served();
    assert_says(&answered(yes), Verdict::Fail, "accepted");
    assert_says(&answered(late), Verdict::Inconclusive, "neither");
    assert_says(&answered(never), Verdict::Inconclusive, "neither");
}

#[test]
fn a_log_in_that_was_not_waited_for_decides_nothing() {
    assert_says(&answered(|film| _ = film.at(4_999).served()), Verdict::Inconclusive, "neither");
    let film = Film::new(plan("5", REFUSED));
    assert_says(&film.judge(&refused::ORACLE), Verdict::Inconclusive, "nothing was evaluated");
}
