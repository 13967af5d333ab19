//! The rules of MQTT on films cut by hand: each catches what it is for, spares what is legal, and decides nothing unseen.
use super::*;
use alloc::format;
use alloc::string::String;

use film::Film;
use proofhouse_core::oracle::Oracle;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::scenario::Scenario;
use proofhouse_core::seed::Seed;
use proofhouse_core::target::TargetSpec;
use proofhouse_core::transcript::{By, Event, StepState, Who};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Verdict};

#[path = "../../../../core/src/oracle/tests/film.rs"]
mod film;
mod policy;
mod reading;
mod sessions;

/// What films are cut from.
mod world {
    pub(super) use alloc::collections::BTreeMap;
    pub(super) use alloc::string::{String, ToString};
    pub(super) use alloc::vec::Vec;
    pub(super) use proofhouse_core::actor::{Addr, Close};
    pub(super) use proofhouse_core::oracle::Oracle;
    pub(super) use proofhouse_core::plan::Plan;
    pub(super) use proofhouse_core::seed::Seed;
    pub(super) use proofhouse_core::time::Time;
    pub(super) use proofhouse_core::transcript::{
        By, Bytes, Entry, Event, FORMAT, Header, Life, Packet, StepState, Transcript, Who, WitnessState,
    };
    pub(super) use proofhouse_core::value::{Fields, Value};
    pub(super) use proofhouse_core::verdict::Judgement;
}

const HEAD: &str = "format = 1\ntitle = \"x\"\nprotocol = \"mqtt\"\nlimit = \"60s\"\n";

const TARGET: &str = "format = 1\nkind = \"process\"\n[process]\nprogram = \"true\"\n[[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\n\
    versions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\nclaims = [\"authenticated\", \"acl\"]\n\
    [account]\nadd = { run = [\"true\"] }\n";

fn plan(version: &str, text: &str) -> Plan {
    let registry = Registry { protocols: [crate::MQTT].to_vec(), ..Registry::default() };
    let target = TargetSpec::load("x", "t.toml", TARGET, &registry).unwrap_or_else(|e| panic!("{e}"));
    let text = format!("{HEAD}version = \"{version}\"\n{text}");
    let scenario = Scenario::load("mqtt/x", "x.toml", &text, &registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
    scenario.plan("", Seed(1), &target, &registry).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A log-in that is accepted: CONNECT at the film's time, CONNACK at once.
fn login(film: &mut Film, fleet: &str, conn: u32, user: Option<&str>, client_id: &str) {
    let mut fields = alloc::vec![("client_id", Value::from(client_id))];
    fields.extend(user.map(|user| ("username", Value::from(user))));
    film.open(fleet, 0, conn).sent(conn, "connect", &fields).got(conn, "connack", &[("reason", Value::Int(0))]);
}

/// The user name of a party in the plan.
fn user(film: &Film, party: &str) -> String {
    film.plan.parties.iter().find(|p| p.name == party).unwrap_or_else(|| panic!("no party {party:?}")).user.clone()
}

fn assert_says(judgement: &Judgement, verdict: Verdict, word: &str) {
    assert_eq!(judgement.verdict, verdict, "{}: {}", judgement.oracle, judgement.reason);
    assert!(judgement.reason.contains(word), "{}: {:?} does not say {word:?}", judgement.oracle, judgement.reason);
}

#[test]
fn every_oracle_has_an_id_a_line_and_clauses_that_read_as_they_are_cited() {
    for Oracle { id, doc, clauses, .. } in ORACLES {
        assert!(!id.is_empty() && doc.len() > 20, "{id}: {doc}");
        for clause in *clauses {
            assert!(clause.starts_with("MQTT5 ") || clause.starts_with("MQTT3 "), "{id}: {clause}");
        }
    }
}
