//! Who is let in, and what they may publish and read: at SUBSCRIBE, at PUBLISH and at every delivery.
use alloc::format;

use proofhouse_core::admin::Order;
use proofhouse_core::note::Note;
use proofhouse_mqtt::codec::{PropertyId, Version};

use super::world::*;

#[test]
fn only_the_right_credentials_are_let_in() {
    for (who, v5, v3) in [
        (anyone("c"), "87", "05"),
        (As { user: Some(("owner", b"wrong")), ..anyone("c") }, "86", "04"),
        (As { user: Some(("nobody", b"pw-owner")), ..anyone("c") }, "86", "04"),
        (As { user: Some(("owner", b"")), ..anyone("c") }, "86", "04"),
        (As { user: Some(("owner", b"pw-owner\0")), ..anyone("c") }, "86", "04"),
        (As { user: Some(("", b"pw-owner")), ..anyone("c") }, "86", "04"),
    ] {
        let mut w = guarded_world();
        for (version, code) in [(V5, v5), (V311, v3)] {
            let c = w.dial(version, &who);
            assert_eq!(w.hears(c), format!("connack {code}; closed"), "{version} {:?}", who.user);
        }
    }
    let mut w = guarded_world();
    let c = w.dial(V5, &user("c", "owner"));
    assert_eq!(w.hears(c), "connack 00");
}

#[test]
fn what_follows_a_refused_connect_is_not_processed() {
    for version in Version::ALL {
        let mut w = guarded_world();
        let s = w.client(version, &user("s", "reader"));
        w.subscribe(s, 1, "a/#", 0);
        w.heard(s);
        let c = w.open();
        w.speaks(c, version);
        let mut bytes = alloc::vec::Vec::new();
        connect_bytes(version, &anyone("c"), &mut bytes);
        bytes.extend_from_slice(publish_bytes(version));
        w.bytes(c, &bytes);
        assert_eq!(w.heard(c).len(), 2, "CONNACK and the end");
        assert_eq!(w.hears(s), "");
    }
}

/// A QoS 0 PUBLISH of `x` to `a/x`.
fn publish_bytes(version: Version) -> &'static [u8] {
    if version == V5 { b"\x30\x07\0\x03a/x\0x" } else { b"\x30\x06\0\x03a/xx" }
}

#[test]
fn nothing_is_served_before_connect() {
    for bytes in [publish_bytes(V311), publish_bytes(V5), b"\x82\x06\0\x01\0\x01#\0", b"\xc0\0", b"\xe0\0"] {
        let mut w = open_world();
        let s = w.client(V5, &anyone("s"));
        w.subscribe(s, 1, "#", 0);
        w.heard(s);
        let c = w.open();
        w.bytes(c, bytes);
        assert_eq!((w.hears(c), w.hears(s)), ("closed".into(), "".into()), "{bytes:02x?}");
    }
}

#[test]
fn a_filter_that_reaches_beyond_a_right_is_refused() {
    for (filter, v5, v3) in [
        ("a/#", "00", "00"),
        ("a/b", "00", "00"),
        ("#", "87", "80"),
        ("+/b", "87", "80"),
        ("b/#", "87", "80"),
        ("$SYS/#", "87", "80"),
        ("A/b", "87", "80"),
        ("/a", "87", "80"),
    ] {
        for (version, code) in [(V5, v5), (V311, v3)] {
            let mut w = guarded_world();
            let c = w.client(version, &user("c", "owner"));
            w.subscribe(c, 1, filter, 0);
            assert_eq!(w.hears(c), format!("suback 1 [{code}]"), "{version} {filter}");
        }
    }
    let mut w = guarded_world();
    let c = w.client(V5, &user("c", "other"));
    w.subscribe(c, 1, "$share/g/a/#", 0);
    assert_eq!(w.hears(c), "suback 1 [87]");
}

#[test]
fn a_publish_without_the_right_goes_nowhere_at_any_quality() {
    for version in Version::ALL {
        let mut w = guarded_world();
        let [s, c] = [w.client(version, &user("s", "reader")), w.client(version, &user("c", "other"))];
        w.subscribe(s, 1, "a/#", 2);
        w.heard(s);
        for (qos, v5, v3) in [(0, "", ""), (1, "puback 1 87", "puback 1"), (2, "pubrec 1 87", "pubrec 1")] {
            w.publish(c, "a/x", qos, 1, b"x");
            w.retain(c, "a/x", qos, 1, b"x");
            let answer = if version == V5 { v5 } else { v3 };
            assert!(w.heard(c).iter().all(|line| line == answer), "{version} QoS {qos}");
        }
        w.subscribe(s, 2, "a/#", 2);
        assert_eq!(w.heard(s).len(), 1, "nothing was retained");
    }
}

#[test]
fn an_alias_is_no_way_round_a_right() {
    let mut w = guarded_world();
    let [s, c] = [w.client(V5, &user("s", "reader")), w.client(V5, &user("c", "other"))];
    w.subscribe(s, 1, "a/#", 0);
    let alias = [(PropertyId::TopicAlias, 1_u16.into())];
    w.publish_with(c, "b/x", 1, 1, b"", false, &alias);
    w.publish_with(c, "", 1, 2, b"", false, &alias);
    w.publish_with(c, "a/x", 1, 3, b"", false, &alias);
    w.publish_with(c, "", 1, 4, b"", false, &alias);
    assert_eq!(w.hears(c), "puback 1; puback 2; puback 3 87; puback 4 87");
    assert_eq!(w.hears(s), "suback 1 [00]");
}

#[test]
fn a_will_needs_its_right_at_connect_and_when_it_is_published() {
    for (version, code) in [(V5, "87"), (V311, "05")] {
        let mut w = guarded_world();
        let s = w.client(version, &user("s", "reader"));
        w.subscribe(s, 1, "a/#", 0);
        w.heard(s);
        let c = w.dial(version, &user("c", "other").will("a/x", b"x", 0));
        assert_eq!(w.hears(c), format!("connack {code}; closed"));
        let c = w.client(version, &user("c", "owner").will("a/x", b"x", 0));
        w.revoke("owner", "publish a/#");
        w.lose(c);
        assert_eq!(w.hears(s), "");
    }
}

#[test]
fn a_revoked_right_covers_what_is_queued_and_what_is_in_flight() {
    for version in Version::ALL {
        let mut w = guarded_world();
        let p = w.client(version, &user("p", "owner"));
        let s = w.client(version, &user("s", "reader").stays());
        w.subscribe(s, 1, "a/#", 1);
        w.publish(p, "a/flying", 1, 1, b"");
        w.lose(s);
        w.publish(p, "a/queued", 1, 2, b"");
        w.revoke("reader", "subscribe a/#");
        assert_eq!(
            w.notes.last(),
            Some(&Note::Grant { party: "reader".into(), grant: "subscribe a/#".into(), allow: false })
        );
        w.publish(p, "a/later", 1, 3, b"");
        let s = w.client(version, &user("s", "reader").stays());
        assert_eq!(w.hears(s), "");
        w.publish(p, "a/now", 1, 4, b"");
        assert_eq!(w.hears(s), "");
        w.grant("reader", "subscribe a/#");
        w.publish(p, "a/again", 0, 0, b"");
        assert_eq!(w.hears(s), "a/again q0 ", "the subscription itself still stands");
    }
}

#[test]
fn a_retained_message_falls_with_the_right_of_its_author() {
    let mut w = guarded_world();
    let [p, s] = [w.client(V5, &user("p", "owner")), w.client(V5, &user("s", "reader"))];
    w.retain(p, "a/x", 0, 0, b"x");
    w.subscribe(s, 1, "a/#", 0);
    w.revoke("owner", "publish a/#");
    w.subscribe(s, 2, "a/#", 0);
    assert_eq!(w.hears(s), "suback 1 [00]; a/x q0 retained x; suback 2 [00]");
}

#[test]
fn a_member_without_the_right_takes_nothing_from_its_share() {
    let mut w = guarded_world();
    w.grant("other", "subscribe a/#");
    let [p, s1, s2] =
        [("p", "owner"), ("s1", "other"), ("s2", "reader")].map(|(id, name)| w.client(V5, &user(id, name)));
    w.subscribe(s1, 1, "$share/g/a/#", 0);
    w.subscribe(s2, 1, "$share/g/a/#", 0);
    w.revoke("other", "subscribe a/#");
    for _ in 0..3 {
        w.publish(p, "a/x", 0, 0, b"");
    }
    assert_eq!((w.heard(s1).len(), w.heard(s2).len()), (1, 4), "SUBACK and the messages");
}

#[test]
fn a_session_belongs_to_the_user_who_made_it() {
    for (version, code) in [(V5, "85"), (V311, "02")] {
        let mut w = guarded_world();
        let p = w.client(version, &user("p", "owner"));
        let s = w.client(version, &user("s", "reader").stays());
        w.subscribe(s, 1, "a/#", 1);
        w.heard(s);
        let thief = w.dial(version, &user("s", "other").stays());
        assert_eq!(w.hears(thief), format!("connack {code}; closed"));
        assert!(w.is_open(s), "the victim is not thrown out");
        w.lose(s);
        w.publish(p, "a/x", 1, 1, b"x");
        let thief = w.dial(version, &As { clean: true, ..user("s", "other") });
        assert_eq!(w.hears(thief), format!("connack {code}; closed"));
        let s = w.dial(version, &user("s", "reader").stays());
        assert_eq!(w.hears(s), "connack 00 present; a/x q1 #1 x");
    }
}

#[test]
fn a_removed_or_re_keyed_account_is_cut_at_once() {
    for (order, codes) in [
        (Order::Remove { party: "owner".into() }, "connack 86; closed"),
        (Order::Rekey { party: "owner".into() }, "connack 86; closed"),
    ] {
        let mut w = guarded_world();
        let [c, other] = [w.client(V5, &user("c", "owner").stays()), w.client(V5, &user("o", "other"))];
        w.order(&order);
        assert_eq!(w.hears(c), "disconnect 98; closed");
        assert!(w.is_open(other));
        let c = w.dial(V5, &user("c", "owner"));
        assert_eq!(w.hears(c), codes);
    }
}

#[test]
fn enhanced_authentication_is_refused_as_a_method_that_we_do_not_have() {
    let mut w = open_world();
    let c = w.open();
    w.bytes(c, b"\x10\x12\0\x04MQTT\x05\x02\0\0\x04\x15\0\x01x\0\x01c");
    assert_eq!(w.hears(c), "connack 8c; closed");
}
