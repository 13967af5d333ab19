//! The test plan: a scenario instantiated, with its case chosen and every range `a..b` drawn. Prints as a scenario; planning it again changes nothing.
use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::Addr;
use crate::document::Located;
use crate::grammar::Grammar;
use crate::seed::Seed;
use crate::severity::{FindingKind, Level};
use crate::spread::Spread;
use crate::time::Duration;
use crate::value::{Fields, Value};
use crate::witness::is_witness;

mod estimate;
mod order;

use crate::ids::{BindId, CanaryId, MarkId};
use crate::part::Part;
pub use order::{Order, StepRef};

/// Everything that is decided before a trial begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The scenario as it was planned: what `plan.toml` prints and the shrinker cuts.
    pub tree: Located,
    /// Id of the scenario: its path below `scenarios/` without `.toml`.
    pub id: String,
    /// Name of the case; empty where there is one only.
    pub case: String,
    /// Seed of the trial.
    pub seed: Seed,
    /// Title.
    pub title: String,
    /// What the reports say: attack, guidance, clauses, level, weaknesses.
    pub about: About,
    /// Name of the target that it was planned for.
    pub target: String,
    /// Version of the protocol for this case; empty where the scenario names none.
    pub version: String,
    /// How stimuli are cut on the wire.
    pub segments: Segments,
    /// Capabilities that the target must have.
    pub needs: Vec<String>,
    /// Reached: INCONCLUSIVE.
    pub limit: Duration,
    /// Link faults of everyone.
    pub network: Network,
    /// Roles with rights, in file order; the witness last.
    pub parties: Vec<Party>,
    /// Who takes part, in file order; the witness last.
    pub fleets: Vec<FleetPlan>,
    /// Marks, as `fleet.mark`, with the fleet's place in `fleets`.
    pub marks: Vec<(String, u16)>,
    /// Bound values, as `fleet.name`.
    pub binds: Vec<String>,
    /// Canaries: name and the 32 characters that carry 128 random bits.
    pub canaries: Vec<(String, String)>,
    /// The second arm.
    pub control: Option<ControlArm>,
    /// What must hold, generic oracles included.
    pub expects: Vec<Expect>,
    /// Which flaw each oracle must catch.
    pub twins: Vec<(String, Vec<String>)>,
    /// How much is recorded.
    pub record: Recording,
}

/// Facts about a scenario for reports; none of them changes what happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Id in the attack catalogue.
    pub attack: String,
    /// Rows of `scenarios/guidance`.
    pub guidance: Vec<String>,
    /// Clauses, as `mqtt5:3.1.4-3`.
    pub spec: Vec<String>,
    /// How much a finding weighs: moves the gate, never the verdict.
    pub level: Level,
    /// CWE numbers.
    pub cwe: Vec<u32>,
    /// CVSS v4 vector; may be empty.
    pub cvss: String,
    /// Kind of finding, where it is not the oracle's own.
    pub kind: Option<FindingKind>,
}

/// How the bytes of a send are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// One write.
    #[default]
    Whole,
    /// One write for this many bytes.
    Each(u32),
}

/// How much of the traffic is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// Everything.
    #[default]
    Full,
    /// First, last and unusual messages, and totals.
    Edges,
}

/// Link faults of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// One-way delay of every message.
    pub delay: Spread<Duration>,
    /// Share of messages lost, 0.0 to 1.0. On a stream a loss shows as delay: one retransmission time-out of 200 ms.
    pub loss: f64,
    /// Share of datagrams that arrive twice, 0.0 to 1.0.
    pub duplicate: f64,
    /// Share of datagrams that those sent up to [`crate::link::HELD_BACK`] later overtake, 0.0 to 1.0.
    pub reorder: f64,
    /// Share of datagrams that arrive with one bit flipped, 0.0 to 1.0.
    pub corrupt: f64,
    /// The link ends this long after the connection opened.
    pub cut: Option<(Duration, crate::connection::Close)>,
    /// Nothing passes in this window after the connection opened: start and length.
    pub stall: Option<(Duration, Duration)>,
    /// At most this many bytes per second in each direction; 0: no limit.
    pub rate: u64,
    /// Every stream write is cut into pieces of at most this many bytes; 0: not cut.
    pub split: u32,
}

impl Network {
    /// No faults.
    pub const CLEAN: Network = Network {
        delay: Spread::Fixed(Duration::ZERO),
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        corrupt: 0.0,
        cut: None,
        stall: None,
        rate: 0,
        split: 0,
    };
}

/// A role with rights. Becomes an account of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Party {
    /// Name in the scenario.
    pub name: String,
    /// Rights: (right, filter).
    pub may: Vec<(String, String)>,
    /// User name on the target.
    pub user: String,
    /// Password on the target: made up from the seed, so no secret. From outside where the target gives accounts.
    pub password: String,
}

/// Where a fleet's connections come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// All from 127.0.0.1.
    One,
    /// A 127/8 address for each member.
    Each,
    /// A 127/8 address for each connection.
    Fresh,
    /// This one.
    Fixed(u32),
}

/// A named group of devices.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetPlan {
    /// Name in the scenario.
    pub name: String,
    /// Place in [`Plan::fleets`].
    pub index: u16,
    /// Place in [`Plan::parties`]; `None` plays nobody (sends no credentials).
    pub party: Option<u16>,
    /// Protocol; empty for an administrator.
    pub protocol: String,
    /// What rules of every protocol must know of this one.
    pub grammar: &'static Grammar,
    /// Version of the protocol.
    pub version: String,
    /// Endpoint by name; the first one of the protocol and version unless the scenario names one.
    pub endpoint: String,
    /// Its place among the target's endpoints.
    pub endpoint_id: crate::ids::EndpointId,
    /// The endpoint asks who is there: parties send their credentials. Otherwise nobody sends any.
    pub authenticated: bool,
    /// We listen and the target connects.
    pub plays_server: bool,
    /// How many members there were before any was cut away: identities are `0..count`.
    pub count: u32,
    /// The members that still take part, in order; `None`: all.
    pub only: Option<Vec<u32>>,
    /// What they do.
    pub behaviour: String,
    /// Where they come from.
    pub source: Source,
    /// Starts are spread over this long.
    pub ramp: Duration,
    /// Everything that they send is `control` or `stimulus`.
    pub part: Option<Part>,
    /// Nothing is answered that a step does not say.
    pub manual: bool,
    /// The script, where the behaviour is one.
    pub steps: Vec<StepPlan>,
    /// Keys of the behaviour. Durations as text with unit, spreads as `a~b`; read them with [`FleetPlan::duration`].
    pub keys: Fields,
    /// Link faults; the scenario's unless the fleet has its own.
    pub network: Network,
}

/// One action of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlan {
    /// Place in the script as it was written: stays when others are cut away.
    pub index: u16,
    /// The verb.
    pub verb: String,
    /// Name of the connection.
    pub conn: String,
    /// Waits for these marks first.
    pub after: Vec<MarkId>,
    /// Set when the step is answered (or sent).
    pub mark: Option<MarkId>,
    /// Control or stimulus.
    pub part: Option<Part>,
    /// Speaks as another party than the fleet: place in [`Plan::parties`]; `Some(None)`: as nobody.
    pub speaks_as: Option<Option<u16>>,
    /// What must be seen; empty: the natural answer with any reason, or being sent.
    pub any: Vec<Alternative>,
    /// How long to wait for it. Default 5 s.
    pub within: Duration,
    /// The canary that is this step's payload.
    pub canary: Option<CanaryId>,
    /// The send goes on at this pace while later steps run: bytes, period.
    pub pace: Option<(u32, Duration)>,
    /// Not before this time since the trial began.
    pub at: Option<Duration>,
    /// The control arm leaves it out: its mark is set as soon as its own `after` holds.
    pub skip: bool,
    /// For `wait`: how long.
    pub wait: Duration,
    /// The verb's own fields, `{case.k}` filled in, ranges drawn. `"$fleet.name"` stands for a bound value, see `uses`.
    pub fields: Fields,
    /// The bound values that `fields` and `any` use: (text as written, id).
    pub uses: Vec<(String, BindId)>,
}

/// One thing that an `expect` accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// FIN or reset.
    pub closed: bool,
    /// Nothing arrives for this long.
    pub silence: Option<Duration>,
    /// A packet whose fields match: each field holds one of the values, or a class name of the protocol. `type` is among them.
    pub fields: Vec<(String, Vec<Value>)>,
    /// The packet carries this canary.
    pub canary: Option<CanaryId>,
    /// Fields of the packet that are kept.
    pub bind: Vec<(String, BindId)>,
}

/// The second arm: the same plan without some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlArm {
    /// Marks of the steps that are left out.
    pub without: Vec<MarkId>,
    /// Must be seen there.
    pub canary: Option<(CanaryId, String)>,
    /// Must be seen there: a packet at a fleet.
    pub packet: Option<(Alternative, String)>,
}

/// One rule that must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// Id of the oracle.
    pub oracle: String,
    /// The fleets that it is about.
    pub of: Vec<String>,
    /// Its own keys.
    pub keys: Fields,
}

impl Plan {
    /// The second arm: the same plan, the steps of [`ControlArm::without`] skipped. `None` where there is no such arm.
    #[must_use]
    pub fn control_arm(&self) -> Option<Plan> {
        let without = &self.control.as_ref()?.without;
        let mut arm = self.clone();
        for step in arm.fleets.iter_mut().flat_map(|fleet| &mut fleet.steps) {
            step.skip |= step.mark.is_some_and(|mark| without.contains(&mark));
        }
        Some(arm)
    }

    /// The same plan with nobody but its witnesses: how the target ends where nothing else was said to it.
    #[must_use]
    pub fn untouched(&self) -> Plan {
        let mut calm = Plan { expects: Vec::new(), control: None, marks: Vec::new(), ..self.clone() };
        calm.fleets.retain(|fleet| is_witness(&fleet.name));
        for (at, fleet) in (0..).zip(&mut calm.fleets) {
            fleet.index = at;
        }
        calm
    }

    /// The fleet of this name.
    #[must_use]
    pub fn fleet(&self, name: &str) -> Option<&FleetPlan> {
        self.fleets.iter().find(|fleet| fleet.name == name)
    }

    /// What rules must know of the protocol that the fleet of this name speaks.
    #[must_use]
    pub fn grammar(&self, fleet: &str) -> &'static Grammar {
        self.fleet(fleet).map_or(&Grammar::NONE, |fleet| fleet.grammar)
    }

    /// The canary of this name.
    #[must_use]
    pub fn canary(&self, name: &str) -> Option<CanaryId> {
        self.canaries.iter().position(|(n, _)| n == name).map(|at| CanaryId(at as u16))
    }
}

impl FleetPlan {
    /// The duration at a key of the behaviour, or a range that is drawn at every use; `default` where it is not set.
    /// The loader has checked the text.
    #[must_use]
    pub fn duration(&self, key: &str, default: Duration) -> Spread<Duration> {
        self.keys.text(key).and_then(|text| crate::spread::durations(text).ok()).unwrap_or(Spread::Fixed(default))
    }

    /// The whole number at a key of the behaviour, or a range that is drawn at every use; `default` where it is not set.
    #[must_use]
    pub fn number(&self, key: &str, default: u64) -> Spread<u64> {
        self.keys.find(key).and_then(|value| crate::spread::numbers(value).ok()).unwrap_or(Spread::Fixed(default))
    }

    /// Whether everything that it sends is the attack: a behaviour, not a script whose steps say which are.
    #[must_use]
    pub fn is_stimulus_traffic(&self) -> bool {
        self.part == Some(Part::Stimulus) && self.steps.is_empty()
    }

    /// The identities that take part, in order.
    pub fn members(&self) -> impl Iterator<Item = u32> + '_ {
        let all = if self.only.is_some() { 0..0 } else { 0..self.count };
        all.chain(self.only.iter().flatten().copied())
    }

    /// Source address of a member's `nth` connection. Fleets have 2^20 addresses each, and 14 fleets fit before they come round again.
    #[must_use]
    pub fn source(&self, member: u32, nth: u32) -> Addr {
        let base = SOURCES_FIRST + (u32::from(self.index) % SOURCES_FLEETS) * SOURCES_MAX;
        let ip = match self.source {
            Source::One => 0x7f00_0001,
            Source::Fixed(ip) => ip,
            Source::Each => base + member % SOURCES_MAX,
            Source::Fresh => {
                // Each member has its own share of the fleet's addresses, so that nobody meets another's.
                let share = (SOURCES_MAX / self.count.max(1)).max(1);
                base + (member.wrapping_mul(share).wrapping_add(nth % share)) % SOURCES_MAX
            }
        };
        Addr { ip, port: 0 }
    }
}

/// 127.16.0.0: above the few addresses that people use by hand.
const SOURCES_FIRST: u32 = 0x7f10_0000;
/// How many fleets have addresses of their own: 14 x 2^20 end at 127.239.255.255.
const SOURCES_FLEETS: u32 = 14;
/// Addresses of one fleet.
pub(crate) const SOURCES_MAX: u32 = 1 << 20;
