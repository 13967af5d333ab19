//! The witnesses on a thread of their own, so that the load of a round does not delay them: what they find slow is slow. They live as
//! long as the lab, and are asked anew in every round.
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use mio::Waker;
use proofhouse_core::plan::{FleetPlan, Party, Plan};
use proofhouse_core::time::Time;
use proofhouse_core::transcript::{Entry, Event, Transcript};
use proofhouse_core::witness::is_witness;

use crate::driver::{Bid, Cues, Driver, Ear, Round, TrialContext};
use crate::error::RunError;

/// Witnesses at work: one for each protocol that is spoken to the target. They end when this is dropped.
pub(crate) struct Witness {
    plan: Arc<Plan>,
    /// `None` once it is dropped, which ends the thread.
    bids: Option<Sender<Bid>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

/// Places in the plan of all fleets but the witnesses.
pub(crate) fn others(plan: &Plan) -> Vec<u16> {
    plan.fleets.iter().filter(|fleet| !is_witness(&fleet.name)).map(|fleet| fleet.index).collect()
}

impl Witness {
    /// Starts the witnesses of this plan, which then wait for a round; `None` where it has none.
    pub(crate) fn start(context: TrialContext, interrupt: Arc<AtomicBool>) -> Result<Option<Witness>, RunError> {
        let plan = Arc::clone(&context.plan);
        let places: Vec<u16> = fleets(&plan).map(|fleet| fleet.index).collect();
        if places.is_empty() {
            return Ok(None);
        }
        let (bids, to_do) = channel();
        let mut driver = Driver::witnesses(context, &places)?;
        let waker = driver.waker();
        let run = move || driver.run(Cues { interrupt, bids: Some(to_do), ..Cues::default() });
        let thread = std::thread::Builder::new().name("witness".into()).spawn(run);
        let thread = Some(thread.map_err(RunError::io("start a thread for the witness"))?);
        Ok(Some(Witness { plan, bids: Some(bids), waker, thread }))
    }

    /// Whether they can be the witnesses of this plan too: the same ones, who log in the same way.
    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        let who = |plan: &Plan| -> Vec<(FleetPlan, Option<Party>)> {
            let party = |fleet: &FleetPlan| fleet.party.map(|at| plan.parties[usize::from(at)].clone());
            fleets(plan).map(|fleet| (FleetPlan { index: 0, party: None, ..fleet.clone() }, party(fleet))).collect()
        };
        who(&self.plan) == who(plan)
    }

    /// This round begins, at `zero` of the lab's time. Yields how they are asked for its last word.
    pub(crate) fn begin(&self, ear: Ear, round: &TrialContext, zero: Time) -> (Sender<Bid>, Arc<Waker>) {
        let place = |own: &FleetPlan| round.plan.fleet(&own.name).map(|fleet| (own.index, fleet.index));
        let places = fleets(&self.plan).filter_map(place).collect();
        let bids = self.bids.clone().expect("it is taken when this is dropped");
        // Witnesses that are gone say why when they are asked for their record.
        let _ = bids.send(Bid::Begin(Round { zero, ear, places, memory: round.memory.clone() }));
        let _ = self.waker.wake();
        (bids, Arc::clone(&self.waker))
    }

    /// Puts what they saw in this round among the rest: in the round's time, their connections numbered after all others.
    pub(crate) fn record(&mut self, into: &mut Transcript, zero: Time) -> Result<(), RunError> {
        let (reply, record) = channel();
        let bids = self.bids.as_ref().expect("it is taken when this is dropped");
        let sent = bids.send(Bid::Record(reply));
        let _ = self.waker.wake();
        let Ok(seen) = sent.map_err(drop).and_then(|()| record.recv().map_err(drop)) else { return self.end() };
        let conns = into.entries.iter().filter_map(|entry| entry.event.conn());
        let first = conns.map(|conn| conn.0 + 1).max().unwrap_or(0);
        // The round's own record of edges has totals of all fleets: those of the witnesses count nothing.
        into.entries.retain(|entry| !is_totals_of_witness(entry));
        let moved = |entry: Entry| Entry { at: Time(entry.at.0.saturating_sub(zero.0)), ..renumbered(entry, first) };
        into.entries.extend(seen.entries.into_iter().map(moved));
        Ok(())
    }

    /// Waits for the thread to end.
    fn end(&mut self) -> Result<(), RunError> {
        drop(self.bids.take());
        let _ = self.waker.wake();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // a second panic would end the process
        }
        // Why it ended before does not matter any more: a round that needed it was told.
        let _ = self.end();
    }
}

fn fleets(plan: &Plan) -> impl Iterator<Item = &FleetPlan> {
    plan.fleets.iter().filter(|fleet| is_witness(&fleet.name))
}

fn is_totals_of_witness(entry: &Entry) -> bool {
    matches!(&entry.event, Event::Totals(totals) if totals.text("fleet").is_some_and(is_witness))
}

/// The same entry with its connection's number moved up by `first`.
pub(crate) fn renumbered(mut entry: Entry, first: u32) -> Entry {
    match &mut entry.event {
        Event::Opened { conn, .. }
        | Event::Closed { conn, .. }
        | Event::Undelivered { conn, .. }
        | Event::Planted { conn, .. }
        | Event::Seen { conn, .. }
        | Event::Fate { conn, .. } => *conn += first,
        Event::Sent(bytes) | Event::Received(bytes) => bytes.conn += first,
        Event::Step { conn: Some(conn), .. } => *conn += first,
        _ => {}
    }
    entry
}
