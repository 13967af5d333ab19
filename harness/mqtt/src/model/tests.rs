//! The model on films cut by hand: each law has the server that is right, perhaps in an unusual way, and just past the edge one that is not.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proofhouse_core::recorder::{MEMORY_LIMIT, RECEIVED_LIMIT, RECORD_LIMIT, ROUNDS_BEFORE};
use proofhouse_core::registry::Registry;
use proofhouse_core::testing::{self, Film};
use proofhouse_core::transcript::{By, Bytes, Event, Life, Packet, Slipped, Who};
use proofhouse_core::value::Value;

use super::ORACLE;

mod messages;
mod rules;
mod scenes;
mod sessions;

const TARGET: &str = "format = 1\nkind = \"process\"\n[process]\nprogram = \"true\"\n[[endpoint]]\nname = \"plain\"\n\
    protocol = \"mqtt\"\nversions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\n";

/// A film of two clients, reader and writer, on a target of ours.
fn film(version: &str) -> Film {
    let registry = Registry { protocols: [crate::MQTT].to_vec(), ..Registry::default() };
    let target = testing::target(TARGET, &registry);
    let fleet = |name: &str, part: &str| {
        format!("[fleet.{name}]\nbehaviour = \"script\"\nstep = [{{ do = \"connect\", part = \"{part}\" }}]\n")
    };
    let fleets = fleet("reader", "control") + &fleet("writer", "stimulus") + "[[expect]]\noracle = \"mqtt-model\"\n";
    let head = format!("format = 1\ntitle = \"x\"\nprotocol = \"mqtt\"\nlimit = \"60s\"\nversion = \"{version}\"\n");
    let plan = testing::planned("mqtt/x", &(head + &fleets), &target, &registry);
    let mut film = Film::new(plan);
    film.life(Life::Started { version: String::new() });
    film
}

/// A log-in that is accepted.
fn login(film: &mut Film, fleet: &str, conn: u32, more: &[(&str, Value)], told: &[(&str, Value)]) {
    let mut fields = Vec::from([("client_id", Value::from(fleet)), ("clean_start", true.into())]);
    for (key, value) in more {
        fields.retain(|(name, _)| name != key);
        fields.push((key, value.clone()));
    }
    let mut answer = Vec::from([("reason", Value::Int(0)), ("session_present", false.into())]);
    for (key, value) in told {
        answer.retain(|(name, _)| name != key);
        answer.push((key, value.clone()));
    }
    film.open(fleet, 0, conn).sent(conn, "connect", &fields).got(conn, "connack", &answer);
}

/// SUBSCRIBE at QoS 1, and its SUBACK.
fn subscribe(film: &mut Film, conn: u32, filter: &str, more: &[(&str, Value)]) {
    let mut fields = Vec::from([("packet_id", Value::Int(1)), ("filter", filter.into()), ("qos", Value::Int(1))]);
    fields.extend_from_slice(more);
    film.sent(conn, "subscribe", &fields).got(
        conn,
        "suback",
        &[("packet_id", Value::Int(1)), ("reason", Value::Int(1))],
    );
}

/// The fields of a PUBLISH at QoS 1.
fn message<'f>(id: i64, payload: &str, more: &[(&'f str, Value)]) -> Vec<(&'f str, Value)> {
    let mut fields = Vec::from([
        ("topic", Value::from("a")),
        ("qos", Value::Int(1)),
        ("packet_id", Value::Int(id)),
        ("retain", false.into()),
        ("dup", false.into()),
        ("payload", payload.into()),
    ]);
    for (key, value) in more {
        fields.retain(|(name, _)| name != key);
        fields.push((key, value.clone()));
    }
    fields
}

fn ack(id: i64) -> [(&'static str, Value); 2] {
    [("packet_id", Value::Int(id)), ("reason", Value::Int(0))]
}

/// The rules that a film breaks.
fn broken(film: &Film) -> BTreeSet<String> {
    let judgement = film.judge(&ORACLE);
    let rule = |place: &str| place.split('/').next().unwrap_or("").to_string();
    judgement.violations.iter().map(|violation| rule(&violation.place)).collect()
}

#[track_caller]
fn check(film: &Film, expected: &[&str]) {
    let wanted: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(broken(film), wanted, "{}", film.judge(&ORACLE).reason);
}

#[test]
fn what_comes_is_what_was_published_with_user_properties_in_order_among_others() {
    let pair = |key: &str| Value::List([key.into(), "x".into()].to_vec());
    let list = |keys: &[&str]| Value::List(keys.iter().map(|key| pair(key)).collect());
    for (got, expected) in [
        (list(&["a", "b"]), &[][..]),
        (list(&["server", "a", "b"]), &[]),
        (list(&["b", "a"]), &["user-properties-in-order"]),
        (list(&["a"]), &["user-properties-in-order"]),
    ] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[("user_properties", list(&["a", "b"]))]));
        film.got(0, "publish", &message(1, "m", &[("user_properties", got)])).sent(0, "puback", &ack(1));
        film.got(1, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_server_that_works_off_its_queue_owes_nothing_yet_and_one_that_is_quiet_does() {
    let play = |answered: bool| {
        let mut film = film("5");
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).sent(1, "publish", &message(2, "n", &[]));
        film.at(2_000).got(1, "puback", &ack(1));
        // Right before the end it answers the first of two more.
        film.at(3_900).sent(1, "publish", &message(3, "o", &[]));
        if answered {
            film.at(4_000).got(1, "puback", &ack(2));
        }
        film.at(4_100).close(1, By::Us);
        film
    };
    check(&play(true), &[]);
    check(&play(false), &["puback-is-sent"]);
}

#[test]
fn what_was_acknowledged_may_be_on_its_way_for_a_second_and_is_never_kept_for_longer() {
    for (later, expected) in [(900, &[][..]), (1_100, &["only-retained-is-kept"])] {
        let mut film = film("3.1.1");
        scenes::acknowledged(&mut film);
        scenes::comes_to_a_later(&mut film, later);
        check(&film, expected);
    }
}

#[test]
fn a_retained_message_may_come_with_its_flag_as_long_as_the_subscription_may_be_bringing_it() {
    for (later, expected) in [(900, &[][..]), (1_100, &["retain-flag-live"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[("retain_handling", Value::Int(0))]);
        login(&mut film, "writer", 1, &[], &[]);
        film.at(later).sent(1, "publish", &message(1, "m", &[("retain", true.into())])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[("retain", true.into())])).sent(0, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_goodbye_counts_where_the_server_has_answered_it_with_the_end() {
    for (by, expected) in [(By::Us, &[][..]), (By::Peer, &["will-is-dropped"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        let will = [("will_topic", "a".into()), ("will_payload", "gone".into()), ("will_qos", Value::Int(1))];
        login(&mut film, "writer", 1, &will, &[]);
        film.sent(1, "disconnect", &[("reason", Value::Int(0))]).close(1, by);
        film.got(0, "publish", &message(1, "gone", &[])).sent(0, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_session_of_a_round_before_is_no_wonder_and_one_from_nowhere_is() {
    for (rounds, expected) in [(1, &[][..]), (0, &["no-session-present"])] {
        let mut film = film("5");
        if rounds > 0 {
            film.gauge(ROUNDS_BEFORE, rounds);
        }
        let durable = [("clean_start", false.into()), ("session_expiry", Value::Int(60))];
        login(&mut film, "reader", 0, &durable, &[("session_present", true.into())]);
        check(&film, expected);
    }
}

#[test]
fn two_copies_need_two_subscriptions() {
    for (filters, expected) in [(&["a", "+"][..], &[][..]), (&["a"], &["no-more-copies"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        for filter in filters {
            subscribe(&mut film, 0, filter, &[]);
        }
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[])).got(0, "publish", &message(2, "m", &[]));
        film.sent(0, "puback", &ack(1)).sent(0, "puback", &ack(2));
        check(&film, expected);
    }
}

#[test]
fn the_qos_is_the_lower_of_both() {
    for (granted, got, expected) in [(1, 1, &[][..]), (0, 0, &[]), (0, 1, &["qos-of-both"]), (1, 0, &["qos-of-both"])] {
        let mut film = film("3.1.1");
        login(&mut film, "reader", 0, &[], &[]);
        let asked = [("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))];
        film.sent(0, "subscribe", &asked).got(
            0,
            "suback",
            &[("packet_id", Value::Int(1)), ("reason", Value::Int(granted))],
        );
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        let mut copy = message(1, "m", &[("qos", Value::Int(got))]);
        copy.retain(|(name, _)| got > 0 || *name != "packet_id");
        film.got(0, "publish", &copy);
        check(&film, expected);
    }
}

#[test]
fn what_a_client_says_against_the_standard_is_followed_no_further() {
    for (second, expected) in [("pingreq", &["pingresp-is-sent"][..]), ("connect", &[])] {
        let mut film = film("3.1.1");
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, second, &[]).at(5_000).close(1, By::Us);
        check(&film, expected);
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_a_line_and_clauses_of_a_version() {
    let mut known = BTreeSet::new();
    for rule in super::rules::all() {
        assert!(known.insert(rule.id), "{} is there twice", rule.id);
        assert!(rule.doc.len() > 15 && !rule.clauses.is_empty(), "{}", rule.id);
        assert!(rule.clauses.iter().all(|clause| clause.starts_with("MQTT5 ") || clause.starts_with("MQTT3 ")));
    }
}
