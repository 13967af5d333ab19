//! What a target does to every connection, whatever is said on others: it ends it at a maximum age, or after so long a silence of its client.
//! No clause of 3.1.1 or of TCP forbids that, and no word on the wire announces it.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fleet_undisturbed::{said_goodbye, was_told_to_go};
use super::record::{Connection, Record};
use crate::time::{Duration, Time};
use crate::transcript::{By, Event};

/// Below this an age, or a silence, is everybody's.
const LEAST: Duration = Duration::from_millis(500);
/// Ends that are no further apart may be one event: a crash, a restart.
const APART: Duration = Duration::from_millis(250);
/// From when on after the last byte of an attack an end is none of its doing.
const OVER: Duration = Duration::from_secs(1);

/// How long every connection of a trial lasted.
pub(super) struct Habits<'r, 'a> {
    record: &'r Record<'a>,
    /// By number.
    lives: Vec<Life>,
}

impl<'r, 'a> Habits<'r, 'a> {
    pub(super) fn of(record: &'r Record<'a>) -> Habits<'r, 'a> {
        let lives = record.connections.iter().filter_map(|(conn, one)| Life::of(record, *conn, one));
        Habits { record, lives: lives.collect() }
    }

    /// Why the end of a connection is a habit of the target: others were ended at the same age, or after the same silence, at other times
    /// and without the attack having a part, and none lasted longer. `None`: nothing shows one.
    pub(super) fn why(&self, conn: u32) -> Option<String> {
        let own = self.lives.binary_search_by_key(&conn, |life| life.conn).ok()?;
        habit(self.record, &self.lives, &self.lives[own])
    }
}

fn habit(record: &Record<'_>, lives: &[Life], own: &Life) -> Option<String> {
    if !own.by_target {
        return None;
    }
    let measures: [(&str, Measure); 2] = [("age", |life| Some(life.age())), ("silence", |life| life.silence())];
    let (what, twin, measured) = measures.into_iter().find_map(|(what, measure)| {
        let measured = measure(own).filter(|measured| *measured >= LEAST)?;
        let slack = slack(measured);
        let lasted =
            |life: &Life| life.answered && (if what == "age" { life.age() } else { life.longest }) > measured + slack;
        let twin = lives.iter().find(|life| is_twin(record, own, life, measure));
        let twin = twin.or_else(|| third(lives, own, measure)).or_else(|| together(record, lives, own, measure))?;
        (!lives.iter().any(lasted)).then_some((what, twin, measured))
    })?;
    let other = &record.connections[&twin.conn];
    let who = format!("{}[{}]", other.fleet, other.member);
    Some(format!(
        "the target ends every connection at about this {what} ({} ms), such as that of {who}",
        measured.as_millis()
    ))
}

type Measure = fn(&Life) -> Option<Duration>;

/// A timer of the target's may be this much later, or earlier, than another of its kind.
fn slack(measured: Duration) -> Duration {
    (measured / 20).max(Duration::from_millis(100))
}

/// Whether another connection was ended in the same way, at another time, and the attack had no part in that.
fn is_twin(record: &Record<'_>, own: &Life, other: &Life, measure: Measure) -> bool {
    let (Some(a), Some(b)) = (measure(own), measure(other)) else { return false };
    let differ = a.max(b) - a.min(b);
    let apart = own.ended.max(other.ended).since(own.ended.min(other.ended));
    let alike = other.conn != own.conn && other.by_target && differ <= slack(a) && apart > APART + differ;
    // One that follows upon the other may have been ended by the same attack, made again.
    let beside = other.opened < own.ended && own.opened < other.ended && other.is_quiet();
    let aside = record.attack().is_none_or(|(first, last)| other.ended < first.at || other.ended.since(last.at) > OVER);
    alike && (beside || aside)
}

/// The third connection that was ended like this one to the clock's precision, at a third time: no attack that is made again comes so
/// exactly as long after each client has connected anew, the first included.
fn third<'l>(lives: &'l [Life], own: &Life, measure: Measure) -> Option<&'l Life> {
    let alike = |life: &&Life| is_exact(own, life, measure);
    let apart = |a: &Life, b: &Life| a.ended.max(b.ended).since(a.ended.min(b.ended)) > APART;
    let second = lives.iter().filter(alike).find(|life| apart(life, own))?;
    lives.iter().filter(alike).find(|life| apart(life, own) && apart(life, second))
}

/// Another connection that was ended like this one to the clock's precision, both long after the attack. Clients that came together reach an
/// age together, so that their ends are not apart; and whoever falls for an attack does not wait that long, as a rule.
fn together<'l>(record: &Record<'_>, lives: &'l [Life], own: &Life, measure: Measure) -> Option<&'l Life> {
    let (_, last) = record.attack()?;
    let after = |life: &Life| life.ended > last.at && life.ended.since(last.at) > OVER;
    lives.iter().find(|life| after(own) && after(life) && is_exact(own, life, measure))
}

/// Whether another connection was ended in the same way, to the clock's precision.
fn is_exact(own: &Life, other: &Life, measure: Measure) -> bool {
    let (Some(a), Some(b)) = (measure(own), measure(other)) else { return false };
    let exact = (a / 200).max(Duration::from_millis(20));
    other.conn != own.conn && other.by_target && a.max(b) - a.min(b) <= exact
}

/// What is known of how long a connection lasted.
struct Life {
    conn: u32,
    opened: Time,
    ended: Time,
    /// The target ended it, and its owner had not said goodbye.
    by_target: bool,
    /// The target has ever said something on it: who was never let in may be left standing longer.
    answered: bool,
    /// When its owner said something last.
    said: Option<Time>,
    /// The longest time in which its owner said nothing.
    longest: Duration,
}

impl Life {
    fn of(record: &Record<'_>, conn: u32, connection: &Connection<'_>) -> Option<Life> {
        let opened = connection.opened?.at;
        let ended = connection.closed.map_or(record.end, |(moment, ..)| moment.at);
        let peer = connection.closed.is_some_and(|(_, by, _)| by == By::Peer);
        let by_target = (peer || was_told_to_go(record, conn, connection)) && !said_goodbye(record, conn);
        let entries = record.bytes_of(conn).iter().map(|id| &record.transcript.entries[id.0 as usize]);
        let answered = entries.clone().any(|entry| matches!(entry.event, Event::Received(_)));
        let (mut said, mut longest) = (None, Duration::ZERO);
        for entry in entries.filter(|entry| matches!(entry.event, Event::Sent(_)) && entry.at <= ended) {
            longest = longest.max(entry.at.since(said.unwrap_or(opened)));
            said = Some(entry.at);
        }
        let longest = said.map_or(longest, |said| longest.max(ended.since(said)));
        Some(Life { conn, opened, ended, by_target, answered, said, longest })
    }

    fn age(&self) -> Duration {
        self.ended.since(self.opened)
    }

    /// How long its owner had said nothing when it ended; `None`: nobody recorded what it said.
    fn silence(&self) -> Option<Duration> {
        self.said.map(|said| self.ended.since(said))
    }

    /// Nothing was said on it right before its end that this may have been the answer to.
    fn is_quiet(&self) -> bool {
        self.silence().is_some_and(|silence| silence > APART)
    }
}
