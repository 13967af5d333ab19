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

/// Behaviour and party of the fleets that show that the target still serves everyone else, and the name of the one fleet where
/// one protocol is spoken.
pub const WITNESS: &str = "witness";

/// Whether a fleet of this name is a witness: `witness`, or `witness-coap` where several protocols are spoken. The loader sees to
/// it that those names and the behaviour go together.
#[must_use]
pub fn is_witness(fleet: &str) -> bool {
    fleet.strip_prefix(WITNESS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

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
    witnesses: Vec<Witness>,
    /// When the last ending member finished.
    finished_at: Option<Time>,
}

struct Witness {
    fleet: u16,
    /// It has had something to say, good or bad.
    spoke: bool,
    /// It was served, or missed, a round trip that ended after everybody had finished.
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
                ends: !is_witness(&f.name)
                    && registry.behaviour(&f.protocol, &f.behaviour).is_some_and(|b| (b.ends)(f)),
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
            witnesses: plan.fleets.iter().filter(|f| is_witness(&f.name)).map(|f| Witness::new(f.index)).collect(),
            finished_at: (nobody_to_wait_for && fleets.iter().any(|f| f.ends)).then_some(Time::ZERO),
            fleets,
        }
    }

    /// Takes a note of `member` (its identity); pushes to `heard` who must be told what, in this order.
    pub fn note(&mut self, now: Time, fleet: u16, member: u32, note: &Note, heard: &mut Vec<Heard>) {
        match note {
            Note::Mark(id) => self.mark(*id, member, heard),
            Note::Bind(id, value) => self.bind(*id, fleet, member, value, heard),
            Note::Finished => self.finish(now, fleet, member),
            Note::Witness(state) => self.witness(now, fleet, *state),
            _ => {}
        }
    }

    /// A witness has something to say. Its last word counts once everybody has finished, and only for a round trip that began
    /// after that.
    pub fn witness(&mut self, now: Time, fleet: u16, state: WitnessState) {
        let Some(witness) = self.witnesses.iter_mut().find(|witness| witness.fleet == fleet) else { return };
        witness.spoke = true;
        let Some(finished) = self.finished_at else { return };
        witness.witnessed |= match state {
            WitnessState::Served { rtt, .. } => now.0.saturating_sub(rtt) >= finished.0,
            WitnessState::Missed { .. } => true,
            WitnessState::Lost => false,
        };
    }

    /// Everybody but the witnesses may start: each was served once before anything happened to the target, or could not be.
    /// Ramps and the plan's limit count from the first moment at which this holds.
    #[must_use]
    pub fn may_start(&self, now: Time) -> bool {
        self.witnesses.iter().all(|witness| witness.spoke) || now >= Time::ZERO + WITNESS_FIRST
    }

    /// The value that was bound last.
    #[must_use]
    pub fn value(&self, id: BindId) -> Option<&Value> {
        self.binds[id.0 as usize].value.as_ref()
    }

    /// Everybody who ends has finished, and each witness has since finished or missed a round trip, or was lost for good.
    #[must_use]
    pub fn over(&self, now: Time) -> bool {
        let lost_for_good = |finished: Time| now >= finished + WITNESS_LAST;
        self.finished_at.is_some_and(|at| self.witnesses.iter().all(|one| one.witnessed) || lost_for_good(at))
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

impl Witness {
    fn new(fleet: u16) -> Witness {
        Witness { fleet, spoke: false, witnessed: false }
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Fleets 0 (three members), 1 (three members), 2 (one member, endless: the witness). Mark 0 and value 0 are of fleet 0; fleets 1 and
    /// `listener` wait for them.
    fn board(only: Option<&[u32]>, listener: u16) -> Board {
        let fleet = |count: u32, ends| Fleet {
            count,
            members: only.filter(|_| ends).map_or((0..count).collect(), <[u32]>::to_vec),
            ends,
            finished: BTreeSet::new(),
        };
        Board {
            fleets: vec![fleet(3, true), fleet(3, true), fleet(1, false)],
            marks: vec![Mark { fleet: 0, listeners: vec![listener], set: BTreeSet::new() }],
            binds: vec![Bind { listeners: vec![listener], value: None }],
            witnesses: vec![Witness::new(2)],
            finished_at: None,
        }
    }

    fn told(board: &mut Board, member: u32, note: &Note) -> Vec<(u16, u32)> {
        let mut heard = Vec::new();
        board.note(Time::ZERO, 0, member, note, &mut heard);
        heard.iter().map(|one| (one.fleet, one.member)).collect()
    }

    #[test]
    fn a_mark_reaches_the_same_member_of_a_fleet_of_the_same_size() {
        let mut board = board(None, 1);
        assert_eq!(told(&mut board, 2, &Note::Mark(MarkId(0))), [(1, 2)]);
        assert_eq!(told(&mut board, 2, &Note::Mark(MarkId(0))), [], "a mark is set once");
        assert_eq!(told(&mut board, 0, &Note::Mark(MarkId(0))), [(1, 0)]);
    }

    #[test]
    fn a_fleet_of_another_size_hears_once_all_have_set_the_mark() {
        let mut board = board(None, 2);
        assert_eq!(told(&mut board, 0, &Note::Mark(MarkId(0))), []);
        assert_eq!(told(&mut board, 1, &Note::Mark(MarkId(0))), []);
        assert_eq!(told(&mut board, 2, &Note::Mark(MarkId(0))), [(2, 0)]);
    }

    #[test]
    fn members_that_were_cut_away_are_not_waited_for() {
        let mut board = board(Some(&[1]), 2);
        assert_eq!(told(&mut board, 1, &Note::Mark(MarkId(0))), [(2, 0)]);
    }

    #[test]
    fn a_value_is_kept_and_told() {
        let mut board = board(None, 2);
        assert_eq!(board.value(BindId(0)), None);
        assert_eq!(told(&mut board, 1, &Note::Bind(BindId(0), Value::Int(7))), [(2, 0)]);
        assert_eq!(board.value(BindId(0)), Some(&Value::Int(7)));
    }

    /// All six members finish at 100 ms; then the witness says these, each at a time in ms.
    fn over_after(words: &[(u64, WitnessState)], asked_at: u64) -> bool {
        let mut board = board(None, 1);
        let at = |ms: u64| Time(ms * 1_000_000);
        for (fleet, member) in (0..2).flat_map(|fleet| (0..3).map(move |member| (fleet, member))) {
            assert!(board.unfinished());
            board.note(at(100), fleet, member, &Note::Finished, &mut Vec::new());
        }
        assert!(!board.unfinished());
        for (ms, word) in words {
            board.witness(at(*ms), 2, *word);
        }
        board.over(at(asked_at))
    }

    fn served(rtt: Duration) -> WitnessState {
        WitnessState::Served { rtt: crate::time::nanos(rtt), late: 0 }
    }

    #[test]
    fn a_trial_is_over_once_the_witness_was_served_after_everybody_had_finished() {
        assert!(!over_after(&[], 110));
        assert!(over_after(&[(110, served(10 * MS))], 110));
        assert!(!over_after(&[(110, served(11 * MS))], 110), "that round trip began too early");
        assert!(over_after(&[(110, WitnessState::Missed { waited: 0, late: 0 })], 110));
    }

    #[test]
    fn a_witness_that_is_thrown_out_has_five_seconds_to_come_back() {
        let lost = (110, WitnessState::Lost);
        assert!(!over_after(&[lost], 5_099));
        assert!(over_after(&[lost], 5_100));
        assert!(over_after(&[lost, (300, served(MS))], 300));
    }

    #[test]
    fn everybody_starts_after_the_first_word_of_the_witness_or_two_seconds() {
        let mut board = board(None, 1);
        assert!(!board.may_start(Time(1_999_999_999)));
        assert!(board.may_start(Time(2_000_000_000)));
        board.witness(Time(5), 2, WitnessState::Lost);
        assert!(board.may_start(Time(5)));
    }

    #[test]
    fn starts_are_spread_evenly() {
        let starts = [0, 1, 2, 3].map(|n| start_of(10 * MS, n, 4).0);
        assert_eq!(starts, [0, 2_500_000, 5_000_000, 7_500_000]);
        assert_eq!(start_of(10 * MS, 0, 0), Time::ZERO);
    }
}
