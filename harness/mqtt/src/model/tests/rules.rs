//! A law for each rule that has none elsewhere: a server that keeps it, and just past the edge one that does not.
use super::scenes::*;
use super::*;

/// Plays a film; `true`: the server breaks the rule.
type Play = fn(&mut Film, bool);

/// Version, rule, film.
const LAWS: &[(&str, &str, Play)] = &[
    ("5", "connack-first", |film, wrong| {
        film.open("reader", 0, 0).sent(0, "connect", &[("client_id", "r".into()), ("clean_start", true.into())]);
        film.got(0, if wrong { "pingresp" } else { "connack" }, &[("reason", Value::Int(0))]);
    }),
    ("5", "one-connack", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        if wrong {
            film.got(0, "connack", &[("reason", Value::Int(0))]);
        }
    }),
    ("5", "silent-after-disconnect", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.sent(0, "pingreq", &[]).got(0, "disconnect", &[("reason", Value::Int(0x8B))]);
        if wrong {
            film.got(0, "pingresp", &[]);
        }
        film.close(0, By::Peer);
    }),
    ("5", "no-auth-unasked", |film, wrong| {
        let told = [("auth_method", Value::from("x"))];
        login(film, "reader", 0, &[], if wrong { &told } else { &[] });
    }),
    ("5", "refusal-without-session", |film, wrong| {
        let told = [("reason", Value::Int(0x87)), ("session_present", wrong.into())];
        login(film, "reader", 0, &[], &told);
        film.close(0, By::Peer);
    }),
    ("5", "clean-start-without-session", |film, wrong| {
        login(film, "reader", 0, &[], &[("session_present", wrong.into())]);
    }),
    ("5", "no-response-information", |film, wrong| {
        let asked = [("request_response_info", Value::Int(i64::from(!wrong)))];
        login(film, "reader", 0, &asked, &[("response_info", "x".into())]);
    }),
    ("5", "suback-has-its-id", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))]);
        film.got(0, "suback", &[("packet_id", Value::Int(1 + i64::from(wrong))), ("reason", Value::Int(1))]);
    }),
    ("5", "pubrec-is-sent", |film, wrong| {
        login(film, "writer", 0, &[], &[]);
        film.sent(0, "publish", &exact("m"));
        answer(film, wrong, "pubrec");
    }),
    ("5", "pubcomp-is-sent", |film, wrong| {
        login(film, "writer", 0, &[], &[]);
        film.sent(0, "publish", &exact("m")).got(0, "pubrec", &ack(1)).sent(0, "pubrel", &ack(1));
        answer(film, wrong, "pubcomp");
    }),
    ("3.1.1", "suback-is-sent", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))]);
        answer(film, wrong, "suback");
    }),
    ("3.1.1", "unsuback-is-sent", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.sent(0, "unsubscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into())]);
        answer(film, wrong, "unsuback");
    }),
    ("5", "pubrel-is-sent", |film, wrong| {
        passed_on(film, &exact("m"), &[exact("m")]);
        film.sent(0, "pubrec", &ack(1));
        answer(film, wrong, "pubrel");
    }),
    ("5", "suback-per-filter", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        let (both, one) = (Value::List([Value::Int(1), Value::Int(1)].to_vec()), Value::Int(1));
        let filters = Value::List(["a".into(), "b".into()].to_vec());
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filters", filters), ("qos", both.clone())]);
        film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", if wrong { one } else { both })]);
    }),
    ("5", "unsuback-per-filter", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        let (both, one) = (Value::List([Value::Int(0x11), Value::Int(0x11)].to_vec()), Value::Int(0x11));
        let filters = Value::List(["a".into(), "b".into()].to_vec());
        film.sent(0, "unsubscribe", &[("packet_id", Value::Int(1)), ("filters", filters)]);
        film.got(0, "unsuback", &[("packet_id", Value::Int(1)), ("reason", if wrong { one } else { both })]);
    }),
    ("5", "granted-within-asked", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))]);
        film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(1 + i64::from(wrong)))]);
    }),
    ("5", "subscribes-at-any-qos", |film, wrong| {
        login(film, "reader", 0, &[], &[("maximum_qos", Value::Int(0))]);
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))]);
        let code = if wrong { 0x9B } else { 0 };
        film.got(0, "suback", &[("packet_id", Value::Int(1)), ("reason", Value::Int(code))]);
    }),
    ("5", "subscribed-only", |film, wrong| {
        let topic = [("topic", Value::from(if wrong { "b" } else { "a" }))];
        passed_on(film, &message(1, "m", &topic), &[message(1, "m", &topic)]);
    }),
    ("5", "payload-unaltered", |film, wrong| {
        passed_on(film, &message(1, "m", &[]), &[message(1, if wrong { "n" } else { "m" }, &[])]);
    }),
    ("5", "payload-format-unaltered", |film, wrong| unaltered(film, wrong, "payload_format", Value::Int(1))),
    ("5", "response-topic-unaltered", |film, wrong| unaltered(film, wrong, "response_topic", "b".into())),
    ("5", "correlation-data-unaltered", |film, wrong| unaltered(film, wrong, "correlation_data", "b".into())),
    ("5", "content-type-unaltered", |film, wrong| unaltered(film, wrong, "content_type", "b".into())),
    ("5", "expired-is-deleted", |film, wrong| {
        let kept = |left: i64| message(1, "m", &[("retain", true.into()), ("message_expiry", Value::Int(left))]);
        login(film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &kept(2)).got(1, "puback", &ack(1)).at(if wrong { 4_000 } else { 3_900 });
        login(film, "reader", 0, &[], &[]);
        subscribe(film, 0, "a", &[]);
        film.got(0, "publish", &kept(0));
    }),
    ("5", "subscription-ids", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        subscribe(film, 0, "a", &[("subscription_id", Value::Int(7))]);
        login(film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[("subscription_id", Value::Int(7 + i64::from(wrong)))]));
    }),
    ("5", "id-not-in-use", |film, wrong| two(film, [1, 2 - i64::from(wrong)], &[])),
    ("5", "not-sent-again", |film, wrong| {
        let again = message(1, "m", &[("dup", true.into())]);
        passed_on(film, &message(1, "m", &[]), &[message(1, "m", &[])]);
        if wrong {
            film.got(0, "publish", &again);
        }
    }),
    ("5", "pubrel-after-pubrec", |film, wrong| {
        passed_on(film, &exact("m"), &[exact("m")]);
        film.sent(0, "pubrec", &ack(1)).got(0, "pubrel", &ack(1 + i64::from(wrong)));
    }),
    ("5", "receive-maximum-kept", |film, wrong| {
        two(film, [1, 2], &[("receive_maximum", Value::Int(2 - i64::from(wrong)))]);
    }),
    ("5", "alias-within-maximum", |film, wrong| {
        login(film, "reader", 0, &[("topic_alias_maximum", Value::Int(1))], &[]);
        subscribe(film, 0, "a", &[]);
        written(film, 1, "m");
        film.got(0, "publish", &message(1, "m", &[("topic_alias", Value::Int(1 + i64::from(wrong)))]));
    }),
    ("5", "alias-is-set", |film, wrong| {
        login(film, "reader", 0, &[("topic_alias_maximum", Value::Int(2))], &[]);
        subscribe(film, 0, "a", &[]);
        written(film, 1, "m");
        film.got(0, "publish", &message(1, "m", &[("topic_alias", Value::Int(1))])).sent(0, "puback", &ack(1));
        written(film, 2, "n");
        let alias = [("topic", "".into()), ("topic_alias", Value::Int(1 + i64::from(wrong)))];
        film.got(0, "publish", &message(2, "n", &alias));
    }),
    ("5", "no-problem-information", |film, wrong| {
        login(film, "reader", 0, &[("request_problem_info", Value::Int(i64::from(!wrong)))], &[]);
        film.sent(0, "subscribe", &[("packet_id", Value::Int(1)), ("filter", "a".into()), ("qos", Value::Int(1))]);
        let told = [("packet_id", Value::Int(1)), ("reason", Value::Int(1)), ("reason_string", "x".into())];
        film.got(0, "suback", &told);
    }),
    ("5", "in-order", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        subscribe(film, 0, "a", &[]);
        login(film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[])).sent(1, "publish", &message(2, "n", &[]));
        let (first, second) = if wrong { ("n", "m") } else { ("m", "n") };
        film.got(0, "publish", &message(1, first, &[])).got(0, "publish", &message(2, second, &[]));
    }),
    ("5", "retained-is-sent", |film, wrong| {
        retained(film, &["m"], 2_000);
        if !wrong {
            film.got(0, "publish", &message(1, "m", &[("retain", true.into())])).sent(0, "puback", &ack(1));
        }
        film.at(6_000).close(0, By::Us);
    }),
    ("5", "retained-is-the-last", |film, wrong| {
        retained(film, &["m", "n"], 4_000);
        film.got(0, "publish", &message(1, if wrong { "m" } else { "n" }, &[("retain", true.into())]));
    }),
    ("5", "retained-is-removed", |film, wrong| {
        retained(film, &["m", ""], 4_000);
        if wrong {
            film.got(0, "publish", &message(1, "m", &[("retain", true.into())]));
        }
    }),
    ("3.1.1", "retained-outlives-others", |film, wrong| {
        login(film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, "m", &[("retain", true.into())])).got(1, "puback", &ack(1));
        film.sent(1, "publish", &message(2, "n", &[])).got(1, "puback", &ack(2)).at(2_000);
        login(film, "reader", 0, &[], &[]);
        subscribe(film, 0, "a", &[]);
        if !wrong {
            film.got(0, "publish", &message(1, "m", &[("retain", true.into())])).sent(0, "puback", &ack(1));
        }
        film.at(6_000).close(0, By::Us);
    }),
    ("5", "id-free-after-puback", |film, wrong| under_one_id(film, wrong, 1)),
    ("5", "id-free-after-pubcomp", |film, wrong| under_one_id(film, wrong, 2)),
    ("5", "id-free-after-refusal", |film, wrong| under_one_id(film, wrong, 3)),
    ("5", "large-is-skipped", |film, wrong| {
        login(film, "reader", 0, &[("maximum_packet_size", Value::Int(60))], &[]);
        subscribe(film, 0, "a", &[]);
        login(film, "writer", 1, &[], &[]);
        film.sent(1, "publish", &message(1, &"x".repeat(61), &[])).got(1, "puback", &ack(1));
        film.sent(1, "publish", &message(2, "n", &[])).got(1, "puback", &ack(2));
        if !wrong {
            film.got(0, "publish", &message(1, "n", &[])).sent(0, "puback", &ack(1));
        }
        film.at(5_000).close(0, By::Us);
    }),
    ("5", "alias-is-accepted", |film, wrong| {
        login(film, "writer", 1, &[], &[("topic_alias_maximum", Value::Int(if wrong { 4 } else { 3 }))]);
        film.sent(1, "publish", &message(1, "m", &[("topic_alias", Value::Int(4))]));
        film.got(1, "disconnect", &[("reason", Value::Int(0x94))]).close(1, By::Peer);
    }),
    ("5", "others-while-full", |film, wrong| {
        two(film, [1, 2], &[("receive_maximum", Value::Int(2))]);
        film.sent(0, "pingreq", &[]);
        if !wrong {
            film.got(0, "pingresp", &[]);
        }
        film.at(5_000).close(0, By::Us);
    }),
    ("5", "begun-outlives-unsubscribe", |film, wrong| {
        passed_on(film, &exact("m"), &[exact("m")]);
        film.sent(0, "unsubscribe", &[("packet_id", Value::Int(2)), ("filter", "a".into())]);
        film.sent(0, "pubrec", &ack(1)).got(0, "unsuback", &[("packet_id", Value::Int(2)), ("reason", Value::Int(0))]);
        let reason = if wrong { 0x92 } else { 0 };
        film.got(0, "pubrel", &[("packet_id", Value::Int(1)), ("reason", Value::Int(reason))]);
    }),
    ("5", "shared-is-completed", |film, wrong| {
        let durable = [("clean_start", false.into()), ("session_expiry", Value::Int(60))];
        member(film, "reader", 0, &durable);
        begun(film, 0);
        login(film, "reader", 2, &durable, &[("session_present", true.into())]);
        if !wrong {
            let again: Vec<_> = exact("m").into_iter().filter(|(name, _)| *name != "dup").collect();
            film.got(2, "publish", &[&again[..], &[("dup", true.into())]].concat());
        }
        film.at(5_000).close(2, By::Us);
    }),
    ("5", "shared-goes-to-no-other", |film, wrong| {
        member(film, "reader", 0, &[]);
        member(film, "reader", 2, &[("client_id", "other".into())]);
        begun(film, 0);
        if wrong {
            film.got(2, "publish", &exact("m"));
        }
        film.at(5_000).close(2, By::Us);
    }),
    ("5", "retain-as-published", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        subscribe(film, 0, "a", &[("retain_as_published", true.into())]);
        login(film, "writer", 1, &[], &[]);
        let kept = [("retain", true.into())];
        film.at(1_100).sent(1, "publish", &message(1, "m", &kept)).got(1, "puback", &ack(1));
        film.got(0, "publish", &message(1, "m", &[("retain", (!wrong).into())]));
    }),
    ("3.1.1", "retain-flag-new", |film, wrong| {
        retained(film, &["m"], 2_000);
        film.got(0, "publish", &message(1, "m", &[("retain", (!wrong).into())]));
    }),
    ("5", "sent-again-on-resume", |film, wrong| {
        resumed(film, &message(1, "m", &[]), &[]);
        if !wrong {
            film.got(2, "publish", &message(1, "m", &[("dup", true.into())]));
        }
        film.at(5_000).close(2, By::Us);
    }),
    ("5", "pubrel-again-on-resume", |film, wrong| {
        resumed(film, &exact("m"), &["pubrec"]);
        if !wrong {
            film.got(2, "pubrel", &ack(1)).sent(2, "pubcomp", &ack(1));
        }
        film.at(5_000).close(2, By::Us);
    }),
    ("5", "done-is-done", |film, wrong| {
        resumed(film, &message(1, "m", &[]), &["puback"]);
        if wrong {
            film.got(2, "publish", &message(1, "m", &[("dup", true.into())]));
        }
    }),
    ("5", "nothing-after-clean-start", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        let known = [("clean_start", false.into()), ("session_expiry", Value::Int(60))];
        if wrong {
            film.got(0, "pubrel", &ack(1));
        } else {
            film.gauge(ROUNDS_BEFORE, 1);
            login(film, "writer", 1, &known, &[("session_present", true.into())]);
            film.got(1, "pubrel", &ack(1));
        }
    }),
    ("5", "will-is-published", |film, wrong| {
        will(film, &[]);
        film.close(1, By::Us);
        if !wrong {
            film.got(0, "publish", &message(1, "gone", &[])).sent(0, "puback", &ack(1));
        }
        film.at(5_000).close(0, By::Us);
    }),
    ("5", "will-waits", |film, wrong| {
        will(film, &[("will_delay", Value::Int(5)), ("session_expiry", Value::Int(60))]);
        film.close(1, By::Us).at(if wrong { 3_000 } else { 4_100 });
        film.got(0, "publish", &message(1, "gone", &[])).sent(0, "puback", &ack(1));
    }),
    ("5", "will-once", |film, wrong| {
        will(film, &[]);
        film.close(1, By::Us);
        for id in 1..2 + i64::from(wrong) {
            film.got(0, "publish", &message(id, "gone", &[])).sent(0, "puback", &ack(id));
        }
    }),
    ("5", "refusal-closes", |film, wrong| {
        login(film, "reader", 0, &[], &[("reason", Value::Int(0x87))]);
        film.at(5_000).close(0, if wrong { By::Us } else { By::Peer });
    }),
    ("5", "disconnect-closes", |film, wrong| {
        login(film, "reader", 0, &[], &[]);
        film.got(0, "disconnect", &[("reason", Value::Int(0x8B))]);
        film.at(5_000).close(0, if wrong { By::Us } else { By::Peer });
    }),
    ("5", "keep-alive-kept", |film, wrong| {
        login(film, "reader", 0, &[("keep_alive", Value::Int(2))], &[]);
        film.at(if wrong { 6_100 } else { 5_900 }).close(0, By::Us);
    }),
];

/// What has its law beside the others of its kind.
const ELSEWHERE: &[&str] = &[
    "well-formed",
    "topic-is-text",
    "session-present",
    "no-session-present",
    "assigned-client-id",
    "ack-has-its-id",
    "puback-is-sent",
    "pingresp-is-sent",
    "unsubscribed-is-told",
    "delivered",
    "not-after-unsubscribe",
    "qos-of-both",
    "no-more-copies",
    "no-local",
    "one-of-a-group",
    "dup-is-own",
    "dup-on-redelivery",
    "user-properties-in-order",
    "expiry-counted-down",
    "packet-size-kept",
    "connack-leaves-out",
    "puback-leaves-out",
    "pubrec-leaves-out",
    "pubrel-leaves-out",
    "pubcomp-leaves-out",
    "suback-leaves-out",
    "unsuback-leaves-out",
    "disconnect-leaves-out",
    "retained-is-not-sent",
    "only-retained-is-kept",
    "retain-flag-live",
    "will-is-dropped",
    "will-retain",
    "takeover-closes",
    "takeover-is-told",
    "connect-is-answered",
];

/// What the strict decoder finds in one packet: the kind of packet, the rule, a clause of it.
const DECODED: &[(&str, &str, &str)] = &[
    ("publish", "publish-qos", "MQTT5 3.3.1-4"),
    ("publish", "topic-without-wildcard", "MQTT5 3.3.2-2"),
    ("publish", "no-dup-at-qos0", "MQTT5 3.3.1-2"),
    ("publish", "packet-id", "MQTT5 2.2.1-2"),
    ("suback", "property-length", "MQTT5 2.2.2-1"),
    ("suback", "user-property-text", "MQTT5 1.5.7-1"),
    ("disconnect", "session-expiry-in-disconnect", "MQTT5 3.14.2-2"),
    ("connack", "connack-flags", "MQTT5 3.2.2-1"),
    ("connack", "listed-connack", "MQTT5 3.2.2-8"),
    ("puback", "listed-puback", "MQTT5 3.4.2-1"),
    ("pubrec", "listed-pubrec", "MQTT5 3.5.2-1"),
    ("pubrel", "listed-pubrel", "MQTT5 3.6.2-1"),
    ("pubcomp", "listed-pubcomp", "MQTT5 3.7.2-1"),
    ("suback", "listed-suback", "MQTT5 3.9.3-2"),
    ("unsuback", "listed-unsuback", "MQTT5 3.11.3-2"),
    ("disconnect", "listed-disconnect", "MQTT5 3.14.2-1"),
    ("auth", "listed-auth", "MQTT5 3.15.2-1"),
];

#[test]
fn each_rule_spares_who_keeps_it_and_finds_who_does_not() {
    let mut wrongly = Vec::new();
    for (version, rule, play) in LAWS {
        for wrong in [false, true] {
            let mut film = film(version);
            play(&mut film, wrong);
            // Who breaks one rule may break another by the same.
            let found = broken(&film);
            if found.contains(*rule) != wrong || (!wrong && !found.is_empty()) {
                wrongly.push(format!(
                    "{rule}, wrong {wrong}: broken {:?}: {}",
                    broken(&film),
                    film.judge(&ORACLE).reason
                ));
            }
        }
    }
    assert!(wrongly.is_empty(), "{wrongly:#?}");
}

#[test]
fn what_the_strict_decoder_refuses_is_a_rule_of_its_own() {
    for (kind, rule, clause) in DECODED {
        let mut film = film("5");
        login(&mut film, "reader", 0, &[], &[]);
        let packet =
            Packet { kind: (*kind).to_string(), fields: testing::fields(&[]), malformed: format!("no [{clause}]") };
        let bytes = Bytes { conn: 0, hex: "00".to_string(), len: None, sha256: None, packets: [packet].to_vec() };
        film.entry(Who::Member("reader".to_string(), 0), Event::Received(bytes));
        assert!(broken(&film).contains(*rule), "{rule}: {:?}", broken(&film));
    }
}

#[test]
fn a_packet_of_the_server_keeps_to_our_maximum() {
    for (most, expected) in [(5, &[][..]), (4, &["packet-size-kept"])] {
        let mut film = film("5");
        let asked =
            [("client_id", "r".into()), ("clean_start", true.into()), ("maximum_packet_size", Value::Int(most))];
        film.open("reader", 0, 0).sent(0, "connect", &asked);
        let fields = testing::fields(&[("reason", Value::Int(0)), ("session_present", false.into())]);
        let packet = Packet { kind: "connack".to_string(), fields, malformed: String::new() };
        let hex = "2003000000".to_string();
        let bytes = Bytes { conn: 0, hex, len: None, sha256: None, packets: [packet].to_vec() };
        film.entry(Who::Member("reader".to_string(), 0), Event::Received(bytes));
        check(&film, expected);
    }
}

#[test]
fn a_sentence_is_left_out_where_our_maximum_has_no_room_for_it() {
    const FIRST: &[(&str, &str)] = &[
        ("connack", "20"),
        ("puback", "40"),
        ("pubrec", "50"),
        ("pubrel", "62"),
        ("pubcomp", "70"),
        ("suback", "90"),
        ("unsuback", "b0"),
        ("disconnect", "e0"),
    ];
    let play = |kind: &str, first: &str, most: i64, says: bool| {
        let mut film = film("5");
        let asked =
            [("client_id", "r".into()), ("clean_start", true.into()), ("maximum_packet_size", Value::Int(most))];
        film.open("reader", 0, 0).sent(0, "connect", &asked);
        let mut fields = testing::fields(&[("reason", Value::Int(0))]);
        if says {
            fields.set("reason_string", "x");
        }
        let packet = Packet { kind: kind.to_string(), fields, malformed: String::new() };
        let hex = format!("{first}1e{}", "00".repeat(30));
        let bytes = Bytes { conn: 0, hex, len: None, sha256: None, packets: [packet].to_vec() };
        film.entry(Who::Member("reader".to_string(), 0), Event::Received(bytes));
        let rule = format!("{kind}-leaves-out");
        let armed = film.judge(&ORACLE).armed.iter().any(|row| row.rule == rule && row.is_armed());
        (armed, broken(&film).contains(&rule))
    };
    for (kind, first) in FIRST {
        // A packet of 32 bytes.
        let played =
            [(32, false), (31, true), (32, true), (96, false)].map(|(most, says)| play(kind, first, most, says));
        assert_eq!(played, [(true, false), (true, true), (false, false), (false, false)], "{kind}");
    }
}

#[test]
fn a_step_beyond_a_limit_that_the_server_announced_is_owed_nothing() {
    let publish = |more: &[(&'static str, Value)]| ("publish", message(1, "m", more));
    let filter = |filter: &str| {
        let fields = [("packet_id", Value::Int(1)), ("filter", filter.into()), ("qos", Value::Int(1))];
        ("subscribe", fields.to_vec())
    };
    for (limit, least, (kind, fields), rule) in [
        ("maximum_qos", 0, publish(&[]), "puback-is-sent"),
        ("retain_available", 0, publish(&[("retain", true.into())]), "puback-is-sent"),
        ("topic_alias_maximum", 1, publish(&[("topic_alias", Value::Int(2))]), "puback-is-sent"),
        ("wildcard_available", 0, filter("+"), "suback-is-sent"),
        ("shared_available", 0, filter("$share/g/a"), "suback-is-sent"),
    ] {
        for limited in [true, false] {
            let mut film = film("5");
            let most = if limited { least } else { least + 1 };
            login(&mut film, "writer", 0, &[], &[(limit, Value::Int(most))]);
            film.sent(0, kind, &fields).at(5_000).close(0, By::Us);
            check(&film, if limited { &[] } else { core::slice::from_ref(&rule) });
        }
    }
}

#[test]
fn no_rule_is_without_a_law() {
    let laws = LAWS.iter().map(|(_, rule, _)| *rule).chain(DECODED.iter().map(|(_, rule, _)| *rule));
    let laws: BTreeSet<&str> = laws.chain(ELSEWHERE.iter().copied()).collect();
    let rules: BTreeSet<&str> = super::super::rules::all().map(|rule| rule.id).collect();
    assert_eq!(laws, rules);
}
