//! The rules of CoAP on films cut by hand: each catches what it is for, spares what is legal, and decides nothing unseen.
use super::*;
use alloc::format;
use alloc::string::String;

use proofhouse_core::connection::Addr;
use proofhouse_core::oracle::Oracle;
use proofhouse_core::plan::Plan;
use proofhouse_core::recorder::ROUNDS_BEFORE;
use proofhouse_core::registry::Registry;
use proofhouse_core::testing::{self, Film};
use proofhouse_core::transcript::{By, StepState};
use proofhouse_core::value::Value;
use proofhouse_core::verdict::{Judgement, Verdict};

mod access;
mod astray;
mod discovery;
mod observing;

const HEAD: &str = "format = 1\ntitle = \"x\"\nprotocol = \"coap\"\nlimit = \"60s\"\nspec = [\"rfc7252:11.3\"]\n";

const TARGET: &str = "format = 1\nkind = \"remote\"\n[[endpoint]]\nname = \"udp\"\nprotocol = \"coap\"\naddress = \"127.0.0.1:5683\"\n\
    [endpoint.resources]\nobservable = \"/time\"\nprotected = [\"/secret\", \"/admin/#\"]\npublic = [\"/time\", \"/open/#\"]\n";

fn plan(text: &str) -> Plan {
    let registry = Registry { protocols: [crate::COAP].to_vec(), ..Registry::default() };
    let target = testing::target(TARGET, &registry);
    let text = format!("{HEAD}{text}");
    testing::planned("coap/x", &text, &target, &registry)
}

/// The fields of a request.
fn request(method: &str, path: &str, mid: i64, token: &str) -> [(&'static str, Value); 5] {
    [
        ("message", "con".into()),
        ("method", method.into()),
        ("path", path.into()),
        ("mid", Value::Int(mid)),
        ("token", token.into()),
    ]
}

/// The fields of a response.
fn response<'f>(code: &str, token: &str, more: &[(&'f str, Value)]) -> alloc::vec::Vec<(&'f str, Value)> {
    let mut fields = alloc::vec![("code", Value::from(code)), ("token", Value::from(token))];
    fields.extend_from_slice(more);
    fields
}

fn assert_says(judgement: &Judgement, verdict: Verdict, word: &str) {
    assert_eq!(judgement.verdict, verdict, "{}: {}", judgement.oracle, judgement.reason);
    assert!(judgement.reason.contains(word), "{}: {:?} does not say {word:?}", judgement.oracle, judgement.reason);
}

#[test]
fn every_oracle_has_an_id_a_line_and_clauses() {
    for Oracle { id, doc, clauses, .. } in ORACLES {
        assert!(!id.is_empty() && doc.len() > 20, "{id}: {doc}");
        assert!(clauses.iter().all(|clause| clause.starts_with("RFC")), "{id}: {clauses:?}");
    }
}

#[test]
fn a_list_of_paths_may_end_in_everything_below() {
    let is = |path: &str| exchanges::is_listed(path, &["/time", "/open/#"]);
    assert_eq!(["/time", "/time/", "/open", "/open/a", "/time?x=1"].map(is), [true; 5]);
    assert_eq!(["/", "/timer", "/opened", "/time/a", "/ope"].map(is), [false; 5]);
    let paths: [String; 2] = ["/a".into(), "/".into()];
    assert!(!exchanges::is_listed(&paths[0], &["/"]) && exchanges::is_listed(&paths[1], &["/"]));
}
