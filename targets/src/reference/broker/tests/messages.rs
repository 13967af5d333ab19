//! Messages: quality, retaining, subscriptions, expiry, aliases, shares.
use alloc::format;
use alloc::vec::Vec;

use proofhouse_mqtt::codec::{Ack, Packet, PropertyId, QoS, ReasonCode, RetainHandling, SubscribeOptions, Version};

use super::world::*;

const AT_MOST: SubscribeOptions = SubscribeOptions::new(QoS::AtMostOnce);

#[test]
fn each_quality_is_answered_as_it_demands() {
    for version in Version::ALL {
        let mut w = open_world();
        let c = w.client(version, &anyone("c"));
        for (qos, answer) in [(0, ""), (1, "puback 5"), (2, "pubrec 5")] {
            w.publish(c, "t", qos, 5, b"x");
            assert_eq!(w.hears(c), answer, "{version} QoS {qos}");
        }
        w.pubrel(c, 5);
        assert_eq!(w.hears(c), "pubcomp 5");
        w.say(c, &Packet::Pingreq);
        assert_eq!(w.hears(c), "pingresp");
    }
}

#[test]
fn delivery_takes_the_lower_of_both_qualities() {
    for (published, subscribed, line) in
        [(0, 2, "t q0 x"), (1, 0, "t q0 x"), (1, 2, "t q1 #1 x"), (2, 1, "t q1 #1 x"), (2, 2, "t q2 #1 x")]
    {
        let mut w = open_world();
        let [p, s] = [w.client(V5, &anyone("p")), w.client(V311, &anyone("s"))];
        w.subscribe(s, 1, "t", subscribed);
        w.heard(s);
        w.publish(p, "t", published, 9, b"x");
        assert_eq!(w.hears(s), line);
    }
}

#[test]
fn a_qos_2_message_that_comes_again_is_delivered_once_until_its_pubrel() {
    for version in Version::ALL {
        let mut w = open_world();
        let [p, s] = [w.client(version, &anyone("p")), w.client(version, &anyone("s"))];
        w.subscribe(s, 1, "t", 0);
        w.heard(s);
        for answer in ["pubrec 7", "pubrec 7"] {
            w.publish(p, "t", 2, 7, b"x");
            assert_eq!(w.hears(p), answer);
        }
        assert_eq!(w.hears(s), "t q0 x");
        w.pubrel(p, 7);
        w.publish(p, "t", 2, 7, b"y");
        assert_eq!((w.hears(p), w.hears(s)), ("pubcomp 7; pubrec 7".into(), "t q0 y".into()));
    }
}

#[test]
fn a_qos_2_delivery_is_a_handshake_of_four() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &anyone("s"))];
    w.subscribe(s, 1, "t", 2);
    w.publish(p, "t", 2, 7, b"x");
    w.pubrec(s, 1);
    w.pubcomp(s, 1);
    assert_eq!(w.hears(s), "suback 1 [02]; t q2 #1 x; pubrel 1");
    w.pubrec(s, 1);
    assert_eq!(w.hears(s), "pubrel 1 92", "the identifier is free again");
    w.pubrel(s, 40);
    assert_eq!(w.hears(s), "pubcomp 40 92");
}

#[test]
fn in_3_1_1_an_unknown_pubrel_is_answered_like_any_other() {
    let mut w = open_world();
    let c = w.client(V311, &anyone("c"));
    w.pubrel(c, 40);
    w.puback(c, 41);
    w.pubcomp(c, 42);
    assert_eq!(w.hears(c), "pubcomp 40");
}

#[test]
fn a_refused_pubrec_discards_the_message_and_frees_its_place() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &As { receive_maximum: Some(1), ..anyone("s") })];
    w.subscribe(s, 1, "t", 2);
    w.publish(p, "t", 2, 1, b"x");
    w.publish(p, "t", 2, 2, b"y");
    assert_eq!(w.hears(s), "suback 1 [02]; t q2 #1 x");
    w.say(s, &Packet::Pubrec(Ack::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED)));
    assert_eq!(w.hears(s), "t q2 #2 y");
}

#[test]
fn never_more_unacknowledged_messages_than_receive_maximum() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &As { receive_maximum: Some(2), ..anyone("s") })];
    w.subscribe(s, 1, "#", 1);
    w.heard(s);
    for n in 1..=4 {
        w.publish(p, &format!("t/{n}"), 1, n, b"");
    }
    assert_eq!(w.hears(s), "t/1 q1 #1 ; t/2 q1 #2 ");
    w.publish(p, "zero", 0, 0, b"");
    assert_eq!(w.hears(s), "zero q0 ", "the limit does not delay QoS 0");
    w.puback(s, 2);
    assert_eq!(w.hears(s), "t/3 q1 #3 ");
    w.puback(s, 1);
    w.puback(s, 3);
    assert_eq!(w.hears(s), "t/4 q1 #4 ");
}

#[test]
fn more_qos_2_messages_than_our_receive_maximum_end_the_connection() {
    let mut w = open_world();
    let c = w.client(V5, &anyone("c"));
    let old = w.client(V311, &anyone("old"));
    for n in 1..=256 {
        w.publish(c, "t", 2, n, b"");
        w.publish(old, "t", 2, n, b"");
    }
    assert_eq!(w.heard(c).len(), 256);
    w.publish(c, "t", 2, 257, b"");
    w.publish(old, "t", 2, 257, b"");
    assert_eq!(w.hears(c), "disconnect 93; closed");
    assert!(w.is_open(old), "3.1.1 has no Receive Maximum");
}

#[test]
fn overlapping_filters_give_one_copy_of_the_highest_quality_with_all_identifiers() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &anyone("s"))];
    w.subscribe_with(s, 1, "a/#", AT_MOST, Some(7));
    w.subscribe_with(s, 2, "+/b", SubscribeOptions::new(QoS::AtLeastOnce), Some(8));
    w.subscribe_with(s, 3, "c", AT_MOST, Some(9));
    w.heard(s);
    w.publish(p, "a/b", 1, 1, b"x");
    assert_eq!(w.hears(s), "a/b q1 #1 ids [7, 8] x");
}

#[test]
fn a_subscription_replaces_its_own_and_unsubscribing_ends_it() {
    for version in Version::ALL {
        let mut w = open_world();
        let c = w.client(version, &anyone("c"));
        w.subscribe(c, 1, "t", 0);
        w.subscribe(c, 2, "t", 1);
        w.publish(c, "t", 1, 9, b"x");
        assert_eq!(w.hears(c), "suback 1 [00]; suback 2 [01]; t q1 #1 x; puback 9");
        w.unsubscribe(c, 3, "t");
        w.unsubscribe(c, 4, "t");
        w.publish(c, "t", 1, 9, b"x");
        let codes =
            if version == V5 { ["unsuback 3 [00]", "unsuback 4 [11]"] } else { ["unsuback 3 []", "unsuback 4 []"] };
        assert_eq!(w.heard(c), [codes[0], codes[1], "puback 9"]);
    }
}

#[test]
fn leading_wildcards_do_not_match_dollar_topics_and_nobody_publishes_there() {
    let mut w = guarded_world();
    w.grant("owner", "publish $x/#");
    w.grant("owner", "subscribe #");
    w.grant("owner", "subscribe $x/#");
    w.grant("owner", "subscribe +/a");
    let c = w.client(V5, &user("c", "owner"));
    for (n, filter) in ["#", "+/a", "$x/+"].into_iter().enumerate() {
        w.subscribe(c, n as u16 + 1, filter, 0);
    }
    w.heard(c);
    w.publish(c, "$x/a", 1, 1, b"x");
    assert_eq!(w.hears(c), "$x/a q0 x; puback 1");
    let mut w = open_world();
    let c = w.client(V5, &anyone("c"));
    w.publish(c, "$SYS/x", 1, 1, b"x");
    assert_eq!(w.hears(c), "puback 1 87");
}

#[test]
fn retained_messages_are_kept_replaced_and_cleared() {
    for version in Version::ALL {
        let mut w = open_world();
        let [p, s] = [w.client(version, &anyone("p")), w.client(version, &anyone("s"))];
        w.retain(p, "a/1", 0, 0, b"old");
        w.retain(p, "a/1", 1, 1, b"new");
        w.retain(p, "a/2", 0, 0, b"gone");
        w.subscribe(s, 1, "a/#", 1);
        assert_eq!(w.hears(s), "suback 1 [01]; a/1 q1 #1 retained new; a/2 q0 retained gone");
        w.retain(p, "a/2", 0, 0, b"");
        assert_eq!(w.hears(s), "a/2 q0 ", "what is published now is not retained for those who are there");
        w.subscribe(s, 2, "a/2", 1);
        assert_eq!(w.hears(s), "suback 2 [01]");
    }
}

#[test]
fn retain_handling_and_retain_as_published_are_obeyed() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &anyone("s"))];
    w.retain(p, "t", 0, 0, b"x");
    let handling = |retain_handling| SubscribeOptions { retain_handling, retain_as_published: true, ..AT_MOST };
    for (n, (options, line)) in [
        (handling(RetainHandling::DoNotSend), "suback 1 [00]"),
        (handling(RetainHandling::SendIfNew), "suback 2 [00]"),
        (handling(RetainHandling::Send), "suback 3 [00]; t q0 retained x"),
    ]
    .into_iter()
    .enumerate()
    {
        w.subscribe_with(s, n as u16 + 1, "t", options, None);
        assert_eq!(w.hears(s), line);
    }
    w.unsubscribe(s, 4, "t");
    w.subscribe_with(s, 5, "t", handling(RetainHandling::SendIfNew), None);
    assert_eq!(w.hears(s), "unsuback 4 [00]; suback 5 [00]; t q0 retained x");
    w.retain(p, "t", 0, 0, b"y");
    assert_eq!(w.hears(s), "t q0 retained y", "retain as published");
}

#[test]
fn no_local_keeps_own_messages_away_retained_ones_too() {
    let mut w = open_world();
    let [c, other] = [w.client(V5, &anyone("c")), w.client(V5, &anyone("other"))];
    let options = SubscribeOptions { no_local: true, ..AT_MOST };
    w.subscribe_with(c, 1, "t", options, None);
    w.retain(c, "t", 0, 0, b"mine");
    w.subscribe_with(c, 2, "t", options, None);
    w.publish(other, "t", 0, 0, b"theirs");
    assert_eq!(w.hears(c), "suback 1 [00]; suback 2 [00]; t q0 theirs");
}

#[test]
fn properties_travel_and_what_belongs_to_one_hop_does_not() {
    let mut w = open_world();
    let [p, s] = [w.client(V5, &anyone("p")), w.client(V5, &anyone("s"))];
    let old = w.client(V311, &anyone("old"));
    w.subscribe(s, 1, "t", 0);
    w.subscribe(old, 1, "t", 0);
    w.publish_with(
        p,
        "t",
        0,
        0,
        b"x",
        false,
        &[
            (PropertyId::TopicAlias, 3_u16.into()),
            (PropertyId::UserProperty, ("b", "1").into()),
            (PropertyId::MessageExpiryInterval, 9_u32.into()),
            (PropertyId::UserProperty, ("a", "2").into()),
        ],
    );
    assert_eq!(w.hears(s), "suback 1 [00]; t q0 left 9 b=1 a=2 x");
    assert_eq!(w.hears(old), "suback 1 [00]; t q0 x");
}

#[test]
fn a_message_expires_while_it_waits_and_says_how_long_it_has_left() {
    let mut w = open_world();
    let p = w.client(V5, &anyone("p"));
    let s = w.client(V5, &anyone("s").stays());
    w.subscribe(s, 1, "t", 1);
    w.lose(s);
    w.publish_with(p, "t", 1, 1, b"long", false, &[(PropertyId::MessageExpiryInterval, 10_u32.into())]);
    w.publish_with(p, "t", 1, 2, b"short", false, &[(PropertyId::MessageExpiryInterval, 3_u32.into())]);
    w.publish_with(p, "t", 1, 3, b"kept", true, &[(PropertyId::MessageExpiryInterval, 4_u32.into())]);
    w.pass(secs(3));
    let s = w.client(V5, &anyone("s").stays());
    assert_eq!(w.hears(s), "t q1 #1 left 7 long; t q1 #3 left 1 kept");
    w.pass(secs(1));
    w.subscribe(s, 2, "t", 0);
    assert_eq!(w.hears(s), "suback 2 [00]", "the retained message has expired too");
}

#[test]
fn an_alias_stands_for_its_topic_within_its_connection_only() {
    let mut w = open_world();
    let s = w.client(V5, &anyone("s"));
    w.subscribe(s, 1, "#", 0);
    w.heard(s);
    let p = w.client(V5, &anyone("p").stays());
    let alias = |n: u16| [(PropertyId::TopicAlias, n.into())];
    w.publish_with(p, "t", 0, 0, b"1", false, &alias(16));
    w.publish_with(p, "", 0, 0, b"2", false, &alias(16));
    w.publish_with(p, "u", 0, 0, b"3", false, &alias(16));
    w.publish_with(p, "", 0, 0, b"4", false, &alias(16));
    assert_eq!(w.hears(s), "t q0 1; t q0 2; u q0 3; u q0 4");
    w.lose(p);
    let p = w.client(V5, &anyone("p").stays());
    w.publish_with(p, "", 0, 0, b"5", false, &alias(16));
    assert_eq!((w.hears(p), w.hears(s)), ("disconnect 82; closed".into(), "".into()));
    let p = w.client(V5, &anyone("p").stays());
    w.publish_with(p, "t", 0, 0, b"6", false, &alias(17));
    assert_eq!(w.hears(p), "disconnect 94; closed", "above our Topic Alias Maximum");
}

#[test]
fn our_own_aliases_stay_below_the_clients_maximum() {
    let mut w = open_world();
    let p = w.client(V5, &anyone("p"));
    let s = w.client(V5, &As { alias_maximum: Some(1), ..anyone("s") });
    w.subscribe(s, 1, "#", 0);
    w.heard(s);
    for topic in ["a", "b", "a"] {
        w.publish(p, topic, 0, 0, b"x");
    }
    assert_eq!(w.hears(s), "a q0 alias 1 x; b q0 x;  q0 alias 1 x");
}

#[test]
fn a_message_above_the_clients_maximum_packet_size_is_as_good_as_sent() {
    let mut w = open_world();
    let p = w.client(V5, &anyone("p"));
    let s = w.client(V5, &As { packet_maximum: Some(20), ..anyone("s") });
    w.subscribe(s, 1, "t", 1);
    w.heard(s);
    w.publish(p, "t", 1, 1, &[b'x'; 13]);
    w.publish(p, "t", 1, 2, &[b'y'; 12]);
    assert_eq!(w.hears(s), "t q1 #2 yyyyyyyyyyyy", "2 header, 3 topic, 2 id, 1 properties: 12 bytes fit, 13 do not");
}

#[test]
fn each_message_goes_to_one_member_of_a_share_and_to_everyone_else() {
    let mut w = open_world();
    let all: Vec<_> = ["p", "s1", "s2", "own"].into_iter().map(|name| w.client(V5, &anyone(name))).collect();
    let [p, s1, s2, own] = all[..] else { unreachable!() };
    w.subscribe(s1, 1, "$share/g/t/+", 1);
    w.subscribe(s2, 1, "$share/g/t/+", 1);
    w.subscribe(own, 1, "t/+", 1);
    for conn in [s1, s2, own] {
        w.heard(conn);
    }
    for n in 1..=4 {
        w.publish(p, &format!("t/{n}"), 1, n, b"");
    }
    assert_eq!(w.hears(s1), "t/1 q1 #1 ; t/3 q1 #2 ");
    assert_eq!(w.hears(s2), "t/2 q1 #1 ; t/4 q1 #2 ");
    assert_eq!(w.heard(own).len(), 4);
    w.retain(p, "t/9", 0, 0, b"kept");
    w.heard(s1);
    w.subscribe(s1, 2, "$share/g/t/+", 1);
    assert_eq!(w.hears(s1), "suback 2 [01]", "no retained messages for a share");
}

#[test]
fn a_share_member_that_ends_hands_its_qos_1_messages_on_and_its_qos_2_messages_not() {
    for (qos, line) in [(1, "t q1 #2 x"), (2, "")] {
        let mut w = open_world();
        let p = w.client(V5, &anyone("p"));
        let s1 = w.client(V5, &anyone("s1"));
        let s2 = w.client(V5, &anyone("s2"));
        w.subscribe(s1, 1, "$share/g/t", qos);
        w.subscribe(s2, 1, "$share/g/t", qos);
        w.publish(p, "t", qos, 1, b"x");
        w.publish(p, "t", qos, 2, b"y");
        w.heard(s2);
        w.lose(s1);
        assert_eq!(w.hears(s2), line, "QoS {qos}");
    }
}

#[test]
fn in_3_1_1_there_are_no_shares() {
    let mut w = open_world();
    let c = w.client(V311, &anyone("c"));
    w.subscribe(c, 1, "$share/g/t", 0);
    w.publish(c, "t", 0, 0, b"x");
    assert_eq!(w.hears(c), "suback 1 [80]");
}
