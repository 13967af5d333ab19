//! The witnesses on a thread of their own, so that the load of the trial does not delay them: what they find slow is slow.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use mio::Waker;
use proofhouse_core::board::is_witness;
use proofhouse_core::transcript::{Entry, Event, Header, Transcript, Who};

use crate::driver::{Cues, Driver, Stage};
use crate::error::RunError;

/// Witnesses at work: one for each protocol that is spoken to the target.
pub(crate) struct Witness<'scope> {
    stop: Stop,
    thread: ScopedJoinHandle<'scope, Result<Transcript, RunError>>,
    waker: Arc<Waker>,
}

/// Tells them to stop, on every way out: a scope waits for its threads also when it is left by a panic.
struct Stop(Arc<AtomicBool>, Arc<Waker>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.wake();
    }
}

/// The places of the witnesses in the plan.
pub(crate) fn places(stage: Stage<'_>) -> Vec<u16> {
    stage.plan.fleets.iter().filter(|f| is_witness(&f.name)).map(|f| f.index).collect()
}

impl<'scope> Witness<'scope> {
    /// Starts them; `cues` say where they are heard. The clock has begun.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stage: Stage<'env>,
        header: Header,
        places: Vec<u16>,
        mut cues: Cues<'env>,
    ) -> Result<Witness<'scope>, RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        cues.stop = Some(Arc::clone(&stop));
        let mut driver = Driver::new(stage, header, &places)?;
        let waker = driver.waker();
        let thread = scope.spawn(move || {
            driver.run(cues)?;
            let name = "witness-slip-max-ns".to_string();
            let value = proofhouse_core::time::nanos(driver.slip());
            driver.entry(Who::Harness, Event::Calibration { name, value });
            Ok(driver.finish())
        });
        Ok(Witness { stop: Stop(stop, Arc::clone(&waker)), thread, waker })
    }

    /// Wakes their loop.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Ends them, and puts what they saw among the rest: by time, their connections numbered after all others.
    pub(crate) fn finish(self, into: &mut Transcript) -> Result<(), RunError> {
        drop(self.stop);
        let seen = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let conns = into.entries.iter().filter_map(|entry| entry.event.conn());
        let first = conns.map(|conn| conn.0 + 1).max().unwrap_or(0);
        // Each record has totals of all fleets: those of its own count.
        into.entries.retain(|entry| !is_totals(entry, true));
        let its = seen.entries.into_iter().filter(|entry| !is_totals(entry, false));
        into.entries.extend(its.map(|entry| renumbered(entry, first)));
        Ok(())
    }
}

/// Totals of a witness, or of anybody else.
fn is_totals(entry: &Entry, of_witness: bool) -> bool {
    matches!(&entry.event, Event::Totals(totals) if totals.text("fleet").is_some_and(is_witness) == of_witness)
}

/// The same entry with its connection's number moved up by `first`.
fn renumbered(mut entry: Entry, first: u32) -> Entry {
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
