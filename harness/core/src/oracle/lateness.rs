//! Our own lateness, the scheduling delay of the harness and its machine: when one of our loops could not act, or the target waited
//! for a processor.
//!
//! No rule compares times by itself. It asks [`Record::in_time`](super::record::Record::in_time) whether something was seen within a
//! time, and hears yes, no, or why nobody can say.
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::record::{Moment, Record, StepRun};
use crate::time::{Duration, Time, nanos};
use crate::transcript::{By, Event, Slipped, Transcript, Who};
use crate::witness::is_witness;

/// Name of the gauge that says how long the target's threads have waited while others had the processors, nanoseconds so far.
pub const CPU_WAIT: &str = "cpu-wait-ns";
/// Bounds are met up to a fiftieth of their length: timers of kernels and of servers are no more exact than that (30.1 s for 30 s).
const TOLERANCE_SHARE: u32 = 50;
/// And never less than this: what a loaded machine may take to wake a process.
const TOLERANCE_MIN: Duration = Duration::from_millis(100);
/// Whoever was stopped for this long has missed deadlines of its own: the shortest that any rule grants.
pub const STOPPED_MIN: Duration = Duration::from_secs(1);

/// By how much a bound may be exceeded before it is broken: 2 % of it, and at least 100 ms.
#[must_use]
pub fn tolerance(within: Duration) -> Duration {
    (within / TOLERANCE_SHARE).max(TOLERANCE_MIN)
}

/// The answer to a question about time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InTime {
    /// It was seen within the time.
    Yes,
    /// It was not, and the target had all of it.
    No,
    /// Nobody can say, for this reason.
    Unknown(String),
}

/// An interval in which somebody could not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slip {
    from: Time,
    until: Time,
}

/// All intervals of one trial.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    /// By whom, each in order and apart: a rule asks once for each of thousands of connections.
    slips: BTreeMap<Slipped, Vec<Slip>>,
    /// What the target's threads had waited for a processor by then.
    waited: Vec<(Time, u64)>,
}

impl Lateness {
    /// Gathers.
    #[must_use]
    pub(crate) fn of(transcript: &Transcript) -> Lateness {
        let mut lateness = Lateness::default();
        for entry in &transcript.entries {
            match &entry.event {
                Event::Slip { of, ns } => {
                    let from = Time(entry.at.0.saturating_sub(*ns));
                    lateness.slips.entry(*of).or_default().push(Slip { from, until: entry.at });
                }
                Event::Gauge { name, value } if entry.who == Who::Target && name == CPU_WAIT => {
                    lateness.waited.push((entry.at, *value));
                }
                _ => {}
            }
        }
        lateness
    }

    /// How long what drives this fleet, or the target, could not act between two moments: the longer of both.
    #[must_use]
    pub fn between(&self, fleet: &str, from: Time, until: Time) -> Duration {
        let ours = if is_witness(fleet) { Slipped::Witnesses } else { Slipped::Fleets };
        let sum = |of: Slipped| {
            let slips = self.slips.get(&of).map_or(&[][..], Vec::as_slice);
            let first = slips.partition_point(|slip| slip.until <= from);
            let inside = slips[first..].iter().take_while(|slip| slip.from < until);
            inside.map(|slip| slip.until.min(until).since(slip.from.max(from))).sum::<Duration>()
        };
        sum(ours).max(sum(Slipped::Target)).max(self.waited_between(from, until))
    }

    /// The longest time for which one of our loops was stopped, where that was long enough to miss a deadline.
    #[must_use]
    pub fn stopped(&self) -> Option<Duration> {
        self.stopped_between(Time::ZERO, Time::NEVER)
    }

    /// As [`Lateness::stopped`], between two moments.
    #[must_use]
    pub fn stopped_between(&self, from: Time, until: Time) -> Option<Duration> {
        let ours = self.slips.iter().filter(|(of, _)| **of != Slipped::Target).flat_map(|(_, slips)| slips);
        let within = ours.map(|slip| slip.until.min(until).since(slip.from.max(from)));
        within.filter(|long| *long >= STOPPED_MIN).max()
    }

    /// What the target waited between the samples around an interval, at most as long as the interval.
    fn waited_between(&self, from: Time, until: Time) -> Duration {
        let before = self.waited.partition_point(|(at, _)| *at <= from).checked_sub(1);
        let before = before.map(|at| &self.waited[at]).or(self.waited.first());
        let after = self.waited.get(self.waited.partition_point(|(at, _)| *at < until)).or(self.waited.last());
        let waited = before.zip(after).map_or(0, |((_, before), (_, after))| after.saturating_sub(*before));
        Duration::from_nanos(waited.min(nanos(until.since(from))))
    }
}

impl Record<'_> {
    /// Whether something that this fleet waited for came within a time: `seen` is when it did, if it ever did. A bound is met up to
    /// its [`tolerance`]. Where it is not, it is broken only if the record covers the whole time, neither we nor the target were
    /// kept from acting for longer than the tolerance, and a target that is slow with legal clients had three times what they wait.
    #[must_use]
    pub fn in_time(&self, fleet: &str, since: Time, within: Duration, seen: Option<Time>) -> InTime {
        let (spare, deadline) = (tolerance(within), since + within);
        if seen.is_some_and(|at| at <= deadline + spare) {
            return InTime::Yes;
        }
        if seen.is_none() && self.end < deadline {
            let left = nanos(deadline - self.end) / 1_000_000;
            return InTime::Unknown(format!("the record ended {left} ms before the target's time was over"));
        }
        let had = |at: Time| at.since(since).saturating_sub(self.lateness.between(fleet, since, at));
        let granted = self.granted(within);
        let (spare, deadline) = (tolerance(granted), since + granted);
        let open_until = seen.unwrap_or(self.end);
        if let Some(why) = self.slow_as_ever(within).filter(|_| open_until <= deadline + spare) {
            return InTime::Unknown(why);
        }
        if seen.is_some_and(|at| had(at) > granted + spare) {
            return InTime::No; // all our lateness taken off, it was late still
        }
        let late = self.lateness.between(fleet, since, deadline + spare);
        if late > spare {
            return InTime::Unknown(format!(
                "we were late: for {} ms of {} ms one side could not act",
                nanos(late) / 1_000_000,
                nanos(granted) / 1_000_000
            ));
        }
        InTime::No
    }
}

impl Record<'_> {
    /// Why a step that was not met says nothing about the target: our own limits ended its connection, one side could not act while
    /// it waited, or nothing came in time from a target that is as slow with everybody.
    #[must_use]
    pub fn excuse(&self, run: &StepRun<'_>) -> Option<String> {
        if run.conn.is_some_and(|conn| self.is_limited(conn)) {
            return Some(String::from("was cut short by our own limits"));
        }
        let slow = run.patience.filter(|_| run.ran_out()).and_then(|patience| self.slow_as_ever(patience));
        if let Some(slow) = slow {
            return Some(format!("had no answer in time, and {slow}"));
        }
        let (from, (until, _)) = (run.started?, run.ended?);
        let closed = run.conn.and_then(|conn| self.connections.get(&conn)).and_then(|connection| connection.closed);
        if closed.is_some_and(|(moment, by, _)| by == By::Us && moment.id <= until.id && moment.id >= from.id) {
            return Some(String::from("was cut short by an end of our own"));
        }
        let late = self.lateness.between(run.fleet, from.at, until.at);
        let excused = late > tolerance(until.at.since(from.at));
        excused.then(|| format!("waited while one side could not act for {} ms", late.as_millis()))
    }
}

/// Whether the target ended a connection within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It did: here.
    InTime(Moment),
    /// It did not, or later, where that was seen.
    Late(Option<Moment>),
    /// Nobody can say: we ended it ourselves before, or one of us was late.
    Unknown(String),
}

impl Record<'_> {
    /// Whether we saw this connection stand until a moment, and the target never ended it.
    pub(super) fn is_left_open(&self, conn: u32, until: Time) -> bool {
        let closed = self.connections.get(&conn).and_then(|connection| connection.closed);
        self.end >= until && closed.is_none_or(|(moment, by, _)| by == By::Us && moment.at >= until)
    }

    /// Whether the target ended this connection within a time; see [`Record::in_time`].
    #[must_use]
    pub fn closing(&self, conn: u32, since: Time, within: Duration) -> Closing {
        let Some(connection) = self.connections.get(&conn) else {
            return Closing::Unknown(String::from("the connection never stood"));
        };
        let by_peer = connection.closed.filter(|(_, by, _)| *by == By::Peer).map(|(moment, ..)| moment);
        let by_us = connection.closed.filter(|(_, by, _)| *by != By::Peer).map(|(moment, ..)| moment);
        if by_us.is_some_and(|ours| ours.at < since + within) {
            return Closing::Unknown(String::from("we ended the connection before the target's time was over"));
        }
        match self.in_time(connection.fleet, since, within, by_peer.map(|moment| moment.at)) {
            InTime::Yes => by_peer.map_or(Closing::Late(None), Closing::InTime),
            InTime::No => Closing::Late(by_peer.or(by_us)),
            InTime::Unknown(why) => Closing::Unknown(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn lateness(slips: &[(Slipped, u64, u64)], waited: &[(u64, u64)]) -> Lateness {
        let sample = |(at, ms): &(u64, u64)| (Time(at * MS), ms * MS);
        let mut lateness = Lateness { slips: BTreeMap::new(), waited: waited.iter().map(sample).collect() };
        for (of, from, until) in slips {
            let slip = Slip { from: Time(from * MS), until: Time(until * MS) };
            lateness.slips.entry(*of).or_default().push(slip);
        }
        lateness
    }

    #[track_caller]
    fn check(lateness: &Lateness, fleet: &str, from: u64, until: u64, ms: u64) {
        assert_eq!(lateness.between(fleet, Time(from * MS), Time(until * MS)), Duration::from_millis(ms));
    }

    #[test]
    fn only_the_part_of_a_slip_that_lies_in_the_interval_counts() {
        let slips = lateness(&[(Slipped::Fleets, 100, 200), (Slipped::Fleets, 300, 400)], &[]);
        check(&slips, "foe", 0, 500, 200);
        check(&slips, "foe", 150, 350, 100);
        check(&slips, "foe", 200, 300, 0);
        check(&slips, "witness", 0, 500, 0);
    }

    #[test]
    fn a_target_that_waited_for_a_processor_is_not_late_itself() {
        let starved = lateness(&[], &[(0, 0), (100, 10), (200, 90), (300, 90)]);
        check(&starved, "foe", 100, 200, 80);
        check(&starved, "witness", 210, 290, 0);
        check(&starved, "foe", 150, 160, 10);
    }

    #[test]
    fn a_bound_of_thirty_seconds_is_met_after_thirty_point_one_and_not_after_thirty_one() {
        assert_eq!(tolerance(Duration::from_secs(30)), Duration::from_millis(600));
        assert_eq!(tolerance(Duration::from_secs(1)), Duration::from_millis(100));
    }
}
