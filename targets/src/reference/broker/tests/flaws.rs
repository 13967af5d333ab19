//! Every flaw changes something that a client can see or memory that it holds: a dialogue for each, in which the clean broker and
//! the flawed one differ.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proofhouse_core::actor::Actor;
use proofhouse_core::admin::Order;
use proofhouse_mqtt::codec::PropertyId;

use super::super::{Accounts, Limits};
use super::world::*;
use crate::flaw::{Flaw, Flaws, TABLE};

type Dialogue = fn(&mut World);

fn run(flaws: Flaws, dialogue: Dialogue) -> Vec<String> {
    let mut world = World::new(Accounts::read(ACCOUNTS).unwrap(), Limits::default(), flaws);
    dialogue(&mut world);
    world.log
}

#[test]
fn every_flaw_shows_and_only_where_it_is_planted() {
    let dialogues: BTreeMap<Flaw, Dialogue> = DIALOGUES.iter().copied().collect();
    for row in TABLE.iter().filter(|row| row.target == "broker") {
        let dialogue = dialogues.get(&row.flaw).unwrap_or_else(|| panic!("{} has no dialogue", row.name));
        let [clean, again, flawed] =
            [Flaws::NONE, Flaws::NONE, Flaws::one(row.flaw)].map(|flaws| run(flaws, *dialogue));
        assert_eq!(clean, again, "{}: the clean broker is not deterministic", row.name);
        assert_ne!(clean, flawed, "{} does not show", row.name);
    }
}

#[test]
fn a_flaw_of_two_steps_needs_both_and_the_right_client() {
    let flaws = Flaws::one(Flaw::RetainThenClearCrashes);
    let crashes = |dialogue: Dialogue| run(flaws, dialogue).iter().any(|line| line == "exit 139");
    assert!(crashes(retain_then_clear));
    assert!(!crashes(|w| {
        let c = w.client(V5, &user("meter-17", "owner"));
        w.retain(c, "a/x", 1, 1, b"");
        w.retain(c, "a/x", 1, 2, b"x");
    }));
    assert!(!crashes(|w| {
        let c = w.client(V5, &user("meter-18", "owner"));
        w.retain(c, "a/x", 1, 1, b"x");
        w.retain(c, "a/x", 1, 2, b"");
    }));
}

/// A reader of `a/#`, connected.
fn reader(w: &mut World) -> proofhouse_core::ids::Conn {
    let s = w.client(V5, &user("s", "reader"));
    w.subscribe(s, 1, "a/#", 0);
    s
}

/// A refused publish at this quality.
fn forbidden(w: &mut World, qos: u8) {
    let [_s, c] = [reader(w), w.client(V5, &user("c", "other"))];
    w.publish(c, "a/x", qos, 1, b"x");
}

fn log_in(w: &mut World, name: &str, password: &[u8]) {
    w.dial(V5, &As { user: Some((name, password)), ..anyone("c") });
}

fn after_connect(w: &mut World, bytes: &[u8]) {
    let c = w.client(V5, &user("c", "owner"));
    w.bytes(c, bytes);
    w.bytes(c, b"\xc0\0");
}

fn connect_raw(w: &mut World, bytes: &[u8]) {
    let c = w.open();
    w.speaks(c, V5);
    w.bytes(c, bytes);
}

fn deep_topic(w: &mut World) {
    let c = w.client(V5, &user("c", "owner"));
    w.publish(c, &"a/".repeat(10_001), 1, 7, b"x");
}

fn offline_queue(w: &mut World, then: fn(&mut World)) {
    let p = w.client(V5, &user("p", "owner"));
    let s = w.client(V5, &user("s", "reader").stays());
    w.subscribe(s, 1, "a/#", 1);
    w.lose(s);
    w.publish(p, "a/x", 1, 1, b"x");
    then(w);
    w.dial(V5, &user("s", "reader").stays());
}

fn retain_then_clear(w: &mut World) {
    let c = w.client(V5, &user("meter-17", "owner"));
    w.retain(c, "a/x", 1, 1, b"x");
    w.retain(c, "a/x", 1, 2, b"");
}

const DIALOGUES: &[(Flaw, Dialogue)] = &[
    (Flaw::AcceptsAnonymous, |w| _ = w.dial(V5, &anyone("c"))),
    (Flaw::TellsUnknownUsers, |w| log_in(w, "nobody", b"x")),
    (Flaw::AcceptsPasswordAlone, |w| {
        let c = w.open();
        w.speaks(c, V311);
        w.bytes(c, b"\x10\x10\0\x04MQTT\x04\x42\0\x3c\0\x01c\0\x01x");
    }),
    (Flaw::AcceptsEmptyUser, |w| log_in(w, "", b"x")),
    (Flaw::AcceptsEmptyPassword, |w| log_in(w, "owner", b"")),
    (Flaw::ComparesToNul, |w| log_in(w, "owner", b"pw-owner\0junk")),
    (Flaw::TruncatesPassword, |w| {
        let long = "p".repeat(72);
        let file = format!("{ACCOUNTS}user long {long}right\n");
        let mut out = Default::default();
        w.broker.reload(&Accounts::read(&file).unwrap(), w.now, &mut out);
        log_in(w, "long", format!("{long}wrong").as_bytes());
    }),
    (Flaw::ProcessesBeforeConnack, |w| {
        reader(w);
        let c = w.open();
        w.speaks(c, V5);
        let mut bytes = Vec::new();
        connect_bytes(V5, &anyone("c"), &mut bytes);
        bytes.extend_from_slice(b"\x30\x07\0\x03a/x\0x");
        w.bytes(c, &bytes);
        w.pass(secs(2));
    }),
    (Flaw::PublishBeforeConnect, |w| {
        reader(w);
        let c = w.open();
        w.bytes(c, b"\x30\x07\0\x03a/x\0x");
    }),
    (Flaw::SecondConnectChangesIdentity, |w| {
        let c = w.client(V5, &user("c", "other"));
        w.connect(c, V5, &user("d", "owner"));
        w.publish(c, "a/x", 1, 1, b"x");
    }),
    (Flaw::IgnoresRemoval, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.order(&Order::Remove { party: "owner".into() });
        w.publish_if_open(c, "a/x");
    }),
    (Flaw::WildcardSubscribeIgnoresAcl, |w| {
        let [s, p] = [w.client(V5, &user("s", "other")), w.client(V5, &user("p", "owner"))];
        w.subscribe(s, 1, "#", 0);
        w.publish(p, "a/x", 0, 0, b"x");
    }),
    (Flaw::SubscribeIgnoresAcl, |w| {
        let [s, p] = [w.client(V5, &user("s", "other")), w.client(V5, &user("p", "owner"))];
        w.subscribe(s, 1, "a/x", 0);
        w.publish(p, "a/x", 0, 0, b"x");
    }),
    (Flaw::SysForEverybody, |w| {
        let c = w.client(V5, &user("c", "other"));
        w.subscribe(c, 1, "$SYS/#", 0);
    }),
    (Flaw::ClientsWriteSys, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.publish(c, "$SYS/x", 1, 1, b"x");
    }),
    (Flaw::DollarMatchesWildcard, |w| {
        w.grant("owner", "publish $x/#");
        w.grant("owner", "subscribe #");
        w.grant("owner", "subscribe $x/#");
        let c = w.client(V5, &user("c", "owner"));
        w.subscribe(c, 1, "#", 0);
        w.publish(c, "$x/a", 0, 0, b"x");
    }),
    (Flaw::PlusMatchesMore, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.subscribe(c, 1, "a/+", 0);
        w.publish(c, "a/b/c", 0, 0, b"x");
    }),
    (Flaw::HashMissesParent, |w| {
        let [_s, p] = [reader(w), w.client(V5, &user("p", "owner"))];
        w.publish(p, "a", 0, 0, b"x");
    }),
    (Flaw::AcceptsMisplacedWildcard, |w| after_connect(w, b"\x82\x0a\0\x05\0\0\x04a/b#\0")),
    (Flaw::PublishIgnoresAclAtQos0, |w| forbidden(w, 0)),
    (Flaw::PublishIgnoresAclAtQos1, |w| forbidden(w, 1)),
    (Flaw::PublishIgnoresAclAtQos2, |w| forbidden(w, 2)),
    (Flaw::PublishAclOnlyAtQos0, |w| forbidden(w, 2)),
    (Flaw::OddClientIdHangs, |w| {
        for _ in 0..2 {
            w.dial(V5, &user("a/b", "owner"));
        }
        w.dial(V5, &user("c", "owner"));
    }),
    (Flaw::WillIgnoresAcl, |w| {
        reader(w);
        let c = w.dial(V5, &user("c", "other").will("a/x", b"x", 0));
        if w.is_open(c) {
            w.lose(c);
        }
    }),
    (Flaw::ForgetsRetained, |w| {
        let p = w.client(V5, &user("p", "owner"));
        w.retain(p, "a/x", 0, 0, b"x");
        reader(w);
    }),
    (Flaw::RetainedOutlivesAuthor, |w| {
        let p = w.client(V5, &user("p", "owner"));
        w.retain(p, "a/x", 0, 0, b"x");
        w.revoke("owner", "publish a/#");
        reader(w);
    }),
    (Flaw::QueueIgnoresRevocation, |w| offline_queue(w, |w| w.revoke("reader", "subscribe a/#"))),
    (Flaw::DeliveryIgnoresRevocation, |w| {
        let [_s, p] = [reader(w), w.client(V5, &user("p", "owner"))];
        w.revoke("reader", "subscribe a/#");
        w.publish(p, "a/x", 0, 0, b"x");
    }),
    (Flaw::ShareIgnoresAcl, |w| {
        let [s, p] = [w.client(V5, &user("s", "other")), w.client(V5, &user("p", "owner"))];
        w.subscribe(s, 1, "$share/g/a/x", 0);
        w.publish(p, "a/x", 0, 0, b"x");
    }),
    (Flaw::AliasSkipsAcl, |w| {
        let [_s, c] = [reader(w), w.client(V5, &user("c", "other"))];
        let alias = [(PropertyId::TopicAlias, 1_u16.into())];
        w.publish_with(c, "a/x", 1, 1, b"", false, &alias);
        w.publish_with(c, "", 1, 2, b"x", false, &alias);
    }),
    (Flaw::AliasSurvivesConnection, |w| {
        let alias = [(PropertyId::TopicAlias, 1_u16.into())];
        for topic in ["a/x", ""] {
            let c = w.client(V5, &user("c", "owner"));
            w.publish_with(c, topic, 1, 1, b"", false, &alias);
            if w.is_open(c) {
                w.lose(c);
            }
        }
    }),
    (Flaw::AclIgnoresCase, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.publish(c, "A/x", 1, 1, b"");
    }),
    (Flaw::RoutesNormalForm, |w| {
        let [_s, c] = [reader(w), w.client(V5, &user("c", "owner"))];
        w.publish(c, "a//X", 0, 0, b"x");
    }),
    (Flaw::AcceptsIllFormedText, |w| after_connect(w, b"\x32\x09\0\x04a/x\xff\0\x05\0")),
    (Flaw::OddTopicDropsReaders, |w| {
        let [_s, c] = [reader(w), w.client(V5, &user("c", "owner"))];
        w.publish(c, "a/\u{ffff}", 0, 0, b"x");
    }),
    (Flaw::AcceptsWildcardTopic, |w| after_connect(w, b"\x32\x08\0\x03a/+\0\x05\0")),
    (Flaw::WildcardTopicFansOut, |w| {
        let s = w.client(V5, &user("s", "reader"));
        w.subscribe(s, 1, "a/x", 0);
        after_connect(w, b"\x32\x08\0\x03a/+\0\x05\0");
    }),
    (Flaw::SessionIgnoresIdentity, |w| offline_queue(w, |w| _ = w.dial(V5, &user("s", "other").stays()))),
    (Flaw::TakeoverLosesQueue, |w| offline_queue(w, |w| _ = w.dial(V5, &user("s", "other").stays()))),
    (Flaw::KeepsBothSessions, |w| {
        w.client(V5, &user("c", "owner"));
        w.client(V5, &user("c", "owner"));
    }),
    (Flaw::CleanStartKeepsQueue, |w| {
        offline_queue(w, |w| _ = w.dial(V5, &As { clean: true, ..user("s", "reader").stays() }));
    }),
    (Flaw::SessionNeverExpires, |w| offline_queue(w, |w| w.pass(secs(100)))),
    (Flaw::GuessableClientIds, |w| _ = w.dial(V5, &user("", "owner"))),
    (Flaw::NoKeepAlive, |w| {
        w.client(V5, &As { keep_alive: 1, ..user("c", "owner") });
        w.pass(secs(20));
    }),
    (Flaw::WillAfterDisconnect, |w| {
        reader(w);
        let c = w.client(V5, &user("c", "owner").will("a/x", b"x", 0));
        w.disconnect(c, 0);
    }),
    (Flaw::LosesWillOnReset, |w| {
        reader(w);
        let c = w.client(V5, &user("c", "owner").will("a/x", b"x", 0));
        w.lose(c);
    }),
    (Flaw::DoubleWill, |w| {
        reader(w);
        let c = w.client(V5, &user("c", "owner").stays().will("a/x", b"x", 2));
        w.lose(c);
        w.pass(secs(3));
    }),
    (Flaw::UnlimitedQos2, |w| {
        let c = w.client(V5, &user("c", "owner"));
        for n in 1..=257 {
            w.publish(c, "a/x", 2, n, b"");
        }
    }),
    (Flaw::ForgetsInboundQos2, |w| {
        let [_s, c] = [reader(w), w.client(V5, &user("c", "owner"))];
        w.publish(c, "a/x", 2, 7, b"x");
        w.publish(c, "a/x", 2, 7, b"x");
    }),
    (Flaw::TakeoverForgetsInboundQos2, |w| {
        reader(w);
        for _ in 0..2 {
            let c = w.client(V5, &user("c", "owner").stays());
            w.publish(c, "a/x", 2, 7, b"x");
        }
    }),
    (Flaw::AcceptsServerPackets, |w| after_connect(w, b"\xd0\0")),
    (Flaw::AcceptsReservedTypes, |w| after_connect(w, b"\0\0")),
    (Flaw::NoPubcompForUnknown, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.pubrel(c, 7);
    }),
    (Flaw::LosesOfflineMessages, |w| offline_queue(w, |_| {})),
    (Flaw::RedeliversWithoutDup, |w| {
        let p = w.client(V5, &user("p", "owner"));
        for _ in 0..2 {
            let s = w.client(V5, &user("s", "reader").stays());
            w.subscribe(s, 1, "a/#", 1);
            w.publish(p, "a/x", 1, 1, b"x");
            w.lose(s);
        }
    }),
    (Flaw::UnboundedQueue, |w| {
        let p = w.client(V5, &user("p", "owner"));
        let s = w.client(V5, &user("s", "reader").stays());
        w.subscribe(s, 1, "a/#", 1);
        w.lose(s);
        for n in 1..=1_100 {
            w.publish(p, "a/x", 1, n, &[0; 100]);
        }
        let held = w.broker.held();
        w.log.push(format!("held {held}"));
    }),
    (Flaw::NoConnectDeadline, |w| {
        w.open();
        w.pass(secs(60));
    }),
    (Flaw::FewConnections, |w| {
        for n in 0..65 {
            w.dial(V5, &user(&format!("c{n}"), "owner"));
        }
    }),
    (Flaw::DropsSurplusConnections, |w| {
        for n in 0..128 {
            w.dial(V5, &user(&format!("c{n}"), "owner"));
        }
        w.open();
    }),
    (Flaw::ReservesAnnouncedLength, |w| {
        let c = w.open();
        w.bytes(c, &[0x10, 0xF0, 0xFF, 0x3F]);
        let held = w.broker.held();
        w.log.push(format!("held {held}"));
    }),
    (Flaw::ExitsOnDeepTopic, deep_topic),
    (Flaw::HangsOnDeepTopic, deep_topic),
    (Flaw::AcceptsLongRemainingLength, |w| after_connect(w, b"\x32\x89\x80\x80\x80\x00\0\x03a/x\0\x05\0x")),
    (Flaw::AcceptsNonminimalLength, |w| after_connect(w, b"\x32\x89\x00\0\x03a/x\0\x05\0x")),
    (Flaw::AcceptsLongPropertyLength, |w| after_connect(w, b"\x32\x0d\0\x03a/x\0\x05\x80\x80\x80\x80\x00x")),
    (Flaw::ReadsPastPacket, |w| after_connect(w, b"\x32\x05\0\x03a/x")),
    (Flaw::AcceptsEmptyTopic, |w| after_connect(w, b"\x30\x04\0\0\0x")),
    (Flaw::AcceptsUnknownAlias, |w| after_connect(w, b"\x30\x06\0\0\x03\x23\0\x01")),
    (Flaw::AcceptsRepeatedProperty, |w| after_connect(w, b"\x32\x0c\0\x03a/x\0\x05\x04\x01\0\x01\0")),
    (Flaw::AcceptsForeignProperty, |w| after_connect(w, b"\x32\x0b\0\x03a/x\0\x05\x03\x13\0\x05")),
    (Flaw::AcceptsUnknownProperty, |w| after_connect(w, b"\x32\x0a\0\x03a/x\0\x05\x02\x04\x01")),
    (Flaw::AcceptsOutOfRangeProperty, |w| after_connect(w, b"\x32\x0a\0\x03a/x\0\x05\x02\x01\x02")),
    (Flaw::AcceptsReservedFlags, |w| after_connect(w, b"\x81\x09\0\x01\0\0\x03a/x\0")),
    (Flaw::AcceptsQos3, |w| after_connect(w, b"\x36\x09\0\x03a/x\0\x05\0x")),
    (Flaw::AcceptsConnectBits, |w| connect_raw(w, b"\x10\x17\0\x04MQTT\x05\xc3\0\x3c\0\0\x01c\0\x05owner\0\0")),
    (Flaw::AcceptsDupAtQos0, |w| after_connect(w, b"\x38\x07\0\x03a/x\0x")),
    (Flaw::AcceptsPacketIdZero, |w| after_connect(w, b"\x32\x09\0\x03a/x\0\0\0x")),
    (Flaw::AcceptsOtherProtocols, |w| connect_raw(w, b"\x10\x0f\0\x05MQTTx\x05\x02\0\x3c\0\0\x01c")),
    (Flaw::AcceptsOddSubscriptions, |w| after_connect(w, b"\x82\x09\0\x01\0\0\x03a/x\x03")),
    (Flaw::IgnoresEmptySubscribe, |w| after_connect(w, b"\x82\x03\0\x01\0")),
    (Flaw::LosesRestOfSegment, |w| after_connect(w, b"\xc0\0\xc0\0")),
    (Flaw::LosesSingleBytes, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.bytes(c, b"\xc0");
        w.bytes(c, b"\0");
    }),
    (Flaw::SkipsGarbage, |w| after_connect(w, b"\0\0")),
    (Flaw::ActsTwiceBeforeGarbage, |w| after_connect(w, b"\xc0\0\0\0")),
    (Flaw::OneCodeForAllFilters, |w| after_connect(w, b"\x82\x0f\0\x05\0\0\x03a/b\0\0\x03a/c\0\0")),
    (Flaw::AcceptsSurplusBytes, |w| after_connect(w, b"\xc0\x01\x00")),
    (Flaw::LogsRaw, |w| {
        w.dial(V5, &anyone("c\nforged"));
        let notes = format!("{:?}", w.notes);
        w.log.push(notes);
    }),
    (Flaw::ExitsOnRepeatedProperty, |w| after_connect(w, b"\x32\x0c\0\x03a/x\0\x05\x04\x01\0\x01\0")),
    (Flaw::ExitsOnMalformed, |w| after_connect(w, b"\0\0")),
    (Flaw::HangsOnMalformed, |w| after_connect(w, b"\0\0")),
    (Flaw::LeaksPerConnection, |w| {
        for _ in 0..10 {
            let c = w.open();
            w.lose(c);
        }
        let held = w.broker.held();
        w.log.push(format!("held {held}"));
    }),
    (Flaw::AnswersWrongPacketId, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.publish(c, "a/x", 1, 7, b"");
    }),
    (Flaw::DropsEveryTenth, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.subscribe(c, 1, "a/x", 1);
        for n in 1..=10 {
            w.publish(c, "a/x", 1, n, b"");
        }
    }),
    (Flaw::AssignsOneClientId, |w| _ = w.dial(V5, &user("", "owner"))),
    (Flaw::UnsubscribeEndsDelivery, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.subscribe(c, 1, "a/x", 2);
        w.publish(c, "a/x", 2, 7, b"x");
        w.unsubscribe(c, 2, "a/x");
        w.pubrec(c, 1);
    }),
    (Flaw::StallsWhenFull, |w| {
        let c = w.client(V5, &As { receive_maximum: Some(1), ..user("c", "owner") });
        w.subscribe(c, 1, "a/x", 1);
        w.publish(c, "a/x", 1, 7, b"x");
        w.bytes(c, b"\xc0\0");
    }),
    (Flaw::RemembersUsedIds, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.subscribe(c, 1, "a/x", 0);
        for _ in 0..2 {
            w.publish(c, "a/x", 2, 7, b"x");
            w.pubrel(c, 7);
        }
    }),
    (Flaw::IgnoresPacketMaximum, large_then_small),
    (Flaw::LargeMessageStalls, large_then_small),
    (Flaw::AnyMessageClears, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.retain(c, "a/x", 1, 1, b"x");
        w.publish(c, "a/x", 1, 2, b"y");
        w.subscribe(c, 3, "a/x", 0);
    }),
    (Flaw::ClearingKeeps, |w| {
        let c = w.client(V5, &user("c", "owner"));
        w.retain(c, "a/x", 1, 1, b"x");
        w.retain(c, "a/x", 1, 2, b"");
        w.subscribe(c, 3, "a/x", 0);
    }),
    (Flaw::KeepsOldRetained, |w| {
        let c = w.client(V5, &user("c", "owner"));
        for n in 1..=4 {
            w.retain(c, "a/x", 1, n, format!("{n}").as_bytes());
        }
        w.subscribe(c, 5, "a/x", 0);
    }),
    (Flaw::FirstIdentifierOnly, |w| {
        let c = w.client(V5, &user("c", "owner"));
        // SUBSCRIBE to a/x as 1, and to a/+ as 2.
        w.bytes(c, b"\x82\x0b\0\x01\x02\x0b\x01\0\x03a/x\0");
        w.bytes(c, b"\x82\x0b\0\x02\x02\x0b\x02\0\x03a/+\0");
        w.publish(c, "a/x", 1, 7, b"x");
    }),
    (Flaw::ForgetsPubrel, |w| {
        let c = w.client(V5, &user("c", "owner").stays());
        w.subscribe(c, 1, "a/x", 2);
        w.publish(c, "a/x", 2, 7, b"x");
        w.pubrec(c, 1);
        w.lose(c);
        w.dial(V5, &user("c", "owner").stays());
    }),
    (Flaw::RefusesHigherAliases, |w| after_connect(w, b"\x30\x09\0\x03a/x\x03\x23\0\x10")),
    (Flaw::SharedGoesOnAtQos2, |w| {
        let members = ["s", "t"].map(|id| w.client(V5, &user(id, "owner")));
        for member in members {
            w.subscribe(member, 1, "$share/g/a/x", 2);
        }
        let p = w.client(V5, &user("p", "owner"));
        w.publish(p, "a/x", 2, 7, b"x");
        for member in members {
            w.lose(member);
        }
    }),
    (Flaw::RetainThenClearCrashes, retain_then_clear),
    (Flaw::FlakyBySeed, |w| {
        for seed in 0..8 {
            let flaws = w.broker.flaws;
            let mut other = World::new(Accounts::open(), Limits::default(), flaws);
            other.broker = super::super::Broker::new(
                Accounts::open(),
                Limits::default(),
                flaws,
                proofhouse_core::seed::Seed(seed),
            );
            let c = other.client(V5, &anyone("c"));
            other.publish(c, "t", 1, 1, b"");
            w.log.push(format!("seed {seed}: {}", other.hears(c)));
        }
    }),
];

/// To a client that takes 60 bytes.
fn large_then_small(w: &mut World) {
    let c = w.client(V5, &As { packet_maximum: Some(60), ..user("c", "owner") });
    w.subscribe(c, 1, "a/x", 1);
    w.publish(c, "a/x", 1, 7, &[b'x'; 100]);
    w.publish(c, "a/x", 1, 8, b"x");
}

#[test]
fn a_flaky_flaw_shows_with_some_seeds_and_not_with_others() {
    let log = run(Flaws::one(Flaw::FlakyBySeed), DIALOGUES.last().unwrap().1);
    let mute = log.iter().filter(|line| !line.contains("puback")).count();
    assert!((1..8).contains(&mute), "{log:?}");
}
