//! Targets with `reuse = "campaign"` between two rounds. Each waits for another trial, until something has to run that nobody may be beside.
//! How one takes its end is judged too, and belongs to the trial that was played in it last.
use std::collections::BTreeMap;
use std::sync::Mutex;

use proofhouse_core::oracle::{GENERIC, broke_as_it_ended, servers_ended};
use proofhouse_core::plan::{Expect, Plan};
use proofhouse_core::severity::FindingKind;
use proofhouse_core::transcript::{Entry, Transcript};
use proofhouse_core::value::Fields;
use proofhouse_core::verdict::Verdict;

use super::trial::header;
use crate::Lab;
use crate::process::observed::lock;

/// A started target that waits, and what was played in it last.
pub(super) struct Idle {
    pub(super) lab: Lab,
    pub(super) last: Plan,
}

/// A trial that had passed, and whose target ended badly after it: while it waited for another round, or as we stopped it.
pub struct Parting {
    /// What was played last.
    pub plan: Plan,
    /// Digest of the target's file.
    pub target: String,
    /// Rounds that it had played by then.
    pub rounds: u32,
    /// What was seen.
    pub why: String,
}

/// All of them, by digest of the target's file.
#[derive(Default)]
pub(super) struct Waiting {
    labs: Mutex<BTreeMap<String, Vec<Idle>>>,
    parted: Mutex<Vec<Parting>>,
}

impl Waiting {
    /// One that waits for a round of this target.
    pub(super) fn take(&self, target: &str) -> Option<Idle> {
        lock(&self.labs).get_mut(target)?.pop()
    }

    /// Waits from now on.
    pub(super) fn keep(&self, target: &str, idle: Idle) {
        lock(&self.labs).entry(target.to_owned()).or_default().push(idle);
    }

    /// Ends every one that waits, but those of one target.
    pub(super) fn end(&self, but: Option<&str>) {
        let mut labs = lock(&self.labs);
        let kept = but.and_then(|target| labs.remove_entry(target));
        let ended = std::mem::replace(&mut *labs, kept.into_iter().collect());
        drop(labs); // an end takes its time
        for (target, all) in ended {
            all.into_iter().for_each(|idle| self.part(&target, idle));
        }
    }

    /// Ends one, and looks at how it took that.
    pub(super) fn part(&self, target: &str, idle: Idle) {
        let Idle { lab, last } = idle;
        let rounds = lab.rounds();
        if let Some(why) = amiss(&last, lab.close().entries) {
            lock(&self.parted).push(Parting { plan: last, target: target.to_owned(), rounds, why });
        }
    }

    /// Those that ended badly and were not told of yet.
    pub(super) fn parted(&self) -> Vec<Parting> {
        std::mem::take(&mut *lock(&self.parted))
    }
}

/// What the rules that hold in every scenario find in the end of a target, or that a process of it ended although it lives. Nobody asked
/// it anything meanwhile, so that no silence is a hang.
fn amiss(plan: &Plan, entries: Vec<Entry>) -> Option<String> {
    let servers = servers_ended(&entries);
    let ending = Transcript { header: header(plan, "live", "ending"), entries };
    let rules = GENERIC.iter().filter(|oracle| matches!(oracle.kind, FindingKind::Crash | FindingKind::Exception));
    let mut judged = rules.map(|oracle| {
        let plain = Expect { oracle: oracle.id.to_string(), of: Vec::new(), keys: Fields::default() };
        (oracle.judge)(&plain, plan, &ending)
    });
    let failed = judged.find(|judgement| judgement.verdict == Verdict::Fail).map(|judgement| judgement.reason);
    failed
        .or(servers)
        .or_else(|| broke_as_it_ended(&ending).then(|| "it broke over an exception as it was ended".into()))
}

#[cfg(test)]
mod tests {
    use proofhouse_core::recorder::SERVERS_ENDED;
    use proofhouse_core::testing;
    use proofhouse_core::time::Time;
    use proofhouse_core::transcript::{Event, Life, Who};

    use super::*;

    fn ended_with(events: &[Event]) -> Option<String> {
        let entry = |event: &Event| Entry { at: Time::ZERO, who: Who::Target, event: event.clone() };
        amiss(&testing::plan(Vec::new()), events.iter().map(entry).collect())
    }

    #[test]
    fn a_process_that_had_served_and_ended_while_its_target_waited_is_told_and_a_quiet_end_is_not() {
        let gauge = |name: &str| Event::Gauge { name: name.into(), value: 1 };
        let stopped = Event::Life(Life::Stopped);
        assert_eq!(ended_with(&[gauge("rss-bytes"), stopped.clone()]), None);
        let told = ended_with(&[gauge(SERVERS_ENDED), stopped.clone()]).expect("a server has ended");
        assert!(told.contains("1 of the processes that served"), "{told}");
        let crash = ended_with(&[gauge(SERVERS_ENDED), Event::Life(Life::Signalled { signal: 11 })]).unwrap();
        assert!(crash.contains("signal 11"), "the worse of both: {crash}");
    }
}
