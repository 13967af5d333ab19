//! The rules of MQTT on films cut by hand: each catches what it is for, spares what is legal, and decides nothing unseen.
use super::*;
use alloc::format;
use alloc::string::String;

use proofhouse_core::oracle::Oracle;
use proofhouse_core::plan::Plan;
use proofhouse_core::registry::Registry;
use proofhouse_core::testing::{self, Film};
use proofhouse_core::transcript::{By, Event, StepState, Who};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Verdict};

mod policy;
mod reading;
mod sessions;

const HEAD: &str = "format = 1\ntitle = \"x\"\nprotocol = \"mqtt\"\nlimit = \"60s\"\n";

const TARGET: &str = "format = 1\nkind = \"process\"\n[process]\nprogram = \"true\"\n[[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\n\
    versions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:1883\"\nclaims = [\"authenticated\", \"acl\"]\n\
    [account]\nadd = { run = [\"true\"] }\n";

fn plan(version: &str, text: &str) -> Plan {
    let registry = Registry { protocols: [crate::MQTT].to_vec(), ..Registry::default() };
    let target = testing::target(TARGET, &registry);
    let text = format!("{HEAD}version = \"{version}\"\n{text}");
    testing::planned("mqtt/x", &text, &target, &registry)
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
