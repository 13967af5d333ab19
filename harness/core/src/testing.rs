//! Test support: the one builder of plans, fleets, steps, targets and headers, a stage for crowds, and films (transcripts by hand).
//!
//! Only tests see it: this crate's own, and those of crates that name the feature `testing` among their dev-dependencies. What a
//! test is about, it changes by struct update: `Plan { limit, ..testing::plan(fleets) }`.
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::document::{Located, Node, Span};
use crate::grammar::Grammar;
use crate::ids::EndpointId;
use crate::plan::{About, Alternative, FleetPlan, Network, Party, Plan, Recording, Segments, Source, StepPlan};
use crate::protocol::{Protocol, Transport};
use crate::registry::Registry;
use crate::scenario::Scenario;
use crate::seed::Seed;
use crate::shared::Shared;
use crate::target::{Endpoint, TargetKind, TargetSpec};
use crate::time::Duration;
use crate::transcript::{FORMAT, Header};
use crate::value::{Fields, Value};

mod film;
mod stage;

pub use film::Film;
pub use stage::Stage;

/// Fields from pairs.
#[must_use]
pub fn fields(pairs: &[(&str, Value)]) -> Fields {
    Fields(pairs.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect())
}

/// A plan of these fleets, which are numbered by their place; 10 s on a clean network, and nothing else.
#[must_use]
pub fn plan(fleets: Vec<FleetPlan>) -> Plan {
    let fleets = fleets.into_iter().zip(0..).map(|(fleet, index)| FleetPlan { index, ..fleet });
    Plan {
        tree: Located { span: Span::default(), node: Node::Table(Vec::new()) },
        id: "toy/test".to_string(),
        case: String::new(),
        seed: Seed(1),
        title: String::new(),
        about: About::default(),
        target: "toy".to_string(),
        version: String::new(),
        segments: Segments::Whole,
        needs: Vec::new(),
        limit: Duration::from_secs(10),
        network: Network::CLEAN,
        parties: Vec::new(),
        fleets: fleets.collect(),
        marks: Vec::new(),
        binds: Vec::new(),
        canaries: Vec::new(),
        control: None,
        expects: Vec::new(),
        twins: Vec::new(),
        record: Recording::Full,
    }
}

/// A fleet of one that speaks `toy` at the first endpoint and has no steps.
#[must_use]
pub fn fleet(name: &str, keys: Fields) -> FleetPlan {
    FleetPlan {
        name: name.to_string(),
        index: 0,
        party: None,
        protocol: "toy".to_string(),
        grammar: &Grammar::NONE,
        version: String::new(),
        endpoint: "plain".to_string(),
        endpoint_id: EndpointId(0),
        authenticated: false,
        plays_server: false,
        count: 1,
        only: None,
        behaviour: "script".to_string(),
        source: Source::One,
        ramp: Duration::ZERO,
        part: None,
        manual: false,
        steps: Vec::new(),
        keys,
        network: Network::CLEAN,
    }
}

/// A role without rights: user `user-<name>`.
#[must_use]
pub fn party(name: &str) -> Party {
    Party {
        name: name.to_string(),
        may: Vec::new(),
        user: alloc::format!("user-{name}"),
        password: "secret".to_string(),
    }
}

/// The first step of a script on the connection `main`; its answer has 5 s.
#[must_use]
pub fn step(verb: &str, fields: &[(&str, Value)]) -> StepPlan {
    StepPlan {
        index: 0,
        verb: verb.to_string(),
        conn: "main".to_string(),
        after: Vec::new(),
        mark: None,
        part: None,
        speaks_as: None,
        any: Vec::new(),
        within: Duration::from_secs(5),
        canary: None,
        pace: None,
        at: None,
        skip: false,
        wait: Duration::ZERO,
        fields: self::fields(fields),
        uses: Vec::new(),
    }
}

/// An answer with these fields, each of which has one of its values.
#[must_use]
pub fn alternative(fields: &[(&str, &[Value])]) -> Alternative {
    Alternative {
        closed: false,
        silence: None,
        fields: fields.iter().map(|(name, values)| ((*name).to_string(), values.to_vec())).collect(),
        canary: None,
        bind: Vec::new(),
    }
}

/// The header of a plan's main arm, by the clock of the simulator.
#[must_use]
pub fn header(plan: &Plan) -> Header {
    Header {
        format: FORMAT,
        scenario: plan.id.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        target: plan.target.clone(),
        clock: "sim".to_string(),
        arm: "main".to_string(),
    }
}

/// A protocol of streams without words, behaviours and rules.
pub const PROTOCOL: Protocol = Protocol {
    name: "toy",
    versions: &[],
    transport: Transport::Stream,
    scheme: ("toy", 7),
    verbs: &[],
    behaviours: &[],
    oracles: &[],
    grammar: &Grammar::NONE,
    model: None,
    case_lists: &[],
    capabilities: &[],
    rights: &[],
    ping: None,
    dialog: |_, _, _| panic!("this protocol has no scripts"),
    describe: |_, _| panic!("nobody reads the packets of this protocol"),
    words: None,
    class: |_, _, _, _| None,
    shared: Shared::NOTHING,
    check: |_, _| Ok(()),
};

/// A target that runs elsewhere and claims nothing, with one endpoint, `plain`.
#[must_use]
pub fn remote(protocol: &str, address: &str) -> TargetSpec {
    TargetSpec {
        name: "toy".to_string(),
        kind: TargetKind::Remote,
        endpoints: [endpoint(protocol, address)].to_vec(),
        account: None,
        known: Vec::new(),
        digest: String::new(),
        owner: None,
    }
}

/// The endpoint `plain`, which claims nothing.
#[must_use]
pub fn endpoint(protocol: &str, address: &str) -> Endpoint {
    Endpoint {
        name: "plain".to_string(),
        protocol: protocol.to_string(),
        versions: Vec::new(),
        client: false,
        address: address.to_string(),
        claims: Vec::new(),
        lacks: Vec::new(),
        resources: Fields::default(),
    }
}

/// Reads a target file that is right.
///
/// # Panics
/// Where it is not.
#[must_use]
pub fn target(text: &str, registry: &Registry) -> TargetSpec {
    TargetSpec::load("x", "t.toml", text, registry).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Plans the only case of a scenario file that is right, with seed 1.
///
/// # Panics
/// Where it is not, or does not fit the target.
#[must_use]
pub fn planned(id: &str, text: &str, target: &TargetSpec, registry: &Registry) -> Plan {
    let scenario = Scenario::load(id, "x.toml", text, registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
    scenario.plan("", Seed(1), target, registry).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}
