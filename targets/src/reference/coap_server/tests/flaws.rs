//! Every flaw changes something that a client can see or memory that is held: a dialogue for each, in which the clean server and the
//! flawed one differ. Where a flaw concerns one kind of message, the other kinds go on being refused.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proofhouse_coap::codec::{Code, OptionNumber};
use proofhouse_core::actor::Actor;

use super::world::*;
use crate::flaw::{Flaw, Flaws, Row, TABLE};

type Dialogue = fn(&mut World);

fn run(flaws: Flaws, dialogue: Dialogue) -> Vec<String> {
    let mut world = World::new(flaws);
    dialogue(&mut world);
    world.log
}

#[test]
fn every_flaw_shows_and_only_where_it_is_planted() {
    let dialogues: BTreeMap<Flaw, Dialogue> = DIALOGUES.iter().copied().collect();
    for row in TABLE.iter().filter(|row| row.target == "coap") {
        let dialogue = dialogues.get(&row.flaw).unwrap_or_else(|| panic!("{} has no dialogue", row.name));
        let [clean, again, flawed] =
            [Flaws::NONE, Flaws::NONE, Flaws::one(row.flaw)].map(|flaws| run(flaws, *dialogue));
        assert_eq!(clean, again, "{}: the clean server is not deterministic", row.name);
        assert_ne!(clean, flawed, "{} does not show", row.name);
    }
}

#[test]
fn a_flaw_shows_in_its_own_dialogue_only() {
    // One dialogue goes through every method, some validate an address first, and some flaws are the same one more widely.
    const KIN: &[(Flaw, Flaw)] = &[
        (Flaw::GetUnguarded, Flaw::GuardsOnlyGet),
        (Flaw::IpatchUnguarded, Flaw::GuardsOnlyGet),
        (Flaw::GrantsUnderAnotherToken, Flaw::GuardsOnlyGet),
        (Flaw::GuardsOnlyGet, Flaw::IpatchUnguarded),
        (Flaw::GetUnguarded, Flaw::GrantsUnderAnotherToken),
        (Flaw::GrantsUnderAnotherToken, Flaw::GetUnguarded),
        (Flaw::NoEchoChallenge, Flaw::RstMatchedByMidOnly),
        (Flaw::NoEchoChallenge, Flaw::RstMatchedLater),
        (Flaw::RstMatchedLater, Flaw::RstMatchedByMidOnly),
        (Flaw::RstMatchedByMidOnly, Flaw::RstMatchedLater),
        (Flaw::MalformedChangesState, Flaw::MalformedClears),
        (Flaw::BlockGapAccepted, Flaw::BlockMiddleGapAccepted),
        (Flaw::DropsCopies, Flaw::DedupMissing),
        (Flaw::DedupMissing, Flaw::DropsCopies),
        (Flaw::DropsCopies, Flaw::DedupForgetsEarly),
        (Flaw::DedupMissing, Flaw::DedupForgetsEarly),
        (Flaw::DropsCopies, Flaw::DedupLastOnly),
        (Flaw::DedupMissing, Flaw::DedupLastOnly),
    ];
    let mut wrong = Vec::new();
    // Flaws of ordinary use show wherever it is made use of.
    let attacked = |row: &&Row| row.target == "coap" && !row.place.starts_with("RFC");
    let attacks: Vec<&Row> = TABLE.iter().filter(attacked).collect();
    for (flaw, dialogue) in DIALOGUES.iter().filter(|(flaw, _)| attacks.iter().any(|row| row.flaw == *flaw)) {
        let clean = run(Flaws::NONE, *dialogue);
        for row in attacks.iter().filter(|row| row.flaw != *flaw) {
            if !KIN.contains(&(row.flaw, *flaw)) && run(Flaws::one(row.flaw), *dialogue) != clean {
                wrong.push(format!("{} shows in the dialogue of {flaw:?}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const DIALOGUES: &[(Flaw, Dialogue)] = &[
    (Flaw::ListsProtected, |w| drop(w.ask(A, &get("/.well-known/core").token(b"12345678")))),
    (Flaw::GuardsOnlyGet, |w| {
        for code in 1..8 {
            w.ask(A, &Req { code: Some(Code(code)), ..get("/protected") });
        }
    }),
    (Flaw::IpatchUnguarded, |w| drop(w.ask(A, &Req { code: Some(Code::IPATCH), ..get("/protected") }))),
    (Flaw::GrantsUnderAnotherToken, |w| drop(w.ask(A, &get("/protected").mid(9)))),
    (Flaw::GetUnguarded, |w| drop(w.ask(A, &get("/protected")))),
    (Flaw::DedupMissing, |w| {
        for _ in 0..5 {
            w.ask(A, &post("/counter").mid(7));
        }
    }),
    (Flaw::DedupForgetsEarly, |w| {
        w.ask(A, &post("/counter").mid(7));
        w.pass(Duration::from_millis(500));
        w.ask(A, &post("/counter").mid(7));
    }),
    (Flaw::DedupLastOnly, |w| {
        w.ask(A, &post("/counter").mid(7));
        w.ask(A, &get("/time").mid(8));
        w.ask(A, &post("/counter").mid(7));
    }),
    (Flaw::DropsCopies, |w| {
        for _ in 0..2 {
            w.ask(A, &post("/counter").mid(7));
        }
    }),
    (Flaw::DedupNeverForgets, |w| {
        w.ask(A, &post("/counter").mid(7));
        w.pass(Duration::from_secs(250));
        w.ask(A, &post("/counter").mid(7));
    }),
    (Flaw::RstMatchedByMidOnly, |w| {
        w.validate(A);
        w.ask(A, &get("/time").observe(0));
        w.pass(Duration::from_secs(1));
        let mid = w.last_mid();
        w.reset(B, mid);
        w.ask(A, &put("/store", b"3"));
        w.pass(Duration::from_secs(60));
    }),
    (Flaw::RstMatchedLater, |w| {
        w.validate(A);
        w.ask(A, &get("/time").observe(0));
        w.pass(Duration::from_secs(1));
        let mid = w.last_mid();
        w.reset(B, mid);
        w.ask(A, &put("/store", b"3"));
        w.pass(Duration::from_secs(60));
    }),
    (Flaw::MalformedClears, |w| {
        w.ask(A, &put("/store", b"x"));
        w.hex(A, "5f 01 12 34 0102");
        w.ask(A, &get("/store"));
    }),
    (Flaw::MalformedChangesState, |w| {
        w.ask(A, &get("/actuator"));
        w.hex(A, "5f 01 12 34 0102");
        w.ask(A, &get("/actuator"));
    }),
    (Flaw::NoEchoChallenge, |w| drop(w.ask(A, &get("/large")))),
    (Flaw::BlockNumAllocates, |w| {
        w.ask(A, &put("/store", &[1; 16]).option(OptionNumber::SIZE1, &[0xFF; 4]).block1("0/1/16"));
        let held = w.server.held() >> 20;
        w.log.push(format!("{held} MiB held"));
    }),
    (Flaw::Szx7ReadAs6, |w| drop(w.ask(A, &put("/store", b"x").option(OptionNumber::BLOCK1, &[7])))),
    (Flaw::BlockGapAccepted, |w| {
        w.ask(A, &put("/store", &[1; 16]).block1("0/1/16"));
        w.ask(A, &put("/store", &[1; 1]).block1("2/0/16"));
    }),
    (Flaw::BlockMiddleGapAccepted, |w| {
        w.ask(A, &put("/store", &[1; 16]).block1("0/1/16"));
        w.ask(A, &put("/store", &[1; 16]).block1("2/1/16"));
        w.ask(A, &put("/store", &[1; 1]).block1("3/0/16"));
    }),
    (Flaw::BlockOverlapAccepted, |w| {
        w.ask(A, &put("/store", &[1; 32]).block1("0/1/32"));
        w.ask(A, &put("/store", &[2; 16]).block1("1/0/16"));
    }),
    (Flaw::ShortBlockAccepted, |w| drop(w.ask(A, &put("/store", &[1; 10]).block1("0/1/16")))),
    (Flaw::VersionIgnored, |w| drop(w.hex(A, "00 01 12 34"))),
    (Flaw::LongTokenAccepted, |w| drop(w.hex(A, "49 01 12 34 010203040506070809 b4 74696d65"))),
    (Flaw::OptionExtensionOverread, |w| drop(w.hex(A, "40 01 12 34 e0 01"))),
    (Flaw::OptionNibble15Accepted, |w| drop(w.hex(A, "40 01 12 34 b4 74696d65 f0"))),
    (Flaw::OptionNumberWraps, |w| drop(w.hex(A, "40 01 12 34 e0 ff ff e0 ff ff"))),
    (Flaw::OptionsArrayOverflows, |w| {
        let many = (0..51).fold(get("/time"), |request, _| request.option(OptionNumber::URI_QUERY, b"x"));
        w.ask(A, &many);
    }),
    (Flaw::MarkerWithoutPayloadAccepted, |w| drop(w.hex(A, "40 01 12 34 ff"))),
    (Flaw::ShortDatagramCrash, |w| drop(w.hex(A, "40 01"))),
    (Flaw::CriticalIgnored, |w| drop(w.ask(A, &get("/time").option(OptionNumber(65001), b"x")))),
    (Flaw::RepeatedCriticalLastWins, |w| {
        w.ask(A, &get("/time").option(OptionNumber::URI_HOST, b"a").option(OptionNumber::URI_HOST, b"b"));
    }),
    (Flaw::OptionLengthUnchecked, |w| drop(w.ask(A, &get("/time").option(OptionNumber::URI_PORT, &[0; 3])))),
    (Flaw::EmptyWithTokenProcessed, |w| drop(w.hex(A, "42 00 12 34 0102"))),
    (Flaw::RequestInAckProcessed, |w| drop(w.hex(A, "60 02 12 34 b7 636f756e746572"))),
    (Flaw::UnmatchedResponseConfirmed, |w| drop(w.hex(A, "40 45 12 34"))),
    (Flaw::TextNotUtf8Crash, |w| drop(w.ask(A, &get("/time").option(OptionNumber::URI_QUERY, &[0xC0, 0xAF])))),
    (Flaw::ReservedClassProcessed, |w| drop(w.hex(A, "40 21 12 34 b4 74696d65"))),
    (Flaw::GetAnswersChanged, |w| drop(w.ask(A, &get("/counter")))),
    (Flaw::PostAnswersContent, |w| drop(w.ask(A, &post("/counter")))),
    (Flaw::PutAnswersContent, |w| stored(w, &[b"1", b"2"])),
    (Flaw::DeleteFindsNothing, |w| drop(w.ask(A, &delete("/store")))),
    (Flaw::LosesEveryThirdPut, |w| stored(w, &[b"1", b"2", b"3"])),
    (Flaw::DeleteKeeps, deleted),
    (Flaw::EtagNeverChanges, |w| stored(w, &[b"1", b"2"])),
    (Flaw::AnyEtagIsValid, |w| {
        stored(w, &[b"1"]);
        w.ask(A, &get("/store").option(OptionNumber::ETAG, b"none"));
    }),
    (Flaw::ValidWithoutEtag, |w| {
        stored(w, &[b"1"]);
        let tag = w.last_option(4).unwrap();
        w.ask(A, &get("/store").option(OptionNumber::ETAG, &tag));
        raw(w);
    }),
    (Flaw::UnknownMethodIsBadRequest, |w| drop(w.ask(A, &Req { code: Some(Code(31)), ..get("/time") }))),
    (Flaw::IgnoresProxyUri, |w| drop(w.ask(A, &get("/time").option(OptionNumber::PROXY_URI, b"coap://a/")))),
    (Flaw::MuteBadOption, |w| drop(w.ask(A, &get("/time").option(OptionNumber(65001), b"x")))),
    (Flaw::AcceptIgnored, |w| drop(w.ask(A, &get("/time").option(OptionNumber::ACCEPT, &[50])))),
    (Flaw::ConditionIgnored, |w| drop(w.ask(A, &put("/store", b"1").option(OptionNumber::IF_MATCH, b"none")))),
    (Flaw::ElectiveRefused, |w| drop(w.ask(A, &get("/time").option(OptionNumber(65000), b"x")))),
    (Flaw::EchoesAccept, |w| {
        w.ask(A, &get("/time"));
        raw(w);
    }),
    (Flaw::MaxAgeTwice, |w| {
        w.ask(A, &get("/time"));
        raw(w);
    }),
    (Flaw::TokenChanged, |w| {
        w.ask(A, &post("/counter"));
        raw(w);
    }),
    (Flaw::AcknowledgesNon, |w| drop(w.ask(A, &get("/time").non()))),
    (Flaw::AnswersNonByCon, |w| drop(w.ask(A, &get("/time").non()))),
    (Flaw::PingAcknowledged, |w| drop(w.hex(A, "40 00 12 34"))),
    (Flaw::SeparateInAck, slow),
    (Flaw::OwnMidRepeats, |w| {
        slow(w);
        slow(w);
    }),
    (Flaw::SendsAgainAtOnce, |w| {
        w.ask(A, &get("/slow"));
        w.pass(Duration::from_secs(2));
    }),
    (Flaw::AckUnheeded, slow),
    (Flaw::ObsHasValue, listed),
    (Flaw::CtInWords, listed),
    (Flaw::LinksUnopened, listed),
    (Flaw::SecondObserverForgotten, observed),
    (Flaw::NoticeIsOld, observed),
    (Flaw::NoticeIsGarbled, observed),
    (Flaw::NoticeWithoutNumber, observed),
    (Flaw::NoticeNumberFalls, observed),
    (Flaw::NoticeFormatChanges, observed),
    (Flaw::NoticeIsChanged, observed),
    (Flaw::NoticesPileUp, observed),
    (Flaw::DeregisterIgnored, |w| {
        watched(w);
        w.ask(A, &get("/store").observe(1));
        w.ask(B, &put("/store", b"2"));
    }),
    (Flaw::ResetIgnored, |w| {
        watched(w);
        w.ask(A, &put("/store", b"2"));
        let mid = w.last_mid();
        w.reset(B, mid);
        w.ask(A, &put("/store", b"3"));
        w.pass(Duration::from_secs(10));
    }),
    (Flaw::ObservesUnasked, |w| {
        w.ask(A, &get("/time"));
        raw(w);
    }),
    (Flaw::DeletedGoesOn, |w| {
        watched(w);
        w.ask(A, &delete("/store"));
        let mid = w.last_mid();
        w.ack(B, mid);
        w.ask(A, &put("/store", b"2"));
    }),
    (Flaw::DeletedUntold, |w| {
        watched(w);
        w.ask(B, &delete("/store"));
    }),
    (Flaw::ErrorHasObserve, |w| {
        watched(w);
        w.ask(B, &delete("/store"));
        raw(w);
    }),
    (Flaw::BlockLargerThanAsked, paged),
    (Flaw::BlockSizesChange, paged),
    (Flaw::BlockWithoutEtag, paged),
    (Flaw::BlockShort, paged),
    (Flaw::BlockElsewhere, paged),
    (Flaw::BlockRepeats, |w| {
        paged(w);
        raw(w);
    }),
    (Flaw::UploadLosesEnd, |w| {
        w.ask(A, &put("/store", &[1; 16]).block1("0/1/16"));
        w.ask(A, &put("/store", &[1; 1]).block1("1/0/16"));
        w.ask(A, &get("/store"));
        raw(w);
    }),
    (Flaw::KeepsFirstPut, |w| stored(w, &[b"1", b"2"])),
    (Flaw::ContinueHasBlock2, |w| {
        w.ask(A, &put("/store", &[1; 16]).block1("0/1/16"));
        raw(w);
    }),
    (Flaw::Block1IsOff, |w| {
        w.ask(A, &put("/store", &[1; 16]).block1("0/1/16"));
        raw(w);
    }),
];

/// Every byte of what came last.
fn raw(w: &mut World) {
    let last = format!("{:02x?}", w.heard.last());
    w.log.push(last);
}

fn delete(path: &'static str) -> Req {
    Req { code: Some(Code::DELETE), ..get(path) }
}

/// Each content is put, and then got.
fn stored(w: &mut World, contents: &[&[u8]]) {
    for content in contents {
        w.ask(A, &put("/store", content));
        w.ask(A, &get("/store"));
        let etag = w.last_option(4);
        w.log.push(format!("{etag:?}"));
    }
}

fn deleted(w: &mut World) {
    stored(w, &[b"1"]);
    w.ask(A, &delete("/store"));
    w.ask(A, &get("/store"));
}

fn slow(w: &mut World) {
    w.ask(A, &get("/slow"));
    w.pass(Duration::from_secs(1));
    raw(w);
    let mid = w.last_mid();
    w.ack(A, mid);
    w.pass(Duration::from_secs(5));
}

fn listed(w: &mut World) {
    w.ask(A, &get("/.well-known/core").token(b"12345678"));
    let list = w.last_payload();
    w.log.push(String::from_utf8(list).unwrap());
}

/// Two observe what is stored.
fn watched(w: &mut World) {
    w.validate(A);
    w.validate(B);
    w.ask(A, &put("/store", b"1"));
    for conn in [A, B] {
        w.ask(conn, &get("/store").observe(0));
    }
}

/// Two changes, shortly after each other.
fn observed(w: &mut World) {
    watched(w);
    for content in [b"2", b"3"] {
        w.ask(A, &put("/store", content));
        w.pass(Duration::from_millis(100));
        let (numbers, state) = (w.last_option(6), w.last_payload());
        w.log.push(format!("{numbers:?} {state:?} {:?}", w.last_option(12)));
    }
}

fn paged(w: &mut World) {
    w.validate(A);
    for block in ["0/0/64", "1/0/64", "2/0/64"] {
        w.ask(A, &get("/large").block2(block));
        let len = w.last_payload().len();
        w.log.push(format!("{len} bytes, {:?} {:?}", w.last_option(23), w.last_option(4)));
    }
}

#[test]
fn a_long_token_is_echoed_whole_and_a_token_that_is_cut_is_not_taken() {
    let mut w = World::new(Flaws::one(Flaw::LongTokenAccepted));
    w.hex(A, "49 01 12 34 010203040506070809 b4 74696d65");
    assert_eq!(w.heard[0].1[..13], [0x69, 0x45, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(w.hex(A, "4f 01 12 34 0102"), ["0 rst 0.00"]);
}

#[test]
fn a_gap_is_filled_and_an_overlap_overwrites() {
    let mut w = World::new(Flaws::one(Flaw::BlockGapAccepted));
    w.ask(A, &put("/store", &[b'a'; 16]).block1("0/1/16"));
    assert_eq!(w.ask(A, &put("/store", b"c").block1("2/0/16")), "0 ack 2.01 b1=2/0/16");
    w.ask(A, &get("/store").block2("0/0/64"));
    w.validate(A);
    w.ask(A, &get("/store"));
    assert_eq!(w.last_payload(), [&[b'a'; 16][..], &[0; 16], b"c"].concat());

    let mut w = World::new(Flaws::one(Flaw::BlockOverlapAccepted));
    w.ask(A, &put("/store", &[b'a'; 32]).block1("0/1/32"));
    assert_eq!(w.ask(A, &put("/store", b"b").block1("1/0/16")), "0 ack 2.01 b1=1/0/16");
    w.validate(A);
    w.ask(A, &get("/store"));
    assert_eq!(w.last_payload(), [&[b'a'; 16][..], b"b", &[b'a'; 15]].concat());
}

#[test]
fn the_last_of_a_repeated_option_is_what_is_left() {
    let mut w = World::new(Flaws::one(Flaw::RepeatedCriticalLastWins));
    let twice = |a: u8, b: u8| get("/time").option(OptionNumber::ACCEPT, &[a]).option(OptionNumber::ACCEPT, &[b]);
    assert_eq!(w.ask(A, &twice(60, 0)), r#"0 ack 2.05 "0""#);
    assert_eq!(w.ask(A, &twice(0, 60)), "0 ack 4.06");
}

#[test]
fn crashes_need_what_they_are_named_after() {
    let crashes = |flaw, hex: &str| World::new(Flaws::one(flaw)).hex(A, hex).contains(&"exit 139".into());
    assert!(crashes(Flaw::OptionExtensionOverread, "40 01 12 34 bd"));
    assert!(!crashes(Flaw::OptionExtensionOverread, "40 01 12 34 f0"));
    assert!(crashes(Flaw::ShortDatagramCrash, "48 01 12 34 01"));
    assert!(!crashes(Flaw::ShortDatagramCrash, "40 01 12 34"));
    assert!(!crashes(Flaw::OptionsArrayOverflows, "40 01 12 34"));
}
