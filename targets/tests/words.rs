//! Expectations in words that no packet has are refused, and no packet is told in other words.
mod rig;

use proofhouse_core::protocol::Protocol;
use proofhouse_core::seed::Seed;
use proofhouse_core::transcript::{Event, Transcript};
use rig::{files, load, reference, registry, run};

#[test]
fn every_packet_is_told_in_the_words_of_its_protocol() {
    let registry = registry();
    let mut seen = 0;
    for (id, file) in files(&["coap", "mixed", "mqtt"]) {
        let scenario = load(&id, &file, &registry);
        let target = reference(&scenario, &[], &registry);
        for case in &scenario.cases {
            let outcome = run(&scenario, &case.name, Seed(3), &target, &registry);
            for transcript in outcome.control.iter().chain([&outcome.transcript]) {
                seen += told(transcript, &registry.protocols, &format!("{id} [{}]", case.name));
            }
        }
    }
    assert!(seen > 10_000, "{seen} packets");
}

/// How many packets were told. A packet of one protocol lacks words of the other: one of them must know all.
fn told(transcript: &Transcript, protocols: &[Protocol], whose: &str) -> usize {
    let packets = || {
        transcript.entries.iter().flat_map(|entry| match &entry.event {
            Event::Sent(bytes) | Event::Received(bytes) => bytes.packets.as_slice(),
            _ => &[],
        })
    };
    for packet in packets() {
        let lacks: Vec<String> = protocols.iter().filter_map(|one| one.words?.lacks(packet)).collect();
        let all = protocols.iter().filter(|one| one.words.is_some()).count();
        assert!(lacks.len() < all, "{whose}: {lacks:?} of {packet:?}");
    }
    packets().count()
}

/// A scenario that awaits this after a CONNECT, or a GET.
fn awaits(protocol: &str, expect: &str) -> Result<(), String> {
    let (version, verb) = match protocol {
        "mqtt" => ("version = \"5\"\n", "connect"),
        _ => ("", "get\", path = \"/time"),
    };
    let text = format!(
        "format = 1\ntitle = \"t\"\nattack = \"XX-01\"\nlevel = \"must\"\nprotocol = \"{protocol}\"\n{version}limit = \"30s\"\n\
         [fleet.foe]\nbehaviour = \"script\"\nstep = [\n  {{ do = \"{verb}\", expect = {expect}, part = \"stimulus\" }},\n  \
         {{ do = \"{verb}\", part = \"control\" }},\n]\n\
         [[expect]]\noracle = \"answer-in-set\"\nof = \"foe\"\n"
    );
    proofhouse_core::scenario::Scenario::load("x", "x.toml", &text, &registry()).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn an_expectation_in_words_that_no_packet_has_is_refused_with_its_place() {
    for (protocol, expect, said) in [
        ("mqtt", "{ type = \"conack\" }", "x.toml:11:39: unknown type of packet \"conack\"; did you mean \"connack\"?"),
        ("mqtt", "{ type = \"connack\", reasn = 0 }", "unknown field of a packet \"reasn\"; did you mean \"reason\"?"),
        ("mqtt", "{ topic_alais = false }", "did you mean \"topic_alias\"?"),
        ("mqtt", "{ silense = \"1s\" }", "did you mean \"silence\"?"),
        ("mqtt", "{ reason = \"okay\" }", "reason: no packet has okay there"),
        ("mqtt", "{ topic = 5 }", "topic: no packet has 5 there"),
        ("mqtt", "{ reason = 0, bind = { id = \"r.id\" } }", "unknown field of a packet \"id\""),
        ("coap", "{ code = \"2.5\" }", "code: no packet has 2.5 there"),
        ("coap", "{ code = \"refuse\" }", "code: no packet has refuse there"),
        ("coap", "{ etga = true }", "did you mean \"etag\"?"),
    ] {
        let error = awaits(protocol, expect).unwrap_err();
        assert!(error.contains(said), "{expect}: {error}");
    }
    for (protocol, expect) in [
        ("mqtt", "{ type = [\"connack\", \"disconnect\"], reason = [\"refused\", 0], session_present = true }"),
        ("mqtt", "{ will_delay = true, user_properties = false }"),
        ("coap", "{ type = \"ack\", code = [\"2.05\", \"4.xx\", \"refused\"], etag = \"01\", observe = true }"),
    ] {
        assert_eq!(awaits(protocol, expect), Ok(()), "{expect}");
    }
}

/// A scenario whose control arm must show this to the foe.
fn arm(expect: &str) -> Result<(), String> {
    let text = format!(
        "format = 1\ntitle = \"t\"\nattack = \"XX-01\"\nlevel = \"must\"\nprotocol = \"mqtt\"\nversion = \"5\"\nlimit = \"30s\"\n\
         [fleet.foe]\nbehaviour = \"script\"\nstep = [\n  {{ do = \"connect\", part = \"stimulus\", mark = \"in\" }},\n]\n\
         [control]\nwithout = [\"foe.in\"]\nexpect = {expect}\n"
    );
    proofhouse_core::scenario::Scenario::load("x", "x.toml", &text, &registry()).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn a_control_arm_is_read_in_the_words_of_the_protocol_too() {
    for (expect, said) in [
        (
            "{ at = \"foe\", type = \"conack\" }",
            "x.toml:15:31: unknown type of packet \"conack\"; did you mean \"connack\"?",
        ),
        ("{ at = \"foe\", reasn = 0 }", "unknown field of a packet \"reasn\"; did you mean \"reason\"?"),
        ("{ at = \"foe\", reason = \"okay\" }", "reason: no packet has okay there"),
        ("{ at = \"foe\", silence = \"1s\" }", "x.toml:15:10: the control arm shows that a packet arrives"),
    ] {
        let error = arm(expect).unwrap_err();
        assert!(error.contains(said), "{expect}: {error}");
    }
    assert_eq!(arm("{ at = \"foe\", type = \"connack\", reason = [\"refused\", 0], session_present = false }"), Ok(()));
}
