//! A target that lives on for a while after its trial, while others are played: what breaks down only then is found as well. Its witnesses
//! are asked once more, in a round without any other fleet, and the trial's record is told what came of it.
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use proofhouse_core::budget::Lease;
use proofhouse_core::ids::Conn;
use proofhouse_core::plan::{Plan, Recording};
use proofhouse_core::recorder::{LINGERED, ROUNDS_BEFORE, SERVERS_ENDED};
use proofhouse_core::time::{Time, nanos};
use proofhouse_core::transcript::{Entry, Event, Header, Life, Transcript, Who, WitnessState};
use proofhouse_core::witness::is_witness;

use super::{Lab, in_round};
use crate::clock::Stopwatch;
use crate::witness::renumbered;

/// How often it is looked at whether the target has ended meanwhile.
const GLANCE: Duration = Duration::from_millis(50);

/// Gives back what a trial holds only as long as it acts.
pub(crate) type Aside<'a> = &'a dyn Fn();

impl Lab {
    /// Lets the target live on, aside, and looks at it again. What it logs belongs to the record; everything else only where it is in trouble.
    pub(super) fn linger(&mut self, plan: &Plan, transcript: &mut Transcript, aside: Aside<'_>) {
        if self.ours.as_ref().is_none_or(|(process, _)| process.ended().is_some()) {
            return; // the record has its end already
        }
        let zero = self.zero;
        aside();
        self.wait();
        let mut seen = in_round(self.observed.take(), zero);
        if !seen.iter().any(has_ended) {
            seen.extend(self.look(plan, &transcript.header, zero));
        }
        if !is_trouble(&seen) {
            seen.retain(|entry| matches!(entry.event, Event::Life(Life::Log { .. } | Life::Panic { .. })));
        } else {
            let mark = Event::Gauge { name: LINGERED.into(), value: nanos(self.options.linger) / 1_000_000 };
            let at = seen.first().map_or(zero, |entry| entry.at);
            seen.insert(0, Entry { at, who: Who::Target, event: mark });
        }
        self.secrets.entries(&mut seen);
        append(transcript, seen);
    }

    fn wait(&self) {
        let watch = Stopwatch::start();
        let lives = || self.ours.as_ref().is_some_and(|(process, _)| process.ended().is_none());
        while lives() && !self.options.interrupted() && !watch.left(self.options.linger).is_zero() {
            thread::sleep(GLANCE.min(watch.left(self.options.linger)));
        }
    }

    /// A round of the witnesses alone, in the time of the round that began at `zero`; nothing where it could not take place.
    fn look(&mut self, plan: &Plan, header: &Header, zero: Time) -> Vec<Entry> {
        // Nobody acts in it: its attack is over as it begins.
        let calm = Plan { record: Recording::Full, limit: Duration::ZERO, ..plan.untouched() };
        // A few words are all that is wanted, and whoever holds a record may not wait for others to give theirs back.
        let seen = self.play(&calm, header.clone(), |_| Lease::spared());
        let Ok(seen) = seen else { return Vec::new() };
        let later = self.zero.0.saturating_sub(zero.0);
        seen.entries.into_iter().map(|entry| Entry { at: Time(entry.at.0 + later), ..entry }).collect()
    }
}

fn has_ended(entry: &Entry) -> bool {
    let ended = matches!(entry.event, Event::Life(Life::Exited { .. } | Life::Signalled { .. }));
    ended || matches!(&entry.event, Event::Gauge { name, .. } if name == SERVERS_ENDED)
}

/// The target, or a process of it, has ended; a witness was not served when it was asked last; a newcomer was heard by nobody.
fn is_trouble(seen: &[Entry]) -> bool {
    let unserved = |entry: &&Entry| match (&entry.who, &entry.event) {
        (Who::Member(fleet, _), Event::Witness(state)) if is_witness(fleet) && !state.is_of_newcomer() => {
            let after = seen.iter().rfind(|other| {
                matches!((&other.who, &other.event), (Who::Member(name, _), Event::Witness(state)) if name == fleet && !state.is_of_newcomer())
            });
            after.is_some_and(|last| !matches!(last.event, Event::Witness(WitnessState::Served { .. })))
        }
        (_, Event::Witness(WitnessState::Ignored { .. } | WitnessState::Unheard)) => true,
        _ => false,
    };
    seen.iter().any(has_ended) || seen.iter().find(unserved).is_some()
}

/// Behind what the record has: rights, calibrations and lives are told already, and connections are numbered after those that it knows.
fn append(into: &mut Transcript, seen: Vec<Entry>) {
    let conns = into.entries.iter().filter_map(|entry| entry.event.conn());
    let first = conns.map(|Conn(conn)| conn + 1).max().unwrap_or(0);
    let known: BTreeSet<String> =
        into.entries.iter().filter_map(|entry| calibration(&entry.event)).map(String::from).collect();
    let told = |event: &Event| match event {
        Event::Grant { .. } | Event::Life(Life::Started { .. } | Life::Ready) => true,
        Event::Gauge { name, .. } => name == ROUNDS_BEFORE,
        event => calibration(event).is_some_and(|name| known.contains(name)),
    };
    let new = seen.into_iter().filter(|entry| !told(&entry.event));
    into.entries.extend(new.map(|entry| renumbered(entry, first)));
}

fn calibration(event: &Event) -> Option<&str> {
    match event {
        Event::Calibration { name, .. } => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(who: &str, event: Event) -> Entry {
        let who = if who.is_empty() { Who::Target } else { Who::Member(who.into(), 0) };
        Entry { at: Time::ZERO, who, event }
    }

    fn witness(states: &[WitnessState]) -> Vec<Entry> {
        states.iter().map(|state| entry("witness", Event::Witness(*state))).collect()
    }

    #[test]
    fn a_target_is_in_trouble_that_has_ended_or_serves_its_witness_no_more() {
        let served = WitnessState::Served { rtt: 1, late: 0 };
        let missed = WitnessState::Missed { waited: 1, late: 0 };
        let welcomed = WitnessState::Welcomed { took: 1 };
        assert!(!is_trouble(&[]) && !is_trouble(&witness(&[served, WitnessState::Knocks, welcomed])));
        assert!(!is_trouble(&witness(&[WitnessState::Lost, served])), "it was idle meanwhile");
        assert!(is_trouble(&witness(&[served, missed])) && is_trouble(&witness(&[WitnessState::Lost])));
        assert!(is_trouble(&witness(&[served, WitnessState::Knocks, WitnessState::Unheard])));
        let exited = |code| entry("", Event::Life(Life::Exited { code }));
        assert!(is_trouble(&[exited(0)]), "it ended by itself, however orderly");
        assert!(!is_trouble(&[entry("", Event::Gauge { name: "rss-bytes".into(), value: 1 })]));
    }
}
