//! A protocol that says hello, and a target that speaks it.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::*;
use crate::actor::Crowd;
use crate::grammar::Grammar;
use crate::key::{Key, Kind};
use crate::oracle::{Needs, Oracle};
use crate::plan::{Expect, FleetPlan, StepPlan};
use crate::protocol::{Behaviour, Capability, CaseList, CaseRow, Ping, Protocol, Right, Transport, Verb};
use crate::severity::FindingKind;
use crate::target::{AccountSpec, Endpoint, Given};
use crate::testing;
use crate::transcript::Transcript;
use crate::value::Value;
use crate::verdict::Judgement;

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, doc: "" }
}

const VERBS: &[Verb] = &[
    Verb {
        name: "hello",
        keys: &[
            key("name", Kind::Text),
            key("level", Kind::Int),
            key("keep", Kind::Duration),
            key("clean", Kind::Bool),
            key("share", Kind::Percent),
            key("weight", Kind::Float),
        ],
        doc: "",
    },
    Verb {
        name: "say",
        keys: &[
            key("topic", Kind::Text),
            key("path", Kind::Any),
            key("qos", Kind::Int),
            key("packet_id", Kind::Int),
            key("dup", Kind::Bool),
            key("observe", Kind::Int),
            key("type", Kind::Text),
        ],
        doc: "",
    },
    Verb { name: "bye", keys: &[], doc: "" },
];

const CHATTER: &[Key] = &[
    key("every", Kind::Duration),
    key("messages", Kind::Int),
    key("for", Kind::Duration),
    key("canary", Kind::Text),
    key("to", Kind::Fleets),
    key("request", Kind::Any),
];

const fn behaviour(name: &'static str, keys: &'static [Key]) -> Behaviour {
    Behaviour { name, keys, doc: "", crowd: nobody, ends: |_| true, written_out: None }
}

fn nobody(_: &FleetPlan, _: &Plan, _: Option<&Protocol>) -> Box<dyn Crowd> {
    unreachable!("the loader builds no crowd")
}

const fn oracle(id: &'static str, needs: Needs, keys: &'static [Key], reads_steps: bool) -> Oracle {
    fn judge(_: &Expect, _: &Plan, _: &Transcript) -> Judgement {
        unreachable!("the loader judges nothing")
    }
    Oracle { id, doc: "", clauses: &[], needs, kind: FindingKind::Conformance, keys, reads_steps, judge }
}

const ORACLES: &[Oracle] = &[
    oracle("stub-closes", Needs::Edges, &[key("within", Kind::Duration), key("at_least", Kind::Percent)], true),
    oracle("stub-once", Needs::Full, &[key("canary", Kind::Text), key("at", Kind::Text)], true),
    oracle("stub-policy", Needs::Full, &[key("within", Kind::Duration)], false),
    oracle(
        "stub-size",
        Needs::Full,
        &[key("factor_max", Kind::Float), key("window", Kind::Duration), key("bytes", Kind::Text)],
        false,
    ),
];

fn matrix(version: &str) -> Vec<CaseRow> {
    let row = |name: &str, verb: &str| {
        let mut fields = Fields::default();
        fields.set("lead_in", verb);
        fields.set("frame", Fields(alloc::vec![("type".into(), Value::from("say")), ("flags".into(), Value::Int(15))]));
        CaseRow { name: name.into(), fields }
    };
    let mut rows = alloc::vec![row("first", "open"), row("second", "hello")];
    if version == "2" {
        rows.push(row("third", "open"));
    }
    rows
}

const RIGHTS: &[Right] = &[
    Right { name: "publish", doc: "to speak", witness: "proofhouse/#" },
    Right { name: "subscribe", doc: "to listen", witness: "proofhouse/#" },
];

const STUB: Protocol = Protocol {
    name: "stub",
    versions: &["1", "2"],
    scheme: ("stub", 7),
    verbs: VERBS,
    behaviours: &[behaviour("chatter", CHATTER), behaviour("witness", &[])],
    oracles: ORACLES,
    model: None,
    case_lists: &[CaseList { name: "stub.matrix", rows: matrix }],
    capabilities: &[Capability { name: "sessions", probe: None, doc: "" }],
    rights: RIGHTS,
    grammar: &GRAMMAR,
    check,
    ..testing::PROTOCOL
};

/// A packet is about its topic; `a/#` covers `a` and all below.
static GRAMMAR: Grammar = Grammar {
    protocol: "stub",
    resource: |packet| packet.fields.text("topic").map(ToString::to_string),
    leaving: &["bye"],
    asks: |packet| (packet.kind == "hello").then_some("welcome"),
    takes: |packet| packet.kind == "welcome",
    keep_alive: |packet| packet.kind == "ping",
    busy: |packet| packet.kind == "busy",
    own_reason: |packet| packet.fields.truth("own") == Some(true),
    covers: |filter, topic| match filter.strip_suffix("/#") {
        Some(top) => topic.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        None => filter == topic,
    },
    ..Grammar::NONE
};

/// Nine is the highest level, and a frame of type "nonsense" is none.
fn check(_: &str, step: &StepPlan) -> Result<(), (String, String)> {
    if step.fields.int("level").is_some_and(|level| level > 9) {
        return Err(("level".into(), "a level ends at 9".into()));
    }
    match step.fields.find("frame") {
        Some(Value::Table(frame)) if frame.text("type") == Some("nonsense") => {
            Err(("frame.type".into(), "no such type of frame".into()))
        }
        _ => Ok(()),
    }
}

pub(super) fn registry() -> Registry {
    let other = Protocol {
        name: "dumb",
        versions: &[],
        scheme: ("dumb", 9),
        model: None,
        case_lists: &[],
        capabilities: &[],
        oracles: &[],
        ..STUB
    };
    let gram = Protocol {
        name: "gram",
        transport: Transport::Datagram,
        scheme: ("gram", 10),
        oracles: &[],
        ping: Some(Ping { what: "a gram", datagram: b"?" }),
        ..STUB
    };
    Registry {
        protocols: alloc::vec![STUB, other, gram],
        flaws: alloc::vec![("never-closes", ""), ("forgets", "")],
        ..Registry::default()
    }
}

pub(super) fn endpoint(name: &str, protocol: &str, versions: &[&str]) -> Endpoint {
    let mut resources = Fields::default();
    resources.set("observable", "/time");
    Endpoint {
        name: name.into(),
        versions: versions.iter().map(ToString::to_string).collect(),
        claims: alloc::vec!["authenticated".into()],
        resources,
        ..testing::endpoint(protocol, "127.0.0.1:{port}")
    }
}

pub(super) fn target() -> TargetSpec {
    let north = Endpoint { client: true, ..endpoint("north", "stub", &[]) };
    TargetSpec {
        name: "stubborn".into(),
        endpoints: alloc::vec![
            endpoint("one", "stub", &["1"]),
            endpoint("two", "stub", &["2"]),
            endpoint("south", "dumb", &[]),
            north
        ],
        ..testing::remote("stub", "")
    }
}

pub(super) fn given(names: &[&str]) -> TargetSpec {
    let account = |name: &&str| Given { name: (*name).into(), password_env: "X".into(), may: Vec::new() };
    let given = names.iter().map(account).collect();
    let account = AccountSpec { add: None, remove: None, grants: BTreeMap::new(), reload: None, given };
    TargetSpec { account: Some(account), ..target() }
}
