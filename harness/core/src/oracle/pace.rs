//! The target's usual response time: a bound of ours is not broken by a target that takes as long for everything.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Record, StepRun, writes};
use crate::part::Part;
use crate::time::{Duration, Time};
use crate::transcript::{StepState, WitnessState};

/// Whoever usually waits for a third of a bound shows nothing by missing it once.
pub(super) const SHARE: u32 = 3;

/// What legal clients waited for their answers before the attack began: the median, since a first log-in may be slow without the
/// rest being so. Controls and witnesses are asked; what is slow during the attack may be the attack's effect, and excuses nothing.
pub(super) fn before_the_attack(record: &Record<'_>) -> Duration {
    let attack = record.attack().map_or(Time::NEVER, |(first, _)| first.at);
    let controls = record.steps.values().filter(|step| step.patience.is_some()).filter_map(answered_control);
    let rounds = record.witnesses().flat_map(|witness| record.witness(witness));
    let rounds = rounds.filter_map(|(moment, state)| match state {
        WitnessState::Served { rtt, .. } => Some((moment.at, Duration::from_nanos(rtt))),
        _ => None,
    });
    let mut waited: Vec<Duration> =
        controls.chain(rounds).filter(|(at, _)| *at <= attack).map(|(_, long)| long).collect();
    waited.sort_unstable();
    waited.get(waited.len() / 2).copied().unwrap_or_default()
}

/// When a control had its answer, and after how long. What waits for something that another client does, or for silence, measures no
/// response time.
pub(super) fn answered_control(step: &StepRun<'_>) -> Option<(Time, Duration)> {
    let asks = step.part == Some(Part::Control) && !step.may_be_silent && writes(step.verb);
    let (from, (until, state)) = (step.started?, step.ended?);
    (asks && state == StepState::Met).then(|| (until.at, until.at.since(from.at)))
}

impl Record<'_> {
    /// The time that this target has where a rule grants `within`: longer, where legal clients wait for a good part of it anyway.
    pub(super) fn granted(&self, within: Duration) -> Duration {
        within.max(self.pace * SHARE)
    }

    /// Why a bound that was missed says nothing: legal clients were answered as slowly before the attack.
    #[must_use]
    pub fn slow_as_ever(&self, within: Duration) -> Option<String> {
        let slow = self.pace > within / SHARE;
        slow.then(|| format!("legal clients waited {} ms for an answer even before the attack", self.pace.as_millis()))
    }
}
