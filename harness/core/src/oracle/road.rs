//! Packet loss: what tells a datagram that was lost from one that nobody answered.
//!
//! A road loses single datagrams, of one client and then of another; a server that hangs answers nobody. So a silence may be loss where
//! others asked and were answered in it, the silent one was served again after it, and the same road has lost a question elsewhere: one that
//! was answered only when it was repeated.
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::record::{Crossing, Moment, Record};
use crate::time::{Duration, Time};
use crate::transcript::WitnessState;

/// Why a silence of a witness may be loss; `None`: it is none.
pub(super) fn excuse(
    record: &Record<'_>,
    witness: &str,
    (from, until): (Time, Moment),
    deadline: Duration,
) -> Option<&'static str> {
    let served = |state: WitnessState| matches!(state, WitnessState::Served { .. });
    // All copies of two questions in a row are no loss on a road on which anything is served.
    let is_one = until.at.since(from) < deadline * 2;
    let again = record.witness(witness).any(|(moment, state)| moment >= until && served(state));
    (is_one && again && serves_others(record, witness, from, until.at) && loses(record, witness, Some(until)))
        .then_some("datagrams are lost on the road: others were served meanwhile")
}

/// Why a silence of the target after a step says nothing: questions of a witness were lost in the same trial, and this one may have been.
pub(super) fn hides_an_answer(record: &Record<'_>) -> Option<&'static str> {
    let loses = record.witnesses().any(|witness| loses(record, witness, None));
    loses.then_some("datagrams are lost on the road, and this silence may be one")
}

/// Whether somebody else asked and was answered between two moments.
fn serves_others(record: &Record<'_>, witness: &str, from: Time, until: Time) -> bool {
    let mut asked = BTreeSet::new();
    let others = record.connections.iter().filter(|(_, connection)| connection.fleet != witness);
    let packets = others.flat_map(|(conn, _)| record.packets_of(*conn));
    packets.filter(|c| c.moment.at > from && c.moment.at < until).any(|c| match c.sent {
        true => {
            asked.insert(c.conn);
            false
        }
        false => asked.contains(&c.conn),
    })
}

/// Whether a question of the witness, but one that ended then, was answered only when it was repeated, while others were served. A server
/// whose every answer takes longer than that is slow.
fn loses(record: &Record<'_>, witness: &str, but: Option<Moment>) -> bool {
    let rtt = |(_, state)| if let WitnessState::Served { rtt, .. } = state { Some(rtt) } else { None };
    let fastest = record.witness(witness).filter_map(rtt).min().unwrap_or(u64::MAX);
    record.witness(witness).filter(|(moment, _)| Some(*moment) != but).any(|(moment, state)| {
        let WitnessState::Served { rtt, .. } = state else { return false };
        let from = Time(moment.at.0.saturating_sub(rtt));
        let repeated = repeated_after(record, witness, from, moment.at);
        repeated.is_some_and(|after| after > Duration::from_nanos(fastest))
            && serves_others(record, witness, from, moment.at)
    })
}

/// After how long it sent a packet a second time between two moments; `None`: it sent none twice.
fn repeated_after(record: &Record<'_>, witness: &str, from: Time, until: Time) -> Option<Duration> {
    let own = record.packets_by(witness, 0);
    let asked: Vec<&Crossing<'_>> =
        own.iter().filter(|c| c.sent && c.moment.at >= from && c.moment.at <= until).collect();
    asked.iter().enumerate().find_map(|(at, c)| {
        let first = asked[..at].iter().find(|b| (b.conn, b.packet) == (c.conn, c.packet))?;
        Some(c.moment.at.since(first.moment.at))
    })
}
