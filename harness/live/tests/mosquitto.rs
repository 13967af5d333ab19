//! The whole arm against a real broker that somebody else wrote. Skipped by name where mosquitto is not installed; where CI=true,
//! that is a failure.
mod support;

use std::process::Command;
use std::time::Duration;

use proofhouse_core::connection::Close;
use proofhouse_core::plan::{Party, Plan};
use proofhouse_core::registry::Registry;
use proofhouse_core::target::{TargetKind, TargetSpec};
use proofhouse_core::transcript::{Event, Life, Transcript, WitnessState};
use proofhouse_core::value::{Value, hex};
use support::*;

/// The target file of this repository, read as it is; `None` where mosquitto is not installed.
fn mosquitto(test: &str) -> Option<TargetSpec> {
    if Command::new("mosquitto").arg("-h").output().is_err() {
        assert!(!ci(), "{test}: mosquitto is not installed, but CI=true");
        eprintln!("skipped {test}: mosquitto is not installed (apt-get install mosquitto)");
        return None;
    }
    let text = include_str!("../../../targets/mosquitto.toml").replace("protocol = \"mqtt\"", "protocol = \"toy\"");
    // The toy stands in for MQTT, whose crate this one may not know: no versions, and no claims that it would have to declare.
    let text: String = text
        .lines()
        .filter(|l| !l.starts_with("versions") && !l.starts_with("claims"))
        .map(|l| format!("{l}\n"))
        .collect();
    let target = TargetSpec::load("mosquitto", "targets/mosquitto.toml", &text, &registry());
    Some(target.unwrap_or_else(|error| panic!("{error:?}")))
}

#[expect(clippy::disallowed_methods, reason = "CI says so in the environment")]
fn ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// CONNECT of MQTT 3.1.1 with clean session.
fn connect(id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\xc2\x00\x3c".to_vec();
    for text in [id, user, password] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    [&[0x10, body.len() as u8], &body[..]].concat()
}

fn says(name: &str, index: u16, bytes: &[u8], hear: i64) -> proofhouse_core::plan::FleetPlan {
    let mut fleet = fleet(name, index, 1, &[("say", hex(bytes).as_str().into()), ("hear", Value::Int(hear))]);
    fleet.authenticated = true;
    fleet.party = Some(0);
    fleet
}

fn with_owner(fleets: Vec<proofhouse_core::plan::FleetPlan>) -> Plan {
    let mut plan = plan(fleets);
    plan.parties = vec![Party {
        name: "owner".into(),
        may: vec![("subscribe".into(), "cmd/#".into())],
        user: "owner".into(),
        password: "made-up".into(),
    }];
    plan
}

fn connack(transcript: &Transcript, fleet: &str) -> String {
    hex(received(transcript, fleet).as_bytes())
}

#[test]
fn a_party_is_let_in_and_a_stranger_is_not() {
    let Some(target) = mosquitto("a_party_is_let_in_and_a_stranger_is_not") else { return };
    let owner = says("owner", 0, &connect("a", "owner", "made-up"), 4);
    let stranger = says("stranger", 1, &connect("b", "owner", "guess"), 4);
    let transcript = run(&with_owner(vec![owner, stranger, fleet("witness", 2, 1, &[])]), &target).unwrap();
    assert_eq!(connack(&transcript, "owner"), "20020000");
    assert_eq!(connack(&transcript, "stranger"), "20020005", "refused: not authorised");
    let served = events(&transcript, |e| matches!(e.event, Event::Witness(WitnessState::Served { .. })).then_some(()));
    assert!(served.len() >= 2, "before and after");
    let version = events(&transcript, |e| match &e.event {
        Event::Life(Life::Started { version }) => Some(version.clone()),
        _ => None,
    });
    assert!(version[0].starts_with(|c: char| c.is_ascii_digit()), "{version:?}");
}

#[test]
fn a_rekey_is_in_effect_when_it_is_answered() {
    let Some(target) = mosquitto("a_rekey_is_in_effect_when_it_is_answered") else { return };
    let stays = says("stays", 0, &connect("a", "owner", "made-up"), 99);
    let admin = fleet("admin", 1, 1, &[("party", "owner".into())]);
    let transcript = run(&with_owner(vec![stays, admin]), &target).unwrap();
    // mosquitto re-checks every connected client when it reloads: the old password is void.
    assert_eq!(closings(&transcript, "stays").iter().map(|(_, how)| *how).collect::<Vec<_>>(), [Close::Fin]);
}

#[test]
fn a_revoked_right_is_gone_from_the_file_and_reported() {
    let Some(target) = mosquitto("a_revoked_right_is_gone_from_the_file_and_reported") else { return };
    let keys = [("revoke", "owner subscribe cmd/#".into())];
    let mut admin = fleet("admin", 0, 1, &keys);
    admin.authenticated = true;
    let transcript = run(&with_owner(vec![admin]), &target).unwrap();
    let grants = events(&transcript, |e| match &e.event {
        Event::Grant { allow, .. } => Some(*allow),
        _ => None,
    });
    assert_eq!(grants, [true, false]);
    let reloaded = events(&transcript, |e| match &e.event {
        Event::Life(Life::Log { line }) if line.contains("Reloading config") => Some(()),
        _ => None,
    });
    assert_eq!(reloaded.len(), 1);
}

#[test]
fn ten_starts_in_a_row_leave_ten_fresh_brokers() {
    let Some(target) = mosquitto("ten_starts_in_a_row_leave_ten_fresh_brokers") else { return };
    assert!(matches!(target.kind, TargetKind::Process(_)));
    for _ in 0..10 {
        proofhouse_live::preflight(&target, &Registry::default(), &options()).unwrap();
    }
}

#[test]
fn a_thousand_connections_are_held_at_once() {
    let Some(target) = mosquitto("a_thousand_connections_are_held_at_once") else { return };
    let mut many = fleet("many", 0, 1000, &[("close-after-ms", Value::Int(3000))]);
    many.ramp = Duration::from_millis(500);
    let transcript = run(&plan(vec![many]), &target).unwrap();
    let peak = events(&transcript, |e| match &e.event {
        Event::Calibration { name, value } if name == "connections-peak" => Some(*value),
        _ => None,
    });
    assert_eq!(peak, [1000]);
}
