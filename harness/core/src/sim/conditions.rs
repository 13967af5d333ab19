//! What befalls the harness itself: it is stopped for a while, or its timers fire late. The target is spared: what was late by our own
//! fault must never be told as the target's.
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Sim;
use super::happening::Happening;
use crate::seed::{Rng, Seed};
use crate::time::{Duration, Time, nanos};
use crate::transcript::{Event, Slipped, Who};

/// A suspended laptop, a loaded machine. Nothing of it is drawn where nothing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// When the harness is stopped, and for how long: nothing reaches its actors, and then what waits comes before what is due.
    pub stops: Vec<(Time, Duration)>,
    /// How late the harness may be for its timers.
    pub timer_slip_max: Duration,
}

/// The harness as it is just now.
pub(super) struct Lateness {
    conditions: Conditions,
    draws: Rng,
    /// It is late for its timers until then.
    busy_until: Time,
    /// Intervals in which something had to wait, and which the record does not show yet.
    slips: VecDeque<Slip>,
}

/// Lateness that is worth an entry, as in live runs.
const SLIP_MIN: Duration = Duration::from_millis(10);

/// From when to when nobody was awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) from: Time,
    pub(super) to: Time,
}

/// How a happening reaches the harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    /// From outside: it waits in the kernel, in order.
    Kernel,
    /// From its own clock.
    Clock,
}

impl Lateness {
    /// `None` where nothing befalls the harness.
    pub(super) fn new(conditions: Conditions, seed: Seed) -> Option<Lateness> {
        let draws = seed.stream("timer-slip", 0);
        let spared = conditions == Conditions::default();
        (!spared).then_some(Lateness { conditions, draws, busy_until: Time::ZERO, slips: VecDeque::new() })
    }

    /// The stop that `at` falls into; stops that touch are one.
    fn stop(&self, at: Time) -> Option<Slip> {
        let stops = self.conditions.stops.iter().map(|(from, len)| Slip { from: *from, to: *from + *len });
        let holds = |at: Time| stops.clone().filter(move |stop| stop.from <= at && at < stop.to);
        let mut slip = holds(at).max_by_key(|stop| stop.to)?;
        while let Some(longer) = holds(slip.to).max_by_key(|stop| stop.to) {
            slip.to = longer.to;
        }
        Some(slip)
    }

    /// When something that happens at `at` reaches the harness; `None`: at once.
    fn put_off(&mut self, at: Time, road: Road) -> Option<Time> {
        if let Some(stop) = self.stop(at) {
            if self.slips.back() != Some(&stop) {
                self.slips.push_back(stop);
            }
            // One step later than what waits in the kernel: sockets are read before timers fire.
            return Some(if road == Road::Clock { stop.to + Duration::from_nanos(1) } else { stop.to });
        }
        if road == Road::Kernel || self.conditions.timer_slip_max.is_zero() || at == self.busy_until {
            return None;
        }
        if at > self.busy_until {
            let late = Duration::from_nanos(self.draws.between(0, nanos(self.conditions.timer_slip_max)));
            self.busy_until = at + late;
            if late >= SLIP_MIN {
                self.slips.push_back(Slip { from: at, to: self.busy_until });
            }
        }
        // Those that come while it is late wait with the first, so that their order stays.
        (self.busy_until > at).then_some(self.busy_until)
    }

    /// The interval that ended first of those that have by now, each once: one that began earlier may last longer.
    fn ended(&mut self, now: Time) -> Option<Slip> {
        let first = self.slips.iter().enumerate().min_by_key(|(_, slip)| slip.to);
        let place = first.filter(|(_, slip)| slip.to <= now).map(|(place, _)| place)?;
        self.slips.remove(place)
    }
}

impl Sim<'_> {
    /// Whether this happens now. What has to wait until the harness is awake happens later.
    pub(super) fn happens_now(&mut self, what: Happening) -> bool {
        let road = self.road(what);
        let Some(lateness) = &mut self.lateness else { return true };
        while let Some(slip) = lateness.ended(self.now) {
            for of in [Slipped::Fleets, Slipped::Witnesses] {
                let ns = nanos(slip.to.since(slip.from));
                self.recorder.entry(slip.to, Who::Harness, Event::Slip { of, ns });
            }
        }
        let Some(road) = road else { return true };
        let later = lateness.put_off(self.now, road);
        if let Some(later) = later {
            self.push(later, what);
        }
        later.is_none()
    }

    /// How this reaches the harness; `None`: it is the target's.
    fn road(&self, what: Happening) -> Option<Road> {
        let target = self.actors.target();
        let (who, road) = match what {
            Happening::Start(who)
            | Happening::Timer(who, _)
            | Happening::Mark(who, _)
            | Happening::Void(who, _)
            | Happening::Bound(who, _)
            | Happening::Ask(who) => (who, Road::Clock),
            Happening::Knock(conn, _)
            | Happening::Opened(conn, _)
            | Happening::Bytes(conn, _)
            | Happening::Closed(conn, _)
            | Happening::Flushed(conn)
            | Happening::Drain(conn) => (self.ends[conn].who, Road::Kernel),
            Happening::Done(who, _) => (who, Road::Kernel),
            // The link, the administrator and the sampler are ours.
            Happening::Cut(_) | Happening::Order(_) | Happening::Tick => return Some(Road::Clock),
        };
        (who != target).then_some(road)
    }

    /// The plan's limit as the harness sees it: asleep, it reaches none.
    pub(super) fn limit_seen(&self, limit: Time) -> Time {
        let stop = self.lateness.as_ref().and_then(|lateness| lateness.stop(limit));
        stop.map_or(limit, |stop| stop.to + Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Time {
        Time(ms * 1_000_000)
    }

    fn lateness(stops: &[(u64, u64)], slip_ms: u32) -> Lateness {
        let stops = stops.iter().map(|(from, len)| (at(*from), MS * *len as u32)).collect();
        Lateness::new(Conditions { stops, timer_slip_max: MS * slip_ms }, Seed(1)).expect("something befalls it")
    }

    #[test]
    fn in_a_stop_everything_waits_for_its_end_and_timers_a_step_longer() {
        let mut stopped = lateness(&[(10, 5)], 0);
        assert_eq!(stopped.put_off(at(9), Road::Clock), None);
        assert_eq!(stopped.put_off(at(10), Road::Kernel), Some(at(15)));
        assert_eq!(stopped.put_off(at(14), Road::Clock), Some(Time(at(15).0 + 1)));
        assert_eq!(stopped.put_off(at(15), Road::Clock), None, "the stop is over");
        assert_eq!(stopped.ended(at(15)), Some(Slip { from: at(10), to: at(15) }));
        assert_eq!(stopped.ended(at(16)), None, "it is told once");
    }

    #[test]
    fn stops_that_touch_are_one() {
        let mut stopped = lateness(&[(15, 5), (10, 5)], 0);
        assert_eq!(stopped.put_off(at(12), Road::Kernel), Some(at(20)));
    }

    #[test]
    fn a_late_timer_is_late_once_and_those_behind_it_wait_with_it() {
        let mut late = lateness(&[], 50);
        let first = late.put_off(at(100), Road::Clock).expect("one draw of 50 ms is not zero");
        assert!(first > at(100) && first <= at(150), "{first}");
        assert_eq!(late.put_off(Time(at(100).0 + 1), Road::Clock), Some(first));
        assert_eq!(late.put_off(first, Road::Clock), None, "it was late enough");
        assert_eq!(late.put_off(at(120), Road::Kernel), None, "what comes from outside is no timer");
    }
}
