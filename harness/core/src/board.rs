//! Synchronisation between fleets, and the end of a trial: marks (barriers), bound values (captured variables), who has finished, the
//! witness's last word.
//! The simulator and the live driver keep the same board, so that order between fleets means the same in both.
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use crate::behaviour::witness::SETTLES;
use crate::ids::{BindId, MarkId};
use crate::note::Note;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::time::{Duration, Time};
use crate::transcript::WitnessState;
use crate::value::Value;
use crate::witness::is_witness;

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
    /// The mark will never hold for it.
    Void(MarkId),
    /// The value is bound; read it with [`Board::value`].
    Bound(BindId),
}

/// The marks, values and endings of one trial.
///
/// A trial has three parts. In the opening only witnesses act, until each has spoken. Then everybody acts, until all that end have
/// ended or the limit is reached. Then comes the last word: [`Board::last_word`] says when, runners freeze the attack and ask every
/// witness, and the trial is over once each of them has answered for a round that began a quarter of a second after that, and for its
/// newcomer.
pub struct Board {
    fleets: Vec<Roster>,
    marks: Vec<Mark>,
    binds: Vec<Bind>,
    witnesses: Vec<Witness>,
    /// Fleets that end and have members who have not finished.
    busy: usize,
    /// When the witnesses were asked for their last word.
    asked: Option<Time>,
}

struct Witness {
    fleet: u16,
    /// It has had something to say, good or bad.
    spoke: bool,
    /// It was served, or missed, a round trip that began a quarter of a second after it was asked for its last word.
    answered: bool,
    /// The newcomer of its last word has not been served yet, nor given up.
    awaits: bool,
}

/// Everybody else waits at most this long for the witness's first word: a target that does not serve it is attacked all the same.
const WITNESS_FIRST: Duration = Duration::from_secs(2);
/// A witness that was asked answers within its own deadline of 5 s, or says that it missed. One that has not spoken in twice that
/// is stuck by our own fault; the trial then ends without its word, and so without a PASS.
const WITNESS_LAST: Duration = Duration::from_secs(10);

struct Roster {
    count: u32,
    /// Identities, rising.
    members: Vec<u32>,
    ends: bool,
    finished: BTreeSet<u32>,
}

struct Mark {
    fleet: u16,
    listeners: Vec<u16>,
    set: BTreeSet<u32>,
    void: BTreeSet<u32>,
}

struct Bind {
    listeners: Vec<u16>,
    value: Option<Value>,
}

impl Board {
    /// An empty board for this plan. Fleets whose behaviour is unknown, and the witness, do not end by themselves.
    #[must_use]
    pub fn new(plan: &Plan, registry: &Registry) -> Board {
        let fleets: Vec<Roster> = plan
            .fleets
            .iter()
            .map(|f| Roster {
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
            void: BTreeSet::new(),
        });
        let binds = (0..plan.binds.len()).map(|n| Bind {
            listeners: fleets_where(plan, |step| step.uses.iter().any(|(_, id)| *id == BindId(n as u16))),
            value: None,
        });
        Board {
            marks: marks.collect(),
            binds: binds.collect(),
            witnesses: plan.fleets.iter().filter(|f| is_witness(&f.name)).map(|f| Witness::new(f.index)).collect(),
            busy: fleets.iter().filter(|f| f.ends && !f.members.is_empty()).count(),
            asked: None,
            fleets,
        }
    }

    /// Takes a note of `member` (its identity); pushes to `heard` who must be told what, in this order.
    pub fn note(&mut self, now: Time, fleet: u16, member: u32, note: &Note, heard: &mut Vec<Heard>) {
        match note {
            Note::Mark(id) => self.mark(*id, member, heard),
            Note::Void(id) => self.void(*id, member, heard),
            Note::Bind(id, value) => self.bind(*id, fleet, member, value, heard),
            Note::Finished => self.finish(fleet, member),
            Note::Witness(state) => self.witness(now, fleet, *state),
            _ => {}
        }
    }

    /// A witness has something to say. It is its last word if the round trip began once the attack had settled.
    pub fn witness(&mut self, now: Time, fleet: u16, state: WitnessState) {
        let Some(witness) = self.witnesses.iter_mut().find(|witness| witness.fleet == fleet) else { return };
        if state.is_of_newcomer() {
            witness.awaits = state == WitnessState::Knocks && self.asked.is_some();
            return;
        }
        witness.spoke = true;
        let Some(asked) = self.asked else { return };
        witness.answered |= match state {
            WitnessState::Served { rtt: took, .. } | WitnessState::Missed { waited: took, .. } => {
                now.0.saturating_sub(took) >= (asked + SETTLES).0
            }
            _ => false,
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

    /// Whether it is time for the last word: everybody who ends has finished, there is nobody but witnesses and they have spoken, or `must`
    /// (the limit is reached). True once: from now on the attack is over, and every witness is to be asked.
    pub fn last_word(&mut self, now: Time, must: bool) -> bool {
        let only_witnesses = self.fleets.len() == self.witnesses.len() && self.may_start(now);
        let all_ended = self.busy == 0 && (self.fleets.iter().any(|f| f.ends) || only_witnesses);
        let due = self.asked.is_none() && (must || all_ended);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// The attack is over and every witness has had its last word, or there is none.
    #[must_use]
    pub fn over(&self, now: Time) -> bool {
        self.asked.is_some_and(|at| {
            self.witnesses.iter().all(|one| one.answered && !one.awaits) || now >= at + SETTLES + WITNESS_LAST
        })
    }

    /// Somebody who ends has not finished: at the plan's limit, that is worth an entry. False where all fleets are endless.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.busy > 0
    }

    fn mark(&mut self, id: MarkId, member: u32, heard: &mut Vec<Heard>) {
        let mark = &mut self.marks[id.0 as usize];
        if !mark.set.insert(member) {
            return;
        }
        let setter = &self.fleets[mark.fleet as usize];
        let complete = mark.set.len() >= setter.members.len();
        for &listener in &mark.listeners {
            let fleet = &self.fleets[listener as usize];
            if fleet.count == setter.count {
                tell(fleet, listener, Some(member), News::Mark(id), heard);
            } else if complete {
                tell(fleet, listener, None, News::Mark(id), heard);
            }
        }
    }

    /// A mark that a member will never set: the same member of a fleet of the same size, and everybody of another, waits in vain.
    fn void(&mut self, id: MarkId, member: u32, heard: &mut Vec<Heard>) {
        let mark = &mut self.marks[id.0 as usize];
        if mark.set.contains(&member) || !mark.void.insert(member) {
            return;
        }
        let setters = self.fleets[mark.fleet as usize].count;
        let first = mark.void.len() == 1;
        for &listener in &mark.listeners {
            let fleet = &self.fleets[listener as usize];
            if fleet.count == setters {
                tell(fleet, listener, Some(member), News::Void(id), heard);
            } else if first {
                tell(fleet, listener, None, News::Void(id), heard);
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

    fn finish(&mut self, fleet: u16, member: u32) {
        let fleet = &mut self.fleets[fleet as usize];
        let new = fleet.finished.insert(member);
        if new && fleet.ends && fleet.finished.len() == fleet.members.len() {
            self.busy -= 1;
        }
    }
}

impl Witness {
    fn new(fleet: u16) -> Witness {
        Witness { fleet, spoke: false, answered: false, awaits: false }
    }
}

/// A member of a fleet, or all of it.
fn tell(fleet: &Roster, index: u16, only: Option<u32>, news: News, heard: &mut Vec<Heard>) {
    let told = match only {
        Some(one) => fleet.members.binary_search(&one).map_or(&[][..], |at| &fleet.members[at..=at]),
        None => &fleet.members,
    };
    heard.extend(told.iter().map(|&member| Heard { fleet: index, member, news }));
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
        let fleet = |count: u32, ends| Roster {
            count,
            members: only.filter(|_| ends).map_or((0..count).collect(), <[u32]>::to_vec),
            ends,
            finished: BTreeSet::new(),
        };
        Board {
            fleets: vec![fleet(3, true), fleet(3, true), fleet(1, false)],
            marks: vec![Mark { fleet: 0, listeners: vec![listener], set: BTreeSet::new(), void: BTreeSet::new() }],
            binds: vec![Bind { listeners: vec![listener], value: None }],
            witnesses: vec![Witness::new(2)],
            busy: 2,
            asked: None,
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

    #[test]
    fn a_mark_that_can_never_be_set_is_told_once() {
        let mut same = board(None, 1);
        assert_eq!(told(&mut same, 2, &Note::Void(MarkId(0))), [(1, 2)]);
        assert_eq!(told(&mut same, 2, &Note::Void(MarkId(0))), []);
        let mut other = board(None, 2);
        assert_eq!(told(&mut other, 0, &Note::Mark(MarkId(0))), []);
        assert_eq!(told(&mut other, 0, &Note::Void(MarkId(0))), [], "it is set");
        assert_eq!(told(&mut other, 1, &Note::Void(MarkId(0))), [(2, 0)], "all can never have set it");
        assert_eq!(told(&mut other, 2, &Note::Void(MarkId(0))), []);
    }

    /// All six members finish at 750 ms, which has settled at 1,000 ms; the witness says these, each at a time in ms.
    fn over_after(words: &[(u64, WitnessState)], asked_at: u64) -> bool {
        let mut board = board(None, 1);
        let at = |ms: u64| Time(ms * 1_000_000);
        for (fleet, member) in (0..2).flat_map(|fleet| (0..3).map(move |member| (fleet, member))) {
            assert!(board.unfinished() && !board.last_word(at(749), false));
            board.note(at(750), fleet, member, &Note::Finished, &mut Vec::new());
        }
        assert!(!board.unfinished());
        assert!(board.last_word(at(750), false) && !board.last_word(at(750), false), "asked once");
        for (ms, word) in words {
            board.witness(at(*ms), 2, *word);
        }
        board.over(at(asked_at))
    }

    fn served(rtt: Duration) -> WitnessState {
        WitnessState::Served { rtt: crate::time::nanos(rtt), late: 0 }
    }

    fn missed(waited: Duration) -> WitnessState {
        WitnessState::Missed { waited: crate::time::nanos(waited), late: 0 }
    }

    #[test]
    fn where_there_is_nobody_but_a_witness_the_attack_is_over_once_it_has_spoken() {
        let alone = || {
            let mut board = board(None, 1);
            board.fleets.drain(..2);
            board.witnesses = vec![Witness::new(0)];
            board.busy = 0;
            board
        };
        let mut board = alone();
        assert!(!board.last_word(at_ms(1), false), "nobody has seen it served");
        board.witness(at_ms(2), 0, served(MS));
        assert!(board.last_word(at_ms(2), false));
        let mut endless = alone();
        endless.fleets.push(Roster { count: 1, members: vec![0], ends: false, finished: BTreeSet::new() });
        endless.witness(at_ms(2), 0, served(MS));
        assert!(!endless.last_word(at_ms(2), false), "somebody goes on until the limit");
    }

    fn at_ms(ms: u64) -> Time {
        Time(ms * 1_000_000)
    }

    #[test]
    fn a_trial_is_over_once_the_witness_was_served_after_everybody_had_finished() {
        assert!(!over_after(&[], 1_010));
        assert!(over_after(&[(1_010, served(10 * MS))], 1_010));
        assert!(!over_after(&[(1_010, served(11 * MS))], 1_010), "that round trip began too early");
    }

    #[test]
    fn a_trial_is_over_once_the_newcomer_was_decided_too() {
        let (knocks, round) = ((1_000, WitnessState::Knocks), (1_005, served(MS)));
        assert!(!over_after(&[knocks, round], 1_200));
        assert!(over_after(&[knocks, round, (1_190, WitnessState::Unheard)], 1_200));
        assert!(!over_after(&[knocks, (1_004, WitnessState::Welcomed { took: 1 })], 1_200), "the round is owed still");
        assert!(over_after(&[knocks, round], 11_000), "it is stuck, and that is our own fault");
    }

    #[test]
    fn a_miss_counts_only_where_the_question_came_after_everybody_had_finished() {
        assert!(over_after(&[(6_000, missed(5_000 * MS))], 6_000));
        assert!(!over_after(&[(5_999, missed(5_000 * MS))], 5_999));
    }

    #[test]
    fn a_witness_that_is_thrown_out_still_owes_its_last_word() {
        let lost = (1_010, WitnessState::Lost);
        assert!(!over_after(&[lost], 10_999));
        assert!(over_after(&[lost], 11_000), "it is stuck, and that is our own fault");
        assert!(over_after(&[lost, (1_300, served(MS))], 1_300));
    }

    #[test]
    fn the_limit_asks_for_the_last_word_although_somebody_is_busy() {
        let mut board = board(None, 1);
        assert!(!board.last_word(Time(7), false));
        assert!(board.last_word(Time(7), true));
        assert!(board.unfinished());
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
