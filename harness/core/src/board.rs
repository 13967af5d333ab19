//! What fleets tell each other, and when a trial is over: marks, bound values, who has finished, the witness's last word.
//! The simulator and the live driver keep the same board, so that order between fleets means the same in both.
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use crate::actor::Note;
use crate::plan::{BindId, MarkId, Plan};
use crate::registry::Registry;
use crate::time::{Duration, Time};
use crate::transcript::WitnessState;
use crate::value::Value;

/// Name of the fleet that shows that the target still serves everyone else.
pub const WITNESS: &str = "witness";

/// Somebody who must be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Place of the fleet in the plan.
    pub fleet: u16,
    /// The member's identity.
    pub member: u32,
    /// What it is told.
    pub news: News,
}

/// What a member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The mark holds for it.
    Mark(MarkId),
    /// The value is bound; read it with [`Board::value`].
    Bound(BindId),
}

/// The marks, values and endings of one trial.
pub struct Board {
    fleets: Vec<Fleet>,
    marks: Vec<Mark>,
    binds: Vec<Bind>,
    witness: Option<u16>,
    /// The witness has had something to say, good or bad.
    witness_spoke: bool,
    /// When the last ending member finished.
    finished_at: Option<Time>,
    /// The witness was served, or missed, a round trip that ended after that.
    witnessed: bool,
}

/// Everybody else waits at most this long for the witness's first word: a target that does not serve it is attacked all the same.
const WITNESS_FIRST: Duration = Duration::from_secs(2);
/// A witness that was thrown out has this long, once everybody has finished, to be served again: a session lost and a target lost differ.
const WITNESS_LAST: Duration = Duration::from_secs(5);

struct Fleet {
    count: u32,
    members: Vec<u32>,
    ends: bool,
    finished: BTreeSet<u32>,
}

struct Mark {
    fleet: u16,
    listeners: Vec<u16>,
    set: BTreeSet<u32>,
}

struct Bind {
    listeners: Vec<u16>,
    value: Option<Value>,
}

impl Board {
    /// An empty board for this plan. Fleets whose behaviour is unknown, and the witness, do not end by themselves.
    #[must_use]
    pub fn new(plan: &Plan, registry: &Registry) -> Board {
        let fleets: Vec<Fleet> = plan
            .fleets
            .iter()
            .map(|f| Fleet {
                count: f.count,
                members: f.members().collect(),
                ends: f.name != WITNESS && registry.behaviour(&f.protocol, &f.behaviour).is_some_and(|b| (b.ends)(f)),
                finished: BTreeSet::new(),
            })
            .collect();
        let marks = (0..plan.marks.len()).map(|n| Mark {
            fleet: plan.marks[n].1,
            listeners: fleets_where(plan, |step| step.after.contains(&MarkId(n as u16))),
            set: BTreeSet::new(),
        });
        let binds = (0..plan.binds.len()).map(|n| Bind {
            listeners: fleets_where(plan, |step| step.uses.iter().any(|(_, id)| *id == BindId(n as u16))),
            value: None,
        });
        let nobody_to_wait_for = fleets.iter().all(|f| !f.ends || f.members.is_empty());
        Board {
            marks: marks.collect(),
            binds: binds.collect(),
            witness: plan.fleets.iter().find(|f| f.name == WITNESS).map(|f| f.index),
            witness_spoke: false,
            finished_at: (nobody_to_wait_for && fleets.iter().any(|f| f.ends)).then_some(Time::ZERO),
            witnessed: false,
            fleets,
        }
    }

    /// Takes a note of `member` (its identity); pushes to `heard` who must be told what, in this order.
    pub fn note(&mut self, now: Time, fleet: u16, member: u32, note: &Note, heard: &mut Vec<Heard>) {
        match note {
            Note::Mark(id) => self.mark(*id, member, heard),
            Note::Bind(id, value) => self.bind(*id, fleet, member, value, heard),
            Note::Finished => self.finish(now, fleet, member),
            Note::Witness(state) if self.witness == Some(fleet) => self.witness(now, *state),
            _ => {}
        }
    }

    /// The witness has something to say. Its last word counts once everybody has finished, and only for a round trip that began
    /// after that.
    pub fn witness(&mut self, now: Time, state: WitnessState) {
        self.witness_spoke = true;
        let Some(finished) = self.finished_at else { return };
        self.witnessed |= match state {
            WitnessState::Served { rtt, .. } => now.0.saturating_sub(rtt) >= finished.0,
            WitnessState::Missed { .. } => true,
            WitnessState::Lost => false,
        };
    }

    /// Everybody but the witness may start: the witness was served once before anything happened to the target, or could not be.
    /// Ramps and the plan's limit count from the first moment at which this holds.
    #[must_use]
    pub fn may_start(&self, now: Time) -> bool {
        self.witness.is_none() || self.witness_spoke || now >= Time::ZERO + WITNESS_FIRST
    }

    /// The value that was bound last.
    #[must_use]
    pub fn value(&self, id: BindId) -> Option<&Value> {
        self.binds[id.0 as usize].value.as_ref()
    }

    /// Everybody who ends has finished, and the witness has since finished or missed a round trip, or was lost for good.
    #[must_use]
    pub fn over(&self, now: Time) -> bool {
        let lost_for_good = |finished: Time| now >= finished + WITNESS_LAST;
        self.finished_at.is_some_and(|at| self.witnessed || self.witness.is_none() || lost_for_good(at))
    }

    /// Somebody who ends has not finished: at the plan's limit, that is worth an entry. False where all fleets are endless.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.finished_at.is_none() && self.fleets.iter().any(|f| f.ends)
    }

    fn mark(&mut self, id: MarkId, member: u32, heard: &mut Vec<Heard>) {
        let mark = &mut self.marks[id.0 as usize];
        if !mark.set.insert(member) {
            return;
        }
        let setter = &self.fleets[mark.fleet as usize];
        let complete = setter.members.iter().all(|m| mark.set.contains(m));
        for &listener in &mark.listeners {
            let fleet = &self.fleets[listener as usize];
            if fleet.count == setter.count {
                tell(fleet, listener, Some(member), News::Mark(id), heard);
            } else if complete {
                tell(fleet, listener, None, News::Mark(id), heard);
            }
        }
    }

    fn bind(&mut self, id: BindId, by: u16, member: u32, value: &Value, heard: &mut Vec<Heard>) {
        let bind = &mut self.binds[id.0 as usize];
        bind.value = Some(value.clone());
        let setters = self.fleets[by as usize].count;
        for &listener in &bind.listeners {
            let fleet = &self.fleets[listener as usize];
            tell(fleet, listener, (fleet.count == setters).then_some(member), News::Bound(id), heard);
        }
    }

    fn finish(&mut self, now: Time, fleet: u16, member: u32) {
        self.fleets[fleet as usize].finished.insert(member);
        let all = self.fleets.iter().filter(|f| f.ends).all(|f| f.finished.len() >= f.members.len());
        if all && self.finished_at.is_none() && self.fleets[fleet as usize].ends {
            self.finished_at = Some(now);
        }
    }
}

/// A member of a fleet, or all of it.
fn tell(fleet: &Fleet, index: u16, only: Option<u32>, news: News, heard: &mut Vec<Heard>) {
    let members = fleet.members.iter().filter(|m| only.is_none_or(|one| one == **m));
    heard.extend(members.map(|&member| Heard { fleet: index, member, news }));
}

fn fleets_where(plan: &Plan, uses: impl Fn(&crate::plan::StepPlan) -> bool) -> Vec<u16> {
    let mut fleets = vec![];
    for fleet in &plan.fleets {
        if fleet.steps.iter().any(&uses) {
            fleets.push(fleet.index);
        }
    }
    fleets
}

/// How long a member at `position` of `len` waits before it starts, so that starts are spread evenly over `ramp`.
#[must_use]
pub fn start_of(ramp: Duration, position: u32, len: u32) -> Time {
    let nanos = u128::from(crate::time::nanos(ramp)) * u128::from(position) / u128::from(len.max(1));
    Time(nanos as u64)
}
