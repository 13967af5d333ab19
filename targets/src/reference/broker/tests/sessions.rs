//! Connections, sessions, Wills: who goes on with what, and when it ends.
use alloc::vec::Vec;

use proofhouse_core::admin::Order;
use proofhouse_core::ids::Conn;
use proofhouse_mqtt::codec::{Packet, Place, PropertiesBuf, PropertyId, ReasonCode, Version};

use super::world::*;

#[test]
fn a_session_goes_on_where_both_sides_want_that() {
    for version in Version::ALL {
        let mut w = open_world();
        for (who, answer) in [
            (anyone("c").stays(), "connack 00"),
            (anyone("c").stays(), "connack 00 present"),
            (As { clean: true, ..anyone("c").stays() }, "connack 00"),
            (anyone("c"), "connack 00"),
            (As { clean: false, ..anyone("c") }, "connack 00"),
        ] {
            let c = w.dial(version, &who);
            assert_eq!(w.hears(c), answer, "{version} clean {}", who.clean);
            w.disconnect(c, 0);
        }
    }
}

#[test]
fn what_was_missed_comes_in_order_and_what_was_unacknowledged_comes_again() {
    for version in Version::ALL {
        let mut w = open_world();
        let p = w.client(version, &anyone("p"));
        let s = w.client(version, &anyone("s").stays());
        w.subscribe(s, 1, "#", 2);
        w.publish(p, "one", 1, 1, b"");
        w.publish(p, "two", 2, 2, b"");
        w.publish(p, "rel", 2, 3, b"");
        w.pubrec(s, 3);
        w.lose(s);
        w.publish(p, "later", 1, 4, b"");
        w.publish(p, "zero", 0, 0, b"");
        let s = w.client(version, &anyone("s").stays());
        assert_eq!(w.hears(s), "one q1 #1 dup ; two q2 #2 dup ; pubrel 3; later q1 #4 ");
        w.puback(s, 1);
        w.pubrec(s, 2);
        w.pubcomp(s, 3);
        w.puback(s, 4);
        w.heard(s);
        w.lose(s);
        let s = w.client(version, &anyone("s").stays());
        assert_eq!(w.hears(s), "pubrel 2", "only its PUBCOMP is missing");
    }
}

#[test]
fn what_is_sent_again_keeps_within_a_smaller_receive_maximum() {
    let mut w = open_world();
    let p = w.client(V5, &anyone("p"));
    let s = w.client(V5, &anyone("s").stays());
    w.subscribe(s, 1, "t", 1);
    for n in 1..=3 {
        w.publish(p, "t", 1, n, b"");
    }
    w.lose(s);
    let s = w.client(V5, &As { receive_maximum: Some(1), ..anyone("s").stays() });
    assert_eq!(w.hears(s), "t q1 #1 dup ");
    w.puback(s, 1);
    w.puback(s, 2);
    assert_eq!(w.hears(s), "t q1 #2 dup ; t q1 #3 dup ");
}

#[test]
fn inbound_qos_2_is_exactly_once_over_take_over_and_reconnect() {
    for version in Version::ALL {
        for lose in [false, true] {
            let mut w = open_world();
            let s = w.client(version, &anyone("s"));
            w.subscribe(s, 1, "t", 0);
            w.heard(s);
            let old = w.client(version, &anyone("p").stays());
            w.publish(old, "t", 2, 7, b"x");
            if lose {
                w.lose(old);
            }
            let new = w.client(version, &anyone("p").stays());
            w.publish(new, "t", 2, 7, b"x");
            w.pubrel(new, 7);
            assert_eq!((w.hears(new), w.hears(s)), ("pubrec 7; pubcomp 7".into(), "t q0 x".into()), "{version}");
        }
    }
}

#[test]
fn a_second_client_with_an_id_throws_the_first_out() {
    for (version, goodbye) in [(V311, "connack 00; closed"), (V5, "connack 00; disconnect 8e; closed")] {
        let mut w = open_world();
        let first = w.dial(version, &anyone("c"));
        let second = w.dial(version, &anyone("c"));
        assert_eq!((w.hears(first), w.hears(second)), (goodbye.into(), "connack 00".into()));
    }
}

#[test]
fn a_session_ends_when_its_expiry_interval_is_over_and_not_before() {
    let mut w = open_world();
    for (wait, answer) in [(59, "connack 00 present"), (60, "connack 00")] {
        let c = w.client(V5, &anyone("c").stays());
        w.lose(c);
        w.pass(secs(wait));
        let c = w.dial(V5, &anyone("c").stays());
        assert_eq!(w.hears(c), answer, "after {wait} s");
        w.disconnect(c, 0);
    }
}

#[test]
fn disconnect_may_change_the_expiry_but_not_raise_it_from_zero() {
    let mut w = open_world();
    let goodbye =
        |seconds: u32| PropertiesBuf::new(Place::Disconnect).with(PropertyId::SessionExpiryInterval, seconds).unwrap();
    let say = |w: &mut World, c: Conn, seconds| {
        let properties = goodbye(seconds);
        let reason = ReasonCode::NORMAL_DISCONNECTION;
        w.say(c, &Packet::Disconnect(proofhouse_mqtt::codec::Disconnect { reason, properties: properties.view() }));
    };
    let c = w.client(V5, &anyone("c").stays());
    say(&mut w, c, 5);
    w.pass(secs(6));
    let c = w.dial(V5, &As { clean: false, ..anyone("c") });
    assert_eq!(w.hears(c), "connack 00");
    say(&mut w, c, 5);
    assert_eq!(w.hears(c), "disconnect 82; closed");
}

#[test]
fn a_missing_client_id_is_assigned_where_the_session_is_clean() {
    let mut w = open_world();
    let ids: Vec<_> = (0..2).map(|_| w.dial_and_hear(V5, &anyone(""))).collect();
    assert!(ids[0].starts_with("connack 00 as auto-") && ids[0].len() == "connack 00 as auto-".len() + 32, "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    let c = w.dial(V311, &anyone(""));
    assert_eq!(w.hears(c), "connack 00");
    let c = w.dial(V311, &As { clean: false, ..anyone("") });
    assert_eq!(w.hears(c), "connack 02; closed");
}

#[test]
fn silence_is_broken_off_after_one_and_a_half_keep_alives() {
    for (version, goodbye) in [(V311, "closed"), (V5, "disconnect 8d; closed")] {
        let mut w = open_world();
        let c = w.client(version, &As { keep_alive: 2, ..anyone("c") });
        let never = w.client(version, &anyone("never"));
        w.pass(secs(2));
        w.say(c, &Packet::Pingreq);
        w.pass(core::time::Duration::from_millis(2_999));
        assert_eq!(w.hears(c), "pingresp");
        w.pass(core::time::Duration::from_millis(1));
        assert_eq!(w.hears(c), goodbye);
        w.pass(secs(100_000));
        assert!(w.is_open(never), "a Keep Alive of 0 turns it off");
    }
}

#[test]
fn connect_must_come_within_ten_seconds() {
    let mut w = open_world();
    let slow = w.open();
    w.bytes(slow, &[0x10, 40]);
    let silent = w.open();
    w.pass(core::time::Duration::from_millis(9_999));
    assert!(w.is_open(slow) && w.is_open(silent));
    w.pass(core::time::Duration::from_millis(1));
    assert_eq!((w.hears(slow), w.hears(silent)), ("closed".into(), "closed".into()));
}

fn watcher(w: &mut World, version: Version) -> Conn {
    let s = w.client(version, &anyone("watcher"));
    w.subscribe(s, 1, "will/#", 0);
    w.heard(s);
    s
}

#[test]
fn a_will_is_published_unless_the_client_said_goodbye() {
    for version in Version::ALL {
        let mut w = open_world();
        let s = watcher(&mut w, version);
        let c = w.client(version, &anyone("c").will("will/c", b"x", 0));
        w.disconnect(c, 0);
        assert_eq!(w.hears(s), "");
        let c = w.client(version, &anyone("c").will("will/c", b"x", 0));
        w.lose(c);
        assert_eq!(w.hears(s), "will/c q0 x");
        let c = w.client(version, &anyone("c").will("will/c", b"bad", 0));
        w.bytes(c, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(w.hears(s), "will/c q0 bad", "an error is no goodbye");
        let _ = w.client(version, &As { keep_alive: 1, ..anyone("c").will("will/c", b"mute", 0) });
        w.pass(secs(2));
        assert_eq!(w.hears(s), "will/c q0 mute");
        let _ = w.client(version, &anyone("c").will("will/c", b"taken", 0));
        let _ = w.client(version, &anyone("c"));
        assert_eq!(w.hears(s), "will/c q0 taken");
    }
    let mut w = open_world();
    let s = watcher(&mut w, V5);
    let c = w.client(V5, &anyone("c").will("will/c", b"asked", 0));
    w.disconnect(c, 4);
    assert_eq!(w.hears(s), "will/c q0 asked");
}

#[test]
fn a_delayed_will_waits_for_its_delay_or_for_the_end_of_the_session() {
    for (delay, expiry, before, at) in [(5, 60, 4, 5), (60, 5, 4, 5), (5, 0, 0, 0)] {
        let mut w = open_world();
        let s = watcher(&mut w, V5);
        let c = w.client(V5, &As { expiry: Some(expiry), ..anyone("c").will("will/c", b"x", delay) });
        w.lose(c);
        if at > 0 {
            w.pass(secs(before));
            assert_eq!(w.hears(s), "", "delay {delay} expiry {expiry}");
            w.pass(secs(at - before));
        }
        assert_eq!(w.hears(s), "will/c q0 x", "delay {delay} expiry {expiry}");
        w.pass(secs(1_000));
        assert_eq!(w.hears(s), "", "once");
    }
}

#[test]
fn a_delayed_will_is_forgotten_when_the_client_comes_back_and_published_when_it_starts_clean() {
    for (clean, line) in [(false, ""), (true, "will/c q0 x")] {
        for lose in [true, false] {
            let mut w = open_world();
            let s = watcher(&mut w, V5);
            let c = w.client(V5, &anyone("c").stays().will("will/c", b"x", 5));
            if lose {
                w.lose(c);
            }
            let _ = w.client(V5, &As { clean, ..anyone("c").stays() });
            w.pass(secs(100));
            assert_eq!(w.hears(s), line, "clean {clean}");
        }
    }
}

#[test]
fn a_restart_keeps_sessions_and_retained_messages() {
    let mut w = open_world();
    let [kept, gone] = [w.client(V5, &anyone("kept").stays()), w.client(V311, &anyone("gone"))];
    w.subscribe(kept, 1, "t", 1);
    w.retain(gone, "r", 0, 0, b"x");
    w.heard(kept);
    w.order(&Order::Restart);
    assert_eq!((w.hears(kept), w.hears(gone)), ("disconnect 8b; closed".into(), "closed".into()));
    let back = w.dial(V5, &anyone("kept").stays());
    w.subscribe(back, 2, "r", 0);
    assert_eq!(w.hears(back), "connack 00 present; suback 2 [00]; r q0 retained x");
}

#[test]
fn only_one_connect_and_no_auth_without_a_method() {
    for (version, goodbye) in [(V311, "closed"), (V5, "disconnect 82; closed")] {
        let mut w = open_world();
        let c = w.client(version, &anyone("c"));
        w.connect(c, version, &anyone("c"));
        assert_eq!(w.hears(c), goodbye);
    }
    let mut w = open_world();
    let c = w.client(V5, &anyone("c"));
    w.bytes(c, &[0xF0, 0]);
    assert_eq!(w.hears(c), "disconnect 82; closed");
}
