//! Messages and acknowledgements: what may come twice, late, or not at all.
use super::scenes::*;
use super::*;

/// SUBSCRIBE with an identifier of its own, and SUBACK with this code, if any.
fn asks(film: &mut Film, conn: u32, id: i64, more: &[(&str, Value)], code: Option<i64>) {
    let mut fields = Vec::from([("packet_id", Value::Int(id)), ("filter", "a".into()), ("qos", Value::Int(1))]);
    fields.extend_from_slice(more);
    film.sent(conn, "subscribe", &fields);
    if let Some(code) = code {
        film.got(conn, "suback", &[("packet_id", Value::Int(id)), ("reason", Value::Int(code))]);
    }
}

/// A log-in of a client that stays known for a minute.
fn durable(film: &mut Film, fleet: &str, conn: u32, present: bool) {
    let asked = [("clean_start", false.into()), ("session_expiry", Value::Int(60))];
    login(film, fleet, conn, &asked, &[("session_present", present.into())]);
}

#[test]
fn what_its_client_repeats_at_qos_1_may_come_twice() {
    for (repeats, expected) in [(true, &[][..]), (false, &["no-more-copies"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        durable(&mut film, "writer", 1, false);
        film.sent(1, "publish", &message(1, "m", &[])).close(1, By::Us);
        durable(&mut film, "writer", 2, true);
        if repeats {
            film.sent(2, "publish", &message(1, "m", &[("dup", true.into())])).got(2, "puback", &ack(1));
        }
        film.got(0, "publish", &message(1, "m", &[])).got(0, "publish", &message(2, "m", &[]));
        film.sent(0, "puback", &ack(1)).sent(0, "puback", &ack(2));
        check(&film, expected);
    }
}

#[test]
fn what_comes_at_qos_0_may_be_lost() {
    for (granted, expected) in [(0, &[][..]), (1, &["delivered"])] {
        let mut film = film("3.1.1");
        login(&mut film, "reader", 0, &[], &[]);
        asks(&mut film, 0, 1, &[], Some(granted));
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.at(5_000).close(0, By::Us);
        check(&film, expected);
    }
}

/// A packet of so many bytes that a client sends.
fn large(film: &mut Film, who: &str, conn: u32, len: usize, kind: &str, fields: &[(&str, Value)]) {
    let packet = Packet { kind: kind.to_string(), fields: testing::fields(fields), malformed: String::new() };
    let bytes = Bytes { conn, hex: "00".repeat(len), len: None, sha256: None, packets: [packet].to_vec() };
    film.entry(Who::Member(who.to_string(), 0), Event::Sent(bytes));
}

#[test]
fn a_packet_beyond_the_servers_own_limit_is_owed_nothing() {
    for (len, expected) in [(51, &[][..]), (50, &["puback-is-sent"])] {
        let mut film = film("5");
        login(&mut film, "writer", 0, &[], &[("maximum_packet_size", Value::Int(50))]);
        large(&mut film, "writer", 0, len, "publish", &message(1, "m", &[]));
        film.at(5_000).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn a_subscribe_that_is_refused_leaves_the_subscription_before() {
    for (code, expected) in [(0x00, &[][..]), (0x11, &["unsubscribed-is-told"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        asks(&mut film, 0, 1, &[], Some(1));
        asks(&mut film, 0, 2, &[], Some(0x80));
        film.sent(0, "unsubscribe", &[("packet_id", Value::Int(3)), ("filter", "a".into())]);
        film.got(0, "unsuback", &[("packet_id", Value::Int(3)), ("reason", Value::Int(code))]);
        check(&film, expected);
    }
}

#[test]
fn an_unsuback_that_refuses_ends_nothing() {
    for (code, expected) in [(0x87, &[][..]), (0x00, &["not-after-unsubscribe"])] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        asks(&mut film, 0, 1, &[], Some(1));
        film.sent(0, "unsubscribe", &[("packet_id", Value::Int(3)), ("filter", "a".into())]);
        film.got(0, "unsuback", &[("packet_id", Value::Int(3)), ("reason", Value::Int(code))]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[])).sent(0, "puback", &ack(1));
        assert_eq!(broken(&film).contains("not-after-unsubscribe"), !expected.is_empty(), "{:?}", broken(&film));
    }
}

#[test]
fn retain_handling_1_brings_nothing_only_where_the_filter_was_surely_there() {
    for (first, expected) in [(None, &[][..]), (Some(1), &["retained-is-not-sent"])] {
        let mut film = film("5");
        login(&mut film, "writer", 1, &[], &[]);
        let kept = message(1, "m", &[("retain", true.into())]);
        film.sent(1, "publish", &kept).got(1, "puback", &ack(1)).at(2_000);
        login(&mut film, "reader", 0, &[], &[]);
        asks(&mut film, 0, 1, &[("retain_handling", Value::Int(2))], first);
        asks(&mut film, 0, 2, &[("retain_handling", Value::Int(1))], Some(1));
        film.got(0, "publish", &kept).sent(0, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_target_that_was_kept_from_acting_may_pass_on_as_much_later() {
    for (later, expected) in [(1_400, &[][..]), (1_600, &["only-retained-is-kept"])] {
        let mut film = film("3.1.1");
        acknowledged(&mut film);
        film.at(900).entry(Who::Harness, Event::Slip { of: Slipped::Target, ns: 500_000_000 });
        comes_to_a_later(&mut film, later);
        check(&film, expected);
    }
}

#[test]
fn what_our_acknowledgement_crossed_may_come_again_and_says_so() {
    for (came, expected) in [(true, &[][..]), (false, &["dup-is-own"])] {
        let mut film = film("3.1.1");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        if came {
            film.got(0, "publish", &message(1, "m", &[])).sent(0, "puback", &ack(1));
        }
        film.got(0, "publish", &message(1, "m", &[("dup", true.into())]));
        check(&film, expected);
    }
}

#[test]
fn an_answer_of_the_connection_before_may_come_on_a_resumed_one() {
    for (present, expected) in [(true, &[][..]), (false, &["ack-has-its-id"])] {
        let mut film = film("3.1.1");
        login(&mut film, "writer", 0, &[("clean_start", false.into())], &[]);
        film.sent(0, "publish", &message(1, "m", &[("qos", Value::Int(2))])).close(0, By::Us);
        let clean = [("clean_start", (!present).into())];
        login(&mut film, "writer", 1, &clean, &[("session_present", present.into())]);
        film.got(1, "pubrec", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn an_acknowledgement_of_ours_for_nothing_excuses_what_follows() {
    for (unknown, expected) in [(true, &[][..]), (false, &["pingresp-is-sent"])] {
        for kind in ["puback", "pubrec", "pubcomp"] {
            let mut film = film("5");
            login(&mut film, "reader", 0, &[], &[]);
            if unknown {
                film.sent(0, kind, &ack(9));
            }
            film.sent(0, "pingreq", &[]).at(5_000).close(0, By::Us);
            check(&film, expected);
        }
    }
}

#[test]
fn what_is_sent_again_may_have_the_countdown_of_the_first_time() {
    for (dup, expected) in [(true, &[][..]), (false, &["dup-on-redelivery", "expiry-counted-down", "no-more-copies"])] {
        let mut film = film("5");
        let expires = [("message_expiry", Value::Int(10))];
        durable(&mut film, "reader", 0, false);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &expires)).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &expires)).close(0, By::Us).at(3_000);
        durable(&mut film, "reader", 2, true);
        film.got(2, "publish", &message(1, "m", &[("dup", dup.into()), expires[0].clone()]));
        film.sent(2, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn a_retained_message_may_be_of_the_first_of_two_subscribes() {
    for (left, expected) in [(8, &[][..]), (10, &["expiry-counted-down"])] {
        let mut film = film("5");
        let kept = |expiry: i64| message(1, "m", &[("retain", true.into()), ("message_expiry", Value::Int(expiry))]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &kept(10)).got(1, "puback", &ack(1)).at(2_000);
        login(&mut film, "reader", 0, &[], &[]);
        asks(&mut film, 0, 1, &[], Some(1));
        film.at(6_000);
        asks(&mut film, 0, 2, &[], Some(1));
        film.got(0, "publish", &kept(left)).sent(0, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn no_local_says_nothing_of_what_is_retained() {
    for (live, expected) in [(false, &[][..]), (true, &["no-local"])] {
        let mut film = film("5");
        let no_local = [("no_local", true.into())];
        login(&mut film, "reader", 0, &[], &[]);
        if live {
            subscribe(&mut film, 0, "a", &no_local);
        }
        let kept = message(1, "m", &[("retain", (!live).into())]);
        film.sent(0, "publish", &kept).got(0, "puback", &ack(1));
        if !live {
            subscribe(&mut film, 0, "a", &no_local);
        }
        film.got(0, "publish", &kept).sent(0, "puback", &ack(1));
        check(&film, expected);
    }
}

#[test]
fn ill_formed_text_breaks_a_rule_in_every_kind_of_packet() {
    for (kind, expected) in [("publish", "topic-is-text"), ("connack", "well-formed")] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        let malformed = "a string is no UTF-8 [MQTT5 1.5.4-1]".to_string();
        let packet = Packet { kind: kind.to_string(), fields: testing::fields(&[]), malformed };
        let bytes = Bytes { conn: 0, hex: "00".to_string(), len: None, sha256: None, packets: [packet].to_vec() };
        film.entry(Who::Member("reader".to_string(), 0), Event::Received(bytes));
        assert!(broken(&film).contains(expected), "{kind}: {:?}", broken(&film));
    }
}

#[test]
fn a_second_member_of_a_group_gets_a_message_only_when_the_first_has_left() {
    for (leaves, expected) in [(true, &[][..]), (false, &["one-of-a-group"])] {
        let mut film = film("5");
        for (conn, who) in [(0, "reader"), (1, "second")] {
            login(&mut film, "reader", conn, &[("client_id", who.into())], &[]);
            subscribe(&mut film, conn, "$share/g/a", &[]);
        }
        login(&mut film, "writer", 2, &[], &[]);
        film.sent(2, "publish", &message(1, "m", &[])).got(2, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[]));
        if leaves {
            film.close(0, By::Us);
        }
        film.at(100).got(1, "publish", &message(1, "m", &[])).sent(1, "puback", &ack(1));
        // Everybody leaves in the end.
        film.at(3_000).close(1, By::Us);
        if !leaves {
            film.close(0, By::Us);
        }
        check(&film, expected);
    }
}

#[test]
fn a_record_that_was_cut_short_shows_nothing_missing() {
    for (cut, expected) in [(true, &[][..]), (false, &["puback-is-sent"])] {
        for name in [RECORD_LIMIT, MEMORY_LIMIT, RECEIVED_LIMIT] {
            let mut film = film("3.1.1");
            login(&mut film, "writer", 0, &[], &[]);
            film.sent(0, "publish", &message(1, "m", &[]));
            if cut {
                film.entry(Who::Harness, Event::Calibration { name: name.to_string(), value: 1 });
            }
            film.at(5_000).close(0, By::Us);
            check(&film, expected);
        }
    }
}

#[test]
fn what_a_reader_may_read_no_longer_need_not_come_again() {
    for (revoked, expected) in [(true, &[][..]), (false, &["sent-again-on-resume"])] {
        let mut film = film("5");
        durable(&mut film, "reader", 0, false);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[])).close(0, By::Us);
        if revoked {
            let (party, grant) = ("reader".to_string(), "subscribe a".to_string());
            film.entry(Who::Harness, Event::Grant { party, grant, allow: false });
        }
        durable(&mut film, "reader", 2, true);
        film.at(5_000).close(2, By::Us);
        check(&film, expected);
    }
}

#[test]
fn one_of_two_messages_that_look_the_same_may_come_again_under_the_identifier_of_the_other() {
    for (second, expected) in [(true, &[][..]), (false, &["done-is-done"])] {
        let mut film = film("5");
        durable(&mut film, "reader", 0, false);
        subscribe(&mut film, 0, "a", &[]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[])).sent(0, "puback", &ack(1));
        film.sent(0, "pingreq", &[]).got(0, "pingresp", &[]);
        if second {
            film.sent(1, "publish", &message(2, "m", &[])).got(1, "puback", &ack(2)).got(
                0,
                "publish",
                &message(1, "m", &[]),
            );
        }
        film.close(0, By::Us);
        durable(&mut film, "reader", 2, true);
        film.got(2, "publish", &message(1, "m", &[("dup", true.into())]));
        check(&film, expected);
    }
}

/// A reader with these subscriptions, by their identifiers, all of `a`; copies of one message come to it with these.
fn overlapping(subscribed: &[i64], copies: &[&[i64]]) -> Film {
    let mut film = film("5");
    login(&mut film, "reader", 0, &[], &[]);
    for (filter, id) in ["a", "+", "#"].into_iter().zip(subscribed) {
        subscribe(&mut film, 0, filter, &[("subscription_id", Value::Int(*id))]);
    }
    login(&mut film, "writer", 1, &[], &[]);
    film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
    for (nth, ids) in (1..).zip(copies) {
        let ids = Value::List(ids.iter().copied().map(Value::Int).collect());
        film.got(0, "publish", &message(nth, "m", &[("subscription_id", ids)])).sent(0, "puback", &ack(nth));
    }
    film
}

#[test]
fn the_only_copy_for_several_subscriptions_has_the_identifiers_of_all() {
    type Row<'r> = (&'r [i64], &'r [&'r [i64]], u64, bool);
    let rows: [Row<'_>; 6] = [
        (&[7, 8], &[&[7, 8]], 5_000, false),
        (&[7, 8], &[&[7], &[8]], 5_000, false),
        (&[7, 8], &[&[7]], 5_000, true),
        // The other copy may be late.
        (&[7, 8], &[&[7]], 2_900, false),
        (&[7, 8, 9], &[&[7, 8]], 100, true),
        (&[7, 8, 9], &[&[7, 8, 9]], 100, false),
    ];
    for (subscribed, copies, until, wrong) in rows {
        let mut film = overlapping(subscribed, copies);
        film.at(until).close(0, By::Us);
        check(&film, if wrong { &["subscription-ids"] } else { &[] });
    }
}

#[test]
fn of_two_retained_messages_the_second_is_the_one_that_left_when_the_first_was_acknowledged() {
    for (acknowledged, expected) in [(false, &[][..]), (true, &["retained-is-the-last"])] {
        let mut film = film("3.1.1");
        for (conn, fleet, id) in [(1, "writer", "w1"), (2, "writer", "w2")] {
            login(&mut film, fleet, conn, &[("client_id", id.into())], &[]);
        }
        let kept = |payload: &str| message(1, payload, &[("retain", true.into())]);
        film.sent(1, "publish", &kept("m"));
        if acknowledged {
            film.got(1, "puback", &ack(1)).sent(2, "publish", &kept("n"));
        } else {
            film.sent(2, "publish", &kept("n")).got(1, "puback", &ack(1));
        }
        film.got(2, "puback", &ack(1)).at(2_000);
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        film.got(0, "publish", &message(1, "m", &[("retain", true.into())]));
        check(&film, expected);
        assert!(!acknowledged || film.judge(&ORACLE).is_lesser());
    }
}

#[test]
fn a_server_that_looks_at_the_store_when_it_brings_it_may_find_what_replaced_it() {
    for (later, expected) in [(4_900, &[][..]), (5_100, &["retained-is-sent"])] {
        let mut film = film("5");
        let kept = |id: i64, payload: &str| message(id, payload, &[("retain", true.into())]);
        login(&mut film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &kept(1, "m")).got(1, "puback", &ack(1)).at(2_000);
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        film.at(later).sent(1, "publish", &kept(2, "n")).got(1, "puback", &ack(2));
        film.got(0, "publish", &message(1, "n", &[])).sent(0, "puback", &ack(1));
        film.at(9_500).close(0, By::Us);
        check(&film, expected);
    }
}

#[test]
fn what_only_our_second_shows_of_a_late_server_is_by_our_time() {
    for empty in [true, false] {
        let mut film = film("5");
        login(&mut film, "writer", 1, &[], &[]);
        let payload = if empty { "" } else { "m" };
        film.sent(1, "publish", &message(1, payload, &[("retain", empty.into())])).got(1, "puback", &ack(1)).at(1_500);
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[("retain_handling", Value::Int(2))]);
        film.got(0, "publish", &message(1, payload, &[])).sent(0, "puback", &ack(1));
        assert!(!broken(&film).is_empty() && film.judge(&ORACLE).is_lesser(), "{:?}", broken(&film));
    }
    // Two copies for one subscription, and another that was asked for before they came.
    for (late, by_our_time) in [(true, true), (false, false)] {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        subscribe(&mut film, 0, "a", &[]);
        acknowledged(&mut film);
        film.at(1_500);
        if late {
            let more = [("packet_id", Value::Int(2)), ("filter", "+".into()), ("qos", Value::Int(1))];
            film.sent(0, "subscribe", &more);
            film.got(0, "suback", &[("packet_id", Value::Int(2)), ("reason", Value::Int(1))]);
        }
        for id in [1, 2] {
            film.got(0, "publish", &message(id, "m", &[])).sent(0, "puback", &ack(id));
        }
        check(&film, &["no-more-copies"]);
        assert_eq!(film.judge(&ORACLE).is_lesser(), by_our_time);
    }
}
